"""What a person sees of a training run: a table that grows by a line for every epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from taowa.train.loop import Clock, EpochRecord, Observer, Trainer

__all__ = ["PlainReport"]

SECONDS_BETWEEN_LINES = 30.0  # within long epochs, where there is no terminal
BEST = "*"


class _Column(NamedTuple):
    title: str
    width: int
    style: str
    text: Callable[[EpochRecord, int], str]


_COLUMNS = (
    _Column("epoch", 7, "", lambda r, total: f"{r.epoch}/{total}"),
    _Column("train loss", 10, "dim", lambda r, _: f"{r.train_loss:.4f}"),
    _Column("train acc", 10, "dim", lambda r, _: percent(r.train_accuracy)),
    _Column("test loss", 10, "", lambda r, _: f"{r.test_loss:.4f}"),
    _Column("test acc", 10, "bold", lambda r, _: percent(r.test_accuracy)),
    _Column("images/s", 8, "dim", lambda r, _: f"{r.images_per_second:,.0f}"),
    _Column("time", 8, "dim", lambda r, _: duration(r.seconds)),
)
GAP = "  "


def percent(share: float) -> str:
    """Return a share as text.

    Example:
        >>> percent(0.98611)
        '98.61 %'
    """
    return f"{100 * share:.2f} %"


def duration(seconds: float) -> str:
    """Return a time span as text.

    Example:
        >>> duration(4.4), duration(64), duration(3725)
        ('4.4 s', '1:04', '1:02:05')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class PlainReport(Observer):
    """Print a line for every epoch, and in long epochs one every half minute.

    Args:
        facts: What stands above the table, by label.
        write: Takes one line.
        now: Returns seconds, from any beginning.
    """

    def __init__(
        self,
        facts: Mapping[str, str],
        write: Callable[[str], Any] = print,
        now: Callable[[], float] = time.perf_counter,
    ):
        self.facts = facts
        self.write = write
        self._now = now
        self._clock = Clock(now)
        self._written_at = now()
        self.num_steps = 0

    def started(self, trainer: Trainer) -> None:
        """Print the facts."""
        for label, text in self.facts.items():
            self.line([(f"{label:<10}", "dim"), (text, "")])
        self.line([])
        self._clock = Clock(self._now)
        self._written_at = self._now()

    def stepped(self, trainer: Trainer) -> None:
        """Print how far it is, if nothing was printed for half a minute."""
        self.count_step()
        if self._now() - self._written_at >= SECONDS_BETWEEN_LINES:
            total = len(trainer.train_loader)
            where = f"epoch {trainer.epoch + 1}, step {trainer.batch}/{total}"
            self.line([(GAP.join([where, *self.running_figures(trainer)]), "dim")])

    def epoch_ended(self, trainer: Trainer, record: EpochRecord) -> None:
        """Print the epoch's line, with a mark if no epoch was better."""
        cells = [(c.text(record, trainer.epochs), c) for c in _COLUMNS]
        spans = [(f"{text:>{c.width}}{GAP}", c.style) for text, c in cells]
        mark = BEST if trainer.best is record else ""
        self.line([*spans, (mark, "bold green")])

    def stopped(self, trainer: Trainer) -> None:
        """Print the best accuracy, and how to go on if the run was stopped early."""
        self.line([])
        if not trainer.is_complete:
            step = f"step {trainer.batch}/{len(trainer.train_loader)}"
            self.line([(f"stopped in epoch {trainer.epoch + 1} after {step}", "bold")])
        if trainer.best is not None:
            spent, compiling = duration(self._clock.seconds), self._clock.compile_seconds
            spent += f", {duration(compiling)} of it compiling" if compiling >= 1 else ""
            found = f"{percent(trainer.best.test_accuracy)} test accuracy"
            self.line([(found, "bold green"), (f" in epoch {trainer.best.epoch}; {spent}", "")])

    def count_step(self) -> None:
        """Count one more step; the first prints the table's head, below what compiling said."""
        self.num_steps += 1
        if self.num_steps == 1:
            self.line([(GAP.join(f"{c.title:>{c.width}}" for c in _COLUMNS), "dim")])

    def running_figures(self, trainer: Trainer) -> list[str]:
        """Return loss, accuracy, speed and the time left, as seen so far."""
        score, clock = trainer.tally.score(), trainer.clock
        total = len(trainer.train_loader)
        left = (trainer.epochs - trainer.epoch) * total - trainer.batch
        rate = trainer.tally.num_samples / clock.running_seconds
        return [
            f"loss {score.loss:.4f}",
            f"acc {percent(score.accuracy)}",
            f"{rate:,.0f} images/s",
            f"{duration(left * self._clock.running_seconds / max(self.num_steps, 1))} left",
        ]

    def line(self, spans: list[tuple[str, str]]) -> None:
        """Print pieces of text, each with its style, as one line."""
        self.write("".join(text for text, _ in spans).rstrip())
        self._written_at = self._now()

    def close(self) -> None:
        """Do nothing: there is no live part."""
