"""Bounding gradients before a step."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp

from taowa.core.grad_mode import no_grad
from taowa.core.op import Array, Scalar, op
from taowa.core.tensor import Tensor
from taowa.ops.tensor_factory import tensor as make_tensor

__all__ = [
    "clip_grad_norm",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "get_total_norm",
]


@op
def norm_of_all(tensors: list[Array], norm_type: float):
    """Return the p-norm of all elements of all tensors."""
    if norm_type == float("inf"):
        return jnp.stack([jnp.abs(t).max() for t in tensors]).max()
    norms = jnp.stack([_norm(t.ravel(), norm_type) for t in tensors])
    return _norm(norms, norm_type)


def _norm(x: Any, p: float) -> Any:
    if p == 2:
        return jnp.sqrt((x * x).sum())
    if p == 0:
        return (x != 0).sum().astype(x.dtype)
    return (jnp.abs(x) ** p).sum() ** (1.0 / p)


@op
def scale_to_norm(tensors: list[Array], total_norm: Array, max_norm: Scalar):
    """Scale tensors whose norm together is `total_norm` down to `max_norm`."""
    factor = jnp.minimum(max_norm.astype(total_norm.dtype) / (total_norm + 1e-6), 1.0)
    return tuple(t * factor.astype(t.dtype) for t in tensors)


@op
def clamp_all(tensors: list[Array], bound: Scalar):
    """Clamp all tensors to `[-bound, bound]`."""
    return tuple(jnp.clip(t, -bound.astype(t.dtype), bound.astype(t.dtype)) for t in tensors)


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    return [p._grad for p in parameters if p._grad is not None]


@no_grad()
def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Return the norm of all elements of all tensors.

    Args:
        tensors: One tensor or several.
        norm_type: The p of the norm; `inf` for the largest element.
        error_if_nonfinite: Whether to wait for the norm and raise if it is no finite number.
        foreach: Accepted; the norm is one operation in any case.

    Raises:
        RuntimeError: for a norm that is no finite number, if asked for.

    Example:
        >>> import taowa
        >>> get_total_norm([taowa.tensor([3.0]), taowa.tensor([4.0])])
        tensor(5.)
    """
    chosen = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    if not chosen:
        return make_tensor(0.0)
    total = norm_of_all(chosen, float(norm_type))
    if error_if_nonfinite:
        value = total.item()
        if value != value or value in (float("inf"), float("-inf")):
            raise RuntimeError(
                f"The total norm of order {norm_type} for gradients from `parameters` is "
                "non-finite, so it cannot be clipped. To disable this error and scale the "
                "gradients by the non-finite norm anyway, set `error_if_nonfinite=False`"
            )
    return total


@no_grad()
def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    total_norm: Tensor,
    foreach: bool | None = None,
) -> None:
    """Scale gradients down in place, given the norm of all of them.

    Args:
        parameters: One parameter or several; those without gradients do not count.
        max_norm: The largest norm that stays.
        total_norm: The gradients' norm, as `get_total_norm` returns it.
        foreach: Accepted; the scaling is one operation in any case.

    Example:
        >>> import taowa
        >>> w = taowa.ones(1, requires_grad=True)
        >>> w.grad = taowa.tensor([4.0])
        >>> clip_grads_with_norm_([w], 1.0, taowa.tensor(4.0))
        >>> w.grad
        tensor([1.0000])
    """
    grads = _gradients(parameters)
    if grads:
        _replace(grads, scale_to_norm(grads, total_norm, float(max_norm)))


def _replace(grads: list[Tensor], values: tuple[Tensor, ...]) -> None:
    for grad, value in zip(grads, values, strict=True):
        grad._write(value._node(), None)


@no_grad()
def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale gradients down in place so that their norm together is at most `max_norm`.

    Nothing waits for the norm: it is part of the step's program, and it is returned.

    Args:
        parameters: One parameter or several; those without gradients do not count.
        max_norm: The largest norm that stays.
        norm_type: The p of the norm; `inf` for the largest element.
        error_if_nonfinite: Whether to wait for the norm and raise if it is no finite number.
        foreach: Accepted; the scaling is one operation in any case.

    Raises:
        RuntimeError: for a norm that is no finite number, if asked for.

    Example:
        >>> import taowa
        >>> w = taowa.ones(2, requires_grad=True)
        >>> w.grad = taowa.tensor([3.0, 4.0])
        >>> clip_grad_norm_([w], 1.0)
        tensor(5.)
        >>> w.grad
        tensor([0.6000, 0.8000])
    """
    chosen = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if not chosen:
        warnings.warn(
            "`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=3
        )
    total = get_total_norm(_gradients(chosen), norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(chosen, max_norm, total, foreach)
    return total


def clip_grad_norm(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Do what `clip_grad_norm_` does, under its old name, and warn.

    Example:
        >>> import warnings
        >>> import taowa
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     clip_grad_norm([taowa.ones(2, requires_grad=True)], 1.0)
        tensor(0.)
    """
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of "
        "`torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


@no_grad()
def clip_grad_value_(
    parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None
) -> None:
    """Clamp each element of the gradients to `[-clip_value, clip_value]` in place.

    Args:
        parameters: One parameter or several; those without gradients do not count.
        clip_value: The bound.
        foreach: Accepted; the clamping is one operation in any case.

    Example:
        >>> import taowa
        >>> w = taowa.ones(2, requires_grad=True)
        >>> w.grad = taowa.tensor([-3.0, 0.5])
        >>> clip_grad_value_([w], 1.0)
        >>> w.grad
        tensor([-1.0000,  0.5000])
    """
    grads = _gradients(parameters)
    if grads:
        _replace(grads, clamp_all(grads, float(clip_value)))
