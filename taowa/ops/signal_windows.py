"""Windows that fade a signal in and out, made on the host."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from taowa import dtypes
from taowa.core.api import public
from taowa.core.tensor import Tensor, from_array
from taowa.ops.element_types import as_dtype, convert_array
from taowa.ops.layout import require_strided


def _make(
    name: str, length: int, periodic: bool, shape: Any, dtype: Any, layout: Any, device: Any,
    grad: bool,
) -> Tensor:  # fmt: skip
    """Return `shape(positions from 0 to 1)` for as many positions as the window is long."""
    require_strided(layout)
    kind = as_dtype(dtype) or dtypes.get_default_dtype()
    if length < 0:
        raise RuntimeError(
            f"{name} requires non-negative window_length, got window_length={length}"
        )
    if not kind.is_floating_point:
        raise RuntimeError(f"{name} expects floating point dtypes, got: {kind}")
    if length <= 1:
        return from_array(np.ones(length, kind.np), grad, device)
    wide = np.float64 if kind is dtypes.float64 else np.float32
    steps = length if periodic else length - 1
    position = np.arange(length, dtype=wide) * wide(1 / steps)
    return from_array(convert_array(shape(position), kind), grad, device)


@public(is_method=False)
def hann_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return one period of a raised cosine.

    Args:
        periodic: Leave out the last point, so that copies of the window join.

    Example:
        >>> import taowa
        >>> taowa.hann_window(4)
        tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    return _make(
        "hann_window", window_length, periodic, lambda x: _raised_cosine(x, 0.5, 0.5),
        dtype, layout, device, requires_grad,
    )  # fmt: skip


@public(is_method=False)
def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return `alpha - beta * cos`, over one period.

    Example:
        >>> import taowa
        >>> taowa.hamming_window(4)
        tensor([0.0800, 0.5400, 1.0000, 0.5400])
    """
    return _make(
        "hamming_window", window_length, periodic, lambda x: _raised_cosine(x, alpha, beta),
        dtype, layout, device, requires_grad,
    )  # fmt: skip


@public(is_method=False)
def blackman_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return Blackman's sum of two cosines, over one period.

    Example:
        >>> import taowa
        >>> taowa.blackman_window(4)[1:]
        tensor([0.3400, 1.0000, 0.3400])
    """
    return _make(
        "blackman_window", window_length, periodic, _blackman, dtype, layout, device, requires_grad
    )


@public(is_method=False)
def bartlett_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return a triangle from 0 to 1 and back.

    Example:
        >>> import taowa
        >>> taowa.bartlett_window(4)
        tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    return _make(
        "bartlett_window", window_length, periodic, lambda x: np.where(x <= 0.5, 2 * x, 2 - 2 * x),
        dtype, layout, device, requires_grad,
    )  # fmt: skip


@public(is_method=False)
def kaiser_window(
    window_length: int,
    periodic: bool = True,
    beta: float = 12.0,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return Kaiser's window, a ratio of Bessel functions.

    Args:
        beta: The larger, the narrower the window.

    Example:
        >>> import taowa
        >>> taowa.kaiser_window(3, periodic=False, beta=2.0)
        tensor([0.4387, 1.0000, 0.4387])
    """
    return _make(
        "kaiser_window", window_length, periodic, lambda x: _kaiser(x, beta),
        dtype, layout, device, requires_grad,
    )  # fmt: skip


def _raised_cosine(x: np.ndarray, alpha: float, beta: float) -> np.ndarray:
    return alpha - beta * np.cos(2 * math.pi * x)


def _blackman(x: np.ndarray) -> np.ndarray:
    return 0.08 * np.cos(4 * math.pi * x) - 0.5 * np.cos(2 * math.pi * x) + 0.42


def _kaiser(x: np.ndarray, beta: float) -> np.ndarray:
    inside = np.maximum(1 - (2 * x.astype(np.float64) - 1) ** 2, 0)
    return np.i0(beta * np.sqrt(inside)) / np.i0(beta)
