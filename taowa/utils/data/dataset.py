"""Datasets: what a loader draws samples from."""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Generic, TypeVar, cast

from taowa.core.random import Generator, default_generator
from taowa.core.tensor import Tensor

T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """Map keys to samples: the base class of datasets that are indexed.

    A subclass writes `__getitem__` and usually `__len__`. It may write `__getitems__`, which takes
    a batch's list of indices and returns the list of samples.

    Example:
        >>> class Squares(Dataset):
        ...     def __getitem__(self, index):
        ...         return index**2
        >>> Squares()[3]
        9
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: Dataset) -> Dataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co], ABC):
    """Yield samples in the dataset's own order: the base class of streams.

    Example:
        >>> class Countdown(IterableDataset):
        ...     def __iter__(self):
        ...         return iter([3, 2, 1])
        >>> list(Countdown() + Countdown())
        [3, 2, 1, 3, 2, 1]
    """

    @abstractmethod
    def __iter__(self) -> Iterator[T_co]: ...

    def __add__(self, other: Dataset) -> ChainDataset:
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Pair tensors along their first dimension: sample `i` is row `i` of each.

    Args:
        *tensors: Tensors with the same size of the first dimension.
    Raises:
        AssertionError: if the first dimensions differ.
    Example:
        >>> import taowa
        >>> data = TensorDataset(taowa.tensor([[1.0], [2.0]]), taowa.tensor([0, 1]))
        >>> data[1]
        (tensor([2.]), tensor(1))
    """

    def __init__(self, *tensors: Tensor) -> None:
        if any(tensors[0].size(0) != tensor.size(0) for tensor in tensors):
            raise AssertionError("Size mismatch between tensors")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return self.tensors[0].size(0)


class StackDataset(Dataset):
    """Join datasets of one length side by side, into tuples or dicts.

    Args:
        *args: Datasets whose samples form a tuple.
        **kwargs: Datasets whose samples form a dict; not together with `args`.
    Raises:
        ValueError: if there is no dataset, both kinds are given, or the lengths differ.
    Example:
        >>> StackDataset([10, 20], "ab")[1]
        (20, 'b')
        >>> StackDataset(x=[10, 20], y="ab")[1]
        {'x': 20, 'y': 'b'}
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and kwargs:
            raise ValueError(
                "Supported either ``tuple``- (via ``args``) or"
                "``dict``- (via ``kwargs``) like input/output, but both types are given."
            )
        if not args and not kwargs:
            raise ValueError("At least one dataset should be passed")
        self.datasets: tuple | dict = args or kwargs
        self._length = len(self._parts()[0])
        if any(len(part) != self._length for part in self._parts()):
            raise ValueError("Size mismatch between datasets")

    def _parts(self) -> tuple:
        if isinstance(self.datasets, dict):
            return tuple(self.datasets.values())
        return self.datasets

    def _join(self, values: Iterable) -> tuple | dict:
        if isinstance(self.datasets, dict):
            return dict(zip(self.datasets, values, strict=True))
        return tuple(values)

    def __getitem__(self, index: Any) -> tuple | dict:
        return self._join(part[index] for part in self._parts())

    def __getitems__(self, indices: list) -> list:
        columns = [samples_of(part, indices) for part in self._parts()]
        for column in columns:
            if len(column) != len(indices):
                raise ValueError(
                    "Nested dataset's output size mismatch."
                    f" Expected {len(indices)}, got {len(column)}"
                )
        return [self._join(row) for row in zip(*columns, strict=True)]

    def __len__(self) -> int:
        return self._length


class ConcatDataset(Dataset[T_co]):
    """Put datasets end to end.

    Args:
        datasets: Indexed datasets with a length.
    Raises:
        AssertionError: if there is none, or one is an `IterableDataset`.
    Example:
        >>> joined = ConcatDataset(["ab", "cde"])
        >>> len(joined), joined[2], joined[-1]
        (5, 'c', 'e')
    """

    @staticmethod
    def cumsum(sequence: Iterable) -> list[int]:
        """Return the running total of the lengths."""
        return list(accumulate(len(part) for part in sequence))

    def __init__(self, datasets: Iterable) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(part, IterableDataset) for part in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset")
        self.cumulative_sizes = self.cumsum(self.datasets)

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, idx: int) -> T_co:
        if idx < -len(self):
            raise ValueError("absolute value of index should not exceed dataset length")
        idx = idx + len(self) if idx < 0 else idx
        part = bisect_right(self.cumulative_sizes, idx)
        start = self.cumulative_sizes[part - 1] if part else 0
        return self.datasets[part][idx - start]


class ChainDataset(IterableDataset):
    """Run through streams one after another.

    Args:
        datasets: `IterableDataset`s, looked at only while iterating.
    Raises:
        AssertionError: on meeting another kind of dataset.
    """

    def __init__(self, datasets: Iterable) -> None:
        self.datasets = datasets

    def _streams(self) -> Iterator:
        for stream in self.datasets:
            if not isinstance(stream, IterableDataset):
                raise AssertionError("ChainDataset only supports IterableDataset")
            yield stream

    def __iter__(self) -> Iterator:
        for stream in self._streams():
            yield from stream

    def __len__(self) -> int:
        return sum(len(stream) for stream in self._streams())


class Subset(Dataset[T_co]):
    """Choose samples of a dataset.

    Args:
        indices: Which samples, in which order.
    Raises:
        NotImplementedError: if a subclass overrides `__getitem__` without `__getitems__`, since a
            loader reads through the latter.
    Example:
        >>> list(Subset("abcd", [3, 0]))
        ['d', 'a']
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices
        kind = type(self)
        if kind.__getitem__ is not Subset.__getitem__ and kind.__getitems__ is Subset.__getitems__:
            raise NotImplementedError(
                f"{kind.__name__} overrides __getitem__ but not __getitems__, through which a "
                "DataLoader reads. Override it too, for example:\n\n"
                "def __getitems__(self, indices):\n"
                "    return [self[index] for index in indices]"
            )

    def __getitem__(self, idx: Any) -> Any:
        chosen = [self.indices[i] for i in idx] if isinstance(idx, list) else self.indices[idx]
        return self.dataset[chosen]

    def __getitems__(self, indices: list[int]) -> list[T_co]:
        return samples_of(self.dataset, [self.indices[index] for index in indices])

    def __len__(self) -> int:
        return len(self.indices)


