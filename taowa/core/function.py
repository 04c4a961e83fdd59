"""`autograd.Function`: operations whose forward and backward the user writes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from taowa.core.context import context
from taowa.core.node import Node
from taowa.core.plan import Plan, is_differentiable, projection
from taowa.core.tensor import Tensor, from_array, wrap


class FunctionCtx:
    """What a `Function` keeps between its forward and its backward.

    Attributes:
        needs_input_grad: For each argument of `apply`, whether a gradient is wanted.
    """

    needs_input_grad: tuple[bool, ...] = ()

    def __init__(self) -> None:
        self._to_save: tuple = ()
        self._saved: list = []
        self._dirty: set[int] = set()
        self._constant: set[int] = set()
        self._materializes = True
        self._node: Node | None = None

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for the backward pass, where `saved_tensors` has them."""
        self._to_save = tensors

    save_for_forward = save_for_backward

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Say which inputs the forward has written to."""
        self._dirty = {id(t) for t in tensors}

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say through which outputs no gradient flows."""
        self._constant = {id(t) for t in tensors}

    def set_materialize_grads(self, value: bool) -> None:
        """Choose whether missing gradients reach the backward as zeros (default) or `None`."""
        self._materializes = value

    @property
    def saved_tensors(self) -> tuple:
        """The tensors given to `save_for_backward`."""
        return tuple(self._restore(item) for item in self._saved)

    def _restore(self, item: Any) -> Any:
        if isinstance(item, _SavedOutput):
            return wrap(item.node, self._node if item.index is None else None)
        return item

    def _settle(self, outputs: Sequence) -> None:
        """Keep saved outputs by value, so that the tape does not hold itself alive."""
        places = {id(t): i for i, t in enumerate(outputs)}
        several = len(outputs) > 1
        self._saved = [
            _SavedOutput(t._node(), places[id(t)] if several else None) if id(t) in places else t
            for t in self._to_save
        ]
        self._to_save = ()


class _SavedOutput:
    """An output's value, without its place on the tape."""

    def __init__(self, node: Node, index: int | None):
        self.node = node
        self.index = index


class Function:
    """Define an operation by its forward and its backward.

    Subclasses write the static methods `forward(ctx, *args)` and `backward(ctx, *grad_outputs)`
    (or `forward(*args)` with `setup_context(ctx, inputs, output)`), and are called by `apply`.

    Example:
        >>> import taowa
        >>> class Cube(Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.save_for_backward(x)
        ...         return x * x * x
        ...     @staticmethod
        ...     def backward(ctx, grad):
        ...         (x,) = ctx.saved_tensors
        ...         return 3 * x * x * grad
        >>> x = taowa.tensor(2.0, requires_grad=True)
        >>> Cube.apply(x).backward()
        >>> x.grad
        tensor(12.)
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the outputs."""
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Any) -> Any:
        """Keep what the backward needs, where `forward` takes no `ctx`."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Return one gradient for each argument of the forward."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function to use it with backward mode AD."
        )

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run the forward and put it on the tape."""
        edges = tuple(a._tape() if isinstance(a, Tensor) else None for a in args)
        ctx = FunctionCtx()
        ctx.needs_input_grad = tuple(e is not None for e in edges)
        result = _run_forward(cls, ctx, args)
        outputs = result if isinstance(result, tuple) else (result,)
        if context().grad_enabled and any(ctx.needs_input_grad):
            outputs = _put_on_tape(cls, ctx, edges, args, outputs)
        ctx._settle(outputs)
        return outputs if isinstance(result, tuple) else outputs[0]


def _run_forward(cls: type[Function], ctx: FunctionCtx, args: tuple) -> Any:
    recorder = context()
    previous, recorder.grad_enabled = recorder.grad_enabled, False
    try:
        if cls.setup_context is Function.setup_context:
            return cls.forward(ctx, *args)
        result = cls.forward(*args)
        cls.setup_context(ctx, args, result)
        return result
    finally:
        recorder.grad_enabled = previous


def _put_on_tape(
    cls: type[Function], ctx: FunctionCtx, edges: tuple, args: tuple, outputs: tuple
) -> tuple:
    """Give the outputs a node of the tape that goes backward through the user's function."""
    unchanged = {id(a) for a in args} - ctx._dirty
    is_constant = [id(o) in ctx._constant for o in outputs]
    outputs = tuple(
        wrap(o._node(), None) if id(o) in unchanged and isinstance(o, Tensor) else o
        for o in outputs
    )
    avals = tuple(o._aval for o in outputs if isinstance(o, Tensor))
    plan = Plan(cls.__name__, None, _never, (), avals if len(outputs) > 1 else avals[0])
    node = Node(plan, (), (), edges, plan.aval)
    node.function = functools.partial(_go_backward, cls, ctx)
    ctx._node = node if len(outputs) == 1 else None
    for i, output in enumerate(outputs):
        if not isinstance(output, Tensor) or is_constant[i]:
            continue
        if is_differentiable(output._aval):
            output._edge = node if len(outputs) == 1 else _output_entry(node, output, i)
    return outputs


def _output_entry(parent: Node, output: Tensor, index: int) -> Node:
    return Node(projection(output._aval, index), (), (), (parent,), output._aval)


def _never(*_: Any) -> Any:
    raise RuntimeError("a node of the tape is no step of a program")


def _go_backward(
    cls: type[Function], ctx: FunctionCtx, node: Node, wanted: tuple[int, ...], arrived: dict
) -> list:
    plan: Plan = node.plan  # type: ignore[assignment]
    grads = [arrived.get(i) for i in range(len(plan.avals))]
    if ctx._materializes:
        grads = [
            from_array(np.zeros(a.shape, a.dtype.np), device=a.device) if g is None else g
            for g, a in zip(grads, plan.avals, strict=True)
        ]
    result = cls.backward(ctx, *grads)
    results = result if isinstance(result, tuple | list) else (result,)
    expected = len(node.edges or ())
    if len(results) < expected or any(r is not None for r in results[expected:]):
        raise RuntimeError(
            f"function {cls.__name__}Backward returned an incorrect number of gradients "
            f"(expected {expected}, got {len(results)})"
        )
    return [results[i] for i in wanted]


def once_differentiable(function: Callable) -> Callable:
    """Mark a `backward` whose result cannot be differentiated again.

    Example:
        >>> @once_differentiable
        ... def backward(ctx, grad):
        ...     return grad
    """

    @functools.wraps(function)
    def once(ctx: Any, *grads: Any) -> Any:
        recorder = context()
        previous, recorder.grad_enabled = recorder.grad_enabled, False
        try:
            return function(ctx, *grads)
        finally:
            recorder.grad_enabled = previous

    return once
