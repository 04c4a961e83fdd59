"""What the update rules of several optimisers share."""

from __future__ import annotations

from typing import Any

from taowa.core.tensor import Tensor
from taowa.errors import unsupported
from taowa.optim.optimizer import as_number, check_number


def check_common(
    name: str, lr: Any, weight_decay: float = 0, eps: float = 0, differentiable: bool = False
) -> None:
    """Raise for the options that most optimisers have, where they are out of range."""
    check_scalar(lr)
    check_number("learning rate", lr, as_number(lr) >= 0)
    check_number("epsilon value", eps, eps >= 0)
    check_number("weight_decay value", weight_decay, weight_decay >= 0)
    if differentiable:
        raise unsupported(f"{name}(differentiable=True)", "an update written with operations")


def check_scalar(lr: Any) -> None:
    """Raise for a learning rate that is a tensor of several elements."""
    if isinstance(lr, Tensor) and lr.shape.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")


def check_betas(betas: tuple[float, float]) -> None:
    """Raise for decays of moments outside of [0, 1)."""
    for i, beta in enumerate(betas):
        check_number(f"beta parameter at index {i}", beta, 0 <= as_number(beta) < 1)


def penalised(param: Any, grad: Any, decay: Any, has_decay: bool, is_maximizing: bool) -> Any:
    """Return the gradient to descend, with the L2 penalty's part."""
    grad = -grad if is_maximizing else grad
    return grad + decay * param if has_decay else grad


def decay_flags(group: dict[str, Any]) -> tuple[bool, bool]:
    """Return `penalised`'s last two arguments."""
    return bool(group["weight_decay"]), bool(group["maximize"])
