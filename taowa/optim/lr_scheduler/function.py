"""Schedules that the user writes as functions of the epoch."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from taowa.optim.lr_scheduler.base import LRScheduler, Rate, read_groups
from taowa.optim.optimizer import Optimizer

Factor = Callable[[int], float]


class _FunctionLR(LRScheduler):
    """Holds one function per parameter group."""

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Factor | list[Factor], last_epoch: int = -1
    ) -> None:
        size = len(optimizer.param_groups)
        functions = lr_lambda if isinstance(lr_lambda, list | tuple) else [lr_lambda] * size
        self.lr_lambdas: list[Any] = list(functions)
        if len(self.lr_lambdas) != size:
            raise ValueError(f"Expected {size} lr_lambdas, but got {len(self.lr_lambdas)}")
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the optimiser; of the functions, the attributes of objects."""
        state = super().state_dict()
        state["lr_lambdas"] = [
            None if isinstance(function, FunctionType) else function.__dict__.copy()
            for function in self.lr_lambdas
        ]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state, leaving functions as they are and updating objects."""
        rest = {key: value for key, value in state_dict.items() if key != "lr_lambdas"}
        super().load_state_dict(rest)
        for function, attributes in zip(self.lr_lambdas, state_dict["lr_lambdas"], strict=True):
            if attributes is not None:
                function.__dict__.update(attributes)


class LambdaLR(_FunctionLR):
    """Multiply the initial rate by a function of the epoch.

    Args:
        optimizer: Its rates are overwritten.
        lr_lambda: From the epoch to a factor; or a list, one per parameter group.
        last_epoch: Number of the last epoch when resuming.
    Raises:
        ValueError: if the list has another length.
    Example:
        >>> import taowa
        >>> optimizer = taowa.optim.SGD([taowa.ones(1, requires_grad=True)], lr=1.0)
        >>> scheduler = LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
        >>> optimizer.step()
        >>> scheduler.step()
        >>> scheduler.get_last_lr()
        [0.5]
    """

    def get_lr(self) -> list[Rate]:
        """Compute the next learning rates."""
        self._warn_outside_step()
        pairs = zip(self.base_lrs, self.lr_lambdas, strict=True)
        return [base_lr * factor(self.last_epoch) for base_lr, factor in pairs]


class MultiplicativeLR(_FunctionLR):
    """Multiply the current rate by a function of the epoch.

    Args:
        optimizer: Its rates are overwritten.
        lr_lambda: From the epoch to a factor; or a list, one per parameter group.
        last_epoch: Number of the last epoch when resuming.
    Raises:
        TypeError: if `lr_lambda` cannot be called.
        ValueError: if the list has another length.
    """

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Factor | list[Factor], last_epoch: int = -1
    ) -> None:
        given: Any = lr_lambda
        for function in given if isinstance(given, list | tuple) else [given]:
            if not callable(function):
                raise TypeError(
                    f"lr_lambda should be a function, but got {type(function).__name__}"
                )
        super().__init__(optimizer, lr_lambda, last_epoch)

    def get_lr(self) -> list[Rate]:
        """Compute the next learning rates."""
        self._warn_outside_step()
        rates = read_groups(self.optimizer, "lr")
        if self._is_initial:
            return rates
        pairs = zip(rates, self.lr_lambdas, strict=True)
        return [lr * factor(self.last_epoch) for lr, factor in pairs]
