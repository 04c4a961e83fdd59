"""The same seed gives PyTorch's weights, and training follows PyTorch's losses."""

import numpy as np
import pytest
import torch

import taowa
from bench.networks import mlp, resnet18


def lenet(torch):
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(3, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(16 * 2 * 2, 32), nn.Sigmoid(), nn.Dropout(0.0), nn.Linear(32, 10),
    )  # fmt: skip


def normals(torch):
    nn = torch.nn
    net = nn.Sequential(nn.Embedding(20, 8, padding_idx=3), nn.Flatten(), nn.Linear(16, 10))
    nn.init.kaiming_normal_(net[2].weight)
    nn.init.trunc_normal_(net[2].bias, std=0.1)
    return net


NETWORKS = {
    "mlp": (mlp, (16, 784)),
    "lenet": (lenet, (8, 3, 16, 16)),
    "resnet18": (resnet18, (8, 3, 16, 16)),
    "normals": (normals, (16, 2)),
}


def build(library, name):
    library.manual_seed(0)
    return NETWORKS[name][0](library)


@pytest.mark.parametrize("name", NETWORKS)
def test_same_initial_weights(name):
    ours, theirs = build(taowa, name).state_dict(), build(torch, name).state_dict()
    assert list(ours) == list(theirs)
    for key, value in theirs.items():
        exact = "normals" not in name
        difference = np.abs(ours[key].numpy().astype(float) - value.numpy().astype(float)).max()
        assert difference <= (0 if exact else 1e-6), key


def losses(library, name, steps=20):
    net = build(library, name)
    # Data for which no activation of the first steps lies within rounding of a rectifier's kink:
    # there PyTorch's own float32 gradients differ from its float64 ones by percents.
    rng = np.random.RandomState(2)
    shape = NETWORKS[name][1]
    if name == "normals":
        x = library.tensor(rng.randint(0, 20, shape))
    else:
        x = library.tensor(rng.randn(*shape).astype(np.float32))
    y = library.tensor(rng.randint(0, 10, shape[0]))
    optimizer = library.optim.SGD(net.parameters(), lr=0.001, momentum=0.9)
    found = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = library.nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_twenty_steps_follow_pytorch(name, monkeypatch):
    # Winograd's algorithm rounds more: ResNet-18's losses then differ by up to 0.5 %.
    monkeypatch.setattr(taowa.backends.kernels, "winograd", False)
    np.testing.assert_allclose(losses(taowa, name), losses(torch, name), rtol=1e-3)


@pytest.mark.parametrize("name", NETWORKS)
def test_printed_forms(name):
    assert repr(build(taowa, name)) == repr(build(torch, name))
