"""Pooling layers: written once for any number of dimensions."""

from __future__ import annotations

from typing import Any

from taowa.core.tensor import Tensor
from taowa.nn import functional as F
from taowa.nn.module import Module

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
]


class _MaxPool(Module):
    """Take the largest value of each window.

    Args:
        kernel_size: Size of the windows.
        stride: Step of the windows; their size by default.
        padding: Minus infinity added on all sides, at most half a window.
        dilation: Distance between a window's elements.
        return_indices: Whether to return the maxima's places too.
        ceil_mode: Whether windows may reach over the end.
    """

    _pool: Any

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ):
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Any:
        """Return the maxima, with their places if asked for."""
        return type(self)._pool(
            input, self.kernel_size, self.stride, self.padding, self.dilation,
            ceil_mode=self.ceil_mode, return_indices=self.return_indices,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """Return the options for the printed form."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """Take the largest value of each window of signals; see `MaxPool2d` for the arguments.

    Example:
        >>> import taowa
        >>> MaxPool1d(2)(taowa.tensor([[1.0, 3.0, 2.0, 0.0]]))
        tensor([[3., 2.]])
    """

    _pool = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPool):
    """Take the largest value of each window of images.

    Args:
        kernel_size: Size of the windows.
        stride: Step of the windows; their size by default.
        padding: Minus infinity added on all sides, at most half a window.
        dilation: Distance between a window's elements.
        return_indices: Whether to return the maxima's places too.
        ceil_mode: Whether windows may reach over the end.

    Shape:
        input `(N, C, H, W)` or `(C, H, W)` -> output `(N, C, H_out, W_out)`

    Example:
        >>> import taowa
        >>> MaxPool2d(2)(taowa.arange(16.0).reshape(1, 4, 4))
        tensor([[[ 5.,  7.],
                 [13., 15.]]])
    """

    _pool = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPool):
    """Take the largest value of each window of volumes; see `MaxPool2d` for the arguments.

    Example:
        >>> import taowa
        >>> MaxPool3d(2)(taowa.ones(1, 2, 2, 2)).shape
        torch.Size([1, 1, 1, 1])
    """

    _pool = staticmethod(F.max_pool3d)


class AvgPool1d(Module):
    """Take the mean of each window of signals.

    Args:
        kernel_size: Length of the windows.
        stride: Step of the windows; their length by default.
        padding: Zeros added on both sides, at most half a window.
        ceil_mode: Whether windows may reach over the end.
        count_include_pad: Whether the zeros count in the mean.

    Example:
        >>> import taowa
        >>> AvgPool1d(2)(taowa.tensor([[1.0, 3.0, 2.0, 0.0]]))
        tensor([[2., 1.]])
    """

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ):
        super().__init__()
        self.kernel_size = _single(kernel_size)
        self.stride = _single(stride if stride is not None else kernel_size)
        self.padding = _single(padding)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        """Return the means."""
        return F.avg_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
            self.count_include_pad,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """Return the options for the printed form."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


def _single(value: Any) -> tuple:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


class _AvgPool(Module):
    _pool: Any

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ):
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """Return the means."""
        return type(self)._pool(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
            self.count_include_pad, self.divisor_override,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """Return the options for the printed form."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(_AvgPool):
    """Take the mean of each window of images.

    Args:
        kernel_size: Size of the windows.
        stride: Step of the windows; their size by default.
        padding: Zeros added on all sides, at most half a window.
        ceil_mode: Whether windows may reach over the end.
        count_include_pad: Whether the zeros count in the mean.
        divisor_override: Divide each sum by this number instead.

    Shape:
        input `(N, C, H, W)` or `(C, H, W)` -> output `(N, C, H_out, W_out)`

    Example:
        >>> import taowa
        >>> AvgPool2d(2)(taowa.arange(16.0).reshape(1, 4, 4))
        tensor([[[ 2.5000,  4.5000],
                 [10.5000, 12.5000]]])
    """

    _pool = staticmethod(F.avg_pool2d)


class AvgPool3d(_AvgPool):
    """Take the mean of each window of volumes; see `AvgPool2d` for the arguments.

    Example:
        >>> import taowa
        >>> AvgPool3d(2)(taowa.ones(1, 2, 2, 2)).flatten()
        tensor([1.])
    """

    _pool = staticmethod(F.avg_pool3d)


class _Adaptive(Module):
    """Pool to a given output size.

    Args:
        output_size: The spatial sizes of the result; `None` keeps the input's.
    """

    _pool: Any

    def __init__(self, output_size: Any):
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Any:
        """Return the pooled input."""
        return type(self)._pool(input, self.output_size)

    def extra_repr(self) -> str:
        """Return the size for the printed form."""
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_Adaptive):
    """Take means so that signals get a given length.

    Args:
        output_size: The length of the result.

    Example:
        >>> import taowa
        >>> AdaptiveAvgPool1d(2)(taowa.tensor([[1.0, 3.0, 2.0, 0.0]]))
        tensor([[2., 1.]])
    """

    _pool = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_Adaptive):
    """Take means so that images get a given size.

    Args:
        output_size: Height and width of the result; `None` keeps the input's.

    Shape:
        input `(N, C, H, W)` or `(C, H, W)` -> output `(N, C, *output_size)`

    Example:
        >>> import taowa
        >>> AdaptiveAvgPool2d(1)(taowa.ones(2, 3, 5, 7)).shape
        torch.Size([2, 3, 1, 1])
    """

    _pool = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_Adaptive):
    """Take means so that volumes get a given size.

    Args:
        output_size: Depth, height and width of the result; `None` keeps the input's.

    Example:
        >>> import taowa
        >>> AdaptiveAvgPool3d(1)(taowa.ones(1, 2, 3, 4, 5)).shape
        torch.Size([1, 2, 1, 1, 1])
    """

    _pool = staticmethod(F.adaptive_avg_pool3d)


class _AdaptiveMax(_Adaptive):
    def __init__(self, output_size: Any, return_indices: bool = False):
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        """Return the maxima, with their places if asked for."""
        return type(self)._pool(input, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMax):
    """Take maxima so that signals get a given length.

    Args:
        output_size: The length of the result.
        return_indices: Whether to return the maxima's places too.

    Example:
        >>> import taowa
        >>> AdaptiveMaxPool1d(2)(taowa.tensor([[1.0, 3.0, 2.0, 0.0]]))
        tensor([[3., 2.]])
    """

    _pool = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMax):
    """Take maxima so that images get a given size.

    Args:
        output_size: Height and width of the result; `None` keeps the input's.
        return_indices: Whether to return the maxima's places too.

    Example:
        >>> import taowa
        >>> AdaptiveMaxPool2d(1)(taowa.ones(2, 3, 5, 7)).shape
        torch.Size([2, 3, 1, 1])
    """

    _pool = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMax):
    """Take maxima so that volumes get a given size.

    Args:
        output_size: Depth, height and width of the result; `None` keeps the input's.
        return_indices: Whether to return the maxima's places too.

    Example:
        >>> import taowa
        >>> AdaptiveMaxPool3d(1)(taowa.ones(1, 2, 3, 4, 5)).shape
        torch.Size([1, 2, 1, 1, 1])
    """

    _pool = staticmethod(F.adaptive_max_pool3d)
