"""Conversions to another element type or device."""

from __future__ import annotations

import builtins
from typing import Any

from taowa import dtypes
from taowa.core.api import cast, public
from taowa.core.context import context
from taowa.core.device import canonical, device
from taowa.core.tensor import Tensor, from_array
from taowa.core.transfer import to_device
from taowa.dtypes import dtype as Dtype
from taowa.ops.copying import clone
from taowa.ops.element_types import as_dtype, convert_array

TYPE_NAMES = {
    "FloatTensor": dtypes.float32, "DoubleTensor": dtypes.float64, "HalfTensor": dtypes.float16,
    "BFloat16Tensor": dtypes.bfloat16, "ByteTensor": dtypes.uint8, "CharTensor": dtypes.int8,
    "ShortTensor": dtypes.int16, "IntTensor": dtypes.int32, "LongTensor": dtypes.int64,
    "BoolTensor": dtypes.bool,
}  # fmt: skip
_NAMES_OF_TYPES = {kind: name for name, kind in TYPE_NAMES.items()} | {
    dtypes.complex64: "ComplexFloatTensor", dtypes.complex128: "ComplexDoubleTensor",
    dtypes.uint16: "UInt16Tensor", dtypes.uint32: "UInt32Tensor", dtypes.uint64: "UInt64Tensor",
}  # fmt: skip
_PYTHON_TYPES = (float, int, bool, complex)


def convert(input: Tensor, dtype: Dtype) -> Tensor:
    """Return a tensor in another element type, itself if it has it.

    A value on the host that no gradient follows is converted there, which compiles nothing.

    Example:
        >>> import taowa
        >>> convert(taowa.tensor([1.7]), dtypes.int64)
        tensor([1])
    """
    if input._aval.dtype is dtype:
        return input
    if input.is_on_host() and (input._tape() is None or not context().grad_enabled):
        return from_array(convert_array(input.host(), dtype), False, input.device)
    return cast(input, dtype)


def _parse(args: tuple) -> tuple[Any, Any, tuple]:
    """Return device, type and the remaining arguments of any form of `to`."""
    if not args:
        return None, None, ()
    first, *rest = args
    if isinstance(first, Tensor):
        return first.device, first.dtype, tuple(rest)
    if first.__class__ is Dtype or first in _PYTHON_TYPES:
        return None, as_dtype(first), tuple(rest)
    place = None if first is None else canonical(first)
    return place, as_dtype(rest[0]) if rest else None, tuple(rest[1:])


@public(is_function=False)
def to(
    self: Tensor,
    *args: Any,
    device: Any = None,
    dtype: Any = None,
    non_blocking: bool = False,
    copy: bool = False,
    memory_format: Any = None,
    other: Tensor | None = None,
) -> Tensor:
    """Return the tensor in another type or on another device, itself if nothing changes.

    Called as `to(dtype)`, `to(device, dtype)` or `to(other)`, each followed by `non_blocking` and
    `copy`.

    Args:
        copy: Return a copy in any case.
        memory_format: Accepted and without effect: the compiler orders memory.

    Example:
        >>> import taowa
        >>> taowa.tensor([1, 2]).to(taowa.float32)
        tensor([1., 2.])
    """
    place, kind, rest = _parse(args if other is None else (other, *args))
    if device is not None:
        place = canonical(device)
    kind = as_dtype(dtype) or kind
    copy = rest[1] if len(rest) > 1 else copy
    result = self if kind is None else convert(self, kind)
    if place is not None and place != result.device:
        result = to_device(result, place)
    return clone(self) if copy and result is self else result


@public(is_function=False)
def cpu(self: Tensor, memory_format: Any = None) -> Tensor:
    """Return the tensor in main memory.

    Example:
        >>> import taowa
        >>> taowa.ones(2).cpu()
        tensor([1., 1.])
    """
    return to_device(self, device("cpu"))


