"""`x[index] = value` and `index_put`, by PyTorch's rules."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from taowa import dtypes
from taowa.core.api import public, write_inplace
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.copying import is_plain
from taowa.ops.element_types import convert_array
from taowa.ops.expanding import expanded_shape
from taowa.ops.gathering import kind_of
from taowa.ops.index_parsing import Advanced, Parsed, parse
from taowa.ops.index_range import range_error
from taowa.ops.indexing import (
    any_outside,
    as_places,
    explained_index,
    full_index,
    index_range_error,
    on_one_device,
    require_broadcast,
    require_inside,
)
from taowa.ops.masking import number_for, ordinals
from taowa.ops.view_steps import reshaped

_IN_BOUNDS = "promise_in_bounds"  # the check tells of others


@op(name="index_put", numbers=("values",))
def _index_put(
    input: Array, values: Array, indices: list[Array], at: tuple, sizes: tuple, accumulate: bool
):
    require_broadcast(indices)
    ref = input.at[full_index(indices, at)]
    shape = _indexed_shape(input.shape, indices, at)
    if not _broadcasts(values.shape, shape):
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(values.shape)} cannot be broadcast to "
            f"indexing result of shape {list(shape)}"
        )
    values = values.astype(input.dtype)
    if accumulate and input.dtype == jnp.bool_:
        return ref.max(values, mode=_IN_BOUNDS)
    return (ref.add if accumulate else ref.set)(values, mode=_IN_BOUNDS)


@_index_put.backward
def _(grad, indices, at, accumulate):
    ref = grad.at[full_index(indices, at)]
    return grad if accumulate else ref.set(0, mode=_IN_BOUNDS), ref.get(mode=_IN_BOUNDS)


_index_put.check(index_range_error)(any_outside)


def _indexed_shape(shape: tuple, indices: list, at: tuple) -> tuple[int, ...]:
    """Return the shape of what tensors index: in their place if side by side, else in front."""
    common = np.broadcast_shapes(*[tuple(i.shape) for i in indices])
    rest = [n for d, n in enumerate(shape) if d not in at]
    first = at[0] if at[-1] - at[0] == len(at) - 1 else 0
    return (*rest[:first], *common, *rest[first:])


def _broadcasts(shape: tuple, target: tuple) -> bool:
    if len(shape) > len(target):
        return False
    pairs = zip(reversed(shape), reversed(target), strict=False)
    return all(n in (1, m) for n, m in pairs)


@op(name="index_put.masked", numbers=("values",))
def _put_masked(input: Array, values: Array, mask: Array, dim: int, count: int | None):
    """Return `input` with values where a mask is true, which stands at dimension `dim`.

    `count` is the size of the values along the dimension that the mask's true places form.
    """
    values = values.astype(input.dtype)
    after = input.ndim - dim - mask.ndim  # dimensions behind the mask
    shown = mask.reshape(mask.shape + (1,) * after)
    if values.ndim <= after:
        return jnp.where(shown, values, input)
    values = values.reshape((1,) * (dim + 1 + after - values.ndim) + values.shape)
    if count == 0:
        return jnp.asarray(input)
    if count == 1:
        ones = (1,) * mask.ndim
        spread = values.reshape(values.shape[:dim] + ones + values.shape[dim + 1 :])
    else:
        spread = jnp.take(values, ordinals(mask), axis=dim, mode="clip")
    return jnp.where(shown, spread, input)


@_put_masked.backward
def _(grad, values, mask, dim, count):
    after = grad.ndim - dim - mask.ndim
    shown = mask.reshape(mask.shape + (1,) * after)
    taken = jnp.where(shown, grad, 0)
    if values.ndim > after:
        axes = range(dim, dim + mask.ndim)
        if count == 1:
            taken = taken.sum(tuple(axes), keepdims=False)
            taken = jnp.expand_dims(taken, dim)
        else:
            taken = _collected(taken, mask, dim, count)
    return jnp.where(shown, 0, grad), taken, None


def _collected(taken: Any, mask: Any, dim: int, count: int) -> Any:
    """Return the slices at the mask's true places, one after the other."""
    shape = (*taken.shape[:dim], mask.size, *taken.shape[dim + mask.ndim :])
    zeros = jnp.zeros((*shape[:dim], count, *shape[dim + 1 :]), taken.dtype)
    where = (*[slice(None)] * dim, ordinals(mask).reshape(-1))
    return zeros.at[where].add(taken.reshape(shape), mode="drop")


