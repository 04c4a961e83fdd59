"""Reading checkpoints of `torch.save`, in the zip format and the one before PyTorch 1.6.

The pickle is read twice. The first time nothing is made but a plan: which storages and layouts are
asked for, whether they fit the file, and how many bytes they come to. Only then are tensors made.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from taowa.errors import LoadError
from taowa.io.byte_source import ByteSource
from taowa.io.file_kind import HEAD_BYTES, LEGACY_MAGIC, ZIP_MAGIC, describe
from taowa.io.object_tree import LEAF_TYPES, check_tree
from taowa.io.pickle_machine import EndOfDataError, Limits, Machine
from taowa.io.pth_globals import Globals, TensorSink, find_nothing
from taowa.io.pth_layout import Layout, StorageKind, StorageRef
from taowa.io.zip_records import ZipReader

VERSIONS = range(1, 11)
LEGACY_PROTOCOL = 1001
FIRST_WINDOW = 1 << 20


class TensorMaker(Protocol):
    """Makes tensors of NumPy arrays."""

    tensor_type: type

    def tensor(self, array: np.ndarray, location: str) -> Any:
        """Return a tensor that owns the array."""

    def alias(self, tensor: Any, requires_grad: bool) -> Any:
        """Return a tensor on the same memory as one made before."""

    def parameter(self, tensor: Any, requires_grad: bool) -> Any:
        """Return a parameter on the same memory."""

    def set_attribute(self, tensor: Any, name: str, value: Any) -> None:
        """Give a tensor an attribute."""


def read(source: ByteSource, maker: TensorMaker, limits: Limits) -> Any:
    """Return the object in a checkpoint, with tensors made by `maker`.

    Raises:
        LoadError: if the file is no checkpoint, is damaged, or holds more than plain data.
    """
    head = source.read_at(0, min(HEAD_BYTES, source.size))
    if head.startswith(ZIP_MAGIC):
        return _read_zip(source, maker, limits)
    if head.startswith(LEGACY_MAGIC):
        return _read_legacy(source, maker, limits)
    if head and (ZIP_MAGIC.startswith(head) or LEGACY_MAGIC.startswith(head)):
        raise LoadError(f"the checkpoint is cut off after {len(head)} bytes")
    raise LoadError(describe(head))


# -- the plan -----------------------------------------------------------------------------


@dataclass(frozen=True)
class PlannedTensor:
    """Stands for a tensor in the first reading."""

    layout: Layout

    @property
    def dtype(self) -> Any:
        """The element type."""
        return self.layout.dtype


class Plan:
    """The tensors that a pickle asks for, found in its first reading.

    Args:
        file_bytes: Size of the file, which bounds what it may unfold to.
        limits: Bounds on the work.
    """

    tensor_type = PlannedTensor

    def __init__(self, file_bytes: int, limits: Limits):
        self.max_bytes = max(limits.free_bytes, int(limits.expansion * file_bytes))
        self.num_bytes = 0
        self.layouts: dict[Layout, None] = {}
        self.uses: dict[str, list[Layout]] = {}  # storage key -> its different layouts
        self.storages: dict[str, StorageRef] = {}

    def tensor(self, layout: Layout, requires_grad: bool) -> PlannedTensor:
        """Note a tensor, refuse it if all of them together are too large."""
        if layout not in self.layouts:
            self.layouts[layout] = None
            self.uses.setdefault(layout.storage.key, []).append(layout)
            self.num_bytes += layout.num_bytes
        if self.num_bytes > self.max_bytes:
            raise LoadError(
                f"its tensors come to over {self.max_bytes:,} bytes, far more than the file has; "
                "load(..., limits=Limits(expansion=...)) allows more"
            )
        return PlannedTensor(layout)

    def parameter(self, tensor: PlannedTensor, requires_grad: bool) -> PlannedTensor:
        """Note nothing: the parameter's tensor was noted."""
        return tensor

    def set_attribute(self, tensor: Any, name: str, value: Any) -> None:
        """Do nothing: only the second reading makes tensors."""

    def storage(self, persistent_id: Any) -> StorageRef:
        """Return the storage that a persistent id names."""
        ref = _parse_storage(persistent_id)
        known = self.storages.setdefault(ref.key, ref)
        if (known.dtype, known.num_bytes) != (ref.dtype, ref.num_bytes):
            raise LoadError(f"storage {ref.key} with two element types or lengths")
        return ref


