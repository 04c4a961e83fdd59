"""Pooling by maximum, with the positions of the maxima, and its partial inverse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.precision import require_floating
from taowa.ops.window import (
    Size,
    Windows,
    adaptive_sizes,
    adaptive_windows,
    along,
    wanted_sizes,
    windows_of,
)


def _lowest(dtype: Any) -> Any:
    floating = jnp.issubdtype(dtype, jnp.floating)
    return -jnp.inf if floating else jnp.iinfo(dtype).min


def _padded(x: Any, pairs: list[tuple[int, int]], value: Any) -> Any:
    if not any(map(any, pairs)):
        return x
    return jnp.pad(x, [(0, 0)] * (x.ndim - len(pairs)) + pairs, constant_values=value)


def _later_maximum(best: tuple, new: tuple) -> tuple:
    """Keep the first of equal values, and the last of several NaN, as PyTorch does."""
    (value, place), (new_value, new_place) = best, new
    takes_over = (new_value > value) | (new_value != new_value)
    return jnp.where(takes_over, new_value, value), jnp.where(takes_over, new_place, place)


def _flat_places(
    x: Any, windows: Windows, pairs: list[tuple[int, int]], spatial: tuple[int, ...]
) -> Any:
    """Return each padded element's place in the flattened spatial dimensions of the input."""
    kind = jnp.int32 if math.prod(x.shape[-len(spatial) :]) < 2**31 else jnp.int64
    places = jnp.zeros((), kind)
    for i, (n, (before, after)) in enumerate(zip(spatial, pairs, strict=True)):
        place = jnp.arange(-before, n + after, dtype=kind)
        # A window of nothing but padding and -inf names its first element inside.
        inside = jnp.where(place < 0, place % windows.dilation[i], place).clip(0, n - 1)
        places = places[..., None] * n + inside
    return jnp.broadcast_to(places, x.shape)


def _maxima(input: Any, windows: Windows, name: str) -> tuple[Any, Any]:
    """Return the windows' maxima and their flat places."""
    sizes = windows.sizes(input, name)
    rank = len(sizes)
    pairs = windows.pads(input, sizes)
    pair = _padded(input, pairs, _lowest(input.dtype))
    pair = (pair, _flat_places(pair, windows, pairs, input.shape[-rank:]))
    # The last axis first, so that of equal values the first in row-major order stays.
    for axis in range(-1, -rank - 1, -1):
        pair = along(pair, axis, windows, sizes[axis], _later_maximum)
    return pair


def _scatter(grad: Any, places: Any, shape: tuple[int, ...], rank: int) -> Any:
    """Return zeros of `shape` with the gradients added at flat places."""
    planes = math.prod(shape[:-rank])
    size = math.prod(shape[-rank:])
    rows = jnp.arange(planes, dtype=places.dtype)[:, None]
    columns = places.reshape(planes, math.prod(places.shape[-rank:]))
    zeros = jnp.zeros((planes, size), grad.dtype)
    return zeros.at[rows, columns].add(grad.reshape(columns.shape)).reshape(shape)


def _require_maxima(input: Any, name: str) -> None:
    if input.dtype == bool or (
        name == "max_pool1d" and not jnp.issubdtype(input.dtype, jnp.floating)
    ):
        require_floating(name, input)


@op(name="max_pool")
def _max_pool(input: Array, windows: Windows):
    rank = len(windows.kernel)
    name = f"max_pool{rank}d"
    _require_maxima(input, name)
    sizes = windows.sizes(input, name)
    x = _padded(input, windows.pads(input, sizes), _lowest(input.dtype))
    for axis in range(-1, -rank - 1, -1):
        x = along(x, axis, windows, sizes[axis], jnp.maximum)
    return x


@_max_pool.backward
def _(grad, input, windows):
    _, places = _maxima(input, windows, "max_pool")
    return _scatter(grad, places, input.shape, len(windows.kernel))


@op(name="max_pool_with_indices")
def _max_pool_with_indices(input: Array, windows: Windows):
    name = f"max_pool{len(windows.kernel)}d"
    _require_maxima(input, name)
    values, places = _maxima(input, windows, name)
    return values, places.astype(jnp.int64)


@_max_pool_with_indices.backward
def _(grad, input, windows):
    _, places = _maxima(input, windows, "max_pool")
    return _scatter(grad, places, input.shape, len(windows.kernel))


