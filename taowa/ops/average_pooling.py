"""Pooling by averages and by powers."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from taowa.core.api import public
from taowa.core.op import Array, Scalar, op
from taowa.core.tensor import Tensor
from taowa.ops.precision import require_floating, wide
from taowa.ops.window import (
    Size,
    Windows,
    adaptive_sizes,
    adaptive_windows,
    wanted_sizes,
    windows_of,
)


def _sums(x: Any, windows: Windows, sizes: list[int]) -> Any:
    """Return the sum of each window."""
    rank = len(sizes)
    tiles = windows.kernel == windows.stride and not any(windows.padding)
    spatial = x.shape[-rank:]
    if tiles and all(n == c * k for n, c, k in zip(spatial, sizes, windows.kernel, strict=True)):
        return _sums_of_tiles(x, sizes, windows.kernel)
    lead = (1,) * (x.ndim - rank)
    pads = [(0, 0)] * len(lead) + windows.pads(x, sizes)
    return lax.reduce_window(
        x, np.zeros((), x.dtype), lax.add, lead + windows.kernel, lead + windows.stride, pads
    )


def _sums_of_tiles(x: Any, sizes: list[int], kernel: tuple[int, ...]) -> Any:
    """Return the sums of windows that cover the input once: a reshape, and faster."""
    lead = x.ndim - len(sizes)
    split = [n for pair in zip(sizes, kernel, strict=True) for n in pair]
    axes = tuple(range(lead + 1, lead + 2 * len(sizes), 2))
    return x.reshape(*x.shape[:lead], *split).sum(axes, dtype=x.dtype)


def _counts(windows: Windows, spatial: tuple, sizes: list[int], with_padding: bool) -> np.ndarray:
    """Return how many elements each window averages."""
    counts = np.ones((), np.int64)
    for i, (n, count) in enumerate(zip(spatial, sizes, strict=True)):
        kernel, stride, padding = windows.kernel[i], windows.stride[i], windows.padding[i]
        starts = np.arange(count) * stride - padding
        ends = np.minimum(starts + kernel, n + padding)
        inside = np.minimum(ends, n) - np.maximum(starts, 0)
        counts = counts[..., None] * (ends - starts if with_padding else inside)
    return counts


@op(name="avg_pool")
def _avg_pool(input: Array, windows: Windows, count_include_pad: bool, divisor: int | None):
    rank = len(windows.kernel)
    name = f"avg_pool{rank}d"
    if divisor == 0:
        raise RuntimeError("divisor must be not zero")
    if input.dtype != jnp.int64:
        require_floating(name, input)
    sizes = windows.sizes(input, name)
    total = _sums(wide(input), windows, sizes)
    if divisor is None:
        counts = _counts(windows, input.shape[-rank:], sizes, count_include_pad)
        shared: Any = counts.flat[0] if (counts == counts.flat[0]).all() else counts
        divisor = shared
    if input.dtype == jnp.int64:
        return lax.div(total, jnp.broadcast_to(jnp.asarray(divisor, total.dtype), total.shape))
    return (total / jnp.asarray(divisor, total.dtype)).astype(input.dtype)


@op(name="lp_pool")
def _lp_pool(input: Array, windows: Windows, norm_type: Scalar):
    name = f"lp_pool{len(windows.kernel)}d"
    require_floating(name, input)
    powers = jnp.power(input, norm_type)
    total = _sums(powers, windows, windows.sizes(input, name))
    return jnp.power(jnp.sign(total) * jnp.maximum(jnp.abs(total), 0), 1 / norm_type)


@op(name="adaptive_avg_pool")
def _adaptive_avg_pool(input: Array, output_size: tuple):
    rank = len(output_size)
    name = f"adaptive_avg_pool{rank}d"
    require_floating(name, input)
    sizes = adaptive_sizes(input, output_size, rank, name)
    spatial = input.shape[-rank:]
    if 0 in sizes:
        return jnp.zeros((*input.shape[:-rank], *sizes), input.dtype)
    x = wide(input)
    if all(n % count == 0 for n, count in zip(spatial, sizes, strict=True)):
        kernel = tuple(n // count for n, count in zip(spatial, sizes, strict=True))
        total = _sums_of_tiles(x, sizes, kernel)
        return (total / int(np.prod(kernel))).astype(input.dtype)
    for axis in range(-rank, 0):
        x = _mean_of_windows(x, axis % input.ndim, *adaptive_windows(spatial[axis], sizes[axis]))
    return x.astype(input.dtype)


def _mean_of_windows(x: Any, axis: int, positions: np.ndarray, is_inside: np.ndarray) -> Any:
    """Replace an axis by the means of windows over it."""
    total = jnp.zeros((), x.dtype)
    shape = [-1 if i == axis else 1 for i in range(x.ndim)]
    for column, inside in zip(positions.T, is_inside.T, strict=True):
        part = jnp.take(x, column, axis)
        # A product with the mask would turn an infinity outside into NaN.
        total = total + jnp.where(inside.reshape(shape), part, 0)
    return total / is_inside.sum(1).reshape(shape).astype(x.dtype)


def _averaging(rank: int) -> Any:
    """Return `avg_pool{rank}d`."""

    def avg_pool(
        input: Tensor,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Tensor:
        windows = windows_of(kernel_size, stride, padding, 1, ceil_mode, rank)
        return _avg_pool(input, windows, count_include_pad, divisor_override)

    return _named(avg_pool, f"avg_pool{rank}d", _AVERAGE_TEXT, rank)


def _adaptive(rank: int) -> Any:
    """Return `adaptive_avg_pool{rank}d`."""

    def adaptive_avg_pool(input: Tensor, output_size: Size) -> Tensor:
        return _adaptive_avg_pool(input, wanted_sizes(input, output_size, rank))

    return _named(adaptive_avg_pool, f"adaptive_avg_pool{rank}d", _ADAPTIVE_TEXT, rank)


def _powering(rank: int) -> Any:
    """Return `lp_pool{rank}d`."""

    def lp_pool(
        input: Tensor,
        norm_type: float,
        kernel_size: Size,
        stride: Size | None = None,
        ceil_mode: bool = False,
    ) -> Tensor:
        windows = windows_of(kernel_size, stride, 0, 1, ceil_mode, rank)
        return _lp_pool(input, windows, float(norm_type))

    return _named(lp_pool, f"lp_pool{rank}d", _POWER_TEXT, rank)


_AVERAGE_TEXT = """Return the mean of each window over {rank} spatial dimension(s).

    Args:
        stride: Distance of the windows; the kernel's size by default.
        padding: How many zeros are put on both sides, at most half of the kernel.
        ceil_mode: Whether a last window may reach over the end.
        count_include_pad: Whether those zeros count.
        divisor_override: What to divide sums by, instead of the number of elements.
    Shape:
        `(N, C, *sizes)` or `(C, *sizes)`, like the result

    Example:
        >>> import taowa
        >>> avg_pool{rank}d(taowa.ones({x}), 2).shape
        torch.Size([{y}])
    """
_ADAPTIVE_TEXT = """Return the means of as many windows as `output_size` says.

    Args:
        output_size: A number for each of the {rank} spatial dimension(s); `None` keeps a size.
    Shape:
        `(N, C, *sizes)` or `(C, *sizes)` -> `(N, C, *output_size)` or `(C, *output_size)`

    Example:
        >>> import taowa
        >>> adaptive_avg_pool{rank}d(taowa.ones({x}), 1).shape
        torch.Size([{one}])
    """
_POWER_TEXT = """Return the p-norm of each window over {rank} spatial dimension(s).

    Args:
        norm_type: The power p.
        stride: Distance of the windows; the kernel's size by default.
    Shape:
        `(N, C, *sizes)` or `(C, *sizes)`, like the result

    Example:
        >>> import taowa
        >>> lp_pool{rank}d(taowa.ones({x}), 2, 2).shape
        torch.Size([{y}])
    """


def _named(function: Any, name: str, text: str, rank: int) -> Any:
    function.__name__ = function.__qualname__ = name
    shapes = {"x": [1, 2, 4], "y": [1, 2, 2], "one": [1, 2, 1]}
    examples = {k: ", ".join(map(str, v + v[-1:] * (rank - 1))) for k, v in shapes.items()}
    function.__doc__ = text.format(rank=rank, **examples)
    return function


avg_pool1d, avg_pool2d, avg_pool3d = _averaging(1), _averaging(2), _averaging(3)
adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = (_adaptive(i) for i in (1, 2, 3))
lp_pool1d, lp_pool2d, lp_pool3d = _powering(1), _powering(2), _powering(3)
public(is_method=False)(avg_pool1d)
public(is_method=False)(adaptive_avg_pool1d)
