"""The kernel of stochastic gradient descent, against PyTorch's optimiser and the plain rule."""

import numpy as np
import pytest
import torch

import taowa
from taowa.core.program import programs

SHAPES = [(181, 190), (7,), (), (33, 5), (0,)]
OPTIONS = [
    {},
    {"weight_decay": 0.1, "maximize": True},
    {"momentum": 0.9},
    {"momentum": 0.9, "nesterov": True},
    {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01},
]
pytestmark = pytest.mark.kernel


def arrays(seed):
    rng = np.random.RandomState(seed)
    return [np.asarray(rng.randn(*shape), np.float32) for shape in SHAPES]


def descended(library, options, steps=3):
    params = [library.nn.Parameter(library.tensor(a)) for a in arrays(0)]
    optimizer = library.optim.SGD(params, lr=0.1, **options)
    for step in range(steps):
        for param, grad in zip(params, arrays(step + 1), strict=True):
            param.grad = library.tensor(grad)
        optimizer.step()
    return [p.detach().numpy() for p in params]


@pytest.mark.parametrize("options", OPTIONS)
def test_like_pytorch(options):
    for ours, theirs in zip(descended(taowa, options), descended(torch, options), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("isa", taowa.backends.kernels.isas)
def test_every_instruction_set_follows_the_plain_rule(isa, monkeypatch):
    kernels = taowa.backends.kernels
    monkeypatch.setattr(kernels, "isa", isa)
    by_kernel = descended(taowa, OPTIONS[4])
    monkeypatch.setattr(kernels, "enabled", False)
    for ours, plain in zip(by_kernel, descended(taowa, OPTIONS[4]), strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-6, atol=1e-6)


@pytest.mark.skipif(not taowa.backends.kernels.isas, reason="needs the compiled kernels")
def test_one_call_updates_all_parameters():
    descended(taowa, OPTIONS[2])
    text = programs()[-1].lower().as_text()
    assert text.count("@taowa.sgd") == 1
