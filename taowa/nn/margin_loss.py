"""Losses that ask for a margin, and likelihoods of counts and normal distributions."""

from __future__ import annotations

from typing import Any

from taowa.core.tensor import Tensor
from taowa.nn import functional as F
from taowa.nn.loss import _Loss, _WeightedLoss

__all__ = [
    "CosineEmbeddingLoss",
    "GaussianNLLLoss",
    "HingeEmbeddingLoss",
    "MarginRankingLoss",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "PoissonNLLLoss",
    "SoftMarginLoss",
    "TripletMarginLoss",
]


class PoissonNLLLoss(_Loss):
    """Measure the negative log-likelihood of counts under Poisson distributions.

    Args:
        log_input: Whether the input is the logarithms of the rates.
        full: Whether to add Stirling's approximation of the term without the input.
        size_average: Deprecated, see `reduction`.
        eps: Keeps the logarithm of a rate of 0 finite.
        reduce: Deprecated, see `reduction`.
        reduction: `"mean"`, `"sum"` or `"none"`.

    Example:
        >>> import taowa
        >>> PoissonNLLLoss()(taowa.tensor([0.0]), taowa.tensor([2.0]))
        tensor(1.)
    """

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: Any = None,
        eps: float = 1e-8,
        reduce: Any = None,
        reduction: str = "mean",
    ):
        super().__init__(size_average, reduce, reduction)
        self.log_input = log_input
        self.full = full
        self.eps = eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.poisson_nll_loss(
            log_input, target, log_input=self.log_input, full=self.full, eps=self.eps,
            reduction=self.reduction,
        )  # fmt: skip


class GaussianNLLLoss(_Loss):
    """Measure the negative log-likelihood of targets under normal distributions.

    Args:
        full: Whether to add the constant term.
        eps: Bound below of the variance.
        reduction: `"mean"`, `"sum"` or `"none"`.

    Raises:
        ValueError: when called, if a variance is negative.

    References:
        Nix and Weigend 1994, Estimating the mean and variance of the target distribution

    Example:
        >>> import taowa
        >>> one = taowa.ones(1)
        >>> GaussianNLLLoss()(one, 3 * one, one)
        tensor(2.)
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean"):
        super().__init__(None, None, reduction)
        self.full = full
        self.eps = eps

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Tensor:
        """Return the loss of means `input` and variances `var`."""
        return F.gaussian_nll_loss(
            input, target, var, full=self.full, eps=self.eps, reduction=self.reduction
        )


class _MarginLoss(_Loss):
    """A loss with a margin."""

    _default: float

    def __init__(
        self,
        margin: float | None = None,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ):
        super().__init__(size_average, reduce, reduction)
        self.margin = self._default if margin is None else margin


class HingeEmbeddingLoss(_MarginLoss):
    """Measure distances of pairs that belong together, and what others lack of a margin.

    Args:
        margin: The distance that others should have, 1 by default.
        size_average: Deprecated, see `reduction`.
        reduce: Deprecated, see `reduction`.
        reduction: `"mean"`, `"sum"` or `"none"`.

    Shape:
        input and target (1 or -1) of the same shape

    Example:
        >>> import taowa
        >>> HingeEmbeddingLoss()(taowa.tensor([0.25]), taowa.tensor([-1.0]))
        tensor(0.7500)
    """

    _default = 1.0

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.hinge_embedding_loss(input, target, margin=self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(_MarginLoss):
    """Measure how far pairs of vectors are from one direction, or others within a margin of it.

    Args:
        margin: The largest cosine that costs nothing for others, 0 by default.
        size_average: Deprecated, see `reduction`.
        reduce: Deprecated, see `reduction`.
        reduction: `"mean"`, `"sum"` or `"none"`.

    Shape:
        inputs `(N, D)` or `(D,)`, target (1 or -1) `(N,)` or `()`

    Example:
        >>> import taowa
        >>> x, y = taowa.tensor([1.0, 0.0]), taowa.tensor([0.0, 1.0])
        >>> CosineEmbeddingLoss()(x, y, taowa.tensor(1.0))
        tensor(1.)
    """

    _default = 0.0

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.cosine_embedding_loss(
            input1, input2, target, margin=self.margin, reduction=self.reduction
        )


class MarginRankingLoss(_MarginLoss):
    """Measure what pairs of scores lack of the right order by a margin.

    Args:
        margin: By how much, 0 by default.
        size_average: Deprecated, see `reduction`.
        reduce: Deprecated, see `reduction`.
        reduction: `"mean"`, `"sum"` or `"none"`.

    Shape:
        inputs and target (1 or -1) of the same shape

    Example:
        >>> import taowa
        >>> MarginRankingLoss()(taowa.tensor([1.0]), taowa.tensor([3.0]), taowa.tensor([1.0]))
        tensor(2.)
    """

    _default = 0.0

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.margin_ranking_loss(
            input1, input2, target, margin=self.margin, reduction=self.reduction
        )


class SoftMarginLoss(_Loss):
    """Measure the logistic loss of scores, `log(1 + exp(-target * input))`.

    Args:
        size_average: Deprecated, see `reduction`.
        reduce: Deprecated, see `reduction`.
        reduction: `"mean"`, `"sum"` or `"none"`.

    Shape:
        input and target (1 or -1) of the same shape

    Example:
        >>> import taowa
        >>> SoftMarginLoss()(taowa.tensor([0.0]), taowa.tensor([1.0]))
        tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class MultiLabelMarginLoss(_Loss):
    """Measure what the scores of all right classes lack of a margin of 1 over the others.

    Args:
        size_average: Deprecated, see `reduction`.
        reduce: Deprecated, see `reduction`.
        reduction: `"mean"`, `"sum"` or `"none"`.

    Shape:
        input `(N, C)` or `(C,)`, target of classes of the same shape, ended by the first -1

    Example:
        >>> import taowa
        >>> MultiLabelMarginLoss()(taowa.tensor([0.0, 1.0]), taowa.tensor([0, -1]))
        tensor(1.)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.multilabel_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(_WeightedLoss):
    """Measure the mean over classes of the logistic loss of each class for itself.

    Args:
        weight: A weight for each class, `(C,)`.
        size_average: Deprecated, see `reduction`.
        reduce: Deprecated, see `reduction`.
        reduction: `"mean"`, `"sum"` or `"none"`.

    Shape:
        input and target (0 or 1) `(N, C)`

    Example:
        >>> import taowa
        >>> MultiLabelSoftMarginLoss()(taowa.zeros(1, 2), taowa.ones(1, 2))
        tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.multilabel_soft_margin_loss(
            input, target, weight=self.weight, reduction=self.reduction
        )


