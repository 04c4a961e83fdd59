"""The same elements elsewhere, or more than once: copies."""

from __future__ import annotations

from operator import index
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor, from_array
from taowa.ops.dims import all_dims, numpy_names, one_dim
from taowa.ops.gathering import index_select
from taowa.ops.transposing import transpose
from taowa.ops.views import reshape, sizes_of


@op(name="flip")
def _flip(input: Array, dims: tuple):
    return lax.rev(input, dims)


@_flip.backward
def _(grad, dims):
    return lax.rev(grad, dims)


@public
def flip(input: Tensor, *order: Any, dims: Any = None) -> Tensor:
    """Return a copy with some dimensions reversed.

    Example:
        >>> import taowa
        >>> taowa.flip(taowa.arange(3), (0,))
        tensor([2, 1, 0])
    """
    if not order and dims is None:
        raise TypeError('flip() missing 1 required positional arguments: "dims"')
    chosen = sizes_of(order, dims)
    return _flip(input, all_dims(chosen, input.ndim) if chosen else ())


@public
def fliplr(input: Tensor) -> Tensor:
    """Return a copy with the second dimension reversed.

    Example:
        >>> import taowa
        >>> taowa.fliplr(taowa.tensor([[1, 2]]))
        tensor([[2, 1]])
    """
    if input.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return _flip(input, (1,))


@public
def flipud(input: Tensor) -> Tensor:
    """Return a copy with the first dimension reversed.

    Example:
        >>> import taowa
        >>> taowa.flipud(taowa.tensor([1, 2]))
        tensor([2, 1])
    """
    if input.ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return _flip(input, (0,))


@public
def rot90(input: Tensor, k: int = 1, dims: Any = (0, 1)) -> Tensor:
    """Return a copy turned by `k` quarters in the plane of two dimensions, first towards second.

    Example:
        >>> import taowa
        >>> taowa.rot90(taowa.tensor([[1, 2]]))
        tensor([[2],
                [1]])
    """
    plane = sizes_of((dims,))
    if len(plane) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(plane)}")
    if input.ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {input.ndim}")
    if plane[0] == plane[1] or abs(plane[0] - plane[1]) == input.ndim:
        raise RuntimeError(
            f"expected rotation dims to be different, but got dim0 = {plane[0]} and dim1 = "
            f"{plane[1]}"
        )
    a, b = (one_dim(d, input.ndim) for d in plane)
    quarters = k % 4
    if quarters == 0:
        return input.clone()
    if quarters == 2:
        return _flip(input, (a, b))
    return _flip(transpose(input, a, b), (a,) if quarters == 1 else (b,))


def _rolled(array: Any, shifts: list, dims: tuple) -> Any:
    """Roll by run-time shifts: cut a window out of the array laid twice in a row."""
    for shift, dim in zip(shifts, dims, strict=True):
        n = array.shape[dim]
        if n:
            twice = jnp.concatenate([array, array], dim)
            array = lax.dynamic_slice_in_dim(twice, (n - shift) % n, n, dim)
    return array


@op(name="roll")
def _roll(input: Array, shifts: list[Array], dims: tuple):
    return _rolled(input, shifts, dims)


@_roll.backward
def _(grad, shifts, dims):
    return (_rolled(grad, [-shift for shift in shifts], dims),)


@public
def roll(input: Tensor, shifts: Any, dims: Any = ()) -> Tensor:
    """Return a copy moved along dimensions, what leaves at one end entering at the other.

    Args:
        shifts: By how many places; run-time numbers.
        dims: Along which dimensions; none means in row-major order of all elements.

    Example:
        >>> import taowa
        >>> taowa.roll(taowa.arange(4), 1)
        tensor([3, 0, 1, 2])
    """
    amounts, chosen = sizes_of((shifts,)), sizes_of((() if dims is None else dims,))
    if not amounts:
        raise RuntimeError("`shifts` required")
    if not chosen and len(amounts) == 1:
        shape = input._aval.shape
        flat = reshape(input, (-1,)) if shape else reshape(input, (1,))
        return reshape(_roll(flat, amounts, (0,)), shape)
    if len(amounts) != len(chosen):
        raise RuntimeError(
            f"shifts and dimensions must align. shifts: {len(amounts)}, dims:{len(chosen)}"
        )
    if not input.ndim:
        raise IndexError(f"Dimension specified as {chosen[0]} but tensor has no dimensions")
    return _roll(input, amounts, tuple([one_dim(d, input.ndim) for d in chosen]))


@op(name="repeat")
def _repeat(input: Array, repeats: tuple):
    shape = (*[1] * (len(repeats) - input.ndim), *input.shape)
    pairs = [n for pair in zip(repeats, shape, strict=True) for n in pair]
    ones = [n for size in shape for n in (1, size)]
    spread = jnp.broadcast_to(input.reshape(ones), pairs)
    return spread.reshape([r * n for r, n in zip(repeats, shape, strict=True)])


