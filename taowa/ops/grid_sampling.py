"""Reading images and volumes at points that a grid names."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.operands import kind_name
from taowa.ops.precision import HIGHEST, require_floating, wide

_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")
_CUBIC_SLOPE = -0.75


def _in_elements(x: Any, size: int, align_corners: bool) -> Any:
    """Return coordinates in [-1, 1] as places of elements."""
    return (x + 1) / 2 * (size - 1) if align_corners else ((x + 1) * size - 1) / 2


def _clipped(x: Any, size: int) -> Any:
    # No gradient on the border itself, as in PyTorch; NaN becomes 0.
    return jnp.where((x > 0) & (x < size - 1), x, jnp.where(x >= size - 1, size - 1, 0))


def _reflected(x: Any, size: int, align_corners: bool) -> Any:
    """Fold coordinates back at the centres of the corners' elements, or at their edges."""
    low, span = (0.0, size - 1) if align_corners else (-0.5, size)
    if not span:
        return jnp.zeros_like(x)
    x = jnp.where(x < low, low - x, x - low)
    rest, turns = jnp.fmod(x, span), jnp.floor(x / span)
    return jnp.where(turns % 2 == 0, rest, span - rest) + low


def _padded(x: Any, size: int, padding: str, align_corners: bool) -> Any:
    """Return places moved to where the padding's values are."""
    if padding == "reflection":
        x = _reflected(x, size, align_corners)
    return x if padding == "zeros" else _clipped(x, size)


def _values_at(x: Any, places: Sequence[Any]) -> Any:
    """Return `(N, C, K, P)`: the elements of `(N, C, *sizes)` at whole places, zeros outside.

    Args:
        places: For each spatial dimension `(N, K, P)`, floating.
    """
    sizes = x.shape[2:]
    is_inside, flat = jnp.array(True), jnp.zeros((), jnp.int32)
    for place, n in zip(places, sizes, strict=True):
        fits = (place >= 0) & (place <= n - 1)
        is_inside = is_inside & fits
        flat = flat * n + jnp.where(fits, place, 0).astype(jnp.int32)
    rows = x.reshape(*x.shape[:2], math.prod(sizes))
    N, K, P = flat.shape
    found = jnp.take_along_axis(rows, flat.reshape(N, 1, K * P), 2, mode="clip")
    return jnp.where(is_inside[:, None], found.reshape(*x.shape[:2], K, P), 0)


def _linear_taps(place: Any) -> tuple[Any, Any]:
    """Return neighbours of places `(N, P)` and their weights, `(N, 2, P)` each."""
    below = lax.stop_gradient(jnp.floor(place))
    return jnp.stack([below, below + 1], 1), jnp.stack([below + 1 - place, place - below], 1)


def _cubic_taps(place: Any) -> tuple[Any, Any]:
    """Return neighbours of places `(N, P)` and their weights, `(N, 4, P)` each."""
    below = lax.stop_gradient(jnp.floor(place))
    t, a = (place - below)[:, None], _CUBIC_SLOPE
    near = jnp.concatenate([t, 1 - t], 1)  # distances of the two neighbours inside
    far = near + 1
    inner = ((a + 2) * near - (a + 3)) * near * near + 1
    outer = a * (((far - 5) * far + 8) * far - 4)
    weights = jnp.concatenate([outer[:, :1], inner, outer[:, 1:]], 1)
    return below[:, None] + jnp.arange(-1, 3, dtype=place.dtype)[:, None], weights


def _corners(values: list[Any]) -> list[Any]:
    """Return arrays `(N, K, P)` of one dimension each as `(N, K1, K2, ..., P)`."""
    rank = len(values)
    shapes = [
        (v.shape[0], *(v.shape[1] if j == i else 1 for j in range(rank)), v.shape[2])
        for i, v in enumerate(values)
    ]
    spread = jnp.broadcast_arrays(*(v.reshape(s) for v, s in zip(values, shapes, strict=True)))
    return [v.reshape(v.shape[0], math.prod(v.shape[1:-1]), v.shape[-1]) for v in spread]


@op(name="grid_sampler", promote=None)
def _grid_sampler(input: Array, grid: Array, mode: str, padding: str, align_corners: bool):
    _require_operands(input, grid, mode)
    x, points = wide(input), wide(grid)
    sizes, shape = input.shape[2:], grid.shape[1:-1]
    # A grid's first coordinate belongs to the last dimension.
    places = [
        _in_elements(points[..., -1 - i].reshape(len(points), math.prod(shape)), n, align_corners)
        for i, n in enumerate(sizes)
    ]
    if mode == "bicubic":  # the neighbours are moved inside, not the point
        taps = [_cubic_taps(p) for p in places]
        corners = [
            _padded(at, n, padding, align_corners) for (at, _), n in zip(taps, sizes, strict=True)
        ]
    else:
        places = [_padded(p, n, padding, align_corners) for p, n in zip(places, sizes, strict=True)]
        taps = [_linear_taps(p) for p in places]
        corners = [at for at, _ in taps]
    if mode == "nearest":
        total = _values_at(x, [lax.stop_gradient(jnp.round(p))[:, None] for p in places])[:, :, 0]
    else:
        weights: Any = math.prod(_corners([weight for _, weight in taps]))
        values = _values_at(x, [lax.stop_gradient(at) for at in _corners(corners)])
        total = (values * weights[:, None]).sum(2)
    return total.reshape(*input.shape[:2], *shape).astype(input.dtype)


