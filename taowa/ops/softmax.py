"""Softmax and its logarithm."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from taowa.core.api import cast, public
from taowa.core.op import Array, Scalar, op
from taowa.core.tensor import Tensor
from taowa.dtypes import dtype as DType
from taowa.ops.dims import one_dim
from taowa.ops.precision import require_floating, wide


def _shifted(input: Any, dim: int) -> tuple[Any, int]:
    """Return the input less its largest value, which keeps exponentials from overflowing."""
    dim = one_dim(dim, input.ndim)
    x = wide(input)
    if input.ndim == 0:
        return x - x, dim
    return x - jnp.max(x, dim, keepdims=True, initial=-jnp.inf), dim


def _sum(x: Any, dim: int) -> Any:
    return jnp.sum(x, dim, keepdims=True) if x.ndim else x


def log_softmax_of(input: Any, dim: int) -> Any:
    """Return `log_softmax` of an array, in the type that its arithmetic is done in."""
    shifted, dim = _shifted(input, dim)
    return shifted - jnp.log(_sum(jnp.exp(shifted), dim))


@op(name="softmax")
def _softmax(input: Array, dim: int):
    require_floating("softmax", input)
    shifted, dim = _shifted(input, dim)
    exponentials = jnp.exp(shifted)
    return (exponentials / _sum(exponentials, dim)).astype(input.dtype)


@_softmax.backward
def _(grad, output, dim):
    y, g = wide(output), wide(grad)
    return y * (g - _sum(g * y, one_dim(dim, y.ndim)))


@op(name="log_softmax")
def _log_softmax(input: Array, dim: int):
    require_floating("log_softmax", input)
    return log_softmax_of(input, dim).astype(input.dtype)


@_log_softmax.backward
def _(grad, output, dim):
    g = wide(grad)
    return g - jnp.exp(wide(output)) * _sum(g, one_dim(dim, g.ndim))


@op(name="softmin")
def _softmin(input: Array, dim: int):
    return _softmax.op.body(-input, dim)


@_softmin.backward
def _(grad, output, dim):
    y, g = wide(output), wide(grad)
    return y * (_sum(g * y, one_dim(dim, y.ndim)) - g)


@public
def softmax(input: Tensor, dim: int, dtype: DType | None = None) -> Tensor:
    """Return exponentials that sum to one along a dimension.

    Args:
        dtype: The type to compute in and to return.

    Example:
        >>> import taowa
        >>> taowa.softmax(taowa.tensor([0.0, 0.0]), 0)
        tensor([0.5000, 0.5000])
    """
    return _softmax(input if dtype is None else cast(input, dtype), dim)


@public
def log_softmax(input: Tensor, dim: int, dtype: DType | None = None) -> Tensor:
    """Return the logarithm of `softmax`, without its underflow.

    Args:
        dtype: The type to compute in and to return.

    Example:
        >>> import taowa
        >>> taowa.log_softmax(taowa.tensor([0.0, 0.0]), 0)
        tensor([-0.6931, -0.6931])
    """
    return _log_softmax(input if dtype is None else cast(input, dtype), dim)


def softmin(input: Tensor, dim: int, dtype: DType | None = None) -> Tensor:
    """Return `softmax` of the negative input.

    Example:
        >>> import taowa
        >>> softmin(taowa.tensor([0.0, 0.0]), 0)
        tensor([0.5000, 0.5000])
    """
    return _softmin(input if dtype is None else cast(input, dtype), dim)


@op(name="gumbel_softmax")
def softmax_of_draws(logits: Array, draws: Array, tau: Scalar, dim: int, hard: bool):
    """Return the softmax of logits with Gumbel noise, made from exponential draws.

    Args:
        draws: Exponentially distributed numbers.
        tau: Temperature.
        hard: Whether the result is one-hot, with the gradient of the soft one.

    Example:
        >>> import taowa
        >>> softmax_of_draws(taowa.tensor([0.0, 2.0]), taowa.ones(2), 1.0, 0, True)
        tensor([0., 1.])
    """
    soft = _softmax.op.body((logits - jnp.log(draws)) / tau, dim)
    if not hard:
        return soft
    dim = one_dim(dim, soft.ndim)
    classes = jnp.arange(soft.shape[dim]).reshape([-1 if i == dim else 1 for i in range(soft.ndim)])
    return (jnp.argmax(soft, dim, keepdims=True) == classes).astype(soft.dtype)


@softmax_of_draws.backward
def _(grad, logits, draws, tau, dim):
    y = _softmax.op.body((logits - jnp.log(draws)) / tau, dim)
    return y * (grad - _sum(grad * y, one_dim(dim, y.ndim))) / tau, None
