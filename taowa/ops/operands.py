"""Questions that operations ask about their operands before or while they are traced."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from taowa.core.draw_types import pytorch_name
from taowa.core.tensor import Tensor
from taowa.dtypes import FLOATING

_BOOL_MINUS = (
    "Subtraction, the `-` operator, with {} is not supported. If you are trying to invert a "
    "mask, use the `~` or `logical_not()` operator instead."
)
_TWO_BOOLS = (
    "Subtraction, the `-` operator, with two bool tensors is not supported. "
    "Use the `^` or `logical_xor()` operator instead."
)


def kind_name(array: Any) -> str:
    """Return the element type's name in PyTorch's messages.

    Example:
        >>> kind_name(np.zeros(2, np.int64))
        'Long'
    """
    return pytorch_name(np.dtype(array.dtype))


def is_exact(operand: Any) -> bool:
    """Return whether an operand is integral or bool: a tensor or a number.

    Example:
        >>> is_exact(2), is_exact(2.0)
        (True, False)
    """
    if isinstance(operand, Tensor):
        return operand._aval.dtype.category < FLOATING
    return isinstance(operand, int | np.integer | np.bool_)


def is_bool(operand: Any) -> bool:
    """Return whether an operand is a bool tensor or a Python bool.

    Example:
        >>> is_bool(True), is_bool(1)
        (True, False)
    """
    if isinstance(operand, Tensor):
        return operand._aval.dtype.category == 0
    return operand.__class__ is bool


def require_no_bool(input: Any, other: Any) -> None:
    """Raise PyTorch's error for a subtraction with bools.

    Example:
        >>> require_no_bool(1, 2)
    """
    if is_bool(input):
        raise RuntimeError(_TWO_BOOLS if is_bool(other) else _BOOL_MINUS.format("a bool tensor"))
    if is_bool(other):
        raise RuntimeError(_BOOL_MINUS.format("a bool tensor"))


def require_no_bool_alpha(input: Any, other: Any, alpha: Any) -> None:
    """Raise PyTorch's error for a bool multiplier of operands that are not both bool.

    Example:
        >>> require_no_bool_alpha(True, True, True)
    """
    if alpha.__class__ is bool and not (is_bool(input) and is_bool(other)):
        raise RuntimeError("Boolean alpha only supported for Boolean results.")


def require_alpha(input: Any, alpha: Any) -> None:
    """Raise PyTorch's error for a multiplier of higher kind than the result.

    Example:
        >>> require_alpha(jnp.ones(2), jnp.ones(()))
    """
    if jnp.iscomplexobj(alpha) and not jnp.iscomplexobj(input):
        raise RuntimeError(
            "For non-complex input tensors, argument alpha must not be a complex number."
        )
    if jnp.issubdtype(alpha.dtype, jnp.floating) and not jnp.issubdtype(input.dtype, jnp.inexact):
        raise RuntimeError(
            "For integral input tensors, argument alpha must not be a floating point number."
        )


def require_real(name: str, array: Any) -> None:
    """Raise PyTorch's error for complex elements.

    Example:
        >>> require_real("floor", jnp.ones(2))
    """
    if jnp.iscomplexobj(array):
        raise NotImplementedError(f"{name} is not supported for complex inputs")


def forbid_backward(result: Tensor, name: str) -> Tensor:
    """Return a result through which going backward raises PyTorch's error.

    Example:
        >>> import taowa
        >>> x = forbid_backward(taowa.ones(1, requires_grad=True) * 2, "zeta")
        >>> x.backward()
        Traceback (most recent call last):
        RuntimeError: derivative for aten::zeta is not implemented
    """
    if result._edge is not None:
        result._edge.function = lambda *_: _raise_no_derivative(name)
    return result


def _raise_no_derivative(name: str) -> Any:
    raise RuntimeError(f"derivative for aten::{name} is not implemented")
