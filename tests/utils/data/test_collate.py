import collections

import numpy as np
import pytest
import torch
import torch.utils.data as theirs
import torch.utils.data._utils.collate as their_collate

import taowa
from taowa.core.program import programs
from taowa.core.tensor import Tensor, from_array
from taowa.utils import data as ours
from taowa.utils.data import collate as our_collate

Point = collections.namedtuple("Point", ["x", "y"])


class Bag(dict):
    """A mapping with a further attribute."""

    def __init__(self, items=(), label=None):
        super().__init__(items)
        self.label = label


class Row(collections.UserList):
    """A sequence that is no list."""


def tensor(module, values, dtype=np.float32):
    array = np.array(values, dtype)
    return from_array(array) if module is ours else torch.from_numpy(array)


BATCHES = {
    "ints": lambda m: [1, 2, 3],
    "floats": lambda m: [1.5, 2],
    "int_then_float": lambda m: [1, 2.5],
    "bools": lambda m: [True, False],
    "bool_then_int": lambda m: [True, 2],
    "strings": lambda m: ["a", "b"],
    "bytes": lambda m: [b"a", b"b"],
    "tensors": lambda m: [tensor(m, [1, 2]), tensor(m, [3, 4])],
    "scalars": lambda m: [tensor(m, 1), tensor(m, 2)],
    "empty": lambda m: [tensor(m, []), tensor(m, [])],
    "int8": lambda m: [tensor(m, [1, 2], np.int8), tensor(m, [3, 4], np.int8)],
    "promoted": lambda m: [tensor(m, [1, 2], np.int64), tensor(m, [3, 4])],
    "tuples": lambda m: [(1, tensor(m, [2]), "a"), (3, tensor(m, [4]), "b")],
    "lists": lambda m: [[1, 2], [3, 4]],
    "ranges": lambda m: [range(3), range(3)],
    "named": lambda m: [Point(1, 2.0), Point(3, 4.0)],
    "dicts": lambda m: [{"a": 1, "b": [1, 2]}, {"a": 2, "b": [3, 4]}],
    "ordered": lambda m: [collections.OrderedDict(a=1), collections.OrderedDict(a=2)],
    "user_list": lambda m: [Row([1, 2]), Row([3, 4])],
    "nested": lambda m: [{"p": Point((1,), "a")}, {"p": Point((2,), "b")}],
    "arrays": lambda m: [np.ones((2, 3)), np.zeros((2, 3))],
    "arrays_promoted": lambda m: [np.ones(2), np.ones(2, np.float32)],
    "array_scalars": lambda m: [np.array(1), np.array(2)],
    **{
        f"numpy_{kind.__name__}": lambda m, kind=kind: [kind(1), kind(0)]
        for kind in (
            np.float16, np.float32, np.float64, np.int8, np.int32, np.int64, np.uint8, np.bool_,
            np.complex64,
        )
    },
    "numpy_mixed": lambda m: [np.float32(1), np.float64(2)],
    "numpy_int_float": lambda m: [np.int32(1), np.float32(2.5)],
}  # fmt: skip


@pytest.mark.parametrize("name", BATCHES)
def test_default_collate_equals_pytorch(name, same):
    same(ours.default_collate(BATCHES[name](ours)), theirs.default_collate(BATCHES[name](theirs)))


@pytest.mark.parametrize("name", BATCHES)
def test_default_convert_equals_pytorch(name, same):
    same(ours.default_convert(BATCHES[name](ours)), theirs.default_convert(BATCHES[name](theirs)))


WRONG = {
    "none": lambda m: [None],
    "object": lambda m: [object()],
    "string_array": lambda m: [np.array(["a"])],
    "object_array": lambda m: [np.array([None])],
    "unequal_tuples": lambda m: [(1, 2), (3,)],
    "unequal_tensors": lambda m: [tensor(m, [1, 2]), tensor(m, [1, 2, 3])],
    "unequal_arrays": lambda m: [np.ones(2), np.ones(3)],
    "missing_key": lambda m: [{"a": 1}, {"b": 2}],
    "empty": lambda m: [],
    "none_in_dict": lambda m: [{"a": None}],
}


@pytest.mark.parametrize("name", WRONG)
def test_uncollatable_batches_raise_as_in_pytorch(name, same_error):
    same_error(
        lambda: ours.default_collate(WRONG[name](ours)),
        lambda: theirs.default_collate(WRONG[name](theirs)),
    )


@pytest.mark.parametrize("value", [np.array(["a"]), np.str_("a"), "text", b"bytes", None, 3])
def test_default_convert_leaves_other_things_alone(value):
    assert ours.default_convert(value) is value


def test_attributes_of_a_mapping_are_kept():
    batch = ours.default_collate([Bag({"a": 1}, label="first"), Bag({"a": 2}, label="second")])
    assert type(batch) is Bag
    assert batch.label == "first"
    assert batch["a"].tolist() == [1, 2]


def test_samples_are_not_changed():
    samples = [{"a": [1]}, {"a": [2]}]
    ours.default_collate(samples)
    assert samples == [{"a": [1]}, {"a": [2]}]


def test_collating_copies_what_the_dataset_owns():
    array = np.ones(2)
    batch = ours.default_collate([array])
    converted = ours.default_convert(array)
    array[0] = 7
    assert batch.tolist() == [[1.0, 1.0]]
    assert converted.tolist() == [1.0, 1.0]


def test_arrays_with_negative_strides_will_do():
    array = np.arange(3)
    assert ours.default_collate([array[::-1]]).tolist() == [[2, 1, 0]]


def test_foreign_byte_order_is_refused(same_error):
    array = np.ones(2, ">f4")
    same_error(lambda: ours.default_collate([array]), lambda: theirs.default_collate([array]))


def test_host_values_are_stacked_without_compiling():
    before = len(programs())
    batch = ours.default_collate([(tensor(ours, [i]), np.ones(2) * i, i, 0.5) for i in range(4)])
    assert all(item.is_on_host() for item in batch)
    assert len(programs()) == before


def test_a_batch_of_tensors_that_require_grad_has_gradients():
    leaves = [taowa.tensor([1.0, 2.0], requires_grad=True) for _ in range(3)]
    references = [torch.tensor([1.0, 2.0], requires_grad=True) for _ in range(3)]
    cotangent = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    ours.default_collate(leaves).backward(from_array(cotangent))
    theirs.default_collate(references).backward(torch.from_numpy(cotangent))
    for leaf, reference in zip(leaves, references, strict=True):
        assert leaf.grad.tolist() == reference.grad.tolist()


def test_collate_with_a_map_of_ones_own():
    def last(batch, *, collate_fn_map=None):
        return batch[-1]

    for module in (our_collate, their_collate):
        functions = {int: last, (str, bytes): last}
        assert module.collate([{"a": True, "b": "x"}, {"a": 2, "b": "y"}], collate_fn_map=functions)
        assert module.collate([(True, "x"), (2, "y")], collate_fn_map=functions) == [2, "y"]


@pytest.mark.parametrize("item", [tensor(ours, [1.0]), np.ones(1)])
def test_changing_the_default_map_changes_default_collate(item, monkeypatch):
    changed = {Tensor: lambda batch, *, collate_fn_map=None: len(batch)}
    monkeypatch.setattr(
        our_collate, "default_collate_fn_map", {**our_collate.default_collate_fn_map, **changed}
    )
    assert ours.default_collate([item, item]) == 2
