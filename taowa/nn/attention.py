"""Attention with several heads as a layer."""

from __future__ import annotations

from typing import Any

from taowa.core.tensor import Tensor
from taowa.nn import init
from taowa.nn.linear import Linear
from taowa.nn.module import Module
from taowa.nn.parameter import Parameter
from taowa.ops.attention_forward import Heads, weights_wanted
from taowa.ops.attention_masks import Masks
from taowa.ops.creation import empty

__all__ = ["MultiheadAttention"]


class NonDynamicallyQuantizableLinear(Linear):
    """Apply an affine map; a class of its own because it is printed by that name."""


class MultiheadAttention(Module):
    """Let each position gather what it needs from others, in several heads at once.

    Each head projects queries, keys and values, and averages the values by the softmax of the
    products of queries and keys; the results of all heads side by side are projected once more.

    Args:
        embed_dim: Features E of queries and results.
        num_heads: How many heads share them; a divisor of `embed_dim`.
        dropout: Probability of dropping a weight in training.
        bias: Whether the projections have one.
        add_bias_kv: Learn a further key and value at the end.
        add_zero_attn: Add a key and a value of zeros at the end.
        kdim: Features of keys; `embed_dim` by default.
        vdim: Features of values; `embed_dim` by default.
        batch_first: Whether inputs and results are `(N, L, E)` instead of `(L, N, E)`.

    Raises:
        ValueError: if a size is not positive.
        AssertionError: if `num_heads` does not divide `embed_dim`.

    References:
        Vaswani et al. 2017, https://arxiv.org/abs/1706.03762

    Example:
        >>> import taowa
        >>> layer = MultiheadAttention(8, 2, batch_first=True)
        >>> x = taowa.ones(3, 5, 8)
        >>> result, weights = layer(x, x, x)
        >>> result.shape, weights.shape
        (torch.Size([3, 5, 8]), torch.Size([3, 5, 5]))
    """

    bias_k: Tensor | None
    bias_v: Tensor | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ):
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                "embed_dim and num_heads must be greater than 0, "
                f"got embed_dim={embed_dim} and num_heads={num_heads} instead"
            )
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")
        options = {"device": device, "dtype": dtype}
        self._add_projections(bias, options)
        self.bias_k = self.bias_v = None
        if add_bias_kv:
            self.bias_k = Parameter(empty((1, 1, embed_dim), **options))
            self.bias_v = Parameter(empty((1, 1, embed_dim), **options))
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _add_projections(self, bias: bool, options: dict) -> None:
        size = self.embed_dim
        own = {"q_proj_weight": size, "k_proj_weight": self.kdim, "v_proj_weight": self.vdim}
        shapes: dict[str, Any] = {name: (size, width) for name, width in own.items()}
        shapes["in_proj_weight"] = (3 * size, size)
        shapes["in_proj_bias"] = 3 * size if bias else None
        for name in own if self._qkv_same_embed_dim else ["in_proj_weight"]:
            shapes[name] = None
        for name, shape in shapes.items():
            made = None if shape is None else Parameter(empty(shape, **options))
            self.register_parameter(name, made)
        self.out_proj = NonDynamicallyQuantizableLinear(size, size, bias=bias, **options)

    def _reset_parameters(self) -> None:
        for weight in self._weights():
            init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)
        for learnt in (self.bias_k, self.bias_v):
            if learnt is not None:
                init.xavier_normal_(learnt)

    def _weights(self) -> list[Parameter]:
        if self._qkv_same_embed_dim:
            return [self.in_proj_weight]
        return [self.q_proj_weight, self.k_proj_weight, self.v_proj_weight]

    def __setstate__(self, state: dict) -> None:
        state.setdefault("_qkv_same_embed_dim", True)  # files from before there was a choice
        super().__setstate__(state)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the result, like the query, and the weights or `None`.

        Args:
            query: `(L, N, E)`, `(N, L, E)` with `batch_first`, or `(L, E)`.
            key: `(S, N, kdim)` and so on.
            value: `(S, N, vdim)` and so on.
            key_padding_mask: `(N, S)` or `(S,)`: true where a key is padding, or numbers to add
                to the scores.
            need_weights: Whether to return the weights.
            attn_mask: `(L, S)` or `(N * num_heads, L, S)`: true where a query may not attend to
                a key, or numbers to add to the scores.
            average_attn_weights: Return the mean of the heads' weights instead of each head's.
            is_causal: A hint that `attn_mask` is causal.

        Raises:
            AssertionError: if shapes do not fit together.
            RuntimeError: if a mask's shape does not, or `is_causal` comes without a mask.
        """
        attention = Heads(
            self.num_heads, self._weights(), self.in_proj_bias,
            (self.out_proj.weight, self.out_proj.bias), (self.bias_k, self.bias_v), (None, None),
            self.add_zero_attn, self.dropout if self.training else 0.0, self.batch_first,
            weights_wanted(need_weights, average_attn_weights),
        )  # fmt: skip
        return attention(query, key, value, Masks(attn_mask, key_padding_mask, is_causal))

    def merge_masks(
        self, attn_mask: Tensor | None, key_padding_mask: Tensor | None, query: Tensor
    ) -> tuple[Tensor | None, int | None]:
        """Return both masks as one, and which kind it is.

        The kind is 1 for a padding mask alone, 2 with an attention mask, `None` without any.

        Args:
            attn_mask: `(L, L)` or `(N * num_heads, L, L)`, numbers.
            key_padding_mask: `(N, L)`, numbers.
            query: `(N, L, E)`.
        """
        if attn_mask is None:
            return key_padding_mask, None if key_padding_mask is None else 1
        batch, length, _ = query.shape
        masks: Any = attn_mask
        if masks.ndim == 3:
            merged = masks.view(batch, -1, length, length)
        else:
            merged = masks.view(1, 1, length, length).expand(batch, self.num_heads, -1, -1)
        if key_padding_mask is not None:
            padding: Any = key_padding_mask
            merged = merged + padding.view(batch, 1, 1, length).expand(-1, self.num_heads, -1, -1)
        return merged, 2
