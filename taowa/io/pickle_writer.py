"""Writing plain values with the few pickle opcodes that state dicts use."""

from __future__ import annotations

import struct
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from taowa.core.device import device
from taowa.core.size import Size
from taowa.dtypes import dtype
from taowa.io.object_tree import is_plain_key
from taowa.io.pickle_machine import Limits

BATCH = 1000  # items put on the stack at once
MAX_DEPTH = Limits.depth


class Pickler:
    """Write one object in pickle protocol 2; a subclass adds types of its own in `emit_other`.

    Raises:
        TypeError: naming the first value that cannot be saved, and where it is.
        ValueError: if the object contains itself or nests too deep.

    Example:
        >>> import pickle
        >>> pickle.loads(Pickler().dump({"a": [1, 2.5]}))
        {'a': [1, 2.5]}
    """

    def __init__(self):
        self.out = bytearray()
        self.memo: dict[Any, int] = {}
        self.alive: list[Any] = []  # an object whose id is in the memo must not die
        self.open_ids: set[int] = set()
        self.path: list[str] = []

    def dump(self, obj: Any) -> bytes:
        """Return the pickle of `obj`."""
        self.out += b"\x80\x02"
        self.emit(obj)
        self.out += b"."
        return bytes(self.out)

    # -- any object -----------------------------------------------------------------------

    def emit(self, obj: Any) -> None:
        """Write an object, or a reference to it if it was written before."""
        kind = type(obj)
        simple = _SIMPLE.get(kind)
        if simple is not None:
            simple(self, obj)
            return
        if id(obj) in self.open_ids:
            raise ValueError(f"cannot save {self.where()}: a {kind.__name__} that contains itself")
        if self.get(id(obj)):
            return
        container = _CONTAINERS.get(kind)
        if container is None:
            self.emit_other(obj)
            return
        if len(self.open_ids) >= MAX_DEPTH:
            raise ValueError(f"cannot save {self.where()}: nested deeper than {MAX_DEPTH}")
        self.open_ids.add(id(obj))
        container(self, obj)
        self.open_ids.discard(id(obj))

    def emit_other(self, obj: Any) -> None:
        """Write an object of another type, or refuse it."""
        raise TypeError(explain_type(obj, self.where()))

    def _emit_at(self, step: str, obj: Any) -> None:
        self.path.append(step)
        self.emit(obj)
        self.path.pop()

    def where(self) -> str:
        """Return the place of the object at hand, for messages."""
        return "obj" + "".join(self.path)

    def get(self, key: Any) -> bool:
        """Write a reference to an entry of the memo and return True, if it is there."""
        index = self.memo.get(key)
        if index is None:
            return False
        self.out += b"h%c" % index if index < 256 else b"j" + struct.pack("<I", index)
        return True

    def put(self, key: Any, obj: Any = None) -> None:
        """Note the value just written in the memo."""
        index = self.memo[key] = len(self.memo)
        self.alive.append(obj)
        self.out += b"q%c" % index if index < 256 else b"r" + struct.pack("<I", index)

    def name(self, module: str, name: str) -> None:
        """Write a name, which the reader looks up."""
        key = ("global", module, name)
        if not self.get(key):
            self.out += f"c{module}\n{name}\n".encode()
            self.put(key)

    # -- plain values ---------------------------------------------------------------------

    def _none(self, _: None) -> None:
        self.out += b"N"

    def _bool(self, value: bool) -> None:
        self.out += b"\x88" if value else b"\x89"

    def _int(self, value: int) -> None:
        if 0 <= value < 1 << 8:
            self.out += struct.pack("<cB", b"K", value)
        elif 0 <= value < 1 << 16:
            self.out += struct.pack("<cH", b"M", value)
        elif -(1 << 31) <= value < 1 << 31:
            self.out += struct.pack("<ci", b"J", value)
        else:
            length = value.bit_length() // 8 + 1
            if length > 255:
                raise OverflowError(
                    f"cannot save {self.where()}: an int of {value.bit_length()} bits; "
                    "at most 2039 fit"
                )
            self.out += b"\x8a%c" % length + value.to_bytes(length, "little", signed=True)

    def _float(self, value: float) -> None:
        self.out += struct.pack(">cd", b"G", value)

    def _str(self, value: str) -> None:
        key = ("str", value)
        if not self.get(key):
            self._text(value)
            self.put(key)

    def _text(self, value: str) -> None:
        raw = value.encode("utf-8", "surrogatepass")
        self.out += b"X" + struct.pack("<I", len(raw)) + raw

    def _complex(self, value: complex) -> None:
        self.name("__builtin__", "complex")
        self._float(value.real)
        self._float(value.imag)
        self.out += b"\x86R"

    def _bytes(self, value: bytes) -> None:
        key = ("bytes", value)
        if not self.get(key):
            self._encoded(value)
            self.put(key)

    def _bytearray(self, value: bytearray) -> None:
        if not self.get(id(value)):
            self.name("__builtin__", "bytearray")
            self._encoded(value)
            self.out += b"\x85R"
            self.put(id(value), value)

    def _encoded(self, value: bytes | bytearray) -> None:
        self.name("_codecs", "encode")
        self._text(value.decode("latin1"))
        self._str("latin1")
        self.out += b"\x86R"

    def _size(self, value: Size) -> None:
        self.name("torch", "Size")
        self.ints(value)
        self.out += b"\x85R"

    def _dtype(self, value: dtype) -> None:
        self.name("torch", value.name)

    def _device(self, value: device) -> None:
        self.name("torch", "device")
        self._str(value.type)
        if value.index is None:
            self.out += b"\x85R"
        else:
            self._int(value.index)
            self.out += b"\x86R"

    # -- containers -----------------------------------------------------------------------

    def _tuple(self, value: tuple) -> None:
        if not value:
            self.out += b")"
            return
        if len(value) > 3:
            self.out += b"("
        for i, item in enumerate(value):
            self._emit_at(f"[{i}]", item)
        self.out += b"t" if len(value) > 3 else (b"\x85", b"\x86", b"\x87")[len(value) - 1]
        self.put(id(value), value)

    def _list(self, value: list) -> None:
        self.out += b"]"
        self.put(id(value), value)
        self._append(enumerate(value))

    def _append(self, items: Iterable[tuple[Any, Any]]) -> None:
        for batch in _batches(items):
            self.out += b"("
            for i, item in batch:
                self._emit_at(f"[{i}]", item)
            self.out += b"e"

    def _set(self, value: set) -> None:
        self._require_keys(value)
        self.name("__builtin__", "set")
        self.out += b"]"
        self._append(enumerate(sorted(value, key=repr)))
        self.out += b"\x85R"
        self.put(id(value), value)

    def _dict(self, value: dict) -> None:
        self.out += b"}"
        self.put(id(value), value)
        self._set_items(value)

    def _ordered_dict(self, value: OrderedDict) -> None:
        self.empty_ordered_dict()
        self.put(id(value), value)
        self._set_items(value)
        attributes = dict(vars(value))
        metadata = attributes.pop("_metadata", None)
        if attributes or not isinstance(metadata, dict | None):
            raise TypeError(
                f"cannot save {self.where()}: an OrderedDict with attributes other than "
                f"_metadata: {', '.join(attributes) or type(metadata).__name__}"
            )
        if metadata is not None:
            self.out += b"}"
            self._str("_metadata")
            self._emit_at("._metadata", metadata)
            self.out += b"sb"

    def _counter(self, value: Counter) -> None:
        self.name("collections", "Counter")
        self.out += b"}"
        self._set_items(value)
        self.out += b"\x85R"
        self.put(id(value), value)

    def _set_items(self, value: dict) -> None:
        self._require_keys(value)
        for batch in _batches(value.items()):
            self.out += b"("
            for key, item in batch:
                self.emit(key)
                self._emit_at(f"[{key!r}]", item)
            self.out += b"u"

    def _require_keys(self, keys: Iterable[Any]) -> None:
        for key in keys:
            if not is_plain_key(key):
                raise TypeError(
                    f"cannot save {self.where()}: a {type(key).__name__} as a key or set element"
                )

    def empty_ordered_dict(self) -> None:
        """Write an OrderedDict that nothing refers to later."""
        self.name("collections", "OrderedDict")
        self.out += b")R"

    def ints(self, values: tuple[int, ...]) -> None:
        """Write a tuple that nothing refers to later."""
        self.out += b"("
        for value in values:
            self._int(value)
        self.out += b"t"


