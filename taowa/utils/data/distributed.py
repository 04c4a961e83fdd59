"""The sampler that shares a dataset out among processes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sized

from taowa.core.mt19937 import MersenneTwister
from taowa.errors import unsupported
from taowa.utils.data.sampler import Sampler


class DistributedSampler(Sampler[int]):
    """Visit every `num_replicas`-th sample of a dataset, starting with number `rank`.

    Unlike PyTorch's, it does not ask a process group: `num_replicas` and `rank` must be given.

    Args:
        dataset: Anything with a length.
        num_replicas: How many processes share the dataset.
        rank: Which of them this is, in [0, num_replicas).
        shuffle: Whether to visit in random order, the same in all processes.
        seed: What the order is drawn from, together with the epoch.
        drop_last: Whether all leave out the samples that are too many for equal shares. Otherwise
            some samples come twice.
    Raises:
        ValueError: if `rank` is out of range.
        NotImplementedError: if `num_replicas` or `rank` is not given.
    Example:
        >>> list(DistributedSampler(range(5), num_replicas=2, rank=1, shuffle=False))
        [1, 3, 0]
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or rank is None:
            missing = "num_replicas" if num_replicas is None else "rank"
            raise unsupported(f"DistributedSampler({missing}=None)", f"{missing}= with a number")
        if rank >= num_replicas or rank < 0:
            raise ValueError(
                f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]"
            )
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.drop_last = drop_last
        self.shuffle = shuffle
        self.seed = seed
        share = len(dataset) / num_replicas
        self.num_samples = math.floor(share) if drop_last else math.ceil(share)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self) -> Iterator[int]:
        order = self._order()
        if not self.drop_last and order:
            copies = math.ceil(self.total_size / len(order))
            order = order * copies
        return iter(order[: self.total_size][self.rank :: self.num_replicas])

    def _order(self) -> list[int]:
        n = len(self.dataset)
        if not self.shuffle:
            return list(range(n))
        return MersenneTwister(self.seed + self.epoch).randperm(n).tolist()

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch; without it, every epoch has the same."""
        self.epoch = epoch
