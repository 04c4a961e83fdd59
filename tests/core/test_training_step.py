"""A training loop in plain PyTorch style is one compiled program per step."""

import numpy as np
import pytest

import taowa as torch
from taowa import nn
from taowa.nn import functional as F


def mlp():
    return nn.Sequential(nn.Linear(20, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + x)


def residual_net():
    return nn.Sequential(
        nn.Unflatten(1, (1, 4, 5)), nn.Conv2d(1, 4, 3, padding=1), Block(4), Block(4),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4),
    )  # fmt: skip


def loader(samples, batch_size, seed=0):
    rng = np.random.RandomState(seed)
    data = torch.utils.data.TensorDataset(
        torch.tensor(rng.randn(samples, 20).astype(np.float32)),
        torch.tensor(rng.randint(0, 4, samples)),
    )
    return torch.utils.data.DataLoader(data, batch_size=batch_size, shuffle=True)


def train_epoch(net, batches, optimizer, scheduler=None, read_between=False):
    losses = []
    for x, y in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        if read_between:
            str(loss)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        losses.append(loss.item())
    return losses


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-4),
    "adamw": lambda p: torch.optim.AdamW(p, lr=1e-3),
}


@pytest.mark.parametrize("build", [mlp, residual_net])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_one_program_per_step_and_none_compiled_in_the_second_epoch(build, optimizer):
    torch.manual_seed(0)
    net = build()
    optimizer = OPTIMIZERS[optimizer](net.parameters())
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=30)
    batches = loader(samples=36, batch_size=8)  # four whole batches and one of four samples
    before = torch.explain()
    train_epoch(net, batches, optimizer, scheduler)
    first = torch.explain() - before
    assert first.compilations + first.disk_hits == 2, first
    assert first.dispatches == 5
    middle = torch.explain()
    losses = train_epoch(net, batches, optimizer, scheduler)
    second = torch.explain() - middle
    assert second.compilations + second.disk_hits == 0, second
    assert second.dispatches == 5
    assert all(np.isfinite(losses))


def test_evaluation_gives_one_small_program_per_batch_shape():
    torch.manual_seed(0)
    net = mlp().eval()
    batches = loader(samples=36, batch_size=8)

    def evaluate():
        correct = 0
        with torch.no_grad():
            for x, y in batches:
                correct += (net(x).argmax(1) == y).sum()
        return correct.item()

    before = torch.explain()
    first = evaluate()
    counted = torch.explain() - before
    # For each of the two batch shapes: the network, and one small program for the metric.
    assert counted.compilations + counted.disk_hits == 4, counted
    before = torch.explain()
    assert evaluate() == first
    counted = torch.explain() - before
    assert counted.compilations + counted.disk_hits == 0, counted
    assert counted.dispatches == 10


def test_reading_the_loss_before_backward_computes_nothing_twice():
    torch.manual_seed(0)
    net = residual_net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    batches = loader(samples=16, batch_size=8)
    train_epoch(net, batches, optimizer, read_between=True)
    before = torch.explain()
    train_epoch(net, batches, optimizer, read_between=True)
    counted = torch.explain() - before
    assert counted.compilations + counted.disk_hits == 0, counted
    assert counted.dispatches == 4  # forward, then the rest, for each of two batches
    forward, rest = [
        [plan.name for plan in program.plans()] for program in torch.core.program.programs()[-2:]
    ]
    assert sum("conv" in name and "backward" not in name for name in forward) == 5
    assert not any("conv" in name and "backward" not in name for name in rest)
    assert not any(name == "batch_norm" for name in rest)


def test_reading_between_gives_the_same_training():
    results = []
    for read_between in (False, True):
        torch.manual_seed(0)
        net = residual_net()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        results.append(train_epoch(net, loader(24, 8), optimizer, read_between=read_between))
    assert np.allclose(*results, rtol=1e-5)


def test_eager_mode_gives_the_same_training():
    results = []
    for is_eager in (False, True):
        torch.manual_seed(0)
        net = mlp()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        batches = loader(16, 8)
        if is_eager:
            with torch.eager():
                results.append(train_epoch(net, batches, optimizer))
        else:
            results.append(train_epoch(net, batches, optimizer))
    assert np.allclose(*results, rtol=1e-5)