def _adaptive_maxima(input: Any, output_size: tuple, name: str) -> tuple[Any, Any]:
    rank = len(output_size)
    require_floating(name, input)
    sizes = adaptive_sizes(input, output_size, rank, name)
    spatial = input.shape[-rank:]
    if 0 in sizes:
        shape = (*input.shape[:-rank], *sizes)
        return jnp.zeros(shape, input.dtype), jnp.zeros(shape, jnp.int64)
    flat = jnp.arange(math.prod(spatial), dtype=jnp.int64).reshape(spatial)
    pair = (input, jnp.broadcast_to(flat, input.shape))
    for axis in range(-1, -rank - 1, -1):
        pair = _first_maxima(pair, axis, *adaptive_windows(spatial[axis], sizes[axis]))
    return pair


def _first_maxima(pair: tuple, axis: int, positions: np.ndarray, _: np.ndarray) -> tuple:
    # A shorter window repeats its last element, which cannot be a new maximum.
    axis %= pair[0].ndim
    best = None
    for column in positions.T:
        new = tuple(jnp.take(x, column, axis) for x in pair)
        best = new if best is None else _later_maximum(best, new)
    return best  # type: ignore[return-value]


@op(name="adaptive_max_pool")
def _adaptive_max_pool(input: Array, output_size: tuple):
    return _adaptive_maxima(input, output_size, f"adaptive_max_pool{len(output_size)}d")


@_adaptive_max_pool.backward
def _(grad, input, output_size):
    _, places = _adaptive_maxima(input, output_size, "adaptive_max_pool")
    return _scatter(grad, places, input.shape, len(output_size))


def _unpool_is_bad(indices: Any, sizes: tuple) -> Any:
    limit = 1
    for n in sizes:
        limit *= n
    return ((indices < 0) | (indices >= limit)).any()


@op(name="max_unpool")
def _max_unpool(input: Array, indices: Array, sizes: tuple):
    rank = len(sizes)
    if indices.dtype != jnp.int64:
        raise RuntimeError(
            f"elements in indices should be type int64 but got: {indices.dtype.name}"
        )
    if indices.shape != input.shape:
        raise RuntimeError(
            "Expected shape of indices to be same as that of the input tensor "
            f"({list(input.shape)}) but got indices tensor with shape: {list(indices.shape)}"
        )
    shape = (*input.shape[:-rank], *sizes)
    planes = math.prod(shape[:-rank])
    rows = jnp.arange(planes)[:, None]
    flat = jnp.zeros((planes, math.prod(sizes)), input.dtype)
    columns = indices.reshape(planes, math.prod(indices.shape[-rank:]))
    return flat.at[rows, columns].set(input.reshape(columns.shape)).reshape(shape)


_max_unpool.check(
    lambda info: RuntimeError(
        f"Found an invalid max index (output volumes are of size "
        f"{'x'.join(map(str, info['sizes']))})"
    )
)(_unpool_is_bad)


@_max_unpool.backward
def _(grad, indices, sizes):
    planes = math.prod(grad.shape[: -len(sizes)])
    columns = indices.reshape(planes, math.prod(indices.shape[-len(sizes) :]))
    flat = grad.reshape(planes, math.prod(sizes))
    return flat[jnp.arange(planes)[:, None], columns].reshape(indices.shape), None


