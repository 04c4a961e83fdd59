"""Derivatives of sampled functions."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.dims import all_dims


@op(name="gradient", promote="float", numbers=("spacing",))
def _gradient(input: Array, spacing: Array, dim: int, edge_order: int):
    y = jnp.moveaxis(input, dim, 0)  # (n, ...)
    n = y.shape[0]
    gaps = jnp.diff(spacing) if spacing.ndim else jnp.broadcast_to(spacing, (n - 1,))
    gaps = gaps.reshape(-1, *(1,) * (y.ndim - 1))
    parts = [_first(y, gaps, edge_order), _interior(y, gaps)]
    last = _first(jnp.flip(y, 0), -jnp.flip(gaps, 0), edge_order)
    return jnp.moveaxis(jnp.concatenate([*parts, last]), 0, dim)


def _interior(y: Any, gaps: Any) -> Any:
    """Return the slopes of parabolas through neighbours."""
    before, after = gaps[:-1], gaps[1:]
    slope_before = (y[1:-1] - y[:-2]) / before
    slope_after = (y[2:] - y[1:-1]) / after
    return (slope_before * after + slope_after * before) / (before + after)


def _first(y: Any, gaps: Any, edge_order: int) -> Any:
    """Return the slope at the first sample: of a line, or of a parabola."""
    slope = (y[1:2] - y[:1]) / gaps[:1]
    if edge_order == 1:
        return slope
    next_slope = (y[2:3] - y[1:2]) / gaps[1:2]
    return slope - (next_slope - slope) * gaps[:1] / (gaps[:1] + gaps[1:2])


def _spacings(spacing: Any, dims: tuple[int, ...]) -> list:
    if spacing is None:
        return [1] * len(dims)
    if not isinstance(spacing, list | tuple):
        return [spacing] * len(dims)
    if len(spacing) != len(dims):
        raise RuntimeError(
            "torch.gradient expected spacing to be unspecified, a scalar, or a list of length "
            f"{len(dims)}, but got a list of length {len(spacing)}"
        )
    return list(spacing)


@public(is_method=False)
def gradient(
    input: Tensor, *, spacing: Any = None, dim: Any = None, edge_order: int = 1
) -> tuple[Tensor, ...]:
    """Return the derivatives of a sampled function along each dimension.

    Args:
        spacing: Distance of samples: a number, or for each dimension a number or a tensor of
            coordinates.
        dim: One or several dimensions; `None` = all.
        edge_order: 1 for lines at the ends, 2 for parabolas.

    Raises:
        RuntimeError: if a dimension has not more samples than `edge_order`.

    Example:
        >>> import taowa
        >>> taowa.gradient(taowa.tensor([1.0, 2.0, 4.0, 8.0]))
        (tensor([1.0000, 1.5000, 3.0000, 4.0000]),)
    """
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    dims = all_dims(dim if dim is None or isinstance(dim, int) else tuple(dim), input.ndim)
    for place in dims:
        if input.shape[place] <= edge_order:
            raise RuntimeError(
                "torch.gradient expected each dimension size to be at least edge_order+1"
            )
    pairs = zip(_spacings(spacing, dims), dims, strict=True)
    return tuple(_gradient(input, step, place, edge_order) for step, place in pairs)
