"""Writing whole slices, or elements in row-major order, at given places: copies."""

from __future__ import annotations

from math import prod
from typing import Any

import jax.numpy as jnp

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.dims import numpy_names, one_dim
from taowa.ops.expanding import expand
from taowa.ops.gathering import OUT_OF_ELEMENTS, at_dim, is_index, kind_of, size_along
from taowa.ops.index_range import explained, is_outside, out_of_bounds, range_error
from taowa.ops.masking import number_for
from taowa.ops.scattering import scatter_reduce
from taowa.ops.views import reshape

_IN_BOUNDS = "promise_in_bounds"  # the check tells of others; XLA leaves them out


def _ready(input: Any, index: Any, dim: int) -> tuple[Any, tuple]:
    """Return the array with a dimension at least, and what indexes its slices."""
    return input.reshape(input.shape or (1,)), at_dim(index.reshape(-1), dim)


def _slices(source: Any, input: Any) -> Any:
    """Return the source with a dimension at least."""
    return source.reshape(source.shape or (1,)) if source.ndim == 0 or not input.ndim else source


def _bounds(kind: type[Exception], prefix: str = "") -> Any:
    return lambda info: range_error(
        kind, f"{prefix}index out of bounds for dimension {info['dim']} with size {info['size']}"
    )


def _not_negative(index, size):
    return is_outside(index, size, least=0)


def _negative_too(index, size):
    return is_outside(index, size)


# -- adding -------------------------------------------------------------------------------


@op(name="index_add", numbers=("alpha",))
def _index_add(input: Array, index: Array, source: Array, alpha: Array, dim: int, size: int):
    target, places = _ready(input, index, dim)
    values = _slices(source, input)
    if input.dtype == jnp.bool_:
        return target.at[places].max(values, mode=_IN_BOUNDS).reshape(input.shape)
    values = values * alpha.astype(source.dtype)
    return target.at[places].add(values, mode=_IN_BOUNDS).reshape(input.shape)


@_index_add.backward
def _(grad, index, source, alpha, dim):
    target, places = _ready(grad, index, dim)
    found = target.at[places].get(mode=_IN_BOUNDS).reshape(source.shape)
    return grad, None, found * jnp.conj(alpha.astype(grad.dtype))


_index_add.check(_bounds(RuntimeError))(_not_negative)


def _require_add(input: Tensor, index: Tensor, source: Tensor, dim: int) -> None:
    if not is_index(index):
        raise RuntimeError(
            f"index_add_(): Expected dtype int32/int64 for index but got: {kind_of(index)}"
        )
    if index.ndim > 1:
        raise IndexError(
            f"index_add_(): Index is supposed to be a vector, but got dim: {index.ndim} with type: "
            f"{kind_of(index)} and size: {list(index.shape)}"
        )
    if source.dtype is not input.dtype:
        raise RuntimeError(
            f"index_add_(): self ({kind_of(input)}) and source ({kind_of(source)}) must have the "
            "same scalar type"
        )
    shapes = input._aval.shape, source._aval.shape
    if index.numel() != size_along(source, dim):
        raise RuntimeError(
            f"index_add_(): Number of indices ({index.numel()}) should be equal to "
            f"source.size(dim): ({size_along(source, dim)}), for dim: {dim}"
        )
    beside = [shape[:dim] + shape[dim + 1 :] for shape in shapes]
    if beside[0] != beside[1]:
        raise RuntimeError(
            "source tensor shape must match self tensor shape, excluding the specified dimension. "
            f"Got self.shape = {list(shapes[0])} source.shape = {list(shapes[1])}"
        )


@public(inplace=True)
@numpy_names
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """Return a copy with slices of `source`, times `alpha`, added at the given places.

    Args:
        index: A vector of places along `dim`; what meets at a place adds up.
        alpha: A factor; a run-time number.

    Example:
        >>> import taowa
        >>> taowa.index_add(taowa.zeros(2), 0, taowa.tensor([1, 1]), taowa.ones(2))
        tensor([0., 2.])
    """
    axis = one_dim(dim, input.ndim)
    _require_add(input, index, source, axis)
    size = size_along(input, axis)
    try:
        return _index_add(input, index, source, alpha, axis, size)
    except RuntimeError as error:
        raise explained(error, index, size, out_of_bounds(axis), 0) from None


