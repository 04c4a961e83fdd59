"""Other shapes and orders of the same elements: views, which share the memory of their input."""

from __future__ import annotations

from math import prod
from operator import index
from typing import Any

import jax.numpy as jnp

from taowa import dtypes
from taowa.core.api import public
from taowa.core.draw_types import pytorch_name
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.dims import all_dims, numpy_names, one_dim
from taowa.ops.view_layouts import retyped
from taowa.ops.view_steps import SQUEEZE, UNSQUEEZE, is_viewable, reshaped


def sizes_of(values: tuple, given: Any = None) -> tuple[int, ...]:
    """Return sizes that were given one by one, as one sequence, or by keyword.

    Example:
        >>> sizes_of((2, 3)), sizes_of(([2, 3],)), sizes_of((), (2, 3))
        ((2, 3), (2, 3), (2, 3))
    """
    if given is not None:
        values = given if hasattr(given, "__iter__") else (given,)
    elif len(values) == 1 and values[0].__class__ is not int and _is_sequence(values[0]):
        values = values[0]
    return tuple(map(index, values))


def _is_sequence(value: Any) -> bool:
    return not isinstance(value, Tensor) and hasattr(value, "__iter__")


def _inferred(shape: tuple[int, ...], count: int) -> tuple[int, ...]:
    """Return a shape for `count` elements, its -1 filled in."""
    known, unknown = 1, None
    for place, n in enumerate(shape):
        if n >= 0:
            known *= n
        elif n != -1:
            raise RuntimeError(
                f"invalid shape dimension {n} at index {place} of shape {list(shape)}"
            )
        elif unknown is not None:
            raise RuntimeError("only one dimension can be inferred")
        else:
            unknown = place
    if unknown is None:
        if known == count:
            return shape
    elif known == 0 and count == 0:
        raise RuntimeError(
            f"cannot reshape tensor of 0 elements into shape {list(shape)} because the unspecified "
            "dimension size -1 can be any value and is ambiguous"
        )
    elif known and count % known == 0:
        return (*shape[:unknown], count // known, *shape[unknown + 1 :])
    raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {count}")


def _can_view(input: Tensor, shape: tuple[int, ...]) -> bool:
    return not input._lens or is_viewable(input._aval.shape, input.stride(), shape)


@op(name="unsafe_view.copy")
def _reshaped_copy(input: Array, shape: tuple):
    return input.reshape(shape)


@public(is_function=False)
def view(self: Tensor, *shape: Any, size: Any = None, dtype: Any = None) -> Tensor:
    """Return the same memory in another shape, or as another element type.

    Args:
        shape: The sizes, at most one of them -1; or an element type, whose size may differ from
            the tensor's if the last dimension can take up the difference.

    Raises:
        RuntimeError: if the sizes do not fit, or the strides do not allow a view.

    Example:
        >>> import taowa
        >>> taowa.arange(6).view(2, -1)
        tensor([[0, 1, 2],
                [3, 4, 5]])
    """
    if dtype is not None or (len(shape) == 1 and isinstance(shape[0], dtypes.dtype)):
        return _view_as_type(self, dtype or shape[0])
    if not shape and size is None:
        raise TypeError("view() received an invalid combination of arguments - got ()")
    if shape and shape[0].__class__ is float:
        raise TypeError(f"view(): sizes must be ints, got {shape}")
    old = self._aval.shape
    new = _inferred(sizes_of(shape, size), prod(old))
    if not _can_view(self, new):
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension spans across two contiguous subspaces). Use .reshape(...) instead."
        )
    return reshaped(self, new)


def _view_as_type(input: Tensor, dtype: dtypes.dtype) -> Tensor:
    old, shape = input.dtype, input._aval.shape
    if old.itemsize == dtype.itemsize:
        return retyped(input, dtype)
    names = f"{pytorch_name(old.np)} as {pytorch_name(dtype.np)} (different element sizes)"
    if not shape:
        raise RuntimeError(f"self.dim() cannot be 0 to view {names}")
    ratio = dtype.itemsize // old.itemsize
    if ratio and shape[-1] % ratio:
        raise RuntimeError(
            f"self.size(-1) must be divisible by {ratio} to view {names}, but got {shape[-1]}"
        )
    if ratio and input.storage_offset() % ratio:
        raise RuntimeError(
            f"self.storage_offset() must be divisible by {ratio} to view {names}, but got "
            f"{input.storage_offset()}"
        )
    strides = input.stride()
    if strides[-1] != 1:
        raise RuntimeError(f"self.stride(-1) must be 1 to view {names}, but got {strides[-1]}")
    for place, step in enumerate(strides[:-1]):
        if ratio and step % ratio:
            raise RuntimeError(
                f"self.stride({place}) must be divisible by {ratio} to view {names}, but got {step}"
            )
    return retyped(input, dtype)


