"""Sums, means, extremes and other values of whole tensors or along dimensions."""

from __future__ import annotations

from math import prod as product
from typing import Any

import jax.numpy as jnp
import numpy as np

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.dims import all_dims, as_static, numpy_names
from taowa.ops.element_types import as_dtype
from taowa.ops.operands import kind_name


def expand_back(value: Any, input: Any, dim: Any, keepdim: bool) -> Any:
    """Return a reduction's result (or its gradient) in a shape that broadcasts to the input."""
    return value if keepdim else jnp.expand_dims(value, all_dims(dim, input.ndim))


def reduced_size(input: Any, dim: Any) -> int:
    """Return how many elements a reduction puts together into one."""
    return product(input.shape[i] for i in all_dims(dim, input.ndim))


def _sum_dtype(input: Any, dtype: Any) -> Any:
    if dtype is not None:
        return dtype.np
    return input.dtype if jnp.issubdtype(input.dtype, jnp.inexact) else np.dtype(np.int64)


@op(name="sum")
def _sum(input: Array, dim: Any, keepdim: bool, dtype: Any):
    axis = all_dims(dim, input.ndim)
    return jnp.sum(input, axis, _sum_dtype(input, dtype), keepdims=keepdim)


@_sum.backward
def _(grad, input, dim, keepdim):
    return jnp.broadcast_to(expand_back(grad, input, dim, keepdim), input.shape)


@public
@numpy_names
def sum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Return the sum of all elements, or sums along dimensions.

    Args:
        dim: One or several dimensions; `None` = all.
        keepdim: Keep the summed dimensions, with size 1.
        dtype: Type to convert to before summing; int64 for integers by default.

    Example:
        >>> import taowa
        >>> x = taowa.tensor([[1, 2], [3, 4]])
        >>> x.sum(), x.sum(0)
        (tensor(10), tensor([4, 6]))
    """
    return _sum(input, as_static(dim), keepdim, as_dtype(dtype))


@op(name="mean")
def _mean(input: Array, dim: Any, keepdim: bool, dtype: Any):
    x = input if dtype is None else input.astype(dtype.np)
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        got = "Input dtype" if dtype is None else "Optional dtype"
        raise RuntimeError(
            f"mean(): could not infer output dtype. {got} must be either a floating point or "
            f"complex dtype. Got: {kind_name(x)}"
        )
    return jnp.mean(x, all_dims(dim, x.ndim), keepdims=keepdim)


@_mean.backward
def _(grad, input, dim, keepdim):
    each = expand_back(grad, input, dim, keepdim) / (reduced_size(input, dim) or 1)
    return jnp.broadcast_to(each, input.shape)


@public
@numpy_names
def mean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Return the mean of all elements, or means along dimensions.

    Raises:
        RuntimeError: for integer elements without `dtype`.

    Example:
        >>> import taowa
        >>> taowa.mean(taowa.tensor([[1.0, 2.0], [3.0, 4.0]]), 1)
        tensor([1.5000, 3.5000])
    """
    return _mean(input, as_static(dim), keepdim, as_dtype(dtype))


@op(name="prod")
def _prod(input: Array, dim: Any, keepdim: bool, dtype: Any):
    axis = None if dim is None else all_dims(dim, input.ndim)
    return jnp.prod(input, axis, _sum_dtype(input, dtype), keepdims=keepdim)


@public
@numpy_names
def prod(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """Return the product of all elements, or products along one dimension.

    Example:
        >>> import taowa
        >>> taowa.prod(taowa.tensor([[1, 2], [3, 4]]), 1)
        tensor([ 2, 12])
    """
    if isinstance(dim, list | tuple):
        raise TypeError(f"prod(): argument 'dim' must be int, not {type(dim).__name__}")
    return _prod(input, dim, keepdim, as_dtype(dtype))


@op(name="nansum")
def _nansum(input: Array, dim: Any, keepdim: bool, dtype: Any):
    x = jnp.where(jnp.isnan(input), 0, input)
    return jnp.sum(x, all_dims(dim, input.ndim), _sum_dtype(input, dtype), keepdims=keepdim)


@_nansum.backward
def _(grad, input, dim, keepdim):
    return jnp.where(jnp.isnan(input), 0, expand_back(grad, input, dim, keepdim))


@public
@numpy_names
def nansum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Return the sum of all elements that are not NaN, or sums along dimensions.

    Example:
        >>> import taowa
        >>> taowa.nansum(taowa.tensor([1.0, float("nan")]))
        tensor(1.)
    """
    return _nansum(input, as_static(dim), keepdim, as_dtype(dtype))


@op(name="nanmean")
def _nanmean(input: Array, dim: Any, keepdim: bool, dtype: Any):
    if not jnp.issubdtype(input.dtype, jnp.inexact):
        raise RuntimeError(
            "nanmean(): expected input to have floating point or complex dtype but got "
            f"{kind_name(input)}"
        )
    x = input if dtype is None else input.astype(dtype.np)
    return jnp.nanmean(x, all_dims(dim, x.ndim), keepdims=keepdim)


@_nanmean.backward
def _(grad, input, dim, keepdim):
    is_number = ~jnp.isnan(input)
    count = jnp.sum(is_number, all_dims(dim, input.ndim), keepdims=True).astype(grad.dtype)
    return jnp.where(is_number, expand_back(grad, input, dim, keepdim) / count, 0)


@public
@numpy_names
def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Return the mean of all elements that are not NaN, or means along dimensions.

    Example:
        >>> import taowa
        >>> taowa.nanmean(taowa.tensor([1.0, float("nan"), 3.0]))
        tensor(2.)
    """
    return _nanmean(input, as_static(dim), keepdim, as_dtype(dtype))


def _truth(function: Any, input: Any, dim: Any, keepdim: bool) -> Any:
    """Reduce truth values; PyTorch answers uint8 with uint8, and `()` reduces nothing."""
    axis = () if dim == () else all_dims(dim, input.ndim)
    result = function(input != 0, axis, keepdims=keepdim)
    return result.astype(jnp.uint8) if input.dtype == jnp.uint8 else result


@op(name="all")
def _all(input: Array, dim: Any, keepdim: bool):
    return _truth(jnp.all, input, dim, keepdim)


@op(name="any")
def _any(input: Array, dim: Any, keepdim: bool):
    return _truth(jnp.any, input, dim, keepdim)


@public
@numpy_names
def all(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Return whether all elements differ from zero, of the tensor or along dimensions.

    Example:
        >>> import taowa
        >>> taowa.all(taowa.tensor([[1, 0], [1, 1]]), 1)
        tensor([False,  True])
    """
    return _all(input, as_static(dim), keepdim)


@public
@numpy_names
def any(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Return whether an element differs from zero, in the tensor or along dimensions.

    Example:
        >>> import taowa
        >>> taowa.any(taowa.tensor([[0, 0], [0, 1]]), 1)
        tensor([False,  True])
    """
    return _any(input, as_static(dim), keepdim)


@op(name="count_nonzero")
def _count_nonzero(input: Array, dim: Any):
    return jnp.sum(input != 0, all_dims(dim, input.ndim), dtype=jnp.int64)


@public
@numpy_names
def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """Return how many elements differ from zero, of all or along dimensions.

    Example:
        >>> import taowa
        >>> taowa.count_nonzero(taowa.tensor([[0, 1], [2, 3]]), 0)
        tensor([1, 2])
    """
    return _count_nonzero(input, as_static(dim))
