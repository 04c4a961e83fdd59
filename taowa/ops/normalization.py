"""Normalisation of each channel over a batch, and in evaluation by running statistics."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import lax

from taowa.core.api import public
from taowa.core.op import Array, BadValue, Scalar, op
from taowa.core.tensor import Tensor
from taowa.ops.precision import require_floating, wide


def standardized(x: Any, axes: tuple[int, ...], eps: float) -> tuple[Any, Any, Any, Any]:
    """Return x with mean 0 and variance 1 over the axes; mean, variance, 1 / deviation."""
    mean = x.mean(axes, keepdims=True)
    centred = x - mean
    variance = jnp.square(centred).mean(axes, keepdims=True)
    inverse = lax.rsqrt(variance + eps)
    return centred * inverse, mean, variance, inverse


def towards_input(grad: Any, normal: Any, inverse: Any, axes: tuple[int, ...]) -> Any:
    """Return the gradient towards x from that towards `standardized(x)`."""
    mean = grad.mean(axes, keepdims=True)
    slope = (grad * normal).mean(axes, keepdims=True)
    return inverse * (grad - mean - normal * slope)


def of_channels(values: Any, ndim: int, dim: int = 1) -> Any:
    """Return one value for each channel in a shape that broadcasts along dimension `dim`."""
    return wide(values).reshape([values.size if i == dim else 1 for i in range(ndim)])


def scaled(x: Any, weight: Any, bias: Any) -> Any:
    """Return `x * weight + bias`, leaving out what is None."""
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def require_parameters(input: Any, channels: int, **parameters: Any) -> None:
    """Check that each parameter has one value for each channel, of a type that fits."""
    for name, values in parameters.items():
        if values is None:
            continue
        if values.size != channels:
            raise RuntimeError(f"{name} should contain {channels} elements not {values.size}")
        if values.dtype not in (input.dtype, wide(input).dtype):
            raise RuntimeError(
                "mixed dtype: all inputs must share same datatype, but got input of type "
                f"{input.dtype.name} and {name} of type {values.dtype.name}"
            )


def _require_batch(input: Any, eps: float) -> None:
    require_floating("batch_norm", input)
    if eps <= 0:
        raise BadValue(f"batch_norm eps must be positive during training, but got {eps}")
    if input.size and input.size == input.shape[1]:
        raise BadValue(
            "Expected more than 1 value per channel when training, got input size "
            f"torch.Size({list(input.shape)})"
        )


def _batch_axes(x: Any) -> tuple[int, ...]:
    return tuple(i for i in range(x.ndim) if i != 1)


def _batch_normalized(input: Any, weight: Any, bias: Any, eps: float) -> tuple:
    """Return the output, and each channel's mean, variance and 1 / deviation."""
    _require_batch(input, eps)
    require_parameters(input, input.shape[1], weight=weight, bias=bias)
    normal, *statistics = standardized(wide(input), _batch_axes(input), eps)
    weight = None if weight is None else of_channels(weight, input.ndim)
    bias = None if bias is None else of_channels(bias, input.ndim)
    return scaled(normal, weight, bias).astype(input.dtype), *statistics


