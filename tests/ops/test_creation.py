"""Factories, conversions and copies."""

import math

import numpy as np
import pytest
import torch

import taowa
from taowa.core import journal
from tests.ops.agreement import agree

INF, NAN = math.inf, math.nan


def programs():
    return journal.counters.compilations + journal.counters.disk_hits


def test_element_types_are_inferred():
    agree(
        lambda t: t.tensor([True, 1]),
        lambda t: t.tensor([1, 2.5]),
        lambda t: t.tensor([1, 2j]),
        lambda t: t.tensor([]),
        lambda t: t.tensor([[], []]),
        lambda t: t.tensor(np.float64(1)),
        lambda t: t.tensor([np.float32(1), 2]),
        lambda t: t.tensor([np.int32(1), 2]),
        lambda t: t.tensor(np.arange(3, dtype=np.int16)),
        lambda t: t.tensor([t.tensor(1), t.tensor(2.0)]),
        lambda t: t.tensor(range(3)),
        lambda t: t.tensor([1, 2], dtype=float),
        lambda t: t.full((2,), True),
        lambda t: t.full((2,), 1j),
        lambda t: t.full((2,), t.tensor(1.5)),
        lambda t: t.scalar_tensor(3),
        lambda t: t.asarray([1, 2.0]),
        lambda t: t.frombuffer(bytes([1, 0, 2, 0]), dtype=t.int16),
    )


def test_data_that_are_refused():
    agree(
        lambda t: t.tensor([[1, 2], [3]]),
        lambda t: t.tensor([[1, 2], 3]),
        lambda t: t.tensor([3, [1, 2]]),
        lambda t: t.tensor([2**63]),
        lambda t: t.tensor([300], dtype=t.uint8),
        lambda t: t.tensor([-1], dtype=t.uint8),
        lambda t: t.tensor([1.7], dtype=t.int64),
        lambda t: t.tensor([1e20], dtype=t.int64),
        lambda t: t.tensor([1e20], dtype=t.float16),
        lambda t: t.tensor([1j], dtype=t.float32),
        lambda t: t.tensor("a"),
        lambda t: t.tensor(["a"]),
        lambda t: t.tensor(None),
        lambda t: t.tensor({}),
        lambda t: t.tensor([t.tensor([1.0, 2])]),
        lambda t: t.tensor(np.array(["a"])),
        lambda t: t.tensor(np.array([1.0], ">f8")),
        lambda t: t.tensor([1], requires_grad=True),
        lambda t: t.from_numpy([1]),
        lambda t: t.zeros(2, 3.0),
        lambda t: t.zeros((2, -3)),
        lambda t: t.zeros(),
        lambda t: t.full(2, 1.5),
        lambda t: t.full((2,), 300, dtype=t.uint8),
        lambda t: t.eye(-2),
    )


def test_copying_a_tensor_by_its_constructor_warns():
    with pytest.warns(UserWarning, match="To copy construct from a tensor"):
        taowa.tensor(taowa.ones(1))


def test_ranges():
    agree(
        lambda t: t.arange(5),
        lambda t: t.arange(1, 2.5, 0.5),
        lambda t: t.arange(5, 0, -2),
        lambda t: t.arange(end=3),
        lambda t: t.arange(5, dtype=t.float16),
        lambda t: t.arange(0, 1, 0.1),
        lambda t: t.arange(5, 1),
        lambda t: t.arange(0, 1, 0),
        lambda t: t.arange(NAN),
        lambda t: t.linspace(0, 1, 5),
        lambda t: t.linspace(3, -2, 7),
        lambda t: t.linspace(0, 10, 5, dtype=t.int64),
        lambda t: t.linspace(0, 1, 1),
        lambda t: t.linspace(0, 1, 0),
        lambda t: t.linspace(0, 1, -1),
        lambda t: t.logspace(0, 2, 3),
        lambda t: t.eye(2, 3, dtype=t.bool),
        lambda t: t.tril_indices(3, 4, 1),
        lambda t: t.triu_indices(3, 4, -1),
        lambda t: t.range(1, 3),
    )


