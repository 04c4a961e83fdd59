"""Every entry of PyTorch's own table of modules, in values, gradients, state, print and errors."""

import pytest
import torch

import taowa
from taowa import nn
from tests.nn.module_db import OURS, error_differences, quietly, samples, try_all
from tests.nn.module_samples import module_infos

NAMES = sorted(module_infos())
ERRORS = [name for name in NAMES if module_infos()[name].module_error_inputs_func]
MAX_SAMPLES = 10  # `test_every_sample` takes all
FEWER = {name: 6 for name in NAMES if name.startswith("Transformer")}  # large to compile
# Factors on the tolerances of torch.testing.assert_close, with the reason.
LOOSER = {
    "CTCLoss": (10, "PyTorch's own gradients in float32 are off by up to 7e-5, these by 2e-6"),
    "ConvTranspose3d": (3, "float32 sums of hundreds of products, in another order"),
    "LazyConvTranspose3d": (3, "float32 sums of hundreds of products, in another order"),
    "MultiheadAttention": (4, "sums that cancel: PyTorch's are as far from float64's as these"),
    "TransformerEncoder": (4, "sums that cancel: PyTorch's are farther from float64's than these"),
}


def test_every_entry_is_here():
    assert len(NAMES) == 114
    assert [name for name in NAMES if not hasattr(nn, name)] == []


@pytest.mark.parametrize("name", NAMES)
def test_like_pytorch(name):
    limit = FEWER.get(name, MAX_SAMPLES)
    assert try_all(name, torch.float32, limit, LOOSER.get(name, (1, ""))[0]) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_sample(name):
    assert try_all(name, torch.float32, None, LOOSER.get(name, (1, ""))[0]) == []


@pytest.mark.parametrize("name", NAMES[::3])
def test_float64(name):
    assert try_all(name, torch.float64, 2, modes=(True,)) == []


# Without whole transformers: the roundings of one layer grow in all that follow.
@pytest.mark.parametrize("name", [name for name in NAMES[1::3] if name not in FEWER])
def test_bfloat16(name):
    assert try_all(name, torch.bfloat16, 2, modes=(True,)) == []


GRADCHECKED = [
    "BatchNorm1d", "Conv1d", "GELU", "GRUCell", "LSTM", "LayerNorm", "Linear", "MSELoss",
    "MaxPool2d", "Softmax",
]  # fmt: skip


@pytest.mark.parametrize("name", GRADCHECKED)
def test_gradients_by_finite_differences(name):
    sample = samples(name, torch.float64, True, 2)[0]
    module = quietly(getattr(nn, name), *sample.made.args, **sample.made.kwargs).double()
    args, kwargs, given = OURS.arguments(sample.called)
    checked = (*given, *module.parameters())
    assert taowa.autograd.gradcheck(lambda *_: module(*args, **kwargs), checked, fast_mode=True)


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    assert error_differences(name) == []


def test_differences_are_found(monkeypatch):
    wrong = {
        "output": lambda self, input: input + 1,
        "gradient": lambda self, input: input / (1 + input.abs().detach()),
        "requires_grad": lambda self, input: (input / (1 + input.abs())).detach(),
    }
    for text, forward in wrong.items():
        monkeypatch.setattr(nn.Softsign, "forward", forward)
        faults = try_all("Softsign", torch.float32, 2, modes=(True,))
        assert faults, text
        assert all(text in fault for fault in faults)
