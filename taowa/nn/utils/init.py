"""Modules without initial values."""

from __future__ import annotations

import inspect
from typing import Any

from taowa.core.random import fork_rng
from taowa.nn.module import Module

__all__ = ["skip_init"]


def skip_init(module_cls: type[Module], *args: Any, **kwargs: Any) -> Module:
    """Return a module whose parameters are undefined, without moving the random generator on.

    Args:
        module_cls: Must have an argument `device`.

    Raises:
        RuntimeError: if it has none, or is no module.

    Example:
        >>> from taowa import nn
        >>> skip_init(nn.Linear, 2, 3)
        Linear(in_features=2, out_features=3, bias=True)
    """
    if not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    with fork_rng():
        return module_cls(*args, **kwargs)
