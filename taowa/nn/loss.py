"""Losses as layers."""

from __future__ import annotations

from typing import Any

from taowa.core.tensor import Tensor
from taowa.nn import functional as F
from taowa.nn.module import Module
from taowa.ops.loss import reduction_of

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "MSELoss",
    "NLLLoss",
    "SmoothL1Loss",
]


class _Loss(Module):
    """A loss with a reduction: `"mean"`, `"sum"` or `"none"`."""

    reduction: str

    def __init__(self, size_average: Any = None, reduce: Any = None, reduction: str = "mean"):
        super().__init__()
        self.reduction = reduction_of(size_average, reduce, reduction)


class _WeightedLoss(_Loss):
    """A loss whose classes have weights, kept as a buffer."""

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ):
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)


class L1Loss(_Loss):
    """Measure the mean absolute difference.

    Args:
        size_average: Deprecated, see `reduction`.
        reduce: Deprecated, see `reduction`.
        reduction: `"mean"`, `"sum"` or `"none"`.

    Example:
        >>> import taowa
        >>> L1Loss()(taowa.zeros(2), taowa.tensor([1.0, 3.0]))
        tensor(2.)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.l1_loss(input, target, reduction=self.reduction)


class MSELoss(_Loss):
    """Measure the mean squared difference.

    Args:
        size_average: Deprecated, see `reduction`.
        reduce: Deprecated, see `reduction`.
        reduction: `"mean"`, `"sum"` or `"none"`.

    Example:
        >>> import taowa
        >>> MSELoss()(taowa.zeros(2), taowa.tensor([1.0, 3.0]))
        tensor(5.)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.mse_loss(input, target, reduction=self.reduction)


class NLLLoss(_WeightedLoss):
    """Measure the negative log-likelihood of classes, given log-probabilities.

    Args:
        weight: A weight for each class, `(C,)`.
        size_average: Deprecated, see `reduction`.
        ignore_index: Class that does not count.
        reduce: Deprecated, see `reduction`.
        reduction: `"mean"` (weighted), `"sum"` or `"none"`.

    Shape:
        input `(N, C, *)` or `(C,)`, target `(N, *)` or `()` of classes in [0, C)

    Example:
        >>> import taowa
        >>> NLLLoss()(taowa.tensor([[-1.0, -2.0]]), taowa.tensor([1]))
        tensor(2.)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: Any = None,
        ignore_index: int = -100,
        reduce: Any = None,
        reduction: str = "mean",
    ):
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.nll_loss(
            input, target, weight=self.weight, ignore_index=self.ignore_index,
            reduction=self.reduction,
        )  # fmt: skip


class CrossEntropyLoss(_WeightedLoss):
    """Measure the cross-entropy of classes, given unnormalised scores.

    Args:
        weight: A weight for each class, `(C,)`.
        size_average: Deprecated, see `reduction`.
        ignore_index: Class that does not count.
        reduce: Deprecated, see `reduction`.
        reduction: `"mean"` (weighted), `"sum"` or `"none"`.
        label_smoothing: Share of the target spread evenly over all classes, in [0, 1].

    Shape:
        input `(N, C, *)` or `(C,)`; target `(N, *)` or `()` of classes in [0, C), or
        probabilities of the input's shape

    Example:
        >>> import taowa
        >>> CrossEntropyLoss()(taowa.zeros(1, 2), taowa.tensor([1]))
        tensor(0.6931)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: Any = None,
        ignore_index: int = -100,
        reduce: Any = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ):
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.cross_entropy(
            input, target, weight=self.weight, ignore_index=self.ignore_index,
            reduction=self.reduction, label_smoothing=self.label_smoothing,
        )  # fmt: skip


class BCELoss(_WeightedLoss):
    """Measure the binary cross-entropy, given probabilities.

    Args:
        weight: A weight for each element of a batch.
        size_average: Deprecated, see `reduction`.
        reduce: Deprecated, see `reduction`.
        reduction: `"mean"`, `"sum"` or `"none"`.

    Example:
        >>> import taowa
        >>> BCELoss()(taowa.tensor([0.5]), taowa.tensor([1.0]))
        tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.binary_cross_entropy(input, target, weight=self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """Measure the binary cross-entropy, given unnormalised scores.

    Args:
        weight: A weight for each element of a batch.
        size_average: Deprecated, see `reduction`.
        reduce: Deprecated, see `reduction`.
        reduction: `"mean"`, `"sum"` or `"none"`.
        pos_weight: A weight for the positive examples of each class.

    Example:
        >>> import taowa
        >>> BCEWithLogitsLoss()(taowa.tensor([0.0]), taowa.tensor([1.0]))
        tensor(0.6931)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ):
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, pos_weight=self.pos_weight, reduction=self.reduction
        )


class SmoothL1Loss(_Loss):
    """Measure the difference, squared where it is below `beta` and absolute above.

    Args:
        size_average: Deprecated, see `reduction`.
        reduce: Deprecated, see `reduction`.
        reduction: `"mean"`, `"sum"` or `"none"`.
        beta: Where the two pieces meet, >= 0.

    References:
        Girshick 2015, https://arxiv.org/abs/1504.08083

    Example:
        >>> import taowa
        >>> SmoothL1Loss()(taowa.tensor([0.0]), taowa.tensor([3.0]))
        tensor(2.5000)
    """

    def __init__(
        self,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
        beta: float = 1.0,
    ):
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(_Loss):
    """Measure the difference, squared where it is below `delta` and linear above.

    Args:
        reduction: `"mean"`, `"sum"` or `"none"`.
        delta: Where the two pieces meet, > 0.

    Raises:
        TypeError: if `delta` is no real number.

    References:
        Huber 1964, https://doi.org/10.1214/aoms/1177703732

    Example:
        >>> import taowa
        >>> HuberLoss()(taowa.tensor([0.0]), taowa.tensor([3.0]))
        tensor(2.5000)
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0):
        if not isinstance(delta, float | int):
            raise TypeError(f"delta must be a float or int, got: {type(delta)}")
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class KLDivLoss(_Loss):
    """Measure the Kullback-Leibler divergence, given log-probabilities.

    Args:
        size_average: Deprecated, see `reduction`.
        reduce: Deprecated, see `reduction`.
        reduction: `"mean"`, `"batchmean"` (the mathematical one), `"sum"` or `"none"`.
        log_target: Whether the target is given as log-probabilities too.

    Example:
        >>> import taowa
        >>> p = taowa.tensor([[0.5, 0.5]])
        >>> KLDivLoss(reduction="batchmean")(p.log(), p)
        tensor(0.)
    """

    def __init__(
        self,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
        log_target: bool = False,
    ):
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)
