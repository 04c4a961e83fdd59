"""Names and text for modules: types in messages, indented trees, the path of a running module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from taowa.core.tensor import Tensor

__all__ = ["typename"]

_NOTED = "_taowa_module_path"  # set on an exception once a module has put its name on it


def typename(obj: Any) -> str:
    """Return the name that error messages give to an object's type.

    Args:
        obj: Any object; a tensor gives its `type()`, a class or function its own name.

    Example:
        >>> from collections import OrderedDict
        >>> typename(OrderedDict()), typename(3), typename(int)
        ('collections.OrderedDict', 'int', 'int')
    """
    if isinstance(obj, Tensor):
        return obj.type()
    named = obj if hasattr(obj, "__qualname__") else type(obj)
    module = getattr(named, "__module__", None)
    return named.__qualname__ if module in (None, "builtins") else f"{module}.{named.__qualname__}"


def indent(text: str, width: int = 2, keep_blank: bool = False) -> str:
    """Return `text` with every line but the first moved right; blank lines become empty."""
    first, *rest = text.split("\n")
    margin = " " * width
    return "\n".join(
        [first, *(margin + line if keep_blank or line.strip() else "" for line in rest)]
    )


def module_path(stack: Sequence[Any]) -> str:
    """Return the dotted name of the innermost of the modules being called.

    Args:
        stack: The modules being called, outermost first. The name is the one under which the
            nearest caller knows the module, so a shared module gets the name under which it runs
            now; one that no caller has registered is called by its class, in angle brackets.
    """
    if len(stack) < 2:
        return ""
    *callers, inner = stack
    for depth in range(len(callers), 0, -1):
        name = _name_within(callers[depth - 1], inner)
        if name is not None:
            return _join(module_path(callers[:depth]), name)
    return _join(module_path(callers), f"<{inner._get_name()}>")


def _name_within(outer: Any, inner: Any) -> str | None:
    return next((name for name, module in outer.named_modules() if module is inner), None)


def _join(*names: str) -> str:
    return ".".join(filter(None, names))


def add_module_note(error: BaseException, stack: Sequence[Any]) -> None:
    """Say once, in the notes of an exception, which module it comes from."""
    if hasattr(error, _NOTED):
        return
    path = module_path(stack)
    setattr(error, _NOTED, path)
    text = _one_line(stack[-1])
    error.add_note(f"in module {path}: {text}" if path else f"in module {text}")


def _one_line(module: Any) -> str:
    """Return a leaf module's repr, or only the class of one with children."""
    try:
        text = repr(module)
    except Exception:  # a note must never hide the error it describes
        text = "\n"
    return f"{module._get_name()}(...)" if "\n" in text else text
