"""Losses that have the network's last linear layer in them."""

from __future__ import annotations

import math
from typing import Any

from taowa.core.tensor import Tensor
from taowa.nn import functional as F
from taowa.nn.linear import Linear
from taowa.nn.loss import _WeightedLoss
from taowa.ops.linear_cross_entropy import LinearCrossEntropyOptions

__all__ = ["LinearCrossEntropyLoss", "LinearCrossEntropyOptions"]


class LinearCrossEntropyLoss(_WeightedLoss):
    """Measure the cross entropy between labels and the results of a linear layer of its own.

    Args:
        in_features: Length of the input's rows.
        num_classes: How many classes there are.
        out_features: Further dimensions of the labels, `(d1, ..., dK)`.
        bias: Whether the linear layer adds a bias.
        reduction: `"mean"`, `"sum"` or `"none"`.
        weight: A weight for each class.
        ignore_index: A label that counts for nothing.
        label_smoothing: How much of each label is spread evenly over all classes.
        options: Goes through the batch in pieces, so that logits take less memory.

    Shape:
        input `(N, in_features)`, target `(N, *out_features)` -> output `()`

    Example:
        >>> import taowa
        >>> loss = LinearCrossEntropyLoss(3, 5)
        >>> loss(taowa.ones(2, 3), taowa.tensor([0, 4])).shape
        torch.Size([])
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: Any = None,
        dtype: Any = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: LinearCrossEntropyOptions | None = None,
    ):
        if weight is not None and tuple(weight.shape) != (num_classes,):
            raise RuntimeError(
                f"expected weight shape to be {(num_classes,)}, got {tuple(weight.shape)}"
            )
        if not 0 <= label_smoothing <= 1:
            raise RuntimeError(
                f"expected label_smoothing to be in range [0, 1], got {label_smoothing}"
            )
        super().__init__(weight=weight, size_average=None, reduce=None, reduction=reduction)
        self.num_classes = num_classes
        self.out_features = out_features
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        rows = math.prod(out_features, start=num_classes)
        self.linear = Linear(in_features, rows, bias=bias, device=device, dtype=dtype)
        self.options = options

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        shape = (self.num_classes, *self.out_features)
        weight: Any = self.linear.weight
        bias: Any = self.linear.bias
        return F.linear_cross_entropy(
            input,
            weight.reshape(*shape, self.linear.in_features),
            target,
            linear_bias=None if bias is None else bias.reshape(shape),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )

    def extra_repr(self) -> str:
        """Return the options for the printed form."""
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, "
            f"out_features={self.out_features}, bias={self.linear.bias is not None}, "
            f"reduction={self.reduction}, ignore_index={self.ignore_index}, "
            f"label_smoothing={self.label_smoothing}, options={self.options}"
        )
