"""State dicts: a module's tensors by their dotted names, taken out and put back in."""

from __future__ import annotations

import functools
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from taowa.core.grad_mode import no_grad
from taowa.core.handles import RemovableHandle, register
from taowa.core.tensor import Tensor
from taowa.nn.parameter import Parameter, is_lazy
from taowa.nn.registry import Registry

__all__: list[str] = []

_EXTRA_STATE = "_extra_state"  # the key's last part under which `get_extra_state` is saved


class IncompatibleKeys(NamedTuple):
    """Names in which a state dict and a module differ; the result of `load_state_dict`."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        missing, unexpected = self.missing_keys, self.unexpected_keys
        return f"_IncompatibleKeys(missing_keys={missing}, unexpected_keys={unexpected})"

    __str__ = __repr__


class _HookOfModule:
    """A hook that gets its module first, without keeping the module alive."""

    def __init__(self, hook: Callable, module: Any):
        functools.update_wrapper(self, hook)
        self.hook = hook
        self.module = weakref.ref(module)

    def __call__(self, *args: Any) -> Any:
        module = self.module()
        if module is None:
            raise RuntimeError("You are trying to call the hook of a dead Module!")
        return self.hook(module, *args)

    def __getstate__(self) -> tuple:
        return self.hook, self.module()

    def __setstate__(self, state: tuple) -> None:
        hook, module = state
        if module is None:
            raise RuntimeError("You are trying to revive the hook of a dead Module!")
        self.__init__(hook, module)


class _Load:
    """One `load_state_dict`: what did not fit so far."""

    def __init__(self, metadata: Any, assign: bool):
        self.metadata = metadata
        self.assign = assign
        self.keys = IncompatibleKeys([], [])
        self.errors: list[str] = []

    def load(self, module: Any, state: Any, prefix: str = "") -> None:
        """Load a module and then its children, each from its own part of the state."""
        found = {} if self.metadata is None else self.metadata.get(prefix[:-1], {})
        if self.assign:
            found["assign_to_params_buffers"] = True
        module._load_from_state_dict(state, prefix, found, True, *self.keys, self.errors)
        for name, child in module._modules.items():
            if child is not None:
                start = f"{prefix}{name}."
                part = {key: value for key, value in state.items() if key.startswith(start)}
                self.load(child, part, start)
        for hook in module._load_state_dict_post_hooks.values():
            if hook(module, self.keys) is not None:
                raise AssertionError(
                    "Hooks registered with ``register_load_state_dict_post_hook`` are not "
                    "expected to return new values, if incompatible_keys need to be modified, "
                    "it should be done inplace."
                )

    def all_errors(self, strict: bool) -> list[str]:
        """Return what was wrong, with missing and unexpected names first if they matter."""
        first = []
        if strict and self.keys.missing_keys:
            first.append(f"Missing key(s) in state_dict: {_quoted(self.keys.missing_keys)}. ")
        if strict and self.keys.unexpected_keys:
            first.append(f"Unexpected key(s) in state_dict: {_quoted(self.keys.unexpected_keys)}. ")
        return first + self.errors


def _quoted(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


class State(Registry):
    """The part of `Module` that saves and restores its tensors."""

    _version = 1

    # -- saving ---------------------------------------------------------------------------

    def state_dict(
        self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> Any:
        """Return all parameters and persistent buffers by their dotted names.

        The values share the module's memory; `copy.deepcopy` keeps them as they are now.

        Args:
            args: The same arguments by position, as older programs give them.
            destination: A mapping to fill; `None` makes an `OrderedDict`.
            prefix: What every name begins with.
            keep_vars: Whether the values stay connected to the tape (parameters as such).

        Example:
            >>> from taowa import nn
            >>> nn.Sequential(nn.Linear(2, 1), nn.ReLU()).state_dict().keys()
            odict_keys(['0.weight', '0.bias'])
        """
        if args:
            destination, prefix, keep_vars = _from_positions(args, destination, prefix, keep_vars)
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local_metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local_metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, child in self._modules.items():
            if child is not None:
                start = f"{prefix}{name}."
                child.state_dict(destination=destination, prefix=start, keep_vars=keep_vars)
        return self._run_state_dict_hooks(destination, prefix, local_metadata)

    def _run_state_dict_hooks(self, destination: Any, prefix: str, local_metadata: dict) -> Any:
        for hook in self._state_dict_hooks.values():
            replaced = hook(self, destination, prefix, local_metadata)
            if replaced is None:
                continue
            if getattr(hook, "_from_public_api", False):
                raise RuntimeError("state_dict post-hook must return None")
            destination = replaced
        return destination

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """Put this module's own tensors, not its children's, into `destination`."""
        for name, tensor in self._own_state().items():
            destination[prefix + name] = tensor if keep_vars else tensor.detach()
        if type(self).get_extra_state is not State.get_extra_state:
            destination[prefix + _EXTRA_STATE] = self.get_extra_state()

    def _own_state(self) -> dict[str, Tensor]:
        own: dict[str, Tensor] = {n: p for n, p in self._parameters.items() if p is not None}
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers_set:
                own[name] = buffer
        return own

    def get_extra_state(self) -> Any:
        """Return what else belongs into `state_dict`, under the key `_extra_state`.

        Override it together with `set_extra_state`.

        Example:
            >>> from taowa import nn
            >>> class Counter(nn.Module):
            ...     count = 3
            ...     def get_extra_state(self):
            ...         return self.count
            ...     def set_extra_state(self, state):
            ...         self.count = state
            >>> dict(Counter().state_dict())
            {'_extra_state': 3}
        """
        raise RuntimeError(f"{type(self).__name__} has no extra state: override get_extra_state")

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` returned; called by `load_state_dict`."""
        raise RuntimeError(f"{type(self).__name__} has no extra state: override set_extra_state")

    # -- loading --------------------------------------------------------------------------

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy the values of a state dict into the tensors of the same names.

        Args:
            state_dict: Tensors by dotted name, as `state_dict` returns them.
            strict: Whether a missing or unexpected name is an error.
            assign: Whether the given tensors themselves become the module's, with their type and
                device, instead of being copied.

        Returns:
            The missing and the unexpected names.

        Raises:
            RuntimeError: if a shape differs, or with `strict` a name; lists every one of them.
            TypeError: if `state_dict` is no mapping.

        Example:
            >>> from taowa import nn
            >>> net, twin = nn.Linear(2, 1), nn.Linear(2, 1)
            >>> twin.load_state_dict(net.state_dict())
            <All keys matched successfully>
            >>> twin.load_state_dict({"weight": net.weight}, strict=False).missing_keys
            ['bias']
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        metadata = getattr(state_dict, "_metadata", None)
        state: Any = OrderedDict(state_dict)
        if metadata is not None:
            state._metadata = metadata
        run = _Load(metadata, assign)
        run.load(self, state)
        if errors := run.all_errors(strict):
            listed = "\n\t".join(errors)
            raise RuntimeError(
                f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{listed}"
            )
        return run.keys

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Load this module's own tensors, not its children's; collect what does not fit."""
        for hook in self._load_state_dict_pre_hooks.values():
            hook(
                state_dict, prefix, local_metadata, strict,
                missing_keys, unexpected_keys, error_msgs,
            )  # fmt: skip
        assign = local_metadata.get("assign_to_params_buffers", False)
        own = self._own_state()
        for name, tensor in own.items():
            key = prefix + name
            if key in state_dict:
                error_msgs.extend(self._load_tensor(name, tensor, key, state_dict[key], assign))
            elif strict:
                missing_keys.append(key)
        extra = prefix + _EXTRA_STATE
        if self._takes_extra_state() and extra in state_dict:
            self.set_extra_state(state_dict[extra])
        elif strict and self._takes_extra_state():
            missing_keys.append(extra)
        if strict:
            unexpected_keys.extend(self._unexpected(state_dict, prefix, own))

    def _takes_extra_state(self) -> bool:
        return type(self).set_extra_state is not State.set_extra_state

    def _load_tensor(
        self, name: str, tensor: Tensor, key: str, value: Any, assign: bool
    ) -> list[str]:
        """Load one tensor and return what was wrong with it."""
        if not (isinstance(value, Tensor) or hasattr(value, "__torch_function__")):
            return [
                f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like '
                f"object from checkpoint but received {type(value)}"
            ]
        if is_lazy(tensor) and is_lazy(value):
            return []  # there is nothing in either
        if len(tensor.shape) == 0 and tuple(value.shape) == (1,):
            value = value.reshape(())  # files from before there were scalars have one element
        if value.shape != tensor.shape:
            return [
                f"size mismatch for {key}: copying a param with shape {value.shape} from "
                f"checkpoint, the shape in current model is {tensor.shape}."
            ]
        try:
            with no_grad():
                self._take_tensor(name, tensor, value, assign)
        except Exception as error:
            return [
                f'While copying the parameter named "{key}", whose dimensions in the model are '
                f"{tensor.shape} and whose dimensions in the checkpoint are {value.shape}, "
                f"an exception occurred : {error.args}."
            ]
        return []

    def _take_tensor(self, name: str, tensor: Tensor, value: Any, assign: bool) -> None:
        if not assign:
            tensor.copy_(value)
            return
        if isinstance(tensor, Parameter) and not isinstance(value, Parameter):
            value = Parameter(value, requires_grad=tensor.requires_grad)
        elif isinstance(tensor, Parameter):
            value.requires_grad_(tensor.requires_grad)
        setattr(self, name, value)

    def _unexpected(self, state: dict[str, Any], prefix: str, own: dict[str, Any]) -> list[str]:
        """Return the keys under `prefix` that name neither a tensor of this module nor a child."""
        extra = prefix + _EXTRA_STATE
        found = [extra] if extra in state and not self._takes_extra_state() else []
        for key in state:
            if not key.startswith(prefix) or key == extra:
                continue
            first, dot, _ = key[len(prefix) :].partition(".")
            if first not in (self._modules if dot else own):
                found.append(key)
        return found

    # -- hooks ----------------------------------------------------------------------------

    def register_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call `hook(module, prefix, keep_vars)` before `state_dict` reads this module."""
        return register(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook: Any) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, local_metadata)` after `state_dict`.

        The hook changes `state_dict` in place and returns `None`.
        """
        hook._from_public_api = True
        return register(self._state_dict_hooks, hook)

    def _register_state_dict_hook(self, hook: Any) -> RemovableHandle:
        """Register a post-hook whose result, if any, replaces the state dict."""
        if getattr(hook, "_from_public_api", False):
            raise RuntimeError(
                "Cannot register the same function as the state dict post hook that was "
                "previously registered via register_state_dict_post_hook"
            )
        return register(self._state_dict_hooks, hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call a hook before `load_state_dict` reads this module's part.

        Args:
            hook: Called as `hook(module, state_dict, prefix, local_metadata, strict,
                missing_keys, unexpected_keys, error_msgs)`; may change them in place.

        Example:
            >>> from taowa import nn
            >>> def rename(module, state_dict, prefix, *_):
            ...     state_dict[prefix + "weight"] = state_dict.pop(prefix + "w")
            >>> layer = nn.Linear(2, 1, bias=False)
            >>> handle = layer.register_load_state_dict_pre_hook(rename)
            >>> layer.load_state_dict({"w": layer.weight})
            <All keys matched successfully>
        """
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., None], with_module: bool = False
    ) -> RemovableHandle:
        wrapped = _HookOfModule(hook, self) if with_module else hook
        return register(self._load_state_dict_pre_hooks, wrapped)

    def register_load_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call `hook(module, incompatible_keys)` after `load_state_dict` was through this module.

        Names that the hook removes from `incompatible_keys` in place are no longer errors.
        """
        return register(self._load_state_dict_post_hooks, hook)


def _from_positions(
    args: tuple, destination: Any, prefix: str, keep_vars: bool
) -> tuple[Any, str, bool]:
    """Return `state_dict`'s arguments, those given by position included."""
    warnings.warn(
        "Positional args are being deprecated, use kwargs instead. Refer to "
        "https://pytorch.org/docs/main/generated/torch.nn.Module.html#torch.nn.Module.state_dict "
        "for details.",
        FutureWarning,
        stacklevel=3,
    )
    given = (*args, None, None, None)
    destination = given[0] if destination is None else destination
    return destination, prefix or given[1] or "", keep_vars or bool(given[2])
