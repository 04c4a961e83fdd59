"""Max pooling over windows whose places are drawn at random."""

from __future__ import annotations

from typing import Any

from taowa.core.tensor import Tensor
from taowa.nn import functional as F
from taowa.nn.module import Module

__all__ = ["FractionalMaxPool2d", "FractionalMaxPool3d"]


class _FractionalMaxPool(Module):
    _rank: int
    _pool: Any

    def __init__(
        self,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ):
        super().__init__()
        self.kernel_size = self._spread(kernel_size)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else self._spread(output_size)
        self.output_ratio = None if output_ratio is None else self._spread(output_ratio)
        if output_size is None and output_ratio is None:
            raise ValueError(
                f"{type(self).__name__} requires specifying either an output size, or a pooling "
                "ratio"
            )
        if output_size is not None and output_ratio is not None:
            raise ValueError("only one of output_size and output_ratio may be specified")
        if self.output_ratio and not all(0 < r < 1 for r in self.output_ratio):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def _spread(self, value: Any) -> tuple:
        return tuple(value) if isinstance(value, list | tuple) else (value,) * self._rank

    def forward(self, input: Tensor) -> Any:
        """Return the maxima, with their places if asked for."""
        return type(self)._pool(
            input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices,
            _random_samples=self._random_samples,
        )  # fmt: skip


class FractionalMaxPool2d(_FractionalMaxPool):
    """Take the largest element of windows that are spread over images at random steps.

    Args:
        kernel_size: Size of the windows.
        output_size: Height and width of the result.
        output_ratio: Those divided by the input's, in (0, 1), in the place of `output_size`.
        return_indices: Whether to return the maxima's places too.

    Shape:
        input `(N, C, H, W)` or `(C, H, W)` -> output `(N, C, *output_size)`

    References:
        Graham 2014, https://arxiv.org/abs/1412.6071

    Example:
        >>> import taowa
        >>> FractionalMaxPool2d(2, output_ratio=0.6)(taowa.ones(1, 1, 5, 5)).shape
        torch.Size([1, 1, 3, 3])
    """

    _rank = 2
    _pool = staticmethod(F.fractional_max_pool2d)


class FractionalMaxPool3d(_FractionalMaxPool):
    """Take the largest element of windows that are spread over volumes at random steps.

    See `FractionalMaxPool2d` for the arguments.

    Example:
        >>> import taowa
        >>> FractionalMaxPool3d(2, output_size=3)(taowa.ones(1, 1, 5, 5, 5)).shape
        torch.Size([1, 1, 3, 3, 3])
    """

    _rank = 3
    _pool = staticmethod(F.fractional_max_pool3d)

    def __init__(
        self,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ):
        if min(self._spread(kernel_size)) <= 0:
            raise ValueError(f"kernel_size must be greater than 0, but got {kernel_size}")
        super().__init__(kernel_size, output_size, output_ratio, return_indices, _random_samples)