def test_windows():
    names = ("hann", "hamming", "blackman", "bartlett", "kaiser")
    agree(*(lambda t, n=n: getattr(t, f"{n}_window")(7) for n in names))
    agree(*(lambda t, n=n: getattr(t, f"{n}_window")(6, False) for n in names))
    agree(*(lambda t, n=n: getattr(t, f"{n}_window")(1) for n in names))
    agree(*(lambda t, n=n: getattr(t, f"{n}_window")(-1) for n in names))


def test_tensors_like_others():
    agree(
        lambda t: t.zeros_like(t.tensor([1, 2])),
        lambda t: t.ones_like(t.tensor([1, 2]), dtype=t.float16),
        lambda t: t.full_like(t.tensor([1, 2]), 1.5),
        lambda t: t.tensor([1, 2]).new_zeros(3),
        lambda t: t.tensor([1, 2]).new_ones((2, 2), dtype=t.bool),
        lambda t: t.tensor([1, 2]).new_full((2,), True),
        lambda t: t.tensor([1.0]).new_tensor([1, 2]),
        lambda t: t.tensor([1]).new(2, 3).shape == (2, 3),
        lambda t: t.empty_strided((2, 3), (1, 2)).stride(),
        lambda t: t.empty_permuted((2, 3), (1, 0)).stride(),
        lambda t: t.zeros(2, out=t.ones(2)),
    )


def test_old_constructors():
    agree(
        lambda t: list(t.Tensor(2, 3).shape),
        lambda t: t.Tensor([1, 2]),
        lambda t: t.Tensor(),
        lambda t: list(t.Tensor(t.Size([1, 2])).shape),
        lambda t: t.Tensor(np.ones(2)),
        lambda t: t.Tensor(2.5),
        lambda t: t.LongTensor([1.5, 2]),
        lambda t: t.BoolTensor([1, 0]),
        lambda t: isinstance(t.ones(2), t.FloatTensor),
        lambda t: isinstance(t.ones(2), t.LongTensor),
    )


def test_conversions():
    x = [1.7, -2.5, 300.0]
    kinds = ("uint8", "int8", "int16", "int64", "bool", "float16", "bfloat16", "float64")
    agree(*(lambda t, k=k: t.tensor(x[:2]).abs().to(getattr(t, k)) for k in kinds))
    agree(
        lambda t: t.tensor(x).long(),
        lambda t: t.tensor(x).half(),
        lambda t: t.tensor([0.5, 0.0]).bool(),
        lambda t: t.tensor(x).type(),
        lambda t: t.tensor(x).type("torch.IntTensor"),
        lambda t: t.tensor(x).type(t.LongTensor),
        lambda t: t.tensor(x).type("nothing"),
        lambda t: t.tensor(x).type_as(t.tensor([1])),
        lambda t: t.tensor(x).to("cpu", t.float64),
        lambda t: t.tensor(x).to(t.tensor([1])),
        lambda t: t.tensor(x).to("nowhere"),
        lambda t: t.tensor(x).to(int),
    )


def test_a_conversion_that_changes_nothing_is_the_tensor_itself():
    x = taowa.ones(2)
    assert x.to(taowa.float32) is x
    assert x.float() is x
    assert x.to("cpu", taowa.float32) is x
    assert x.to(taowa.float32, copy=True) is not x
    assert taowa.as_tensor(x) is x


def test_gradients_pass_conversions_and_clones():
    for t in (taowa, torch):
        x = t.tensor([1.0, 2.0], requires_grad=True)
        (x.double().clone() * t.tensor([3.0, 4.0], dtype=t.float64)).sum().backward()
        assert x.grad.dtype == t.float32
        assert x.grad.tolist() == [3.0, 4.0]


