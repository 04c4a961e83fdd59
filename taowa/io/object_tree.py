"""What a loaded object may be made of: its keys, its leaves, and how far it nests."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from taowa.core.device import device
from taowa.dtypes import dtype
from taowa.errors import LoadError

# Complex numbers are no keys: it is easy to find many with one hash, and slow to keep them apart.
KEY_TYPES = frozenset((str, int, float, bool, bytes, type(None), dtype, device))
LEAF_TYPES = KEY_TYPES | {complex, bytearray}
MAX_KEY_PARTS = 64


def is_plain_key(key: Any) -> bool:
    """Return whether a value may be a dict key: hashing it is quick and runs no foreign code.

    Example:
        >>> is_plain_key(("exp_avg", 3)), is_plain_key([1])
        (True, False)
    """
    if type(key) is str:
        return True
    waiting, seen = [key], 0
    while waiting:
        part = waiting.pop()
        seen += 1
        if seen > MAX_KEY_PARTS:
            return False
        if isinstance(part, tuple):
            waiting.extend(part[: MAX_KEY_PARTS + 1])
        elif not _is_plain_part(part):
            return False
    return True


def _is_plain_part(part: Any) -> bool:
    # Integers of any length too could be chosen to have one hash.
    return type(part) in KEY_TYPES and (type(part) is not int or -(1 << 63) <= part < 1 << 64)


def _children(value: Any) -> list[Any]:
    """Return what a container holds, keys left out; nothing for a leaf."""
    if isinstance(value, dict):
        metadata = value.__dict__.get("_metadata") if type(value) is OrderedDict else None
        return [*value.values()] + ([] if metadata is None else [metadata])
    return list(value) if isinstance(value, list | tuple | set) else []


def check_tree(root: Any, leaf_types: frozenset[type], max_depth: int, max_objects: int) -> None:
    """Refuse an object that holds itself, nests too deep, or unfolds to too many objects.

    Every shared part counts once for each path to it, as it does for whoever walks the object.

    Raises:
        LoadError: naming the limit, or the type that does not belong there.
    """
    done: dict[int, tuple[int, int]] = {}  # id -> (depth, objects)
    open_ids: set[int] = set()
    path: list[tuple[Any, list[Any], _Extent]] = []

    def enter(value: Any) -> None:
        if len(path) > max_depth:
            raise LoadError(f"containers nested deeper than {max_depth}")
        if type(value) not in leaf_types and not isinstance(value, dict | list | tuple | set):
            raise LoadError(f"a bare {type(value).__name__} where a value is expected")
        open_ids.add(id(value))
        path.append((value, _children(value), _Extent(max_depth, max_objects)))

    enter(root)
    while path:
        value, waiting, extent = path[-1]
        if not waiting:
            path.pop()
            open_ids.discard(id(value))
            done[id(value)] = extent.depth, extent.objects
            if path:
                path[-1][2].add(extent.depth, extent.objects)
            continue
        child = waiting.pop()
        if type(child) in leaf_types:
            extent.add(0, 1)
        elif id(child) in done:
            extent.add(*done[id(child)])
        elif id(child) in open_ids:
            raise LoadError(f"a {type(child).__name__} that contains itself")
        else:
            enter(child)


class _Extent:
    """How deep and how large a part of the object is, as far as it has been walked."""

    def __init__(self, max_depth: int, max_objects: int):
        self.depth, self.objects = 1, 1
        self.max_depth, self.max_objects = max_depth, max_objects

    def add(self, depth: int, objects: int) -> None:
        """Count a child."""
        self.depth = max(self.depth, depth + 1)
        self.objects += objects
        if self.depth > self.max_depth:
            raise LoadError(f"containers nested deeper than {self.max_depth}")
        if self.objects > self.max_objects:
            raise LoadError(f"shared parts that unfold to over {self.max_objects:,} objects")
