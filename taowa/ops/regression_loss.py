"""Losses between numbers: squares, distances, divergences, likelihoods."""

from __future__ import annotations

import math
import warnings
from typing import Any

import jax.numpy as jnp
from jax import lax

from taowa.core.op import Array, BadValue, Scalar, op
from taowa.core.tensor import Tensor
from taowa.ops.loss import bad_reduction, reduced, reduction_of
from taowa.ops.precision import magnitude, require_floating, wide


def _warn_if_broadcast(input: Tensor, target: Tensor) -> None:
    if target._aval.shape != input._aval.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}). This will likely lead to incorrect results due to broadcasting. "
            "Please ensure they have the same size.",
            UserWarning,
            stacklevel=3,
        )


def _grad_of_terms(grad: Any, shape: tuple[int, ...], reduction: str) -> Any:
    g = wide(grad)
    return g / max(math.prod(shape), 1) if reduction == "mean" else g


def _shape(input: Any, target: Any) -> Any:
    return jnp.broadcast_shapes(input.shape, target.shape)


@op(name="mse_loss", promote="same")
def _mse_loss(input: Array, target: Array, reduction: str):
    require_floating("mse", input)
    return reduced(jnp.square(wide(input) - wide(target)), reduction).astype(input.dtype)


@_mse_loss.backward
def _(grad, input, target, reduction):
    g = _grad_of_terms(grad, _shape(input, target), reduction)
    towards = 2 * g * (wide(input) - wide(target))
    return towards, -towards


@op(name="l1_loss", promote="same")
def _l1_loss(input: Array, target: Array, reduction: str):
    distances = jnp.abs(wide(input) - wide(target))  # real for complex inputs too
    is_real = distances.dtype == wide(input).dtype
    return reduced(distances, reduction).astype(input.dtype if is_real else distances.dtype)


@_l1_loss.backward
def _(grad, input, target, reduction):
    g = _grad_of_terms(grad, _shape(input, target), reduction)
    towards = g * jnp.sign(wide(input) - wide(target))
    return towards, -towards


@op(name="huber_loss", promote="same")
def _huber_loss(input: Array, target: Array, delta: Scalar, reduction: str):
    require_floating("huber", input)
    terms = _huber_terms(wide(input) - wide(target), wide(delta))
    return reduced(terms, reduction).astype(input.dtype)


def _huber_terms(error: Any, delta: Any) -> Any:
    size = jnp.abs(error)
    return jnp.where(size <= delta, 0.5 * error * error, delta * (size - 0.5 * delta))


@_huber_loss.backward
def _(grad, input, target, delta, reduction):
    g = _grad_of_terms(grad, _shape(input, target), reduction)
    delta = wide(delta)
    towards = g * jnp.clip(wide(input) - wide(target), -delta, delta)
    return towards, -towards


@op(name="smooth_l1_loss", promote="same")
def _smooth_l1_loss(input: Array, target: Array, beta: Scalar, reduction: str):
    require_floating("smooth_l1", input)
    beta = wide(beta)
    terms = _huber_terms(wide(input) - wide(target), beta) / beta
    return reduced(terms, reduction).astype(input.dtype)


@_smooth_l1_loss.backward
def _(grad, input, target, beta, reduction):
    g = _grad_of_terms(grad, _shape(input, target), reduction)
    towards = g * jnp.clip((wide(input) - wide(target)) / wide(beta), -1, 1)
    return towards, -towards


@op(name="weighted_loss", promote="same", promoted=("input", "target"))
def _weighted_loss(
    input: Array, target: Array, weight: Array, delta: Scalar | None, kind: str, reduction: str
):
    """Weigh each term; the mean of squares and distances is then divided by the weights' sum."""
    error = wide(input) - wide(target)
    if kind == "mse":
        terms = jnp.square(error)
    else:
        terms = magnitude(error) if kind == "l1" else _huber_terms(error, wide(delta))
    terms = terms * wide(weight)
    if reduction == "mean" and kind != "huber":
        return (terms.sum() / wide(weight).sum()).astype(input.dtype)
    return reduced(terms, reduction).astype(input.dtype)


