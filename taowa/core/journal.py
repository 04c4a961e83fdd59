"""What the engine tells about itself: counters, compilations and their causes, bad values."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from taowa.config import config
from taowa.core.context import user_line

if TYPE_CHECKING:
    from taowa.core.program import Program

SLOW_SECONDS = 1.0


@dataclass
class Counters:
    """How often the engine did what, since the start or the last `reset`.

    Attributes:
        compilations: Programs compiled by XLA.
        disk_hits: Programs taken from the cache on disk instead.
        dispatches: Programs run.
        compile_seconds: Time spent compiling and loading.
    """

    compilations: int = 0
    disk_hits: int = 0
    dispatches: int = 0
    compile_seconds: float = 0.0


@dataclass
class Compilation:
    """One program that had to be made: what forced it, its size, its time, its cause."""

    line: tuple[str, int]
    num_ops: int
    seconds: float
    from_disk: bool
    cause: str

    def __str__(self) -> str:
        verb = "loaded from disk" if self.from_disk else "compiled"
        file, number = self.line
        return f"{file}:{number}: {verb} {self.num_ops} ops in {self.seconds:.2f} s; {self.cause}"


@dataclass
class _Log:
    compilations: deque[Compilation] = field(default_factory=lambda: deque(maxlen=500))


counters = Counters()
log = _Log()


def compiled(program: Program, seconds: float, *, from_disk: bool, others: Any) -> None:
    """Note that a program was made, and say so where the user asked for it."""
    if from_disk:
        counters.disk_hits += 1
    else:
        counters.compilations += 1
    counters.compile_seconds += seconds
    entry = Compilation(user_line(), program.num_nodes, seconds, from_disk, _cause(program, others))
    log.compilations.append(entry)
    if "compile" in config.log:
        _say(f"taowa: {entry}")


def _cause(program: Program, others: Any) -> str:
    """Return how the program differs from the nearest one in the cache."""
    if not others:
        return "the first program"
    steps = program.steps
    names = _names(steps)
    nearest = max(
        others.values(),
        key=lambda other: (_common_prefix(names, _names(other.steps)), other.last_run),
    )
    at = _common_prefix(steps, nearest.steps)
    if at == len(steps) == len(nearest.steps):
        if program.outputs != nearest.outputs:
            return "like an earlier program, but other values are still in use afterwards"
        return "like an earlier program, but other buffers may be reused"
    new, old = _plan_at(steps, at), _plan_at(nearest.steps, at)
    return f"differs from the nearest program at op {_op_number(steps, at)}: {new} instead of {old}"


def _names(steps: tuple) -> list:
    """Return the steps with plans by name: how the work looks, whatever its shapes."""
    return [s if isinstance(s, int) else s.name for s in steps]


def _common_prefix(a: Any, b: Any) -> int:
    for i, (x, y) in enumerate(zip(a, b, strict=False)):
        if x is not y and x != y:
            return i
    return min(len(a), len(b))


def _plan_at(steps: tuple, at: int) -> str:
    if at >= len(steps):
        return "the end"
    while isinstance(steps[at], int):
        at -= 1
    return repr(steps[at])


def _op_number(steps: tuple, at: int) -> int:
    return sum(not isinstance(s, int) for s in steps[: at + 1])


def _say(text: str, end: str = "\n") -> None:
    sys.stderr.write(text + end)
    sys.stderr.flush()


@contextlib.contextmanager
def announce(num_ops: int) -> Iterator[None]:
    """Say in one line on a terminal that a compilation takes more than a second."""
    if not sys.stderr.isatty():
        yield
        return
    started = time.perf_counter()
    message = f"taowa: compiling {num_ops} ops ..."
    timer = threading.Timer(SLOW_SECONDS, _say, (message, ""))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        seconds = time.perf_counter() - started
        if seconds > SLOW_SECONDS:
            _say(f" {seconds:.1f} s")


_watched: deque[tuple[Any, list]] = deque()


def watch(flags: Any, checks: list) -> None:
    """Remember the flags of a program's value checks until they can be read."""
    _watched.append((flags, checks))
    while len(_watched) > 1 and _watched[0][0].is_ready():
        _inspect(*_watched.popleft())


def raise_for_bad_values() -> None:
    """Raise for the oldest bad value that a dispatched program has met."""
    while _watched:
        _inspect(*_watched.popleft())


def _inspect(flags: Any, checks: list) -> None:
    bad = np.flatnonzero(np.asarray(flags))
    if bad.size:
        _watched.clear()
        check, (file, number) = checks[bad[0]]
        error = check.error()
        error.add_note(f"the values came from {file}:{number}")
        raise error
