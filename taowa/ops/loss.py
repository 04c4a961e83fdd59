"""Losses of classification: labels and probabilities against logits or log-probabilities."""

from __future__ import annotations

import math
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from taowa.core.grad_mode import is_grad_enabled
from taowa.core.op import Array, BadValue, Scalar, op
from taowa.core.tensor import Tensor
from taowa.ops.operands import kind_name
from taowa.ops.precision import require_floating, require_same_dtype, wide
from taowa.ops.softmax import log_softmax_of


def reduction_of(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """Return how to reduce, from PyTorch's old pair of switches where they are given.

    Example:
        >>> reduction_of(None, None, "sum")
        'sum'
    """
    if size_average is None and reduce is None:
        return reduction
    sums = size_average is not None and not size_average
    chosen = "none" if reduce is not None and not reduce else "sum" if sums else "mean"
    warnings.warn(
        "size_average and reduce args will be deprecated, "
        f"please use reduction='{chosen}' instead.",
        UserWarning,
        stacklevel=3,
    )
    return chosen


def reduced(x: Any, reduction: str) -> Any:
    """Return the elements, their mean or their sum."""
    if reduction == "none":
        return x
    if reduction == "sum":
        return x.sum()
    if reduction == "mean":
        return x.mean()
    raise bad_reduction(reduction)


def require_reduction(reduction: str) -> None:
    """Raise for an unknown reduction."""
    if reduction not in ("mean", "none", "sum"):
        raise bad_reduction(reduction)


def bad_reduction(reduction: str) -> Exception:
    """Return the error for an unknown reduction."""
    return BadValue(f"{reduction} is not a valid value for reduction")


def require_constant(function: str, **parameters: Tensor | None) -> None:
    """Raise PyTorch's error if one of the tensors, which get no gradient, asks for one."""
    for name, values in parameters.items():
        if values is not None and values.requires_grad and is_grad_enabled():
            raise RuntimeError(
                f"The function '{function}' is not differentiable with respect to argument "
                f"'{name}'. This input cannot have requires_grad True."
            )


def _class_dim(input: Any) -> int:
    return 1 if input.ndim > 1 else 0


def num_classes_of(input: Tensor) -> int:
    """Return the size of the dimension of classes: the second, or the only one."""
    shape = input._aval.shape
    return shape[min(1, len(shape) - 1)] if shape else 1


def _require_labels(input: Any, target: Any, weight: Any) -> None:
    shape, expected = list(target.shape), [*input.shape[:1], *input.shape[2:]]
    if input.ndim == 1 and target.size != 1:
        raise RuntimeError(f"size mismatch (got input: {list(input.shape)}, target: {shape})")
    if input.ndim > 1 and shape[:1] != expected[:1]:
        raise BadValue(
            f"Expected input batch_size ({input.shape[0]}) to match target batch_size "
            f"({shape[0] if shape else 'none'})."
        )
    if input.ndim > 1 and shape != expected:
        raise RuntimeError(
            f"Expected target size {expected}, got {shape} for input of size {list(input.shape)}"
        )
    if target.dtype not in (jnp.int64, jnp.uint8):
        raise RuntimeError(f"expected target dtype to be Long or Byte, but got {kind_name(target)}")
    require_class_weights(input, weight)


def require_class_weights(input: Any, weight: Any) -> None:
    """Check that there is one weight for each class."""
    if weight is None:
        return
    classes = input.shape[_class_dim(input)]
    if weight.shape != (classes,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but "
            f"got weight tensor of shape: {list(weight.shape)}"
        )
    require_same_dtype("input and weight", input, weight)


def _is_out_of_bounds(target: Any, num_classes: int, ignore_index: int) -> Any:
    bad = ((target < 0) | (target >= num_classes)) & (target != ignore_index)
    if isinstance(target, np.ndarray) and bad.any():
        raise IndexError(
            f"Target {target[bad].flat[0]} is out of bounds. "
            f"Expected class indices in [0, {num_classes})"
        )
    return bad.any()


def _out_of_bounds(info: dict) -> IndexError:
    return IndexError(
        f"Target is out of bounds. Expected class indices in [0, {info['num_classes']})"
    )


def _picked(logs: Any, target: Any, weight: Any, ignore_index: int) -> tuple[Any, Any]:
    """Return each target's log-probability and its weight, 0 where it is ignored."""
    is_ignored = target == ignore_index
    safe = jnp.where(is_ignored, 0, target).astype(jnp.int64)
    if logs.ndim == 1:
        found = logs[safe]
    else:
        found = jnp.take_along_axis(logs, safe[:, None], 1, mode="clip")[:, 0]
    weights = jnp.ones(target.shape, logs.dtype) if weight is None else wide(weight)[safe]
    return found, jnp.where(is_ignored, jnp.zeros_like(weights), weights)


def _one_hot(logs: Any, target: Any) -> Any:
    """Return 1 at each target's class: `(N, C, *)` from `(N, *)`."""
    dim = _class_dim(logs)
    classes = jnp.arange(logs.shape[dim]).reshape(-1, *(1,) * (logs.ndim - 1 - dim))
    target = target.reshape(()) if logs.ndim == 1 else jnp.expand_dims(target, 1)
    return (classes == target.astype(jnp.int64)).astype(logs.dtype)


def _grad_of_terms(grad: Any, weights: Any, reduction: str) -> Any:
    """Return the gradient towards each weighted term of the loss."""
    g = wide(grad)
    return g / weights.sum() if reduction == "mean" else g


def _reduced_by_weight(terms: Any, weights: Any, reduction: str) -> Any:
    if reduction == "mean":
        return terms.sum() / weights.sum()
    return reduced(terms, reduction)


@op(name="nll_loss")
def _nll_loss(
    input: Array,
    target: Array,
    weight: Array | None,
    num_classes: int,
    ignore_index: int,
    reduction: str,
):
    require_floating("nll_loss", input)
    _require_labels(input, target, weight)
    found, weights = _picked(wide(input), target, weight, ignore_index)
    return _reduced_by_weight(-found * weights, weights, reduction).astype(input.dtype)


_nll_loss.check(_out_of_bounds)(_is_out_of_bounds)


@_nll_loss.backward
def _(grad, input, target, weight, ignore_index, reduction):
    x = wide(input)
    _, weights = _picked(x, target, weight, ignore_index)
    scale = _grad_of_terms(grad, weights, reduction) * weights
    towards = -_over_classes(scale, x) * _one_hot(x, target)
    return _unless_ignored(towards, target, ignore_index)


def _unless_ignored(grad: Any, target: Any, ignore_index: int) -> Any:
    # Zero even where all labels are ignored and the mean is 0 / 0.
    return jnp.where(_over_classes(target == ignore_index, grad), jnp.zeros_like(grad), grad)


def _over_classes(values: Any, x: Any) -> Any:
    """Give values of `(N, *)` a dimension of classes, or of a single sample none."""
    return values.reshape(()) if x.ndim == 1 else jnp.expand_dims(values, 1)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the negative log-likelihood of labels.

    Args:
        input: Log-probabilities, `(N, C, *)` or `(C,)`.
        target: Class indices, `(N, *)` or without dimensions, int64.
        weight: A weight for each class, `(C,)`; the mean is then a weighted one.
        ignore_index: A label that counts for nothing.
        reduction: `"none"`, `"mean"` or `"sum"`.

    Raises:
        IndexError: if a label is no class.
        ValueError: if the batches differ.

    Example:
        >>> import taowa
        >>> nll_loss(taowa.tensor([[-0.5, -1.0]]), taowa.tensor([1]))
        tensor(1.)
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    require_constant("nll_loss", weight=weight)
    return _nll_loss(input, target, weight, num_classes_of(input), ignore_index, reduction)


@op(name="cross_entropy_loss", residuals=1)
def _cross_entropy(
    input: Array,
    target: Array,
    weight: Array | None,
    label_smoothing: Scalar | None,
    num_classes: int,
    ignore_index: int,
    reduction: str,
):
    require_floating("log_softmax", input)
    _require_labels(input, target, weight)
    logs = log_softmax_of(input, _class_dim(input))
    found, weights = _picked(logs, target, weight, ignore_index)
    loss = _reduced_by_weight(-found * weights, weights, reduction)
    if label_smoothing is not None:
        amount = wide(label_smoothing)
        all_logs = logs if weight is None else logs * _along_classes(weight, logs)
        terms = -all_logs.sum(_class_dim(logs)).reshape(target.shape)
        terms = jnp.where(target == ignore_index, jnp.zeros_like(terms), terms)
        smooth = _reduced_by_weight(terms, weights, reduction)
        loss = (1 - amount) * loss + amount / num_classes * smooth
    return loss.astype(input.dtype), logs


_cross_entropy.check(_out_of_bounds)(_is_out_of_bounds)


def _along_classes(weight: Any, logs: Any) -> Any:
    return wide(weight).reshape(-1, *(1,) * (logs.ndim - 1 - _class_dim(logs)))


@_cross_entropy.backward
def _(grad, target, weight, label_smoothing, num_classes, ignore_index, reduction, outputs):
    logs = outputs[1]
    dim = _class_dim(logs)
    _, weights = _picked(logs, target, weight, ignore_index)
    share = _over_classes(weights, logs) * _one_hot(logs, target)  # of each class in the loss
    if label_smoothing is not None:
        amount = wide(label_smoothing)
        is_kept = _over_classes((target != ignore_index).astype(logs.dtype), logs)
        even = is_kept if weight is None else is_kept * _along_classes(weight, logs)
        share = (1 - amount) * share + amount / num_classes * even
        total = (share + jnp.zeros_like(logs)).sum(dim, keepdims=True)
    else:
        total = _over_classes(weights, logs)
    scale = _grad_of_terms(grad, weights, reduction)
    scale = _over_classes(scale, logs) if scale.ndim else scale
    return _unless_ignored(scale * (jnp.exp(logs) * total - share), target, ignore_index)


@op(name="cross_entropy_of_probabilities")
def _cross_entropy_of_probabilities(
    input: Array,
    target: Array,
    weight: Array | None,
    label_smoothing: Scalar | None,
    num_classes: int,
    reduction: str,
):
    require_floating("log_softmax", input)
    if not jnp.issubdtype(target.dtype, jnp.floating):
        raise RuntimeError(
            "Expected floating point type for target with class probabilities, "
            f"got {kind_name(target)}"
        )
    require_class_weights(input, weight)
    logs = log_softmax_of(input, _class_dim(input))
    share = wide(target)
    if label_smoothing is not None:
        amount = wide(label_smoothing)
        share = share * (1 - amount) + amount / num_classes
    if weight is not None:
        share = share * _along_classes(weight, logs)
    loss = -(logs * share).sum(_class_dim(logs))
    loss = (
        loss.sum() / (input.size / num_classes) if reduction == "mean" else reduced(loss, reduction)
    )
    return loss.astype(jnp.promote_types(input.dtype, target.dtype))


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return the cross entropy between logits and labels, or probabilities.

    Args:
        input: Logits, not yet normalised, `(N, C, *)` or `(C,)`.
        target: Class indices, `(N, *)` or without dimensions, int64; or probabilities of the
            input's shape.
        weight: A weight for each class, `(C,)`; the mean over labels is then a weighted one.
        ignore_index: A label that counts for nothing.
        reduction: `"none"`, `"mean"` or `"sum"`.
        label_smoothing: How much of each label is spread evenly over all classes, in [0, 1].

    Raises:
        IndexError: if a label is no class.
        ValueError: if the batches differ.

    References:
        Szegedy et al. 2015 (label smoothing), https://arxiv.org/abs/1512.00567

    Example:
        >>> import taowa
        >>> cross_entropy(taowa.tensor([[0.0, 0.0]]), taowa.tensor([1]))
        tensor(0.6931)
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    require_constant("cross_entropy", weight=weight)
    amount = label_smoothing if label_smoothing > 0.0 else None
    classes = num_classes_of(input)
    if target._aval.shape != input._aval.shape:
        return _cross_entropy(input, target, weight, amount, classes, ignore_index, reduction)
    if ignore_index >= 0:
        raise RuntimeError("ignore_index is not supported for floating point target")
    return _cross_entropy_of_probabilities(input, target, weight, amount, classes, reduction)


def _is_no_probability(input: Any, target: Any) -> Any:
    if input is None or target is None:  # not computed yet: looked at within the program
        return False
    return (~((input >= 0) & (input <= 1))).any() | (~((target >= 0) & (target <= 1))).any()


@op(name="binary_cross_entropy")
def _binary_cross_entropy(input: Array, target: Array, weight: Array | None, reduction: str):
    require_floating("binary_cross_entropy", input)
    if target.dtype != input.dtype:
        raise RuntimeError(f"Found dtype {kind_name(target)} but expected {kind_name(input)}")
    x, t = wide(input), wide(target)
    # A probability of 0 costs 100, not infinity, so that a sum of many stays finite.
    terms = -(t * _bounded_log(x) + (1 - t) * _bounded_log(1 - x))
    terms = terms if weight is None else terms * wide(weight)
    return reduced(terms, reduction).astype(input.dtype)


def _bounded_log(x: Any) -> Any:
    return jnp.maximum(jnp.log(x), -100.0)


_binary_cross_entropy.check(
    lambda _: RuntimeError("all elements of input and target should be between 0 and 1")
)(_is_no_probability)


@_binary_cross_entropy.backward
def _(grad, input, target, weight, reduction):
    x, t = wide(input), wide(target)
    g = wide(grad) / max(x.size, 1) if reduction == "mean" else wide(grad)
    g = g if weight is None else g * wide(weight)
    towards_input = g * (x - t) / jnp.maximum((1 - x) * x, 1e-12)
    return towards_input, g * (_bounded_log(1 - x) - _bounded_log(x)), None


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the cross entropy between probabilities of yes and targets.

    Args:
        input: Probabilities, in [0, 1].
        target: In [0, 1], of the same shape.
        weight: A weight for each element.
        reduction: `"none"`, `"mean"` or `"sum"`.

    Raises:
        RuntimeError: if an element is no probability.
        ValueError: if the shapes differ.

    Example:
        >>> import taowa
        >>> binary_cross_entropy(taowa.tensor([0.5]), taowa.tensor([1.0]))
        tensor(0.6931)
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    if target._aval.shape != input._aval.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}) is deprecated. Please ensure they have the same size."
        )
    require_constant("binary_cross_entropy", weight=weight)
    return _binary_cross_entropy(input, target, weight, reduction)


