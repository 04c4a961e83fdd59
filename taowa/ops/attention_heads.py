"""Attention with several heads: projections, masks, one operation for all heads."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp

from taowa import dtypes
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.attention import (
    Operands,
    arranged_gradients,
    attend,
    causal_bias,
    kept,
    next_draw,
)
from taowa.ops.linear import linear
from taowa.ops.precision import wide


class Masks(NamedTuple):
    """Where heads may not attend: bools (true = not) or numbers added to the scores.

    Attributes:
        attn: `(L, S)` or `(N * heads, L, S)`, or `None`.
        padding: `(N, S)`, or `(S,)` without a batch, or `None`.
        is_causal: Whether `attn` says that each query attends up to its own position.
    """

    attn: Tensor | None = None
    padding: Tensor | None = None
    is_causal: bool = False


def agreeing_masks(
    attn_mask: Tensor | None,
    key_padding_mask: Tensor | None,
    kind: dtypes.dtype,
    names: tuple[str, str] = ("attn_mask", "key_padding_mask"),
) -> tuple[Tensor | None, Tensor | None]:
    """Return both masks, as numbers of type `kind` if only one of them is bool.

    Raises:
        AssertionError: for masks that are neither bool nor floating.

    Example:
        >>> import taowa
        >>> agreeing_masks(taowa.tensor([True]), None, taowa.float32)
        (tensor([True]), None)
    """
    for mask, name in zip((attn_mask, key_padding_mask), names, strict=True):
        if mask is not None and not (mask.dtype is dtypes.bool or mask.dtype.is_floating_point):
            raise AssertionError(f"only bool and floating types of {name} are supported")
    if attn_mask is None or key_padding_mask is None or attn_mask.dtype is key_padding_mask.dtype:
        return attn_mask, key_padding_mask
    warnings.warn(
        f"Support for mismatched {names[1]} and {names[0]} is deprecated. "
        "Use same type for both instead.",
        stacklevel=3,
    )
    return tuple(
        _as_numbers(mask, kind) if mask.dtype is dtypes.bool else mask
        for mask in (attn_mask, key_padding_mask)
    )  # type: ignore[return-value]


@op(name="mask_to_numbers")
def _as_numbers(mask: Array, kind: Any):
    return jnp.where(mask, -jnp.inf, 0).astype(kind.np)


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


def _projections(
    query: Tensor, key: Tensor, value: Tensor, weights: Sequence[Tensor], bias: Tensor | None
) -> list[Tensor]:
    """Return queries, keys and values; equal inputs with one weight are multiplied once."""
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
def _attend_heads(
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
    x = _operands(
        projections, static_k, static_v, bias_k, bias_v, attn_mask, padding,
        heads, batch_first, is_causal, add_zero_attn,
    )  # fmt: skip
    scale = _scale_of(projections, heads)
    result, *rest = attend(x, scale, (p, seed, number), is_safe)
    result = _merged(result, batch_first, projections[0].ndim == 3)
    return result.astype(projections[0].dtype), *rest


@_attend_heads.backward
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
def _shares(
    weights: Array, mask: Array | None, p: Array | None, kind: Any, mean: bool, batched: bool
):
    """Return the weights after dropping, for each head or their mean."""
    weights = kept(weights, mask, p)
    weights = weights.mean(1) if mean else weights
    return (weights if batched else weights[0]).astype(kind.np)


class Heads(NamedTuple):
    """What attention with several heads is made of, inputs and masks apart.

    Attributes:
        weights: Projections of queries, keys and values `(E, ...)`, or one of all, `(3 E, E)`.
        out: Weight `(E, E)` and bias of the projection of the result.
        more: Learnt keys and values `(1, 1, E)` at the end of all others.
        fixed: Keys and values `(N * heads, S, E / heads)` used instead of projected ones.
        need_weights: `None`, or whether to return their `"mean"` over heads or all (`"each"`).
    """

    heads: int
    weights: Sequence[Tensor]
    bias: Tensor | None
    out: tuple[Tensor, Tensor | None]
    more: tuple[Tensor | None, Tensor | None] = (None, None)
    fixed: tuple[Tensor | None, Tensor | None] = (None, None)
    add_zero_attn: bool = False
    dropout_p: float = 0.0
    batch_first: bool = False
    need_weights: str | None = None

    def __call__(
        self, query: Tensor, key: Tensor, value: Tensor, masks: Masks
    ) -> tuple[Tensor, Tensor | None]:
        """Return the result, like the query, and the weights that were asked for."""
        self._require_ranks(query, key, value, masks)
        masks = self._settled(query, masks)
        self._require_sizes(query, key, value, masks)
        draw = next_draw(self.dropout_p)
        result, weights, *mask = _attend_heads(
            _projections(query, key, value, self.weights, self.bias),
            *self.fixed, *self.more, masks.attn, masks.padding, *draw,
            self.heads, self.batch_first, masks.is_causal, self.add_zero_attn,
            self.need_weights is None,
        )  # fmt: skip
        shares = None
        if self.need_weights is not None:
            is_mean, is_batched = self.need_weights == "mean", query.ndim == 3
            dropped = (mask[0], draw[0]) if mask else (None, None)
            shares = _shares(weights, *dropped, query.dtype, is_mean, is_batched)
        return linear(result, *self.out), shares

    def _settled(self, query: Tensor, masks: Masks) -> Masks:
        """Return masks of one type, or none at all where the causal hint is enough."""
        attn, padding = agreeing_masks(masks.attn, masks.padding, query.dtype)
        if masks.is_causal and attn is None:
            raise RuntimeError(
                "Need attn_mask if specifying the is_causal hint. You may use the Transformer "
                "module method `generate_square_subsequent_mask` to create this mask."
            )
        if masks.is_causal and padding is None and self.need_weights is None:
            return Masks(None, None, True)
        return Masks(attn, padding, False)

    def _require_ranks(self, query: Tensor, key: Tensor, value: Tensor, masks: Masks) -> None:
        rank = query.ndim
        if rank not in (2, 3):
            raise AssertionError(
                "query should be unbatched 2D or batched 3D tensor but received "
                f"{rank}-D query tensor"
            )
        given = f"For {'batched' if rank == 3 else 'unbatched'} ({rank}-D) `query`, expected"
        if key.ndim != rank or value.ndim != rank:
            raise AssertionError(
                f"{given} `key` and `value` to be {rank}-D but found {key.ndim}-D and "
                f"{value.ndim}-D tensors respectively"
            )
        if masks.padding is not None and masks.padding.ndim != rank - 1:
            raise AssertionError(
                f"{given} `key_padding_mask` to be `None` or {rank - 1}-D "
                f"but found {masks.padding.ndim}-D tensor instead"
            )
        if masks.attn is not None and masks.attn.ndim not in (2, 3):
            raise AssertionError(
                f"{given} `attn_mask` to be `None`, 2-D or 3-D "
                f"but found {masks.attn.ndim}-D tensor instead"
            )

    def _require_sizes(self, query: Tensor, key: Tensor, value: Tensor, masks: Masks) -> None:
        size = self.out[0].shape[0]
        if query.shape[-1] != size:
            raise AssertionError(
                f"was expecting embedding dimension of {size}, but got {query.shape[-1]}"
            )
        if len(self.weights) == 1 and key.shape != value.shape:
            raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")
        if key.shape[:-1] != value.shape[:-1]:
            raise AssertionError(
                f"key's sequence and batch dims {key.shape[:-1]} do not match value's "
                f"{value.shape[:-1]}"
            )
        self._require_weights(query, key, value)
        batch_dim = 0 if self.batch_first else 1
        batch = query.shape[batch_dim] if query.ndim == 3 else 1
        rows, columns = (
            x.shape[-2 if self.batch_first or x.ndim == 2 else 0] for x in (query, key)
        )
        _require_mask_shape(masks.attn, (rows, columns), batch * self.heads, query.ndim == 3)
        if masks.padding is not None and query.ndim == 3:
            for dim, wanted in enumerate((batch, columns)):
                if masks.padding.shape[dim] != wanted:
                    raise AssertionError(
                        f"Expected key_padded_mask.shape[{dim}] to be {wanted}, "
                        f"but got {masks.padding.shape[dim]}"
                    )

    def _require_weights(self, *inputs: Tensor) -> None:
        if len(self.weights) == 1:
            return
        size = inputs[0].shape[-1]
        names = ("query", "key", "value")
        for name, x, weight in zip(names, inputs, self.weights, strict=True):
            if weight.shape != (size, x.shape[-1]):
                raise AssertionError(
                    f"expecting {name} weights shape of {(size, x.shape[-1])}, "
                    f"but got {weight.shape}"
                )


def _require_mask_shape(
    mask: Tensor | None, shape: tuple[int, int], count: int, is_batched: bool
) -> None:
    if mask is None:
        return
    wanted = shape if mask.ndim == 2 else (count, *shape)
    if tuple(mask.shape) == wanted:
        return
    if mask.ndim == 3 and not is_batched:
        raise AssertionError(f"Expected `attn_mask` shape to be {wanted} but got {mask.shape}")
    raise RuntimeError(
        f"The shape of the {mask.ndim}D attn_mask is {mask.shape}, but should be {wanted}."
    )


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Return what `nn.MultiheadAttention` does, of weights given one by one.

    Args:
        query: `(L, N, E)` or `(L, E)`.
        key: `(S, N, E)` or `(S, E)`; other features with separate weights.
        value: Like `key`.
        in_proj_weight: `(3 E, E)`, unless `use_separate_proj_weight`.
        in_proj_bias: `(3 E,)`.
        bias_k: `(1, 1, E)`, a learnt key at the end.
        bias_v: `(1, 1, E)`, a learnt value at the end.
        add_zero_attn: Add a key and a value of zeros at the end.
        key_padding_mask: `(N, S)`: true where a key is padding, or numbers added to scores.
        attn_mask: `(L, S)` or `(N * num_heads, L, S)`: true where a query may not attend.
        static_k: `(N * num_heads, S, E / num_heads)`, used instead of projected keys.
        static_v: The same for values.
        is_causal: A hint that `attn_mask` is causal.

    Shape:
        `(L, N, E)` and, with `need_weights`, `(N, L, S)` or `(N, num_heads, L, S)`

    Raises:
        AssertionError: if shapes do not fit together.
        RuntimeError: if a mask's shape does not.

    References:
        Vaswani et al. 2017, https://arxiv.org/abs/1706.03762

    Example:
        >>> import taowa
        >>> x, eye = taowa.ones(1, 2), taowa.eye(2)
        >>> weight = taowa.cat([eye, eye, eye])
        >>> none = (None, None, None, False, 0.0)
        >>> multi_head_attention_forward(x, x, x, 2, 1, weight, *none, eye, None)[0]
        tensor([[1., 1.]])
    """
    if query.shape[-1] != embed_dim_to_check:
        raise AssertionError(
            f"was expecting embedding dimension of {embed_dim_to_check}, but got {query.shape[-1]}"
        )
    if embed_dim_to_check % num_heads:
        raise AssertionError(
            f"embed_dim {embed_dim_to_check} not divisible by num_heads {num_heads}"
        )
    names = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
    weights: list[Any] = [q_proj_weight, k_proj_weight, v_proj_weight]
    if not use_separate_proj_weight:
        names, weights = ("in_proj_weight",), [in_proj_weight]
    for name, weight in zip(names, weights, strict=True):
        if weight is None:
            raise AssertionError(
                f"use_separate_proj_weight is {use_separate_proj_weight} but {name} is None"
            )
    _require_learnt(bias_k, bias_v, static_k, static_v)
    attention = Heads(
        num_heads, weights, in_proj_bias, (out_proj_weight, out_proj_bias), (bias_k, bias_v),
        (static_k, static_v), add_zero_attn, dropout_p if training else 0.0,
        need_weights=weights_wanted(need_weights, average_attn_weights),
    )  # fmt: skip
    return attention(query, key, value, Masks(attn_mask, key_padding_mask, is_causal))


def weights_wanted(need_weights: bool, average_attn_weights: bool) -> str | None:
    """Return which weights of the heads to return, as `Heads` wants to know it.

    Example:
        >>> weights_wanted(True, False)
        'each'
    """
    if not need_weights:
        return None
    return "mean" if average_attn_weights else "each"


def _require_learnt(
    bias_k: Tensor | None, bias_v: Tensor | None, static_k: Tensor | None, static_v: Tensor | None
) -> None:
    if (bias_k is None) != (bias_v is None):
        there, missing = ("bias_v", "bias_k") if bias_k is None else ("bias_k", "bias_v")
        raise AssertionError(f"{there} is set but {missing} is None")
    if bias_k is not None and static_k is not None:
        raise AssertionError("bias cannot be added to static key.")
    if bias_v is not None and static_v is not None:
        raise AssertionError("bias cannot be added to static value.")
