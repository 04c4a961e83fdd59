"""Adagrad."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from taowa.core.tensor import Tensor, from_array
from taowa.optim.optimizer import Optimizer, as_number, check_number
from taowa.optim.rule import check_common, decay_flags, penalised

__all__ = ["Adagrad"]


class Adagrad(Optimizer):
    """Scale each parameter's step by the root of the sum of its squared gradients.

    Args:
        params: Parameters or groups of them.
        lr: Learning rate, >= 0.
        lr_decay: How fast the learning rate falls with the steps, >= 0.
        weight_decay: Strength of the L2 penalty, >= 0.
        initial_accumulator_value: What the sum begins with, >= 0.
        eps: Added to the root, >= 0.
        foreach: Accepted; the update is one node in any case.
        maximize: Step along the gradient instead.
        differentiable: Not supported.
        fused: Accepted like `foreach`.

    References:
        Duchi, Hazan & Singer 2011, https://jmlr.org/papers/v12/duchi11a.html

    Example:
        >>> import taowa
        >>> w = taowa.ones(2, requires_grad=True)
        >>> optimizer = Adagrad([w], lr=0.5)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([0.5000, 0.5000], requires_grad=True)
    """

    state_names = ("sum",)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        check_common("Adagrad", lr, weight_decay, eps, differentiable)
        check_number("lr_decay value", lr_decay, lr_decay >= 0)
        initial = initial_accumulator_value
        check_number("initial_accumulator_value value", initial, initial >= 0)
        if fused and foreach:
            raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
        super().__init__(params, {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "fused": fused,
        })  # fmt: skip
        for group in self.param_groups:
            for param in group["params"]:
                self.state[param]["step"] = from_array(np.zeros((), np.float32))
                self._state_of(param, "sum", group)

    def initial_state(self, param: Tensor, name: str, group: dict[str, Any]) -> np.ndarray:
        start = self.defaults["initial_accumulator_value"]
        return np.full(param.shape, complex(start, start) if param.dtype.is_complex else start,
                       param.dtype.np)  # fmt: skip

    def flags(self, group: dict[str, Any]) -> tuple:
        return decay_flags(group)

    def numbers(self, group: dict[str, Any], step: int) -> tuple:
        rate = as_number(group["lr"]) / (1 + (step - 1) * group["lr_decay"])
        return float(rate), float(group["eps"]), float(group["weight_decay"])

    @staticmethod
    def update(param: Any, grad: Any, *rest: Any) -> tuple:
        total, rate, eps, decay, flags = rest
        grad = penalised(param, grad, decay, *flags)
        total = total + grad * grad
        return param - rate * (grad / (jnp.sqrt(total) + eps)), total
