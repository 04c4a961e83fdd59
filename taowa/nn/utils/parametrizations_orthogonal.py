"""Weights with orthonormal columns."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from taowa.core.grad_mode import no_grad
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor, from_array
from taowa.nn.module import Module
from taowa.nn.utils import parametrize
from taowa.ops.matmul import product
from taowa.ops.random import randn

__all__ = ["orthogonal"]

MATRIX_EXP, CAYLEY, HOUSEHOLDER = "matrix_exp", "cayley", "householder"


def _adjoint(x: Any) -> Any:
    return jnp.conj(jnp.swapaxes(x, -1, -2))


def _of_skew(x: Any, orthogonal_map: str) -> Any:
    """Return an orthogonal matrix's first columns, by a map of skew-symmetric matrices."""
    n, k = x.shape[-2:]
    x = jnp.tril(x)
    x = jnp.pad(x, [*[(0, 0)] * (x.ndim - 1), (0, n - k)])
    skew = x - _adjoint(x)
    if orthogonal_map == MATRIX_EXP:
        return jax.scipy.linalg.expm(skew)[..., :k]
    eye = jnp.eye(n, dtype=x.dtype)
    return jnp.linalg.solve(eye - skew / 2, eye + skew / 2)[..., :k]


def _of_reflections(x: Any) -> Any:
    """Return the first columns of the product of reflections whose vectors are below the diagonal.

    With the vectors as columns of V, the product is `I - V T V^T` where the inverse of T is the
    upper triangle of `V^T V` with half the squared lengths on its diagonal.
    """
    n, k = x.shape[-2:]
    eye = jnp.eye(n, k, dtype=x.dtype)
    vectors = jnp.tril(x, -1) + eye
    gram = product(_adjoint(vectors), vectors)
    lengths = jnp.sum(jnp.square(vectors), -2)  # (*, k)
    inverse = jnp.triu(gram, 1) + lengths[..., None, :] / 2 * jnp.eye(k, dtype=x.dtype)
    tops = _adjoint(vectors[..., :k, :])
    moved = product(vectors, jax.scipy.linalg.solve_triangular(inverse, tops))
    signs = jnp.trunc(jnp.diagonal(x, axis1=-2, axis2=-1))
    return (eye - moved) * jax.lax.stop_gradient(signs)[..., None, :]


@op(name="orthogonal")
def _orthogonal(input: Array, base: Array | None, orthogonal_map: str):
    is_wide = input.shape[-2] < input.shape[-1]
    x = jnp.swapaxes(input, -1, -2) if is_wide else input
    columns = _of_reflections(x) if orthogonal_map == HOUSEHOLDER else _of_skew(x, orthogonal_map)
    columns = columns if base is None else product(base, columns)
    return jnp.swapaxes(columns, -1, -2) if is_wide else columns


def _orthonormalized(x: np.ndarray) -> np.ndarray:
    """Return the orthogonal factor of the QR decomposition with a positive diagonal."""
    columns, triangle = np.linalg.qr(x)
    signs = np.sign(np.diagonal(triangle, axis1=-2, axis2=-1))
    return columns * signs[..., None, :]


def _is_orthogonal(x: np.ndarray) -> bool:
    n, k = x.shape[-2:]
    gram = x.conj().swapaxes(-1, -2) @ x
    return np.allclose(gram, np.eye(k), atol=10 * n * np.finfo(x.dtype).eps)


def _reflections_of(x: np.ndarray) -> np.ndarray:
    """Return the matrix that `_of_reflections` maps to `x`, or to its orthogonal factor."""
    packed, scales = np.linalg.qr(x, mode="raw")
    packed = packed.swapaxes(-1, -2).copy()  # reflections below the diagonal, R above
    k = packed.shape[-1]
    diagonal = np.sign(packed[..., range(k), range(k)])
    # No reflection at all, as LAPACK has it, is one that the map does not know: flip the sign.
    packed[..., range(k), range(k)] = np.where(scales == 0, -diagonal, diagonal)
    return packed.astype(x.dtype)


