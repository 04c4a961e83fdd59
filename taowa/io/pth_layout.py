"""How a checkpoint describes a tensor: a storage, and a strided window into it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from taowa import dtypes
from taowa.dtypes import dtype
from taowa.errors import LoadError

MAX_DIMS = 64  # NumPy's limit, and PyTorch's

# PyTorch's storage classes; types newer than these are kept in an UntypedStorage of bytes.
STORAGE_TYPES = {
    "DoubleStorage": dtypes.float64,
    "FloatStorage": dtypes.float32,
    "HalfStorage": dtypes.float16,
    "BFloat16Storage": dtypes.bfloat16,
    "LongStorage": dtypes.int64,
    "IntStorage": dtypes.int32,
    "ShortStorage": dtypes.int16,
    "CharStorage": dtypes.int8,
    "ByteStorage": dtypes.uint8,
    "BoolStorage": dtypes.bool,
    "ComplexDoubleStorage": dtypes.complex128,
    "ComplexFloatStorage": dtypes.complex64,
}
STORAGE_NAMES = {d: name for name, d in STORAGE_TYPES.items()}


@dataclass(frozen=True)
class StorageKind:
    """A storage class named in the file; `dtype` is None for UntypedStorage."""

    dtype: dtype | None


@dataclass(frozen=True)
class StorageRef:
    """One storage of the file, or a window of one (which only very old files have).

    Args:
        key: Its record's name.
        dtype: Its element type, `None` if untyped.
        num_bytes: Its length.
        location: Where it lived, for example `"cuda:0"`.
        first: Element at which the window begins.
        numel: Number of elements of the window.
    """

    key: str
    dtype: dtype | None
    num_bytes: int
    location: str
    first: int
    numel: int


@dataclass(frozen=True)
class Layout:
    """A tensor's place: what to take from which storage.

    `offset` and `stride` count elements; `is_conj` and `is_neg` say that the values are still to
    be conjugated or negated.
    """

    storage: StorageRef
    dtype: dtype
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]
    is_conj: bool = False
    is_neg: bool = False

    @property
    def numel(self) -> int:
        """The number of elements."""
        return prod(self.size)

    @property
    def num_bytes(self) -> int:
        """The length of the tensor written out."""
        return self.numel * self.dtype.itemsize

    @property
    def is_whole(self) -> bool:
        """Whether the tensor is its storage: contiguous, from the first to the last element."""
        expected = 1
        for size, stride in zip(reversed(self.size), reversed(self.stride), strict=True):
            if size != 1 and stride != expected:
                return False
            expected *= size
        plain = not (self.is_conj or self.is_neg or self.offset)
        return plain and self.num_bytes == self.storage.num_bytes

    def take(self, storage: np.ndarray) -> np.ndarray:
        """Return the tensor's values as a new array, given its storage's elements, `(numel,)`."""
        if not self.numel:
            return np.empty(self.size, self.dtype.np)
        step = storage.itemsize
        strides = [step * s if n > 1 else 0 for n, s in zip(self.size, self.stride, strict=True)]
        window = np.lib.stride_tricks.as_strided(
            storage[self.offset :], self.size, strides, writeable=False
        )
        array = np.array(window, order="C")
        if self.is_conj:
            np.conjugate(array, out=array)
        return np.negative(array) if self.is_neg else array


def checked_layout(
    storage: Any, offset: Any, size: Any, stride: Any, element_type: dtype | None, metadata: Any
) -> Layout:
    """Return the layout that a file asks for.

    Raises:
        LoadError: if it does not lie inside its storage, or is no layout at all.
    """
    if type(storage) is not StorageRef:
        raise LoadError(f"a tensor on a {type(storage).__name__}, which is no storage")
    kind = element_type or storage.dtype
    if kind is None or (element_type is not None and storage.dtype is not None):
        raise LoadError("a tensor whose type is given by both or neither of it and its storage")
    _require_sizes(offset, size, stride)
    flags = _checked_flags(metadata, kind)
    layout = Layout(storage, kind, offset + storage.first, tuple(size), tuple(stride), *flags)
    _require_inside(layout)
    return layout


def _require_sizes(offset: Any, size: Any, stride: Any) -> None:
    if not isinstance(size, tuple) or not isinstance(stride, tuple):
        raise LoadError("a tensor's size and stride must be tuples")
    if len(size) != len(stride) or len(size) > MAX_DIMS:
        raise LoadError(f"a tensor with {len(size)} sizes and {len(stride)} strides")
    for number in (offset, *size, *stride):
        if type(number) is not int or not 0 <= number < 1 << 62:
            raise LoadError(f"a tensor with {number!r:.40} as an offset, size or stride")


def _checked_flags(metadata: Any, kind: dtype) -> tuple[bool, bool]:
    if metadata is None:
        return False, False
    known = type(metadata) is dict and set(metadata) <= {"conj", "neg"}
    if not known or not all(type(value) is bool for value in metadata.values()):
        raise LoadError("tensor metadata other than conj and neg")
    is_conj, is_neg = metadata.get("conj", False), metadata.get("neg", False)
    if (is_conj and not kind.is_complex) or (is_neg and kind.category == dtypes.BOOL):
        raise LoadError(f"a conjugated or negated tensor of type {kind}")
    return is_conj, is_neg


def _require_inside(layout: Layout) -> None:
    last, numel, extent = layout.offset, 1, layout.dtype.itemsize
    for size, stride in zip(layout.size, layout.stride, strict=True):
        last += (size - 1) * stride
        numel *= size
        extent *= size or 1
    if extent >= 1 << 62:
        raise LoadError(f"a tensor of size {layout.size}")
    storage = layout.storage
    end = storage.first + storage.numel
    if storage.dtype is None:
        end = storage.num_bytes // layout.dtype.itemsize
    if numel and last >= end:
        raise LoadError(
            f"a tensor of size {layout.size}, stride {layout.stride} and offset {layout.offset} "
            f"reaches element {last} of storage {storage.key}, which has {end}"
        )