@_put_masked.check(
    lambda info: range_error(
        RuntimeError,
        f"shape mismatch: value tensor of {info['count']} elements cannot be broadcast to the "
        "places that the mask chooses",
    )
)
def _(mask, count):
    wanted = 1 if count is None else count
    return (mask.sum() != wanted) & (wanted != 1)  # a single one broadcasts


def _as_value(value: Any, view: Tensor, *, is_mask: bool) -> Any:
    """Return what is written: a number that fits, or a tensor without leading ones."""
    if not isinstance(value, Tensor):
        return _as_number(value, view)
    if value.dtype is not view.dtype and not (is_mask and value.numel() == 1):
        raise RuntimeError(
            "Index put requires the source and destination dtypes match, got "
            f"{kind_of(view)} for the destination and {kind_of(value)} for the source."
        )
    return _without_leading_ones(value)


def _as_number(value: Any, view: Tensor) -> Any:
    """Return a number that the type holds; too large for 16 bits, it is infinite."""
    if not isinstance(value, bool | int | float | complex | np.generic):
        raise TypeError(f"can't assign a {_name(value)} to a torch.{kind_of(view)}Tensor")
    dtype = view.dtype
    is_real = not isinstance(value, complex | np.complexfloating)
    if is_real and dtype.is_floating_point and dtype.itemsize < dtypes.float32.itemsize:
        return float(convert_array(np.asarray(float(value)), dtype))
    return number_for(value, view)


def _name(value: Any) -> str:
    kind = type(value)
    return f"{kind.__module__}.{kind.__name__}" if kind.__module__ == "numpy" else kind.__name__


def _without_leading_ones(value: Tensor) -> Tensor:
    shape = value._aval.shape
    first = 0
    while first < len(shape) and shape[first] == 1:
        first += 1
    return reshaped(value, shape[first:]) if first else value


def _write_view(view: Tensor, value: Any) -> None:
    """Write a value to a view made without tensors."""
    if not isinstance(value, Tensor):
        view.fill_(_as_number(value, view))  # type: ignore[attr-defined]
        return
    value = _without_leading_ones(value)
    expanded_shape(value, view._aval.shape)  # for its errors
    view.copy_(value)  # type: ignore[attr-defined]


def put_with(view: Tensor, advanced: list[Advanced], value: Any, *, accumulate: bool) -> Tensor:
    """Write a value to the elements that tensors index; return the view."""
    if len(advanced) == 1 and advanced[0].tensor.dtype.name == "bool" and not accumulate:
        return _write_masked(view, *advanced[0], _as_value(value, view, is_mask=True))
    value = _as_value(value, view, is_mask=False)
    places = as_places(advanced)
    if _write_on_host(view, places, value, accumulate):
        return view
    return write_inplace(view, indexed_copy(view, places, value, accumulate))


def indexed_copy(view: Tensor, places: list[Advanced], value: Any, accumulate: bool) -> Tensor:
    """Return a copy with a value at the elements that tensors index."""
    at = tuple([dim for dim, _ in places])
    sizes = tuple([view._aval.shape[dim] for dim in at])
    try:
        return _index_put(view, value, on_one_device(view, places), at, sizes, accumulate)
    except IndexError as error:
        raise explained_index(error, view, places) from None


def _write_on_host(view: Tensor, places: list[Advanced], value: Any, accumulate: bool) -> bool:
    """Write on the host if everything is there; return whether it was done."""
    arrays = [i.host() for _, i in places if i.is_on_host()]
    is_number = not isinstance(value, Tensor)
    if len(arrays) < len(places) or not view._is_free_on_host():
        return False
    if accumulate or not (is_number or is_plain(value)):
        return False
    at = tuple([dim for dim, _ in places])
    require_broadcast(arrays)
    require_inside(view, places)
    shape = _indexed_shape(view._aval.shape, arrays, at)
    source = value if is_number else value.host()
    if not _broadcasts(np.shape(source), shape):
        return False  # to the error's one place
    index = full_index(arrays, at)
    view.edit_host(lambda memory: memory.__setitem__(index, source))
    return True


