"""Writing elements at places along a dimension: `scatter` and its relatives."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.dims import numpy_names, one_dim
from taowa.ops.gathering import along, is_index, size_along
from taowa.ops.index_range import explained, is_outside, out_of_bounds, range_error
from taowa.ops.masking import number_for

_IN_BOUNDS = "promise_in_bounds"  # the check tells of others; XLA leaves them out


def _require_shapes(input: Any, index: Any, src: Any, dim: int) -> None:
    """Raise PyTorch's error for an index that does not lie within the other two."""
    if index.size == 0:
        return
    for name, other in (("self", input), ("src", src)):
        if other is not None and max(index.ndim, 1) != max(other.ndim, 1):
            raise RuntimeError(
                f"Index tensor must have the same number of dimensions as {name} tensor"
            )
    shape = index.shape or (1,)
    beside = [d for d in range(len(shape)) if d != dim]
    fits = all(shape[d] <= (input.shape or (1,))[d] for d in beside)
    text = (
        f"Expected index {list(index.shape)} to be no larger than self {list(input.shape)} apart "
        f"from dimension {dim}"
    )
    if src is not None:
        fits = fits and all(n <= m for n, m in zip(shape, src.shape or (1,), strict=True))
        text += f" and to be no larger size than src {list(src.shape)}"
    if not fits:
        raise RuntimeError(text)


def _ready(input: Any, index: Any, src: Any, dim: int) -> tuple:
    """Return the three with a dimension at least, `src` cut to the index, and the places."""
    _require_shapes(input, index, src, dim)
    if index.size == 0:
        index = index.reshape((0,) * max(input.ndim, 1))
    input, index = (a.reshape(a.shape or (1,)) for a in (input, index))
    if src is not None:
        src = src.reshape(src.shape or (1,))
        cut = (0,) * input.ndim if index.size == 0 else index.shape
        src = src.reshape(cut) if 0 in cut and src.size == 0 else _corner(src, cut)
    return input, src, along(index, dim)


def _corner(array: Any, shape: tuple) -> Any:
    """Return the part of an array from the origin on; of an empty shape, no part."""
    if len(shape) != array.ndim:
        return jnp.zeros(shape, array.dtype)
    return array[tuple(slice(n) for n in shape)]


@jax.custom_vjp
def _multiplied(target: Any, places: tuple, values: Any) -> Any:
    """Multiply at places; JAX itself cannot go backward through it."""
    return target.at[places].multiply(values, mode=_IN_BOUNDS)


def _multiplied_forward(target, places, values):
    return _multiplied(target, places, values), (target, places, values)


def _multiplied_backward(saved, grad):
    target, places, values = saved
    to_target, to_values = _product_shares(jnp.conj(grad), target, places, values)
    return jnp.conj(to_target), None, jnp.conj(to_values)


_multiplied.defvjp(_multiplied_forward, _multiplied_backward)


def _product_shares(grad: Any, target: Any, places: tuple, values: Any) -> tuple[Any, Any]:
    """Return the gradients of the factors: the product over each factor, zeros counted apart."""

    def without_zeros(x):
        return jnp.where(x == 0, 1, x)

    values = jnp.broadcast_to(values, places[0].shape)
    product = _multiplied(without_zeros(target), places, without_zeros(values))
    zeros = [(x == 0).astype(jnp.int32) for x in (target, values)]
    zeros_at = zeros[0].at[places].add(zeros[1], mode=_IN_BOUNDS)

    def share(factor, product, zeros, grad):
        is_alone = zeros == (factor == 0)  # no zero among the other factors
        return jnp.where(is_alone, grad * jnp.conj(product / without_zeros(factor)), 0)

    at_values = [a.at[places].get(mode=_IN_BOUNDS) for a in (product, zeros_at, grad)]
    return share(target, product, zeros_at, grad), share(values, *at_values)


def _combined(target: Any, places: tuple, values: Any, reduce: str) -> Any:
    """Return `target` with values set, added, multiplied, or the extreme taken, at places."""
    ref = target.at[places]
    if target.dtype == jnp.bool_ and reduce != "set":  # a sum is an or, a product is an and
        reduce = {"sum": "amax", "prod": "amin"}.get(reduce, reduce)
    if reduce == "prod" and jnp.issubdtype(target.dtype, jnp.inexact):
        return _multiplied(target, places, values)
    write = {"set": ref.set, "sum": ref.add, "prod": ref.multiply, "amax": ref.max,
             "amin": ref.min}[reduce]  # fmt: skip
    return write(values, mode=_IN_BOUNDS)


# -- setting ------------------------------------------------------------------------------


@op(name="scatter", numbers=())
def _scatter(input: Array, index: Array, src: Array, dim: int, size: int, reduce: str):
    target, values, places = _ready(input, index, src, dim)
    return _combined(target, places, values, reduce).reshape(input.shape)


@op(name="scatter.value", numbers=("value",))
def _scatter_value(input: Array, index: Array, value: Array, dim: int, size: int, reduce: str):
    target, _, places = _ready(input, index, None, dim)
    return _combined(target, places, value.astype(input.dtype), reduce).reshape(input.shape)


