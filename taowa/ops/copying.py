"""Copies of tensors, and writing whole values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from taowa import dtypes
from taowa.core.api import NAMES, public
from taowa.core.context import context
from taowa.core.op import Array, Scalar, op
from taowa.core.tensor import Tensor, from_array
from taowa.core.transfer import to_device
from taowa.ops.element_types import checked_number, convert_array, warn_about_real_part


def is_plain(input: Tensor) -> bool:
    """Return whether a value lies on the host and no gradient follows it.

    Example:
        >>> import taowa
        >>> is_plain(taowa.ones(2)), is_plain(taowa.ones(2, requires_grad=True))
        (True, False)
    """
    return input.is_on_host() and (input._tape() is None or not context().grad_enabled)


@op(name="clone")
def _clone(input: Array):
    return jnp.copy(input)


@_clone.backward
def _(grad):
    return grad


@public
def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """Return a copy of the tensor; gradients pass through.

    Example:
        >>> import taowa
        >>> x = taowa.ones(2)
        >>> y = x.clone().fill_(5)
        >>> x
        tensor([1., 1.])
    """
    if is_plain(input):
        return from_array(input.host(), False, input.device)
    return _clone(input)


@op(name="copy_")
def _copied(source: Array, shape: tuple, dtype: Any):
    if jnp.iscomplexobj(source) and not dtype.is_complex and dtype.np.kind != "b":
        source = source.real
    if source.dtype.kind == "f" and dtype.category == dtypes.INTEGRAL and dtype.itemsize < 4:
        source = source.astype(jnp.int32)
    return jnp.broadcast_to(source, shape).astype(dtype.np)


def _require_fit(source: tuple[int, ...], target: tuple[int, ...]) -> None:
    """Raise PyTorch's error unless one shape broadcasts to the other."""
    if len(source) > len(target):
        raise RuntimeError(
            f"output with shape {list(target)} doesn't match the broadcast shape {list(source)}"
        )
    for place, n in enumerate(source, len(target) - len(source)):
        if n not in (1, target[place]):
            raise RuntimeError(
                f"The size of tensor a ({target[place]}) must match the size of tensor b ({n}) "
                f"at non-singleton dimension {place}"
            )


@public(is_function=False)
def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Write the elements of another tensor into this one, broadcast and converted.

    Raises:
        RuntimeError: if the shapes do not fit.

    Example:
        >>> import taowa
        >>> taowa.zeros(2).copy_(taowa.tensor([1, 2]))
        tensor([1., 2.])
    """
    if not isinstance(src, Tensor):
        return fill_(self, src)
    aval = self._aval
    self._require_writable(context())
    _require_fit(src._aval.shape, aval.shape)
    if src.dtype.is_complex and not aval.dtype.is_complex:
        warn_about_real_part()
    if src.device != aval.device:
        src = to_device(src, aval.device)
    if is_plain(src):
        array = convert_array(src.host(), aval.dtype)
        self.set_host(np.broadcast_to(array, aval.shape))
    else:
        copy = _copied(src, tuple(aval.shape), aval.dtype)
        self._write(copy._node(), copy._edge)
    return self


@op(name="fill_")
def _filled(input: Array, value: Scalar):
    return jnp.broadcast_to(value, input.shape).astype(input.dtype)


@_filled.backward
def _(grad):
    return jnp.zeros_like(grad)


@public
def fill_(self: Tensor, value: Any) -> Tensor:
    """Write one value into every element.

    Args:
        value: A number, or a 0-dim tensor through which gradients then flow.

    Raises:
        RuntimeError: if the value is not 0-dim, or the element type does not hold it.

    Example:
        >>> import taowa
        >>> taowa.zeros(2).fill_(3)
        tensor([3., 3.])
    """
    aval = self._aval
    if isinstance(value, Tensor):
        if value.ndim:
            raise RuntimeError(
                "fill_ only supports 0-dimension value tensor but got tensor with "
                f"{value.ndim} dimensions."
            )
        return copy_(self, value)
    number = checked_number(value, aval.dtype)
    self._require_writable(context())
    if self.is_on_host():
        self.set_host(np.full(aval.shape, number))
        return self
    filled = _filled(self.detach(), value)
    self._write(filled._node(), None)
    return self


@public(is_function=False)
def apply_(self: Tensor, callable: Callable) -> Tensor:
    """Write `callable(element)` into each element, one by one on the host.

    Example:
        >>> import taowa
        >>> taowa.ones(2).apply_(lambda x: x + 1)
        tensor([2., 2.])
    """
    found = [callable(x) for x in self.detach().host().reshape(-1).tolist()]
    self.set_host(np.array(found).reshape(self.shape))
    return self


@public(is_function=False)
def map_(self: Tensor, tensor: Tensor, callable: Callable) -> Tensor:
    """Write `callable(element, other)` into each element, one by one on the host.

    Args:
        tensor: Where the others come from; it broadcasts.

    Example:
        >>> import taowa
        >>> taowa.ones(2).map_(taowa.tensor([1.0, 2.0]), lambda a, b: a + b)
        tensor([2., 3.])
    """
    others = np.broadcast_to(tensor.detach().host(), self.shape).reshape(-1).tolist()
    pairs = zip(self.detach().host().reshape(-1).tolist(), others, strict=True)
    self.set_host(np.array([callable(*pair) for pair in pairs]).reshape(self.shape))
    return self


@public(is_method=False)
def fill(input: Tensor, value: Any) -> Tensor:
    """Return one value in the shape, type and place of another tensor.

    Example:
        >>> import taowa
        >>> taowa.fill(taowa.zeros(2), 3)
        tensor([3., 3.])
    """
    return fill_(clone(input), value)


@public
def zero_(self: Tensor) -> Tensor:
    """Write zeros into every element.

    Example:
        >>> import taowa
        >>> taowa.ones(2).zero_()
        tensor([0., 0.])
    """
    return fill_(self, 0)


NAMES.update(detach=Tensor.detach, detach_=Tensor.detach_)
