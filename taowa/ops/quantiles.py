"""Quantiles: elements at fractions of the sorted order, or between two of them."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.dims import numpy_names, one_dim

_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


@op(name="quantile", numbers=("q",))
def _quantile(
    input: Array, q: Array, dim: int | None, keepdim: bool, interpolation: str, ignore_nan: bool
):
    if input.dtype not in (jnp.float32, jnp.float64):
        raise RuntimeError("quantile() input tensor must be either float or double dtype")
    rows = input.reshape(-1) if dim is None else _last(input, one_dim(dim, input.ndim))
    if rows.size == 0:
        raise RuntimeError("quantile() input tensor must be non-empty")
    fractions = q.reshape(-1).astype(input.dtype)
    result = _at_fractions(jnp.sort(rows, -1), fractions, interpolation, ignore_nan)
    if keepdim:
        result = _keep(result, input.ndim, dim)
    return result if q.ndim else result[0]


def _last(input: Any, place: int) -> Any:
    return jnp.moveaxis(input, place, -1) if input.ndim else input.reshape(1)


def _keep(result: Any, ndim: int, dim: int | None) -> Any:
    """Put the reduced dimensions back with size 1, behind that of the fractions."""
    if dim is None:
        return result.reshape(-1, *(1,) * ndim)
    return jnp.expand_dims(result, one_dim(dim, ndim) + 1) if ndim else result


def _at_fractions(rows: Any, fractions: Any, interpolation: str, ignore_nan: bool) -> Any:
    """Return the quantiles (Q, ...) of sorted rows (..., n)."""
    is_nan = jnp.isnan(rows)
    n = rows.shape[-1]
    count = jnp.sum(~is_nan, -1, keepdims=True) if ignore_nan else n  # (..., 1)
    rank = fractions * jnp.maximum(count - 1, 0)  # (..., Q)
    rank = jnp.broadcast_to(rank, (*rows.shape[:-1], fractions.shape[0])).astype(rows.dtype)
    if not ignore_nan:  # NaNs are last: the last element is NaN if any is
        rank = jnp.where(is_nan.any(-1, keepdims=True), n - 1, rank)
    found = _between_ranks(rows, rank, interpolation)
    return jnp.moveaxis(found, -1, 0)


def _between_ranks(rows: Any, rank: Any, interpolation: str) -> Any:
    if interpolation in ("lower", "higher", "nearest"):
        rounding = {"lower": jnp.floor, "higher": jnp.ceil, "nearest": jnp.round}[interpolation]
        return jnp.take_along_axis(rows, rounding(rank).astype(jnp.int64), -1)
    below = jnp.take_along_axis(rows, jnp.floor(rank).astype(jnp.int64), -1)
    above = jnp.take_along_axis(rows, jnp.ceil(rank).astype(jnp.int64), -1)
    weight = 0.5 if interpolation == "midpoint" else rank - jnp.floor(rank)
    return jnp.where(
        jnp.asarray(weight) < 0.5, below + weight * (above - below),
        above - (above - below) * (1 - weight),
    )  # fmt: skip


def _require_fractions(q: Any, interpolation: str, input: Tensor) -> None:
    if isinstance(q, Tensor):
        if q.ndim > 1:
            raise RuntimeError(f"quantile() q must be a scalar or 1D tensor, got {q.ndim}D")
        if q.dtype is not input.dtype:
            raise RuntimeError("quantile() q tensor must be same dtype as the input tensor")
    elif not 0 <= q <= 1:
        raise RuntimeError(f"quantile() q must be in the range [0, 1] but got {q}")
    if interpolation not in _INTERPOLATIONS:
        raise RuntimeError(
            "quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, "
            f"but got {interpolation}"
        )


@public
@numpy_names
def quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *,
    interpolation: str = "linear",
) -> Tensor:  # fmt: skip
    """Return the elements at fractions `q` of the sorted order, of all or along a dimension.

    Args:
        q: A fraction in [0, 1], or a one-dimensional tensor of them.
        interpolation: What lies between two elements: `"linear"`, `"lower"`, `"higher"`,
            `"midpoint"` or `"nearest"`.

    Shape:
        The reduced shape, preceded by the number of fractions if `q` is one-dimensional.

    Example:
        >>> import taowa
        >>> taowa.quantile(taowa.tensor([1.0, 2.0, 4.0]), 0.75)
        tensor(3.)
    """
    _require_fractions(q, interpolation, input)
    return _quantile(input, q, dim, keepdim, interpolation, False)


@public
@numpy_names
def nanquantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *,
    interpolation: str = "linear",
) -> Tensor:  # fmt: skip
    """Return quantiles as `quantile` does, of the elements that are not NaN.

    Example:
        >>> import taowa
        >>> taowa.nanquantile(taowa.tensor([1.0, float("nan"), 3.0]), 0.5)
        tensor(2.)
    """
    _require_fractions(q, interpolation, input)
    return _quantile(input, q, dim, keepdim, interpolation, True)
