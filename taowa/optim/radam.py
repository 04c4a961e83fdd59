"""RAdam."""

from __future__ import annotations

from math import sqrt
from typing import Any

import jax.numpy as jnp

from taowa.optim.optimizer import Optimizer, as_number
from taowa.optim.rule import check_betas, check_common

__all__ = ["RAdam"]


class RAdam(Optimizer):
    """Adam that takes plain momentum steps until its second moment can be trusted.

    Args:
        params: Parameters or groups of them.
        lr: Learning rate, >= 0.
        betas: Decay of the first and second moment, each in [0, 1).
        eps: Added to the root of the second moment, >= 0.
        weight_decay: Strength of the L2 penalty (of the decay itself if decoupled), >= 0.
        decoupled_weight_decay: Decay the parameters directly, as AdamW does.
        foreach: Accepted; the update is one node in any case.
        maximize: Step along the gradient instead.
        capturable: Accepted; the step count lives on the host.
        differentiable: Not supported.

    References:
        Liu et al. 2020, https://arxiv.org/abs/1908.03265

    Example:
        >>> import taowa
        >>> w = taowa.ones(2, requires_grad=True)
        >>> optimizer = RAdam([w], lr=0.25)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([0.5000, 0.5000], requires_grad=True)
    """

    state_names = ("exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ):
        check_common("RAdam", lr, weight_decay, eps, differentiable)
        check_betas(betas)
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay, "differentiable": differentiable,
        })  # fmt: skip

    def flags(self, group: dict[str, Any]) -> tuple:
        return (
            bool(group["weight_decay"]), bool(group["decoupled_weight_decay"]),
            bool(group["maximize"]),
        )  # fmt: skip

    def numbers(self, group: dict[str, Any], step: int) -> tuple:
        lr = as_number(group["lr"])
        beta1, beta2 = (as_number(b) for b in group["betas"])
        decay = group["weight_decay"]
        if group["decoupled_weight_decay"]:
            decay = 1 - lr * decay
        correction = 1 - beta2**step
        return tuple(map(float, (
            1 - beta1, beta2, 1 - beta2, group["eps"], decay, lr / (1 - beta1**step),
            _rectification(beta2, step, correction) * sqrt(correction),
        )))  # fmt: skip

    @staticmethod
    def update(param: Any, grad: Any, *rest: Any) -> tuple:
        mean, square, fresh1, beta2, fresh2, eps, decay, rate, rectified, flags = rest
        has_decay, is_decoupled, is_maximizing = flags
        grad = -grad if is_maximizing else grad
        if has_decay and is_decoupled:
            param = param * decay
        elif has_decay:
            grad = grad + decay * param
        mean = mean + fresh1 * (grad - mean)
        square = beta2 * square + fresh2 * grad * grad
        scale = jnp.where(rectified > 0, rectified / (jnp.sqrt(square) + eps), 1)
        return param - rate * mean * scale, mean, square


def _rectification(beta2: float, step: int, correction: float) -> float:
    """Return the factor on the adaptive step, 0 while there are too few steps for one."""
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * step * beta2**step / correction
    if length <= 5:
        return 0.0
    return sqrt(
        (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
    )  # fmt: skip
