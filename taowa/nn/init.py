"""Filling parameters with their first values: drawn on the host, so that nothing is compiled.

The draws come from the same stream as PyTorch's: the same seed gives the same weights.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from taowa.core.grad_mode import no_grad
from taowa.core.random import Generator
from taowa.core.tensor import Tensor, from_array
from taowa.ops.random import randperm

__all__ = [
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

_REJECTION_ABOVE = 0.3  # share of the normal inside the bounds from which plain rejection pays
_CONVOLUTIONS = (f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3))
_LINEAR = frozenset(("linear", "sigmoid", *_CONVOLUTIONS))


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor by which a nonlinearity's weights are scaled to keep the variance.

    Args:
        nonlinearity: `"linear"`, `"conv2d"`, `"sigmoid"`, `"tanh"`, `"relu"`, `"leaky_relu"`, ...
        param: The negative slope of `leaky_relu`; 0.01 by default.

    Raises:
        ValueError: for an unknown nonlinearity or a slope that is no number.

    Example:
        >>> calculate_gain("relu")
        1.4142135623730951
    """
    if nonlinearity in _LINEAR:
        return 1
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    gains = {"tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4}
    if nonlinearity not in gains:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    return gains[nonlinearity]


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill a tensor with draws from the uniform distribution over [a, b).

    Example:
        >>> import taowa
        >>> _ = taowa.manual_seed(0)
        >>> uniform_(taowa.empty(2))
        tensor([0.4963, 0.7682])
    """
    with no_grad():
        return tensor.uniform_(a, b, generator=generator)  # type: ignore[attr-defined]


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill a tensor with draws from the normal distribution.

    Example:
        >>> import taowa
        >>> _ = taowa.manual_seed(0)
        >>> normal_(taowa.empty(2))
        tensor([ 1.5410, -0.2934])
    """
    with no_grad():
        return tensor.normal_(mean, std, generator=generator)  # type: ignore[attr-defined]


def _draw(tensor: Tensor, name: str, a: float, b: float, generator: Generator | None) -> np.ndarray:
    """Return fresh draws of a tensor's shape and type."""
    empty = from_array(np.zeros(tensor.shape, tensor.dtype.np))
    return getattr(empty, name)(a, b, generator=generator).host()


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Fill a tensor with draws from the normal distribution cut off outside [a, b].

    Args:
        tensor: Filled in place.
        mean: Mean of the normal before it is cut.
        std: Its standard deviation, > 0.
        a: Smallest value.
        b: Largest value.
        generator: Where the draws come from.

    Example:
        >>> import taowa
        >>> t = trunc_normal_(taowa.empty(1000), a=-0.5, b=0.5)
        >>> t.abs().max().item() <= 0.5
        True
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=2,
        )
    share = _normal_cdf((b - mean) / std) - _normal_cdf((a - mean) / std)
    draw = _reject_normals if share > _REJECTION_ABOVE else _reject_uniforms
    with no_grad():
        tensor.set_host(draw(tensor, mean, std, a, b, generator))
    return tensor


def _normal_cdf(x: float) -> float:
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def _reject_normals(
    tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Generator | None
) -> np.ndarray:
    """Draw normals until all are within the bounds."""
    low, high = tensor.dtype.np.type(a), tensor.dtype.np.type(b)
    values = _draw(tensor, "normal_", mean, std, generator)
    while (outside := (values < low) | (values > high)).any():
        values = np.where(outside, _draw(tensor, "normal_", mean, std, generator), values)
    return values


