"""Joining tensors: along a dimension they have, or along a new one."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor, from_array
from taowa.ops.copying import is_plain
from taowa.ops.dims import numpy_names, one_dim
from taowa.ops.views import reshape, unsqueeze


def _require_tensors(name: str, tensors: Any) -> None:
    if isinstance(tensors, Tensor) or not isinstance(tensors, list | tuple):
        raise TypeError(
            f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not "
            f"{type(tensors).__name__}"
        )
    for place, one in enumerate(tensors):
        if not isinstance(one, Tensor):
            raise TypeError(
                f"expected Tensor as element {place} in argument 0, but got {type(one).__name__}"
            )


def _on_host(tensors: Any) -> bool:
    """Return whether all lie on the host in one element type, so that NumPy can join them."""
    kind, place = tensors[0].dtype, tensors[0].device
    return all(is_plain(t) and t.dtype is kind and t.device == place for t in tensors)


def _filled_shapes(shapes: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Return the shapes but for one-dimensional empty ones, which PyTorch ignores."""
    return [shape for shape in shapes if shape != (0,)] or [(0,)]


def _cat_dim(shapes: list[tuple[int, ...]], dim: int) -> int:
    """Return the dimension along which tensors of these shapes join, if they do."""
    for place, shape in enumerate(shapes):
        if not shape:
            raise RuntimeError(
                f"zero-dimensional tensor (at position {place}) cannot be concatenated"
            )
    first = _filled_shapes(shapes)[0]
    axis = one_dim(dim, len(first))
    for place, shape in enumerate(shapes):
        if shape == (0,):
            continue
        if len(shape) != len(first):
            raise RuntimeError(
                f"Tensors must have same number of dimensions: got {len(first)} and {len(shape)}"
            )
        for d, (n, expected) in enumerate(zip(shape, first, strict=True)):
            if d != axis and n != expected:
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {axis}. Expected size "
                    f"{expected} but got size {n} for tensor number {place} in the list."
                )
    return axis


@op(name="cat", promote="same")
def _cat(tensors: list[Array], dim: int):
    shapes = [t.shape for t in tensors]
    axis = _cat_dim(shapes, dim)
    joined = [t for t in tensors if t.shape != (0,)] or tensors[:1]
    return jnp.concatenate(joined, axis)


@public(is_method=False, aliases=("concat", "concatenate"))
@numpy_names
def cat(tensors: Any, dim: int = 0) -> Tensor:
    """Return tensors joined along a dimension they have.

    Args:
        tensors: They differ in size along `dim` only; one-dimensional empty ones are ignored.

    Raises:
        RuntimeError: if the sizes do not fit.

    Example:
        >>> import taowa
        >>> taowa.cat([taowa.zeros(1), taowa.ones(2)])
        tensor([0., 1., 1.])
    """
    _require_tensors("cat", tensors)
    if not tensors:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    if not _on_host(tensors):
        return _cat(tensors, dim)
    axis = _cat_dim([t._aval.shape for t in tensors], dim)
    arrays = [t.host() for t in tensors if t._aval.shape != (0,)] or [tensors[0].host()]
    return from_array(np.concatenate(arrays, axis), device=tensors[0].device)


def _stack_dim(shapes: list[tuple[int, ...]], dim: int) -> int:
    """Return the new dimension along which tensors of these shapes stack, if they do."""
    axis = one_dim(dim, len(shapes[0]) + 1)
    for place, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(shapes[0])} at entry "
                f"0 and {list(shape)} at entry {place}"
            )
    return axis


@op(name="stack", promote="same")
def _stack(tensors: list[Array], dim: int):
    return jnp.stack(tensors, _stack_dim([t.shape for t in tensors], dim))


@_stack.backward
def _(grad, tensors, dim):
    axis = one_dim(dim, grad.ndim)
    return [jnp.take(grad, i, axis) for i in range(len(tensors))]


@public(is_method=False)
@numpy_names
def stack(tensors: Any, dim: int = 0) -> Tensor:
    """Return tensors of one shape joined along a new dimension.

    Raises:
        RuntimeError: if the shapes differ.

    Example:
        >>> import taowa
        >>> taowa.stack([taowa.zeros(2), taowa.ones(2)], 1)
        tensor([[0., 1.],
                [0., 1.]])
    """
    _require_tensors("stack", tensors)
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    if not _on_host(tensors):
        return _stack(tensors, dim)
    axis = _stack_dim([t._aval.shape for t in tensors], dim)
    return from_array(np.stack([t.host() for t in tensors], axis), device=tensors[0].device)


def _each(tensors: tuple, least: Any) -> Any:
    """Apply a function to one tensor or to each of several."""
    if len(tensors) == 1:
        if isinstance(tensors[0], Tensor):
            return least(tensors[0])
        tensors = tuple(tensors[0])
    return tuple([least(one) for one in tensors])


