"""Copies of a tensor in which a view of it has other values."""

from __future__ import annotations

from typing import Any

from taowa.core.api import public
from taowa.core.tensor import Tensor
from taowa.ops.dims import numpy_names, one_dim
from taowa.ops.splitting import select, slice_along
from taowa.ops.striding import diagonal


def _written(copy: Tensor, view: Tensor, src: Tensor) -> Tensor:
    if view._aval.shape != src._aval.shape:
        raise RuntimeError(
            "expected src to have a size equal to the slice of self. src size = "
            f"{list(src.shape)}, slice size = {list(view.shape)}"
        )
    view.copy_(src)  # type: ignore[attr-defined]
    return copy


@public
@numpy_names
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """Return a copy with `src` at one place along a dimension.

    Example:
        >>> import taowa
        >>> taowa.select_scatter(taowa.zeros(2, 2), taowa.ones(2), 0, 1)
        tensor([[0., 0.],
                [1., 1.]])
    """
    copy = input.clone()  # type: ignore[attr-defined]
    return _written(copy, select(copy, dim, index), src)


@public
@numpy_names
def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Tensor:
    """Return a copy with `src` in a slice along a dimension.

    Example:
        >>> import taowa
        >>> taowa.slice_scatter(taowa.zeros(3), taowa.ones(2), start=1)
        tensor([0., 1., 1.])
    """
    axis = one_dim(dim, input.ndim)
    first, last, stride = slice(start, end, step).indices(input._aval.shape[axis])
    copy = input.clone()  # type: ignore[attr-defined]
    size = len(range(first, last, stride))
    return _written(copy, slice_along(copy, axis, min(first, last), size, stride), src)


@public
def diagonal_scatter(
    input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Tensor:
    """Return a copy with `src` on a diagonal.

    Example:
        >>> import taowa
        >>> taowa.diagonal_scatter(taowa.zeros(2, 2), taowa.ones(2))
        tensor([[1., 0.],
                [0., 1.]])
    """
    copy = input.clone()  # type: ignore[attr-defined]
    return _written(copy, diagonal(copy, offset, dim1, dim2), src)