def _pooling(rank: int) -> tuple[Any, Any]:
    """Return `max_pool{rank}d` and `max_pool{rank}d_with_indices`."""

    def max_pool(
        input: Tensor,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        windows = windows_of(kernel_size, stride, padding, dilation, ceil_mode, rank)
        return (_max_pool_with_indices if return_indices else _max_pool)(input, windows)

    def max_pool_with_indices(
        input: Tensor,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> tuple[Tensor, Tensor]:
        windows = windows_of(kernel_size, stride, padding, dilation, ceil_mode, rank)
        return _max_pool_with_indices(input, windows)

    return (
        public(is_method=False)(_named(max_pool, f"max_pool{rank}d", _POOL_TEXT, rank)),
        _named(max_pool_with_indices, f"max_pool{rank}d_with_indices", _INDICES_TEXT, rank),
    )


def _adaptive(rank: int) -> tuple[Any, Any]:
    """Return `adaptive_max_pool{rank}d` and the form that gives indices too."""

    def adaptive_max_pool(input: Tensor, output_size: Size, return_indices: bool = False) -> Any:
        result = _adaptive_max_pool(input, wanted_sizes(input, output_size, rank))
        return result if return_indices else result[0]

    def adaptive_max_pool_with_indices(
        input: Tensor, output_size: Size, return_indices: bool = False
    ) -> tuple[Tensor, Tensor]:
        return _adaptive_max_pool(input, wanted_sizes(input, output_size, rank))

    name = f"adaptive_max_pool{rank}d"
    return (
        _named(adaptive_max_pool, name, _ADAPTIVE_TEXT, rank),
        _named(adaptive_max_pool_with_indices, f"{name}_with_indices", _ADAPTIVE_TEXT, rank),
    )


def _unpooling(rank: int) -> Any:
    """Return `max_unpool{rank}d`."""

    def max_unpool(
        input: Tensor,
        indices: Tensor,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        output_size: Sequence[int] | None = None,
    ) -> Tensor:
        windows = windows_of(kernel_size, stride, padding, 1, False, rank)
        return _max_unpool(input, indices, _unpooled_sizes(input, windows, output_size))

    return _named(max_unpool, f"max_unpool{rank}d", _UNPOOL_TEXT, rank)


def _unpooled_sizes(
    input: Tensor, windows: Windows, output_size: Sequence[int] | None
) -> tuple[int, ...]:
    rank = len(windows.kernel)
    default = [
        (n - 1) * windows.stride[i] + windows.kernel[i] - 2 * windows.padding[i]
        for i, n in enumerate(input.shape[-rank:])
    ]
    if output_size is None:
        return tuple(default)
    if len(output_size) not in (rank, rank + 2):
        raise ValueError(
            f"output_size should be a sequence containing {rank} or {rank + 2} elements, "
            f"but it has a length of '{len(output_size)}'"
        )
    sizes = tuple(output_size)[-rank:]
    for dim, (size, n) in enumerate(zip(sizes, default, strict=True)):
        low, high = n - windows.stride[dim], n + windows.stride[dim]
        if not low < size < high:
            raise ValueError(
                f'invalid output_size "{sizes}" (dim {dim} must be between {low} and {high})'
            )
    return sizes


_POOL_TEXT = """Return the largest element of each window over {rank} spatial dimension(s).

    The gradient goes to the first of equal elements.

    Args:
        stride: Distance of the windows; the kernel's size by default.
        padding: How much of minus infinity is put on both sides, at most half of the kernel.
        dilation: Distance of a window's elements.
        ceil_mode: Whether a last window may reach over the end.
        return_indices: Whether to return the flat places of the maxima too.
    Shape:
        `(N, C, *sizes)` or `(C, *sizes)`, like the result

    Example:
        >>> import taowa
        >>> taowa.max_pool{rank}d(taowa.ones({x}), 2).shape
        torch.Size([{y}])
    """
_INDICES_TEXT = """Return the largest element of each window, and its flat place in the input.

    See `max_pool{rank}d`.

    Example:
        >>> import taowa
        >>> max_pool{rank}d_with_indices(taowa.ones({x}), 2)[1].shape
        torch.Size([{y}])
    """
_ADAPTIVE_TEXT = """Return the maxima of as many windows as `output_size` says.

    Args:
        output_size: A number for each of the {rank} spatial dimension(s); `None` keeps a size.
    Shape:
        `(N, C, *sizes)` or `(C, *sizes)` -> `(N, C, *output_size)` or `(C, *output_size)`

    Example:
        >>> import taowa
        >>> adaptive_max_pool{rank}d(taowa.ones({x}), 1).shape
        torch.Size([{one}])
    """
_UNPOOL_TEXT = """Put the maxima of `max_pool{rank}d` back to their places, zeros elsewhere.

    Args:
        indices: Flat places, as `max_pool{rank}d` returns them.
        output_size: Decides between the sizes that pool to the input's; by default the smallest.

    Raises:
        RuntimeError: if an index lies outside the result.

    Example:
        >>> import taowa
        >>> values, places = max_pool{rank}d_with_indices(taowa.ones({x}), 2)
        >>> max_unpool{rank}d(values, places, 2).shape
        torch.Size([{x}])
    """


def _named(function: Any, name: str, text: str, rank: int) -> Any:
    function.__name__ = function.__qualname__ = name
    shapes = {"x": [1, 2, 4], "y": [1, 2, 2], "one": [1, 2, 1]}
    examples = {k: ", ".join(map(str, v + v[-1:] * (rank - 1))) for k, v in shapes.items()}
    function.__doc__ = text.format(rank=rank, **examples)
    return function


max_pool1d, max_pool1d_with_indices = _pooling(1)
max_pool2d, max_pool2d_with_indices = _pooling(2)
max_pool3d, max_pool3d_with_indices = _pooling(3)
adaptive_max_pool1d, adaptive_max_pool1d_with_indices = _adaptive(1)
adaptive_max_pool2d, adaptive_max_pool2d_with_indices = _adaptive(2)
adaptive_max_pool3d, adaptive_max_pool3d_with_indices = _adaptive(3)
max_unpool1d, max_unpool2d, max_unpool3d = _unpooling(1), _unpooling(2), _unpooling(3)
public(is_method=False)(max_pool1d_with_indices)
public(is_method=False, name="adaptive_max_pool1d")(adaptive_max_pool1d_with_indices)
