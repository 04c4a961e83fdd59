"""Normalisation within each sample: over its last dimensions, or over groups of channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax

from taowa.core.api import public
from taowa.core.op import Array, BadValue, Scalar, op
from taowa.core.tensor import Tensor
from taowa.dtypes import get_default_dtype
from taowa.ops.normalization import of_channels, scaled, standardized, towards_input
from taowa.ops.precision import require_floating, wide


def _require_shape(input: Any, shape: tuple[int, ...], **parameters: Any) -> tuple[int, ...]:
    """Check the last dimensions and the parameters; return the axes of the last dimensions."""
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one "
            "element, but got normalized_shape = []"
        )
    for name, values in parameters.items():
        if values is not None and values.shape != shape:
            raise RuntimeError(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
                f"{list(values.shape)} and normalized_shape = {list(shape)}"
            )
        if values is not None and values.dtype not in (input.dtype, wide(input).dtype):
            raise RuntimeError(
                "mixed dtype: all inputs must share same datatype, but got input of type "
                f"{input.dtype.name} and {name} of type {values.dtype.name}"
            )
    if input.shape[-len(shape) :] != shape:
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape "
            f"{['*', *shape]}, but got input of size{list(input.shape)}".replace("'", "")
        )
    return tuple(range(input.ndim - len(shape), input.ndim))


@op(name="layer_norm")
def _layer_norm(input: Array, weight: Array | None, bias: Array | None, shape: tuple, eps: float):
    require_floating("layer_norm", input)
    axes = _require_shape(input, shape, weight=weight, bias=bias)
    normal = standardized(wide(input), axes, eps)[0]
    weight, bias = (None if v is None else wide(v) for v in (weight, bias))
    return scaled(normal, weight, bias).astype(input.dtype)


@_layer_norm.backward
def _(grad, input, weight, shape, eps):
    axes = tuple(range(input.ndim - len(shape), input.ndim))
    g = wide(grad)
    normal, _, _, inverse = standardized(wide(input), axes, eps)
    towards_normal = g if weight is None else g * wide(weight)
    # Towards weight and bias: what broadcasts is summed outside.
    return towards_input(towards_normal, normal, inverse, axes), g * normal, g


@public(is_method=False)
def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Tensor:
    """Normalise the last dimensions of each sample to mean 0 and variance 1.

    Args:
        normalized_shape: The sizes of these dimensions.
        weight: Of that shape; multiplied afterwards.
        bias: Of that shape; added then.
    Shape:
        `(*, *normalized_shape)`, like the result

    Raises:
        RuntimeError: if the shapes do not fit.

    References:
        Ba et al. 2016, https://arxiv.org/abs/1607.06450

    Example:
        >>> import taowa
        >>> taowa.layer_norm(taowa.tensor([1.0, 3.0]), (2,))
        tensor([-1.0000,  1.0000])
    """
    if isinstance(normalized_shape, int):
        raise TypeError("layer_norm(): argument 'normalized_shape' must be tuple of ints, not int")
    return _layer_norm(input, weight, bias, tuple(normalized_shape), eps)


@op(name="rms_norm")
def _rms_norm(input: Array, weight: Array | None, shape: tuple, eps: float | None):
    require_floating("rms_norm", input)
    axes = _require_shape(input, shape, weight=weight)
    x = wide(input)
    eps = float(jnp.finfo(x.dtype).eps) if eps is None else eps
    normal = x * lax.rsqrt(jnp.square(x).mean(axes, keepdims=True) + eps)
    return (normal if weight is None else normal * wide(weight)).astype(input.dtype)


@public(is_method=False)
def rms_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """Divide the last dimensions of each sample by the root of the mean of their squares.

    Args:
        normalized_shape: The sizes of these dimensions.
        eps: Added to the mean; by default the smallest step of the type at 1.

    References:
        Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467

    Example:
        >>> import taowa
        >>> taowa.rms_norm(taowa.tensor([1.0, 1.0]), (2,))
        tensor([1.0000, 1.0000])
    """
    return _rms_norm(input, weight, tuple(normalized_shape), eps)


def _grouped(x: Any, num_groups: int) -> Any:
    return x.reshape(x.shape[0], num_groups, -1) if x.size else x.reshape(x.shape[0], num_groups, 0)


def _require_groups(input: Any, num_groups: int, **parameters: Any) -> None:
    require_floating("group_norm", input)
    shape = list(input.shape)
    if input.ndim < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor, got {input.ndim}")
    if num_groups <= 0 or shape[1] % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of "
            f"shape {shape} and num_groups={num_groups}"
        )
    for name, values in parameters.items():
        if values is not None and values.shape != (shape[1],):
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, "
                f"but got {name} of shape {list(values.shape)} and input of shape {shape}"
            )
    if input.size and input.size // num_groups == 1:
        raise BadValue(
            f"Expected more than 1 value per channel when training, got input size {shape}"
        )


@op(name="group_norm")
def _group_norm(
    input: Array, weight: Array | None, bias: Array | None, num_groups: int, eps: float
):
    _require_groups(input, num_groups, weight=weight, bias=bias)
    normal = standardized(_grouped(wide(input), num_groups), (2,), eps)[0].reshape(input.shape)
    weight, bias = (None if v is None else of_channels(v, input.ndim) for v in (weight, bias))
    return scaled(normal, weight, bias).astype(input.dtype)


@_group_norm.backward
def _(grad, input, weight, num_groups, eps):
    g = wide(grad)
    normal, _, _, inverse = standardized(_grouped(wide(input), num_groups), (2,), eps)
    towards_normal = g if weight is None else g * of_channels(weight, g.ndim)
    towards = towards_input(_grouped(towards_normal, num_groups), normal, inverse, (2,))
    axes = tuple(i for i in range(g.ndim) if i != 1)
    slope = (g * normal.reshape(g.shape)).sum(axes)
    return towards.reshape(g.shape), slope, g.sum(axes)


@public(is_method=False)
def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Tensor:
    """Normalise groups of channels of each sample to mean 0 and variance 1.

    Args:
        weight: `(C,)`; multiplied afterwards.
        bias: `(C,)`; added then.
    Shape:
        `(N, C, *)` with C divisible by `num_groups`, like the result

    Raises:
        RuntimeError: if the shapes do not fit.
        ValueError: if a group has only one value.

    References:
        Wu and He 2018, https://arxiv.org/abs/1803.08494

    Example:
        >>> import taowa
        >>> taowa.group_norm(taowa.tensor([[1.0, 3.0]]), 1)
        tensor([[-1.0000,  1.0000]])
    """
    return _group_norm(input, weight, bias, num_groups, eps)


@op(name="local_response_norm")
def _local_response_norm(input: Array, size: int, alpha: Scalar, beta: Scalar, k: Scalar):
    if input.ndim < 3:
        raise BadValue(f"Expected 3D or higher dimensionality input (got {input.ndim} dimensions)")
    if input.size == 0:
        return input
    pads = [(0, 0), (size // 2, (size - 1) // 2), *[(0, 0)] * (input.ndim - 2)]
    squares = jnp.pad(jnp.square(wide(input)), pads)
    channels = input.shape[1]
    total = sum(squares[:, i : i + channels] for i in range(size))
    floating = jnp.issubdtype(input.dtype, jnp.inexact)
    kind = input.dtype if floating else get_default_dtype().np
    mean = total / size if floating else total // size  # PyTorch's average of integers is one
    divisor = jnp.power(mean * wide(alpha) + wide(k), wide(beta))
    return (wide(input) / divisor).astype(kind)


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """Divide each element by a power of the mean square of its neighbour channels.

    Args:
        size: How many neighbours, the channel itself among them.
    Shape:
        `(N, C, *)`, at least three dimensions, like the result

    References:
        Krizhevsky et al. 2012, ImageNet classification with deep convolutional networks

    Example:
        >>> import taowa
        >>> local_response_norm(taowa.ones(1, 1, 2), 1, alpha=3.0, beta=0.5)
        tensor([[[0.5000, 0.5000]]])
    """
    return _local_response_norm(input, size, alpha, beta, k)
