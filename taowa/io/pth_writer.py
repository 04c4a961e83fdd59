"""Writing checkpoints that `torch.load(weights_only=True)` reads."""

from __future__ import annotations

import struct
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from taowa.core.device import device
from taowa.core.size import Size
from taowa.dtypes import dtype
from taowa.io.file_kind import LEGACY_MAGIC
from taowa.io.object_tree import is_plain_key
from taowa.io.pickle_machine import Limits
from taowa.io.pth_layout import STORAGE_NAMES
from taowa.io.zip_records import ZipWriter, write_all

BATCH = 1000  # items put on the stack at once
MAX_DEPTH = Limits.depth
FOLDER = "archive"


@dataclass(frozen=True)
class TensorItem:
    """What the file needs to know of a tensor; the values are asked for last.

    Args:
        memory: Equal for tensors that share all of their memory, and only for these.
        dtype: The element type.
        size: The shape.
        location: Where PyTorch should put it, for example `"cpu"`.
        requires_grad: Whether it does.
        is_parameter: Whether it is an `nn.Parameter`.
        values: Returns the elements as a NumPy array of that shape.
        attributes: The user's own, which are kept with it.
    """

    memory: Any
    dtype: dtype
    size: tuple[int, ...]
    location: str
    requires_grad: bool
    is_parameter: bool
    values: Callable[[], np.ndarray]
    attributes: dict[str, Any] = field(default_factory=dict)


Describe = Callable[[Any], TensorItem | None]


class Checkpoint:
    """An object turned into a pickle and a list of storages, ready to be written.

    Args:
        obj: What to save.
        describe: Returns a TensorItem for a tensor, None for anything else.
        is_legacy: Whether it is for the format before PyTorch 1.6.

    Raises:
        TypeError: naming the first value that cannot be saved, and where it is.
        ValueError: if the object contains itself or nests too deep.
    """

    def __init__(self, obj: Any, describe: Describe, is_legacy: bool = False):
        pickler = _Pickler(describe, is_legacy)
        self.pickle = pickler.dump(obj)
        self.storages = pickler.storages
        payload = sum(_num_bytes(item) for _, item in self.storages.values())
        self.num_bytes = len(self.pickle) + payload + 192 * len(self.storages) + 1024

    def write_zip(self, file: Any) -> None:
        """Write the zip format."""
        archive = ZipWriter(file, FOLDER)
        archive.add("data.pkl", self.pickle)
        archive.add("byteorder", sys.byteorder.encode())
        for key, item in self.storages.values():
            archive.add(f"data/{key}", _as_bytes(item.values()))
        archive.add("version", b"3\n")
        archive.close()

    def write_legacy(self, file: Any) -> None:
        """Write the format before PyTorch 1.6."""
        items = dict(self.storages.values())
        keys = sorted(items)
        sizes = {"short": 2, "int": 4, "long": 4}
        system = {"protocol_version": 1001, "little_endian": True, "type_sizes": sizes}
        head = b"".join(_plain_pickle(value) for value in (1001, system))
        write_all(file, LEGACY_MAGIC + head + self.pickle + _plain_pickle(keys))
        for key in keys:
            array = items[key].values()
            if sys.byteorder == "big":
                array = array.byteswap()
            write_all(file, struct.pack("<q", _storage_numel(items[key])))
            write_all(file, _as_bytes(array))


def _num_bytes(item: TensorItem) -> int:
    return Size(item.size).numel() * item.dtype.itemsize


def _storage_numel(item: TensorItem) -> int:
    """Return the length of its storage, which for the newer types is one of bytes."""
    return Size(item.size).numel() if item.dtype in STORAGE_NAMES else _num_bytes(item)


def _as_bytes(array: np.ndarray) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _plain_pickle(value: Any) -> bytes:
    return _Pickler(lambda _: None, False).dump(value)


