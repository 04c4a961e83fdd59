"""The graph: one kind of node is at once a step of the lazy program and of the autograd tape."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import numpy as np

from taowa.core.device import CPU, device
from taowa.dtypes import dtype, from_numpy_dtype

if TYPE_CHECKING:
    from taowa.core.plan import Plan

_next_number = count(1).__next__


class Aval:
    """What is known of a value before it is computed: shape, element type, device.

    Equal ones are the same object (`Aval.of`), so that looking one up hashes an address.
    """

    __slots__ = ("device", "dtype", "nbytes", "shape")
    _interned: ClassVar[dict[tuple, Aval]] = {}

    shape: tuple[int, ...]
    dtype: dtype
    device: device
    nbytes: int

    @classmethod
    def of(cls, shape: tuple[int, ...], dtype: dtype, device: device = CPU) -> Aval:
        """Return the one aval with these properties."""
        key = (shape, dtype, device)
        found = cls._interned.get(key)
        if found is None:
            found = cls._interned[key] = cls.__new__(cls)
            found.shape, found.dtype, found.device = shape, dtype, device
            found.nbytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        return found

    def struct(self) -> jax.ShapeDtypeStruct:
        """Return JAX's description of the same value."""
        return jax.ShapeDtypeStruct(self.shape, self.dtype.np)

    def __repr__(self) -> str:
        place = "" if self.device == CPU else f"@{self.device}"
        return f"{self.dtype.name}[{','.join(map(str, self.shape))}]{place}"


class Leaf:
    """Where the tape ends: gradients that arrive here add up in a tensor's `.grad`.

    `tensor` is a weak reference, so a graph never keeps a parameter alive; `number` is lower than
    that of every node that uses the tensor.
    """

    __slots__ = ("hooks", "number", "post_hooks", "tensor")

    def __init__(self, tensor: Any):
        self.tensor = tensor
        self.number = _next_number()
        self.hooks: dict | None = None
        self.post_hooks: dict | None = None


class _Freed(tuple):
    """The edges of a node whose saved values are gone: going backward through it is an error."""

    __slots__ = ()


FREED: tuple = _Freed()


class Node:
    """One value of the graph: an op's recorded call, or a leaf that holds an array.

    Attributes:
        plan: What to compute; `None` for a leaf.
        inputs: The nodes it is computed from. Emptied once nothing needs them any more.
        scalars: Python numbers that the program takes as run-time inputs.
        edges: For each input the tape's continuation (Node, Leaf or None); `None` when no
            gradient flows, `FREED` after a backward pass that did not retain the graph.
        aval: Shape, dtype and device; a tuple of avals for an op with several outputs.
        array: The value once computed (NumPy or JAX); of an op with several outputs, the list
            of those outputs that its gradient needs.
        number: Grows with every node, so that inputs have lower numbers than their users.
        is_retired: Its storage has moved on, so that its buffer may be donated.
        origin: Number of the leaf whose storage this node is the next value of, 0 for none.
        is_used: A host array that a program has read once; the second time it moves to the device.
        place: Flush-local position, see `program.py`.
        uses: Flush-local count of references held by other nodes.
        module: The innermost `nn.Module` running when it was recorded.
        line: `(file, line)` of the user's call, kept where an error may come later.
        hooks: Gradient hooks of the tensor that this node is the value of.
        function: Goes backward by itself, for a node of the tape that is no step of a program
            (an `autograd.Function`, a move between devices).
    """

    __slots__ = (
        "__weakref__",
        "array",
        "aval",
        "edges",
        "function",
        "hooks",
        "inputs",
        "is_retired",
        "is_used",
        "line",
        "module",
        "number",
        "origin",
        "place",
        "plan",
        "scalars",
        "uses",
    )

    def __init__(
        self,
        plan: Plan | None,
        inputs: tuple[Node, ...],
        scalars: tuple,
        edges: tuple | None,
        aval: Any,
    ):
        self.plan: Any = plan
        self.inputs = inputs
        self.scalars = scalars
        self.edges: Any = edges
        self.aval = aval
        self.array: Any = None
        self.number = _next_number()
        self.origin = 0
        self.is_retired = False
        self.is_used = False
        self.place = -1
        self.uses = 0
        self.module: Any = None
        self.line: tuple[str, int] | None = None
        self.hooks: dict | None = None
        self.function: Any = None


def leaf(array: np.ndarray | jax.Array, aval: Aval) -> Node:
    """Return a node that holds a value."""
    node = Node(None, (), (), None, aval)
    node.array = array
    return node


def host_leaf(array: np.ndarray, place: device = CPU) -> Node:
    """Return a leaf node that owns a NumPy array."""
    return leaf(array, Aval.of(array.shape, from_numpy_dtype(array.dtype), place))
