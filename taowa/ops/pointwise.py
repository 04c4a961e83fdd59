"""Element-wise arithmetic."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from taowa.core import autograd
from taowa.core.api import public
from taowa.core.op import Array, Scalar, op
from taowa.core.tensor import Tensor


@op(promote="same")
def _add(input: Array, other: Array):
    return jnp.logical_or(input, other) if input.dtype == bool else input + other


@_add.backward
def _(grad):
    return grad, grad


@op(promote="same")
def _add_scaled(input: Array, other: Array, alpha: Scalar):
    return input + other * alpha


@public(inplace=True)
def add(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """Return `input + alpha * other`, element by element.

    Example:
        >>> import taowa
        >>> taowa.add(taowa.tensor([1, 2]), 10)
        tensor([11, 12])
    """
    return _add(input, other) if alpha.__class__ is int and alpha == 1 else _add_scaled(input, other, alpha)


autograd.add_hook[0] = _add


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
