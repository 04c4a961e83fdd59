"""The kinds of view: how each is read, written through, and seen on a NumPy array.

PyTorch's many views are of few kinds: another shape, another order of dimensions, repeated
elements, a window; `view_layouts` adds a diagonal, any strides, another type. Ops that only differ
in name exist because the name is what `grad_fn` prints.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import prod
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from taowa.core.op import Array, Op, op
from taowa.core.tensor import Tensor
from taowa.core.views import make_view

# -- another shape ------------------------------------------------------------------------


def _reshape(input: Array, shape: tuple):
    return input.reshape(shape)


def _reshape_back(grad, input):
    return grad.reshape(input.shape)


def _variants(body: Callable, rule: Callable | None, *names: str) -> list[Op]:
    """Register the same body under several names."""
    made = [op(body, name=name) for name in names]
    for one in made if rule is not None else ():
        one.backward(rule)
    return [one.op for one in made]


VIEW, SQUEEZE, UNSQUEEZE, ALIAS = _variants(
    _reshape, _reshape_back, "view", "squeeze", "unsqueeze", "alias"
)


def reshaped(input: Tensor, shape: tuple[int, ...], kind: Op = VIEW) -> Tensor:
    """Return the view of the same elements in another shape, which the strides must allow."""
    return make_view(
        input, (kind, (shape,)), (VIEW, (input._aval.shape,)),
        lambda array: array.reshape(shape), is_whole=True,
    )  # fmt: skip


@lru_cache(maxsize=4096)
def is_viewable(shape: tuple, strides: tuple, new_shape: tuple) -> bool:
    """Return whether a view of these strides can have the new shape without moving elements.

    Neighbouring dimensions form a block where the outer stride is the inner extent; each new
    dimension must lie within one block.

    Example:
        >>> is_viewable((2, 3), (3, 1), (6,)), is_viewable((2, 3), (1, 2), (6,))
        (True, False)
    """
    if 0 in shape:
        return True
    sizes = iter([n for n in reversed(new_shape) if n != 1])
    kept = [(n, s) for n, s in zip(shape, strides, strict=True) if n != 1]
    while kept:
        block, stride = kept.pop()
        extent = block * stride
        while kept and kept[-1][1] == extent:
            block *= kept[-1][0]
            extent *= kept.pop()[0]
        while block > 1:
            n = next(sizes, 0)
            if n == 0 or block % n:
                return False
            block //= n
    return True


# -- another order of dimensions ----------------------------------------------------------


def _permute(input: Array, dims: tuple):
    return jnp.transpose(input, dims)


def _permute_back(grad, dims):
    return jnp.transpose(grad, _inverse(dims))


PERMUTE, TRANSPOSE, T = _variants(_permute, _permute_back, "permute", "transpose", "t")


@lru_cache(maxsize=1024)
def _inverse(dims: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(dims.index(i) for i in range(len(dims)))


def permuted(input: Tensor, dims: tuple[int, ...], kind: Op = PERMUTE) -> Tensor:
    """Return the view with its dimensions in another order."""
    return make_view(
        input, (kind, (dims,)), (PERMUTE, (_inverse(dims),)),
        lambda array: array.transpose(dims), is_whole=True,
    )  # fmt: skip


# -- repeated elements --------------------------------------------------------------------


@op(name="expand")
def _expand(input: Array, shape: tuple):
    return jnp.broadcast_to(input, shape)


@_expand.backward
def _(grad):
    return grad  # the sum over repeated elements is taken for every rule


def expanded(input: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return the view in which dimensions of size one, or new ones, repeat their elements."""
    old = input._aval.shape
    write = None
    if prod(shape) == prod(old):  # nothing repeats: new dimensions of size one
        write = (VIEW, (old,))
    return make_view(
        input, (_expand.op, (shape,)), write,
        lambda array: np.broadcast_to(array, shape) if write is None else array.reshape(shape),
        is_whole=True,
    )  # fmt: skip


# -- windows ------------------------------------------------------------------------------
# A window is ((dim, size, step), ...); the starts are numbers given at run time.


def _spans(window: tuple, shape: tuple) -> list[int]:
    """Return the sizes of the block from the first to the last element of the window."""
    spans = list(shape)
    for dim, size, step in window:
        spans[dim] = (size - 1) * step + 1 if size else 0
    return spans


def _offsets(window: tuple, starts: Any, ndim: int) -> list:
    offsets: list = [np.int64(0)] * ndim
    for (dim, _, _), start in zip(window, starts, strict=True):
        offsets[dim] = start
    return offsets


