"""Seeing and changing the gradients that go through a module as a whole."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from taowa.core.function import Function
from taowa.core.grad_mode import is_grad_enabled
from taowa.core.tensor import Tensor, from_array

__all__: list[str] = []


class _Watch(Function):
    """Pass tensors through, and their gradients through a Python function on the way back."""

    @staticmethod
    def forward(ctx: Any, on_grads: Callable, materializes: bool, *tensors: Tensor) -> tuple:
        ctx.on_grads = on_grads
        ctx.set_materialize_grads(materializes)
        return tensors

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple:
        return None, None, *ctx.on_grads(grads)


class _Slots:
    """Where among a module's arguments or results the tensors are that require grad."""

    def __init__(self, values: tuple):
        self.values = values
        self.places = [i for i, v in enumerate(values) if isinstance(v, Tensor) and v.requires_grad]

    def watch(self, on_grads: Callable, materializes: bool) -> tuple:
        """Return the same values, whose tensors' gradients all pass through `on_grads`."""
        tensors = [self.values[i] for i in self.places]
        watched = dict(
            zip(self.places, _Watch.apply(on_grads, materializes, *tensors), strict=True)
        )
        values = [watched.get(i, value) for i, value in enumerate(self.values)]
        kind = type(self.values)
        return tuple(values) if kind is tuple else kind(*values)  # a named tuple takes fields

    def spread(self, grads: Sequence) -> tuple:
        """Return one entry per value: the gradients, and `None` between them."""
        by_place = dict(zip(self.places, grads, strict=True))
        return tuple(by_place.get(i) for i in range(len(self.values)))

    def spread_with_zeros(self, grads: Sequence) -> tuple:
        """Return one entry per value: zeros for tensors that do not require grad."""
        pairs = zip(self.spread(grads), self.values, strict=True)
        return tuple(_zeros_like(v) if g is None else g for g, v in pairs)

    def gather(self, spread: Sequence) -> tuple:
        """Return the entries of the tensors that require grad only."""
        return tuple(spread[i] for i in self.places)


class BackwardHooks:
    """The backward hooks of one call of a module.

    Gradients arrive at the outputs first, which tells the pre-hooks; when those of the inputs are
    there too, the hooks are called with both.
    """

    def __init__(self, module: Any, hooks: list[Callable], pre_hooks: list[Callable]):
        self.module = module
        self.hooks = hooks
        self.pre_hooks = pre_hooks
        self.inputs: _Slots | None = None  # None where no input requires grad
        self.num_inputs = 0
        self.grad_output: tuple | None = None

    def watch_inputs(self, args: tuple) -> tuple:
        """Return the arguments to call `forward` with."""
        self.num_inputs = len(args)
        slots = _Slots(args)
        if not (is_grad_enabled() and slots.places):
            return args
        self.inputs = slots
        return slots.watch(self._on_input_grads, materializes=True)

    def watch_outputs(self, output: Any) -> Any:
        """Return the output to give to the caller."""
        if not isinstance(output, Tensor | tuple):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple "
                f"of Tensors but received {type(output)}",
                stacklevel=5,
            )
        slots = _Slots(output if isinstance(output, tuple) else (output,))
        if not (is_grad_enabled() and slots.places):
            return output

        def on_grads(grads: tuple) -> tuple:
            return slots.gather(self._on_output_grads(slots.spread(grads)))

        watched = slots.watch(on_grads, materializes=False)
        return watched if isinstance(output, tuple) else watched[0]

    def _on_output_grads(self, grad_output: tuple) -> Sequence:
        for hook in self.pre_hooks:
            replaced = hook(self.module, grad_output)
            if replaced is not None:
                _require_length("pre hook", "grad_output", replaced, grad_output)
                grad_output = replaced
        if self.inputs is None:
            self._call_without_inputs(grad_output)
        else:
            self.grad_output = grad_output
        return grad_output

    def _call_without_inputs(self, grad_output: tuple) -> None:
        warnings.warn(
            "Full backward hook is firing when gradients are computed with respect to module "
            "outputs since no inputs require gradients. See "
            "https://docs.pytorch.org/docs/main/generated/torch.nn.Module.html"
            "#torch.nn.Module.register_full_backward_hook for more details.",
            stacklevel=5,
        )
        for hook in self.hooks:
            replaced = hook(self.module, (None,) * self.num_inputs, grad_output)
            if replaced is not None and any(grad is not None for grad in replaced):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always "
                    "return None or None for all gradients."
                )

    def _on_input_grads(self, grads: tuple) -> tuple:
        grad_output, self.grad_output = self.grad_output, None
        if self.inputs is None or grad_output is None:
            return grads
        grad_input: Sequence = self.inputs.spread_with_zeros(grads)
        for hook in self.hooks:
            replaced = hook(self.module, grad_input, grad_output)
            if replaced is not None:
                _require_length("hook", "grad_input", replaced, grad_input)
                grad_input = replaced
        return self.inputs.gather(grad_input)


def _zeros_like(value: Any) -> Tensor | None:
    if not isinstance(value, Tensor):
        return None
    return from_array(np.zeros(value.shape, value.dtype.np), device=value.device)


def _require_length(hook: str, what: str, got: Sequence, expected: Sequence) -> None:
    if len(got) != len(expected):
        raise RuntimeError(
            f"Backward {hook} returned an invalid number of {what}, "
            f"got {len(got)}, but expected {len(expected)}"
        )
