"""Channels to pixels, pixels to channels, channels in another order."""

from __future__ import annotations

from typing import Any

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.operands import forbid_backward


def _require_image(name: str, x: Any) -> None:
    if x.ndim < 3:
        raise RuntimeError(
            f"{name} expects input to have at least 3 dimensions, but got input with "
            f"{x.ndim} dimension(s)"
        )


@public(is_method=False)
@op(name="pixel_shuffle")
def pixel_shuffle(input: Array, upscale_factor: int):
    """Return images with blocks of channels spread over squares of pixels.

    Args:
        upscale_factor: The squares' side r.
    Shape:
        `(*, C * r * r, H, W)` -> `(*, C, H * r, W * r)`

    Raises:
        RuntimeError: if the channels do not divide.

    References:
        Shi et al. 2016, https://arxiv.org/abs/1609.05158

    Example:
        >>> import taowa
        >>> taowa.pixel_shuffle(taowa.arange(4).reshape(4, 1, 1), 2)
        tensor([[[0, 1],
                 [2, 3]]])
    """
    _require_image("pixel_shuffle", input)
    r = upscale_factor
    if r <= 0:
        raise RuntimeError(f"pixel_shuffle expects a positive upscale_factor, but got {r}")
    *lead, C, H, W = input.shape
    if C % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            f"of upscale_factor, but input.size(-3)={C} is not divisible by {r * r}"
        )
    n = len(lead)
    x = input.reshape(*lead, C // (r * r), r, r, H, W)
    x = x.transpose(*range(n + 1), n + 3, n + 1, n + 4, n + 2)
    return x.reshape(*lead, C // (r * r), H * r, W * r)


@public(is_method=False)
@op(name="pixel_unshuffle")
def pixel_unshuffle(input: Array, downscale_factor: int):
    """Return images with squares of pixels as blocks of channels: `pixel_shuffle` undone.

    Args:
        downscale_factor: The squares' side r.
    Shape:
        `(*, C, H * r, W * r)` -> `(*, C * r * r, H, W)`

    Raises:
        RuntimeError: if the sizes do not divide.

    Example:
        >>> import taowa
        >>> taowa.pixel_unshuffle(taowa.arange(4).reshape(1, 2, 2), 2).flatten()
        tensor([0, 1, 2, 3])
    """
    _require_image("pixel_unshuffle", input)
    r = downscale_factor
    if r <= 0:
        raise RuntimeError(f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
    *lead, C, H, W = input.shape
    for side, n in (("height", H), ("width", W)):
        if n % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {side} to be divisible by downscale_factor, but {n} is "
                f"not divisible by {r}"
            )
    n = len(lead)
    x = input.reshape(*lead, C, H // r, r, W // r, r)
    x = x.transpose(*range(n + 1), n + 2, n + 4, n + 1, n + 3)
    return x.reshape(*lead, C * r * r, H // r, W // r)


@public(is_method=False)
@op(name="channel_shuffle")
def channel_shuffle(input: Array, groups: int):
    """Return the channels dealt out: the first of every group, then the second of every group.

    Args:
        input: `(N, C, *)`.
        groups: How many groups the channels form; it divides C.

    References:
        Zhang et al. 2018, https://arxiv.org/abs/1707.01083

    Example:
        >>> import taowa
        >>> taowa.channel_shuffle(taowa.arange(4).reshape(1, 4, 1), 2).flatten()
        tensor([0, 2, 1, 3])
    """
    if input.ndim < 3:
        raise RuntimeError(
            "channel_shuffle expects input with > 2 dims, but got input with sizes "
            f"{list(input.shape)}"
        )
    if groups <= 0:
        raise RuntimeError(
            f"Number of groups to divide channels in must be positive. Value of groups:{groups}"
        )
    N, C, *sizes = input.shape
    if C % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {C} channels and {groups} groups."
        )
    x = input.reshape(N, groups, C // groups, *sizes)
    return x.swapaxes(1, 2).reshape(input.shape)


@public(is_method=False)
def native_channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Return the channels dealt out, as `channel_shuffle` does, but without a gradient.

    Example:
        >>> import taowa
        >>> taowa.native_channel_shuffle(taowa.arange(4).reshape(1, 4, 1), 2).flatten()
        tensor([0, 2, 1, 3])
    """
    return forbid_backward(channel_shuffle(input, groups), "native_channel_shuffle")
