"""Numbers and arrays on their way into an element type, by PyTorch's rules."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from taowa import dtypes
from taowa.core.draw_types import cast as narrow
from taowa.dtypes import dtype as Dtype

_OF_PYTHON = {
    float: dtypes.float64,
    int: dtypes.int64,
    bool: dtypes.bool,
    complex: dtypes.complex128,
}
_WIDE_FLOATS = (dtypes.float32, dtypes.float64)
_SMALL = 1e9  # numbers up to here need no closer look
_C_NAMES = {
    "float32": "float", "float64": "double", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
    "complex64": "c10::complex<float>", "complex128": "c10::complex<double>",
}  # fmt: skip


def as_dtype(dtype: Any) -> Dtype | None:
    """Return the element type that a `dtype=` argument names, Python's own types included.

    Example:
        >>> as_dtype(float), as_dtype(None)
        (torch.float64, None)
    """
    if dtype is None or dtype.__class__ is Dtype:
        return dtype
    if dtype in _OF_PYTHON:
        return _OF_PYTHON[dtype]
    raise TypeError(f"argument 'dtype' must be torch.dtype, not {type(dtype).__name__}")


def dtype_of_number(value: Any) -> Dtype:
    """Return the element type of a tensor filled with a number.

    Example:
        >>> dtype_of_number(1), dtype_of_number(1.0)
        (torch.int64, torch.float32)
    """
    if isinstance(value, np.generic):
        value = value.item()
    return dtypes.of_number(type(value))


def convert_array(array: Any, target: Dtype) -> np.ndarray:
    """Return a host array in another element type, as `Tensor.to` converts.

    Example:
        >>> convert_array(np.array([1.7, -300.0]), dtypes.int8)
        array([  1, -44], dtype=int8)
    """
    if array.dtype == target.np:
        return array
    if target.category == dtypes.BOOL:
        return array != 0
    if array.dtype.kind == "c" and not target.is_complex:
        array = array.real
    with np.errstate(invalid="ignore", over="ignore"):
        if array.dtype.kind not in "biuc" and target.category == dtypes.INTEGRAL:
            return array.astype(np.int64).astype(target.np)
        return narrow(array, target.np)


def checked_number(value: Any, target: Dtype) -> np.ndarray:
    """Return a number as a 0-dim array.

    Raises:
        RuntimeError: if the type does not hold it.

    Example:
        >>> checked_number(1.5, dtypes.int64)
        array(1)
    """
    if value.__class__ in (float, int) and target in _WIDE_FLOATS and abs(value) <= _SMALL:
        return np.asarray(value, target.np)
    array = np.asarray(value.item() if hasattr(value, "item") else value)
    if array.dtype == object:
        raise ValueError("Overflow when unpacking long long")
    if target.category != dtypes.BOOL and _overflows(array, target, is_strict=True).any():
        name = _C_NAMES.get(target.name, f"{target.name}_t")
        raise RuntimeError(f"value cannot be converted to type {name} without overflow")
    return np.asarray(convert_array(array, target))


def checked_array(array: np.ndarray, target: Dtype) -> np.ndarray:
    """Return numbers of a list as an array of the given type.

    Raises:
        RuntimeError: if an integral type does not hold one of them.
        TypeError: if complex numbers would become real.

    Example:
        >>> checked_array(np.array([1.0, 0.0]), dtypes.bool)
        array([ True, False])
    """
    if array.dtype.kind == "c" and not target.is_complex and target.category != dtypes.BOOL:
        raise TypeError("must be real number, not complex")
    if target.category == dtypes.INTEGRAL and _overflows(array, target, is_strict=False).any():
        raise RuntimeError(f"value cannot be converted to type {target.name} without overflow")
    return convert_array(array, target)


def _overflows(array: Any, target: Dtype, *, is_strict: bool) -> Any:
    """Return where a number exceeds the type; negative ones may wrap in unsigned types."""
    if array.dtype.kind == "c":
        if target.is_complex:
            return np.False_
        return (array.imag != 0) | _overflows(array.real, target, is_strict=is_strict)
    if target.category == dtypes.INTEGRAL:
        limits: Any = np.iinfo(target.np)  # type: ignore[call-overload]
        least = limits.min if target.is_signed else -limits.max
        if array.dtype.kind == "f":
            return ~((array >= float(least)) & (array < float(limits.max) + 1))
        return np.asarray((array < least) | (array > limits.max))
    if not is_strict or target.is_complex:
        return np.False_
    with np.errstate(over="ignore"):
        return np.isfinite(array) & ~np.isfinite(narrow(array, target.np).astype(np.float64))


def warn_about_real_part() -> None:
    """Say that the imaginary part is lost, as PyTorch does.

    Example:
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     warn_about_real_part()
        >>> caught[0].category.__name__
        'UserWarning'
    """
    warnings.warn(
        "Casting complex values to real discards the imaginary part", UserWarning, stacklevel=3
    )
