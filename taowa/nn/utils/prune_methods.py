"""What can be pruned of a parameter: methods and chains of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any

import numpy as np

from taowa.core.tensor import Tensor, from_array
from taowa.nn.module import Module
from taowa.ops.creation import ones_like
from taowa.ops.random import rand, rand_like

__all__ = [
    "BasePruningMethod",
    "CustomFromMask",
    "Identity",
    "L1Unstructured",
    "LnStructured",
    "PruningContainer",
    "RandomStructured",
    "RandomUnstructured",
]

UNSTRUCTURED, STRUCTURED, GLOBAL = "unstructured", "structured", "global"


def like(array: np.ndarray, tensor: Any) -> Tensor:
    """Return host values as a tensor of another's type and device.

    Example:
        >>> import taowa
        >>> like(np.ones(1), taowa.zeros(1))
        tensor([1.])
    """
    return from_array(np.asarray(array, tensor.dtype.np), device=tensor.device)


def _require_amount(amount: Any) -> None:
    if not isinstance(amount, Real):
        raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
    if amount < 0 or (not isinstance(amount, Integral) and float(amount) > 1.0):
        raise ValueError(
            f"amount={amount} should either be a float in the range [0, 1] or a non-negative "
            "integer"
        )


def _count(amount: Any, size: int) -> int:
    """Return how many of `size` parts to prune."""
    if not isinstance(amount, Integral):
        return round(float(amount) * size)
    count = int(amount)
    if count > size:
        raise ValueError(
            f"amount={amount} should be smaller than the number of parameters to prune={size}"
        )
    return count


class BasePruningMethod(ABC):
    """Choose what to prune of a parameter; subclasses define `compute_mask`.

    Attributes:
        PRUNING_TYPE: `"unstructured"`, `"structured"` (has an attribute `dim`) or `"global"`: on
            which part of a parameter pruned before the method works.
    """

    PRUNING_TYPE: str
    _tensor_name: str | None = None

    def __call__(self, module: Module, inputs: Any) -> None:
        """Compute the pruned parameter, before a call of the module."""
        setattr(module, self._name(module), self.apply_mask(module))

    def _name(self, module: Module) -> str:
        if self._tensor_name is None:
            raise AssertionError(f"Module {module} has to be pruned")
        return self._tensor_name

    @abstractmethod
    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """Return a mask of ones and zeros.

        Args:
            t: Scores of importance, usually the parameter.
            default_mask: What is left from before; what it lacks stays pruned.
        """

    def apply_mask(self, module: Module) -> Tensor:
        """Return the product of mask and trained parameter."""
        name = self._name(module)
        mask, trained = (getattr(module, f"{name}_{part}") for part in ("mask", "orig"))
        return mask.to(trained.dtype) * trained

    @classmethod
    def apply(
        cls, module: Any, name: str, *args: Any, importance_scores: Any = None, **kwargs: Any
    ) -> BasePruningMethod:
        """Prune a parameter now and before each call of its module.

        Args:
            name: Of the parameter; what was pruned of it before stays so.
            args: Given to the constructor, like further keywords.
            importance_scores: Of the parameter's shape; its own values by default.
        """
        scores: Any = getattr(module, name)
        if importance_scores is not None:
            _require_shape(importance_scores, scores, f"parameter {name} of {module}")
        method = _combined(module, name, cls(*args, **kwargs))
        is_first = not isinstance(method, PruningContainer)
        default: Any = ones_like(scores) if is_first else getattr(module, f"{name}_mask").detach()
        given = scores if importance_scores is None else importance_scores
        mask = method.compute_mask(given, default_mask=default)
        if is_first:
            del module._parameters[name]
            module.register_parameter(f"{name}_orig", scores)
        module.register_buffer(f"{name}_mask", mask)
        setattr(module, name, method.apply_mask(module))
        module.register_forward_pre_hook(method)
        return method

    def prune(self, t: Any, default_mask: Any = None, importance_scores: Any = None) -> Tensor:
        """Return a tensor with parts of it set to zero.

        Args:
            default_mask: What is left from before.
            importance_scores: Of the tensor's shape; its own values by default.
        """
        if importance_scores is not None:
            _require_shape(importance_scores, t, "tensor t")
        default_mask = ones_like(t) if default_mask is None else default_mask
        scores = t if importance_scores is None else importance_scores
        return t * self.compute_mask(scores, default_mask=default_mask)

    def remove(self, module: Any) -> None:
        """Make the pruned values the parameter's own."""
        name = self._name(module)
        values = self.apply_mask(module)
        delattr(module, name)
        trained = module._parameters.pop(f"{name}_orig")
        trained.data = values.detach()
        del module._buffers[f"{name}_mask"]
        setattr(module, name, trained)


