"""Activations that write into their input, and the one that draws its slopes."""

from __future__ import annotations

from taowa.core.api import public, write_inplace
from taowa.core.random import Generator
from taowa.core.tensor import Tensor
from taowa.ops.activation import leaky_relu, randomly_leaky_relu, threshold
from taowa.ops.creation import empty_like
from taowa.ops.smooth_activation import celu, selu

LOWER, UPPER = 1 / 8, 1 / 3


@public(is_method=False)
def selu_(input: Tensor) -> Tensor:
    """Write the result of `selu` into the input.

    Example:
        >>> import taowa
        >>> taowa.selu_(taowa.tensor([-1.0, 2.0]))
        tensor([-1.1113,  2.1014])
    """
    return write_inplace(input, selu(input))


@public(is_method=False)
def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """Write the result of `celu` into the input.

    Example:
        >>> import taowa
        >>> taowa.celu_(taowa.tensor([-1.0, 2.0]))
        tensor([-0.6321,  2.0000])
    """
    return write_inplace(input, celu(input, alpha))


@public(is_method=False)
def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """Write the result of `threshold` into the input.

    Example:
        >>> import taowa
        >>> taowa.threshold_(taowa.tensor([0.5, 2.0]), 1.0, -7.0)
        tensor([-7.,  2.])
    """
    return write_inplace(input, _threshold(input, threshold, value))


_threshold = threshold


@public(is_method=False)
def rrelu(
    input: Tensor,
    lower: float = LOWER,
    upper: float = UPPER,
    training: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """Return the input, its negative values multiplied by slopes, drawn for each in training.

    Args:
        lower: Smallest slope.
        upper: Largest slope.
        training: Whether to draw the slopes, instead of taking the mean of the bounds.
        generator: Where to draw from.

    Raises:
        RuntimeError: if the bounds are no range.

    References:
        Xu et al. 2015, https://arxiv.org/abs/1505.00853

    Example:
        >>> import taowa
        >>> taowa.rrelu(taowa.tensor([-1.0, 2.0]), 0.25, 0.75)
        tensor([-0.5000,  2.0000])
    """
    if lower > upper:
        raise RuntimeError(
            f"Lower bound should be less than or equal to the upper bound, got {lower} and {upper}"
        )
    if not training:
        return leaky_relu(input, (lower + upper) / 2)
    slopes = empty_like(input.detach())
    slopes.uniform_(lower, upper, generator=generator)  # type: ignore[attr-defined]
    return randomly_leaky_relu(input, slopes)


@public(is_method=False)
def rrelu_(
    input: Tensor,
    lower: float = LOWER,
    upper: float = UPPER,
    training: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """Write the result of `rrelu` into the input.

    Example:
        >>> import taowa
        >>> taowa.rrelu_(taowa.tensor([-1.0, 2.0]), 0.25, 0.75)
        tensor([-0.5000,  2.0000])
    """
    return write_inplace(input, rrelu(input, lower, upper, training, generator))
