"""`x[index]`, by PyTorch's rules."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from taowa.core.op import Array, op
from taowa.core.tensor import Tensor, from_array
from taowa.ops.copying import is_plain
from taowa.ops.index_parsing import Advanced, parse
from taowa.ops.index_range import explained, is_outside, out_of_bounds, range_error
from taowa.ops.splitting import pick
from taowa.ops.view_steps import ALIAS, reshaped

_IN_BOUNDS = "promise_in_bounds"  # the check tells of others


def full_index(indices: Any, at: tuple[int, ...]) -> tuple:
    """Return the index tuple with tensors at the given dimensions, everything at the others."""
    found: list = [slice(None)] * (at[-1] + 1)
    for dim, index in zip(at, indices, strict=True):
        found[dim] = index
    return tuple(found)


def require_broadcast(indices: list) -> None:
    """Raise PyTorch's error for indices that do not broadcast.

    Example:
        >>> require_broadcast([np.zeros(2), np.zeros((3, 1))])
    """
    try:
        np.broadcast_shapes(*[tuple(i.shape) for i in indices])
    except ValueError:
        shapes = ", ".join(str(list(i.shape)) for i in indices)
        raise IndexError(
            f"shape mismatch: indexing tensors could not be broadcast together with shapes {shapes}"
        ) from None


def index_range_error(_: dict) -> Exception:
    """Return the error for an index found out of range when a value is read.

    Example:
        >>> type(index_range_error({})).__name__
        'IndexError'
    """
    return range_error(IndexError, "index out of bounds for the dimension it indexes")


def any_outside(indices, sizes):
    """Return whether any index leaves its dimension.

    Example:
        >>> bool(any_outside([np.array([0, 3])], (3,)))
        True
    """
    bad = [is_outside(i, n) for i, n in zip(indices, sizes, strict=True)]
    return sum(bad[1:], bad[0]) > 0


@op(name="index", numbers=())
def _index(input: Array, indices: list[Array], at: tuple, sizes: tuple):
    require_broadcast(indices)
    return input.at[full_index(indices, at)].get(mode=_IN_BOUNDS)


@_index.backward
def _(grad, input, indices, at):
    zeros = jnp.zeros(input.shape, grad.dtype)
    return (zeros.at[full_index(indices, at)].add(grad, mode=_IN_BOUNDS),)


_index.check(index_range_error)(any_outside)


def explained_index(error: Exception, view: Tensor, advanced: list[Advanced]) -> Exception:
    """Return a range error with PyTorch's text, where the bad index is known."""
    found = error
    for dim, index in advanced:
        if found is error:
            found = explained(error, index, view._aval.shape[dim], out_of_bounds(dim))
    return found


def as_places(advanced: list[Advanced]) -> list[Advanced]:
    """Return the indices with every mask replaced by the places where it is true."""
    found = []
    for dim, tensor in advanced:
        if tensor.dtype.name != "bool":
            found.append(Advanced(dim, tensor))
            continue
        mask = tensor.host()
        for offset, places in enumerate(np.nonzero(mask.reshape(mask.shape or (1,)))):
            found.append(Advanced(dim + offset, from_array(places, device=tensor.device)))
    return found


def on_one_device(view: Tensor, advanced: list[Advanced]) -> list[Tensor]:
    """Return the indices; those on the host may index a tensor anywhere, as in PyTorch."""
    return [
        from_array(i.host(), device=view.device) if i.device != view.device else i
        for _, i in advanced
    ]


def index_with(view: Tensor, advanced: list[Advanced]) -> Tensor:
    """Return the elements that tensors index."""
    places = as_places(advanced)
    at = tuple([dim for dim, _ in places])
    if is_plain(view) and all(i.is_on_host() for _, i in places):
        return _index_on_host(view, places, at)
    sizes = tuple([view._aval.shape[dim] for dim in at])
    try:
        return _index(view, on_one_device(view, places), at, sizes)
    except IndexError as error:
        raise explained_index(error, view, places) from None


def _index_on_host(view: Tensor, places: list[Advanced], at: tuple[int, ...]) -> Tensor:
    arrays = [i.host() for _, i in places]
    require_broadcast(arrays)
    require_inside(view, places)
    return from_array(view.host()[full_index(arrays, at)], device=view.device)


def require_inside(view: Tensor, places: list[Advanced]) -> None:
    """Raise PyTorch's error for indices on the host that leave their dimension."""
    for dim, index in places:
        n = view._aval.shape[dim]
        if is_outside(index.host(), n):
            error = range_error(IndexError, "")
            raise explained(error, index, n, out_of_bounds(dim))


def _getitem(self: Tensor, index: Any) -> Tensor:
    """Return what an index picks: a view, unless tensors or masks are part of it."""
    shape = self._aval.shape
    if index.__class__ is int and shape and -shape[0] <= index < shape[0]:
        return pick(self, 0, index % shape[0])
    parsed = parse(shape, index)
    view = parsed.view(self)
    if parsed.advanced:
        return index_with(view, parsed.advanced)
    return reshaped(self, shape, ALIAS) if view is self else view


Tensor.__getitem__ = _getitem  # type: ignore[attr-defined]
