"""Convolution over sequences whose first dimension is time."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.precision import HIGHEST, require_same_dtype, wide


def _require_operands(input: Any, weight: Any, bias: Any, pad: int) -> None:
    if input.ndim != 3:
        raise RuntimeError("Input must have 3 dims: time, batch, in_channel")
    if weight.ndim != 3:
        raise RuntimeError(
            "Weight tensor must have 3 dims: kernel_width, in_channels, out_channels."
        )
    if bias.ndim != 1:
        raise RuntimeError("Bias must be 1-D")
    if input.shape[2] != weight.shape[1]:
        raise RuntimeError(
            "Input dim 2 (input channels) is not == dim 1 in the weight tensor: "
            f"{list(input.shape)} and {list(weight.shape)}"
        )
    if bias.shape[0] != weight.shape[2]:
        raise RuntimeError("Bias size must equal dim 2 in the weight tensor (output channels).")
    require_same_dtype("input, weight and bias", input, weight, bias)
    if input.shape[0] + 2 * pad - weight.shape[0] + 1 < 0:
        raise RuntimeError(
            f"kernel of {weight.shape[0]} is longer than {input.shape[0]} times with padding {pad}"
        )


@op(name="conv_tbc", numbers=())
def _conv_tbc(input: Array, weight: Array, bias: Array, pad: int):
    _require_operands(input, weight, bias, pad)
    x, w = wide(input), wide(weight)
    y = lax.conv_general_dilated(
        x, w, (1,), [(pad, pad)], dimension_numbers=("WNC", "WIO", "WNC"), precision=HIGHEST
    )
    return (y + wide(bias)).astype(jnp.result_type(input))


@public(is_method=False)
def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """Return the convolution of sequences over their first dimension, time.

    Args:
        pad: Zeros put on both ends.
    Shape:
        input `(T, N, C_in)`, weight `(width, C_in, C_out)`, bias `(C_out,)` ->
        `(T + 2 pad - width + 1, N, C_out)`

    Raises:
        RuntimeError: if shapes do not fit.

    Example:
        >>> import taowa
        >>> taowa.conv_tbc(taowa.ones(3, 1, 2), taowa.ones(2, 2, 1), taowa.zeros(1)).flatten()
        tensor([4., 4.])
    """
    return _conv_tbc(input, weight, bias, pad)
