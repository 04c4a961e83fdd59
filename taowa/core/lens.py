"""Lenses: how a view reads its base's value, and how a write through it reaches the base.

A lens is a tuple of steps. Each step is one view op bound to a shape: `read` gives the smaller (or
re-arranged) value, `write` gives the larger value with the smaller one put back. On host arrays
the same step is a NumPy view, so that indexing a data set or initialising a slice of a parameter
compiles nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from taowa.core.context import Context
from taowa.core.node import Aval, Node
from taowa.core.plan import Plan, record


class Step:
    """One view: the plan that reads it, the plan that writes it back, and its NumPy form.

    Attributes:
        read: Plan of (parent) -> child.
        write: Plan of (parent, child) -> parent, or of (child) -> parent where the child holds
            every element; `None` where elements share memory and PyTorch refuses to write.
        scalars: Run-time numbers of both plans (starts of slices).
        on_host: The same view of a NumPy array, never a copy.
    """

    __slots__ = ("on_host", "read", "scalars", "write")

    def __init__(
        self, read: Plan, write: Plan | None, scalars: tuple, on_host: Callable[[np.ndarray], Any]
    ):
        self.read = read
        self.write = write
        self.scalars = scalars
        self.on_host = on_host

    @property
    def is_overlapping(self) -> bool:
        """Whether several elements of the view are one element of the base."""
        return self.write is None


Lens = tuple[Step, ...]


def host_view(lens: Lens, array: np.ndarray) -> np.ndarray:
    """Return the view of a host array."""
    for step in lens:
        array = step.on_host(array)
    return array


def strides_of(lens: Lens, base: Aval) -> tuple[tuple[int, ...], int]:
    """Return PyTorch's strides and storage offset of the view, in elements."""
    # Views never touch memory, so one byte can stand for a base of any size.
    byte = np.zeros(1, np.int8)
    strides = contiguous_strides(base.shape)
    seen = host_view(lens, np.lib.stride_tricks.as_strided(byte, base.shape, strides))
    offset = seen.__array_interface__["data"][0] - byte.__array_interface__["data"][0]
    return seen.strides, offset


def contiguous_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides of a row-major array, in elements."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= max(n, 1)
    return tuple(reversed(strides))


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
    parents = [base]
    for step in lens[:-1]:
        parents.append(_record(ctx, step.read, step.scalars, parents[-1]))
    for step, parent in zip(reversed(lens), reversed(parents), strict=True):
        if step.write is None:
            raise RuntimeError(
                "unsupported operation: more than one element of the written-to tensor refers to "
                "a single memory location. Please clone() the tensor before performing the operation."
            )
        sources = (parent, new) if len(step.write.in_avals) == 2 else (new,)  # noqa: PLR2004
        new = _record(ctx, step.write, step.scalars, *sources)
    return new
