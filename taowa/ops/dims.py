"""Dimension arguments: PyTorch's many spellings, checked while an operation is traced."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

_NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim", "x": "input", "a": "input"}


def as_static(dim: Any) -> Any:
    """Return a dimension argument in a form that can be part of a program's key.

    Example:
        >>> as_static([0, 1]), as_static(-1), as_static(None)
        ((0, 1), -1, None)
    """
    if dim is None or dim.__class__ is int or dim.__class__ is tuple:
        return dim
    return tuple(int(d) for d in dim) if hasattr(dim, "__iter__") else int(dim)


def one_dim(dim: int, ndim: int) -> int:
    """Return a dimension counted from the front; a 0-dim tensor counts as one-dimensional.

    Raises:
        IndexError: if the tensor has no such dimension.

    Example:
        >>> one_dim(-1, 3)
        2
    """
    n = max(ndim, 1)
    if not -n <= dim < n:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})"
        )
    return dim % n


def all_dims(dim: int | tuple[int, ...] | None, ndim: int) -> tuple[int, ...]:
    """Return the dimensions meant, counted from the front; `None` and `()` mean all.

    Raises:
        IndexError: if the tensor has no such dimension.
        RuntimeError: if one is named twice.

    Example:
        >>> all_dims((0, -1), 3), all_dims(None, 2)
        ((0, 2), (0, 1))
    """
    if dim is None or dim == ():
        return tuple(range(ndim))
    found: list[int] = []
    for one in (dim,) if isinstance(dim, int) else dim:
        place = one_dim(one, ndim)
        if place in found:
            raise RuntimeError(f"dim {place} appears multiple times in the list of dims")
        found.append(place)
    return tuple(found) if ndim else ()


def numpy_names(function: Callable) -> Callable:
    """Let a function take NumPy's `axis` and `keepdims` for `dim` and `keepdim`, as PyTorch does.

    Example:
        >>> numpy_names(lambda input, dim: dim)([1], axis=0)
        0
    """

    @functools.wraps(function)
    def named(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            kwargs = {_NUMPY_NAMES.get(name, name): value for name, value in kwargs.items()}
        return function(*args, **kwargs)

    return named
