"""Connectionist temporal classification: all alignments of a sequence with its labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from taowa.core.op import Array, op
from taowa.core.tensor import Tensor, from_array
from taowa.ops.loss import reduced, require_reduction
from taowa.ops.operands import kind_name

_INTEGERS = (jnp.int64, jnp.int32)
Lengths = Tensor | Sequence[int]


def _labels(targets: Any, target_lengths: Any, blank: int, num_labels: int) -> Any:
    """Return `(N, 2 S + 1)`: each sequence's labels with blanks around them."""
    if targets.ndim == 1:  # one after another
        starts = jnp.cumsum(target_lengths) - target_lengths
        places = starts[:, None] + jnp.arange(num_labels)
        targets = jnp.take(targets, places, mode="clip") if targets.size else places * 0
    batch = target_lengths.shape[0]
    blanks = jnp.full((batch, num_labels), blank, targets.dtype)
    pairs = jnp.stack([blanks, targets[:, :num_labels]], 2).reshape(batch, 2 * num_labels)
    return jnp.pad(pairs, ((0, 0), (0, 1)), constant_values=blank).astype(jnp.int32)


def _log_sum(*parts: Any) -> Any:
    """Return the logarithm of the sum of exponentials, -inf where all parts are."""
    largest = jnp.maximum(parts[0], parts[1]) if len(parts) == 2 else jnp.max(jnp.stack(parts), 0)
    shift = jnp.where(jnp.isfinite(largest), largest, 0)
    return shift + jnp.log(sum(jnp.exp(part - shift) for part in parts))


def _shifted(x: Any, count: int) -> Any:
    """Return `(N, S)` moved to higher places, or lower ones if negative; -inf comes in."""
    before, after = max(count, 0), max(-count, 0)
    moved = jnp.pad(x, ((0, 0), (before, after)), constant_values=-jnp.inf)
    return moved[:, after : after + x.shape[1]]


def _may_skip(labels: Any, count: int) -> Any:
    """Return where an alignment may leave out the blank between two labels: if they differ."""
    is_label = jnp.arange(labels.shape[1]) % 2 == 1
    return is_label & (labels != jnp.roll(labels, count, 1))


def _scaled(x: Any) -> tuple[Any, Any]:
    """Return `(N, S)` less its rows' largest elements, and these, `(N,)`.

    Sums over long alignments stay small, so that single precision loses nothing of them.
    """
    largest = x.max(1)
    largest = jnp.where(jnp.isfinite(largest), largest, 0)
    return x - largest[:, None], largest


def _forward(logs: Any, labels: Any) -> tuple[Any, Any]:
    """Return log-probabilities of all beginnings of alignments, up to each time.

    They are `(T, N, S)` less what comes second, `(T, N)`.
    """
    may_skip = _may_skip(labels, 2)

    def step(before: Any, now: Any) -> Any:
        skipping = jnp.where(may_skip, _shifted(before, 2), -jnp.inf)
        after, scale = _scaled(_log_sum(before, _shifted(before, 1), skipping) + now)
        return after, (after, scale)

    # As if a blank had come before the first element.
    start = jnp.where(jnp.arange(labels.shape[1]) == 0, 0.0, -jnp.inf).astype(logs.dtype)
    start = jnp.broadcast_to(start, labels.shape)
    alphas, scales = lax.scan(step, start, logs)[1]
    return alphas, jnp.cumsum(scales, 0)


def _backward(logs: Any, labels: Any, input_lengths: Any, target_lengths: Any) -> Any:
    """Return log-probabilities `(T, N, S)` of all ends of alignments, each row scaled."""
    may_skip = _shifted(jnp.where(_may_skip(labels, 2), 0.0, -jnp.inf), -2).astype(logs.dtype)
    place, last = jnp.arange(labels.shape[1]), 2 * target_lengths[:, None]
    is_end = (place == last) | (place == last - 1)

    def step(after: Any, inputs: Any) -> Any:
        now, time = inputs
        before = _log_sum(after, _shifted(after, -1), _shifted(after, -2) + may_skip)
        is_last = (time == input_lengths - 1)[:, None]
        before = jnp.where(is_last, jnp.where(is_end, 0.0, -jnp.inf), before) + now
        before = _scaled(before)[0]
        return before, before

    start = jnp.full(labels.shape, -jnp.inf, logs.dtype)
    times = jnp.arange(logs.shape[0])
    return lax.scan(step, start, (logs, times), reverse=True)[1]


