"""The rarer kinds of view: any strides, diagonals, sliding windows, another element type."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from taowa import dtypes
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.core.views import make_view

as_strided_on_host = np.lib.stride_tricks.as_strided


# -- any strides --------------------------------------------------------------------------


def _places(size: tuple, stride: tuple, offset: Any) -> Any:
    """Return where in the flattened storage each element of a strided view lies."""
    places = jnp.full(size, offset, np.int64)
    for dim, step in enumerate(stride):
        places += lax.broadcasted_iota(np.int64, size, dim) * step
    return places


@op(name="as_strided")
def _as_strided(input: Array, offset: list[Array], size: tuple, stride: tuple):
    return input.reshape(-1)[_places(size, stride, offset[0])]


@op(name="copy_slices.strided")
def _put_strided(input: Array, value: Array, offset: list[Array], size: tuple, stride: tuple):
    flat = input.reshape(-1).at[_places(size, stride, offset[0])].set(value)
    return flat.reshape(input.shape)


@_put_strided.backward
def _(grad, offset, size, stride):
    flat, places = grad.reshape(-1), _places(size, stride, offset[0])
    return flat.at[places].set(0).reshape(grad.shape), flat[places]


def strided(input: Tensor, size: tuple[int, ...], stride: tuple[int, ...], offset: int) -> Tensor:
    """Return the view of a row-major tensor's memory with any strides, in elements."""

    def on_host(array: np.ndarray) -> np.ndarray:
        flat = array.reshape(-1)[offset:]
        return as_strided_on_host(flat, size, [step * flat.itemsize for step in stride])

    write = None if _overlaps(size, stride) else (_put_strided.op, (size, stride))
    return make_view(input, (_as_strided.op, (size, stride)), write, on_host, (offset,))


@lru_cache(maxsize=1024)
def _overlaps(size: tuple[int, ...], stride: tuple[int, ...]) -> bool:
    """Return whether two elements of a strided view are one element of the memory.

    PyTorch only finds this where a stride is 0, and leaves other overlaps undefined.
    """
    reach = 0  # of the dimensions with smaller strides
    for step, n in sorted((step, n) for n, step in zip(size, stride, strict=True) if n > 1):
        if step <= reach:
            places = np.zeros((), np.int64)
            for count, jump in zip(size, stride, strict=True):
                places = np.add.outer(places, np.arange(count) * jump)
            return np.unique(places).size < places.size
        reach += (n - 1) * step
    return False


# -- diagonals ----------------------------------------------------------------------------


@op(name="diagonal")
def _diagonal(input: Array, offset: int, dim1: int, dim2: int):
    return jnp.diagonal(input, offset, dim1, dim2)


@_diagonal.backward
def _(grad, input, offset, dim1, dim2):
    return with_diagonal(jnp.zeros(input.shape, grad.dtype), grad, offset, dim1, dim2)


