"""Timing two things in turn, so that a machine whose speed drifts treats both alike."""

import time
from dataclasses import dataclass

import numpy as np

SETTLE_SECONDS = 0.05  # lets the other side's worker threads fall asleep


@dataclass
class Ratio:
    """Seconds of A and B, and the quartiles of A / B over all pairs."""

    a_seconds: float
    b_seconds: float
    low: float
    median: float
    high: float

    def __str__(self):
        return (
            f"{self.a_seconds * 1e3:9.2f} ms {self.b_seconds * 1e3:9.2f} ms   "
            f"ratio {self.median:.2f} ({self.low:.2f} to {self.high:.2f})"
        )


def block_seconds(function, calls):
    """Seconds per call over one block of calls, after a pause and one call uncounted."""
    time.sleep(SETTLE_SECONDS)
    function()
    started = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - started) / calls


def compare(a, b, calls, blocks=15, warmup=3):
    """Time blocks of calls of `a` and `b` alternately."""
    for function in (a, b):
        for _ in range(warmup):
            function()
    pairs = np.array([[block_seconds(a, calls), block_seconds(b, calls)] for _ in range(blocks)])
    low, median, high = np.percentile(pairs[:, 0] / pairs[:, 1], [25, 50, 75])
    a_seconds, b_seconds = np.median(pairs, axis=0)
    return Ratio(a_seconds, b_seconds, low, median, high)
