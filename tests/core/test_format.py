"""Printed tensors against PyTorch's, character for character."""

import math

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from taowa import dtypes
from taowa.core.format import (
    OPTIONS,
    format_parameter,
    format_tensor,
    get_printoptions,
    printoptions,
    set_printoptions,
)

FLOATS = ["float16", "bfloat16", "float32", "float64"]
INTEGERS = ["uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64"]
COMPLEX = ["complex64", "complex128"]
INF, NAN = math.inf, math.nan


@pytest.fixture(autouse=True)
def default_options():
    """Both libraries begin and end with their defaults."""
    yield
    for module in (torch, dtypes):
        module.set_default_dtype(module.float32)
    for setter in (torch.set_printoptions, set_printoptions):
        setter(profile="default")


def tensor_of(array):
    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(array.view(np.int16).copy()).view(torch.bfloat16)
    return torch.from_numpy(array.copy())


def assert_same_text(values, name="float32", **options):
    dtype = ml_dtypes.bfloat16 if name == "bfloat16" else name
    array = np.asarray(values).astype(dtype)
    with printoptions(**options), torch._tensor_str.printoptions(**options):
        assert format_tensor(array, dtype_name=name) == repr(tensor_of(array))


# Kinds of numbers, each from (random state, count).
KINDS = {
    "unit": lambda rs, n: rs.rand(n),
    "normal": lambda rs, n: rs.randn(n) * 10.0 ** rs.randint(-3, 4),
    "whole": lambda rs, n: rs.randint(-50, 5000, n).astype(float),
    "halves": lambda rs, n: rs.randint(-9, 9, n) / 2,
    "small": lambda rs, n: rs.randn(n) * 1e-5,
    "large": lambda rs, n: rs.randn(n) * 1e9,
    "mixed": lambda rs, n: rs.randn(n) * 10.0 ** rs.randint(-8, 8, n),
    "wide": lambda rs, n: rs.randn(n) * 1e12 + 0.5,
    "constant": lambda rs, n: np.full(n, rs.choice([0, 0.5, 1e-4, 9.9999e-5, 1e8, 1.0001e8, -3])),
}
SPECIAL = [NAN, INF, -INF, -0.0, 0.0]


def random_array(rs, kind, shape, name, specials):
    """Numbers of one kind, a third of them replaced by each of the special values."""
    count = math.prod(shape)
    with np.errstate(all="ignore"):
        numbers = KINDS[kind](rs, count)
        for special in specials:
            numbers[rs.rand(count) < 0.3] = special
        if name in COMPLEX:
            numbers = numbers + 1j * rs.permutation(numbers)
        if name in INTEGERS:
            limits = np.iinfo(name)
            numbers = np.nan_to_num(numbers).clip(limits.min / 2, limits.max / 2)
        return numbers.reshape(shape).astype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


SHAPES = st.one_of(
    st.just(()),
    st.tuples(st.sampled_from([0, 1, 2, 5, 20, 999, 1000, 1001, 3000])),
    st.lists(st.sampled_from([0, 1, 2, 3, 5, 7, 8, 40]), min_size=2, max_size=3).map(tuple),
    st.sampled_from([(2, 3, 1, 4), (7, 8, 9, 10), (1001, 1), (1, 1001), (3, 0, 2), (0, 0)]),
)
OPTION_VALUES = {
    "precision": [0, 1, 2, 6, 10],
    "threshold": [0, 5, 100, INF],
    "edgeitems": [0, 1, 2, 5],
    "linewidth": [10, 40, 120, 200],
    "profile": ["default", "short", "full"],
    "sci_mode": [True, False, None],
}
OPTION_SETS = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(values) for name, values in OPTION_VALUES.items()}
)


@settings(deadline=None, max_examples=400)
@given(
    shape=SHAPES,
    name=st.sampled_from([*FLOATS, *INTEGERS, *COMPLEX, "bool"]),
    kind=st.sampled_from(list(KINDS)),
    specials=st.lists(st.sampled_from(SPECIAL), max_size=2),
    options=OPTION_SETS,
    seed=st.integers(0, 2**32 - 1),
)
def test_random_tensors(shape, name, kind, specials, options, seed):
    array = random_array(np.random.RandomState(seed), kind, shape, name, specials)
    with printoptions(**options), torch._tensor_str.printoptions(**options):
        assert format_tensor(array, dtype_name=name) == repr(tensor_of(array))


@pytest.mark.parametrize("name", [*FLOATS, *INTEGERS, *COMPLEX, "bool"])
@pytest.mark.parametrize(
    "values", [1, [], [[]], np.zeros((0, 3)), np.zeros((2, 0, 4)), [0], [1, 0], [[1, 0], [1, 1]]]
)
def test_plain_and_empty(values, name):
    assert_same_text(values, name)


