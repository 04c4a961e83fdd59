"""In-place forms, `out=`, second gradients, names and errors of every operation."""

import pytest
import torch

import taowa
from taowa.core.api import INPLACE, METHODS, NAMES
from tests.ops.trials import (
    assert_only_known,
    error_difference,
    outcome,
    problems,
    read_all,
    start,
)
from tests.samples.convert import TAOWA, TORCH, describe
from tests.samples.opinfo import errors
from tests.samples.ops import cases, has_values, infos, paths, target, writing_a_copy

PATHS = paths()
IN_PLACE = sorted(name for name in INPLACE if name in METHODS and hasattr(torch.Tensor, name))
DTYPES = {torch.float32: 2, torch.int64: 1, torch.bool: 1}


def samples(path, dtypes):
    """Samples of these types: (type's name, sample)."""
    return [
        (f"{str(dtype).removeprefix('torch.')} ", case)
        for dtype, count in dtypes.items()
        for case, _ in cases(path, dtype, count)
    ]


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place(name):
    base = name.removesuffix("_")
    ours, theirs = (writing_a_copy(getattr(lib.Tensor, name)) for lib in (taowa, torch))
    trials = [start(ours, theirs, case, text) for text, case in samples(base, DTYPES)]
    assert_only_known(base, "in place", [p for t in trials for p in problems(t)])


def with_out(function, module):
    """The function writing into `out=` tensors of the wrong size and the right type."""

    def run(*args, **kwargs):
        with module.no_grad():
            result = function(*args, **kwargs)
            outs = [module.empty(0, dtype=t.dtype) for t in as_list(result)]
            out = outs[0] if hasattr(result, "dtype") else tuple(outs)
            returned = function(*args, **kwargs, out=out)
        return [a is b for a, b in zip(as_list(returned), outs, strict=True)], outs

    return run


def as_list(result):
    return [result] if hasattr(result, "dtype") else list(result)


@pytest.mark.parametrize("path", [p for p in PATHS if p in NAMES])
def test_out(path):
    if not infos(path) or not all(info.supports_out for info in infos(path)):
        pytest.skip("PyTorch has no out= here")
    op = target(path)
    ours, theirs = with_out(op.ours, taowa), with_out(op.theirs, torch)
    trials = [start(ours, theirs, c, text) for text, c in samples(path, {torch.float32: 1})]
    found = [p for t in trials if not t.theirs.error for p in problems(t, values=has_values(path))]
    assert_only_known(path, "out", found)


@pytest.mark.parametrize("path", PATHS)
def test_second_gradients(path):
    if not has_values(path) or not all(info.supports_gradgrad for info in infos(path)):
        pytest.skip("not differentiable twice, or random")
    op = target(path)
    trials = [
        start(op.ours, op.theirs, case, text, order=2)
        for text, case in samples(path, {torch.float64: 2})
        if any(getattr(t, "requires_grad", False) for t in (*case.args, *case.kwargs.values()))
    ]
    assert_only_known(path, "second gradients", [p for t in trials for p in problems(t)])


@pytest.mark.parametrize("path", [p for p in PATHS if "__" not in p])
def test_errors(path):
    """What PyTorch says must raise does raise the same type, at the latest when it is read."""
    op, found = target(path), []
    for case, expected in (pair for info in infos(path) for pair in errors(info)):
        theirs = outcome(TORCH, op.theirs, case)
        if theirs.error is None or not isinstance(theirs.error, expected):
            continue
        ours = outcome(TAOWA, lambda *args, **kwargs: checked(op.ours, args, kwargs), case)
        text = error_difference(ours.error, theirs.error)
        found += [f"{describe(case)}: {text}"] if text else []
    assert_only_known(path, "errors", found)


def checked(function, args, kwargs):
    """The function's result after its value checks have run."""
    result = function(*args, **kwargs)
    read_all(result)
    return result
