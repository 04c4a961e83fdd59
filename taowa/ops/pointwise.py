"""Element-wise arithmetic of two operands."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from taowa.core import autograd
from taowa.core.api import public, write_inplace
from taowa.core.op import Array, Scalar, op
from taowa.core.tensor import Tensor
from taowa.ops.operands import (
    forbid_backward,
    is_bool,
    is_exact,
    kind_name,
    require_alpha,
    require_no_bool,
    require_no_bool_alpha,
)
from taowa.ops.precision import wide


@op(promote="same")
def _add(input: Array, other: Array):
    return jnp.logical_or(input, other) if input.dtype == bool else input + other


@_add.backward
def _(grad):
    return grad, grad


@op(promote="same")
def _add_scaled(input: Array, other: Array, alpha: Scalar):
    require_alpha(input, alpha)
    if input.dtype == bool:
        return input | (other & (alpha != 0))
    return input + other * alpha


@_add_scaled.backward
def _(grad, alpha):
    return grad, grad * jnp.conj(alpha)


@public(inplace=True)
def add(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """Return `input + alpha * other`, element by element.

    Example:
        >>> import taowa
        >>> taowa.add(taowa.tensor([1, 2]), 10)
        tensor([11, 12])
    """
    if alpha.__class__ is int and alpha == 1:
        return _add(input, other)
    require_no_bool_alpha(input, other, alpha)
    return _add_scaled(input, other, alpha)


autograd.add_hook[0] = _add


@op(promote="same")
def _sub(input: Array, other: Array):
    return input - other


@_sub.backward
def _(grad):
    return grad, -grad


@op(promote="same")
def _sub_scaled(input: Array, other: Array, alpha: Scalar):
    require_alpha(input, alpha)
    return input - other * alpha


@_sub_scaled.backward
def _(grad, alpha):
    return grad, -grad * jnp.conj(alpha)


@public(inplace=True, aliases=("subtract",))
def sub(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """Return `input - alpha * other`, element by element.

    Raises:
        RuntimeError: for bool tensors.

    Example:
        >>> import taowa
        >>> taowa.sub(taowa.tensor([1, 2]), taowa.tensor([1, 1]), alpha=10)
        tensor([-9, -8])
    """
    require_no_bool(input, other)
    if alpha.__class__ is int and alpha == 1:
        return _sub(input, other)
    require_no_bool_alpha(input, other, alpha)
    return _sub_scaled(input, other, alpha)


@public(is_method=False)
def rsub(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """Return `other - alpha * input`, element by element.

    Example:
        >>> import taowa
        >>> taowa.rsub(taowa.tensor([1, 2]), 10)
        tensor([9, 8])
    """
    if not isinstance(input, Tensor):
        raise TypeError(
            f"rsub(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}"
        )
    return sub(other, input, alpha=alpha)


@public(inplace=True, aliases=("multiply",))
@op(promote="same")
def mul(input: Array, other: Array):
    """Return `input * other`, element by element.

    Example:
        >>> import taowa
        >>> taowa.mul(taowa.tensor([1, 2]), 10)
        tensor([10, 20])
    """
    return input * other


@mul.backward
def _(grad, input, other):
    return grad * jnp.conj(other), grad * jnp.conj(input)


@op(promote="float")
def _true_divide(input: Array, other: Array):
    return input / other


@_true_divide.backward
def _(grad, input, other):
    scaled = grad / jnp.conj(other)
    return scaled, -scaled * jnp.conj(input / other)


@op(promote="same")
def _divide_rounding(input: Array, other: Array, rounding_mode: str):
    if jnp.iscomplexobj(input) or input.dtype == bool:
        raise NotImplementedError(
            f"\"div_{rounding_mode}_cpu\" not implemented for '{kind_name(input)}'"
        )
    x, y = wide(input), wide(other)
    quotient = jnp.trunc(x / y) if rounding_mode == "trunc" else _floor_quotient(x, y)
    return quotient.astype(input.dtype)


@_divide_rounding.backward
def _(grad):
    return jnp.zeros_like(grad), jnp.zeros_like(grad)


def _floor_quotient(x: Any, y: Any) -> Any:
    """Return the exact floor of x / y, which the rounded quotient may miss by one."""
    rest = jnp.fmod(x, y)
    whole = (x - rest) / y
    whole = jnp.where((rest != 0) & ((y < 0) != (rest < 0)), whole - 1, whole)
    floor = jnp.floor(whole)
    floor = jnp.where(whole - floor > 0.5, floor + 1, floor)
    floor = jnp.where(whole == 0, jnp.copysign(jnp.zeros_like(x), x / y), floor)
    return jnp.where(y == 0, x / y, floor)


@op(promote="same")
def _divide_exact(input: Array, other: Array, rounding_mode: str):
    if input.dtype == bool:
        raise NotImplementedError(f"\"div_{rounding_mode}_cpu\" not implemented for 'Bool'")
    if rounding_mode == "trunc":
        return _truncated_quotient(input, other)
    return jnp.floor_divide(input, other)


def _truncated_quotient(x: Any, y: Any) -> Any:
    floor = jnp.floor_divide(x, y)
    return jnp.where((floor < 0) & (floor * y != x), floor + 1, floor)


@_divide_exact.check(lambda _: RuntimeError("ZeroDivisionError"))
def _(other):
    return (other == 0).any()


@public(inplace=True, aliases=("divide",))
def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """Return `input / other`, element by element.

    Args:
        rounding_mode: `None` divides as floating-point numbers, `"trunc"` rounds the quotient
            towards zero, `"floor"` down.

    Raises:
        RuntimeError: if integers are divided by zero with rounding.

    Example:
        >>> import taowa
        >>> x = taowa.tensor([-7, 7])
        >>> x.div(2), x.div(2, rounding_mode="floor")
        (tensor([-3.5000,  3.5000]), tensor([-4,  3]))
    """
    if rounding_mode is None:
        return _true_divide(input, other)
    if rounding_mode not in ("trunc", "floor"):
        raise RuntimeError(
            "div expected rounding_mode to be one of None, 'trunc', or 'floor' "
            f"but found '{rounding_mode}'"
        )
    if is_exact(input) and is_exact(other):
        return _divide_exact(input, other, rounding_mode)
    return _divide_rounding(input, other, rounding_mode)


@public(inplace=True)
def true_divide(input: Any, other: Any) -> Tensor:
    """Return `input / other` as floating-point numbers.

    Example:
        >>> import taowa
        >>> taowa.true_divide(taowa.tensor([1, 2]), 2)
        tensor([0.5000, 1.0000])
    """
    return _true_divide(input, other)


@public(inplace=True)
def floor_divide(input: Any, other: Any) -> Tensor:
    """Return the quotient rounded down, element by element.

    Raises:
        RuntimeError: if integers are divided by zero.

    Example:
        >>> import taowa
        >>> taowa.floor_divide(taowa.tensor([-7, 7]), 2)
        tensor([-4,  3])
    """
    return forbid_backward(div(input, other, rounding_mode="floor"), "floor_divide")


@op(name="remainder", promote="same")
def _remainder(input: Array, other: Array):
    return _modulo(input, other)


@_remainder.backward
def _(grad, input, other):
    return grad, -grad * _floor_quotient(input, other)


@op(name="remainder_exact", promote="same")
def _remainder_exact(input: Array, other: Array):
    return _modulo(input, other)


@_remainder_exact.check(lambda _: RuntimeError("ZeroDivisionError"))
def _(other):
    return (other == 0).any()


def _modulo(x: Any, y: Any) -> Any:
    if jnp.iscomplexobj(x) or x.dtype == bool:
        raise NotImplementedError(f"\"remainder_cpu\" not implemented for '{kind_name(x)}'")
    return jnp.remainder(x, y)


@public(inplace=True)
def remainder(input: Any, other: Any) -> Tensor:
    """Return Python's `input % other`, element by element: it has the sign of `other`.

    Raises:
        RuntimeError: for the remainder of integers by zero.

    Example:
        >>> import taowa
        >>> taowa.remainder(taowa.tensor([-3.0, 3.0]), 2)
        tensor([1., 1.])
    """
    if is_exact(input) and is_exact(other):
        return _remainder_exact(input, other)
    return _remainder(input, other)


@op(name="fmod", promote="same", numbers=("other",))
def _fmod(input: Array, other: Array):
    return _c_modulo(input, other)


@_fmod.backward
def _(grad, input, other):
    return grad, -grad * jnp.trunc(input / other)


@op(name="fmod_exact", promote="same", numbers=("other",))
def _fmod_exact(input: Array, other: Array):
    return _c_modulo(input, other)


@_fmod_exact.check(lambda _: RuntimeError("ZeroDivisionError"))
def _(other):
    return (other == 0).any()


def _c_modulo(x: Any, y: Any) -> Any:
    if jnp.iscomplexobj(x) or x.dtype == bool:
        raise NotImplementedError(f"\"fmod_cpu\" not implemented for '{kind_name(x)}'")
    return jnp.fmod(x, y)


@public(inplace=True)
def fmod(input: Any, other: Any) -> Tensor:
    """Return C's remainder of `input / other`, element by element: it has the sign of `input`.

    Raises:
        RuntimeError: for the remainder of integers by zero.

    Example:
        >>> import taowa
        >>> taowa.fmod(taowa.tensor([-3.0, 3.0]), 2)
        tensor([-1.,  1.])
    """
    if is_exact(input) and is_exact(other):
        return _fmod_exact(input, other)
    return _fmod(input, other)


@op(name="pow", promote="same")
def _pow(input: Array, exponent: Array):
    if input.dtype == bool:
        return input | ~exponent
    if jnp.issubdtype(input.dtype, jnp.integer):
        return _integer_power(input, exponent)
    return jnp.power(input, exponent)


@_pow.backward
def _(grad, input, exponent, output):
    is_zero = exponent == 0
    # The inner `where` keeps 0 * inf out of the gradient of this gradient.
    slope = exponent * jnp.power(input, jnp.where(is_zero, 1, exponent - 1))
    by_input = grad * jnp.conj(jnp.where(is_zero, 0, slope))
    is_flat = (input == 0) & (exponent.real >= 0)
    log = jnp.log(jnp.where(is_flat, 1, input))
    return by_input, grad * jnp.conj(jnp.where(is_flat, 0, output * log))


def _integer_power(x: Any, n: Any) -> Any:
    """Return integer powers; a negative one is 0 except of 1 and -1."""
    power = jnp.power(x, jnp.maximum(n, 0))
    sign = jnp.where(n % 2 == 0, 1, x)
    inverse = jnp.where(x == 1, 1, jnp.where(x == -1, sign, 0)).astype(x.dtype)
    return jnp.where(n < 0, inverse, power)


@public(inplace=True)
@op
def square(input: Array):
    """Return the square of each element.

    Example:
        >>> import taowa
        >>> taowa.square(taowa.tensor([-2.0, 3.0]))
        tensor([4., 9.])
    """
    return input.astype("int64") ** 2 if input.dtype == bool else input * input


@square.backward
def _(grad, input):
    return grad * (2 * jnp.conj(input))


@op
def _cube(input: Array):
    return input.astype("int64") if input.dtype == bool else input * input * input


@_cube.backward
def _(grad, input):
    return grad * (3 * jnp.conj(input * input))


@op
def _square_root(input: Array):
    return jnp.sqrt(input)


@_square_root.backward
def _(grad, output):
    return grad / (2 * jnp.conj(output))


@op
def _inverse(input: Array):
    return 1 / input


@_inverse.backward
def _(grad, output):
    return -grad * jnp.conj(output * output)


_INTEGER_POWERS = {2: square, 3: _cube}
_FLOAT_POWERS = {2.0: square, 3.0: _cube, 0.5: _square_root, -1.0: _inverse}


@public(inplace=True)
def pow(input: Any, exponent: Any) -> Tensor:
    """Return `input` to the power of `exponent`, element by element.

    The gradient where both are zero is zero.

    Raises:
        RuntimeError: for an integer tensor and a negative integer exponent.

    Example:
        >>> import taowa
        >>> taowa.pow(taowa.tensor([1.0, 2.0, 3.0]), 2)
        tensor([1., 4., 9.])
        >>> taowa.pow(2, taowa.tensor([1, 2, 3]))
        tensor([2, 4, 8])
    """
    kind = exponent.__class__
    if kind is float or kind is int:
        floating = isinstance(input, Tensor) and not is_exact(input)
        special = (_FLOAT_POWERS if floating else _INTEGER_POWERS).get(exponent)
        if special is not None and (floating or kind is int):
            return special(input)
        if kind is int and exponent < 0 and not floating:
            raise RuntimeError("Integers to negative integer powers are not allowed.")
    elif isinstance(exponent, Tensor) and is_bool(exponent) and is_bool(input):
        raise NotImplementedError("\"pow\" not implemented for 'Bool'")
    return _pow(input, exponent)


@public
@op
def float_power(input: Array, exponent: Array):
    """Return the power computed in float64 (complex128 for complex operands).

    Example:
        >>> import taowa
        >>> taowa.float_power(taowa.tensor([1, 2, 3]), 2)
        tensor([1., 4., 9.], dtype=torch.float64)
    """
    is_complex = jnp.iscomplexobj(input) or jnp.iscomplexobj(exponent)
    wide = jnp.complex128 if is_complex else jnp.float64
    return jnp.power(input.astype(wide), exponent.astype(wide))


@public(is_function=False)
def float_power_(self: Tensor, exponent: Any) -> Tensor:
    """Write the power, computed in float64, into this tensor and return it.

    Raises:
        RuntimeError: unless the tensor has the type of the result.

    Example:
        >>> import taowa
        >>> taowa.ones(2, dtype=taowa.float64).float_power_(2)
        tensor([1., 1.], dtype=torch.float64)
    """
    result = float_power(self, exponent)
    if result.dtype is not self.dtype:
        raise RuntimeError(
            f"the base given to float_power_ has dtype {self.dtype.name} but the operation's "
            f"result requires dtype {result.dtype.name}"
        )
    return write_inplace(self, result)
