"""A training run in a few values, and the trainer made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from taowa.core.random import manual_seed
from taowa.models.registry import get_model, get_model_builder
from taowa.nn.functional import cross_entropy
from taowa.nn.module import Module
from taowa.optim import SGD, Adam, AdamW, Optimizer
from taowa.optim.lr_scheduler import CosineAnnealingLR
from taowa.train.data import SOURCES, ImageData
from taowa.train.loop import Trainer
from taowa.utils.data import DataLoader

__all__ = ["OPTIMIZERS", "Recipe", "data_for", "trainer_for"]

MOMENTUM = 0.9


class _Choice(NamedTuple):
    make: Callable[..., Optimizer]
    lr: float
    weight_decay: float


def _sgd(params: Any, **options: Any) -> SGD:
    return SGD(params, momentum=MOMENTUM, **options)


OPTIMIZERS = {
    "sgd": _Choice(_sgd, lr=0.03, weight_decay=5e-3),
    "adam": _Choice(Adam, lr=3e-3, weight_decay=0.0),
    "adamw": _Choice(AdamW, lr=3e-3, weight_decay=1e-2),
}
WITHOUT_NORMALISATION = ("lenet5", "mlp")  # in a few epochs, SGD brings these nowhere


@dataclass(frozen=True)
class Recipe:
    """Say how to train: which network on which data, and with what.

    The learning rate falls from `lr` to 0 along half a cosine, step by step.

    Args:
        model: One of `taowa.models.list_models()`.
        data: One of `taowa.train.SOURCES`.
        optimizer: `"sgd"` (with momentum 0.9), `"adam"` or `"adamw"`. `None` = SGD, but Adam for
            networks without normalisation.
        lr: Highest learning rate. `None` = the optimiser's own: 0.03 for SGD, 0.003 for the others.
        weight_decay: `None` = the optimiser's own: 0.005 for SGD, 0 for Adam, 0.01 for AdamW.
        label_smoothing: Share of every label that is spread over all classes, below 1.
        seed: Fixes the initial weights and the order of the samples.
    Raises:
        ValueError: if a name is unknown or a number out of range.
    Example:
        >>> recipe = Recipe(model="mlp")
        >>> recipe.optimizer, recipe.lr, recipe.weight_decay
        ('adam', 0.003, 0.0)
    """

    model: str = "resnet18"
    data: str = "digits"
    epochs: int = 12
    batch_size: int = 64
    optimizer: str | None = None
    lr: float | None = None
    weight_decay: float | None = None
    label_smoothing: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        get_model_builder(self.model)
        _require_known("data", self.data, SOURCES)
        self._fill("optimizer", "adam" if self.model in WITHOUT_NORMALISATION else "sgd")
        _require_known("optimizer", self.optimizer, OPTIMIZERS)
        choice = OPTIMIZERS[str(self.optimizer)]
        self._fill("lr", choice.lr)
        self._fill("weight_decay", choice.weight_decay)
        _require_at_least("epochs", self.epochs, 1)
        _require_at_least("batch_size", self.batch_size, 2)  # batch-norm needs two samples
        _require_at_least("lr", self.lr, 0)
        _require_at_least("weight_decay", self.weight_decay, 0)
        _require_at_least("seed", self.seed, 0)
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing is {self.label_smoothing}, expected from 0 to 1")

    def _fill(self, name: str, default: Any) -> None:
        if getattr(self, name) is None:
            object.__setattr__(self, name, default)


def _require_known(name: str, value: Any, known: Any) -> None:
    if value not in known:
        raise ValueError(f"{name} is {value!r}, expected one of {', '.join(known)}")


def _require_at_least(name: str, value: Any, lowest: float) -> None:
    if not lowest <= value < float("inf"):
        raise ValueError(f"{name} is {value}, expected at least {lowest}")


def data_for(recipe: Recipe) -> ImageData:
    """Load the recipe's images.

    Raises:
        ValueError: if a batch is larger than the training set.
        DataError: if they are not there.
    """
    data = SOURCES[recipe.data]()
    if recipe.batch_size > len(data.train):
        raise ValueError(
            f"batch_size is {recipe.batch_size}, expected at most {len(data.train)}, "
            f"the number of training images of {recipe.data}"
        )
    return data


def trainer_for(recipe: Recipe, data: ImageData) -> Trainer:
    """Build the recipe's network, optimiser, schedule and loaders, from its seed."""
    manual_seed(recipe.seed)
    model = _model(recipe, data)
    optimizer = OPTIMIZERS[str(recipe.optimizer)].make(
        model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay
    )
    # Every batch has one size, so that one program does every step.
    train_loader = DataLoader(data.train, recipe.batch_size, shuffle=True, drop_last=True)
    test_loader = DataLoader(data.test, even_batch_size(len(data.test), recipe.batch_size))
    num_steps = recipe.epochs * len(train_loader)
    return Trainer(
        model, optimizer, train_loader, test_loader,
        epochs=recipe.epochs, scheduler=CosineAnnealingLR(optimizer, num_steps),
        loss_fn=partial(cross_entropy, label_smoothing=recipe.label_smoothing),
    )  # fmt: skip


def _model(recipe: Recipe, data: ImageData) -> Module:
    return get_model(
        recipe.model,
        num_classes=data.num_classes,
        in_channels=data.in_channels,
        image_size=data.image_size,
    )


def even_batch_size(num_samples: int, at_most: int) -> int:
    """Return a batch size that divides the samples evenly, or `at_most` if none near it does.

    Example:
        >>> even_batch_size(360, 64), even_batch_size(359, 64)
        (60, 64)
    """
    largest = min(at_most, num_samples)
    sizes = range(largest, largest // 2, -1)
    return next((size for size in sizes if num_samples % size == 0), largest)
