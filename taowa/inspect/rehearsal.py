"""Running a network without computing anything and without leaving a trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

from taowa.core.context import Context, context
from taowa.core.grad_mode import no_grad
from taowa.core.random import get_rng_state, set_rng_state
from taowa.nn.module import Module

__all__ = ["rehearsal"]

UNBOUNDED = -(1 << 62)  # bytes "pending": the bound on pending work is out of reach


@contextmanager
def rehearsal(model: Module) -> Iterator[None]:
    """Record what is called within the block, in evaluation mode, and then forget it.

    Shapes are known while recording, so nothing has to be computed: no program is compiled or
    run, unless the network itself reads a value (`item`, an `if` on a tensor). Afterwards the
    model's mode, parameters and buffers, the random state and the work that was pending are as
    they were before; the values of tensors made in the block are gone.

    Example:
        >>> import taowa
        >>> from taowa import nn
        >>> model = nn.Sequential(nn.Linear(8, 2), nn.Dropout())
        >>> with rehearsal(model):
        ...     shape = model(taowa.zeros(5, 8)).shape
        >>> shape, model.training
        (torch.Size([5, 2]), True)
    """
    modes = [(module, module.training) for module in model.modules()]
    values = [_Value(tensor) for tensor in chain(model.parameters(), model.buffers())]
    rng_state = get_rng_state()
    try:
        for module, _ in modes:
            module.training = False
        with _nothing_dispatched(model), no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode
        for value in values:
            value.restore()
        set_rng_state(rng_state)


@contextmanager
def _nothing_dispatched(model: Module) -> Iterator[None]:
    """Keep what is recorded within the block from being dispatched, then drop it."""
    ctx = context()
    pending, num_before, bytes_before = ctx.pending, len(ctx.pending), ctx.pending_bytes
    was_eager, had_gradients = ctx.is_eager, ctx.has_gradients
    ctx.pending_bytes, ctx.is_eager, ctx.has_gradients = UNBOUNDED, False, False
    ctx.module_stack.append(model)  # the model's own call is then no outermost one: no boundary
    try:
        yield
    finally:
        ctx.module_stack.pop()
        ctx.is_eager = was_eager
        if ctx.pending is pending:
            del pending[num_before:]
            ctx.pending_bytes, ctx.has_gradients = bytes_before, had_gradients
        else:
            _forget_pending(ctx)


def _forget_pending(ctx: Context) -> None:
    """Drop what was recorded after a value was read: the work of before has been dispatched."""
    ctx.pending.clear()
    ctx.pending_bytes, ctx.has_gradients = 0, False


class _Value:
    """A tensor's value as it is now, to be put back."""

    def __init__(self, tensor: Any):
        self._tensor = tensor
        self._node = tensor._storage.node
        self._version = tensor._storage.version
        self._edge = tensor._edge

    def restore(self) -> None:
        storage = self._tensor._storage
        if storage.node is not self._node:
            storage.node, storage.version = self._node, self._version
            self._node.is_retired = False
            self._tensor._edge = self._edge