@public(is_function=False)
def view_as(self: Tensor, other: Tensor) -> Tensor:
    """Return the same memory in the shape of `other`.

    Example:
        >>> import taowa
        >>> taowa.ones(4).view_as(taowa.ones(2, 2)).shape
        torch.Size([2, 2])
    """
    return view(self, other._aval.shape)


@public
def reshape(input: Tensor, *sizes: Any, shape: Any = None) -> Tensor:
    """Return the same elements in another shape: a view where the strides allow it, else a copy.

    Args:
        sizes: The sizes, at most one of them -1.

    Raises:
        RuntimeError: if the sizes do not fit.

    Example:
        >>> import taowa
        >>> taowa.reshape(taowa.arange(4), (-1, 2))
        tensor([[0, 1],
                [2, 3]])
    """
    if not sizes and shape is None:
        raise TypeError('reshape() missing 1 required positional arguments: "shape"')
    return _reshape(input, _inferred(sizes_of(sizes, shape), prod(input._aval.shape)))


def _reshape(input: Tensor, shape: tuple[int, ...]) -> Tensor:
    return reshaped(input, shape) if _can_view(input, shape) else _reshaped_copy(input, shape)


@public(is_function=False)
def reshape_as(self: Tensor, other: Tensor) -> Tensor:
    """Return the same elements in the shape of `other`.

    Example:
        >>> import taowa
        >>> taowa.ones(4).reshape_as(taowa.ones(2, 2)).shape
        torch.Size([2, 2])
    """
    return reshape(self, other._aval.shape)


@public
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Return a tensor in which a run of dimensions is one.

    Example:
        >>> import taowa
        >>> taowa.flatten(taowa.ones(2, 3, 4), 1).shape
        torch.Size([2, 12])
    """
    shape = input._aval.shape
    first, last = one_dim(start_dim, len(shape)), one_dim(end_dim, len(shape))
    if first > last:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if first == last and shape:
        return input
    return _reshape(input, (*shape[:first], prod(shape[first : last + 1]), *shape[last + 1 :]))


@public
@numpy_names
def unflatten(input: Tensor, dim: int, sizes: Any) -> Tensor:
    """Return a tensor in which one dimension is several.

    Example:
        >>> import taowa
        >>> taowa.unflatten(taowa.ones(2, 12), 1, (3, -1)).shape
        torch.Size([2, 3, 4])
    """
    shape = input._aval.shape
    place = one_dim(dim, len(shape))
    new = sizes_of((sizes,))
    if not new:
        raise RuntimeError("unflatten: sizes must be non-empty")
    try:
        inner = _inferred(new, shape[place])
    except RuntimeError as error:
        if "is invalid for input" not in str(error):
            raise
        raise RuntimeError(
            f"unflatten: Provided sizes {list(new)} don't multiply up to the size of dim {place} "
            f"({shape[place]}) in the input tensor"
        ) from None
    return view(input, (*shape[:place], *inner, *shape[place + 1 :]))


@public
def ravel(input: Tensor) -> Tensor:
    """Return the elements in one dimension.

    Example:
        >>> import taowa
        >>> taowa.ravel(taowa.ones(2, 2))
        tensor([1., 1., 1., 1.])
    """
    return contiguous(_reshape(input, (prod(input._aval.shape),)))


@public
@numpy_names
def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Return the tensor without its dimensions of size one, or without some of them.

    Example:
        >>> import taowa
        >>> taowa.squeeze(taowa.ones(1, 2, 1), 0).shape
        torch.Size([2, 1])
    """
    shape = input._aval.shape
    if dim is None:
        kept = tuple([n for n in shape if n != 1])
    else:
        chosen = () if dim == () else all_dims(_ints(dim), len(shape))
        kept = tuple([n for i, n in enumerate(shape) if n != 1 or i not in chosen])
    return reshaped(input, kept, SQUEEZE)


def _ints(dim: Any) -> Any:
    return tuple(map(index, dim)) if _is_sequence(dim) else index(dim)


@public
@numpy_names
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """Return the tensor with a new dimension of size one at `dim`.

    Example:
        >>> import taowa
        >>> taowa.unsqueeze(taowa.ones(2), -1).shape
        torch.Size([2, 1])
    """
    shape = input._aval.shape
    place = one_dim(dim, len(shape) + 1)
    return reshaped(input, (*shape[:place], 1, *shape[place:]), UNSQUEEZE)


@op(name="clone.contiguous")
def _contiguous(input: Array):
    return jnp.asarray(input)


@public(is_function=False)
def contiguous(self: Tensor, memory_format: Any = None) -> Tensor:
    """Return the tensor itself if its elements lie in row-major order, else such a copy.

    Args:
        memory_format: Accepted for PyTorch's sake; XLA chooses how values lie in memory.

    Example:
        >>> import taowa
        >>> taowa.ones(2, 3).t().contiguous().stride()
        (2, 1)
    """
    return self if self.is_contiguous() else _contiguous(self)
