"""Lenses: how a view reads its base's value, and how a write through it reaches the base.

A lens is a tuple of steps. Each step is one view op bound to a shape: `read` gives the smaller (or
re-arranged) value, `write` gives the larger value with the smaller one put back. On host arrays
the same step is a NumPy view, so that indexing a data set or initialising a slice of a parameter
compiles nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from taowa.core.context import Context
from taowa.core.node import Aval, Node
from taowa.core.plan import Plan, record


class Step:
    """One view: the plan that reads it, the plan that writes it back, and its NumPy form.

    Attributes:
        read: Plan of (parent) -> child.
        is_overlapping: Whether elements share memory, so that PyTorch refuses to write.
        scalars: Run-time numbers of both plans (starts of slices).
        on_host: The same view of a NumPy array, never a copy.
    """

    __slots__ = ("_make_write", "_write", "is_overlapping", "on_host", "read", "scalars")

    def __init__(
        self,
        read: Plan,
        make_write: Callable[[], Plan] | None,
        scalars: tuple,
        on_host: Callable[[np.ndarray], Any],
    ):
        self.read = read
        self.is_overlapping = make_write is None
        self._make_write = make_write
        self._write: Plan | None = None
        self.scalars = scalars
        self.on_host = on_host

    @property
    def write(self) -> Plan:
        """The plan of (parent, child) -> parent, or of (child) -> parent for a whole.

        Most views are never written to, so it is made when it is first asked for.
        """
        if self._write is None:
            self._write = self._make_write()  # type: ignore[misc]
        return self._write


Lens = tuple[Step, ...]


def host_view(lens: Lens, array: np.ndarray) -> np.ndarray:
    """Return the view of a host array."""
    for step in lens:
        array = step.on_host(array)
    return array


_strides: dict[tuple, tuple[int, ...]] = {}
_FORGET_AT = 4096


def strides_of(lens: Lens, base: Aval) -> tuple[int, ...]:
    """Return PyTorch's strides of the view, in elements."""
    key = (base, *[step.read for step in lens])
    found = _strides.get(key)
    if found is None:
        if len(_strides) >= _FORGET_AT:
            _strides.clear()
        seen = host_view(lens, _stand_in(base)[0])
        found = _strides[key] = tuple(n // seen.itemsize for n in seen.strides)
    return found


def offset_of(lens: Lens, base: Aval) -> int:
    """Return PyTorch's storage offset of the view, in elements."""
    whole, address = _stand_in(base)
    seen = host_view(lens, whole)
    return (seen.__array_interface__["data"][0] - address) // seen.itemsize


def _stand_in(base: Aval) -> tuple[np.ndarray, int]:
    """Return a row-major array of the base's shape that takes up one element, and its address.

    Views never touch memory, so one element can stand for a base of any size.
    """
    one = np.zeros(1, base.dtype.np)
    strides = [n * one.itemsize for n in contiguous_strides(base.shape)]
    return np.lib.stride_tricks.as_strided(one, base.shape, strides), one.ctypes.data


def contiguous_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides of a row-major array, in elements."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= max(n, 1)
    return tuple(reversed(strides))


def require_no_overlap(lens: Lens) -> None:
    """Raise PyTorch's error for a write to a view whose elements share memory."""
    for step in lens:
        if step.is_overlapping:
            raise RuntimeError(
                "unsupported operation: more than one element of the written-to tensor refers to "
                "a single memory location. Please clone() the tensor before performing the "
                "operation."
            )


Value = tuple[Node, Any]  # a node and the tape's continuation from it


def _edges(*values: Value) -> tuple | None:
    edges = tuple(edge for _, edge in values)
    return edges if any(edge is not None for edge in edges) else None


def _record(ctx: Context, plan: Plan, scalars: tuple, *values: Value) -> Value:
    edges = _edges(*values)
    node = record(ctx, plan, tuple(node for node, _ in values), scalars, edges)
    return node, node if edges is not None else None


def read(ctx: Context, lens: Lens, base: Value) -> Value:
    """Record the reading of a view."""
    for step in lens:
        base = _record(ctx, step.read, step.scalars, base)
    return base


def write(ctx: Context, lens: Lens, base: Value, new: Value) -> Value:
    """Record the base's value after `new` was written through the view."""
    require_no_overlap(lens)
    parents = [base]
    for step in lens[:-1]:
        parents.append(_record(ctx, step.read, step.scalars, parents[-1]))
    for step, parent in zip(reversed(lens), reversed(parents), strict=True):
        plan = step.write
        sources = (parent, new) if len(plan.in_avals) == 2 else (new,)
        new = _record(ctx, plan, step.scalars, *sources)
    return new


class _OverwriteRule:
    """The gradient of (old, new) -> new: none towards what is gone."""

    @staticmethod
    def pull(plan: Plan, _: Any, __: Any, cotangents: dict, ___: Any, wanted: tuple) -> tuple:
        aval = plan.in_avals[0]
        zeros = jnp.zeros(aval.shape, aval.dtype.np)
        return tuple(cotangents[0] if i else zeros for i in wanted)


_overwrites: dict[Aval, Plan] = {}


def overwrite(ctx: Context, old: Value, new: Node) -> Value:
    """Record that an untracked value takes the place of a tracked one, which stays on the tape."""
    aval = old[0].aval
    if aval not in _overwrites:
        text = f"overwrite({aval})"
        _overwrites[aval] = Plan(
            "overwrite", text, lambda arrays, _: arrays[1], (aval, aval), aval, rule=_OverwriteRule
        )
    return _record(ctx, _overwrites[aval], (), old, (new, None))
