"""Indices out of range: found on the host at once, on a device when a value is read."""

from __future__ import annotations

from typing import Any

from taowa.core.tensor import Tensor


def range_error(kind: type[Exception], text: str) -> Exception:
    """Return the error of a value check, marked as one.

    Example:
        >>> range_error(IndexError, "index out of range")
        IndexError('index out of range')
    """
    error = kind(text)
    error.is_range_error = True  # type: ignore[attr-defined]
    return error


def is_outside(index: Any, size: int, *, least: int | None = None) -> Any:
    """Return whether any index is not in `[least, size)`; `least` is -size by default.

    Example:
        >>> import numpy as np
        >>> [bool(is_outside(np.array(i), 3)) for i in ([0, 3], [-3, 2])]
        [True, False]
    """
    return ((index < (-size if least is None else least)) | (index >= size)).any()


def explained(
    error: Exception, index: Tensor, size: int, text: str, least: int | None = None
) -> Exception:
    """Return a range error with the first bad index in its text, if that is known.

    Args:
        text: With places for `index` and `size`.
    """
    if not getattr(error, "is_range_error", False) or not index.is_on_host():
        return error
    values = index.host().reshape(-1)
    bad = values[(values < (-size if least is None else least)) | (values >= size)]
    return type(error)(text.format(index=int(bad[0]), size=size)) if bad.size else error


OUT_OF_BOUNDS = "index {index} is out of bounds for dimension {dim} with size {size}"


def out_of_bounds(dim: int) -> str:
    """Return PyTorch's text for an index out of range, to be completed by `explained`.

    Example:
        >>> out_of_bounds(1)
        'index {index} is out of bounds for dimension 1 with size {size}'
    """
    return OUT_OF_BOUNDS.replace("{dim}", str(dim))
