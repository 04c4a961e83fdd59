"""The exceptions of taowa beyond Python's own."""

from __future__ import annotations


class LoadError(RuntimeError):
    """A file is damaged, malicious, or of another kind than it claims."""


class CheckpointError(RuntimeError):
    """A checkpoint could not be written whole."""


class DataError(RuntimeError):
    """A data set's file or a loader's worker failed."""


class OutOfMemoryError(RuntimeError):
    """The device has no room for a program's buffers."""


class UnsupportedError(AttributeError, NotImplementedError):
    """A name of PyTorch's that taowa does not have; `hasattr` says False for it."""


def unsupported(what: str, instead: str) -> NotImplementedError:
    """Return the error for a PyTorch name or option that taowa does not have.

    Example:
        >>> unsupported("layout=sparse", "strided")
        NotImplementedError('layout=sparse is not supported by taowa; use strided')
    """
    return NotImplementedError(f"{what} is not supported by taowa; use {instead}")
