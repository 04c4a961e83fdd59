"""Limits and ranges of random draws; test_mt19937 compares them with PyTorch's over all types."""

import ml_dtypes
import numpy as np
import pytest
import torch

from taowa.core.draw_types import INT64_MIN, cast, check_uniform, default_count, integer_range

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


@pytest.mark.parametrize(
    ("dtype", "low", "high", "expected"),
    [
        ("uint8", 3, 9, (3, 6)),
        ("int8", -128, None, (-128, 256)),
        ("bool", 0, 2, (0, 2)),
        ("int64", INT64_MIN + 1, None, (INT64_MIN + 1, 2**64 - 1)),
        ("float32", 0, None, (0, 2**24 + 1)),
    ],
)
def test_integer_range(dtype, low, high, expected):
    assert integer_range(np.dtype(dtype), low, high) == expected


@pytest.mark.filterwarnings("ignore:.*is out of bounds.*:UserWarning")
@pytest.mark.parametrize("high", [65504, 4097, 2051, 2049, 30001])
def test_bounds_that_would_round_out_move_inwards(high):
    low, count = integer_range(np.dtype("float16"), 0, high)
    assert low == 0
    assert float(np.float16(count - 1)) < high
    assert float(torch.empty(20000, dtype=torch.float16).random_(0, high).max()) < high


@pytest.mark.parametrize(
    ("dtype", "low", "high", "message"),
    [
        ("int8", 0, 129, "to - 1 is out of bounds for int8, got 128"),
        ("uint8", -1, 5, "from is out of bounds for uint8, got -1"),
        ("int64", 5, 5, "got from=5 >= to=5"),
        ("uint64", 0, None, "to - 1 is out of bounds|>= to"),
    ],
)
def test_ranges_outside_the_type_are_refused(dtype, low, high, message):
    with pytest.raises(RuntimeError, match=message):
        integer_range(np.dtype(dtype), low, high)


def test_check_uniform_knows_the_limit_of_bfloat16():
    largest = float(torch.finfo(torch.bfloat16).max)
    check_uniform(BFLOAT16, 0.0, largest)
    with pytest.raises(RuntimeError, match="to is out of bounds for bfloat16"):
        check_uniform(BFLOAT16, 0.0, largest * 1.001)


def test_default_count_covers_what_random_draws():
    assert default_count(BFLOAT16) == 257
    assert default_count(np.dtype("bool")) == 2


def test_cast_of_sixteen_bit_floats_goes_through_float32():
    value = 1 + 2**-11 + 2**-40  # above the midpoint, but not in float32
    expected = torch.tensor(value, dtype=torch.float64).to(torch.float16)
    assert float(cast(np.array(value), np.dtype("float16"))) == float(expected)


def test_cast_overflows_silently():
    assert np.isinf(cast(np.array(1e6), np.dtype("float16")))
