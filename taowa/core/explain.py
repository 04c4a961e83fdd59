"""`taowa.explain()`: what the engine did, and why it compiled."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import jax

from taowa.core import journal
from taowa.core.context import context
from taowa.core.journal import Compilation
from taowa.core.node import Node
from taowa.core.plan import Plan
from taowa.core.program import Program, programs

_SHOWN_COMPILATIONS = 20


@dataclass(frozen=True)
class Report:
    """The engine's counters at one moment; print it, or subtract an earlier one.

    Attributes:
        compilations: Programs compiled by XLA.
        disk_hits: Programs taken from the cache on disk instead.
        dispatches: Programs run.
        compile_seconds: Time spent compiling and loading.
        num_programs: Compiled programs in memory.
        num_pending: Operations recorded and not yet dispatched.
        history: The latest compilations, oldest first.
        details: The graph, key and program of the latest work (with `verbose=True`).
    """

    compilations: int
    disk_hits: int
    dispatches: int
    compile_seconds: float
    num_programs: int
    num_pending: int
    history: tuple[Compilation, ...] = field(default=(), repr=False)
    details: str = field(default="", repr=False)

    def __sub__(self, earlier: Report) -> Report:
        return Report(
            self.compilations - earlier.compilations,
            self.disk_hits - earlier.disk_hits,
            self.dispatches - earlier.dispatches,
            self.compile_seconds - earlier.compile_seconds,
            self.num_programs,
            self.num_pending,
            self.history[len(earlier.history) :],
        )

    def __str__(self) -> str:
        lines = [
            f"programs dispatched   {self.dispatches}",
            f"compiled by XLA       {self.compilations}",
            f"loaded from disk      {self.disk_hits}",
            f"seconds for both      {self.compile_seconds:.2f}",
            f"programs in memory    {self.num_programs}",
            f"operations pending    {self.num_pending}",
        ]
        if self.history:
            lines += ["", "compilations, latest last:"]
            lines += [f"  {entry}" for entry in self.history[-_SHOWN_COMPILATIONS:]]
        return "\n".join(lines) + ("\n\n" + self.details if self.details else "")

    __repr__ = __str__


def explain(*, verbose: bool = False) -> Report:
    """Return what the engine did so far: programs run and compiled, and what forced each.

    Args:
        verbose: Add the pending graph, and the key and program of the latest work, in a form
            that a person can read.

    Example:
        >>> import taowa
        >>> before = explain()
        >>> x = (taowa.ones(2) + 41).sum().item()
        >>> (explain() - before).dispatches
        1
    """
    counters = journal.counters
    return Report(
        counters.compilations,
        counters.disk_hits,
        counters.dispatches,
        counters.compile_seconds,
        len(programs()),
        sum(node.plan.index is None for node in context().pending),
        tuple(journal.log.compilations),
        _details() if verbose else "",
    )


def _details() -> str:
    sections = []
    pending = context().pending
    if pending:
        sections.append("pending graph:\n" + describe_graph(pending))
    if programs():
        latest = max(programs(), key=lambda p: p.last_run)
        sections.append("latest program:\n" + describe_program(latest))
        sections.append("as JAX sees it:\n" + jaxpr_text(latest))
    return "\n\n".join(sections)


def describe_graph(nodes: list[Node]) -> str:
    """Return one line for each node: its number, op, inputs, result and module."""
    lines = []
    for node in nodes:
        inputs = ", ".join(
            f"%{n.number}" if n.array is None else f"{n.aval}@%{n.number}" for n in node.inputs
        )
        numbers = f"; numbers {list(node.scalars)}" if node.scalars else ""
        module = f"  in {type(node.module).__name__}" if node.module is not None else ""
        name = node.plan.name if node.plan else "leaf"
        lines.append(f"  %{node.number} = {name}({inputs}{numbers}) -> {node.aval}{module}")
    return "\n".join(lines)


def describe_program(program: Program) -> str:
    """Return a program's key as a listing: inputs, one line for each op, outputs."""
    lines = [f"  a{i}: {aval}{_mark(program, i)}" for i, aval in enumerate(program.leaf_avals)]
    place = 0
    for plan, sources in program.calls():
        names = ", ".join(f"%{s}" if s >= 0 else f"a{-3 - s}" for s in sources)
        numbers = f"; {len(plan.scalar_types)} numbers" if plan.scalar_types else ""
        made = ", ".join(f"%{p}" for p in _numbers(place, plan))
        lines.append(f"  {made} = {plan.name}({names}{numbers}) -> {plan.aval}")
        place += plan.num_values
    outputs = ", ".join(f"%{p}" for p in program.outputs)
    lines.append(f"  return {outputs}")
    used = Counter(plan.name for plan in program.plans())
    summary = ", ".join(f"{n} x {name}" for name, n in used.most_common(6))
    lines.append(f"  ({program.num_nodes} ops: {summary}; ran {program.runs} times)")
    return "\n".join(lines)


def _numbers(place: int, plan: Plan) -> range:
    """Return the numbers of a step's values: a node's own stands for all of them together."""
    return range(place + (plan.num_values > 1), place + plan.num_values)


def _mark(program: Program, index: int) -> str:
    return " (its buffer is reused)" if index in program.donated else ""


def jaxpr_text(program: Program) -> str:
    """Return the program as JAX's intermediate language."""
    with jax.enable_x64(True):
        return str(jax.make_jaxpr(program.replay)(*program.structs()))
