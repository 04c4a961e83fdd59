"""PyTorch's element types, their NumPy counterparts, and the rules by which they promote."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

BOOL, INTEGRAL, FLOATING, COMPLEX = range(4)  # promotion categories, lowest first


class dtype:
    """Name the element type of a tensor, as `torch.dtype` does.

    Example:
        >>> float32
        torch.float32
        >>> float32.itemsize, float32.is_floating_point
        (4, True)
    """

    __slots__ = (
        "category",
        "is_complex",
        "is_floating_point",
        "is_signed",
        "itemsize",
        "name",
        "np",
    )

    def __init__(self, name: str, np_type: Any, category: int, *, is_signed=True):
        self.name = name
        self.np = np.dtype(np_type)
        self.category = category
        self.is_floating_point = category == FLOATING
        self.is_complex = category == COMPLEX
        self.is_signed = is_signed
        self.itemsize = self.np.itemsize

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self):
        return _by_name, (self.name,)

    def to_real(self) -> dtype:
        """Return the real type of the same precision."""
        return {complex64: float32, complex128: float64}.get(self, self)

    def to_complex(self) -> dtype:
        """Return the complex type of the same precision."""
        return {
            float32: complex64,
            float64: complex128,
            bfloat16: complex64,
            float16: complex64,
        }.get(self, self)


bool = dtype("bool", np.bool_, BOOL, is_signed=False)
uint8 = dtype("uint8", np.uint8, INTEGRAL, is_signed=False)
uint16 = dtype("uint16", np.uint16, INTEGRAL, is_signed=False)
uint32 = dtype("uint32", np.uint32, INTEGRAL, is_signed=False)
uint64 = dtype("uint64", np.uint64, INTEGRAL, is_signed=False)
int8 = dtype("int8", np.int8, INTEGRAL)
int16 = dtype("int16", np.int16, INTEGRAL)
int32 = dtype("int32", np.int32, INTEGRAL)
int64 = dtype("int64", np.int64, INTEGRAL)
float16 = dtype("float16", np.float16, FLOATING)
bfloat16 = dtype("bfloat16", ml_dtypes.bfloat16, FLOATING)
float32 = dtype("float32", np.float32, FLOATING)
float64 = dtype("float64", np.float64, FLOATING)
complex64 = dtype("complex64", np.complex64, COMPLEX)
complex128 = dtype("complex128", np.complex128, COMPLEX)

ALL = (bool, uint8, uint16, uint32, uint64, int8, int16, int32, int64,
       float16, bfloat16, float32, float64, complex64, complex128)  # fmt: skip
ALIASES = {"half": float16, "float": float32, "double": float64, "short": int16, "int": int32,
           "long": int64, "cfloat": complex64, "cdouble": complex128}  # fmt: skip

_NAMES = {d.name: d for d in ALL}
_FROM_NUMPY = {d.np: d for d in ALL}


def _by_name(name: str) -> dtype:
    return _NAMES[name]


def from_numpy_dtype(np_dtype: np.dtype) -> dtype:
    """Return the element type of a NumPy array's dtype.

    Raises:
        TypeError: if no tensor can hold that type.

    Example:
        >>> from_numpy_dtype(np.dtype("int16"))
        torch.int16
    """
    native = np.dtype(np_dtype).newbyteorder("=")
    if native not in _FROM_NUMPY:
        supported = ", ".join(d.name for d in ALL)
        raise TypeError(
            f"can't convert np.ndarray of type {np_dtype}; the supported types are: {supported}"
        )
    return _FROM_NUMPY[native]


_default = float32
default_listeners: list = []  # called when the default type has changed


def get_default_dtype() -> dtype:
    """Return the floating type that Python numbers become.

    Example:
        >>> get_default_dtype()
        torch.float32
    """
    return _default


def set_default_dtype(d: dtype, /) -> None:
    """Set the floating type that Python numbers become.

    Raises:
        TypeError: if `d` is no floating type.

    Example:
        >>> set_default_dtype(float64); get_default_dtype()
        torch.float64
        >>> set_default_dtype(float32)
    """
    global _default
    if not isinstance(d, dtype) or not d.is_floating_point:
        raise TypeError(f"only floating-point types are supported as the default type, got {d}")
    if d is not _default:
        _default = d
        for listener in default_listeners:
            listener()


def default_complex() -> dtype:
    """Return the complex type that Python's complex numbers become."""
    return _default.to_complex()


_SIGNED_UP = {1: int16, 2: int32, 4: int64}
_BAREBONES = (uint16, uint32, uint64)  # PyTorch stores these but promotes them only to floats


def _promote_integers(a: dtype, b: dtype) -> dtype:
    if a.is_signed == b.is_signed:
        return a if a.itemsize >= b.itemsize else b
    unsigned, signed = (a, b) if not a.is_signed else (b, a)
    return signed if signed.itemsize > unsigned.itemsize else _SIGNED_UP[unsigned.itemsize]


def _promote_floats(a: dtype, b: dtype) -> dtype:
    if {a, b} == {float16, bfloat16}:
        return float32
    return a if a.itemsize >= b.itemsize else b


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """Return the smallest type that both types convert to.

    References:
        https://docs.pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc

    Example:
        >>> promote_types(int32, float16)
        torch.float16
        >>> promote_types(uint8, int8)
        torch.int16
    """
    a, b = type1, type2
    if a is b:
        return a
    if (a in _BAREBONES and not b.is_floating_point) or (
        b in _BAREBONES and not a.is_floating_point
    ):
        raise RuntimeError(
            "Promotion for uint16, uint32, uint64 types is not supported, "
            f"attempted to promote {a.name} and {b.name}"
        )
    if a.category != b.category:
        high, low = (a, b) if a.category > b.category else (b, a)
        if high.is_complex and low is float64:
            return complex128
        return high
    if a.category == INTEGRAL:
        return _promote_integers(a, b)
    if a.category == FLOATING:
        return _promote_floats(a, b)
    return complex128


def of_number(number_type: type) -> dtype:
    """Return the element type of a tensor made from a Python number of this type."""
    if number_type is float:
        return _default
    if number_type is complex:
        return default_complex()
    return int64 if number_type is int else bool


def result_type_of(dimensioned: list[dtype], zero_dim: list[dtype], numbers: list[type]) -> dtype:
    """Return PyTorch's result type of operands sorted by priority.

    A lower-priority operand (a 0-dim tensor, then a Python number) only matters where its
    category is higher than that of all operands above it.
    """
    result = _fold(dimensioned)
    for group in (zero_dim, [of_number(n) for n in numbers]):
        candidate = _fold(group)
        if candidate is None:
            continue
        if result is None:
            result = candidate
        elif candidate.category > result.category:
            keeps_precision = candidate.is_complex and result.is_floating_point
            result = result.to_complex() if keeps_precision else candidate
    assert result is not None, "an operation needs at least one operand"
    return result


def _fold(types: list[dtype]) -> dtype | None:
    result = None
    for t in types:
        result = t if result is None else promote_types(result, t)
    return result
