import numpy as np
import pytest
import torch
import torch.utils.data as theirs
from hypothesis import given, settings
from hypothesis import strategies as st

import taowa
from taowa.utils import data as ours

WEIGHTS = [0.9, 0.4, 0.05, 0.0, 0.3, 2.0]
MAKERS = {
    "sequential": lambda m, g: m.SequentialSampler("abcdef"),
    "random": lambda m, g: m.RandomSampler(range(10), generator=g),
    "random_fewer": lambda m, g: m.RandomSampler(range(10), num_samples=3, generator=g),
    "random_more": lambda m, g: m.RandomSampler(range(10), num_samples=25, generator=g),
    "replacement": lambda m, g: m.RandomSampler(range(10), True, generator=g),
    "replacement_many": lambda m, g: m.RandomSampler(range(10), True, 70, generator=g),
    "replacement_32": lambda m, g: m.RandomSampler(range(10), True, 32, generator=g),
    "subset": lambda m, g: m.SubsetRandomSampler([10, 20, 30, 40], g),
    "weighted": lambda m, g: m.WeightedRandomSampler(WEIGHTS, 20, generator=g),
    "weighted_once": lambda m, g: m.WeightedRandomSampler(WEIGHTS, 5, False, generator=g),
    "weighted_array": lambda m, g: m.WeightedRandomSampler(np.array(WEIGHTS), 20, generator=g),
    "batch": lambda m, g: m.BatchSampler(m.RandomSampler(range(10), generator=g), 3, False),
    "batch_drop": lambda m, g: m.BatchSampler(m.RandomSampler(range(10), generator=g), 3, True),
    "batch_full": lambda m, g: m.BatchSampler(m.RandomSampler(range(10), generator=g), 5, True),
}


def three_passes(module, source, make, *, own_generator):
    """Three passes and the next number that the generator used would give."""
    source.manual_seed(5)
    generator = source.Generator().manual_seed(6) if own_generator else None
    sampler = make(module, generator)
    passes = [list(sampler) for _ in range(3)]
    return passes, source.randperm(1000, generator=generator).tolist()


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("own_generator", [False, True])
def test_draws_equal_pytorch_and_leave_the_generator_alike(name, own_generator):
    make = MAKERS[name]
    mine = three_passes(ours, taowa, make, own_generator=own_generator)
    assert mine == three_passes(theirs, torch, make, own_generator=own_generator)


@pytest.mark.parametrize("name", MAKERS)
def test_length_equals_pytorch_and_the_number_of_indices(name):
    mine, reference = MAKERS[name](ours, None), MAKERS[name](theirs, None)
    assert len(mine) == len(reference) == len(list(mine))


@pytest.mark.parametrize("name", ["random", "subset", "batch"])
def test_nothing_is_drawn_before_the_first_index(name):
    def draw(module, source):
        source.manual_seed(1)
        iterator = iter(MAKERS[name](module, None))
        between = source.randperm(50).tolist()
        return between, list(iterator)

    assert draw(ours, taowa) == draw(theirs, torch)


@pytest.mark.parametrize("make", [
    lambda m: m.RandomSampler([]),
    lambda m: m.RandomSampler([1], replacement=1),
    lambda m: m.RandomSampler([1], num_samples=0),
    lambda m: m.RandomSampler([1], num_samples=1.0),
    lambda m: m.BatchSampler([1], 0, False),
    lambda m: m.BatchSampler([1], True, False),
    lambda m: m.BatchSampler([1], 2.0, False),
    lambda m: m.BatchSampler([1], 2, 1),
    lambda m: m.WeightedRandomSampler([1.0], 0),
    lambda m: m.WeightedRandomSampler([1.0], True),
    lambda m: m.WeightedRandomSampler([1.0], 1, replacement=None),
    lambda m: m.WeightedRandomSampler([[1.0, 2.0]], 1),
    lambda m: len(m.BatchSampler(iter([1]), 1, False)),
    lambda m: iter(m.Sampler()),
])  # fmt: skip
def test_wrong_use_raises_as_in_pytorch(make, same_error):
    same_error(lambda: make(ours), lambda: make(theirs))


def test_random_sampler_follows_a_growing_dataset():
    items = [1, 2]
    sampler = ours.RandomSampler(items)
    items.append(3)
    assert sorted(sampler) == [0, 1, 2]
    assert len(sampler) == 3


@given(
    n=st.integers(1, 40),
    batch_size=st.integers(1, 12),
    drop_last=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=50, deadline=None)
def test_batches_partition_the_dataset(n, batch_size, drop_last, seed):
    generator = taowa.Generator().manual_seed(seed)
    sampler = ours.RandomSampler(range(n), generator=generator)
    batches = list(ours.BatchSampler(sampler, batch_size, drop_last))
    drawn = [index for batch in batches for index in batch]
    assert len(set(drawn)) == len(drawn) == (n // batch_size * batch_size if drop_last else n)
    assert all(len(batch) == batch_size for batch in batches[:-1])
    assert set(drawn) <= set(range(n))


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 20])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
def test_distributed_shares_equal_pytorch(n, drop_last, shuffle):
    options = {"num_replicas": 8, "shuffle": shuffle, "seed": 4, "drop_last": drop_last}
    if n == 0 or (drop_last and n < 8 and n % 8 == 0):
        options["shuffle"] = False
    for rank in range(8):
        mine = ours.DistributedSampler(range(n), rank=rank, **options)
        reference = theirs.DistributedSampler(range(n), rank=rank, **options)
        for epoch in range(2):
            mine.set_epoch(epoch)
            reference.set_epoch(epoch)
            assert list(mine) == list(reference)
            assert len(mine) == len(reference)


def test_distributed_sampler_refuses_a_wrong_rank(same_error):
    same_error(*(lambda m=m: m.DistributedSampler([1], 2, 2) for m in (ours, theirs)))


@pytest.mark.parametrize("options", [{}, {"num_replicas": 2}, {"rank": 0}])
def test_distributed_sampler_wants_its_place_in_words(options):
    with pytest.raises(NotImplementedError, match="DistributedSampler"):
        ours.DistributedSampler([1], **options)