# -- copying ------------------------------------------------------------------------------


@op(name="index_copy", numbers=())
def _index_copy(input: Array, index: Array, source: Array, dim: int, size: int):
    target, places = _ready(input, index, dim)
    return target.at[places].set(_slices(source, input), mode=_IN_BOUNDS).reshape(input.shape)


@_index_copy.backward
def _(grad, index, source, dim):
    target, places = _ready(grad, index, dim)
    found = target.at[places].get(mode=_IN_BOUNDS).reshape(source.shape)
    return target.at[places].set(0, mode=_IN_BOUNDS).reshape(grad.shape), None, found


_COPY = "index_copy_(): "
_index_copy.check(_bounds(IndexError, _COPY))(_not_negative)


def _require_copy(input: Tensor, index: Tensor, source: Tensor, dim: int) -> None:
    if not is_index(index, allows_int32=False):
        raise RuntimeError(f"{_COPY}Expected a long tensor for index, but got {kind_of(index)}")
    if source.dtype is not input.dtype:
        raise RuntimeError(
            f"{_COPY}self and source expected to have the same dtype, but got (self) "
            f"{kind_of(input)} and (source) {kind_of(source)}"
        )
    if index.ndim > 1:
        raise IndexError(f"{_COPY}Index should have dimension 1 or 0 (got {index.ndim})")
    if input.ndim and source.ndim and input.ndim != source.ndim:
        raise IndexError(
            f"{_COPY}When source and destination are not scalars, their dimensionality must match. "
            f"Source dimensionality ({source.ndim}), destination dimensionality ({input.ndim})"
        )
    shapes = [t._aval.shape[:dim] + t._aval.shape[dim + 1 :] for t in (input, source)]
    if source.ndim and input.ndim and shapes[0] != shapes[1]:
        texts = [" ".join(map(str, shape)) for shape in shapes]
        raise RuntimeError(
            f"{_COPY}Source/destination tensor must have same slice shapes. Destination slice "
            f"shape: {texts[0]} at dimension {dim} and source slice shape: {texts[1]} at dimension "
            f"{dim if source.ndim else 0}."
        )
    if index.numel() != size_along(source, dim):
        raise IndexError(
            f"{_COPY}Number of indices ({index.numel()}) should be equal to source.size(dim) "
            f"({size_along(source, dim)})"
        )


@public(inplace=True)
@numpy_names
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """Return a copy with slices of `source` at the given places along a dimension.

    Example:
        >>> import taowa
        >>> taowa.index_copy(taowa.zeros(3), 0, taowa.tensor([2]), taowa.ones(1))
        tensor([0., 0., 1.])
    """
    axis = one_dim(dim, input.ndim)
    _require_copy(input, index, source, axis)
    size = size_along(input, axis)
    try:
        return _index_copy(input, index, source, axis, size)
    except IndexError as error:
        raise explained(error, index, size, _COPY + out_of_bounds(axis), 0) from None


# -- filling ------------------------------------------------------------------------------


@op(name="index_fill", numbers=("value",))
def _index_fill(input: Array, index: Array, value: Array, dim: int, size: int):
    target, places = _ready(input, index, dim)
    value = value.astype(input.dtype)
    return target.at[places].set(value, mode=_IN_BOUNDS).reshape(input.shape)


@_index_fill.backward
def _(grad, index, dim):
    target, _ = _ready(grad, index, dim)
    is_hit = jnp.zeros(target.shape[dim], bool).at[index.reshape(-1)].set(True, mode=_IN_BOUNDS)
    is_hit = is_hit.reshape(-1, *[1] * (target.ndim - dim - 1))
    kept, taken = jnp.where(is_hit, 0, target), jnp.where(is_hit, target, 0)
    return kept.reshape(grad.shape), None, taken.sum()  # a place named twice counts once


_index_fill.check(_bounds(IndexError))(_negative_too)


