"""Layers between images and columns of their blocks."""

from __future__ import annotations

from typing import Any

from taowa.core.tensor import Tensor
from taowa.nn import functional as F
from taowa.nn.module import Module

__all__ = ["Fold", "Unfold"]


class Fold(Module):
    """Add columns up to the images whose sliding blocks they are.

    Args:
        output_size: Height and width of the images.
        kernel_size: Size of the blocks.
        dilation: Distance of a block's elements.
        padding: Zeros that were put on all sides of the images.
        stride: Step of the blocks.

    Shape:
        input `(N, C * kH * kW, L)`, L the number of blocks -> output `(N, C, H, W)`

    Example:
        >>> import taowa
        >>> Fold((3, 3), 2)(taowa.ones(1, 4, 4))[0, 0]
        tensor([[1., 2., 1.],
                [2., 4., 2.],
                [1., 2., 1.]])
    """

    def __init__(
        self,
        output_size: Any,
        kernel_size: Any,
        dilation: Any = 1,
        padding: Any = 0,
        stride: Any = 1,
    ):
        super().__init__()
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        """Return the images."""
        return F.fold(
            input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride
        )

    def extra_repr(self) -> str:
        """Return the options for the printed form."""
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, "
            f"dilation={self.dilation}, padding={self.padding}, stride={self.stride}"
        )


class Unfold(Module):
    """Cut images into sliding blocks, each of them a column.

    Args:
        kernel_size: Size of the blocks.
        dilation: Distance of a block's elements.
        padding: Zeros put on all sides of the images.
        stride: Step of the blocks.

    Shape:
        input `(N, C, H, W)` -> output `(N, C * kH * kW, L)`, L the number of blocks

    Example:
        >>> import taowa
        >>> Unfold(2)(taowa.ones(1, 3, 4, 4)).shape
        torch.Size([1, 12, 9])
    """

    def __init__(self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1):
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        """Return the columns."""
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """Return the options for the printed form."""
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, "
            f"stride={self.stride}"
        )
