"""Attention with several heads, put together of its parts and checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from taowa.core.tensor import Tensor
from taowa.ops.attention import next_draw
from taowa.ops.attention_heads import attend_heads, project, shares
from taowa.ops.attention_masks import Masks, agreeing_masks
from taowa.ops.linear import linear


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
        result, weights, *mask = attend_heads(
            project(query, key, value, self.weights, self.bias),
            *self.fixed, *self.more, masks.attn, masks.padding, *draw,
            self.heads, self.batch_first, masks.is_causal, self.add_zero_attn,
            self.need_weights is None,
        )  # fmt: skip
        returned = None
        if self.need_weights is not None:
            is_mean, is_batched = self.need_weights == "mean", query.ndim == 3
            dropped = (mask[0], draw[0]) if mask else (None, None)
            returned = shares(weights, *dropped, query.dtype, is_mean, is_batched)
        return linear(result, *self.out), returned

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
