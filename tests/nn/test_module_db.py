"""Every entry of PyTorch's own table of modules, in values, gradients, state, print and errors."""

import pytest
import torch

from taowa import nn
from tests.nn.module_db import error_differences, try_all
from tests.nn.module_samples import module_infos

NAMES = sorted(module_infos())
HERE = [name for name in NAMES if hasattr(nn, name)]
MISSING = {
    "LazyConv1d", "LazyConv2d", "LazyConv3d", "LazyConvTranspose1d", "LazyConvTranspose2d",
    "LazyConvTranspose3d", "MultiheadAttention",
    "Transformer", "TransformerDecoderLayer", "TransformerEncoder", "TransformerEncoderLayer",
}  # fmt: skip
ERRORS = [name for name in HERE if module_infos()[name].module_error_inputs_func]
MAX_SAMPLES = 24
# Factors on the tolerances of torch.testing.assert_close, with the reason.
LOOSER = {
    "CTCLoss": (10, "PyTorch's own gradients in float32 are off by up to 7e-5, these by 2e-6"),
    "ConvTranspose3d": (3, "float32 sums of hundreds of products, in another order"),
}


def test_every_entry_is_here_or_listed_as_missing():
    assert len(NAMES) == 114
    assert set(NAMES) - set(HERE) == MISSING


@pytest.mark.parametrize("name", HERE)
def test_like_pytorch(name):
    assert try_all(name, torch.float32, MAX_SAMPLES, LOOSER.get(name, (1, ""))[0]) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", HERE)
def test_every_sample(name):
    assert try_all(name, torch.float32, None, LOOSER.get(name, (1, ""))[0]) == []


@pytest.mark.parametrize("name", HERE[::3])
def test_float64(name):
    assert try_all(name, torch.float64, 2, modes=(True,)) == []


@pytest.mark.parametrize("name", HERE[1::3])
def test_bfloat16(name):
    assert try_all(name, torch.bfloat16, 2, modes=(True,)) == []


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