def _reject_uniforms(
    tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Generator | None
) -> np.ndarray:
    """Draw uniforms and keep each with the probability of its density."""
    log_peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
    kind = tensor.dtype.np.type
    values = _draw(tensor, "uniform_", a, b, generator)
    candidates, pending = values, np.ones(tensor.shape, bool)
    while True:
        log_density = ((candidates - kind(mean)) / kind(std)) ** 2 * kind(-0.5) - kind(log_peak)
        with np.errstate(divide="ignore"):
            rejected = np.log(_draw(tensor, "uniform_", 0.0, 1.0, generator)) > log_density
        values = np.where(pending, candidates, values)
        pending = pending & rejected
        if not pending.any():
            return values
        candidates = _draw(tensor, "uniform_", a, b, generator)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill a tensor with one value.

    Example:
        >>> import taowa
        >>> constant_(taowa.empty(2), 0.5)
        tensor([0.5000, 0.5000])
    """
    with no_grad():
        return tensor.fill_(val)  # type: ignore[attr-defined]


def ones_(tensor: Tensor) -> Tensor:
    """Fill a tensor with ones.

    Example:
        >>> import taowa
        >>> ones_(taowa.empty(2))
        tensor([1., 1.])
    """
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill a tensor with zeros.

    Example:
        >>> import taowa
        >>> zeros_(taowa.empty(2))
        tensor([0., 0.])
    """
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with the identity.

    Raises:
        ValueError: if the tensor is no matrix.

    Example:
        >>> import taowa
        >>> eye_(taowa.empty(2, 2))
        tensor([[1., 0.],
                [0., 1.]])
    """
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    with no_grad():
        tensor.set_host(np.eye(*tensor.shape, dtype=tensor.dtype.np))
    return tensor


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill a convolution's weight so that it passes its input through.

    Args:
        tensor: Weight of a 1-d, 2-d or 3-d convolution.
        groups: The convolution's groups; must divide the output channels.

    Raises:
        ValueError: if the rank or the groups do not fit.

    Example:
        >>> import taowa
        >>> dirac_(taowa.empty(1, 1, 3))
        tensor([[[0., 1., 0.]]])
    """
    if tensor.ndim not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    if tensor.shape[0] % groups:
        raise ValueError("dim 0 must be divisible by groups")
    array = np.zeros(tensor.shape, tensor.dtype.np)
    outputs = tensor.shape[0] // groups
    centre = tuple(n // 2 for n in tensor.shape[2:])
    for group in range(groups):
        for channel in range(min(outputs, tensor.shape[1])):
            array[(group * outputs + channel, channel, *centre)] = 1
    with no_grad():
        tensor.set_host(array)
    return tensor


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """Return how many inputs one output has, and how many outputs one input has."""
    if tensor.ndim < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"
        )
    outputs, inputs, *kernel = tensor.shape
    return inputs * math.prod(kernel), outputs * math.prod(kernel)


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    lowered = mode.lower()
    if lowered not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    return _calculate_fan_in_and_fan_out(tensor)[lowered == "fan_out"]


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill a weight uniformly so that variance is kept both forward and backward.

    References:
        Glorot & Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html

    Example:
        >>> import taowa
        >>> _ = taowa.manual_seed(0)
        >>> xavier_uniform_(taowa.empty(1, 2))
        tensor([[-0.0106,  0.7586]])
    """
    std = gain * math.sqrt(2.0 / float(sum(_calculate_fan_in_and_fan_out(tensor))))
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill a weight with normals so that variance is kept both forward and backward.

    References:
        Glorot & Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html

    Example:
        >>> import taowa
        >>> _ = taowa.manual_seed(0)
        >>> xavier_normal_(taowa.empty(1, 2))
        tensor([[ 1.2582, -0.2396]])
    """
    std = gain * math.sqrt(2.0 / float(sum(_calculate_fan_in_and_fan_out(tensor))))
    return normal_(tensor, 0.0, std, generator)


