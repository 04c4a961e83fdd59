"""Reading exact numbers of bytes at exact places of a file."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from taowa.errors import LoadError


class ByteSource:
    """The bytes of an open binary file from its current position to its end.

    Args:
        file: Has `read`, `seek` and `tell`, as a file opened with `"rb"` or `io.BytesIO`.

    Raises:
        AttributeError: if `file` cannot be read or repositioned.

    Example:
        >>> import io
        >>> ByteSource(io.BytesIO(b"abcdef")).read_at(2, 3)
        b'cde'
    """

    def __init__(self, file: Any):
        for method in ("read", "seek", "tell"):
            if not hasattr(file, method):
                raise AttributeError(
                    f"'{type(file).__name__}' object has no attribute '{method}'; load takes a "
                    "path or a seekable binary file (io.BytesIO(data) makes one of bytes)"
                )
        self.file = file
        self.origin = file.tell()
        self.size = max(0, file.seek(0, os.SEEK_END) - self.origin)
        file.seek(self.origin)

    def read_at(self, offset: int, count: int) -> bytes:
        """Return `count` bytes; raise LoadError if the file has fewer."""
        self._require(offset, count)
        self.file.seek(self.origin + offset)
        parts, missing = [], count
        while missing:
            part = self.file.read(missing)
            if not isinstance(part, bytes):
                raise TypeError(f"the file must be opened in binary mode, read gave {type(part)}")
            if not part:
                raise LoadError(f"the file ended {missing} bytes early while it was read")
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def read_array_at(self, offset: int, count: int) -> np.ndarray:
        """Return `count` bytes as a new uint8 array, read straight into it."""
        self._require(offset, count)
        array = np.empty(count, np.uint8)
        view, filled = array.data, 0
        if not hasattr(self.file, "readinto"):
            view[:] = self.read_at(offset, count)
            return array
        self.file.seek(self.origin + offset)
        while filled < count:
            read = self.file.readinto(view[filled:])
            if not read:
                raise LoadError(f"the file ended {count - filled} bytes early while it was read")
            filled += read
        return array

    def move_to(self, offset: int) -> None:
        """Leave the file's own position there, for whoever reads on."""
        self.file.seek(self.origin + offset)

    def _require(self, offset: int, count: int) -> None:
        if offset < 0 or count < 0 or offset + count > self.size:
            raise LoadError(
                f"bytes {offset} to {offset + count} were expected, the file has {self.size}"
            )
