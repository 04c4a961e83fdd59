"""Programs: all pending and wanted work, compiled whole, cached by structure, dispatched."""

from __future__ import annotations

import threading
import time
import warnings
from collections import OrderedDict
from typing import Any

import jax
import numpy as np

from taowa.config import config
from taowa.core import disk, journal
from taowa.core.context import Context, all_contexts, context, flush_hook
from taowa.core.device import CPU, device, jax_device
from taowa.core.liveness import (
    ON_TAPE,
    UNSEEN,
    is_exclusive,
    live_nodes,
    settle_tape,
    wanted_inputs,
)
from taowa.core.node import FREED, Aval, Node
from taowa.core.op import BoundCall
from taowa.core.plan import SCALAR_TYPES, Plan

_lock = threading.RLock()
_programs: OrderedDict[tuple, Program] = OrderedDict()
_FIRST_LEAF = -3  # leaf number i is written as place `_FIRST_LEAF - i`


class Work:
    """One batch of live nodes, in the order and with the numbering of a program.

    Values are numbered in order; a node with several outputs has a number of its own, followed by
    one for each output. `Node.place` is that number here, or stands for a leaf (`_FIRST_LEAF`).

    Attributes:
        nodes: Live pending nodes, oldest first.
        leaves: The arrays' nodes that they read, in order of first use.
        steps: The key's body: plans, each followed by the places of its inputs.
        outputs: The numbers of the values to hand out.
        scalars: The run-time numbers, by the kind in which they travel.
        donated: Indices of leaves whose buffers the outputs take over.
    """

    def __init__(self, pending: list[Node]):
        self.nodes, held = live_nodes(pending)
        self.leaves: list[Node] = []
        self.steps: list = []
        self.scalars: dict[type, list] = {float: [], int: [], complex: []}
        self._wanted: dict[int, Aval] = {}
        self._receivers: list[tuple[int, Node, int | None]] = []
        self.missing: list[Node] = []  # leaves without a value yet
        self._saved_leaves: set[int] = set()  # a later backward pass reads these: never donated
        self._on_tape: list[tuple[Node, tuple[int, ...]]] = []
        self._number()
        for node in held:
            if node.aval.__class__ is not tuple:
                self._wanted[node.place] = node.aval
                self._receivers.append((node.place, node, None))
        self.outputs, self.donated = self._paired()
        self.place = self.nodes[0].plan.device if self.nodes else CPU

    def _number(self) -> None:
        """Number all nodes and write their steps."""
        add, add_leaf, number = self.steps.append, self._add_leaf, 0
        for node in self.nodes:
            is_on_tape = node.place == ON_TAPE and settle_tape(node)
            plan = node.plan
            if plan.index is not None:
                parent = node.inputs[0].place
                if parent >= 0:  # numbered with its parent
                    node.place = parent + 1 + plan.index
                    if is_on_tape:
                        self._on_tape.append((node, ()))
                    continue
            add(plan)
            for source in node.inputs:
                place = source.place
                add(place if place >= 0 or place <= _FIRST_LEAF else add_leaf(source))
            for value in node.scalars:
                self.scalars[int if value.__class__ is bool else value.__class__].append(value)
            node.place = number
            number += plan.num_values
            if is_on_tape:
                self._save(node)

    def _add_leaf(self, node: Node) -> int:
        if node.array is None:
            self.missing.append(node)
        node.place = _FIRST_LEAF - len(self.leaves)
        self.leaves.append(node)
        return node.place

    def _want(self, number: int, node: Node, index: int | None) -> None:
        """Hand out a value to a node, or to one of the outputs that it keeps for its gradient."""
        self._wanted[number] = node.aval if index is None else node.aval[index]
        self._receivers.append((number, node, index))

    def _save(self, node: Node) -> None:
        """Make outputs of the values that the node's backward pass will read."""
        inputs, outputs = node.plan.kept(wanted_inputs(node))
        for i in inputs:
            source = node.inputs[i]
            if source.place >= 0:
                self._want(source.place, source, None)
            else:
                self._saved_leaves.add(_FIRST_LEAF - source.place)
        for i in outputs:
            if node.aval.__class__ is tuple:
                self._want(node.place + 1 + i, node, i)
            else:
                self._want(node.place, node, None)
        self._on_tape.append((node, inputs))

    def _paired(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the outputs, and the leaves whose buffers they take over, in matching orders.

        A leaf's storage has moved on. Its buffer goes to the storage's next value, so that the
        compiler updates in place; to another output of the same aval if there is none. JAX gives
        the k-th donated buffer of an aval to the k-th output with that aval.
        """
        retired = [(i, leaf) for i, leaf in enumerate(self.leaves) if leaf.is_retired]
        if not retired:
            return tuple(self._wanted), ()
        next_values = {
            node.origin: number for number, node, index in self._receivers if index is None
        }
        rest = dict(self._wanted)
        heirs = [self._heir(leaf, next_values, rest) for _, leaf in retired]
        for k, (_, leaf) in enumerate(retired):
            if heirs[k] is None:
                heirs[k] = _first_of(leaf.aval, rest)
        donated = tuple(i for (i, _), heir in zip(retired, heirs, strict=True) if heir is not None)
        return (*(heir for heir in heirs if heir is not None), *rest), donated

    @staticmethod
    def _heir(leaf: Node, next_values: dict[int, int], rest: dict[int, Aval]) -> int | None:
        """Take the number of the leaf's next value, if it fits, from `rest`."""
        number = next_values.get(leaf.number)
        if number is None or rest.get(number) is not leaf.aval:
            return None
        del rest[number]
        return number

    def key(self) -> tuple:
        """Return what identifies the program that does this work."""
        return (self.place, tuple(self.steps), self.outputs, self.donated)

    def arguments(self) -> list:
        """Return the program's inputs: packed numbers, then the leaves' arrays."""
        packed = [np.array(v, SCALAR_TYPES[t]) for t, v in self.scalars.items() if v]
        target = jax_device(self.place)
        for i in self.donated:
            if i in self._saved_leaves or not is_exclusive(self.leaves, i):
                packed_copy = np.array(self.leaves[i].array)
                self.leaves[i] = _stand_in(self.leaves[i], packed_copy)
        return packed + [
            _on_device(leaf, target) if leaf.array.__class__ is np.ndarray else leaf.array
            for leaf in self.leaves
        ]

    def finish(self, values: Any) -> None:
        """Hand out computed values and let go of what nothing needs any more."""
        computed = dict(zip(self.outputs, values, strict=False))
        for number, node, index in self._receivers:
            if index is None:
                node.array = computed[number]
            else:
                if node.array is None:
                    node.array = [None] * len(node.aval)
                node.array[index] = computed[number]
        kept = dict(self._kept_inputs())
        for node in self.nodes:
            inputs = kept.get(id(node))
            if inputs is None:
                node.inputs = ()
                if node.edges is not FREED:
                    node.edges = None
            else:
                node.inputs = inputs
        self.release()

    def _kept_inputs(self) -> Any:
        for node, needed in self._on_tape:
            inputs: list = [None] * len(node.inputs)
            for i in needed:
                inputs[i] = node.inputs[i]
            yield id(node), tuple(inputs)

    def release(self) -> None:
        """Reset the marks of this flush."""
        for node in self.nodes:
            node.place, node.uses = UNSEEN, 0
        for node in self.leaves:
            node.place, node.uses = UNSEEN, 0


def _first_of(aval: Aval, rest: dict[int, Aval]) -> int | None:
    """Take the number of the first value of that aval from `rest`."""
    for number, one in rest.items():
        if one is aval:
            del rest[number]
            return number
    return None


def _stand_in(leaf: Node, array: Any) -> Node:
    """Return a leaf with a copy of the buffer, for one that others still read."""
    copy = Node(None, (), (), None, leaf.aval)
    copy.array = array
    leaf.place, leaf.uses = UNSEEN, 0
    return copy


def _on_device(leaf: Node, target: Any) -> Any:
    """Return a host array's buffer; it is moved only when it is seen to be used again."""
    if not (leaf.is_used or leaf.is_retired) and target.platform == "cpu":
        leaf.is_used = True
        return leaf.array
    leaf.array = jax.device_put(leaf.array, target)
    return leaf.array


def _compute_elsewhere(node: Node) -> None:
    """Compute a node that another thread has recorded, or whose program failed."""
    for ctx in list(all_contexts):
        if node.array is None and ctx is not context():
            flush(ctx)
    if node.array is None and node.inputs:
        with _lock:
            _dispatch(_uncomputed(node))
    if node.array is None:
        raise RuntimeError("a value is gone because the program that should compute it failed")


def _uncomputed(node: Node) -> list[Node]:
    """Return a node and all that it is still to be computed from, oldest first."""
    found = {id(node): node}
    stack = [node]
    while stack:
        for source in stack.pop().inputs:
            if source.array is None and source.plan is not None and id(source) not in found:
                found[id(source)] = source
                stack.append(source)
    return sorted(found.values(), key=lambda n: n.number)


class Program:
    """A compiled key."""

    def __init__(self, work: Work, key: tuple):
        self.place, self.steps, self.outputs, self.donated = key
        self.num_nodes = len(self.plans())
        self.leaf_avals = [leaf.aval for leaf in work.leaves]
        self.scalar_types = [t for t, v in work.scalars.items() if v]
        self.num_scalars = [len(v) for v in work.scalars.values() if v]
        self.checks = [p.check for p in self.plans() if p.check is not None]
        self.runs = 0
        self.last_run = 0
        self.call = self._compile()

    def plans(self) -> list[Plan]:
        """Return the plans of all steps, in order."""
        return [step for step in self.steps if step.__class__ is Plan]

    def hold_plans(self, change: int) -> None:
        """Count this program among its plans' users; plans without users are forgotten."""
        for plan in set(self.plans()):
            plan.num_programs += change
            if plan.num_programs == 0 and isinstance(plan.fn, BoundCall):
                plan.fn.forget()

    def text(self) -> str | None:
        """Return the key as text that is the same in every process, `None` if there is none."""
        if any(plan.text is None for plan in self.plans()):
            return None
        steps = " ".join(str(s.text if s.__class__ is Plan else s) for s in self.steps)
        ends = f"{self.outputs} {self.donated}"
        return f"{self.place} {self.leaf_avals} {self.num_scalars} {steps} {ends}"

    def _compile(self) -> Any:
        started = time.perf_counter()
        text = self.text()
        found = disk.load(text, jax_device(self.place)) if text is not None else None
        call = found
        if call is None:
            with journal.announce(self.num_nodes):
                call = self.lower().compile(
                    compiler_options={"xla_backend_optimization_level": config.optimization_level}
                )
        seconds = time.perf_counter() - started
        if found is None and text is not None:
            disk.store(text, call)
        journal.compiled(self, seconds, from_disk=found is not None, others=_programs)
        return call

    def lower(self) -> Any:
        """Return JAX's lowered form of the program, for compiling or reading."""
        offset = len(self.scalar_types)
        donated = tuple(offset + i for i in self.donated)
        jitted = jax.jit(self.replay, donate_argnums=donated, keep_unused=True)
        with warnings.catch_warnings():
            # A written buffer that no result fits into is simply freed.
            warnings.filterwarnings("ignore", "Some donated buffers were not usable")
            return jitted.lower(*self.structs())

    def structs(self) -> list[jax.ShapeDtypeStruct]:
        """Return the shapes and types of the program's inputs, on its device."""
        target = jax.sharding.SingleDeviceSharding(jax_device(self.place))
        kinds = zip(self.scalar_types, self.num_scalars, strict=True)
        structs = [jax.ShapeDtypeStruct((n,), SCALAR_TYPES[t], sharding=target) for t, n in kinds]
        return structs + [
            jax.ShapeDtypeStruct(a.shape, a.dtype.np, sharding=target) for a in self.leaf_avals
        ]

    def replay(self, *arguments: Any) -> list:
        """Compute the outputs, with JAX arrays or tracers: the function that is compiled."""
        leaves = arguments[len(self.scalar_types) :]
        packed = zip(self.scalar_types, arguments, strict=False)
        numbers = {t: iter([vector[i] for i in range(vector.shape[0])]) for t, vector in packed}
        values: list = []
        flags: list = []
        for plan, places in self.calls():
            inputs = [values[p] if p >= 0 else leaves[_FIRST_LEAF - p] for p in places]
            scalars = [next(numbers[int if t is bool else t]) for t in plan.scalar_types]
            if plan.check is not None:
                flags.append(plan.check(inputs, scalars))
            with jax.named_scope(plan.name):
                result = plan.fn(inputs, scalars)
            values.append(result)
            if plan.num_values > 1:
                values += result
        outputs = [values[number] for number in self.outputs]
        return [*outputs, jax.numpy.stack(flags)] if flags else outputs

    def calls(self) -> list[tuple[Plan, list[int]]]:
        """Return each step's plan with the places of its inputs."""
        calls: list[tuple[Plan, list[int]]] = []
        for step in self.steps:
            if step.__class__ is Plan:
                calls.append((step, []))
            else:
                calls[-1][1].append(step)
        return calls


def flush(ctx: Context | None = None) -> None:
    """Dispatch everything pending and wanted as one program, without waiting for it.

    Example:
        >>> import taowa
        >>> x = taowa.ones(3) + 1
        >>> flush()
    """
    ctx = context() if ctx is None else ctx
    if not ctx.pending:
        ctx.has_gradients = False
        return
    with _lock:
        pending, ctx.pending = ctx.pending, []
        ctx.pending_bytes, ctx.has_gradients = 0, False
        groups = _by_device(pending)
        del pending
        while groups:
            _dispatch(groups.pop(0))


flush_hook[0] = flush


def _by_device(pending: list[Node]) -> list[list[Node]]:
    """Split the work by device; values only cross over after they are computed."""
    first = pending[0].plan.device
    for node in pending:
        if node.plan.device is not first:
            break
    else:
        return [pending]
    groups: dict[device, list[Node]] = {}
    for node in pending:
        groups.setdefault(node.plan.device, []).append(node)
    return list(groups.values())


def _dispatch(pending: list[Node]) -> None:
    work = Work(pending)
    while work.missing:
        missing = work.missing
        work.release()
        del work  # its references would look like handles
        for node in missing:
            _compute_elsewhere(node)
        missing = node = None
        work = Work(pending)
    pending.clear()
    if not work.outputs:
        work.finish(())
        return
    try:
        with jax.enable_x64(True):
            program = _find(work)
            values = program.call(*work.arguments())
    except BaseException:
        work.release()
        raise
    program.runs += 1
    journal.counters.dispatches += 1
    program.last_run = journal.counters.dispatches
    work.finish(values)
    if program.checks:
        lines = [(n.plan.check, n.line) for n in work.nodes if n.plan.check is not None]  # type: ignore[union-attr]
        journal.watch(values[-1], lines)


def _find(work: Work) -> Program:
    key = work.key()
    program = _programs.get(key)
    if program is None:
        program = Program(work, key)
        _programs[key] = program
        program.hold_plans(1)
        while len(_programs) > config.max_programs:
            _programs.popitem(last=False)[1].hold_plans(-1)
    else:
        _programs.move_to_end(key)
    return program


def value_of(node: Node) -> Any:
    """Return a node's array, computing all pending work if it has none yet.

    Raises:
        Exception: the one of an op that met a bad value (an index out of range, say).
    """
    array = node.array
    if array is None:
        flush()
        if node.array is None:
            _compute_elsewhere(node)
        array = node.array
    journal.raise_for_bad_values()
    return array


def programs() -> list[Program]:
    """Return the compiled programs in memory, least recently used first."""
    return list(_programs.values())


def clear_programs() -> None:
    """Forget all compiled programs in memory (those on disk stay).

    Example:
        >>> clear_programs()
    """
    with _lock:
        _programs.clear()
