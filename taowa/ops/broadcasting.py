"""Tensors brought to one shape, and all combinations of their elements."""

from __future__ import annotations

import itertools
import warnings
from operator import index
from typing import Any

import numpy as np

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.size import Size
from taowa.core.tensor import Tensor, from_array
from taowa.ops.broadcast_shape import common_shape
from taowa.ops.expanding import expand
from taowa.ops.gathering import index_select
from taowa.ops.joining import stack
from taowa.ops.views import reshape, sizes_of


@public(is_method=False)
def broadcast_shapes(*shapes: Any) -> Size:
    """Return the shape to which tensors of the given shapes broadcast.

    Raises:
        RuntimeError: if they do not.

    Example:
        >>> import taowa
        >>> taowa.broadcast_shapes((2, 1), (3,))
        torch.Size([2, 3])
    """
    tuples = [(index(s),) if hasattr(s, "__index__") else sizes_of((s,)) for s in shapes]
    result = [1] * max(map(len, tuples), default=0)
    for place, shape in enumerate(tuples):
        for i in range(-1, -1 - len(shape), -1):
            if shape[i] < 0:
                raise ValueError("Attempting to broadcast a dimension with negative length!")
            if shape[i] in (1, result[i]):
                continue
            if result[i] != 1:
                raise RuntimeError(
                    f"Attempting to broadcast a dimension of length {shape[i]} at {i}! Mismatching "
                    f"argument at index {place} had {shape}; but expected shape should be "
                    f"broadcastable to {result}"
                )
            result[i] = shape[i]
    return Size(result)


@public(is_method=False)
def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """Return views of tensors, all expanded to one shape.

    Example:
        >>> import taowa
        >>> [t.shape for t in taowa.broadcast_tensors(taowa.ones(2, 1), taowa.ones(3))]
        [torch.Size([2, 3]), torch.Size([2, 3])]
    """
    given = _unpacked(tensors)
    shape = common_shape([t._aval.shape for t in given])
    return tuple([expand(t, shape) for t in given])


def _unpacked(tensors: tuple) -> tuple:
    if len(tensors) == 1 and isinstance(tensors[0], list | tuple):
        return tuple(tensors[0])
    return tensors


@public(is_method=False)
def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Return the coordinates of the grid that vectors span: views, one for each vector.

    Args:
        indexing: `"ij"`: the grid's dimensions are in the order of the vectors; `"xy"`: the
            first two are exchanged.

    Example:
        >>> import taowa
        >>> taowa.meshgrid(taowa.tensor([1, 2]), taowa.tensor([3]), indexing="ij")
        (tensor([[1],
                [2]]), tensor([[3],
                [3]]))
    """
    given = _unpacked(tensors)
    if indexing is None:
        warnings.warn(
            "torch.meshgrid: in an upcoming release, it will be required to pass the indexing "
            "argument.", UserWarning, stacklevel=2,
        )  # fmt: skip
    elif indexing not in ("ij", "xy"):
        raise RuntimeError(
            f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}'
        )
    _require_vectors(given)
    swaps = indexing == "xy" and len(given) > 1
    order = [1, 0, *range(2, len(given))] if swaps else list(range(len(given)))
    shape = tuple([given[i].numel() for i in order])
    grids = []
    for i, vector in enumerate(given):
        line = [1] * len(given)
        line[order[i]] = -1
        grids.append(expand(reshape(vector, line), shape))
    return tuple(grids)


def _require_vectors(tensors: tuple[Tensor, ...]) -> None:
    if not tensors:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    for one in tensors:
        if one.ndim > 1:
            raise RuntimeError(
                f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {one}"
            )
        if one.dtype is not tensors[0].dtype:
            raise RuntimeError("meshgrid expects all tensors to have the same dtype")
        if one.device != tensors[0].device:
            raise RuntimeError("meshgrid expects all tensors to have the same device")


def _require_vector(input: Tensor) -> None:
    if input.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input.shape)}")


@public(is_method=False)
def cartesian_prod(*tensors: Any) -> Tensor:
    """Return all ways to choose one element from each vector, one choice a row.

    Example:
        >>> import taowa
        >>> taowa.cartesian_prod(taowa.tensor([1, 2]), taowa.tensor([3, 4]))
        tensor([[1, 3],
                [1, 4],
                [2, 3],
                [2, 4]])
    """
    given = _unpacked(tensors)
    for one in given:
        _require_vector(one)
    if len(given) == 1:
        return given[0]
    return stack([reshape(grid, (-1,)) for grid in meshgrid(*given, indexing="ij")], 1)


@public(is_method=False)
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """Return all ways to choose `r` elements of a vector in their order, one choice a row.

    Example:
        >>> import taowa
        >>> taowa.combinations(taowa.tensor([1, 2, 3]))
        tensor([[1, 2],
                [1, 3],
                [2, 3]])
    """
    _require_vector(input)
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return from_array(np.zeros(0, input.dtype.np), device=input.device)
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = np.array(list(choose(range(input.numel()), r)), np.int64).reshape(-1)
    chosen = index_select(input, 0, from_array(rows, device=input.device))
    return reshape(chosen, (rows.size // r, r))


@op(name="unravel_index")
def _unravel_index(indices: Array, shape: tuple):
    indices, found = indices.astype(np.int64), []
    for n in reversed(shape):
        found.append(indices % n)
        indices = indices // n
    return tuple(reversed(found))


@public(is_method=False)
def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """Return the coordinates of places in a row-major array of the given shape.

    Example:
        >>> import taowa
        >>> taowa.unravel_index(taowa.tensor([1, 5]), (2, 3))
        (tensor([0, 1]), tensor([1, 2]))
    """
    if indices.dtype.is_floating_point or indices.dtype.is_complex or indices.dtype.name == "bool":
        raise TypeError(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    return _unravel_index(indices, sizes_of((shape,)))
