"""Averages of a model's weights on the way, and what one needs to use them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from typing import Any

import jax.numpy as jnp
import numpy as np

from taowa.core.grad_mode import no_grad
from taowa.core.op import Array, Scalar, op
from taowa.core.program import flush
from taowa.core.tensor import Tensor, from_array
from taowa.nn.batchnorm import _BatchNorm
from taowa.nn.module import Module
from taowa.optim.lr_scheduler.base import LRScheduler, Rate, per_group
from taowa.optim.optimizer import Optimizer

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]


@op
def _blended(averages: list[Array], values: list[Array], share: Scalar):
    """Return `averages + share * (values - averages)` for all tensors, in their own types."""
    blended = []
    for average, value in zip(averages, values, strict=True):
        kind = average.dtype if jnp.issubdtype(average.dtype, jnp.inexact) else jnp.float32
        old, new = average.astype(kind), value.astype(kind)
        blended.append((old + share.astype(kind) * (new - old)).astype(average.dtype))
    return tuple(blended)


def _blend(averages: list[Tensor], values: list[Tensor], share: float) -> None:
    """Write the blend of all tensors, as one operation."""
    for target, made in zip(averages, _blended(averages, values, float(share)), strict=True):
        target._write(made._node(), None)


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable:
    """Return a function that writes exponential moving averages into a list of tensors.

    Args:
        decay: Weight of the average so far, in [0, 1].

    Example:
        >>> import taowa
        >>> average = taowa.zeros(2)
        >>> get_ema_multi_avg_fn(0.75)([average], [taowa.ones(2)], 1)
        >>> average
        tensor([0.2500, 0.2500])
    """
    _check_decay(decay)

    @no_grad()
    def ema_update(ema_params: list[Tensor], params: list[Tensor], _: Any) -> None:
        _blend(ema_params, params, 1 - decay)

    return ema_update


def get_swa_multi_avg_fn() -> Callable:
    """Return a function that writes equally weighted averages into a list of tensors.

    Example:
        >>> import taowa
        >>> average = taowa.zeros(2)
        >>> get_swa_multi_avg_fn()([average], [taowa.ones(2)], 3)
        >>> average
        tensor([0.2500, 0.2500])
    """

    @no_grad()
    def swa_update(averages: list[Tensor], params: list[Tensor], num_averaged: Any) -> None:
        _blend(averages, params, 1 / (int(num_averaged) + 1))

    return swa_update


def get_ema_avg_fn(decay: float = 0.999) -> Callable:
    """Return a function that computes one tensor's exponential moving average.

    Args:
        decay: Weight of the average so far, in [0, 1].

    Example:
        >>> import taowa
        >>> get_ema_avg_fn(0.75)(taowa.zeros(2), taowa.ones(2), 1)
        tensor([0.2500, 0.2500])
    """
    _check_decay(decay)

    @no_grad()
    def ema_update(ema_param: Any, param: Any, _: Any) -> Any:
        return decay * ema_param + (1 - decay) * param

    return ema_update


def get_swa_avg_fn() -> Callable:
    """Return a function that computes one tensor's equally weighted average.

    Example:
        >>> import taowa
        >>> get_swa_avg_fn()(taowa.zeros(2), taowa.ones(2), 3)
        tensor([0.2500, 0.2500])
    """

    @no_grad()
    def swa_update(average: Any, param: Any, num_averaged: Any) -> Any:
        return average + (param - average) / (num_averaged + 1)

    return swa_update


def _check_decay(decay: float) -> None:
    if not 0 <= decay <= 1:
        raise ValueError(
            f"Invalid decay value {decay} provided. Please provide a value in [0,1] range."
        )


class AveragedModel(Module):
    """Keep the average of a model's weights over the training.

    Args:
        model: It is copied; the copy holds the averages.
        device: Where the copy lives.
        avg_fn: `(average, value, number of models averaged) -> average`, for one tensor.
        multi_avg_fn: Writes into a list of averages, from a list of values and that number.
            Without either, all models have the same weight.
        use_buffers: Average buffers too, instead of copying them.

    Raises:
        AssertionError: if both functions are given.

    References:
        Izmailov et al. 2018, https://arxiv.org/abs/1803.05407

    Example:
        >>> import taowa
        >>> from taowa import nn
        >>> model = nn.Linear(1, 1, bias=False)
        >>> average = AveragedModel(model)
        >>> for weight in (1.0, 2.0, 6.0):
        ...     _ = nn.init.constant_(model.weight, weight)
        ...     average.update_parameters(model)
        >>> average(taowa.ones(1)).item()
        3.0
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Callable | None = None,
        multi_avg_fn: Callable | None = None,
        use_buffers: bool = False,
    ):
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        count = from_array(np.zeros((), np.int64), device=device)
        self.register_buffer("n_averaged", count)
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the averaged model."""
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Take the model's present weights into the average."""
        count = int(self.n_averaged.host())
        pairs = list(zip(_members(self.module, self.use_buffers),
                         _members(model, self.use_buffers), strict=True))  # fmt: skip
        if count == 0:
            _copy(pairs)
        else:
            self._average(pairs)
        if not self.use_buffers:
            _copy(zip(self.module.buffers(), model.buffers(), strict=True))
        self.n_averaged.set_host(np.asarray(count + 1))
        flush()  # the average is no part of the next step

    def _average(self, pairs: list[tuple[Any, Any]]) -> None:
        if self.avg_fn is not None:
            for average, value in pairs:
                value = value.detach().to(average.device)
                average.copy_(self.avg_fn(average.detach(), value, self.n_averaged))
            return
        groups: dict[tuple, list[tuple]] = {}
        for average, value in pairs:
            group = groups.setdefault((average.device, average.dtype), [])
            group.append((average.detach(), value.detach().to(average.device)))
        update = self.multi_avg_fn or get_swa_multi_avg_fn()
        for members in groups.values():
            averages, values = map(list, zip(*members, strict=True))
            update(averages, values, self.n_averaged)


