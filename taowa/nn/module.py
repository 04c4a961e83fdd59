"""The base class of layers and networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from taowa.core.context import context
from taowa.nn.conversion import Conversion
from taowa.nn.hooks import (
    BACKWARD_HOOKS,
    BACKWARD_PRE_HOOKS,
    FORWARD_HOOKS,
    FORWARD_PRE_HOOKS,
    Hooks,
)
from taowa.nn.naming import add_module_note, indent
from taowa.nn.state import State
from taowa.nn.traversal import Traversal

__all__ = ["Module"]


def _forward_missing(self: Module, *input: Any) -> Any:
    """Stand in for `forward` until a subclass defines it."""
    raise NotImplementedError(
        f'Module [{type(self).__name__}] is missing the required "forward" function'
    )


class Module(Traversal, Conversion, State, Hooks):
    """Base class of every layer and every network.

    A module owns what is assigned to its attributes: parameters, buffers and other modules, which
    makes networks trees. Subclasses call `super().__init__()` first, build their parts, and define
    `forward`, which runs when the module is called. Plain tensors and modules in plain lists are
    not owned: use `Buffer`, `ModuleList`, `ModuleDict`.

    Attributes:
        training: Whether dropout and batch-norm behave as in training; see `train` and `eval`.

    Example:
        >>> import taowa
        >>> from taowa import nn
        >>> class Residual(nn.Module):
        ...     def __init__(self, width):
        ...         super().__init__()
        ...         self.inner = nn.Linear(width, width)
        ...     def forward(self, x):
        ...         return x + self.inner(x)
        >>> net = Residual(4)
        >>> net
        Residual(
          (inner): Linear(in_features=4, out_features=4, bias=True)
        )
        >>> net(taowa.ones(2, 4)).shape
        torch.Size([2, 4])
    """

    forward: Callable[..., Any] = _forward_missing

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run `forward` between the hooks."""
        ctx = context()
        stack = ctx.module_stack
        is_outermost = not stack
        if is_outermost:
            ctx.enter_outermost_module()
        stack.append(self)
        try:
            if (
                self._forward_hooks or self._forward_pre_hooks
                or self._backward_hooks or self._backward_pre_hooks
                or FORWARD_HOOKS or FORWARD_PRE_HOOKS
                or BACKWARD_HOOKS or BACKWARD_PRE_HOOKS
            ):  # fmt: skip
                output = self._call_with_hooks(args, kwargs)
            else:
                output = self.forward(*args, **kwargs)
        except Exception as error:
            add_module_note(error, stack)
            raise
        finally:
            stack.pop()
        if is_outermost:
            ctx.leave_outermost_module()
        return output

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: every program is compiled whole without being asked.

        Example:
            >>> from taowa import nn
            >>> nn.ReLU().compile(mode="max-autotune")
        """

    # -- printed form ---------------------------------------------------------------------

    def extra_repr(self) -> str:
        """Return what stands in the parentheses of the printed form; subclasses override it."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): {indent(repr(child))}" for name, child in self._modules.items()]
        if len(lines) == 1 and not children:
            return f"{self._get_name()}({extra})"
        inside = "".join(f"\n  {line}" for line in lines + children)
        return f"{self._get_name()}({inside}\n)" if inside else f"{self._get_name()}()"
