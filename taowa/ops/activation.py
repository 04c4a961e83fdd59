"""Activations made of straight pieces: the rectifiers, clamps and shrinks."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from taowa.core.api import public
from taowa.core.op import Array, Scalar, op
from taowa.core.tensor import Tensor
from taowa.ops.precision import require_floating, wide


@public(inplace=True)
@op
def relu(input: Array):
    """Return the positive part, `max(input, 0)`.

    Example:
        >>> import taowa
        >>> taowa.relu(taowa.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """
    if input.dtype == bool:
        raise RuntimeError("Boolean inputs not supported for relu")
    return jnp.maximum(input, jnp.zeros((), input.dtype))


@relu.backward
def _(grad, input):
    # Of the input, not the output: a comparison with the latter makes XLA lay out the gradients
    # of residual networks channels-first, and transpose them for every convolution.
    return jnp.where(input <= 0, jnp.zeros_like(grad), grad)


def _require_bounds(input: Any) -> None:
    if input.dtype == bool:
        raise RuntimeError("Bool inputs not supported for hardtanh")


@op
def relu6(input: Array):
    """Return `min(max(input, 0), 6)`.

    Example:
        >>> import taowa
        >>> relu6(taowa.tensor([-1.0, 2.0, 8.0]))
        tensor([0., 2., 6.])
    """
    _require_bounds(input)
    return jnp.clip(input, jnp.zeros((), input.dtype), jnp.full((), 6, input.dtype))


@relu6.backward
def _(grad, input):
    return jnp.where((input <= 0) | (input >= 6), jnp.zeros_like(grad), grad)


@op
def hardtanh(input: Array, min_val: Scalar = -1.0, max_val: Scalar = 1.0):
    """Return the input cut off below `min_val` and above `max_val`.

    Example:
        >>> import taowa
        >>> hardtanh(taowa.tensor([-2.0, 0.5, 2.0]))
        tensor([-1.0000,  0.5000,  1.0000])
    """
    _require_bounds(input)
    return jnp.clip(input, min_val.astype(input.dtype), max_val.astype(input.dtype))


@hardtanh.backward
def _(grad, input, min_val, max_val):
    return jnp.where((input <= min_val) | (input >= max_val), jnp.zeros_like(grad), grad)


@public(is_method=False)
@op
def threshold(input: Array, threshold: Scalar, value: Scalar):
    """Return the input where it is above the threshold, else `value`.

    Example:
        >>> import taowa
        >>> taowa.threshold(taowa.tensor([0.5, 2.0]), 1.0, -7.0)
        tensor([-7.,  2.])
    """
    return jnp.where(input <= threshold, value.astype(input.dtype), input)


@threshold.backward
def _(grad, input, threshold):
    return jnp.where(input <= threshold, jnp.zeros_like(grad), grad)


@op
def leaky_relu(input: Array, negative_slope: Scalar = 0.01):
    """Return the input, its negative values multiplied by a slope.

    Example:
        >>> import taowa
        >>> leaky_relu(taowa.tensor([-1.0, 2.0]))
        tensor([-0.0100,  2.0000])
    """
    require_floating("leaky_relu", input)
    return jnp.where(input > 0, input, input * negative_slope)


@leaky_relu.backward
def _(grad, input, negative_slope):
    return jnp.where(input > 0, grad, grad * negative_slope)


@op(name="rrelu")
def randomly_leaky_relu(input: Array, slopes: Array):
    """Return the input, its negative values multiplied by a slope of their own each.

    Example:
        >>> import taowa
        >>> randomly_leaky_relu(taowa.tensor([-1.0, -1.0]), taowa.tensor([0.25, 0.5]))
        tensor([-0.2500, -0.5000])
    """
    return jnp.where(input <= 0, input * slopes, input)


@randomly_leaky_relu.backward
def _(grad, input, slopes):
    return jnp.where(input <= 0, grad * slopes, grad), None


def _weight_of_channels(input: Any, weight: Any) -> Any:
    """Return the weights in a shape that meets the input's dimension of channels."""
    if weight.ndim > 1:
        raise RuntimeError(
            f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.ndim}"
        )
    if input.dtype != weight.dtype:
        raise RuntimeError(
            f"prelu: Type promoting not supported. Got {input.dtype.name} and {weight.dtype.name}"
        )
    if weight.size == 1:
        return weight.reshape(())
    if input.ndim == 0:
        raise RuntimeError("Not allow zero-dim input tensor.")
    channels = input.shape[1] if input.ndim > 1 else 1
    if channels != weight.size:
        raise RuntimeError(
            "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
            f"{weight.size} and channel size = {channels}."
        )
    return weight.reshape(1, -1, *(1,) * (input.ndim - 2))


