"""Sequences of numbers and of indices, made on the host."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from taowa import dtypes
from taowa.core.api import public
from taowa.core.tensor import Tensor, from_array
from taowa.ops.element_types import as_dtype, convert_array
from taowa.ops.layout import require_strided


def _number(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _range_dtype(dtype: Any, numbers: tuple) -> Any:
    if dtype is not None:
        return as_dtype(dtype)
    is_integral = all(isinstance(n, int) for n in numbers)
    return dtypes.int64 if is_integral else dtypes.get_default_dtype()


@public(is_method=False)
def arange(
    *args: Any,
    start: Any = 0,
    end: Any = None,
    step: Any = 1,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return the numbers from `start` in steps of `step`, up to but without `end`.

    Called as `arange(end)` or `arange(start, end, step=1)`.

    Raises:
        RuntimeError: if `step` is zero or leads away from `end`.

    Example:
        >>> import taowa
        >>> taowa.arange(5), taowa.arange(1, 2.5, 0.5)
        (tensor([0, 1, 2, 3, 4]), tensor([1.0000, 1.5000, 2.0000]))
    """
    require_strided(layout)
    start, end, step = _bounds(args, start, end, step)
    kind = _range_dtype(dtype, (start, end, step))
    if kind.category == dtypes.INTEGRAL:
        start, end, step = int(start), int(end), int(step)
    count = _count(start, end, step)
    values = start + np.arange(count) * step
    return from_array(convert_array(values, kind), requires_grad, device)


def _bounds(args: tuple, start: Any, end: Any, step: Any) -> tuple:
    if len(args) == 1 and end is None:
        end = args[0]
    elif len(args) == 1:
        start = args[0]
    elif args:
        start, end, *rest = args
        step = rest[0] if rest else step
    if end is None:
        raise TypeError('arange() missing 1 required positional arguments: "end"')
    return _number(start), _number(end), _number(step)


def _count(start: Any, end: Any, step: Any) -> int:
    """Return how many steps lie between the bounds."""
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if not (math.isfinite(start) and math.isfinite(end)):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    if all(isinstance(n, int) for n in (start, end, step)):
        return -((start - end) // step)
    return math.ceil((end - start) / step)


@public(is_method=False)
def range(
    start: Any = 0,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return the numbers from `start` to `end`, both included. Deprecated: use `arange`.

    Example:
        >>> import taowa
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     taowa.range(1, 3)
        tensor([1., 2., 3.])
    """
    require_strided(layout)
    warnings.warn(
        "torch.range is deprecated and will be removed in a future release because its behavior "
        "is inconsistent with Python's range builtin. Instead, use torch.arange, which produces "
        "values in [start, end).",
        UserWarning,
        stacklevel=2,
    )
    start, end, step = (0, start, step) if end is None else (start, end, step)
    _count(start, end, step)
    kind = as_dtype(dtype) or dtypes.get_default_dtype()
    values = start + np.arange(int((end - start) / step) + 1) * step
    return from_array(convert_array(values, kind), requires_grad, device)


def _spaced(start: Any, end: Any, steps: int, kind: Any) -> np.ndarray:
    """Return evenly spaced numbers, counted from both ends so that both are exact."""
    if not hasattr(steps, "__index__"):
        raise TypeError(f"argument 'steps' must be int, not {type(steps).__name__}: {steps}")
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    wide = np.complex128 if kind.is_complex else np.float64
    start, end = wide(_number(start)), wide(_number(end))
    if kind.category == dtypes.INTEGRAL:
        start, end = np.trunc(start), np.trunc(end)
    if steps == 1:
        return np.array([start])
    step = (end - start) / max(steps - 1, 1)
    index = np.arange(steps)
    return np.where(index < steps // 2, start + step * index, end - step * (steps - 1 - index))


@public(is_method=False)
def linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return evenly spaced numbers from `start` to `end`, both included.

    Example:
        >>> import taowa
        >>> taowa.linspace(0, 1, 5)
        tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    require_strided(layout)
    kind = as_dtype(dtype) or _line_dtype(start, end)
    return from_array(convert_array(_spaced(start, end, steps, kind), kind), requires_grad, device)


def _line_dtype(*numbers: Any) -> Any:
    is_complex = any(isinstance(_number(n), complex) for n in numbers)
    return dtypes.default_complex() if is_complex else dtypes.get_default_dtype()


@public(is_method=False)
def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return powers of `base` whose exponents are evenly spaced from `start` to `end`.

    Example:
        >>> import taowa
        >>> taowa.logspace(0, 2, 3)
        tensor([  1.,  10., 100.])
    """
    require_strided(layout)
    kind = as_dtype(dtype) or _line_dtype(start, end, base)
    powers = np.power(
        base, _spaced(start, end, steps, dtypes.float64 if not kind.is_complex else kind)
    )
    return from_array(convert_array(powers, kind), requires_grad, device)


@public(is_method=False)
def tril_indices(
    row: int, col: int, offset: int = 0, *, dtype: Any = dtypes.int64, device: Any = None,
    layout: Any = None,
) -> Tensor:  # fmt: skip
    """Return the indices of a matrix on and below a diagonal, as two rows.

    Example:
        >>> import taowa
        >>> taowa.tril_indices(2, 2)
        tensor([[0, 1, 1],
                [0, 0, 1]])
    """
    require_strided(layout)
    found = np.stack(np.tril_indices(row, offset, col))
    return from_array(found.astype(as_dtype(dtype).np), False, device)  # type: ignore[union-attr]


@public(is_method=False)
def triu_indices(
    row: int, col: int, offset: int = 0, *, dtype: Any = dtypes.int64, device: Any = None,
    layout: Any = None,
) -> Tensor:  # fmt: skip
    """Return the indices of a matrix on and above a diagonal, as two rows.

    Example:
        >>> import taowa
        >>> taowa.triu_indices(2, 2)
        tensor([[0, 0, 1],
                [0, 1, 1]])
    """
    require_strided(layout)
    found = np.stack(np.triu_indices(row, offset, col))
    return from_array(found.astype(as_dtype(dtype).np), False, device)  # type: ignore[union-attr]
