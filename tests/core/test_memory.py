"""Nothing leaks: a short form of `python -m bench leaks`."""

import gc

import jax
import numpy as np
import psutil

import taowa as torch
from bench import leaks
from taowa import nn
from taowa.config import config
from taowa.core.program import programs


def alive():
    gc.collect()
    return len(jax.live_arrays())


def test_steps_keep_the_number_of_live_buffers():
    net = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.AdamW(net.parameters())
    x = torch.ones(4, 8)
    total, counts, graph_sizes = 0, [], []
    for step in range(120):
        optimizer.zero_grad()
        loss = net(x).pow(2).sum()
        loss.backward()
        optimizer.step()
        total += loss
        if step in (20, 119):
            counts.append(alive())
            graph_sizes.append(sum(type(o).__name__ == "Node" for o in gc.get_objects()))
    assert counts[0] == counts[1]
    assert abs(graph_sizes[1] - graph_sizes[0]) <= 2
    assert np.isfinite(total.item())


def test_many_shapes_keep_a_bounded_number_of_programs(monkeypatch):
    monkeypatch.setattr(config, "max_programs", 8)
    for n in range(1, 21):
        (torch.ones(n) * 2).sum().item()
    assert len(programs()) <= 8


def test_short_form_of_the_leak_measurement():
    start, end = leaks.steps(count=300)
    assert end < start * 1.02 + 5


def test_resident_memory_is_measured_in_megabytes():
    assert 0 < leaks.rss_mb() < psutil.virtual_memory().total / 2**20


def test_each_parameter_is_updated_in_its_own_buffer():
    params = [torch.ones(64, requires_grad=True) for _ in range(3)]
    optimizer = torch.optim.SGD(params, lr=0.1, momentum=0.9)

    def step():
        optimizer.zero_grad()
        sum((p * p).sum() for p in params).backward()
        optimizer.step()

    def places():
        held = [*params, *(optimizer.state[p]["momentum_buffer"] for p in params)]
        return [t._storage.node.array.unsafe_buffer_pointer() for t in held]

    for _ in range(3):
        step()
    before = places()
    for _ in range(2):
        step()
    assert places() == before
