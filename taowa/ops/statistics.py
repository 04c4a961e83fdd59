"""Variances, and the elements at ranks: medians, quantiles, modes."""

from __future__ import annotations

import warnings
from typing import Any

import jax.numpy as jnp
from jax import lax

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.dims import all_dims, as_static, numpy_names, one_dim
from taowa.ops.extremes import put_along, share_among_ties
from taowa.ops.operands import kind_name
from taowa.ops.precision import wide
from taowa.ops.reduction import expand_back, reduced_size
from taowa.ops.return_types import return_type


def _warn_without_freedom(name: str, input: Tensor, dim: Any, correction: float) -> None:
    if reduced_size(input, dim) <= correction:
        warnings.warn(
            f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the "
            "reduction factor (input numel divided by output numel).",
            UserWarning,
            stacklevel=4,
        )


def _moments(input: Any, dim: Any, correction: float, keepdim: bool) -> tuple:
    """Return variance and mean, computed in float32 at least."""
    if not jnp.issubdtype(input.dtype, jnp.inexact):
        raise RuntimeError("std and var only support floating point and complex dtypes")
    x = wide(input)
    axis = all_dims(dim, x.ndim)
    mean = jnp.mean(x, axis, keepdims=True)
    squares = jnp.square(jnp.abs(x - mean))
    freedom = max(reduced_size(input, dim) - correction, 0)
    total = jnp.sum(squares, axis, keepdims=keepdim)
    var = total / jnp.asarray(freedom, total.dtype)
    return var, mean if keepdim else mean.squeeze(axis)


def _real_dtype(input: Any) -> Any:
    return input.real.dtype


@op(name="var")
def _var(input: Array, dim: Any, correction: float, keepdim: bool):
    return _moments(input, dim, correction, keepdim)[0].astype(_real_dtype(input))


@op(name="std")
def _std(input: Array, dim: Any, correction: float, keepdim: bool):
    var = _moments(input, dim, correction, keepdim)[0]
    return jnp.sqrt(var).astype(_real_dtype(input))


@op(name="var_mean")
def _var_mean(input: Array, dim: Any, correction: float, keepdim: bool):
    var, mean = _moments(input, dim, correction, keepdim)
    return var.astype(_real_dtype(input)), mean.astype(input.dtype)


@op(name="std_mean")
def _std_mean(input: Array, dim: Any, correction: float, keepdim: bool):
    var, mean = _moments(input, dim, correction, keepdim)
    return jnp.sqrt(var).astype(_real_dtype(input)), mean.astype(input.dtype)


def _var_gradient(grad: Any, input: Any, dim: Any, correction: float, keepdim: bool) -> Any:
    """Return the gradient of the variance: twice the distance from the mean."""
    freedom = jnp.asarray(max(reduced_size(input, dim) - correction, 0), grad.dtype)
    centred = input - jnp.mean(input, all_dims(dim, input.ndim), keepdims=True)
    return expand_back(grad, input, dim, keepdim) * (2 / freedom) * centred


def _of_root(grad: Any, std: Any) -> Any:
    """Return the gradient towards the variance; 0 where that is 0."""
    return jnp.where(std == 0, 0, grad / (2 * jnp.where(std == 0, 1, std)))


def _mean_gradient(grad: Any, input: Any, dim: Any, keepdim: bool) -> Any:
    each = expand_back(grad, input, dim, keepdim) / (reduced_size(input, dim) or 1)
    return jnp.broadcast_to(each, input.shape)


@_var.backward
def _(grad, input, dim, correction, keepdim):
    return _var_gradient(grad, input, dim, correction, keepdim)


@_std.backward
def _(grad, input, output, dim, correction, keepdim):
    return _var_gradient(_of_root(grad, output), input, dim, correction, keepdim)