@public(inplace=True)
@numpy_names
def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """Return a copy with one value in the slices at the given places along a dimension.

    Args:
        value: A number, or a 0-dim tensor through which gradients then flow.

    Example:
        >>> import taowa
        >>> taowa.index_fill(taowa.zeros(3), 0, taowa.tensor([0, -1]), 1)
        tensor([1., 0., 1.])
    """
    axis = one_dim(dim, input.ndim)
    if not is_index(index, allows_int32=False):
        raise IndexError("index_fill_(): Expected dtype int64 for index.")
    if index.ndim > 1:
        raise RuntimeError("Index has to be a vector/scalar")
    if isinstance(value, Tensor):
        if value.ndim:
            raise RuntimeError(
                "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{value.ndim} dimension(s)."
            )
    elif value.__class__ is complex and not input.dtype.is_complex:
        raise RuntimeError(
            "index_fill_(): Converting complex Scalar to non-complex type is not supported"
        )
    else:
        value = number_for(value, input)
    size = size_along(input, axis)
    try:
        return _index_fill(input, index, value, axis, size)
    except IndexError as error:
        raise explained(error, index, size, out_of_bounds(axis)) from None


# -- reducing -----------------------------------------------------------------------------


@public(inplace=True)
@numpy_names
def index_reduce(
    input: Tensor,
    dim: int,
    index: Tensor,
    source: Tensor,
    reduce: str,
    *,
    include_self: bool = True,
) -> Tensor:
    """Return a copy in which the slices of `source` that meet at a place are reduced to one.

    Args:
        reduce: `"prod"`, `"mean"`, `"amax"` or `"amin"`.
        include_self: Whether the slice that is there takes part.

    Example:
        >>> import taowa
        >>> x, index = taowa.tensor([1.0, 2.0]), taowa.tensor([1, 1])
        >>> taowa.index_reduce(x, 0, index, taowa.tensor([3.0, 4.0]), "prod")
        tensor([ 1., 24.])
    """
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(
            "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got "
            f"{reduce}."
        )
    if input.dtype.name == "bool" or input.dtype.is_complex:
        raise NotImplementedError(f"index_reduce() is not implemented for {input.dtype}")
    axis = one_dim(dim, input.ndim)
    line = [1] * max(source.ndim, 1)
    line[axis] = -1
    places = expand(reshape(index, line), source._aval.shape or (1,))
    return scatter_reduce(input, axis, places, source, reduce, include_self=include_self)


# -- in row-major order -------------------------------------------------------------------


@op(name="put", numbers=())
def _put(input: Array, index: Array, source: Array, size: int, accumulate: bool):
    ref = input.reshape(-1).at[index.reshape(-1)]
    values = source.reshape(-1)
    if accumulate and input.dtype == jnp.bool_:
        return ref.max(values, mode=_IN_BOUNDS).reshape(input.shape)
    return (ref.add if accumulate else ref.set)(values, mode=_IN_BOUNDS).reshape(input.shape)


@_put.backward
def _(grad, index, source, accumulate):
    ref = grad.reshape(-1).at[index.reshape(-1)]
    found = ref.get(mode=_IN_BOUNDS).reshape(source.shape)
    kept = grad if accumulate else ref.set(0, mode=_IN_BOUNDS).reshape(grad.shape)
    return kept, None, found


_put.check(lambda _: range_error(IndexError, "out of range: tried to access a missing element"))(
    _negative_too
)


@public(inplace=True)
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """Return a copy with elements at the given places in row-major order.

    Args:
        accumulate: Add them to what is there instead.

    Example:
        >>> import taowa
        >>> taowa.put(taowa.zeros(2, 2), taowa.tensor([3]), taowa.tensor([5.0]))
        tensor([[0., 0.],
                [0., 5.]])
    """
    if not is_index(index, allows_int32=False):
        raise RuntimeError(f"put_(): Expected a long tensor for index, but got {kind_of(index)}")
    if source.dtype is not input.dtype:
        raise RuntimeError(
            "put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{kind_of(input)} and source.dtype = {kind_of(source)}"
        )
    if source.numel() != index.numel():
        raise IndexError(
            "put_(): Expected source and index to have the same number of elements, but got "
            f"source.numel() = {source.numel()}, index.numel() = {index.numel()}"
        )
    size = prod(input._aval.shape)
    try:
        return _put(input, index, source, size, bool(accumulate))
    except IndexError as error:
        raise explained(error, index, size, OUT_OF_ELEMENTS) from None
