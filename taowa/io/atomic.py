"""Whole-file writing that never leaves a half-written file behind."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from taowa.errors import CheckpointError


@contextmanager
def replacing(path: str | os.PathLike, *, expected_bytes: int | None = None) -> Iterator[BinaryIO]:
    """Yield a binary file that takes the place of `path` when the block ends without an error.

    The bytes go to a new file in the same folder, are brought to the disk, and only then get the
    name `path`, so that a reader, or a crash at any moment, sees the old file or the new one. On
    an error the new file is removed and the old one is as it was. A symbolic link is followed, the
    old file's permissions are kept, and a device or pipe is written to directly.

    Args:
        path: The file to write.
        expected_bytes: How much will be written, for the message when the disk is full.

    Raises:
        CheckpointError: if the folder is missing or the file cannot be written whole.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     target = Path(folder, "notes.bin")
        ...     with replacing(target) as file:
        ...         _ = file.write(b"whole")
        ...     target.read_bytes()
        b'whole'
    """
    shown, target = Path(path), Path(os.path.realpath(path))
    existed = False
    try:
        _require_writable_place(shown, target)
        existed = target.is_file()
        write = _directly if target.exists() and not existed else _through_new_file
        with write(target) as file:
            yield file
    except OSError as error:
        reason = _explain(error, target.parent, expected_bytes)
        kept = "; the file that was there is unchanged" if existed else ""
        raise CheckpointError(f"File {shown} cannot be written: {reason}{kept}.") from error


def _require_writable_place(shown: Path, target: Path) -> None:
    if not target.parent.is_dir():
        raise CheckpointError(f"Parent directory {shown.parent} does not exist.")
    if target.is_dir():
        raise CheckpointError(f"{shown} is a directory, not a file that can be written.")


@contextmanager
def _through_new_file(target: Path) -> Iterator[BinaryIO]:
    new = target.parent / f".{secrets.token_hex(8)}.taowa-tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(new, flags, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _copy_permissions(target, new)
            yield file
            file.flush()
            os.fsync(file.fileno())
        new.replace(target)
    except BaseException:  # an interrupt too must not leave the new file behind
        with suppress(OSError):
            new.unlink()
        raise
    _sync_folder(target.parent)


@contextmanager
def _directly(target: Path) -> Iterator[BinaryIO]:
    with target.open("wb") as file:
        yield file


def _copy_permissions(old: Path, new: Path) -> None:
    with suppress(FileNotFoundError):
        new.chmod(stat.S_IMODE(old.stat().st_mode))


def _sync_folder(folder: Path) -> None:
    """Bring the rename itself to the disk, where the system can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _explain(error: OSError, folder: Path, expected_bytes: int | None) -> str:
    needs = "" if expected_bytes is None else f"it needs about {expected_bytes:,} bytes, "
    try:
        free = f"{shutil.disk_usage(folder).free:,} bytes are free"
    except OSError:
        free = "the free space is unknown"
    return f"{error.strerror or error} ({needs}{free})"
