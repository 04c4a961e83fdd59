"""Schedules that raise the rate and lower it again, and move the momentum the other way."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import FunctionType
from typing import Any

from taowa.optim.lr_scheduler.base import (
    LRScheduler,
    Rate,
    per_group,
    require_optimizer,
    write_group,
)
from taowa.optim.optimizer import Optimizer


class _MomentumLR(LRScheduler):
    """Changes momentum (or Adam's first beta) together with the rate."""

    use_beta1: bool

    def _set_up_momentum(self, base: Any, maximum: Any, *, is_fresh: bool) -> None:
        defaults = self.optimizer.defaults
        if "momentum" not in defaults and "betas" not in defaults:
            raise ValueError(
                "optimizer must support momentum or beta1 with `cycle_momentum` option enabled"
            )
        self.use_beta1 = "betas" in defaults
        if not is_fresh:
            return
        for group, low, high in zip(self.optimizer.param_groups, base, maximum, strict=True):
            self._write_momentum(group, high)
            group["max_momentum"] = high
            group["base_momentum"] = low

    def _write_momentum(self, group: dict[str, Any], value: float) -> None:
        if self.use_beta1:
            group["betas"] = (value, *group["betas"][1:])
        else:
            group["momentum"] = value


# For each mode: the factor of the cycle's height, from gamma and a count, and what is counted.
CYCLE_MODES: dict[str, tuple[Callable[[float, float], float], str]] = {
    "triangular": (lambda gamma, x: 1.0, "cycle"),
    "triangular2": (lambda gamma, x: 1 / 2.0 ** (x - 1), "cycle"),
    "exp_range": (lambda gamma, x: gamma**x, "iterations"),
}


class CyclicLR(_MomentumLR):
    """Move the rate up and down between two bounds, batch by batch.

    Args:
        optimizer: Its rates are overwritten.
        base_lr: Lower bound; or a list, one per parameter group.
        max_lr: Upper bound; or a list.
        step_size_up: Steps of the way up.
        step_size_down: Steps of the way down. `None` = as many.
        mode: How the height shrinks: `"triangular"` not at all, `"triangular2"` by half in each
            cycle, `"exp_range"` by `gamma` in each step.
        gamma: For `"exp_range"`.
        scale_fn: Factor of the height, instead of `mode`.
        scale_mode: Whether `scale_fn` gets the number of the `"cycle"` or of the `"iterations"`.
        cycle_momentum: Whether momentum moves the other way.
        base_momentum: Its lower bound.
        max_momentum: Its upper bound.
        last_epoch: Number of the last step when resuming.
    Raises:
        ValueError: if the mode is unknown, or the optimiser has no momentum.
    References:
        Smith 2017, Cyclical learning rates, https://arxiv.org/abs/1506.01186
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        require_optimizer(optimizer)
        self.optimizer = optimizer
        base_lrs = per_group("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, base_lrs, strict=True):
                write_group(group, "lr", lr)
        self.max_lrs = per_group("max_lr", optimizer, max_lr)
        up = float(step_size_up)
        self.total_size = up + (up if step_size_down is None else float(step_size_down))
        self.step_ratio = up / self.total_size
        if mode not in CYCLE_MODES and scale_fn is None:
            raise ValueError(f"mode is invalid and scale_fn is None: mode={mode!r}")
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = CYCLE_MODES[mode][1] if scale_fn is None else scale_mode
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums = per_group("base_momentum", optimizer, base_momentum)
            self.max_momentums = per_group("max_momentum", optimizer, max_momentum)
            bounds = self.base_momentums, self.max_momentums
            self._set_up_momentum(*bounds, is_fresh=last_epoch == -1)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """Return the factor of the height in cycle, or iteration, `x`."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        return CYCLE_MODES[self.mode][0](self.gamma, x)

    def get_lr(self) -> list[Rate]:
        """Compute the next learning rates, and set the momentum that goes with them."""
        self._warn_outside_step()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        place = 1.0 + self.last_epoch / self.total_size - cycle  # in the cycle, [0, 1)
        is_rising = place <= self.step_ratio
        height = place / self.step_ratio if is_rising else (place - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            bounds = zip(self.base_momentums, self.max_momentums, strict=True)
            for group, (low, high) in zip(self.optimizer.param_groups, bounds, strict=True):
                self._write_momentum(group, high - (high - low) * height * scale)
        bounds = zip(self.base_lrs, self.max_lrs, strict=True)
        return [low + (high - low) * height * scale for low, high in bounds]

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the optimiser; of `scale_fn`, the attributes of an object."""
        state = super().state_dict()
        custom = self._scale_fn_custom
        is_object = custom is not None and not isinstance(custom, FunctionType)
        state["_scale_fn_custom"] = custom.__dict__.copy() if is_object else None
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state, leaving a function as it is and updating an object."""
        super().load_state_dict({k: v for k, v in state_dict.items() if k != "_scale_fn_custom"})
        attributes = state_dict["_scale_fn_custom"]
        if attributes is not None:
            self._scale_fn_custom.__dict__.update(attributes)


def _anneal_cosine(start: Any, end: Any, share: float) -> Any:
    return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)


def _anneal_linear(start: Any, end: Any, share: float) -> Any:
    return (end - start) * share + start


ANNEALING = {"cos": _anneal_cosine, "linear": _anneal_linear}


def _phase(end_step: float, lr: tuple[str, str], momentum: tuple[str, str]) -> dict[str, Any]:
    return {
        "end_step": end_step,
        "start_lr": lr[0],
        "end_lr": lr[1],
        "start_momentum": momentum[0],
        "end_momentum": momentum[1],
    }


def _phases(total_steps: int, pct_start: float, three_phase: bool) -> list[dict[str, Any]]:
    falling, rising = ("max_momentum", "base_momentum"), ("base_momentum", "max_momentum")
    peak, last = float(pct_start * total_steps) - 1, total_steps - 1
    up = _phase(peak, ("initial_lr", "max_lr"), falling)
    if not three_phase:
        return [up, _phase(last, ("max_lr", "min_lr"), rising)]
    valley = float(2 * pct_start * total_steps) - 2
    down = _phase(valley, ("max_lr", "initial_lr"), rising)
    return [up, down, _phase(last, ("initial_lr", "min_lr"), ("max_momentum", "max_momentum"))]


def _require_positive_int(name: str, value: Any) -> int:
    if not isinstance(value, int) or value <= 0:
        raise ValueError(f"Expected positive integer {name}, but got {value}")
    return value


def _total_steps(total_steps: Any, epochs: Any, steps_per_epoch: Any) -> int:
    if total_steps is not None:
        return _require_positive_int("total_steps", total_steps)
    if epochs is None or steps_per_epoch is None:
        raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
    epochs = _require_positive_int("epochs", epochs)
    return epochs * _require_positive_int("steps_per_epoch", steps_per_epoch)


class OneCycleLR(_MomentumLR):
    """Raise the rate once to `max_lr` and lower it far below its start, batch by batch.

    Args:
        optimizer: Its rates are overwritten.
        max_lr: Highest rate; or a list, one per parameter group.
        total_steps: Steps of the whole cycle. `None` = `epochs * steps_per_epoch`.
        epochs: Instead of `total_steps`.
        steps_per_epoch: Instead of `total_steps`.
        pct_start: Share of the steps in which the rate rises, a float in [0, 1].
        anneal_strategy: `"cos"` or `"linear"`.
        cycle_momentum: Whether momentum moves the other way.
        base_momentum: Its lower bound; or a list.
        max_momentum: Its upper bound; or a list.
        div_factor: `max_lr` divided by the rate at the start.
        final_div_factor: The rate at the start divided by that at the end.
        three_phase: Whether to come down as slowly as up, before going below the start.
        last_epoch: Number of the last step when resuming.
    Raises:
        ValueError: if an option is out of range, or after `total_steps` steps.
    References:
        Smith & Topin 2018, Super-convergence, https://arxiv.org/abs/1708.07120
    Example:
        >>> import taowa
        >>> optimizer = taowa.optim.SGD([taowa.ones(1, requires_grad=True)], lr=1.0, momentum=0.9)
        >>> scheduler = OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
        >>> optimizer.param_groups[0]["initial_lr"], optimizer.param_groups[0]["momentum"]
        (0.04, 0.95)
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        require_optimizer(optimizer)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ANNEALING:
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        self.optimizer = optimizer
        self.total_steps = _total_steps(total_steps, epochs, steps_per_epoch)
        self._schedule_phases = _phases(self.total_steps, pct_start, three_phase)
        self._anneal_func_type = anneal_strategy
        max_lrs = per_group("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, max_lrs, strict=True):
                group["initial_lr"] = rate / div_factor
                group["max_lr"] = rate
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            base = per_group("base_momentum", optimizer, base_momentum)
            maximum = per_group("max_momentum", optimizer, max_momentum)
            self._set_up_momentum(base, maximum, is_fresh=last_epoch == -1)
        super().__init__(optimizer, last_epoch)

    def _place(self) -> tuple[dict[str, Any], float]:
        """Return the current phase and which share of it is over."""
        start = 0.0
        for phase in self._schedule_phases[:-1]:
            if self.last_epoch <= phase["end_step"]:
                break
            start = phase["end_step"]
        else:
            phase = self._schedule_phases[-1]
        return phase, (self.last_epoch - start) / (phase["end_step"] - start)

    def get_lr(self) -> list[Rate]:
        """Compute the next learning rates, and set the momentum that goes with them."""
        self._warn_outside_step()
        if self.last_epoch > self.total_steps:
            raise ValueError(
                f"Tried to step {self.last_epoch} times. "
                f"The specified number of total steps is {self.total_steps}"
            )
        anneal = ANNEALING[self._anneal_func_type]
        phase, share = self._place()
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(anneal(group[phase["start_lr"]], group[phase["end_lr"]], share))
            if self.cycle_momentum:
                ends = group[phase["start_momentum"]], group[phase["end_momentum"]]
                self._write_momentum(group, anneal(*ends, share))
        return rates
