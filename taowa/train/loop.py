"""The training loop: epochs of steps, an evaluation after each, observers that are told."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from taowa.core import journal
from taowa.core.grad_mode import no_grad
from taowa.core.random import get_rng_state, set_rng_state
from taowa.core.tensor import Tensor
from taowa.nn.functional import cross_entropy
from taowa.nn.module import Module
from taowa.train.tally import Score, Tally

__all__ = ["EpochRecord", "Observer", "Trainer", "evaluate"]

LossFunction = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch gave.

    Attributes:
        epoch: Its number, from 1.
        train_loss: Mean over the epoch's training samples, as seen while training.
        train_accuracy: From 0 to 1, likewise.
        test_loss: Mean over the test samples after the epoch.
        test_accuracy: From 0 to 1, likewise.
        lr: The learning rate of the epoch's last step.
        images_per_second: While training, without compiling and evaluating.
        seconds: Of the whole epoch.
        compile_seconds: Of these, spent compiling.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    lr: float
    images_per_second: float
    seconds: float
    compile_seconds: float


class Observer:
    """Base class of what is told how a training run goes. Each method does nothing by default."""

    def started(self, trainer: Trainer) -> None:
        """Take note that the first epoch is about to begin."""

    def stepped(self, trainer: Trainer) -> None:
        """Take note of one more training step."""

    def epoch_ended(self, trainer: Trainer, record: EpochRecord) -> None:
        """Take note of an epoch that is complete, with its evaluation."""

    def stopped(self, trainer: Trainer) -> None:
        """Take note of the end: all epochs are done, or the run was asked to stop."""


class Clock:
    """Measure time apart from compiling.

    Args:
        now: Returns seconds, from any beginning.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter):
        self._now = now
        self._started = now()
        self._compiled = journal.counters.compile_seconds

    @property
    def seconds(self) -> float:
        """Since the clock was made."""
        return self._now() - self._started

    @property
    def compile_seconds(self) -> float:
        """Of these, spent compiling programs or loading them from disk."""
        return journal.counters.compile_seconds - self._compiled

    @property
    def running_seconds(self) -> float:
        """Of these, not spent compiling."""
        return max(self.seconds - self.compile_seconds, 1e-9)


def _never() -> bool:
    return False


def evaluate(
    model: Module,
    loader: Iterable[Any],
    loss_fn: LossFunction = cross_entropy,
    should_stop: Callable[[], bool] = _never,
) -> Score | None:
    """Return a classifier's mean loss and accuracy, in evaluation mode and without gradients.

    The model's mode is as it was afterwards.

    Args:
        loader: Yields `(inputs, labels)`, labels `(N,)`.
        should_stop: Asked after every batch; once it says so, the result is `None`.
    Example:
        >>> import taowa
        >>> from taowa import nn
        >>> batch = taowa.eye(3), taowa.tensor([0, 1, 0])
        >>> evaluate(nn.Identity(), [batch]).accuracy
        0.6666666666666666
    """
    was_training = model.training
    model.eval()
    tally = Tally()
    try:
        with no_grad():
            for inputs, labels in loader:
                scores = model(inputs)  # (N, num_classes)
                tally.add(loss_fn(scores, labels), _num_correct(scores, labels), len(labels))
                if should_stop():
                    return None
    finally:
        model.train(was_training)
    tally.settle()
    return tally.score()


def _num_correct(scores: Tensor, labels: Tensor) -> Tensor:
    return (scores.argmax(1) == labels).sum()


