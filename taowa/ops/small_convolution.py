"""Convolution of images smaller than the filters, as a sum of matrix products."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from math import prod
from typing import Any

import jax.numpy as jnp

from taowa.ops.precision import HIGHEST, wide

MAX_TAPS = 64  # larger filters would make the program too long

Pairs = Sequence[tuple[int, int]]


def output_sizes(
    sizes: Sequence[int], kernel: Sequence[int], stride: tuple, pairs: Pairs, dilation: tuple
) -> list[int]:
    """Return the sizes of a convolution's output.

    Example:
        >>> output_sizes((8, 8), (3, 3), (2, 2), [(1, 1), (1, 1)], (1, 1))
        [4, 4]
    """
    dims = zip(sizes, kernel, stride, pairs, dilation, strict=True)
    return [(n + sum(pair) - d * (k - 1) - 1) // s + 1 for n, k, s, pair, d in dims]


def has_small_images(x: Any, weight: Any, stride: tuple, pairs: Pairs, dilation: tuple) -> bool:
    """Return whether filters are larger than the images that come in or go out.

    For these XLA's convolutions on the CPU leave their fast path: forward where the input is the
    smaller one, towards the input where the output is, 30 times slower and more.
    """
    kernel = weight.shape[2:]
    outputs = output_sizes(x.shape[2:], kernel, stride, pairs, dilation)
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    sizes = zip(x.shape[2:], outputs, reach, strict=True)
    return prod(kernel) <= MAX_TAPS and any(min(n, o) < r for n, o, r in sizes)


def convolve_by_taps(
    x: Any, weight: Any, stride: tuple, pairs: Pairs, dilation: tuple, groups: int
) -> Any:
    """Sum over the filter's taps: each is a matrix product with the pixels that it meets.

    Taps that meet nothing but padding are left out: of 3×3 on a single padded pixel one remains.

    Shape:
        x `(N, C, *sizes)`, weight `(C_out, C / groups, *kernel)` -> `(N, C_out, *new_sizes)`
    """
    sizes, kernel = x.shape[2:], weight.shape[2:]
    outputs = output_sizes(sizes, kernel, stride, pairs, dilation)
    starts = [
        [k * d for k in range(extent) if _meets_image(k * d, n, o, s, pair[0])]
        for extent, n, o, s, pair, d in zip(
            kernel, sizes, outputs, stride, pairs, dilation, strict=True
        )
    ]
    padded = jnp.pad(wide(x), [(0, 0), (0, 0), *pairs])
    padded = padded.reshape(x.shape[0], groups, x.shape[1] // groups, *padded.shape[2:])
    filters = wide(weight).reshape(groups, weight.shape[0] // groups, *weight.shape[1:])
    total = jnp.zeros((x.shape[0], *filters.shape[:2], *outputs), padded.dtype)
    for start in itertools.product(*starts):
        pixels = [
            slice(a, a + s * (o - 1) + 1, s) for a, s, o in zip(start, stride, outputs, strict=True)
        ]
        tap = filters[..., *[a // d for a, d in zip(start, dilation, strict=True)]]  # (g, O, C)
        total += jnp.einsum("ngc...,goc->ngo...", padded[:, :, :, *pixels], tap, precision=HIGHEST)
    return total.reshape(x.shape[0], weight.shape[0], *outputs).astype(x.dtype)


def _meets_image(start: int, size: int, output_size: int, stride: int, padding: int) -> bool:
    """Return whether a tap that begins there in the padded image ever lies on the image itself."""
    return any(padding <= start + stride * i < padding + size for i in range(output_size))
