"""`save` and `load`: checkpoints exchanged with PyTorch, read without running anything."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from taowa.errors import LoadError
from taowa.io.atomic import replacing
from taowa.io.byte_source import ByteSource
from taowa.io.file_kind import LEGACY_MAGIC
from taowa.io.pickle_machine import Limits
from taowa.io.pth_reader import read
from taowa.io.pth_writer import Checkpoint
from taowa.io.tensors import ArrayTensors, MapLocation, describe_tensor


def save(
    obj: Any,
    f: Any,
    pickle_module: Any = None,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
) -> None:
    """Save an object to a file that `taowa.load` and `torch.load(weights_only=True)` read.

    A path is written whole or not at all: after an error, a full disk or a crash the file that was
    there is still there. Tensors that share all of their memory (tied weights) are written once and
    are tied again when loaded. Unlike in PyTorch, a view is written on its own, without the rest of
    its base, and only what PyTorch's safe loading accepts can be saved.

    Args:
        obj: Nested dict, OrderedDict, Counter, list, tuple and set of str, bytes, bytearray, int,
            float, complex, bool, None, dtype, device, Size, Tensor and Parameter.
        f: A path, or an object with `write`.
        pickle_module: Only Python's own.
        pickle_protocol: Only 2.
        _use_new_zipfile_serialization: False writes the format before PyTorch 1.6.

    Raises:
        TypeError: naming a value of another type and where it is in `obj`.
        ValueError: if `obj` contains itself or nests deeper than 128.
        CheckpointError: if the file cannot be written whole.

    Example:
        >>> import io, taowa
        >>> file = io.BytesIO()
        >>> save({"weight": taowa.ones(2), "epoch": 3}, file)
        >>> _ = file.seek(0)
        >>> load(file)
        {'weight': tensor([1., 1.]), 'epoch': 3}
    """
    _require_plain_pickle(pickle_module)
    if pickle_protocol != 2:
        raise NotImplementedError(
            f"save(pickle_protocol={pickle_protocol}) is not supported by taowa; use 2, the only "
            "one that torch.load(weights_only=True) reads"
        )
    is_path = isinstance(f, str | os.PathLike)
    if not is_path and not hasattr(f, "write"):
        raise AttributeError(
            f"save: f is a {type(f).__name__}; expected a path or an object with 'write'"
        )
    checkpoint = Checkpoint(obj, describe_tensor, is_legacy=not _use_new_zipfile_serialization)
    write = checkpoint.write_zip if _use_new_zipfile_serialization else checkpoint.write_legacy
    if is_path:
        with replacing(f, expected_bytes=checkpoint.num_bytes) as file:
            write(file)
        return
    write(f)
    if hasattr(f, "flush"):
        f.flush()


def load(
    f: Any,
    map_location: MapLocation = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    limits: Limits | None = None,
) -> Any:
    """Load an object that `taowa.save` or `torch.save` wrote.

    The file can only yield plain values, tensors and parameters. Its pickle is read by an
    interpreter that imports and calls nothing, every checksum is verified, and what the file asks
    for is checked against its size before any memory is taken. A whole model is refused.

    Tensors that share all of their memory in the file do so again. Unlike in PyTorch, partial views
    of one storage become tensors of their own.

    Args:
        f: A path, or a binary file that can be read and repositioned.
        map_location: Where tensors go: a device, its name, a dict from saved to new places, or a
            function `(storage, location)`. None = where they were, or the CPU if that is missing.
        pickle_module: Only Python's own, and it is not used.
        weights_only: Makes no difference: there is no other way of loading.
        mmap: Accepted for a path of the zip format. The file is read and verified all the same.
        limits: Bounds on what a file may ask for.

    Raises:
        LoadError: if the file is damaged, of another kind, or holds more than plain data; the
            message says which and what to do.

    Example:
        >>> import io
        >>> try:
        ...     load(io.BytesIO(b"GIF89a"))
        ... except LoadError as error:
        ...     print(error)
        cannot load the file: it is a GIF image; pass the checkpoint instead
    """
    _require_plain_pickle(pickle_module)
    if isinstance(f, str | os.PathLike):
        with Path(f).open("rb") as file:
            return _load(file, os.fspath(f), map_location, mmap, limits)
    if mmap:
        raise ValueError("load(mmap=True) needs a path, f is an open file")
    return _load(f, "the file", map_location, mmap, limits)


def _load(file: Any, name: str, map_location: MapLocation, mmap: Any, limits: Any) -> Any:
    source = ByteSource(file)
    if mmap and source.read_at(0, min(4, source.size)) == LEGACY_MAGIC[:4]:
        raise RuntimeError(
            f"{name}: mmap=True needs the zip format, this is the one before PyTorch 1.6"
        )
    try:
        return read(source, ArrayTensors(map_location), limits or Limits())
    except LoadError as error:
        raise LoadError(f"cannot load {name}: {error}") from error.__cause__


def _require_plain_pickle(pickle_module: Any) -> None:
    if pickle_module is not None and pickle_module.__name__ != "pickle":
        raise NotImplementedError(
            f"pickle_module={pickle_module.__name__} is not supported by taowa; leave it out"
        )
