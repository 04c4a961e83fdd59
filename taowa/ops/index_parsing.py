"""What stands between the brackets of `x[...]`, taken apart by PyTorch's rules.

Integers, slices, `None` and `...` make a view; what tensors index in it comes after.
"""

from __future__ import annotations

import warnings
from operator import index as to_index
from typing import Any, NamedTuple

import numpy as np

from taowa.core.op import Op
from taowa.core.tensor import Tensor, from_array
from taowa.ops.view_steps import SELECT, SLICE, UNSQUEEZE, reshaped, windowed

MAX_LEGACY_SEQUENCE = 32


class Advanced(NamedTuple):
    """A tensor index, or a mask, and the dimension of the view where it stands."""

    dim: int
    tensor: Tensor


class Parsed(NamedTuple):
    """An index taken apart.

    Attributes:
        window: `((dim, size, step), ...)` of the dimensions that are cut.
        starts: Where the window begins in each of them.
        shape: The view's shape.
        kind: Which op makes the view; `None` where nothing changes.
        advanced: What tensors index in the view.
    """

    window: tuple
    starts: tuple
    shape: tuple
    kind: Op | None
    advanced: list[Advanced]

    def view(self, input: Tensor) -> Tensor:
        """Return the view, or the tensor itself where nothing changes."""
        if self.window:
            return windowed(input, self.window, self.starts, self.shape, self.kind or SLICE)
        return input if self.kind is None else reshaped(input, self.shape, self.kind)


def as_items(index: Any) -> tuple:
    """Return the parts of an index."""
    if index.__class__ is tuple:
        return index
    if isinstance(index, list) and _is_legacy_sequence(index):
        warnings.warn(
            "Using a non-tuple sequence for multidimensional indexing is deprecated and will be "
            "changed in pytorch 2.9; use x[tuple(seq)] instead of x[seq]. In pytorch 2.9 this will "
            "be interpreted as tensor index, x[torch.tensor(seq)], which will result either in an "
            "error or a different result", UserWarning, stacklevel=4,
        )  # fmt: skip
        return tuple(index)
    return (index,)


def _is_legacy_sequence(index: list) -> bool:
    """Return whether PyTorch takes a list for a tuple: it holds more than numbers."""
    if len(index) >= MAX_LEGACY_SEQUENCE:
        return False
    kinds = (Tensor, list, tuple, slice, np.ndarray)
    return any(item is None or item is Ellipsis or isinstance(item, kinds) for item in index)


_NOT_AN_INDEX = (
    "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid "
    "indices (got {})"
)


def _as_tensor(item: Any) -> Tensor:
    """Return a list or an array of indices as a tensor."""
    if isinstance(item, str):
        raise TypeError("new(): invalid data type 'str'")
    if not hasattr(item, "__len__") and not hasattr(item, "__array__"):
        raise IndexError(_NOT_AN_INDEX.format(type(item).__name__))
    if isinstance(item, dict | set):
        raise IndexError(_NOT_AN_INDEX.format(type(item).__name__))
    if isinstance(item, list | tuple):
        item = [one.tolist() if isinstance(one, Tensor) else one for one in item]
    array = np.array(item)
    if array.size == 0 and not isinstance(item, np.ndarray):
        array = array.astype(np.int64)
    return from_array(array)


def _simple(item: Any) -> Any:
    """Return one part of an index as an int, bool, slice, None, Ellipsis or tensor."""
    if item is None or item is Ellipsis or item.__class__ in (int, slice, bool):
        return item
    if not isinstance(item, Tensor):
        if isinstance(item, np.bool_):
            return bool(item)
        if hasattr(item, "__index__") and getattr(item, "ndim", 0) == 0:
            return to_index(item)
        item = _as_tensor(item)
    name = item.dtype.name
    if name not in ("int64", "int32", "uint8", "bool"):
        raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
    if item.ndim == 0 and name in ("int64", "int32"):
        return int(item.item())
    if name == "uint8":
        if item.ndim:
            warnings.warn(
                "indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool "
                "instead.", UserWarning, stacklevel=5,
            )  # fmt: skip
        return from_array(item.host() != 0, device=item.device)
    return item


