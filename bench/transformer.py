"""A transformer encoder: taowa against PyTorch eager, alternately, one source."""

import numpy as np
import torch

import taowa
from bench.pairs import compare

LAYERS, FEATURES, HEADS, BATCH, LENGTH = 4, 256, 4, 16, 64
BUDGETS = {"train": 0.8, "eval": 1.0}


class Encoder:
    """An encoder with its optimiser and a batch, ready to step; `torch` is either library."""

    def __init__(self, torch, dropout=0.1, width=2048):
        torch.manual_seed(0)
        self.torch = torch
        layer = torch.nn.TransformerEncoderLayer(FEATURES, HEADS, width, dropout, batch_first=True)
        self.net = torch.nn.TransformerEncoder(layer, LAYERS)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.01)
        x = np.random.RandomState(0).randn(BATCH, LENGTH, FEATURES).astype(np.float32)
        self.x = torch.tensor(x)

    def train(self):
        """One training step; the loss is read, so that it has happened."""
        self.net.train()
        self.optimizer.zero_grad()
        loss = self.net(self.x).square().mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def eval(self):
        """One forward pass in evaluation without gradients, its output read."""
        self.net.eval()
        with self.torch.no_grad():
            return self.net(self.x).numpy()


def main():
    """Print the ratios of a training step and of an evaluation."""
    print(f"{'':20} {'taowa':>12} {'PyTorch':>12}   ({LAYERS} layers, d {FEATURES}, {HEADS} heads, "
          f"batch {BATCH} x {LENGTH})")  # fmt: skip
    for dropout in (0.1, 0.0):
        for what, budget in BUDGETS.items():
            ours, theirs = (getattr(Encoder(library, dropout), what) for library in (taowa, torch))
            ratio = compare(ours, theirs, 1, blocks=9)
            print(f"{what:6} dropout {dropout:3} {ratio}   budget {budget}", flush=True)


if __name__ == "__main__":
    main()
