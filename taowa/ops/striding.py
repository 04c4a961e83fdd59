"""Views by stride: diagonals, sliding windows, any layout of the memory."""

from __future__ import annotations

from math import prod
from operator import index
from typing import Any

from taowa.core.api import public
from taowa.core.tensor import Tensor
from taowa.ops.dims import one_dim
from taowa.ops.view_layouts import diagonal_of, sliding, strided
from taowa.ops.view_steps import reshaped, windowed
from taowa.ops.views import sizes_of


@public
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """Return a view of a diagonal, as the last dimension.

    Example:
        >>> import taowa
        >>> taowa.diagonal(taowa.arange(9).view(3, 3), 1)
        tensor([1, 5])
    """
    ndim = len(input._aval.shape)
    a, b = one_dim(dim1, ndim), one_dim(dim2, ndim)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return diagonal_of(input, offset, a, b)


@public(is_function=False)
def unfold(self: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Return a view of all windows along a dimension, their members in a new last dimension.

    Args:
        size: Members of a window.
        step: From the start of one window to the next.

    Example:
        >>> import taowa
        >>> taowa.arange(5).unfold(0, 3, 2)
        tensor([[0, 1, 2],
                [2, 3, 4]])
    """
    shape = self._aval.shape
    dim = one_dim(dimension, len(shape))
    length = shape[dim] if shape else 1
    if size < 0:
        raise RuntimeError(f"size is {size} but must be >= 0")
    if size > length:
        raise RuntimeError(
            f"maximum size for tensor at dimension {dim} is {length} but size is {size}"
        )
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    if not shape:
        return windowed(reshaped(self, (1,)), ((0, size, 1),), (0,), (size,))
    return sliding(self, dim, size, step)


@public
def as_strided(input: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """Return a view of the tensor's memory with any sizes and strides, in elements.

    Raises:
        RuntimeError: if the view would leave the memory.

    Example:
        >>> import taowa
        >>> taowa.as_strided(taowa.arange(5), (3, 2), (1, 2))
        tensor([[0, 2],
                [1, 3],
                [2, 4]])
    """
    sizes, strides = sizes_of((size,)), sizes_of((stride,))
    offset = input.storage_offset() if storage_offset is None else index(storage_offset)
    require_inside(input, sizes, strides, offset)
    whole: Any = input._root() if input._lens else input
    return strided(whole, sizes, strides, offset)


def require_inside(input: Tensor, size: tuple, stride: tuple, offset: int) -> None:
    """Raise PyTorch's error for strides that leave a tensor's memory.

    Example:
        >>> import taowa
        >>> require_inside(taowa.ones(4), (2, 2), (2, 1), 0)
    """
    if len(size) != len(stride):
        raise RuntimeError("mismatch in length of strides and shape")
    if any(step < 0 for step in stride):
        raise RuntimeError(
            "as_strided: Negative strides are not supported at the moment, got strides: "
            f"{list(stride)}"
        )
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) + 1
    held = prod(input._storage.node.aval.shape)
    if prod(size) and last > held:
        item = input.dtype.itemsize
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset}, and "
            f"itemsize {item} requiring a storage size of {last * item} are out of bounds for "
            f"storage of size {held * item}"
        )
