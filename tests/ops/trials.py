"""One call on both libraries: result, gradients, errors, and how they differ."""

import functools
import re
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

import taowa
from tests.samples.convert import (
    TAOWA,
    TORCH,
    Case,
    Library,
    describe,
    difference,
    leaves,
    mapped,
    random_like,
)
from tests.samples.known import EVERYWHERE, KNOWN


class Outcome(NamedTuple):
    """What a call gave.

    Attributes:
        grads: By order of differentiation, the gradients of the inputs that require grad.
        flags: What can be seen besides values: whether results require grad, whose memory they use.
    """

    value: Any = None
    grads: tuple[list, ...] = ()
    flags: Any = None
    error: Exception | None = None


class Trial(NamedTuple):
    """A call made on both libraries, whose results nobody has read yet.

    Attributes:
        again: Makes PyTorch's call with another case in the place of this one.
    """

    text: str
    case: Case
    ours: Outcome
    theirs: Outcome
    again: Callable[[Case], Outcome]


def outcome(library: Library, function: Callable, case: Case, *, order: int = 1) -> Outcome:
    """Call a function and differentiate it `order` times with random cotangents."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            library.module.manual_seed(3)
            return _outcome(library, function, case, order)
        except Exception as error:
            return Outcome(error=error)


def _outcome(library: Library, function: Callable, case: Case, order: int) -> Outcome:
    args, kwargs, inputs = library.arguments(case)
    value = function(*args, **kwargs)
    outputs = [t for t in leaves(value) if isinstance(t, library.Tensor)]
    given = [t for t in leaves((args, kwargs)) if isinstance(t, library.Tensor)]
    memories = [library.memory(t) for t in given]
    flags = [
        (t.requires_grad, memories.index(m) if (m := library.memory(t)) in memories else None)
        for t in outputs
        if t.numel()
    ]
    grads = _gradients(library, outputs, inputs, order)
    return Outcome(value, grads, flags)


def _gradients(library: Library, outputs: list, inputs: list, order: int) -> tuple[list, ...]:
    """Differentiate again and again, with other random cotangents each time."""
    rng = np.random.default_rng(7)
    found: list[list] = []
    inputs = list(inputs)
    for depth in range(order):
        roots = [t for t in outputs if t is not None and t.requires_grad]
        if not roots or not inputs:
            break
        is_last = depth == order - 1
        cotangents = [random_like(library, t, rng) for t in roots]
        if not is_last:
            cotangents = [t.requires_grad_() for t in cotangents]
        outputs = library.module.autograd.grad(
            roots, inputs, cotangents, allow_unused=True, create_graph=not is_last
        )
        found.append(list(outputs))
        inputs += [] if is_last else cotangents
    return tuple(found)


def start(ours: Callable, theirs: Callable, case: Case, text: str = "", **options: Any) -> Trial:
    """Make the call on both libraries without reading results."""
    again = functools.partial(outcome, TORCH, theirs, **options)
    mine = outcome(TAOWA, ours, case, **options)
    return Trial(f"{text}{describe(case)}", case, mine, again(case), again)


def problems(trial: Trial, *, values: bool = True) -> list[str]:
    """Return how taowa's outcome differs from PyTorch's."""
    ours, theirs = trial.ours, trial.theirs
    if ours.error or theirs.error:
        text = error_difference(ours.error, theirs.error)
        return [f"{trial.text}: {text}"] if text else []
    found = _differences(trial, values)
    if found and is_rounding(trial):
        found = _differences(trial, False)
    return [f"{trial.text}: {text}" for text in found]


def _differences(trial: Trial, values: bool) -> list[str]:
    ours, theirs = trial.ours, trial.theirs
    found = [difference(ours.value, theirs.value, values=values)]
    if not found[0] and ours.flags != theirs.flags:
        found.append(f"(requires_grad, memory of argument) {ours.flags}, not {theirs.flags}")
    for depth, (mine, other) in enumerate(zip(ours.grads, theirs.grads, strict=False), 1):
        for i, (a, b) in enumerate(zip(mine, other, strict=True)):
            text = _gradient_difference(a, b, values)
            found.append(text and f"gradient {depth} of input {i}: {text}")
    return [text for text in found if text]


def _gradient_difference(ours: Any, theirs: Any, values: bool) -> str | None:
    """Compare gradients; none at all is as good as zeros."""
    if ours is None and theirs is None:
        return None
    if ours is None:
        return None if not theirs.any() else "none"
    if theirs is None:
        theirs = torch.zeros_like(TORCH.tensor(ours.host()))
    return difference(ours, theirs, values=values)


def is_rounding(trial: Trial) -> bool:
    """Return whether the values differ no more than rounding the inputs makes them differ.

    PyTorch computes the case again in double precision, with the inputs as they are and moved by
    relative rounding errors of their type: results that are ill-conditioned move as much.
    """
    inexact = [t for t in leaves(trial.case) if is_inexact(t)]
    if not inexact:
        return False
    epsilon = max(torch.finfo(t.dtype).eps for t in inexact)
    truth = _doubles(trial.again(_in_double(trial.case, 0.0)))
    moved = [_doubles(trial.again(_in_double(trial.case, epsilon))) for _ in range(4)]
    ours = _doubles(trial.ours)
    if not len(ours) == len(truth) == len(moved[0]):
        return False
    return all(_is_near(*one, epsilon) for one in zip(ours, truth, *moved, strict=True))


def _is_near(ours: torch.Tensor, truth: torch.Tensor, *others: Any) -> bool:
    *moved, epsilon = others
    if ours.shape != truth.shape:
        return not (ours.any() or truth.any())  # no gradient at all is as good as zeros
    spread = max([float((m - truth).abs().nan_to_num().max()) for m in moved if m.numel()] or [0])
    size = float(truth.abs().nan_to_num(posinf=0).max()) if truth.numel() else 0.0
    allowed = max(4 * spread + 4 * epsilon * size, 8 * epsilon)
    return torch.allclose(ours, truth, rtol=8 * epsilon, atol=allowed, equal_nan=True)


def is_inexact(value: Any) -> bool:
    """Return whether this is a tensor whose values are rounded."""
    is_tensor = isinstance(value, torch.Tensor)
    return is_tensor and (value.dtype.is_floating_point or value.dtype.is_complex)


def _in_double(case: Case, epsilon: float) -> Case:
    """Return the case in double precision, moved by relative errors of this size."""

    def leaf(value: Any) -> Any:
        if not is_inexact(value):
            return value
        wide = value.detach().to(torch.complex128 if value.is_complex() else torch.float64)
        return (wide * (1 + epsilon * torch.randn(wide.shape))).requires_grad_(value.requires_grad)

    return Case(*mapped(case, leaf))


def _doubles(result: Outcome) -> list[torch.Tensor]:
    """Return all values and gradients in double precision, absent ones as a single zero."""
    made = []
    for value in leaves((result.value, result.grads)):
        tensor = TORCH.tensor(value.host()) if isinstance(value, taowa.Tensor) else value
        made.append(torch.as_tensor(0 if tensor is None else tensor).detach())
    return [t.to(torch.complex128) for t in made]


def error_difference(ours: Exception | None, theirs: Exception | None) -> str | None:
    """Return how two exceptions differ in type, `None` if they do not."""
    if ours is None or theirs is None:
        return f"{_named(ours)}, not {_named(theirs)}"
    return None if isinstance(ours, type(theirs)) else f"{_named(ours)}, not {_named(theirs)}"


def _named(error: Exception | None) -> str:
    if error is None:
        return "no error"
    lines = str(error).strip().split("\n")
    return f"{type(error).__name__}({lines[0][:160]})"


def read_all(tree: Any) -> None:
    """Wait for the values of all tensors."""
    for value in leaves(tree):
        if isinstance(value, taowa.Tensor):
            value.host()


def assert_only_known(path: str, check: str, found: list[str]) -> None:
    """Fail on differences that are not in the table, and on entries that are no longer true."""
    known = KNOWN.get(path, {})
    texts = [f"{check}: {text}" for text in dict.fromkeys(found)]
    allowed = (*known, *EVERYWHERE)
    fresh = [t for t in texts if not any(re.search(pattern, t) for pattern in allowed)]
    assert not fresh, f"{path}, {len(fresh)} differences:\n" + "\n".join(fresh[:20])
    stale = [p for p in known if _is_about(p, check) and not any(re.search(p, t) for t in texts)]
    assert not stale, f"{path}: no longer different, delete from tests/samples/known.py: {stale}"


def _is_about(pattern: str, check: str) -> bool:
    return pattern.split(":")[0] == check
