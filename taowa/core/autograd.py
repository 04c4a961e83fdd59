"""Going backward: the walk along the tape, which records gradient nodes into the same graph."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from taowa.core.anomaly import require_no_nan
from taowa.core.context import Context, context
from taowa.core.liveness import wanted_inputs
from taowa.core.node import FREED, Aval, Leaf, Node, leaf
from taowa.core.plan import Plan, is_differentiable, projection, record
from taowa.core.record import record_call
from taowa.core.tensor import Tensor, from_array, wrap

Edge = Any  # a Node or a Leaf
add_hook: list[Any] = [None]  # ops.pointwise.add, which lies above

_FREED_MESSAGE = (
    "Trying to backward through the graph a second time (or directly access saved tensors after "
    "they have already been freed). Saved intermediate values of the graph are freed when you call "
    ".backward() or autograd.grad(). Specify retain_graph=True if you need to backward through the "
    "graph a second time or if you need to access saved tensors after calling backward."
)


def _reachable(roots: list[Edge]) -> list[Edge]:
    """Return all of the tape that leads to the roots, newest first."""
    seen: dict[int, Edge] = {}
    stack = list(roots)
    while stack:
        edge = stack.pop()
        if edge is None or id(edge) in seen:
            continue
        seen[id(edge)] = edge
        if edge.__class__ is Node:
            if edge.edges is FREED:
                raise RuntimeError(_FREED_MESSAGE)
            stack += edge.edges
    return sorted(seen.values(), key=_number, reverse=True)


_number = attrgetter("number")


def _leads_to(order: list[Edge], targets: set[int]) -> set[int]:
    """Return the ids of the tape's entries through which gradients reach the targets."""
    useful = set(targets)
    for edge in reversed(order):
        if edge.__class__ is Node and any(id(e) in useful for e in edge.edges):
            useful.add(id(edge))
    return useful


class Cotangent(NamedTuple):
    """A gradient on its way: its value, and where the tape goes on from it (higher orders)."""

    node: Node
    edge: Edge

    @classmethod
    def of(cls, tensor: Tensor) -> Cotangent:
        """Return a tensor as a gradient on its way."""
        return cls(tensor._node(), tensor._tape())

    def tensor(self) -> Tensor:
        """Return the gradient as a tensor, for user's functions and for sums."""
        return wrap(self.node, self.edge)


class _Backward:
    """One pass along the tape.

    Attributes:
        cotangents: For each entry the gradients that arrived, by output index.
        captured: The gradients of the entries asked for by `grad()`.
    """

    def __init__(self, retain_graph: bool, create_graph: bool, targets: list[Edge] | None):
        self.retain_graph = retain_graph
        self.create_graph = create_graph
        self.targets = None if targets is None else {id(t) for t in targets}
        self.captured: dict[int, Tensor] = {}
        self.cotangents: dict[int, dict[int, Cotangent]] = {}

    def run(self, roots: list[Edge], grads: list[Tensor]) -> None:
        order = _reachable(roots)
        useful = None if self.targets is None else _leads_to(order, self.targets)
        for root, grad in zip(roots, grads, strict=True):
            self._send(root, 0, Cotangent.of(grad))
        for edge in order:
            arrived = self.cotangents.pop(id(edge), None)
            if arrived is None or (useful is not None and id(edge) not in useful):
                continue
            self._visit(edge, arrived, useful)
        if not self.retain_graph:
            _free(order)

    def _visit(self, edge: Edge, arrived: dict[int, Cotangent], useful: set[int] | None) -> None:
        if edge.hooks and 0 in arrived:
            arrived[0] = Cotangent.of(_run_hooks(edge.hooks, arrived[0].tensor()))
        if self.targets is not None and id(edge) in self.targets:
            self.captured[id(edge)] = arrived[0].tensor()
        if edge.__class__ is Leaf:
            if self.targets is None:
                _accumulate(edge, arrived[0], self.create_graph)
            return
        if useful is not None and not any(id(e) in useful for e in edge.edges):
            return
        self._propagate(edge, arrived, useful)

    def _propagate(
        self, node: Node, arrived: dict[int, Cotangent], useful: set[int] | None
    ) -> None:
        if node.plan.index is not None:  # a projection hands its gradient to its parent
            self._send(node.edges[0], node.plan.index, arrived[0])
            return
        wanted = tuple([
            i for i, e in enumerate(node.edges)
            if e is not None and (useful is None or id(e) in useful)
        ])  # fmt: skip
        grads = _gradients(node, wanted, arrived)
        if context().is_checking_anomalies:
            require_no_nan(node, [g and g.tensor() for g in grads])
        for i, grad in zip(wanted, grads, strict=True):
            if grad is not None:
                self._send(node.edges[i], 0, grad)

    def _send(self, edge: Edge, index: int, grad: Cotangent) -> None:
        slot = self.cotangents.get(id(edge))
        if slot is None:
            self.cotangents[id(edge)] = {index: grad}
        elif index in slot:
            slot[index] = Cotangent.of(add_hook[0](slot[index].tensor(), grad.tensor()))
        else:
            slot[index] = grad


