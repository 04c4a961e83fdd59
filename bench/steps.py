"""Training steps: taowa against PyTorch eager, one source."""

import sys

import torch

import taowa
from bench.networks import Training
from bench.pairs import compare

CALLS = {"mlp": 100, "resnet18": 2}
BUDGETS = {"mlp": 0.8}


def main(names):
    print(f"{'training step':16} {'taowa':>12} {'PyTorch':>12}   (PyTorch {torch.__version__},"
          f" {torch.get_num_threads()} threads)")  # fmt: skip
    for name in names:
        ours, theirs = Training(taowa, name), Training(torch, name)
        ratio = compare(ours.step, theirs.step, CALLS[name], blocks=15 if name == "mlp" else 5)
        budget = f"   budget {BUDGETS[name]}" if name in BUDGETS else ""
        print(f"{name:16} {ratio}{budget}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or list(CALLS))