@pytest.mark.parametrize(
    "values",
    [
        [NAN], [INF, -INF], [NAN, 1.0], [NAN, 1.5], [INF, 1e-9], [-0.0], [0.0, 1e-45],
        [1e38, 1e-38], [1000.0, 1.0], [1001.0, 1.0], [1001.0, 1.5], [1e8], [1.00000001e8],
        [1e-4], [9.999e-5], [99999.5, 1.0], [16777216.0], [0.1, 0.25, 100.125], [-1.0, 2.0, -300.0],
        3.14159, -2.0, NAN,
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["float32", "float64", "complex64"])
def test_notation(values, name):
    assert_same_text(values, name)


def test_extreme_range_does_not_overflow():
    assert_same_text([1.7e308, 5e-324], "float64")


@pytest.mark.parametrize(
    "values", [1 + 2j, [1.5 - 2j, 1e9j], [complex(NAN, -INF), 0j], [[-0.0 - 0j, 1j]], [1e-7 + 100j]]
)
def test_complex(values):
    assert_same_text(values, "complex64")
    assert_same_text(values, "complex128")


@pytest.mark.parametrize("shape", [(1001,), (7, 150), (8, 8, 16), (3, 4, 5, 30), (1, 1, 1001)])
@pytest.mark.parametrize("edgeitems", [0, 1, 3, 200])
def test_summaries(shape, edgeitems):
    numbers = np.arange(math.prod(shape)).reshape(shape)
    assert_same_text(numbers, "int64", edgeitems=edgeitems)
    assert_same_text(numbers / 7, "float32", edgeitems=edgeitems)


def test_summary_ignores_what_it_does_not_show():
    numbers = np.ones(2000)
    numbers[1000] = 1e9
    assert_same_text(numbers)


@pytest.mark.parametrize("linewidth", [1, 10, 30, 79, 80, 81])
def test_lines_break_where_pytorch_breaks_them(linewidth):
    assert_same_text(np.arange(40), "int64", linewidth=linewidth)
    assert_same_text(np.arange(40).reshape(2, 20) / 3, "float16", linewidth=linewidth)


@pytest.mark.parametrize("default", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", [*FLOATS, *COMPLEX, "int64", "int32", "bool"])
def test_type_is_shown_unless_it_is_the_default(name, default):
    torch.set_default_dtype(getattr(torch, default))
    dtypes.set_default_dtype(getattr(dtypes, default))
    assert_same_text([1, 0], name)
    assert_same_text([], name)


@pytest.mark.parametrize("n", range(5, 16))
def test_suffixes_wrap(n):
    leaf = torch.arange(n, dtype=torch.float64).requires_grad_()
    array = leaf.detach().numpy()
    assert format_tensor(array, dtype_name="float64", requires_grad=True) == repr(leaf)
    made = format_tensor(
        array + 0, dtype_name="float64", requires_grad=True, grad_fn_name="AddBackward0"
    )
    assert made == repr(leaf + 0)


def test_device_comes_first():
    array = np.array([1, 2], np.int32)
    assert format_tensor(array, dtype_name="int32", device="cuda:0", requires_grad=True) == (
        "tensor([1, 2], device='cuda:0', dtype=torch.int32, requires_grad=True)"
    )
    assert format_tensor(array, dtype_name="int64", device="cpu") == "tensor([1, 2])"
    assert format_tensor(array, dtype_name="int64", device="tpu:3").endswith("device='tpu:3')")


def test_parameter():
    parameter = torch.nn.Parameter(torch.rand(30, 3))
    text = format_parameter(parameter.detach().numpy(), dtype_name="float32", requires_grad=True)
    assert text == repr(parameter)


def test_subclass_prints_its_name():
    class Image(torch.Tensor):
        pass

    reference = torch.arange(100.0).reshape(2, 50).as_subclass(Image)
    array = np.arange(100, dtype=np.float32).reshape(2, 50)
    assert format_tensor(array, dtype_name="float32", prefix="Image(") == repr(reference)


def test_read_only_and_strided_arrays():
    array = np.arange(24, dtype=np.float32).reshape(4, 6)[::2, ::-1]
    array.flags.writeable = False
    assert format_tensor(array, dtype_name="float32") == repr(torch.from_numpy(array.copy()))


@pytest.mark.parametrize(
    "steps",
    [
        [{"precision": 2}],
        [{"profile": "short"}, {"linewidth": 100}],
        [{"profile": "full", "threshold": 7}],
        [{"sci_mode": True}, {"precision": 3}],
        [{"profile": "no such profile"}],
        [{"edgeitems": 0, "threshold": 0}],
    ],
)
def test_options_accumulate_as_in_pytorch(steps):
    for step in steps:
        torch.set_printoptions(**step)
        set_printoptions(**step)
        assert get_printoptions() == torch._tensor_str.get_printoptions()


def test_options_return_after_an_error():
    with pytest.raises(KeyError), printoptions(precision=9, sci_mode=True):
        raise KeyError
    assert (OPTIONS.precision, OPTIONS.sci_mode) == (4, None)
