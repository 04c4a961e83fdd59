"""Sorting, and the elements at the ends or at a place of the sorted order."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.dims import numpy_names, one_dim
from taowa.ops.extremes import put_along
from taowa.ops.return_types import return_type
from taowa.ops.scan import add_along

_SORT = return_type("sort", "values indices")
_TOPK = return_type("topk", "values indices")
_KTHVALUE = return_type("kthvalue", "values indices")


def _order(input: Any, place: int, descending: bool) -> Any:
    """Return the indices that sort, equal elements in their order, NaN as the largest."""
    if jnp.iscomplexobj(input):
        raise RuntimeError("Sort does not support complex dtypes on CPU")
    if not descending:
        return jnp.argsort(input, place, stable=True)
    flipped = jnp.argsort(jnp.flip(input, place), place, stable=True)
    return input.shape[place] - 1 - jnp.flip(flipped, place)


@op(name="sort")
def _sort(input: Array, dim: int, descending: bool):
    place = one_dim(dim, input.ndim)
    if input.ndim == 0:
        return input, jnp.zeros((), jnp.int64)
    index = _order(input, place, descending)
    return jnp.take_along_axis(input, index, place), index


@_sort.backward
def _(grad, outputs, input, dim):
    return add_along(grad, outputs[1], input, dim)


@op(name="argsort")
def _argsort(input: Array, dim: int, descending: bool):
    place = one_dim(dim, input.ndim)
    return _order(input, place, descending) if input.ndim else jnp.zeros((), jnp.int64)


@public
@numpy_names
def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """Return the elements sorted along a dimension, and where they were.

    Args:
        descending: Largest first; NaN counts as largest.
        stable: Accepted: equal elements always keep their order.

    Example:
        >>> import taowa
        >>> taowa.sort(taowa.tensor([3, 1, 2]))
        torch.return_types.sort(
        values=tensor([1, 2, 3]),
        indices=tensor([1, 2, 0]))
    """
    return _SORT(*_sort(input, dim, descending))


@public
@numpy_names
def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """Return the indices that sort the elements along a dimension.

    Example:
        >>> import taowa
        >>> taowa.argsort(taowa.tensor([3, 1, 2]))
        tensor([1, 2, 0])
    """
    return _argsort(input, dim, descending)


@public
def msort(input: Tensor) -> Tensor:
    """Return the elements sorted along the first dimension.

    Example:
        >>> import taowa
        >>> taowa.msort(taowa.tensor([3, 1, 2]))
        tensor([1, 2, 3])
    """
    return _sort(input, 0, False)[0]


@op(name="topk")
def _topk(input: Array, k: int, dim: int, largest: bool):
    place = one_dim(dim, input.ndim)
    if not 0 <= k <= (input.shape[place] if input.ndim else 1):
        raise RuntimeError(f"selected index k out of range: {k} of {input.shape} in dim {place}")
    if input.ndim == 0:
        return input, jnp.zeros((), jnp.int64)
    if largest and jnp.issubdtype(input.dtype, jnp.floating):
        rows = jnp.moveaxis(jnp.where(jnp.isnan(input), jnp.nan, input), place, -1)
        index = jnp.moveaxis(lax.top_k(rows, k)[1].astype(jnp.int64), -1, place)
    else:
        index = lax.slice_in_dim(_order(input, place, largest), 0, k, axis=place)
    return jnp.take_along_axis(input, index, place), index


@_topk.backward
def _(grad, outputs, input, dim):
    return add_along(grad, outputs[1], input, dim)


@public
@numpy_names
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """Return the `k` largest (or smallest) elements along a dimension, and where they are.

    Args:
        sorted: Accepted: the elements always come in order.

    Raises:
        RuntimeError: if there are fewer than `k`.

    Example:
        >>> import taowa
        >>> taowa.topk(taowa.tensor([3, 1, 2]), 2)
        torch.return_types.topk(
        values=tensor([3, 2]),
        indices=tensor([0, 2]))
    """
    return _TOPK(*_topk(input, int(k), dim, largest))


@op(name="kthvalue")
def _kthvalue(input: Array, k: int, dim: int, keepdim: bool):
    place = one_dim(dim, input.ndim)
    if not 1 <= k <= (input.shape[place] if input.ndim else 1):
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {place}")
    if input.ndim == 0:
        return input, jnp.zeros((), jnp.int64)
    index = lax.slice_in_dim(_order(input, place, False), k - 1, k, axis=place)
    values = jnp.take_along_axis(input, index, place)
    return (values, index) if keepdim else (values.squeeze(place), index.squeeze(place))


@_kthvalue.backward
def _(grad, outputs, input, dim, keepdim):
    return put_along(grad, outputs[1], input, one_dim(dim, input.ndim), keepdim)


@public
@numpy_names
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """Return the `k`-th smallest elements along a dimension, counted from 1, and where they are.

    Example:
        >>> import taowa
        >>> taowa.kthvalue(taowa.tensor([3, 1, 2]), 2).values
        tensor(2)
    """
    return _KTHVALUE(*_kthvalue(input, int(k), dim, keepdim))
