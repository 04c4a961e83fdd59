import numpy as np
import pytest
import torch
import torch.utils.data as theirs

import taowa
from taowa.core.tensor import from_array
from taowa.utils import data as ours

X = np.arange(12, dtype=np.float32).reshape(6, 2)
Y = np.arange(6)


def tensors(module):
    make = from_array if module is ours else torch.from_numpy
    return make(X.copy()), make(Y.copy())


def streams(module):
    class Stream(module.IterableDataset):
        def __init__(self, *items):
            self.items = items

        def __iter__(self):
            return iter(self.items)

        def __len__(self):
            return len(self.items)

    return Stream(1, 2), Stream(), Stream(3)


def both(action):
    return action(ours), action(theirs)


@pytest.mark.parametrize("index", [0, 3, -1, slice(1, 4)])
def test_tensor_dataset_reads_rows(index, same):
    same(*both(lambda m: m.TensorDataset(*tensors(m))[index]))
    same(*both(lambda m: len(m.TensorDataset(*tensors(m)))))


def test_tensor_dataset_refuses_different_lengths(same_error):
    def make(module):
        x, y = tensors(module)
        module.TensorDataset(x, y[:3])

    same_error(lambda: make(ours), lambda: make(theirs))


def test_tensor_dataset_index_out_of_range(same_error):
    same_error(*(lambda m=m: m.TensorDataset(*tensors(m))[6] for m in (ours, theirs)))


def test_dataset_without_getitem_says_so(same_error):
    same_error(lambda: ours.Dataset()[0], lambda: theirs.Dataset()[0])


def test_iterable_dataset_is_abstract():
    for module in (ours, theirs):
        with pytest.raises(TypeError, match="abstract"):
            module.IterableDataset()


@pytest.mark.parametrize("make", [
    lambda m: m.StackDataset([1, 2], "ab"),
    lambda m: m.StackDataset(x=[1, 2], y="ab"),
    lambda m: m.StackDataset(m.TensorDataset(*tensors(m)), range(6)),
    lambda m: m.StackDataset(x=m.Subset(range(10), [4, 2]), y=range(2)),
    lambda m: m.ConcatDataset(["ab", [], range(3)]),
    lambda m: m.TensorDataset(*tensors(m)) + m.TensorDataset(*tensors(m)),
    lambda m: m.Subset(m.TensorDataset(*tensors(m)), [5, 0, 0]),
    lambda m: m.Subset(m.Subset("abcdef", [5, 4, 3]), range(1, 3)),
])  # fmt: skip
def test_wrappers_read_like_pytorch(make, same):
    mine, reference = both(make)
    indices = [1, 0, -1]
    assert len(mine) == len(reference)
    same([mine[i] for i in indices], [reference[i] for i in indices])
    if hasattr(reference, "__getitems__"):
        same(mine.__getitems__(indices), reference.__getitems__(indices))


@pytest.mark.parametrize("make", [
    lambda m: m.StackDataset(),
    lambda m: m.StackDataset([1], x=[1]),
    lambda m: m.StackDataset([1], [1, 2]),
    lambda m: m.StackDataset(x=[1], y=[1, 2]),
    lambda m: m.ConcatDataset([]),
    lambda m: m.ConcatDataset(streams(m)),
    lambda m: m.ConcatDataset(["ab"])[-3],
    lambda m: m.ConcatDataset(["ab"])[2],
    lambda m: list(m.ChainDataset(["ab"])),
    lambda m: len(m.ChainDataset(["ab"])),
    lambda m: m.Subset("abc", [5])[0],
    lambda m: m.random_split(range(10), [0.5, 0.6]),
    lambda m: m.random_split(range(10), [3, 3]),
    lambda m: m.random_split(range(10), [-0.5, 1.5]),
])  # fmt: skip
def test_wrong_use_raises_as_in_pytorch(make, same_error):
    same_error(lambda: make(ours), lambda: make(theirs))


class Short:
    """Gives back fewer samples than asked for."""

    def __len__(self):
        return 3

    def __getitems__(self, indices):
        return indices[1:]


@pytest.mark.parametrize("make", [
    lambda m: m.StackDataset(Short()).__getitems__([0, 1]),
    lambda m: m.StackDataset(x=Short()).__getitems__([0, 1]),
])  # fmt: skip
def test_stack_dataset_counts_the_samples_it_gets(make, same_error):
    same_error(lambda: make(ours), lambda: make(theirs))


def test_chained_streams(same):
    same(*both(lambda m: list(m.ChainDataset(streams(m)))))
    same(*both(lambda m: len(m.ChainDataset(streams(m)))))
    same(*both(lambda m: list(streams(m)[0] + streams(m)[2])))


def test_subset_with_own_getitem_needs_getitems():
    for module in (ours, theirs):

        class Own(module.Subset):
            def __getitem__(self, index):
                return -super().__getitem__(index)

        with pytest.raises(NotImplementedError, match="Own overrides __getitem__ but not"):
            Own(range(3), [0])


def test_subset_takes_a_list_of_indices(same):
    same(*both(lambda m: m.Subset(np.arange(10), [7, 8, 9])[[2, 0]]))


@pytest.mark.parametrize("lengths", [[3, 7], [0.3, 0.3, 0.4], [0.25, 0.25, 0.5], [10], [1.0]])
@pytest.mark.parametrize("has_generator", [False, True])
def test_random_split_equals_pytorch(lengths, has_generator, same):
    def split(module, source):
        source.manual_seed(3)
        options = {"generator": source.Generator().manual_seed(7)} if has_generator else {}
        parts = module.random_split(range(10), lengths, **options)
        rest = module.random_split(range(10), lengths, **options)
        return [list(part) for part in parts + rest]

    same(split(ours, taowa), split(theirs, torch))


def test_random_split_warns_of_an_empty_part():
    for module in (ours, theirs):
        with pytest.warns(UserWarning, match="Length of split at index 1 is 0") as caught:
            module.random_split(range(3), [0.9, 0.1])
        assert caught[0].filename == __file__
