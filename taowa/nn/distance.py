"""Distances and angles as layers."""

from __future__ import annotations

from collections.abc import Callable

from taowa.core.tensor import Tensor
from taowa.nn import functional as F
from taowa.nn.loss import _Loss
from taowa.nn.module import Module

__all__ = ["CosineSimilarity", "PairwiseDistance", "TripletMarginWithDistanceLoss"]


class CosineSimilarity(Module):
    """Return the cosine of the angle between vectors.

    Args:
        dim: The dimension of the vectors.
        eps: Smallest length of a vector that counts.

    Example:
        >>> import taowa
        >>> CosineSimilarity(dim=0)(taowa.tensor([1.0, 0.0]), taowa.tensor([3.0, 4.0]))
        tensor(0.6000)
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8):
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return the cosines."""
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """Return the p-norms of differences along the last dimension.

    Args:
        p: The norm.
        eps: Added to differences, which keeps the gradient at 0 finite.
        keepdim: Whether to keep the last dimension, of size 1.

    Shape:
        inputs `(N, D)` or `(D,)` -> output `(N,)` or `()`

    Example:
        >>> import taowa
        >>> PairwiseDistance(eps=0.0)(taowa.tensor([3.0, 4.0]), taowa.zeros(2))
        tensor(5.)
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False):
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return the distances."""
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


class TripletMarginWithDistanceLoss(_Loss):
    """Measure how much less than a margin negatives are farther away than positives.

    Args:
        distance_function: Gives the distances of two tensors; `PairwiseDistance()` by default.
        margin: Positive.
        swap: Whether the negative's distance from the positive counts too, if it is smaller.
        reduction: `"mean"`, `"sum"` or `"none"`.

    Raises:
        ValueError: if the margin is not positive.

    Example:
        >>> import taowa
        >>> x = taowa.zeros(1, 2)
        >>> TripletMarginWithDistanceLoss(margin=0.5)(x, x, x)
        tensor(0.5000)
    """

    def __init__(
        self,
        *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ):
        super().__init__(None, None, reduction)
        if margin <= 0:
            raise ValueError(
                "TripletMarginWithDistanceLoss: expected margin to be greater than 0, "
                f"got {margin} instead"
            )
        self.distance_function = PairwiseDistance() if distance_function is None else (
            distance_function
        )  # fmt: skip
        self.margin = margin
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Return the loss."""
        return F.triplet_margin_with_distance_loss(
            anchor, positive, negative, distance_function=self.distance_function,
            margin=self.margin, swap=self.swap, reduction=self.reduction,
        )  # fmt: skip