def _gathered(grad: Any, src: Any, index: Any, dim: int) -> Any:
    """Return the gradient at places, in the shape of `src`, which may exceed the index."""
    flat, _, places = _ready(grad, index, None, dim)
    return _padded(flat.at[places].get(mode=_IN_BOUNDS), src, index)


@_scatter.backward
def _(grad, input, index, src, dim, reduce):
    if reduce == "prod":
        target, values, places = _ready(input, index, src, dim)
        to_input, to_values = _product_shares(grad.reshape(target.shape), target, places, values)
        return to_input.reshape(input.shape), None, _padded(to_values, src, index)
    found = _gathered(grad, src, index, dim)
    if reduce == "sum":
        return grad, None, found
    flat, _, places = _ready(grad, index, None, dim)
    return flat.at[places].set(0, mode=_IN_BOUNDS).reshape(grad.shape), None, found


@_scatter_value.backward
def _(grad, input, index, value, dim, reduce):
    flat, _, places = _ready(grad, index, None, dim)
    if reduce == "prod":
        shares = _product_shares(flat, input.reshape(flat.shape), places, value.astype(grad.dtype))
        return shares[0].reshape(grad.shape), None, shares[1].sum()
    if reduce == "sum":
        return grad, None, flat.at[places].get(mode=_IN_BOUNDS).sum()
    is_hit = jnp.zeros(flat.shape, bool).at[places].set(True, mode=_IN_BOUNDS)
    kept, taken = jnp.where(is_hit, 0, flat), jnp.where(is_hit, flat, 0)
    return kept.reshape(grad.shape), None, taken.sum()


def _index_error(info: dict) -> Exception:
    return range_error(
        RuntimeError, f"index out of bounds for dimension {info['dim']} with size {info['size']}"
    )


def _is_bad(index, size):
    return is_outside(index, size, least=0)


_scatter.check(_index_error)(_is_bad)
_scatter_value.check(_index_error)(_is_bad)


def _call(call: Any, index: Tensor, size: int, dim: int) -> Tensor:
    """Record a call whose index may be out of range; then say which."""
    try:
        return call()
    except RuntimeError as error:
        raise explained(error, index, size, out_of_bounds(dim), 0) from None


def _require_types(name: str, input: Tensor, index: Tensor, src: Tensor | None) -> None:
    if not is_index(index) and index.numel():
        raise RuntimeError(f"{name}(): Expected dtype int32/int64 for index")
    if src is not None and src.dtype is not input.dtype:
        raise RuntimeError(f"{name}(): Expected self.dtype to be equal to src.dtype")


_REDUCTIONS = {None: "set", "add": "sum", "multiply": "prod"}


@public(inplace=True)
@numpy_names
def scatter(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Any = None,
    *,
    value: Any = None,
    reduce: Any = None,
) -> Tensor:
    """Return a copy with elements written at the places `index` along a dimension.

    Where `index[i][j] = k` and `dim = 0`, `src[i][j]` is written to place `[k][j]`.

    Args:
        src: The elements, at least as large as `index`; or one number for all.
        value: One number, if `src` is not given.
        reduce: `"add"` or `"multiply"` onto what is there instead.

    Raises:
        RuntimeError: if an index is out of range, or the shapes do not fit.

    Example:
        >>> import taowa
        >>> taowa.scatter(taowa.zeros(2, 2), 1, taowa.tensor([[1], [0]]), 5)
        tensor([[0., 5.],
                [5., 0.]])
    """
    if reduce not in _REDUCTIONS:
        raise RuntimeError("reduce argument must be either add or multiply.")
    new = value if src is None else src
    if new is None:
        raise TypeError("scatter() needs the elements to write: src or value")
    axis, how = one_dim(dim, input.ndim), _REDUCTIONS[reduce]
    size = size_along(input, axis)
    if isinstance(new, Tensor) and src is not None:
        _require_types("scatter", input, index, new)
        return _call(lambda: _scatter(input, index, new, axis, size, how), index, size, axis)
    _require_types("scatter", input, index, None)
    number = new if isinstance(new, Tensor) else number_for(new, input)
    return _call(lambda: _scatter_value(input, index, number, axis, size, how), index, size, axis)


@public(inplace=True)
@numpy_names
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """Return a copy with elements added at the places `index` along a dimension; see `scatter`.

    Example:
        >>> import taowa
        >>> taowa.scatter_add(taowa.zeros(2), 0, taowa.tensor([1, 1]), taowa.ones(2))
        tensor([0., 2.])
    """
    _require_types("scatter", input, index, src)
    axis = one_dim(dim, input.ndim)
    size = size_along(input, axis)
    return _call(lambda: _scatter(input, index, src, axis, size, "sum"), index, size, axis)


# -- reducing -----------------------------------------------------------------------------


