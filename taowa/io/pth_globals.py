"""The names that a checkpoint may use, and what each of them makes."""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from typing import Any, Protocol

from taowa import dtypes
from taowa.core.device import device
from taowa.core.size import Size
from taowa.dtypes import dtype
from taowa.errors import LoadError
from taowa.io.file_kind import describe_global
from taowa.io.object_tree import is_plain_key
from taowa.io.pickle_machine import Builder, require_key
from taowa.io.pth_layout import STORAGE_TYPES, Layout, StorageKind, checked_layout

TENSOR_COST = 64  # an honest tensor takes about that many bytes of pickle
# Types of PyTorch's that taowa does not have: float8_e5m2, complex32, qint8, uint4 and their like.
_UNSUPPORTED_TYPE = re.compile(r"(float[48]_|complex32$|bits\d|q?u?int\d)")


class TensorSink(Protocol):
    """What makes tensors while a pickle is read."""

    tensor_type: type

    def tensor(self, layout: Layout, requires_grad: bool) -> Any:
        """Return a tensor for a layout that was found valid."""

    def parameter(self, tensor: Any, requires_grad: bool) -> Any:
        """Return a parameter with the values of a tensor this sink made."""

    def set_attribute(self, tensor: Any, name: str, value: Any) -> None:
        """Give a tensor an attribute of the user's."""


class Globals:
    """Look up the names of a pickle; tensors go to `sink`.

    Example:
        >>> Globals(None).find("torch", "float32")
        torch.float32
    """

    def __init__(self, sink: TensorSink):
        self.table = {**_PLAIN, **_tensor_builders(sink)}

    def find(self, module: str, name: str) -> Any:
        """Return what a name stands for.

        Raises:
            LoadError: if it stands for nothing that may be in a checkpoint.
        """
        found = self.table.get((module, name))
        if found is not None:
            return found
        if module == "torch" and _UNSUPPORTED_TYPE.match(name):
            raise LoadError(
                f"it holds a tensor or type torch.{name}, which taowa does not have; in PyTorch, "
                "convert it with .to(torch.float32) before saving"
            )
        raise LoadError(describe_global(_printable(module), _printable(name)))


def find_nothing(module: str, name: str) -> Any:
    """Refuse every name, for pickles that need none."""
    raise LoadError(f"the name {_printable(module)}.{_printable(name)} where none can be")


def _printable(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name[:120])


# -- plain values -------------------------------------------------------------------------


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise LoadError(message)


def _ordered_dict(pairs: Any = ()) -> OrderedDict:
    _require(type(pairs) is list or pairs == (), "an OrderedDict of something else than pairs")
    made: OrderedDict = OrderedDict()
    items: list[Any] = list(pairs)
    for pair in items:
        fits = isinstance(pair, list | tuple) and len(pair) == 2
        _require(fits, "an OrderedDict of something else than pairs")
        require_key(pair[0])
        made[pair[0]] = pair[1]
    return made


def _counter(counts: Any = None) -> Counter:
    _require(counts is None or type(counts) is dict, "a Counter of something else than a dict")
    return Counter(counts)


def _set(items: Any = ()) -> set:
    _require(type(items) is list or items == (), "a set of something else than a list")
    for item in items:
        require_key(item)
    return set(items)


def _complex(real: Any, imag: Any) -> complex:
    _require(type(real) is float and type(imag) is float, "a complex number of two non-floats")
    return complex(real, imag)


def _encode(text: Any, encoding: Any) -> bytes:
    _require(type(text) is str and encoding == "latin1", "bytes that are not written as latin1")
    try:
        return text.encode("latin1")
    except UnicodeEncodeError:
        raise LoadError("bytes written with characters that are no bytes") from None


def _bytearray(data: Any = b"") -> bytearray:
    _require(type(data) is bytes, f"a bytearray of a {type(data).__name__}")
    return bytearray(data)


def _size(sizes: Any) -> Size:
    fits = type(sizes) is tuple and all(type(n) is int for n in sizes)
    _require(fits, "a torch.Size of something else than integers")
    return Size(sizes)


def _device(kind: Any, index: Any = None) -> device:
    _require(type(kind) is str and kind.isascii() and kind.isalpha(), "a device without a name")
    _require(index is None or (type(index) is int and index >= 0), "a device with a bad index")
    try:
        return device(kind, index)
    except RuntimeError as error:
        raise LoadError(f"the device {kind[:40]!r}, which taowa does not have") from error


def _length(items: Any = ()) -> int:
    return 8 + (4 * len(items) if isinstance(items, list | tuple | dict) else 0)


def _text_length(text: Any = b"", encoding: Any = None) -> int:
    return len(text) if isinstance(text, str | bytes) else 0


def _both_spellings(name: str, builder: Builder) -> dict:
    """Return the entries under the name of Python 2's module and of Python 3's."""
    return {("__builtin__", name): builder, ("builtins", name): builder}


