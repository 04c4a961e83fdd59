"""Schedules that follow a cosine."""

from __future__ import annotations

import math
from typing import Any

from taowa.optim.lr_scheduler.base import GroupwiseLR, LRScheduler, Rate
from taowa.optim.optimizer import Optimizer


class CosineAnnealingLR(GroupwiseLR):
    """Lower the rate to `eta_min` along half a cosine, over `T_max` epochs, then raise it again.

    Args:
        optimizer: Its rates are overwritten.
        T_max: Epochs of half a period.
        eta_min: Least rate.
        last_epoch: Number of the last epoch when resuming.
    References:
        Loshchilov & Hutter 2017, SGDR, https://arxiv.org/abs/1608.03983
    Example:
        >>> import taowa
        >>> optimizer = taowa.optim.SGD([taowa.ones(1, requires_grad=True)], lr=1.0)
        >>> scheduler = CosineAnnealingLR(optimizer, T_max=2)
        >>> rates = []
        >>> for epoch in range(3):
        ...     optimizer.step()
        ...     rates += scheduler.get_last_lr()
        ...     scheduler.step()
        >>> [round(rate, 3) for rate in rates]
        [1.0, 0.5, 0.0]
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def _next_lr(self, lr: Any, base_lr: Any) -> Any:
        if self._is_initial:
            return lr
        height = base_lr - self.eta_min
        if self._step_count == 1 and self.last_epoch > 0:  # the epoch was set from outside
            cosine = math.cos(self.last_epoch * math.pi / self.T_max)
            return self.eta_min + height * (1 + cosine) / 2
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:
            # The ratio below would divide by zero: the last epoch was a minimum.
            return lr + height * (1 - math.cos(math.pi / self.T_max)) / 2
        now = 1 + math.cos(math.pi * self.last_epoch / self.T_max)
        before = 1 + math.cos(math.pi * (self.last_epoch - 1) / self.T_max)
        return now / before * (lr - self.eta_min) + self.eta_min

    def _closed_form(self, base_lr: Any) -> Any:
        cosine = math.cos(math.pi * self.last_epoch / self.T_max)
        return self.eta_min + (base_lr - self.eta_min) * (1 + cosine) / 2


class CosineAnnealingWarmRestarts(LRScheduler):
    """Lower the rate to `eta_min` along half a cosine, and start again from the top.

    Args:
        optimizer: Its rates are overwritten.
        T_0: Epochs of the first run.
        T_mult: Factor by which each run is longer than the one before.
        eta_min: Least rate.
        last_epoch: Number of the last epoch when resuming.
    Raises:
        ValueError: if `T_0`, `T_mult` or `eta_min` is of the wrong kind.
    References:
        Loshchilov & Hutter 2017, SGDR, https://arxiv.org/abs/1608.03983
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        if not isinstance(T_0, int) or T_0 <= 0:
            raise ValueError(f"Expected positive integer T_0, but got {T_0}")
        if not isinstance(T_mult, int) or T_mult < 1:
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        if not isinstance(eta_min, float | int):
            raise ValueError(
                f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}"
            )
        self.T_0 = T_0
        self.T_i = T_0  # epochs of the current run
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: float = last_epoch  # epochs since its start
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        """Compute the learning rates at the current place of the current run."""
        self._warn_outside_step()
        height = 1 + math.cos(math.pi * self.T_cur / self.T_i)
        return [self.eta_min + (base - self.eta_min) * height / 2 for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Go to the next epoch, or to a given one, which may be a fraction within an epoch.

        Raises:
            ValueError: if `epoch` is negative.
        """
        if epoch is None and self.last_epoch >= 0:
            epoch = self.last_epoch + 1
            self._advance()
        else:
            epoch = 0 if epoch is None else epoch
            self._jump(epoch)
        self.last_epoch = math.floor(epoch)
        with self._within_step():
            rates = self.get_lr()
        self._write_rates(rates)

    def _advance(self) -> None:
        self.T_cur += 1
        if self.T_cur >= self.T_i:
            self.T_cur %= self.T_i
            self.T_i *= self.T_mult

    def _jump(self, epoch: float) -> None:
        if epoch < 0:
            raise ValueError(f"Expected non-negative epoch, but got {epoch}")
        if epoch < self.T_0:
            self.T_i, self.T_cur = self.T_0, epoch
        elif self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:
            # n runs of T_0, T_0 T_mult, ... epochs are over: a geometric sum.
            n = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            self.T_cur = epoch - self.T_0 * (self.T_mult**n - 1) / (self.T_mult - 1)
            self.T_i = self.T_0 * self.T_mult**n