def _identity(reduce: str, dtype: Any) -> Any:
    """Return what changes no result of the reduction."""
    if reduce in ("sum", "mean"):
        return 0
    if reduce == "prod":
        return 1
    if dtype.kind == "b":
        return reduce == "amin"
    limits = jnp.finfo(dtype) if jnp.issubdtype(dtype, jnp.floating) else jnp.iinfo(dtype)
    if jnp.issubdtype(dtype, jnp.floating):
        return jnp.inf if reduce == "amin" else -jnp.inf
    return limits.max if reduce == "amin" else limits.min


def _start(target: Any, places: tuple, reduce: str, include_self: bool) -> Any:
    """Return what the reduction starts from: without `include_self` only what is not reached."""
    if include_self:
        return target
    identity = jnp.asarray(_identity(reduce, target.dtype), target.dtype)
    return target.at[places].set(identity, mode=_IN_BOUNDS)


def _counts(target: Any, places: tuple, include_self: bool) -> Any:
    """Return how many values each mean is of."""
    counts = jnp.full(target.shape, int(include_self), target.dtype)
    counts = counts.at[places].add(1, mode=_IN_BOUNDS)
    return jnp.maximum(counts.real, 1).astype(target.dtype)


@op(name="scatter_reduce", numbers=())
def _scatter_reduce(
    input: Array, index: Array, src: Array, dim: int, size: int, reduce: str, include_self: bool
):
    target, values, places = _ready(input, index, src, dim)
    start = _start(target, places, reduce, include_self)
    if reduce != "mean":
        return _combined(start, places, values, reduce).reshape(input.shape)
    total = _combined(start, places, values, "sum")
    counts = _counts(target, places, include_self)
    exact = jnp.issubdtype(total.dtype, jnp.integer)
    return (total // counts if exact else total / counts).reshape(input.shape)


_scatter_reduce.check(_index_error)(_is_bad)


@_scatter_reduce.backward
def _(grad, output, input, index, src, dim, reduce, include_self):
    target, values, places = _ready(input, index, src, dim)
    flat, result = grad.reshape(target.shape), output.reshape(target.shape)
    backward = {"prod": _prod_back, "amax": _extreme_back, "amin": _extreme_back}.get(reduce)
    if backward is not None:
        to_input, to_values = backward(flat, target, values, places, include_self, result)
    else:
        to_input = flat
        if reduce == "mean":
            to_input = flat / _counts(target, places, include_self)
        to_values = to_input.at[places].get(mode=_IN_BOUNDS)
    if not include_self:
        to_input = to_input.at[places].set(0, mode=_IN_BOUNDS)
    return to_input.reshape(input.shape), None, _padded(to_values, src, index)


def _padded(values: Any, src: Any, index: Any) -> Any:
    if index.size == 0:
        return jnp.zeros(src.shape, values.dtype)
    if src.size == index.size:
        return values.reshape(src.shape)
    sizes = zip(src.shape, index.shape, strict=True)
    return jnp.pad(values, [(0, m - n) for m, n in sizes])


def _prod_back(grad, target, values, places, include_self, _):
    return _product_shares(grad, _start(target, places, "prod", include_self), places, values)


def _extreme_back(grad, target, values, places, _, result):
    """Share the gradient evenly among all that equal the extreme."""
    is_hit = values == result.at[places].get(mode=_IN_BOUNDS)
    is_self = target == result  # counts as a tie even without `include_self`, as in PyTorch
    ties = _combined(is_self.astype(grad.dtype), places, is_hit.astype(grad.dtype), "sum")
    each = grad / jnp.maximum(ties, 1)
    reached = jnp.zeros(target.shape, bool).at[places].set(True, mode=_IN_BOUNDS)
    to_self = jnp.where(reached, jnp.where(is_self, each, 0), grad)
    return to_self, jnp.where(is_hit, each.at[places].get(mode=_IN_BOUNDS), 0)


REDUCTIONS = ("sum", "prod", "mean", "amax", "amin")


@public(inplace=True)
@numpy_names
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """Return a copy in which the elements that meet at a place are reduced to one.

    Args:
        index: Where along `dim` each element of `src` goes; see `scatter`.
        reduce: `"sum"`, `"prod"`, `"mean"`, `"amax"` or `"amin"`.
        include_self: Whether the element that is there takes part.

    Example:
        >>> import taowa
        >>> x, index = taowa.tensor([1.0, 2.0]), taowa.tensor([1, 1])
        >>> taowa.scatter_reduce(x, 0, index, taowa.tensor([3.0, 7.0]), "mean")
        tensor([1., 4.])
    """
    reduce = {"max": "amax", "min": "amin"}.get(reduce, reduce)
    if reduce not in REDUCTIONS:
        raise RuntimeError("reduce argument must be either sum, prod, mean, amax or amin.")
    _require_types("scatter", input, index, src)
    if (reduce == "mean" and input.dtype.name == "bool") or (
        reduce in ("amax", "amin") and input.dtype.is_complex
    ):
        raise NotImplementedError(
            f"scatter_reduce(reduce='{reduce}') is not implemented for {input.dtype}"
        )
    axis = one_dim(dim, input.ndim)
    size = size_along(input, axis)
    return _call(
        lambda: _scatter_reduce(input, index, src, axis, size, reduce, bool(include_self)),
        index, size, axis,
    )  # fmt: skip
