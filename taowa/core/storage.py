"""Storage: the memory that a tensor shares with its views."""

from __future__ import annotations

from sys import getrefcount

import numpy as np

from taowa.core.node import Node, host_leaf


class Storage:
    """The memory that a tensor and its views share: the node that is its value now.

    Attributes:
        node: The current value. Writing rebinds it; nothing below is ever mutated.
        version: Grows with every write, so that views know when to read again.
        token: Identity for `data_ptr`.
    """

    __slots__ = ("__weakref__", "node", "version")

    def __init__(self, node: Node):
        self.node = node
        self.version = 0

    def rebind(self, node: Node) -> None:
        """Make `node` the current value; it may then take over the old value's buffer."""
        old = self.node
        old.is_retired = True
        node.origin = old.origin if old.array is None else old.number
        node.is_retired = False
        self.node = node
        self.version += 1

    def own_array(self) -> np.ndarray:
        """Return the value's NumPy array to write to, a copy first if anyone else may read it."""
        is_sole = _is_sole(self)  # first: every name for the array counts
        array = self.node.array
        if is_sole and array.base is None and array.flags.carray:
            self.node.is_used = False  # what a program has read is no longer its value
            self.version += 1
        else:
            self.rebind(host_leaf(array.copy(), self.node.aval.device))
        return self.node.array


def _is_sole(storage: Storage) -> bool:
    """Return whether nothing but the storage holds its value, by Python's reference counts."""
    return (
        getrefcount(storage.node) <= _SOLE_NODE and getrefcount(storage.node.array) <= _SOLE_ARRAY
    )


_sample = Storage(Node(None, (), (), None, None))
_sample.node.array = np.zeros(1)
_SOLE_NODE, _SOLE_ARRAY = getrefcount(_sample.node), getrefcount(_sample.node.array)
