"""Running sums, products and extremes along a dimension, and differences of neighbours."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.dims import numpy_names, one_dim
from taowa.ops.element_types import as_dtype
from taowa.ops.operands import kind_name
from taowa.ops.pointwise import div
from taowa.ops.precision import wide
from taowa.ops.return_types import return_type
from taowa.ops.special_functions import log_add_exp


def _scan_dtype(input: Any, dtype: Any) -> Any:
    if dtype is not None:
        return dtype.np
    return input.dtype if jnp.issubdtype(input.dtype, jnp.inexact) else np.dtype(np.int64)


def _along(function: Any, x: Any, dim: int) -> Any:
    """Scan one dimension, in float32 at least; a 0-dim tensor is its own scan."""
    place = one_dim(dim, x.ndim)
    return function(wide(x), place).astype(x.dtype) if x.ndim else x


@op(name="cumsum")
def _cumsum(input: Array, dim: int, dtype: Any):
    return _along(jnp.cumsum, input.astype(_scan_dtype(input, dtype)), dim)


@_cumsum.backward
def _(grad, dim):
    return _along(lambda g, axis: jnp.flip(jnp.cumsum(jnp.flip(g, axis), axis), axis), grad, dim)


@public(inplace=True)
@numpy_names
def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Return the sums of all elements up to each one along a dimension.

    Example:
        >>> import taowa
        >>> taowa.cumsum(taowa.tensor([1, 2, 3]), 0)
        tensor([1, 3, 6])
    """
    return _cumsum(input, dim, as_dtype(dtype))


@op(name="cumprod")
def _cumprod(input: Array, dim: int, dtype: Any):
    return _along(jnp.cumprod, input.astype(_scan_dtype(input, dtype)), dim)


