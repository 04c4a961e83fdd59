"""Parameters and buffers: the tensors that a module owns."""

from __future__ import annotations

from typing import Any

import numpy as np

from taowa.core.tensor import Tensor, from_array
from taowa.dtypes import get_default_dtype

__all__ = ["Buffer", "Parameter"]


class _ParameterMeta(type):
    """Counts a tensor subclass's instance, once wrapped by `Parameter`, as a parameter."""

    def __instancecheck__(cls, instance: Any) -> bool:
        if type.__instancecheck__(cls, instance):
            return True
        return cls is Parameter and isinstance(instance, Tensor) and hasattr(instance, "_is_param")


class Parameter(Tensor, metaclass=_ParameterMeta):
    """Mark a tensor as a module's parameter: assigning it to an attribute registers it.

    The parameter shares its memory with `data`.

    Args:
        data: The values; `None` gives an empty tensor, to be filled through `.data` later.
        requires_grad: Whether `backward` computes a gradient for it.

    Raises:
        RuntimeError: if `requires_grad` is asked for a type without gradients.

    Example:
        >>> import taowa
        >>> from taowa import nn
        >>> nn.Parameter(taowa.ones(2))
        Parameter containing:
        tensor([1., 1.], requires_grad=True)
        >>> class Scale(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.factor = nn.Parameter(taowa.ones(1))
        >>> [name for name, _ in Scale().named_parameters()]
        ['factor']
    """

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        """Return a parameter on the memory of `data`."""
        if data is None:
            data = _empty()
        if requires_grad and not (data.dtype.is_floating_point or data.dtype.is_complex):
            raise RuntimeError(
                "Only Tensors of floating point and complex dtype can require gradients"
            )
        if type(data) is Tensor or type(data) is Parameter:
            return Tensor._make_subclass(cls, data, requires_grad)
        # Another subclass stays what it is; the mark makes isinstance say yes.
        marked: Any = data.detach().requires_grad_(requires_grad)
        marked._is_param = True
        return marked

    def __deepcopy__(self, memo: dict) -> Parameter:
        if id(self) not in memo:
            # The values below a tensor never change, so the copy can start on the same ones.
            values = Tensor._from_node(self._node())
            memo[id(self)] = type(self)(values, self.requires_grad)
        return memo[id(self)]

    def __repr__(self, **kwargs: Any) -> str:
        return "Parameter containing:\n" + super().__repr__(**kwargs)


class _BufferMeta(type):
    """Counts a tensor made by `Buffer` as a buffer, though its class is its data's."""

    def __instancecheck__(cls, instance: Any) -> bool:
        if type.__instancecheck__(cls, instance):
            return True
        return cls is Buffer and isinstance(instance, Tensor) and hasattr(instance, "_is_buffer")


class Buffer(Tensor, metaclass=_BufferMeta):
    """Mark a tensor as a module's buffer: assigning it to an attribute registers it.

    Buffers follow the module to another device or type and are saved with it, but are not trained.
    The result is of the class of `data` and shares its memory.

    Args:
        data: The values; `None` gives an empty tensor.
        persistent: Whether the buffer is part of the module's `state_dict`.

    Example:
        >>> import taowa
        >>> from taowa import nn
        >>> class Shift(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.offset = nn.Buffer(taowa.zeros(1))
        >>> dict(Shift().state_dict())
        {'offset': tensor([0.])}
    """

    persistent: bool

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Any:
        """Return a marked tensor on the memory of `data`."""
        if data is None:
            data = _empty()
        marked: Any = data.detach().requires_grad_(data.requires_grad)
        marked.persistent = persistent
        marked._is_buffer = True
        return marked


def _empty() -> Tensor:
    return from_array(np.empty(0, get_default_dtype().np))