def with_diagonal(matrix: Any, value: Any, offset: int, dim1: int, dim2: int) -> Any:
    """Return an array with other values on one diagonal.

    Every place chooses between the old value and its row's new one: that is quicker than
    scattering, which XLA's CPU backend does one element after the other.

    Args:
        value: `(..., length)`, the diagonal last.

    Example:
        >>> with_diagonal(jnp.zeros((2, 2)), jnp.ones(2), 0, 0, 1).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    moved = jnp.moveaxis(matrix, (dim1, dim2), (-2, -1))
    rows, first = moved.shape[-2], max(-offset, 0)
    length = value.shape[-1]
    if length == 0:
        return matrix
    sides = [(0, 0, 0)] * (value.ndim - 1) + [(first, rows - first - length, 0)]
    by_row = lax.pad(value, jnp.zeros((), value.dtype), sides)
    row, column = (lax.broadcasted_iota(np.int32, moved.shape[-2:], i) for i in (0, 1))
    return jnp.moveaxis(
        jnp.where(column - row == offset, by_row[..., None], moved), (-2, -1), (dim1, dim2)
    )


@op(name="copy_slices.diagonal")
def _put_diagonal(input: Array, value: Array, offset: int, dim1: int, dim2: int):
    return with_diagonal(input, value, offset, dim1, dim2)


@_put_diagonal.backward
def _(grad, value, offset, dim1, dim2):
    hole = with_diagonal(grad, jnp.zeros(value.shape, grad.dtype), offset, dim1, dim2)
    return hole, jnp.diagonal(grad, offset, dim1, dim2)


def diagonal_of(input: Tensor, offset: int, dim1: int, dim2: int) -> Tensor:
    """Return the view of a diagonal, which becomes the last dimension."""

    def on_host(array: np.ndarray) -> np.ndarray:
        moved = np.moveaxis(array, (dim1, dim2), (-2, -1))
        corner = moved[..., max(-offset, 0) :, max(offset, 0) :]
        *outer, rows, columns = corner.shape
        *strides, down, right = corner.strides
        return as_strided_on_host(corner, (*outer, min(rows, columns)), (*strides, down + right))

    statics = (offset, dim1, dim2)
    return make_view(input, (_diagonal.op, statics), (_put_diagonal.op, statics), on_host)


# -- sliding windows ----------------------------------------------------------------------


def _members(length: int, size: int, step: int) -> Any:
    """Return the places of each window's members, (windows, size)."""
    return (np.arange((length - size) // step + 1) * step)[:, None] + np.arange(size)


@op(name="unfold")
def _unfold(input: Array, dim: int, size: int, step: int):
    found = jnp.take(input, _members(input.shape[dim], size, step), axis=dim, mode="clip")
    return jnp.moveaxis(found, dim + 1, -1)


def _put_windows(input: Any, value: Any, dim: int, size: int, step: int) -> Any:
    index = (*[slice(None)] * dim, _members(input.shape[dim], size, step))
    return input.at[index].set(jnp.moveaxis(value, -1, dim + 1))


@op(name="copy_slices.unfold")
def _put_unfold(input: Array, value: Array, dim: int, size: int, step: int):
    return _put_windows(input, value, dim, size, step)


@_put_unfold.backward
def _(grad, value, dim, size, step):
    hole = _put_windows(grad, jnp.zeros(value.shape, grad.dtype), dim, size, step)
    return hole, _unfold.op.body(grad, dim, size, step)


def sliding(input: Tensor, dim: int, size: int, step: int) -> Tensor:
    """Return the view of all windows along a dimension, their members in a new last one."""

    def on_host(array: np.ndarray) -> np.ndarray:
        shape, strides = list(array.shape), list(array.strides)
        shape[dim] = (shape[dim] - size) // step + 1
        strides[dim] *= step
        return as_strided_on_host(array, (*shape, size), (*strides, array.strides[dim]))

    statics = (dim, size, step)
    overlaps = step < size and input._aval.shape[dim] - size >= step
    write = None if overlaps else (_put_unfold.op, statics)
    return make_view(input, (_unfold.op, statics), write, on_host)


# -- another element type -----------------------------------------------------------------


def _bits(array: Any, target: Any) -> Any:
    """Return the same bytes as elements of another type; the last dimension may change."""
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    if array.dtype.kind == "c":
        parts = jnp.stack([array.real, array.imag], -1)
        array = parts.reshape(*array.shape[:-1], -1) if array.ndim else parts
    if target.kind == "b":
        return _bits(array, np.dtype(np.uint8)) != 0
    if target.kind == "c":
        half = _bits(array, np.dtype(f"f{target.itemsize // 2}"))
        return lax.complex(half[..., 0::2], half[..., 1::2])
    ratio = target.itemsize // array.dtype.itemsize
    if ratio > 1:
        array = array.reshape(*array.shape[:-1], -1, ratio)
    if ratio != 1:  # XLA joins two changes of width, wrongly, unless it is kept from it
        array = lax.optimization_barrier(array)
    found = lax.bitcast_convert_type(array, target)
    return found if ratio else found.reshape(*array.shape[:-1], -1)


@op(name="view_as_type")
def _view_as_type(input: Array, dtype: Any):
    return _bits(input, dtype.np)


def retyped(input: Tensor, dtype: dtypes.dtype) -> Tensor:
    """Return the view of the same bytes as another element type; no gradient flows through it."""
    old = input.dtype

    def on_host(array: np.ndarray) -> np.ndarray:
        if array.ndim and array.strides[-1] != array.itemsize:
            array = np.ascontiguousarray(array)
        return array.view(dtype.np)

    return make_view(
        input, (_view_as_type.op, (dtype,)), (_view_as_type.op, (old,)), on_host,
        is_whole=True, is_tracked=False,
    )  # fmt: skip
