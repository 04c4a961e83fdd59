"""Parameters and buffers are tensors that print, copy and pickle as PyTorch's do."""

import copy
import pickle

import numpy as np
import pytest

import taowa
from taowa.core.tensor import Tensor, from_array
from taowa.nn.module import Module
from taowa.nn.parameter import Buffer, Parameter
from tests.nn.both import LIBRARIES, assert_same

TAOWA = LIBRARIES[1]


def test_parameter_is_a_tensor():
    param = TAOWA.parameter(2)
    assert isinstance(param, Tensor)
    assert isinstance(param, Parameter)
    assert not isinstance(TAOWA.ones(2), Parameter)
    assert not isinstance(param.detach(), Parameter)
    assert not isinstance(3, Parameter)


@pytest.mark.parametrize("requires_grad", [True, False])
@pytest.mark.parametrize("values", [[1.5, -2], [[1, 2], [3, 4]], 3.25, []])
def test_parameter_prints_the_same(values, requires_grad):
    assert_same(lambda lib: lib.nn.Parameter(lib.tensor(values), requires_grad))
    assert_same(lambda lib: str(lib.nn.Parameter(lib.tensor(values), requires_grad=requires_grad)))


def test_parameter_of_nothing():
    assert_same(lambda lib: lib.nn.Parameter())
    assert_same(lambda lib: lib.nn.Buffer())


def test_default_type_of_an_empty_parameter_follows_the_default():
    def dtype(lib):
        lib.lib.set_default_dtype(lib.lib.float64)
        try:
            return str(lib.nn.Parameter().dtype), str(lib.nn.Buffer().dtype)
        finally:
            lib.lib.set_default_dtype(lib.lib.float32)

    assert_same(dtype)


@pytest.mark.parametrize("requires_grad", [True, False])
@pytest.mark.parametrize("dtype", ["int64", "bool", "float16", "complex64"])
def test_types_without_gradients(dtype, requires_grad):
    def made(lib):
        param = lib.nn.Parameter(lib.tensor([1, 0], dtype), requires_grad)
        return param.requires_grad, str(param.dtype)

    assert_same(made)


def test_parameter_shares_memory_with_its_data():
    def shared(lib):
        data = lib.tensor([1, 2])
        param = lib.nn.Parameter(data)
        again = lib.nn.Parameter(param, requires_grad=False)
        data.copy_(lib.tensor([3, 4]))
        return param.tolist(), again.tolist(), data.requires_grad, param.is_leaf

    assert "[3.0, 4.0], [3.0, 4.0]" in assert_same(shared)


def test_parameter_of_a_computed_tensor_is_a_leaf():
    source = TAOWA.parameter(2)
    param = Parameter(source + source)
    assert param.is_leaf
    assert param.requires_grad
    assert param.grad_fn is None


def test_non_leaf_cannot_be_registered():
    def register(lib):
        module = lib.nn.Module()
        param = lib.parameter(2)
        computed = param + param
        computed._is_param = True
        module.register_parameter("p", computed)

    assert "Cannot assign non-leaf Tensor" in assert_same(register)


class Marked(Tensor):
    """A user's tensor class."""

    def detach(self):
        made = Tensor._make_subclass(Marked, super().detach())
        made.label = self.label
        return made


def test_tensor_of_another_class_stays_so_and_counts_as_parameter():
    marked = Tensor._make_subclass(Marked, TAOWA.ones(2))
    marked.label = "mine"
    param = Parameter(marked)
    assert type(param) is Marked
    assert param.label == "mine"
    assert isinstance(param, Parameter)
    assert not isinstance(marked, Parameter)
    module = Module()
    module.p = param
    assert [name for name, _ in module.named_parameters()] == ["p"]


def test_subclass_of_parameter():
    def made(lib):
        kind = type("Special", (lib.nn.Parameter,), {"__module__": "user"})
        param = kind(lib.ones(1))
        copied = copy.deepcopy(param)
        return [type(p).__name__ for p in (param, copied)], isinstance(lib.parameter(1), kind)

    assert_same(made)


def test_deepcopy_is_independent_and_uses_the_memo():
    def copied(lib):
        param = lib.parameter(2)
        param.grad = lib.ones(2)
        param.label = "mine"
        first, second = copy.deepcopy([param, param])
        param.data.copy_(lib.tensor([5, 6]))
        kept = first.tolist(), first is second, first.grad, hasattr(first, "label")
        first.data.copy_(lib.tensor([8, 9]))
        return kept, param.tolist(), first.tolist(), first.requires_grad, type(first).__name__

    assert_same(copied)


def test_deepcopy_of_a_view():
    base = from_array(np.arange(4, dtype=np.float32))
    twin = copy.deepcopy(Parameter(base.detach()))
    base.set_host(np.zeros(4))
    assert twin.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("requires_grad", [True, False])
def test_pickle_keeps_values_flag_and_attributes(requires_grad):
    def restored(lib):
        param = lib.nn.Parameter(lib.tensor([1, 2]), requires_grad)
        param.label = "mine"
        again = pickle.loads(pickle.dumps(param))
        return again, type(again).__name__, again.requires_grad, again.label, again.is_leaf

    assert_same(restored)


def test_buffer_is_marked_but_of_its_datas_class():
    def made(lib):
        buffer = lib.nn.Buffer(lib.ones(2))
        quiet = lib.nn.Buffer(lib.ones(2), persistent=False)
        kinds = type(buffer).__name__, isinstance(buffer, lib.nn.Buffer)
        plain = isinstance(lib.ones(2), lib.nn.Buffer)
        return buffer, kinds, plain, buffer.persistent, quiet.persistent, buffer.requires_grad

    assert_same(made)


def test_buffer_shares_memory_with_its_data():
    def shared(lib):
        data = lib.ones(2)
        buffer = lib.nn.Buffer(data)
        data.copy_(lib.tensor([3, 4]))
        return buffer

    assert_same(shared)


def test_buffer_keeps_its_mark_when_copied_and_pickled():
    def marks(lib):
        buffer = lib.nn.Buffer(lib.ones(2), persistent=False)
        twins = copy.deepcopy(buffer), pickle.loads(pickle.dumps(buffer))
        return [(isinstance(t, lib.nn.Buffer), t.persistent) for t in twins]

    assert_same(marks)


def test_parameter_named_like_a_buffer_is_no_buffer():
    assert not isinstance(TAOWA.parameter(1), Buffer)
    assert not isinstance(Buffer(TAOWA.ones(1)), Parameter)


def test_copy_survives_the_training_of_the_original():
    param = TAOWA.parameter(3)
    with taowa.no_grad():
        param.add_(TAOWA.ones(3))
    taowa.flush()
    twin = copy.deepcopy(param)  # starts on the same device buffer, which steps may reuse
    for _ in range(3):
        (param * param).sum().backward()
        with taowa.no_grad():
            param.sub_(param.grad * 0.25)
        param.grad = None
        taowa.flush()
    assert param.tolist() == [0.25] * 3
    assert twin.tolist() == [2, 2, 2]
