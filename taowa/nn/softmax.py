"""Softmax and its relatives as layers."""

from __future__ import annotations

from taowa.core.tensor import Tensor
from taowa.nn import functional as F
from taowa.nn.module import Module

__all__ = [
    "LogSoftmax",
    "Softmax",
    "Softmax2d",
    "Softmin",
]


class Softmax2d(Module):
    """Apply softmax over the channels of images.

    Shape:
        `(N, C, H, W)` or `(C, H, W)`, in and out

    Example:
        >>> import taowa
        >>> Softmax2d()(taowa.zeros(1, 2, 1, 1)).flatten()
        tensor([0.5000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the probabilities."""
        if input.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.ndim}D instead")
        return F.softmax(input, -3)


class _OverDim(Module):
    """A softmax along one dimension."""

    dim: int | None

    def __init__(self, dim: int | None = None):
        super().__init__()
        self.dim = dim

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        self.__dict__.setdefault("dim", None)

    def extra_repr(self) -> str:
        """Return the dimension for the printed form."""
        return f"dim={self.dim}"


class Softmax(_OverDim):
    """Apply `exp(x_i) / sum_j exp(x_j)` along a dimension.

    Args:
        dim: The dimension along which the results sum to 1.

    Example:
        >>> import taowa
        >>> Softmax(dim=0)(taowa.tensor([0.0, 0.0]))
        tensor([0.5000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the probabilities."""
        return F.softmax(input, self.dim, _stacklevel=5)


class LogSoftmax(_OverDim):
    """Apply the logarithm of softmax along a dimension.

    Args:
        dim: The dimension along which the exponentials of the results sum to 1.

    Example:
        >>> import taowa
        >>> LogSoftmax(dim=0)(taowa.tensor([0.0, 0.0]))
        tensor([-0.6931, -0.6931])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the log-probabilities."""
        return F.log_softmax(input, self.dim, _stacklevel=5)


class Softmin(_OverDim):
    """Apply softmax of the negated input along a dimension.

    Args:
        dim: The dimension along which the results sum to 1.

    Example:
        >>> import taowa
        >>> Softmin(dim=0)(taowa.tensor([0.0, 0.0]))
        tensor([0.5000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the probabilities."""
        return F.softmin(input, self.dim, _stacklevel=5)

    def extra_repr(self) -> str:
        """Return the dimension for the printed form."""
        return f"dim={self.dim}"
