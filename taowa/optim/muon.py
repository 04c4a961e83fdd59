"""Muon."""

from __future__ import annotations

from math import sqrt
from typing import Any

import jax.numpy as jnp
from jax import lax

from taowa.core.tensor import Tensor
from taowa.optim.optimizer import Optimizer, as_number
from taowa.optim.rule import check_scalar

__all__ = ["Muon"]


class Muon(Optimizer):
    """Step along the orthogonal matrix nearest to the momentum; for the matrices of hidden layers.

    The orthogonal matrix is found in bfloat16 by Newton and Schulz's iteration. Vectors,
    embeddings and the like want another optimiser.

    Args:
        params: Matrices or groups of them.
        lr: Learning rate, >= 0.
        weight_decay: Part of the parameter that decays per unit of learning rate, >= 0.
        momentum: How much of the last momentum is kept, >= 0.
        nesterov: Look ahead along the momentum.
        ns_coefficients: The iteration's three coefficients.
        eps: The least norm by which the momentum is divided.
        ns_steps: How often to iterate, below 100.
        adjust_lr_fn: How shapes scale the rate: `"original"` or `"match_rms_adamw"`.

    References:
        Jordan 2024, https://kellerjordan.github.io/posts/muon/;
        Liu et al. 2025, https://arxiv.org/abs/2502.16982

    Example:
        >>> import taowa
        >>> w = taowa.eye(2).requires_grad_()
        >>> optimizer = Muon([w], lr=0.5, weight_decay=0.0)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w.diagonal() < 0.7
        tensor([True, True])
    """

    state_names = ("momentum_buffer",)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ):
        check_scalar(lr)
        named = {"Learning rate": as_number(lr), "momentum": momentum, "weight decay": weight_decay}
        for name, value in named.items():
            if value < 0:
                raise ValueError(f"{name} should be >= 0 but is: {value}")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        super().__init__(params, {
            "lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov,
            "ns_coefficients": ns_coefficients, "eps": eps, "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        })  # fmt: skip
        for group in self.param_groups:
            for param in group["params"]:
                _require_matrix(param)

    def flags(self, group: dict[str, Any]) -> tuple:
        if group["ns_steps"] >= 100:
            raise ValueError("Number of steps must be less than 100 for computational efficiency")
        return bool(group["nesterov"]), group["ns_steps"], group["adjust_lr_fn"]

    def _count_step(self, param: Tensor, group: dict[str, Any]) -> int:
        if param.dtype.is_complex:
            raise RuntimeError("Muon does not support complex parameters")
        return 1  # no number depends on it, and PyTorch's state has none

    def numbers(self, group: dict[str, Any], step: int) -> tuple:
        lr, momentum = as_number(group["lr"]), float(group["momentum"])
        return (
            lr, 1 - lr * group["weight_decay"], momentum, 1 - momentum, float(group["eps"]),
            *map(float, group["ns_coefficients"]),
        )  # fmt: skip

    @staticmethod
    def update(param: Any, grad: Any, *rest: Any) -> tuple:
        buffer, lr, decay, momentum, fresh, eps, *coefficients, flags = rest
        is_nesterov, num_steps, scaling = flags
        buffer = buffer + fresh * (grad - buffer)
        direction = grad + momentum * (buffer - grad) if is_nesterov else buffer
        direction = _orthogonal(direction, coefficients, eps, num_steps).astype(param.dtype)
        return decay * param - lr * _rate_factor(scaling, *param.shape) * direction, buffer


def _require_matrix(param: Tensor) -> None:
    if param.ndim != 2:
        raise ValueError(
            "Muon only supports 2D parameters whereas we found a parameter with size: "
            f"{param.shape}"
        )


def _rate_factor(scaling: str | None, height: int, width: int) -> float:
    if scaling == "match_rms_adamw":
        return 0.2 * sqrt(max(height, width))
    return sqrt(max(1, height / width))


def _orthogonal(x: Any, coefficients: list, eps: Any, num_steps: int) -> Any:
    """Return the matrix with all singular values near 1, in bfloat16."""
    a, b, c = (number.astype(jnp.float32) for number in coefficients)
    is_tall = x.shape[0] > x.shape[1]
    x = x.astype(jnp.bfloat16)
    x = x.T if is_tall else x
    norm = jnp.linalg.norm(x.astype(jnp.float32)).astype(x.dtype)
    x = x / jnp.maximum(norm, eps.astype(x.dtype))

    def iterate(_: Any, x: Any) -> Any:
        gram = _product(x, x.T).astype(x.dtype)
        polynomial = (b * gram + c * _product(gram, gram)).astype(x.dtype)
        return (a * x + _product(polynomial, x)).astype(x.dtype)

    x = lax.fori_loop(0, num_steps, iterate, x)
    return x.T if is_tall else x


def _product(x: Any, y: Any) -> Any:
    return jnp.matmul(x, y, preferred_element_type=jnp.float32)
