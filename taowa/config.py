"""Settings read from the environment, in one place."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path


def _cache_folder() -> Path | None:
    """Return where compiled programs are kept; `TAOWA_CACHE_DIR=` (empty) keeps none."""
    chosen = os.environ.get("TAOWA_CACHE_DIR")
    if chosen is not None:
        return Path(chosen) if chosen else None
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "taowa" / "programs"


@dataclass
class Config:
    """What the environment says about logging, caching and compiling.

    Attributes:
        log: Comma-separated topics of `TAOWA_LOG`; `compile` explains every compilation.
        cache_folder: Compiled programs on disk; `None` for no cache.
        max_programs: How many compiled programs stay in memory (least recently used go first).
        max_cache_bytes: Bound of the cache on disk.
        optimization_level: XLA's backend level, 0 to 3.
        use_kernels: Whether programs use the CPU kernels; `TAOWA_KERNELS=0` for plain XLA.
        cpu_isa: Instruction set of the CPU kernels (`portable`, `avx2`, `avx512`, `neon`) from
            `TAOWA_CPU_ISA`; `None` for the best one of the machine.
    """

    log: frozenset[str] = field(
        default_factory=lambda: frozenset(filter(None, os.environ.get("TAOWA_LOG", "").split(",")))
    )
    cache_folder: Path | None = field(default_factory=_cache_folder)
    max_programs: int = field(
        default_factory=lambda: int(os.environ.get("TAOWA_MAX_PROGRAMS", "128"))
    )
    max_cache_bytes: int = 2 << 30
    optimization_level: int = field(
        default_factory=lambda: int(os.environ.get("TAOWA_OPTIMIZATION_LEVEL", "1"))
    )
    use_kernels: bool = field(default_factory=lambda: os.environ.get("TAOWA_KERNELS") != "0")
    cpu_isa: str | None = field(default_factory=lambda: os.environ.get("TAOWA_CPU_ISA") or None)


config = Config()
