"""The report of a training run on a terminal: the same table in colour, above a live bar."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from taowa.train.loop import Trainer
from taowa.train.report import GAP, PlainReport

__all__ = ["TerminalReport"]


class TerminalReport(PlainReport):
    """Print a line for every epoch, and show how far the running one is.

    Args:
        facts: What stands above the table, by label.
        console: Where to.
    """

    def __init__(self, facts: Mapping[str, str], console: Console):
        super().__init__(facts)
        self._console = console
        self._bar = Progress(
            SpinnerColumn(style="cyan"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20, complete_style="cyan", finished_style="cyan"),
            TextColumn("{task.fields[figures]}", style="dim"),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("", total=None, figures="")
        self._first_epoch = 0

    def started(self, trainer: Trainer) -> None:
        """Print the facts. The bar appears after the first step, which has to be compiled."""
        super().started(trainer)
        self._first_epoch = trainer.epoch

    def stepped(self, trainer: Trainer) -> None:
        """Move the bar on; take it away before the first test, which has to be compiled."""
        self.count_step()
        total = len(trainer.train_loader)
        is_testing = trainer.batch == total
        if is_testing and trainer.epoch == self._first_epoch:
            self._bar.stop()
            return
        self._bar.start()
        self._bar.update(
            self._task,
            description="testing" if is_testing else f"epoch {trainer.epoch + 1}/{trainer.epochs}",
            completed=trainer.batch,
            total=total,
            figures=GAP.join(self.running_figures(trainer)),
        )

    def stopped(self, trainer: Trainer) -> None:
        """Take the bar away and print the end."""
        self.close()
        super().stopped(trainer)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.stop()

    def line(self, spans: list[tuple[str, str]]) -> None:
        """Print pieces of text, each with its style, as one line."""
        self._console.print(Text.assemble(*spans), highlight=False)