class _Pickler:
    """Writes one object with the opcodes of pickle protocol 2 that state dicts use."""

    def __init__(self, describe: Describe, is_legacy: bool):
        self.describe = describe
        self.is_legacy = is_legacy
        self.storages: dict[Any, tuple[str, TensorItem]] = {}  # memory -> (key, tensor)
        self.out = bytearray()
        self.memo: dict[Any, int] = {}
        self.alive: list[Any] = []  # an object whose id is in the memo must not die
        self.open_ids: set[int] = set()
        self.path: list[str] = []

    def dump(self, obj: Any) -> bytes:
        """Return the pickle of `obj`."""
        self.out += b"\x80\x02"
        self._emit(obj)
        self.out += b"."
        return bytes(self.out)

    # -- any object -----------------------------------------------------------------------

    def _emit(self, obj: Any) -> None:
        kind = type(obj)
        simple = _SIMPLE.get(kind)
        if simple is not None:
            simple(self, obj)
            return
        if id(obj) in self.open_ids:
            raise ValueError(f"cannot save {self._where()}: a {kind.__name__} that contains itself")
        if self._get(id(obj)):
            return
        container = _CONTAINERS.get(kind)
        if container is None:
            self._emit_tensor(obj)
            return
        if len(self.open_ids) >= MAX_DEPTH:
            raise ValueError(f"cannot save {self._where()}: nested deeper than {MAX_DEPTH}")
        self.open_ids.add(id(obj))
        container(self, obj)
        self.open_ids.discard(id(obj))

    def _emit_at(self, step: str, obj: Any) -> None:
        self.path.append(step)
        self._emit(obj)
        self.path.pop()

    def _where(self) -> str:
        return "obj" + "".join(self.path)

    def _get(self, key: Any) -> bool:
        """Write a reference to an entry of the memo, if it is there."""
        index = self.memo.get(key)
        if index is None:
            return False
        self.out += b"h%c" % index if index < 256 else b"j" + struct.pack("<I", index)
        return True

    def _put(self, key: Any, obj: Any = None) -> None:
        """Note the value just written in the memo."""
        index = self.memo[key] = len(self.memo)
        self.alive.append(obj)
        self.out += b"q%c" % index if index < 256 else b"r" + struct.pack("<I", index)

    def _global(self, module: str, name: str) -> None:
        key = ("global", module, name)
        if not self._get(key):
            self.out += f"c{module}\n{name}\n".encode()
            self._put(key)

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
                    f"cannot save {self._where()}: an int of {value.bit_length()} bits; "
                    "at most 2039 fit"
                )
            self.out += b"\x8a%c" % length + value.to_bytes(length, "little", signed=True)

    def _float(self, value: float) -> None:
        self.out += struct.pack(">cd", b"G", value)

    def _str(self, value: str) -> None:
        key = ("str", value)
        if not self._get(key):
            raw = value.encode("utf-8", "surrogatepass")
            self.out += b"X" + struct.pack("<I", len(raw)) + raw
            self._put(key)

    def _complex(self, value: complex) -> None:
        self._global("__builtin__", "complex")
        self._float(value.real)
        self._float(value.imag)
        self.out += b"\x86R"

    def _bytes(self, value: bytes) -> None:
        self._global("_codecs", "encode")
        self._str(value.decode("latin1"))
        self._str("latin1")
        self.out += b"\x86R"

    def _bytearray(self, value: bytearray) -> None:
        self._global("__builtin__", "bytearray")
        self._bytes(bytes(value))
        self.out += b"\x85R"
        self._put(id(value), value)

    def _size(self, value: Size) -> None:
        self._global("torch", "Size")
        self._ints(value)
        self.out += b"\x85R"

    def _dtype(self, value: dtype) -> None:
        self._global("torch", value.name)

    def _device(self, value: device) -> None:
        self._global("torch", "device")
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
        self._put(id(value), value)

    def _list(self, value: list) -> None:
        self.out += b"]"
        self._put(id(value), value)
        self._append(enumerate(value))

    def _append(self, items: Iterable[tuple[Any, Any]]) -> None:
        for batch in _batches(items):
            self.out += b"("
            for i, item in batch:
                self._emit_at(f"[{i}]", item)
            self.out += b"e"

    def _set(self, value: set) -> None:
        self._require_keys(value)
        self._global("__builtin__", "set")
        self.out += b"]"
        self._append(enumerate(sorted(value, key=repr)))
        self.out += b"\x85R"
        self._put(id(value), value)

    def _dict(self, value: dict) -> None:
        self.out += b"}"
        self._put(id(value), value)
        self._set_items(value)

    def _ordered_dict(self, value: OrderedDict) -> None:
        self._empty_ordered_dict()
        self._put(id(value), value)
        self._set_items(value)
        attributes = dict(vars(value))
        metadata = attributes.pop("_metadata", None)
        if attributes or not isinstance(metadata, dict | None):
            raise TypeError(
                f"cannot save {self._where()}: an OrderedDict with attributes other than "
                f"_metadata: {', '.join(attributes) or type(metadata).__name__}"
            )
        if metadata is not None:
            self.out += b"}"
            self._str("_metadata")
            self._emit_at("._metadata", metadata)
            self.out += b"sb"

    def _counter(self, value: Counter) -> None:
        self._global("collections", "Counter")
        self.out += b"}"
        self._set_items(value)
        self.out += b"\x85R"
        self._put(id(value), value)

    def _set_items(self, value: dict) -> None:
        self._require_keys(value)
        for batch in _batches(value.items()):
            self.out += b"("
            for key, item in batch:
                self._emit(key)
                self._emit_at(f"[{key!r}]", item)
            self.out += b"u"

    def _require_keys(self, keys: Iterable[Any]) -> None:
        for key in keys:
            if not is_plain_key(key):
                raise TypeError(
                    f"cannot save {self._where()}: a {type(key).__name__} as a key or set element"
                )

    def _empty_ordered_dict(self) -> None:
        self._global("collections", "OrderedDict")
        self.out += b")R"

    # -- tensors --------------------------------------------------------------------------

    def _emit_tensor(self, obj: Any) -> None:
        item = self.describe(obj)
        if item is None:
            raise TypeError(_explain_type(obj, self._where()))
        if item.is_parameter:
            self._parameter(item)
        elif item.attributes:
            self._global("torch._tensor", "_rebuild_from_type_v2")
            self.out += b"("
            self._tensor_function(item)
            self._global("torch", "Tensor")
            self._tensor_arguments(item, item.requires_grad)
            self._attributes(item)
            self.out += b"tR"
        else:
            self._tensor(item, item.requires_grad)
        self._put(id(obj), obj)

    def _parameter(self, item: TensorItem) -> None:
        suffix = "_with_state" if item.attributes else ""
        self._global("torch._utils", "_rebuild_parameter" + suffix)
        self.out += b"("
        self._tensor(item, requires_grad=False)
        self._bool(item.requires_grad)
        self._empty_ordered_dict()
        if item.attributes:
            self._attributes(item)
        self.out += b"tR"

    def _attributes(self, item: TensorItem) -> None:
        for name, value in item.attributes.items():
            if not is_plain_key(value):
                raise TypeError(_explain_type(value, f"{self._where()}.{name}"))
        self._emit(dict(item.attributes))

    def _tensor(self, item: TensorItem, requires_grad: bool) -> None:
        self._tensor_function(item)
        self._tensor_arguments(item, requires_grad)
        self.out += b"R"

    def _tensor_function(self, item: TensorItem) -> None:
        is_typed = item.dtype in STORAGE_NAMES
        self._global("torch._utils", "_rebuild_tensor_v2" if is_typed else "_rebuild_tensor_v3")

    def _tensor_arguments(self, item: TensorItem, requires_grad: bool) -> None:
        self.out += b"("
        self._storage(item)
        self._int(0)
        self._ints(item.size)
        self._ints(_contiguous_stride(item.size))
        self._bool(requires_grad)
        self._empty_ordered_dict()
        if item.dtype not in STORAGE_NAMES:
            self._dtype(item.dtype)
        self.out += b"t"

    def _storage(self, item: TensorItem) -> None:
        key, first = self.storages.setdefault(item.memory, (str(len(self.storages)), item))
        self.alive.append(first)
        self.out += b"("
        self._str("storage")
        if item.dtype in STORAGE_NAMES:
            self._global("torch", STORAGE_NAMES[item.dtype])
        else:
            self._global("torch.storage", "UntypedStorage")
        self._str(key)
        self._str(item.location)
        self._int(_storage_numel(item))
        if self.is_legacy:
            self._none(None)
        self.out += b"tQ"

    def _ints(self, values: tuple[int, ...]) -> None:
        """Write a tuple that nothing refers to later."""
        self.out += b"("
        for value in values:
            self._int(value)
        self.out += b"t"


def _batches(items: Iterable[Any]) -> Iterable[list[Any]]:
    items = list(items)
    return (items[i : i + BATCH] for i in range(0, len(items), BATCH))


def _contiguous_stride(size: tuple[int, ...]) -> tuple[int, ...]:
    strides, step = [], 1
    for n in reversed(size):
        strides.append(step)
        step *= max(n, 1)
    return tuple(reversed(strides))


def _explain_type(obj: Any, where: str) -> str:
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


_SIMPLE: dict[type, Callable[[_Pickler, Any], None]] = {
    type(None): _Pickler._none,
    bool: _Pickler._bool,
    int: _Pickler._int,
    float: _Pickler._float,
    str: _Pickler._str,
    complex: _Pickler._complex,
    bytes: _Pickler._bytes,
    Size: _Pickler._size,
    dtype: _Pickler._dtype,
    device: _Pickler._device,
}
_CONTAINERS: dict[type, Callable[[_Pickler, Any], None]] = {
    bytearray: _Pickler._bytearray,
    tuple: _Pickler._tuple,
    list: _Pickler._list,
    set: _Pickler._set,
    dict: _Pickler._dict,
    OrderedDict: _Pickler._ordered_dict,
    Counter: _Pickler._counter,
}
