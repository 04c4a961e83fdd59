"""Switches that say whether operations are put on the tape."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from taowa.core.context import context


def is_grad_enabled() -> bool:
    """Return whether operations are put on the tape.

    Example:
        >>> is_grad_enabled()
        True
    """
    return context().grad_enabled


def is_inference_mode_enabled() -> bool:
    """Return whether `inference_mode` is on.

    Example:
        >>> is_inference_mode_enabled()
        False
    """
    return context().is_inference


class _Mode:
    """A context manager and decorator that sets the gradient mode and puts it back."""

    def __init__(self, enabled: bool):
        self._enabled = enabled
        self._previous: list[bool] = []

    def __enter__(self) -> None:
        ctx = context()
        self._previous.append(ctx.grad_enabled)
        ctx.grad_enabled = self._enabled

    def __exit__(self, *_: object) -> None:
        context().grad_enabled = self._previous.pop()

    def __call__(self, function: Callable) -> Callable:
        @functools.wraps(function)
        def switched(*args: Any, **kwargs: Any) -> Any:
            with self._again():
                return function(*args, **kwargs)

        return switched

    def _again(self) -> _Mode:
        """Return the same mode afresh, for one call of a decorated function."""
        return _Mode(self._enabled)


class no_grad(_Mode):
    """Record operations without putting them on the tape.

    Example:
        >>> import taowa
        >>> x = taowa.ones(1, requires_grad=True)
        >>> with no_grad():
        ...     (x * 2).requires_grad
        False
    """

    def __new__(cls, function: Callable | None = None) -> Any:
        made = super().__new__(cls)
        if function is None:
            return made
        made.__init__()
        return made(function)

    def __init__(self, function: Callable | None = None):
        super().__init__(enabled=False)


class enable_grad(_Mode):
    """Put operations on the tape, inside a `no_grad` block too.

    Example:
        >>> with no_grad(), enable_grad():
        ...     is_grad_enabled()
        True
    """

    def __new__(cls, function: Callable | None = None) -> Any:
        made = super().__new__(cls)
        if function is None:
            return made
        made.__init__()
        return made(function)

    def __init__(self, function: Callable | None = None):
        super().__init__(enabled=True)


class set_grad_enabled(_Mode):
    """Switch the tape on or off, at once or for a block.

    Example:
        >>> with set_grad_enabled(False):
        ...     is_grad_enabled()
        False
        >>> is_grad_enabled()
        True
    """

    def __init__(self, mode: bool):
        super().__init__(enabled=bool(mode))
        self._previous = [context().grad_enabled]
        context().grad_enabled = self._enabled

    def __enter__(self) -> None:
        context().grad_enabled = self._enabled

    def __exit__(self, *_: object) -> None:
        context().grad_enabled = self._previous[0]

    def __call__(self, function: Callable) -> Callable:
        context().grad_enabled = self._previous[0]
        return super().__call__(function)


class inference_mode(_Mode):
    """Record operations for inference: nothing is put on the tape.

    Example:
        >>> with inference_mode():
        ...     is_inference_mode_enabled()
        True
    """

    def __new__(cls, mode: bool | Callable = True) -> Any:
        made = super().__new__(cls)
        if not callable(mode):
            return made
        made.__init__()
        return made(mode)

    def __init__(self, mode: bool | Callable = True):
        self._is_on = True if callable(mode) else bool(mode)
        super().__init__(enabled=not self._is_on)
        self._was_inference: list[bool] = []

    def _again(self) -> _Mode:
        return inference_mode(self._is_on)

    def __enter__(self) -> None:
        ctx = context()
        self._was_inference.append(ctx.is_inference)
        self._previous.append(ctx.grad_enabled)
        ctx.is_inference = self._is_on
        ctx.grad_enabled = ctx.grad_enabled and not self._is_on

    def __exit__(self, *_: object) -> None:
        ctx = context()
        ctx.is_inference = self._was_inference.pop()
        ctx.grad_enabled = self._previous.pop()


class eager:
    """Run every operation at once, each as a program of its own: slow, for debugging.

    Example:
        >>> import taowa
        >>> with eager():
        ...     taowa.ones(2) + 1
        tensor([2., 2.])
    """

    def __enter__(self) -> None:
        ctx = context()
        self._previous = ctx.is_eager
        ctx.is_eager = True

    def __exit__(self, *_: object) -> None:
        context().is_eager = self._previous
