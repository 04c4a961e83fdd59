"""Ranges and precisions of element types: `torch.finfo`, `torch.iinfo`."""

from __future__ import annotations

import ml_dtypes

from taowa import dtypes
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