def samples_of(dataset: Any, indices: list) -> list:
    """Return a dataset's samples, by its `__getitems__` if it has one."""
    read_all = getattr(dataset, "__getitems__", None)
    if callable(read_all):
        return cast(list, read_all(indices))
    return [dataset[index] for index in indices]


def _lengths_of_fractions(fractions: Sequence[float], total: int) -> list[int]:
    """Return whole lengths: each share rounded down, the rest given out one by one."""
    for i, fraction in enumerate(fractions):
        if not 0 <= fraction <= 1:
            raise ValueError(f"Fraction at index {i} is not between 0 and 1")
    lengths = [math.floor(total * fraction) for fraction in fractions]
    for i in range(total - sum(lengths)):
        lengths[i % len(lengths)] += 1
    for i, length in enumerate(lengths):
        if length == 0:
            warnings.warn(
                f"Length of split at index {i} is 0. This might result in an empty dataset.",
                stacklevel=3,
            )
    return lengths


def random_split(
    dataset: Any,
    lengths: Sequence[int | float],
    generator: Generator | None = default_generator,
) -> list[Subset]:
    """Split a dataset at random into parts without common samples.

    Args:
        lengths: Sizes that sum up to the dataset's, or fractions that sum up to 1.
        generator: Where the permutation is drawn from.
    Raises:
        ValueError: if the sizes do not sum up, or a fraction is outside [0, 1].
    Example:
        >>> import taowa
        >>> parts = random_split("abcde", [0.6, 0.4], taowa.Generator().manual_seed(0))
        >>> [list(part) for part in parts]
        [['e', 'a', 'b'], ['d', 'c']]
    """
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        lengths = _lengths_of_fractions(lengths, len(dataset))
    if sum(lengths) != len(dataset):
        raise ValueError("Sum of input lengths does not equal the length of the input dataset!")
    stream = (default_generator if generator is None else generator).stream
    order = stream.randperm(len(dataset)).tolist()
    ends = cast(Iterable[int], accumulate(lengths))
    sizes = cast(Sequence[int], lengths)
    return [Subset(dataset, order[end - n : end]) for end, n in zip(ends, sizes, strict=True)]
