"""Triangles and diagonals of matrices: copies."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from taowa.core.api import public, write_inplace
from taowa.core.context import context
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.dims import one_dim
from taowa.ops.element_types import checked_number
from taowa.ops.view_layouts import with_diagonal
from taowa.ops.views import reshape


def _column_minus_row(array: Any, name: str) -> Any:
    if array.ndim < 2:
        raise RuntimeError(f"{name}: input tensor must have at least 2 dimensions")
    rows, columns = (lax.broadcasted_iota(np.int64, array.shape[-2:], i) for i in (0, 1))
    return columns - rows


@public(inplace=True)
@op(numbers=("diagonal",))
def tril(input: Array, diagonal: Array = 0):
    """Return the elements on and below a diagonal, zeros above it.

    Args:
        diagonal: Which one, counted upwards from the main diagonal; a run-time number.

    Example:
        >>> import taowa
        >>> taowa.tril(taowa.ones(2, 2))
        tensor([[1., 0.],
                [1., 1.]])
    """
    return jnp.where(_column_minus_row(input, "tril") <= diagonal, input, 0).astype(input.dtype)


@tril.backward
def _(grad, diagonal):
    return jnp.where(_column_minus_row(grad, "tril") <= diagonal, grad, 0)


@public(inplace=True)
@op(numbers=("diagonal",))
def triu(input: Array, diagonal: Array = 0):
    """Return the elements on and above a diagonal, zeros below it.

    Args:
        diagonal: Which one, counted upwards from the main diagonal; a run-time number.

    Example:
        >>> import taowa
        >>> taowa.triu(taowa.ones(2, 2))
        tensor([[1., 1.],
                [0., 1.]])
    """
    return jnp.where(_column_minus_row(input, "triu") >= diagonal, input, 0).astype(input.dtype)


@triu.backward
def _(grad, diagonal):
    return jnp.where(_column_minus_row(grad, "triu") >= diagonal, grad, 0)


@public
@op
def diag_embed(input: Array, offset: int = 0, dim1: int = -2, dim2: int = -1):
    """Return zeros with the last dimension of `input` on a diagonal of two new dimensions.

    Args:
        offset: Which diagonal, counted upwards from the main one.
        dim1: Where the rows stand in the result.
        dim2: Where the columns stand in the result.

    Example:
        >>> import taowa
        >>> taowa.diag_embed(taowa.tensor([1, 2]), 1)
        tensor([[0, 1, 0],
                [0, 0, 2],
                [0, 0, 0]])
    """
    a, b = (one_dim(d, input.ndim + 1) for d in (dim1, dim2))
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    n = input.shape[-1] + abs(offset)
    zeros = jnp.zeros((*input.shape[:-1], n, n), input.dtype)
    return jnp.moveaxis(with_diagonal(zeros, input, offset, -2, -1), (-2, -1), (a, b))


@public
@op
def diag(input: Array, diagonal: int = 0):
    """Return the matrix with a vector on its diagonal, or the diagonal of a matrix.

    Example:
        >>> import taowa
        >>> taowa.diag(taowa.diag(taowa.tensor([1, 2])))
        tensor([1, 2])
    """
    if input.ndim == 1:
        return diag_embed.op.body(input, diagonal)
    if input.ndim == 2:
        return jnp.diagonal(input, diagonal)
    raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.ndim}D")


@public
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """Return the matrix with all elements on its diagonal.

    Example:
        >>> import taowa
        >>> taowa.diagflat(taowa.ones(1, 2))
        tensor([[1., 0.],
                [0., 1.]])
    """
    return diag_embed(reshape(input, (-1,)), offset)


@op(name="fill_diagonal_")
def _with_filled_diagonal(input: Array, value: Array, wrap: bool):
    steps = np.cumprod([1, *reversed(input.shape)])[:-1][::-1]
    place = sum(lax.broadcasted_iota(np.int64, input.shape, d) * s for d, s in enumerate(steps))
    is_hit = place % int(sum(steps)) == 0
    if not wrap and input.ndim == 2:
        is_hit &= place < min(input.shape[0], input.shape[1]) * input.shape[1]
    return jnp.where(is_hit, value.astype(input.dtype), input)


@public(is_function=False)
def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Write one value to the main diagonal.

    Args:
        wrap: Begin a new diagonal below the end of the last one in a tall matrix.

    Example:
        >>> import taowa
        >>> taowa.zeros(2, 2).fill_diagonal_(1)
        tensor([[1., 0.],
                [0., 1.]])
    """
    shape = self._aval.shape
    if len(shape) < 2:
        raise RuntimeError("dimensions must larger than 1")
    if len(shape) > 2 and len(set(shape)) > 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    self._require_writable(context())
    value = checked_number(fill_value, self.dtype).item()
    return write_inplace(self, _with_filled_diagonal(self, value, bool(wrap)))
