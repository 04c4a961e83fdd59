"""Element-wise functions of one operand: signs, exponentials, logarithms, roots."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.ops.precision import wide

_LN_2, _LN_10 = np.log(2).item(), np.log(10).item()


@public(inplace=True, aliases=("negative",))
@op
def neg(input: Array):
    """Return `-input`.

    Raises:
        RuntimeError: for bool tensors.

    Example:
        >>> import taowa
        >>> taowa.neg(taowa.tensor([1, -2]))
        tensor([-1,  2])
    """
    if input.dtype == bool:
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to "
            "invert a mask, use the `~` or `logical_not()` operator instead."
        )
    return -input


@neg.backward
def _(grad):
    return -grad


@public(inplace=True, aliases=("absolute",))
@op
def abs(input: Array):
    """Return the absolute values; real ones for complex elements. The slope at 0 is 0.

    Example:
        >>> import taowa
        >>> taowa.abs(taowa.tensor([1, -2]))
        tensor([1, 2])
    """
    if input.dtype == bool:
        raise NotImplementedError("\"abs_cpu\" not implemented for 'Bool'")
    return jnp.abs(input)


@abs.backward
def _(grad, input):
    if not jnp.iscomplexobj(input):
        return grad * jnp.sign(input)
    # A quotient, which can be differentiated again; jnp.sign of complex numbers cannot.
    is_zero = input == 0
    return grad * jnp.where(is_zero, 0, input / jnp.abs(jnp.where(is_zero, 1, input)))


@public(inplace=True)
@op(promote="float")
def exp(input: Array):
    """Return `e ** input`.

    Example:
        >>> import taowa
        >>> taowa.exp(taowa.tensor([0.0, 1.0]))
        tensor([1.0000, 2.7183])
    """
    return jnp.exp(input)


@exp.backward
def _(grad, output):
    return grad * jnp.conj(output)


@public(inplace=True)
@op(promote="float")
def log(input: Array):
    """Return the natural logarithms, NaN for negative real elements.

    Example:
        >>> import taowa
        >>> taowa.log(taowa.tensor([1.0, 10.0]))
        tensor([0.0000, 2.3026])
    """
    return jnp.log(input)


@log.backward
def _(grad, input):
    return grad / jnp.conj(input)


@public(inplace=True)
@op(promote="float")
def sqrt(input: Array):
    """Return the square roots.

    Example:
        >>> import taowa
        >>> taowa.sqrt(taowa.tensor([4, 2]))
        tensor([2.0000, 1.4142])
    """
    return jnp.sqrt(input)


@sqrt.backward
def _(grad, output):
    return grad / (2 * jnp.conj(output))


@public(inplace=True)
@op(promote="float")
def rsqrt(input: Array):
    """Return `1 / sqrt(input)`.

    Example:
        >>> import taowa
        >>> taowa.rsqrt(taowa.tensor([4.0, 2.0]))
        tensor([0.5000, 0.7071])
    """
    return lax.rsqrt(input)


@rsqrt.backward
def _(grad, output):
    return -0.5 * grad * jnp.conj(output * output * output)


@public(inplace=True)
@op(promote="float")
def tanh(input: Array):
    """Return the hyperbolic tangents.

    Example:
        >>> import taowa
        >>> taowa.tanh(taowa.tensor([0.0, 1.0]))
        tensor([0.0000, 0.7616])
    """
    return jnp.tanh(input)


@tanh.backward
def _(grad, output):
    return grad * jnp.conj(1 - output * output)


@public(inplace=True)
@op(promote="float")
def sigmoid(input: Array):
    """Return `1 / (1 + exp(-input))`.

    Example:
        >>> import taowa
        >>> taowa.sigmoid(taowa.tensor([0.0, 1.0]))
        tensor([0.5000, 0.7311])
    """
    if jnp.iscomplexobj(input):
        return 1 / (1 + jnp.exp(-input))
    return lax.logistic(wide(input)).astype(input.dtype)


@sigmoid.backward
def _(grad, output):
    return grad * jnp.conj((1 - output) * output)


@public(inplace=True)
@op(promote="float")
def exp2(input: Array):
    """Return `2 ** input`.

    Example:
        >>> import taowa
        >>> taowa.exp2(taowa.tensor([0.0, 3.0]))
        tensor([1., 8.])
    """
    return jnp.exp2(input)


@exp2.backward
def _(grad, output):
    return grad * jnp.conj(output) * _LN_2


@public(inplace=True)
@op(promote="float")
def expm1(input: Array):
    """Return `exp(input) - 1`, exact near zero.

    Example:
        >>> import taowa
        >>> taowa.expm1(taowa.tensor([0.0, 1.0]))
        tensor([0.0000, 1.7183])
    """
    return jnp.expm1(input)


@expm1.backward
def _(grad, output):
    return grad * jnp.conj(output + 1)


@public(inplace=True)
@op(promote="float")
def log1p(input: Array):
    """Return `log(1 + input)`, exact near zero.

    Example:
        >>> import taowa
        >>> taowa.log1p(taowa.tensor([0.0, 1.0]))
        tensor([0.0000, 0.6931])
    """
    return jnp.log1p(input)


@log1p.backward
def _(grad, input):
    return grad / jnp.conj(input + 1)


@public(inplace=True)
@op(promote="float")
def log2(input: Array):
    """Return the logarithms to base 2.

    Example:
        >>> import taowa
        >>> taowa.log2(taowa.tensor([1.0, 8.0]))
        tensor([0., 3.])
    """
    return jnp.log2(input)


@log2.backward
def _(grad, input):
    return grad / (jnp.conj(input) * _LN_2)


@public(inplace=True)
@op(promote="float")
def log10(input: Array):
    """Return the logarithms to base 10.

    Example:
        >>> import taowa
        >>> taowa.log10(taowa.tensor([1.0, 1000.0]))
        tensor([0., 3.])
    """
    return jnp.log10(input)


@log10.backward
def _(grad, input):
    return grad / (jnp.conj(input) * _LN_10)


@public(inplace=True)
@op(promote="float")
def reciprocal(input: Array):
    """Return `1 / input`.

    Example:
        >>> import taowa
        >>> taowa.reciprocal(taowa.tensor([2, 4]))
        tensor([0.5000, 0.2500])
    """
    return 1 / input


@reciprocal.backward
def _(grad, output):
    return -grad * jnp.conj(output * output)


@public(inplace=True)
@op
def nan_to_num(input: Array, nan: Any = None, posinf: Any = None, neginf: Any = None):
    """Return the elements with NaN and infinities replaced.

    Args:
        nan: What replaces NaN; zero if `None`.
        posinf: What replaces infinity; the type's largest number if `None`.
        neginf: What replaces minus infinity; the type's least number if `None`.

    Example:
        >>> import taowa
        >>> taowa.nan_to_num(taowa.tensor([float("nan"), 1.0]))
        tensor([0., 1.])
    """
    if not jnp.issubdtype(input.dtype, jnp.inexact):
        return input
    return jnp.nan_to_num(input, nan=0.0 if nan is None else nan, posinf=posinf, neginf=neginf)


@nan_to_num.backward
def _(grad, input):
    return jnp.where(jnp.isfinite(input), grad, 0)