def _gradients(
    node: Node, wanted: tuple[int, ...], arrived: dict[int, Cotangent]
) -> Sequence[Cotangent | None]:
    """Record the gradient of one node towards the wanted inputs."""
    if node.function is not None:
        made = node.function(node, wanted, {i: c.tensor() for i, c in arrived.items()})
        return [None if grad is None else Cotangent.of(grad) for grad in made]
    plan: Plan = node.plan
    ctx = context()
    given = tuple(sorted(arrived))
    saved_inputs, saved_outputs = plan.saved(wanted, given)
    sources = [node.inputs[i] for i in saved_inputs]
    sources += [_output(ctx, node, i) for i in saved_outputs]
    sources += [arrived[i].node for i in given]
    edges = None
    if ctx.grad_enabled:  # a higher order is asked for
        is_several = plan.aval.__class__ is tuple
        first = len(saved_inputs)
        edges = [node.edges[i] for i in saved_inputs]
        edges += [sources[first + k] if is_several else node for k in range(len(saved_outputs))]
        edges += [arrived[i].edge for i in given]
    made = record_call(ctx, plan.grad_plan(wanted, given), sources, node.scalars, edges)
    nodes = (made,) if made.__class__ is Node else made
    return [Cotangent(n, None if n.edges is None else n) for n in nodes]


def _output(ctx: Context, node: Node, index: int) -> Node:
    """Return the node of one output, for a gradient that reads it."""
    if node.plan.aval.__class__ is not tuple:
        return node
    aval = node.aval[index]
    plan = projection(aval, index)
    edges = (node,) if is_differentiable(aval) else None
    if node.array is None:
        return record(ctx, plan, (node,), (), edges)
    entry = Node(plan, (), (), edges, aval)
    entry.array = node.array[index]
    return entry


def _run_hooks(hooks: dict, grad: Tensor) -> Tensor:
    for hook in list(hooks.values()):
        result = hook(grad)
        if result is not None:
            grad = result
    return grad


def _accumulate(edge: Leaf, grad: Cotangent, create_graph: bool) -> None:
    """Add a gradient to its leaf's `.grad`."""
    tensor = edge.tensor()
    if tensor is None:
        return
    held = tensor._grad
    if held is None:
        tensor._grad = wrap(grad.node, grad.edge if create_graph else None)
    elif create_graph:
        tensor._grad = add_hook[0](held, grad.tensor())
    else:
        held._write(add_hook[0](held, grad.tensor())._node(), None)
    if edge.post_hooks:
        for hook in list(edge.post_hooks.values()):
            hook(tensor)


def _free(order: list[Edge]) -> None:
    """Free what was walked, except nodes whose gradient reads no saved value."""
    for edge in order:
        if edge.__class__ is Node and edge.edges is not FREED and _saves_values(edge):
            edge.edges, edge.function = FREED, None
            if edge.array is not None:
                edge.inputs = ()
                if edge.aval.__class__ is tuple:
                    edge.array = []


def _saves_values(node: Node) -> bool:
    if node.plan.index is not None:
        return False
    if node.function is not None:
        return True
    inputs, outputs = node.plan.saved(wanted_inputs(node))
    return bool(inputs or outputs)


def _initial_gradient(root: Tensor, grad: Tensor | None, create_graph: bool) -> Tensor:
    if grad is None:
        if root.shape.numel() != 1:
            raise RuntimeError("grad can be implicitly created only for scalar outputs")
        return wrap(_ones_leaf(root._aval), None)
    if grad.shape != root.shape:
        raise RuntimeError(
            f"Mismatch in shape: grad_output[0] has a shape of {grad.shape} and output[0] has a "
            f"shape of {root.shape}."
        )
    return grad if create_graph else grad.detach()


@lru_cache(maxsize=256)
def _ones_leaf(aval: Aval) -> Node:
    return leaf(np.ones(aval.shape, aval.dtype.np), aval)


