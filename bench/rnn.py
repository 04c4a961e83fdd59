"""Recurrent networks: taowa against PyTorch eager, alternately, one source."""

import numpy as np
import torch

import taowa
from bench.pairs import compare

INPUTS, HIDDEN, LAYERS, BATCH, STEPS = 100, 256, 2, 32, 50
BUDGETS = {"train": 0.8, "eval": 1.0}


class Recurrent:
    """A recurrent network with its optimiser and a batch, ready to step; `torch` is either."""

    def __init__(self, torch, name):
        torch.manual_seed(0)
        self.torch = torch
        self.net = getattr(torch.nn, name)(INPUTS, HIDDEN, LAYERS)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.01)
        x = np.random.RandomState(0).randn(STEPS, BATCH, INPUTS).astype(np.float32)
        self.x = torch.tensor(x)

    def train(self):
        """One training step; the loss is read, so that it has happened."""
        self.optimizer.zero_grad()
        loss = self.net(self.x)[0].square().mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def eval(self):
        """One forward pass without gradients, its output read."""
        with self.torch.no_grad():
            return self.net(self.x)[0].numpy()


def main():
    """Print the ratios of a training step and of an evaluation."""
    print(f"{'':10} {'taowa':>12} {'PyTorch':>12}   ({INPUTS} -> {HIDDEN}, {LAYERS} layers, "
          f"batch {BATCH}, {STEPS} steps)")  # fmt: skip
    for name in ("LSTM", "GRU", "RNN"):
        for what, budget in BUDGETS.items():
            ours, theirs = (getattr(Recurrent(m, name), what) for m in (taowa, torch))
            ratio = compare(ours, theirs, 3, blocks=9)
            note = f"   budget {budget}" if name == "LSTM" else ""
            print(f"{name + ' ' + what:10} {ratio}{note}", flush=True)


if __name__ == "__main__":
    main()
