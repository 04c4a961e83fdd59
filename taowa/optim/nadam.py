"""NAdam."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from taowa.core.tensor import Tensor
from taowa.optim.optimizer import Optimizer, as_number, check_number
from taowa.optim.rule import check_betas, check_common

__all__ = ["NAdam"]


class NAdam(Optimizer):
    """Adam that looks ahead along its momentum, as Nesterov's method does.

    Args:
        params: Parameters or groups of them.
        lr: Learning rate, >= 0.
        betas: Decay of the first and second moment, each in [0, 1).
        eps: Added to the root of the second moment, >= 0.
        weight_decay: Strength of the L2 penalty (of the decay itself if decoupled), >= 0.
        momentum_decay: How fast the momentum approaches the first beta, >= 0.
        decoupled_weight_decay: Decay the parameters directly, as AdamW does.
        foreach: Accepted; the update is one node in any case.
        maximize: Step along the gradient instead.
        capturable: Accepted; the step count lives on the host.
        differentiable: Not supported.

    References:
        Dozat 2016, https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ

    Example:
        >>> import taowa
        >>> w = taowa.ones(2, requires_grad=True)
        >>> optimizer = NAdam([w], lr=0.5)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([0.4718, 0.4718], requires_grad=True)
    """

    state_names = ("mu_product", "exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ):
        check_common("NAdam", lr, weight_decay, eps, differentiable)
        check_betas(betas)
        check_number("momentum_decay value", momentum_decay, momentum_decay >= 0)
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "differentiable": differentiable,
        })  # fmt: skip

    def initial_state(self, param: Tensor, name: str, group: dict[str, Any]) -> np.ndarray:
        if name == "mu_product":
            return np.ones((), np.float32)
        return super().initial_state(param, name, group)

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
        momenta = (
            beta1 * (1 - 0.5 * 0.96 ** (n * group["momentum_decay"])) for n in (step, step + 1)
        )
        return tuple(map(float, (
            lr, 1 - beta1, beta2, 1 - beta2, group["eps"], decay, 1 - beta2**step, *momenta,
        )))  # fmt: skip

    @staticmethod
    def update(param: Any, grad: Any, *rest: Any) -> tuple:
        product, mean, square = rest[:3]
        lr, fresh1, beta2, fresh2, eps, decay, correction, now, ahead, flags = rest[3:]
        has_decay, is_decoupled, is_maximizing = flags
        grad = -grad if is_maximizing else grad
        if has_decay and is_decoupled:
            param = param * decay
        elif has_decay:
            grad = grad + decay * param
        product = product * now.astype(product.dtype)
        gone = product.astype(param.dtype)
        mean = mean + fresh1 * (grad - mean)
        square = beta2 * square + fresh2 * grad * grad
        scale = jnp.sqrt(square / correction) + eps
        of_grad, of_mean = lr * (1 - now) / (1 - gone), lr * ahead / (1 - gone * ahead)
        return param - of_grad * (grad / scale) - of_mean * (mean / scale), product, mean, square
