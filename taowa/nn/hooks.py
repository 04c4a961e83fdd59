"""Functions that users hang on modules, one or all, to see or change what passes through them."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from taowa.core.handles import RemovableHandle, register
from taowa.errors import unsupported
from taowa.nn.backward_hooks import BackwardHooks
from taowa.nn.registry import BUFFER_HOOKS, MODULE_HOOKS, PARAMETER_HOOKS, Registry

__all__ = [
    "RemovableHandle",
    "register_module_backward_hook",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]

# Hooks of every module; they run before a module's own.
FORWARD_PRE_HOOKS: OrderedDict[int, Callable] = OrderedDict()
FORWARD_HOOKS: OrderedDict[int, Callable] = OrderedDict()
FORWARD_HOOKS_WITH_KWARGS: OrderedDict[int, bool] = OrderedDict()
FORWARD_HOOKS_ALWAYS_CALLED: OrderedDict[int, bool] = OrderedDict()
BACKWARD_PRE_HOOKS: OrderedDict[int, Callable] = OrderedDict()
BACKWARD_HOOKS: OrderedDict[int, Callable] = OrderedDict()


# -- hooks of all modules -----------------------------------------------------------------


def register_module_buffer_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, name, buffer)` before any module registers a buffer.

    A result other than `None` is registered instead.
    """
    return register(BUFFER_HOOKS, hook)


