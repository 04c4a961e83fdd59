"""Distances and angles between vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import lax

from taowa.core.api import public
from taowa.core.op import Array, Scalar, op
from taowa.core.tensor import Tensor
from taowa.ops.dims import one_dim
from taowa.ops.loss import reduced
from taowa.ops.margin_loss import positive_part
from taowa.ops.norms import norm
from taowa.ops.operands import kind_name
from taowa.ops.pointwise import add, sub
from taowa.ops.precision import wide


def _bounded_norm(x: Any, dim: int, eps: Any) -> Any:
    """Return 2-norms, at least `eps`; the bound is no part of the gradient."""
    squares = jnp.square(x).sum(dim, keepdims=True)
    is_zero = squares == 0
    size = jnp.where(is_zero, 0, jnp.sqrt(jnp.where(is_zero, 1, squares)))
    return size + lax.stop_gradient(jnp.maximum(size, eps) - size)


@op(name="cosine_similarity", promote="same")
def _cosine_similarity(x1: Array, x2: Array, dim: int, eps: Scalar):
    if not jnp.issubdtype(x1.dtype, jnp.inexact):
        raise RuntimeError(
            "expected common dtype to be floating point, yet common dtype is " + kind_name(x1)
        )
    a, b = jnp.broadcast_arrays(wide(x1), wide(x2))
    axis = one_dim(dim, a.ndim)
    if a.ndim == 0:
        a, b = a[None], b[None]
    a, b = (v / _bounded_norm(v, axis, wide(eps)) for v in (a, b))
    return (a * b).sum(axis).astype(x1.dtype)


@public(is_method=False)
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Return the cosine of the angle between vectors.

    Args:
        dim: The dimension of the vectors, after broadcasting.
        eps: Smallest length of a vector that counts.
    Shape:
        `(*, D, *)` both -> `(*, *)`

    Raises:
        RuntimeError: for integers.

    Example:
        >>> import taowa
        >>> x, y = taowa.tensor([1.0, 0.0]), taowa.tensor([3.0, 4.0])
        >>> taowa.cosine_similarity(x, y, dim=0)
        tensor(0.6000)
    """
    return _cosine_similarity(x1, x2, dim, eps)


@public(is_method=False)
def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """Return the p-norms of differences along the last dimension.

    Args:
        eps: Added to differences, which keeps the gradient at 0 finite.
    Shape:
        `(N, D)` or `(D,)` -> `(N,)` or `()`, with `keepdim` `(N, 1)` or `(1,)`

    Example:
        >>> import taowa
        >>> taowa.pairwise_distance(taowa.tensor([3.0, 4.0]), taowa.zeros(2), eps=0.0)
        tensor(5.)
    """
    return norm(add(sub(x1, x2), eps), p, -1, keepdim)


@op(name="triplet_margin_with_distance_loss", promote="same")
def _triplet_of_distances(
    near: Array, far: Array, other: Array | None, margin: Scalar, reduction: str
):
    away = wide(far) if other is None else jnp.minimum(wide(far), wide(other))
    loss = positive_part(wide(margin) + wide(near) - away)
    return reduced(loss, reduction).astype(near.dtype)


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """Return how much less than a margin the negative is farther away than the positive.

    Args:
        distance_function: Gives the distances of two tensors; `pairwise_distance` by default.
        margin: Positive.
        swap: Whether the negative's distance from the positive counts too, if it is smaller.
        reduction: `"none"`, `"mean"` or `"sum"`.

    Raises:
        ValueError: if the margin is not positive or the reduction unknown.
        RuntimeError: if the numbers of dimensions differ.

    Example:
        >>> import taowa
        >>> x = taowa.zeros(1, 2)
        >>> triplet_margin_with_distance_loss(x, x, x)
        tensor(1.)
    """
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {anchor.ndim}D, positive {positive.ndim}D, and negative "
            f"{negative.ndim}D inputs"
        )
    distance = pairwise_distance if distance_function is None else distance_function
    other = distance(positive, negative) if swap else None
    near, far = distance(anchor, positive), distance(anchor, negative)
    return _triplet_of_distances(near, far, other, margin, reduction)
