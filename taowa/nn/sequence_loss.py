"""Losses between sequences of different lengths."""

from __future__ import annotations

from taowa.core.tensor import Tensor
from taowa.nn import functional as F
from taowa.nn.loss import _Loss
from taowa.ops.ctc import Lengths

__all__ = ["CTCLoss"]


class CTCLoss(_Loss):
    """Measure how improbable it is that sequences spell their labels, in any alignment.

    Args:
        blank: The class that stands for no label.
        reduction: `"mean"` (each loss divided by its number of labels), `"sum"` or `"none"`.
        zero_infinity: Whether sequences too short for their labels count as 0, not infinity.

    Shape:
        log_probs `(T, N, C)`, targets `(N, S)` or all labels one after another, both lengths
        `(N,)` -> output `()`

    References:
        Graves et al. 2006, https://www.cs.toronto.edu/~graves/icml_2006.pdf

    Example:
        >>> import taowa
        >>> logs = taowa.zeros(2, 1, 2).log_softmax(2)
        >>> CTCLoss()(logs, taowa.tensor([[1]]), [2], [1])
        tensor(0.2877)
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False):
        super().__init__(reduction=reduction)
        self.blank = blank
        self.zero_infinity = zero_infinity

    def forward(
        self,
        log_probs: Tensor,
        targets: Tensor,
        input_lengths: Lengths,
        target_lengths: Lengths,
    ) -> Tensor:
        """Return the loss."""
        return F.ctc_loss(
            log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction,
            self.zero_infinity,
        )  # fmt: skip