def _num_dims(item: Any) -> int:
    """Return how many dimensions of the tensor one part of an index is about."""
    if item.__class__ in (int, slice):
        return 1
    if isinstance(item, Tensor):
        return item.ndim if item.dtype.name == "bool" else 1
    return 0


class _Parser:
    """Walks along the parts of an index and the dimensions of a tensor."""

    def __init__(self, shape: tuple[int, ...]):
        self.old = shape
        self.dim = 0  # of the tensor, the next to be spoken of
        self.num_new = 0  # dimensions put in so far
        self.window: list = []
        self.starts: list = []
        self.shape: list[int] = []
        self.kind: Op | None = None
        self.advanced: list[Advanced] = []

    def integer(self, number: int) -> None:
        if not self.old:
            raise IndexError(
                "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or "
                "`tensor.item<T>()` in C++ to convert a 0-dim tensor to a number"
            )
        n = self.old[self.dim]
        if not -n <= number < n:
            raise IndexError(
                f"index {number} is out of bounds for dimension {self.dim + self.num_new} "
                f"with size {n}"
            )
        self.window.append((self.dim, 1, 1))
        self.starts.append(number % n)
        self.kind = SELECT
        self.dim += 1

    def slice(self, item: slice) -> None:
        if not self.old:
            raise IndexError("slice() cannot be applied to a 0-dim tensor.")
        n = self.old[self.dim]
        step = 1 if item.step is None else to_index(item.step)
        if step < 0:
            raise ValueError("step must be greater than zero")
        start, stop, _ = item.indices(n)
        size = len(range(start, stop, step))
        if size != n or step != 1:
            self.window.append((self.dim, size, step))
            self.starts.append(min(start, stop) if size == 0 else start)
            self.kind = SLICE
        self.shape.append(size)
        self.dim += 1

    def new(self) -> None:
        self.num_new += 1
        self.shape.append(1)
        if self.kind is None:
            self.kind = UNSQUEEZE

    def flag(self, value: bool) -> None:
        places = np.zeros(int(value), np.int64)
        self.advanced.append(Advanced(len(self.shape), from_array(places)))
        self.new()

    def skip(self, count: int) -> None:
        self.shape += self.old[self.dim : self.dim + count]
        self.dim += count

    def tensor(self, item: Tensor) -> None:
        count = _num_dims(item)
        if item.dtype.name == "bool":
            self._require_mask_shape(item)
        self.advanced.append(Advanced(len(self.shape), item))
        if count == 0:
            self.new()  # a 0-dim mask chooses from a new dimension of size one
        self.skip(count)

    def _require_mask_shape(self, mask: Tensor) -> None:
        for place, n in enumerate(mask._aval.shape):
            if n != self.old[self.dim + place]:
                full = [*self.shape, *self.old[self.dim :]]
                raise IndexError(
                    f"The shape of the mask {list(mask.shape)} at index {place} does not match the "
                    f"shape of the indexed tensor {full} at index {len(self.shape) + place}"
                )


def parse(shape: tuple[int, ...], index: Any) -> Parsed:
    """Take an index of a tensor of the given shape apart.

    Example:
        >>> parsed = parse((4, 5), (slice(1, 3), None, 2))
        >>> parsed.window, parsed.starts, parsed.shape
        (((0, 2, 1), (1, 1, 1)), (1, 2), (2, 1))
    """
    items = [_simple(item) for item in as_items(index)]
    count = sum(map(_num_dims, items))
    parser = _Parser(shape)
    if count > len(shape) and (shape or count > 1):
        raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
    rest = len(shape) - count
    for item in items:
        kind = item.__class__
        if kind is int:
            parser.integer(item)
        elif kind is slice:
            parser.slice(item)
        elif item is None:
            parser.new()
        elif item is Ellipsis:
            parser.skip(rest)
            rest = 0
        elif kind is bool:
            parser.flag(item)
        else:
            parser.tensor(item)
    parser.skip(rest)
    return Parsed(
        tuple(parser.window), tuple(parser.starts), tuple(parser.shape), parser.kind,
        parser.advanced,
    )  # fmt: skip
