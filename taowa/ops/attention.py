"""Attention: values averaged by weights that come from products of queries and keys."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

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


def _summed_to(x: Any, like: Any) -> Any:
    """Sum over what broadcasting added or stretched."""
    x = x.sum(tuple(range(x.ndim - like.ndim)))
    axes = [i for i, n in enumerate(like.shape) if n == 1 != x.shape[i]]
    return x.sum(tuple(axes), keepdims=True)


class Operands(NamedTuple):
    """Arrays that one attention is computed from, in the type that its arithmetic is done in.

    Attributes:
        query: `(*, L, E)`.
        key: `(*, S, E)`.
        value: `(*, S, V)`.
        bias: `(*, L, S)` or what broadcasts to it, added to the scores; or `None`.
    """

    query: Any
    key: Any
    value: Any
    bias: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the weights, `(*, L, S)`."""
        batch: Any = jnp.broadcast_shapes(self.query.shape[:-2], self.key.shape[:-2])
        return (*batch, self.query.shape[-2], self.key.shape[-2])


def _draw(shape: tuple[int, ...], p: Any, seed: Any, number: Any) -> Any:
    """Return which weights stay, or `None` for all."""
    return None if p is None else draw_mask(shape, p, seed, number)


def kept(weights: Any, mask: Any, p: Any) -> Any:
    """Return the weights, dropped ones zero and the others larger.

    Args:
        mask: Which stay; `None` for all.
        p: Probability of dropping.

    Example:
        >>> kept(jnp.ones(2), jnp.array([True, False]), jnp.array(0.5))
        Array([2., 0.], dtype=float32)
    """
    if mask is None:
        return weights
    factor = 1 / jnp.where(p < 1, 1 - p, 1).astype(weights.dtype)
    return weights * jnp.where(mask, factor, 0)


def attend(x: Operands, scale: Any, draw: tuple, is_safe: bool) -> tuple:
    """Return attention's result, the weights, and which of them stay if some are dropped.

    Args:
        scale: Factor on the scores.
        draw: As `next_draw` returns it.
        is_safe: Whether a query that may attend to nothing gives 0 instead of NaN.

    Shape:
        `(*, L, V)`, `(*, L, S)` and `(*, L, S)`

    Example:
        >>> one = jnp.ones((1, 1))
        >>> attend(Operands(one, one, one, None), 1.0, (None, None, None), True)[0]
        Array([[1.]], dtype=float32)
    """
    scores = product(x.query * scale, _transposed(x.key))
    weights = _softmax(scores if x.bias is None else scores + x.bias, is_safe)
    mask = _draw(x.shape, *draw)
    result = product(kept(weights, mask, draw[0]), x.value)
    return (result, weights) if mask is None else (result, weights, mask)


def gradients(x: Operands, scale: Any, p: Any, outputs: tuple, grads: tuple) -> Operands:
    """Return the gradients towards the operands.

    Args:
        p: Probability of dropping; `None` without.
        outputs: What `attend` returned.
        grads: The gradients towards result and weights; one of them may be `None`.

    Example:
        >>> one = jnp.ones((1, 1))
        >>> x = Operands(one, one, one, None)
        >>> gradients(x, 1.0, None, (one, one), (one, None)).value
        Array([[1.]], dtype=float32)
    """
    weights, mask = (*outputs, None)[1:3]
    grad = jnp.zeros(outputs[0].shape, x.value.dtype) if grads[0] is None else grads[0]
    towards_weights = kept(product(grad, _transposed(x.value)), mask, p)
    if grads[1] is not None:
        towards_weights = towards_weights + grads[1]
    mean = jnp.sum(towards_weights * weights, -1, keepdims=True)
    towards_scores = weights * (towards_weights - mean)  # (*, L, S)
    return Operands(
        _summed_to(product(towards_scores, x.key) * scale, x.query),
        _summed_to(product(_transposed(towards_scores), x.query) * scale, x.key),
        _summed_to(product(_transposed(kept(weights, mask, p)), grad), x.value),
        None if x.bias is None else _summed_to(towards_scores, x.bias),
    )


def arranged_gradients(
    arrange: Callable, arrays: list, scale: Any, p: Any, outputs: tuple, grads: tuple
) -> list:
    """Return the gradients towards arrays of which `arrange` makes the operands.

    Only moves values about, so that nothing is computed again; `None` where there can be none.

    Args:
        arrays: The arguments of `arrange`; some may be `None` or of types without gradients.

    Example:
        >>> one = jnp.ones((1, 1))
        >>> arrange = lambda x: Operands(x, x, x, None)
        >>> arranged_gradients(arrange, [one], 1.0, None, (one, one), (one, None))
        [Array([[1.]], dtype=float32)]
    """
    flat, structure = jax.tree.flatten(arrays)
    moving = [i for i, x in enumerate(flat) if jnp.issubdtype(x.dtype, jnp.floating)]

    def arranged(*values: Any) -> Any:
        new = dict(zip(moving, values, strict=True))
        whole = [new.get(i, x) for i, x in enumerate(flat)]
        return arrange(*jax.tree.unflatten(structure, whole))

    operands, pull = jax.vjp(arranged, *[flat[i] for i in moving])
    kind = operands.query.dtype
    grads = tuple(None if g is None else g.astype(kind) for g in grads)
    outputs = tuple(o.astype(kind) if i < 2 else o for i, o in enumerate(outputs))
    found = dict(zip(moving, pull(gradients(operands, scale, p, outputs, grads)), strict=True))
    spread = [found.get(i, jnp.zeros(x.shape)) for i, x in enumerate(flat)]
    return jax.tree.unflatten(structure, spread)


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


def _operands(
    query: Any, key: Any, value: Any, attn_mask: Any, is_causal: bool, enable_gqa: bool
) -> Operands:
    if enable_gqa:
        key, value = (_repeat_heads(query, x) for x in (key, value))
    x = Operands(wide(query), wide(key), wide(value), None)
    bias = _additive(attn_mask, x.query.dtype)
    if is_causal:
        causal = causal_bias(x.shape[-2], x.shape[-1], x.query.dtype)
        bias = causal if bias is None else causal + bias
    return x._replace(bias=None if bias is None else jnp.broadcast_to(bias, x.shape))


def _scale(query: Any, scale: Any) -> Any:
    return 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else wide(scale)


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
    x = _operands(query, key, value, attn_mask, is_causal, enable_gqa)
    result, *rest = attend(x, _scale(query, scale), (p, seed, number), True)
    return result.astype(query.dtype), *rest


@_attention.backward
def _(grads, outputs, query, key, value, attn_mask, p, scale, is_causal, enable_gqa):
    def arrange(*arrays: Any) -> Operands:
        return _operands(*arrays, is_causal, enable_gqa)  # type: ignore[call-arg]

    arrays = [query, key, value, attn_mask]
    return tuple(arranged_gradients(arrange, arrays, _scale(query, scale), p, outputs, grads))


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
    return _attention(query, key, value, attn_mask, *draw, scale, is_causal, enable_gqa)[0]
