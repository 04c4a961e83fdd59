"""Pieces of a tensor along a dimension: views."""

from __future__ import annotations

from operator import index
from typing import Any

from taowa.core.api import public
from taowa.core.op import Op
from taowa.core.tensor import Tensor
from taowa.dtypes import INTEGRAL
from taowa.ops.dims import numpy_names, one_dim
from taowa.ops.view_steps import SELECT, UNBIND, part, windowed

MAX_STATIC_PARTS = 64  # more pieces than a network splits into: their starts are run-time numbers


@public
@numpy_names
def narrow(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """Return the part of `length` places from `start` on along a dimension.

    Raises:
        IndexError: if it begins outside.
        RuntimeError: if it ends outside.

    Example:
        >>> import taowa
        >>> taowa.narrow(taowa.arange(5), 0, 1, 2)
        tensor([1, 2])
    """
    shape = input._aval.shape
    if not shape:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    if isinstance(start, Tensor) and (start.ndim or start.dtype.category != INTEGRAL):
        raise RuntimeError("start must be an 0-dim integral Tensor.")
    place, first = one_dim(dim, len(shape)), index(start)
    n = shape[place]
    if not -n <= first <= n:
        raise IndexError(
            f"start out of range (expected to be in range of [{-n}, {n}], but got {first})"
        )
    first = first + n if first < 0 else first
    if first + length > n:
        raise RuntimeError(f"start ({first}) + length ({length}) exceeds dimension size ({n}).")
    return slice_along(input, place, first, length)


def slice_along(input: Tensor, dim: int, start: int, size: int, step: int = 1) -> Tensor:
    """Return the view of every step-th place from `start` on, all arguments in range.

    Example:
        >>> import taowa
        >>> slice_along(taowa.arange(6), 0, 1, 2, 3)
        tensor([1, 4])
    """
    shape = input._aval.shape
    return windowed(input, ((dim, size, step),), (start,), (*shape[:dim], size, *shape[dim + 1 :]))


@public
def narrow_copy(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """Return a copy of what `narrow` gives.

    Example:
        >>> import taowa
        >>> taowa.narrow_copy(taowa.arange(5), 0, 1, 2)
        tensor([1, 2])
    """
    if dim >= max(input.ndim, 1):
        raise RuntimeError(f"narrow_copy(): there is no dimension {dim} among {input.ndim}")
    return narrow(input, dim, start, length).clone()  # type: ignore[attr-defined]


@public
@numpy_names
def select(input: Tensor, dim: int, index: Any) -> Tensor:
    """Return the tensor at one place along a dimension, which is left out.

    Raises:
        IndexError: if there is no such place.

    Example:
        >>> import taowa
        >>> taowa.select(taowa.arange(6).view(2, 3), 1, -1)
        tensor([2, 5])
    """
    shape = input._aval.shape
    if not shape:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    place, number = one_dim(dim, len(shape)), int(index)
    n = shape[place]
    if not -n <= number < n:
        raise IndexError(
            f"select(): index {number} out of range for tensor of size {list(shape)} at dimension "
            f"{place}"
        )
    return pick(input, place, number % n)


def pick(input: Tensor, dim: int, place: int, kind: Op = SELECT) -> Tensor:
    """Return the view of one place, all arguments in range.

    Example:
        >>> import taowa
        >>> pick(taowa.arange(3), 0, 2)
        tensor(2)
    """
    shape = input._aval.shape
    return windowed(input, ((dim, 1, 1),), (place,), shape[:dim] + shape[dim + 1 :], kind)


def _parts(input: Tensor, dim: int, starts: list[int], sizes: list[int]) -> tuple[Tensor, ...]:
    cut = part if len(sizes) <= MAX_STATIC_PARTS else slice_along
    return tuple([cut(input, dim, a, n) for a, n in zip(starts, sizes, strict=True)])


def _consecutive(input: Tensor, dim: int, sizes: list[int]) -> tuple[Tensor, ...]:
    starts, at = [], 0
    for n in sizes:
        starts.append(at)
        at += n
    return _parts(input, dim, starts, sizes)


def _equal(input: Tensor, dim: int, size: int) -> tuple[Tensor, ...]:
    n = input._aval.shape[dim]
    starts = list(range(0, n, size)) if n else [0]
    return _parts(input, dim, starts, [min(size, n - start) for start in starts])


@public(name="split", is_method=False)
@numpy_names
def split(tensor: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Return the pieces of a tensor along a dimension.

    Args:
        split_size_or_sections: The size of each piece (the last may be smaller), or the list of
            all sizes.

    Example:
        >>> import taowa
        >>> taowa.split(taowa.arange(5), 2)
        (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    if hasattr(split_size_or_sections, "__iter__") and not isinstance(
        split_size_or_sections, Tensor
    ):
        return split_with_sizes(tensor, split_size_or_sections, dim)
    shape = tensor._aval.shape
    if not shape:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    place, size = one_dim(dim, len(shape)), index(split_size_or_sections)
    if size < 0:
        raise RuntimeError(f"split expects split_size be non-negative, but got split_size={size}")
    if size == 0 and shape[place] != 0:
        raise RuntimeError(
            "split_size can only be 0 if dimension size is 0, but got dimension size of "
            f"{shape[place]}"
        )
    return _equal(tensor, place, size)


@public(name="split", is_function=False)
@numpy_names
def _split_method(self: Tensor, split_size: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Return the pieces of the tensor along a dimension; see `taowa.split`."""
    return split(self, split_size, dim)


@public
@numpy_names
def split_with_sizes(input: Tensor, split_sizes: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Return consecutive pieces of the given sizes, which must add up.

    Example:
        >>> import taowa
        >>> taowa.split_with_sizes(taowa.arange(3), [1, 2])
        (tensor([0]), tensor([1, 2]))
    """
    shape = input._aval.shape
    if not shape:
        raise RuntimeError("split_with_sizes expects at least a 1-dimensional tensor")
    place, sizes = one_dim(dim, len(shape)), [index(n) for n in split_sizes]
    if min(sizes, default=0) < 0:
        raise RuntimeError(
            "split_with_sizes expects split_sizes have only non-negative entries, but got "
            f"split_sizes={sizes}"
        )
    if sum(sizes) != shape[place]:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {shape[place]} (input "
            f"tensor's size at dimension {place}), but got split_sizes={sizes}"
        )
    return _consecutive(input, place, sizes)


@public
@numpy_names
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Return at most `chunks` pieces of equal size, the last of which may be smaller.

    Example:
        >>> import taowa
        >>> taowa.chunk(taowa.arange(5), 2)
        (tensor([0, 1, 2]), tensor([3, 4]))
    """
    shape = input._aval.shape
    if not shape:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    place = one_dim(dim, len(shape))
    n = shape[place]
    if n == 0:
        return _parts(input, place, [0] * chunks, [0] * chunks)
    return _equal(input, place, -(-n // chunks))


@public
@numpy_names
def tensor_split(
    input: Tensor,
    indices_or_sections: Any = None,
    dim: int = 0,
    *,
    indices: Any = None,
    sections: Any = None,
    tensor_indices_or_sections: Any = None,
) -> tuple[Tensor, ...]:
    """Return pieces that differ in size by one at most, or that end at given places.

    Args:
        indices_or_sections: How many pieces, or the places where one ends and the next begins.

    Example:
        >>> import taowa
        >>> taowa.tensor_split(taowa.arange(5), 2)
        (tensor([0, 1, 2]), tensor([3, 4]))
        >>> taowa.tensor_split(taowa.arange(5), (1, 3))
        (tensor([0]), tensor([1, 2]), tensor([3, 4]))
    """
    given = (indices_or_sections, indices, sections, tensor_indices_or_sections)
    chosen = next(one for one in given if one is not None)
    shape = input._aval.shape
    if not shape:
        raise RuntimeError(
            "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims"
        )
    place = one_dim(dim, len(shape))
    n = shape[place]
    if isinstance(chosen, Tensor):
        chosen = chosen.tolist()
    if hasattr(chosen, "__iter__"):
        return _between(input, place, [index(i) for i in chosen])
    if chosen <= 0:
        raise RuntimeError(f"number of sections must be larger than 0, got {chosen}")
    quotient, larger = divmod(n, chosen)
    return _consecutive(input, place, [quotient + 1] * larger + [quotient] * (chosen - larger))


def _between(input: Tensor, dim: int, ends: list[int]) -> tuple[Tensor, ...]:
    """Return the slices between places given as in Python's slices."""
    n = input._aval.shape[dim]
    bounds = [slice(a, b).indices(n)[:2] for a, b in zip([0, *ends], [*ends, n], strict=True)]
    return _parts(input, dim, [a for a, _ in bounds], [max(b - a, 0) for a, b in bounds])


@public
@numpy_names
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Return the tensors at all places along a dimension.

    Example:
        >>> import taowa
        >>> taowa.unbind(taowa.arange(4).view(2, 2), 1)
        (tensor([0, 2]), tensor([1, 3]))
    """
    shape = input._aval.shape
    if not shape:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    place = one_dim(dim, len(shape))
    return tuple([pick(input, place, i, UNBIND) for i in range(shape[place])])


def _numpy_split(name: str, input: Tensor, chosen: Any, least: int, dim: int) -> tuple:
    shape = input._aval.shape
    if len(shape) < least:
        raise RuntimeError(
            f"torch.{name} requires a tensor with at least {least} dimension, but got a tensor "
            f"with {len(shape)} dimensions!"
        )
    if not hasattr(chosen, "__iter__") and (chosen <= 0 or shape[dim] % chosen):
        raise RuntimeError(
            f"torch.{name} attempted to split along dimension {dim}, but the size of the "
            f"dimension {shape[dim]} is not divisible by the split_size {chosen}!"
        )
    return tensor_split(input, chosen, dim)


def _chosen(given: tuple, indices: Any, sections: Any) -> Any:
    """Return places or a count, given by keyword, one by one or as a sequence."""
    if indices is not None or sections is not None:
        return indices if sections is None else sections
    return given[0] if len(given) == 1 else given


@public
def hsplit(input: Tensor, *places: Any, indices: Any = None, sections: Any = None) -> tuple:
    """Return pieces along the second dimension (the first of a vector); see `tensor_split`.

    Example:
        >>> import taowa
        >>> taowa.hsplit(taowa.arange(4), 2)
        (tensor([0, 1]), tensor([2, 3]))
    """
    dim = 0 if input.ndim == 1 else 1
    return _numpy_split("hsplit", input, _chosen(places, indices, sections), 1, dim)


@public
def vsplit(input: Tensor, *places: Any, indices: Any = None, sections: Any = None) -> tuple:
    """Return pieces along the first dimension; see `tensor_split`.

    Example:
        >>> import taowa
        >>> taowa.vsplit(taowa.arange(4).view(2, 2), 2)
        (tensor([[0, 1]]), tensor([[2, 3]]))
    """
    return _numpy_split("vsplit", input, _chosen(places, indices, sections), 2, 0)


@public
def dsplit(input: Tensor, *places: Any, indices: Any = None, sections: Any = None) -> tuple:
    """Return pieces along the third dimension; see `tensor_split`.

    Example:
        >>> import taowa
        >>> [one.shape for one in taowa.dsplit(taowa.ones(1, 1, 4), (1,))]
        [torch.Size([1, 1, 1]), torch.Size([1, 1, 3])]
    """
    return _numpy_split("dsplit", input, _chosen(places, indices, sections), 3, 2)


for _name in ("split", "split_with_sizes", "chunk"):
    public(globals()[_name], name=f"unsafe_{_name}")
