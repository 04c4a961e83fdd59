"""Element-wise functions of two or three operands beyond arithmetic."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from taowa.core.api import public
from taowa.core.op import Array, Scalar, op
from taowa.core.tensor import Tensor
from taowa.ops.operands import forbid_backward, kind_name
from taowa.ops.precision import wide
from taowa.ops.return_types import return_type


@public(inplace=True)
@op(promote="float", numbers=("other",))
def copysign(input: Array, other: Array):
    """Return the sizes of `input` with the signs of `other`.

    Example:
        >>> import taowa
        >>> taowa.copysign(taowa.tensor([1.0, -2.0]), -1)
        tensor([-1., -2.])
    """
    return jnp.copysign(input, other)


@copysign.backward
def _(grad, input, output):
    ratio = jnp.where(input == 0, 0, output / jnp.where(input == 0, 1, input))
    return grad * ratio, jnp.zeros_like(grad)


@public(inplace=True)
@op(promote="same", numbers=())
def nextafter(input: Array, other: Array):
    """Return the next representable numbers from `input` towards `other`.

    Example:
        >>> import taowa
        >>> taowa.nextafter(taowa.tensor([1.0]), taowa.tensor([2.0])) > 1
        tensor([True])
    """
    if not jnp.issubdtype(input.dtype, jnp.floating):
        raise NotImplementedError(f"\"nextafter_cpu\" not implemented for '{kind_name(input)}'")
    return lax.nextafter(*jnp.broadcast_arrays(input, other))


@nextafter.backward
def _(grad, input, other):
    return jnp.where(input == other, 0, grad), jnp.zeros_like(grad)


@op(name="heaviside", numbers=())
def _heaviside(input: Array, values: Array):
    if input.dtype != values.dtype:
        raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")
    if jnp.iscomplexobj(input):
        raise RuntimeError("heaviside is not yet implemented for complex tensors.")
    return jnp.where(input == 0, values, (input > 0).astype(input.dtype))


@_heaviside.backward
def _(grad):
    return jnp.zeros_like(grad), jnp.zeros_like(grad)


@public(inplace=True)
def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """Return 0 for negative elements, 1 for positive ones and `values` at zero.

    Raises:
        RuntimeError: if the element types differ.

    Example:
        >>> import taowa
        >>> taowa.heaviside(taowa.tensor([-1.0, 0.0, 2.0]), taowa.tensor([0.5]))
        tensor([0.0000, 0.5000, 1.0000])
    """
    return forbid_backward(_heaviside(input, values), "heaviside")


@public(inplace=True)
@op(promote="float", numbers=())
def ldexp(input: Array, other: Array):
    """Return `input * 2**other`.

    Example:
        >>> import taowa
        >>> taowa.ldexp(taowa.tensor([3.0]), taowa.tensor([2]))
        tensor([12.])
    """
    return (wide(input) * jnp.exp2(wide(other))).astype(input.dtype)


_FREXP = return_type("frexp", "mantissa exponent")


@op(name="frexp")
def _frexp(input: Array):
    if not jnp.issubdtype(input.dtype, jnp.floating):
        raise RuntimeError(
            "torch.frexp() only supports floating-point dtypes, received " + kind_name(input)
        )
    mantissa, exponent = jnp.frexp(input)
    return mantissa, exponent.astype(jnp.int32)


@_frexp.backward
def _(grad, outputs):
    return grad / jnp.exp2(outputs[1].astype(grad.dtype))


@public
def frexp(input: Tensor) -> Any:
    """Return mantissas in (-1, 1) and exponents such that `input = mantissa * 2**exponent`.

    Example:
        >>> import taowa
        >>> taowa.frexp(taowa.tensor([3.0])).mantissa
        tensor([0.7500])
    """
    return _FREXP(*_frexp(input))


def _require_same(name: str, **arrays: Any) -> None:
    input = arrays.pop("input")
    for argument, array in arrays.items():
        if array.dtype != input.dtype:
            raise RuntimeError(
                f"expected dtype {input.dtype.name} for `{argument}` but got dtype "
                f"{array.dtype.name}"
            )
    if not jnp.issubdtype(input.dtype, jnp.inexact):
        raise NotImplementedError(f"\"{name}\" not implemented for '{kind_name(input)}'")


@op(numbers=())
def _lerp_number(input: Array, end: Array, weight: Scalar):
    _require_same("lerp_kernel_scalar", input=input, end=end)
    return _between(input, end, weight)


@op(numbers=())
def _lerp_tensor(input: Array, end: Array, weight: Array):
    _require_same("lerp_kernel_tensor", input=input, end=end, weight=weight)
    return _between(input, end, weight)


def _between(start: Any, end: Any, weight: Any) -> Any:
    """Return the weighted mean, counted from the nearer end so that both ends are exact."""
    near = start + weight * (end - start)
    far = end - (end - start) * (1 - weight)
    return jnp.where(jnp.abs(weight) < 0.5, near, far)


@_lerp_number.backward
def _(grad, weight):
    weight = jnp.conj(weight)
    return grad * (1 - weight), grad * weight


@_lerp_tensor.backward
def _(grad, input, end, weight):
    by_weight = grad * jnp.conj(end - input)
    weight = jnp.conj(weight)
    return grad * (1 - weight), grad * weight, by_weight


@public(inplace=True)
def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """Return `input + weight * (end - input)`, element by element.

    Args:
        weight: A number or a tensor that broadcasts.

    Example:
        >>> import taowa
        >>> taowa.lerp(taowa.tensor([0.0, 10.0]), taowa.tensor([10.0, 20.0]), 0.5)
        tensor([ 5., 15.])
    """
    if isinstance(weight, Tensor):
        return _lerp_tensor(input, end, weight)
    return _lerp_number(input, end, weight)


@public(inplace=True)
@op(promote="same", numbers=())
def addcmul(input: Array, tensor1: Array, tensor2: Array, *, value: Scalar = 1):
    """Return `input + value * tensor1 * tensor2`, element by element.

    Example:
        >>> import taowa
        >>> x = taowa.tensor([1.0, 2.0])
        >>> taowa.addcmul(x, x, x, value=10)
        tensor([11., 42.])
    """
    return input + value.astype(input.dtype) * tensor1 * tensor2


@addcmul.backward
def _(grad, tensor1, tensor2, value):
    scaled = grad * jnp.conj(value)
    return grad, scaled * jnp.conj(tensor2), scaled * jnp.conj(tensor1)


@public(inplace=True)
@op(promote="same", numbers=())
def addcdiv(input: Array, tensor1: Array, tensor2: Array, *, value: Scalar = 1):
    """Return `input + value * tensor1 / tensor2`, element by element.

    Raises:
        RuntimeError: for integer tensors.

    Example:
        >>> import taowa
        >>> x = taowa.tensor([1.0, 2.0])
        >>> taowa.addcdiv(x, x, x, value=10)
        tensor([11., 12.])
    """
    if not jnp.issubdtype(input.dtype, jnp.inexact):
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported; use "
            "(input + value * torch.trunc(tensor1 / tensor2)).to(input.dtype) or a floating type."
        )
    return input + value * (tensor1 / tensor2)


@addcdiv.backward
def _(grad, tensor1, tensor2, value):
    by_first = grad * jnp.conj(value / tensor2)
    return grad, by_first, -by_first * jnp.conj(tensor1 / tensor2)