def _batch_gradients(
    grad: Any, input: Any, weight: Any, bias: Any, mean: Any, inverse: Any
) -> tuple:
    """Return the gradients towards input, weight and bias."""
    axes = _batch_axes(input)
    g = wide(grad)
    normal = (wide(input) - mean) * inverse
    total = g.sum(axes, keepdims=True)
    slope = (g * normal).sum(axes, keepdims=True)
    n = max(input.size // input.shape[1], 1)
    factor = inverse if weight is None else inverse * of_channels(weight, input.ndim)
    return (
        factor * (g - total / n - normal * (slope / n)),
        None if weight is None else slope.reshape(weight.shape),
        None if bias is None else total.reshape(bias.shape),
    )


@op(name="batch_norm", residuals=2)
def _batch_norm(input: Array, weight: Array | None, bias: Array | None, eps: float):
    output, mean, _, inverse = _batch_normalized(input, weight, bias, eps)
    return output, mean, inverse


@_batch_norm.backward
def _(grad, input, weight, bias, outputs):
    return _batch_gradients(grad, input, weight, bias, *outputs[1:])


@op(name="batch_norm_tracking", residuals=2)
def _batch_norm_tracking(
    running_mean: Array,
    running_var: Array,
    input: Array,
    weight: Array | None,
    bias: Array | None,
    momentum: Scalar,
    eps: float,
):
    """Normalise over the batch; return the new running statistics too."""
    n = input.size // max(input.shape[1], 1)
    require_parameters(input, input.shape[1], running_mean=running_mean, running_var=running_var)
    output, mean, variance, inverse = _batch_normalized(input, weight, bias, eps)
    if n > 0:
        running_mean = _moved(running_mean, mean, momentum)
        running_var = _moved(running_var, variance * (n / (n - 1)), momentum)
    return output, running_mean, running_var, mean, inverse


def _moved(running: Any, new: Any, momentum: Any) -> Any:
    momentum = wide(momentum)
    moved = wide(running) * (1 - momentum) + new.reshape(running.shape) * momentum
    return moved.astype(running.dtype)


@_batch_norm_tracking.backward
def _(grad, input, weight, bias, outputs):
    return None, None, *_batch_gradients(grad, input, weight, bias, *outputs[3:])


@op(name="batch_norm_inference")
def _batch_norm_inference(
    running_mean: Array,
    running_var: Array,
    input: Array,
    weight: Array | None,
    bias: Array | None,
    eps: float,
):
    require_floating("batch_norm", input)
    require_parameters(
        input, input.shape[1] if input.ndim > 1 else 0, running_mean=running_mean,
        running_var=running_var, weight=weight, bias=bias,
    )  # fmt: skip
    ndim = input.ndim
    if input.size == 0:
        return input
    factor = lax.rsqrt(of_channels(running_var, ndim) + eps)
    if weight is not None:
        factor = factor * of_channels(weight, ndim)
    y = (wide(input) - of_channels(running_mean, ndim)) * factor
    return (y if bias is None else y + of_channels(bias, ndim)).astype(input.dtype)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each channel to mean 0 and variance 1, then scale and shift it.

    In training the statistics are the batch's, and the running ones move towards them in place;
    otherwise the running ones are used.

    Args:
        running_mean: `(C,)`; `None` in training keeps no running statistics.
        momentum: Weight of the batch in the running statistics, whose variance is unbiased.
        eps: Added to the variance.
    Shape:
        `(N, C, *)`, like the result

    Raises:
        ValueError: in training, if a channel has only one value.
        RuntimeError: if a parameter does not have one value for each channel.

    References:
        Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167

    Example:
        >>> import taowa
        >>> x = taowa.tensor([[1.0], [3.0]])
        >>> batch_norm(x, None, None, training=True)
        tensor([[-1.0000],
                [ 1.0000]])
    """
    if not training:
        if running_mean is None or running_var is None:
            missing = "running_mean" if running_mean is None else "running_var"
            raise RuntimeError(f"{missing} must be defined in evaluation mode")
        return _batch_norm_inference(running_mean, running_var, input, weight, bias, eps)
    if running_mean is None and running_var is None:
        return _batch_norm(input, weight, bias, eps)
    if running_mean is None or running_var is None:
        raise ValueError("running_mean and running_var must either both be None or neither be None")
    output, mean, var = _batch_norm_tracking(
        running_mean, running_var, input, weight, bias, momentum, eps
    )
    running_mean._write(mean._storage.node, None)
    running_var._write(var._storage.node, None)
    return output


@public(is_method=False, name="batch_norm")
def _torch_batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """Normalise each channel; `nn.functional.batch_norm` with another order of arguments."""
    return batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


@op(name="instance_norm_tracking")
def _instance_norm_tracking(
    running_mean: Array | None,
    running_var: Array | None,
    input: Array,
    weight: Array | None,
    bias: Array | None,
    momentum: Scalar,
    eps: float,
):
    """Normalise each channel of each sample; return the new running statistics too."""
    x, ndim = wide(input), input.ndim
    axes = tuple(range(2, ndim))
    normal, mean, variance, _ = standardized(x, axes, eps)
    weight = None if weight is None else of_channels(weight, ndim)
    bias = None if bias is None else of_channels(bias, ndim)
    n = math.prod(x.shape[2:])
    statistics = (mean.mean(0), variance.mean(0) * (n / (n - 1)))
    moved = [
        _moved(running, new, momentum)
        for running, new in zip((running_mean, running_var), statistics, strict=True)
    ]
    return scaled(normal, weight, bias).astype(input.dtype), *moved


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each channel of each sample to mean 0 and variance 1.

    Args:
        running_mean: `(C,)`, moved in place towards the mean over the batch.
        use_input_stats: Whether to normalise by the input's statistics, not by the running ones.
    Shape:
        `(N, C, *)` or `(C, *)` with at least two values per channel, like the result

    Raises:
        ValueError: if a channel has only one value.

    References:
        Ulyanov et al. 2016, https://arxiv.org/abs/1607.08022

    Example:
        >>> import taowa
        >>> instance_norm(taowa.tensor([[[1.0, 3.0]]]))
        tensor([[[-1.0000,  1.0000]]])
    """
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise RuntimeError(
                "Expected running_mean and running_var to be defined when use_input_stats is false"
            )
        return _batch_norm_inference(running_mean, running_var, input, weight, bias, eps)
    if math.prod(input.shape[2:]) == 1:
        raise ValueError(
            f"Expected more than 1 spatial element when training, got input size {input.shape}"
        )
    if running_mean is None or running_var is None:
        return _instance_norm(input, weight, bias, eps)
    output, mean, var = _instance_norm_tracking(
        running_mean, running_var, input, weight, bias, momentum, eps
    )
    running_mean._write(mean._node(), None)
    running_var._write(var._node(), None)
    return output


@op(name="instance_norm")
def _instance_norm(input: Array, weight: Array | None, bias: Array | None, eps: float):
    require_parameters(input, input.shape[1], weight=weight, bias=bias)
    normal = standardized(wide(input), tuple(range(2, input.ndim)), eps)[0]
    weight = None if weight is None else of_channels(weight, input.ndim)
    bias = None if bias is None else of_channels(bias, input.ndim)
    return scaled(normal, weight, bias).astype(input.dtype)