def _write_masked(view: Tensor, dim: int, mask: Tensor, value: Any) -> Tensor:
    if not mask.ndim:
        mask = reshaped(mask, (1,))
    is_number = not isinstance(value, Tensor)
    if mask.is_on_host() and (is_number or is_plain(value)) and view._is_free_on_host():
        index = (*[slice(None)] * dim, mask.host())
        source = value if is_number else convert_array(value.host(), view.dtype)
        _require_masked_shape(view, dim, mask, source)
        view.edit_host(lambda memory: memory.__setitem__(index, source))
        return view
    return write_inplace(view, _masked_copy(view, dim, mask, value))


def _require_masked_shape(view: Tensor, dim: int, mask: Tensor, value: Any) -> None:
    """Raise PyTorch's error for values that do not broadcast to what a known mask chooses."""
    shape = view._aval.shape
    target = (*shape[:dim], int(mask.host().sum()), *shape[dim + mask.ndim :])
    if not _broadcasts(np.shape(value), target):
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(np.shape(value))} cannot be broadcast to "
            f"indexing result of shape {list(target)}"
        )


def _masked_copy(view: Tensor, dim: int, mask: Tensor, value: Any) -> Tensor:
    shape = view._aval.shape
    if mask.is_on_host():
        _require_masked_shape(view, dim, mask, value)
    after = len(shape) - dim - mask.ndim
    count = None
    if isinstance(value, Tensor):
        sizes = value._aval.shape
        count = sizes[-1 - after] if len(sizes) > after else None
        beside = sizes
        if count is not None:
            beside = (*sizes[: -1 - after], *sizes[len(sizes) - after :])
        if not _broadcasts(beside, (*shape[:dim], *shape[dim + mask.ndim :])):
            target = [*shape[:dim], "?", *shape[dim + mask.ndim :]]
            raise RuntimeError(
                f"shape mismatch: value tensor of shape {list(sizes)} cannot be broadcast to "
                f"indexing result of shape {target}"
            )
    return _put_masked(view, value, mask, dim, count)


def _setitem(self: Tensor, index: Any, value: Any) -> None:
    """Write a value to what an index picks."""
    parsed: Parsed = parse(self._aval.shape, index)
    view = parsed.view(self)
    if parsed.advanced:
        put_with(view, parsed.advanced, value, accumulate=False)
    else:
        _write_view(view, value)


Tensor.__setitem__ = _setitem  # type: ignore[attr-defined]


# -- index_put ----------------------------------------------------------------------------


def _parsed(input: Tensor, indices: Any) -> Parsed:
    for place, one in enumerate(indices):
        if not isinstance(one, Tensor):
            raise TypeError(
                f"expected Tensor as element {place} in argument 1, but got {type(one).__name__}"
            )
    if not indices:
        raise RuntimeError("index_put needs at least one index tensor")
    items = [
        one if one.ndim or one.dtype.name == "bool" else reshaped(one, (1,)) for one in indices
    ]
    return parse(input._aval.shape, tuple(items))


def _require_values(values: Any) -> None:
    if not isinstance(values, Tensor):
        raise TypeError(
            "index_put(): argument 'values' (position 3) must be Tensor, not "
            f"{type(values).__name__}"
        )


@public
def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """Return a copy in which `copy[indices] = values` was done.

    Args:
        indices: A tuple of index tensors or masks, for the first dimensions.
        values: Broadcast to what is indexed.
        accumulate: Add to what is there; what meets at a place adds up.

    Example:
        >>> import taowa
        >>> places = (taowa.tensor([1, 1]),)
        >>> taowa.index_put(taowa.zeros(2), places, taowa.tensor(1.0), accumulate=True)
        tensor([0., 2.])
    """
    return index_put_(input.clone(), indices, values, accumulate)  # type: ignore[attr-defined]


@public(name="index_put_")
def index_put_(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """Write values at the places that tensors index; see `index_put`.

    Example:
        >>> import taowa
        >>> taowa.zeros(2).index_put_((taowa.tensor([1]),), taowa.tensor(5.0))
        tensor([0., 5.])
    """
    _require_values(values)
    parsed = _parsed(input, indices)
    put_with(parsed.view(input), parsed.advanced, values, accumulate=bool(accumulate))
    return input
