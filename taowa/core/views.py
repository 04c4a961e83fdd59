"""Making views: tensors on another tensor's memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from taowa.core.context import context
from taowa.core.lens import Step
from taowa.core.lens import read as read_lens
from taowa.core.node import Aval, Leaf, host_leaf
from taowa.core.op import Op
from taowa.core.plan import Plan
from taowa.core.program import flush
from taowa.core.tensor import Tensor, wrap_storage


def bound_plan(op: Op, statics: tuple, numbers: tuple, *avals: Aval) -> Plan:
    """Return the plan of an op for these inputs, the numbers last: its parameter `list[Array]`."""
    key: tuple = (statics, (), *avals)
    if numbers:
        key = (*key, tuple([n.__class__ for n in numbers]))
    return op.plans.get(key) or op.plan(key)


def make_view(
    input: Tensor,
    read: tuple[Op, tuple],
    write: tuple[Op, tuple] | None,
    on_host: Callable[[np.ndarray], np.ndarray],
    numbers: tuple = (),
    *,
    is_whole: bool = False,
    is_tracked: bool = True,
) -> Tensor:
    """Return a view of `input`.

    Args:
        read: The op (parent) -> child, with its static arguments.
        write: The op (parent, child) -> parent, or (child) -> parent if the child holds every
            element (`is_whole`); `None` where elements overlap.
        on_host: The same view of a NumPy array, never a copy.
        numbers: Run-time numbers of both ops (starts of slices), their last tensor parameter: a
            `list[Array]`, so that they arrive as the integers they are.
        is_tracked: Whether gradients flow through the view.
    """
    aval = input._aval
    key = (*read, aval)
    step = None if numbers else _steps.get(key)
    if step is None:
        plan = bound_plan(*read, numbers, aval)
        make_write = None
        if write is not None:
            sources: tuple[Any, ...] = (plan.aval,) if is_whole else (aval, plan.aval)
            make_write = partial(bound_plan, *write, numbers, *sources)
        step = Step(plan, make_write, numbers, on_host)
        if not numbers:
            _remember(key, step)
    return through(input, step, is_tracked)


_steps: dict[tuple, Step] = {}  # of views without run-time numbers, which are alike at each call
_FORGET_AT = 4096


def _remember(key: tuple, step: Step) -> None:
    if len(_steps) >= _FORGET_AT:
        _steps.clear()
    _steps[key] = step


def through(input: Tensor, step: Step, is_tracked: bool = True) -> Tensor:
    """Return the tensor that sees `input` through one more step."""
    ctx = context()
    node, edge = input._node(), input._edge
    view = wrap_storage(input._storage, None)
    view._lens = (*input._lens, step)
    view._base = input if not input._lens else input._root()
    view._version_read = input._storage.version
    if not input._follows or not is_tracked or (edge is not None and not ctx.grad_enabled):
        view._follows = False
        edge = None
    if edge is None and node.array.__class__ is np.ndarray:
        view._read = host_leaf(step.on_host(node.array), node.aval.device)
        return view
    view._read, view._edge = read_lens(ctx, (step,), (node, edge))
    if ctx.is_eager:
        flush(ctx)
    return view


def become_view(tensor: Tensor, view: Tensor) -> Tensor:
    """Make `tensor` see its own memory as `view`, a view of it, does (`x.t_()`)."""
    if not tensor._lens:  # other views of it go on from a hidden root
        is_leaf = tensor._edge.__class__ is Leaf
        tensor._base = wrap_storage(tensor._storage, None if is_leaf else tensor._edge)
    tensor._lens, tensor._read = view._lens, view._read
    tensor._version_read = view._version_read
    if view._edge is not None:
        tensor._edge = view._edge
    return tensor


def same_memory(input: Tensor) -> Any:
    """Return what tells whether two tensors share memory."""
    return input._storage
