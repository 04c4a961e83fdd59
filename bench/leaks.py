"""Memory over time: 10,000 steps, 10,000 running sums never read, 500 input shapes."""

import gc
import sys

import numpy as np
import psutil

import taowa as torch
from bench.networks import Training
from taowa.core.program import programs


def rss_mb():
    gc.collect()
    return psutil.Process().memory_info().rss / 2**20


def steps(count=10_000):
    """RSS after the warm-up and after `count` steps."""
    training = Training(torch, "mlp")
    for _ in range(count // 10):
        training.step()
    start = rss_mb()
    for _ in range(count):
        training.step()
    return start, rss_mb()


def sums_never_read(count=10_000):
    """The same with `total += loss`, whose value nobody asks for."""
    training = Training(torch, "mlp")
    total = 0

    def step():
        training.optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(training.net(training.x), training.y)
        loss.backward()
        training.optimizer.step()
        return loss

    for _ in range(count // 10):
        total += step()
    start = rss_mb()
    for _ in range(count):
        total += step()
    end = rss_mb()
    assert np.isfinite(total.item())
    return start, end


def shapes(count=500):
    """RSS after the cache of programs is full once, and after `count` shapes."""
    net = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    readings = []
    for n in range(1, count + 1):
        with torch.no_grad():
            net(torch.ones(n, 8)).sum().item()
        if n % (count // 10) == 0:
            readings.append(rss_mb())
    return readings


def main(count=10_000):
    for name, measure in (("steps", steps), ("sums never read", sums_never_read)):
        start, end = measure(count)
        change = (end / start - 1) * 100
        print(
            f"{count} {name}: {start:.0f} MB -> {end:.0f} MB ({change:+.2f} %)   budget 2 %",
            flush=True,
        )
    readings = shapes()
    print("500 shapes, MB after every 50:", " ".join(f"{r:.0f}" for r in readings),
          f"({len(programs())} programs in memory)")  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 10_000)
