"""What the element types mean to random draws: limits, conversions, ranges of integers."""

from __future__ import annotations

import warnings

import numpy as np

FLOATS = ("float16", "bfloat16", "float32", "float64")
INTEGERS = ("uint8", "int8", "int16", "int32", "int64")
LARGE_INTEGERS = ("uint16", "uint32", "uint64")  # PyTorch draws these only from a given range
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

_DIGITS = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}
_BFLOAT16_MAX = 3.3895313892515355e38  # np.finfo does not know the type
_PYTORCH_NAMES = {
    "float16": "Half", "bfloat16": "BFloat16", "float32": "Float", "float64": "Double",
    "int8": "Char", "uint8": "Byte", "int16": "Short", "uint16": "UInt16", "int32": "Int",
    "uint32": "UInt32", "int64": "Long", "uint64": "UInt64", "bool": "Bool",
    "complex64": "ComplexFloat", "complex128": "ComplexDouble",
}  # fmt: skip


def pytorch_name(dtype: np.dtype) -> str:
    """Return the name PyTorch's error messages use.

    Example:
        >>> pytorch_name(np.dtype("int64"))
        'Long'
    """
    return _PYTORCH_NAMES.get(dtype.name, dtype.name)


def cast(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Convert as C++ does, where 16-bit floats are made from float32 only.

    Example:
        >>> cast(np.float64(1 + 2**-11 + 2**-40), np.dtype("float16"))
        np.float16(1.0)
    """
    with np.errstate(over="ignore"):
        if dtype.name in ("float16", "bfloat16"):
            x = x.astype(np.float32, copy=False)
        return x.astype(dtype, copy=False)


def require(dtype: np.dtype, allowed: tuple[str, ...], kernel: str) -> None:
    """Raise PyTorch's error unless the type is among those its kernel takes.

    Example:
        >>> require(np.dtype("int64"), FLOATS, "normal_kernel_cpu")
        Traceback (most recent call last):
        NotImplementedError: "normal_kernel_cpu" not implemented for 'Long'
    """
    if dtype.name not in allowed:
        raise NotImplementedError(f'"{kernel}" not implemented for {pytorch_name(dtype)!r}')


def require_continuous(dtype: np.dtype, distribution: str) -> None:
    """Raise PyTorch's error unless the type is a floating one.

    Example:
        >>> require_continuous(np.dtype("float32"), "Cauchy")
    """
    if dtype.name not in FLOATS:
        raise RuntimeError(
            f"{distribution} distribution is a continuous probability distribution. "
            f"dtype must be a floating point but you specified {pytorch_name(dtype)}"
        )


def require_full_range(dtype: np.dtype) -> None:
    """Raise PyTorch's error unless the type may be drawn from all 64-bit integers.

    Example:
        >>> require_full_range(np.dtype("int64"))
    """
    kernel = "random_full_64_bits_range_kernel_cpu"
    require(dtype, ("bfloat16", "float32", "float64", *INTEGERS), kernel)
    if dtype.name in INTEGERS and dtype != np.int64:
        raise RuntimeError(
            f"{kernel} handles only int64, double, float and bfloat16, got {pytorch_name(dtype)}"
        )


def _largest_float(dtype: np.dtype) -> float:
    return _BFLOAT16_MAX if dtype.name == "bfloat16" else float(np.finfo(dtype).max)


def check_uniform(dtype: np.dtype, low: float, high: float) -> None:
    """Raise unless [low, high) and its length are representable.

    Example:
        >>> check_uniform(np.dtype("float32"), 1, 0)
        Traceback (most recent call last):
        RuntimeError: uniform_ expects to return a [from, to) range, but found from=1 > to=0
    """
    largest = _largest_float(dtype)
    for name, bound in (("from", low), ("to", high)):
        if not -largest <= bound <= largest:
            raise RuntimeError(f"{name} is out of bounds for {dtype.name}, got {bound:g}")
    if low > high:
        raise RuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}"
        )
    if high - low > largest:
        raise RuntimeError(
            f"uniform_ expects to-from <= {largest:g}, the largest {dtype.name}, but found "
            f"to={high:g} and from={low:g} which result in to-from to exceed the limit"
        )


def default_count(dtype: np.dtype) -> int:
    """Return how many integers, from 0 on, a draw without a range chooses from.

    Raises:
        NotImplementedError: for the types that need a range.
    Example:
        >>> default_count(np.dtype("int8")), default_count(np.dtype("float16"))
        (128, 2049)
    """
    require(dtype, (*INTEGERS, *FLOATS, "bool"), "random_kernel_cpu")
    if dtype.name in FLOATS:
        return 2 ** _DIGITS[dtype.name] + 1
    return 2 if dtype == np.bool_ else int(np.iinfo(dtype).max) + 1


def integer_range(dtype: np.dtype, low: int, high: int | None) -> tuple[int, int]:
    """Return the least integer that a draw from [low, high) may give and the count of integers.

    A floating type cannot hold every integer: a bound that would round out of the range moves
    inwards to the next number that the type holds.

    Args:
        high: `None` = through the largest value (floating: 2**digits).
    Raises:
        RuntimeError: if the range is empty or exceeds the type.
        ValueError: if a bound exceeds 64 bits.
    Example:
        >>> integer_range(np.dtype("int64"), -2, 5)
        (-2, 7)
        >>> integer_range(np.dtype("int8"), 100, None)
        (100, 28)
    """
    if not (INT64_MIN <= low <= INT64_MAX and (high is None or INT64_MIN <= high <= INT64_MAX)):
        raise ValueError(f"Overflow when unpacking long long: from={low}, to={high}")
    if dtype.name not in (*FLOATS, *INTEGERS, *LARGE_INTEGERS, "bool"):
        raise RuntimeError(
            "random_ handles only integral, floating-point and boolean types, "
            f"got {pytorch_name(dtype)}"
        )
    low, last = _moved_bounds(dtype, low, high)
    for name, bound in (("from", low), ("to - 1", last)):
        _check_integer(dtype, name, bound)
    return low, last - low + 1


def _moved_bounds(dtype: np.dtype, low: int, high: int | None) -> tuple[int, int]:
    """Return the first and last integer, both within what the type represents."""
    if high is not None and low >= high:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        )
    if dtype.name not in FLOATS:
        return low, _largest_integer(dtype) if high is None else high - 1
    first = _move_up(dtype, low)
    last = 2 ** _DIGITS[dtype.name] if high is None else _move_down(dtype, high) - 1
    if first > last or (high is None and first == last):
        raise RuntimeError(
            "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, "
            f"but got from={first} >= to={last + 1}"
        )
    return first, last


def _largest_integer(dtype: np.dtype) -> int:
    if dtype == np.uint64:
        return -1  # the largest uint64 read as int64, which PyTorch then refuses
    return 1 if dtype == np.bool_ else int(np.iinfo(dtype).max)


def _rounded(dtype: np.dtype, value: int) -> int:
    """Return the integer that `value` becomes in the type, or the least one if it overflows."""
    rounded = float(cast(np.asarray(value, np.int64), dtype))
    return int(rounded) if INT64_MIN <= rounded < 2**63 else INT64_MIN


def _spacing(dtype: np.dtype, value: int) -> int:
    return 1 << (abs(value).bit_length() - _DIGITS[dtype.name])


def _move_up(dtype: np.dtype, low: int) -> int:
    rounded = _rounded(dtype, low + 1)
    return rounded + _spacing(dtype, low + 1) if rounded < low else low


def _move_down(dtype: np.dtype, high: int) -> int:
    rounded = _rounded(dtype, high - 1)
    return rounded - _spacing(dtype, high - 1) if rounded >= high else high


def _check_integer(dtype: np.dtype, name: str, bound: int) -> None:
    """Raise if the type cannot reach the bound, warn if it holds not all integers up to it."""
    if dtype.name in FLOATS:
        least, most = -_largest_float(dtype), _largest_float(dtype)
    elif dtype == np.bool_:
        least, most = 0, 1
    else:
        least, most = np.iinfo(dtype).min, min(np.iinfo(dtype).max, INT64_MAX)
    if not least <= bound <= most:
        raise RuntimeError(f"{name} is out of bounds for {dtype.name}, got {bound}")
    digits = _DIGITS.get(dtype.name, 64)
    if abs(bound) > 2**digits:
        warnings.warn(
            f"{name} is out of bounds [-(2^{digits}), 2^{digits}]: beyond them {dtype.name} "
            "does not hold every integer",
            stacklevel=2,
        )
