"""Compile the kernel library: `python taowa/kernels/build.py` in a checkout.

The package's build (`hatch_build.py`) loads this file by its path, so it imports nothing of taowa.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

SOURCES = Path(__file__).resolve().parent / "csrc"
LIBRARY = SOURCES.parent / "_kernels.so"
FLAGS = ("-std=c++17", "-O3", "-fPIC", "-fvisibility=hidden", "-fvisibility-inlines-hidden")
KERNEL_FLAGS = ("-fno-exceptions", "-fno-rtti", "-fno-math-errno", "-ffp-contract=fast")


class Isa(NamedTuple):
    """An instruction set: its vector registers and the compiler's flags for it."""

    vector_bytes: int
    registers: int
    flags: tuple[str, ...] = ()


_AVX2 = ("-mavx2", "-mfma")
_AVX512 = (*_AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl")
X86 = {
    "portable": Isa(16, 16),
    "avx2": Isa(32, 16, _AVX2),
    "avx512": Isa(64, 32, (*_AVX512, "-mprefer-vector-width=512")),
}
ARM = {"portable": Isa(16, 16), "neon": Isa(16, 32)}
ISAS = {"x86_64": X86, "amd64": X86, "aarch64": ARM, "arm64": ARM}


class CannotBuildError(Exception):
    """There is no compiler, no headers, or the compiler refused."""


def compiler() -> list[str] | None:
    """Return the C++ compiler's command: `CXX`, or the first that is installed."""
    if chosen := os.environ.get("CXX"):
        return shlex.split(chosen)
    found = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    return None if found is None else [found]


def include_folder() -> Path | None:
    """Return the folder of XLA's headers, those of `jax.ffi.include_dir()`, if there is one.

    A build in isolation does not see the environment that it builds for, but may look there.
    """
    spec = importlib.util.find_spec("jaxlib")
    folders = [Path(sysconfig.get_path(name)) / "jaxlib" for name in ("platlib", "purelib")]
    if spec is not None and spec.origin is not None:
        folders.insert(0, Path(spec.origin).parent)
    return next((f / "include" for f in folders if (f / "include").is_dir()), None)


def isas() -> dict[str, Isa]:
    """Return the instruction sets to compile for on this kind of machine."""
    return ISAS.get(platform.machine().lower(), {"portable": X86["portable"]})


class Unit(NamedTuple):
    """One compilation: a source, what it becomes, with which flags."""

    source: Path
    target: Path
    flags: tuple[str, ...]


def units(folder: Path) -> list[Unit]:
    """Return all compilations: kernels once for each instruction set, the rest once."""
    found = []
    for source in sorted(SOURCES.glob("*.cc")):
        if not source.stem.endswith("_kernels"):
            found.append(Unit(source, folder / f"{source.stem}.o", ()))
            continue
        for name, isa in isas().items():
            size = f"-DTAOWA_VECTOR_BYTES={isa.vector_bytes}"
            count = f"-DTAOWA_REGISTERS={isa.registers}"
            flags = (f"-DTAOWA_ISA={name}", size, count, *KERNEL_FLAGS, *isa.flags)
            found.append(Unit(source, folder / f"{source.stem}.{name}.o", flags))
    return found


def compile_unit(unit: Unit, extra: tuple[str, ...] = ()) -> None:
    """Compile one unit, with more flags if they are given.

    Raises:
        CannotBuildError: with the compiler's message.
    """
    command = compiler()
    if command is None:
        raise CannotBuildError("there is no C++ compiler (c++, g++ or clang++)")
    headers = include_folder()
    if headers is None:
        raise CannotBuildError("jaxlib, whose headers are needed, is not installed")
    base = [*command, *FLAGS, *extra, f"-I{SOURCES}", "-isystem", str(headers)]
    _run([*base, *unit.flags, "-c", str(unit.source), "-o", str(unit.target)])


def build(folder: Path, extra: tuple[str, ...] = ()) -> Path:
    """Compile what is older than its sources, link, and return the library's path.

    Args:
        folder: Where object files are kept.
        extra: More flags for every compilation.

    Raises:
        CannotBuildError: with the compiler's message.
    """
    folder.mkdir(parents=True, exist_ok=True)
    newest = max(f.stat().st_mtime for f in [*SOURCES.glob("*.h"), Path(__file__)])

    def update(unit: Unit) -> str:
        sources_time = max(newest, unit.source.stat().st_mtime)
        if not unit.target.exists() or unit.target.stat().st_mtime < sources_time:
            compile_unit(unit, extra)
        return str(unit.target)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(update, units(folder)))
    # A new file each time, so that a process that has the old one loaded keeps it.
    linked = LIBRARY.with_suffix(f".{os.getpid()}")
    _run([*(compiler() or ()), "-shared", *extra, "-o", str(linked), *objects])
    return linked.replace(LIBRARY)


def _run(command: list[str]) -> None:
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise CannotBuildError(f"{command[0]}: {error.strerror}") from error
    if result.returncode:
        raise CannotBuildError(f"{shlex.join(command)}\n{result.stderr}")


def platform_tag() -> str:
    """Return the wheel's tag: the library is no Python extension, only bound to the platform."""
    return f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def _main() -> None:
    folder = SOURCES.parents[2] / "build" / "kernels"
    try:
        library = build(folder, tuple(sys.argv[1:]))
    except CannotBuildError as error:
        sys.exit(str(error))
    sys.stdout.write(f"{library}\n")


if __name__ == "__main__":
    _main()
