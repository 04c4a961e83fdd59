"""Names of memory layouts, which PyTorch's signatures mention."""

from __future__ import annotations

from typing import Any

from taowa.core.api import NAMES
from taowa.errors import unsupported


class layout:  # noqa: N801  (PyTorch's own spelling)
    """Name how a tensor's elements are stored; there is one: `taowa.strided`.

    Example:
        >>> strided
        torch.strided
    """

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name


class memory_format:  # noqa: N801
    """Name the order of dimensions in memory.

    The compiler chooses the physical order, so that these only pass through.

    Example:
        >>> channels_last
        torch.channels_last
    """

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name


strided = layout("strided")
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")

_names: dict[str, Any] = NAMES
_names.update(
    layout=layout, memory_format=memory_format, strided=strided,
    contiguous_format=contiguous_format, preserve_format=preserve_format,
    channels_last=channels_last, channels_last_3d=channels_last_3d,
)  # fmt: skip


def require_strided(given: Any) -> None:
    """Raise for a layout other than the dense one.

    Raises:
        NotImplementedError: for a sparse layout.

    Example:
        >>> require_strided(strided)
    """
    if given is not None and given is not strided:
        raise unsupported(f"layout={given}", "layout=taowa.strided")
