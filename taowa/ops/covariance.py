"""Covariances and correlations of variables, and powers of a vector."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.precision import HIGHEST


def _covariance(x: Any, correction: float, weights: Any, total: Any) -> Any:
    """Return the covariances (d, d) of rows (d, n), the observations weighted."""
    if weights is None:
        centred = x - x.mean(1, keepdims=True)
        return _products(centred, centred) / jnp.maximum(x.shape[1] - correction, 0)
    centred = x - (x * weights).sum(1, keepdims=True) / weights.sum()
    return _products(centred * weights, centred) / jnp.maximum(total, 0)


def _products(x: Any, y: Any) -> Any:
    return jnp.matmul(x, jnp.conj(y).T, precision=HIGHEST)


def _rows(input: Any, name: str) -> Any:
    if input.ndim > 2:
        raise RuntimeError(
            f"{name}(): expected input to have two or fewer dimensions but got an input with "
            f"{input.ndim} dimensions"
        )
    return input.reshape(1, -1) if input.ndim < 2 else input


@op(name="cov", promote="float", promoted=("input",), numbers=())
def _cov(input: Array, correction: int, fweights: Array | None, aweights: Array | None):
    x = _rows(input, "cov")
    for name, weights in (("fweights", fweights), ("aweights", aweights)):
        if weights is not None and weights.shape != (x.shape[1],):
            raise RuntimeError(
                f"cov(): expected {name} to have the same numel as there are observations in "
                f"the input but got {weights.size} != {x.shape[1]}"
            )
    given = [w for w in (fweights, aweights) if w is not None]
    if not given:
        return _covariance(x, correction, None, None).squeeze()
    weights = given[0] if len(given) == 1 else given[0] * given[1]
    total = weights.sum()
    if aweights is not None and correction:
        total = total - correction * (weights * given[-1]).sum() / total
    elif aweights is None:
        total = total - correction
    return _covariance(x, 0, weights, total).squeeze()


@public
def cov(
    input: Tensor,
    *,
    correction: int = 1,
    fweights: Tensor | None = None,
    aweights: Tensor | None = None,
) -> Tensor:
    """Return the covariances of variables.

    Args:
        input: One variable in each row, one observation in each column; or one variable.
        correction: What to subtract from the number of observations.
        fweights: How often each observation counts, integers.
        aweights: How important each observation is.

    Example:
        >>> import taowa
        >>> taowa.cov(taowa.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
        tensor([[ 1., -1.],
                [-1.,  1.]])
    """
    if fweights is not None and fweights.dtype.category != 1:
        raise RuntimeError(
            "cov(): expected fweights to have integral dtype but got fweights with "
            f"{fweights.dtype}"
        )
    for name, weights in (("fweights", fweights), ("aweights", aweights)):
        if weights is not None and weights.is_on_host() and (weights.host() < 0).any():
            raise RuntimeError(f"cov(): {name} cannot be negative")
    if aweights is not None and not aweights.dtype.is_floating_point:
        raise RuntimeError(
            "cov(): expected aweights to have floating point dtype but got aweights with "
            f"{aweights.dtype}"
        )
    return _cov(input, correction, fweights, aweights)


@op(name="corrcoef", promote="float", numbers=())
def _corrcoef(input: Array):
    products = _covariance(_rows(input, "corrcoef"), 1, None, None)
    deviations = jnp.sqrt(jnp.diagonal(products))
    scaled = products / deviations[:, None] / deviations[None, :]
    if jnp.iscomplexobj(scaled):
        scaled = jnp.clip(scaled.real, -1, 1) + 1j * jnp.clip(scaled.imag, -1, 1)
    else:
        scaled = jnp.clip(scaled, -1, 1)
    return scaled.squeeze()


@public
def corrcoef(input: Tensor) -> Tensor:
    """Return Pearson's correlations of variables.

    Args:
        input: One variable in each row, one observation in each column.

    Example:
        >>> import taowa
        >>> taowa.corrcoef(taowa.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
        tensor([[ 1., -1.],
                [-1.,  1.]])
    """
    return _corrcoef(input)


@op(name="vander", numbers=())
def _vander(x: Array, N: int, increasing: bool):
    if x.ndim != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    kind = x.dtype if jnp.issubdtype(x.dtype, jnp.inexact) else jnp.int64
    columns = jnp.broadcast_to(x.astype(kind)[:, None], (x.shape[0], max(N - 1, 0)))
    powers = jnp.concatenate([jnp.ones((x.shape[0], 1), kind), columns], 1)[:, :N]
    powers = jnp.cumprod(powers, 1) if N else powers
    return powers if increasing else jnp.flip(powers, 1)


@public(is_method=False)
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """Return the matrix of powers of a vector, one power in each column.

    Args:
        N: Number of columns; as many as rows if `None`.
        increasing: Whether powers increase to the right.

    Example:
        >>> import taowa
        >>> taowa.vander(taowa.tensor([1, 2, 3]))
        tensor([[1, 1, 1],
                [4, 2, 1],
                [9, 3, 1]])
    """
    if N is not None and N < 0:
        raise RuntimeError(f"N must be non-negative, got {N}")
    return _vander(x, x.shape[0] if N is None and x.ndim else N, increasing)
