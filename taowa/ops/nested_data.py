"""Reading users' data into host arrays: numbers, nested sequences, arrays, tensors."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from taowa import dtypes
from taowa.core.tensor import Tensor
from taowa.dtypes import dtype as Dtype
from taowa.ops.element_types import checked_array, convert_array

_NUMBERS = frozenset((float, int, bool, complex))
_SUPPORTED = (
    "float64, float32, float16, complex64, complex128, int64, int32, int16, int8, uint64, uint32, "
    "uint16, uint8, and bool"
)


def array_of(data: Any, dtype: Dtype | None = None) -> np.ndarray:
    """Return data as a new host array.

    Args:
        dtype: Element type; inferred if `None`: integers give int64, floats the default type.

    Raises:
        ValueError: for sequences whose lengths do not match.
        TypeError: for data that are no numbers.

    Example:
        >>> array_of([[1, 2.5]])
        array([[1. , 2.5]], dtype=float32)
    """
    if isinstance(data, Tensor):
        array = data.detach().host()
        return np.array(array if dtype is None else convert_array(array, dtype))
    if isinstance(data, np.ndarray | np.generic):
        return _from_numpy(np.asarray(data), dtype)
    if data.__class__ in _NUMBERS:
        return _from_numbers([data], (), dtype)
    if _is_sequence(data):
        shape = _shape_of(data)
        leaves: list = []
        _flatten(data, shape, 0, leaves)
        return _from_numbers(leaves, shape, dtype)
    if hasattr(data, "__array__"):
        return _from_numpy(np.asarray(data), dtype)
    if isinstance(data, str):
        raise TypeError("new(): invalid data type 'str'")
    raise RuntimeError(f"Could not infer dtype of {type(data).__name__}")


def _from_numpy(array: np.ndarray, dtype: Dtype | None) -> np.ndarray:
    if not array.dtype.isnative:
        raise ValueError(
            "given numpy array has byte order different from the native byte order. "
            "Conversion between byte orders is currently not supported."
        )
    if array.dtype.kind not in "biufc" and array.dtype.name != "bfloat16":
        raise TypeError(
            f"can't convert np.ndarray of type numpy.{array.dtype.type.__name__}. "
            f"The only supported types are: {_SUPPORTED}."
        )
    dtypes.from_numpy_dtype(array.dtype)
    return np.array(array if dtype is None else convert_array(array, dtype), order="C")


def _is_sequence(data: Any) -> bool:
    if isinstance(data, list | tuple):
        return True
    return isinstance(data, Sequence) and not isinstance(data, str)


def _is_nested(item: Any) -> bool:
    if isinstance(item, np.ndarray):
        return item.ndim > 0
    return _is_sequence(item)


def _shape_of(data: Any) -> tuple[int, ...]:
    """Return the shape of nested sequences, following the first member of each."""
    shape: list[int] = []
    while _is_nested(data):
        shape.append(len(data))
        if not len(data):
            break
        if isinstance(data, list | tuple) and isinstance(data[0], np.ndarray) and data[0].ndim:
            warnings.warn(
                "Creating a tensor from a list of numpy.ndarrays is extremely slow. Please "
                "consider converting the list to a single numpy.ndarray with numpy.array() "
                "before converting to a tensor.",
                UserWarning,
                stacklevel=4,
            )
        data = data[0]
    if isinstance(data, str):
        raise ValueError("too many dimensions 'str'")
    return tuple(shape)


def _flatten(data: Any, shape: tuple[int, ...], depth: int, leaves: list) -> None:
    """Append all numbers in row-major order."""
    if depth == len(shape):
        leaves.append(data)
        return
    if not _is_nested(data):
        raise TypeError("not a sequence")
    if len(data) != shape[depth]:
        raise ValueError(
            f"expected sequence of length {shape[depth]} at dim {depth} (got {len(data)})"
        )
    if depth == len(shape) - 1:
        leaves.extend(data)
        return
    for item in data:
        _flatten(item, shape, depth + 1, leaves)


def _from_numbers(leaves: list, shape: tuple[int, ...], dtype: Dtype | None) -> np.ndarray:
    kinds = set(map(type, leaves))
    if not kinds <= _NUMBERS:
        leaves = [_as_scalar(item) for item in leaves]
        kinds = {_dtype_of(item) for item in leaves}
    else:
        kinds = {dtypes.of_number(kind) for kind in kinds}
    inferred = dtypes.get_default_dtype() if not kinds else None
    for kind in kinds:
        inferred = kind if inferred is None else dtypes.promote_types(inferred, kind)
    array = _pack(leaves, inferred, dtype)  # type: ignore[arg-type]
    return checked_array(array, dtype or inferred).reshape(shape)  # type: ignore[arg-type]


def _pack(leaves: list, inferred: Dtype, wanted: Dtype | None) -> np.ndarray:
    """Return Python numbers as an array that holds them exactly."""
    if inferred.is_complex:
        return np.array(leaves, np.complex128)
    if inferred.is_floating_point:
        return np.array(leaves, np.float64)
    is_large = dtypes.uint64 in (wanted, inferred) and not any(n < 0 for n in leaves)
    try:
        return np.array(leaves, np.uint64 if is_large else np.int64)
    except OverflowError:
        raise ValueError("Overflow when unpacking long long") from None


def _as_scalar(item: Any) -> Any:
    if item.__class__ in _NUMBERS or isinstance(item, np.generic):
        return item
    if isinstance(item, Tensor):
        if item.host().size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return item.detach().host().reshape(())[()]
    if isinstance(item, np.ndarray) and item.size == 1:
        return item.reshape(())[()]
    if _is_sequence(item):
        raise TypeError(f"'{type(item).__name__}' object cannot be interpreted as an integer")
    if hasattr(item, "__index__"):
        return int(item)
    if hasattr(item, "__float__"):
        return float(item)
    raise RuntimeError(f"Could not infer dtype of {type(item).__name__}")


def _dtype_of(item: Any) -> Dtype:
    if isinstance(item, np.generic):
        return dtypes.from_numpy_dtype(item.dtype)
    return dtypes.of_number(type(item))
