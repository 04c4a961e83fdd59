"""Writing checkpoints that `torch.load(weights_only=True)` reads."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from taowa.core.lens import contiguous_strides
from taowa.core.size import Size
from taowa.dtypes import dtype
from taowa.io.file_kind import LEGACY_MAGIC
from taowa.io.object_tree import is_plain_key
from taowa.io.pickle_writer import Pickler, explain_type
from taowa.io.pth_layout import STORAGE_NAMES
from taowa.io.zip_records import ZipWriter, write_all

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
        pickler = _TensorPickler(describe, is_legacy)
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
        head = b"".join(Pickler().dump(value) for value in (1001, system))
        write_all(file, LEGACY_MAGIC + head + self.pickle + Pickler().dump(keys))
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


class _TensorPickler(Pickler):
    """Writes tensors as references to storages, which it collects."""

    def __init__(self, describe: Describe, is_legacy: bool):
        super().__init__()
        self.describe = describe
        self.is_legacy = is_legacy
        self.storages: dict[Any, tuple[str, TensorItem]] = {}  # memory -> (key, tensor)

    def emit_other(self, obj: Any) -> None:
        """Write a tensor or parameter."""
        item = self.describe(obj)
        if item is None:
            super().emit_other(obj)
            return
        if item.is_parameter:
            self._parameter(item)
        elif item.attributes:
            self.name("torch._tensor", "_rebuild_from_type_v2")
            self.out += b"("
            self._tensor_function(item)
            self.name("torch", "Tensor")
            self._tensor_arguments(item, item.requires_grad)
            self._attributes(item)
            self.out += b"tR"
        else:
            self._tensor(item, item.requires_grad)
        self.put(id(obj), obj)

    def _parameter(self, item: TensorItem) -> None:
        suffix = "_with_state" if item.attributes else ""
        self.name("torch._utils", "_rebuild_parameter" + suffix)
        self.out += b"("
        self._tensor(item, requires_grad=False)
        self._bool(item.requires_grad)
        self.empty_ordered_dict()
        if item.attributes:
            self._attributes(item)
        self.out += b"tR"

    def _attributes(self, item: TensorItem) -> None:
        for name, value in item.attributes.items():
            if not is_plain_key(value):
                raise TypeError(explain_type(value, f"{self.where()}.{name}"))
        self.emit(dict(item.attributes))

    def _tensor(self, item: TensorItem, requires_grad: bool) -> None:
        self._tensor_function(item)
        self._tensor_arguments(item, requires_grad)
        self.out += b"R"

    def _tensor_function(self, item: TensorItem) -> None:
        is_typed = item.dtype in STORAGE_NAMES
        self.name("torch._utils", "_rebuild_tensor_v2" if is_typed else "_rebuild_tensor_v3")

    def _tensor_arguments(self, item: TensorItem, requires_grad: bool) -> None:
        self.out += b"("
        self._storage(item)
        self._int(0)
        self.ints(item.size)
        self.ints(contiguous_strides(item.size))
        self._bool(requires_grad)
        self.empty_ordered_dict()
        if item.dtype not in STORAGE_NAMES:
            self._dtype(item.dtype)
        self.out += b"t"

    def _storage(self, item: TensorItem) -> None:
        key, first = self.storages.setdefault(item.memory, (str(len(self.storages)), item))
        self.alive.append(first)
        self.out += b"("
        self._str("storage")
        if item.dtype in STORAGE_NAMES:
            self.name("torch", STORAGE_NAMES[item.dtype])
        else:
            self.name("torch.storage", "UntypedStorage")
        self._str(key)
        self._str(item.location)
        self._int(_storage_numel(item))
        if self.is_legacy:
            self._none(None)
        self.out += b"tQ"
