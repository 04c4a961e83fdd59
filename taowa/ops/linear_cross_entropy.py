"""Cross entropy of a linear layer's results, a few rows at a time if asked for."""

from __future__ import annotations

import dataclasses
import math
import warnings
from typing import Any

import jax.numpy as jnp
from jax import lax

from taowa import dtypes
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.linear import linear
from taowa.ops.loss import cross_entropy, require_class_weights
from taowa.ops.precision import HIGHEST, require_same_dtype, wide
from taowa.ops.softmax import log_softmax_of

_POLICIES = ("auto", "accurate", "balanced", "compact")


@dataclasses.dataclass(slots=True, frozen=True)
class LinearCrossEntropyOptions:
    """How `linear_cross_entropy` goes through its batch in pieces.

    Logits of the whole batch are then never held at once, neither forward nor backward.

    Args:
        allow_retain_graph: Accepted; going backward twice always works.
        batch_chunk_size: Rows of a piece; all rows by default.
        chunking_method: How to choose them: `"auto"`, `"aspect_ratio"` (a piece's logits take as
            much memory as the input), `"aspect_ratio:N"` (an N-th of that) or `None`.
        acc_policy: Accepted; sums are always kept in float32 at least.
        acc_dtype: Accepted for the types that PyTorch takes.

    Raises:
        ValueError: for values that PyTorch does not know.

    Example:
        >>> LinearCrossEntropyOptions(batch_chunk_size=4, chunking_method=None).chunk_size(9, 2, 5)
        4
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: Any = None

    def __post_init__(self) -> None:
        if self.acc_policy not in _POLICIES:
            raise ValueError(f"invalid acc_policy: {self.acc_policy!r}")
        if self.chunking_method not in (None, "auto"):
            name, colon, factor = str(self.chunking_method).partition(":")
            if name != "aspect_ratio" or (colon and not (factor.isdigit() and int(factor))):
                raise ValueError(f"invalid chunking_method: {self.chunking_method!r}")
        size = self.batch_chunk_size
        if size is not None and not (isinstance(size, int) and size > 0):
            raise ValueError(f"batch_chunk_size must be positive int or None, got {size!r}")
        known = (dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64)
        if self.acc_dtype is not None and self.acc_dtype not in known:
            raise ValueError(f"acc_dtype must be None or one of {known}, got {self.acc_dtype!r}")

    def chunk_size(self, num_rows: int, in_features: int, num_classes: int) -> int:
        """Return the rows of a piece.

        Raises:
            ValueError: if `batch_chunk_size` and `chunking_method` disagree.
        """
        method, given = self.chunking_method, self.batch_chunk_size
        if method is None or (method == "auto" and given is not None):
            return max(1, min(num_rows if given is None else given, num_rows))
        factor = int(method.partition(":")[2] or 1) if method != "auto" else 2
        rows = -(-num_rows // -(-num_classes // in_features))
        size = min((1 << (rows - 1).bit_length()) // factor, num_rows)
        if given is not None and given != size:
            raise ValueError(
                f"batch_chunk_size (={given}) and chunking_method ('{method}') give different "
                f"chunk sizes ({given} vs {size}); pass only one."
            )
        return max(1, size)


def _pieces(x: Any, size: int, value: Any) -> Any:
    """Return `(pieces, size, *)` from `(N, *)`, the last piece filled up."""
    count = -(-x.shape[0] // size)
    pads = [(0, count * size - x.shape[0])] + [(0, 0)] * (x.ndim - 1)
    padded = jnp.pad(x, pads, constant_values=value)
    return padded.reshape(count, size, *x.shape[1:])


def _logits(rows: Any, weight: Any, bias: Any) -> Any:
    y = jnp.matmul(rows, weight.T, precision=HIGHEST)
    return y if bias is None else y + bias


def _row_weights(target: Any, class_weight: Any, ignore_index: int, dtype: Any) -> Any:
    is_kept = target != ignore_index
    if class_weight is None:
        return is_kept.astype(dtype)
    return jnp.where(is_kept, class_weight[jnp.where(is_kept, target, 0)], 0)


@op(name="linear_cross_entropy", promote=None)
def _in_pieces(
    input: Array,
    linear_weight: Array,
    target: Array,
    linear_bias: Array | None,
    weight: Array | None,
    num_classes: int,
    ignore_index: int,
    size: int,
):
    """Return each row's weighted loss and its weight."""
    require_same_dtype("input and linear_weight", input, linear_weight, linear_bias)
    require_class_weights(jnp.zeros((1, num_classes), input.dtype), weight)
    if target.shape != input.shape[:1]:
        raise RuntimeError(
            f"expected target of shape {input.shape[:1]}, got {target.shape} for input "
            f"{input.shape}"
        )
    x, w = wide(input), wide(linear_weight)
    bias, classes = (None if v is None else wide(v) for v in (linear_bias, weight))

    def step(_: None, piece: Any) -> Any:
        rows, labels = piece
        logs = log_softmax_of(_logits(rows, w, bias), 1)
        found = jnp.take_along_axis(logs, labels[:, None], 1, mode="clip")[:, 0]
        shares = _row_weights(labels, classes, ignore_index, logs.dtype)
        return None, (jnp.where(shares == 0, 0, -found * shares), shares)

    pieces = _pieces(x, size, 0), _pieces(target, size, ignore_index)
    losses, shares = (v.reshape(-1)[: x.shape[0]] for v in lax.scan(step, None, pieces)[1])
    return losses, shares