def _members(model: Module, with_buffers: bool) -> Iterable[Tensor]:
    return chain(model.parameters(), model.buffers() if with_buffers else ())


def _copy(pairs: Iterable[tuple[Any, Any]]) -> None:
    for target, source in pairs:
        target.detach().copy_(source.detach().to(target.device))


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the statistics of batch normalisations again, in one pass over the data.

    Args:
        loader: Gives batches, or lists and tuples whose first element is the batch.
        model: The model whose running means and variances are replaced.
        device: Where batches are moved.

    Example:
        >>> import taowa
        >>> from taowa import nn
        >>> layer = nn.BatchNorm1d(1)
        >>> update_bn([taowa.tensor([[0.0], [2.0]]), taowa.tensor([[4.0], [6.0]])], layer)
        >>> layer.running_mean
        tensor([3.])
    """
    layers = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    was_training = model.training
    model.train()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None
    for batch in loader:
        batch = batch[0] if isinstance(batch, list | tuple) else batch
        model(batch if device is None else batch.to(device))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """Bring the rate to a constant one within some epochs, for the time of averaging.

    Args:
        optimizer: Its rates are overwritten.
        swa_lr: The last rate, or one for each group.
        anneal_epochs: Epochs until it is reached, >= 0.
        anneal_strategy: `"cos"` or `"linear"`.
        last_epoch: Number of the last epoch when resuming.

    References:
        Izmailov et al. 2018, https://arxiv.org/abs/1803.05407

    Example:
        >>> import taowa
        >>> optimizer = taowa.optim.SGD([taowa.ones(1, requires_grad=True)], lr=1.0)
        >>> scheduler = SWALR(optimizer, 0.5, anneal_epochs=2, anneal_strategy="linear")
        >>> rates = []
        >>> for epoch in range(4):
        ...     optimizer.step()
        ...     rates += scheduler.get_last_lr()
        ...     scheduler.step()
        >>> rates
        [1.0, 0.75, 0.5, 0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float,
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ):
        rates = per_group("swa_lr", optimizer, swa_lr)
        for rate, group in zip(rates, optimizer.param_groups, strict=True):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def anneal_func(self, progress: float) -> float:
        """Return the weight of the last rate when this part of the epochs is over."""
        if self._anneal_strategy == "linear":
            return progress
        return (1 - math.cos(math.pi * progress)) / 2

    def get_lr(self) -> list[Rate]:
        """Compute the next learning rates."""
        self._warn_outside_step()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = (self._weight_at(epoch) for epoch in (step - 1, step))
        return [self._next_lr(group, before, now) for group in self.optimizer.param_groups]

    def _weight_at(self, step: int) -> float:
        return self.anneal_func(max(0, min(1, step / max(1, self.anneal_epochs))))

    @staticmethod
    def _next_lr(group: dict[str, Any], before: float, now: float) -> Rate:
        """Return a group's rate, undoing the last epoch's blend to find the first rate."""
        lr, last = group["lr"], group["swa_lr"]
        first = last if before == 1 else (lr - before * last) / (1 - before)
        return last * now + first * (1 - now)
