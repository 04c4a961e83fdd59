"""Resilient propagation."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from taowa.core.tensor import Tensor
from taowa.optim.optimizer import Optimizer, as_number
from taowa.optim.rule import check_common

__all__ = ["Rprop"]


class Rprop(Optimizer):
    """Step by a size of each parameter's own, which the sign of its gradient lets grow or shrink.

    Args:
        params: Parameters or groups of them.
        lr: Size of the first step, >= 0.
        etas: Factors on the size after the sign has changed, and after it has not.
        step_sizes: The smallest and the largest size.
        capturable: Accepted; the step count lives on the host.
        foreach: Accepted; the update is one node in any case.
        maximize: Step along the gradient instead.
        differentiable: Not supported.

    References:
        Riedmiller & Braun 1993, https://doi.org/10.1109/ICNN.1993.298623

    Example:
        >>> import taowa
        >>> w = taowa.ones(2, requires_grad=True)
        >>> optimizer = Rprop([w], lr=0.5)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([0.5000, 0.5000], requires_grad=True)
    """

    state_names = ("prev", "step_size")

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        check_common("Rprop", lr, differentiable=differentiable)
        if not 0 < etas[0] < 1 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        super().__init__(params, {
            "lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        })  # fmt: skip

    def initial_state(self, param: Tensor, name: str, group: dict[str, Any]) -> np.ndarray:
        if name == "prev":
            return super().initial_state(param, name, group)
        lr = as_number(group["lr"])
        return np.full(param.shape, complex(lr, lr) if param.dtype.is_complex else lr,
                       param.dtype.np)  # fmt: skip

    def flags(self, group: dict[str, Any]) -> tuple:
        return (bool(group["maximize"]),)

    def numbers(self, group: dict[str, Any], step: int) -> tuple:
        return tuple(float(number) for number in (*group["etas"], *group["step_sizes"]))

    @staticmethod
    def update(param: Any, grad: Any, *rest: Any) -> tuple:
        last, size, shrink, grow, smallest, largest, flags = rest
        grad = -grad if flags[0] else grad
        agreement = jnp.sign(grad * last)
        factor = jnp.where(agreement > 0, grow, jnp.where(agreement < 0, shrink, 1))
        size = jnp.clip(size * factor, smallest, largest)
        grad = jnp.where(agreement < 0, 0, grad)  # no step where the sign has changed
        return param - jnp.sign(grad) * size, grad, size
