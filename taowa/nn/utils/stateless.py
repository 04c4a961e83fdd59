"""Calling a module with tensors that are not its own."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

from taowa.core.tensor import Tensor
from taowa.nn.module import Module
from taowa.nn.parallel import DataParallel

__all__ = ["functional_call"]


def _members(module: Module) -> dict[str, Tensor]:
    """Return all parameters and buffers by name, shared ones under each of their names."""
    named = dict(module.named_parameters(remove_duplicate=False))
    return named | dict(module.named_buffers(remove_duplicate=False))


def _for_all_names(members: dict[str, Tensor], given: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return what is given for one name of a shared tensor, for all its names."""
    names: dict[int, list[str]] = {}
    for name, tensor in members.items():
        names.setdefault(id(tensor), []).append(name)
    complete = dict(given)
    for shared in names.values():
        found = {id(given[name]): given[name] for name in shared if name in given}
        if len(found) > 1:
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(shared)}, which are tied. "
                "Consider using tie_weights=False"
            )
        complete |= dict.fromkeys(shared, *found.values()) if found else {}
    return complete


def _require_all(module: Module, members: dict[str, Tensor], given: dict[str, Tensor]) -> None:
    """Raise unless exactly the module's tensors are given."""
    faults = []
    for kind, missing in (("Unexpected", set(given) - set(members)),
                          ("Missing", set(members) - set(given))):  # fmt: skip
        if missing:
            faults.append(f"{kind} key(s): {', '.join(map(repr, sorted(missing)))}.")
    if faults:
        listed = "\n\t".join(faults)
        raise RuntimeError(f"Error(s) in reparametrizing for {module._get_name()}:\n\t{listed}")


def _swap(module: Any, name: str, value: Any) -> Any:
    """Put a tensor under a dotted name and return the one that was there."""
    *path, last = name.split(".")
    for part in path:
        module = module._modules[part] if part in module._modules else getattr(module, part)
    for table in (module._parameters, module._buffers):
        if last in table:
            old, table[last] = table[last], value
            return old
    old = getattr(module, last)
    setattr(module, last, value)
    return old


@contextlib.contextmanager
def replaced(
    module: Module, given: dict[str, Tensor], tie_weights: bool = True, strict: bool = False
) -> Iterator[None]:
    """Let a module own other tensors within the block.

    Example:
        >>> import taowa
        >>> from taowa import nn
        >>> layer = nn.Linear(1, 1)
        >>> with replaced(layer, {"bias": taowa.ones(1)}):
        ...     layer.bias
        tensor([1.])
    """
    members = _members(module)
    complete = _for_all_names(members, given) if tie_weights else given
    if strict:
        _require_all(module, members, complete)
    old: dict[str, Any] = {}
    try:
        for name, value in complete.items():
            old[name] = _swap(module, name, value)
        yield
    finally:
        # A module may have put new buffers in place of the given ones: hand them out.
        new = {name: _swap(module, name, value) for name, value in old.items()}
        given.update({name: new[name] for name in given if name in new})


def call_with(
    module: Module,
    parameters_and_buffers: dict[str, Tensor],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Return what a module computes with other tensors than its own.

    Args:
        parameters_and_buffers: By dotted name; the module's own where there are none.
        args: One argument, or a tuple of them.
        tie_weights: Whether a tensor given for one name of a shared one stands for all.
        strict: Whether all of the module's tensors must be given.

    Raises:
        RuntimeError: with `strict`, if a name is missing or unexpected.
        ValueError: if different tensors are given for one that is shared.

    Example:
        >>> import taowa
        >>> from taowa import nn
        >>> own = {"weight": taowa.ones(1, 1), "bias": taowa.zeros(1)}
        >>> call_with(nn.Linear(1, 1), own, taowa.tensor([5.0]))
        tensor([5.])
    """
    if isinstance(module, DataParallel):
        raise RuntimeError("The stateless API can't be used with nn.DataParallel module")
    args = () if args is None else args
    args = args if isinstance(args, tuple) else (args,)
    with replaced(module, parameters_and_buffers, tie_weights, strict):
        return module(*args, **(kwargs or {}))


def functional_call(
    module: Module,
    parameters_and_buffers: dict[str, Tensor],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Return what a module computes with other tensors than its own; deprecated by PyTorch.

    See `call_with`, which does not warn.

    Example:
        >>> import warnings
        >>> import taowa
        >>> from taowa import nn
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     functional_call(nn.ReLU(), {}, taowa.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """
    warnings.warn(
        "`torch.nn.utils.stateless.functional_call` is deprecated as of PyTorch 2.0 and will be "
        "removed in a future version of PyTorch. Please use `torch.func.functional_call` instead "
        "which is a drop-in replacement.",
        FutureWarning,
        stacklevel=2,
    )
    return call_with(
        module, parameters_and_buffers, args, kwargs, tie_weights=tie_weights, strict=strict
    )