def _require_shape(scores: Any, wanted: Any, what: str) -> None:
    if scores.shape != wanted.shape:
        raise AssertionError(
            f"importance_scores should have the same shape as {what}, got {scores.shape} vs "
            f"{wanted.shape}"
        )


def _combined(module: Any, name: str, method: BasePruningMethod) -> BasePruningMethod:
    """Return the method, behind those that the parameter was pruned by before."""
    method._tensor_name = name
    hooks = module._forward_pre_hooks
    found = [k for k, hook in hooks.items() if prunes(hook, name)]
    if len(found) > 1:
        raise AssertionError(
            f"Avoid adding multiple pruning hooks to the same tensor {name} of module {module}. "
            "Use a PruningContainer."
        )
    if not found:
        return method
    before = hooks.pop(found[0])
    container = before if isinstance(before, PruningContainer) else PruningContainer(before)
    container.add_pruning_method(method)
    return container


def prunes(hook: Any, name: str) -> bool:
    """Return whether a hook prunes the parameter of that name.

    Example:
        >>> prunes(print, "weight")
        False
    """
    return isinstance(hook, BasePruningMethod) and hook._tensor_name == name


class PruningContainer(BasePruningMethod):
    """Hold the methods that pruned one parameter, one after the other.

    Args:
        args: The methods, all of one parameter.
    """

    def __init__(self, *args: BasePruningMethod):
        self._pruning_methods: tuple[BasePruningMethod, ...] = ()
        if len(args) == 1:
            self._tensor_name = args[0]._tensor_name
        for method in args:
            self.add_pruning_method(method)

    def add_pruning_method(self, method: Any) -> None:
        """Add a method.

        Raises:
            TypeError: if it is none.
            ValueError: if it prunes another parameter.
        """
        if not isinstance(method, BasePruningMethod):
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if self._tensor_name != method._tensor_name:
            raise ValueError(
                "Can only add pruning methods acting on the parameter named "
                f"'{self._tensor_name}' to PruningContainer {self}. Found '{method._tensor_name}'"
            )
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Iterator[BasePruningMethod]:
        return iter(self._pruning_methods)

    def __getitem__(self, idx: int) -> BasePruningMethod:
        return self._pruning_methods[idx]

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """Return the mask after the last method, which works on what the others left."""
        method: Any = self._pruning_methods[-1]
        values, mask = t.detach().host(), default_mask.detach().host()
        part = _part_left(method, mask)
        # The method sees the part alone, so that its amount is counted of what is left.
        scores, before = like(values[part], t), like(mask[part], default_mask)
        new = np.array(mask, values.dtype)
        new[part] = method.compute_mask(scores, default_mask=before).host()
        return like(new, t)


def _part_left(method: Any, mask: np.ndarray) -> Any:
    """Return the index of the part of a parameter that a method works on."""
    if method.PRUNING_TYPE == UNSTRUCTURED:
        return mask == 1
    if method.PRUNING_TYPE == GLOBAL:
        return (slice(None),) * mask.ndim
    if method.PRUNING_TYPE != STRUCTURED:
        raise ValueError(f"Unrecognized PRUNING_TYPE {method.PRUNING_TYPE}")
    if not hasattr(method, "dim"):
        raise AttributeError(
            'Pruning methods of PRUNING_TYPE "structured" need to have the attribute `dim` defined.'
        )
    dim = method.dim + mask.ndim if method.dim < 0 else method.dim
    if dim < 0:
        raise IndexError(f"Index is out of bounds for tensor with dimensions {mask.ndim}")
    index: list[Any] = [slice(None)] * mask.ndim
    index[dim] = mask.sum(axis=tuple(d for d in range(mask.ndim) if d != dim)) != 0
    return tuple(index)


class Identity(BasePruningMethod):
    """Prune nothing, but make the parameter as if it were pruned."""

    PRUNING_TYPE = UNSTRUCTURED

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """Return the mask from before."""
        return default_mask

    @classmethod
    def apply(cls, module: Any, name: str) -> BasePruningMethod:  # type: ignore[override]
        """Give a parameter a mask of ones."""
        return super().apply(module, name)


class _Unstructured(BasePruningMethod):
    """Prune the elements with the smallest scores."""

    PRUNING_TYPE = UNSTRUCTURED

    def __init__(self, amount: float):
        _require_amount(amount)
        self.amount = amount

    def _scores(self, t: Any) -> np.ndarray:
        raise NotImplementedError

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """Return the mask without the elements of the smallest scores."""
        count = _count(self.amount, t.numel())
        mask = np.array(default_mask.detach().host())
        if count:
            order = np.argsort(self._scores(t), kind="stable")
            mask.reshape(-1)[order[:count]] = 0
        return like(mask, default_mask)


