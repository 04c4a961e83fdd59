"""Finding the operation whose gradient turned NaN: its name, its module, the user's line."""

from __future__ import annotations

from typing import Any

import numpy as np

from taowa.core.context import Context, context
from taowa.core.grad_names import backward_name
from taowa.core.node import Node
from taowa.core.tensor import Tensor


class detect_anomaly:  # noqa: N801
    """Check every gradient of the block for NaN, and name the operation that made the first.

    Each check waits for its value, so that this is slow: for debugging.

    Args:
        check_nan: Whether to check at all; otherwise only the lines are kept.

    Raises:
        RuntimeError: from `backward`, naming the operation, its module and the user's line.

    Example:
        >>> import taowa
        >>> x = taowa.tensor(0.0, requires_grad=True)
        >>> with detect_anomaly():
        ...     try:
        ...         (x.sqrt() * 0).backward()
        ...     except RuntimeError as error:
        ...         print(error)
        Function 'SqrtBackward0' returned nan values in its 0th output.
    """

    def __init__(self, check_nan: bool = True):
        self._check_nan = check_nan
        self._previous = (False, False)

    def __enter__(self) -> None:
        ctx = context()
        self._previous = (ctx.keeps_lines, ctx.is_checking_anomalies)
        ctx.keeps_lines, ctx.is_checking_anomalies = True, self._check_nan

    def __exit__(self, *_: object) -> None:
        ctx = context()
        ctx.keeps_lines, ctx.is_checking_anomalies = self._previous


class set_detect_anomaly(detect_anomaly):  # noqa: N801
    """Switch the checks of `detect_anomaly` on or off, at once or for a block.

    Example:
        >>> with set_detect_anomaly(True):
        ...     is_anomaly_enabled()
        True
        >>> is_anomaly_enabled()
        False
    """

    def __init__(self, mode: bool, check_nan: bool = True):
        super().__init__(check_nan)
        ctx = context()
        self._mode = mode
        self._previous = (ctx.keeps_lines, ctx.is_checking_anomalies)
        self._set(ctx)

    def _set(self, ctx: Context) -> None:
        ctx.keeps_lines = self._mode
        ctx.is_checking_anomalies = self._mode and self._check_nan

    def __enter__(self) -> None:
        self._set(context())


def is_anomaly_enabled() -> bool:
    """Return whether anomaly detection is on."""
    return context().keeps_lines


def is_anomaly_check_nan_enabled() -> bool:
    """Return whether gradients are checked for NaN."""
    return context().is_checking_anomalies


def require_no_nan(node: Node, grads: Any) -> None:
    """Raise for the first NaN among the gradients that a node has passed on."""
    for position, grad in enumerate(grads):
        if isinstance(grad, Tensor) and np.isnan(grad.host()).any():
            raise _anomaly(node, position)


def _anomaly(node: Node, position: int) -> RuntimeError:
    name = backward_name(node)
    error = RuntimeError(f"Function '{name}' returned nan values in its {position}th output.")
    if node.line is not None:
        error.add_note(f"its forward was called at {node.line[0]}:{node.line[1]}")
    if node.module is not None:
        error.add_note(f"in module {node.module!r}")
    return error
