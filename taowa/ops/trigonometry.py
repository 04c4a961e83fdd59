"""Element-wise trigonometric and hyperbolic functions."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.ops.operands import kind_name
from taowa.ops.precision import wide


def _inverse_root(x: Any) -> Any:
    return lax.rsqrt(x)


@public(inplace=True)
@op(promote="float")
def sin(input: Array):
    """Return the sines of angles in radians.

    Example:
        >>> import taowa
        >>> taowa.sin(taowa.tensor([0.0, 1.0]))
        tensor([0.0000, 0.8415])
    """
    return jnp.sin(input)


@sin.backward
def _(grad, input):
    return grad * jnp.conj(jnp.cos(input))


@public(inplace=True)
@op(promote="float")
def cos(input: Array):
    """Return the cosines of angles in radians.

    Example:
        >>> import taowa
        >>> taowa.cos(taowa.tensor([0.0, 1.0]))
        tensor([1.0000, 0.5403])
    """
    return jnp.cos(input)


@cos.backward
def _(grad, input):
    return -grad * jnp.conj(jnp.sin(input))


@public(inplace=True)
@op(promote="float")
def tan(input: Array):
    """Return the tangents of angles in radians.

    Example:
        >>> import taowa
        >>> taowa.tan(taowa.tensor([0.0, 1.0]))
        tensor([0.0000, 1.5574])
    """
    return jnp.tan(input)


@tan.backward
def _(grad, output):
    return grad * jnp.conj(1 + output * output)


@public(inplace=True, aliases=("arcsin",))
@op(promote="float")
def asin(input: Array):
    """Return the angles in radians whose sines are given, NaN outside [-1, 1].

    Example:
        >>> import taowa
        >>> taowa.asin(taowa.tensor([0.0, 1.0]))
        tensor([0.0000, 1.5708])
    """
    return jnp.arcsin(input)


@asin.backward
def _(grad, input):
    return grad * jnp.conj(_inverse_root(1 - input * input))


@public(inplace=True, aliases=("arccos",))
@op(promote="float")
def acos(input: Array):
    """Return the angles in radians whose cosines are given, NaN outside [-1, 1].

    Example:
        >>> import taowa
        >>> taowa.acos(taowa.tensor([0.0, 1.0]))
        tensor([1.5708, 0.0000])
    """
    return jnp.arccos(input)


@acos.backward
def _(grad, input):
    return -grad * jnp.conj(_inverse_root(1 - input * input))


@public(inplace=True, aliases=("arctan",))
@op(promote="float")
def atan(input: Array):
    """Return the angles in radians whose tangents are given.

    Example:
        >>> import taowa
        >>> taowa.atan(taowa.tensor([0.0, 1.0]))
        tensor([0.0000, 0.7854])
    """
    return jnp.arctan(input)


@atan.backward
def _(grad, input):
    return grad / jnp.conj(1 + input * input)


@public(inplace=True)
@op(promote="float")
def sinh(input: Array):
    """Return the hyperbolic sines.

    Example:
        >>> import taowa
        >>> taowa.sinh(taowa.tensor([0.0, 1.0]))
        tensor([0.0000, 1.1752])
    """
    return jnp.sinh(input)


@sinh.backward
def _(grad, input):
    return grad * jnp.conj(jnp.cosh(input))


@public(inplace=True)
@op(promote="float")
def cosh(input: Array):
    """Return the hyperbolic cosines.

    Example:
        >>> import taowa
        >>> taowa.cosh(taowa.tensor([0.0, 1.0]))
        tensor([1.0000, 1.5431])
    """
    return jnp.cosh(input)


@cosh.backward
def _(grad, input):
    return grad * jnp.conj(jnp.sinh(input))


@public(inplace=True, aliases=("arcsinh",))
@op(promote="float")
def asinh(input: Array):
    """Return the numbers whose hyperbolic sines are given.

    Example:
        >>> import taowa
        >>> taowa.asinh(taowa.tensor([0.0, 1.0]))
        tensor([0.0000, 0.8814])
    """
    return jnp.arcsinh(input)


@asinh.backward
def _(grad, input):
    return grad * jnp.conj(_inverse_root(input * input + 1))


@public(inplace=True, aliases=("arccosh",))
@op(promote="float")
def acosh(input: Array):
    """Return the numbers whose hyperbolic cosines are given, NaN below 1.

    Example:
        >>> import taowa
        >>> taowa.acosh(taowa.tensor([1.0, 2.0]))
        tensor([0.0000, 1.3170])
    """
    return jnp.arccosh(input)


@acosh.backward
def _(grad, input):
    return grad * jnp.conj(_inverse_root(input * input - 1))


@public(inplace=True, aliases=("arctanh",))
@op(promote="float")
def atanh(input: Array):
    """Return the numbers whose hyperbolic tangents are given, NaN outside [-1, 1].

    Example:
        >>> import taowa
        >>> taowa.atanh(taowa.tensor([0.0, 0.5]))
        tensor([0.0000, 0.5493])
    """
    return jnp.arctanh(input)


@atanh.backward
def _(grad, input):
    return grad / jnp.conj(1 - input * input)


@public(inplace=True)
@op(promote="float")
def deg2rad(input: Array):
    """Return angles in degrees as radians.

    Example:
        >>> import taowa
        >>> taowa.deg2rad(taowa.tensor([180.0, 90.0]))
        tensor([3.1416, 1.5708])
    """
    return input * (jnp.pi / 180)


@public(inplace=True)
@op(promote="float")
def rad2deg(input: Array):
    """Return angles in radians as degrees.

    Example:
        >>> import taowa
        >>> taowa.rad2deg(taowa.tensor([3.1416, 0.0]))
        tensor([180.0004,   0.0000])
    """
    return input * (180 / jnp.pi)


@public(inplace=True)
@op(promote="float")
def sinc(input: Array):
    """Return `sin(pi * input) / (pi * input)`, 1 at zero.

    Example:
        >>> import taowa
        >>> taowa.sinc(taowa.tensor([0.0, 0.5]))
        tensor([1.0000, 0.6366])
    """
    x = wide(input) * jnp.pi
    is_zero = x == 0
    return jnp.where(is_zero, 1, jnp.sin(x) / jnp.where(is_zero, 1, x)).astype(input.dtype)


@sinc.backward
def _(grad, input):
    x = input * jnp.pi
    divisor = jnp.where(x == 0, 1, input * x)
    slope = jnp.where(x == 0, 0, (x * jnp.cos(x) - jnp.sin(x)) / divisor)
    return grad * jnp.conj(slope)


@public(inplace=True, aliases=("arctan2",))
@op(promote="float", numbers=())
def atan2(input: Array, other: Array):
    """Return the angles in radians of the points (`other`, `input`), in [-pi, pi].

    Example:
        >>> import taowa
        >>> taowa.atan2(taowa.tensor([1.0, 1.0]), taowa.tensor([1.0, -1.0]))
        tensor([0.7854, 2.3562])
    """
    return jnp.arctan2(input, other)


@atan2.backward
def _(grad, input, other):
    scaled = grad / (input * input + other * other)
    is_origin = (input == 0) & (other == 0)
    scaled = jnp.where(is_origin, 0, scaled)
    return scaled * other, -scaled * input


@public(inplace=True)
@op(promote="same", numbers=())
def hypot(input: Array, other: Array):
    """Return the lengths `sqrt(input**2 + other**2)`, without overflow on the way.

    Example:
        >>> import taowa
        >>> taowa.hypot(taowa.tensor([3.0]), taowa.tensor([4.0]))
        tensor([5.])
    """
    if not jnp.issubdtype(input.dtype, jnp.floating):
        raise NotImplementedError(f"\"hypot_cpu\" not implemented for '{kind_name(input)}'")
    return jnp.hypot(wide(input), wide(other)).astype(input.dtype)


@hypot.backward
def _(grad, input, other, output):
    return grad * (input / output), grad * (other / output)
