"""Weights as a length times a direction."""

from __future__ import annotations

import warnings
from typing import Any

import jax.numpy as jnp

from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.nn.module import Module
from taowa.nn.parameter import Parameter, is_lazy
from taowa.ops.precision import wide

__all__ = ["WeightNorm", "remove_weight_norm", "weight_norm"]


def _norm(x: Any, dim: int) -> Any:
    """Return the Euclidean norm over all dimensions but one; over all of them for -1."""
    x = wide(x)
    if dim == -1:
        return jnp.sqrt(jnp.sum(jnp.square(x)))
    axes = tuple(i for i in range(x.ndim) if i != dim % x.ndim)
    return jnp.sqrt(jnp.sum(jnp.square(x), axes, keepdims=True))


@op
def norm_except_dim(input: Array, dim: int):
    """Return the lengths of a tensor's slices along a dimension.

    Args:
        dim: The dimension that stays; -1 for the length of the whole tensor.

    Example:
        >>> import taowa
        >>> norm_except_dim(taowa.tensor([[3.0, 4.0]]), 0)
        tensor([[5.]])
    """
    return _norm(input, dim).astype(input.dtype)


@op(name="weight_norm")
def rescaled(direction: Array, length: Array, dim: int):
    """Return `direction` with slices of the given lengths.

    Args:
        length: As `norm_except_dim` returns it.

    Example:
        >>> import taowa
        >>> rescaled(taowa.tensor([[3.0, 4.0]]), taowa.tensor([[10.0]]), 0)
        tensor([[6., 8.]])
    """
    scale = wide(length) / _norm(direction, dim)
    return (wide(direction) * scale).astype(direction.dtype)


class WeightNorm:
    """Recompute a weight from its length and direction before each call of a module.

    Args:
        name: Of the parameter.
        dim: The dimension along which there is a length for each slice; `None` for one length.
    """

    def __init__(self, name: str, dim: int | None):
        self.name = name
        self.dim = -1 if dim is None else dim

    def compute_weight(self, module: Module) -> Tensor:
        """Return the module's weight of now."""
        length, direction = (getattr(module, f"{self.name}_{part}") for part in "gv")
        return rescaled(direction, length, self.dim)

    @staticmethod
    def apply(module: Module, name: str, dim: int | None) -> WeightNorm:
        """Replace a parameter by two, its length and its direction.

        Raises:
            RuntimeError: if that was done already.
            ValueError: if the parameter has no shape yet.
        """
        warnings.warn(
            "`torch.nn.utils.weight_norm` is deprecated in favor of "
            "`torch.nn.utils.parametrizations.weight_norm`.",
            FutureWarning,
            stacklevel=3,
        )
        if _find(module, name) is not None:
            raise RuntimeError(
                f"Cannot register two weight_norm hooks on the same parameter {name}"
            )
        weight = getattr(module, name)
        if is_lazy(weight):
            raise ValueError(
                "The module passed to `WeightNorm` can't have uninitialized parameters. "
                "Make sure to run the dummy forward before applying weight normalization"
            )
        hook = WeightNorm(name, dim)
        del module._parameters[name]
        length = norm_except_dim(weight.detach(), hook.dim)
        module.register_parameter(f"{name}_g", Parameter(length))
        module.register_parameter(f"{name}_v", Parameter(weight.detach()))
        setattr(module, name, hook.compute_weight(module))
        module.register_forward_pre_hook(hook)
        return hook

    def remove(self, module: Module) -> None:
        """Make the weight an ordinary parameter again."""
        weight = self.compute_weight(module)
        delattr(module, self.name)
        for part in "gv":
            del module._parameters[f"{self.name}_{part}"]
        setattr(module, self.name, Parameter(weight.detach()))

    def __call__(self, module: Module, inputs: Any) -> None:
        """Recompute the weight."""
        setattr(module, self.name, self.compute_weight(module))


def _find(module: Module, name: str) -> int | None:
    """Return the id of the hook on a parameter."""
    found = (
        key
        for key, hook in module._forward_pre_hooks.items()
        if isinstance(hook, WeightNorm) and hook.name == name
    )
    return next(found, None)


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Any:
    """Train a weight's length and direction apart; deprecated: see `parametrizations.weight_norm`.

    Args:
        module: Gets the parameters `<name>_g` and `<name>_v` instead of `<name>`.
        dim: The dimension along which there is a length for each slice; `None` for one length.

    References:
        Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868

    Example:
        >>> import warnings
        >>> from taowa import nn
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     layer = weight_norm(nn.Linear(2, 3))
        >>> layer.weight_g.shape
        torch.Size([3, 1])
    """
    WeightNorm.apply(module, name, dim)
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Any:
    """Make a weight that `weight_norm` split an ordinary parameter again.

    Raises:
        ValueError: if it was not split.
    """
    key = _find(module, name)
    if key is None:
        raise ValueError(f"weight_norm of '{name}' not found in {module}")
    hook: Any = module._forward_pre_hooks[key]
    hook.remove(module)
    del module._forward_pre_hooks[key]
    return module
