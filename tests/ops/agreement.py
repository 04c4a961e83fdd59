"""The same lines on both libraries."""

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import torch

import taowa
from tests.samples.convert import difference


def _attempt(function: Callable, library: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return function(library)
        except Exception as error:
            return error


def _difference(ours: Any, theirs: Any) -> str | None:
    if isinstance(ours, Exception) or isinstance(theirs, Exception):
        return None if type(ours) is type(theirs) else f"{ours!r}, not {theirs!r}"
    return difference(ours, theirs)


def agree(*functions: Callable) -> None:
    """Fail unless each `function(library)` gives or raises the same kind of thing on both.

    All of taowa's results are computed by one program, read at the end.
    """
    pairs = [(_attempt(f, taowa), _attempt(f, torch)) for f in functions]
    found = []
    for function, pair in zip(functions, pairs, strict=True):
        if text := _difference(*pair):
            found.append(f"{_source(function)}\n    {text}")
    assert not found, "\n".join(found)


def _source(function: Callable) -> str:
    lines = inspect.getsource(function).strip().splitlines()
    at = function.__code__.co_firstlineno
    return f"line {at}: {lines[0].strip()}"


def gradients(t: Any, function: Callable, *values: Any, seed: int = 3) -> list:
    """Return the gradients of `function` at these values for a random cotangent."""
    inputs = [t.tensor(v, dtype=t.float64, requires_grad=True) for v in values]
    output = function(*inputs)
    t.manual_seed(seed)
    output.backward(t.rand(tuple(output.shape), dtype=t.float64) + 0.5)
    return [t.zeros_like(x) if x.grad is None else x.grad for x in inputs]
