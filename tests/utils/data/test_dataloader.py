import pickle
import warnings

import numpy as np
import pytest
import torch
import torch.utils.data as theirs
from hypothesis import given, settings
from hypothesis import strategies as st

import taowa
from taowa.core.program import programs
from taowa.core.tensor import Tensor, from_array
from taowa.utils import data as ours

X = np.random.default_rng(0).normal(size=(11, 3)).astype(np.float32)
Y = np.arange(11)


def dataset_of(module):
    make = from_array if module is ours else torch.from_numpy
    return module.TensorDataset(make(X.copy()), make(Y.copy()))


def stream_of(module, n=5):
    class Stream(module.IterableDataset):
        def __iter__(self):
            return iter(range(n))

        def __len__(self):
            return 5

    return Stream()


def epochs(module, source, make, count=2):
    """A few epochs, and the generator's next numbers."""
    source.manual_seed(2)
    loader = make(module, source)
    batches = [list(loader) for _ in range(count)]
    return batches, source.randperm(100).tolist()


def seeded(source):
    return source.Generator().manual_seed(9)


LOADERS = {
    "plain": lambda m, s: m.DataLoader(dataset_of(m)),
    "batches": lambda m, s: m.DataLoader(dataset_of(m), 4),
    "drop_last": lambda m, s: m.DataLoader(dataset_of(m), 4, drop_last=True),
    "shuffle": lambda m, s: m.DataLoader(dataset_of(m), 4, shuffle=True),
    "generator": lambda m, s: m.DataLoader(dataset_of(m), 4, shuffle=True, generator=seeded(s)),
    "unbatched": lambda m, s: m.DataLoader(dataset_of(m), None, shuffle=True),
    "subset": lambda m, s: m.DataLoader(m.Subset(dataset_of(m), [5, 3, -1]), 2, shuffle=True),
    "concat": lambda m, s: m.DataLoader(dataset_of(m) + dataset_of(m), 5, shuffle=True),
    "stack": lambda m, s: m.DataLoader(m.StackDataset(a=dataset_of(m), b=Y), 5, shuffle=True),
    "sampler": lambda m, s: m.DataLoader(dataset_of(m), 2, sampler=[3, 1, 2]),
    "weighted": lambda m, s: m.DataLoader(
        dataset_of(m), 2, sampler=m.WeightedRandomSampler(range(11), 7)
    ),
    "batch_sampler": lambda m, s: m.DataLoader(dataset_of(m), batch_sampler=[[0, 5], [-1]]),
    "random_batches": lambda m, s: m.DataLoader(
        dataset_of(m), batch_sampler=m.BatchSampler(m.RandomSampler(range(11)), 3, True)
    ),
    "slices": lambda m, s: m.DataLoader(dataset_of(m), batch_sampler=[[slice(0, 2), slice(3, 5)]]),
    "batch_indices": lambda m, s: m.DataLoader(
        dataset_of(m), None, sampler=m.BatchSampler(range(11), 4, False)
    ),
    "numbers": lambda m, s: m.DataLoader(range(7), 3, shuffle=True),
    "arrays": lambda m, s: m.DataLoader(X, 4, shuffle=True),
    "dicts": lambda m, s: m.DataLoader([{"x": x, "y": i} for i, x in enumerate(X)], 4),
    "collate_fn": lambda m, s: m.DataLoader(dataset_of(m), 4, collate_fn=len),
    "stream": lambda m, s: m.DataLoader(stream_of(m), 2),
    "stream_drop": lambda m, s: m.DataLoader(stream_of(m), 2, drop_last=True),
    "stream_unbatched": lambda m, s: m.DataLoader(stream_of(m), None),
    "stream_exact": lambda m, s: m.DataLoader(stream_of(m), 5),
    "no_shuffle_stream": lambda m, s: m.DataLoader(stream_of(m), 2, shuffle=False),
}


@pytest.mark.parametrize("name", LOADERS)
def test_batches_and_draws_equal_pytorch(name, same):
    same(epochs(ours, taowa, LOADERS[name]), epochs(theirs, torch, LOADERS[name]))