@_in_pieces.backward
def _(grads, input, linear_weight, target, linear_bias, weight, num_classes, ignore_index, size):
    x, w = wide(input), wide(linear_weight)
    bias, classes = (None if v is None else wide(v) for v in (linear_bias, weight))

    def step(sums: tuple, piece: Any) -> Any:
        rows, labels, g = piece
        shares = _row_weights(labels, classes, ignore_index, rows.dtype) * g
        is_label = labels[:, None] == jnp.arange(num_classes)
        chances = jnp.exp(log_softmax_of(_logits(rows, w, bias), 1))
        towards = shares[:, None] * (chances - is_label)
        of_weight = sums[0] + jnp.matmul(towards.T, rows, precision=HIGHEST)
        return (of_weight, sums[1] + towards.sum(0)), jnp.matmul(towards, w, precision=HIGHEST)

    pieces = tuple(
        _pieces(v, size, fill) for v, fill in ((x, 0), (target, ignore_index), (wide(grads[0]), 0))
    )
    start = jnp.zeros_like(w), jnp.zeros(num_classes, w.dtype)
    (of_weight, of_bias), of_rows = lax.scan(step, start, pieces)
    of_rows = of_rows.reshape(-1, x.shape[1])[: x.shape[0]]
    return of_rows, of_weight, None, None if linear_bias is None else of_bias, None


_in_pieces.check(
    lambda info: IndexError(
        f"Target is out of bounds. Expected class indices in [0, {info['num_classes']})"
    )
)(
    lambda target, num_classes, ignore_index: (
        ((target < 0) | (target >= num_classes)) & (target != ignore_index)
    ).any()
)


def _chunked(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    linear_bias: Tensor | None,
    weight: Tensor | None,
    reduction: str,
    ignore_index: int,
    options: LinearCrossEntropyOptions,
) -> Tensor:
    _require_accumulation(input, options)
    rows: Any = input if input.ndim == 2 else input.unsqueeze(0)  # type: ignore[attr-defined]
    labels: Any = target if input.ndim == 2 else target.unsqueeze(0)  # type: ignore[attr-defined]
    num_classes = linear_weight.shape[0]
    size = options.chunk_size(rows.shape[0], rows.shape[1], num_classes)
    losses, shares = _in_pieces(
        rows, linear_weight, labels, linear_bias, weight, num_classes, ignore_index, size
    )
    if reduction == "none":
        result = losses if input.ndim == 2 else losses.squeeze(0)
    else:
        result = losses.sum() if reduction == "sum" else losses.sum() / shares.sum()
    return result.to(input.dtype)


