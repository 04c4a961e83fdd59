"""Counting and finding elements. What depends on values for its shape is computed on the host."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from taowa import dtypes
from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor, from_array
from taowa.ops.dims import numpy_names, one_dim
from taowa.ops.element_types import convert_array
from taowa.ops.operands import kind_name
from taowa.ops.return_types import return_type


def _hand_out(arrays: list, flags: tuple[bool, ...], like: Tensor) -> Any:
    """Return the tensors asked for: one, or a tuple."""
    made = [
        from_array(array, False, like.device)
        for array, is_wanted in zip(arrays, flags, strict=True)
        if is_wanted
    ]
    return made[0] if len(made) == 1 else tuple(made)


def _sortable(input: Tensor) -> np.ndarray:
    array = input.detach().host()
    return convert_array(array, dtypes.float32) if input.dtype is dtypes.bfloat16 else array


@public
@numpy_names
def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """Return the different elements, or the different slices along a dimension, in order.

    Args:
        sorted: Accepted: the result is always sorted.
        return_inverse: Return too where each element's value is in the result.
        return_counts: Return too how often each occurs.

    Example:
        >>> import taowa
        >>> taowa.unique(taowa.tensor([3, 1, 3]), return_counts=True)
        (tensor([1, 3]), tensor([1, 2]))
    """
    axis = None if dim is None else one_dim(dim, input.ndim)
    array = _sortable(input)
    values, inverse, counts = np.unique(
        array, return_inverse=True, return_counts=True, axis=axis, equal_nan=False
    )
    shape = array.shape if axis is None else (array.shape[axis],)
    found = [convert_array(values, input.dtype), inverse.reshape(shape), counts]
    return _hand_out(found, (True, return_inverse, return_counts), input)


@public
@numpy_names
def unique_consecutive(
    input: Tensor,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """Return the elements, or the slices along a dimension, without immediate repetitions.

    Example:
        >>> import taowa
        >>> taowa.unique_consecutive(taowa.tensor([1, 1, 2, 1]))
        tensor([1, 2, 1])
    """
    array = input.detach().host()
    axis = 0 if dim is None else one_dim(dim, input.ndim)
    rows = array.reshape(-1) if dim is None else np.moveaxis(array, axis, 0)
    is_new = np.ones(len(rows), bool)
    is_new[1:] = (rows[1:] != rows[:-1]).any(axis=tuple(range(1, rows.ndim)))
    inverse = np.cumsum(is_new) - 1
    counts = np.diff(np.append(np.flatnonzero(is_new), len(rows)))
    shape = array.shape if dim is None else inverse.shape
    values = np.ascontiguousarray(np.moveaxis(rows[is_new], 0, axis))
    found = [values, inverse.reshape(shape), counts]
    return _hand_out(found, (True, return_inverse, return_counts), input)


@public
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """Return how often each of the integers from 0 on occurs.

    Args:
        input: Integers, not negative, one-dimensional.
        weights: What each occurrence counts; one if `None`.
        minlength: Least number of results.

    Raises:
        RuntimeError: for negative integers or other dimensions.

    Example:
        >>> import taowa
        >>> taowa.bincount(taowa.tensor([1, 1, 3]))
        tensor([0, 2, 0, 1])
    """
    if input.dtype.category != dtypes.INTEGRAL:
        raise NotImplementedError(
            f"\"bincount_cpu\" not implemented for '{kind_name(input.host())}'"
        )
    if minlength < 0:
        raise RuntimeError("minlength should be >= 0")
    array = input.host()
    if array.ndim != 1 or (array.size and array.min() < 0):
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if weights is None:
        return from_array(np.bincount(array, minlength=minlength), False, input.device)
    if weights.shape != input.shape:
        raise RuntimeError("weights should be 1-d and have the same length as input")
    kind = weights.dtype if weights.dtype is dtypes.float32 else dtypes.float64
    counts = np.bincount(array, weights.detach().host().astype(np.float64), minlength)
    return from_array(counts.astype(kind.np), False, input.device)


def _range(
    name: str, array: np.ndarray, low: float, high: float, margin: float
) -> tuple[float, float]:
    """Return the limits of a histogram: those of the elements if none are given."""
    if low > high:
        raise RuntimeError(f"{name}: max must be larger than min")
    if low == high and array.size:
        low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise RuntimeError(f"{name}: range of [{low:g}, {high:g}] is not finite")
    return (low - margin, high + margin) if low == high else (low, high)


def _require_floating(input: Tensor) -> None:
    if not input.dtype.is_floating_point:
        raise NotImplementedError(
            f"\"histogram_cpu\" not implemented for '{kind_name(input.host())}'"
        )


@public
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """Return how many elements fall into each of equal intervals.

    Args:
        min: Lower end of the range; if it equals `max`, that of the elements is taken.
        max: Upper end, inclusive.

    Example:
        >>> import taowa
        >>> taowa.histc(taowa.tensor([1.0, 2.0, 1.0]), bins=4, min=0, max=3)
        tensor([0., 2., 1., 0.])
    """
    _require_floating(input)
    if bins <= 0:
        raise RuntimeError("bins must be > 0")
    array = input.detach().host().astype(np.float64)
    counts, _ = np.histogram(array, bins, _range("torch.histc", array, min, max, 1))
    return from_array(counts.astype(input.dtype.np), False, input.device)


_HISTOGRAM = return_type("histogram", "hist bin_edges")


@public
def histogram(
    input: Tensor,
    bins: Any,
    *,
    range: tuple[float, float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> Any:
    """Return how many elements fall into each interval, and the intervals' ends.

    Args:
        bins: Number of equal intervals, or a tensor of their ends.
        range: Ends of the whole; those of the elements if `None`.
        weight: What each element counts.
        density: Scale the result so that its integral is 1.

    Example:
        >>> import taowa
        >>> taowa.histogram(taowa.tensor([1.0, 2.0, 1.0]), bins=2).hist
        tensor([2., 1.])
    """
    _require_floating(input)
    array = input.detach().host().astype(np.float64)
    kind = input.dtype.np
    edges: Any = bins.host() if isinstance(bins, Tensor) else int(bins)
    limits = None
    if not isinstance(bins, Tensor):
        low, high = range or (0.0, 0.0)
        if not array.size and low == high:
            high = low + 1
        limits = _range("torch.histogram", array, low, high, 0.5)
    weights = None if weight is None else weight.detach().host().astype(np.float64)
    counts, edges = np.histogram(array, edges, limits, density=density, weights=weights)
    made = [from_array(a.astype(kind), False, input.device) for a in (counts, edges)]
    return _HISTOGRAM(*made)


@op(name="searchsorted", promote="same", promoted=("sorted_sequence", "input"), numbers=("input",))
def _searchsorted(
    sorted_sequence: Array, input: Array, sorter: Array | None, out_int32: bool, right: bool
):
    ends = sorted_sequence
    if sorter is not None:
        ends = jnp.take_along_axis(ends, sorter, -1)
    _require_rows(ends, input)
    side = "right" if right else "left"
    if ends.ndim == 1:
        found = jnp.searchsorted(ends, input, side=side)
    elif input.size == 0 or ends.size == 0:
        found = jnp.zeros(input.shape, jnp.int64)
    else:
        rows = ends.reshape(-1, ends.shape[-1])
        columns = input.reshape(rows.shape[0], -1)
        search = jax.vmap(lambda row, column: jnp.searchsorted(row, column, side=side))
        found = search(rows, columns).reshape(input.shape)
    return found.astype(jnp.int32 if out_int32 else jnp.int64)


def _require_rows(ends: Any, input: Any) -> None:
    if ends.ndim == 1:
        return
    if input.ndim == 0:
        raise RuntimeError(
            "torch.searchsorted(): input value can be a scalar only when boundaries tensor "
            f"dimension is 1, but we got boundaries tensor dim({ends.ndim})"
        )
    if input.shape[:-1] != ends.shape[:-1]:
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 "
            f"dimensions of boundaries tensor and input value tensor must match, but we got "
            f"boundaries tensor {list(ends.shape)} and input value tensor {list(input.shape)}"
        )


@public(is_method=False)
def searchsorted(
    sorted_sequence: Tensor,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Return where elements would be inserted into sorted rows so that these stay sorted.

    Args:
        sorted_sequence: `(n,)`, or one row for each of the input's, `(..., n)`.
        right: Insert behind equal elements instead of before them.
        side: `"left"` or `"right"`, the same as a word.
        sorter: Indices that sort the rows.

    Example:
        >>> import taowa
        >>> taowa.searchsorted(taowa.tensor([1, 3, 5]), taowa.tensor([1, 2, 6]))
        tensor([0, 1, 3])
    """
    if side not in (None, "left", "right"):
        raise RuntimeError(
            f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}"
        )
    return _searchsorted(sorted_sequence, input, sorter, out_int32, right or side == "right")


