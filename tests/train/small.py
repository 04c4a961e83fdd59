"""A training run that takes milliseconds."""

import numpy as np

import taowa
from taowa import nn, optim
from taowa.core.tensor import from_array
from taowa.train import Trainer
from taowa.utils.data import DataLoader, TensorDataset


def data(num_samples=20, seed=0):
    """Points whose class is the largest of their three coordinates."""
    points = np.random.RandomState(seed).randn(num_samples, 3).astype(np.float32)
    return TensorDataset(from_array(points), from_array(points.argmax(1)))


def trainer(epochs=3, seed=1, lr=0.1, observers=()):
    """Five batches of four, dropout included, so that every kind of randomness matters."""
    taowa.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))
    optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    loader = DataLoader(data(), 4, shuffle=True, drop_last=True)
    return Trainer(
        model, optimizer, loader, DataLoader(data(12, seed=1), 6),
        epochs=epochs, observers=observers,
        scheduler=optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * 5),
    )  # fmt: skip


def figures(record):
    """What must be the same on every machine at every speed."""
    return (
        record.epoch, record.train_loss, record.train_accuracy,
        record.test_loss, record.test_accuracy, record.lr,
    )  # fmt: skip
