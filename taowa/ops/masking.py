"""Choosing elements by a mask."""

from __future__ import annotations

from math import inf, prod
from typing import Any

import jax.numpy as jnp
import numpy as np

from taowa import dtypes
from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor, from_array
from taowa.ops.broadcast_shape import common_shape
from taowa.ops.copying import is_plain
from taowa.ops.element_types import checked_number
from taowa.ops.gathering import kind_of
from taowa.ops.index_range import range_error

# The common case, quick: PyTorch refuses finite numbers beyond the type's limit, not infinity.
_SAFE = {d: float(np.finfo(d.np).max) for d in (dtypes.float32, dtypes.float64)}


def number_for(value: Any, input: Tensor) -> Any:
    """Return a Python number that the tensor's element type holds.

    Raises:
        RuntimeError: if it does not.

    Example:
        >>> import taowa
        >>> number_for(-1, taowa.zeros(1, dtype=taowa.uint8))
        255
    """
    dtype = input.dtype
    if value.__class__ is float and dtype in _SAFE:
        limit = _SAFE[dtype]
        if -limit <= value <= limit or value != value or value in (inf, -inf):
            return value
    array = checked_number(value, dtype)
    return float(array) if dtype.is_floating_point else array.item()


@op(name="masked_fill", numbers=("value",))
def _masked_fill(input: Array, mask: Array, value: Array):
    return jnp.where(mask, value.astype(input.dtype), input)


@_masked_fill.backward
def _(grad, mask):
    zero = jnp.zeros((), grad.dtype)
    return jnp.where(mask, zero, grad), None, jnp.where(mask, grad, zero)


@public(inplace=True)
def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """Return a copy with one value wherever the mask is true.

    Args:
        mask: A bool tensor, broadcast with `input`.
        value: A number, or a 0-dim tensor through which gradients then flow.

    Example:
        >>> import taowa
        >>> taowa.masked_fill(taowa.ones(2), taowa.tensor([True, False]), 5)
        tensor([5., 1.])
    """
    if mask.dtype.name != "bool":
        names = {"uint8": "unsigned char"}
        raise RuntimeError(
            "masked_fill_ only supports boolean masks, but got mask with dtype "
            f"{names.get(mask.dtype.name, mask.dtype.name)}"
        )
    if not isinstance(value, Tensor):
        value = number_for(value, input)
    elif value.ndim:
        raise RuntimeError(
            "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value.ndim} dimension(s)."
        )
    elif value.dtype.is_complex and not input.dtype.is_complex:
        number_for(1j, input)  # for its error
    common_shape([mask._aval.shape, input._aval.shape])
    return _masked_fill(input, mask, value)


# -- choosing -----------------------------------------------------------------------------


@op(name="masked_select")
def _masked_select(input: Array, places: Array, shape: tuple):
    return jnp.broadcast_to(input, shape).reshape(-1)[places]


@_masked_select.backward
def _(grad, places, shape):
    zeros = jnp.zeros(prod(shape), grad.dtype)
    return zeros.at[places].set(grad, unique_indices=True).reshape(shape)


@public
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """Return in one dimension the elements where the mask is true.

    The mask is read, so that pending work is computed first.

    Args:
        mask: A bool tensor, broadcast with `input`.

    Example:
        >>> import taowa
        >>> taowa.masked_select(taowa.arange(3), taowa.tensor([True, False, True]))
        tensor([0, 2])
    """
    if mask.dtype.name != "bool":
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    shape = common_shape([mask._aval.shape, input._aval.shape])
    chosen = np.broadcast_to(mask.host(), shape)
    if is_plain(input):
        return from_array(np.broadcast_to(input.host(), shape)[chosen], device=input.device)
    places = from_array(np.flatnonzero(chosen), device=input.device)
    return _masked_select(input, places, shape)


# -- filling in ---------------------------------------------------------------------------


def ordinals(mask: Any) -> Any:
    """Return for each place how many true ones stand before it, in row-major order.

    Example:
        >>> ordinals(jnp.array([True, False, True])).tolist()
        [0, 1, 1]
    """
    return (jnp.cumsum(mask.reshape(-1)) - mask.reshape(-1)).reshape(mask.shape)


@op(name="masked_scatter")
def _masked_scatter(input: Array, mask: Array, source: Array, most: int):
    shape = jnp.broadcast_shapes(input.shape, mask.shape)
    mask, flat = jnp.broadcast_to(mask, shape), source.reshape(-1)
    if flat.shape[0] == 0:
        return jnp.broadcast_to(input, shape)
    return jnp.where(mask, jnp.take(flat, ordinals(mask), mode="clip"), input)


@_masked_scatter.backward
def _(grad, mask, source):
    mask = jnp.broadcast_to(mask, grad.shape)
    kept, taken = jnp.where(mask, 0, grad), jnp.where(mask, grad, 0)
    flat = jnp.zeros(source.size, grad.dtype).at[ordinals(mask)].add(taken, mode="drop")
    return kept, None, flat.reshape(source.shape)


@_masked_scatter.check(
    lambda _: range_error(RuntimeError, "Number of elements of source < number of ones in mask")
)
def _(mask, most):
    return mask.sum() > most


@public(inplace=True)
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """Return a copy with the elements of `source`, in order, wherever the mask is true.

    Example:
        >>> import taowa
        >>> mask = taowa.tensor([True, False, True])
        >>> taowa.masked_scatter(taowa.zeros(3), mask, taowa.tensor([1.0, 2.0]))
        tensor([1., 0., 2.])
    """
    if input.dtype is not source.dtype:
        raise RuntimeError(
            f"masked_scatter: expected self and source to have same dtypes but got"
            f"{kind_of(input)} and {kind_of(source)}"
        )
    if mask.dtype.name != "bool":
        raise RuntimeError(
            f"masked_scatter_ only supports boolean masks, but got mask with dtype {kind_of(mask)}"
        )
    shape = common_shape([mask._aval.shape, input._aval.shape])
    copies = prod(shape) // max(mask.numel(), 1)  # of the mask, by broadcasting
    return _masked_scatter(input, mask, source, source.numel() // max(copies, 1))