@pytest.mark.parametrize("name", LOADERS)
def test_length_equals_pytorch(name):
    mine, reference = LOADERS[name](ours, taowa), LOADERS[name](theirs, torch)
    assert len(mine) == len(reference)
    if "stream" not in name:
        assert len(iter(mine)) == len(iter(reference))


@given(
    n=st.integers(1, 30),
    batch_size=st.one_of(st.none(), st.integers(1, 9)),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
    stop=st.integers(0, 6),
)
@settings(max_examples=60, deadline=None)
def test_an_epoch_left_early_leaves_the_generator_as_pytorch_does(
    n, batch_size, shuffle, drop_last, seed, stop
):
    def run(module, source):
        source.manual_seed(seed)
        options = {"shuffle": shuffle, "drop_last": drop_last and batch_size is not None}
        loader = module.DataLoader(range(n), batch_size, **options)
        seen = [batch for batch, _ in zip(loader, range(stop), strict=False)]
        seen += list(loader)
        lists = [b if isinstance(b, int) else b.tolist() for b in seen]
        return lists, source.randperm(20).tolist()

    assert run(ours, taowa) == run(theirs, torch)


WRONG = {
    "workers": lambda m: m.DataLoader([1], num_workers=-1),
    "timeout": lambda m: m.DataLoader([1], timeout=-1),
    "timeout_without_workers": lambda m: m.DataLoader([1], prefetch_factor=2),
    "persistent": lambda m: m.DataLoader([1], persistent_workers=True),
    "context": lambda m: m.DataLoader([1], multiprocessing_context="fork"),
    "batch_size": lambda m: m.DataLoader([1], 0),
    "batch_size_bool": lambda m: m.DataLoader([1], True),
    "empty_shuffled": lambda m: m.DataLoader([], shuffle=True),
    "sampler_and_shuffle": lambda m: m.DataLoader([1], sampler=[0], shuffle=True),
    "batch_sampler_and_size": lambda m: m.DataLoader([1], 2, batch_sampler=[[0]]),
    "batch_sampler_and_shuffle": lambda m: m.DataLoader([1], shuffle=True, batch_sampler=[[0]]),
    "batch_sampler_and_sampler": lambda m: m.DataLoader([1], sampler=[0], batch_sampler=[[0]]),
    "batch_sampler_and_drop": lambda m: m.DataLoader([1], batch_sampler=[[0]], drop_last=True),
    "unbatched_and_drop": lambda m: m.DataLoader([1], None, drop_last=True),
    "stream_and_shuffle": lambda m: m.DataLoader(stream_of(m), shuffle=True),
    "stream_and_sampler": lambda m: m.DataLoader(stream_of(m), sampler=[0]),
    "stream_and_batch_sampler": lambda m: m.DataLoader(stream_of(m), batch_sampler=[[0]]),
    "changed": lambda m: setattr(m.DataLoader([1]), "batch_size", 2),
    "changed_dataset": lambda m: setattr(m.DataLoader([1]), "dataset", [2]),
    "index": lambda m: list(m.DataLoader(dataset_of(m), batch_sampler=[[11]])),
    "index_below": lambda m: list(m.DataLoader(dataset_of(m), batch_sampler=[[-12]])),
    "empty_batch": lambda m: list(m.DataLoader(dataset_of(m), batch_sampler=[[]])),
    "none": lambda m: list(m.DataLoader([None])),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_raises_as_in_pytorch(name, same_error):
    same_error(lambda: WRONG[name](ours), lambda: WRONG[name](theirs))


def test_timeout_without_workers_cannot_be_iterated():
    for module in (ours, theirs):
        with pytest.raises(AssertionError, match="requires timeout == 0"):
            iter(module.DataLoader([1], timeout=2))


def test_workers_are_named_as_unsupported():
    with pytest.raises(NotImplementedError, match=r"DataLoader\(num_workers=2\).*num_workers=0"):
        ours.DataLoader([1], num_workers=2)


def test_an_empty_dataset_has_no_batches():
    assert list(ours.DataLoader([])) == list(theirs.DataLoader([])) == []


def test_other_attributes_may_be_changed():
    loader = ours.DataLoader([1, 2], 2)
    loader.collate_fn = sum
    assert list(loader) == [3]


def test_there_is_no_worker_in_the_calling_process():
    assert ours.get_worker_info() is theirs.get_worker_info() is None


def warnings_of(action):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        action()
    return [(w.category, str(w.message).split(" <")[0], w.filename == __file__) for w in caught]


def test_a_stream_longer_than_it_says_warns_as_in_pytorch():
    def run(module):
        loader = module.DataLoader(stream_of(module, n=7))
        assert len(loader) == 5
        list(loader)

    found = warnings_of(lambda: run(ours))
    assert len(found) == 2
    assert found == warnings_of(lambda: run(theirs))


@pytest.mark.skipif(torch.accelerator.is_available(), reason="pinning does something here")
def test_pinning_without_accelerator_warns_as_in_pytorch():
    found = warnings_of(lambda: list(ours.DataLoader([1], pin_memory=True)))
    reference = warnings_of(lambda: list(theirs.DataLoader([1], pin_memory=True)))
    assert [w[:2] for w in found] == [w[:2] for w in reference]
    assert found[0][2]


def test_a_loader_can_be_pickled_but_not_its_iterator():
    loader = pickle.loads(pickle.dumps(ours.DataLoader([1, 2], 2)))
    assert [batch.tolist() for batch in loader] == [[1, 2]]
    with pytest.raises(NotImplementedError, match="cannot be pickled"):
        pickle.dumps(iter(loader))


@pytest.mark.parametrize("make", [
    lambda: dataset_of(ours),
    lambda: dataset_of(ours) + dataset_of(ours),
    lambda: ours.StackDataset(x=dataset_of(ours), y=Y),
    lambda: list(dataset_of(ours)),
])  # fmt: skip
def test_loading_host_tensors_compiles_nothing(make):
    before = len(programs())
    batches = list(ours.DataLoader(make(), 4, shuffle=True))
    tensors = [leaf for batch in batches for leaf in leaves_of(batch)]
    assert len(tensors) >= 2 * len(batches)
    assert all(isinstance(tensor, Tensor) and tensor.is_on_host() for tensor in tensors)
    assert len(programs()) == before


def leaves_of(batch):
    if isinstance(batch, dict):
        batch = list(batch.values())
    return [x for item in batch for x in leaves_of(item)] if isinstance(batch, list) else [batch]


def test_a_batch_is_not_changed_by_writing_to_the_dataset():
    dataset = dataset_of(ours)
    batch = next(iter(ours.DataLoader(dataset, 2)))
    dataset.tensors[1].set_host(Y + 100)
    assert batch[1].tolist() == [0, 1]
    assert next(iter(ours.DataLoader(dataset, 2)))[1].tolist() == [100, 101]


def test_a_subclass_of_tensor_dataset_is_asked_sample_by_sample():
    class Negative(ours.TensorDataset):
        def __getitem__(self, index):
            return tuple(-tensor.host() for tensor in super().__getitem__(index))

    x, y = dataset_of(ours).tensors
    batch = next(iter(ours.DataLoader(Negative(x, y), 3)))
    assert batch[1].tolist() == [0, -1, -2]


def test_rows_that_require_grad_have_gradients():
    cotangent = np.random.default_rng(1).normal(size=(3, 3)).astype(np.float32)
    x, reference = taowa.tensor(X, requires_grad=True), torch.tensor(X, requires_grad=True)
    for module, leaf, make in ((ours, x, from_array), (theirs, reference, torch.from_numpy)):
        loader = module.DataLoader(module.TensorDataset(leaf), batch_sampler=[[2, 0, 2]])
        next(iter(loader))[0].backward(make(cotangent))
    np.testing.assert_allclose(x.grad.host(), reference.grad.numpy(), rtol=1e-6)


def test_drawing_a_batch_dispatches_pending_work():
    iterator = iter(ours.DataLoader(range(4), 2))
    pending = taowa.tensor([1.0, 2.0]) * 3
    assert pending._node().array is None
    next(iterator)
    assert pending._node().array is not None
