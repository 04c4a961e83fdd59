"""Averaged stochastic gradient descent."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from taowa.core.tensor import Tensor
from taowa.optim.optimizer import Optimizer, as_number
from taowa.optim.rule import check_common, decay_flags, penalised

__all__ = ["ASGD"]


class ASGD(Optimizer):
    """Step against the gradient with a falling rate, and average the parameters on the way.

    The average is the state `"ax"`; the parameters themselves are not averaged.

    Args:
        params: Parameters or groups of them.
        lr: Learning rate of the first step, >= 0.
        lambd: Strength of the decay of the parameters and of the rate.
        alpha: Power with which the rate falls.
        t0: The step at which the averaging begins.
        weight_decay: Strength of the L2 penalty, >= 0.
        foreach: Accepted; the update is one node in any case.
        maximize: Step along the gradient instead.
        differentiable: Not supported.
        capturable: Accepted; the step count lives on the host.

    References:
        Polyak & Juditsky 1992, https://doi.org/10.1137/0330046

    Example:
        >>> import taowa
        >>> w = taowa.ones(2, requires_grad=True)
        >>> optimizer = ASGD([w], lr=0.25, lambd=0.0)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([0.5000, 0.5000], requires_grad=True)
    """

    state_names = ("eta", "mu", "ax")

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ):
        check_common("ASGD", lr, weight_decay, differentiable=differentiable)
        super().__init__(params, {
            "lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay,
            "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
            "capturable": capturable,
        })  # fmt: skip

    def initial_state(self, param: Tensor, name: str, group: dict[str, Any]) -> np.ndarray:
        if name == "ax":
            return super().initial_state(param, name, group)
        return np.asarray(1 if name == "mu" else as_number(group["lr"]), np.float32)

    def flags(self, group: dict[str, Any]) -> tuple:
        return decay_flags(group)

    def numbers(self, group: dict[str, Any], step: int) -> tuple:
        lr, lambd = as_number(group["lr"]), group["lambd"]
        rate = lr / (1 + lambd * lr * step) ** group["alpha"]
        share = 1 / max(1, step - group["t0"])
        return float(lambd), float(group["weight_decay"]), float(rate), float(share)

    @staticmethod
    def update(param: Any, grad: Any, *rest: Any) -> tuple:
        # The rate and the share of this step were set by the last one.
        rate, share, average, lambd, decay, next_rate, next_share, flags = rest
        grad = penalised(param, grad, decay, *flags)
        rate, share = rate.astype(param.dtype), share.astype(param.dtype)
        param = param * (1 - lambd * rate) - rate * grad
        average = jnp.where(share == 1, param, average + (param - average) * share)
        return param, next_rate, next_share, average
