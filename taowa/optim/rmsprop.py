"""RMSprop."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from taowa.optim.optimizer import Optimizer, as_number, check_number
from taowa.optim.rule import check_common, decay_flags, penalised

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    """Scale each parameter's step by the root of its running squared gradient.

    Args:
        params: Parameters or groups of them.
        lr: Learning rate, >= 0.
        alpha: Decay of the running square, >= 0.
        eps: Added to the root, >= 0.
        weight_decay: Strength of the L2 penalty, >= 0.
        momentum: How much of the last step is kept, >= 0.
        centered: Subtract the running mean, so that the variance scales the step.
        capturable: Accepted; the step count lives on the host.
        foreach: Accepted; the update is one node in any case.
        maximize: Step along the gradient instead.
        differentiable: Not supported.

    References:
        Hinton 2012, https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf;
        Graves 2013 (centered), https://arxiv.org/abs/1308.0850

    Example:
        >>> import taowa
        >>> w = taowa.ones(2, requires_grad=True)
        >>> optimizer = RMSprop([w], lr=0.05)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([0.5000, 0.5000], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        check_common("RMSprop", lr, weight_decay, eps, differentiable)
        check_number("momentum value", momentum, momentum >= 0)
        check_number("alpha value", alpha, alpha >= 0)
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable,
        })  # fmt: skip

    def active_states(self, group: dict[str, Any]) -> tuple[str, ...]:
        momentum = ("momentum_buffer",) if group["momentum"] > 0 else ()
        mean = ("grad_avg",) if group["centered"] else ()
        return ("square_avg", *momentum, *mean)

    def flags(self, group: dict[str, Any]) -> tuple:
        return (*decay_flags(group), group["momentum"] > 0, bool(group["centered"]))

    def numbers(self, group: dict[str, Any], step: int) -> tuple:
        alpha = float(group["alpha"])
        return (
            as_number(group["lr"]), alpha, 1 - alpha, float(group["eps"]),
            float(group["weight_decay"]), float(group["momentum"]),
        )  # fmt: skip

    @staticmethod
    def update(param: Any, grad: Any, *rest: Any) -> tuple:
        *states, lr, alpha, fresh, eps, decay, momentum, flags = rest
        *decay_kind, has_momentum, is_centered = flags
        grad = penalised(param, grad, decay, *decay_kind)
        square = alpha * states[0] + fresh * grad * grad
        means = [states[-1] + fresh * (grad - states[-1])] if is_centered else []
        variance = square - means[0] * means[0] if is_centered else square
        step = grad / (jnp.sqrt(variance) + eps)
        if not has_momentum:
            return (param - lr * step, square, *means)
        buffer = momentum * states[1] + step
        return (param - lr * buffer, square, buffer, *means)
