"""Older weight and spectral norm, fusion, calls with other tensors, and other helpers."""

import pytest
import torch

import taowa
from tests.nn.test_parametrize import LAYERS, data
from tests.nn.twice import error_of, trained, twice


@pytest.mark.parametrize("norm", ["weight_norm", "spectral_norm"])
@pytest.mark.parametrize("name", LAYERS)
def test_older_norms(name, norm):
    def scenario(library):
        utils = library.nn.utils
        args, shape = LAYERS[name]
        layer = getattr(utils, norm)(getattr(library.nn, name)(*args))
        x = data(library, *shape)
        found = [layer, trained(library, layer, x), layer.eval()(x)]
        removed = getattr(utils, f"remove_{norm}")(layer)
        assert removed is layer
        assert not layer._forward_pre_hooks
        assert not layer._state_dict_hooks
        if library is taowa:  # PyTorch forgets this one
            assert not layer._load_state_dict_pre_hooks
        return [*found, layer, layer(x)]

    twice(scenario, tolerance=(1e-4, 1e-5))


def test_older_norms_options():
    def scenario(library):
        utils, Linear = library.nn.utils, library.nn.Linear
        whole = utils.weight_norm(Linear(3, 4), dim=None)
        both = utils.spectral_norm(Linear(3, 4), n_power_iterations=3, dim=1, eps=1e-3)
        of_bias = utils.weight_norm(Linear(3, 4), "bias")
        x = library.ones(2, 3)
        return [net(x) for net in (whole, both, of_bias)] + [whole, both, of_bias]

    twice(scenario, tolerance=(1e-4, 1e-5))


def test_old_files_of_spectral_norm():
    def scenario(library):
        layer = library.nn.utils.spectral_norm(library.nn.Linear(2, 3))
        layer(library.ones(1, 2))
        state = layer.state_dict()
        del state["weight_v"], state._metadata[""]["spectral_norm"]
        state["weight"] = state["weight_orig"] / 2
        other = library.nn.utils.spectral_norm(library.nn.Linear(2, 3))
        other.load_state_dict(state)
        return [other, other.eval()(library.ones(1, 2))]

    twice(scenario, tolerance=(1e-4, 1e-5))


def fusable(library, *shape):
    bn = library.nn.BatchNorm2d(shape[0]) if len(shape) > 1 else library.nn.BatchNorm1d(shape[0])
    with library.no_grad():
        for tensor in (bn.running_mean, bn.running_var, bn.weight, bn.bias):
            tensor.copy_(library.rand(shape[0]) + 0.5)
    return bn.eval()


@pytest.mark.parametrize("bias", [True, False])
def test_fusion(bias):
    def scenario(library):
        nn, utils = library.nn, library.nn.utils
        conv = nn.Conv2d(2, 3, 2, bias=bias).eval()
        transposed = nn.ConvTranspose2d(2, 3, 2, bias=bias).eval()
        linear = nn.Linear(2, 3, bias=bias).eval()
        image, x = library.randn(1, 2, 4, 4), library.randn(4, 2)
        fused = [
            utils.fuse_conv_bn_eval(conv, fusable(library, 3, 1)),
            utils.fuse_conv_bn_eval(transposed, fusable(library, 3, 1), transpose=True),
            utils.fuse_linear_bn_eval(linear, fusable(library, 3)),
        ]
        return [fused, fused[0](image), fused[1](image), fused[2](x), fused[0].weight]

    twice(scenario)


def test_skip_init_leaves_the_generator_alone():
    def scenario(library):
        layer = library.nn.utils.skip_init(library.nn.Linear, 3, 2)
        return [repr(layer), layer.weight.shape == (2, 3), library.rand(2)]

    twice(scenario)


class Counter:
    """A module that writes to a buffer and replaces another."""

    def __new__(cls, library):
        class Counting(library.nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = library.nn.Linear(2, 2)
                self.tied = self.inner
                self.register_buffer("count", library.zeros(1))
                self.register_buffer("last", library.zeros(2))

            def forward(self, x, scale=1):
                self.count += 1
                self.last = x.detach()[0]
                return self.tied(x) * scale

        return Counting()


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_calls_with_other_tensors():
    def scenario(library):
        call = library.nn.utils.stateless.functional_call
        net = Counter(library)
        weight = library.full((2, 2), 3.0).requires_grad_()
        given = {"inner.weight": weight, "count": library.ones(1), "last": library.ones(2)}
        y = call(net, given, library.ones(1, 2), {"scale": 2})
        (grad,) = library.autograd.grad(y.sum(), [weight])
        untied = call(net, {"inner.weight": weight}, (library.ones(1, 2),), tie_weights=False)
        alone = call(net, {}, library.ones(1, 2))
        return [y, grad, given, untied, alone, net]

    twice(scenario)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_errors():
    def errors(library):
        utils, nn = library.nn.utils, library.nn
        call, layer = utils.stateless.functional_call, nn.Linear(2, 2)
        ones, bn = library.ones(1), nn.BatchNorm1d(3)
        normed = utils.spectral_norm(nn.Linear(2, 2))
        weighted = utils.weight_norm(nn.Linear(2, 2))
        actions = [
            lambda: call(layer, {"weight": ones}, (), strict=True),
            lambda: call(layer, {"weigth": ones}, ones, strict=True),
            lambda: call(Counter(library), {"inner.bias": ones, "tied.bias": ones + 1}, ones),
            lambda: call(nn.DataParallel(layer), {}, ones),
            lambda: utils.remove_weight_norm(layer),
            lambda: utils.remove_spectral_norm(layer),
            lambda: utils.weight_norm(nn.LazyLinear(2)),
            lambda: utils.spectral_norm(nn.LazyLinear(2)),
            lambda: utils.spectral_norm(nn.Linear(2, 2, bias=False), "bias"),
            lambda: utils.spectral_norm(nn.Linear(2, 2), n_power_iterations=0),
            lambda: utils.spectral_norm(normed),
            lambda: utils.weight_norm(weighted),
            lambda: utils.fuse_linear_bn_eval(layer, bn),
            lambda: utils.fuse_linear_bn_eval(nn.Linear(2, 2).eval(), nn.BatchNorm1d(3).eval()),
            lambda: utils.skip_init(nn.ReLU),
            lambda: utils.skip_init(int),
        ]
        return [error_of(action) for action in actions]

    theirs, mine = errors(torch), errors(taowa)
    assert None not in theirs
    assert mine == theirs


def test_memory_formats_keep_values():
    net = taowa.nn.Sequential(taowa.nn.Conv2d(2, 3, 2), taowa.nn.Conv3d(2, 3, 2))
    before = [layer.weight.tolist() for layer in net]
    utils = taowa.nn.utils
    utils.convert_conv2d_weight_memory_format(net, taowa.channels_last)
    utils.convert_conv3d_weight_memory_format(net, taowa.channels_last_3d)
    assert [layer.weight.tolist() for layer in net] == before


def test_clip_grad_norm_under_its_old_name():
    def scenario(library):
        x = library.full((4,), 3.0).requires_grad_()
        (x * x).sum().backward()
        return [library.nn.utils.clip_grad_norm([x], 1.0), x.grad]

    twice(scenario)
