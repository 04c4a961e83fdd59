"""CPU kernels: GF/s of taowa's, XLA's and PyTorch's, measured in turn."""

import sys
from functools import partial

import jax
import numpy as np
import torch

from bench.pairs import block_seconds
from taowa.kernels.matmul import dot_p
from taowa.kernels.shared_library import kernels

BLOCKS = 9
BLOCK_SECONDS = 0.03
# (m, n, k, transpose_a, transpose_b): a layer forward, towards its weights, towards its input.
PRODUCTS = [
    (64, 300, 784, False, True),
    (300, 784, 64, True, False),
    (64, 784, 300, False, False),
    (64, 100, 300, False, True),
    (100, 300, 64, True, False),
    (64, 300, 100, False, False),
    (1024, 256, 256, False, True),
    (256, 256, 1024, True, False),
    (1024, 256, 256, False, False),
    (1024, 1024, 1024, False, False),
    (1024, 1024, 1024, False, True),
    (512, 3072, 768, False, True),
    (3072, 768, 512, True, False),
    (512, 768, 3072, False, False),
]


def xla_product(a, b, transpose_a, transpose_b):
    dims = (((0 if transpose_a else 1,), (1 if transpose_b else 0,)), ((), ()))
    return jax.lax.dot_general(a, b, dims, precision="highest")


def contestants(m, n, k, transpose_a, transpose_b):
    """One product as a call of each library."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((k, m) if transpose_a else (m, k), dtype=np.float32)
    b = rng.standard_normal((n, k) if transpose_b else (k, n), dtype=np.float32)
    flags = {"transpose_a": transpose_a, "transpose_b": transpose_b}
    ours = jax.jit(partial(dot_p.bind, **flags))
    xla = jax.jit(partial(xla_product, **flags))
    on_device = [jax.device_put(x) for x in (a, b)]
    x, y = torch.from_numpy(a), torch.from_numpy(b)
    x, y = x.T if transpose_a else x, y.T if transpose_b else y
    return (
        lambda: ours(*on_device).block_until_ready(),
        lambda: xla(*on_device).block_until_ready(),
        lambda: torch.mm(x, y),
    )


def rates(m, n, k, transpose_a, transpose_b):
    """GF/s of each library, one row for each block of calls in turn."""
    functions = contestants(m, n, k, transpose_a, transpose_b)
    work = 2 * m * n * k
    calls = max(2, int(BLOCK_SECONDS / (work / 100e9 + 5e-6)))
    blocks = [[block_seconds(f, calls) for f in functions] for _ in range(BLOCKS)]
    return work / np.array(blocks) * 1e-9


def main(names=()):
    print(f"{kernels}, PyTorch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"{'GF/s':24} {'taowa':>8} {'XLA':>8} {'PyTorch':>8}   taowa / PyTorch (quartiles)")
    for m, n, k, transpose_a, transpose_b in PRODUCTS:
        label = f"{m}x{k} @ {k}x{n} {'NT'[transpose_a]}{'NT'[transpose_b]}"
        rows = rates(m, n, k, transpose_a, transpose_b)
        low, middle, high = np.percentile(rows[:, 0] / rows[:, 2], [25, 50, 75])
        ours, xla, theirs = np.median(rows, axis=0)
        ratio = f"{middle:.2f} ({low:.2f} to {high:.2f})"
        print(f"{label:24} {ours:8.1f} {xla:8.1f} {theirs:8.1f}   {ratio}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