def _steps(window: tuple, ndim: int) -> list[int]:
    steps = [1] * ndim
    for dim, size, step in window:
        steps[dim] = step if size > 1 else 1
    return steps


def _window(input: Array, starts: list[Array], window: tuple, shape: tuple):
    spans, steps = _spans(window, input.shape), _steps(window, input.ndim)
    block = lax.dynamic_slice(input, _offsets(window, starts, input.ndim), spans)
    if max(steps, default=1) > 1:
        block = lax.slice(block, [0] * input.ndim, spans, steps)
    return block.reshape(shape)


def _put_window(input: Array, value: Array, starts: list[Array], window: tuple):
    """Return `input` with `value` in place of the window."""
    spans, steps = _spans(window, input.shape), _steps(window, input.ndim)
    sizes = list(input.shape)
    for dim, size, _ in window:
        sizes[dim] = size
    offsets = _offsets(window, starts, input.ndim)
    value = value.reshape(sizes)
    if max(steps, default=1) > 1:
        value = _with_gaps(lax.dynamic_slice(input, offsets, spans), value, steps)
    return lax.dynamic_update_slice(input, value, offsets)


def _with_gaps(block: Any, value: Any, steps: list[int]) -> Any:
    """Return `block` with `value` at every step-th place."""
    spread = lax.pad(value, jnp.zeros((), value.dtype), [(0, 0, step - 1) for step in steps])
    is_hit = jnp.ones(block.shape, bool)
    for dim, step in enumerate(steps):
        if step > 1:
            is_hit &= lax.broadcasted_iota(np.int32, block.shape, dim) % step == 0
    return jnp.where(is_hit, spread, block)


def _window_back(grad, input, starts, window):
    return _put_window(jnp.zeros(input.shape, grad.dtype), grad, starts, window)


def _put_window_back(grad, value, starts, window):
    hole = _put_window(grad, jnp.zeros(value.shape, grad.dtype), starts, window)
    return hole, _window(grad, starts, window, value.shape)


SLICE, SELECT, UNBIND = _variants(_window, _window_back, "slice", "select", "unbind")
(_PUT_WINDOW,) = _variants(_put_window, _put_window_back, "copy_slices")


def windowed(
    input: Tensor, window: tuple, starts: tuple[int, ...], shape: tuple[int, ...], kind: Op = SLICE
) -> Tensor:
    """Return the view of a window.

    Args:
        window: `((dim, size, step), ...)`, no dimension twice.
        starts: Where it begins in each of these dimensions; run-time numbers.
        shape: The result's: the window's sizes with ones dropped or put in.
    """
    places = [slice(None)] * len(input._aval.shape)
    for (dim, size, step), start in zip(window, starts, strict=True):
        # The last element's place plus one is never past the end, unlike start + size * step.
        places[dim] = slice(start, start + (size - 1) * step + 1 if size else start, step)
    index = tuple(places)
    return make_view(
        input, (kind, (window, shape)), (_PUT_WINDOW, (window,)),
        lambda array: array[index].reshape(shape), starts,
    )  # fmt: skip


@op(name="split")
def _part(input: Array, dim: int, start: int, size: int):
    return lax.slice_in_dim(input, start, start + size, axis=dim)


@_part.backward
def _(grad, input, dim, start, size):
    padding = [(0, 0, 0)] * input.ndim
    padding[dim] = (start, input.shape[dim] - start - size, 0)
    return lax.pad(grad, jnp.zeros((), grad.dtype), padding)


@op(name="copy_slices.part")
def _put_part(input: Array, value: Array, dim: int, start: int, size: int):
    return lax.dynamic_update_slice_in_dim(input, value, np.int64(start), axis=dim)


@_put_part.backward
def _(grad, value, dim, start, size):
    hole = lax.dynamic_update_slice_in_dim(grad, jnp.zeros_like(value), np.int64(start), axis=dim)
    return hole, lax.slice_in_dim(grad, start, start + size, axis=dim)


def part(input: Tensor, dim: int, start: int, size: int) -> Tensor:
    """Return one piece of a tensor split along a dimension.

    Unlike in `windowed` the start is compiled in: a network splits at the same places in every
    step, and gradients of constant pieces join without passing through memory.
    """
    statics = (dim, start, size)
    index = (*[slice(None)] * dim, slice(start, start + size))
    return make_view(
        input, (_part.op, statics), (_put_part.op, statics), lambda array: array[index]
    )