def _as_tuple(value: Any) -> tuple:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, Sequence) else (value,)


def _walk(
    tensors: Any, grads: Any, retain_graph: bool | None, create_graph: bool, targets: Any
) -> _Backward:
    """Go backward from `tensors`, under the gradient mode that `create_graph` asks for."""
    roots = _as_tuple(tensors)
    given = _as_tuple(grads) or (None,) * len(roots)
    for root in roots:
        if root._tape() is None:
            raise RuntimeError(
                "element 0 of tensors does not require grad and does not have a grad_fn"
            )
    walk = _Backward(create_graph if retain_graph is None else retain_graph, create_graph, targets)
    ctx = context()
    previous, ctx.grad_enabled = ctx.grad_enabled, create_graph
    ctx.has_gradients = True
    try:
        seeds = [_initial_gradient(r, g, create_graph) for r, g in zip(roots, given, strict=True)]
        walk.run([r._tape() for r in roots], seeds)
    finally:
        ctx.grad_enabled = previous
    return walk


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Add the gradients of the given tensors to the `.grad` of the leaves they came from.

    Args:
        tensors: One tensor or several.
        grad_tensors: The gradient towards each of them; `None` means 1 and wants a scalar.
        retain_graph: Keep the tape for another pass; by default the value of `create_graph`.
        create_graph: Put the gradients on the tape themselves.
        inputs: Collect gradients in these tensors only.

    Raises:
        RuntimeError: if a tensor is not on the tape, or the tape was freed already.

    Example:
        >>> import taowa
        >>> x = taowa.ones(2, requires_grad=True)
        >>> backward((x * 3).sum())
        >>> x.grad
        tensor([3., 3.])
    """
    if inputs is None:
        _walk(tensors, grad_tensors, retain_graph, create_graph, None)
        return
    chosen = _as_tuple(inputs)
    if not chosen:
        raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    walk = _walk(tensors, grad_tensors, retain_graph, create_graph, [t._tape() for t in chosen])
    for tensor in chosen:
        found = walk.captured.get(id(tensor._tape()))
        if found is not None:
            tensor._grad = found if tensor._grad is None else add_hook[0](tensor._grad, found)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """Return the gradients of `outputs` towards `inputs`, leaving every `.grad` alone.

    Args:
        outputs: One tensor or several.
        inputs: The tensors to differentiate towards.
        grad_outputs: The gradient towards each output; `None` means 1 and wants a scalar.
        retain_graph: Keep the tape for another pass; by default the value of `create_graph`.
        create_graph: Put the gradients on the tape themselves (for higher orders).
        allow_unused: Return `None` for an input that the outputs do not depend on.
        materialize_grads: Return zeros for it instead.

    Raises:
        RuntimeError: if an input is not on the tape, or is unused and that is not allowed.

    Example:
        >>> import taowa
        >>> x = taowa.tensor(3.0, requires_grad=True)
        >>> (slope,) = grad(x * x * x, x, create_graph=True)
        >>> grad(slope, x)
        (tensor(18.),)
    """
    if is_grads_batched:
        raise NotImplementedError(
            "grad(is_grads_batched=True) is not supported by taowa; call it in a loop"
        )
    chosen = _as_tuple(inputs)
    targets = [t._tape() for t in chosen]
    if any(t is None for t in targets):
        raise RuntimeError("One of the differentiated Tensors does not require grad")
    walk = _walk(outputs, grad_outputs, retain_graph, create_graph, targets)
    return tuple(_captured(walk, t, bool(allow_unused), materialize_grads) for t in chosen)


def _captured(
    walk: _Backward, tensor: Tensor, allow_unused: bool, materialize: bool
) -> Tensor | None:
    found = walk.captured.get(id(tensor._tape()))
    if found is not None:
        return found if walk.create_graph else wrap(found._node(), None)
    if materialize:
        return from_array(np.zeros(tensor.shape, tensor.dtype.np), device=tensor.device)
    if not allow_unused:
        raise RuntimeError(
            "One of the differentiated Tensors appears to not have been used in the graph. "
            "Set allow_unused=True if this is the desired behavior."
        )
    return None


def _tensor_backward(
    self: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add this tensor's gradients to the `.grad` of the leaves it came from; see `backward`."""
    backward(self, gradient, retain_graph, create_graph, inputs=inputs)


Tensor.backward = _tensor_backward  # type: ignore[attr-defined]