def _emitted(log_probs: Any, labels: Any) -> Any:
    """Return `(T, N, S)`: the log-probability of each label at each time."""
    return jnp.take_along_axis(log_probs, labels[None], 2, mode="clip")


@op(name="ctc_loss")
def _ctc_loss(
    log_probs: Array,
    targets: Array,
    input_lengths: Array,
    target_lengths: Array,
    num_times: int,
    num_labels: int,
    blank: int,
    zero_infinity: bool,
):
    """Return the losses `(N,)`, and what the gradient needs: `_forward`'s result."""
    _require_shapes(log_probs, targets, input_lengths, target_lengths, blank)
    labels = _labels(targets, target_lengths, blank, num_labels)
    alphas, scales = _forward(_emitted(log_probs, labels), labels)
    batch, last = jnp.arange(labels.shape[0]), jnp.maximum(input_lengths - 1, 0)
    at_end = alphas[last, batch]  # (N, S)
    on_blank = at_end[batch, 2 * target_lengths]
    on_label = at_end[batch, jnp.maximum(2 * target_lengths - 1, 0)]
    on_label = jnp.where(target_lengths > 0, on_label, -jnp.inf)
    nothing = jnp.where(target_lengths > 0, -jnp.inf, 0.0).astype(log_probs.dtype)
    total = _log_sum(on_blank, on_label) + scales[last, batch]
    total = jnp.where(input_lengths > 0, total, nothing)
    return -total, alphas


@_ctc_loss.backward
def _(
    grads, log_probs, targets, input_lengths, target_lengths, outputs, num_labels, blank,
    zero_infinity,
):  # fmt: skip
    # PyTorch's rule: right for log-probabilities that come from log_softmax, whose gradient is
    # already part of it.
    loss, alphas = outputs
    labels = _labels(targets, target_lengths, blank, num_labels)
    logs = _emitted(log_probs, labels)
    betas = _backward(logs, labels, input_lengths, target_lengths)
    share = _shares(alphas + betas, logs)
    T, N, _ = log_probs.shape
    places = jnp.arange(T)[:, None, None], jnp.arange(N)[:, None], labels[None]
    expected = jnp.zeros_like(log_probs).at[places].add(share, mode="drop")
    expected = jnp.where(jnp.isinf(loss)[None, :, None], jnp.nan, expected)
    towards = (jnp.exp(log_probs) - expected) * grads[0][None, :, None]
    is_used = (jnp.arange(T)[:, None] < input_lengths)[..., None]
    if zero_infinity:
        is_used = is_used & jnp.isfinite(loss)[None, :, None]
    return jnp.where(is_used, towards, 0)


def _shares(both: Any, logs: Any) -> Any:
    """Return how probable it is to be at each label at each time, `(T, N, S)`.

    Args:
        both: Of beginnings and ends, which both contain the element itself.
        logs: Of the element.
    """
    is_possible = jnp.isfinite(both)
    chance = jnp.where(is_possible, both, 0) - jnp.where(is_possible, logs, 0)
    chance = jnp.where(is_possible, chance, -jnp.inf)
    largest = chance.max(2, keepdims=True)
    chance = jnp.exp(chance - jnp.where(jnp.isfinite(largest), largest, 0))
    total = chance.sum(2, keepdims=True)
    return chance / jnp.where(total == 0, 1, total)


def _require_shapes(
    log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int
) -> None:
    if log_probs.dtype not in (jnp.float32, jnp.float64):
        raise NotImplementedError(f"\"ctc_loss\" not implemented for '{kind_name(log_probs)}'")
    if log_probs.ndim != 3:
        raise RuntimeError(f"log_probs must be (T, N, C) or (T, C), but got {log_probs.shape}")
    for name, array in (("targets", targets), ("input_lengths", input_lengths),
                        ("target_lengths", target_lengths)):  # fmt: skip
        if array.dtype not in _INTEGERS:
            raise RuntimeError(f"{name} must be integral, but got {kind_name(array)}")
    batch = log_probs.shape[1]
    if not 0 <= blank < log_probs.shape[2]:
        raise RuntimeError("blank must be in label range")
    for name, array in (("input_lengths", input_lengths), ("target_lengths", target_lengths)):
        if array.shape != (batch,):
            raise RuntimeError(f"{name} must be of size batch_size {batch}, got {array.shape}")
    if targets.ndim not in (1, 2):
        raise RuntimeError(
            f"Expected 1 to 2 dimensions, but got {targets.ndim}-dimensional tensor for argument "
            "#2 'targets' (while checking arguments for ctc_loss)"
        )
    if targets.ndim == 2 and targets.shape[0] != batch:
        raise RuntimeError(
            f"Expected tensor to have size {batch} at dimension 0, but got size "
            f"{targets.shape[0]} for argument #2 'targets' (while checking arguments for ctc_loss)"
        )


