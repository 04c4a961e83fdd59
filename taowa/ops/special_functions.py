"""Error functions, gamma functions, Bessel functions and their relatives."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import jax.scipy as jsp  # loads its parts when they are used
import numpy as np
from jax import lax

from taowa.core.api import public
from taowa.core.op import Array, Scalar, op
from taowa.core.tensor import Tensor
from taowa.ops.operands import kind_name
from taowa.ops.precision import wide

_TWO_BY_ROOT_PI = 2 / np.sqrt(np.pi).item()


@public(inplace=True)
@op(promote="float")
def erf(input: Array):
    """Return the error functions, `2 / sqrt(pi)` times the integral of `exp(-t**2)` from 0.

    Example:
        >>> import taowa
        >>> taowa.erf(taowa.tensor([0.0, 1.0]))
        tensor([0.0000, 0.8427])
    """
    return lax.erf(input)


@erf.backward
def _(grad, input):
    return grad * (_TWO_BY_ROOT_PI * jnp.exp(-input * input))


@public(inplace=True)
@op(promote="float")
def erfc(input: Array):
    """Return `1 - erf(input)`, exact for large elements.

    Example:
        >>> import taowa
        >>> taowa.erfc(taowa.tensor([0.0, 1.0]))
        tensor([1.0000, 0.1573])
    """
    return lax.erfc(input)


@erfc.backward
def _(grad, input):
    return grad * (-_TWO_BY_ROOT_PI * jnp.exp(-input * input))


@public(inplace=True)
@op(promote="float")
def erfinv(input: Array):
    """Return the numbers whose error functions are given, NaN outside [-1, 1].

    Example:
        >>> import taowa
        >>> taowa.erfinv(taowa.tensor([0.0, 0.5]))
        tensor([0.0000, 0.4769])
    """
    return lax.erf_inv(input)


@erfinv.backward
def _(grad, output):
    return grad * (jnp.exp(output * output) / _TWO_BY_ROOT_PI)


@public(inplace=True)
@op(promote="float")
def lgamma(input: Array):
    """Return the logarithms of the absolute values of the gamma function.

    Example:
        >>> import taowa
        >>> taowa.lgamma(taowa.tensor([1.0, 4.0]))
        tensor([0.0000, 1.7918])
    """
    x = wide(input)
    # XLA is not exact where the function has its zeros.
    return jnp.where((x == 1) | (x == 2), 0, lax.lgamma(x)).astype(input.dtype)


@lgamma.backward
def _(grad, input):
    return grad * _digamma(input)


def _digamma(x: Any) -> Any:
    return jnp.where(x == 0, jnp.copysign(jnp.inf, -x), lax.digamma(wide(x))).astype(x.dtype)


@public(inplace=True)
@op(promote="float")
def digamma(input: Array):
    """Return the derivatives of the logarithm of the gamma function.

    Example:
        >>> import taowa
        >>> taowa.digamma(taowa.tensor([1.0, 2.0]))
        tensor([-0.5772,  0.4228])
    """
    return _digamma(input)


@digamma.backward
def _(grad, input):
    return grad * _trigamma(input)


def _trigamma(x: Any) -> Any:
    """Return the second derivative of log(gamma), reflected at 1/2."""
    is_low = x < 0.5
    x = wide(x)
    right = jsp.special.zeta(2.0, jnp.where(is_low, 1 - x, x))
    sine = jnp.sin(jnp.pi * x)
    return jnp.where(is_low, (jnp.pi / sine) ** 2 - right, right)


def _polygamma(n: int, x: Any) -> Any:
    if n == 0:
        return _digamma(x)
    if n == 1:
        return _trigamma(x)
    sign = 1.0 if n % 2 else -1.0
    wider = wide(x)
    factorial = np.prod(np.arange(1.0, n + 1)).item()
    return sign * factorial * jsp.special.zeta(jnp.asarray(n + 1.0, wider.dtype), wider)


@op(name="polygamma", promote="float")
def _polygamma_op(input: Array, n: int):
    return _polygamma(n, input).astype(input.dtype)


@_polygamma_op.backward
def _(grad, input, n):
    return grad * _polygamma(n + 1, input)


@public(is_method=False)
def polygamma(n: int, input: Tensor) -> Tensor:
    """Return the derivatives of order `n` of the digamma function.

    Raises:
        RuntimeError: for negative `n`.

    Example:
        >>> import taowa
        >>> taowa.polygamma(1, taowa.tensor([1.0, 0.5]))
        tensor([1.6449, 4.9348])
    """
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    return _polygamma_op(input, int(n))


@public(name="polygamma", is_function=False, inplace=True)
def _polygamma_method(self: Tensor, n: int) -> Tensor:
    """Return the derivatives of order `n` of the digamma function.

    Example:
        >>> import taowa
        >>> taowa.tensor([1.0]).polygamma(1)
        tensor([1.6449])
    """
    return polygamma(n, self)


@public(inplace=True)
@op(promote="float")
def mvlgamma(input: Array, p: int):
    """Return the logarithms of the multivariate gamma function of dimension `p`.

    Example:
        >>> import taowa
        >>> taowa.mvlgamma(taowa.tensor([2.5]), 2)
        tensor([0.8570])
    """
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    x = wide(input)[..., None] - jnp.arange(p, dtype=wide(input).dtype) / 2  # (..., p)
    constant = p * (p - 1) / 4 * np.log(np.pi).item()
    return (lax.lgamma(x).sum(-1) + constant).astype(input.dtype)


@mvlgamma.backward
def _(grad, input, p):
    x = wide(input)[..., None] - jnp.arange(p, dtype=wide(input).dtype) / 2
    return grad * _digamma(x).sum(-1)


@public(inplace=True)
@op(promote="float")
def i0(input: Array):
    """Return the modified Bessel functions of the first kind, order 0.

    Example:
        >>> import taowa
        >>> taowa.i0(taowa.tensor([0.0, 1.0]))
        tensor([1.0000, 1.2661])
    """
    return jsp.special.i0(wide(input)).astype(input.dtype)


@i0.backward
def _(grad, input):
    return grad * jsp.special.i1(wide(input))


@public(inplace=True)
@op(promote="float")
def logit(input: Array, eps: Scalar | None = None):
    """Return `log(input / (1 - input))`, the inverse of the sigmoid function.

    Args:
        eps: Limit the elements to [eps, 1 - eps] first; outside the gradient is zero.

    Example:
        >>> import taowa
        >>> taowa.logit(taowa.tensor([0.5, 0.9]))
        tensor([0.0000, 2.1972])
    """
    x = wide(input)
    if eps is not None:
        x = jnp.clip(x, eps, 1 - eps)
    return jnp.log(x / (1 - x)).astype(input.dtype)


@logit.backward
def _(grad, input, eps):
    slope = 1 / (input * (1 - input))
    if eps is None:
        return grad * jnp.where((input < 0) | (input > 1), jnp.nan, slope)
    return jnp.where((input < eps) | (input > 1 - eps), 0, grad * slope)


@public(inplace=True)
@op(promote="float")
def xlogy(input: Array, other: Array):
    """Return `input * log(other)`, zero where `input` is.

    Example:
        >>> import taowa
        >>> taowa.xlogy(taowa.tensor([0.0, 2.0]), taowa.tensor([0.0, 1.0]))
        tensor([0., 0.])
    """
    is_zero = (input == 0) & ~jnp.isnan(other)
    return jnp.where(is_zero, 0, input * jnp.log(jnp.where(is_zero, 1, other)))


@xlogy.backward
def _(grad, input, other):
    is_flat = (input == 0) & (other <= 0)
    log = jnp.log(jnp.where(is_flat, 1, other))
    return jnp.where(is_flat, 0, grad * log), grad * input / other


def _require_floating(name: str, array: Any) -> None:
    if not jnp.issubdtype(array.dtype, jnp.inexact):
        raise NotImplementedError(f"\"{name}_cpu\" not implemented for '{kind_name(array)}'")


@public
@op(promote="same", numbers=())
def logaddexp(input: Array, other: Array):
    """Return `log(exp(input) + exp(other))`, without overflow on the way.

    Example:
        >>> import taowa
        >>> taowa.logaddexp(taowa.tensor([0.0]), taowa.tensor([1000.0]))
        tensor([1000.])
    """
    _require_floating("logaddexp", input)
    return log_add_exp(input, other)


def log_add_exp(x: Any, y: Any) -> Any:
    """Return `log(exp(x) + exp(y))`, of complex numbers with an angle that is not wrapped.

    Example:
        >>> log_add_exp(jnp.float32(0), jnp.float32(0))
        Array(0.6931472, dtype=float32)
    """
    if not jnp.iscomplexobj(x):
        return jnp.logaddexp(x, y)
    is_first = x.real > y.real
    large, small = jnp.where(is_first, x, y), jnp.where(is_first, y, x)
    is_alone = jnp.isinf(large.real)
    step = jnp.where(is_alone, 0, small - large)
    return large + jnp.where(is_alone, 0, jnp.log1p(jnp.exp(step)))


@logaddexp.backward
def _(grad, input, other):
    first = grad / jnp.conj(1 + jnp.exp(other - input))
    return first, grad / jnp.conj(1 + jnp.exp(input - other))


@public
@op(promote="same", numbers=())
def logaddexp2(input: Array, other: Array):
    """Return `log2(2**input + 2**other)`, without overflow on the way.

    Example:
        >>> import taowa
        >>> taowa.logaddexp2(taowa.tensor([1.0]), taowa.tensor([1.0]))
        tensor([2.])
    """
    _require_floating("logaddexp2", input)
    return jnp.logaddexp2(input, other)


@logaddexp2.backward
def _(grad, input, other):
    return grad / (1 + jnp.exp2(other - input)), grad / (1 + jnp.exp2(input - other))


@public(inplace=True)
@op(promote="same", numbers=())
def igamma(input: Array, other: Array):
    """Return the regularized lower incomplete gamma functions.

    Args:
        input: Shape of the gamma distribution, positive.
        other: Upper limit of the integral, not negative.

    Example:
        >>> import taowa
        >>> taowa.igamma(taowa.tensor([2.0]), taowa.tensor([1.0]))
        tensor([0.2642])
    """
    _require_floating("igamma", input)
    return jsp.special.gammainc(wide(input), wide(other)).astype(input.dtype)


@igamma.backward
def _(grad, input, other):
    return jnp.full_like(grad, jnp.nan), grad * _gamma_density(input, other)


@public(inplace=True)
@op(promote="same", numbers=())
def igammac(input: Array, other: Array):
    """Return the regularized upper incomplete gamma functions.

    Example:
        >>> import taowa
        >>> taowa.igammac(taowa.tensor([2.0]), taowa.tensor([1.0]))
        tensor([0.7358])
    """
    _require_floating("igammac", input)
    return jsp.special.gammaincc(wide(input), wide(other)).astype(input.dtype)


@igammac.backward
def _(grad, input, other):
    return jnp.full_like(grad, jnp.nan), -grad * _gamma_density(input, other)


def _gamma_density(a: Any, x: Any) -> Any:
    """Return the derivative of `igamma` by its second argument."""
    return jnp.exp((a - 1) * jnp.log(x) - x - lax.lgamma(a))
