"""Samplers: in which order a loader visits a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any, Generic, TypeVar

import numpy as np

from taowa import dtypes
from taowa.core.mt19937 import MersenneTwister
from taowa.core.random import Generator, default_generator
from taowa.ops.tensor_factory import as_tensor

T_co = TypeVar("T_co", covariant=True)

DRAWS_AT_ONCE = 32  # indices that PyTorch draws together with replacement


def stream_of(generator: Generator | None) -> MersenneTwister:
    """Return the random numbers of a generator, by default of the default one."""
    return (default_generator if generator is None else generator).stream


def draw_seed(generator: Generator | None = None) -> int:
    """Draw the integer from which PyTorch's loader and shuffling sampler seed others."""
    return int(stream_of(generator).random(1, np.int64)[0])


def _is_positive_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


class Sampler(Generic[T_co]):
    """Yield indices, or lists of them: the base class of samplers.

    A subclass writes `__iter__` and, where it is known, `__len__`.

    Example:
        >>> class Backwards(Sampler):
        ...     def __init__(self, n):
        ...         self.n = n
        ...     def __iter__(self):
        ...         return iter(range(self.n - 1, -1, -1))
        >>> list(Backwards(3))
        [2, 1, 0]
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError


class SequentialSampler(Sampler[int]):
    """Visit a dataset from first to last.

    Args:
        data_source: Anything with a length.
    Example:
        >>> list(SequentialSampler("abc"))
        [0, 1, 2]
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """Visit a dataset in random order.

    Args:
        data_source: Anything with a length.
        replacement: Whether an index may come again before all others came.
        num_samples: How many indices to draw. `None` = the length of the dataset.
        generator: Where to draw from. `None` = a fresh one, seeded by the default generator.
    Raises:
        TypeError: if `replacement` is not a bool.
        ValueError: if `num_samples` is not positive, as for an empty dataset.
    Example:
        >>> import taowa
        >>> list(RandomSampler(range(5), generator=taowa.Generator().manual_seed(0)))
        [4, 0, 1, 3, 2]
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if not isinstance(replacement, bool):
            raise TypeError(
                f"replacement should be a boolean value, but got replacement={replacement}"
            )
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ValueError(
                "num_samples should be a positive integer value, "
                f"but got num_samples={self.num_samples}"
            )

    @property
    def num_samples(self) -> int:
        """How many indices one pass yields; follows the dataset's length unless it was given."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        generator = self.generator
        if generator is None:
            generator = Generator().manual_seed(draw_seed())
        draw = self._draw_with_replacement if self.replacement else self._draw_permutations
        yield from draw(len(self.data_source), generator.stream)

    def _draw_with_replacement(self, n: int, stream: MersenneTwister) -> Iterator[int]:
        full, rest = divmod(self.num_samples, DRAWS_AT_ONCE)
        for size in [DRAWS_AT_ONCE] * full + [rest]:
            yield from stream.randint(0, n, size).tolist()

    def _draw_permutations(self, n: int, stream: MersenneTwister) -> Iterator[int]:
        full, rest = divmod(self.num_samples, n)
        # The last permutation is drawn even when nothing of it is used: so does PyTorch, and the
        # generator must end in the same state.
        for size in [n] * full + [rest]:
            yield from stream.randperm(n).tolist()[:size]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """Visit the given indices in random order.

    Args:
        generator: Where to draw from. `None` = the default generator.
    Example:
        >>> import taowa
        >>> generator = taowa.Generator().manual_seed(0)
        >>> list(SubsetRandomSampler([10, 20, 30], generator))
        [30, 10, 20]
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for i in stream_of(self.generator).randperm(len(self.indices)).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Draw indices with the given probabilities.

    Args:
        weights: One weight per index, not negative; they need not sum up to 1.
        num_samples: How many indices to draw.
        replacement: Whether an index may come more than once.
        generator: Where to draw from. `None` = the default generator.
    Raises:
        ValueError: if `num_samples`, `replacement` or the shape of `weights` is wrong.
    Example:
        >>> list(WeightedRandomSampler([0.0, 1.0], 3))
        [1, 1, 1]
    """

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        if not _is_positive_int(num_samples):
            raise ValueError(
                f"num_samples should be a positive integer value, but got num_samples={num_samples}"
            )
        if not isinstance(replacement, bool):
            raise ValueError(
                f"replacement should be a boolean value, but got replacement={replacement}"
            )
        self.weights = as_tensor(weights, dtype=dtypes.float64)  # (n,)
        if len(self.weights.shape) != 1:
            raise ValueError(
                "weights should be a 1d sequence but given "
                f"weights have shape {tuple(self.weights.shape)}"
            )
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        stream, weights = stream_of(self.generator), self.weights.host()
        yield from stream.multinomial(weights, self.num_samples, self.replacement).tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Group the indices of another sampler into batches.

    Args:
        sampler: Any iterable of indices.
        batch_size: Indices per batch.
        drop_last: Whether to leave out a last batch that is not full.
    Raises:
        ValueError: if `batch_size` or `drop_last` is of the wrong kind.
    Example:
        >>> list(BatchSampler(range(5), batch_size=2, drop_last=False))
        [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        if not _is_positive_int(batch_size):
            raise ValueError(
                f"batch_size should be a positive integer value, but got batch_size={batch_size}"
            )
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        total = len(self.sampler)  # type: ignore[arg-type]
        return total // self.batch_size if self.drop_last else -(-total // self.batch_size)
