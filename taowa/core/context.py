"""What each thread records into, and the natural boundaries at which it is dispatched."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

PACKAGE_PREFIX = str(Path(__file__).parent.parent)
MAX_PENDING_NODES = 8_000
MAX_PENDING_BYTES = 4 << 30


class Context:
    """One thread's recording state.

    Attributes:
        pending: Nodes recorded and not yet dispatched, oldest first.
        pending_bytes: Sum of their outputs' sizes.
        has_gradients: Whether a backward pass has recorded into `pending`.
        grad_enabled: Whether ops are put on the tape.
        is_inference: Inside `inference_mode`.
        is_eager: Inside `taowa.eager()`: each op is dispatched at once.
        keeps_lines: Whether every node remembers the user's line (anomaly detection, logging).
        module_stack: The modules being called, outermost first.
    """

    def __init__(self) -> None:
        self.pending: list = []
        self.pending_bytes = 0
        self.has_gradients = False
        self.grad_enabled = True
        self.is_inference = False
        self.is_eager = False
        self.keeps_lines = False
        self.is_checking_anomalies = False
        self.module_stack: list = []

    def enter_outermost_module(self) -> None:
        """Dispatch a finished backward pass before the next forward pass begins."""
        if self.has_gradients:
            flush_hook[0](self)

    def leave_outermost_module(self) -> None:
        """Dispatch an evaluation's forward pass when it returns."""
        if not self.grad_enabled and self.pending:
            flush_hook[0](self)


def _no_flush(_: Context) -> None:
    raise RuntimeError("taowa.core.program is not loaded")


flush_hook: list[Callable[[Any], None]] = [_no_flush]  # set by program.py, which lies above
all_contexts: list[Context] = []
_local = threading.local()


def context() -> Context:
    """Return this thread's recording state."""
    try:
        return _local.context
    except AttributeError:
        _local.context = made = Context()
        all_contexts.append(made)
        return made


def user_line() -> tuple[str, int]:
    """Return file and line of the innermost call that is not taowa's own."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE_PREFIX):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno
