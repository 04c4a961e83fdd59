"""Normalisation across neighbouring channels."""

from __future__ import annotations

from taowa.core.tensor import Tensor
from taowa.nn.module import Module
from taowa.ops.channel_normalization import cross_map_lrn2d

__all__ = ["CrossMapLRN2d"]


class CrossMapLRN2d(Module):
    """Divide each element by a power of `k` plus a mean of squares of nearby channels.

    `LocalResponseNorm` is the usual form; this one has the windows of an older library.

    Args:
        size: How many channels a window has.
        alpha: Factor on the mean.
        beta: The power.
        k: Added to the mean.

    Shape:
        `(N, C, H, W)`, like the output

    Example:
        >>> import taowa
        >>> CrossMapLRN2d(1, alpha=3.0, beta=0.5)(taowa.ones(1, 1, 1, 1)).flatten()
        tensor([0.5000])
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1):
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input."""
        return cross_map_lrn2d(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """Return the options for the printed form."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
