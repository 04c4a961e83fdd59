"""Ending a run from outside: Ctrl-C and a terminating signal, once the step under way is done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["StopSignals"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """Within a `with` block, ask for a stop on Ctrl-C or SIGTERM instead of raising.

    A second signal acts as it did before the block, so that a run which does not come to its end
    can still be broken off. Outside the main thread, where Python allows no handlers, the block
    changes nothing.

    Args:
        ask: Called on the first signal.
    Attributes:
        received: The number of the signal, `None` if there was none.
    Example:
        >>> asked = []
        >>> with StopSignals(lambda: asked.append("stop")) as signals:
        ...     signal.raise_signal(signal.SIGINT)
        >>> asked, signals.received == signal.SIGINT, signals.exit_code
        (['stop'], True, 130)
    """

    def __init__(self, ask: Callable[[], Any]):
        self._ask = ask
        self._previous: dict[int, Any] = {}
        self.received: int | None = None

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _note(self, number: int, _: Any) -> None:
        self.received = number
        self._restore()
        self._ask()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    @property
    def exit_code(self) -> int:
        """What a shell expects of a program that the signal ended; 0 if there was none."""
        return 0 if self.received is None else 128 + self.received
