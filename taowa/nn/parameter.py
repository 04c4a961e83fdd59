"""Parameters and buffers: the tensors that a module owns."""

from __future__ import annotations

from typing import Any

import numpy as np

from taowa.core.device import present
from taowa.core.size import Size
from taowa.core.storage import Storage
from taowa.core.tensor import Tensor, from_array, wrap_storage
from taowa.dtypes import get_default_dtype

__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter"]


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


def _empty(device: Any = None, dtype: Any = None) -> Tensor:
    array = np.empty(0, (dtype or get_default_dtype()).np)
    return from_array(array, device=None if device is None else present(device))


class UninitializedTensorMixin:
    """What parameters and buffers have in common while their shape is not known.

    They have an element type and a device, and can be given others; all else waits for
    `materialize`.
    """

    cls_to_become: type[Tensor]
    requires_grad: bool

    @property
    def _storage(self) -> Storage:
        name = type(self).__name__
        raise ValueError(
            f"Attempted to use an uninitialized parameter ({name}). This error happens when you "
            f"are using a `LazyModule` or explicitly manipulating `torch.nn.parameter.{name}` "
            "objects. When using LazyModules Call `forward` with a dummy batch to initialize the "
            "parameters before calling torch functions"
        )

    @_storage.setter
    def _storage(self, storage: Storage) -> None:
        self.__dict__["_storage"] = storage

    @property
    def _aval(self) -> Any:
        return self.__dict__["_storage"].node.aval

    @property
    def shape(self) -> Size:
        """Raise: there is none yet."""
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually "
            "happens in `load_state_dict` when trying to load an uninitialized parameter into an "
            "initialized one. Call `forward` to initialize the parameters before accessing their "
            "attributes."
        )

    @property
    def data(self) -> Tensor:
        """An empty tensor of the element type and on the device to come."""
        return wrap_storage(self.__dict__["_storage"], None)

    @data.setter
    def data(self, value: Tensor) -> None:
        # What replaces the empty tensor may itself still be without a shape.
        self._storage = value.__dict__["_storage"]

    def materialize(self, shape: tuple[int, ...], device: Any = None, dtype: Any = None) -> None:
        """Become a tensor of that shape, its values undefined.

        Args:
            device: Another device than was asked for at first.
            dtype: Another element type.
        """
        old: Any = self.data
        kind = old.dtype if dtype is None else dtype
        place = old.device if device is None else present(device)
        self._storage = from_array(np.zeros(shape, kind.np), device=place)._storage
        self.__class__ = self.cls_to_become  # type: ignore[assignment]

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Return the same, still without a shape, of another element type or on another device."""
        empty: Any = self.data
        return self._like(empty.to(*args, **kwargs))

    def _like(self, empty: Tensor) -> Any:
        made = Tensor._make_subclass(type(self), empty, self.requires_grad)
        marks = {k: v for k, v in self.__dict__.items() if k in ("persistent", "_is_buffer")}
        made.__dict__.update(marks)
        return made

    def detach(self) -> Any:
        """Return itself: there is nothing on the tape."""
        return self

    def copy_(self, src: Any, non_blocking: bool = False) -> Any:
        """Return itself: only a tensor without a shape can be copied here.

        Raises:
            RuntimeError: if `src` has a shape.
        """
        if not is_lazy(src):
            raise RuntimeError("cannot copy values into a tensor without a shape: materialize it")
        return self

    def share_memory_(self) -> Any:
        """Raise: there is no memory yet."""
        raise RuntimeError(
            "Can't share memory on an uninitialized parameter or buffer. Call `forward` to "
            "initialize the parameters before calling `module.share_memory()`."
        )

    def __repr__(self, **kwargs: Any) -> str:
        return f"<{type(self).__name__}>"

    def __deepcopy__(self, memo: dict) -> Any:
        if id(self) not in memo:
            memo[id(self)] = self._like(self.data)
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return type(self), (self.requires_grad, None, self.data.dtype)


def _converting(name: str) -> Any:
    def convert(self: Any, *args: Any, **kwargs: Any) -> Any:
        return self._like(getattr(self.data, name)(*args, **kwargs))

    convert.__name__ = name
    convert.__doc__ = f"Return the same, still without a shape, after `{name}`."
    return convert


for _name in ("bfloat16", "char", "cpu", "cuda", "double", "float", "half", "int", "long", "short"):
    setattr(UninitializedTensorMixin, _name, _converting(_name))


class UninitializedParameter(UninitializedTensorMixin, Parameter):  # type: ignore[misc]
    """Stand for a parameter whose shape the first batch will tell.

    Args:
        requires_grad: Whether `backward` will compute a gradient for it.

    Example:
        >>> weight = UninitializedParameter()
        >>> weight
        <UninitializedParameter>
        >>> weight.materialize((2, 3))
        >>> weight.shape
        torch.Size([2, 3])
    """

    cls_to_become = Parameter

    def __new__(
        cls, requires_grad: bool = True, device: Any = None, dtype: Any = None
    ) -> UninitializedParameter:
        """Return a parameter without a shape."""
        return Tensor._make_subclass(cls, _empty(device, dtype), requires_grad)


class UninitializedBuffer(UninitializedTensorMixin, Tensor):  # type: ignore[misc]
    """Stand for a buffer whose shape the first batch will tell.

    Args:
        persistent: Whether the buffer is part of the module's `state_dict`.

    Example:
        >>> mean = UninitializedBuffer()
        >>> mean.materialize((3,))
        >>> mean.shape
        torch.Size([3])
    """

    cls_to_become = Tensor
    persistent: bool

    def __new__(
        cls,
        requires_grad: bool = False,
        device: Any = None,
        dtype: Any = None,
        persistent: bool = True,
    ) -> UninitializedBuffer:
        """Return a buffer without a shape."""
        made = Tensor._make_subclass(cls, _empty(device, dtype), requires_grad)
        made.persistent = persistent
        made._is_buffer = True
        return made


def is_lazy(param: Any) -> bool:
    """Return whether a tensor's shape is not known yet.

    Example:
        >>> is_lazy(UninitializedBuffer())
        True
    """
    return isinstance(param, UninitializedTensorMixin)
