"""The CPU random stream, equal bit for bit to that of PyTorch's CPU generator.

The words come from NumPy's Mersenne twister; what is done with them (which bits, which formula, how
many words each draw takes) follows PyTorch 2.13, so mixed sequences of draws stay in step. Only
where PyTorch asks Intel's MKL instead, that is for `bernoulli_(p)` with a number and `exponential_`
on Intel processors, does this stream give what PyTorch gives on every other processor.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from taowa.core.box_muller import BLOCK, apply_libm, box_muller, fma64
from taowa.core.draw_types import (
    FLOATS,
    INT64_MIN,
    INTEGERS,
    cast,
    check_uniform,
    default_count,
    integer_range,
    pytorch_name,
    require,
    require_continuous,
    require_full_range,
)
from taowa.core.word_stream import WordStream

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

LARGE_RANGE = 1 << 28  # from here on PyTorch takes two words for an integer
LARGE_PERMUTATION = (2**32 - 1) // 20  # and from here on for each step of a permutation


def _blocks(n: int) -> Iterator[tuple[slice, int]]:
    for start in range(0, n, BLOCK):
        size = min(BLOCK, n - start)
        yield slice(start, start + size), size


def _real(dtype: np.dtype) -> np.dtype:
    return np.dtype(f"f{dtype.itemsize // 2}")


def _wide(dtype: np.dtype) -> type:
    """Return the type in which PyTorch computes for elements of `dtype`."""
    return np.float64 if dtype == np.float64 else np.float32


def _evaluate(name: str, x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Apply a function in float64: exact in the last bit if `dtype` would show it, else fast."""
    return apply_libm(name, x) if dtype == np.float64 else getattr(np, name)(x)


def _stretch(unit: np.ndarray, low: np.floating, high: np.floating) -> np.ndarray:
    """Map [0, 1) to [low, high) with one rounding."""
    span = high - low
    if unit.dtype == np.float64:
        return fma64(unit, float(span), float(low))
    if (low, high) == (0, 1):
        return unit
    return (unit * np.float64(span) + np.float64(low)).astype(np.float32)


