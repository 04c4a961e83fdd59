"""The loader: batches of a dataset, one after another."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import Any, Generic, TypeVar

import jax

from taowa.core.program import flush
from taowa.core.random import Generator
from taowa.errors import unsupported
from taowa.utils.data.collate import default_collate, default_convert
from taowa.utils.data.dataset import Dataset, IterableDataset
from taowa.utils.data.fetch import map_fetcher, stream_fetcher
from taowa.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    draw_seed,
)

T_co = TypeVar("T_co", covariant=True)


def get_worker_info() -> None:
    """Return what a worker process knows of itself: `None`, since there are no workers."""


class _Endless(Sampler):
    """Yields a placeholder for ever: a stream has no indices."""

    def __iter__(self) -> Iterator:
        return repeat(None)


def _check_worker_options(
    num_workers: int, timeout: float, prefetch_factor: int | None, persistent_workers: bool
) -> None:
    if num_workers < 0:
        raise ValueError(
            "num_workers option should be non-negative; "
            "use num_workers=0 to disable multiprocessing."
        )
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing."
            "let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to None."
        )
    if prefetch_factor is not None and prefetch_factor < 0:
        raise ValueError("prefetch_factor option should be non-negative")
    if persistent_workers and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")


def _check_stream_options(shuffle: Any, sampler: Any, batch_sampler: Any) -> None:
    options = {"sampler": sampler, "batch_sampler": batch_sampler}
    wrong = {name: value for name, value in options.items() if value is not None}
    if shuffle not in (False, None):
        wrong = {"shuffle": shuffle}
    for name, value in wrong.items():
        raise ValueError(
            f"DataLoader with IterableDataset: expected unspecified {name} option, "
            f"but got {name}={value}"
        )


def _check_batch_options(
    batch_size: int | None, shuffle: Any, sampler: Any, batch_sampler: Any, drop_last: bool
) -> None:
    if sampler is not None and shuffle:
        raise ValueError("sampler option is mutually exclusive with shuffle")
    has_own = batch_size != 1 or shuffle or sampler is not None or drop_last
    if batch_sampler is not None and has_own:
        raise ValueError(
            "batch_sampler option is mutually exclusive "
            "with batch_size, shuffle, sampler, and drop_last"
        )
    if batch_sampler is None and batch_size is None and drop_last:
        raise ValueError(
            "batch_size=None option disables auto-batching and is mutually exclusive with drop_last"
        )


class DataLoader(Generic[T_co]):
    """Yield batches of a dataset, in the order and from the random draws of PyTorch's loader.

    Drawing a batch dispatches the work that is pending, without waiting for it. Batches of host
    tensors are stacked by NumPy, so that loading compiles nothing.

    Unlike PyTorch's, it loads in the calling process only: `num_workers` must be 0. `pin_memory`,
    `worker_init_fn` and `in_order` are accepted and change nothing.

    Args:
        dataset: Anything with `__getitem__` and `__len__`, or an `IterableDataset`.
        batch_size: Samples per batch. `None` = samples as they are, without a batch dimension.
        shuffle: Whether to visit the samples in a new random order each time.
        sampler: Iterable of indices, instead of `shuffle`.
        batch_sampler: Iterable of lists of indices, instead of all the above and `drop_last`.
        collate_fn: From a list of samples to a batch; `default_collate` by default.
        drop_last: Whether to leave out a last batch that is not full.
        timeout: Seconds to wait for a worker; only 0 can be iterated without workers.
        generator: Where the order is drawn from. `None` = the default generator.
    Raises:
        ValueError: if options contradict one another.
        NotImplementedError: for `num_workers > 0`.
    Example:
        >>> list(DataLoader([10, 20, 30], batch_size=2))
        [tensor([10, 20]), tensor([30])]
    """

    _FIXED = frozenset(
        ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")
    )
    _is_ready = False

    def __init__(
        self,
        dataset: Dataset[T_co],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler | Iterable | None = None,
        batch_sampler: Sampler[list] | Iterable[list] | None = None,
        num_workers: int = 0,
        collate_fn: Callable | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_worker_options(num_workers, timeout, prefetch_factor, persistent_workers)
        if num_workers > 0:
            raise unsupported(f"DataLoader(num_workers={num_workers})", "num_workers=0")
        self._is_stream = isinstance(dataset, IterableDataset)
        if multiprocessing_context is not None:
            raise ValueError(
                "multiprocessing_context can only be used with multi-process loading "
                f"(num_workers > 0), but got num_workers={num_workers}"
            )
        if self._is_stream:
            _check_stream_options(shuffle, sampler, batch_sampler)
        _check_batch_options(batch_size, shuffle, sampler, batch_sampler, drop_last)
        if sampler is None:
            sampler = self._default_sampler(dataset, bool(shuffle), generator)
        if batch_sampler is not None:
            batch_size = None
        elif batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)

        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.num_workers = num_workers
        self.collate_fn = collate_fn or self._default_collate_fn()
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.drop_last = drop_last
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.generator = generator
        self.prefetch_factor = prefetch_factor
        self.persistent_workers = persistent_workers
        self.in_order = in_order
        self._length_told: int | None = None
        self._is_ready = True

    def _default_sampler(self, dataset: Any, shuffle: bool, generator: Any) -> Sampler:
        if self._is_stream:
            return _Endless()
        return (
            RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        )

    def _default_collate_fn(self) -> Callable:
        return default_collate if self._auto_collation else default_convert

    def __setattr__(self, name: str, value: Any) -> None:
        if self._is_ready and name in self._FIXED:
            raise ValueError(
                f"{name} attribute should not be set after {type(self).__name__} is initialized"
            )
        super().__setattr__(name, value)

    @property
    def _auto_collation(self) -> bool:
        return self.batch_sampler is not None

    @property
    def _index_sampler(self) -> Any:
        return self.batch_sampler if self._auto_collation else self.sampler

    def __iter__(self) -> Iterator:
        return _LoaderIterator(self)

    def __len__(self) -> int:
        if not self._is_stream:
            return len(self._index_sampler)
        total = self._length_told = len(self.dataset)  # type: ignore[arg-type]
        if self.batch_size is None:
            return total
        return total // self.batch_size if self.drop_last else -(-total // self.batch_size)


class _LoaderIterator:
    """One pass over a loader."""

    def __init__(self, loader: DataLoader) -> None:
        _warn_of_pinning(loader)
        self._loader = loader
        self._length_told = loader._length_told
        self._num_yielded = 0
        self._indices = iter(loader._index_sampler)
        # Nobody here uses the seed of PyTorch's workers, but the generator must move on as there.
        draw_seed(loader.generator)
        if loader.timeout != 0:
            raise AssertionError("DataLoader requires timeout == 0 when num_workers == 0")
        self._fetch = self._fetcher()

    def _fetcher(self) -> Callable:
        loader = self._loader
        is_batched = loader._auto_collation
        if not loader._is_stream:
            return map_fetcher(loader.dataset, loader.collate_fn, is_batched)
        stream = iter(loader.dataset)  # type: ignore[call-overload]
        return stream_fetcher(
            stream, loader.collate_fn, is_batched=is_batched, drop_last=loader.drop_last
        )

    def __iter__(self) -> _LoaderIterator:
        return self

    def __next__(self) -> Any:
        flush()  # the work of the last step
        batch = self._fetch(next(self._indices))
        flush()  # what the dataset computed must not become part of the next step
        self._num_yielded += 1
        if self._length_told is not None and self._num_yielded > self._length_told:
            warnings.warn(
                f"Length of IterableDataset {self._loader.dataset} was reported to be "
                f"{self._length_told}(when accessing len(dataloader)), but {self._num_yielded} "
                "samples have been fetched. ",
                stacklevel=2,
            )
        return batch

    def __len__(self) -> int:
        return len(self._loader._index_sampler)

    def __reduce__(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} cannot be pickled")


def _warn_of_pinning(loader: DataLoader) -> None:
    if not loader.pin_memory:
        return
    if loader.pin_memory_device:
        warnings.warn(
            "pin_memory_device is deprecated, the current accelerator will be used as the device,"
            f"ignore pin_memory_device='{loader.pin_memory_device}'.",
            stacklevel=4,
        )
    if jax.default_backend() == "cpu":
        warnings.warn(
            "'pin_memory' argument is set as true but no accelerator is found, "
            "then device pinned memory won't be used.",
            stacklevel=4,
        )
