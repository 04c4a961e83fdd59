"""Sliding windows of pooling: their number, their checks, the unrolled walk over them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jax import lax

from taowa.ops.convolution import as_tuple

Size = int | Sequence[int]


class Windows(NamedTuple):
    """The windows of a pooling operation, one number per spatial dimension in each field."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    ceil_mode: bool

    def sizes(self, input: Any, name: str) -> list[int]:
        """Return how many windows there are along each dimension, checking that there are any."""
        rank = len(self.kernel)
        _require_batchable(input, rank, name)
        _require_sane(self, name)
        spatial = input.shape[-rank:]
        sizes = [self._count(i, n) for i, n in enumerate(spatial)]
        if min(sizes) < 1:
            channels = input.shape[-rank - 1]
            raise RuntimeError(
                f"Given input size: ({'x'.join(map(str, (channels, *spatial)))}). Calculated "
                f"output size: ({'x'.join(map(str, (channels, *sizes)))}). "
                "Output size is too small"
            )
        return sizes

    def _count(self, i: int, n: int) -> int:
        stride, padding = self.stride[i], self.padding[i]
        room = n + 2 * padding - self.dilation[i] * (self.kernel[i] - 1) - 1
        count = -(-room // stride) + 1 if self.ceil_mode else room // stride + 1
        # The last window must begin inside the input or the padding before it.
        begins_outside = self.ceil_mode and (count - 1) * stride >= n + padding
        return count - 1 if begins_outside else count

    def pads(self, input: Any, sizes: list[int]) -> list[tuple[int, int]]:
        """Return what each spatial dimension needs before and after to hold all windows."""
        pairs = []
        for i, n in enumerate(input.shape[-len(sizes) :]):
            last = (sizes[i] - 1) * self.stride[i] + self.dilation[i] * (self.kernel[i] - 1) + 1
            pairs.append((self.padding[i], max(last - n - self.padding[i], 0)))
        return pairs


def _require_batchable(input: Any, rank: int, name: str) -> None:
    shape = list(input.shape)
    if input.ndim not in (rank + 1, rank + 2) or 0 in shape[input.ndim - rank - 1 :]:
        raise RuntimeError(
            f"{name}(): Expected {rank + 1}D or {rank + 2}D (batch mode) tensor with optional 0 "
            f"dim batch size for input, but got: {shape}"
        )


def _require_sane(windows: Windows, name: str) -> None:
    rank = len(windows.kernel)
    for field, values in zip(windows._fields[:4], windows[:4], strict=True):
        if len(values) != rank:
            raise RuntimeError(
                f"{name}(): {field} must be one int or {rank} ints, but got {list(values)}"
            )
    for kernel, stride, padding, dilation in zip(*windows[:4], strict=True):
        if kernel <= 0 or stride <= 0:
            raise RuntimeError(
                f"{name}(): kernel size and stride should be greater than zero, but got "
                f"kernel_size={kernel} and stride={stride}"
            )
        if dilation <= 0:
            raise RuntimeError(f"dilation should be greater than zero, but got {dilation}")
        if padding < 0:
            raise RuntimeError(f"pad must be non-negative, but got pad: {padding}")
        if 2 * padding > kernel:
            raise RuntimeError(
                "pad should be at most half of effective kernel size, but got "
                f"pad={padding}, kernel_size={kernel} and dilation={dilation}"
            )


def windows_of(
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    dilation: Size,
    ceil_mode: bool,
    rank: int,
) -> Windows:
    """Return the windows that a pooling function's arguments describe.

    Example:
        >>> windows_of(3, None, 1, 1, False, 2).stride
        (3, 3)
    """
    try:
        return _windows_of(kernel_size, stride, padding, dilation, ceil_mode, rank)
    except TypeError:  # lists
        sizes = [tuple(v) if isinstance(v, list) else v for v in (kernel_size, stride, padding)]
        dilation = tuple(dilation) if isinstance(dilation, list) else dilation
        return _windows_of(*sizes, dilation, ceil_mode, rank)


@functools.lru_cache(maxsize=1024)
def _windows_of(
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    dilation: Size,
    ceil_mode: bool,
    rank: int,
) -> Windows:
    stride = kernel_size if stride is None or stride == () else stride
    spread: Any = [_spread(value, rank) for value in (kernel_size, stride, padding, dilation)]
    sizes, steps, pads, gaps = spread
    return Windows(sizes, steps, pads, gaps, bool(ceil_mode))


def _spread(value: Size, rank: int) -> tuple[int, ...]:
    values = tuple(value) if isinstance(value, Sequence) else (value,)
    return values * rank if len(values) == 1 else values


def along(x: Any, axis: int, windows: Windows, count: int, combine: Callable) -> Any:
    """Fold the elements of the windows along one axis, in order.

    Unrolled into strided slices, which XLA fuses; its own window reductions are many times
    slower on the CPU, going backward above all.

    Args:
        axis: Counted from the end, `-rank` to -1.
        combine: Of the result so far and the next slice; `x` may be a tuple of arrays.
    """
    kernel, stride, dilation = (v[axis] for v in (windows.kernel, windows.stride, windows.dilation))
    parts = x if isinstance(x, tuple) else (x,)
    result = None
    for i in range(kernel):
        start = i * dilation
        cut = tuple(
            lax.slice_in_dim(p, start, start + (count - 1) * stride + 1, stride, p.ndim + axis)
            for p in parts
        )
        cut = cut if isinstance(x, tuple) else cut[0]
        result = cut if result is None else combine(result, cut)
    return result


def adaptive_windows(size: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the elements of windows that cut `size` into `count` parts as equal as can be.

    The windows overlap where `count` does not divide `size`. Shorter ones repeat their last
    element, which the second array marks as False.

    Shape:
        both `(count, longest)`

    Example:
        >>> adaptive_windows(3, 2)[0].tolist()
        [[0, 1], [1, 2]]
    """
    starts = np.arange(count) * size // count
    ends = -(-(np.arange(count) + 1) * size // count)
    steps = np.arange(int((ends - starts).max(initial=0)))
    positions = starts[:, None] + steps
    return np.minimum(positions, ends[:, None] - 1), positions < ends[:, None]


def wanted_sizes(input: Any, output_size: Size, rank: int) -> tuple[int, ...]:
    """Return the sizes asked of adaptive pooling, one for each spatial dimension.

    Raises:
        ValueError: if the input has too few dimensions for them.
    """
    if not isinstance(output_size, int) and input.ndim <= len(output_size):
        raise ValueError(
            f"Input dimension should be at least {len(output_size) + 1}, got shape "
            f"{list(input.shape)}"
        )
    return as_tuple(output_size, rank)


def adaptive_sizes(input: Any, output_size: tuple, rank: int, name: str) -> list[int]:
    """Return the sizes that adaptive pooling must give, checking the arguments."""
    if input.ndim not in (rank + 1, rank + 2):
        raise RuntimeError(
            f"{name}(): Expected {rank + 1}D or {rank + 2}D tensor, but got {list(input.shape)}"
        )
    spatial = input.shape[-rank:]
    for dim, n in enumerate(input.shape[1:], 1):
        if n == 0:
            raise RuntimeError(
                f"{name}(): Expected input to have non-zero size for non-batch dimensions, but "
                f"input has sizes {list(input.shape)} with dimension {dim} being empty"
            )
    if len(output_size) != rank:
        raise RuntimeError(f"{name}: output_size must be {rank}, but got {list(output_size)}")
    sizes = [n if size is None else size for n, size in zip(spatial, output_size, strict=True)]
    if min(sizes) < 0:
        raise RuntimeError(
            f"{name}: elements of output_size must be greater than or equal to 0 "
            f"but received {list(output_size)}"
        )
    return sizes