def register_module_module_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, name, submodule)` before any module registers a child.

    A result other than `None` is registered instead.
    """
    return register(MODULE_HOOKS, hook)


def register_module_parameter_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, name, param)` before any module registers a parameter.

    A result other than `None` is registered instead.
    """
    return register(PARAMETER_HOOKS, hook)


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, args)` before every module's `forward`.

    A result other than `None` replaces the positional arguments.
    """
    return register(FORWARD_PRE_HOOKS, hook)


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call `hook(module, args, output)` after every module's `forward`.

    Args:
        hook: A result other than `None` replaces the output.
        with_kwargs: Whether to call `hook(module, args, kwargs, output)` instead.
        always_call: Whether to call it even if `forward` raises.

    Example:
        >>> from taowa import nn
        >>> def report(module, args, output):
        ...     print(type(module).__name__, output)
        >>> with register_module_forward_hook(report):
        ...     nn.Sequential(nn.Identity())(5)
        Identity 5
        Sequential 5
        5
    """
    with_kwargs_flag = (FORWARD_HOOKS_WITH_KWARGS, with_kwargs)
    return register(
        FORWARD_HOOKS, hook, with_kwargs_flag, (FORWARD_HOOKS_ALWAYS_CALLED, always_call)
    )


def register_module_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Raise: the old kind of hook saw only part of the gradients."""
    raise unsupported("register_module_backward_hook", "register_module_full_backward_hook")


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, grad_output)` before a gradient goes through any module.

    See `Module.register_full_backward_pre_hook`.
    """
    return register(BACKWARD_PRE_HOOKS, hook)


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, grad_input, grad_output)` after a gradient went through any module.

    See `Module.register_full_backward_hook`.
    """
    return register(BACKWARD_HOOKS, hook)


# -- hooks of one module ------------------------------------------------------------------


class Hooks(Registry):
    """The part of `Module` that registers hooks on calls and runs them."""

    forward: Callable[..., Any]

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)` before `forward`.

        Args:
            hook: A result other than `None` replaces the positional arguments; one that is no
                tuple becomes the only argument.
            prepend: Whether to call it before this module's hooks registered so far.
            with_kwargs: Whether to call `hook(module, args, kwargs)` instead, whose result is
                `None` or a new `(args, kwargs)`.

        Example:
            >>> from taowa import nn
            >>> layer = nn.Identity()
            >>> handle = layer.register_forward_pre_hook(lambda module, args: args[0] * 10)
            >>> layer(1)
            10
        """
        flag = (self._forward_pre_hooks_with_kwargs, with_kwargs)
        return register(self._forward_pre_hooks, hook, flag, prepend=prepend)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call `hook(module, args, output)` after `forward`.

        Args:
            hook: A result other than `None` replaces the output.
            prepend: Whether to call it before this module's hooks registered so far.
            with_kwargs: Whether to call `hook(module, args, kwargs, output)` instead.
            always_call: Whether to call it even if `forward` raises; its own errors are then
                only warned about.

        Example:
            >>> from taowa import nn
            >>> seen = []
            >>> layer = nn.Identity()
            >>> handle = layer.register_forward_hook(lambda module, args, out: seen.append(out))
            >>> _ = layer(3)
            >>> seen
            [3]
        """
        with_kwargs_flag = (self._forward_hooks_with_kwargs, with_kwargs)
        always_call_flag = (self._forward_hooks_always_called, always_call)
        flags = with_kwargs_flag, always_call_flag
        return register(self._forward_hooks, hook, *flags, prepend=prepend)

    def register_full_backward_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` when the inputs' gradients are computed.

        Both are tuples with one entry per positional argument and per output, `None` where it is
        no tensor.

        Args:
            hook: A result other than `None` replaces `grad_input`.
            prepend: Whether to call it before this module's hooks registered so far.

        Example:
            >>> import taowa
            >>> from taowa import nn
            >>> layer = nn.Identity()
            >>> handle = layer.register_full_backward_hook(lambda module, gi, go: (gi[0] * 10,))
            >>> x = taowa.ones(2, requires_grad=True)
            >>> layer(x).sum().backward()
            >>> x.grad
            tensor([10., 10.])
        """
        return register(self._backward_hooks, hook, prepend=prepend)

    def register_full_backward_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, grad_output)` when the outputs' gradients are computed.

        Args:
            hook: A result other than `None` replaces `grad_output`.
            prepend: Whether to call it before this module's hooks registered so far.
        """
        return register(self._backward_pre_hooks, hook, prepend=prepend)

    def register_backward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Raise: the old kind of hook saw only part of the gradients."""
        raise unsupported("register_backward_hook", "register_full_backward_hook")

    def _call_with_hooks(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Run `forward` between its hooks."""
        run = _HookedCall(self, args, kwargs)
        try:
            return run.call()
        except Exception:
            run.call_always_called()
            raise


def _backward_hooks(module: Hooks) -> BackwardHooks | None:
    pre_hooks = [*BACKWARD_PRE_HOOKS.values(), *module._backward_pre_hooks.values()]
    hooks = [*BACKWARD_HOOKS.values(), *module._backward_hooks.values()]
    return BackwardHooks(module, hooks, pre_hooks) if hooks or pre_hooks else None


class _HookedCall:
    """One call of a module with hooks: what is passed on and which hooks have had their turn."""

    def __init__(self, module: Any, args: tuple, kwargs: dict[str, Any]):
        self.module = module
        self.args = args
        self.kwargs = kwargs
        self.output: Any = None
        self.called: set[int] = set()

    def call(self) -> Any:
        module = self.module
        for hook_id, hook in (*FORWARD_PRE_HOOKS.items(), *module._forward_pre_hooks.items()):
            self._call_pre_hook(hook_id, hook)
        backward = _backward_hooks(module)
        if backward:
            self.args = backward.watch_inputs(self.args)
        self.output = module.forward(*self.args, **self.kwargs)
        for hook_id, hook in (*FORWARD_HOOKS.items(), *module._forward_hooks.items()):
            self.called.add(hook_id)
            self._call_hook(hook_id, hook)
        return backward.watch_outputs(self.output) if backward else self.output

    def _call_pre_hook(self, hook_id: int, hook: Callable) -> None:
        if hook_id not in self.module._forward_pre_hooks_with_kwargs:
            args = hook(self.module, self.args)
            if args is not None:
                self.args = args if isinstance(args, tuple) else (args,)
            return
        both = hook(self.module, self.args, self.kwargs)
        if both is None:
            return
        if not (isinstance(both, tuple) and len(both) == 2):
            raise RuntimeError(
                "forward pre-hook must return None or a tuple "
                f"of (new_args, new_kwargs), but got {both}."
            )
        self.args, self.kwargs = both

    def _call_hook(self, hook_id: int, hook: Callable) -> None:
        own_with_kwargs = self.module._forward_hooks_with_kwargs
        if hook_id in own_with_kwargs or hook_id in FORWARD_HOOKS_WITH_KWARGS:
            replaced = hook(self.module, self.args, self.kwargs, self.output)
        else:
            replaced = hook(self.module, self.args, self.output)
        if replaced is not None:
            self.output = replaced

    def call_always_called(self) -> None:
        """After an error, call the hooks that asked to be called even then, if not done yet."""
        tables = (
            ("global module", FORWARD_HOOKS, FORWARD_HOOKS_ALWAYS_CALLED),
            ("module", self.module._forward_hooks, self.module._forward_hooks_always_called),
        )
        for owner, hooks, always_called in tables:
            for hook_id in [i for i in hooks if i in always_called and i not in self.called]:
                self._call_silently(owner, hook_id, hooks[hook_id])

    def _call_silently(self, owner: str, hook_id: int, hook: Callable) -> None:
        try:
            self._call_hook(hook_id, hook)
        except Exception as error:
            warnings.warn(
                f"{owner} forward hook with ``always_call=True`` raised an exception that was "
                f"silenced as another error was raised in forward: {error}",
                stacklevel=5,
            )
