"""Time for memory: parts of a model whose inner values are computed again going backward."""

from __future__ import annotations

import contextlib
import functools
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from taowa.core.autograd import grad
from taowa.core.context import context
from taowa.core.grad_mode import enable_grad, no_grad
from taowa.core.node import Leaf, Node, host_leaf
from taowa.core.op import Array, Scalar, op
from taowa.core.plan import Plan, is_differentiable, projection
from taowa.core.random import fork_rng, get_rng_state, set_rng_state
from taowa.core.tensor import Tensor, wrap
from taowa.errors import unsupported

__all__ = ["CheckpointError", "checkpoint", "checkpoint_sequential", "noop_context_fn"]

_BITS = {1: jnp.int8, 2: jnp.int16, 4: jnp.int32, 8: jnp.int64}
_REENTRANT_WARNING = (
    "{}: the use_reentrant parameter should be passed explicitly; True is taken for the time "
    "being, False is recommended."
)


class CheckpointError(RuntimeError):
    """What was computed again differs from what was computed first."""


def noop_context_fn() -> tuple[Any, Any]:
    """Return two contexts that do nothing."""
    return contextlib.nullcontext(), contextlib.nullcontext()


@op(name="recomputed")
def _later(value: Array, cotangent: Array, zero: Scalar):
    """Return the value, in a form that the compiler neither recognises nor has early.

    It would merge what is computed from it again with what was computed before, and keep that in
    memory (an `optimization_barrier` is gone before XLA's last such pass on the CPU). `zero` is
    only known to be 0 at run time, and the bits combined with it are those of the gradient that
    arrived.
    """
    first = cotangent.reshape(-1)[:1].real.astype(jnp.float32)
    hidden = lax.bitcast_convert_type(first, jnp.int32).sum() & zero.real.astype(jnp.int32)
    return _with_bits(value, hidden)


def _with_bits(x: Any, bits: Any) -> Any:
    if jnp.iscomplexobj(x):
        return lax.complex(_with_bits(x.real, bits), _with_bits(x.imag, bits))
    if x.dtype == bool:
        return x ^ (bits != 0)
    kind = _BITS[x.dtype.itemsize]
    return lax.bitcast_convert_type(
        lax.bitcast_convert_type(x, kind) ^ bits.astype(kind), x.dtype
    )  # fmt: skip


