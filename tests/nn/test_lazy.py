"""Lazy layers, and the parameters and buffers without a shape that they start with."""

import copy
import pickle

import pytest
import torch

import taowa
from taowa import nn
from tests.nn.both import LIBRARIES, assert_same
from tests.nn.comparison import ours, random, same

BOTH = [(torch, torch.nn), (taowa, nn)]
LAYERS = [
    ("LazyLinear", (4,), (3, 5)),
    ("LazyConv1d", (4, 2), (2, 3, 6)),
    ("LazyConv2d", (4, 2), (3, 6, 6)),
    ("LazyConvTranspose2d", (4, 2), (2, 3, 4, 4)),
    ("LazyBatchNorm1d", (), (4, 3)),
    ("LazyBatchNorm2d", (), (2, 3, 4, 4)),
    ("LazyBatchNorm3d", (), (2, 3, 2, 2, 2)),
    ("LazyInstanceNorm1d", (), (2, 3, 4)),
    ("LazyInstanceNorm2d", (), (2, 3, 4, 4)),
    ("LazyInstanceNorm3d", (), (2, 3, 2, 2, 2)),
]


def make(name, args, **kwargs):
    pair = []
    for library, home in BOTH:
        library.manual_seed(0)
        pair.append(getattr(home, name)(*args, **kwargs))
    return pair


def assert_like(mine, theirs):
    assert repr(mine) == repr(theirs)
    state, expected = mine.state_dict(), theirs.state_dict()
    assert list(state) == list(expected)
    for key, value in expected.items():
        if torch.nn.parameter.is_lazy(value):
            assert repr(state[key]) == repr(value)
        else:
            same(value, state[key], key)


@pytest.mark.parametrize(("name", "args", "shape"), LAYERS)
def test_the_first_batch_decides(name, args, shape):
    theirs, mine = make(name, args)
    assert_like(mine, theirs)
    assert mine.has_uninitialized_params()
    x = random(*shape, grad=False)
    torch.manual_seed(1), taowa.manual_seed(1)
    same(theirs(x), mine(ours(x)))
    assert_like(mine, theirs)
    assert type(mine).__name__ == type(theirs).__name__ == name[4:]
    assert not mine._forward_pre_hooks
    assert not mine._load_state_dict_pre_hooks
    assert vars(theirs).keys() - vars(mine).keys() <= {
        "_backward_pre_hooks", "_is_full_backward_hook", "_reversed_padding_repeated_twice",
    }  # fmt: skip


@pytest.mark.parametrize("options", [{"bias": False}, {"dtype": "float64"}])
def test_options_are_kept(options):
    pair = []
    for library, home in BOTH:
        given = {k: getattr(library, v) if k == "dtype" else v for k, v in options.items()}
        pair.append(home.LazyLinear(3, **given))
        pair[-1](library.ones(2, 4, dtype=given.get("dtype")))
    assert repr(pair[1]) == repr(pair[0])
    assert [(n, p.shape, str(p.dtype)) for n, p in pair[1].named_parameters()] == [
        (n, p.shape, str(p.dtype)) for n, p in pair[0].named_parameters()
    ]


def test_a_state_dict_decides_too():
    layer = nn.LazyLinear(3)
    layer.load_state_dict(nn.Linear(2, 3).state_dict())
    assert layer.weight.shape == (3, 2)
    assert type(layer.weight) is nn.Parameter
    assert layer(taowa.ones(1, 2)).shape == (1, 3)
    assert type(layer) is nn.Linear
    assert layer.in_features == 2
    norm = nn.LazyBatchNorm1d()
    norm.load_state_dict(nn.BatchNorm1d(5).state_dict())
    assert norm.running_mean.shape == (5,)


def test_lazy_states_load_into_lazy_layers_only():
    lazy = nn.LazyLinear(3).state_dict()
    nn.LazyLinear(3).load_state_dict(lazy)
    with pytest.raises(RuntimeError, match="Can't access the shape of an uninitialized"):
        nn.Linear(2, 3).load_state_dict(lazy)