def _require_weight(input: Tensor, weight: Tensor) -> None:
    if weight._aval.shape != input._aval.shape:
        raise ValueError(
            f"Weights and input must have the same size, but got {weight.shape} and {input.shape}"
        )


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Return the squares of the differences, or their mean or sum.

    Args:
        reduction: `"none"`, `"mean"` or `"sum"`.
        weight: A weight for each element, of the input's shape; the mean is then a weighted one.

    Example:
        >>> import taowa
        >>> mse_loss(taowa.tensor([1.0, 3.0]), taowa.tensor([0.0, 0.0]))
        tensor(5.)
    """
    _warn_if_broadcast(input, target)
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    if weight is None:
        return _mse_loss(input, target, reduction)
    _require_weight(input, weight)
    return _weighted_loss(input, target, weight, None, "mse", reduction)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Return the distances, or their mean or sum.

    Args:
        reduction: `"none"`, `"mean"` or `"sum"`.
        weight: A weight for each element, of the input's shape; the mean is then a weighted one.

    Example:
        >>> import taowa
        >>> l1_loss(taowa.tensor([1.0, -3.0]), taowa.tensor([0.0, 0.0]))
        tensor(2.)
    """
    _warn_if_broadcast(input, target)
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    if weight is None:
        return _l1_loss(input, target, reduction)
    _require_weight(input, weight)
    return _weighted_loss(input, target, weight, None, "l1", reduction)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """Return squares where differences are below `beta` and distances elsewhere, joined smoothly.

    Args:
        beta: Where they meet; 0 gives `l1_loss`.
        reduction: `"none"`, `"mean"` or `"sum"`.

    Raises:
        RuntimeError: if `beta` is negative.

    References:
        Girshick 2015, https://arxiv.org/abs/1504.08083

    Example:
        >>> import taowa
        >>> smooth_l1_loss(taowa.tensor([1.0, 3.0]), taowa.zeros(2), reduction="none")
        tensor([0.5000, 2.5000])
    """
    _warn_if_broadcast(input, target)
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss does not support negative values for beta, got {beta}")
    if beta == 0.0:
        return _l1_loss(input, target, reduction)
    return _smooth_l1_loss(input, target, beta, reduction)


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """Return half squares where differences are below `delta` and lines elsewhere.

    Args:
        delta: Where they meet, positive; also the slope of the lines.
        reduction: `"none"`, `"mean"` or `"sum"`.
        weight: A weight for each element, of the input's shape.

    Raises:
        RuntimeError: if `delta` is not positive.

    Example:
        >>> import taowa
        >>> huber_loss(taowa.tensor([1.0, 3.0]), taowa.zeros(2), reduction="none", delta=2.0)
        tensor([0.5000, 4.0000])
    """
    _warn_if_broadcast(input, target)
    if delta <= 0:
        raise RuntimeError(
            f"huber_loss does not support non-positive values for delta, got {delta}"
        )
    if weight is None:
        return _huber_loss(input, target, delta, reduction)
    _require_weight(input, weight)
    return _weighted_loss(input, target, weight, delta, "huber", reduction)