@op(name="binary_cross_entropy_with_logits", promote="same", promoted=("input", "target"))
def _binary_cross_entropy_with_logits(
    input: Array, target: Array, weight: Array | None, pos_weight: Array | None, reduction: str
):
    require_floating("binary_cross_entropy_with_logits", input)
    x, t = wide(input), wide(target)
    softplus = jnp.logaddexp(-x, jnp.zeros((), x.dtype))  # -log(sigmoid(x))
    if pos_weight is not None:
        softplus = softplus * (1 + (wide(pos_weight) - 1) * t)
    terms = (1 - t) * x + softplus
    terms = terms if weight is None else terms * wide(weight)
    return reduced(terms, reduction).astype(input.dtype)


@_binary_cross_entropy_with_logits.backward
def _(grad, input, target, weight, pos_weight, reduction):
    x, t = wide(input), wide(target)
    shape = jnp.broadcast_shapes(*(v.shape for v in (x, weight, pos_weight) if v is not None))
    g = wide(grad) / max(math.prod(shape), 1) if reduction == "mean" else wide(grad)
    g = g if weight is None else g * wide(weight)
    if pos_weight is None:
        return g * (jax.nn.sigmoid(x) - t), -g * x
    extra = wide(pos_weight) - 1
    softplus = jnp.logaddexp(-x, jnp.zeros((), x.dtype))
    towards_input = (1 - t) - (1 + extra * t) * jax.nn.sigmoid(-x)
    return g * towards_input, g * (softplus * extra - x)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Return the cross entropy between the sigmoid of logits and targets.

    Args:
        input: Logits; computed without the loss of precision of a separate sigmoid.
        target: In [0, 1], of the same shape.
        weight: A weight for each element.
        reduction: `"none"`, `"mean"` or `"sum"`.
        pos_weight: A weight of the positive part of each target.

    Raises:
        ValueError: if the shapes differ.

    Example:
        >>> import taowa
        >>> binary_cross_entropy_with_logits(taowa.tensor([0.0]), taowa.tensor([1.0]))
        tensor(0.6931)
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    if target._aval.shape != input._aval.shape:
        raise ValueError(
            f"Target size ({target.shape}) must be the same as input size ({input.shape})"
        )
    require_constant("binary_cross_entropy_with_logits", weight=weight, pos_weight=pos_weight)
    return _binary_cross_entropy_with_logits(input, target, weight, pos_weight, reduction)
