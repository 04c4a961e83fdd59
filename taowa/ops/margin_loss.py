"""Losses that ask for a margin between scores."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from taowa.core.op import Array, Scalar, op
from taowa.core.tensor import Tensor
from taowa.dtypes import get_default_dtype
from taowa.ops.loss import num_classes_of, reduced, reduction_of, require_reduction
from taowa.ops.operands import kind_name
from taowa.ops.precision import magnitude, wide


def positive_part(x: Any) -> Any:
    """Return `max(x, 0)` with PyTorch's gradient of a clamp: 1 at 0."""
    return jnp.where(x >= 0, x, jnp.zeros_like(x))


def _floating(dtype: Any) -> Any:
    """Return the type of a result that was computed with floating margins."""
    return dtype if jnp.issubdtype(dtype, jnp.inexact) else get_default_dtype().np


@op(name="hinge_embedding_loss", promote="same")
def _hinge_embedding_loss(input: Array, target: Array, margin: Scalar, reduction: str):
    x = wide(input)
    apart = jnp.where(target != 1, positive_part(wide(margin) - x), 0)
    together = jnp.where(target != -1, x, 0)
    return reduced(apart + together, reduction).astype(input.dtype)


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return distances of pairs that belong together, and what others lack of a margin.

    Args:
        input: Distances.
        target: 1 for a pair that belongs together, -1 for others.
        reduction: `"none"`, `"mean"` or `"sum"`.

    Example:
        >>> import taowa
        >>> x, y = taowa.tensor([0.5, 0.5]), taowa.tensor([1.0, -1.0])
        >>> hinge_embedding_loss(x, y, reduction="none")
        tensor([0.5000, 0.5000])
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    return _hinge_embedding_loss(input, target, margin, reduction)


@op(name="margin_ranking_loss", promote="same")
def _margin_ranking_loss(
    input1: Array, input2: Array, target: Array, margin: Scalar, reduction: str
):
    # Integers are multiplied as integers, which wrap around, before the margin makes floats.
    terms = -wide(target) * (wide(input1) - wide(input2))
    return reduced(positive_part(terms + wide(margin)), reduction).astype(_floating(input1.dtype))


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return what pairs of scores lack of the right order by a margin.

    Args:
        target: 1 where `input1` should be higher, -1 where `input2` should.
        reduction: `"none"`, `"mean"` or `"sum"`.

    Raises:
        RuntimeError: if the numbers of dimensions differ.

    Example:
        >>> import taowa
        >>> margin_ranking_loss(taowa.tensor([1.0]), taowa.tensor([3.0]), taowa.tensor([1.0]))
        tensor(2.)
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.shape}, input2: {input2.shape}, target: {target.shape} "
        )
    return _margin_ranking_loss(input1, input2, target, margin, reduction)


@op(name="cosine_embedding_loss", promote="float")
def _cosine_embedding_loss(
    input1: Array, input2: Array, target: Array, margin: Scalar, reduction: str
):
    if target.ndim > 1 or input1.ndim != target.ndim + 1 or input1.ndim != input2.ndim:
        raise RuntimeError(
            "0D or 1D target tensor expected, with inputs of one dimension more; got target "
            f"{list(target.shape)}, input1 {list(input1.shape)}, input2 {list(input2.shape)}"
        )
    a, b = wide(input1), wide(input2)
    tiny = 1e-12  # keeps the angle with a vector of zeros defined
    norms = jnp.sqrt(((a * a).sum(-1) + tiny) * ((b * b).sum(-1) + tiny))
    cosine = (a * b).sum(-1) / norms
    together = jnp.where(target == 1, 1 - cosine, 0)
    apart = jnp.where(target == -1, positive_part(cosine - wide(margin)), 0)
    return reduced(together + apart, reduction).astype(input1.dtype)


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return how far pairs of vectors are from the same direction, or others within a margin of it.

    Args:
        target: 1 for a pair that belongs together, -1 for others, `(N,)` or without dimensions.
        margin: The largest cosine that costs nothing for others.
        reduction: `"none"`, `"mean"` or `"sum"`.
    Shape:
        `(N, D)` or `(D,)`

    Example:
        >>> import taowa
        >>> x, y = taowa.tensor([1.0, 0.0]), taowa.tensor([0.0, 1.0])
        >>> cosine_embedding_loss(x, y, taowa.tensor(1.0))
        tensor(1.)
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    return _cosine_embedding_loss(input1, input2, target, margin, reduction)


