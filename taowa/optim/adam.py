"""Adam and AdamW."""

from __future__ import annotations

from math import sqrt
from typing import Any

import jax.numpy as jnp

from taowa.optim.optimizer import Optimizer, as_number
from taowa.optim.rule import check_betas, check_common

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    """Scale each parameter's step by running moments of its gradient.

    Args:
        params: Parameters or groups of them.
        lr: Learning rate, >= 0.
        betas: Decay of the first and second moment, each in [0, 1).
        eps: Added to the root of the second moment, >= 0.
        weight_decay: Strength of the L2 penalty (of the decay itself if decoupled), >= 0.
        amsgrad: Use the largest second moment so far.
        foreach: Accepted; the update is one node in any case.
        maximize: Step along the gradient instead.
        capturable: Accepted; the step count lives on the host.
        differentiable: Not supported.
        fused: Accepted like `foreach`.
        decoupled_weight_decay: Decay the parameters directly, as AdamW does.

    References:
        Kingma & Ba 2015, https://arxiv.org/abs/1412.6980

    Example:
        >>> import taowa
        >>> w = taowa.ones(2, requires_grad=True)
        >>> optimizer = Adam([w], lr=0.5)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([0.5000, 0.5000], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ):
        check_common(type(self).__name__, lr, weight_decay, eps, differentiable)
        check_betas(betas)
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "amsgrad": amsgrad, "maximize": maximize, "foreach": foreach,
            "capturable": capturable, "differentiable": differentiable, "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        })  # fmt: skip

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group.setdefault("decoupled_weight_decay", False)

    @classmethod
    def _rule_name(cls) -> str:
        return "Adam"

    def active_states(self, group: dict[str, Any]) -> tuple[str, ...]:
        names = ("exp_avg", "exp_avg_sq")
        return (*names, "max_exp_avg_sq") if group["amsgrad"] else names

    def flags(self, group: dict[str, Any]) -> tuple:
        return (
            bool(group["weight_decay"]), bool(group["decoupled_weight_decay"]),
            bool(group["amsgrad"]), bool(group["maximize"]),
        )  # fmt: skip

    def numbers(self, group: dict[str, Any], step: int) -> tuple:
        lr = as_number(group["lr"])
        beta1, beta2 = (as_number(b) for b in group["betas"])
        decay = group["weight_decay"]
        if group["decoupled_weight_decay"]:
            decay = 1 - lr * decay
        return (
            float(1 - beta1), float(beta2), float(1 - beta2), float(group["eps"]), float(decay),
            float(lr / (1 - beta1**step)), sqrt(1 - beta2**step),
        )  # fmt: skip

    @staticmethod
    def update(param: Any, grad: Any, *rest: Any) -> tuple:
        mean, square, *largest = rest[:-8]
        fresh1, beta2, fresh2, eps, decay, step_size, root_correction, flags = rest[-8:]
        has_decay, is_decoupled, is_amsgrad, is_maximizing = flags
        grad = -grad if is_maximizing else grad
        if has_decay and is_decoupled:
            param = param * decay
        elif has_decay:
            grad = grad + decay * param
        mean = mean + fresh1 * (grad - mean)
        square = beta2 * square + fresh2 * grad * grad
        if is_amsgrad:
            largest = [jnp.maximum(largest[0], square)]
        scale = jnp.sqrt(largest[0] if is_amsgrad else square) / root_correction + eps
        return (param - step_size * (mean / scale), mean, square, *largest)


class AdamW(Adam):
    """Adam whose weight decay acts on the parameters directly.

    Args:
        params: Parameters or groups of them.
        lr: Learning rate, >= 0.
        betas: Decay of the first and second moment, each in [0, 1).
        eps: Added to the root of the second moment, >= 0.
        weight_decay: Part of the parameter that decays per unit of learning rate, >= 0.
        amsgrad: Use the largest second moment so far.
        maximize: Step along the gradient instead.
        foreach: Accepted; the update is one node in any case.
        capturable: Accepted; the step count lives on the host.
        differentiable: Not supported.
        fused: Accepted like `foreach`.

    References:
        Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101

    Example:
        >>> import taowa
        >>> w = taowa.ones(1, requires_grad=True)
        >>> optimizer = AdamW([w], lr=0.5)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([0.4950], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad,
            foreach=foreach, maximize=maximize, capturable=capturable,
            differentiable=differentiable, fused=fused, decoupled_weight_decay=True,
        )  # fmt: skip
