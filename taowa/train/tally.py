"""Adding up losses and hits without making the next step wait for the last."""

from __future__ import annotations

import math
from collections import deque
from typing import Any, NamedTuple

from taowa.core.tensor import Tensor

__all__ = ["Score", "Tally"]

UNREAD_STEPS = 1  # so many steps may still be computing while the next is recorded


class Score(NamedTuple):
    """How well a network did on some samples.

    Attributes:
        loss: Mean over the samples.
        accuracy: Share of samples whose highest score is the right class, from 0 to 1.
    """

    loss: float
    accuracy: float


class Tally:
    """Add up each step's loss and hits, reading their values one step late.

    Example:
        >>> import taowa
        >>> tally = Tally()
        >>> tally.add(taowa.tensor(0.5), taowa.tensor(3), 4)
        >>> tally.add(taowa.tensor(0.1), taowa.tensor(4), 4)
        >>> tally.settle()
        >>> tally.score()
        Score(loss=0.30000000074505806, accuracy=0.875)
    """

    def __init__(self) -> None:
        self.loss_sum = 0.0
        self.num_correct = 0
        self.num_samples = 0
        self.last_loss = math.nan
        self._unread: deque[tuple[Any, Any, int]] = deque()

    def add(self, loss: Tensor, num_correct: Tensor, num_samples: int) -> None:
        """Take in one step: its mean loss, its hits, its samples."""
        self._unread.append((loss.detach(), num_correct, num_samples))
        while len(self._unread) > UNREAD_STEPS:
            self._read()

    def settle(self) -> None:
        """Wait for the steps that are still unread."""
        while self._unread:
            self._read()

    def _read(self) -> None:
        loss, num_correct, num_samples = self._unread.popleft()
        self.last_loss = loss.item()
        self.loss_sum += self.last_loss * num_samples
        self.num_correct += int(num_correct.item())
        self.num_samples += num_samples

    def score(self) -> Score:
        """Return the mean over all samples read so far."""
        count = self.num_samples
        if not count:
            return Score(math.nan, math.nan)
        return Score(self.loss_sum / count, self.num_correct / count)

    def state_dict(self) -> dict[str, float]:
        """Return the sums, for a checkpoint; call `settle` first."""
        names = ("loss_sum", "num_correct", "num_samples")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Take over the sums of a checkpoint."""
        for name, value in state.items():
            setattr(self, name, value)
