"""Scenarios run on PyTorch and on taowa from the same seed, and all they return compared."""

import warnings

import torch

import taowa
from taowa.core.tensor import Tensor
from tests.nn.comparison import same

TOLERANCE = (2e-5, 1e-5)


def twice(scenario, *args, tolerance=TOLERANCE):
    """Run `scenario(library, *args)` on both sides; fail unless results and warnings are equal."""
    results = []
    for library in (torch, taowa):
        library.manual_seed(0)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = scenario(library, *args)
        results.append((result, [(w.category, str(w.message)) for w in caught]))
    (theirs, their_warnings), (mine, my_warnings) = results
    assert my_warnings == their_warnings
    assert_same(theirs, mine, "result", tolerance)


def assert_same(theirs, mine, name, tolerance):
    """Fail unless nested values are equal."""
    if isinstance(theirs, torch.Tensor):
        assert isinstance(mine, Tensor), f"{name}: {mine!r}"
        assert mine.requires_grad == theirs.requires_grad, f"{name}: requires_grad"
        assert isinstance(mine, taowa.nn.Parameter) == isinstance(theirs, torch.nn.Parameter), name
        same(theirs, mine, name, tolerance if theirs.is_floating_point() else (0, 0))
    elif isinstance(theirs, torch.nn.Module):
        assert repr(mine) == repr(theirs)
        assert_same(dict(theirs.state_dict()), dict(mine.state_dict()), name, tolerance)
    elif isinstance(theirs, dict):
        assert list(mine) == list(theirs), name
        for key, value in theirs.items():
            assert_same(value, mine[key], f"{name}.{key}", tolerance)
    elif isinstance(theirs, list | tuple):
        assert len(mine) == len(theirs), name
        for i, (a, b) in enumerate(zip(theirs, mine, strict=True)):
            assert_same(a, b, f"{name}[{i}]", tolerance)
    else:
        assert mine == theirs, name


def error_of(action, *args):
    """Return the type and text of the exception, with both libraries' names made equal."""
    try:
        action(*args)
    except Exception as error:
        return type(error).__name__, str(error).split("\n")[0]
    return None


def trained(library, module, x, steps=2):
    """Train a module a little; return outputs, gradients of the first step and the state."""
    optimizer = library.optim.SGD(module.parameters(), lr=0.1)
    outputs, grads = [], []
    for _ in range(steps):
        y = module(x)
        optimizer.zero_grad()
        (y * y).sum().backward()
        grads.append({n: p.grad.clone() for n, p in module.named_parameters()})
        optimizer.step()
        outputs.append(y.detach())
    return [outputs, grads[0], dict(module.state_dict())]
