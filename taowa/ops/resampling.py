"""Resampling along axes: each result is a weighted sum of a few elements at static places."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from taowa.core.op import Array, op
from taowa.ops.precision import HIGHEST, require_floating, wide

_MAX_GATHERED = 8  # taps: more of them are faster as a product with a matrix


class Axis(NamedTuple):
    """How one axis is resampled.

    Attributes:
        method: `nearest`, `nearest-exact`, `linear` or `cubic`, or with antialiasing
            `smooth-linear`, `smooth-cubic`, `smooth-lanczos`.
        size: Of the result.
        factor: Of enlargement, if coordinates shall not follow from the sizes.
        align_corners: Whether the first and last elements stay where they are.
    """

    method: str
    size: int
    factor: float | None = None
    align_corners: bool = False


class _Taps(NamedTuple):
    """A sparse matrix: row i is the sum of `weights[i, k]` at columns `places[i, k]`."""

    places: np.ndarray
    weights: np.ndarray
    num_columns: int

    @property
    def repeats(self) -> int:
        """How often each element is repeated, if that is all that happens; else 0."""
        rows, num_taps = self.places.shape
        count = rows // max(self.num_columns, 1)
        is_repeating = num_taps == 1 and rows == count * self.num_columns
        is_repeating = is_repeating and (self.weights == 1).all()
        even = np.arange(rows) // max(count, 1)
        return count if is_repeating and (self.places[:, 0] == even).all() else 0

    def matrix(self) -> np.ndarray:
        """Return it as a dense matrix."""
        dense = np.zeros((len(self.places), self.num_columns))
        np.add.at(dense, (np.arange(len(dense))[:, None], self.places), self.weights)
        return dense

    def transposed(self) -> _Taps:
        """Return the transposed matrix."""
        rows, num_taps = self.places.shape
        columns, order = self.places.reshape(-1), self.places.reshape(-1).argsort(kind="stable")
        counts = np.bincount(columns, minlength=self.num_columns)
        rank = np.arange(columns.size) - np.repeat(counts.cumsum() - counts, counts)
        places = np.zeros((self.num_columns, max(int(counts.max(initial=0)), 1)), np.int64)
        weights = np.zeros(places.shape)
        places[columns[order], rank] = order // num_taps
        weights[columns[order], rank] = self.weights.reshape(-1)[order]
        return _Taps(places, weights, rows)


def _step(axis: Axis, size: int) -> float:
    """Return how far apart in the input neighbours of the result lie."""
    if axis.align_corners:
        return (size - 1) / (axis.size - 1) if axis.size > 1 else 0.0
    return 1 / axis.factor if axis.factor else size / axis.size


def _nearest(axis: Axis, size: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.arange(axis.size)
    # In single precision, as PyTorch has it: the last bit decides between neighbours.
    step = np.float32(1 / axis.factor) if axis.factor else np.float32(size) / np.float32(axis.size)
    if axis.method == "nearest-exact":
        places = np.floor((rows.astype(np.float32) + np.float32(0.5)) * step)
    else:
        places = np.floor(rows.astype(np.float32) * step)
    places = np.minimum(places.astype(np.int64), size - 1)[:, None]
    return places, np.ones(places.shape)


def _centres(axis: Axis, size: int) -> np.ndarray:
    """Return where the result's elements lie in the input."""
    step, rows = _step(axis, size), np.arange(axis.size)
    return rows * step if axis.align_corners else (rows + 0.5) * step - 0.5


def _linear(axis: Axis, size: int) -> tuple[np.ndarray, np.ndarray]:
    centres = np.maximum(_centres(axis, size), 0)
    below = np.minimum(np.floor(centres).astype(np.int64), size - 1)
    share = np.clip(centres - below, 0, 1)
    places = np.stack([below, np.minimum(below + 1, size - 1)], 1)
    return places, np.stack([1 - share, share], 1)


def _cubic(axis: Axis, size: int) -> tuple[np.ndarray, np.ndarray]:
    centres = _centres(axis, size)
    below = np.minimum(np.floor(centres).astype(np.int64), size - 1)
    distances = np.clip(centres - below, 0, 1)[:, None] - np.arange(-1, 3)
    places = np.clip(below[:, None] + np.arange(-1, 3), 0, size - 1)
    return places, cubic_kernel(np.abs(distances), -0.75)