@_repeat.backward
def _(grad, input, repeats):
    shape = (*[1] * (len(repeats) - input.ndim), *input.shape)
    pairs = [n for pair in zip(repeats, shape, strict=True) for n in pair]
    return grad.reshape(pairs).sum(tuple(range(0, len(pairs), 2))).reshape(input.shape)


@public(is_function=False)
def repeat(self: Tensor, *counts: Any, repeats: Any = None) -> Tensor:
    """Return copies of the tensor laid side by side.

    Args:
        counts: How often along each dimension; further ones may stand in front.

    Example:
        >>> import taowa
        >>> taowa.tensor([1, 2]).repeat(2, 2)
        tensor([[1, 2, 1, 2],
                [1, 2, 1, 2]])
    """
    times = sizes_of(counts, repeats)
    shape = self._aval.shape
    if len(times) < len(shape):
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
            "tensor"
        )
    if min(times, default=0) < 0:
        padded = (*[1] * (len(times) - len(shape)), *shape)
        new = [r * n for r, n in zip(times, padded, strict=True)]
        raise RuntimeError(f"Trying to create tensor with negative dimension {min(new)}: {new}")
    return _repeat(self, times)


@public
def tile(input: Tensor, *counts: Any, dims: Any = None) -> Tensor:
    """Return copies of the tensor laid side by side; missing counts are 1, in front.

    Example:
        >>> import taowa
        >>> taowa.tile(taowa.tensor([[1, 2]]), (2,))
        tensor([[1, 2, 1, 2]])
    """
    if not counts and dims is None:
        raise TypeError('tile() missing 1 required positional arguments: "dims"')
    times = sizes_of(counts, dims)
    return repeat(input, (*[1] * (input.ndim - len(times)), *times))


@op(name="repeat_interleave")
def _repeat_each(input: Array, repeats: int, dim: int):
    shape = input.shape
    spread = jnp.broadcast_to(
        jnp.expand_dims(input, dim + 1), (*shape[: dim + 1], repeats, *shape[dim + 1 :])
    )
    return spread.reshape(*shape[:dim], shape[dim] * repeats, *shape[dim + 1 :])


@op(name="repeat_interleave.places")
def _places(repeats: Array, size: int):
    """Return for each place of the result the place it is taken from."""
    ends = jnp.cumsum(repeats)
    found = jnp.searchsorted(ends, jnp.arange(size), side="right")
    return jnp.minimum(found, repeats.shape[0] - 1).astype(repeats.dtype)


@_places.check(lambda _: RuntimeError("allocated size does not match required size"))
def _(repeats, size):
    return repeats.sum() != size


def _repeated_places(repeats: Tensor, output_size: int | None) -> Tensor:
    """Return `repeats[0]` zeros, `repeats[1]` ones, and so on."""
    if repeats.ndim != 1:
        raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
    if repeats.dtype.name not in ("int64", "int32"):
        raise RuntimeError("repeats has to be Long or Int tensor")
    if output_size is not None:
        return _places(repeats, index(output_size))
    counts = repeats.host()
    if (counts < 0).any():
        raise RuntimeError("repeats can not be negative")
    places = np.repeat(np.arange(len(counts), dtype=counts.dtype), counts)
    return from_array(places, device=repeats.device)


@public
@numpy_names
def repeat_interleave(
    input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Return a copy with each element repeated.

    Args:
        repeats: How often: one number, or one for each place along `dim`. Numbers in a tensor are
            read, so that pending work is computed first, unless `output_size` is given.
        dim: Along which dimension; `None` flattens.
        output_size: The size of the result along `dim`.

    Example:
        >>> import taowa
        >>> taowa.repeat_interleave(taowa.tensor([1, 2]), taowa.tensor([1, 2]))
        tensor([1, 2, 2])
    """
    if repeats is None:
        return _repeated_places(input, output_size)
    if dim is None:
        input, dim = reshape(input, (-1,)), 0
    axis = one_dim(dim, input.ndim)
    if isinstance(repeats, Tensor):
        if repeats.numel() != 1:
            return _repeat_places(input, repeats, axis, output_size)
        repeats = repeats.item()
    if repeats < 0:
        raise RuntimeError("Repeats must be non-negative")
    return _repeat_each(input, index(repeats), axis)


def _repeat_places(input: Tensor, repeats: Tensor, dim: int, output_size: int | None) -> Tensor:
    n = input._aval.shape[dim]
    if repeats.ndim == 1 and repeats._aval.shape[0] != n:
        raise RuntimeError(
            "repeats must have the same size as input along dim, but got repeats.size(0) = "
            f"{repeats._aval.shape[0]} and input.size({dim}) = {n}"
        )
    return index_select(input, dim, _repeated_places(repeats, output_size))
