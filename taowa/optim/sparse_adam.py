"""SparseAdam."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from taowa.core.grad_mode import enable_grad
from taowa.optim.optimizer import Optimizer, as_number, check_number
from taowa.optim.rule import check_betas, check_scalar

__all__ = ["SparseAdam"]


class SparseAdam(Optimizer):
    """Adam for sparse gradients, which taowa does not make: every gradient here is dense.

    Args:
        params: Parameters or groups of them.
        lr: Learning rate, > 0.
        betas: Decay of the first and second moment, each in [0, 1).
        eps: Added to the root of the second moment, > 0.
        maximize: Step along the gradient instead.

    Raises:
        RuntimeError: by `step`, as PyTorch does for dense gradients. Use `Adam`.

    Example:
        >>> import taowa
        >>> w = taowa.ones(2, requires_grad=True)
        >>> optimizer = SparseAdam([w], lr=0.5)
        >>> w.sum().backward()
        >>> try:
        ...     optimizer.step()
        ... except RuntimeError as error:
        ...     print(error)
        SparseAdam does not support dense gradients, please consider Adam instead
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ):
        check_scalar(lr)
        check_number("learning rate", lr, as_number(lr) > 0)
        check_number("epsilon value", eps, eps > 0)
        check_betas(betas)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})
        places = [
            [i, k]
            for i, group in enumerate(self.param_groups)
            for k, param in enumerate(group["params"])
            if param.dtype.is_complex
        ]
        if places:
            raise ValueError(
                f"Complex params at indices {places}: SparseAdam does not support complex "
                "parameters"
            )

    def step(self, closure: Callable | None = None) -> Any:
        """Do nothing but call the closure, if no parameter has a gradient; otherwise raise."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        if any(p.grad is not None for group in self.param_groups for p in group["params"]):
            raise RuntimeError(
                "SparseAdam does not support dense gradients, please consider Adam instead"
            )
        return loss
