"""Other orders of the dimensions: views."""

from __future__ import annotations

import warnings
from typing import Any

import jax.numpy as jnp

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.dims import one_dim
from taowa.ops.view_steps import TRANSPOSE, T, permuted
from taowa.ops.views import sizes_of


@public(aliases=("swapaxes", "swapdims"))
def transpose(
    input: Tensor, dim0: Any = None, dim1: Any = None, *, axis0: Any = None, axis1: Any = None
) -> Tensor:
    """Return the tensor with two dimensions exchanged.

    Example:
        >>> import taowa
        >>> taowa.transpose(taowa.ones(2, 3), 0, 1).shape
        torch.Size([3, 2])
    """
    ndim = len(input._aval.shape)
    a = one_dim(axis0 if dim0 is None else dim0, ndim)
    b = one_dim(axis1 if dim1 is None else dim1, ndim)
    dims = list(range(ndim))
    if ndim:
        dims[a], dims[b] = b, a
    return permuted(input, tuple(dims), TRANSPOSE)


@public
def t(input: Tensor) -> Tensor:
    """Return the transpose of a matrix; a vector or scalar as it is.

    Raises:
        RuntimeError: if there are more than two dimensions.

    Example:
        >>> import taowa
        >>> taowa.t(taowa.ones(2, 3)).shape
        torch.Size([3, 2])
    """
    ndim = len(input._aval.shape)
    if ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {ndim}D")
    return permuted(input, tuple(range(ndim))[::-1], T)


@public
def permute(input: Tensor, *order: Any, dims: Any = None) -> Tensor:
    """Return the tensor with its dimensions in another order.

    Example:
        >>> import taowa
        >>> taowa.permute(taowa.ones(2, 3, 4), (2, 0, 1)).shape
        torch.Size([4, 2, 3])
    """
    ndim = len(input._aval.shape)
    given = sizes_of(order, dims)
    if len(given) != ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the "
            f"length of the desired ordering of dimensions i.e. input.dim() = {ndim} is not equal "
            f"to len(dims) = {len(given)}"
        )
    places = tuple([one_dim(d, ndim) for d in given])
    if len(set(places)) != ndim:
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return permuted(input, places)


@public(aliases=("moveaxis",))
def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Return the tensor with some dimensions moved, the others in their old order.

    Example:
        >>> import taowa
        >>> taowa.movedim(taowa.ones(2, 3, 4), 0, -1).shape
        torch.Size([3, 4, 2])
    """
    old, new = (sizes_of((d,)) for d in (source, destination))
    if len(old) != len(new):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({list(old)} dims) should "
            f"contain the same number of dims as destination ({list(new)} dims)"
        )
    ndim = len(input._aval.shape)
    pairs = {}
    for name, dims in (("source", old), ("destination", new)):
        pairs[name] = [one_dim(d, ndim) for d in dims]
        if len(set(pairs[name])) != len(dims):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({list(dims)})")
    rest = iter([d for d in range(ndim) if d not in pairs["source"]])
    places = dict(zip(pairs["destination"], pairs["source"], strict=True))
    return permuted(input, tuple([places[d] if d in places else next(rest) for d in range(ndim)]))


_IDENTITY = " is deprecated on 0-D tensors. This function is the identity in these cases."
_USE_CONJ = " is deprecated on 0-D tensors. Consider using x.conj()."


def _transposed(input: Tensor) -> Tensor:
    ndim = len(input._aval.shape)
    if ndim == 2:
        return t(input)
    message = "Tensor.T" + _IDENTITY
    if ndim > 1:
        message = (
            "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is "
            "deprecated and it will throw an error in a future release. Consider `x.mT` to "
            "transpose batches of matrices or `x.permute(*torch.arange(x.ndim - 1, -1, -1))` to "
            "reverse the dimensions of a tensor."
        )
    if ndim != 1:
        warnings.warn(message, UserWarning, stacklevel=3)
    return permuted(input, tuple(range(ndim))[::-1])


def _last_two_swapped(input: Tensor, name: str, zero_dim: str) -> Tensor:
    ndim = len(input._aval.shape)
    if ndim == 1:
        raise RuntimeError(
            f"tensor.{name} is only supported on matrices or batches of matrices. Got 1-D tensor."
        )
    if ndim == 0:
        warnings.warn(zero_dim, UserWarning, stacklevel=4)
        return input
    return transpose(input, -2, -1)


@op(name="conj.physical")
def _conj(input: Array):
    return jnp.conj(input)


def _conjugated(input: Tensor) -> Tensor:
    return _conj(input) if input.dtype.is_complex else input


@public
def adjoint(input: Tensor) -> Tensor:
    """Return the conjugate transpose of a matrix or a batch of them.

    Unlike in PyTorch, it is a copy if the tensor is complex.

    Example:
        >>> import taowa
        >>> taowa.adjoint(taowa.ones(2, 3)).shape
        torch.Size([3, 2])
    """
    return _conjugated(_last_two_swapped(input, "adjoint()", "adjoint()" + _USE_CONJ))


def _hermitian(input: Tensor) -> Tensor:
    ndim = len(input._aval.shape)
    if ndim not in (0, 2):
        more = " For batches of matrices, consider using tensor.mH" if ndim > 1 else ""
        raise RuntimeError(
            f"tensor.H is only supported on matrices (2-D tensors). Got {ndim}-D tensor.{more}"
        )
    if ndim == 0:
        warnings.warn("Tensor.H" + _USE_CONJ, UserWarning, stacklevel=3)
    return _conjugated(t(input))


def _matrix_transposed(input: Tensor) -> Tensor:
    return _last_two_swapped(input, "mT", "Tensor.mT" + _IDENTITY)


def _matrix_hermitian(input: Tensor) -> Tensor:
    return _conjugated(_last_two_swapped(input, "mH", "Tensor.mH" + _USE_CONJ))


for _name, _function in (
    ("T", _transposed), ("H", _hermitian), ("mT", _matrix_transposed), ("mH", _matrix_hermitian),
):  # fmt: skip
    setattr(Tensor, _name, property(_function))
