"""Adadelta."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from taowa.optim.optimizer import Optimizer, as_number, check_number
from taowa.optim.rule import check_common, decay_flags, penalised

__all__ = ["Adadelta"]


class Adadelta(Optimizer):
    """Scale each step by the ratio of the running sizes of past steps and gradients.

    Args:
        params: Parameters or groups of them.
        lr: Factor on the step, >= 0.
        rho: Decay of the running squares, in [0, 1].
        eps: Added under the roots, >= 0.
        weight_decay: Strength of the L2 penalty, >= 0.
        foreach: Accepted; the update is one node in any case.
        capturable: Accepted; the step count lives on the host.
        maximize: Step along the gradient instead.
        differentiable: Not supported.

    References:
        Zeiler 2012, https://arxiv.org/abs/1212.5701

    Example:
        >>> import taowa
        >>> w = taowa.ones(2, requires_grad=True)
        >>> optimizer = Adadelta([w], lr=100.0)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([0.6838, 0.6838], requires_grad=True)
    """

    state_names = ("square_avg", "acc_delta")

    def __init__(
        self,
        params: Any,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        check_common("Adadelta", lr, weight_decay, eps, differentiable)
        check_number("rho value", rho, 0 <= rho <= 1)
        super().__init__(params, {
            "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "capturable": capturable, "foreach": foreach, "differentiable": differentiable,
        })  # fmt: skip

    def flags(self, group: dict[str, Any]) -> tuple:
        return decay_flags(group)

    def numbers(self, group: dict[str, Any], step: int) -> tuple:
        rho = float(group["rho"])
        return (
            as_number(group["lr"]), rho, 1 - rho, float(group["eps"]), float(group["weight_decay"])
        )  # fmt: skip

    @staticmethod
    def update(param: Any, grad: Any, *rest: Any) -> tuple:
        square, travelled, lr, rho, fresh, eps, decay, flags = rest
        grad = penalised(param, grad, decay, *flags)
        square = rho * square + fresh * grad * grad
        delta = jnp.sqrt(travelled + eps) / jnp.sqrt(square + eps) * grad
        travelled = rho * travelled + fresh * delta * delta
        return param - lr * delta, square, travelled