def _require_operands(input: Any, grid: Any, mode: str) -> None:
    if input.dtype != grid.dtype:
        raise RuntimeError(
            "grid_sampler(): expected input and grid to have same dtype, but input has "
            f"{kind_name(input)} and grid has {kind_name(grid)}"
        )
    shapes = f"input with sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
    if input.ndim not in (4, 5) or grid.ndim != input.ndim:
        raise RuntimeError(
            f"grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, "
            f"but got {shapes}"
        )
    if input.shape[0] != grid.shape[0] or grid.shape[-1] != input.ndim - 2:
        raise RuntimeError(
            "grid_sampler(): expected grid and input to have same batch size, and grid to have "
            f"size {input.ndim - 2} in last dimension, but got {shapes}"
        )
    if 0 in input.shape[2:]:
        raise RuntimeError(
            f"grid_sampler(): expected input to have non-empty spatial dimensions, but got {shapes}"
        )
    if mode == "bicubic" and input.ndim == 5:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    require_floating("grid_sampler", input)


def _aligned(align_corners: bool | None) -> bool:
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since "
            "1.3.0. Please specify align_corners=True if the old behavior is desired. See the "
            "documentation of grid_sample for details.",
            stacklevel=3,
        )
    return bool(align_corners)


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """Return the values of images or volumes at points, interpolated.

    Args:
        grid: Points (x, y) or (x, y, z), from -1 at one end of the input to 1 at the other.
        mode: `bilinear`, `nearest` or, of images, `bicubic`.
        padding_mode: What lies outside: `zeros`, the nearest value of the `border`, a
            `reflection`.
        align_corners: Whether -1 and 1 are the centres of the corners' elements, not their edges.
    Shape:
        input `(N, C, *sizes)`, grid `(N, *new_sizes, 2 or 3)` -> `(N, C, *new_sizes)`

    References:
        Jaderberg et al. 2015, https://arxiv.org/abs/1506.02025

    Example:
        >>> import taowa
        >>> x = taowa.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
        >>> grid_sample(x, taowa.zeros(1, 1, 1, 2), align_corners=True)
        tensor([[[[2.5000]]]])
    """
    if mode not in _MODES:
        raise ValueError(
            "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', "
            f"but got: '{mode}'"
        )
    if padding_mode not in _PADDINGS:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or "
            f"'reflection', but got: '{padding_mode}'"
        )
    return _grid_sampler(input, grid, mode, padding_mode, _aligned(align_corners))


@op(name="affine_grid_generator")
def _affine_grid(theta: Array, sizes: tuple, align_corners: bool):
    axes = [_even_places(n, align_corners) for n in sizes[::-1]]
    mesh = np.meshgrid(*axes[::-1], indexing="ij")[::-1]
    points = np.stack([*mesh, np.ones(sizes)], -1).reshape(-1, len(sizes) + 1)
    t = wide(theta)
    grid = jnp.einsum("pk,nik->npi", jnp.asarray(points, t.dtype), t, precision=HIGHEST)
    return grid.reshape(theta.shape[0], *sizes, len(sizes)).astype(theta.dtype)


def _even_places(size: int, align_corners: bool) -> np.ndarray:
    """Return the places of elements between -1 and 1."""
    if size <= 1:
        return np.zeros(size)
    return np.linspace(-1, 1, size) * (1 if align_corners else (size - 1) / size)


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """Return the grid that makes `grid_sample` apply affine transforms.

    Args:
        theta: The transforms, `(N, 2, 3)` of images or `(N, 3, 4)` of volumes.
        size: The result's size, `(N, C, H, W)` or `(N, C, D, H, W)`.
        align_corners: As for `grid_sample`.
    Shape:
        `(N, H, W, 2)` or `(N, D, H, W, 3)`

    Raises:
        ValueError: if shapes do not fit or `theta` is not floating.
        NotImplementedError: for other numbers of dimensions.

    Example:
        >>> import taowa
        >>> affine_grid(taowa.eye(2, 3)[None], (1, 1, 2, 2), align_corners=True)[0, 0]
        tensor([[-1., -1.],
                [ 1., -1.]])
    """
    is_aligned = _aligned(align_corners)
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    if len(size) not in (4, 5):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, "
            f"respectively. Got size {size}."
        )
    rank = len(size) - 2
    if theta.ndim != 3 or tuple(theta.shape[1:]) != (rank, rank + 1):
        raise ValueError(
            f"Expected a batch of {rank}D affine matrices of shape Nx{rank}x{rank + 1} for size "
            f"{size}. Got {theta.shape}."
        )
    if is_aligned and min(size[2:]) == 1:
        warnings.warn(
            "Since version 1.3.0, affine_grid behavior has changed for unit-size grids when "
            "align_corners=True. This is not an intended use case of affine_grid. See the "
            "documentation of affine_grid for details.",
            stacklevel=2,
        )
    elif min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")
    if size[0] != theta.shape[0]:
        raise RuntimeError(f"Expected {size[0]} transforms for size {size}. Got {theta.shape}.")
    return _affine_grid(theta, tuple(int(n) for n in size[2:]), is_aligned)
