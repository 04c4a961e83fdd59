"""Questions about single elements: finite or not, close or not, equal or not."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.operands import kind_name


@public
@op
def isnan(input: Array):
    """Return where elements are NaN.

    Example:
        >>> import taowa
        >>> taowa.isnan(taowa.tensor([1.0, float("nan")]))
        tensor([False,  True])
    """
    return input != input


@public
@op
def isinf(input: Array):
    """Return where elements are infinite.

    Example:
        >>> import taowa
        >>> taowa.isinf(taowa.tensor([1.0, float("-inf")]))
        tensor([False,  True])
    """
    return jnp.isinf(input)


@public
@op
def isfinite(input: Array):
    """Return where elements are neither infinite nor NaN.

    Example:
        >>> import taowa
        >>> taowa.isfinite(taowa.tensor([1.0, float("nan")]))
        tensor([ True, False])
    """
    return jnp.isfinite(input)


@public
@op
def isposinf(input: Array):
    """Return where elements are infinity.

    Example:
        >>> import taowa
        >>> taowa.isposinf(taowa.tensor([float("inf"), float("-inf")]))
        tensor([ True, False])
    """
    if jnp.iscomplexobj(input):
        raise RuntimeError("isposinf does not support complex inputs.")
    return jnp.isposinf(input)


@public
@op
def isneginf(input: Array):
    """Return where elements are minus infinity.

    Example:
        >>> import taowa
        >>> taowa.isneginf(taowa.tensor([float("inf"), float("-inf")]))
        tensor([False,  True])
    """
    if jnp.iscomplexobj(input):
        raise RuntimeError("isneginf does not support complex inputs.")
    return jnp.isneginf(input)


@public
@op
def isreal(input: Array):
    """Return where elements have no imaginary part.

    Example:
        >>> import taowa
        >>> taowa.isreal(taowa.tensor([1 + 1j, 2]))
        tensor([False,  True])
    """
    return jnp.isreal(input)


@op(name="isclose", numbers=("rtol", "atol"))
def _isclose(input: Array, other: Array, rtol: Array, atol: Array, equal_nan: bool):
    if input.dtype != other.dtype:
        raise RuntimeError(f"{kind_name(input)} did not match {kind_name(other)}")
    close = input == other
    if equal_nan:
        close |= (input != input) & (other != other)
    x, y = (input, other) if jnp.issubdtype(input.dtype, jnp.inexact) else _as_doubles(input, other)
    real = jnp.abs(x).dtype
    error, allowed = jnp.abs(x - y), (atol + jnp.abs(rtol * y)).astype(real)
    return close | (jnp.isfinite(error) & (error <= allowed))


def _as_doubles(*arrays: Any) -> tuple:
    return tuple(a.astype(jnp.float64) for a in arrays)


@public
def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Tensor:
    """Return where `|input - other| <= atol + rtol * |other|`.

    Args:
        rtol: Allowed error relative to `other`.
        atol: Allowed absolute error.
        equal_nan: Whether NaN is close to NaN.

    Raises:
        RuntimeError: if the element types differ or a tolerance is negative.

    Example:
        >>> import taowa
        >>> taowa.isclose(taowa.tensor([1.0, 2.0]), taowa.tensor([1.0, 2.1]))
        tensor([ True, False])
    """
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        if tolerance < 0:
            raise RuntimeError(f"{name} must be greater than or equal to zero, but got {tolerance}")
    return _isclose(input, other, rtol, atol, equal_nan)


@public
def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Return whether all elements are close, see `isclose`.

    Example:
        >>> import taowa
        >>> taowa.allclose(taowa.tensor([1.0]), taowa.tensor([1.0 + 1e-7]))
        True
    """
    return bool(isclose(input, other, rtol, atol, equal_nan).host().all())


@op(name="equal", promote="same")
def _equal(input: Array, other: Array):
    return (input == other).all()


@public
def equal(input: Tensor, other: Tensor) -> bool:
    """Return whether two tensors have the same shape and elements.

    Example:
        >>> import taowa
        >>> taowa.equal(taowa.tensor([1, 2]), taowa.tensor([1, 2]))
        True
    """
    for place, value in enumerate((input, other), 1):
        if not isinstance(value, Tensor):
            name = ("input", "other")[place - 1]
            raise TypeError(
                f"equal(): argument '{name}' (position {place}) must be Tensor, "
                f"not {type(value).__name__}"
            )
    if input._aval.shape != other._aval.shape:
        return False
    return bool(_equal(input, other))