@public(is_function=False)
def cuda(
    self: Tensor, device: Any = None, non_blocking: bool = False, memory_format: Any = None
) -> Tensor:
    """Return the tensor on a GPU.

    Args:
        device: Which one; the first if `None`.

    Raises:
        RuntimeError: if this machine has none.

    Example:
        >>> import taowa
        >>> taowa.ones(2).cuda().device  # doctest: +SKIP
        device(type='cuda', index=0)
    """
    return to_device(self, canonical("cuda" if device is None else device))


@public(is_function=False)
def type(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """Return the name of the tensor's class, or the tensor in another element type.

    Args:
        dtype: An element type, a class such as `FloatTensor` or its name.

    Raises:
        ValueError: for an unknown name.

    Example:
        >>> import taowa
        >>> x = taowa.ones(2)
        >>> x.type(), x.type("torch.LongTensor")
        ('torch.FloatTensor', tensor([1, 1]))
    """
    if dtype is None:
        place = "" if self.device.type == "cpu" else f"{self.device.type}."
        return f"torch.{place}{_NAMES_OF_TYPES[self.dtype]}"
    if isinstance(dtype, str):
        name = dtype.rpartition(".")[2]
        if name not in TYPE_NAMES:
            raise ValueError(f"invalid type: '{dtype}'")
        return convert(self, TYPE_NAMES[name])
    return convert(self, getattr(dtype, "dtype", None) or as_dtype(dtype))  # type: ignore[arg-type]


@public(is_function=False)
def type_as(self: Tensor, other: Tensor) -> Tensor:
    """Return the tensor in the element type of another.

    Example:
        >>> import taowa
        >>> taowa.ones(2).type_as(taowa.tensor([1]))
        tensor([1, 1])
    """
    return convert(self, other.dtype)


def _dtype_and_kind(operand: Any) -> tuple[list, list, list]:
    """Return an operand's element type in the place of its priority in promotion."""
    if not isinstance(operand, Tensor):
        return [], [], [builtins.type(operand)]
    kinds = [operand.dtype]
    return (kinds, [], []) if operand.ndim else ([], kinds, [])


@public(is_method=False)
def result_type(tensor: Any, other: Any) -> Dtype:
    """Return the element type in which an operation on two operands computes.

    Args:
        tensor: A tensor or a number.
        other: A tensor or a number.

    Example:
        >>> import taowa
        >>> taowa.result_type(taowa.tensor([1, 2], dtype=taowa.int32), 1.0)
        torch.float32
    """
    pairs = zip(_dtype_and_kind(tensor), _dtype_and_kind(other), strict=True)
    return dtypes.result_type_of(*[a + b for a, b in pairs])


@public(is_method=False)
def can_cast(from_: Dtype, to: Dtype) -> builtins.bool:
    """Return whether in-place operations convert from one element type to another.

    Example:
        >>> import taowa
        >>> taowa.can_cast(taowa.float64, taowa.float32), taowa.can_cast(taowa.float32, taowa.int64)
        (True, False)
    """
    return from_.category <= to.category


@public(is_method=False)
def typename(obj: Any) -> str:
    """Return the name of a tensor's class, or of any object's.

    Example:
        >>> import taowa
        >>> taowa.typename(taowa.ones(2)), taowa.typename(1)
        ('torch.FloatTensor', 'int')
    """
    if isinstance(obj, Tensor):
        return type(obj)
    kind = builtins.type(obj)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _install(name: str, kind: Dtype) -> None:
    """Give Tensor the method that converts to one element type."""

    def converted(self: Tensor, memory_format: Any = None) -> Tensor:
        return convert(self, kind)

    converted.__name__ = converted.__qualname__ = name
    converted.__doc__ = f"Return the tensor with elements of type {kind.name}."
    public(converted, is_function=False)


for _name, _kind in {
    "float": dtypes.float32, "double": dtypes.float64, "half": dtypes.float16,
    "bfloat16": dtypes.bfloat16, "byte": dtypes.uint8, "char": dtypes.int8,
    "short": dtypes.int16, "int": dtypes.int32, "long": dtypes.int64, "bool": dtypes.bool,
    "cfloat": dtypes.complex64, "cdouble": dtypes.complex128,
}.items():  # fmt: skip
    _install(_name, _kind)
