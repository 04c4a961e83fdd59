"""`to` and its relatives change a module in place, as PyTorch's do."""

import copy
import pickle

import numpy as np
import pytest

import taowa
from taowa.core.device import device
from taowa.nn.conversion import parse_to
from taowa.nn.module import Module
from tests.nn.both import LIBRARIES, assert_same, outcome

TAOWA = LIBRARIES[1]


def mixed(lib):
    """A net with members of every kind of type."""
    net = lib.nn.Module()
    net.inner = lib.nn.Module()
    net.inner.weight = lib.nn.Parameter(lib.tensor([1.5, 2.5]))
    net.tied = net.inner.weight
    net.integers = lib.nn.Parameter(lib.tensor([1], np.int32), requires_grad=False)
    net.register_buffer("mean", lib.tensor([0.1], np.float64))
    net.register_buffer("count", lib.tensor(3, np.int64))
    net.register_buffer("none", None)
    net.register_parameter("absent", None)
    return net


def types(net):
    return {name: (str(t.dtype), t.tolist()) for name, t in net.state_dict().items()}


@pytest.mark.parametrize("method", ["float", "double", "half", "bfloat16", "cpu"])
def test_methods_named_after_types(method):
    def after(lib):
        net = mixed(lib)
        assert getattr(net, method)() is net
        return types(net)

    assert_same(after)


@pytest.mark.parametrize(
    "call",
    [
        lambda lib, net: net.to(lib.lib.float64),
        lambda lib, net: net.to("cpu"),
        lambda lib, net: net.to("cpu", lib.lib.float16),
        lambda lib, net: net.to(lib.lib.device("cpu"), dtype=lib.lib.float16, non_blocking=True),
        lambda lib, net: net.to(lib.tensor([1], np.float64)),
        lambda lib, net: net.to(dtype=float),
        lambda lib, net: net.to(None, lib.lib.float64),
        lambda lib, net: net.to(),
        lambda lib, net: net.to(lib.lib.int32),
        lambda lib, net: net.to(int),
        lambda lib, net: net.to(lib.lib.float64, copy=True),
    ],
)
def test_to(call):
    assert_same(lambda lib: types(call(lib, mixed(lib))))


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((taowa.float64, "cpu"), {}),
        ((3.5,), {}),
        (([],), {}),
        (("cpu", "cpu"), {}),
        (("cpu",), {"device": "cpu"}),
        ((), {"other": 1}),
        (("cpu", taowa.float64, False, False, None), {}),
    ],
)
def test_arguments_that_fit_no_form(args, kwargs):
    with pytest.raises(TypeError, match="invalid combination of arguments"):
        Module().to(*args, **kwargs)


def test_unknown_device():
    with pytest.raises(RuntimeError, match="at start of device string: foo"):
        Module().to("foo")


def test_numbers_are_devices():
    assert parse_to((1,), {})[0] == device("cuda", 1)
    assert parse_to(("cuda",), {})[0] == device("cuda", 0)


def test_memory_format_reaches_images_only():
    asked = []

    class Spy:
        def __init__(self, ndim):
            self.ndim = ndim
            self.dtype = taowa.float32

        def to(self, *args, **kwargs):
            asked.append((self.ndim, kwargs))
            return self

    net = Module()
    net._buffers.update({str(n): Spy(n) for n in (3, 4, 5)})
    net.to(memory_format="channels_last")
    assert [ndim for ndim, kwargs in asked if kwargs] == [4, 5]


def test_type_converts_integers_too():
    def after(lib):
        net = mixed(lib).requires_grad_(False)
        return types(net.type(lib.lib.float64)), types(net.type("torch.IntTensor"))

    assert_same(after)


def test_parameters_stay_the_same_objects_with_their_gradients():
    def after(lib):
        net = mixed(lib)
        weight = net.inner.weight
        grad = weight.grad = lib.ones(2)
        net.double()
        kept = net.inner.weight is weight, net.tied is weight, weight.grad is grad
        return kept, weight.requires_grad, weight.is_leaf, str(weight.grad.dtype), weight.tolist()

    assert_same(after)


def test_apply_without_descendants():
    def after(lib):
        net = mixed(lib)
        del net.tied
        net._apply(lambda t: t.double(), recurse=False)
        return types(net)

    assert_same(after)


def test_to_empty_keeps_shapes_and_types():
    def after(lib):
        net = mixed(lib).to_empty(device="cpu")
        return [(name, tuple(t.shape), str(t.dtype)) for name, t in net.state_dict().items()]

    assert_same(after)


def test_share_memory_is_accepted():
    net = mixed(TAOWA)
    assert net.share_memory() is net


@pytest.mark.parametrize("name", ["xpu", "ipu", "mtia"])
def test_devices_of_other_makes_are_refused_by_name(name):
    with pytest.raises(NotImplementedError, match=rf"Module.{name}\(\) is not supported"):
        getattr(Module(), name)()


def test_requires_grad_and_zero_grad():
    def after(lib):
        net = mixed(lib)
        del net.integers
        weight = net.inner.weight
        weight.grad = lib.ones(2)
        net.zero_grad(set_to_none=False)
        zeros = weight.grad.tolist()
        net.zero_grad()
        return zeros, weight.grad, net.requires_grad_(False) is net, weight.requires_grad

    assert_same(after)


def test_zero_grad_cuts_the_gradient_off_from_the_tape():
    weight = TAOWA.parameter(2)
    net = Module()
    net.weight = weight
    weight.grad = weight + weight
    net.zero_grad(set_to_none=False)
    assert not weight.grad.requires_grad
    assert outcome(lambda: weight.grad.tolist()) == "returns [0.0, 0.0]"


def test_nothing_is_compiled_for_moving_a_models_values():
    net = mixed(TAOWA)
    before = taowa.explain()
    twin = copy.deepcopy(net).double()
    twin.load_state_dict(net.state_dict())
    net.load_state_dict(pickle.loads(pickle.dumps(twin)).state_dict(), assign=True)
    net.zero_grad()
    assert types(net) == types(twin)
    assert (taowa.explain() - before).dispatches == 0
