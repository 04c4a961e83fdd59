"""The printed form of tensors, character for character PyTorch's."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from taowa.dtypes import get_default_dtype


@dataclass
class PrintOptions:
    """Hold what `set_printoptions` sets; `OPTIONS` is the one in use."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


OPTIONS = PrintOptions()
PROFILES = {
    "default": PrintOptions(),
    "short": PrintOptions(precision=2, edgeitems=2),
    "full": PrintOptions(threshold=math.inf),
}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed; what is `None` stays, except `sci_mode`.

    Args:
        precision: Digits after the point.
        threshold: Tensors of more elements are summarised.
        edgeitems: Items at both ends of each dimension of a summary.
        linewidth: Characters per line.
        profile: "default", "short" or "full": values for the four above, which override it.
        sci_mode: Scientific notation always (`True`), never (`False`), where it helps (`None`).
    Example:
        >>> set_printoptions(precision=2)
        >>> format_tensor(np.array([1.2345], np.float32), dtype_name="float32")
        'tensor([1.23])'
        >>> set_printoptions(profile="default")
    """
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    preset = asdict(PROFILES[profile]) if profile in PROFILES else asdict(OPTIONS)
    for name, value in given.items():
        setattr(OPTIONS, name, preset[name] if value is None else value)
    OPTIONS.sci_mode = sci_mode


def get_printoptions() -> dict[str, Any]:
    """Return the options in use, as keyword arguments for `set_printoptions`.

    Example:
        >>> get_printoptions()["linewidth"]
        80
    """
    return asdict(OPTIONS)


@contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """Set the print options inside a `with` block.

    Args:
        options: As for `set_printoptions`.
    Example:
        >>> with printoptions(threshold=5, edgeitems=1):
        ...     format_tensor(np.arange(9), dtype_name="int64")
        'tensor([0,  ..., 8])'
    """
    before = get_printoptions()
    set_printoptions(**options)
    try:
        yield
    finally:
        set_printoptions(**before)


class _Column:
    """Write the numbers of one tensor in one style and width."""

    def __init__(self, values: np.ndarray):
        self._spec, self._point = "", ""
        if values.dtype.kind == "f":
            values = values[np.isfinite(values) & (values != 0)]
            self._spec, self._point = _float_style(values)
        written = [format(value, self._spec) for value in values.ravel().tolist()]
        self.width = max(map(len, written), default=0) + len(self._point)

    def write(self, value: Any) -> str:
        point = self._point if math.isfinite(value) else ""
        return (format(value, self._spec) + point).rjust(self.width)


def _float_style(numbers: np.ndarray) -> tuple[str, str]:
    """Return the format of nonzero finite numbers and the point that ends whole ones."""
    if numbers.size and _is_scientific(np.abs(numbers)):
        return f".{OPTIONS.precision}e", ""
    if (numbers == np.ceil(numbers)).all():
        return ".0f", "."
    return f".{OPTIONS.precision}f", ""


def _is_scientific(sizes: np.ndarray) -> bool:
    if OPTIONS.sci_mode is not None:
        return OPTIONS.sci_mode
    least, most = float(sizes.min()), float(sizes.max())
    return most / least > 1000.0 or most > 1.0e8 or least < 1.0e-4


class _ComplexColumn:
    """Write complex numbers in two columns, the imaginary parts without padding."""

    def __init__(self, values: np.ndarray):
        self._real, self._imag = _Column(np.real(values)), _Column(np.imag(values))
        self.width = self._real.width + self._imag.width + 1

    def write(self, value: complex) -> str:
        imag = self._imag.write(value.imag).lstrip() + "j"
        sign = "" if imag[0] in "+-" else "+"
        return self._real.write(value.real) + sign + imag


class _Layout:
    """Lay out nested lists of numbers whose shape was `shape` before they were summarised."""

    def __init__(self, column: _Column | _ComplexColumn, shape: tuple[int, ...], summarise: bool):
        self._column = column
        self._shape = shape
        self._summarise = summarise

    def write(self, values: Any, indent: int, axis: int = 0) -> str:
        depth = len(self._shape) - axis
        if depth == 0:
            return self._column.write(values)
        if depth == 1:
            return self._row(values, indent)
        items = [self.write(value, indent + 1, axis + 1) for value in values]
        items = self._with_dots(items, axis, "...")
        return "[" + ("," + "\n" * (depth - 1) + " " * (indent + 1)).join(items) + "]"

    def _row(self, values: list, indent: int) -> str:
        dots = " ..." if OPTIONS.edgeitems else "..."
        items = self._with_dots([self._column.write(v) for v in values], -1, dots)
        per_line = max(1, (OPTIONS.linewidth - indent) // (self._column.width + 2))
        lines = (", ".join(items[i : i + per_line]) for i in range(0, len(items), per_line))
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"

    def _with_dots(self, items: list[str], axis: int, dots: str) -> list[str]:
        edge = OPTIONS.edgeitems
        if self._summarise and self._shape[axis] > 2 * edge:
            return [*items[:edge], dots, *items[edge:]]
        return items


def _edges(array: np.ndarray) -> np.ndarray:
    """Return the items that a summary shows."""
    edge = OPTIONS.edgeitems
    for axis, size in enumerate(array.shape):
        if size > 2 * edge:
            kept = np.r_[:edge, size - edge : size]
            array = np.take(array, kept, axis=axis)
    return array


def _numbers_text(array: np.ndarray, indent: int) -> str:
    if array.size == 0:
        return "[]"
    summarise = array.size > OPTIONS.threshold
    shown = _edges(array) if summarise else array
    if shown.dtype.kind in "fV":  # bfloat16 is of kind V
        shown = shown.astype(np.float64)
    column = _ComplexColumn(shown) if shown.dtype.kind == "c" else _Column(shown)
    return _Layout(column, array.shape, summarise).write(shown.tolist(), indent)


def _suffixes(
    array: np.ndarray,
    dtype_name: str,
    requires_grad: bool,
    grad_fn_name: str | None,
    device: str,
) -> Iterator[str]:
    """Give what follows the numbers, in order."""
    default = get_default_dtype().name
    inferred = {default, "int64", "bool", "complex128" if default == "float64" else "complex64"}
    empty = array.size == 0
    if device.partition(":")[0] != "cpu":
        yield f"device='{device}'"
    if array.ndim != 1 if empty else not OPTIONS.edgeitems:
        yield f"size={array.shape}"
    if dtype_name != default if empty else dtype_name not in inferred:
        yield f"dtype=torch.{dtype_name}"
    if grad_fn_name is not None:
        yield f"grad_fn=<{grad_fn_name}>"
    elif requires_grad:
        yield "requires_grad=True"


def format_tensor(
    array: np.ndarray,
    *,
    dtype_name: str,
    requires_grad: bool = False,
    grad_fn_name: str | None = None,
    device: str = "cpu",
    prefix: str = "tensor(",
) -> str:
    r"""Return the text that `repr` gives for a tensor in PyTorch.

    Args:
        array: The values.
        dtype_name: Such as "float32".
        grad_fn_name: Such as "AddBackward0"; `None` for leaves.
        device: Such as "cuda:0".
        prefix: Opening of the text; a subclass of Tensor prints its own name there.
    Example:
        >>> format_tensor(np.eye(2, dtype=np.float16), dtype_name="float16")
        'tensor([[1., 0.],\n        [0., 1.]], dtype=torch.float16)'
    """
    indent = len(prefix)
    text = prefix + _numbers_text(array, indent)
    last_line = len(text) - text.rfind("\n") + 1
    for suffix in _suffixes(array, dtype_name, requires_grad, grad_fn_name, device):
        if last_line + len(suffix) + 2 > OPTIONS.linewidth:
            text += ",\n" + " " * indent + suffix
            last_line = indent + len(suffix)
        else:
            text += ", " + suffix
            last_line += len(suffix) + 2
    return text + ")"


def format_parameter(array: np.ndarray, **options: Any) -> str:
    r"""Return the text that `repr` gives for a parameter in PyTorch.

    Args:
        options: As for `format_tensor`.
    Example:
        >>> format_parameter(np.ones(2, np.float32), dtype_name="float32", requires_grad=True)
        'Parameter containing:\ntensor([1., 1.], requires_grad=True)'
    """
    return "Parameter containing:\n" + format_tensor(array, **options)
