"""Layers that turn channels into pixels and back, or deal channels out."""

from __future__ import annotations

from taowa.core.tensor import Tensor
from taowa.nn import functional as F
from taowa.nn.module import Module

__all__ = ["ChannelShuffle", "PixelShuffle", "PixelUnshuffle"]


class PixelShuffle(Module):
    """Spread blocks of channels over squares of pixels.

    Args:
        upscale_factor: The squares' side r.

    Shape:
        input `(*, C * r * r, H, W)` -> output `(*, C, H * r, W * r)`

    References:
        Shi et al. 2016, https://arxiv.org/abs/1609.05158

    Example:
        >>> import taowa
        >>> PixelShuffle(2)(taowa.ones(1, 8, 3, 3)).shape
        torch.Size([1, 2, 6, 6])
    """

    def __init__(self, upscale_factor: int):
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """Return the larger images."""
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        """Return the factor for the printed form."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Gather squares of pixels into blocks of channels: `PixelShuffle` undone.

    Args:
        downscale_factor: The squares' side r.

    Shape:
        input `(*, C, H * r, W * r)` -> output `(*, C * r * r, H, W)`

    Example:
        >>> import taowa
        >>> PixelUnshuffle(2)(taowa.ones(1, 2, 6, 6)).shape
        torch.Size([1, 8, 3, 3])
    """

    def __init__(self, downscale_factor: int):
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """Return the smaller images."""
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        """Return the factor for the printed form."""
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """Deal channels out: the first of every group, then the second of every group.

    Args:
        groups: How many groups the channels form.

    References:
        Zhang et al. 2018, https://arxiv.org/abs/1707.01083

    Example:
        >>> import taowa
        >>> ChannelShuffle(2)(taowa.arange(4.0).reshape(1, 4, 1)).flatten()
        tensor([0., 2., 1., 3.])
    """

    def __init__(self, groups: int):
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        """Return the channels in their new order."""
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        """Return the groups for the printed form."""
        return f"groups={self.groups}"
