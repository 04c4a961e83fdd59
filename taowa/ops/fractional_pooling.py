"""Max pooling over windows whose places are drawn at random."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax

from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.convolution import as_tuple
from taowa.ops.precision import require_floating, require_same_dtype
from taowa.ops.random import rand

Size = int | Sequence[int]


def _starts(samples: Any, size: int, kernel: int, count: int) -> Any:
    """Return where `count` windows begin, `(N, C, count)`, from numbers in [0, 1)."""
    last = size - kernel
    if count == 1:
        return jnp.full((*samples.shape, 1), last, jnp.int32)
    # In the samples' own precision, as PyTorch has it: rounding moves windows.
    alpha = jnp.asarray(last, samples.dtype) / jnp.asarray(count - 1, samples.dtype)
    steps, shift = jnp.arange(count - 1, dtype=samples.dtype), samples[..., None]
    starts = ((steps + shift) * alpha).astype(jnp.int32) - (shift * alpha).astype(jnp.int32)
    return jnp.concatenate([starts, jnp.full_like(starts[..., :1], last)], -1)


def _places(samples: Any, spatial: tuple, kernel: tuple, sizes: tuple) -> Any:
    """Return the flat places of each window's elements, `(N, C, *sizes, elements)`."""
    rank = len(spatial)
    flat: Any = jnp.zeros((1,) * (2 + 2 * rank), jnp.int32)
    for i, n in enumerate(spatial):
        # The first sample is the last dimension's of images, the first one's of volumes.
        starts = _starts(samples[..., i if rank == 3 else 1 - i], n, kernel[i], sizes[i])
        positions = starts[..., None] + jnp.arange(kernel[i])  # (N, C, count, kernel)
        shape = [*samples.shape[:2], *(1,) * (2 * rank)]
        shape[2 + i], shape[2 + rank + i] = sizes[i], kernel[i]
        flat = flat * n + positions.reshape(shape)
    return flat.reshape(*samples.shape[:2], *sizes, math.prod(kernel))


def _largest(values: Any) -> Any:
    """Return the place along the last axis of the first maximum, or of the last NaN."""
    is_nan = jnp.isnan(values)
    last_nan = values.shape[-1] - 1 - jnp.argmax(is_nan[..., ::-1], -1)
    return jnp.where(is_nan.any(-1), last_nan, jnp.argmax(values, -1))[..., None]


@op(name="fractional_max_pool")
def _fractional_max_pool(input: Array, random_samples: Array, kernel: tuple, sizes: tuple):
    rank = len(kernel)
    name = f"fractional_max_pool{rank}d"
    _require_windows(name, input, random_samples, kernel, sizes)
    x = input if input.ndim == rank + 2 else input[None]
    spatial = x.shape[2:]
    places = _places(random_samples[: x.shape[0]], spatial, kernel, sizes)
    rows = x.reshape(*x.shape[:2], math.prod(spatial))
    count = math.prod(sizes)
    flat = places.reshape(*x.shape[:2], count * math.prod(kernel))
    windows = jnp.take_along_axis(rows, flat, 2, mode="clip")
    best = _largest(lax.stop_gradient(windows).reshape(places.shape))
    chosen = jnp.take_along_axis(places, best, -1, mode="clip")
    values = jnp.take_along_axis(rows, chosen.reshape(*x.shape[:2], count), 2, mode="clip")
    shape = (*input.shape[:-rank], *sizes)
    return values.reshape(shape), chosen.astype(jnp.int64).reshape(shape)


