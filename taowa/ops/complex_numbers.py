"""Complex numbers: their parts, and making them of parts."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.core.views import make_view
from taowa.ops.operands import kind_name


@op
def _read_real(input: Array):
    return input.real


@op
def _write_real(input: Array, part: Array):
    return part + 1j * input.imag


@op
def _read_imag(input: Array):
    return input.imag


@op
def _write_imag(input: Array, part: Array):
    return input.real + 1j * part


def _real_part(array: Any) -> Any:
    return array.real


def _imaginary_part(array: Any) -> Any:
    return array.imag


@public(is_method=False)
def real(input: Tensor) -> Tensor:
    """Return the real parts, as a view; a real tensor is its own.

    Example:
        >>> import taowa
        >>> taowa.real(taowa.tensor([1 + 2j]))
        tensor([1.])
    """
    if not input.dtype.is_complex:
        return input
    return make_view(input, (_read_real.op, ()), (_write_real.op, ()), _real_part)


@public(is_method=False)
def imag(input: Tensor) -> Tensor:
    """Return the imaginary parts, as a view.

    Raises:
        RuntimeError: for a real tensor.

    Example:
        >>> import taowa
        >>> taowa.imag(taowa.tensor([1 + 2j]))
        tensor([2.])
    """
    if not input.dtype.is_complex:
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return make_view(input, (_read_imag.op, ()), (_write_imag.op, ()), _imaginary_part)


Tensor.real = property(real, doc="The real parts, as a view.")  # type: ignore[attr-defined]
Tensor.imag = property(imag, doc="The imaginary parts, as a view.")  # type: ignore[attr-defined]


@op(name="conj")
def _conj(input: Array):
    return jnp.conj(input)


@_conj.backward
def _(grad):
    return jnp.conj(grad)


@public(inplace=True)
def conj_physical(input: Tensor) -> Tensor:
    """Return the complex conjugates.

    Example:
        >>> import taowa
        >>> taowa.conj_physical(taowa.tensor([1 + 2j]))
        tensor([1.-2.j])
    """
    return _conj(input) if input.dtype.is_complex else input


@public
def conj(input: Tensor) -> Tensor:
    """Return the complex conjugates; a real tensor is its own.

    Unlike PyTorch, the result is no view of `input`.

    Example:
        >>> import taowa
        >>> taowa.conj(taowa.tensor([1 + 2j]))
        tensor([1.-2.j])
    """
    return _conj(input) if input.dtype.is_complex else input


@public
def resolve_conj(input: Tensor) -> Tensor:
    """Return the tensor itself: conjugation is never postponed here.

    Example:
        >>> import taowa
        >>> taowa.tensor([1 + 2j]).resolve_conj()
        tensor([1.+2.j])
    """
    return input


@public
def resolve_neg(input: Tensor) -> Tensor:
    """Return the tensor itself: negation is never postponed here.

    Example:
        >>> import taowa
        >>> taowa.tensor([1.0]).resolve_neg()
        tensor([1.])
    """
    return input


@public
def is_conj(input: Tensor) -> bool:
    """Return False: conjugation is never postponed here.

    Example:
        >>> import taowa
        >>> taowa.tensor([1j]).conj().is_conj()
        False
    """
    return False


@public
def is_neg(input: Tensor) -> bool:
    """Return False: negation is never postponed here.

    Example:
        >>> import taowa
        >>> taowa.tensor([1.0]).is_neg()
        False
    """
    return False


@public
@op(promote="float")
def angle(input: Array):
    """Return the angles of complex numbers in radians; of real ones 0 or pi.

    Example:
        >>> import taowa
        >>> taowa.angle(taowa.tensor([1 + 1j, -1]))
        tensor([0.7854, 3.1416])
    """
    if jnp.iscomplexobj(input):
        return jnp.arctan2(input.imag, input.real)
    turned = jnp.where(input < 0, jnp.pi, 0).astype(input.dtype)
    return jnp.where(jnp.isnan(input), input, turned)


@angle.backward
def _(grad, input):
    if not jnp.iscomplexobj(input):
        return jnp.zeros_like(grad)
    size = (input * jnp.conj(input)).real
    is_zero = size == 0
    turned = 1j * input / jnp.where(is_zero, 1, size)
    return jnp.where(is_zero, 0, grad * turned)


def _require_parts(input: Any, other: Any) -> None:
    kinds = [kind_name(a) for a in (input, other)]
    if not all(kind in ("Half", "Float", "Double") for kind in kinds):
        raise RuntimeError(
            "Expected both inputs to be Half, Float or Double tensors but got "
            f"{kinds[0]} and {kinds[1]}"
        )
    if kinds[0] != kinds[1]:
        raise RuntimeError(
            f"Expected object of scalar type {kinds[0]} but got scalar type {kinds[1]} "
            "for second argument"
        )


@public(is_method=False)
@op(numbers=())
def complex(real: Array, imag: Array):
    """Return complex numbers made of real and imaginary parts.

    Raises:
        RuntimeError: unless both parts have the same floating type.

    Example:
        >>> import taowa
        >>> taowa.complex(taowa.tensor([1.0]), taowa.tensor([2.0]))
        tensor([1.+2.j])
    """
    _require_parts(real, imag)
    return jnp.asarray(real) + 1j * imag


@complex.backward
def _(grad):
    return grad.real, grad.imag


@public(is_method=False)
@op(numbers=())
def polar(abs: Array, angle: Array):
    """Return complex numbers made of absolute values and angles in radians.

    Raises:
        RuntimeError: unless both have the same floating type.

    Example:
        >>> import taowa
        >>> taowa.polar(taowa.tensor([2.0]), taowa.tensor([0.0]))
        tensor([2.+0.j])
    """
    _require_parts(abs, angle)
    return abs * jnp.cos(angle) + 1j * (abs * jnp.sin(angle))


@polar.backward
def _(grad, output, angle):
    turn = jnp.cos(angle) + 1j * jnp.sin(angle)
    along = (jnp.conj(grad) * turn).real
    across = (jnp.conj(grad) * 1j * output).real
    return along, across
