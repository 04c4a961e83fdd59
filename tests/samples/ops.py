"""One record per public operation: where its samples come from and how it is called."""

from __future__ import annotations

import functools
import importlib.util
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

import taowa
from taowa.core.api import INPLACE, METHODS, NAMES
from tests.samples.by_hand import RECORDS, TESTED_ELSEWHERE, WITHOUT_VALUES, Hand
from tests.samples.by_hand_layers import LAYER_RECORDS
from tests.samples.convert import Case
from tests.samples.opinfo import op_infos, pairs

# How many samples of each type; one OpInfo variant among many gets its share.
COUNTS = {
    torch.float32: 6,
    torch.float64: 2,
    torch.bfloat16: 2,
    torch.float16: 1,
    torch.complex64: 1,
    torch.int64: 2,
    torch.uint8: 1,
    torch.bool: 1,
}
OPERATORS = ("__getitem__", "__radd__", "__rand__", "__rdiv__", "__rmatmul__", "__rmod__",
             "__rmul__", "__ror__", "__rpow__", "__rsub__", "__rxor__")  # fmt: skip
NAMESPACES = ("nn.functional", "linalg", "fft", "special")

# How the arguments of PyTorch's samples come in the order of the public function.
REORDERED: dict[str, Callable[[Case], Case]] = {
    "einsum": lambda case: Case((case.args[1], *case.args[0]), case.kwargs),
    "nn.functional.embedding": lambda case: Case((*case.args[1::-1], *case.args[2:]), case.kwargs),
    "nn.functional.embedding_bag": lambda case: Case(
        (*case.args[1::-1], *case.args[2:]), case.kwargs
    ),
    "where": lambda case: Case((*case.args[1::-1], *case.args[2:]), case.kwargs),
}


class Target(NamedTuple):
    """One public name on both sides.

    Attributes:
        path: The name under `torch`: `add`, `Tensor.fill_`, `nn.functional.relu`.
    """

    path: str
    ours: Callable
    theirs: Callable


def attribute(root: Any, path: str) -> Any:
    """Return what a dotted name leads to, `None` if nothing."""
    for name in path.split("."):
        root = getattr(root, name, None)
    return root


def is_present(namespace: str) -> bool:
    """Return whether taowa has this part of PyTorch's."""
    try:
        return importlib.util.find_spec(f"taowa.{namespace}") is not None
    except ModuleNotFoundError:
        return False


def _in_namespace(namespace: str) -> list[str]:
    if not is_present(namespace):
        return []
    module = importlib.import_module(f"taowa.{namespace}")
    names = getattr(module, "__all__", None) or [n for n in vars(module) if n[0] != "_"]
    theirs = attribute(torch, namespace)
    return [f"{namespace}.{n}" for n in names if inspect.isroutine(getattr(theirs, n, None))]


def _functions() -> dict[str, list[str]]:
    """Return the public names of each function, the most general name first."""
    callables = {**METHODS, **NAMES}
    own = [n for n, f in callables.items() if n not in INPLACE and inspect.isfunction(f)]
    listed = [p for n in NAMESPACES for p in _in_namespace(n)]
    listed += [n if n in NAMES else f"Tensor.{n}" for n in own if n not in TESTED_ELSEWHERE]
    named: dict[int, list[str]] = {}
    for path in listed:
        function = attribute(taowa, path)
        named.setdefault(id(getattr(function, "__wrapped__", function)), []).append(path)
    return {names[0]: names[1:] for names in named.values()}


def paths() -> list[str]:
    """Return every public operation; in-place forms go with the operation they belong to."""
    operators = [f"Tensor.{name}" for name in OPERATORS if hasattr(taowa.Tensor, name)]
    return sorted([*_functions(), *operators])


def aliases() -> list[tuple[str, str]]:
    """Return the further names of operations, each with the name it is tested under."""
    return sorted((other, first) for first, others in _functions().items() for other in others)


def target(path: str) -> Target:
    """Return the operation of this name on both sides."""
    ours, theirs = attribute(taowa, path), attribute(torch, path)
    if path.endswith("_") and "__" not in path:
        return Target(path, writing_a_copy(ours), writing_a_copy(theirs))
    return Target(path, ours, theirs)


def writing_a_copy(function: Callable) -> Callable:
    """Return the in-place function on a copy of its first argument: (is it returned, its value)."""

    def run(input: Any, *args: Any, **kwargs: Any) -> tuple:
        target = input.clone()
        result = function(target, *args, **kwargs)
        return result is target, target

    return run


def has_values(path: str) -> bool:
    """Return whether the values of results can be compared."""
    return path.split(".")[-1] not in WITHOUT_VALUES


def hand_record(path: str) -> Hand | None:
    """Return the hand-written record, if there is one."""
    name = path.removeprefix("Tensor.")
    return RECORDS.get(path) or RECORDS.get(name) or LAYER_RECORDS.get(path)


def infos(path: str) -> list:
    """Return PyTorch's own records for this name."""
    name = path.removeprefix("Tensor.")
    table = op_infos()
    candidates = [name, f"nn.functional.{name}", name.removeprefix("nn.functional.")]
    candidates += [candidate.removesuffix("_") for candidate in candidates]
    found = next((table[one] for one in candidates if one in table), [])
    return [info for info in found if info.variant_test_name != "in_place"]


@functools.lru_cache(maxsize=4)
def cases(path: str, dtype: torch.dtype, count: int) -> list[tuple[Case, Case]]:
    """Return samples of an operation, each with another of the same kinds and other values."""
    record = hand_record(path)
    if record is not None:
        return record.pairs(dtype, count)
    variants = infos(path)
    share = max(1, -(-count // max(len(variants), 1)))
    found = [pair for info in variants for pair in pairs(info, dtype, share)]
    reordered = REORDERED.get(path)
    return [(reordered(a), reordered(b)) for a, b in found] if reordered else found
