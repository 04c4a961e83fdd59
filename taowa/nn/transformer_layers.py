"""The layers that transformers stack: attention and a two-layer network, each with its norm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from taowa.core.tensor import Tensor
from taowa.nn import functional as F
from taowa.nn.activation import ReLU
from taowa.nn.attention import MultiheadAttention
from taowa.nn.dropout import Dropout
from taowa.nn.linear import Linear
from taowa.nn.module import Module
from taowa.nn.normalization import LayerNorm
from taowa.nn.smooth_activation import GELU
from taowa.ops.attention_masks import agreeing_masks

__all__ = ["TransformerDecoderLayer", "TransformerEncoderLayer"]

Activation = str | Callable[[Tensor], Tensor]


def _activation(activation: Activation) -> Callable[[Tensor], Tensor]:
    if not isinstance(activation, str):
        return activation
    if activation not in ("relu", "gelu"):
        raise RuntimeError(f"activation should be relu/gelu, not {activation}")
    return F.relu if activation == "relu" else F.gelu


class _Layer(Module):
    """What encoder and decoder layers have in common: options, norms, the two-layer network."""

    activation: Callable[[Tensor], Tensor]
    self_attn: MultiheadAttention
    dropout1: Module
    norm1: Module

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        options = {"bias": bias, "device": device, "dtype": dtype}
        for name in self._attention_names:
            made = MultiheadAttention(
                d_model, nhead, dropout=dropout, batch_first=batch_first, **options
            )
            setattr(self, name, made)
        self.linear1 = Linear(d_model, dim_feedforward, **options)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, **options)
        self.norm_first = norm_first
        numbers = range(1, len(self._attention_names) + 2)
        for number in numbers:
            setattr(self, f"norm{number}", LayerNorm(d_model, eps=layer_norm_eps, **options))
        for number in numbers:
            setattr(self, f"dropout{number}", Dropout(dropout))
        self.activation = _activation(activation)

    _attention_names: tuple[str, ...]

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        if "activation" not in self.__dict__ and "activation" not in self._modules:
            self.activation = F.relu  # files from before there was a choice

    def _add(self, x: Tensor, norm: Module, block: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the sum of `x` and its block, normalised before the block or after the sum."""
        if self.norm_first:
            return x + block(norm(x))  # type: ignore[operator]
        return norm(x + block(x))  # type: ignore[operator]

    def _sa_block(
        self,
        x: Tensor,
        attn_mask: Tensor | None,
        key_padding_mask: Tensor | None,
        is_causal: bool = False,
    ) -> Tensor:
        found = self.self_attn(
            x, x, x, attn_mask=attn_mask, key_padding_mask=key_padding_mask,
            need_weights=False, is_causal=is_causal,
        )  # fmt: skip
        return self.dropout1(found[0])

    def _ff_block(self, x: Tensor) -> Tensor:
        last = getattr(self, f"dropout{len(self._attention_names) + 1}")
        return last(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class TransformerEncoderLayer(_Layer):
    """Apply self-attention and then a two-layer network, each added to its input and normalised.

    Args:
        d_model: Features E.
        nhead: Heads of the attention, a divisor of `d_model`.
        dim_feedforward: Width of the two-layer network.
        dropout: Probability of dropping, in training.
        activation: `"relu"`, `"gelu"` or a function.
        layer_norm_eps: Added to the variance in the norms.
        batch_first: Whether input and output are `(N, L, E)` instead of `(L, N, E)`.
        norm_first: Normalise before each block instead of after the sum.
        bias: Whether linear maps and norms have one.

    References:
        Vaswani et al. 2017, https://arxiv.org/abs/1706.03762

    Example:
        >>> import taowa
        >>> layer = TransformerEncoderLayer(8, 2, 16, batch_first=True)
        >>> layer(taowa.ones(3, 5, 8)).shape
        torch.Size([3, 5, 8])
    """

    _attention_names = ("self_attn",)

    @property
    def activation_relu_or_gelu(self) -> int:
        """Return 1 for a ReLU, 2 for a GELU, 0 for another activation."""
        activation = self.activation
        if activation is F.relu or isinstance(activation, ReLU):
            return 1
        return 2 if activation is F.gelu or isinstance(activation, GELU) else 0

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Return the encoded sequence; masks are those of `MultiheadAttention`.

        Args:
            src: `(L, N, E)`, `(N, L, E)` with `batch_first`, or `(L, E)`.
            is_causal: A hint that `src_mask` is causal.
        """
        src_mask, src_key_padding_mask = agreeing_masks(
            src_mask, src_key_padding_mask, src.dtype, ("src_mask", "src_key_padding_mask")
        )
        x = self._add(
            src, self.norm1, lambda y: self._sa_block(y, src_mask, src_key_padding_mask, is_causal)
        )
        return self._add(x, self.norm2, self._ff_block)


class TransformerDecoderLayer(_Layer):
    """Apply self-attention, attention to an encoder's output, and a two-layer network.

    Args:
        d_model: Features E.
        nhead: Heads of each attention, a divisor of `d_model`.
        dim_feedforward: Width of the two-layer network.
        dropout: Probability of dropping, in training.
        activation: `"relu"`, `"gelu"` or a function.
        layer_norm_eps: Added to the variance in the norms.
        batch_first: Whether input and output are `(N, L, E)` instead of `(L, N, E)`.
        norm_first: Normalise before each block instead of after the sum.
        bias: Whether linear maps and norms have one.

    References:
        Vaswani et al. 2017, https://arxiv.org/abs/1706.03762

    Example:
        >>> import taowa
        >>> layer = TransformerDecoderLayer(8, 2, 16)
        >>> layer(taowa.ones(5, 3, 8), memory=taowa.ones(7, 3, 8)).shape
        torch.Size([5, 3, 8])
    """

    _attention_names = ("self_attn", "multihead_attn")
    multihead_attn: MultiheadAttention
    dropout2: Module

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the decoded sequence; masks are those of `MultiheadAttention`.

        Args:
            tgt: `(L, N, E)`, `(N, L, E)` with `batch_first`, or `(L, E)`.
            memory: The encoder's output, `(S, N, E)` and so on.
            tgt_is_causal: A hint that `tgt_mask` is causal.
            memory_is_causal: A hint that `memory_mask` is causal.
        """
        x = self._add(
            tgt, self.norm1,
            lambda y: self._sa_block(y, tgt_mask, tgt_key_padding_mask, tgt_is_causal),
        )  # fmt: skip
        x = self._add(
            x, self.norm2,
            lambda y: self._mha_block(
                y, memory, memory_mask, memory_key_padding_mask, memory_is_causal
            ),
        )  # fmt: skip
        return self._add(x, self.norm3, self._ff_block)

    def _mha_block(
        self,
        x: Tensor,
        mem: Tensor,
        attn_mask: Tensor | None,
        key_padding_mask: Tensor | None,
        is_causal: bool = False,
    ) -> Tensor:
        found = self.multihead_attn(
            x, mem, mem, attn_mask=attn_mask, key_padding_mask=key_padding_mask,
            is_causal=is_causal, need_weights=False,
        )  # fmt: skip
        return self.dropout2(found[0])
