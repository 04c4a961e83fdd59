"""Logic: of truth values, of bits, and the integers' common divisors and multiples."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.ops.operands import kind_name


def _require_bits(name: str, array: Any) -> None:
    if jnp.issubdtype(array.dtype, jnp.inexact):
        raise NotImplementedError(f"\"{name}_cpu\" not implemented for '{kind_name(array)}'")


@public(inplace=True)
@op
def logical_not(input: Array):
    """Return where elements are zero.

    Example:
        >>> import taowa
        >>> taowa.logical_not(taowa.tensor([0, 2]))
        tensor([ True, False])
    """
    return input == 0


@public(inplace=True)
@op(numbers=())
def logical_and(input: Array, other: Array):
    """Return where both elements are different from zero.

    Example:
        >>> import taowa
        >>> taowa.logical_and(taowa.tensor([1, 1, 0]), taowa.tensor([2, 0, 0]))
        tensor([ True, False, False])
    """
    return (input != 0) & (other != 0)


@public(inplace=True)
@op(numbers=())
def logical_or(input: Array, other: Array):
    """Return where an element is different from zero.

    Example:
        >>> import taowa
        >>> taowa.logical_or(taowa.tensor([1, 1, 0]), taowa.tensor([2, 0, 0]))
        tensor([ True,  True, False])
    """
    return (input != 0) | (other != 0)


@public(inplace=True)
@op(numbers=())
def logical_xor(input: Array, other: Array):
    """Return where exactly one element is different from zero.

    Example:
        >>> import taowa
        >>> taowa.logical_xor(taowa.tensor([1, 1, 0]), taowa.tensor([2, 0, 0]))
        tensor([False,  True, False])
    """
    return (input != 0) ^ (other != 0)


@public(inplace=True)
@op
def bitwise_not(input: Array):
    """Return the integers with all bits inverted; of bools, their negation.

    Example:
        >>> import taowa
        >>> taowa.bitwise_not(taowa.tensor([0, 5]))
        tensor([-1, -6])
    """
    _require_bits("bitwise_not", input)
    return ~input


@public(inplace=True)
@op(promote="same")
def bitwise_and(input: Array, other: Array):
    """Return the bits set in both operands.

    Example:
        >>> import taowa
        >>> taowa.bitwise_and(taowa.tensor([6]), 3)
        tensor([2])
    """
    _require_bits("bitwise_and", input)
    return input & other


@public(inplace=True)
@op(promote="same")
def bitwise_or(input: Array, other: Array):
    """Return the bits set in either operand.

    Example:
        >>> import taowa
        >>> taowa.bitwise_or(taowa.tensor([6]), 3)
        tensor([7])
    """
    _require_bits("bitwise_or", input)
    return input | other


@public(inplace=True)
@op(promote="same")
def bitwise_xor(input: Array, other: Array):
    """Return the bits set in exactly one operand.

    Example:
        >>> import taowa
        >>> taowa.bitwise_xor(taowa.tensor([6]), 3)
        tensor([5])
    """
    _require_bits("bitwise_xor", input)
    return input ^ other


def _is_too_far(x: Any, count: Any) -> Any:
    """Return where a shift moves every bit out, which C leaves undefined."""
    bits = x.dtype.itemsize * 8
    is_far = count >= bits
    return is_far if jnp.issubdtype(count.dtype, jnp.unsignedinteger) else is_far | (count < 0)


@public(inplace=True)
@op(promote="same")
def bitwise_left_shift(input: Array, other: Array):
    """Return the integers with their bits moved up by `other` places.

    Example:
        >>> import taowa
        >>> taowa.bitwise_left_shift(taowa.tensor([1, 3]), 2)
        tensor([ 4, 12])
    """
    _require_bits("lshift", input)
    if input.dtype == bool:
        raise NotImplementedError("\"lshift_cpu\" not implemented for 'Bool'")
    is_far = _is_too_far(input, other)
    return jnp.where(is_far, 0, jnp.left_shift(input, jnp.where(is_far, 0, other)))


@public(inplace=True)
@op(promote="same")
def bitwise_right_shift(input: Array, other: Array):
    """Return the integers with their bits moved down by `other` places, keeping the sign.

    Example:
        >>> import taowa
        >>> taowa.bitwise_right_shift(taowa.tensor([-8, 8]), 1)
        tensor([-4,  4])
    """
    _require_bits("rshift", input)
    if input.dtype == bool:
        raise NotImplementedError("\"rshift_cpu\" not implemented for 'Bool'")
    is_far = _is_too_far(input, other)
    shifted = jnp.right_shift(input, jnp.where(is_far, 0, other))
    return jnp.where(is_far, jnp.where(input < 0, -1, 0).astype(input.dtype), shifted)


@public(inplace=True)
@op(promote="same", numbers=())
def gcd(input: Array, other: Array):
    """Return the greatest common divisors.

    Example:
        >>> import taowa
        >>> taowa.gcd(taowa.tensor([12, 0]), taowa.tensor([18, 5]))
        tensor([6, 5])
    """
    _require_bits("gcd", input)
    return jnp.gcd(input, other)


@public(inplace=True)
@op(promote="same", numbers=())
def lcm(input: Array, other: Array):
    """Return the least common multiples.

    Example:
        >>> import taowa
        >>> taowa.lcm(taowa.tensor([4, 0]), taowa.tensor([6, 5]))
        tensor([12,  0])
    """
    _require_bits("lcm", input)
    return jnp.lcm(input, other)