@op(name="kl_div", promote="same")
def _kl_div(input: Array, target: Array, log_target: bool, reduction: str):
    x, t = wide(input), wide(target)
    if log_target:
        terms = jnp.exp(t) * (t - x)
    else:
        is_zero = t == 0  # 0 * log(0) = 0, with a gradient that is finite
        terms = jnp.where(is_zero, 0, t * jnp.log(jnp.where(is_zero, 1, t))) - t * x
    if reduction == "batchmean":
        return (terms.sum() / (input.shape[0] if input.ndim else 1)).astype(input.dtype)
    return reduced(terms, reduction).astype(input.dtype)


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """Return the Kullback-Leibler divergence of distributions `input` from `target`.

    Args:
        input: Log-probabilities.
        target: Probabilities, or their logarithms with `log_target`.
        reduction: `"batchmean"` is the definition; `"mean"` divides by all elements; `"none"`,
            `"sum"`.

    References:
        Kullback and Leibler 1951, On information and sufficiency

    Example:
        >>> import taowa
        >>> kl_div(taowa.tensor([[-1.0]]), taowa.tensor([[1.0]]), reduction="batchmean")
        tensor(1.)
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    if reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size. "
            "'batchmean' divides only by the batch size, and aligns with the definition of the "
            "divergence.",
            UserWarning,
            stacklevel=2,
        )
    if reduction not in ("none", "mean", "sum", "batchmean"):
        raise bad_reduction(reduction)
    return _kl_div(input, target, log_target, reduction)


@op(name="poisson_nll_loss", promote="float")
def _poisson_nll_loss(
    input: Array, target: Array, eps: Scalar, log_input: bool, full: bool, reduction: str
):
    x, t = wide(input), wide(target)
    terms = jnp.exp(x) - t * x if log_input else x - t * jnp.log(x + wide(eps))
    if full:
        safe = jnp.where(t > 1, t, 1)
        stirling = t * jnp.log(safe) - t + 0.5 * jnp.log(2 * math.pi * safe)
        terms = terms + jnp.where(t > 1, stirling, 0)
    return reduced(terms, reduction).astype(input.dtype)


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the negative log-likelihood of counts under Poisson distributions.

    Args:
        input: The rates, or their logarithms with `log_input`.
        full: Whether to add Stirling's approximation of the term without the input.
        eps: Keeps the logarithm of a rate of 0 finite.
        reduction: `"none"`, `"mean"` or `"sum"`.

    Example:
        >>> import taowa
        >>> poisson_nll_loss(taowa.tensor([0.0]), taowa.tensor([2.0]))
        tensor(1.)
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    return _poisson_nll_loss(input, target, eps, log_input, full, reduction)


def _along_last(var: Any, input: Any) -> Any:
    """Return the variances with a dimension for the input's last one."""
    if var.ndim and var.shape == input.shape[:-1]:
        return var[..., None]
    differing = [m for n, m in zip(input.shape, var.shape, strict=False) if n != m]
    if var.ndim and (var.ndim != input.ndim or differing not in ([], [1])):
        raise BadValue(f"var is of incorrect size: {list(var.shape)} for {list(input.shape)}")
    return var


@op(name="gaussian_nll_loss")
def _gaussian_nll_loss(
    input: Array, target: Array, var: Array, eps: Scalar, full: bool, reduction: str
):
    x, t, v = wide(input), wide(target), wide(_along_last(var, input))
    # The bound on the variance is no part of the loss: its gradient passes.
    v = v + lax.stop_gradient(jnp.maximum(v, wide(eps)) - v)
    terms = 0.5 * (jnp.log(v) + jnp.square(x - t) / v)
    terms = terms + 0.5 * math.log(2 * math.pi) * full
    return reduced(terms, reduction).astype(jnp.promote_types(input.dtype, target.dtype))


_gaussian_nll_loss.check(lambda _: ValueError("var has negative entry/entries"))(
    lambda var: False if var is None else (var < 0).any()
)


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """Return the negative log-likelihood of targets under normal distributions.

    Args:
        input: The means.
        var: The variances: one for each element, or for each row (the last dimension 1 or left
            out), or one number.
        full: Whether to add the constant term.
        eps: Bound below of the variance.
        reduction: `"none"`, `"mean"` or `"sum"`.

    Raises:
        ValueError: if a variance is negative or their shape does not fit.

    References:
        Nix and Weigend 1994, Estimating the mean and variance of the target distribution

    Example:
        >>> import taowa
        >>> gaussian_nll_loss(taowa.tensor([1.0]), taowa.tensor([3.0]), taowa.tensor([1.0]))
        tensor(2.)
    """
    if not isinstance(var, Tensor) and var < 0:
        raise ValueError(f"var has negative entry/entries: {var}")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid")
    return _gaussian_nll_loss(input, target, var, eps, full, reduction)
