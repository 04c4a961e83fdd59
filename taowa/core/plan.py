"""Plans: an op bound to the shapes, types and static arguments of one kind of call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from taowa.core.context import Context, user_line
from taowa.core.device import CPU
from taowa.core.node import FREED, Aval, Node
from taowa.dtypes import from_numpy_dtype

Arrays = Sequence[Any]
Function = Callable[[Arrays, Arrays], Any]  # (inputs, scalars) -> output or tuple of outputs


class Plan:
    """A traceable function with the avals of its inputs and outputs, shared by all equal calls.

    A program's key is made of the identities of its nodes' plans; `text` names the plan across
    processes, for the cache on disk (`None`: the plan cannot be named, so it is not kept there).
    """

    __slots__ = (
        "_grad_plans",
        "_parts",
        "_saved",
        "aval",
        "blind_inputs",
        "check",
        "device",
        "fn",
        "has_gradients",
        "in_avals",
        "index",
        "is_single",
        "name",
        "nbytes",
        "num_programs",
        "num_values",
        "num_visible",
        "rule",
        "scalar_types",
        "text",
    )

    def __init__(
        self,
        name: str,
        text: str | None,
        fn: Function,
        in_avals: tuple[Aval, ...],
        aval: Aval | tuple[Aval, ...],
        *,
        scalar_types: tuple[type, ...] = (),
        rule: Any = None,
        check: Callable | None = None,
        index: int | None = None,
        num_residuals: int = 0,
    ):
        self.name = name
        self.text = text
        self.fn = fn
        self.in_avals = in_avals
        self.aval = aval
        self.scalar_types = scalar_types
        self.rule = rule
        self.check = check
        self.index = index  # of the output that a projection picks
        self.nbytes = sum(a.nbytes for a in self.avals) if index is None else 0
        self.num_programs = 0  # in memory that contain it
        self.num_values = 1 + len(aval) if isinstance(aval, tuple) else 1
        self.num_visible = len(self.avals) - num_residuals  # the rest only the gradient reads
        self.is_single = num_residuals > 0 and self.num_visible == 1
        self.device = self.avals[0].device if self.avals else CPU
        self.has_gradients = any(is_differentiable(a) for a in self.avals)
        # Inputs of types towards which no gradient can flow.
        self.blind_inputs = [i for i, a in enumerate(in_avals) if not is_differentiable(a)]
        self._parts: list[tuple[Plan, Aval, bool]] | None = None
        self._grad_plans: dict = {}
        self._saved: dict = {}

    @property
    def avals(self) -> tuple[Aval, ...]:
        """The outputs' avals, always as a tuple."""
        return self.aval if isinstance(self.aval, tuple) else (self.aval,)

    @property
    def parts(self) -> list[tuple[Plan, Aval, bool]]:
        """For each output handed out: the plan that picks it, its aval, whether it has gradients.

        They are no steps of a program: the outputs of a node follow it in a program's numbering.
        """
        if self._parts is None:
            self._parts = [
                (projection(a, i), a, is_differentiable(a))
                for i, a in enumerate(self.avals[: self.num_visible])
            ]
        return self._parts

    def __repr__(self) -> str:
        return self.text or self.name

    def outputs(self, arrays: Arrays, scalars: Arrays) -> tuple:
        """Run the function, with the outputs always as a tuple."""
        result = self.fn(arrays, scalars)
        return tuple(result) if type(self.aval) is tuple else (result,)

    def saved(
        self, wanted: tuple[int, ...], given: tuple[int, ...] = ()
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return which inputs and which outputs the gradient towards `wanted` inputs reads."""
        key = (wanted, self._is_through_residuals(given))
        found = self._saved.get(key)
        if found is None:
            found = ((), ()) if self.index is not None else _values_read(self, wanted, given)
            self._saved[key] = found
        return found

    def kept(self, wanted: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return which inputs and outputs a backward pass may still read, of any order."""
        inputs, outputs = self.saved(wanted)
        if self.num_visible < len(self.avals):
            of_higher, _ = self.saved(wanted, tuple(range(len(self.avals))))
            inputs = tuple(sorted({*inputs, *of_higher}))
        return inputs, outputs

    def _is_through_residuals(self, given: tuple[int, ...]) -> bool:
        """Return whether a gradient arrives at a value that a first gradient has read."""
        return bool(given) and given[-1] >= self.num_visible

    def pull(self, given: tuple[int, ...]) -> Callable:
        """Return the function that computes gradients from those of the `given` outputs."""
        if self.rule is None or self._is_through_residuals(given):
            return _pull_by_vjp
        return self.rule.pull

    def grad_plan(self, wanted: tuple[int, ...], given: tuple[int, ...]) -> Plan:
        """Return the plan of the gradient towards `wanted` inputs from the `given` outputs."""
        key = (wanted, given)
        if key not in self._grad_plans:
            self._grad_plans[key] = self._make_grad_plan(wanted, given)
        return self._grad_plans[key]

    def _make_grad_plan(self, wanted: tuple[int, ...], given: tuple[int, ...]) -> Plan:
        saved_inputs, saved_outputs = self.saved(wanted, given)
        pull = self.pull(given)
        num_saved = len(saved_inputs) + len(saved_outputs)

        def fn(arrays: Arrays, scalars: Arrays) -> Any:
            inputs = _placeholders(self.in_avals)
            outputs = _placeholders(self.avals)
            for i, value in zip(saved_inputs, arrays[: len(saved_inputs)], strict=True):
                inputs[i] = value
            for i, value in zip(saved_outputs, arrays[len(saved_inputs) : num_saved], strict=True):
                outputs[i] = value
            cotangents = dict(zip(given, arrays[num_saved:], strict=True))
            grads = pull(self, inputs, outputs, cotangents, scalars, wanted)
            return grads if len(wanted) > 1 else grads[0]

        in_avals = tuple(
            [self.in_avals[i] for i in saved_inputs]
            + [self.avals[i] for i in saved_outputs]
            + [self.avals[i] for i in given]
        )
        avals = tuple(self.in_avals[i] for i in wanted)
        text = None if self.text is None else f"grad({self.text}){wanted}{given}"
        name = f"{self.name}.backward"
        aval = avals if len(wanted) > 1 else avals[0]
        return Plan(name, text, fn, in_avals, aval, scalar_types=self.scalar_types)


def _placeholders(avals: tuple[Aval, ...]) -> list:
    """Return stand-ins for inputs whose values are known not to matter."""
    return [jnp.zeros(a.shape, a.dtype.np) for a in avals]


def _pull_by_vjp(
    plan: Plan, inputs: list, _: list, cotangents: dict, scalars: Arrays, wanted: tuple[int, ...]
) -> tuple:
    """Differentiate the function itself."""

    def forward(*active: Any) -> tuple:
        merged: list = list(inputs)
        for i, value in zip(wanted, active, strict=True):
            merged[i] = value
        outputs = plan.outputs(merged, scalars)
        return tuple(outputs[i] for i in cotangents)

    pull: Any = jax.vjp(forward, *[inputs[i] for i in wanted])[1]
    # PyTorch's gradient of a complex value is the conjugate of JAX's.
    return tuple(_conj(g) for g in pull(tuple(_conj(c) for c in cotangents.values())))


def _conj(value: Any) -> Any:
    return jnp.conj(value) if jnp.iscomplexobj(value) else value


def _values_read(
    plan: Plan, wanted: tuple[int, ...], given: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Find what the traced gradient reads, by walking its equations backwards."""
    pull = plan.pull(given)
    count = len(plan.avals) if pull is _pull_by_vjp else plan.num_visible
    given = tuple(i for i, a in enumerate(plan.avals[:count]) if is_differentiable(a))

    def gradient(inputs: list, outputs: list, cotangents: list, numbers: list) -> tuple:
        arrived = dict(zip(given, cotangents, strict=True))
        return pull(plan, inputs, outputs, arrived, numbers, wanted)

    structs = [[a.struct() for a in group] for group in (plan.in_avals, plan.avals)]
    with jax.enable_x64(True):
        cotangents = [plan.avals[i].struct() for i in given]
        closed = jax.make_jaxpr(gradient)(*structs, cotangents, scalar_structs(plan))
    needed = {id(v) for v in closed.jaxpr.outvars}
    for equation in reversed(closed.jaxpr.eqns):
        if any(id(v) in needed for v in equation.outvars):
            needed.update(id(v) for v in equation.invars)
    read = [id(v) in needed for v in closed.jaxpr.invars]
    num_inputs, num_outputs = map(len, structs)
    return (
        tuple(i for i in range(num_inputs) if read[i]),
        tuple(i for i in range(num_outputs) if read[num_inputs + i]),
    )


def scalar_structs(plan: Plan) -> list[jax.ShapeDtypeStruct]:
    """Return the types in which the plan's Python numbers arrive."""
    return [jax.ShapeDtypeStruct((), SCALAR_TYPES[t]) for t in plan.scalar_types]


SCALAR_TYPES = {
    float: np.dtype(np.float64),
    int: np.dtype(np.int64),
    bool: np.dtype(np.int64),
    complex: np.dtype(np.complex128),
}


def is_differentiable(aval: Aval) -> bool:
    """Return whether values of this kind can carry a gradient."""
    return aval.dtype.is_floating_point or aval.dtype.is_complex


def avals_of(fn: Function, in_avals: tuple[Aval, ...], scalars: list) -> Aval | tuple[Aval, ...]:
    """Return the avals of a function's outputs by tracing it."""
    place = in_avals[0].device
    with jax.enable_x64(True):
        result = jax.eval_shape(fn, [a.struct() for a in in_avals], scalars)
    if isinstance(result, tuple | list):
        return tuple(Aval.of(r.shape, from_numpy_dtype(r.dtype), place) for r in result)
    return Aval.of(result.shape, from_numpy_dtype(result.dtype), place)


def _project(index: int) -> Function:
    return lambda arrays, _: arrays[0][index]


_projections: dict[tuple, Plan] = {}


def projection(aval: Aval, index: int) -> Plan:
    """Return the plan that picks one output of a node with several."""
    plan = _projections.get((aval, index))
    if plan is None:
        name = f"output[{index}]"
        plan = Plan(name, name, _project(index), (aval,), aval, index=index)
        _projections[aval, index] = plan
    return plan


def record(
    ctx: Context, plan: Plan, inputs: tuple[Node, ...], scalars: tuple, edges: tuple | None
) -> Node:
    """Add one node to the thread's pending work."""
    if edges is not None:
        for edge in edges:
            if edge.__class__ is Node and edge.edges is FREED:
                edges = FREED  # going backward through here is bound to fail: keep no chain
                break
    node = Node(plan, inputs, scalars, edges, plan.aval)
    ctx.pending.append(node)
    ctx.pending_bytes += plan.nbytes
    if ctx.module_stack:
        node.module = ctx.module_stack[-1]
    if ctx.keeps_lines or plan.check is not None:
        node.line = user_line()
    return node


def project(ctx: Context, parent: Node) -> list[Node]:
    """Return one node for each output that a node with several hands out."""
    inputs = (parent,)
    edges = inputs if parent.edges else parent.edges  # None and FREED are handed on
    made = [
        Node(plan, inputs, (), edges if is_continued else None, aval)
        for plan, aval, is_continued in parent.plan.parts
    ]
    ctx.pending += made
    return made
