"""A run's folder: checkpoints, numbers and curves, each file written whole or not at all."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from taowa.errors import CheckpointError, LoadError
from taowa.io import load, save
from taowa.io.atomic import replacing
from taowa.train.curves import curves_png
from taowa.train.loop import EpochRecord, Observer, Trainer

__all__ = ["RunFolder", "new_folder"]

REDRAW_SECONDS = 10.0  # the curves are not drawn more often than that while training


def new_folder(parent: Path, name: str) -> Path:
    """Make and return a new folder `parent/name`, or `name-2`, `name-3`, ... if that is taken.

    Raises:
        CheckpointError: if it cannot be made.
    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as parent:
        ...     [new_folder(Path(parent), "mlp").name for _ in range(3)]
        ['mlp', 'mlp-2', 'mlp-3']
    """
    number = 1
    while True:
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if not parent.is_dir():
                raise CheckpointError(f"{parent} is not a folder") from None
            number += 1
        except OSError as error:
            raise CheckpointError(f"{folder} cannot be made: {error.strerror}") from error
        else:
            return folder


class RunFolder(Observer):
    """Keep a training run on disk.

    | file | what |
    |---|---|
    | `config.json` | how the run was started |
    | `last.pth` | everything that going on needs (`Trainer.state_dict`) |
    | `best.pth` | the model's state dict after the epoch with the highest test accuracy |
    | `metrics.jsonl` | one line of numbers for each epoch |
    | `curves.png` | the same as a picture, if Matplotlib is installed |

    Args:
        path: An existing folder.
    """

    def __init__(self, path: Path):
        self.path = path
        self._drawn_at = -REDRAW_SECONDS

    def write_config(self, config: dict[str, Any]) -> None:
        """Write down how the run was started."""
        self._write("config.json", (json.dumps(config, indent=2) + "\n").encode())

    def read_config(self) -> dict[str, Any]:
        """Return what `write_config` wrote.

        Raises:
            LoadError: if there is none, or it is damaged.
        """
        path = self.path / "config.json"
        try:
            config = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise LoadError(f"{path} cannot be read, so {self.path} is no run: {error}") from error
        if not isinstance(config, dict):
            raise LoadError(f"{path} holds a {type(config).__name__}, expected an object")
        return config

    def restore(self, trainer: Trainer) -> None:
        """Let a trainer go on from the last checkpoint, or from the start if there is none."""
        path = self.path / "last.pth"
        if path.exists():
            trainer.load_state_dict(load(path))

    def epoch_ended(self, trainer: Trainer, record: EpochRecord) -> None:
        """Write everything anew; the best weights only if these are."""
        self._write_metrics(trainer.history)
        save(trainer.state_dict(), self.path / "last.pth")
        if trainer.best is record:
            save(trainer.model.state_dict(), self.path / "best.pth")
        if time.monotonic() - self._drawn_at >= REDRAW_SECONDS:
            self._draw(trainer.history)

    def stopped(self, trainer: Trainer) -> None:
        """Save the step at which the run was stopped, and draw the last epochs."""
        if not trainer.is_complete:
            save(trainer.state_dict(), self.path / "last.pth")
        self._draw(trainer.history)

    def files(self) -> list[str]:
        """Return the names of the files that are there, in the order of the table above."""
        names = ("config.json", "last.pth", "best.pth", "metrics.jsonl", "curves.png")
        return [name for name in names if (self.path / name).exists()]

    def _write_metrics(self, history: Sequence[EpochRecord]) -> None:
        lines = [json.dumps(asdict(record)) + "\n" for record in history]
        self._write("metrics.jsonl", "".join(lines).encode())

    def _draw(self, history: Sequence[EpochRecord]) -> None:
        picture = curves_png(history, title=self.path.name) if history else None
        if picture is not None:
            self._write("curves.png", picture)
        self._drawn_at = time.monotonic()

    def _write(self, name: str, content: bytes) -> None:
        with replacing(self.path / name, expected_bytes=len(content)) as file:
            file.write(content)
