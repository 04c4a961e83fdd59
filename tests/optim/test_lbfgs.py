"""LBFGS follows PyTorch's parameters, and exchanges state with it."""

import copy

import numpy as np
import pytest
import torch

import taowa
from taowa.optim.line_search import Point, interpolate, strong_wolfe
from tests.samples.convert import mapped

OPTIONS = [
    {"lr": 0.3, "history_size": 7},
    {"lr": 0.1, "history_size": 3, "max_iter": 4},
    {"line_search_fn": "strong_wolfe"},
    {"line_search_fn": "strong_wolfe", "lr": 10.0, "max_eval": 7, "history_size": 2},
    {"line_search_fn": "strong_wolfe", "tolerance_grad": 0.5, "tolerance_change": 1e-3},
]


def make(library, options, dtype="float64", values=((-1.2, 1.0), (0.5,))):
    params = [library.tensor(np.array(v, dtype), requires_grad=True) for v in values]
    return params, library.optim.LBFGS(params, **options)


def run(params, optimizer, steps):
    losses = []

    def closure():
        optimizer.zero_grad()
        (x, y), z = params[0], params[1]
        loss = (1 - x) ** 2 + 20 * (y - x * x) ** 2 + ((z - x * y) ** 2).sum()
        loss.backward()
        return loss

    for _ in range(steps):
        losses.append(optimizer.step(closure).item())
    return [*losses, *(p.detach().numpy() for p in params)]


def assert_close(ours, theirs, rtol):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("options", OPTIONS)
def test_steps_follow_pytorch(options):
    # Of up to 20 iterations each; rounding grows tenfold with every 20 on this function.
    steps = 10 if "max_iter" in options else 2
    ours = run(*make(taowa, options), steps)
    theirs = run(*make(torch, options), steps)
    assert_close(ours, theirs, 1e-10)


def test_steps_follow_pytorch_in_float32():
    options = {"line_search_fn": "strong_wolfe"}
    ours, theirs = (run(*make(library, options, "float32"), 1) for library in (taowa, torch))
    assert_close(ours, theirs, 1e-3)  # rounding decides where a search of 20 steps ends


@pytest.mark.parametrize("options", OPTIONS[:4])
def test_state_goes_on_in_the_other_library(options):
    options = {"max_iter": 5} | options
    for source, target in ((taowa, torch), (torch, taowa)):
        params, optimizer = make(source, options)
        run(params, optimizer, 2)
        state = mapped(optimizer.state_dict(), lambda v: v.numpy() if hasattr(v, "numpy") else v)
        results = []
        for library in (source, target):
            values = [p.detach().numpy() for p in params]
            fresh, other = make(library, options, values=values)
            other.load_state_dict(mapped(
                copy.deepcopy(state),
                lambda v, library=library: library.tensor(v) if isinstance(v, np.ndarray) else v,
            ))  # fmt: skip
            results.append(run(fresh, other, 3))
        assert_close(*results, 1e-8)


def test_complex_parameters_and_missing_gradients():
    results = []
    for library in (taowa, torch):
        z = library.tensor([1 + 2j, 3 - 1j], dtype=library.complex128, requires_grad=True)
        unused = library.ones(2, dtype=library.float64, requires_grad=True)
        optimizer = library.optim.LBFGS([z, unused], lr=0.4, max_iter=3)

        def closure(z=z, optimizer=optimizer):
            optimizer.zero_grad()
            loss = ((z - 1j).abs() ** 4).sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        results.append([z.detach().numpy(), unused.detach().numpy()])
    assert_close(*results, 1e-10)


@pytest.mark.parametrize("library", [taowa, torch])
def test_errors(library):
    w = library.ones(1, requires_grad=True)
    with pytest.raises(ValueError, match="parameter groups"):
        library.optim.LBFGS([{"params": [w]}, {"params": [library.ones(1, requires_grad=True)]}])
    with pytest.raises(ValueError, match="learning rate"):
        library.optim.LBFGS([w], lr=-1)
    optimizer = library.optim.LBFGS([w], line_search_fn="other")
    with pytest.raises(RuntimeError, match="strong_wolfe"):
        optimizer.step(lambda: (optimizer.zero_grad(), (loss := w.sum()).backward(), loss)[2])


def test_few_programs_whatever_the_length_of_the_past():
    params, optimizer = make(taowa, {"lr": 0.05, "max_iter": 12})
    run(params, optimizer, 1)
    before = taowa.explain()
    run(params, optimizer, 1)  # the past grows from 11 steps to 23
    counted = taowa.explain() - before
    assert counted.compilations + counted.disk_hits <= 4


def test_line_search_returns_a_point_that_meets_the_conditions():
    def evaluate(distance):
        return Point(distance, (distance - 3) ** 4, 4 * (distance - 3) ** 3, None)

    point, count = strong_wolfe(evaluate, evaluate(0.0), 100.0, 1.0, 25)
    assert point.loss < 81 - 1e-4 * point.distance * 108
    assert abs(point.slope) <= 0.9 * 108
    assert 2 <= count <= 26
    assert interpolate(evaluate(1.0), evaluate(5.0)) == 3.0
