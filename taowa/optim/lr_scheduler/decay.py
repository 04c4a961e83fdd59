"""Schedules that lower the rate, or raise it at the start, by factors."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from typing import Any

from taowa.optim.lr_scheduler.base import GroupwiseLR
from taowa.optim.optimizer import Optimizer


class StepLR(GroupwiseLR):
    """Multiply the rate by `gamma` every `step_size` epochs.

    Args:
        optimizer: Its rates are overwritten.
        step_size: Epochs between two changes.
        gamma: Factor of one change.
        last_epoch: Number of the last epoch when resuming.
    Example:
        >>> import taowa
        >>> optimizer = taowa.optim.SGD([taowa.ones(1, requires_grad=True)], lr=1.0)
        >>> scheduler = StepLR(optimizer, step_size=2)
        >>> rates = []
        >>> for epoch in range(5):
        ...     optimizer.step()
        ...     rates += scheduler.get_last_lr()
        ...     scheduler.step()
        >>> rates
        [1.0, 1.0, 0.1, 0.1, 0.010000000000000002]
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _next_lr(self, lr: Any, base_lr: Any) -> Any:
        is_due = self.last_epoch != 0 and self.last_epoch % self.step_size == 0
        return lr * self.gamma if is_due else lr

    def _closed_form(self, base_lr: Any) -> Any:
        return base_lr * self.gamma ** (self.last_epoch // self.step_size)


class MultiStepLR(GroupwiseLR):
    """Multiply the rate by `gamma` at each milestone.

    Args:
        optimizer: Its rates are overwritten.
        milestones: Epochs; one that is listed twice counts twice.
        gamma: Factor of one change.
        last_epoch: Number of the last epoch when resuming.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _next_lr(self, lr: Any, base_lr: Any) -> Any:
        times = self.milestones.get(self.last_epoch, 0)
        return lr * self.gamma**times if times else lr

    def _closed_form(self, base_lr: Any) -> Any:
        passed = bisect_right(sorted(self.milestones.elements()), self.last_epoch)
        return base_lr * self.gamma**passed


class ExponentialLR(GroupwiseLR):
    """Multiply the rate by `gamma` every epoch.

    Args:
        optimizer: Its rates are overwritten.
        gamma: Factor of one epoch.
        last_epoch: Number of the last epoch when resuming.
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _next_lr(self, lr: Any, base_lr: Any) -> Any:
        return lr if self._is_initial else lr * self.gamma

    def _closed_form(self, base_lr: Any) -> Any:
        return base_lr * self.gamma**self.last_epoch


class ConstantLR(GroupwiseLR):
    """Multiply the rate by `factor` for the first `total_iters` epochs.

    Args:
        optimizer: Its rates are overwritten.
        factor: In [0, 1].
        total_iters: Epochs until the factor is taken away.
        last_epoch: Number of the last epoch when resuming.
    Raises:
        ValueError: if `factor` is out of range.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1.0 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if factor > 1.0 or factor < 0:
            raise ValueError(
                "Constant multiplicative factor expected to be between 0 and 1, "
                f"but got factor={factor}."
            )
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _next_lr(self, lr: Any, base_lr: Any) -> Any:
        if self.last_epoch == 0:
            return lr * self.factor
        return lr * (1.0 / self.factor) if self.last_epoch == self.total_iters else lr

    def _closed_form(self, base_lr: Any) -> Any:
        is_over = self.last_epoch >= self.total_iters
        return base_lr * (self.factor + is_over * (1 - self.factor))


class LinearLR(GroupwiseLR):
    """Change the rate's factor linearly over the first `total_iters` epochs: a warm-up.

    Args:
        optimizer: Its rates are overwritten.
        start_factor: Factor at the beginning, in (0, 1].
        end_factor: Factor from then on, in [0, 1].
        total_iters: Epochs from one to the other.
        last_epoch: Number of the last epoch when resuming.
    Raises:
        ValueError: if a factor is out of range.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if start_factor > 1.0 or start_factor <= 0:
            raise ValueError(
                "Starting multiplicative factor expected to be greater than 0 and less or equal "
                f"to 1, but got start_factor={start_factor}."
            )
        if end_factor > 1.0 or end_factor < 0:
            raise ValueError(
                "Ending multiplicative factor expected to be between 0 and 1, "
                f"but got end_factor={end_factor}."
            )
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _next_lr(self, lr: Any, base_lr: Any) -> Any:
        if self.last_epoch == 0:
            return lr * self.start_factor
        if self._is_initial or self.last_epoch > self.total_iters:
            return lr
        rise = self.end_factor - self.start_factor
        before = self.total_iters * self.start_factor + (self.last_epoch - 1) * rise
        return lr * (1.0 + rise / before)

    def _closed_form(self, base_lr: Any) -> Any:
        rise = self.end_factor - self.start_factor
        passed = min(self.total_iters, self.last_epoch)
        return base_lr * (self.start_factor + rise * passed / self.total_iters)


class PolynomialLR(GroupwiseLR):
    """Lower the rate to 0 over `total_iters` epochs, as a power of the time left.

    Args:
        optimizer: Its rates are overwritten.
        total_iters: Epochs until the rate is 0.
        power: Exponent; 1 is a straight line.
        last_epoch: Number of the last epoch when resuming.
    """

    def __init__(
        self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1
    ) -> None:
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def _next_lr(self, lr: Any, base_lr: Any) -> Any:
        if self._is_initial or self.last_epoch > self.total_iters:
            return lr
        left = 1.0 - self.last_epoch / self.total_iters
        left_before = 1.0 - (self.last_epoch - 1) / self.total_iters
        return lr * (left / left_before) ** self.power

    def _closed_form(self, base_lr: Any) -> Any:
        passed = min(self.total_iters, self.last_epoch)
        return base_lr * (1.0 - passed / self.total_iters) ** self.power
