"""Rounding of elements, and their signs."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.operands import kind_name, require_real


def _rounded(function: Any, name: str, input: Any) -> Any:
    """Return integers as they are and floating-point numbers rounded."""
    require_real(name, input)
    if input.dtype == bool:
        raise NotImplementedError(f"\"{name}_cpu\" not implemented for 'Bool'")
    return function(input) if jnp.issubdtype(input.dtype, jnp.floating) else input


@public(inplace=True)
@op
def floor(input: Array):
    """Return the largest integers not above the elements; the gradient is zero.

    Example:
        >>> import taowa
        >>> taowa.floor(taowa.tensor([-1.5, 1.5]))
        tensor([-2.,  1.])
    """
    return _rounded(jnp.floor, "floor", input)


@floor.backward
def _(grad):
    return jnp.zeros_like(grad)


@public(inplace=True)
@op
def ceil(input: Array):
    """Return the smallest integers not below the elements; the gradient is zero.

    Example:
        >>> import taowa
        >>> taowa.ceil(taowa.tensor([-1.5, 1.5]))
        tensor([-1.,  2.])
    """
    return _rounded(jnp.ceil, "ceil", input)


@ceil.backward
def _(grad):
    return jnp.zeros_like(grad)


@public(inplace=True, aliases=("fix",))
@op
def trunc(input: Array):
    """Return the elements rounded towards zero; the gradient is zero.

    Example:
        >>> import taowa
        >>> taowa.trunc(taowa.tensor([-1.5, 1.5]))
        tensor([-1.,  1.])
    """
    return _rounded(jnp.trunc, "trunc", input)


@trunc.backward
def _(grad):
    return jnp.zeros_like(grad)


@op(name="round")
def _round(input: Array, decimals: int):
    if decimals == 0:
        return _rounded(jnp.round, "round", input)
    if not jnp.issubdtype(input.dtype, jnp.floating):
        raise NotImplementedError(f"\"round_cpu\" not implemented for '{kind_name(input)}'")
    scale = 10.0 ** (decimals if decimals > 0 else -decimals)
    if decimals > 0:
        return jnp.round(input * scale) / scale
    return jnp.round(input / scale) * scale


@_round.backward
def _(grad):
    return jnp.zeros_like(grad)


@public(inplace=True)
def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """Return the elements rounded to the nearest, halves to even; the gradient is zero.

    Args:
        decimals: How many decimal places to keep; negative = before the point.

    Example:
        >>> import taowa
        >>> taowa.round(taowa.tensor([0.5, 1.5, 2.6]))
        tensor([0., 2., 3.])
    """
    return _round(input, decimals)


@public(inplace=True)
@op
def frac(input: Array):
    """Return what follows the decimal point, with the sign of the element.

    Example:
        >>> import taowa
        >>> taowa.frac(taowa.tensor([1.25, -2.5]))
        tensor([ 0.2500, -0.5000])
    """
    if not jnp.issubdtype(input.dtype, jnp.floating):
        raise NotImplementedError(f"\"frac_cpu\" not implemented for '{kind_name(input)}'")
    return input - jnp.trunc(input)


@frac.backward
def _(grad):
    return grad


@public(inplace=True)
@op
def sign(input: Array):
    """Return -1, 0 or 1 with the sign of each element; the gradient is zero.

    Example:
        >>> import taowa
        >>> taowa.sign(taowa.tensor([-2.0, 0.0, 3.0]))
        tensor([-1.,  0.,  1.])
    """
    if jnp.iscomplexobj(input):
        raise NotImplementedError(
            "Unlike NumPy, torch.sign is not intended to support complex numbers. "
            "Please use torch.sgn instead."
        )
    return _sign(input)


def _sign(x: Any) -> Any:
    """Return the signs of real numbers, 0 for NaN as in PyTorch."""
    return x if x.dtype == bool else jnp.where(jnp.isnan(x), 0, jnp.sign(x)).astype(x.dtype)


@sign.backward
def _(grad):
    return jnp.zeros_like(grad)


@public(inplace=True)
@op
def sgn(input: Array):
    """Return `sign(input)`, for complex elements the number of size 1 in the same direction.

    Example:
        >>> import taowa
        >>> taowa.sgn(taowa.tensor([3 + 4j, 0]))
        tensor([0.6000+0.8000j, 0.0000+0.0000j])
    """
    return jnp.sign(input) if jnp.iscomplexobj(input) else _sign(input)


@sgn.backward
def _(grad, input, output):
    if not jnp.iscomplexobj(input):
        return jnp.zeros_like(grad)
    size = jnp.abs(input)
    inner = (jnp.conj(grad) * output).real
    slope = (grad - inner * output) / jnp.where(size == 0, 1, size)
    return jnp.where(size == 0, 0, slope)


@public
@op
def signbit(input: Array):
    """Return where the sign is negative; that of -0.0 is.

    Example:
        >>> import taowa
        >>> taowa.signbit(taowa.tensor([-0.0, 1.0]))
        tensor([ True, False])
    """
    if jnp.iscomplexobj(input):
        raise NotImplementedError("signbit is not implemented for complex tensors.")
    if jnp.issubdtype(input.dtype, jnp.floating):
        return jnp.signbit(input)
    return jnp.zeros(input.shape, bool) if input.dtype == bool else input < 0


@public
def positive(input: Tensor) -> Tensor:
    """Return the tensor itself.

    Raises:
        RuntimeError: for bool tensors.

    Example:
        >>> import taowa
        >>> taowa.positive(taowa.tensor([-1.0]))
        tensor([-1.])
    """
    if input.dtype.category == 0:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input
