"""The base of all optimisers: parameter groups, state, and one recorded node per group's update."""

from __future__ import annotations

import functools
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from copy import deepcopy
from itertools import chain
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from taowa.core.grad_mode import enable_grad, no_grad
from taowa.core.handles import RemovableHandle, register
from taowa.core.op import Array, op
from taowa.core.program import flush
from taowa.core.record import apply_to_nodes
from taowa.core.tensor import Tensor, from_array
from taowa.ops.precision import wide

__all__ = ["Optimizer", "required"]

RULES: dict[str, type[Optimizer]] = {}
_global_hooks: dict[str, OrderedDict] = {"step_pre": OrderedDict(), "step_post": OrderedDict()}


class _Required:
    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()


@op
def optimizer_step(
    params: list[Array],
    grads: list[Array],
    states: list[Array],
    numbers: list[Array],
    rule: str,
    flags: tuple,
):
    """Update all parameters of a group: returns the new parameters, then their new states."""
    new_params, new_states = RULES[rule].update_group(params, grads, states, numbers, flags)
    return (*new_params, *new_states)


def _as_real(x: Any) -> Any:
    """Return complex values as pairs of real ones, half types as float32."""
    return jnp.stack([x.real, x.imag], -1) if jnp.iscomplexobj(x) else wide(x)


def _as_before(x: Any, old: Any) -> Any:
    x = lax.complex(x[..., 0], x[..., 1]) if jnp.iscomplexobj(old) else x
    return x.astype(old.dtype)


