"""Adamax."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from taowa.optim.optimizer import Optimizer, as_number
from taowa.optim.rule import check_betas, check_common, decay_flags, penalised

__all__ = ["Adamax"]


class Adamax(Optimizer):
    """Scale each parameter's step by its running mean gradient over its running largest one.

    Args:
        params: Parameters or groups of them.
        lr: Learning rate, >= 0.
        betas: Decay of the mean and of the largest gradient, each in [0, 1).
        eps: Added to each gradient's size, >= 0.
        weight_decay: Strength of the L2 penalty, >= 0.
        foreach: Accepted; the update is one node in any case.
        maximize: Step along the gradient instead.
        differentiable: Not supported.
        capturable: Accepted; the step count lives on the host.

    References:
        Kingma & Ba 2015, https://arxiv.org/abs/1412.6980

    Example:
        >>> import taowa
        >>> w = taowa.ones(2, requires_grad=True)
        >>> optimizer = Adamax([w], lr=0.5)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([0.5000, 0.5000], requires_grad=True)
    """

    state_names = ("exp_avg", "exp_inf")

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ):
        check_common("Adamax", lr, weight_decay, eps, differentiable)
        check_betas(betas)
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        })  # fmt: skip

    def flags(self, group: dict[str, Any]) -> tuple:
        return decay_flags(group)

    def numbers(self, group: dict[str, Any], step: int) -> tuple:
        beta1, beta2 = (as_number(b) for b in group["betas"])
        rate = as_number(group["lr"]) / (1 - beta1**step)
        return (
            float(1 - beta1), float(beta2), float(group["eps"]), float(group["weight_decay"]),
            float(rate),
        )  # fmt: skip

    @staticmethod
    def update(param: Any, grad: Any, *rest: Any) -> tuple:
        mean, largest, fresh, beta2, eps, decay, rate, flags = rest
        grad = penalised(param, grad, decay, *flags)
        mean = mean + fresh * (grad - mean)
        largest = jnp.maximum(largest * beta2, jnp.abs(grad) + eps)
        return param - rate * (mean / largest), mean, largest
