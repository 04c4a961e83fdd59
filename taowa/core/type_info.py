"""Ranges and precisions of element types: `torch.finfo`, `torch.iinfo`, promotion by value."""

from __future__ import annotations

from typing import Any

import ml_dtypes

from taowa import dtypes
from taowa.core.tensor import Tensor
from taowa.dtypes import dtype


class finfo:  # noqa: N801
    """Describe a floating type.

    Args:
        type: A floating (or complex) type; the default one if left out.

    Raises:
        TypeError: for another type.

    Example:
        >>> finfo(dtypes.float32).eps
        1.1920928955078125e-07
    """

    def __init__(self, type: dtype | None = None):
        kind = (type or dtypes.get_default_dtype()).to_real()
        if not kind.is_floating_point:
            raise TypeError(
                "torch.finfo() requires a floating point input type. "
                f"Use torch.iinfo to handle '{type}'"
            )
        info = ml_dtypes.finfo(kind.np)
        self.bits = info.bits
        self.eps, self.max, self.min = float(info.eps), float(info.max), float(info.min)
        self.tiny = self.smallest_normal = float(info.smallest_normal)
        self.resolution = float(info.resolution)
        self.dtype = kind.name

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, "
            f"eps={self.eps:g}, smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, "
            f"dtype={self.dtype})"
        )


class iinfo:  # noqa: N801
    """Describe an integer type.

    Args:
        type: An integer type.

    Raises:
        TypeError: for another type.

    Example:
        >>> iinfo(dtypes.int8)
        iinfo(min=-128, max=127, dtype=int8)
    """

    def __init__(self, type: dtype):
        if type.category != dtypes.INTEGRAL:
            raise TypeError(
                f"torch.iinfo() requires an integer input type. Use torch.finfo to handle '{type}'"
            )
        info = ml_dtypes.iinfo(type.np)
        self.bits, self.min, self.max = info.bits, int(info.min), int(info.max)
        self.dtype = type.name

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"


def result_type(tensor1: Any, tensor2: Any) -> dtype:
    """Return the type in which an operation on two tensors or numbers computes.

    Example:
        >>> import taowa
        >>> result_type(taowa.tensor([1, 2]), 1.0)
        torch.float32
    """
    operands = (tensor1, tensor2)
    tensors = [t for t in operands if isinstance(t, Tensor)]
    return dtypes.result_type_of(
        [t.dtype for t in tensors if t.ndim],
        [t.dtype for t in tensors if not t.ndim],
        [type(n) for n in operands if not isinstance(n, Tensor)],
    )


def can_cast(from_: dtype, to: dtype) -> bool:
    """Return whether a result of one type may be written into a tensor of another.

    Example:
        >>> can_cast(dtypes.float64, dtypes.float32), can_cast(dtypes.float32, dtypes.int64)
        (True, False)
    """
    return from_.category <= to.category
