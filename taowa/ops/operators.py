"""Python's operators on tensors: one table from special method to operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from taowa import dtypes
from taowa.core.api import INPLACE, METHODS
from taowa.core.tensor import Tensor, from_array

_NUMBERS = frozenset((bool, int, float, complex))

BINARY = {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "div": "div",
    "floordiv": "floor_divide", "mod": "remainder", "pow": "pow", "matmul": "matmul",
    "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor", "lshift": "bitwise_left_shift",
    "rshift": "bitwise_right_shift",
}  # fmt: skip
COMPARISONS = {"eq": "eq", "ne": "ne", "lt": "lt", "le": "le", "gt": "gt", "ge": "ge"}
UNARY = {"neg": "neg", "abs": "abs", "invert": "bitwise_not", "pos": "positive"}


def _reflected(function: Callable) -> Callable:
    def reflected(self: Tensor, other: Any) -> Tensor:
        if not self._aval.shape and other.__class__ in _NUMBERS:
            other = _as_accumulator(other, self)
        return function(other, self)

    return reflected


def _as_accumulator(number: Any, first: Tensor) -> Tensor:
    """Return a number as a 0-dim tensor, so that `total = 0; total += x` repeats one program.

    The sum's first step then looks like all others: a buffer that is overwritten, plus x.
    """
    kind = dtypes.result_type_of([], [first.dtype], [number.__class__])
    made = from_array(np.asarray(number, kind.np), device=first.device)
    made._storage.node.is_retired = True
    return made


def _guarded(function: Callable) -> Callable:
    """Return `NotImplemented` for operands that are no numbers, so that Python may try theirs."""

    def operator(self: Tensor, other: Any) -> Any:
        if isinstance(other, str | dict | set | type(None)):
            return NotImplemented
        return function(self, other)

    return operator


def _contains(self: Tensor, element: Any) -> bool:
    if not isinstance(element, Tensor | int | float | complex):
        raise RuntimeError(
            "Tensor.__contains__ only supports Tensor or scalar, "
            f"but you passed in a {type(element)}."
        )
    return bool((self == element).any())  # type: ignore[attr-defined]


def install() -> None:
    """Give Tensor its operators."""
    for special, name in BINARY.items():
        if name in METHODS:
            setattr(Tensor, f"__{special}__", METHODS[name])
            setattr(Tensor, f"__r{special}__", _reflected(METHODS[name]))
        if f"{name}_" in INPLACE:
            setattr(Tensor, f"__i{special}__", METHODS[f"{name}_"])
    for special, name in COMPARISONS.items():
        if name in METHODS:
            setattr(Tensor, f"__{special}__", _guarded(METHODS[name]))
    for special, name in UNARY.items():
        if name in METHODS:
            setattr(Tensor, f"__{special}__", METHODS[name])
    Tensor.__contains__ = _contains  # type: ignore[attr-defined]
    Tensor.__hash__ = object.__hash__  # type: ignore[assignment]
