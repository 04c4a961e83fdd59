"""Filling tensors with random numbers, drawn on the host in PyTorch's order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from taowa.core.api import public
from taowa.core.context import context
from taowa.core.random import Generator, default_generator
from taowa.core.tensor import Tensor


def _fill(self: Tensor, generator: Generator | None, draw: Callable) -> Tensor:
    """Write `draw(stream, n, numpy type)` into a tensor, in the order of its memory."""
    self._require_writable(context())
    aval = self._aval
    array = draw((generator or default_generator).stream, self.numel(), aval.dtype.np)  # type: ignore[attr-defined]
    if self.is_contiguous():
        self.set_host(array.reshape(aval.shape))
        return self
    strides = self.stride()
    order = sorted(range(len(strides)), key=lambda i: -strides[i])
    in_memory = array.reshape([aval.shape[i] for i in order])
    self.set_host(in_memory.transpose(np.argsort(order)))
    return self


def _bounds(names: tuple[str, ...], given: dict[str, Any], *defaults: Any) -> list:
    """Return arguments that PyTorch calls by a name that is a keyword in Python (`from`)."""
    unknown = set(given) - set(names)
    if unknown:
        raise TypeError(f"got an unexpected keyword argument '{unknown.pop()}'")
    return [given.get(name, value) for name, value in zip(names, defaults, strict=True)]


@public(is_function=False)
def uniform_(
    self: Tensor,
    low: float = 0.0,
    high: float = 1.0,
    *,
    generator: Generator | None = None,
    **bounds: float,
) -> Tensor:
    """Fill with numbers drawn uniformly from [low, high); PyTorch calls them `from` and `to`.

    Raises:
        RuntimeError: if the range is empty.

    Example:
        >>> import taowa
        >>> _ = taowa.manual_seed(0)
        >>> taowa.zeros(2).uniform_(-1, 1)
        tensor([-0.0075,  0.5364])
    """
    low, high = _bounds(("from", "to"), bounds, low, high)
    return _fill(self, generator, lambda s, n, kind: s.uniform(n, kind, float(low), float(high)))


@public(is_function=False)
def normal_(
    self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with normal numbers.

    Raises:
        RuntimeError: for a negative standard deviation.

    Example:
        >>> import taowa
        >>> _ = taowa.manual_seed(0)
        >>> taowa.zeros(2).normal_(10, 0.1)
        tensor([10.1541,  9.9707])
    """
    draw = _normal if self.is_contiguous() else _normal_in_pairs
    return _fill(self, generator, lambda s, n, kind: draw(s, n, kind, float(mean), float(std)))


def _normal(stream: Any, n: int, kind: Any, mean: float, std: float) -> np.ndarray:
    return stream.normal(n, kind, mean, std)


def _normal_in_pairs(stream: Any, n: int, kind: Any, mean: float, std: float) -> np.ndarray:
    """Draw as PyTorch does for memory with gaps: in pairs, however many numbers are asked for."""
    parts = [stream.normal(min(14, n - i), kind, mean, std) for i in range(0, n, 14)]
    return np.concatenate([np.empty(0, kind), *parts])


@public(is_function=False)
def random_(
    self: Tensor,
    low: int | None = None,
    high: int | None = None,
    *,
    generator: Generator | None = None,
    **bounds: Any,
) -> Tensor:
    """Fill with integers drawn uniformly; PyTorch calls the bounds `from` and `to`.

    Called as `random_()` for all that the type holds, `random_(to)` or `random_(from, to)`.

    Raises:
        RuntimeError: if the range is empty.

    Example:
        >>> import taowa
        >>> _ = taowa.manual_seed(0)
        >>> taowa.zeros(4).random_(10)
        tensor([4., 9., 3., 0.])
    """
    low, high = _bounds(("from", "to"), bounds, low, high)
    if high is None and low is not None and "from" not in bounds:
        low, high = 0, low
    return _fill(self, generator, lambda s, n, kind: s.random(n, kind, low, high))


@public(is_function=False)
def bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fill with ones, each with probability `p`, and zeros.

    Args:
        p: A number, or a tensor of probabilities that broadcasts.

    Raises:
        RuntimeError: if a probability is outside [0, 1].

    Example:
        >>> import taowa
        >>> taowa.zeros(2).bernoulli_(1.0)
        tensor([1., 1.])
    """
    if not isinstance(p, Tensor):
        return _fill(self, generator, lambda s, n, kind: s.bernoulli(n, float(p), kind))
    each = np.ascontiguousarray(np.broadcast_to(p.detach().host(), self._aval.shape))
    return _fill(self, generator, lambda s, n, kind: s.bernoulli(n, each, kind))


@public(is_function=False)
def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with exponentially distributed numbers of rate `lambd`.

    Example:
        >>> import taowa
        >>> _ = taowa.manual_seed(0)
        >>> taowa.zeros(2).exponential_()
        tensor([3.5083, 1.2304])
    """
    return _fill(self, generator, lambda s, n, kind: s.exponential(n, kind, lambd))


@public(is_function=False)
def cauchy_(
    self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with numbers of a Cauchy distribution.

    Example:
        >>> import taowa
        >>> _ = taowa.manual_seed(0)
        >>> taowa.zeros(2).cauchy_()
        tensor([10.5977,  0.7648])
    """
    return _fill(self, generator, lambda s, n, kind: s.cauchy(n, kind, median, sigma))


@public(is_function=False)
def log_normal_(
    self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with exponentials of normal numbers.

    Args:
        mean: Centre of the logarithm.
        std: Standard deviation of the logarithm.

    Example:
        >>> import taowa
        >>> _ = taowa.manual_seed(0)
        >>> taowa.zeros(2).log_normal_()
        tensor([59.2634,  1.5116])
    """
    return _fill(self, generator, lambda s, n, kind: s.log_normal(n, kind, mean, std))


@public(is_function=False)
def geometric_(self: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Fill with the numbers of trials up to the first success of probability `p`.

    Example:
        >>> import taowa
        >>> _ = taowa.manual_seed(0)
        >>> taowa.zeros(4).geometric_(0.1)
        tensor([1., 4., 8., 1.])
    """
    return _fill(self, generator, lambda s, n, kind: s.geometric(n, p, kind))
