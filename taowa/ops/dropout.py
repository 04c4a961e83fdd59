"""Dropout: masks drawn inside the program, from keys that are run-time inputs."""

from __future__ import annotations

from math import prod
from typing import Any

import jax.numpy as jnp
from jax import lax

from taowa.core.api import public
from taowa.core.op import Array, Scalar, op
from taowa.core.random import next_key
from taowa.core.tensor import Tensor

_PARITY = 0x1BD11BDA
_TURNS = ((13, 15, 26, 6), (17, 29, 16, 24))
ALPHA = 1.7580993408473766  # minus the limit of SELU far below zero


def threefry(key: tuple[Any, Any], counter: tuple[Any, Any]) -> tuple[Any, Any]:
    """Return two 32-bit random words for each pair of words in `counter`.

    Written out, the rounds become one loop over the elements: 1 ns for each, where the generator
    that comes with JAX takes 19 ns.

    References:
        Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3 (Threefry-2x32-20)

    Example:
        >>> zero = jnp.zeros((), jnp.uint32)
        >>> [hex(int(word)) for word in threefry((zero, zero), (zero, zero))]
        ['0x6b200159', '0x99ba4efe']
    """
    words = (*key, key[0] ^ key[1] ^ jnp.uint32(_PARITY))
    x, y = counter[0] + words[0], counter[1] + words[1]
    for group in range(5):
        for turn in _TURNS[group % 2]:
            x = x + y
            y = (y << jnp.uint32(turn) | y >> jnp.uint32(32 - turn)) ^ x
        x = x + words[(group + 1) % 3]
        y = y + words[(group + 2) % 3] + jnp.uint32(group + 1)
    return x, y


def draw_mask(shape: tuple[int, ...], p: Any, seed: Any, number: Any) -> Any:
    """Return a bool array that is true with probability `1 - p`: a part of other bodies.

    Args:
        seed: With `number` the key, as `next_key` returns it.

    Example:
        >>> draw_mask((2,), jnp.zeros(()), jnp.zeros(()), jnp.zeros(()))
        Array([ True,  True], dtype=bool)
    """
    places = lax.iota(jnp.uint32, prod(shape)).reshape(shape)
    key = (jnp.asarray(seed).astype(jnp.uint32), jnp.asarray(number).astype(jnp.uint32))
    drawn, _ = threefry(key, (places, jnp.zeros(shape, jnp.uint32)))
    limit = jnp.minimum(p * 2.0**32, 2.0**32 - 1).astype(jnp.uint32)
    return (drawn >= limit) & (p < 1)


@op
def _keep_mask(input: Array, p: Array, seed: Array, number: Array, num_dims: int):
    """Return true with probability `1 - p`, one draw for all that follows the first dimensions."""
    shape = tuple(n if i < num_dims else 1 for i, n in enumerate(input.shape))
    return draw_mask(shape, p, seed, number)


@op(name="dropout")
def _scale_kept(input: Array, mask: Array, p: Scalar):
    return input * jnp.where(mask, 1 / (1 - p), 0)


@_scale_kept.backward
def _(grad, mask, p):
    return grad * jnp.where(mask, 1 / (1 - p), 0), None


@op(name="alpha_dropout")
def _saturate_dropped(input: Array, mask: Array, p: Scalar):
    scale = _alpha_scale(p)
    return jnp.where(mask, input, -ALPHA) * scale + ALPHA * p * scale


@_saturate_dropped.backward
def _(grad, mask, p):
    return jnp.where(mask, grad * _alpha_scale(p), 0), None


def _alpha_scale(p: Scalar) -> Array:
    """Return the factor that keeps the variance; 0 where everything is dropped."""
    variance = (ALPHA * ALPHA * p + 1) * (1 - p)
    return jnp.where(p < 1, 1 / jnp.sqrt(jnp.where(p < 1, variance, 1)), 0)


def keep_mask(input: Tensor, p: float, num_dims: int | None = None) -> Tensor:
    """Return a bool tensor that is true with probability `1 - p`; a new draw at each call.

    Args:
        num_dims: Draw for the first dimensions only; the mask has size 1 in the others.

    Example:
        >>> import taowa
        >>> keep_mask(taowa.ones(2, 3), 0.0, 1)
        tensor([[True],
                [True]])
    """
    seed, number = next_key()
    return _keep_mask(input, p, seed, number, input.ndim if num_dims is None else num_dims)


def _require_probability(p: float) -> None:
    if not 0 <= p <= 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {p}")


def _require_features(input: Tensor) -> None:
    if input.ndim < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")


def drop_channels(input: Tensor, p: float, train: bool, num_dims: int) -> Tensor:
    """Return `input` with one decision for all elements that follow the first dimensions.

    Args:
        num_dims: How many dimensions tell decisions apart, 2 for `(N, C, ...)`.

    Example:
        >>> import taowa
        >>> drop_channels(taowa.ones(2, 3), 1.0, True, 1).sum()
        tensor(0.)
    """
    if not train or p == 0:
        return input
    return _scale_kept(input, keep_mask(input, p, num_dims), p)


@public(inplace=True, is_method=False)
def dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Return `input` with elements zeroed at random and the others scaled by `1 / (1 - p)`.

    Args:
        p: Probability of zeroing, in [0, 1].
        train: Return `input` as it is if false.

    References:
        Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html

    Example:
        >>> import taowa
        >>> taowa.dropout(taowa.ones(3), 1.0, True)
        tensor([0., 0., 0.])
    """
    _require_probability(p)
    if not train or p == 0:
        return input
    return _scale_kept(input, keep_mask(input, p), p)


@public(inplace=True, is_method=False)
def feature_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Return `input` with whole channels zeroed at random and the others scaled.

    Args:
        input: `(N, C, ...)`.

    Example:
        >>> import taowa
        >>> taowa.feature_dropout(taowa.ones(1, 2, 3), 1.0, True).sum()
        tensor(0.)
    """
    _require_probability(p)
    _require_features(input)
    return drop_channels(input, p, train, 2)


@public(inplace=True, is_method=False)
def alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Return `input` with elements set to SELU's limit at random, mean and variance kept.

    References:
        Klambauer et al. 2017, https://arxiv.org/abs/1706.02515

    Example:
        >>> import taowa
        >>> taowa.alpha_dropout(taowa.ones(2), 0.5, False)
        tensor([1., 1.])
    """
    _require_probability(p)
    if not train or p == 0:
        return input
    return _saturate_dropped(input, keep_mask(input, p), p)


@public(inplace=True, is_method=False)
def feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Return `input` with whole channels set to SELU's limit at random, moments kept.

    Args:
        input: `(N, C, ...)`.

    Example:
        >>> import taowa
        >>> taowa.feature_alpha_dropout(taowa.ones(1, 2, 3), 0.5, False).sum()
        tensor(6.)
    """
    _require_probability(p)
    if not train or p == 0:
        return input
    _require_features(input)
    return _saturate_dropped(input, keep_mask(input, p, 2), p)
