"""Pruning: setting parts of parameters to zero and keeping them there.

A pruned parameter `<name>` becomes `<name>_orig`, which is trained; the buffer `<name>_mask` says
what is left of it, and `<name>` is their product, computed anew before each call of the module.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from taowa.nn.module import Module
from taowa.nn.utils.convert_parameters import parameters_to_vector
from taowa.nn.utils.prune_methods import (
    UNSTRUCTURED,
    BasePruningMethod,
    CustomFromMask,
    Identity,
    L1Unstructured,
    LnStructured,
    PruningContainer,
    RandomStructured,
    RandomUnstructured,
    like,
    prunes,
)
from taowa.ops.creation import ones_like

__all__ = [
    "BasePruningMethod",
    "CustomFromMask",
    "Identity",
    "L1Unstructured",
    "LnStructured",
    "PruningContainer",
    "RandomStructured",
    "RandomUnstructured",
    "custom_from_mask",
    "global_unstructured",
    "identity",
    "is_pruned",
    "l1_unstructured",
    "ln_structured",
    "random_structured",
    "random_unstructured",
    "remove",
]


def identity(module: Any, name: str) -> Any:
    """Give a parameter a mask of ones and return its module.

    Example:
        >>> from taowa import nn
        >>> list(identity(nn.Linear(2, 1), "weight").state_dict())
        ['bias', 'weight_orig', 'weight_mask']
    """
    Identity.apply(module, name)
    return module


def random_unstructured(module: Any, name: str, amount: float) -> Any:
    """Prune elements of a parameter at random and return its module.

    Args:
        amount: How many, or which fraction in [0, 1].

    Example:
        >>> from taowa import nn
        >>> random_unstructured(nn.Linear(2, 2), "weight", 1).weight_mask.sum()
        tensor(3.)
    """
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module: Any, name: str, amount: float, importance_scores: Any = None) -> Any:
    """Prune the elements of a parameter nearest to zero and return its module.

    Args:
        amount: How many, or which fraction in [0, 1].
        importance_scores: Used instead of the parameter's values.

    Example:
        >>> import taowa
        >>> from taowa import nn
        >>> scores = taowa.tensor([[3.0, 1.0]])
        >>> l1_unstructured(nn.Linear(2, 1), "weight", 0.5, scores).weight_mask
        tensor([[1., 0.]])
    """
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module: Any, name: str, amount: float, dim: int) -> Any:
    """Prune slices of a parameter at random and return its module.

    Args:
        amount: How many, or which fraction in [0, 1].
        dim: Along which dimension they are counted.

    Example:
        >>> from taowa import nn
        >>> random_structured(nn.Linear(2, 3), "weight", 1, 0).weight_mask.sum()
        tensor(4.)
    """
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(
    module: Any, name: str, amount: float, n: Any, dim: int, importance_scores: Any = None
) -> Any:
    """Prune the slices of a parameter that have the smallest norms and return its module.

    Args:
        amount: How many, or which fraction in [0, 1].
        n: Of the norm.
        dim: Along which dimension they are counted.
        importance_scores: Used instead of the parameter's values.

    Example:
        >>> import taowa
        >>> from taowa import nn
        >>> scores = taowa.tensor([[3.0, 1.0]])
        >>> ln_structured(nn.Linear(2, 1), "weight", 1, 2, 1, scores).weight_mask
        tensor([[1., 0.]])
    """
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Any, name: str, mask: Any) -> Any:
    """Prune of a parameter what a mask lacks, and return its module.

    Example:
        >>> import taowa
        >>> from taowa import nn
        >>> custom_from_mask(nn.Linear(2, 1), "bias", taowa.zeros(1)).bias.detach()
        tensor([0.])
    """
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(
    parameters: Any, pruning_method: Any, importance_scores: Any = None, **kwargs: Any
) -> None:
    """Prune several parameters as if they were one.

    Args:
        parameters: Pairs of a module and a parameter's name.
        pruning_method: An unstructured one, made with the further keywords.
        importance_scores: By such pairs; the parameters' values where there are none.

    Raises:
        TypeError: if an argument is of another kind.

    Example:
        >>> from taowa import nn
        >>> net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        >>> pairs = [(layer, "weight") for layer in net]
        >>> global_unstructured(pairs, L1Unstructured, amount=3)
        >>> sum(layer.weight_mask.sum() for layer in net)
        tensor(5.)
    """
    if not isinstance(parameters, Iterable):
        raise TypeError("global_unstructured(): parameters is not an Iterable")
    scores = {} if importance_scores is None else importance_scores
    if not isinstance(scores, dict):
        raise TypeError("global_unstructured(): importance_scores must be of type dict")
    pairs: list[Any] = [(module, name) for module, name in parameters]
    values = [getattr(module, name) for module, name in pairs]
    masks = [getattr(module, f"{name}_mask", None) for module, name in pairs]
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != UNSTRUCTURED:
        raise TypeError(
            'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method '
            f"{pruning_method} of type {method.PRUNING_TYPE}"
        )
    method._tensor_name = "all"
    mask = PruningContainer(method).compute_mask(
        parameters_to_vector([scores.get(p, v) for p, v in zip(pairs, values, strict=True)]),
        parameters_to_vector(
            [ones_like(v) if m is None else m for v, m in zip(values, masks, strict=True)]
        ),
    )
    start = 0
    for (module, name), value in zip(pairs, values, strict=True):
        part = mask.host()[start : start + value.numel()].reshape(value.shape)
        custom_from_mask(module, name, like(part, value))
        start += value.numel()


def remove(module: Any, name: str) -> Any:
    """Make a parameter's pruned values its own, and return its module.

    Raises:
        ValueError: if it is not pruned.

    Example:
        >>> from taowa import nn
        >>> layer = random_unstructured(nn.Linear(2, 1), "weight", 1)
        >>> list(remove(layer, "weight").state_dict())
        ['bias', 'weight']
    """
    for key, hook in module._forward_pre_hooks.items():
        if prunes(hook, name):
            hook.remove(module)
            del module._forward_pre_hooks[key]
            return module
    raise ValueError(
        f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed"
    )


def is_pruned(module: Module) -> bool:
    """Return whether a parameter of the module, or of one in it, is pruned.

    Example:
        >>> from taowa import nn
        >>> is_pruned(nn.Linear(2, 1))
        False
    """
    hooks = (h for part in module.modules() for h in part._forward_pre_hooks.values())
    return any(isinstance(hook, BasePruningMethod) for hook in hooks)
