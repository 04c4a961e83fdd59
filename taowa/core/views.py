"""Making views: tensors on another tensor's memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from taowa.core.context import context
from taowa.core.lens import Step
from taowa.core.lens import read as read_lens
from taowa.core.node import Aval, host_leaf
from taowa.core.op import Op
from taowa.core.plan import Plan
from taowa.core.program import flush
from taowa.core.tensor import Tensor, wrap_storage

_FORGET_AT = 4096
_steps: dict[tuple, Step] = {}


def bound_plan(op: Op, statics: tuple, numbers: tuple, *avals: Aval) -> Plan:
    """Return the plan of an op for these inputs."""
    key = (statics, tuple(n.__class__ for n in numbers), *avals)
    return op.plans.get(key) or op.plan(key)


def make_view(
    input: Tensor,
    read: tuple[Op, tuple],
    write: tuple[Op, tuple] | None,
    on_host: Callable[[np.ndarray], np.ndarray],
    numbers: tuple = (),
) -> Tensor:
    """Return a view of `input`.

    Args:
        read: The op (parent, *numbers) -> child, with its static arguments.
        write: The op (parent, child, *numbers) -> parent, or (child) -> parent if the child holds
            every element; `None` where elements overlap.
        on_host: The same view of a NumPy array, never a copy.
        numbers: Run-time numbers of both ops (starts of slices), their `Scalar` parameters.
    """
    aval = input._aval
    read_plan = bound_plan(*read, numbers, aval)
    write_plan = None
    if write is not None:
        child = read_plan.aval
        sources = (child,) if len(write[0].tensor_names) == 1 else (aval, child)
        write_plan = bound_plan(*write, numbers, *sources)
    return through(input, Step(read_plan, write_plan, numbers, on_host))


def through(input: Tensor, step: Step) -> Tensor:
    """Return the tensor that sees `input` through one more step."""
    ctx = context()
    node, edge = input._node(), input._edge
    view = wrap_storage(input._storage, None)
    view._lens = (*input._lens, step)
    view._base = input if not input._lens else input._base
    view._version_read = input._storage.version
    if node.array.__class__ is np.ndarray and edge is None:
        view._read = host_leaf(step.on_host(node.array), node.aval.device)
        return view
    tape = edge if ctx.grad_enabled else None
    view._read, view._edge = read_lens(ctx, (step,), (node, tape))
    if ctx.is_eager:
        flush(ctx)
    return view


def same_memory(input: Tensor) -> Any:
    """Return what tells whether two tensors share memory."""
    return input._storage