def _require_windows(name: str, input: Any, samples: Any, kernel: tuple, sizes: tuple) -> None:
    rank, shape = len(kernel), list(input.shape)
    require_floating(name, input)
    if input.ndim not in (rank + 1, rank + 2) or 0 in shape[-rank - 1 :]:
        raise RuntimeError(
            f"{name}(): Expected {rank + 1}D or {rank + 2}D tensor with non-zero sizes besides the "
            f"batch's, but got: {shape}"
        )
    if len(sizes) != rank:
        raise RuntimeError(f"{name}: output_size must be one or {rank} ints, but got {sizes}")
    for n, k, count in zip(shape[-rank:], kernel, sizes, strict=True):
        if k <= 0 or count <= 0 or count + k - 1 > n:
            raise RuntimeError(
                f"{name}(): windows of {kernel} do not give output_size {sizes} for input {shape}"
            )
    require_same_dtype("input and _random_samples", input, samples)
    batch = shape[0] if input.ndim == rank + 2 else 1
    expected = (batch, shape[-rank - 1], rank)
    if samples.ndim != 3 or samples.shape[0] < batch or samples.shape[1:] != expected[1:]:
        raise RuntimeError(
            f"{name}(): expected _random_samples of shape {expected}, but got {samples.shape}"
        )


def _pooling(rank: int) -> tuple[Any, Any]:
    """Return `fractional_max_pool{rank}d` and the form that always gives indices."""
    name = f"fractional_max_pool{rank}d"

    def with_indices(
        input: Tensor,
        kernel_size: Size,
        output_size: Size | None = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        sizes = _output_sizes(input, output_size, output_ratio, rank)
        if _random_samples is None:
            batch = 1 if input.ndim == rank + 1 else input.shape[0]
            _random_samples = rand(
                batch, input.shape[-rank - 1], rank, dtype=input.dtype, device=input.device
            )
        return _fractional_max_pool(input, _random_samples, as_tuple(kernel_size, rank), sizes)

    def pool(
        input: Tensor,
        kernel_size: Size,
        output_size: Size | None = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> Any:
        result = with_indices(
            input, kernel_size, output_size, output_ratio, return_indices, _random_samples
        )
        return result if return_indices else result[0]

    return _named(pool, name, _TEXT, rank), _named(
        with_indices, f"{name}_with_indices", _INDICES_TEXT, rank
    )


def _output_sizes(input: Tensor, size: Any, ratio: Any, rank: int) -> tuple[int, ...]:
    if size is None and ratio is None:
        raise ValueError(
            f"fractional_max_pool{rank}d requires specifying either an output_size or an "
            "output_ratio"
        )
    if size is not None:
        return as_tuple(size, rank)
    ratios = tuple(ratio) if isinstance(ratio, list | tuple) else (ratio,) * rank
    if len(ratios) > rank:
        raise ValueError(
            f"fractional_max_pool{rank}d requires output_ratio to be one number or {rank}, but got "
            f"{ratio}"
        )
    return tuple(int(n * r) for n, r in zip(input.shape[-rank:], ratios, strict=True))


_TEXT = """Return the largest elements of windows that are spread at random steps.

    Args:
        kernel_size: Size of the windows.
        output_size: How many windows there are along each of the {rank} spatial dimensions.
        output_ratio: That number divided by the input's size, in the place of `output_size`.
        return_indices: Whether to return the flat places of the maxima too.
    Shape:
        `(N, C, *sizes)` or `(C, *sizes)` -> `(N, C, *output_size)` or `(C, *output_size)`

    References:
        Graham 2014, https://arxiv.org/abs/1412.6071

    Example:
        >>> import taowa
        >>> fractional_max_pool{rank}d(taowa.ones({x}), 2, output_size=3).shape
        torch.Size([{y}])
    """
_INDICES_TEXT = """Return the largest elements of windows at random steps, and their flat places.

    See `fractional_max_pool{rank}d`.

    Example:
        >>> import taowa
        >>> fractional_max_pool{rank}d_with_indices(taowa.ones({x}), 2, output_size=3)[1].shape
        torch.Size([{y}])
    """


def _named(function: Any, name: str, text: str, rank: int) -> Any:
    function.__name__ = function.__qualname__ = name
    x, y = (", ".join(map(str, [1, 2, *[n] * rank])) for n in (5, 3))
    function.__doc__ = text.format(rank=rank, x=x, y=y)
    return function


fractional_max_pool2d, fractional_max_pool2d_with_indices = _pooling(2)
fractional_max_pool3d, fractional_max_pool3d_with_indices = _pooling(3)