@public
@op
def prelu(input: Array, weight: Array):
    """Return the input, its negative values multiplied by a learnt slope.

    Args:
        weight: One slope for all, or one for each channel (the second dimension).

    Example:
        >>> import taowa
        >>> taowa.prelu(taowa.tensor([-1.0, 2.0]), taowa.tensor([0.25]))
        tensor([-0.2500,  2.0000])
    """
    return jnp.where(input > 0, input, input * _weight_of_channels(input, weight))


@prelu.backward
def _(grad, input, weight):
    slopes = _weight_of_channels(input, weight)
    towards_slopes = jnp.where(input > 0, jnp.zeros_like(grad), grad * input)
    axes = [i for i in range(input.ndim) if slopes.ndim == 0 or slopes.shape[i] == 1]
    return (
        jnp.where(input > 0, grad, grad * slopes),
        wide(towards_slopes).sum(tuple(axes)).reshape(weight.shape),
    )


@op
def hardsigmoid(input: Array):
    """Return a sigmoid of three straight pieces, `relu6(input + 3) / 6`.

    Example:
        >>> import taowa
        >>> hardsigmoid(taowa.tensor([-4.0, 0.0, 4.0]))
        tensor([0.0000, 0.5000, 1.0000])
    """
    require_floating("hardsigmoid", input)
    return (jnp.clip(wide(input) + 3, 0, 6) / 6).astype(input.dtype)


@hardsigmoid.backward
def _(grad, input):
    return jnp.where((input > -3) & (input < 3), wide(grad) / 6, 0)


@op
def hardswish(input: Array):
    """Return `input * relu6(input + 3) / 6`.

    References:
        Howard et al. 2019, https://arxiv.org/abs/1905.02244

    Example:
        >>> import taowa
        >>> hardswish(taowa.tensor([-4.0, 1.0, 4.0]))
        tensor([-0.0000, 0.6667, 4.0000])
    """
    require_floating("hardswish", input)
    x = wide(input)
    return (x * jnp.clip(x + 3, 0, 6) / 6).astype(input.dtype)


@hardswish.backward
def _(grad, input):
    x, g = wide(input), wide(grad)
    return jnp.where(x <= -3, 0, jnp.where(x < 3, g * (x / 3 + 0.5), g))


@public
@op
def hardshrink(input: Array, lambd: Scalar = 0.5):
    """Return the input, with zeros where it is within `lambd` of zero.

    Example:
        >>> import taowa
        >>> taowa.hardshrink(taowa.tensor([-1.0, 0.3, 2.0]))
        tensor([-1.,  0.,  2.])
    """
    require_floating("hardshrink", input)
    return jnp.where((input >= -lambd) & (input <= lambd), jnp.zeros_like(input), input)


@hardshrink.backward
def _(grad, input, lambd):
    return jnp.where((input >= -lambd) & (input <= lambd), jnp.zeros_like(grad), grad)


@op(name="softshrink")
def _softshrink(input: Array, lambd: Scalar):
    require_floating("softshrink", input)
    inside = (input >= -lambd) & (input <= lambd)
    return jnp.where(inside, jnp.zeros_like(input), input - jnp.copysign(lambd, input))


@_softshrink.backward
def _(grad, input, lambd):
    return jnp.where((input >= -lambd) & (input <= lambd), jnp.zeros_like(grad), grad)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Return the input moved towards zero by `lambd`, and zero where it was nearer than that.

    Raises:
        RuntimeError: if `lambd` is negative.

    Example:
        >>> import taowa
        >>> softshrink(taowa.tensor([-1.0, 0.3, 2.0]))
        tensor([-0.5000,  0.0000,  1.5000])
    """
    if lambd < 0:
        raise RuntimeError(f"lambda must not be negative, but found {lambd}")
    return _softshrink(input, lambd)