@_var_mean.backward
def _(grads, input, dim, correction, keepdim):
    by_var, by_mean = grads
    total = jnp.zeros_like(input)
    if by_var is not None:
        total += _var_gradient(by_var, input, dim, correction, keepdim).astype(input.dtype)
    if by_mean is not None:
        total += _mean_gradient(by_mean, input, dim, keepdim)
    return total


@_std_mean.backward
def _(grads, input, outputs, dim, correction, keepdim):
    by_std, by_mean = grads
    total = jnp.zeros_like(input)
    if by_std is not None:
        by_var = _of_root(by_std, outputs[0])
        total += _var_gradient(by_var, input, dim, correction, keepdim).astype(input.dtype)
    if by_mean is not None:
        total += _mean_gradient(by_mean, input, dim, keepdim)
    return total


def _arguments(dim: Any, unbiased: Any, correction: Any) -> tuple[Any, float]:
    """Return dimensions and correction from any of PyTorch's forms; `var(x, False)` is one."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    return as_static(dim), correction


@public
@numpy_names
def var(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> Tensor:  # fmt: skip
    """Return the variance of all elements, or variances along dimensions.

    Args:
        unbiased: Whether to divide by `n - 1` instead of `n`; true by default.
        correction: What to subtract from `n`, instead of `unbiased`.

    Example:
        >>> import taowa
        >>> taowa.var(taowa.tensor([1.0, 2.0, 3.0]))
        tensor(1.)
    """
    dim, correction = _arguments(dim, unbiased, correction)
    _warn_without_freedom("var", input, dim, correction)
    return _var(input, dim, correction, keepdim)


@public
@numpy_names
def std(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> Tensor:  # fmt: skip
    """Return the standard deviation of all elements, or along dimensions; see `var`.

    The gradient where all elements are equal is zero.

    Example:
        >>> import taowa
        >>> taowa.std(taowa.tensor([[1.0, 2.0, 3.0]]), 1)
        tensor([1.])
    """
    dim, correction = _arguments(dim, unbiased, correction)
    _warn_without_freedom("std", input, dim, correction)
    return _std(input, dim, correction, keepdim)


@public(is_method=False)
@numpy_names
def var_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return variance and mean, of all elements or along dimensions; see `var`.

    Example:
        >>> import taowa
        >>> taowa.var_mean(taowa.tensor([1.0, 2.0, 3.0]))
        (tensor(1.), tensor(2.))
    """
    dim, correction = _arguments(dim, unbiased, correction)
    _warn_without_freedom("var_mean", input, dim, correction)
    return _var_mean(input, dim, correction, keepdim)


