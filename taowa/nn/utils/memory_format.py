"""Memory formats of convolutions' weights, which taowa leaves to the compiler."""

from __future__ import annotations

from typing import Any

from taowa.nn.conv import Conv2d, Conv3d
from taowa.nn.conv_transpose import ConvTranspose2d, ConvTranspose3d
from taowa.nn.module import Module

__all__ = ["convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]


def _convert(module: Any, memory_format: Any, kinds: tuple[type, ...]) -> Any:
    for layer in module.modules():
        if isinstance(layer, kinds):
            layer.weight.data = layer.weight.detach().to(memory_format=memory_format)
    return module


def convert_conv2d_weight_memory_format(module: Module, memory_format: Any) -> Any:
    """Return the module, its 2-d convolutions' weights in a memory format.

    Unlike PyTorch, this makes nothing faster or slower: the compiler chooses layouts.

    Example:
        >>> import taowa
        >>> from taowa import nn
        >>> convert_conv2d_weight_memory_format(nn.Conv2d(1, 1, 1), taowa.channels_last)
        Conv2d(1, 1, kernel_size=(1, 1), stride=(1, 1))
    """
    return _convert(module, memory_format, (Conv2d, ConvTranspose2d))


def convert_conv3d_weight_memory_format(module: Module, memory_format: Any) -> Any:
    """Return the module, its 3-d convolutions' weights in a memory format.

    Unlike PyTorch, this makes nothing faster or slower: the compiler chooses layouts.

    Example:
        >>> import taowa
        >>> from taowa import nn
        >>> convert_conv3d_weight_memory_format(nn.Conv3d(1, 1, 1), taowa.channels_last_3d)
        Conv3d(1, 1, kernel_size=(1, 1, 1), stride=(1, 1, 1))
    """
    return _convert(module, memory_format, (Conv3d, ConvTranspose3d))
