"""Picking elements by index along a dimension or in row-major order: copies."""

from __future__ import annotations

from math import prod
from typing import Any

import jax.numpy as jnp
from jax import lax

from taowa.core.api import public
from taowa.core.draw_types import pytorch_name
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor, from_array
from taowa.ops.broadcast_shape import common_shape
from taowa.ops.copying import is_plain
from taowa.ops.dims import numpy_names, one_dim
from taowa.ops.expanding import expand
from taowa.ops.index_range import explained, is_outside, out_of_bounds, range_error
from taowa.ops.views import reshape


def kind_of(tensor: Tensor) -> str:
    """Return the element type's name in PyTorch's messages.

    Example:
        >>> import taowa
        >>> kind_of(taowa.ones(2))
        'Float'
    """
    return pytorch_name(tensor.dtype.np)


def is_index(tensor: Tensor, *, allows_int32: bool = True) -> bool:
    """Return whether a tensor has a type that PyTorch takes for indices.

    Example:
        >>> import taowa
        >>> is_index(taowa.tensor([1])), is_index(taowa.ones(1))
        (True, False)
    """
    name = tensor.dtype.name
    return name == "int64" or (allows_int32 and name == "int32")


def at_dim(index: Any, dim: int) -> tuple:
    """Return what indexes one dimension of an array.

    Example:
        >>> at_dim(3, 1)
        (slice(None, None, None), 3)
    """
    return (*[slice(None)] * dim, index)


def size_along(tensor: Tensor, dim: int) -> int:
    """Return the size of a dimension; a 0-dim tensor counts as having one of size 1.

    Example:
        >>> import taowa
        >>> size_along(taowa.ones(2, 3), 1)
        3
    """
    shape = tensor._aval.shape
    return shape[dim] if shape else 1


# -- whole slices -------------------------------------------------------------------------


@op(name="index_select")
def _index_select(input: Array, index: Array, dim: int, size: int):
    if input.ndim == 0:
        return jnp.asarray(input)
    return jnp.take(input, index.reshape(-1), axis=dim, mode="clip")


@_index_select.backward
def _(grad, input, index, dim):
    if input.ndim == 0:
        return grad
    zeros = jnp.zeros(input.shape, grad.dtype)
    return zeros.at[at_dim(index.reshape(-1), dim)].add(grad, mode="promise_in_bounds")


@_index_select.check(lambda _: range_error(IndexError, "index out of range in self"))
def _(index, size):
    return is_outside(index, size, least=0)


@public
@numpy_names
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """Return the slices at the given places along a dimension.

    Args:
        index: A vector of places.

    Raises:
        IndexError: if there is no such place.

    Example:
        >>> import taowa
        >>> taowa.index_select(taowa.tensor([[1, 2], [3, 4]]), 1, taowa.tensor([1, 1]))
        tensor([[2, 2],
                [4, 4]])
    """
    axis = one_dim(dim, input.ndim)
    if index.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    if not is_index(index):
        raise RuntimeError("index_select(): Expected dtype int32 or int64 for index")
    if not input.ndim and index.numel() != 1:
        raise RuntimeError(
            f"index_select(): Index to scalar can have only 1 value, got {index.numel()} value(s)"
        )
    if is_plain(input) and index.is_on_host() and input.ndim:
        places = index.host().reshape(-1)
        if is_outside(places, input._aval.shape[axis], least=0):
            raise IndexError("index out of range in self")
        return from_array(input.host()[at_dim(places, axis)], device=input.device)
    return _index_select(input, index, axis, size_along(input, axis))


# -- single elements ----------------------------------------------------------------------


def along(index: Any, dim: int) -> tuple:
    """Return what indexes an array so that `index` counts along `dim` and the rest is in place.

    Example:
        >>> [i.tolist() for i in along(jnp.array([[1, 0]]), 0)]
        [[[1, 0]], [[0, 1]]]
    """
    return tuple(
        index if d == dim else lax.broadcasted_iota(index.dtype, index.shape, d)
        for d in range(index.ndim)
    )


