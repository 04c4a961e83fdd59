"""The engine's own costs: recording, key building, import."""

import statistics
import subprocess
import sys
import time

import taowa
from bench.networks import Training
from taowa.core import program
from taowa.core.context import context


def recording_us(samples=3000):
    """Median microseconds to record one operation, with and without the tape."""
    x, y = taowa.ones(8, 8), taowa.ones(8, 8)
    w = taowa.ones(8, 8, requires_grad=True)
    cases = {
        "x + y": lambda: x + y,
        "x * 2.0": lambda: x * 2.0,
        "w * y (on the tape)": lambda: w * y,
        "matmul(w, y)": lambda: taowa.matmul(w, y),
        "relu(w)": lambda: taowa.relu(w),
        "w.sum(1)": lambda: w.sum(1),
    }
    return {name: _median_us(case, samples) for name, case in cases.items()}


def _median_us(case, samples):
    case()
    seconds = []
    for _ in range(samples):
        started = time.perf_counter()
        kept = case()
        seconds.append(time.perf_counter() - started)
        del kept
    taowa.flush()
    return statistics.median(seconds) * 1e6


def key_us_per_node(name="resnet18", samples=5):
    """Median microseconds per node to find what is wanted and build the key, of a whole step."""
    training = Training(taowa, name, shape=(2, 3, 32, 32) if name == "resnet18" else None)
    training.step()
    seconds, original = [], program.Work

    def timed(pending):
        started = time.perf_counter()
        work = original(pending)
        hash(work.key())
        seconds.append((time.perf_counter() - started) / max(len(work.nodes), 1))
        return work

    program.Work = timed
    try:
        for _ in range(samples):
            training.step()
    finally:
        program.Work = original
    return statistics.median(seconds) * 1e6


def import_ratio(pairs=9):
    """Seconds of `import taowa` and of `import jax`, alternately in fresh processes."""
    ours, theirs = [], []
    for _ in range(pairs):
        ours.append(_import_seconds("taowa"))
        theirs.append(_import_seconds("jax"))
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return statistics.median(ours), statistics.median(theirs), statistics.median(ratios)


def _import_seconds(name):
    code = f"import time; t = time.perf_counter(); import {name}; print(time.perf_counter() - t)"
    return float(subprocess.check_output([sys.executable, "-c", code], text=True))


def main():
    for name, microseconds in recording_us().items():
        print(f"record {name:22} {microseconds:6.2f} us   budget 4")
    for name in ("mlp", "resnet18"):
        print(f"key per node, {name:15} {key_us_per_node(name):6.2f} us   budget 1.5")
    ours, theirs, ratio = import_ratio()
    print(f"import taowa {ours:.2f} s, import jax {theirs:.2f} s, ratio {ratio:.2f}   budget 1.2")
    assert not context().pending


if __name__ == "__main__":
    main()
