"""Between convolutions nothing is transposed: read from the compiled program of a training step."""

import re

import numpy as np
import pytest

import taowa
from taowa.config import config
from taowa.core.program import programs
from taowa.kernels.shared_library import kernels
from taowa.nn import functional as F

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not kernels.is_available(), reason="the kernels are not built"),
]
N, C, H, W = 4, 24, 14, 18


class Block(taowa.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = taowa.nn.Conv2d(C, C, 3, padding=1, bias=False)
        self.bn1 = taowa.nn.BatchNorm2d(C)
        self.conv2 = taowa.nn.Conv2d(C, C, 3, padding=1, bias=False)
        self.bn2 = taowa.nn.BatchNorm2d(C)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + x)


def step_of(blocks):
    """Forward and backward of a small residual network."""
    nn = taowa.nn
    net = nn.Sequential(
        nn.Conv2d(3, C, 3, padding=1, bias=False), nn.BatchNorm2d(C), nn.ReLU(),
        *[Block() for _ in range(blocks)], nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(C, 5),
    )  # fmt: skip
    x = taowa.tensor(np.random.default_rng(0).standard_normal((N, 3, H, W), dtype=np.float32))
    loss = F.cross_entropy(net(x), taowa.tensor([0, 1, 2, 3]))
    loss.backward()
    return [loss, *(p.grad for p in net.parameters())]


def test_between_convolutions_nothing_is_transposed(monkeypatch):
    monkeypatch.setattr(config, "cache_folder", None)
    results = step_of(blocks=2)
    assert np.isfinite(results[0].item())
    step = max(programs(), key=lambda program: program.last_run)
    text = step.call.as_text()
    entry = text[text.index("ENTRY") :]
    assert f"f32[{N},{H},{W},{C}]{{3,2,1,0}} custom-call" in entry
    # A value in memory that is channels-first would be transposed for the kernel that reads it.
    assert not re.findall(rf"= \w+\[{N},{C},{H},{W}\]\{{3,2,1,0[^}}]*\}} .*", entry)
    sizes = rf"(?:{N},{H},{W},{C}|{N},{C},{H},{W})"
    assert not re.findall(rf"= \w+\[{sizes}\]\S* (?:copy|transpose)\(.*", entry)
