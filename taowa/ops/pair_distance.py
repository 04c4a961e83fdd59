"""Distances between all pairs of rows."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.precision import require_floating


def _differences(x: Any) -> tuple[np.ndarray, np.ndarray, Any]:
    """Return the rows of each pair and their differences, `(pairs, D)`."""
    first, second = np.triu_indices(x.shape[0], 1)
    return first, second, x[first] - x[second]


@op(name="pdist")
def _pdist(input: Array, p: float):
    if input.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.ndim}D")
    require_floating("pdist", input)
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    x = jnp.abs(_differences(input)[2])
    if p == 0:
        return (x != 0).sum(1).astype(input.dtype)
    if p == math.inf:
        return x.max(1, initial=0)
    if p == 2:
        return jnp.sqrt(jnp.square(x).sum(1))
    return x.sum(1) if p == 1 else (x**p).sum(1) ** (1 / p)


@_pdist.backward
def _(grad, input, output, p):
    first, second, x = _differences(input)
    g, length = grad[:, None], output[:, None]
    is_zero = (length == 0) | (x == 0)  # no gradient there, whatever p is
    ratio = jnp.where(is_zero, 0, jnp.abs(x) / jnp.where(is_zero, 1, length))
    if p == 0:
        slopes = jnp.zeros_like(x)
    elif p == math.inf:
        slopes = jnp.sign(x) * (ratio == 1)
    else:
        slopes = jnp.sign(x) * jnp.where(is_zero, 0, jnp.where(is_zero, 1, ratio) ** (p - 1))
    towards = g * slopes
    return jnp.zeros_like(input).at[first].add(towards).at[second].add(-towards)


@public(is_method=False)
def pdist(input: Tensor, p: float = 2) -> Tensor:
    """Return the p-norms of the differences between all pairs of rows.

    Args:
        p: From 0, which counts elements that differ, to infinity.
    Shape:
        `(N, D)` -> `(N (N - 1) / 2,)`, the upper triangle of the matrix of distances

    Example:
        >>> import taowa
        >>> taowa.pdist(taowa.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]))
        tensor([5.0000, 1.0000, 4.2426])
    """
    return _pdist(input, float(p))
