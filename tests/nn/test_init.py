"""nn.init gives PyTorch's values under the same seed."""

import numpy as np
import pytest
import torch

import taowa
from taowa.core import journal
from taowa.nn import init

CASES = [
    ("uniform_", (5, 7), {"a": -1.0, "b": 2.0}),
    ("normal_", (5, 7), {"mean": 1.0, "std": 0.5}),
    ("normal_", (3,), {}),
    ("constant_", (2, 2), {"val": 0.3}),
    ("ones_", (2,), {}),
    ("zeros_", (2,), {}),
    ("eye_", (3, 4), {}),
    ("dirac_", (6, 2, 3), {"groups": 2}),
    ("dirac_", (4, 4, 3, 3), {}),
    ("dirac_", (2, 3, 3, 3, 3), {}),
    ("xavier_uniform_", (5, 7), {"gain": 2.0}),
    ("xavier_normal_", (4, 3, 3, 3), {}),
    ("kaiming_uniform_", (5, 7), {"a": 0.2, "mode": "fan_out"}),
    ("kaiming_normal_", (4, 3, 3, 3), {"nonlinearity": "relu"}),
    ("trunc_normal_", (40, 3), {}),
    ("trunc_normal_", (40, 3), {"mean": 0.1, "std": 0.02, "a": -0.01, "b": 0.11}),
    ("trunc_normal_", (40,), {"mean": 0.0, "std": 1.0, "a": 1.5, "b": 1.7}),
    ("orthogonal_", (5, 7), {}),
    ("orthogonal_", (7, 2, 2), {"gain": 2.0}),
    ("sparse_", (10, 6), {"sparsity": 0.33, "std": 0.1}),
]


@pytest.mark.parametrize(("name", "shape", "options"), CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_seed_same_values(name, shape, options, dtype):
    taowa.manual_seed(11)
    torch.manual_seed(11)
    ours = getattr(init, name)(taowa.empty(*shape, dtype=getattr(taowa, dtype)), **options)
    theirs = getattr(torch.nn.init, name)(
        torch.empty(*shape, dtype=getattr(torch, dtype)), **options
    )
    exact = name in ("uniform_", "kaiming_uniform_", "xavier_uniform_")
    tolerance = 0 if exact else 2e-6
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=0, atol=tolerance)


def test_filling_views_and_parameters_compiles_nothing():
    before = journal.counters.compilations + journal.counters.disk_hits
    weight = taowa.nn.Parameter(taowa.empty(6, 4))
    init.normal_(weight)
    init.orthogonal_(weight.data[1:4])
    weight[2:4].data.fill_(1.0)
    assert weight.detach().numpy()[2:4].tolist() == [[1.0] * 4] * 2
    assert journal.counters.compilations + journal.counters.disk_hits == before


GAINS = ["linear", "conv2d", "conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]


@pytest.mark.parametrize("nonlinearity", GAINS)
def test_gains(nonlinearity):
    assert init.calculate_gain(nonlinearity) == torch.nn.init.calculate_gain(nonlinearity)


def test_errors_and_warnings():
    with pytest.raises(ValueError, match="Unsupported nonlinearity"):
        init.calculate_gain("nope")
    with pytest.raises(ValueError, match="fewer than 2 dimensions"):
        init.xavier_uniform_(taowa.empty(3))
    with pytest.raises(ValueError, match="Mode"):
        init.kaiming_normal_(taowa.empty(3, 3), mode="both")
    with pytest.warns(UserWarning, match="zero-element"):
        init.kaiming_normal_(taowa.empty(0, 3))
    with pytest.warns(FutureWarning, match="deprecated"):
        init.normal(taowa.empty(3))


def test_kaiming_keeps_the_variance_through_rectifiers():
    taowa.manual_seed(0)
    x = taowa.randn(512, 256)
    for _ in range(5):
        w = init.kaiming_normal_(taowa.empty(256, 256), nonlinearity="relu")
        x = taowa.relu(x @ w.T)
    assert 0.5 < (x * x).mean().item() < 2.0
