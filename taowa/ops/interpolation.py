"""Making signals, images and volumes larger or smaller."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from taowa.core.tensor import Tensor
from taowa.ops.average_pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from taowa.ops.resampling import Axis, resample

_AREA = {1: adaptive_avg_pool1d, 2: adaptive_avg_pool2d, 3: adaptive_avg_pool3d}
_UNALIGNED = ("nearest", "area", "nearest-exact")
_RANKS = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3, "lanczos": 2}
_METHODS = {"linear": "linear", "bilinear": "linear", "trilinear": "linear", "bicubic": "cubic",
            "lanczos": "lanczos", "nearest": "nearest",
            "nearest-exact": "nearest-exact"}  # fmt: skip

Sizes = int | Sequence[int] | None
Factors = float | Sequence[float] | None


def _each(name: str, value: Any, input: Tensor) -> list:
    """Return one value for each spatial dimension."""
    rank = input.ndim - 2
    if not isinstance(value, list | tuple):
        return [value] * max(rank, 0)
    if len(value) != rank:
        raise ValueError(
            f"Input and {name} must have the same number of spatial dimensions, but got input with "
            f"spatial dimensions of {list(input.shape[2:])} and {name} of {value}. Give the input "
            f"as (N, C, d1, d2, ...,dK) and {name} with one number for each of d1, d2, ...,dK."
        )
    return list(value)


def _require_integers(size: Any, sizes: list) -> None:
    if not all(isinstance(n, int | np.integer) for n in sizes):
        raise TypeError(
            "expected size to be one of int or Tuple[int] or Tuple[int, int] or "
            f"Tuple[int, int, int], but got {size}"
        )


def _sizes_and_factors(
    input: Tensor, size: Sizes, scale_factor: Factors, recompute: bool | None, mode: str
) -> tuple[list[int], list[float | None]]:
    """Return the result's sizes, and the factors that coordinates shall follow."""
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is None and scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    if size is not None:
        if recompute:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        sizes = _each("output size", size, input)
        _require_integers(size, sizes)
        return [int(n) for n in sizes], [None] * len(sizes)
    factors = [float(f) for f in _each("scale_factor", scale_factor, input)]
    sizes = [int(n * f) for n, f in zip(input.shape[2:], factors, strict=True)]
    follow: Any = [None] * len(sizes) if recompute or mode == "area" else factors
    return sizes, follow


def _require_mode(input: Tensor, mode: str, align_corners: bool | None, antialias: bool) -> None:
    if mode in _UNALIGNED and align_corners is not None:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: "
            "linear | bilinear | bicubic | trilinear"
        )
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and input.ndim == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires "
            "a 4-D tensor as input"
        )
    rank = input.ndim - 2
    if not 1 <= rank <= 3 or _RANKS.get(mode, rank if mode in _UNALIGNED else 0) != rank:
        raise NotImplementedError(
            f"Got {input.ndim}D input for mode {mode}: linear needs 3D, bilinear, bicubic and "
            "lanczos 4D, trilinear 5D input; nearest, nearest-exact and area take any of these"
        )
    if mode == "lanczos" and align_corners:
        raise ValueError("Lanczos mode does not support align_corners=True")
    if mode == "lanczos" and not antialias:
        raise ValueError("Lanczos mode requires antialias=True")


def _require_sizes(input: Tensor, sizes: list[int]) -> None:
    shape = list(input.shape)
    if min(*shape[2:], *sizes) <= 0:
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input {shape[2:]} and "
            f"output {sizes}"
        )
    if shape[1] == 0:
        raise RuntimeError(
            f"Non-empty {input.ndim}D data tensor expected but got a tensor with sizes {shape}"
        )


def interpolate(
    input: Tensor,
    size: Sizes = None,
    scale_factor: Factors = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Return the input with other spatial sizes.

    Args:
        input: `(N, C, *sizes)` with one to three spatial dimensions.
        size: The new sizes.
        scale_factor: What to multiply the sizes by, in the place of `size`.
        mode: `nearest` (as older libraries have it), `nearest-exact`, `linear`, `bilinear`,
            `bicubic`, `trilinear`, `area` (means), `lanczos`.
        align_corners: Whether the centres of the corners' elements stay where they are, instead
            of the corners themselves.
        recompute_scale_factor: Take coordinates from the sizes, which are whole numbers, and not
            from `scale_factor`.
        antialias: Let kernels grow where the input is made smaller: `bilinear`, `bicubic`.

    Raises:
        ValueError: if options contradict each other.
        NotImplementedError: if the mode does not fit the number of dimensions.

    Example:
        >>> import taowa
        >>> interpolate(taowa.tensor([[[1.0, 2.0]]]), scale_factor=2)
        tensor([[[1., 1., 2., 2.]]])
        >>> interpolate(taowa.tensor([[[1.0, 2.0]]]), 3, mode="linear", align_corners=True)
        tensor([[[1.0000, 1.5000, 2.0000]]])
    """
    if mode in _UNALIGNED and align_corners is not None:
        _require_mode(input, mode, align_corners, antialias)
    sizes, factors = _sizes_and_factors(input, size, scale_factor, recompute_scale_factor, mode)
    _require_mode(input, mode, align_corners, antialias)
    if mode == "area":
        return _AREA[input.ndim - 2](input, sizes)
    _require_sizes(input, sizes)
    method = ("smooth-" if antialias else "") + _METHODS[mode]
    is_aligned = bool(align_corners)
    axes = [
        Axis(method, n, f if f is None or f > 0 else None, is_aligned)
        for n, f in zip(sizes, factors, strict=True)
    ]
    return resample(input, tuple(axes))


def _warn(name: str) -> None:
    warnings.warn(
        f"`nn.functional.{name}` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=3,
    )


def upsample(
    input: Tensor,
    size: Sizes = None,
    scale_factor: Factors = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """Return the input with other spatial sizes: the old name of `interpolate`, with a warning.

    Example:
        >>> import taowa, warnings
        >>> with warnings.catch_warnings(action="ignore"):
        ...     upsample(taowa.ones(1, 1, 2), 4).shape
        torch.Size([1, 1, 4])
    """
    _warn("upsample")
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Sizes = None, scale_factor: Factors = None) -> Tensor:
    """Return the input enlarged by repeating elements; use `interpolate` instead.

    Example:
        >>> import taowa, warnings
        >>> with warnings.catch_warnings(action="ignore"):
        ...     upsample_nearest(taowa.ones(1, 1, 2), 4).shape
        torch.Size([1, 1, 4])
    """
    _warn("upsample_nearest")
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(input: Tensor, size: Sizes = None, scale_factor: Factors = None) -> Tensor:
    """Return images enlarged linearly, their corners aligned; use `interpolate` instead.

    Example:
        >>> import taowa, warnings
        >>> with warnings.catch_warnings(action="ignore"):
        ...     upsample_bilinear(taowa.ones(1, 1, 2, 2), 4).shape
        torch.Size([1, 1, 4, 4])
    """
    _warn("upsample_bilinear")
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)