class _Orthogonal(Module):
    """Map a matrix to one with orthonormal columns, or rows if there are more columns."""

    base: Any

    def __init__(self, weight: Tensor, orthogonal_map: str, *, use_trivialization: bool = True):
        super().__init__()
        if weight.dtype.is_complex and orthogonal_map == HOUSEHOLDER:
            raise ValueError("The householder parametrization does not support complex tensors.")
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        """Return the matrix with orthonormal columns."""
        return _orthogonal(X, self.base if hasattr(self, "base") else None, self.orthogonal_map)

    @no_grad()
    def right_inverse(self, Q: Tensor) -> Tensor:
        """Return what maps to `Q`; with trivialization, `Q` itself becomes the base."""
        if Q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. "
                f"Got a tensor of shape {Q.shape}."
            )
        matrix = Q.host()
        is_wide = matrix.shape[-2] < matrix.shape[-1]
        tall = matrix.swapaxes(-1, -2) if is_wide else matrix
        if not hasattr(self, "base"):
            if self.orthogonal_map != HOUSEHOLDER:
                raise NotImplementedError(
                    "It is not possible to assign to the matrix exponential or the Cayley "
                    "parametrizations when use_trivialization=False."
                )
            found = _reflections_of(tall)
            return _from_host(found.swapaxes(-1, -2) if is_wide else found, Q)
        self.base = _from_host(_completed(tall, Q.dtype), Q)
        minus_eye = np.zeros(matrix.shape, matrix.dtype)
        smaller = range(min(matrix.shape[-2:]))
        minus_eye[..., smaller, smaller] = -1
        return _from_host(minus_eye, Q)


def _completed(tall: np.ndarray, dtype: Any) -> np.ndarray:
    """Return a square orthogonal matrix that begins with the columns, made orthonormal."""
    n, k = tall.shape[-2:]
    if n == k:
        return tall.copy() if _is_orthogonal(tall) else _orthonormalized(tall)
    more = randn(*tall.shape[:-2], n, n - k, dtype=dtype).host()
    return _orthonormalized(np.concatenate([tall, more], -1))


def _from_host(array: np.ndarray, like: Tensor) -> Tensor:
    return from_array(np.ascontiguousarray(array.astype(like.dtype.np)), device=like.device)


def orthogonal(
    module: Module,
    name: str = "weight",
    orthogonal_map: str | None = None,
    *,
    use_trivialization: bool = True,
) -> Module:
    """Keep a matrix's columns orthonormal, or its rows if it is wider than tall.

    Args:
        module: Owns the matrix, or a batch of matrices.
        orthogonal_map: `"matrix_exp"`, `"cayley"` or `"householder"`; by default the first for
            square and complex matrices, the last for others.
        use_trivialization: Multiply by a fixed matrix, so that any value can be assigned.

    Raises:
        ValueError: if there is no such matrix or no such map.

    References:
        Lezcano-Casado 2019, https://arxiv.org/abs/1909.09501

    Example:
        >>> import taowa
        >>> from taowa import nn
        >>> layer = orthogonal(nn.Linear(3, 3))
        >>> bool((layer.weight @ layer.weight.mT - taowa.eye(3)).abs().max() < 1e-5)
        True
    """
    weight: Any = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if weight.ndim < 2:
        raise ValueError(
            f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions."
        )
    if orthogonal_map is None:
        is_square = weight.shape[-2] == weight.shape[-1]
        orthogonal_map = MATRIX_EXP if is_square or weight.dtype.is_complex else HOUSEHOLDER
    if orthogonal_map not in (MATRIX_EXP, CAYLEY, HOUSEHOLDER):
        raise ValueError(
            'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". '
            f"Got: {orthogonal_map}"
        )
    made = _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization)
    return parametrize.register_parametrization(module, name, made, unsafe=True)