@public(is_method=False)
@numpy_names
def std_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return standard deviation and mean, of all elements or along dimensions; see `var`.

    Example:
        >>> import taowa
        >>> taowa.std_mean(taowa.tensor([1.0, 2.0, 3.0]))
        (tensor(1.), tensor(2.))
    """
    dim, correction = _arguments(dim, unbiased, correction)
    _warn_without_freedom("std_mean", input, dim, correction)
    return _std_mean(input, dim, correction, keepdim)


def _middle(input: Any, ignore_nan: bool) -> tuple:
    """Return the lower median of each row and its index; a NaN is the median unless ignored."""
    if input.ndim == 0:
        return input, jnp.zeros((), jnp.int64)
    order = jnp.argsort(input, -1, stable=True)
    is_nan = jnp.isnan(input)
    count = jnp.sum(~is_nan, -1, dtype=jnp.int64)
    place = jnp.maximum(count - 1, 0) // 2 if ignore_nan else (input.shape[-1] - 1) // 2
    index = jnp.take_along_axis(order, jnp.broadcast_to(place, count.shape)[..., None], -1)
    index = index.squeeze(-1)
    if not ignore_nan:
        index = jnp.where(is_nan.any(-1), jnp.argmax(is_nan, -1), index)
    return jnp.take_along_axis(input, index[..., None], -1).squeeze(-1), index


def _require_order(name: str, input: Any) -> None:
    if jnp.iscomplexobj(input) or input.dtype == bool:
        raise NotImplementedError(f"\"{name}\" not implemented for '{kind_name(input)}'")


@op(name="median")
def _median(input: Array, ignore_nan: bool):
    _require_order("median_cpu", input)
    if input.size == 0:
        return jnp.full((), jnp.nan if input.dtype.kind not in "iu" else jnp.iinfo(input.dtype).min,
                        input.dtype)  # fmt: skip
    return _middle(input.reshape(-1), ignore_nan)[0]


@_median.backward
def _(grad, input, output):
    return share_among_ties(grad, input, output, None, False)


@op(name="median_dim")
def _median_dim(input: Array, dim: int, keepdim: bool, ignore_nan: bool):
    place = one_dim(dim, input.ndim)
    _require_order("median_out", input)
    if input.ndim and input.shape[place] == 0:
        raise IndexError(f"median(): Expected reduction dim {place} to have non-zero size.")
    values, index = _middle(jnp.moveaxis(input, place, -1) if input.ndim else input, ignore_nan)
    if keepdim and input.ndim:
        return jnp.expand_dims(values, place), jnp.expand_dims(index, place)
    return values, index


@_median_dim.backward
def _(grad, outputs, input, dim, keepdim):
    return put_along(grad, outputs[1], input, one_dim(dim, input.ndim), keepdim)


_MEDIAN = return_type("median", "values indices")
_NANMEDIAN = return_type("nanmedian", "values indices")
_MODE = return_type("mode", "values indices")


@public
@numpy_names
def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the median of all elements, or the medians along a dimension and where they are.

    Of an even number of elements the lower of the middle ones is the median; NaN if there is one.

    Example:
        >>> import taowa
        >>> taowa.median(taowa.tensor([4, 1, 3, 2]))
        tensor(2)
    """
    if dim is None:
        return _median(input, False)
    return _MEDIAN(*_median_dim(input, dim, keepdim, False))


@public
@numpy_names
def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return medians as `median` does, of the elements that are not NaN.

    Example:
        >>> import taowa
        >>> taowa.nanmedian(taowa.tensor([4.0, float("nan"), 3.0]))
        tensor(3.)
    """
    if dim is None:
        return _median(input, True)
    return _NANMEDIAN(*_median_dim(input, dim, keepdim, True))


@op(name="mode")
def _mode(input: Array, dim: int, keepdim: bool):
    place = one_dim(dim, input.ndim)
    if input.ndim == 0:
        return input, jnp.zeros((), jnp.int64)
    if input.shape[place] == 0:
        raise IndexError(f"mode(): Expected reduction dim {place} to have non-zero size.")
    rows = jnp.moveaxis(input, place, -1)
    inputs = jnp.sort(rows, -1)
    position = lax.broadcasted_iota(jnp.int64, rows.shape, rows.ndim - 1)
    is_new = jnp.concatenate(
        [jnp.ones_like(inputs[..., :1], bool), inputs[..., 1:] != inputs[..., :-1]], -1
    )
    started = lax.cummax(jnp.where(is_new, position, 0), rows.ndim - 1)
    longest = jnp.argmax(position - started, -1)[..., None]
    values = jnp.take_along_axis(inputs, longest, -1)
    index = jnp.max(jnp.where(rows == values, position, 0), -1)
    values = values.squeeze(-1)
    if keepdim:
        return jnp.expand_dims(values, place), jnp.expand_dims(index, place)
    return values, index


@_mode.backward
def _(grad, outputs, input, dim, keepdim):
    return put_along(grad, outputs[1], input, one_dim(dim, input.ndim), keepdim)


@public
@numpy_names
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> Any:
    """Return the most frequent elements along a dimension, and where they are last.

    Of several equally frequent ones the smallest is returned.

    Example:
        >>> import taowa
        >>> taowa.mode(taowa.tensor([3, 1, 2, 1])).values
        tensor(1)
    """
    return _MODE(*_mode(input, dim, keepdim))
