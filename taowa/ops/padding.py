"""Putting something around a tensor: constants, mirror images, copies of the border."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax

from taowa.core.op import Array, Scalar, op
from taowa.core.tensor import Tensor

_JAX_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
MODES = ("constant", *_JAX_MODES)


def _pairs(pad: Sequence[int], ndim: int) -> list[tuple[int, int]]:
    """Return (before, after) of every dimension from PyTorch's list, which begins at the last."""
    pairs = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)]
    return [(0, 0)] * (ndim - len(pairs)) + pairs[::-1]


def _require_reach(x: Any, pairs: list[tuple[int, int]], mode: str) -> None:
    for dim, pair in enumerate(pairs):
        size, largest = x.shape[dim], max(pair)
        if mode == "reflect" and largest >= size > 0:
            raise RuntimeError(
                "Padding size should be less than the corresponding input dimension, but got: "
                f"padding {pair} at dimension {dim} of input {list(x.shape)}"
            )
        if mode == "circular" and largest > size:
            raise RuntimeError(
                "Padding value causes wrapping around more than once: "
                f"padding {pair} at dimension {dim} of input {list(x.shape)}"
            )


def pad_array(x: Any, pairs: list[tuple[int, int]], mode: str) -> Any:
    """Pad an array by what it holds itself; negative numbers cut off.

    Args:
        pairs: `(before, after)` of every dimension.
        mode: `reflect`, `replicate` or `circular`.

    Example:
        >>> pad_array(jnp.arange(3), [(1, -1)], "replicate").tolist()
        [0, 0, 1]
    """
    if mode == "circular":  # wraps around what is left after cutting
        x, pairs = _cut(x, pairs), [(max(a, 0), max(b, 0)) for a, b in pairs]
    _require_reach(x, pairs, mode)
    positive = [(max(a, 0), max(b, 0)) for a, b in pairs]
    if any(pair != (0, 0) for pair in positive):
        x = jnp.pad(x, positive, _JAX_MODES[mode])
    return _cut(x, pairs)


def _cut(x: Any, pairs: list[tuple[int, int]]) -> Any:
    starts = [max(-a, 0) for a, _ in pairs]
    limits = [n - max(-b, 0) for n, (_, b) in zip(x.shape, pairs, strict=True)]
    return lax.slice(x, starts, limits)


@op(name="constant_pad_nd")
def _constant_pad(input: Array, pad: tuple, value: Scalar):
    pairs = _pairs(pad, input.ndim)
    sizes = [n + a + b for n, (a, b) in zip(input.shape, pairs, strict=True)]
    if min(sizes, default=0) < 0:
        raise RuntimeError(
            f"The input size {list(input.shape)}, plus the padding {list(pad)}, resulted in a "
            f"negative output size: {sizes}"
        )
    return lax.pad(input, value.astype(input.dtype), [(a, b, 0) for a, b in pairs])


@op(name="pad")
def _pad_from_itself(input: Array, pad: tuple, mode: str):
    spatial = len(pad) // 2
    if input.ndim not in (spatial + 1, spatial + 2) or spatial > 3:
        raise NotImplementedError(
            "Only 2D, 3D, 4D, 5D padding with non-constant padding are supported, with padding of "
            f"the last 1, 2 or 3 dimensions; got {list(pad)} for input {list(input.shape)}"
        )
    return pad_array(input, _pairs(pad, input.ndim), mode)


def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """Put something around a tensor, or cut from it where a number is negative.

    Args:
        pad: How much before and after the last dimension, then before and after the one before
            it, and so on.
        mode: `constant`, `reflect` (mirrored without the border itself), `replicate` (the border
            again and again) or `circular`.
        value: The constant; zero by default.

    Raises:
        NotImplementedError: for other modes.
        RuntimeError: if there are more numbers than dimensions, or the mode cannot reach so far.

    Example:
        >>> import taowa
        >>> pad(taowa.tensor([1, 2, 3]), (1, 2))
        tensor([0, 1, 2, 3, 0, 0])
        >>> pad(taowa.tensor([[1, 2, 3]]), (2, 0), mode="reflect")
        tensor([[3, 2, 1, 2, 3]])
    """
    if len(pad) % 2:
        raise RuntimeError(f"Padding length must be divisible by 2, got {list(pad)}")
    if len(pad) > 2 * input.ndim:
        raise RuntimeError(
            f"Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {len(pad)} and input of dimension {input.ndim}"
        )
    if mode == "constant":
        return _constant_pad(input, tuple(pad), 0 if value is None else value)
    if value is not None and value != 0:
        raise ValueError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if mode not in _JAX_MODES:
        raise NotImplementedError(f"Unrecognised padding mode {mode}, expected one of {MODES}")
    return _pad_from_itself(input, tuple(pad), mode)
