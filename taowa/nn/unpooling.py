"""Pooling by powers, and the partial inverse of pooling by maximum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from taowa.core.tensor import Tensor
from taowa.nn import functional as F
from taowa.nn.conv import spread
from taowa.nn.module import Module

__all__ = ["LPPool1d", "LPPool2d", "LPPool3d", "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d"]


class _LPPool(Module):
    """Take the p-norm of each window."""

    _pool: Any

    def __init__(
        self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
    ):
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        """Return the norms."""
        return type(self)._pool(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )

    def extra_repr(self) -> str:
        """Return the options for the printed form."""
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """Take the p-norm of each window of signals; see `LPPool2d` for the arguments.

    Example:
        >>> import taowa
        >>> LPPool1d(2, 2)(taowa.tensor([[3.0, 4.0]]))
        tensor([[5.]])
    """

    _pool = staticmethod(F.lp_pool1d)


class LPPool2d(_LPPool):
    """Take the p-norm of each window of images.

    Args:
        norm_type: The power p.
        kernel_size: Size of the windows.
        stride: Step of the windows; their size by default.
        ceil_mode: Whether windows may reach over the end.

    Shape:
        input `(N, C, H, W)` or `(C, H, W)` -> output `(N, C, H_out, W_out)`

    Example:
        >>> import taowa
        >>> LPPool2d(1, 2)(taowa.ones(1, 2, 2))
        tensor([[[4.]]])
    """

    _pool = staticmethod(F.lp_pool2d)


class LPPool3d(_LPPool):
    """Take the p-norm of each window of volumes; see `LPPool2d` for the arguments.

    Example:
        >>> import taowa
        >>> LPPool3d(1, 2)(taowa.ones(1, 2, 2, 2))
        tensor([[[[8.]]]])
    """

    _pool = staticmethod(F.lp_pool3d)


class _MaxUnpool(Module):
    """Put maxima back to their places."""

    _rank: int
    _unpool: Any

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0):
        super().__init__()
        self.kernel_size = spread(kernel_size, self._rank)
        self.stride = spread(kernel_size if stride is None else stride, self._rank)
        self.padding = spread(padding, self._rank)

    def forward(
        self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None
    ) -> Tensor:
        """Return zeros with the input at the places that `indices` name."""
        return type(self)._unpool(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )

    def extra_repr(self) -> str:
        """Return the options for the printed form."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Put maxima of signals back to their places; see `MaxUnpool2d` for the arguments.

    Example:
        >>> import taowa
        >>> MaxUnpool1d(2)(taowa.tensor([[3.0]]), taowa.tensor([[1]]))
        tensor([[0., 3.]])
    """

    _rank = 1
    _unpool = staticmethod(F.max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    """Put the maxima that `MaxPool2d(return_indices=True)` found back to their places.

    Args:
        kernel_size: Size of the windows.
        stride: Step of the windows; their size by default.
        padding: What was added on all sides.

    Shape:
        input and indices `(N, C, H, W)` or `(C, H, W)` -> output `(N, C, H_out, W_out)`

    Example:
        >>> import taowa
        >>> MaxUnpool2d(2)(taowa.tensor([[[3.0]]]), taowa.tensor([[[2]]]))
        tensor([[[0., 0.],
                 [3., 0.]]])
    """

    _rank = 2
    _unpool = staticmethod(F.max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    """Put maxima of volumes back to their places; see `MaxUnpool2d` for the arguments.

    Example:
        >>> import taowa
        >>> MaxUnpool3d(2)(taowa.ones(1, 1, 1, 1), taowa.zeros(1, 1, 1, 1).long()).shape
        torch.Size([1, 2, 2, 2])
    """

    _rank = 3
    _unpool = staticmethod(F.max_unpool3d)
