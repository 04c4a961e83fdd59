"""Adafactor."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from taowa.core.tensor import Tensor
from taowa.core.type_info import finfo
from taowa.optim.optimizer import Optimizer, as_number
from taowa.optim.rule import check_scalar

__all__ = ["Adafactor"]


class Adafactor(Optimizer):
    """Adam without a mean, whose second moments of a matrix are its rows' and its columns'.

    Args:
        params: Parameters or groups of them.
        lr: Bound on the relative step, >= 0.
        beta2_decay: Power of the step number with which second moments forget, <= 0.
        eps: The least second moment's root (`None`: the type's precision) and the least size of
            a parameter that scales its step.
        d: Steps are shortened to this root mean square, >= 1.
        weight_decay: Part of the parameter that decays per unit of learning rate, >= 0.
        foreach: Accepted; the update is a node for matrices and one for vectors in any case.
        maximize: Step along the gradient instead.

    References:
        Shazeer & Stern 2018, https://arxiv.org/abs/1804.04235

    Example:
        >>> import taowa
        >>> w = taowa.ones(2, requires_grad=True)
        >>> optimizer = Adafactor([w], lr=0.5)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([0.5000, 0.5000], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ):
        check_scalar(lr)
        _check("Learning rate", lr, ">= 0", as_number(lr) >= 0)
        _check("beta2_decay", beta2_decay, "<= 0", beta2_decay <= 0)
        _check("epsilon1", eps[0], ">= 0", eps[0] is None or eps[0] >= 0)
        _check("epsilon2", eps[1], ">= 0", eps[1] >= 0)
        _check("Clipping threshold d", d, ">= 1", d >= 1)
        _check("weight_decay", weight_decay, ">= 0", weight_decay >= 0)
        super().__init__(params, {
            "lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d,
            "weight_decay": weight_decay, "foreach": foreach, "maximize": maximize,
        })  # fmt: skip

    def _update_group(self, group: dict[str, Any], step: int, params: list[Tensor]) -> None:
        """Update matrices and vectors apart, as their states differ; each type with its eps."""
        kinds: dict[tuple, list[Tensor]] = {}
        for param in params:
            if param.dtype.is_complex:
                raise RuntimeError("Adafactor does not support complex parameters")
            kinds.setdefault((param.ndim > 1, param.dtype), []).append(param)
        for (is_matrix, dtype), members in kinds.items():
            smallest, least_size = group["eps"]
            smallest = finfo(dtype).eps if smallest is None else smallest
            same = {**group, "is_matrix": is_matrix, "eps": (smallest, least_size)}
            super()._update_group(same, step, members)

    def active_states(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("row_var", "col_var") if group["is_matrix"] else ("variance",)

    def initial_state(self, param: Tensor, name: str, group: dict[str, Any]) -> np.ndarray:
        shape = list(param.shape)
        if name != "variance":
            shape[-1 if name == "row_var" else -2] = 1
        return np.zeros(shape, param.dtype.np)

    def flags(self, group: dict[str, Any]) -> tuple:
        return group["is_matrix"], bool(group["weight_decay"]), bool(group["maximize"])

    def numbers(self, group: dict[str, Any], step: int) -> tuple:
        lr = as_number(group["lr"])
        smallest, least_size = group["eps"]
        return tuple(map(float, (
            step ** group["beta2_decay"], min(lr, step**-0.5), 1 - lr * group["weight_decay"],
            smallest, least_size, group["d"],
        )))  # fmt: skip

    @staticmethod
    def update(param: Any, grad: Any, *rest: Any) -> tuple:
        *state, fresh, rate, decay, smallest, least_size, longest, flags = rest
        is_matrix, has_decay, is_maximizing = flags
        grad = -grad if is_maximizing else grad
        size = jnp.maximum(least_size, _root_mean_square(param))
        param = param * decay if has_decay else param
        axes = (-1, -2) if is_matrix else ((),)
        squares = [jnp.mean(grad * grad, axis=axis, keepdims=True) for axis in axes]
        state = [old + fresh * (new - old) for old, new in zip(state, squares, strict=True)]
        variance = state[0]
        if is_matrix:
            mean = jnp.maximum(jnp.mean(state[0], axis=-2, keepdims=True), smallest)
            variance = state[0] * state[1] / mean
        step = grad / jnp.sqrt(jnp.maximum(variance, smallest * smallest))
        step = step / jnp.maximum(1, _root_mean_square(step) / longest)
        return (param - size * rate * step, *state)


def _root_mean_square(x: Any) -> Any:
    return jnp.sqrt(jnp.mean(x * x))


def _check(name: str, value: Any, bound: str, is_valid: bool) -> None:
    if not is_valid:
        raise ValueError(f"{name} should be {bound} but is: {value}")
