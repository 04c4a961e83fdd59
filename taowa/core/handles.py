"""Handles of hooks, by which they are taken off again."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from typing import Any


class RemovableHandle:
    """Take a registered hook off again, by `remove` or at the end of a `with` block.

    Args:
        hooks_dict: The table that holds the hook under this handle's `id`.
        extra_dict: Other tables that may hold the same `id`.

    Example:
        >>> from taowa import nn
        >>> layer = nn.Identity()
        >>> with layer.register_forward_hook(lambda module, args, output: output + 1):
        ...     layer(1)
        2
        >>> layer(1)
        1
    """

    next_id = 0

    def __init__(self, hooks_dict: Any, *, extra_dict: Any = None):
        self.id = RemovableHandle.next_id
        RemovableHandle.next_id += 1
        others = [extra_dict] if isinstance(extra_dict, dict) else extra_dict or []
        self._tables = [weakref.ref(table) for table in (hooks_dict, *others)]

    def remove(self) -> None:
        """Unregister the hook; a second time does nothing."""
        for table in self._live_tables():
            table.pop(self.id, None)

    def _live_tables(self) -> list[Any]:
        return [table for table in (ref() for ref in self._tables) if table is not None]

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def __getstate__(self) -> tuple:
        return self._live_tables(), self.id

    def __setstate__(self, state: tuple) -> None:
        tables, self.id = state
        self._tables = [weakref.ref(table) for table in tables]
        RemovableHandle.next_id = max(RemovableHandle.next_id, self.id + 1)


def register(
    table: OrderedDict, hook: Any, *flags: tuple[OrderedDict, bool], prepend: bool = False
) -> RemovableHandle:
    """Put a hook into a table, and its id into each flag's table that is set."""
    handle = RemovableHandle(table, extra_dict=[flag_table for flag_table, _ in flags])
    table[handle.id] = hook
    for flag_table, is_set in flags:
        if is_set:
            flag_table[handle.id] = True
    if prepend:
        table.move_to_end(handle.id, last=False)
    return handle