@op(name="soft_margin_loss", promote="same")
def _soft_margin_loss(input: Array, target: Array, reduction: str):
    z = -wide(target) * wide(input)
    terms = jnp.logaddexp(z, jnp.zeros((), z.dtype))
    return reduced(terms, reduction).astype(input.dtype)


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the logistic loss of scores, `log(1 + exp(-target * input))`.

    Args:
        target: 1 or -1.
        reduction: `"none"`, `"mean"` or `"sum"`.

    Example:
        >>> import taowa
        >>> soft_margin_loss(taowa.tensor([0.0]), taowa.tensor([1.0]))
        tensor(0.6931)
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    return _soft_margin_loss(input, target, reduction)


def _require_one_class_each(x: Any, target: Any, weight: Any) -> None:
    if target.shape != x.shape[:1]:
        raise RuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input "
            f"samples (batch size). Expected target size {list(x.shape[:1])}, but got "
            f"{list(target.shape)}. Input has shape {list(x.shape)}."
        )
    if target.dtype != jnp.int64:
        raise RuntimeError(f"expected scalar type Long but found {kind_name(target)}")
    if weight is not None and weight.shape != x.shape[1:]:
        raise RuntimeError(
            f"inconsistent weight size, expected {x.shape[1]} but got {list(weight.shape)}"
        )


@op(name="multi_margin_loss")
def _multi_margin_loss(
    input: Array,
    target: Array,
    weight: Array | None,
    margin: Scalar,
    num_classes: int,
    p: int,
    reduction: str,
):
    x = wide(input) if input.ndim > 1 else wide(input).reshape(1, -1)
    labels = target if input.ndim > 1 else target.reshape(1)
    _require_one_class_each(x, labels, weight)
    own = jnp.take_along_axis(x, labels[:, None], 1, mode="clip")  # (N, 1)
    lack = wide(margin) - own + x
    terms = jnp.where(lack > 0, lack if p == 1 else lack * lack, 0)
    if weight is not None:
        terms = terms * wide(weight)[labels][:, None]
    terms = jnp.where(labels[:, None] == jnp.arange(x.shape[1]), 0, terms)
    loss = (terms.sum(1) / num_classes).reshape(target.shape)
    return reduced(loss, reduction).astype(input.dtype)


_multi_margin_loss.check(
    lambda info: RuntimeError(f"target out of range: expected [0, {info['num_classes']})")
)(lambda target, num_classes: ((target < 0) | (target >= num_classes)).any())


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return what the right class's score lacks of a margin over each other one.

    Args:
        input: Scores, `(N, C)` or `(C,)`.
        target: Class indices, `(N,)` or without dimensions.
        p: The power of each lack, 1 or 2.
        weight: A weight for each class, `(C,)`.
        reduction: `"none"`, `"mean"` or `"sum"`.

    Raises:
        RuntimeError: if a label is no class, or the shapes do not fit.

    Example:
        >>> import taowa
        >>> multi_margin_loss(taowa.tensor([[0.0, 1.0]]), taowa.tensor([0]))
        tensor(1.)
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    if p not in (1, 2):
        raise ValueError(f"only p == 1 and p == 2 supported, got {p}")
    if weight is not None and weight.ndim != 1:
        raise ValueError(f"weight must be one-dimensional, got shape {list(weight.shape)}")
    require_reduction(reduction)
    return _multi_margin_loss(input, target, weight, margin, num_classes_of(input), p, reduction)


@op(name="multilabel_margin_loss")
def _multilabel_margin_loss(input: Array, target: Array, num_classes: int, reduction: str):
    if input.shape != target.shape or input.ndim > 2:
        raise RuntimeError(
            f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}"
        )
    x, labels = wide(input).reshape(-1, num_classes), target.reshape(-1, num_classes)
    counts = jnp.cumprod(labels != -1, 1).astype(bool)  # a row's labels end at the first -1
    safe = jnp.where(counts, labels, 0)
    rows = jnp.arange(x.shape[0])[:, None]
    is_label = jnp.zeros(x.shape, jnp.int32).at[rows, safe].add(counts.astype(jnp.int32)) > 0
    own = jnp.take_along_axis(x, safe, 1, mode="clip")  # (N, C): the score of each label
    lack = 1 - (own[:, :, None] - x[:, None, :])  # (N, label, class)
    is_pair = counts[:, :, None] & ~is_label[:, None, :]
    loss = jnp.where(is_pair & (lack > 0), lack, 0).sum((1, 2)) / num_classes
    return reduced(loss.reshape(input.shape[:-1]), reduction).astype(input.dtype)