class Optimizer:
    """Hold the parameters to optimise and update them from their gradients.

    A subclass for this engine writes four things (see `SGD`): `state_names`, `numbers`, `flags`
    and `update`, the last on JAX arrays for *one* parameter. A subclass written for PyTorch, with
    a `step` of its own made of in-place operations, works too.

    Args:
        params: Parameters, `(name, parameter)` pairs, or dicts with `"params"` and options.
        defaults: The options of groups that do not set their own.
    """

    state_names: tuple[str, ...] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        RULES[cls.__name__] = cls
        step = cls.__dict__.get("step")
        if step is not None and not getattr(step, "is_wrapped", False):
            cls.step = _with_boundary(step)  # type: ignore[method-assign]

    def __init__(self, params: Any, defaults: dict[str, Any]):
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, "
                f"but got {type(params).__name__}"
            )
        self.defaults = defaults
        self.state: defaultdict[Tensor, Any] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._hooks: dict[str, OrderedDict] = defaultdict(OrderedDict)
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(dict(group))
        flush()  # what initialised the parameters is no part of the first step

    # -- what a subclass says ---------------------------------------------------------------

    def numbers(self, group: dict[str, Any], step: int) -> tuple:
        """Return the run-time numbers of the group's `step`-th update, in `update`'s order."""
        raise NotImplementedError(f"{type(self).__name__} defines neither numbers() nor step()")

    def flags(self, group: dict[str, Any]) -> tuple:
        """Return what changes the update's form: hashable, part of the program's key."""
        return ()

    def active_states(self, group: dict[str, Any]) -> tuple[str, ...]:
        """Return the names of the state tensors that the group's options ask for."""
        return self.state_names

    def initial_state(self, param: Tensor, name: str, group: dict[str, Any]) -> np.ndarray:
        """Return the value of a state tensor before the first step."""
        return np.zeros(param.shape, param.dtype.np)

    @classmethod
    def update_group(
        cls, params: list, grads: list, states: list, numbers: list, flags: tuple
    ) -> tuple[list, list]:
        """Return the new parameters and states of a group, by `update` for each parameter."""
        width = len(states) // len(params)
        new_params, new_states = [], []
        for i, (param, grad) in enumerate(zip(params, grads, strict=True)):
            old = (param, grad, *states[i * width : (i + 1) * width])
            values = [_as_real(value) for value in old]
            dtype = values[0].dtype
            cast = [n.astype(dtype) if n.dtype.kind == "f" else n for n in numbers]
            param, *state = cls.update(*values, *cast, flags)
            new_params.append(_as_before(param, old[0]))
            new_states += map(_as_before, state, old[2:])
        return new_params, new_states

    @staticmethod
    def update(param: Any, grad: Any, *rest: Any) -> tuple:
        """Return the new parameter and states, as JAX arrays, from states, numbers and flags."""
        raise NotImplementedError

    # -- stepping -----------------------------------------------------------------------------

    def step(self, closure: Callable | None = None) -> Any:
        """Update the parameters once from their gradients.

        Args:
            closure: Computes the loss again and returns it.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            for step, members in self._by_step(group).items():
                self._update_group(group, step, members)
        return loss

    def _by_step(self, group: dict[str, Any]) -> dict[int, list[Tensor]]:
        """Sort the group's parameters that have gradients by how often they were updated."""
        members: dict[int, list[Tensor]] = {}
        for param in group["params"]:
            if param._grad is not None:
                step = self._count_step(param, group)
                members.setdefault(step, []).append(param)
        return members

    def _count_step(self, param: Tensor, group: dict[str, Any]) -> int:
        """Return the number of this update of the parameter, from 1."""
        state = self.state[param]
        if "step" not in state:
            state["step"] = from_array(np.zeros((), np.float32))
        counter = state["step"]
        if not isinstance(counter, Tensor):
            state["step"] = counter + 1
            return int(state["step"])
        step = int(counter.host()) + 1
        counter.set_host(np.float32(step))
        return step

    def _update_group(self, group: dict[str, Any], step: int, params: list[Tensor]) -> None:
        names = self.active_states(group)
        states = [self._state_of(p, name, group) for p in params for name in names]
        made = apply_to_nodes(
            optimizer_step.op,
            (params, [p._grad for p in params], states, list(self.numbers(group, step))),
            (), (type(self)._rule_name(), self.flags(group)),
        )  # fmt: skip
        for target, node in zip(chain(params, states), made, strict=True):
            if target._lens:
                target._write(node, None)
            else:
                target._storage.rebind(node)

    @classmethod
    def _rule_name(cls) -> str:
        return cls.__name__

    def _state_of(self, param: Tensor, name: str, group: dict[str, Any]) -> Tensor:
        """Return a state tensor, its initial value before the first step."""
        state = self.state[param]
        held = state.get(name)
        if held is None:
            value = self.initial_state(param, name, group)
            held = state[name] = from_array(value, device=param.device)
        return held

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, or set them to zero."""
        for group in self.param_groups:
            for param in group["params"]:
                if param._grad is None:
                    continue
                if set_to_none:
                    param._grad = None
                else:
                    param._grad.requires_grad_(
                        False
                    ) if param._grad.is_leaf else param._grad.detach_()
                    param._grad.set_host(np.zeros(param.shape, param.dtype.np))

    # -- groups -------------------------------------------------------------------------------

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own, such as another learning rate.

        Raises:
            TypeError: if a parameter is no tensor, or the group no dict.
            ValueError: if a parameter is no leaf or is in a group already.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        _collect_params(param_group)
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(
                    "parameter group didn't specify a value of required optimization parameter "
                    f"{name}"
                )
            param_group.setdefault(name, default)
        held = {id(p) for group in self.param_groups for p in group["params"]}
        if held & {id(p) for p in param_group["params"]}:
            raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(param_group)

    # -- state --------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the optimiser, parameters replaced by their numbers."""
        for hook in self._hooks["state_dict_pre"].values():
            hook(self)
        numbers = {id(p): i for i, p in enumerate(chain(*(g["params"] for g in self.param_groups)))}
        groups = [
            {**_options(g), "params": [numbers[id(p)] for p in g["params"]]}
            for g in self.param_groups
        ]  # fmt: skip
        state = {
            numbers[id(p)] if isinstance(p, Tensor) else p: dict(s) for p, s in self.state.items()
        }
        result = {"state": state, "param_groups": groups}
        for hook in self._hooks["state_dict_post"].values():
            result = hook(self, result) or result
        return result

    @no_grad()
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the state that `state_dict` gave.

        Raises:
            ValueError: if the groups do not fit.
        """
        state_dict = dict(state_dict)
        for hook in self._hooks["load_pre"].values():
            state_dict = hook(self, state_dict) or state_dict
        saved = state_dict["param_groups"]
        if len(saved) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(
            len(s["params"]) != len(g["params"])
            for s, g in zip(saved, self.param_groups, strict=True)
        ):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of "
                "optimizer's group"
            )
        params = dict(zip(
            chain(*(s["params"] for s in saved)),
            chain(*(g["params"] for g in self.param_groups)), strict=True,
        ))  # fmt: skip
        state: defaultdict = defaultdict(dict)
        for key, values in state_dict["state"].items():
            state[params.get(key, key)] = (
                {k: _adopt(params[key], k, v) for k, v in values.items()}
                if key in params
                else values
            )
        groups = [{**deepcopy(_options(s)), "params": g["params"]}
                  for s, g in zip(saved, self.param_groups, strict=True)]  # fmt: skip
        self.__setstate__({"state": state, "param_groups": groups})
        for hook in self._hooks["load_post"].values():
            hook(self)

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__dict__.setdefault("_hooks", defaultdict(OrderedDict))
        for group in self.param_groups:
            for name, default in self.defaults.items():
                group.setdefault(name, default)

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {k}: {group[k]}" for k in sorted(group) if k != "params"]
            lines.append("")
        return "\n".join([*lines[:-1], ")"])

    # -- hooks --------------------------------------------------------------------------------

    def _register(self, kind: str, hook: Callable, prepend: bool = False) -> RemovableHandle:
        return register(self._hooks[kind], hook, prepend=prepend)

    def register_step_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before each step."""
        return self._register("step_pre", hook)

    def register_step_post_hook(self, hook: Callable) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after each step."""
        return self._register("step_post", hook)

    def register_state_dict_pre_hook(
        self, hook: Callable, prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer)` before `state_dict`."""
        return self._register("state_dict_pre", hook, prepend)

    def register_state_dict_post_hook(
        self, hook: Callable, prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` after `state_dict`; a result replaces it."""
        return self._register("state_dict_post", hook, prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Callable, prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` before `load_state_dict`; a result replaces it."""
        return self._register("load_pre", hook, prepend)

    def register_load_state_dict_post_hook(
        self, hook: Callable, prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer)` after `load_state_dict`."""
        return self._register("load_post", hook, prepend)


def _with_boundary(step: Callable) -> Callable:
    """Wrap a `step`: hooks around it, no tape within, and the natural boundary at its end."""

    @functools.wraps(step)
    def bounded(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        args = (self, *args)
        for hook in _step_hooks(_global_hooks, self._hooks, "step_pre"):
            args, kwargs = _changed_call(hook(self, args, kwargs), args, kwargs)
        with no_grad():
            result = step(*args, **kwargs)
        for hook in _step_hooks(self._hooks, _global_hooks, "step_post"):
            hook(self, args, kwargs)
        flush()
        return result

    bounded.is_wrapped = True  # type: ignore[attr-defined]
    return bounded


def _step_hooks(first: dict[str, Any], second: dict[str, Any], kind: str) -> list[Callable]:
    return [*first[kind].values(), *second[kind].values()]


def _changed_call(result: Any, args: tuple, kwargs: dict[str, Any]) -> tuple:
    """Return the arguments of a step after a hook has seen them."""
    if result is None:
        return args, kwargs
    if isinstance(result, tuple) and len(result) == 2:
        return result
    raise RuntimeError(
        f"a step hook must return None or a tuple of (new_args, new_kwargs), but got {result}."
    )


def register_optimizer_step_pre_hook(hook: Callable) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` before each step of every optimiser."""
    return register(_global_hooks["step_pre"], hook)


def register_optimizer_step_post_hook(hook: Callable) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` after each step of every optimiser."""
    return register(_global_hooks["step_post"], hook)


Optimizer.step = _with_boundary(Optimizer.step)  # type: ignore[method-assign]


def _options(group: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in group.items() if k != "params"}


def _collect_params(group: dict[str, Any]) -> None:
    """Check a group's parameters and turn them into a list; note their names if given."""
    params = group["params"]
    if isinstance(params, set):
        raise TypeError(
            "optimizer parameters need to be organized in ordered collections, but the ordering of "
            "tensors in sets will change between runs. Please use a list instead."
        )
    items: list[Any] = [params] if isinstance(params, Tensor) else list(params)
    if items and isinstance(items[0], tuple):
        group["param_names"] = [name for name, _ in items]
        items = [param for _, param in items]
    for param in items:
        if not isinstance(param, Tensor):
            raise TypeError(
                f"optimizer can only optimize Tensors, but one of the params is {type(param)}"
            )
        if not (param.is_leaf or param.retains_grad):
            raise ValueError("can't optimize a non-leaf Tensor")
    if len({id(p) for p in items}) != len(items):
        raise ValueError("some parameters appear in more than one parameter group")
    group["params"] = items


def _adopt(param: Tensor, name: str, value: Any) -> Any:
    """Return a loaded state value, tensors in the parameter's type (but never the step count)."""
    if not isinstance(value, Tensor):
        return deepcopy(value)
    array = np.array(value.host())
    if name != "step" and param.dtype.is_floating_point:
        array = array.astype(param.dtype.np)
    return from_array(array, device=param.device if name != "step" else None)


def check_number(name: str, value: Any, is_valid: bool) -> None:
    """Raise the error for a hyper-parameter out of its range."""
    if not is_valid:
        raise ValueError(f"Invalid {name}: {value}")


def as_number(value: Any) -> float:
    """Return a hyper-parameter given as a number or a one-element tensor."""
    return value.item() if isinstance(value, Tensor) else value