def cubic_kernel(x: Any, a: float) -> Any:
    """Return Keys' interpolation kernel at distances, 0 from 2 on.

    References:
        Keys 1981, https://doi.org/10.1109/TASSP.1981.1163711

    Example:
        >>> cubic_kernel(np.array([0.0, 0.5, 2.5]), -0.5).tolist()
        [1.0, 0.5625, 0.0]
    """
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = a * (((x - 5) * x + 8) * x - 4)
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _lanczos_kernel(x: np.ndarray) -> np.ndarray:
    return np.where(x < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


_KERNELS: dict[str, tuple[Callable, int]] = {
    "smooth-linear": (lambda x: np.maximum(1 - x, 0), 1),
    "smooth-cubic": (lambda x: cubic_kernel(x, -0.5), 2),
    "smooth-lanczos": (_lanczos_kernel, 3),
}


def _smooth(axis: Axis, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return taps of a kernel that is widened where the input is made smaller."""
    kernel, radius = _KERNELS[axis.method]
    step = _step(axis, size)
    width = max(step, 1.0)
    centres = step * (np.arange(axis.size) + 0.5)
    first = np.maximum((centres - radius * width + 0.5).astype(np.int64), 0)
    count = np.minimum((centres + radius * width + 0.5).astype(np.int64), size) - first
    num_taps = math.ceil(radius * width) * 2 + 1
    taps = np.arange(min(num_taps, max(int(count.max(initial=1)), 1)))
    places = first[:, None] + taps
    weights = kernel(np.abs(places - centres[:, None] + 0.5) / width)
    weights = np.where(taps < count[:, None], weights, 0)
    total = weights.sum(1, keepdims=True)
    return np.minimum(places, size - 1), weights / np.where(total == 0, 1, total)


_METHODS = {"nearest": _nearest, "nearest-exact": _nearest, "linear": _linear, "cubic": _cubic}


@functools.lru_cache(maxsize=256)
def _taps(axis: Axis, size: int) -> _Taps:
    """Return the matrix that resamples an axis of `size` elements."""
    if axis.size == size and axis.method not in ("nearest", "nearest-exact", "cubic"):
        axis = Axis("nearest", size)  # nothing to do, whatever the factor says
    places, weights = _METHODS.get(axis.method, _smooth)(axis, size)
    return _Taps(places, weights, size)


def _apply(x: Any, dim: int, taps: _Taps) -> Any:
    """Multiply an axis by the matrix."""
    if taps.repeats:
        return jnp.repeat(x, taps.repeats, dim)
    if taps.places.shape[1] > _MAX_GATHERED:
        matrix = jnp.asarray(taps.matrix(), x.dtype)
        return jnp.moveaxis(jnp.tensordot(x, matrix, (dim, 1), precision=HIGHEST), -1, dim)
    shape = [-1 if i == dim else 1 for i in range(x.ndim)]
    parts = []
    for places, weights in zip(taps.places.T, taps.weights.T, strict=True):
        part = jnp.take(x, places, dim, mode="clip")
        is_plain = (weights == 1).all()
        parts.append(part if is_plain else part * jnp.asarray(weights, x.dtype).reshape(shape))
    return sum(parts[1:], parts[0])


def _apply_transposed(x: Any, dim: int, taps: _Taps) -> Any:
    if not taps.repeats:
        return _apply(x, dim, taps.transposed())
    split = (*x.shape[:dim], taps.num_columns, taps.repeats, *x.shape[dim + 1 :])
    return x.reshape(split).sum(dim + 1)


def _apply_to_bytes(x: Any, dim: int, taps: _Taps) -> Any:
    """Multiply an axis of bytes as PyTorch does: by 16-bit weights, rounding the sum."""
    if taps.places.shape[1] == 1:
        return jnp.take(x, taps.places[:, 0], dim, mode="clip")
    largest = taps.weights.max(initial=0)
    bits = next(b for b in range(22) if int(0.5 + largest * 2 ** (b + 1)) >= 2**15)
    matrix = _Taps(taps.places, np.trunc(taps.weights * 2**bits + np.copysign(0.5, taps.weights)),
                   taps.num_columns).matrix()  # fmt: skip
    total = jnp.tensordot(x.astype(jnp.int32), jnp.asarray(matrix, jnp.int32), (dim, 1))
    rounded = (total + 2 ** (bits - 1)) >> bits
    return jnp.moveaxis(rounded.clip(0, 255).astype(x.dtype), -1, dim)


@op(name="resample")
def resample(input: Array, axes: tuple):
    """Resample the last dimensions, each as its `Axis` says."""
    is_bytes = input.dtype == jnp.uint8
    if not is_bytes:
        require_floating("upsample", input)
    x = wide(input)
    for dim in range(input.ndim - 1, input.ndim - 1 - len(axes), -1):
        taps = _taps(axes[dim - input.ndim], input.shape[dim])
        x = (_apply_to_bytes if is_bytes else _apply)(x, dim, taps)
    return x.astype(input.dtype)


@resample.backward
def _(grad, input, axes):
    g = wide(grad)
    for dim in range(input.ndim - len(axes), input.ndim):
        g = _apply_transposed(g, dim, _taps(axes[dim - input.ndim], input.shape[dim]))
    return g