_multilabel_margin_loss.check(
    lambda info: RuntimeError(f"argument #2 'target' is out of range [-1, {info['num_classes']})")
)(lambda target, num_classes: ((target < -1) | (target >= num_classes)).any())


def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return what the scores of all right classes lack of a margin of 1 over the others.

    Args:
        input: Scores, `(N, C)` or `(C,)`.
        target: Class indices of the same shape, each row ended by the first -1.
        reduction: `"none"`, `"mean"` or `"sum"`.

    Raises:
        RuntimeError: if a label is no class.

    Example:
        >>> import taowa
        >>> multilabel_margin_loss(taowa.tensor([0.0, 1.0]), taowa.tensor([0, -1]))
        tensor(1.)
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    require_reduction(reduction)
    classes = input._aval.shape[-1] if input._aval.shape else 1
    return _multilabel_margin_loss(input, target, classes, reduction)


@op(name="multilabel_soft_margin_loss", promote="same")
def _multilabel_soft_margin_loss(input: Array, target: Array, weight: Array | None, reduction: str):
    x, t = wide(input), wide(target)
    negative = jnp.logaddexp(x, jnp.zeros((), x.dtype))  # -log(1 - sigmoid(x))
    terms = negative - t * x
    terms = terms if weight is None else terms * wide(weight)
    return reduced(terms.mean(-1), reduction).astype(input.dtype)


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean over classes of the logistic loss of each class for itself.

    Args:
        input: Scores, `(*, C)`.
        target: 1 where the class applies, 0 elsewhere.
        weight: A weight for each class.
        reduction: `"none"`, `"mean"` or `"sum"`.

    Example:
        >>> import taowa
        >>> multilabel_soft_margin_loss(taowa.zeros(1, 2), taowa.ones(1, 2))
        tensor(0.6931)
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    return _multilabel_soft_margin_loss(input, target, weight, reduction)


def _distance(a: Any, b: Any, p: float, eps: Any) -> Any:
    """Return the p-norm of the difference along the last dimension, 0 with gradient 0 at 0."""
    sizes = magnitude(a - b + eps)
    if p == float("inf"):
        return sizes.max(-1)
    if p == 1:
        return sizes.sum(-1)
    total = jnp.power(sizes, p).sum(-1)
    is_zero = total == 0
    return jnp.where(is_zero, 0, jnp.power(jnp.where(is_zero, 1, total), 1 / p))


@op(name="triplet_margin_loss", promote="same")
def _triplet_margin_loss(
    anchor: Array,
    positive: Array,
    negative: Array,
    margin: Scalar,
    eps: Scalar,
    p: float,
    swap: bool,
    reduction: str,
):
    a, b, c, eps = wide(anchor), wide(positive), wide(negative), wide(eps)
    near, far = _distance(a, b, p, eps), _distance(a, c, p, eps)
    if swap:
        far = jnp.minimum(far, _distance(b, c, p, eps))
    loss = reduced(positive_part(wide(margin).real + near - far), reduction)
    return loss if jnp.iscomplexobj(anchor) else loss.astype(_floating(anchor.dtype))


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return how much less than a margin the negative is farther from the anchor than the positive.

    Args:
        margin: Positive.
        p: The norm of differences.
        swap: Whether the negative's distance from the positive counts too, if it is smaller.
        reduction: `"none"`, `"mean"` or `"sum"`.
    Shape:
        `(N, D)` or `(D,)` each

    Raises:
        ValueError: if the margin is not positive.
        RuntimeError: if the numbers of dimensions differ.

    References:
        Balntas et al. 2016, Learning local feature descriptors with triplets

    Example:
        >>> import taowa
        >>> a = taowa.zeros(1, 1)
        >>> triplet_margin_loss(a, a, a)
        tensor(1.0000)
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {anchor.ndim}D, positive {positive.ndim}D, and negative "
            f"{negative.ndim}D inputs"
        )
    return _triplet_margin_loss(anchor, positive, negative, margin, eps, float(p), swap, reduction)
