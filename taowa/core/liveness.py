"""What a program must compute and hand out, found from Python's own reference counts.

A pending node is wanted for one of three reasons: a live handle (a tensor) holds it; another
wanted node reads it; a live tape will read its value in a backward pass still to come. References
held by nodes are counted here (`Node.uses`); whatever `sys.getrefcount` reports beyond those is a
handle. A stray reference (a debugger's, say) can only make a value an output that nobody needs,
never the reverse.
"""

from __future__ import annotations

from sys import getrefcount

from taowa.core.node import FREED, Leaf, Node

UNSEEN, ON_TAPE = -1, -2  # values of Node.place before a position is given


def live_nodes(nodes: list[Node]) -> tuple[list[Node], list[Node]]:
    """Split off what is wanted: all live nodes, oldest first, and those that handles hold.

    Dead nodes let go of their inputs at once, which in turn may be dead. Every live node's
    references to others are counted in `uses`.
    """
    live, held = [], []
    for i in range(len(nodes) - 1, -1, -1):
        node = nodes[i]
        extra = getrefcount(node) - _BASELINE - node.uses
        if extra <= 0 and node.uses == 0:
            node.inputs, node.edges = (), None
            continue
        live.append(node)
        for source in node.inputs:
            source.uses += 1
        source = None  # a loop variable is a reference too
        if extra > 0:
            held.append(node)
            node.place = ON_TAPE
        if node.edges:
            _count_edges(node)
    live.reverse()
    held.reverse()
    return live, held


def _count_edges(node: Node) -> None:
    is_on_tape = node.place == ON_TAPE
    for edge in node.edges or ():
        if edge.__class__ is Node and edge.array is None:
            edge.uses += 1
            if is_on_tape:
                edge.place = ON_TAPE


def _measure_baseline() -> int:
    """Return what `getrefcount` says inside `live_nodes` of a node that nobody else holds."""
    nodes = [Node(None, (), (), None, None)]
    for i in range(len(nodes) - 1, -1, -1):
        node = nodes[i]
        return getrefcount(node)
    return 0


_BASELINE = _measure_baseline()


def is_exclusive(leaves: list[Node], index: int) -> bool:
    """Return whether only the program's own nodes hold this leaf and its buffer."""
    leaf = leaves[index]
    array = leaf.array
    return getrefcount(leaf) - leaf.uses <= _BASELINE and getrefcount(array) <= _ARRAY_BASELINE


def _measure_array_baseline() -> int:
    leaf = Node(None, (), (), None, None)
    leaf.array = [object()]
    array = leaf.array
    return getrefcount(array)


_ARRAY_BASELINE = _measure_array_baseline()


def wanted_inputs(node: Node) -> tuple[int, ...]:
    """Return the positions of the inputs towards which a gradient flows."""
    return tuple([i for i, edge in enumerate(node.edges or ()) if edge is not None])


def settle_tape(node: Node) -> bool:
    """Return whether a later backward pass may read what this node saves.

    A node whose continuation was freed can never be walked: it is freed too, so that no chain of
    nodes grows behind a running sum of losses.
    """
    edges = node.edges
    if not edges:
        return False
    for edge in edges:
        if edge.__class__ is not Leaf and edge is not None and edge.edges is FREED:
            node.edges = FREED
            return False
    return True