_PLAIN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): Builder(
        "OrderedDict", (0, 1), _ordered_dict, lambda pairs=(): 8 + _length(pairs)
    ),
    ("collections", "Counter"): Builder("Counter", (0, 1), _counter, _length),
    ("_codecs", "encode"): Builder("encode", (2,), _encode, _text_length),
    ("torch", "Size"): Builder("torch.Size", (1,), _size, _length),
    ("torch", "device"): Builder("torch.device", (1, 2), _device, 8),
    **_both_spellings("set", Builder("set", (0, 1), _set, _length)),
    **_both_spellings("complex", Builder("complex", (2,), _complex, 8)),
    **_both_spellings("bytes", Builder("bytes", (0,), bytes)),
    **_both_spellings("bytearray", Builder("bytearray", (0, 1), _bytearray, _text_length)),
    **{("torch", d.name): d for d in dtypes.ALL},
    **{("torch", name): StorageKind(d) for name, d in STORAGE_TYPES.items()},
    **{("torch.cuda", name): StorageKind(d) for name, d in STORAGE_TYPES.items()},
    ("torch.storage", "UntypedStorage"): StorageKind(None),
}


# -- tensors ------------------------------------------------------------------------------


def _tensor_builders(sink: TensorSink) -> dict[tuple[str, str], Builder]:
    """Return the entries that make tensors, bound to what makes them."""

    def old(storage: Any, offset: Any, size: Any, stride: Any) -> Any:
        return sink.tensor(checked_layout(storage, offset, size, stride, None, None), False)

    def typed(*args: Any) -> Any:
        storage, offset, size, stride, requires_grad, hooks, *metadata = args
        layout = checked_layout(storage, offset, size, stride, None, *(metadata or [None]))
        return sink.tensor(layout, _checked_grad(requires_grad, hooks, layout.dtype))

    def untyped(*args: Any) -> Any:
        storage, offset, size, stride, requires_grad, hooks, kind, *metadata = args
        _require(type(kind) is dtype, f"a tensor whose type is a {type(kind).__name__}")
        layout = checked_layout(storage, offset, size, stride, kind, *(metadata or [None]))
        return sink.tensor(layout, _checked_grad(requires_grad, hooks, layout.dtype))

    def parameter(data: Any, requires_grad: Any, hooks: Any, state: Any = None) -> Any:
        _require(type(data) is sink.tensor_type, f"a parameter of a {type(data).__name__}")
        grad = _checked_grad(requires_grad, hooks, data.dtype)
        return _with_attributes(sink, sink.parameter(data, grad), state)

    def of_type(function: Any, kind: Any, arguments: Any, state: Any) -> Any:
        _require(kind is _TENSOR_CLASS, "a tensor of a class that taowa does not have")
        _require(function in rebuilders and type(arguments) is tuple, "a tensor built unusually")
        _require(len(arguments) in function.arity, "a tensor with too many or too few arguments")
        return _with_attributes(sink, function.build(*arguments), state)

    rebuilders = [
        Builder("_rebuild_tensor", (4,), old, TENSOR_COST),
        Builder("_rebuild_tensor_v2", (6, 7), typed, TENSOR_COST),
        Builder("_rebuild_tensor_v3", (7, 8), untyped, TENSOR_COST),
    ]
    parameters = [
        Builder("_rebuild_parameter", (3,), parameter, TENSOR_COST),
        Builder("_rebuild_parameter_with_state", (4,), parameter, TENSOR_COST),
    ]
    table: dict[tuple[str, str], Any] = {
        ("torch._utils", builder.name): builder for builder in rebuilders + parameters
    }
    subclass = Builder("_rebuild_from_type_v2", (4,), of_type, TENSOR_COST)
    table["torch._tensor", "_rebuild_from_type_v2"] = subclass
    table["torch", "Tensor"] = _TENSOR_CLASS
    return table


class _TensorClass:
    """Stands for the name torch.Tensor in the file."""


_TENSOR_CLASS = _TensorClass()


def _checked_grad(requires_grad: Any, hooks: Any, kind: dtype) -> bool:
    _require(type(requires_grad) is bool, "requires_grad that is no bool")
    empty = hooks is None or (isinstance(hooks, dict) and not hooks)
    _require(empty, "a tensor with backward hooks, which are code")
    can = kind.is_floating_point or kind.is_complex
    _require(can or not requires_grad, f"a tensor of type {kind} that requires grad")
    return requires_grad


_OWN_MARKS = ("_is_param", "_is_buffer")


def _with_attributes(sink: TensorSink, tensor: Any, state: Any) -> Any:
    """Set the user's attributes, which PyTorch keeps with a tensor that has some."""
    if isinstance(state, tuple) and len(state) == 2 and not state[1]:
        state = state[0]
    if not state:
        return tensor
    if type(state) is not dict:
        raise LoadError("tensor attributes that are no dict")
    for name, value in state.items():
        allowed = type(name) is str and name.isidentifier() and not hasattr(sink.tensor_type, name)
        private = allowed and name.startswith("_") and name not in _OWN_MARKS
        _require(allowed and not private, f"a tensor attribute named {name!r:.60}")
        _require(is_plain_key(value), f"a tensor attribute {name} of type {type(value).__name__}")
        sink.set_attribute(tensor, name, value)
    return tensor
