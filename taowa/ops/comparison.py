"""Comparisons of elements, the larger and smaller of two, and choices between them."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.operands import kind_name


def _require_order(name: str, array: Any) -> None:
    if jnp.iscomplexobj(array):
        raise NotImplementedError(f"\"{name}_cpu\" not implemented for '{kind_name(array)}'")


@public(inplace=True)
@op(promote="same", numbers=("other",))
def eq(input: Array, other: Array):
    """Return where `input == other`.

    Example:
        >>> import taowa
        >>> taowa.eq(taowa.tensor([1, 2]), 2)
        tensor([False,  True])
    """
    return input == other


@public(inplace=True, aliases=("not_equal",))
@op(promote="same", numbers=("other",))
def ne(input: Array, other: Array):
    """Return where `input != other`.

    Example:
        >>> import taowa
        >>> taowa.ne(taowa.tensor([1, 2]), 2)
        tensor([ True, False])
    """
    return input != other


@public(inplace=True, aliases=("less",))
@op(promote="same", numbers=("other",))
def lt(input: Array, other: Array):
    """Return where `input < other`.

    Example:
        >>> import taowa
        >>> taowa.lt(taowa.tensor([1, 2]), 2)
        tensor([ True, False])
    """
    _require_order("lt", input)
    return input < other


@public(inplace=True, aliases=("less_equal",))
@op(promote="same", numbers=("other",))
def le(input: Array, other: Array):
    """Return where `input <= other`.

    Example:
        >>> import taowa
        >>> taowa.le(taowa.tensor([1, 2, 3]), 2)
        tensor([ True,  True, False])
    """
    _require_order("le", input)
    return input <= other


@public(inplace=True, aliases=("greater",))
@op(promote="same", numbers=("other",))
def gt(input: Array, other: Array):
    """Return where `input > other`.

    Example:
        >>> import taowa
        >>> taowa.gt(taowa.tensor([1, 2, 3]), 2)
        tensor([False, False,  True])
    """
    _require_order("gt", input)
    return input > other


@public(inplace=True, aliases=("greater_equal",))
@op(promote="same", numbers=("other",))
def ge(input: Array, other: Array):
    """Return where `input >= other`.

    Example:
        >>> import taowa
        >>> taowa.ge(taowa.tensor([1, 2, 3]), 2)
        tensor([False,  True,  True])
    """
    _require_order("ge", input)
    return input >= other


@public
@op(promote="same", numbers=())
def maximum(input: Array, other: Array):
    """Return the larger of two elements, NaN if either is.

    Where both are equal, each receives half of the gradient.

    Example:
        >>> import taowa
        >>> taowa.maximum(taowa.tensor([1, 5]), taowa.tensor([3, 2]))
        tensor([3, 5])
    """
    _require_order("maximum", input)
    return jnp.maximum(input, other)


@maximum.backward
def _(grad, input, other):
    shared = jnp.where(input == other, grad / 2, grad)
    return jnp.where(input < other, 0, shared), jnp.where(other < input, 0, shared)


@public
@op(promote="same", numbers=())
def minimum(input: Array, other: Array):
    """Return the smaller of two elements, NaN if either is.

    Where both are equal, each receives half of the gradient.

    Example:
        >>> import taowa
        >>> taowa.minimum(taowa.tensor([1, 5]), taowa.tensor([3, 2]))
        tensor([1, 2])
    """
    _require_order("minimum", input)
    return jnp.minimum(input, other)


@minimum.backward
def _(grad, input, other):
    shared = jnp.where(input == other, grad / 2, grad)
    return jnp.where(input > other, 0, shared), jnp.where(other > input, 0, shared)


@public
@op(promote="same", numbers=())
def fmax(input: Array, other: Array):
    """Return the larger of two elements, the other one where one is NaN.

    Example:
        >>> import taowa
        >>> taowa.fmax(taowa.tensor([1.0, float("nan")]), taowa.tensor([3.0, 2.0]))
        tensor([3., 2.])
    """
    _require_order("fmax", input)
    return jnp.fmax(input, other)


@fmax.backward
def _(grad, input, other):
    is_input = (input >= other) | jnp.isnan(other)
    return jnp.where(is_input, grad, 0), jnp.where(is_input, 0, grad)


@public
@op(promote="same", numbers=())
def fmin(input: Array, other: Array):
    """Return the smaller of two elements, the other one where one is NaN.

    Example:
        >>> import taowa
        >>> taowa.fmin(taowa.tensor([1.0, float("nan")]), taowa.tensor([3.0, 2.0]))
        tensor([1., 2.])
    """
    _require_order("fmin", input)
    return jnp.fmin(input, other)


@fmin.backward
def _(grad, input, other):
    is_input = (input <= other) | jnp.isnan(other)
    return jnp.where(is_input, grad, 0), jnp.where(is_input, 0, grad)


@public(inplace=True, aliases=("clip",))
@op(promote="same", numbers=("min", "max"))
def clamp(input: Array, min: Array | None = None, max: Array | None = None):
    """Return the elements limited to [`min`, `max`].

    Gradients pass inside the limits and on them. Where `min > max` the result is `max`.

    Args:
        min: Limit below, a number or a tensor that broadcasts; `None` = none.
        max: Limit above.

    Raises:
        RuntimeError: if both are `None`.

    Example:
        >>> import taowa
        >>> taowa.clamp(taowa.tensor([-1.0, 0.5, 2.0]), 0, 1)
        tensor([0.0000, 0.5000, 1.0000])
    """
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    if jnp.iscomplexobj(input):
        raise NotImplementedError("clamp is not supported for complex types")
    if min is not None:
        input = jnp.maximum(input, min)
    return input if max is None else jnp.minimum(input, max)


@clamp.backward
def _(grad, input, min, max):
    is_low = False if min is None else input < min
    is_high = False if max is None else input > max
    by_min, by_max = is_low, is_high
    if min is not None and max is not None:
        by_min, by_max = is_low & (min < max), is_high | (max < min)
    return (
        jnp.where(is_low | is_high, 0, grad),
        None if min is None else jnp.where(by_min, grad, 0),
        None if max is None else jnp.where(by_max, grad, 0),
    )


@public(inplace=True)
def clamp_min(input: Any, min: Any) -> Tensor:
    """Return the elements, those below `min` replaced by it.

    Example:
        >>> import taowa
        >>> taowa.clamp_min(taowa.tensor([-1, 2]), 0)
        tensor([0, 2])
    """
    return clamp(input, min)


@public(inplace=True)
def clamp_max(input: Any, max: Any) -> Tensor:
    """Return the elements, those above `max` replaced by it.

    Example:
        >>> import taowa
        >>> taowa.clamp_max(taowa.tensor([-1, 2]), 0)
        tensor([-1,  0])
    """
    return clamp(input, None, max)


@op(name="where", promote="same", promoted=("input", "other"), numbers=("input", "other"))
def _where(condition: Array, input: Array, other: Array):
    if condition.dtype not in (np.bool_, np.uint8):
        raise RuntimeError(
            "where expected condition to be a boolean tensor, but got a tensor with dtype "
            f"{kind_name(condition)}"
        )
    return jnp.where(condition.astype(bool), input, other)


@_where.backward
def _(grad, condition):
    condition = condition.astype(bool)
    return None, jnp.where(condition, grad, 0), jnp.where(condition, 0, grad)


@public(is_method=False)
def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """Return `input` where the condition holds and `other` elsewhere.

    With the condition alone, return the indices of its true elements, as
    `nonzero(condition, as_tuple=True)` does.

    Example:
        >>> import taowa
        >>> x = taowa.tensor([-1.0, 2.0])
        >>> taowa.where(x > 0, x, 0.0)
        tensor([0., 2.])
    """
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)  # type: ignore[attr-defined]
    return _where(condition, input, other)


@public(name="where", is_function=False)
def _where_method(self: Tensor, condition: Tensor, other: Any) -> Tensor:
    """Return this tensor's elements where the condition holds and `other` elsewhere.

    Example:
        >>> import taowa
        >>> x = taowa.tensor([-1.0, 2.0])
        >>> x.where(x > 0, 0.0)
        tensor([0., 2.])
    """
    return _where(condition, self, other)