class MultiMarginLoss(_WeightedLoss):
    """Measure what the right class's score lacks of a margin over each other one.

    Args:
        p: The power of each lack, 1 or 2.
        margin: The margin.
        weight: A weight for each class, `(C,)`.
        size_average: Deprecated, see `reduction`.
        reduce: Deprecated, see `reduction`.
        reduction: `"mean"`, `"sum"` or `"none"`.

    Shape:
        input `(N, C)` or `(C,)`, target `(N,)` or `()` of classes in [0, C)

    Raises:
        ValueError: if `p` is another number, or `weight` no vector.

    Example:
        >>> import taowa
        >>> MultiMarginLoss()(taowa.tensor([[0.0, 1.0]]), taowa.tensor([0]))
        tensor(1.)
    """

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ):
        super().__init__(weight, size_average, reduce, reduction)
        if p not in (1, 2):
            raise ValueError("only p == 1 and p == 2 supported")
        if weight is not None and weight.ndim != 1:
            raise ValueError(f"weight must be None or have 1 dimension, got {weight.ndim}")
        self.p = p
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.multi_margin_loss(
            input, target, p=self.p, margin=self.margin, weight=self.weight,
            reduction=self.reduction,
        )  # fmt: skip


class TripletMarginLoss(_Loss):
    """Measure how much less than a margin negatives are farther from anchors than positives.

    Args:
        margin: The margin, positive.
        p: The norm of differences.
        eps: Added to differences, which keeps the gradient at 0 finite.
        swap: Whether the negative's distance from the positive counts too, if it is smaller.
        size_average: Deprecated, see `reduction`.
        reduce: Deprecated, see `reduction`.
        reduction: `"mean"`, `"sum"` or `"none"`.

    Shape:
        inputs `(N, D)` or `(D,)`

    Raises:
        ValueError: if the margin is not positive.

    References:
        Balntas et al. 2016, Learning local feature descriptors with triplets

    Example:
        >>> import taowa
        >>> x = taowa.zeros(1, 1)
        >>> TripletMarginLoss()(x, x, x)
        tensor(1.0000)
    """

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ):
        super().__init__(size_average, reduce, reduction)
        if margin <= 0:
            raise ValueError(
                f"TripletMarginLoss: expected margin to be greater than 0, got {margin} instead"
            )
        self.margin = margin
        self.p = p
        self.eps = eps
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Return the loss."""
        return F.triplet_margin_loss(
            anchor, positive, negative, margin=self.margin, p=self.p, eps=self.eps,
            swap=self.swap, reduction=self.reduction,
        )  # fmt: skip
