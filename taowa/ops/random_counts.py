"""Random counts, drawn on the host: Poisson and binomial distributions."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, exp, floor, lgamma, log, log1p, sqrt

import numpy as np

from taowa.core.api import public
from taowa.core.random import Generator, default_generator
from taowa.core.tensor import Tensor, from_array


def _uniform(generator: Generator | None) -> Callable[[], float]:
    """Return a function that draws one number from [0, 1)."""
    stream = (generator or default_generator).stream
    return lambda: float(stream.unit(1, np.float64)[0])


@public(is_method=False)
def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Return counts drawn from Poisson distributions with the rates that `input` holds.

    Raises:
        RuntimeError: if a rate is negative.

    References:
        Hörmann 1993, "The transformed rejection method for generating Poisson random variables"

    Example:
        >>> import taowa
        >>> taowa.poisson(taowa.zeros(2))
        tensor([0., 0.])
    """
    rates = input.detach().host()
    if rates.size and not (rates >= 0).all():
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    uniform = _uniform(generator)
    drawn = [_poisson(float(rate), uniform) for rate in rates.reshape(-1)]
    return from_array(np.array(drawn, input.dtype.np).reshape(rates.shape), False, input.device)


def _poisson(rate: float, uniform: Callable[[], float]) -> int:
    if rate >= 10:
        return _poisson_by_rejection(rate, uniform)
    if rate == 0:
        return 0
    bound, product, count = exp(-rate), 1.0, 0
    while True:
        product *= uniform()
        if product <= bound:
            return count
        count += 1


def _poisson_by_rejection(rate: float, uniform: Callable[[], float]) -> int:
    b = 0.931 + 2.53 * sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    while True:
        u, v = uniform() - 0.5, uniform()
        distance = 0.5 - abs(u)
        k = floor((2 * a / distance + b) * u + rate + 0.43)
        if distance >= 0.07 and v <= 0.9277 - 3.6224 / (b - 2):
            return k
        if k < 0 or (distance < 0.013 and v > distance):
            continue
        height = log(v) + log(inverse_alpha) - log(a / (distance * distance) + b)
        if height <= -rate + k * log(rate) - lgamma(k + 1):
            return k


@public(is_method=False)
def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """Return how many of `count` trials succeed, each with probability `prob`.

    References:
        Hörmann 1993, "The generation of binomial random variates"

    Example:
        >>> import taowa
        >>> taowa.binomial(taowa.tensor([0.0, 10.0]), taowa.tensor([0.5, 1.0]))
        tensor([ 0., 10.])
    """
    if count.dtype is not prob.dtype:
        raise RuntimeError(f"Found dtype {prob.dtype} but expected {count.dtype}")
    counts, probs = np.broadcast_arrays(count.detach().host(), prob.detach().host())
    uniform = _uniform(generator)
    pairs = zip(counts.reshape(-1).tolist(), probs.reshape(-1).tolist(), strict=True)
    drawn = [_binomial(n, p, uniform) for n, p in pairs]
    return from_array(np.array(drawn, count.dtype.np).reshape(counts.shape), False, count.device)


def _binomial(n: float, p: float, uniform: Callable[[], float]) -> float:
    if n <= 0 or p <= 0:
        return 0
    if p >= 1:
        return n
    if p > 0.5:
        return n - _binomial(n, 1 - p, uniform)
    method = _binomial_by_rejection if n * p >= 10 else _binomial_by_waiting
    return method(n, p, uniform)


def _binomial_by_waiting(n: float, p: float, uniform: Callable[[], float]) -> float:
    """Count successes by how long each is waited for."""
    waited, successes = 0.0, 0
    while True:
        waited += ceil(log(uniform()) / log1p(-p))
        if waited > n:
            return successes
        successes += 1


def _binomial_by_rejection(n: float, p: float, uniform: Callable[[], float]) -> float:
    deviation = sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    alpha = (2.83 + 5.1 / b) * deviation
    centre = floor((n + 1) * p)
    while True:
        u, v = uniform() - 0.5, uniform()
        distance = 0.5 - abs(u)
        k = floor((2 * a / distance + b) * u + n * p + 0.5)
        if distance >= 0.07 and v <= 0.92 - 4.2 / b:
            return k
        if not 0 <= k <= n:
            continue
        height = log(v * alpha / (a / (distance * distance) + b))
        if height <= _log_ratio(n, p, k, centre):
            return k


def _log_ratio(n: float, p: float, k: float, centre: float) -> float:
    """Return the logarithm of the ratio of two counts' probabilities."""
    ways = lgamma(centre + 1) + lgamma(n - centre + 1) - lgamma(k + 1) - lgamma(n - k + 1)
    return ways + (k - centre) * log(p / (1 - p))