def _batches(items: Iterable[Any]) -> Iterable[list[Any]]:
    items = list(items)
    return (items[i : i + BATCH] for i in range(0, len(items), BATCH))


def explain_type(obj: Any, where: str) -> str:
    """Return the message for an object that cannot be saved: its type, its place, a way out."""
    kind = type(obj)
    message = f"cannot save {where}: an object of type {kind.__module__}.{kind.__qualname__}"
    if hasattr(obj, "state_dict"):
        return f"{message}; whole objects are not saved, save its .state_dict() instead"
    if isinstance(obj, np.ndarray):
        return f"{message}; make it a tensor with taowa.from_numpy"
    if isinstance(obj, np.generic):
        return f"{message}; make it a Python number with .item()"
    for plain in (dict, list, tuple, set, str, int, float):
        if isinstance(obj, plain):
            return f"{message}; make it a plain {plain.__name__}, which PyTorch loads safely"
    return (
        f"{message}; what PyTorch loads safely are dict, list, tuple, set, str, bytes, numbers, "
        "None, dtypes, devices, sizes, tensors and parameters"
    )


_SIMPLE: dict[type, Callable[[Pickler, Any], None]] = {
    type(None): Pickler._none,
    bool: Pickler._bool,
    int: Pickler._int,
    float: Pickler._float,
    str: Pickler._str,
    complex: Pickler._complex,
    bytes: Pickler._bytes,
    bytearray: Pickler._bytearray,
    Size: Pickler._size,
    dtype: Pickler._dtype,
    device: Pickler._device,
}
_CONTAINERS: dict[type, Callable[[Pickler, Any], None]] = {
    tuple: Pickler._tuple,
    list: Pickler._list,
    set: Pickler._set,
    dict: Pickler._dict,
    OrderedDict: Pickler._ordered_dict,
    Counter: Pickler._counter,
}