class _Builder:
    """Makes the planned tensors in the second reading; equal layouts share their memory."""

    def __init__(self, plan: Plan, load: Callable[[StorageRef], np.ndarray], maker: TensorMaker):
        self.plan = plan
        self.load = load
        self.maker = maker
        self.tensor_type = maker.tensor_type
        self.made: dict[Layout, Any] = {}
        self.held: dict[str, np.ndarray] = {}  # storages that further layouts will need
        self.left = {key: len(layouts) for key, layouts in plan.uses.items()}

    def tensor(self, layout: Layout, requires_grad: bool) -> Any:
        """Return a tensor for a planned layout."""
        first = self.made.get(layout)
        if first is None:
            array = self._array(layout)
            first = self.made[layout] = self.maker.tensor(array, layout.storage.location)
        return self.maker.alias(first, requires_grad)

    def parameter(self, tensor: Any, requires_grad: bool) -> Any:
        """Return a parameter on the memory of a tensor."""
        return self.maker.parameter(tensor, requires_grad)

    def set_attribute(self, tensor: Any, name: str, value: Any) -> None:
        """Give a tensor an attribute of the user's."""
        self.maker.set_attribute(tensor, name, value)

    def _array(self, layout: Layout) -> np.ndarray:
        key = layout.storage.key
        data = self.held.pop(key, None)
        if data is None:
            data = self.load(layout.storage)
        self.left[key] -= 1
        if self.left[key]:
            self.held[key] = data
        elements = _as_elements(data, layout)
        if layout.is_whole and len(self.plan.uses[key]) == 1:
            return elements.reshape(layout.size)
        return layout.take(elements)


