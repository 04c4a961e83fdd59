"""L-BFGS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from taowa.core.grad_mode import enable_grad
from taowa.core.op import Array, Scalar, op
from taowa.core.tensor import Tensor, from_array, wrap
from taowa.optim.line_search import Point, strong_wolfe
from taowa.optim.optimizer import Optimizer, as_number
from taowa.optim.rule import check_common

__all__ = ["LBFGS"]


@op
def _flat(tensors: list[Array]):
    """Return all elements in one vector, complex ones as pairs."""
    pairs = [jnp.stack([x.real, x.imag], -1) if jnp.iscomplexobj(x) else x for x in tensors]
    return jnp.concatenate([x.reshape(-1) for x in pairs])


@op
def _moved(params: list[Array], direction: Array, distance: Scalar):
    """Return the parameters after a step along a vector of all their elements."""
    moved, offset = [], 0
    direction = distance.real.astype(direction.dtype) * direction
    for param in params:
        is_complex = jnp.iscomplexobj(param)
        size = param.size * (2 if is_complex else 1)
        step = direction[offset : offset + size].reshape(*param.shape, *((2,) * is_complex))
        step = lax.complex(step[..., 0], step[..., 1]) if is_complex else step
        moved.append(param + step.astype(param.dtype))
        offset += size
    return tuple(moved)


@op
def _direction(
    grad: Array, changes: list[Array], steps: list[Array], weights: list[Array], scale: Scalar
):
    """Return minus the approximate inverse Hessian times the gradient, by two loops over the past.

    A weight of 0 leaves its step out.
    """
    past = (jnp.stack(changes), jnp.stack(steps), jnp.stack(weights).astype(grad.dtype))

    def backwards(q: Any, entry: tuple) -> tuple:
        change, step, weight = entry
        share = weight * jnp.dot(step, q)
        return q - share * change, share

    def forwards(q: Any, entry: tuple) -> tuple:
        (change, step, weight), share = entry
        return q + step * (share - weight * jnp.dot(change, q)), None

    q, shares = lax.scan(backwards, -grad, past, reverse=True)
    return lax.scan(forwards, q * scale, (past, shares))[0]


class LBFGS(Optimizer):
    """Minimise with an approximation of the Hessian from the last steps, several steps per call.

    All parameters are one group.

    Args:
        params: Parameters.
        lr: Length of a step in the direction found, >= 0.
        max_iter: How many steps `step` takes at most.
        max_eval: How often it calls the closure at most; 1.25 times `max_iter` by default.
        tolerance_grad: End when no gradient is larger.
        tolerance_change: End when neither parameters nor the loss change by more.
        history_size: From how many steps the Hessian is estimated.
        line_search_fn: `"strong_wolfe"` or `None`.

    References:
        Liu & Nocedal 1989, https://doi.org/10.1007/BF01589116

    Example:
        >>> import taowa
        >>> w = taowa.ones(2, requires_grad=True)
        >>> optimizer = LBFGS([w])
        >>> def closure():
        ...     optimizer.zero_grad()
        ...     loss = ((w - 3) ** 2).sum()
        ...     loss.backward()
        ...     return loss
        >>> optimizer.step(closure)
        tensor(8., grad_fn=<SumBackward0>)
        >>> w
        tensor([3., 3.], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ):
        check_common("LBFGS", lr)
        super().__init__(params, {
            "lr": lr, "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change,
            "history_size": history_size, "line_search_fn": line_search_fn,
        })  # fmt: skip
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    def step(self, closure: Callable) -> Any:  # type: ignore[override]
        """Take up to `max_iter` steps; return the loss before the first.

        Args:
            closure: Clears the gradients, computes the loss, goes backward, returns the loss.
        """
        search = _Search(self, closure)
        first_loss = search.evaluate()
        if not search.is_at_rest():
            search.run()
        return first_loss