def checkpoint(
    function: Callable,
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """Call a function whose inner values are not kept for the backward pass but computed again.

    Only its arguments and results are kept. At least one argument must be a tensor that the
    function's work begins with.

    Args:
        function: Called with the arguments, now and once more in the backward pass.
        use_reentrant: `True` wants an argument that requires grad, and no keyword arguments;
            `False` is recommended.
        context_fn: Gives two contexts, for the first call and for the second.
        determinism_check: `"default"` compares shapes and types of both results, `"none"` nothing.
        debug: Not supported.
        early_stop: Accepted: programs never compute what nothing needs.
        preserve_rng_state: Let the second call draw the same random numbers.

    Raises:
        CheckpointError: in the backward pass, if the results have other shapes or types.

    References:
        Chen et al. 2016, https://arxiv.org/abs/1604.06174

    Example:
        >>> import taowa
        >>> x = taowa.tensor(2.0, requires_grad=True)
        >>> y = checkpoint(lambda v: v.sin().exp(), x, use_reentrant=False)
        >>> y.backward()
        >>> x.grad
        tensor(-1.0331)
    """
    if use_reentrant is None:
        warnings.warn(_REENTRANT_WARNING.format("checkpoint"), UserWarning, stacklevel=2)
        use_reentrant = True
    if debug:
        raise unsupported("checkpoint(debug=True)", "taowa.autograd.detect_anomaly()")
    if determinism_check not in ("default", "none"):
        raise ValueError(
            f"determinism_check should be one of ('default', 'none') but got {determinism_check}"
        )
    if use_reentrant and kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    if use_reentrant and context_fn is not noop_context_fn:
        raise ValueError("Passing `context_fn` is only supported when use_reentrant=False.")
    region = _Region(function, args, kwargs, determinism_check == "default")
    if not context().grad_enabled:
        return function(*args, **kwargs)
    if use_reentrant and not any(t.requires_grad for t in region.tensors):
        warnings.warn(
            "None of the inputs have requires_grad=True. Gradients will be None",
            UserWarning, stacklevel=2,
        )  # fmt: skip
        with no_grad():
            return function(*args)
    return region.call(context_fn, preserve_rng_state)


class _Region:
    """One call of a function, and what is needed to repeat it.

    Attributes:
        tensors: The tensors among the arguments, each once.
        held: Their values and places on the tape, as they were when the function was called.
        sources: Where the tape goes on below the region.
    """

    def __init__(self, function: Callable, args: tuple, kwargs: dict, is_checked: bool):
        self.function = function
        self.arguments = (args, kwargs)
        self.is_checked = is_checked
        self.tensors = list({id(t): t for t in _tensors(self.arguments)}.values())
        self.held = [(t._node(), t._tape()) for t in self.tensors]
        self.sources: list[Any] = []
        self.avals: list = []
        self.state: Tensor | None = None
        self.second_context: Any = None

    def call(self, context_fn: Callable, preserve_rng_state: bool) -> Any:
        """Call the function and put the whole call on the tape as one entry."""
        self.state = get_rng_state() if preserve_rng_state else None
        first_context, self.second_context = context_fn()
        start = host_leaf(np.zeros(0, np.float32)).number
        with first_context:
            result = self.function(*self.arguments[0], **self.arguments[1])
        outputs = _tensors(result)
        self.avals = [t._aval for t in outputs]
        self.sources = _edges_below([t._tape() for t in outputs], start)
        if not self.sources:
            return result
        plan = Plan("checkpoint", None, _never, (), tuple(self.avals))
        entry = Node(plan, (), (), tuple(self.sources), plan.aval)
        entry.function = self.go_backward
        ends = iter([_end(entry, tensor, i, start) for i, tensor in enumerate(outputs)])
        return _mapped(result, lambda _: next(ends))

    def go_backward(self, _: Node, wanted: tuple[int, ...], arrived: dict[int, Tensor]) -> list:
        """Repeat the call and return the gradients towards the wanted sources."""
        keeps_tape = context().grad_enabled
        replaced = self._again(arrived, keeps_tape)
        with _apart([] if keeps_tape else self._leaves()) as leaves:
            outputs = self._second_call(replaced)
            reached = [i for i in arrived if outputs[i]._tape() is not None]
            stands = self._stand_ins(list(replaced.values()), leaves)
            found = grad(
                [outputs[i] for i in reached], [stands[id(self.sources[i])] for i in wanted],
                [arrived[i] for i in reached], retain_graph=True, create_graph=keeps_tape,
                allow_unused=True,
            )  # fmt: skip
        return list(found)

    def _again(self, arrived: dict[int, Tensor], keeps_tape: bool) -> dict[int, Tensor]:
        """Return the argument tensors' values again, by the tensors' ids.

        Unless the gradients are differentiated in turn, their tape ends here, which spares the
        walk through everything below.
        """
        cotangent = next(iter(arrived.values()))
        again = {}
        for tensor, (node, edge) in zip(self.tensors, self.held, strict=True):
            with no_grad():
                value = wrap(_later(wrap(node, None), cotangent, 0)._node(), None)
            if edge is not None and keeps_tape:
                value._edge = edge
            elif edge is not None:
                value.requires_grad_()
            again[id(tensor)] = value
        return again

    def _leaves(self) -> list[Tensor]:
        """Return the tensors, such as parameters, that the tape ends at below the region."""
        ends = [s.tensor() for s in self.sources if s.__class__ is Leaf]
        mine = {id(t) for t in self.tensors}
        return [t for t in ends if t is not None and id(t) not in mine]

    def _stand_ins(self, replaced: list[Tensor], leaves: dict[int, Tensor]) -> dict[int, Tensor]:
        """Return a tensor for each source, by which to ask for its gradient."""
        nothing = host_leaf(np.zeros((), np.float32))
        found = {id(source): wrap(nothing, source) for source in self.sources}
        found |= leaves
        for tensor, (_, edge) in zip(replaced, self.held, strict=True):
            found[id(edge)] = tensor
        return found

    def _second_call(self, replaced: dict[int, Tensor]) -> list[Tensor]:
        args, kwargs = _mapped(self.arguments, lambda t: replaced.get(id(t), t))
        with enable_grad(), self.second_context, fork_rng(enabled=self.state is not None):
            if self.state is not None:
                set_rng_state(self.state)
            outputs = _tensors(self.function(*args, **kwargs))
        avals = [t._aval for t in outputs]
        if self.is_checked and avals != self.avals:
            raise CheckpointError(
                "checkpoint: the recomputed results have other shapes or types: "
                f"{avals}, not {self.avals}"
            )
        return outputs


def _end(entry: Node, tensor: Tensor, index: int, start: int) -> Tensor:
    """Return a result of the region whose place on the tape is an output of its entry."""
    edge = tensor._tape()
    if edge is None or edge.number <= start or not is_differentiable(tensor._aval):
        return tensor
    place = Node(projection(tensor._aval, index), (), (), (entry,), tensor._aval)
    return wrap(tensor._node(), place)


def _edges_below(roots: list[Any], start: int) -> list[Any]:
    """Return where the tape leaves the region that began at a node's number."""
    below: dict[int, Any] = {}
    seen: set[int] = set()
    stack = [edge for edge in roots if edge is not None and edge.number > start]
    while stack:
        edge = stack.pop()
        if id(edge) in seen:
            continue
        seen.add(id(edge))
        if edge.__class__ is Leaf or edge.number <= start:
            below[id(edge)] = edge
        else:
            stack.extend(e for e in edge.edges if e is not None)
    return list(below.values())


@contextlib.contextmanager
def _apart(tensors: list[Tensor]) -> Iterator[dict[int, Tensor]]:
    """Let the tape of tensors end at other leaves meanwhile, so that their hooks run only once.

    Yields stand-ins for them, by the ids of their own leaves.
    """
    own = [tensor._edge for tensor in tensors]
    stands = {}
    for tensor, edge in zip(tensors, own, strict=True):
        tensor._edge = Leaf(weakref.ref(tensor))
        stands[id(edge)] = wrap(tensor._node(), tensor._edge)
    try:
        yield stands
    finally:
        for tensor, edge in zip(tensors, own, strict=True):
            tensor._edge = edge


def _mapped(tree: Any, function: Callable[[Tensor], Any]) -> Any:
    """Apply a function to the tensors in nested tuples, lists and dicts."""
    if isinstance(tree, Tensor):
        return function(tree)
    if isinstance(tree, Mapping) and type(tree) is dict:
        return {key: _mapped(value, function) for key, value in tree.items()}
    if isinstance(tree, tuple | list):
        items = [_mapped(item, function) for item in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    return tree


def _tensors(tree: Any) -> list[Tensor]:
    found: list[Tensor] = []
    _mapped(tree, found.append)
    return found


def _never(*_: Any) -> Any:
    raise RuntimeError("a node of the tape is no step of a program")


def checkpoint_sequential(
    functions: Any,
    segments: int,
    input: Any,
    use_reentrant: bool | None = None,
    **kwargs: Any,
) -> Any:
    """Call functions one after another, in checkpointed segments; the last one is kept whole.

    Args:
        functions: A `Sequential`, or a list of modules and functions of one argument.
        segments: Into how many parts to divide them.
        input: The first one's argument.
        use_reentrant: See `checkpoint`.
        preserve_rng_state: Let the second calls draw the same random numbers.

    Example:
        >>> import taowa
        >>> from taowa import nn
        >>> net = nn.Sequential(nn.Tanh(), nn.Tanh(), nn.Tanh(), nn.Tanh())
        >>> x = taowa.ones(1, requires_grad=True)
        >>> checkpoint_sequential(net, 2, x, use_reentrant=False) == net(x)
        tensor([True])
    """
    if use_reentrant is None:
        text = _REENTRANT_WARNING.format("checkpoint_sequential")
        warnings.warn(text, UserWarning, stacklevel=2)
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    steps = list(functions.children()) if hasattr(functions, "children") else list(functions)
    size = len(steps) // segments
    last = size * (segments - 1)
    for start in range(0, last, size or 1):
        input = checkpoint(
            functools.partial(_in_turn, steps[start : start + size]), input,
            use_reentrant=use_reentrant, preserve_rng_state=preserve,
        )  # fmt: skip
    return _in_turn(steps[last:], input)


def _in_turn(steps: list[Callable], value: Any) -> Any:
    for step in steps:
        value = step(value)
    return value