def _as_elements(data: np.ndarray, layout: Layout) -> np.ndarray:
    kind, itemsize = layout.dtype, layout.dtype.itemsize
    if kind.np == np.bool_:
        return data != 0 if data.size and data.max() > 1 else data.view(np.bool_)
    return data[: len(data) // itemsize * itemsize].view(kind.np)


def _parse_storage(persistent_id: Any) -> StorageRef:
    """Return the storage of a tuple ('storage', class, key, location, numel[, view])."""
    if type(persistent_id) is not tuple or len(persistent_id) not in (5, 6):
        raise LoadError("a persistent id that names no storage")
    word, kind, key, location, numel, *view = persistent_id
    if word != "storage" or type(kind) is not StorageKind or type(location) is not str:
        raise LoadError("a persistent id that names no storage")
    if type(key) is not str or not (key.isascii() and key.isdigit() and len(key) <= 20):
        raise LoadError(f"a storage with the key {key!r:.40}, which is no number")
    if type(numel) is not int or not 0 <= numel < 1 << 62:
        raise LoadError(f"storage {key} with {numel!r:.40} elements")
    itemsize = kind.dtype.itemsize if kind.dtype else 1
    first, length = _parse_view(view, key, numel)
    return StorageRef(key, kind.dtype, numel * itemsize, location, first, length)


def _parse_view(view: list[Any], key: str, numel: int) -> tuple[int, int]:
    if not view or view[0] is None:
        return 0, numel
    fits = type(view[0]) is tuple and len(view[0]) == 3
    first, length = view[0][1:] if fits else (None, None)
    if type(first) is not int or type(length) is not int:
        raise LoadError(f"storage {key} with a view that is none")
    if min(first, length) < 0 or first + length > numel:
        raise LoadError(f"storage {key} with a view outside of it")
    return first, length


def _run(machine: Machine, sink: TensorSink, plan: Plan, position: int) -> Any:
    machine.find_global = Globals(sink).find
    machine.find_persistent = plan.storage
    return machine.run(position)


def _check(root: Any, limits: Limits) -> None:
    check_tree(root, LEAF_TYPES | {PlannedTensor}, limits.depth, limits.objects)


# -- the zip format -----------------------------------------------------------------------


def _read_zip(source: ByteSource, maker: TensorMaker, limits: Limits) -> Any:
    archive = ZipReader(source, limits.records)
    _require_version(archive)
    swaps = _needs_swap(archive)
    machine = Machine(archive.read("data.pkl", limits.pickle_bytes), find_nothing, limits=limits)
    plan = Plan(source.size, limits)
    with _naming("data.pkl"):
        root = _run(machine, plan, plan, 0)
        if machine.position != len(machine.data):
            raise LoadError(f"{len(machine.data) - machine.position} bytes after the pickle's end")
        _check(root, limits)
    for ref in plan.storages.values():
        size = archive.size_of(f"data/{ref.key}")
        if size != ref.num_bytes:
            raise LoadError(f"record data/{ref.key} has {size} bytes, expected {ref.num_bytes}")

    def load(ref: StorageRef) -> np.ndarray:
        array = archive.read_array(f"data/{ref.key}")
        return _swapped(array, _swap_width(plan, ref)) if swaps else array

    with _naming("data.pkl"):
        made = _run(machine, _Builder(plan, load, maker), plan, 0)
    source.move_to(source.size)
    return made


def _require_version(archive: ZipReader) -> None:
    text = archive.read("version", 32).strip()
    if not text.isdigit() or int(text) not in VERSIONS:
        raise LoadError(
            f"format version {text!r}, expected {VERSIONS.start} to {VERSIONS.stop - 1}"
        )


def _needs_swap(archive: ZipReader) -> bool:
    order = b"little"
    if "byteorder" in archive.records:
        order = archive.read("byteorder", 32)
    if order not in (b"little", b"big"):
        raise LoadError(f"record byteorder says {order!r}, expected b'little' or b'big'")
    return order.decode() != sys.byteorder


def _swap_width(plan: Plan, ref: StorageRef) -> int:
    """Return the bytes of one number: a complex one is two numbers."""
    kind, *others = {layout.dtype for layout in plan.uses[ref.key]}
    if others:
        raise LoadError(f"storage {ref.key} with two element types in a file of other byte order")
    return kind.itemsize // (2 if kind.is_complex else 1)


def _swapped(array: np.ndarray, width: int) -> np.ndarray:
    return array.reshape(-1, width)[:, ::-1].reshape(-1)


@contextmanager
def _naming(record: str) -> Iterator[None]:
    """Put the record's name before the message of a LoadError."""
    try:
        yield
    except LoadError as error:
        raise LoadError(f"{record}, {error}") from error.__cause__


# -- the format before 1.6 ----------------------------------------------------------------


@dataclass(frozen=True)
class _LegacyPlan:
    """What stands before the storages: the plan, where the pickle begins, the storages' order."""

    plan: Plan
    root_at: int
    keys: list[str]
    end: int


def _read_legacy(source: ByteSource, maker: TensorMaker, limits: Limits) -> Any:
    window = FIRST_WINDOW
    while True:
        data = source.read_at(0, min(window, source.size))
        try:
            head = _plan_legacy(data, source, limits)
            break
        except EndOfDataError:
            if window >= min(source.size, limits.pickle_bytes):
                raise LoadError("the checkpoint is cut off inside its pickle") from None
            window *= 4
    plan = head.plan
    places, end = _find_blobs(source, plan, head.keys, head.end)

    def load(ref: StorageRef) -> np.ndarray:
        array = source.read_array_at(places[ref.key], ref.num_bytes)
        return array if sys.byteorder == "little" else _swapped(array, _swap_width(plan, ref))

    machine = Machine(data, find_nothing, limits=limits)
    made = _run(machine, _Builder(plan, load, maker), plan, head.root_at)
    source.move_to(end)
    return made


def _plan_legacy(data: bytes, source: ByteSource, limits: Limits) -> _LegacyPlan:
    machine = Machine(data, find_nothing, limits=limits)
    machine.run(0)  # the magic number, which was compared already
    if machine.run(machine.position) != LEGACY_PROTOCOL:
        raise LoadError(f"a protocol version other than {LEGACY_PROTOCOL}")
    if type(machine.run(machine.position)) is not dict:
        raise LoadError("a description of the writing system that is no dict")
    root_at = machine.position
    plan = Plan(source.size, limits)
    root = _run(machine, plan, plan, root_at)
    _check(root, limits)
    machine.find_global, machine.find_persistent = find_nothing, None
    keys = machine.run(machine.position)
    if type(keys) is not list or any(type(key) is not str for key in keys):
        raise LoadError("a list of storages that is none")
    if len(set(keys)) != len(keys) or set(keys) != set(plan.storages):
        raise LoadError("a list of storages other than those that the object uses")
    return _LegacyPlan(plan, root_at, keys, machine.position)


def _find_blobs(
    source: ByteSource, plan: Plan, keys: list[str], at: int
) -> tuple[dict[str, int], int]:
    """Return where each storage's elements begin, after their number, and where the last ends."""
    places = {}
    for key in keys:
        ref = plan.storages[key]
        numel = int.from_bytes(source.read_at(at, 8), "little", signed=True)
        if numel * (ref.dtype.itemsize if ref.dtype else 1) != ref.num_bytes:
            raise LoadError(f"storage {key} has {numel} elements, not what its tensors need")
        places[key] = at + 8
        at += 8 + ref.num_bytes
    if at > source.size:
        raise LoadError(f"the checkpoint is cut off: {source.size} bytes, expected {at}")
    return places, at
