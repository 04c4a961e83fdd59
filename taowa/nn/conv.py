"""Convolutions: written once for any number of dimensions."""

from __future__ import annotations

import math
from typing import Any

from taowa.core.tensor import Tensor
from taowa.nn import functional as F
from taowa.nn import init
from taowa.nn.module import Module
from taowa.nn.parameter import Parameter
from taowa.ops.creation import empty

__all__ = ["Conv1d", "Conv2d", "Conv3d"]

_MODES = ("zeros", "reflect", "replicate", "circular")


def spread(value: Any, rank: int) -> tuple:
    """Return one value for each dimension."""
    return tuple(value) if isinstance(value, tuple | list) else (value,) * rank


class _Convolution(Module):
    """Convolve over the last `rank` dimensions."""

    rank: int
    _convolve: Any
    stride: tuple[int, ...]
    dilation: tuple[int, ...]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] | str = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        _require_channels(in_channels, out_channels, groups)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = spread(kernel_size, self.rank)
        self.stride = spread(stride, self.rank)
        self.padding = padding if isinstance(padding, str) else spread(padding, self.rank)
        self.dilation = spread(dilation, self.rank)
        self.transposed = False
        self.output_padding = (0,) * self.rank
        self.groups = groups
        self.padding_mode = padding_mode
        _require_padding(self.padding, self.stride, padding_mode)
        self._padding_of_input = self._both_sides()
        shape = (out_channels, in_channels // groups, *self.kernel_size)
        self.weight = Parameter(empty(shape, device=device, dtype=dtype))
        self.register_parameter(
            "bias", Parameter(empty(out_channels, device=device, dtype=dtype)) if bias else None
        )
        self.reset_parameters()

    def _both_sides(self) -> list[int]:
        """Return the padding as `F.pad` wants it: last dimension first, before and after."""
        if self.padding == "valid":
            return [0] * (2 * self.rank)
        sizes = zip(self.kernel_size, self.dilation, strict=True)
        if self.padding == "same":
            totals = [d * (k - 1) for k, d in sizes]
            return [n for total in reversed(totals) for n in (total // 2, total - total // 2)]
        return [int(n) for n in reversed(self.padding) for _ in range(2)]

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = math.prod(self.weight.shape[1:])
            if fan_in:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        """Return the convolution of the input."""
        padding = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._padding_of_input, mode=self.padding_mode)
            padding = 0
        return type(self)._convolve(
            input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )

    def extra_repr(self) -> str:
        """Return the options that differ from the defaults for the printed form."""
        parts = [
            f"{self.in_channels}, {self.out_channels}",
            f"kernel_size={self.kernel_size}",
            f"stride={self.stride}",
        ]
        if self.padding != (0,) * self.rank:
            parts.append(f"padding={self.padding}")
        if self.dilation != (1,) * self.rank:
            parts.append(f"dilation={self.dilation}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)


def _require_channels(in_channels: int, out_channels: int, groups: int) -> None:
    if groups <= 0:
        raise ValueError("groups must be a positive integer")
    if in_channels % groups:
        raise ValueError("in_channels must be divisible by groups")
    if out_channels % groups:
        raise ValueError("out_channels must be divisible by groups")


def _require_padding(padding: Any, stride: tuple, mode: str) -> None:
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ValueError(
                f"Invalid padding string {padding!r}, should be one of {{'same', 'valid'}}"
            )
        if padding == "same" and any(s != 1 for s in stride):
            raise ValueError("padding='same' is not supported for strided convolutions")
    if mode not in _MODES:
        raise ValueError(
            f"padding_mode must be one of {set(_MODES)}, but got padding_mode='{mode}'"
        )


class Conv1d(_Convolution):
    """Convolve signals.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Length of the filters.
        stride: Step of the filters.
        padding: Added on both sides, or `"same"`, `"valid"`.
        dilation: Distance between the filters' taps.
        groups: Divides the channels into so many separate convolutions.
        bias: Whether to learn a bias.
        padding_mode: `"zeros"`, `"reflect"`, `"replicate"` or `"circular"`.

    Shape:
        input `(N, C_in, L)` or `(C_in, L)` -> output `(N, C_out, L_out)`

    Example:
        >>> import taowa
        >>> Conv1d(2, 4, 3)(taowa.ones(1, 2, 8)).shape
        torch.Size([1, 4, 6])
    """

    rank = 1
    _convolve = staticmethod(F.conv1d)


class Conv2d(_Convolution):
    """Convolve images.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Height and width of the filters.
        stride: Step of the filters.
        padding: Added on all sides, or `"same"`, `"valid"`.
        dilation: Distance between the filters' taps.
        groups: Divides the channels into so many separate convolutions.
        bias: Whether to learn a bias.
        padding_mode: `"zeros"`, `"reflect"`, `"replicate"` or `"circular"`.

    Shape:
        input `(N, C_in, H, W)` or `(C_in, H, W)` -> output `(N, C_out, H_out, W_out)`, with
        H_out = floor((H + 2 padding - dilation (kernel - 1) - 1) / stride + 1)

    Example:
        >>> import taowa
        >>> Conv2d(3, 8, 3)
        Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1))
        >>> Conv2d(3, 8, 3)(taowa.zeros(1, 3, 8, 8)).shape
        torch.Size([1, 8, 6, 6])
    """

    rank = 2
    _convolve = staticmethod(F.conv2d)


class Conv3d(_Convolution):
    """Convolve volumes.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Depth, height and width of the filters.
        stride: Step of the filters.
        padding: Added on all sides, or `"same"`, `"valid"`.
        dilation: Distance between the filters' taps.
        groups: Divides the channels into so many separate convolutions.
        bias: Whether to learn a bias.
        padding_mode: `"zeros"`, `"reflect"`, `"replicate"` or `"circular"`.

    Shape:
        input `(N, C_in, D, H, W)` or `(C_in, D, H, W)` -> output `(N, C_out, D_out, H_out, W_out)`

    Example:
        >>> import taowa
        >>> Conv3d(1, 2, 3)(taowa.ones(1, 1, 4, 4, 4)).shape
        torch.Size([1, 2, 2, 2, 2])
    """

    rank = 3
    _convolve = staticmethod(F.conv3d)
