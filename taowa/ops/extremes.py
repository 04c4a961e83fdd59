"""The largest and smallest elements: their values and where they are."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.comparison import maximum, minimum
from taowa.ops.dims import all_dims, as_static, numpy_names, one_dim
from taowa.ops.operands import kind_name
from taowa.ops.reduction import expand_back
from taowa.ops.return_types import return_type


def _require_elements(name: str, input: Any, dim: Any) -> None:
    if input.size == 0 and dim in (None, ()):
        raise RuntimeError(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
            "Specify the reduction dim with the 'dim' argument."
        )
    for place in all_dims(dim, input.ndim):
        if input.size == 0 and input.shape[place] == 0:
            raise IndexError(f"{name}(): Expected reduction dim {place} to have non-zero size.")


def _require_order(name: str, input: Any) -> None:
    if jnp.iscomplexobj(input):
        raise NotImplementedError(f"\"{name}\" not implemented for '{kind_name(input)}'")


@op(name="amax")
def _amax(input: Array, dim: Any, keepdim: bool, name: str):
    _require_order(f"{name}_all" if name != "amax" else "amax_cpu", input)
    _require_elements(name, input, dim)
    return jnp.max(input, all_dims(dim, input.ndim), keepdims=keepdim)


@op(name="amin")
def _amin(input: Array, dim: Any, keepdim: bool, name: str):
    _require_order(f"{name}_all" if name != "amin" else "amin_cpu", input)
    _require_elements(name, input, dim)
    return jnp.min(input, all_dims(dim, input.ndim), keepdims=keepdim)


def share_among_ties(grad: Any, input: Any, output: Any, dim: Any, keepdim: bool) -> Any:
    """Divide a gradient evenly among the elements equal to the extreme; NaN equals NaN."""
    extreme = expand_back(output, input, dim, keepdim)
    is_tie = (input == extreme) | (jnp.isnan(input) & jnp.isnan(extreme))
    count = jnp.sum(is_tie, all_dims(dim, input.ndim), keepdims=True)
    share = expand_back(grad, input, dim, keepdim) / count.astype(grad.dtype)
    return jnp.where(is_tie, share, 0)


@_amax.backward
def _(grad, input, output, dim, keepdim):
    return share_among_ties(grad, input, output, dim, keepdim)


@_amin.backward
def _(grad, input, output, dim, keepdim):
    return share_among_ties(grad, input, output, dim, keepdim)


@public
@numpy_names
def amax(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """Return the largest elements along dimensions; ties share the gradient evenly.

    Args:
        dim: One or several dimensions; `()` = all.

    Example:
        >>> import taowa
        >>> taowa.amax(taowa.tensor([[1, 5], [3, 4]]), 1)
        tensor([5, 4])
    """
    return _amax(input, as_static(dim), keepdim, "amax")


@public
@numpy_names
def amin(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """Return the smallest elements along dimensions; ties share the gradient evenly.

    Example:
        >>> import taowa
        >>> taowa.amin(taowa.tensor([[1, 5], [3, 4]]), 1)
        tensor([1, 3])
    """
    return _amin(input, as_static(dim), keepdim, "amin")


def _pick(input: Any, index: Any, place: int, keepdim: bool) -> tuple:
    """Return the elements at an index along one dimension, and the index."""
    if input.ndim == 0:
        return input, index
    values = jnp.take_along_axis(input, jnp.expand_dims(index, place), place)
    if keepdim:
        return values, jnp.expand_dims(index, place)
    return values.squeeze(place), index


def put_along(grad: Any, index: Any, input: Any, place: int, keepdim: bool) -> Any:
    """Return zeros like the input with a gradient at the index that was picked in each row."""
    if input.ndim == 0:
        return grad
    if not keepdim:
        grad, index = jnp.expand_dims(grad, place), jnp.expand_dims(index, place)
    positions = lax.broadcasted_iota(index.dtype, input.shape, place)
    return jnp.where(positions == index, grad, 0)


def _arg(function: Any, input: Any, dim: int) -> Any:
    """Return the index of the first extreme element along one dimension."""
    if input.ndim == 0:
        return jnp.zeros((), jnp.int64)
    return function(input, one_dim(dim, input.ndim)).astype(jnp.int64)


@op(name="max_dim")
def _max_dim(input: Array, dim: int, keepdim: bool):
    place = one_dim(dim, input.ndim)
    _require_order("max", input)
    _require_elements("max", input, dim)
    return _pick(input, _arg(jnp.argmax, input, dim), place, keepdim)


@_max_dim.backward
def _(grad, outputs, input, dim, keepdim):
    return put_along(grad, outputs[1], input, one_dim(dim, input.ndim), keepdim)


@op(name="min_dim")
def _min_dim(input: Array, dim: int, keepdim: bool):
    place = one_dim(dim, input.ndim)
    _require_order("min", input)
    _require_elements("min", input, dim)
    return _pick(input, _arg(jnp.argmin, input, dim), place, keepdim)


@_min_dim.backward
def _(grad, outputs, input, dim, keepdim):
    return put_along(grad, outputs[1], input, one_dim(dim, input.ndim), keepdim)


_MAX = return_type("max", "values indices")
_MIN = return_type("min", "values indices")


@public
@numpy_names
def max(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """Return the largest element, or along one dimension the largest and where they are.

    With a second tensor, return `maximum(input, other)`. In the form without `dim` ties share the
    gradient evenly; along a dimension the element whose index is returned receives all of it.

    Raises:
        RuntimeError: if there are no elements and no `dim`.

    Example:
        >>> import taowa
        >>> x = taowa.tensor([[1, 5], [3, 4]])
        >>> taowa.max(x)
        tensor(5)
        >>> taowa.max(x, 1)
        torch.return_types.max(
        values=tensor([5, 4]),
        indices=tensor([1, 1]))
    """
    if dim is None:
        return _amax(input, None, False, "max") if other is None else maximum(input, other)
    if isinstance(dim, Tensor):
        return maximum(input, dim)
    return _MAX(*_max_dim(input, dim, keepdim))


@public
@numpy_names
def min(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """Return the smallest element, or along one dimension the smallest and where they are.

    With a second tensor, return `minimum(input, other)`. Gradients as in `max`.

    Raises:
        RuntimeError: if there are no elements and no `dim`.

    Example:
        >>> import taowa
        >>> x = taowa.tensor([[1, 5], [3, 4]])
        >>> taowa.min(x)
        tensor(1)
        >>> taowa.min(x, 1).indices
        tensor([0, 0])
    """
    if dim is None:
        return _amin(input, None, False, "min") if other is None else minimum(input, other)
    if isinstance(dim, Tensor):
        return minimum(input, dim)
    return _MIN(*_min_dim(input, dim, keepdim))


@op(name="argmax")
def _argmax(input: Array, dim: int | None, keepdim: bool, name: str):
    return _first_extreme(jnp.argmax, input, dim, keepdim, name)


@op(name="argmin")
def _argmin(input: Array, dim: int | None, keepdim: bool, name: str):
    return _first_extreme(jnp.argmin, input, dim, keepdim, name)


def _first_extreme(function: Any, input: Any, dim: Any, keepdim: bool, name: str) -> Any:
    _require_order(f"{name}_cpu", input)
    if input.size == 0 and dim is None:
        raise IndexError(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0."
        )
    if dim is None:
        index = _arg(function, input.reshape(-1), 0)
        return index.reshape((1,) * input.ndim) if keepdim else index
    _require_elements(name, input, dim)
    index = _arg(function, input, dim)
    place = one_dim(dim, input.ndim)
    return jnp.expand_dims(index, place) if keepdim and input.ndim else index


@public
@numpy_names
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Return the index of the first largest element, in the flattened tensor or along `dim`.

    Example:
        >>> import taowa
        >>> x = taowa.tensor([[1, 5], [3, 4]])
        >>> taowa.argmax(x), taowa.argmax(x, 0)
        (tensor(1), tensor([1, 0]))
    """
    return _argmax(input, dim, keepdim, "argmax")


@public
@numpy_names
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Return the index of the first smallest element, in the flattened tensor or along `dim`.

    Example:
        >>> import taowa
        >>> x = taowa.tensor([[1, 5], [3, 4]])
        >>> taowa.argmin(x), taowa.argmin(x, 0)
        (tensor(0), tensor([0, 1]))
    """
    return _argmin(input, dim, keepdim, "argmin")


_AMINMAX = return_type("aminmax", "min max")


@public
@numpy_names
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the smallest and the largest elements, of all or along one dimension.

    Example:
        >>> import taowa
        >>> taowa.aminmax(taowa.tensor([3, 1, 2]))
        torch.return_types.aminmax(
        min=tensor(1),
        max=tensor(3))
    """
    return _AMINMAX(_amin(input, dim, keepdim, "aminmax"), _amax(input, dim, keepdim, "aminmax"))