def require_index_shape(index: Any, input: Any, dim: int) -> None:
    """Raise PyTorch's error for an index that does not lie within `input` beside `dim`.

    Example:
        >>> require_index_shape(jnp.zeros((1, 9)), jnp.zeros((2, 3)), 1)
    """
    if max(index.ndim, 1) != max(input.ndim, 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
    for d, (n, limit) in enumerate(zip(index.shape, input.shape, strict=False)):
        if d != dim and n > limit:
            raise RuntimeError(
                f"Size does not match at dimension {d} expected index {list(index.shape)} to be no "
                f"larger than self {list(input.shape)} apart from dimension {dim}"
            )


def _wrapped(index: Any, size: int, wraps: bool) -> Any:
    return jnp.where(index < 0, index + size, index) if wraps else index


@op(name="gather", numbers=())
def _gather(input: Array, index: Array, dim: int, size: int, wraps: bool):
    if index.size == 0:
        return jnp.zeros(index.shape, input.dtype)
    require_index_shape(index, input, dim)
    index = _wrapped(index, size, wraps)
    if input.ndim == 0 or index.ndim == 0:
        found = input.reshape(-1).at[index].get(mode="promise_in_bounds")
        return found.reshape(index.shape)
    beside = tuple(slice(None if d == dim else n) for d, n in enumerate(index.shape))
    return jnp.take_along_axis(input[beside], index, dim, mode="clip")


@_gather.backward
def _(grad, input, index, dim, size, wraps):
    index = _wrapped(index, size, wraps)
    zeros = jnp.zeros(input.shape or (1,), grad.dtype)
    if index.size == 0:
        return zeros.reshape(input.shape)
    places, values = (a.reshape(a.shape or (1,)) for a in (index, grad))
    return zeros.at[along(places, dim)].add(values, mode="promise_in_bounds").reshape(input.shape)


@_gather.check(
    lambda info: range_error(
        RuntimeError, f"index out of bounds for dimension {info['dim']} with size {info['size']}"
    )
)
def _(index, size, wraps):
    return is_outside(index, size, least=-size if wraps else 0)


@public
@numpy_names
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """Return for each element of `index` the element of `input` there along `dim`.

    Args:
        index: As many dimensions as `input`, at most as large in all of them but `dim`.
        sparse_grad: Only `False` is supported.

    Raises:
        RuntimeError: if there is no such place.

    Example:
        >>> import taowa
        >>> taowa.gather(taowa.tensor([[1, 2], [3, 4]]), 1, taowa.tensor([[0], [1]]))
        tensor([[1],
                [4]])
    """
    if sparse_grad:
        raise NotImplementedError("gather(sparse_grad=True) is not supported; use False")
    axis = one_dim(dim, input.ndim)
    if not is_index(index) and index.numel():
        raise RuntimeError("gather(): Expected dtype int32/int64 for index")
    return _gathered(input, axis, index, wraps=False)


def _gathered(input: Tensor, dim: int, index: Tensor, *, wraps: bool) -> Tensor:
    size = size_along(input, dim)
    try:
        return _gather(input, index, dim, size, wraps)
    except RuntimeError as error:
        least = -size if wraps else 0
        raise explained(error, index, size, out_of_bounds(dim), least) from None


@public
@numpy_names
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """Return the elements at `indices` along a dimension, the others broadcast.

    Args:
        dim: `None` flattens both.

    Example:
        >>> import taowa
        >>> x = taowa.tensor([[1, 2], [4, 3]])
        >>> taowa.take_along_dim(x, taowa.tensor([[1], [0]]), 1)
        tensor([[2],
                [4]])
    """
    if not is_index(indices):
        raise RuntimeError(
            f"torch.take_along_dim(): dtype of indices should be Long but got {kind_of(indices)}"
        )
    if dim is None:
        return gather(reshape(input, (-1,)), 0, reshape(indices, (-1,)))
    if input.ndim != indices.ndim:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, "
            f"but got {input.ndim} dimensions for input, and {indices.ndim} dimensions for indices"
        )
    axis = one_dim(dim, input.ndim)
    shapes = [list(t._aval.shape) for t in (input, indices)]
    along_dim = [shape[axis] for shape in shapes]
    for shape in shapes:
        shape[axis] = 1
    beside = list(common_shape([tuple(shape) for shape in shapes]))
    both = []
    for tensor, n in zip((input, indices), along_dim, strict=True):
        beside[axis] = n
        both.append(expand(tensor, tuple(beside)))
    return _gathered(both[0], axis, both[1], wraps=True)


# -- in row-major order -------------------------------------------------------------------


@op(name="take")
def _take(input: Array, index: Array, size: int):
    return input.reshape(-1).at[index].get(mode="promise_in_bounds")


@_take.backward
def _(grad, input, index):
    zeros = jnp.zeros(input.size, grad.dtype)
    return zeros.at[index].add(grad, mode="promise_in_bounds").reshape(input.shape)


OUT_OF_ELEMENTS = "out of range: tried to access index {index} on a tensor of {size} elements."


@_take.check(lambda _: range_error(IndexError, "out of range: tried to access a missing element"))
def _(index, size):
    return is_outside(index, size)


@public
def take(input: Tensor, index: Tensor) -> Tensor:
    """Return the elements at the given places in row-major order.

    Raises:
        IndexError: if there is no such place.

    Example:
        >>> import taowa
        >>> taowa.take(taowa.tensor([[1, 2], [3, 4]]), taowa.tensor([0, -1]))
        tensor([1, 4])
    """
    if not is_index(index, allows_int32=False):
        raise RuntimeError(f"take(): Expected a long tensor for index, but got {kind_of(index)}")
    size = prod(input._aval.shape)
    try:
        return _take(input, index, size)
    except IndexError as error:
        raise explained(error, index, size, OUT_OF_ELEMENTS) from None
