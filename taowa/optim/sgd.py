"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from taowa.kernels import sgd
from taowa.optim.optimizer import Optimizer, as_number, check_number
from taowa.optim.rule import check_common

__all__ = ["SGD"]


class SGD(Optimizer):
    """Step against the gradient, optionally with momentum.

    Args:
        params: Parameters or groups of them.
        lr: Learning rate, >= 0.
        momentum: How much of the last step is kept, >= 0.
        dampening: How much of the new gradient is left out of the momentum.
        weight_decay: Strength of the L2 penalty, >= 0.
        nesterov: Look ahead along the momentum; wants momentum > 0 and dampening 0.
        maximize: Step along the gradient instead.
        foreach: Accepted; the update is one node in any case.
        differentiable: Not supported.
        fused: Accepted like `foreach`.

    References:
        Sutskever et al. 2013, http://www.cs.toronto.edu/~hinton/absps/momentum.pdf

    Example:
        >>> import taowa
        >>> w = taowa.ones(2, requires_grad=True)
        >>> optimizer = SGD([w], lr=0.5)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([0., 0.], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        check_common("SGD", lr, weight_decay, differentiable=differentiable)
        check_number("momentum value", momentum, momentum >= 0)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
            "nesterov": nesterov, "maximize": maximize, "foreach": foreach,
            "differentiable": differentiable, "fused": fused,
        })  # fmt: skip

    def active_states(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("momentum_buffer",) if group["momentum"] else ()

    def flags(self, group: dict[str, Any]) -> tuple:
        return (
            bool(group["momentum"]), bool(group["nesterov"]),
            bool(group["weight_decay"]), bool(group["maximize"]),
        )  # fmt: skip

    def _count_step(self, param: Any, group: dict[str, Any]) -> int:
        """Return 1 while the momentum buffer is still to be filled, 2 afterwards."""
        if not group["momentum"]:
            return 2
        return 1 if self.state[param].get("momentum_buffer") is None else 2

    def numbers(self, group: dict[str, Any], step: int) -> tuple:
        return (
            as_number(group["lr"]), float(group["momentum"]), float(1 - group["dampening"]),
            float(group["weight_decay"]), step,
        )  # fmt: skip

    @classmethod
    def update_group(
        cls, params: list, grads: list, states: list, numbers: list, flags: tuple
    ) -> tuple[list, list]:
        plain = super().update_group
        if not sgd.suits([*params, *grads, *states]):
            return plain(params, grads, states, numbers, flags)

        def by_kernel(*values: list) -> tuple[list, list]:
            _, is_nesterov, _, is_maximizing = flags
            return sgd.descend(*values, is_nesterov=is_nesterov, is_maximizing=is_maximizing)

        return lax.platform_dependent(
            params, grads, states, numbers,
            cpu=by_kernel, default=lambda p, g, s, n: plain(p, g, s, n, flags),
        )  # fmt: skip

    @staticmethod
    def update(param: Any, grad: Any, *rest: Any) -> tuple:
        *state, lr, momentum, fresh, weight_decay, step, flags = rest
        has_momentum, is_nesterov, has_decay, is_maximizing = flags
        grad = -grad if is_maximizing else grad
        grad = grad + weight_decay * param if has_decay else grad
        if not has_momentum:
            return (param - lr * grad,)
        # PyTorch fills the buffer with the first gradient itself, without dampening.
        buffer = jnp.where(step == 1, grad, momentum * state[0] + fresh * grad)
        direction = grad + momentum * buffer if is_nesterov else buffer
        return param - lr * direction, buffer
