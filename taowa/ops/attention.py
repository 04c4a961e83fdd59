"""Attention: values averaged by weights that come from products of queries and keys."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from taowa.core.op import Array, Scalar, op
from taowa.core.random import next_key
from taowa.core.tensor import Tensor
from taowa.ops.dropout import draw_mask
from taowa.ops.matmul import product
from taowa.ops.operands import kind_name
from taowa.ops.precision import wide


def _transposed(x: Any) -> Any:
    return jnp.swapaxes(x, -1, -2)


def _softmax(scores: Any, is_safe: bool) -> Any:
    """Return softmax over the last dimension.

    With `is_safe`, rows of nothing but minus infinity are 0 instead of NaN.
    """
    largest = jnp.max(scores, -1, keepdims=True, initial=-jnp.inf)
    if is_safe:
        largest = jnp.where(largest == -jnp.inf, 0, largest)
    exponentials = jnp.exp(scores - largest)
    total = jnp.sum(exponentials, -1, keepdims=True)
    return exponentials / (jnp.where(total == 0, 1, total) if is_safe else total)


def _probabilities(query: Any, key: Any, bias: Any, scale: Any, is_safe: bool) -> Any:
    scores = product(query * scale, _transposed(key))
    return _softmax(scores if bias is None else scores + bias, is_safe)


def _summed_to(x: Any, like: Any) -> Any:
    """Sum over what broadcasting added or stretched."""
    x = x.sum(tuple(range(x.ndim - like.ndim)))
    axes = [i for i, n in enumerate(like.shape) if n == 1 != x.shape[i]]
    return x.sum(tuple(axes), keepdims=True)


def attend(
    query: Any, key: Any, value: Any, bias: Any, kept: Any, scale: Any, is_safe: bool
) -> tuple[Any, Any]:
    """Return attention's result and the weights that the values were averaged with.

    Args:
        query: `(*, L, E)`.
        key: `(*, S, E)`.
        value: `(*, S, V)`.
        bias: `(*, L, S)` or what broadcasts to it, added to the scores; or `None`.
        kept: `(*, L, S)`, factors on the weights: 0 where dropped; or `None`.
        scale: Factor on the scores.
        is_safe: Whether a query that may attend to nothing gives 0 instead of NaN.

    Shape:
        `(*, L, V)` and `(*, L, S)`

    Example:
        >>> one = jnp.ones((1, 1))
        >>> attend(one, one, one, None, None, 1.0, True)[0]
        Array([[1.]], dtype=float32)
    """
    return _attend(query, key, value, bias, kept, scale, is_safe)  # type: ignore[return-value]


@partial(jax.custom_vjp, nondiff_argnums=(6,))
def _attend(*args: Any) -> tuple[Any, Any]:
    return _attend_forward(*args)[0]


def _attend_forward(
    query: Any, key: Any, value: Any, bias: Any, kept: Any, scale: Any, is_safe: bool
) -> tuple:
    weights = _probabilities(query, key, bias, scale, is_safe)
    dropped = weights if kept is None else weights * kept
    saved = (query, key, value, bias, kept, scale, weights)
    return (product(dropped, value), dropped), saved


def _attend_backward(is_safe: bool, saved: tuple, grads: tuple) -> tuple:
    query, key, value, bias, kept, scale, weights = saved
    grad, grad_weights = grads
    dropped = weights if kept is None else weights * kept
    towards_value = product(_transposed(dropped), grad)
    towards_weights = product(grad, _transposed(value)) + grad_weights
    if kept is not None:
        towards_weights = towards_weights * kept
    mean = jnp.sum(towards_weights * weights, -1, keepdims=True)
    towards_scores = weights * (towards_weights - mean)  # (*, L, S)
    return (
        _summed_to(product(towards_scores, key) * scale, query),
        _summed_to(product(_transposed(towards_scores), query) * scale, key),
        _summed_to(towards_value, value),
        None if bias is None else _summed_to(towards_scores, bias),
        None,
        None,
    )


_attend.defvjp(_attend_forward, _attend_backward)


def kept_factors(shape: tuple[int, ...], draw: tuple, kind: Any) -> Any:
    """Return 0 with the probability that `draw` begins with, else what keeps the mean.

    Args:
        draw: Probability, seed and number of the draw; `None` first for no dropout at all.

    Example:
        >>> kept_factors((2,), (None, None, None), None) is None
        True
    """
    p, seed, number = draw
    if p is None:
        return None
    mask = draw_mask(shape, p, seed, number)
    return jnp.where(mask, 1 / jnp.where(p < 1, 1 - p, 1), 0).astype(kind)


def next_draw(p: float) -> tuple:
    """Return what an attention op needs to drop weights with probability `p`.

    Raises:
        RuntimeError: if `p` is no probability.

    Example:
        >>> next_draw(0.0)
        (None, None, None)
    """
    if not 0 <= p <= 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {p}")
    return (float(p), *next_key()) if p > 0 else (None, None, None)


def causal_bias(rows: int, columns: int, kind: Any) -> Any:
    """Return 0 up to the diagonal and minus infinity above it, `(rows, columns)`.

    Example:
        >>> causal_bias(1, 2, jnp.float32)
        Array([[  0., -inf]], dtype=float32)
    """
    later = jnp.arange(columns) > jnp.arange(rows)[:, None]
    return jnp.where(later, -jnp.inf, 0).astype(kind)


def _require_operands(query: Any, key: Any, value: Any, attn_mask: Any) -> None:
    dims = [x.ndim for x in (query, key, value)]
    if min(dims) < 2:
        raise RuntimeError(
            "Expected query, key, and value to be at least 2 dimensional, but got "
            f"query.dim: {dims[0]}, key.dim: {dims[1]} and value.dim: {dims[2]} instead."
        )
    kinds = [kind_name(x) for x in (query, key, value)]
    if len(set(kinds)) > 1:
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got "
            f"query.dtype: {kinds[0]}, key.dtype: {kinds[1]} and value.dtype: {kinds[2]} instead."
        )
    if not jnp.issubdtype(query.dtype, jnp.floating):
        raise RuntimeError(f"expected scalar type Float but found {kinds[0]}")
    allowed = (jnp.bool_, jnp.float32, query.dtype)
    if attn_mask is not None and attn_mask.dtype not in allowed:
        raise RuntimeError(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
            f"attn_mask.dtype: {kind_name(attn_mask)} and query.dtype: {kinds[0]} instead."
        )


def _repeat_heads(query: Any, shared: Any) -> Any:
    """Give each head of the query its copy of keys or values that several heads share."""
    if min(query.ndim, shared.ndim) < 3:
        raise IndexError("enable_gqa needs a dimension of heads: (*, H, L, E)")
    if query.shape[-3] % shared.shape[-3]:
        raise RuntimeError(
            "Number of heads in key and value must divide the number of heads in the query, got "
            f"{shared.shape[-3]} and {query.shape[-3]}"
        )
    return jnp.repeat(shared, query.shape[-3] // shared.shape[-3], -3)


@op(name="scaled_dot_product_attention")
def _attention(
    query: Array,
    key: Array,
    value: Array,
    attn_mask: Array | None,
    p: Array | None,
    seed: Array | None,
    number: Array | None,
    scale: Scalar | None,
    is_causal: bool,
    enable_gqa: bool,
):
    _require_operands(query, key, value, attn_mask)
    if enable_gqa:
        key, value = (_repeat_heads(query, x) for x in (key, value))
    q, k, v = (wide(x) for x in (query, key, value))
    rows, columns = q.shape[-2], k.shape[-2]
    bias = _additive(attn_mask, q.dtype)
    if is_causal:
        bias = causal_bias(rows, columns, q.dtype) + (0 if bias is None else bias)
    factor = 1 / math.sqrt(max(q.shape[-1], 1)) if scale is None else scale.astype(q.dtype)
    batch: Any = jnp.broadcast_shapes(q.shape[:-2], k.shape[:-2])
    if bias is not None:
        bias = jnp.broadcast_to(bias, (*batch, rows, columns))
    kept = kept_factors((*batch, rows, columns), (p, seed, number), q.dtype)
    result, _ = attend(q, k, v, bias, kept, factor, True)
    return result.astype(query.dtype)


def _additive(mask: Any, kind: Any) -> Any:
    """Return a mask as numbers to add; true means that a key takes part."""
    if mask is not None and mask.dtype == bool:
        return jnp.where(mask, 0, -jnp.inf).astype(kind)
    return None if mask is None else mask.astype(kind)


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Return the values averaged by `softmax(query @ key.T * scale)`.

    Args:
        attn_mask: Of the shape of the weights or broadcast to it: true where a query may attend
            to a key, or numbers added to the scores. A query that may attend to nothing gives 0.
        dropout_p: Probability of dropping a weight; there is no evaluation mode.
        is_causal: Let each query attend to keys up to its own position only (and only where
            `attn_mask` lets it).
        scale: `1 / sqrt(E)` by default.
        enable_gqa: Let several heads of the query share a head of key and value.

    Shape:
        `(*, L, E)`, `(*, S, E)`, `(*, S, V)` -> `(*, L, V)`

    Raises:
        RuntimeError: if shapes or types do not fit, or `dropout_p` is no probability.

    References:
        Vaswani et al. 2017, https://arxiv.org/abs/1706.03762

    Example:
        >>> import taowa
        >>> query, key = taowa.zeros(1, 2), taowa.ones(2, 2)
        >>> scaled_dot_product_attention(query, key, taowa.tensor([[1.0], [3.0]]))
        tensor([[2.]])
    """
    draw = next_draw(dropout_p)
    return _attention(query, key, value, attn_mask, *draw, scale, is_causal, enable_gqa)