@public(is_method=False)
def bucketize(
    input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False
) -> Tensor:
    """Return in which of the intervals between boundaries each element lies.

    Args:
        boundaries: Sorted, one-dimensional.
        right: Count an element on a boundary to the interval above it.

    Example:
        >>> import taowa
        >>> taowa.bucketize(taowa.tensor([1, 2, 6]), taowa.tensor([1, 3, 5]))
        tensor([0, 1, 3])
    """
    if boundaries.ndim != 1:
        raise RuntimeError(f"boundaries tensor must be 1 dimension, but got dim({boundaries.ndim})")
    return _searchsorted(boundaries, input, None, out_int32, right)


@public
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """Return the indices of the elements that are not zero.

    Args:
        as_tuple: Return one tensor for each dimension, which can index the input.

    Shape:
        `(n, input.ndim)`, int64.

    Example:
        >>> import taowa
        >>> taowa.nonzero(taowa.tensor([0, 2, 3]))
        tensor([[1],
                [2]])
    """
    array = input.detach().host()
    if as_tuple:
        found = np.nonzero(np.atleast_1d(array))
        return tuple(from_array(index, False, input.device) for index in found)
    return from_array(np.argwhere(array), False, input.device)


@public
def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """Return the indices of the first `size` elements that are not zero.

    Args:
        fill_value: What stands in the rows that remain.

    Example:
        >>> import taowa
        >>> taowa.nonzero_static(taowa.tensor([0, 2]), size=2)
        tensor([[ 1],
                [-1]])
    """
    found = np.argwhere(input.detach().host())[:size]
    rows = np.full((size, input.ndim), fill_value, np.int64)
    rows[: len(found)] = found
    return from_array(rows, False, input.device)


@public
def argwhere(input: Tensor) -> Tensor:
    """Return the indices of the elements that are not zero, as rows.

    Example:
        >>> import taowa
        >>> taowa.argwhere(taowa.tensor([[0, 2]]))
        tensor([[0, 1]])
    """
    return nonzero(input)


@op(name="isin", promote="same")
def _isin(elements: Array, test_elements: Array, invert: bool):
    return jnp.isin(elements, test_elements, invert=invert)


@public(is_method=False)
def isin(
    elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False
) -> Tensor:
    """Return which elements occur among others.

    Args:
        assume_unique: Accepted and without effect.
        invert: Return which do not.

    Example:
        >>> import taowa
        >>> taowa.isin(taowa.tensor([1, 2]), taowa.tensor([2, 3]))
        tensor([False,  True])
    """
    return _isin(elements, test_elements, invert)
