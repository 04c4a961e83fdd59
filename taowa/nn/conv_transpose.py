"""Transposed convolutions, which enlarge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from taowa.core.tensor import Tensor
from taowa.nn import functional as F
from taowa.nn import init
from taowa.nn.conv import spread
from taowa.nn.module import Module
from taowa.nn.parameter import Parameter
from taowa.ops.creation import empty

__all__ = ["ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]


class _ConvTranspose(Module):
    """Apply the transpose of a convolution over the last `rank` dimensions."""

    rank: int
    _convolve: Any

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] = 0,
        output_padding: int | tuple[int, ...] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | tuple[int, ...] = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        _require_options(in_channels, out_channels, groups, padding_mode, type(self).__name__)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = spread(kernel_size, self.rank)
        self.stride = spread(stride, self.rank)
        self.padding = spread(padding, self.rank)
        self.dilation = spread(dilation, self.rank)
        self.transposed = True
        self.output_padding = spread(output_padding, self.rank)
        self.groups = groups
        self.padding_mode = padding_mode
        shape = (in_channels, out_channels // groups, *self.kernel_size)
        self.weight = Parameter(empty(shape, device=device, dtype=dtype))
        self.register_parameter(
            "bias", Parameter(empty(out_channels, device=device, dtype=dtype)) if bias else None
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        fan_in = math.prod(self.weight.shape[1:])
        if self.bias is not None and fan_in:
            bound = 1 / math.sqrt(fan_in)
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """Return the enlarged input.

        Args:
            output_size: Decides between the sizes that convolve to the input's; by default
                `output_padding` does.
        """
        padding = self.output_padding
        if output_size is not None:
            padding = self._output_padding(input, tuple(output_size))
        return type(self)._convolve(
            input, self.weight, self.bias, self.stride, self.padding, padding, self.groups,
            self.dilation,
        )  # fmt: skip

    def _output_padding(self, input: Tensor, output_size: tuple[int, ...]) -> tuple[int, ...]:
        """Return what to add on one side to get the size asked for."""
        lead = input.ndim - self.rank
        if len(output_size) not in (self.rank, input.ndim):
            raise ValueError(
                f"ConvTranspose{self.rank}D: for {input.ndim}D input, output_size must have "
                f"{self.rank} or {input.ndim} elements (got {len(output_size)})"
            )
        sizes = output_size[-self.rank :]
        least = [
            (n - 1) * s - 2 * p + d * (k - 1) + 1
            for n, s, p, d, k in zip(
                input.shape[lead:], self.stride, self.padding, self.dilation, self.kernel_size,
                strict=True,
            )
        ]  # fmt: skip
        most = [n + s - 1 for n, s in zip(least, self.stride, strict=True)]
        if any(not a <= n <= b for n, a, b in zip(sizes, least, most, strict=True)):
            raise ValueError(
                f"requested an output size of {sizes}, but valid sizes range from {least} to "
                f"{most} (for an input of {input.shape[lead:]})"
            )
        return tuple(n - a for n, a in zip(sizes, least, strict=True))

    def extra_repr(self) -> str:
        """Return the options that differ from the defaults for the printed form."""
        parts = [
            f"{self.in_channels}, {self.out_channels}",
            f"kernel_size={self.kernel_size}",
            f"stride={self.stride}",
        ]
        for name, default in (("padding", 0), ("dilation", 1), ("output_padding", 0)):
            if getattr(self, name) != (default,) * self.rank:
                parts.append(f"{name}={getattr(self, name)}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        return ", ".join(parts)


def _require_options(
    in_channels: int, out_channels: int, groups: int, padding_mode: str, name: str
) -> None:
    if padding_mode != "zeros":
        raise ValueError(f'Only "zeros" padding mode is supported for {name}')
    if groups <= 0:
        raise ValueError("groups must be a positive integer")
    if in_channels % groups:
        raise ValueError("in_channels must be divisible by groups")
    if out_channels % groups:
        raise ValueError("out_channels must be divisible by groups")


class ConvTranspose1d(_ConvTranspose):
    """Apply the transpose of a convolution over signals.

    Args:
        in_channels: Channels C of the input.
        out_channels: Channels of the output.
        kernel_size: Size of the filters.
        stride: Distance of the input's elements in the output.
        padding: How much is taken off both sides of the output.
        output_padding: How much is added to one side, less than the stride or the dilation.
        groups: In how many parts the channels are convolved apart from each other.
        bias: Whether to add a learnt number to each output channel.
        dilation: Distance of a filter's elements.

    Shape:
        input `(N, C, L)` or `(C, L)` -> output `(N, C_out, L_out)` or `(C_out, L_out)`

    Example:
        >>> import taowa
        >>> ConvTranspose1d(2, 3, 3, stride=2)(taowa.ones(1, 2, 4)).shape
        torch.Size([1, 3, 9])
    """

    rank = 1
    _convolve = staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """Apply the transpose of a convolution over images.

    See `ConvTranspose1d` for the arguments; a pair stands for height and width.

    Shape:
        input `(N, C, H, W)` or `(C, H, W)` -> output `(N, C_out, H_out, W_out)`

    Example:
        >>> import taowa
        >>> ConvTranspose2d(2, 3, 2, stride=2)(taowa.ones(1, 2, 4, 4)).shape
        torch.Size([1, 3, 8, 8])
    """

    rank = 2
    _convolve = staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """Apply the transpose of a convolution over volumes.

    See `ConvTranspose1d` for the arguments; three numbers stand for depth, height and width.

    Shape:
        input `(N, C, D, H, W)` or `(C, D, H, W)` -> output `(N, C_out, D_out, H_out, W_out)`

    Example:
        >>> import taowa
        >>> ConvTranspose3d(1, 2, 2, stride=2)(taowa.ones(1, 1, 2, 2, 2)).shape
        torch.Size([1, 2, 4, 4, 4])
    """

    rank = 3
    _convolve = staticmethod(F.conv_transpose3d)
