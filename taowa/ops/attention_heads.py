"""Attention of several heads: their projections and what they compute, each one operation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.attention import Operands, arranged_gradients, attend, causal_bias, kept
from taowa.ops.linear import linear
from taowa.ops.precision import wide

# -- projections -----------------------------------------------------------------------------


def _pieces(inputs: list, weights: list, bias: Any) -> list[tuple]:
    """Return input, weight and bias of each projection; the input given last has all the rest."""
    if len(weights) == len(inputs):
        rows = weights
    else:  # one weight for queries, keys and values, in this order
        size = weights[0].shape[0] // 3
        ends = [size * (i + 1) for i in range(len(inputs) - 1)]
        rows = jnp.split(weights[0], ends)
    starts = [sum(r.shape[0] for r in rows[:i]) for i in range(len(rows))]
    biases = [
        None if bias is None else bias[start : start + r.shape[0]]
        for start, r in zip(starts, rows, strict=True)
    ]
    return list(zip(inputs, rows, biases, strict=True))


@op(name="in_projection")
def _project(inputs: list[Array], weights: list[Array], bias: Array | None):
    return tuple(linear.op.body(*piece) for piece in _pieces(inputs, weights, bias))


@_project.backward
def _(grads, outputs, inputs, weights, bias):
    towards = []
    for grad, output, piece in zip(grads, outputs, _pieces(inputs, weights, bias), strict=True):
        grad = jnp.zeros_like(output) if grad is None else grad
        towards.append(linear.op.rule.function(grad, *piece[:2]))
    slopes = [t[1] for t in towards]
    if len(weights) != len(inputs):
        slopes = [jnp.concatenate(slopes)]
    shifts = [t[2].reshape(-1, t[2].shape[-1]).sum(0) for t in towards]
    return [t[0] for t in towards], slopes, None if bias is None else jnp.concatenate(shifts)


def project(
    query: Tensor, key: Tensor, value: Tensor, weights: Sequence[Tensor], bias: Tensor | None
) -> list[Tensor]:
    """Return queries, keys and values; equal inputs with one weight are multiplied once.

    Example:
        >>> import taowa
        >>> x = taowa.ones(3, 2)
        >>> [y.shape for y in project(x, x, x, [taowa.ones(6, 2)], None)]
        [torch.Size([3, 6])]
    """
    if len(weights) == 1 and query is key is value:
        return [linear(query, weights[0], bias)]
    inputs = [query, key] if len(weights) == 1 and key is value else [query, key, value]
    return list(_project(inputs, weights, bias))


# -- all heads -------------------------------------------------------------------------------


def _split_heads(x: Any, heads: int) -> Any:
    """`(N, L, E)` -> `(N, heads, L, E / heads)`."""
    return jnp.swapaxes(x.reshape(*x.shape[:2], heads, x.shape[2] // heads), 1, 2)


def _batch_first(x: Any, is_so: bool) -> Any:
    """Return `(N, L, E)`, adding the batch where there is none."""
    if x.ndim == 2:
        return x[None]
    return x if is_so else jnp.swapaxes(x, 0, 1)


def _lengthened(x: Any, fixed: Any, more: Any, has_zero: bool, heads: int) -> Any:
    """Return keys or values of all heads, with the learnt and the zero position at the end.

    Args:
        x: `(N, S, E)`.
        fixed: `(N * heads, S, E / heads)`, used instead.
        more: `(1, 1, E)`, the learnt position.
    """
    if more is not None:
        more = jnp.broadcast_to(more, (x.shape[0], 1, x.shape[2]))
        x = jnp.concatenate([x, more.astype(x.dtype)], 1)
    x = _split_heads(x, heads)
    if fixed is not None:
        x = fixed.reshape(*x.shape[:2], *fixed.shape[1:])
    return jnp.pad(x, ((0, 0), (0, 0), (0, int(has_zero)), (0, 0)))


def _numbers(mask: Any, kind: Any, length: int) -> Any:
    """Return a mask as numbers to add; positions beyond its own are free to attend to."""
    if mask.dtype == bool:
        mask = jnp.where(mask, -jnp.inf, 0)
    return jnp.pad(mask.astype(kind), [*[(0, 0)] * (mask.ndim - 1), (0, length - mask.shape[-1])])


def _bias(attn_mask: Any, padding: Any, is_causal: bool, shape: tuple, kind: Any) -> Any:
    """Return the sum of the masks, broadcast to the shape of the scores, or `None`."""
    batch, _, rows, columns = shape
    parts = [causal_bias(rows, columns, kind)] if is_causal else []
    if attn_mask is not None:
        attn_mask = _numbers(attn_mask, kind, columns)
        parts.append(attn_mask if attn_mask.ndim == 2 else attn_mask.reshape(shape))
    if padding is not None:
        parts.append(_numbers(padding, kind, columns).reshape(batch, 1, 1, columns))
    return sum(parts[1:], parts[0]) if parts else None


def _operands(
    projections: list,
    static_k: Any,
    static_v: Any,
    bias_k: Any,
    bias_v: Any,
    attn_mask: Any,
    padding: Any,
    heads: int,
    batch_first: bool,
    is_causal: bool,
    add_zero_attn: bool,
) -> Operands:
    """Return queries, keys and values of all heads, `(N, heads, L, E / heads)`, and the bias."""
    size = sum(x.shape[-1] for x in projections) // 3
    query, key, value = (
        _batch_first(wide(part), batch_first)
        for x in projections
        for part in jnp.split(x, x.shape[-1] // size, -1)
    )
    query = _split_heads(query, heads)
    key = _lengthened(key, static_k, bias_k, add_zero_attn, heads)
    value = _lengthened(value, static_v, bias_v, add_zero_attn, heads)
    shape = (*query.shape[:-1], key.shape[-2])  # (N, heads, L, S)
    return Operands(query, key, value, _bias(attn_mask, padding, is_causal, shape, query.dtype))


def _merged(result: Any, batch_first: bool, is_batched: bool) -> Any:
    """`(N, heads, L, E / heads)` -> `(N, L, E)`, `(L, N, E)` or `(L, E)`."""
    result = jnp.swapaxes(result, 1, 2)
    result = result.reshape(*result.shape[:2], -1)
    if not is_batched:
        return result[0]
    return result if batch_first else jnp.swapaxes(result, 0, 1)


def _scale_of(projections: list, heads: int) -> float:
    return math.sqrt(3 * heads / sum(x.shape[-1] for x in projections))


@op(name="multi_head_attention")
def attend_heads(
    projections: list[Array],
    static_k: Array | None,
    static_v: Array | None,
    bias_k: Array | None,
    bias_v: Array | None,
    attn_mask: Array | None,
    padding: Array | None,
    p: Array | None,
    seed: Array | None,
    number: Array | None,
    heads: int,
    batch_first: bool,
    is_causal: bool,
    add_zero_attn: bool,
    is_safe: bool,
):
    """Return the result, each head's weights and, if some are dropped, which of them stay.

    Args:
        projections: Queries, keys and values side by side, in one tensor or in several.

    Example:
        >>> import taowa
        >>> nothing = [None] * 9
        >>> attend_heads([taowa.ones(2, 3)], *nothing, 1, True, False, False, True)[1]
        tensor([[[[0.5000, 0.5000],
                  [0.5000, 0.5000]]]])
    """
    x = _operands(
        projections, static_k, static_v, bias_k, bias_v, attn_mask, padding,
        heads, batch_first, is_causal, add_zero_attn,
    )  # fmt: skip
    scale = _scale_of(projections, heads)
    result, *rest = attend(x, scale, (p, seed, number), is_safe)
    result = _merged(result, batch_first, projections[0].ndim == 3)
    return result.astype(projections[0].dtype), *rest


@attend_heads.backward
def _(
    grads, outputs, projections, static_k, static_v, bias_k, bias_v, attn_mask, padding, p,
    heads, batch_first, is_causal, add_zero_attn,
):  # fmt: skip
    def arrange(*arrays: Any) -> Operands:
        return _operands(*arrays, heads, batch_first, is_causal, add_zero_attn)  # type: ignore[call-arg]

    arrays = [projections, static_k, static_v, bias_k, bias_v, attn_mask, padding]
    # The result's gradient in the heads' shape: the way of `_merged` backwards.
    grad = grads[0]
    if grad is not None:
        grad = _split_heads(_batch_first(grad, batch_first), heads)
    scale = _scale_of(projections, heads)
    towards = (grad, grads[1])
    return tuple(arranged_gradients(arrange, arrays, scale, p, outputs, towards))


@op(name="attention_weights")
def shares(
    weights: Array, mask: Array | None, p: Array | None, kind: Any, mean: bool, batched: bool
):
    """Return the weights after dropping, for each head or their mean.

    Example:
        >>> import taowa
        >>> shares(taowa.ones(1, 2, 1, 1), None, None, taowa.float32, True, False)
        tensor([[1.]])
    """
    weights = kept(weights, mask, p)
    weights = weights.mean(1) if mean else weights
    return (weights if batched else weights[0]).astype(kind.np)
