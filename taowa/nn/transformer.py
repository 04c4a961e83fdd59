"""Transformers: stacks of encoder and decoder layers."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np

from taowa.core.tensor import Tensor
from taowa.nn import functional as F
from taowa.nn import init
from taowa.nn.container import ModuleList
from taowa.nn.module import Module
from taowa.nn.normalization import LayerNorm
from taowa.nn.transformer_layers import (
    Activation,
    TransformerDecoderLayer,
    TransformerEncoderLayer,
)
from taowa.ops.attention_masks import agreeing_masks
from taowa.ops.creation import full

__all__ = ["Transformer", "TransformerDecoder", "TransformerEncoder"]


def _subsequent_mask(size: int, device: Any = None, dtype: Any = None) -> Tensor:
    """Return minus infinity above the diagonal and 0 elsewhere, `(size, size)`."""
    made: Any = full((size, size), float("-inf"), dtype=dtype, device=device)
    return made.triu(diagonal=1)


def _is_causal(mask: Tensor | None, hint: bool | None, length: int) -> bool:
    """Return the hint or, without one, whether the mask is the causal one for that length."""
    if hint is not None or mask is None:
        return hint is True
    if tuple(mask.shape) != (length, length):
        return False
    if not mask.dtype.is_floating_point:
        later = np.triu(np.ones((length, length), bool), 1)
        return bool((mask.host() == later).all())
    values = mask.host()
    causal = np.triu(np.full((length, length), -np.inf, values.dtype), 1)
    return bool((values == causal).all())


def _length(x: Tensor, attention: Any) -> int:
    return x.shape[1 if attention.batch_first and x.ndim == 3 else 0]


def _copies(layer: Module, count: int) -> ModuleList:
    return ModuleList([copy.deepcopy(layer) for _ in range(count)])


class TransformerEncoder(Module):
    """Apply copies of an encoder layer one after the other.

    Unlike in PyTorch, `enable_nested_tensor` and `mask_check` change nothing: positions that
    are padding are computed like all others.

    Args:
        encoder_layer: The layer to copy; the copies start with its parameters.
        num_layers: How many.
        norm: Applied at the end.

    Example:
        >>> import taowa
        >>> layer = TransformerEncoderLayer(8, 2, 16, batch_first=True)
        >>> TransformerEncoder(layer, 2)(taowa.ones(3, 5, 8)).shape
        torch.Size([3, 5, 8])
    """

    def __init__(
        self,
        encoder_layer: Any,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ):
        super().__init__()
        self.layers = _copies(encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm
        self.enable_nested_tensor = enable_nested_tensor
        self.mask_check = mask_check
        why_not = _why_not_nested(encoder_layer)
        self.use_nested_tensor = enable_nested_tensor and not why_not
        if enable_nested_tensor and why_not:
            warnings.warn(
                "enable_nested_tensor is True, but self.use_nested_tensor is False because "
                f"{why_not}",
                stacklevel=2,
            )

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """Return the encoded sequence; masks are those of `MultiheadAttention`.

        Args:
            src: `(L, N, E)`, `(N, L, E)` with `batch_first`, or `(L, E)`.
            is_causal: Whether `mask` is causal; `None` looks at its values.
        """
        mask, src_key_padding_mask = agreeing_masks(
            mask, src_key_padding_mask, src.dtype, ("mask", "src_key_padding_mask")
        )
        is_causal = _is_causal(mask, is_causal, _length(src, self.layers[0].self_attn))
        for layer in self.layers:
            src = layer(
                src, src_mask=mask, is_causal=is_causal, src_key_padding_mask=src_key_padding_mask
            )
        return src if self.norm is None else self.norm(src)


def _why_not_nested(layer: Any) -> str:
    """Return why PyTorch would not compute with nested tensors, or nothing."""
    if not isinstance(layer, TransformerEncoderLayer):
        return "encoder_layer was not TransformerEncoderLayer"
    reasons = (
        (layer.norm_first, "norm_first was True"),
        (
            not layer.self_attn.batch_first,
            "self_attn.batch_first was not True(use batch_first for better inference performance)",
        ),
        (not layer.self_attn._qkv_same_embed_dim, "self_attn._qkv_same_embed_dim was not True"),
        (layer.self_attn.in_proj_bias is None, "self_attn was passed bias=False"),
        (not layer.activation_relu_or_gelu, "activation_relu_or_gelu was not True"),
        (layer.norm1.eps != layer.norm2.eps, "norm1.eps was not equal to encoder_layer.norm2.eps"),
        (layer.self_attn.num_heads % 2, "self_attn.num_heads is odd"),
    )
    return next((f"encoder_layer.{reason}" for is_so, reason in reasons if is_so), "")


class TransformerDecoder(Module):
    """Apply copies of a decoder layer one after the other.

    Args:
        decoder_layer: The layer to copy; the copies start with its parameters.
        num_layers: How many.
        norm: Applied at the end.

    Example:
        >>> import taowa
        >>> decoder = TransformerDecoder(TransformerDecoderLayer(8, 2, 16), 2)
        >>> decoder(taowa.ones(5, 3, 8), taowa.ones(7, 3, 8)).shape
        torch.Size([5, 3, 8])
    """

    def __init__(self, decoder_layer: Any, num_layers: int, norm: Module | None = None):
        super().__init__()
        self.layers = _copies(decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the decoded sequence; masks are those of `MultiheadAttention`.

        Args:
            tgt: `(L, N, E)`, `(N, L, E)` with `batch_first`, or `(L, E)`.
            memory: The encoder's output.
            tgt_is_causal: Whether `tgt_mask` is causal; `None` looks at its values.
            memory_is_causal: A hint that `memory_mask` is causal.
        """
        tgt_is_causal = _is_causal(tgt_mask, tgt_is_causal, _length(tgt, self.layers[0].self_attn))
        for layer in self.layers:
            tgt = layer(
                tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=tgt_is_causal, memory_is_causal=memory_is_causal,
            )  # fmt: skip
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """Encode one sequence and decode another that attends to it.

    Args:
        d_model: Features E.
        nhead: Heads of each attention, a divisor of `d_model`.
        num_encoder_layers: Layers of the encoder.
        num_decoder_layers: Layers of the decoder.
        dim_feedforward: Width of the two-layer networks.
        dropout: Probability of dropping, in training.
        activation: `"relu"`, `"gelu"` or a function.
        custom_encoder: Used instead of a `TransformerEncoder`.
        custom_decoder: Used instead of a `TransformerDecoder`.
        layer_norm_eps: Added to the variance in the norms.
        batch_first: Whether inputs and output are `(N, L, E)` instead of `(L, N, E)`.
        norm_first: Normalise before each block instead of after the sum.
        bias: Whether linear maps and norms have one.

    References:
        Vaswani et al. 2017, https://arxiv.org/abs/1706.03762

    Example:
        >>> import taowa
        >>> net = Transformer(8, 2, 1, 1, 16, batch_first=True)
        >>> net(taowa.ones(3, 7, 8), taowa.ones(3, 5, 8)).shape
        torch.Size([3, 5, 8])
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        custom_encoder: Any = None,
        custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        places = {"device": device, "dtype": dtype}
        options = (
            d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps,
            batch_first, norm_first, bias,
        )  # fmt: skip

        def stack(kind: Any, layer: Any, count: int) -> Any:
            made = layer(*options, **places)
            return kind(made, count, LayerNorm(d_model, layer_norm_eps, bias=bias, **places))

        self.encoder = custom_encoder
        if custom_encoder is None:
            self.encoder = stack(TransformerEncoder, TransformerEncoderLayer, num_encoder_layers)
        self.decoder = custom_decoder
        if custom_decoder is None:
            self.decoder = stack(TransformerDecoder, TransformerDecoderLayer, num_decoder_layers)
        self._reset_parameters()
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def _reset_parameters(self) -> None:
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the decoded target; masks are those of `MultiheadAttention`.

        Args:
            src: `(S, N, E)`, `(N, S, E)` with `batch_first`, or `(S, E)`.
            tgt: `(L, N, E)` and so on.
            src_is_causal: Whether `src_mask` is causal; `None` looks at its values.
            tgt_is_causal: Whether `tgt_mask` is causal; `None` looks at its values.
            memory_is_causal: A hint that `memory_mask` is causal.

        Raises:
            RuntimeError: if batches or features of the two differ.
        """
        batch_dim = 0 if self.batch_first else 1
        if src.ndim == 3 and src.shape[batch_dim] != tgt.shape[batch_dim]:
            raise RuntimeError("the batch number of src and tgt must be equal")
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise RuntimeError("the feature number of src and tgt must be equal to d_model")
        memory = self.encoder(
            src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal
        )
        return self.decoder(
            tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal, memory_is_causal=memory_is_causal,
        )  # fmt: skip

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """Return a mask by which each position attends up to itself, as numbers to add.

        Args:
            sz: L of the mask `(L, L)`.

        Example:
            >>> Transformer.generate_square_subsequent_mask(2)
            tensor([[0., -inf],
                    [0., 0.]])
        """
        return _subsequent_mask(sz, device, dtype)
