"""What all schedulers share: counting epochs, and writing learning rates into an optimiser."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import ref

from taowa.core.tensor import Tensor, from_array
from taowa.optim.optimizer import Optimizer

Rate = Any  # a number, or a tensor with one element

EPOCH_WARNING = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where "
    "possible. Please use `scheduler.step()` to step the scheduler. With an epoch, the closed form "
    "is used where there is one."
)
STEP_ORDER_WARNING = (
    "Detected call of `lr_scheduler.step()` before `optimizer.step()`. Call them in the opposite "
    "order: `optimizer.step()` before `lr_scheduler.step()`. Otherwise the first value of the "
    "learning rate schedule is skipped."
)
OVERRIDDEN_WARNING = (
    "Seems like `optimizer.step()` has been overridden after learning rate scheduler "
    "initialization. Please, make sure to call `optimizer.step()` before `lr_scheduler.step()`."
)


def require_optimizer(optimizer: Any) -> None:
    """Raise a TypeError unless it is an optimiser."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def copy_of(value: Any) -> Any:
    """Return a number as it is and a tensor as a copy, which later writes do not reach."""
    return from_array(value.host(), device=value.device) if isinstance(value, Tensor) else value


def read_groups(optimizer: Optimizer, key: str) -> list[Any]:
    """Return each parameter group's value, tensors as copies."""
    return [copy_of(group[key]) for group in optimizer.param_groups]


def write_group(group: dict[str, Any], key: str, value: Any) -> None:
    """Set a group's value; a tensor stays the same tensor, so that a compiled step sees it."""
    if isinstance(group[key], Tensor):
        group[key].set_host(value.host() if isinstance(value, Tensor) else value)
    else:
        group[key] = value


def per_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """Return one value per parameter group, from such a list or from one value for all."""
    size = len(optimizer.param_groups)
    values = list(value) if isinstance(value, list | tuple) else [value] * size
    if len(values) != size:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. "
            f"{name} has {len(values)} values, param_groups has {size}."
        )
    return [copy_of(one) for one in values]


def _watch_steps(optimizer: Any) -> None:
    """Make the optimiser note that its `step` was called, to tell a wrong order of calls."""
    step = optimizer.step
    if hasattr(step, "_wrapped_by_lr_sched"):
        return
    function, owner = step.__func__, ref(optimizer)  # weak: the wrapper lives on the optimiser

    @functools.wraps(function)
    def watched(*args: Any, **kwargs: Any) -> Any:
        optimizer: Any = owner()
        optimizer._opt_called = True
        return function(optimizer, *args, **kwargs)

    watched._wrapped_by_lr_sched = True  # type: ignore[attr-defined]
    optimizer.step = watched


class LRScheduler:
    """Change an optimiser's learning rates: the base class of schedulers.

    A subclass writes `get_lr`, from `last_epoch`, `base_lrs` and the groups' current rates to the
    next ones, one per parameter group.

    Args:
        optimizer: Its groups' `lr` are overwritten, at once and in every `step`.
        last_epoch: Number of the last epoch when resuming; -1 starts afresh and notes each group's
            `lr` as `initial_lr`.
    Raises:
        TypeError: if `optimizer` is none.
        KeyError: if `last_epoch` is given and a group has no `initial_lr`.
    """

    _get_lr_called_within_step = False
    _is_initial = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        require_optimizer(optimizer)
        self.optimizer = optimizer
        self._note_initial_rates(is_resumed=last_epoch != -1)
        self.base_lrs: list[Rate] = read_groups(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        _watch_steps(optimizer)
        self._initial_step()

    def _note_initial_rates(self, *, is_resumed: bool) -> None:
        for i, group in enumerate(self.optimizer.param_groups):
            if is_resumed and "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming "
                    "scheduler with last_epoch >= 0: load the optimizer's state first, or start "
                    "with last_epoch=-1"
                )
            group.setdefault("initial_lr", copy_of(group["lr"]))

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the optimiser."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state that `state_dict` returned."""
        self.__dict__.update(state_dict)

    def get_last_lr(self) -> list[Rate]:
        """Return the learning rates that the last step set, one per parameter group."""
        return self._last_lr

    def get_lr(self) -> list[Rate]:
        """Compute the next learning rates; `get_last_lr` is what one wants to look at."""
        raise NotImplementedError

    def step(self, epoch: int | None = None) -> None:
        """Go to the next epoch, after the optimiser's `step`.

        Args:
            epoch: Deprecated; the epoch to jump to.
        """
        if self._step_count == 1:
            self._warn_of_order()
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH_WARNING, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _warn_of_order(self) -> None:
        if not hasattr(self.optimizer.step, "_wrapped_by_lr_sched"):
            warnings.warn(OVERRIDDEN_WARNING, UserWarning, stacklevel=3)
        elif not getattr(self.optimizer, "_opt_called", False):
            warnings.warn(STEP_ORDER_WARNING, UserWarning, stacklevel=3)

    def _update_lr(self, epoch: int | None = None) -> None:
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        closed_form: Callable | None = getattr(self, "_get_closed_form_lr", None)
        compute = self.get_lr if epoch is None or closed_form is None else closed_form
        with self._within_step():
            rates = compute()
        self._write_rates(rates)

    def _write_rates(self, rates: list[Rate]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            write_group(group, "lr", rate)
        self._last_lr: list[Rate] = read_groups(self.optimizer, "lr")

    @contextmanager
    def _within_step(self) -> Iterator[None]:
        self._get_lr_called_within_step = True
        try:
            yield
        finally:
            self._get_lr_called_within_step = False

    def _warn_outside_step(self) -> None:
        if not self._get_lr_called_within_step:
            warnings.warn(
                "To get the last learning rate computed by the scheduler, "
                "please use `get_last_lr()`.",
                UserWarning,
                stacklevel=3,
            )


class GroupwiseLR(LRScheduler):
    """Treat every parameter group alike: a subclass says what becomes of one rate.

    The next rate is computed from the current one, not from the epoch alone, so that several
    schedulers can act on one optimiser.
    """

    def _next_lr(self, lr: Any, base_lr: Any) -> Any:
        raise NotImplementedError

    def _closed_form(self, base_lr: Any) -> Any:
        raise NotImplementedError

    def get_lr(self) -> list[Rate]:
        """Compute the next learning rates."""
        self._warn_outside_step()
        rates = read_groups(self.optimizer, "lr")
        return [self._next_lr(*pair) for pair in zip(rates, self.base_lrs, strict=True)]

    def _get_closed_form_lr(self) -> list[Rate]:
        return [self._closed_form(base_lr) for base_lr in self.base_lrs]
