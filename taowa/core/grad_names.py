"""PyTorch's names of backward functions, which it prints: one table from op to name.

An op that is not in the table is called as its own name says: `masked_fill`, MaskedFillBackward0.
Where PyTorch has several functions for what is one op here, the entry is a function of the node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from taowa.core.node import Node


def _ranks(node: Node) -> tuple[int, ...]:
    return tuple(len(aval.shape) for aval in node.plan.in_avals)


def _matrix_product(node: Node) -> str:
    names: dict[tuple, str] = {(1, 1): "Dot0", (2, 2): "Mm0", (2, 1): "Mv0", (1, 2): "Squeeze4"}
    return names.get(_ranks(node), "UnsafeView0")


def _linear(node: Node) -> str:
    has_bias = len(node.plan.in_avals) > 2
    if _ranks(node)[0] == 2:
        return "Addmm0" if has_bias else "Mm0"
    return "View0" if has_bias else "UnsafeView0"


def _reduced(name: str) -> Callable[[Node], str]:
    """Return the name that tells a reduction of some dimensions from one of all."""

    def of_node(node: Node) -> str:
        aval = node.aval if node.aval.__class__ is not tuple else node.aval[0]
        ranks = (len(node.plan.in_avals[0].shape), len(aval.shape))
        return f"{name}{0 if ranks[1] == 0 < ranks[0] else 1}"

    return of_node


def _pooling(name: str) -> Callable[[Node], str]:
    return lambda node: f"{name.format(max(_ranks(node)[0] - 2, 1))}0"


def _power(node: Node) -> str:
    if len(node.plan.in_avals) == 2:
        return "Pow1"
    base_is_number = bool(node.scalars) and getattr(node.plan.fn, "kinds", {}).get("input") in (
        int,
        float,
    )
    return "Pow2" if base_is_number else "Pow0"


def _quotient(node: Node) -> str:
    return "Mul0" if getattr(node.plan.fn, "kinds", {}).get("input") in (int, float) else "Div0"


def _difference(node: Node) -> str:
    return "Rsub1" if getattr(node.plan.fn, "kinds", {}).get("input") in (int, float) else "Sub0"


def _pooled_mean(node: Node) -> str:
    aval = node.aval
    if all(n == 1 for n in aval.shape[2:]):
        return "Mean1"
    return f"AdaptiveAvgPool{max(len(aval.shape) - 2, 1)}D0"


NAMES: dict[str, str | Callable[[Node], str]] = {
    "adaptive_avg_pool": _pooled_mean,
    "add_scaled": "Add0",
    "avg_pool": _pooling("AvgPool{}D"),
    "batch_norm": "NativeBatchNorm0",
    "batch_norm_inference": "NativeBatchNorm0",
    "batch_norm_tracking": "NativeBatchNorm0",
    "clamp": "Clamp1",
    "cross_entropy_loss": "NllLoss0",
    "dropout": "Mul0",
    "l1_loss": "Mean0",
    "layer_norm": "NativeLayerNorm0",
    "linear": _linear,
    "log1p": "Log1P0",
    "logsigmoid": "LogSigmoid0",
    "matmul": _matrix_product,
    "max_dim": "Max0",
    "max_pool": _pooling("MaxPool{}DWithIndices"),
    "mean": _reduced("Mean"),
    "min_dim": "Min0",
    "norm": "LinalgVectorNorm0",
    "pow": _power,
    "relu6": "Hardtanh0",
    "selu": "Elu0",
    "softsign": "Div0",
    "square": "Pow0",
    "square_root": "Pow0",
    "sub": _difference,
    "sum": _reduced("Sum"),
    "to_dtype": "ToCopy0",
    "true_divide": _quotient,
}


def backward_name(node: Node) -> str:
    """Return PyTorch's name of a node's backward function."""
    plan: Any = node.plan
    if plan is not None and plan.index is not None:
        node = node.edges[0] if node.edges else node.inputs[0]
        plan = node.plan
    if plan is None:
        return "?Backward0"
    name = plan.name.split(".")[0].strip("_")
    entry = NAMES.get(name)
    if entry is None:
        return "".join(word.capitalize() for word in name.split("_")) + "Backward0"
    found = entry if isinstance(entry, str) else entry(node)
    return f"{found[:-1]}Backward{found[-1]}"