class RandomUnstructured(_Unstructured):
    """Prune elements chosen at random.

    Args:
        amount: How many, or which fraction in [0, 1].
    """

    def _scores(self, t: Any) -> np.ndarray:
        return -rand_like(t.detach()).host().reshape(-1)  # the largest draws are pruned

    @classmethod
    def apply(cls, module: Any, name: str, amount: float) -> BasePruningMethod:  # type: ignore[override]
        """Prune a parameter now and before each call of its module."""
        return super().apply(module, name, amount=amount)


class L1Unstructured(_Unstructured):
    """Prune the elements nearest to zero.

    Args:
        amount: How many, or which fraction in [0, 1].
    """

    def _scores(self, t: Any) -> np.ndarray:
        return np.abs(t.detach().host()).reshape(-1)

    @classmethod
    def apply(  # type: ignore[override]
        cls, module: Any, name: str, amount: float, importance_scores: Any = None
    ) -> BasePruningMethod:
        """Prune a parameter now and before each call of its module."""
        return super().apply(module, name, amount=amount, importance_scores=importance_scores)


class _Structured(BasePruningMethod):
    """Prune the slices along a dimension that have the smallest scores."""

    PRUNING_TYPE = STRUCTURED

    def __init__(self, amount: float, dim: int = -1):
        _require_amount(amount)
        self.amount = amount
        self.dim = dim

    def _scores(self, t: Any) -> np.ndarray:
        raise NotImplementedError

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """Return the mask without the slices of the smallest scores."""
        if t.ndim <= 1:
            raise ValueError(
                "Structured pruning can only be applied to multidimensional tensors. Found tensor "
                f"of shape {t.shape} with {t.ndim} dims"
            )
        if self.dim >= t.ndim:
            raise IndexError(f"Invalid index {self.dim} for tensor of size {t.shape}")
        count = _count(self.amount, t.shape[self.dim])
        if not count:
            return default_mask
        order = np.argsort(self._scores(t), kind="stable")
        mask = np.array(default_mask.detach().host())
        np.moveaxis(mask, self.dim, 0)[order[:count]] = 0
        return like(mask, t)


class RandomStructured(_Structured):
    """Prune slices chosen at random.

    Args:
        amount: How many, or which fraction in [0, 1].
        dim: Along which dimension they are counted.
    """

    def _scores(self, t: Any) -> np.ndarray:
        return rand(t.shape[self.dim]).host()

    @classmethod
    def apply(  # type: ignore[override]
        cls, module: Any, name: str, amount: float, dim: int = -1
    ) -> BasePruningMethod:
        """Prune a parameter now and before each call of its module."""
        return super().apply(module, name, amount=amount, dim=dim)


class LnStructured(_Structured):
    """Prune the slices of the smallest norms.

    Args:
        amount: How many, or which fraction in [0, 1].
        n: Of the norm, as `Tensor.norm` takes it.
        dim: Along which dimension they are counted.
    """

    def __init__(self, amount: float, n: Any, dim: int = -1):
        super().__init__(amount, dim)
        self.n = n

    def _scores(self, t: Any) -> np.ndarray:
        others = [d for d in range(t.ndim) if d != self.dim % t.ndim]
        return t.detach().norm(p=self.n, dim=others).host()

    @classmethod
    def apply(  # type: ignore[override]
        cls, module: Any, name: str, amount: float, n: Any, dim: int, importance_scores: Any = None
    ) -> BasePruningMethod:
        """Prune a parameter now and before each call of its module."""
        return super().apply(
            module, name, amount=amount, n=n, dim=dim, importance_scores=importance_scores
        )


class CustomFromMask(BasePruningMethod):
    """Prune what a mask lacks.

    Args:
        mask: Of the parameter's shape, 0 where it is pruned.
    """

    PRUNING_TYPE = GLOBAL

    def __init__(self, mask: Any):
        self.mask = mask

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """Return the product of both masks."""
        if default_mask.shape != self.mask.shape:
            raise AssertionError(
                f"default_mask shape {default_mask.shape} must match self.mask shape "
                f"{self.mask.shape}"
            )
        return like(default_mask.detach().host() * self.mask.host(), default_mask)

    @classmethod
    def apply(cls, module: Any, name: str, mask: Any) -> BasePruningMethod:  # type: ignore[override]
        """Prune a parameter now and before each call of its module."""
        return super().apply(module, name, mask=mask)