@public(inplace=True)
@numpy_names
def cumprod(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Return the products of all elements up to each one along a dimension.

    Example:
        >>> import taowa
        >>> taowa.cumprod(taowa.tensor([1, 2, 3]), 0)
        tensor([1, 2, 6])
    """
    return _cumprod(input, dim, as_dtype(dtype))


@op(name="logcumsumexp")
def _logcumsumexp(input: Array, dim: int):
    if not jnp.issubdtype(input.dtype, jnp.inexact):
        raise NotImplementedError(
            f"\"logcumsumexp_out_cpu\" not implemented for '{kind_name(input)}'"
        )
    return _along(lambda x, axis: lax.associative_scan(log_add_exp, x, axis=axis), input, dim)


@public
@numpy_names
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """Return `log(cumsum(exp(input)))` along a dimension, without overflow on the way.

    Example:
        >>> import taowa
        >>> taowa.logcumsumexp(taowa.tensor([0.0, 0.0]), 0)
        tensor([0.0000, 0.6931])
    """
    return _logcumsumexp(input, dim)


def _running_extreme(input: Any, dim: int, is_better: Any) -> tuple:
    """Return the running extremes and their indices: the latest of equal ones, NaN for good."""
    place = one_dim(dim, input.ndim)
    if input.ndim == 0:
        return input, jnp.zeros((), jnp.int64)

    def later(held: tuple, new: tuple) -> tuple:
        takes = jnp.isnan(new[0]) | (~jnp.isnan(held[0]) & is_better(new[0], held[0]))
        return tuple(jnp.where(takes, n, h) for h, n in zip(held, new, strict=True))

    position = lax.broadcasted_iota(jnp.int64, input.shape, place)
    return lax.associative_scan(later, (input, position), axis=place)


@op(name="cummax")
def _cummax(input: Array, dim: int):
    return _running_extreme(input, dim, jnp.greater_equal)


@op(name="cummin")
def _cummin(input: Array, dim: int):
    return _running_extreme(input, dim, jnp.less_equal)


def add_along(grad: Any, index: Any, input: Any, dim: int) -> Any:
    """Return zeros like the input with gradients added at indices along a dimension.

    Example:
        >>> add_along(jnp.ones(3), jnp.array([0, 1, 1]), jnp.zeros(2), 0)
        Array([1., 2.], dtype=float32)
    """
    place = one_dim(dim, input.ndim)
    if input.ndim == 0:
        return grad
    zeros = jnp.zeros(input.shape, grad.dtype)
    return jax.vjp(lambda x: jnp.take_along_axis(x, index, place), zeros)[1](grad)[0]


@_cummax.backward
def _(grad, outputs, input, dim):
    return add_along(grad, outputs[1], input, dim)


@_cummin.backward
def _(grad, outputs, input, dim):
    return add_along(grad, outputs[1], input, dim)


_CUMMAX = return_type("cummax", "values indices")
_CUMMIN = return_type("cummin", "values indices")


@public
@numpy_names
def cummax(input: Tensor, dim: int) -> Any:
    """Return the largest elements up to each one along a dimension, and where they are.

    Example:
        >>> import taowa
        >>> taowa.cummax(taowa.tensor([1, 3, 2]), 0)
        torch.return_types.cummax(
        values=tensor([1, 3, 3]),
        indices=tensor([0, 1, 1]))
    """
    return _CUMMAX(*_cummax(input, dim))


@public
@numpy_names
def cummin(input: Tensor, dim: int) -> Any:
    """Return the smallest elements up to each one along a dimension, and where they are.

    Example:
        >>> import taowa
        >>> taowa.cummin(taowa.tensor([3, 1, 2]), 0).values
        tensor([3, 1, 1])
    """
    return _CUMMIN(*_cummin(input, dim))


@op(name="diff", promote="same", numbers=())
def _diff(input: Array, n: int, dim: int, prepend: Array | None, append: Array | None):
    if input.ndim == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    place = one_dim(dim, input.ndim)
    parts = [part for part in (prepend, input, append) if part is not None]
    x = jnp.concatenate(parts, place)
    for _ in range(min(n, x.shape[place])):
        later = lax.slice_in_dim(x, 1, None, axis=place)
        earlier = lax.slice_in_dim(x, 0, -1, axis=place)
        x = later ^ earlier if x.dtype == bool else later - earlier
    return x


@public
@numpy_names
def diff(
    input: Tensor,
    n: int = 1,
    dim: int = -1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    """Return the differences of neighbours along a dimension.

    Args:
        n: How many times to take differences.
        prepend: What to put before the elements first.
        append: What to put after the elements first.

    Example:
        >>> import taowa
        >>> taowa.diff(taowa.tensor([1, 3, 6]))
        tensor([2, 3])
    """
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    if n == 0:
        prepend = append = None
    return _diff(input, n, dim, prepend, append)


def _trapezoids(y: Any, x: Any, dx: Any, dim: int) -> Any:
    """Return twice the areas between neighbours along a dimension."""
    place = one_dim(dim, y.ndim)
    heights = lax.slice_in_dim(y, 1, None, axis=place) + lax.slice_in_dim(y, 0, -1, axis=place)
    if x is None:
        return heights * dx
    if x.ndim == 1:
        x = x.reshape([-1 if i == place else 1 for i in range(y.ndim)])
    return heights * jnp.diff(x, axis=x.ndim - y.ndim + place)


@op(name="trapezoid", promote="same", numbers=("dx",))
def _trapezoid(y: Array, x: Array | None, dx: Array, dim: int):
    areas = _trapezoids(y, x, dx, dim)
    return jnp.sum(areas, one_dim(dim, y.ndim), dtype=_scan_dtype(areas, None))


@op(name="cumulative_trapezoid", promote="same", numbers=("dx",))
def _cumulative_trapezoid(y: Array, x: Array | None, dx: Array, dim: int):
    areas = _trapezoids(y, x, dx, dim)
    return jnp.cumsum(areas, one_dim(dim, y.ndim), dtype=_scan_dtype(areas, None))


@public(is_method=False, aliases=("trapz",))
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """Return integrals along a dimension by the trapezoidal rule.

    Args:
        y: Heights.
        x: Positions; at distances `dx` if `None`.

    Example:
        >>> import taowa
        >>> taowa.trapezoid(taowa.tensor([1.0, 2.0, 3.0]))
        tensor(4.)
    """
    return div(_trapezoid(y, x, dx, dim), 2)


@public(is_method=False)
def cumulative_trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1
) -> Tensor:
    """Return the integrals up to each position along a dimension by the trapezoidal rule.

    Example:
        >>> import taowa
        >>> taowa.cumulative_trapezoid(taowa.tensor([1.0, 2.0, 3.0]))
        tensor([1.5000, 4.0000])
    """
    return div(_cumulative_trapezoid(y, x, dx, dim), 2)
