"""Calling an op: tensors in, one node recorded, tensors out."""

from __future__ import annotations

from typing import Any

import numpy as np

from taowa.core import op as ops
from taowa.core.context import MAX_PENDING_BYTES, MAX_PENDING_NODES, Context, context
from taowa.core.node import Node, host_leaf
from taowa.core.op import Op
from taowa.core.plan import Plan, is_differentiable, project, record
from taowa.core.program import flush
from taowa.core.tensor import Tensor, wrap

_NUMBERS = frozenset((float, int, bool, complex))


def apply(op: Op, tensors: tuple, scalars: tuple, statics: tuple) -> Any:
    """Record one call of an op; return its output tensor, or a tuple of them."""
    return call(context(), *_bind(op, tensors, scalars, statics))


def apply_to_nodes(op: Op, tensors: tuple, scalars: tuple, statics: tuple) -> Any:
    """Record one call of an op; return its output's node, or a list of them.

    Example:
        >>> import taowa
        >>> from taowa.core.op import OPS
        >>> apply_to_nodes(OPS["exp"], (taowa.ones(2),), (), ()).aval
        float32[2]
    """
    return record_call(context(), *_bind(op, tensors, scalars, statics))


def _bind(op: Op, tensors: tuple, scalars: tuple, statics: tuple) -> tuple:
    """Return the plan of a call with its nodes, run-time numbers and the tape's continuations."""
    nodes: list[Node] = []
    edges: list = []
    numbers: list = []
    kinds: list = [statics, ()]
    for value in tensors:
        if isinstance(value, Tensor):
            node = value._node() if value._lens else value._storage.node
            nodes.append(node)
            edges.append(value._edge)
            kinds.append(node.aval)
        elif value is None or value.__class__ in _NUMBERS:
            kinds.append(_number_kind(value, numbers))
        else:
            kinds.append(_unpack(op, value, nodes, edges, numbers))
    if scalars:
        kinds[1] = tuple([_number_kind(v, numbers) for v in scalars])
    key = tuple(kinds)
    plan = op.plans.get(key)
    if plan is None:
        plan = op.plan(key)
    return plan, nodes, tuple(numbers), edges


def call(ctx: Context, plan: Plan, nodes: list[Node], numbers: tuple, edges: list) -> Any:
    """Record a plan on nodes; return its output tensor, or a tuple of them."""
    made = record_call(ctx, plan, nodes, numbers, edges)
    if made.__class__ is Node:
        return wrap(made, None if made.edges is None else made)
    return tuple([wrap(node, None if node.edges is None else node) for node in made])


def record_call(
    ctx: Context, plan: Plan, nodes: list[Node], numbers: tuple, edges: list | None
) -> Any:
    """Record a plan on nodes; return its output's node, or a list of them."""
    if len(ctx.pending) >= MAX_PENDING_NODES or ctx.pending_bytes > MAX_PENDING_BYTES:
        flush(ctx)
    tape = None
    if edges is not None and ctx.grad_enabled:
        for edge in edges:
            if edge is not None:
                tape = _differentiable_edges(plan, edges)
                break
    if plan.check is not None:
        _check_on_host(plan, nodes, numbers)
    made: Any = record(ctx, plan, tuple(nodes), numbers, tape)
    if plan.num_values > 1:
        made = project(ctx, made)
        if plan.is_single:
            made = made[0]
    if ctx.is_eager:
        flush(ctx)
    return made


def _differentiable_edges(plan: Plan, edges: list) -> tuple | None:
    """Return the tape's continuations, none towards or from values without gradients."""
    if not plan.has_gradients:
        return None
    if not plan.blind_inputs:
        return tuple(edges)
    for i in plan.blind_inputs:
        edges[i] = None
    return tuple(edges) if any(e is not None for e in edges) else None


def _number_kind(value: Any, numbers: list) -> type | None:
    """Note a Python number as a run-time input and return its kind."""
    if value is None:
        return None
    kind = value.__class__
    if kind not in _NUMBERS:
        value = _to_number(value)
        kind = value.__class__
    numbers.append(value)
    return kind


def _to_number(value: Any) -> Any:
    """Return a NumPy scalar or a one-element tensor as a Python number."""
    if isinstance(value, Tensor | np.generic | np.ndarray):
        return value.item()
    raise TypeError(f"expected a number, got {type(value).__name__}: {value!r}")


def _unpack(op: Op, value: Any, nodes: list, edges: list, numbers: list) -> Any:
    """Note the members of a list of tensors, or a NumPy value; return their kinds."""
    if isinstance(value, np.generic):
        return _number_kind(value, numbers)
    if isinstance(value, np.ndarray):
        node = host_leaf(value.copy())
        nodes.append(node)
        edges.append(None)
        return node.aval
    if not isinstance(value, list | tuple):
        raise TypeError(f"{op.name}(): argument must be Tensor, not {type(value).__name__}")
    kinds: list = []
    for position, item in enumerate(value):
        if isinstance(item, Tensor):
            node = item._node() if item._lens else item._storage.node
            nodes.append(node)
            edges.append(item._edge)
            kinds.append(node.aval)
        elif item is None or item.__class__ in _NUMBERS:
            kinds.append(_number_kind(item, numbers))
        else:
            raise TypeError(
                f"expected Tensor as element {position} of {op.name}'s list of tensors, "
                f"but got {type(item).__name__}"
            )
    return tuple(kinds)


def _check_on_host(plan: Plan, nodes: list[Node], numbers: tuple) -> None:
    """Raise at the user's line for a bad value that is already known."""
    arrays = []
    for node, aval in zip(nodes, plan.in_avals, strict=True):
        if node.array.__class__ is np.ndarray:
            arrays.append(node.array)
        elif is_differentiable(aval):
            arrays.append(None)  # value checks look at indices and integers alone
        else:
            return
    if bool(plan.check(arrays, [np.asarray(n) for n in numbers])):  # type: ignore[misc]
        raise plan.check.error()  # type: ignore[union-attr]


ops._apply_hook.append(apply)
