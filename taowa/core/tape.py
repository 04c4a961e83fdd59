"""What users see of the tape: `grad_fn` and the handles of hooks."""

from __future__ import annotations

from taowa.core.grad_names import backward_name
from taowa.core.node import Node


class GradFn:
    """The tape's entry of a tensor, as PyTorch shows it."""

    def __init__(self, node: Node):
        self._tape_node = node

    def name(self) -> str:
        """Return PyTorch's name of the backward function."""
        return backward_name(self._tape_node)

    @property
    def next_functions(self) -> tuple:
        """The entries towards which gradients go on, with the index of their output."""
        edges = self._tape_node.edges or ()
        return tuple((GradFn(e) if e.__class__ is Node else e, 0) for e in edges)

    def __repr__(self) -> str:
        return f"<{self.name()}>"