class MersenneTwister(WordStream):
    """Draw the numbers that PyTorch's CPU generator draws after the same seed.

    Draws return new one-dimensional NumPy arrays. A generator may be shared between threads: each
    draw takes its words from the stream without interruption.

    Args:
        seed: Any integer that fits 64 bits; the draws depend on its low 32 bits only.
    Raises:
        ValueError: if the seed does not fit.
    Example:
        >>> MersenneTwister(0).uniform(3)
        array([0.4962566 , 0.7682218 , 0.08847743], dtype=float32)
    """

    def uniform(
        self, n: int, dtype: DTypeLike = np.float32, low: float = 0.0, high: float = 1.0
    ) -> np.ndarray:
        """Draw `n` numbers uniformly from [low, high), as `uniform_` and `rand` do.

        Args:
            dtype: A floating or complex type; a complex number is two draws.
            high: Bound above; a draw that rounds up to it becomes `low`.
        Raises:
            RuntimeError: if the range is empty, or exceeds the type.
            NotImplementedError: for other types.
        Example:
            >>> MersenneTwister(0).uniform(2, np.float64, -1.0, 1.0)
            array([0.940106  , 0.41563973])
        """
        dtype = np.dtype(dtype)
        if dtype.kind == "c":
            return self.uniform(2 * n, _real(dtype), low, high).view(dtype)
        require(dtype, FLOATS, "check_uniform_bounds")
        check_uniform(dtype, low, high)
        wide = _wide(dtype)
        least, bound = wide(low), wide(high)
        out = np.empty(n, dtype)
        with self.lock:
            for block, size in _blocks(n):
                out[block] = cast(_stretch(self.unit(size, wide), least, bound), dtype)
        out[out == cast(bound, dtype)] = cast(least, dtype)
        return out

    def normal(
        self, n: int, dtype: DTypeLike = np.float32, mean: float = 0.0, std: float = 1.0
    ) -> np.ndarray:
        """Draw `n` normal numbers, as `normal_` and `randn` do.

        Sixteen or more come from `box_muller`; fewer are computed in float64 in pairs, of which an
        unused second number is kept for the next such draw.

        Args:
            dtype: A floating or complex type; a complex number is two draws of variance `std**2/2`.
            mean: Centre, of both parts of a complex number.
            std: Standard deviation, not negative.
        Raises:
            RuntimeError: if `std` is negative.
            NotImplementedError: for other types.
        Example:
            >>> MersenneTwister(0).normal(3)
            array([ 1.5409961, -0.2934289, -2.1787894], dtype=float32)
        """
        dtype = np.dtype(dtype)
        if not std >= 0:
            raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")
        if dtype.kind == "c":
            return self.normal(2 * n, _real(dtype), mean, std / math.sqrt(2)).view(dtype)
        require(dtype, FLOATS, "normal_kernel_cpu")
        if n < 16:
            return cast(fma64(self._paired_normals(n), std, mean), dtype)
        out = np.empty(n, dtype)
        with self.lock:
            self._fill_normal(out, mean, std)
        return out

    def _fill_normal(self, out: np.ndarray, mean: float, std: float) -> None:
        dtype, wide, rest = out.dtype, _wide(out.dtype), out.size % 16
        for block, size in _blocks(out.size - rest):
            out[block] = cast(box_muller(self.unit(size, wide), mean, std), dtype)
        if rest:
            if dtype == wide:  # PyTorch draws numbers for the rest, then overwrites them
                self.unit(rest, wide)
            out[-16:] = cast(box_muller(self.unit(16, wide), mean, std), dtype)

    def _paired_normals(self, n: int) -> np.ndarray:
        """Draw standard normals in float64, starting with the one kept from before."""
        with self.lock:
            kept = [] if self.kept_normal is None or n == 0 else [self.kept_normal]
            pairs = self.unit(2 * ((n - len(kept) + 1) // 2), np.float64).reshape(-1, 2)
            radius = np.sqrt(-2 * apply_libm("log1p", -pairs[:, 1]))
            theta = 2 * math.pi * pairs[:, 0]
            drawn = [radius * apply_libm(name, theta) for name in ("cos", "sin")]
            normals = np.append(kept, np.stack(drawn, axis=1))
            if n:
                self.kept_normal = float(normals[n]) if normals.size > n else None
            return normals[:n]

    def log_normal(
        self, n: int, dtype: DTypeLike = np.float32, mean: float = 1.0, std: float = 2.0
    ) -> np.ndarray:
        """Draw exponentials of normal numbers, as `log_normal_` does.

        Args:
            mean: Centre of the logarithm.
            std: Standard deviation of the logarithm, positive.
        Example:
            >>> MersenneTwister(0).log_normal(2)
            array([59.263416,  1.51156 ], dtype=float32)
        """
        dtype = np.dtype(dtype)
        if not std > 0:
            raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std:g}")
        require(dtype, FLOATS, "log_normal_cpu")
        normals = fma64(self._paired_normals(n), std, mean)
        with np.errstate(over="ignore"):
            return cast(_evaluate("exp", normals, dtype), dtype)

    def exponential(self, n: int, dtype: DTypeLike = np.float32, lambd: float = 1.0) -> np.ndarray:
        """Draw exponentially distributed numbers, as `exponential_` does.

        Args:
            lambd: Rate, positive; the mean is `1 / lambd`.
        Example:
            >>> MersenneTwister(0).exponential(2)
            array([3.5083263, 1.2303847], dtype=float32)
        """
        dtype = np.dtype(dtype)
        require_continuous(dtype, "Exponential")
        if not lambd > 0:
            raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd:g}")
        logarithm = _evaluate("log1p", -self.unit(n, np.float64), dtype)
        return cast(-1.0 / lambd * logarithm, dtype)

    def cauchy(
        self, n: int, dtype: DTypeLike = np.float32, median: float = 0.0, sigma: float = 1.0
    ) -> np.ndarray:
        """Draw numbers of a Cauchy distribution, as `cauchy_` does.

        Args:
            median: Centre.
            sigma: Half the width at half the height, positive.
        Example:
            >>> MersenneTwister(0).cauchy(2)
            array([10.59773  ,  0.7647673], dtype=float32)
        """
        dtype = np.dtype(dtype)
        require_continuous(dtype, "Cauchy")
        if not sigma > 0:
            raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
        tangent = _evaluate("tan", math.pi * (self.unit(n, np.float64) - 0.5), dtype)
        return cast(fma64(tangent, sigma, median), dtype)

    def geometric(self, n: int, p: float, dtype: DTypeLike = np.float32) -> np.ndarray:
        """Draw the number of trials up to the first success, as `geometric_` does.

        Args:
            p: Probability of success, in (0, 1).
        Example:
            >>> MersenneTwister(0).geometric(4, 0.1)
            array([1., 4., 8., 1.], dtype=float32)
        """
        dtype = np.dtype(dtype)
        if not 0 < p < 1:
            raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
        require(dtype, (*FLOATS, *INTEGERS), "geometric_cpu")
        with np.errstate(divide="ignore", invalid="ignore"):  # a uniform number may be 0
            trials = np.log(self.unit(n, np.float64)) / math.log1p(-p)
            return cast(np.ceil(trials), dtype)

    def bernoulli(self, n: int, p: float | np.ndarray, dtype: DTypeLike = np.float32) -> np.ndarray:
        """Draw ones with probability `p` and zeros otherwise.

        As in PyTorch, the words taken depend on how `p` is given: two per draw for a number or a
        float64 array, one for any other array.

        Args:
            p: In [0, 1], a number (`bernoulli_(0.5)`), or a floating array of one or `n` elements
                (`bernoulli(probabilities)`).
        Raises:
            RuntimeError: if a probability is outside [0, 1].
        Example:
            >>> MersenneTwister(0).bernoulli(4, 0.5)
            array([0., 0., 1., 0.], dtype=float32)
        """
        dtype, allowed = np.dtype(dtype), (*FLOATS, *INTEGERS, "bool")
        if isinstance(p, np.ndarray):
            require(dtype, allowed, "bernoulli_tensor_cpu_self_")
            require(p.dtype, FLOATS, "bernoulli_tensor_cpu_p_")
            p = p.reshape(-1).astype(_wide(p.dtype))
        else:
            require(dtype, allowed, "bernoulli_scalar_cpu_")
            p = np.array([p], np.float64)
        bad = ~((p >= 0) & (p <= 1))
        if bad.any():
            raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p[bad][0]:g}")
        return cast(self.unit(n, p.dtype.type) < p, dtype)

    def random(
        self, n: int, dtype: DTypeLike, low: int | None = None, high: int | None = None
    ) -> np.ndarray:
        """Draw `n` integers uniformly, as the three forms of `random_` do.

        Args:
            dtype: Integral, floating or bool.
            low: Least integer. `None`, and `high` too = the type's default range, [0, largest] or
                [0, 2**digits].
            high: Bound above, exclusive. `None` = through the largest value of the type.
        Raises:
            RuntimeError: if the range is empty or exceeds the type.
            NotImplementedError: for uint16, uint32 and uint64 without a range.
        Example:
            >>> MersenneTwister(0).random(4, np.uint8)
            array([172,  47, 117, 192], dtype=uint8)
        """
        dtype = np.dtype(dtype)
        if low is None and high is None:
            words = self.words64(n) if dtype in (np.int64, np.float64) else self.words(n)
            return cast(words % words.dtype.type(default_count(dtype)), dtype)
        if low == INT64_MIN and high is None:
            require_full_range(dtype)
            return cast(self.words64(n).view(np.int64), dtype)
        base, count = integer_range(dtype, low or 0, high)
        return cast(self._below(n, count) + np.int64(base), dtype)

    def _below(self, n: int, count: int) -> np.ndarray:
        """Draw int64 from [0, count), wrapping from 2**63 on."""
        if count >= LARGE_RANGE:
            return (self.words64(n) % np.uint64(count)).view(np.int64)
        return (self.words(n) % np.uint32(count)).astype(np.int64)

    def randint(self, low: int, high: int, n: int, dtype: DTypeLike = np.int64) -> np.ndarray:
        """Draw `n` integers uniformly from [low, high), as `torch.randint` does.

        Example:
            >>> MersenneTwister(0).randint(0, 10, 5)
            array([4, 9, 3, 0, 3])
        """
        return self.random(n, dtype, low, high)

    def randperm(self, n: int, dtype: DTypeLike = np.int64) -> np.ndarray:
        """Draw a permutation of 0 ... n - 1 by the Fisher-Yates shuffle, as `randperm` does.

        Raises:
            RuntimeError: if the type does not hold all these integers.
            NotImplementedError: for types other than the common integral and floating ones.
        Example:
            >>> MersenneTwister(0).randperm(5)
            array([4, 0, 1, 3, 2])
        """
        dtype = np.dtype(dtype)
        if n < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
        require(dtype, (*FLOATS, *INTEGERS), "randperm")
        largest = default_count(dtype)
        if n > largest and dtype.name != "bfloat16":  # PyTorch rounds to it without a word
            raise RuntimeError(
                f"n cannot be greater than {largest} for {pytorch_name(dtype)} type, got {n}"
            )
        steps = max(n - 1, 0)
        words = self.words(steps) if n < LARGE_PERMUTATION else self.words64(steps)
        index = np.arange(steps, dtype=words.dtype)
        order = list(range(n))
        for i, j in enumerate((index + words % (words.dtype.type(n) - index)).tolist()):
            order[i], order[j] = order[j], order[i]
        return cast(np.array(order, np.int64), dtype)

    def multinomial(self, p: np.ndarray, num_samples: int, replacement: bool = False) -> np.ndarray:
        """Draw indices with the given weights, as `torch.multinomial` does.

        Args:
            p: Weights, not negative, `(m,)` or `(rows, m)`, floating.
            num_samples: Draws per row; at most `m` without replacement.
        Shape:
            `(num_samples,)` or `(rows, num_samples)`, int64.
        Raises:
            RuntimeError: if the weights or the number of samples do not allow it.
        Example:
            >>> MersenneTwister(0).multinomial(np.array([0.5, 0.2, 0.3]), 4, replacement=True)
            array([2, 2, 0, 2])
        """
        _check_multinomial(p, num_samples, replacement)
        rows = p.reshape(-1, p.shape[-1])  # (rows, m)
        with np.errstate(all="ignore"):
            if replacement and num_samples > 1:
                drawn = self._with_replacement(rows, num_samples)
            else:
                waits = self.exponential(p.size, p.dtype).reshape(rows.shape)
                scores = (rows / waits).astype(np.float64)
                drawn = np.argsort(-scores, axis=1, kind="stable")[:, :num_samples]
        return drawn.reshape(*p.shape[:-1], num_samples)

    def _with_replacement(self, rows: np.ndarray, num_samples: int) -> np.ndarray:
        cumulative = np.cumsum(rows.astype(_wide(rows.dtype)), axis=1)  # (rows, m)
        cumulative /= cumulative[:, -1:]
        unit = self.unit(len(rows) * num_samples, np.float64).reshape(-1, num_samples)
        found = map(np.searchsorted, cumulative.astype(np.float64), unit)
        return np.array([*found], np.int64).reshape(-1, num_samples)


def _check_multinomial(p: np.ndarray, num_samples: int, replacement: bool) -> None:
    if p.dtype.name not in FLOATS:
        raise RuntimeError(
            "multinomial only supports floating-point dtypes for input, "
            f"got: {pytorch_name(p.dtype)}"
        )
    if p.ndim not in (1, 2):
        raise RuntimeError(f"prob_dist must be 1 or 2 dim, got shape {p.shape}")
    if num_samples <= 0:
        raise RuntimeError(f"cannot sample n_sample <= 0 samples, got {num_samples}")
    if not replacement and num_samples > p.shape[-1]:
        raise RuntimeError(
            f"cannot sample n_sample > prob_dist.size(-1) samples without replacement, "
            f"got {num_samples} > {p.shape[-1]}"
        )
    weights = p.astype(np.float64)
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if (weights.sum(axis=-1) <= 0).any():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