def _bad_lengths(info: dict) -> RuntimeError:
    return RuntimeError(
        f"Expected input_lengths to have values in [0, {info['num_times']}] and target_lengths to "
        "have values of at least 0 that targets has room for: one row each, or all together its "
        "size (while checking arguments for ctc_loss)"
    )


@_ctc_loss.check(_bad_lengths)
def _has_bad_lengths(targets: Any, input_lengths: Any, target_lengths: Any, num_times: int) -> Any:
    is_bad = ((input_lengths < 0) | (input_lengths > num_times)).any() | (target_lengths < 0).any()
    if targets.ndim == 1:
        return is_bad | (target_lengths.sum() != targets.shape[0])
    return is_bad | (target_lengths > targets.shape[1]).any()


@op(name="ctc_loss.reduced")
def _reduced(loss: Array, target_lengths: Array, zero_infinity: bool, reduction: str):
    if zero_infinity:
        loss = jnp.where(loss == jnp.inf, 0, loss)
    if reduction == "mean":
        loss = loss / jnp.maximum(target_lengths, 1).astype(loss.dtype)
    return reduced(loss, reduction)


def _lengths(values: Any) -> Tensor:
    if isinstance(values, Tensor):
        return values if values.ndim else values.reshape(1)  # type: ignore[attr-defined]
    return from_array(np.array(values, np.int64).reshape(-1))


def _longest(targets: Tensor, target_lengths: Tensor) -> int:
    """Return a bound on the labels of one sequence that is known without computing anything."""
    if targets.ndim == 2:
        return targets.shape[1]
    bound = targets.shape.numel()
    if target_lengths.is_on_host():
        bound = min(bound, int(target_lengths.host().max(initial=0)))
    return max(bound, 0)


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Return the negative log-probability that sequences spell their labels, in any alignment.

    Args:
        log_probs: `(T, N, C)` or `(T, C)`, from `log_softmax`.
        targets: Labels, `(N, S)`, or those of all sequences one after another.
        input_lengths: How many times of each sequence count, `(N,)`.
        target_lengths: How many labels each sequence has, `(N,)`.
        blank: The class that stands for no label.
        reduction: `"none"`, `"mean"` (each loss divided by its number of labels) or `"sum"`.
        zero_infinity: Whether sequences too short for their labels count as 0, not infinity.

    Raises:
        RuntimeError: if shapes, lengths or the blank do not fit.

    References:
        Graves et al. 2006, https://www.cs.toronto.edu/~graves/icml_2006.pdf

    Example:
        >>> import taowa
        >>> logs = taowa.zeros(2, 1, 2).log_softmax(2)
        >>> ctc_loss(logs, taowa.tensor([[1]]), [2], [1])  # 3 of 4 alignments
        tensor(0.2877)
    """
    require_reduction(reduction)
    is_batched = log_probs.ndim == 3
    if log_probs.ndim == 2:
        log_probs = log_probs.unsqueeze(1)  # type: ignore[attr-defined]
        targets = targets.unsqueeze(0) if targets.ndim == 1 else targets  # type: ignore[attr-defined]
    if isinstance(input_lengths, Tensor) != isinstance(target_lengths, Tensor):
        raise TypeError("ctc_loss(): both lengths must be tensors, or neither")
    ends, counts = _lengths(input_lengths), _lengths(target_lengths)
    num_labels = _longest(targets, counts)
    loss, _ = _ctc_loss(
        log_probs, targets, ends, counts, log_probs.shape[0], num_labels, blank, zero_infinity
    )
    loss = _reduced(loss, counts, zero_infinity, reduction)
    return loss if is_batched or reduction != "none" else loss.squeeze(0)
