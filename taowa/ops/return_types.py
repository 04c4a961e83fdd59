"""Named results of operations with several outputs, as in `torch.return_types`."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

TYPES: dict[str, type] = {}


def return_type(name: str, fields: str) -> Any:
    """Return the named tuple that an operation hands out, printed as PyTorch prints it.

    Args:
        fields: Names of the outputs, separated by spaces.

    Example:
        >>> return_type("aminmax", "min max")(1, 2)
        torch.return_types.aminmax(
        min=1,
        max=2)
    """
    if name not in TYPES:
        made = namedtuple(name, fields)
        made.__module__ = "torch.return_types"
        made.__repr__ = _format  # type: ignore[method-assign]
        TYPES[name] = made
    return TYPES[name]


def _format(self: Any) -> str:
    pairs = zip(self._fields, self, strict=True)
    parts = ",\n".join(f"{field}={value!r}" for field, value in pairs)
    return f"torch.return_types.{type(self).__name__}(\n{parts})"