class _Search:
    """One call of `step`: where it stands and what it remembers.

    Attributes:
        state: The optimiser's state, under PyTorch's names: `old_dirs` are changes of the
            gradient, `old_stps` the steps that caused them, `ro` their weights, `H_diag` the
            scale of the Hessian's inverse, `d` the direction and `t` the step along it.
    """

    def __init__(self, optimizer: LBFGS, closure: Callable):
        self.group = optimizer.param_groups[0]
        self.params: list[Tensor] = self.group["params"]
        self.state = optimizer.state[self.params[0]]
        self.state.setdefault("func_evals", 0)
        self.state.setdefault("n_iter", 0)
        self.closure = closure
        self.num_evaluations = 0
        self.loss = 0.0
        self.grad: Any = None  # a vector of all parameters' gradients

    def evaluate(self) -> Any:
        """Compute loss and gradient at the parameters."""
        with enable_grad():
            loss = self.closure()
        self.grad = _flat([_gradient(param) for param in self.params])
        self.loss = float(loss)
        self.num_evaluations += 1
        self.state["func_evals"] += 1
        return loss

    def is_at_rest(self) -> bool:
        return _largest(self.grad) <= self.group["tolerance_grad"]

    def run(self) -> None:
        for num_steps in range(1, self.group["max_iter"] + 1):
            self.turn()
            slope = self.grad.dot(self.state["d"]).item()
            if slope > -self.group["tolerance_change"]:
                break
            is_last = num_steps == self.group["max_iter"]
            self.advance(slope, is_last)
            if is_last or self.is_finished():
                break

    def turn(self) -> None:
        """Find the next direction and how far to go along it at first."""
        state, lr = self.state, as_number(self.group["lr"])
        state["n_iter"] += 1
        if state["n_iter"] == 1:
            state |= {"old_dirs": [], "old_stps": [], "ro": [], "H_diag": 1}
            state["d"] = -self.grad
            state["t"] = min(1.0, 1.0 / self.grad.abs().sum().item()) * lr
        else:
            self.remember()
            state["d"] = self.direction()
            state["t"] = lr
        state["prev_flat_grad"], state["prev_loss"] = self.grad, self.loss

    def remember(self) -> None:
        """Add the last step to the past, if it went up the gradient's slope."""
        state = self.state
        change = self.grad - state["prev_flat_grad"]
        step = state["d"] * as_number(state["t"])
        curvature = change.dot(step).item()
        if curvature <= 1e-10:
            return
        past = (state["old_dirs"], state["old_stps"], state["ro"])
        for entries, entry in zip(past, (change, step, 1.0 / curvature), strict=True):
            if len(entries) == self.group["history_size"]:
                entries.pop(0)
            entries.append(entry)
        state["H_diag"] = curvature / change.dot(change).item()

    def direction(self) -> Any:
        """Return the next direction, from a past padded so that few programs are compiled."""
        changes, steps = self.state["old_dirs"], self.state["old_stps"]
        weights = [as_number(weight) for weight in self.state["ro"]]
        scale = as_number(self.state["H_diag"])
        if not weights:
            return self.grad * -scale
        padding = (1 << (len(weights) - 1).bit_length()) - len(weights)
        return _direction(
            self.grad, changes + [self.grad] * padding, steps + [self.grad] * padding,
            weights + [0.0] * padding, float(scale),
        )  # fmt: skip

    def advance(self, slope: float, is_last: bool) -> None:
        """Step along the direction, as far as the line search says."""
        search, state = self.group["line_search_fn"], self.state
        if search is None:
            self.move(state["t"])
            if not is_last:  # the next call would evaluate here again
                self.evaluate()
            return
        if search != "strong_wolfe":
            raise RuntimeError("only 'strong_wolfe' is supported")
        start = Point(0.0, self.loss, slope, self.grad)
        found, _ = strong_wolfe(
            self.look, start, state["t"], _largest(state["d"]),
            self.group["max_eval"] - self.num_evaluations,
        )  # fmt: skip
        state["t"], self.loss, self.grad = found.distance, found.loss, found.grad
        self.move(found.distance)

    def look(self, distance: float) -> Point:
        """Evaluate at a distance along the direction, and come back."""
        here = [wrap(param._node(), None) for param in self.params]
        self.move(distance)
        self.evaluate()
        for param, value in zip(self.params, here, strict=True):
            param._write(value._node(), None)
        return Point(distance, self.loss, self.grad.dot(self.state["d"]).item(), self.grad)

    def move(self, distance: float) -> None:
        for param, value in zip(
            self.params, _moved(self.params, self.state["d"], float(distance)), strict=True
        ):
            param._write(value._node(), None)

    def is_finished(self) -> bool:
        tolerance = self.group["tolerance_change"]
        return (
            self.num_evaluations >= self.group["max_eval"]
            or self.is_at_rest()
            or _largest(self.state["d"]) * abs(self.state["t"]) <= tolerance
            or abs(self.loss - self.state["prev_loss"]) < tolerance
        )


def _gradient(param: Tensor) -> Tensor:
    if param.grad is not None:
        return param.grad
    return from_array(np.zeros(param.shape, param.dtype.np), device=param.device)


def _largest(x: Any) -> float:
    return x.abs().max().item()
