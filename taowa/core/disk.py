"""Compiled programs on disk, so that a script's second run compiles nothing.

The folder belongs to the user (mode 0700) and is trusted like the user's own code: an executable
is machine code. Files are written whole or not at all; a damaged one is compiled anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import platform
import tempfile
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
from jax.experimental import serialize_executable

from taowa.config import config
from taowa.kernels.shared_library import kernels

SUFFIX = ".program"


@cache
def _fingerprint() -> str:
    """Return a digest of all that decides what code a key compiles to."""
    digest = hashlib.sha256()
    package = Path(__file__).parent.parent
    for source in sorted([*package.rglob("*.py"), *package.rglob("*.so")]):
        digest.update(source.read_bytes())
    digest.update(repr((jax.__version__, version("jaxlib"), platform.machine())).encode())
    digest.update(_processor().encode())
    digest.update(os.environ.get("XLA_FLAGS", "").encode())
    return digest.hexdigest()


def _processor() -> str:
    """Return the instruction sets of this machine, which compiled code may use."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    wanted = ("model name", "flags", "Features")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))


def _path(text: str) -> Path | None:
    if config.cache_folder is None:
        return None
    # Asking for the kernels' key also registers them, which a loaded program needs.
    settings = f"{config.optimization_level} {kernels.key()}"
    name = hashlib.sha256(f"{_fingerprint()}\n{settings}\n{text}".encode())
    return config.cache_folder / f"{name.hexdigest()}{SUFFIX}"


def load(text: str, place: Any) -> Any:
    """Return the compiled program kept under this text, or `None`."""
    path = _path(text)
    if path is None or not path.is_file() or not _is_ours(path):
        return None
    try:
        payload, in_tree, out_tree = pickle.loads(path.read_bytes())
        loaded = serialize_executable.deserialize_and_load(
            payload, in_tree, out_tree, execution_devices=[place]
        )
        os.utime(path)
    except Exception:  # a damaged or foreign file costs a compilation, never the run
        path.unlink(missing_ok=True)
        return None
    return loaded


def _is_ours(path: Path) -> bool:
    return not hasattr(os, "getuid") or path.stat().st_uid == os.getuid()


def store(text: str, compiled: Any) -> None:
    """Keep a compiled program; a full or read-only disk only means that it is not kept."""
    path = _path(text)
    if path is None:
        return
    with contextlib.suppress(OSError, ValueError, NotImplementedError, jax.errors.JaxRuntimeError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        data = pickle.dumps(serialize_executable.serialize(compiled))
        _write_whole(path, data)
        _prune_once(path.parent)


def _write_whole(path: Path, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@cache
def _prune_once(folder: Path) -> None:
    """Delete the files that went unused longest until the folder is within its bound."""
    files = [(f.stat(), f) for f in folder.glob(f"*{SUFFIX}")]
    total = sum(stat.st_size for stat, _ in files)
    for stat, file in sorted(files, key=lambda pair: pair[0].st_mtime):
        if total <= config.max_cache_bytes:
            break
        file.unlink(missing_ok=True)
        total -= stat.st_size