def _one_dim_at_least(input: Tensor) -> Tensor:
    return input if input.ndim else reshape(input, (1,))


def _two_dims_at_least(input: Tensor) -> Tensor:
    ndim = input.ndim
    return input if ndim > 1 else unsqueeze(input, 0) if ndim else reshape(input, (1, 1))


def _three_dims_at_least(input: Tensor) -> Tensor:
    ndim = input.ndim
    return input if ndim > 2 else unsqueeze(_two_dims_at_least(input), -1)


@public(is_method=False)
def atleast_1d(*tensors: Any) -> Any:
    """Return a view of each tensor with at least one dimension.

    Example:
        >>> import taowa
        >>> taowa.atleast_1d(taowa.tensor(1))
        tensor([1])
    """
    return _each(tensors, _one_dim_at_least)


@public(is_method=False)
def atleast_2d(*tensors: Any) -> Any:
    """Return a view of each tensor with at least two dimensions, new ones in front.

    Example:
        >>> import taowa
        >>> taowa.atleast_2d(taowa.tensor([1, 2]))
        tensor([[1, 2]])
    """
    return _each(tensors, _two_dims_at_least)


@public(is_method=False)
def atleast_3d(*tensors: Any) -> Any:
    """Return a view of each tensor with at least three dimensions, a vector as the second.

    Example:
        >>> import taowa
        >>> taowa.atleast_3d(taowa.ones(4)).shape
        torch.Size([1, 4, 1])
    """
    return _each(tensors, _three_dims_at_least)


def _stacked(name: str, tensors: Any, least: Any, dim: int | None) -> Tensor:
    _require_tensors(name, tensors)
    if not tensors:
        raise RuntimeError(f"{name} expects a non-empty TensorList")
    parts = [least(one) for one in tensors]
    if dim is None:  # the second dimension, of vectors the first
        dim = 0 if parts[0].ndim == 1 else 1
    return cat(parts, dim)


@public(is_method=False)
def hstack(tensors: Any) -> Tensor:
    """Return tensors joined along the second dimension, vectors along the first.

    Example:
        >>> import taowa
        >>> taowa.hstack([taowa.zeros(1), taowa.ones(1)])
        tensor([0., 1.])
    """
    return _stacked("hstack", tensors, _one_dim_at_least, None)


@public(is_method=False, aliases=("row_stack",))
def vstack(tensors: Any) -> Tensor:
    """Return tensors joined along the first dimension, vectors as rows.

    Example:
        >>> import taowa
        >>> taowa.vstack([taowa.zeros(1), taowa.ones(1)])
        tensor([[0.],
                [1.]])
    """
    return _stacked("vstack", tensors, _two_dims_at_least, 0)


@public(is_method=False)
def dstack(tensors: Any) -> Tensor:
    """Return tensors joined along the third dimension.

    Example:
        >>> import taowa
        >>> taowa.dstack([taowa.zeros(1), taowa.ones(1)])
        tensor([[[0., 1.]]])
    """
    return _stacked("dstack", tensors, _three_dims_at_least, 2)


@public(is_method=False)
def column_stack(tensors: Any) -> Tensor:
    """Return tensors joined along the second dimension, vectors as columns.

    Example:
        >>> import taowa
        >>> taowa.column_stack([taowa.zeros(2), taowa.ones(2)])
        tensor([[0., 1.],
                [0., 1.]])
    """
    return _stacked("column_stack", tensors, _as_columns, None)


def _as_columns(input: Tensor) -> Tensor:
    return input if input.ndim > 1 else reshape(input, (-1, 1))


@op(name="block_diag", promote="same")
def _block_diag(tensors: list[Array]):
    height, width = (sum(t.shape[i] for t in tensors) for i in (0, 1))
    result = jnp.zeros((height, width), tensors[0].dtype)
    row = column = 0
    for block in tensors:
        h, w = block.shape
        result = result.at[row : row + h, column : column + w].set(block)
        row, column = row + h, column + w
    return result


@public(is_method=False)
def block_diag(*tensors: Tensor) -> Tensor:
    """Return a matrix with the given matrices along its diagonal, zeros elsewhere.

    Example:
        >>> import taowa
        >>> taowa.block_diag(taowa.ones(1, 1), taowa.ones(1, 2))
        tensor([[1., 0., 0.],
                [0., 1., 1.]])
    """
    if not tensors:
        return from_array(np.zeros((1, 0), np.float32))
    for place, one in enumerate(tensors):
        if one.ndim > 2:
            raise RuntimeError(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. Input "
                f"{place} has {one.ndim} dimensions"
            )
    return _block_diag([_two_dims_at_least(one) for one in tensors])