def _require_accumulation(input: Tensor, options: LinearCrossEntropyOptions) -> None:
    kept, given = options.acc_dtype, input.dtype
    is_mixed = kept is dtypes.float32 and given in (dtypes.float16, dtypes.bfloat16)
    if kept is not None and kept is not given and not is_mixed:
        raise RuntimeError(
            "linear_cross_entropy supports float32 acc_dtype with float16/bfloat16 inputs, but got "
            f"{kept} acc_dtype and {given} inputs."
        )


def _require_shapes(input: Tensor, linear_weight: Tensor, linear_bias: Tensor | None) -> None:
    if input.ndim not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.ndim}")
    if linear_weight.ndim < 2:
        raise RuntimeError(
            f"expected linear_weight with dimensionality at least 2, got {linear_weight.ndim}"
        )
    if input.shape[-1] != linear_weight.shape[-1]:
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{input.shape[-1]} and {linear_weight.shape[-1]}, respectively"
        )
    expected = tuple(linear_weight.shape[:-1])
    if linear_bias is not None and tuple(linear_bias.shape) != expected:
        raise RuntimeError(f"expected linear_bias shape {expected}, got {tuple(linear_bias.shape)}")
    if linear_weight.ndim > 2 and input.ndim == 1:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(linear_weight.shape)} "
            f"requires batched input, (N, {input.shape[-1]}), got unbatched input with shape "
            f"{tuple(input.shape)}"
        )


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: LinearCrossEntropyOptions | None = None,
) -> Tensor:
    """Return the cross entropy between labels and the results of a linear layer.

    Args:
        input: `(N, in_features)` or `(in_features,)`.
        linear_weight: `(num_classes, *out_features, in_features)`.
        target: Class indices `(N, *out_features)`, or probabilities of the logits' shape.
        linear_bias: `(num_classes, *out_features)`.
        weight: A weight for each class.
        reduction: `"none"`, `"mean"` or `"sum"`.
        ignore_index: A label that counts for nothing; -100 by default.
        label_smoothing: How much of each label is spread evenly over all classes.
        options: Goes through the batch in pieces, if labels are indices of one dimension and not
            smoothed.

    Raises:
        RuntimeError: if shapes do not fit.

    Example:
        >>> import taowa
        >>> x, w = taowa.ones(2, 3), taowa.ones(4, 3)
        >>> linear_cross_entropy(x, w, taowa.tensor([0, 3]))
        tensor(1.3863)
    """
    _require_shapes(input, linear_weight, linear_bias)
    classes, *further = linear_weight.shape[:-1]
    logits_shape = (*input.shape[:-1], classes, *further)
    if tuple(target.shape) == logits_shape and ignore_index is not None:
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    ignored = -100 if ignore_index is None else ignore_index
    is_plain = label_smoothing == 0.0 and target.dtype is dtypes.int64 and not further
    if options is not None:
        if is_plain and reduction in ("mean", "sum", "none"):
            return _chunked(
                input, linear_weight, target, linear_bias, weight, reduction, ignored, options
            )
        warnings.warn(
            "linear_cross_entropy: ``options`` ignored; chunked path needs reduction in "
            "{'mean','sum','none'}, label_smoothing == 0, target.dtype == int64, out_features == "
            f"(). Got {reduction=}, {label_smoothing=}, {target.dtype=}, out_features={further}.",
            stacklevel=2,
        )
    rows: Any = linear_weight, linear_bias
    if further:
        count = math.prod(further, start=classes)
        rows = [v if v is None else v.reshape(count, *v.shape[len(further) + 1 :]) for v in rows]  # type: ignore[attr-defined]
    logits = linear(input, *rows).reshape(logits_shape)
    return cross_entropy(
        logits, target, weight=weight, reduction=reduction, ignore_index=ignored,
        label_smoothing=label_smoothing,
    )  # fmt: skip