def test_conversion_copies_and_pickles_before_the_first_batch():
    layer = nn.LazyLinear(3).double()
    assert layer.weight.dtype is taowa.float64
    for other in (layer, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert type(other.weight) is nn.UninitializedParameter
        assert other(taowa.ones(2, 4, dtype=taowa.float64)).dtype is taowa.float64
    norm = nn.LazyBatchNorm2d().to(taowa.bfloat16)
    assert type(norm.running_mean) is nn.UninitializedBuffer
    assert norm.running_var.dtype is taowa.bfloat16
    optimizer = taowa.optim.SGD(nn.LazyLinear(2).parameters(), lr=0.1)
    assert len(optimizer.param_groups[0]["params"]) == 2


@pytest.mark.parametrize(
    "use",
    [
        lambda p: p + 1,
        lambda p: p.sum(),
        lambda p: p.shape,
        lambda p: p.share_memory_(),
        lambda p: p.zero_(),
    ],
)
def test_using_them_too_early(use):
    errors = []
    for _, home in BOTH:
        for kind in (home.UninitializedParameter, home.UninitializedBuffer):
            with pytest.raises((ValueError, RuntimeError)) as caught:
                use(kind(requires_grad=False))
            errors.append((caught.type, str(caught.value)[:43]))
    assert errors[:2] == errors[2:]


def test_materialize():
    for library, home in BOTH:
        weight = home.UninitializedParameter(requires_grad=False)
        assert home.parameter.is_lazy(weight)
        weight.materialize((2, 3), dtype=library.float64)
        assert not home.parameter.is_lazy(weight)
        assert (type(weight), weight.dtype) == (home.Parameter, library.float64)
        assert not weight.requires_grad
        buffer = home.UninitializedBuffer(persistent=False)
        buffer.materialize((2,))
        assert isinstance(buffer, home.Buffer)
        assert not buffer.persistent


def test_wrong_inputs_and_unfinished_modules():
    for library, home in BOTH:
        with pytest.raises(RuntimeError, match="to LazyConv2d, but got input of size"):
            home.LazyConv2d(2, 3)(library.ones(2, 2))
        with pytest.raises(ValueError, match="in_channels must be divisible by groups"):
            home.LazyConv2d(2, 3, groups=2)(library.ones(1, 3, 4, 4))

        class Half(home.modules.lazy.LazyModuleMixin, home.Module):
            def __init__(self, home=home):
                super().__init__()
                self.scale = home.UninitializedParameter()

        with pytest.raises(NotImplementedError, match="not implemented for Half"):
            Half()(library.ones(2))
        Half.initialize_parameters = lambda self, x: None
        with pytest.raises(RuntimeError, match="module Half has not been fully initialized"):
            Half()(library.ones(2))


def test_sync_batch_norm_and_its_conversion():
    nets = []
    for library, home in BOTH:
        net = home.Sequential(home.Linear(4, 3), home.BatchNorm1d(3), home.InstanceNorm1d(3))
        net[1](library.ones(2, 3))
        inner = net[1]
        converted = home.SyncBatchNorm.convert_sync_batchnorm(net)
        assert converted is net
        assert net[1].weight is inner.weight
        assert net[1].running_mean is inner.running_mean
        nets.append(net)
    nets[1].load_state_dict({k: ours(v) for k, v in nets[0].state_dict().items()})
    assert repr(nets[1]) == repr(nets[0])
    x = random(5, 4, grad=False)
    same(nets[0][:2](x), nets[1][:2](ours(x)))
    same(nets[0][1].running_var, nets[1][1].running_var)
    assert_same(lambda library: library.lib.nn.SyncBatchNorm(3)(library.ones(3)))


@pytest.mark.parametrize("name", ["Container", "NLLLoss2d"])
def test_old_names_warn(name):
    assert_same(lambda library: getattr(library.lib.nn, name)())


def test_data_parallel():
    for library in LIBRARIES:
        net = library.lib.nn.DataParallel(library.lib.nn.Linear(2, 3))
        assert list(net.state_dict()) == ["module.weight", "module.bias"]
        assert net(library.ones(4, 2)).shape == (4, 3)
    assert_same(lambda library: library.lib.nn.DataParallel(library.lib.nn.ReLU()))
    assert nn.parallel.data_parallel(net, taowa.ones(1, 2)).shape == (1, 3)
    with pytest.raises(NotImplementedError, match="one device"):
        nn.DataParallel(nn.ReLU(), device_ids=[0, 1])
