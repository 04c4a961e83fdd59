"""Norms, distances, and logarithms of sums of exponentials."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.dims import all_dims, as_static, numpy_names
from taowa.ops.element_types import as_dtype
from taowa.ops.operands import kind_name
from taowa.ops.pointwise import sub
from taowa.ops.precision import wide
from taowa.ops.reduction import expand_back


@op(name="logsumexp", promote="float")
def _logsumexp(input: Array, dim: Any, keepdim: bool):
    axis = all_dims(dim, input.ndim)
    x = wide(input)
    if x.size == 0:
        return jnp.log(jnp.sum(jnp.exp(x), axis, keepdims=keepdim)).astype(input.dtype)
    peak = jnp.max(x.real, axis, keepdims=True)
    peak = jnp.where(jnp.isinf(peak), 0, peak)
    total = jnp.log(jnp.sum(jnp.exp(x - peak), axis, keepdims=True)) + peak
    return (total if keepdim else total.squeeze(axis)).astype(input.dtype)


@_logsumexp.backward
def _(grad, input, output, dim, keepdim):
    total = expand_back(output, input, dim, keepdim)
    return expand_back(grad, input, dim, keepdim) * jnp.conj(jnp.exp(input - total))


@public
@numpy_names
def logsumexp(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """Return `log(sum(exp(input)))` along dimensions, without overflow on the way.

    Example:
        >>> import taowa
        >>> taowa.logsumexp(taowa.tensor([100.0, 100.0]), 0)
        tensor(100.6931)
    """
    return _logsumexp(input, as_static(dim), keepdim)


@op(name="norm")
def _norm(input: Array, p: float, dim: Any, keepdim: bool, dtype: Any):
    if not jnp.issubdtype(input.dtype, jnp.inexact):
        raise RuntimeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. "
            f"Got {kind_name(input)}"
        )
    x = input if dtype is None else input.astype(dtype.np)
    axis = all_dims(dim, x.ndim)
    size = jnp.abs(wide(x))
    return _reduce_norm(size, p, axis, keepdim).astype(x.real.dtype)


def _reduce_norm(size: Any, p: float, axis: tuple[int, ...], keepdim: bool) -> Any:
    """Return the norm of numbers that are not negative."""
    if math.isinf(p):
        function, start = (jnp.max, 0.0) if p > 0 else (jnp.min, jnp.inf)
        return function(size, axis, keepdims=keepdim, initial=start)
    if p == 0:
        return jnp.sum(size != 0, axis, keepdims=keepdim, dtype=size.dtype)
    if p == 1:
        return jnp.sum(size, axis, keepdims=keepdim)
    if p == 2:
        return jnp.sqrt(jnp.sum(size * size, axis, keepdims=keepdim))
    return jnp.power(jnp.sum(jnp.power(size, p), axis, keepdims=keepdim), 1 / p)


@_norm.backward
def _(grad, input, output, p, dim, keepdim):
    grad = expand_back(grad, input, dim, keepdim)
    norm = expand_back(output, input, dim, keepdim)
    return norm_gradient(grad, input, norm, p, all_dims(dim, input.ndim))


def norm_gradient(grad: Any, input: Any, norm: Any, p: float, axis: tuple[int, ...]) -> Any:
    """Return the gradient of a norm, zero where the norm is.

    Example:
        >>> norm_gradient(jnp.ones(1), jnp.array([3.0, 4.0]), jnp.array([5.0]), 2.0, (0,))
        Array([0.6, 0.8], dtype=float32)
    """
    direction = jnp.sign(input)
    if p == 0:
        return jnp.zeros_like(input)
    if p == 1:
        return grad * direction
    size = jnp.abs(input)
    if math.isinf(p):
        is_tie = (size == norm) | (jnp.isnan(size) & jnp.isnan(norm))
        return grad * direction * is_tie / jnp.sum(is_tie, axis, keepdims=True)
    is_zero = norm == 0
    divisor = jnp.where(is_zero, 1, norm)
    if p == 2:
        return jnp.where(is_zero, 0, grad * (input / divisor))
    power = jnp.where(size == 0, 0, jnp.power(jnp.where(size == 0, 1, size), p - 1))
    return jnp.where(is_zero, 0, direction * power * (grad / jnp.power(divisor, p - 1)))


@op(name="nuclear_norm")
def _nuclear_norm(input: Array, dim: Any, keepdim: bool):
    rows = jnp.moveaxis(input, all_dims(dim, input.ndim), (-2, -1))
    total = jnp.linalg.svd(rows, compute_uv=False).sum(-1)
    return jnp.expand_dims(total, all_dims(dim, input.ndim)) if keepdim else total


@public
@numpy_names
def norm(
    input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Tensor:
    """Return the norm of all elements, or norms along dimensions.

    Args:
        p: The norm's order: `(sum |x|**p) ** (1 / p)`; infinity for the largest |x|, 0 for the
            number of elements that are not zero, `"fro"` for 2, `"nuc"` for the sum of the
            singular values of a matrix.

    The gradient where the norm is zero is zero.

    Example:
        >>> import taowa
        >>> taowa.norm(taowa.tensor([3.0, 4.0]))
        tensor(5.)
    """
    dim = as_static(dim)
    if p == "nuc":
        return _nuclear_norm(input, (0, 1) if dim is None else dim, keepdim)
    order = 2.0 if p is None or p == "fro" else float(p)
    return _norm(input, order, dim, keepdim, as_dtype(dtype))


@public
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """Return the norm of order `p` of `input - other`.

    Example:
        >>> import taowa
        >>> taowa.dist(taowa.tensor([1.0, 1.0]), taowa.tensor([4.0, 5.0]))
        tensor(5.)
    """
    return _norm(sub(input, other), float(p), None, False, None)


@op(name="renorm")
def _renorm(input: Array, p: float, dim: int, maxnorm: float):
    axis = tuple(i for i in range(input.ndim) if i != dim % input.ndim)
    size = jnp.abs(wide(input))
    norm = _reduce_norm(size, p, axis, True)
    factor = jnp.where(norm > maxnorm, maxnorm / (norm + 1e-7), 1)
    return (wide(input) * factor).astype(input.dtype)


@public(inplace=True)
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Return the tensor with each slice along `dim` scaled down to a norm of at most `maxnorm`.

    Example:
        >>> import taowa
        >>> taowa.renorm(taowa.tensor([[3.0, 4.0], [0.3, 0.4]]), 2, 0, 1)
        tensor([[0.6000, 0.8000],
                [0.3000, 0.4000]])
    """
    if input.ndim < 2:
        raise RuntimeError(
            f"renorm: input needs at least 2 dimensions, got {input.ndim} dimensions"
        )
    return _renorm(input, float(p), dim, float(maxnorm))