class Trainer:
    """Train a classifier, evaluate it after every epoch, and be able to go on from any step.

    Args:
        model: From inputs to scores `(N, num_classes)`.
        optimizer: Over the model's parameters.
        train_loader: Yields `(inputs, labels)`, has a length, shuffles by the default generator.
        test_loader: Yields `(inputs, labels)`.
        epochs: How many in all.
        scheduler: Its `step()` is called after every training step.
        loss_fn: From scores and labels to the mean loss.
        observers: Told in this order.
    Attributes:
        epoch: How many epochs are complete.
        batch: How many steps of the next epoch are.
        history: The complete epochs' records.
        tally: The running epoch's losses and hits.
        clock: Since the running epoch began, or went on.
        is_stopping: Whether somebody asked to stop; the step under way is finished.
    Example:
        >>> import taowa
        >>> from taowa import nn, optim
        >>> batch = taowa.eye(3), taowa.tensor([0, 1, 2])
        >>> model = nn.Linear(3, 3)
        >>> optimizer = optim.SGD(model.parameters(), lr=1.0)
        >>> trainer = Trainer(model, optimizer, [batch] * 20, [batch], epochs=2)
        >>> trainer.fit()
        >>> [record.test_accuracy for record in trainer.history]
        [1.0, 1.0]
    """

    def __init__(
        self,
        model: Module,
        optimizer: Any,
        train_loader: Any,
        test_loader: Iterable[Any],
        *,
        epochs: int,
        scheduler: Any = None,
        loss_fn: LossFunction = cross_entropy,
        observers: Sequence[Observer] = (),
    ):
        self.model = model
        self.optimizer = optimizer
        self.train_loader = train_loader
        self.test_loader = test_loader
        self.epochs = epochs
        self.scheduler = scheduler
        self.loss_fn = loss_fn
        self.observers = list(observers)
        self.epoch = 0
        self.batch = 0
        self.history: list[EpochRecord] = []
        self.tally = Tally()
        self.clock = Clock()
        self.is_stopping = False
        self._last_lr = math.nan
        self._rng_at_epoch_start: Tensor | None = None

    # -- the loop -----------------------------------------------------------------------------

    def fit(self) -> None:
        """Run the epochs that are left, or up to the step at which somebody asks to stop.

        Raises:
            FloatingPointError: if the loss is no longer a finite number.
        """
        for observer in self.observers:
            observer.started(self)
        while self.epoch < self.epochs and not self.is_stopping:
            record = self._run_epoch()
            if record is not None:
                self._complete_epoch(record)
        for observer in self.observers:
            observer.stopped(self)

    def stop(self) -> None:
        """Ask the run to stop after the step under way."""
        self.is_stopping = True

    def _run_epoch(self) -> EpochRecord | None:
        """Train and evaluate; `None` when asked to stop before the end."""
        batches = self._remaining_batches()
        self.clock = Clock()
        self.model.train()
        num_before = self.tally.num_samples
        for inputs, labels in batches:
            self._train_step(inputs, labels)
            self.batch += 1
            for observer in self.observers:
                observer.stepped(self)
            if self.is_stopping:
                break
        self.tally.settle()
        self._require_finite_loss()
        rate = (self.tally.num_samples - num_before) / self.clock.running_seconds
        if self.is_stopping:
            return None
        score = evaluate(self.model, self.test_loader, self.loss_fn, lambda: self.is_stopping)
        return None if score is None else self._record(score, rate)

    def _train_step(self, inputs: Tensor, labels: Tensor) -> None:
        """Improve the model by one batch: all of it is one program."""
        self.optimizer.zero_grad()
        scores = self.model(inputs)  # (N, num_classes)
        loss = self.loss_fn(scores, labels)
        num_correct = _num_correct(scores, labels)
        loss.backward()
        self.optimizer.step()
        self._last_lr = float(self.optimizer.param_groups[0]["lr"])
        if self.scheduler is not None:
            self.scheduler.step()
        self.tally.add(loss, num_correct, len(labels))
        self._require_finite_loss()

    def _require_finite_loss(self) -> None:
        if not math.isfinite(self.tally.loss_sum):
            raise FloatingPointError(
                f"the loss became {self.tally.last_loss} in epoch {self.epoch + 1}, "
                f"near step {self.batch}; a lower learning rate may help"
            )

    def _record(self, score: Score, images_per_second: float) -> EpochRecord:
        trained = self.tally.score()
        return EpochRecord(
            epoch=self.epoch + 1,
            train_loss=trained.loss,
            train_accuracy=trained.accuracy,
            test_loss=score.loss,
            test_accuracy=score.accuracy,
            lr=self._last_lr,
            images_per_second=images_per_second,
            seconds=self.clock.seconds,
            compile_seconds=self.clock.compile_seconds,
        )

    def _complete_epoch(self, record: EpochRecord) -> None:
        self.history.append(record)
        self.epoch, self.batch, self.tally = self.epoch + 1, 0, Tally()
        for observer in self.observers:
            observer.epoch_ended(self, record)

    # -- what observers ask ---------------------------------------------------------------------

    @property
    def best(self) -> EpochRecord | None:
        """The first of the epochs with the highest test accuracy."""
        return max(self.history, key=lambda record: record.test_accuracy, default=None)

    @property
    def is_complete(self) -> bool:
        """Whether all epochs are done."""
        return self.epoch >= self.epochs

    # -- going on from a checkpoint ---------------------------------------------------------------

    def _remaining_batches(self) -> Iterator[Any]:
        """Return the batches of this epoch that are still to come.

        In the middle of an epoch the loader is asked again from the epoch's own random state, and
        the batches that were already used are skipped: what follows is as if nothing had happened.
        """
        if self.batch == 0 or self._rng_at_epoch_start is None:
            self._rng_at_epoch_start = get_rng_state()
            return iter(self.train_loader)
        rng_now = get_rng_state()
        set_rng_state(self._rng_at_epoch_start)
        batches = iter(self.train_loader)
        for _ in islice(batches, self.batch):
            pass
        set_rng_state(rng_now)
        return batches

    def state_dict(self) -> dict[str, Any]:
        """Return all that going on from here needs, as plain data and tensors."""
        self.tally.settle()
        scheduler = self.scheduler
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": None if scheduler is None else scheduler.state_dict(),
            "epoch": self.epoch,
            "batch": self.batch,
            "tally": self.tally.state_dict(),
            "history": [asdict(record) for record in self.history],
            "last_lr": self._last_lr,
            "rng": get_rng_state(),
            "rng_at_epoch_start": self._rng_at_epoch_start,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state_dict` was taken; `fit` then continues bit for bit."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state["scheduler"])
        self.epoch, self.batch = state["epoch"], state["batch"]
        self.tally.load_state_dict(state["tally"])
        self.history = [EpochRecord(**record) for record in state["history"]]
        self._last_lr = state["last_lr"]
        self._rng_at_epoch_start = state["rng_at_epoch_start"]
        set_rng_state(state["rng"])