def test_writing_whole_values():
    agree(
        lambda t: t.zeros(2, dtype=t.int64).fill_(1.5),
        lambda t: t.zeros(2, dtype=t.uint8).fill_(300),
        lambda t: t.zeros(2, dtype=t.uint8).fill_(-1),
        lambda t: t.zeros(2).fill_(1j),
        lambda t: t.zeros(2).fill_(1e300),
        lambda t: t.zeros(2).fill_(t.tensor([1.0])),
        lambda t: t.zeros(2, dtype=t.bool).fill_(2),
        lambda t: t.zeros(2, 3).copy_(t.arange(3)),
        lambda t: t.zeros(2).copy_(t.ones(3)),
        lambda t: t.zeros(2).copy_(t.ones(1, 2)),
        lambda t: t.zeros(2).copy_(t.ones(2, dtype=t.complex64)),
        lambda t: t.zeros(2).copy_(1.5),
        lambda t: t.ones(2, requires_grad=True).zero_(),
        lambda t: t.ones(2).apply_(lambda x: x + 1),
        lambda t: t.ones(2).map_(t.tensor([3.0, 4.0]), lambda a, b: a * b),
    )


def test_gradients_flow_through_copy():
    for t in (taowa, torch):
        x = t.tensor([1.0, 2.0], requires_grad=True)
        y = t.zeros(2, 2)
        y.copy_(x)
        (y * t.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
        assert x.grad.tolist() == [4.0, 6.0]


def test_a_clone_has_memory_of_its_own():
    for x in (taowa.ones(2), taowa.ones(2) * 1):
        y = x.clone()
        y.fill_(5)
        x.mul_(3)
        assert (x.tolist(), y.tolist()) == ([3.0, 3.0], [5.0, 5.0])


def test_nobody_else_writes_to_a_tensor():
    array = np.zeros(2)
    made = [taowa.tensor(array), taowa.from_numpy(array), taowa.as_tensor(array)]
    array[:] = 1
    assert [x.tolist() for x in made] == [[0.0, 0.0]] * 3
    out = made[0].numpy()
    out[:] = 2
    assert made[0].tolist() == [0.0, 0.0]


def test_making_and_filling_compiles_nothing():
    before = programs()
    x = taowa.empty(5, 3).normal_()
    x.fill_(2).zero_()
    x.copy_(taowa.tensor([1, 2, 3]))
    y = taowa.randn(3).double().clone()
    taowa.zeros_like(y).uniform_(-1, 1).long().tolist()
    assert x[0].tolist() == [1.0, 2.0, 3.0]
    assert programs() == before


def test_what_tensors_tell_about_themselves():
    agree(
        lambda t: list(t.ones(2, 3).size()),
        lambda t: t.ones(2, 3).size(-1),
        lambda t: t.ones(2).size(5),
        lambda t: [t.ones(2, 3).dim(), t.ones(2, 3).numel(), t.ones(2, 3).nelement()],
        lambda t: [t.ones(2).element_size(), t.ones(2).nbytes, t.ones(2).itemsize],
        lambda t: [t.ones(2).is_floating_point(), t.is_complex(t.tensor([1j]))],
        lambda t: [t.ones(2).get_device(), t.ones(2).is_cuda, t.ones(2).is_sparse],
        lambda t: t.is_nonzero(t.tensor([0.5])),
        lambda t: t.is_nonzero(t.ones(2)),
        lambda t: repr(t.ones(2).layout),
        lambda t: t.typename(t.ones(2)),
        lambda t: t.is_tensor(1),
    )


def test_the_default_type_can_be_set_by_a_class():
    taowa.set_default_tensor_type(taowa.DoubleTensor)
    try:
        assert taowa.tensor([1.5]).dtype is taowa.float64
        assert (taowa.ones(2, dtype=taowa.int64) / 2).dtype is taowa.float64
    finally:
        taowa.set_default_tensor_type("torch.FloatTensor")
    assert taowa.tensor([1.5]).dtype is taowa.float32
    assert (taowa.ones(2, dtype=taowa.int64) / 2).dtype is taowa.float32
