"""PyTorch's table of modules for the recurrent ones: all samples, both types, and errors."""

import pytest
import torch

from tests.nn.module_db import error_differences, try_all

CELLS = ("GRUCell", "LSTMCell", "RNNCell")
SEQUENCES = ("GRU", "LSTM", "RNN")  # a sample is four loops to compile: few of them are quick


@pytest.mark.parametrize("name", CELLS + SEQUENCES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_samples(name, dtype):
    assert try_all(name, dtype, 4) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", SEQUENCES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_sample(name, dtype):
    assert try_all(name, dtype, None) == []


@pytest.mark.parametrize("name", CELLS + SEQUENCES)
def test_bfloat16(name):
    assert try_all(name, torch.bfloat16, 2, modes=(True,)) == []


@pytest.mark.parametrize("name", CELLS + SEQUENCES)
def test_errors(name):
    assert error_differences(name) == []
