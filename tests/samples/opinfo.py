"""PyTorch's own table of operations, with sample inputs and inputs that must raise."""

import functools
import itertools
import math
import random
import sys
import types
import unittest
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from tests.samples.convert import Case, leaves

MAX_SAMPLES_READ = 96
MAX_ELEMENTS = 1500
MAX_PRODUCT = 100_000  # of the sizes of the two largest tensors, which bounds the work


@functools.cache
def op_infos() -> dict[str, list]:
    """Return PyTorch's OpInfos by name and by alias; reading them takes seconds."""
    # The table's module wants `expecttest` for a base class of tests that nobody runs here.
    stand_in = types.ModuleType("expecttest")
    stand_in.TestCase = unittest.TestCase
    sys.modules.setdefault("expecttest", stand_in)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db  # noqa: PLC0415
    found: dict[str, list] = {}
    for info in op_db:
        found.setdefault(info.name, []).append(info)
    for info in op_db:
        for alias in info.aliases:
            if info not in found.setdefault(alias.name, []):
                found[alias.name].append(info)
    return found


def seed_all(seed: int) -> None:
    """Seed every generator that samples draw from."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def pairs(info: Any, dtype: torch.dtype, count: int) -> list[tuple[Case, Case]]:
    """Return up to `count` small and different cases of an OpInfo, each with other values too."""
    if dtype not in info.dtypes:
        return []
    first, second = (_cases(info, dtype, seed) for seed in (0, 1))
    both = [pair for pair in zip(first, second, strict=False) if is_small(pair[0])]
    return [both[i] for i in picked([case for case, _ in both], count)]


def _cases(info: Any, dtype: torch.dtype, seed: int) -> list[Case]:
    requires_grad = info.supports_autograd and dtype in info.backward_dtypes
    requires_grad = requires_grad and (dtype.is_floating_point or dtype.is_complex)
    seed_all(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = info.sample_inputs("cpu", dtype, requires_grad=requires_grad)
        return [as_case(sample) for sample in itertools.islice(made, MAX_SAMPLES_READ)]


def errors(info: Any) -> Iterator[tuple[Case, type]]:
    """Yield the calls that must raise, with the type of exception."""
    if info.error_inputs_func is None:
        return
    seed_all(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for error in info.error_inputs("cpu"):
            yield as_case(error.sample_input), error.error_type


def as_case(sample: Any) -> Case:
    """Return PyTorch's SampleInput as a case."""
    return Case((sample.input, *sample.args), dict(sample.kwargs))


def is_small(tree: Any) -> bool:
    """Return whether a case is cheap to compile and compare."""
    tensors = [value for value in leaves(tree) if isinstance(value, torch.Tensor)]
    sizes = sorted(tensor.numel() for tensor in tensors)[-2:]
    return max(sizes, default=0) <= MAX_ELEMENTS and math.prod(sizes) <= MAX_PRODUCT


def kind(value: Any) -> str:
    """Return what of an argument decides which program is compiled."""
    if isinstance(value, torch.Tensor):
        return f"{value.dtype}{list(value.shape)}"
    return type(value).__name__ if isinstance(value, float | complex) else repr(value)


def kinds(case: Case) -> list[str]:
    """Return the kinds of all arguments."""
    return [*case.kwargs, *map(kind, leaves(case))]


def _features(case: Case) -> set[str]:
    """Return what makes a case different from others, its sizes and values aside."""
    found = {f"with {', '.join(sorted(case.kwargs))}", f"{len(case.args)} arguments"}
    named = [*enumerate(case.args), *case.kwargs.items()]
    for name, argument in named:
        for value in leaves(argument):
            if isinstance(value, torch.Tensor):
                found.add(f"{name}: {value.dim()} dimensions, empty: {value.numel() == 0}")
            else:
                found.add(f"{name}: {type(argument).__name__} of {kind(value)}")
    return found


def picked(cases: list[Case], count: int) -> list[int]:
    """Return the positions of up to `count` cases, each as different from the others as can be."""
    left = {i: _features(case) for i, case in enumerate(cases)}
    chosen: list[int] = []
    seen: set[str] = set()
    while left and len(chosen) < count:
        best = max(left, key=lambda i: (len(left[i] - seen), -i))
        chosen.append(best)
        seen |= left.pop(best)
    return sorted(chosen)