def _is_empty(tensor: Tensor) -> bool:
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return True
    return False


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill a weight uniformly so that variance is kept through rectifiers.

    Args:
        tensor: Filled in place.
        a: The rectifier's negative slope.
        mode: `"fan_in"` keeps the variance forward, `"fan_out"` backward.
        nonlinearity: Name as for `calculate_gain`.
        generator: Where the draws come from.

    References:
        He et al. 2015, https://arxiv.org/abs/1502.01852

    Example:
        >>> import taowa
        >>> _ = taowa.manual_seed(0)
        >>> kaiming_uniform_(taowa.empty(1, 2))
        tensor([[-0.0130,  0.9291]])
    """
    if _is_empty(tensor):
        return tensor
    std = calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill a weight with normals so that variance is kept through rectifiers.

    Args:
        tensor: Filled in place.
        a: The rectifier's negative slope.
        mode: `"fan_in"` keeps the variance forward, `"fan_out"` backward.
        nonlinearity: Name as for `calculate_gain`.
        generator: Where the draws come from.

    References:
        He et al. 2015, https://arxiv.org/abs/1502.01852

    Example:
        >>> import taowa
        >>> _ = taowa.manual_seed(0)
        >>> kaiming_normal_(taowa.empty(1, 2))
        tensor([[ 1.5410, -0.2934]])
    """
    if _is_empty(tensor):
        return tensor
    std = calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))
    return normal_(tensor, 0.0, std, generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Fill a weight with a (semi-)orthogonal matrix.

    Args:
        tensor: Two dimensions or more; those after the first are taken as one.
        gain: Factor of the result.
        generator: Where the draws come from.

    Raises:
        ValueError: if the tensor has fewer than two dimensions.

    References:
        Saxe et al. 2014, https://arxiv.org/abs/1312.6120

    Example:
        >>> import taowa
        >>> w = orthogonal_(taowa.empty(3, 3))
        >>> taowa.allclose(w @ w.T, taowa.eye(3), atol=1e-5)
        True
    """
    if tensor.ndim < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if 0 in tensor.shape:
        return tensor
    rows = tensor.shape[0]
    flat = from_array(np.zeros((rows, math.prod(tensor.shape[1:])), tensor.dtype.np))
    drawn = flat.normal_(0, 1, generator=generator).host()  # type: ignore[attr-defined]
    is_wide = rows < drawn.shape[1]
    q, r = np.linalg.qr(drawn.T if is_wide else drawn)
    q = q * np.sign(np.diag(r))  # makes the distribution uniform (Mezzadri 2007)
    array = (q.T if is_wide else q).reshape(tensor.shape) * tensor.dtype.np.type(gain)
    with no_grad():
        tensor.set_host(array.astype(tensor.dtype.np))
    return tensor


def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None
) -> Tensor:
    """Fill a matrix with normals, and the same share of each column with zeros.

    Args:
        tensor: A matrix, filled in place.
        sparsity: Share of zeros in each column, in [0, 1].
        std: Standard deviation of the rest.
        generator: Where the normals come from.

    Raises:
        ValueError: if the tensor is no matrix.

    References:
        Martens 2010, https://www.cs.toronto.edu/~jmartens/docs/Deep_HessianFree.pdf

    Example:
        >>> import taowa
        >>> (sparse_(taowa.empty(10, 3), 0.4) == 0).sum(0)
        tensor([4, 4, 4])
    """
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    rows, columns = tensor.shape
    num_zeros = math.ceil(sparsity * rows)
    array = np.array(_draw(tensor, "normal_", 0, std, generator))
    for column in range(columns):
        array[randperm(rows).host()[:num_zeros], column] = 0
    with no_grad():
        tensor.set_host(array)
    return tensor


def _deprecated(function: Callable) -> Callable:
    """Return the function under its old name, with PyTorch's warning."""
    name = function.__name__
    old = name[:-1]

    @functools.wraps(function)
    def warned(*args: Any, **kwargs: Any) -> Any:
        warnings.warn(
            f"`nn.init.{old}` is now deprecated in favor of `nn.init.{name}`.",
            FutureWarning,
            stacklevel=2,
        )
        return function(*args, **kwargs)

    warned.__name__ = old
    return warned


uniform = _deprecated(uniform_)
normal = _deprecated(normal_)
constant = _deprecated(constant_)
eye = _deprecated(eye_)
dirac = _deprecated(dirac_)
xavier_uniform = _deprecated(xavier_uniform_)
xavier_normal = _deprecated(xavier_normal_)
kaiming_uniform = _deprecated(kaiming_uniform_)
kaiming_normal = _deprecated(kaiming_normal_)
orthogonal = _deprecated(orthogonal_)
sparse = _deprecated(sparse_)
