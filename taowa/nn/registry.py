"""What a module owns, by name: the rules of attribute assignment and registration."""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from taowa.core.tensor import Tensor
from taowa.nn.naming import typename
from taowa.nn.parameter import Buffer, Parameter

if TYPE_CHECKING:
    from taowa.nn.module import Module

__all__: list[str] = []

# Hooks of every module, called before something is registered; filled by hooks.py.
BUFFER_HOOKS: OrderedDict[int, Callable] = OrderedDict()
MODULE_HOOKS: OrderedDict[int, Callable] = OrderedDict()
PARAMETER_HOOKS: OrderedDict[int, Callable] = OrderedDict()

_HOOK_TABLES = (
    "_backward_pre_hooks",
    "_backward_hooks",
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)


class Registry:
    """The part of `Module` that holds parameters, buffers and children by name."""

    call_super_init = False
    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _non_persistent_buffers_set: set[str]
    _modules: dict[str, Module | None]
    _backward_pre_hooks: OrderedDict[int, Callable]
    _backward_hooks: OrderedDict[int, Callable]
    _forward_hooks: OrderedDict[int, Callable]
    _forward_hooks_with_kwargs: OrderedDict[int, bool]
    _forward_hooks_always_called: OrderedDict[int, bool]
    _forward_pre_hooks: OrderedDict[int, Callable]
    _forward_pre_hooks_with_kwargs: OrderedDict[int, bool]
    _state_dict_hooks: OrderedDict[int, Callable]
    _state_dict_pre_hooks: OrderedDict[int, Callable]
    _load_state_dict_pre_hooks: OrderedDict[int, Callable]
    _load_state_dict_post_hooks: OrderedDict[int, Callable]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init:
            self._require_no_arguments(args, kwargs)
        self.__dict__.update(
            training=True,
            _parameters={},
            _buffers={},
            _non_persistent_buffers_set=set(),
            _modules={},
        )
        self._add_hook_tables()
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    def _require_no_arguments(self, args: tuple, kwargs: dict[str, Any]) -> None:
        init = f"{type(self).__name__}.__init__()"
        if kwargs:
            raise TypeError(f"{init} got an unexpected keyword argument '{next(iter(kwargs))}'")
        if args:
            given = len(args) + 1
            raise TypeError(f"{init} takes 1 positional argument but {given} were given")

    def _add_hook_tables(self) -> None:
        own = self.__dict__
        for table in _HOOK_TABLES:
            own.setdefault(table, OrderedDict())

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__.copy()

    def __setstate__(self, state: dict[str, Any]) -> None:
        own = self.__dict__
        own.update(state)
        # A pickle of an older or foreign module may lack tables that came later.
        self._add_hook_tables()
        own.setdefault("_non_persistent_buffers_set", set())

    # -- attributes -----------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        if (
            "_modules" in own
        ):  # not so before __init__; written out because layers read weights often
            if name in own["_parameters"]:
                return own["_parameters"][name]
            if name in own["_modules"]:
                return own["_modules"][name]
            if name in own["_buffers"]:
                return own["_buffers"][name]
        message = f"'{type(self).__name__}' object has no attribute '{name}'"
        raise AttributeError(message, name=name, obj=self)

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if isinstance(value, Parameter):
            self._require_init("parameters")
            self._forget(name, "_buffers", "_modules")
            self.register_parameter(name, value)
        elif name in own.get("_parameters", ()):
            if value is not None:
                raise _cannot_assign(value, "parameter", name, "torch.nn.Parameter or None")
            self.register_parameter(name, None)
        elif isinstance(value, Registry):
            self._require_init("module")
            self._forget(name, "_parameters", "_buffers")
            self._set_module(name, value)
        elif name in own.get("_modules", ()):
            if value is not None:
                raise _cannot_assign(value, "child module", name, "torch.nn.Module or None")
            self._set_module(name, None)
        elif isinstance(value, Buffer) or name in own.get("_buffers", ()):
            self._set_buffer(name, value)
        else:
            super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        for table in (self._parameters, self._buffers, self._modules):
            if name in table:
                del table[name]
                self._non_persistent_buffers_set.discard(name)
                return
        super().__delattr__(name)

    def __dir__(self) -> list[str]:
        names = [*dir(type(self)), *self.__dict__, *self._parameters, *self._modules]
        names += self._buffers
        return sorted(name for name in names if not name[:1].isdigit())

    def _require_init(self, what: str) -> None:
        if "_parameters" not in self.__dict__:
            raise AttributeError(f"cannot assign {what} before Module.__init__() call")

    def _forget(self, name: str, *tables: str) -> None:
        """Free a name for another kind of member."""
        own = self.__dict__
        own.pop(name, None)
        for table in tables:
            own[table].pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    def _set_module(self, name: str, module: Any) -> None:
        for hook in MODULE_HOOKS.values():
            replaced = hook(self, name, module)
            module = module if replaced is None else replaced
        self._modules[name] = module

    def _set_buffer(self, name: str, value: Any) -> None:
        if value is not None and not _is_tensor_like(value):
            expected = "torch.nn.Buffer, torch.Tensor or None"
            raise _cannot_assign(value, "buffer", name, expected)
        is_buffer = isinstance(value, Buffer)
        persistent = value.persistent if is_buffer else name not in self._non_persistent_buffers_set
        if type(self).register_buffer is not Registry.register_buffer:
            self._register_overridden(name, value, persistent)
            return
        self.register_buffer(name, value, persistent)

    def _register_overridden(self, name: str, value: Tensor | None, persistent: bool) -> None:
        """Register through a subclass's `register_buffer`, which may not know `persistent`."""
        if "persistent" in inspect.signature(self.register_buffer).parameters:
            self.register_buffer(name, value, persistent)
        elif persistent:
            self.register_buffer(name, value)
        else:
            raise RuntimeError(
                f"{type(self).__name__}.register_buffer has no argument `persistent`: "
                f"it cannot take the non-persistent buffer '{name}'"
            )

    # -- registration ---------------------------------------------------------------------

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Register a parameter under a name, by which it is also an attribute.

        Args:
            name: Without dots, not the name of another attribute.
            param: `None` reserves the name: not in `state_dict`, not moved.

        Raises:
            TypeError: if `param` is no `Parameter`.
            KeyError: if the name is empty, has a dot or is taken.
            ValueError: if `param` was computed from other tensors.

        Example:
            >>> import taowa
            >>> from taowa import nn
            >>> layer = nn.Module()
            >>> layer.register_parameter("weight", nn.Parameter(taowa.ones(2)))
            >>> layer.register_parameter("bias", None)
            >>> [name for name, _ in layer.named_parameters()]
            ['weight']
        """
        self._require_init("parameter")
        self._require_name("parameter", name, self._parameters)
        if param is not None:
            _require_leaf_parameter(name, param)
            for hook in PARAMETER_HOOKS.values():
                replaced = hook(self, name, param)
                param = param if replaced is None else replaced
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Register a tensor that belongs to the module's state but is not trained.

        Args:
            name: Without dots, not the name of another attribute.
            tensor: `None` reserves the name.
            persistent: Whether the buffer is part of `state_dict`.

        Raises:
            TypeError: if `tensor` is no tensor.
            KeyError: if the name is empty, has a dot or is taken.

        Example:
            >>> import taowa
            >>> from taowa import nn
            >>> norm = nn.Module()
            >>> norm.register_buffer("running_mean", taowa.zeros(2))
            >>> norm.running_mean
            tensor([0., 0.])
        """
        if "_buffers" not in self.__dict__:
            raise AttributeError("cannot assign buffer before Module.__init__() call")
        self._require_name("buffer", name, self._buffers)
        if tensor is not None and not _is_tensor_like(tensor):
            raise _cannot_assign(tensor, "buffer", name, "torch Tensor or None", to_register=True)
        for hook in BUFFER_HOOKS.values():
            replaced = hook(self, name, tensor)
            tensor = tensor if replaced is None else replaced
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Register a child module under a name, by which it is also an attribute.

        Args:
            name: Without dots, not the name of another attribute.
            module: `None` reserves the name.

        Raises:
            TypeError: if `module` is no `Module`.
            KeyError: if the name is empty, has a dot or is taken.

        Example:
            >>> from taowa import nn
            >>> net = nn.Module()
            >>> net.add_module("act", nn.Identity())
            >>> net
            Module(
              (act): Identity()
            )
        """
        if not isinstance(module, Registry) and module is not None:
            raise TypeError(f"{typename(module)} is not a Module subclass")
        if not isinstance(name, str):
            raise TypeError(f"module name should be a string. Got {typename(name)}")
        if hasattr(self, name) and name not in self._modules:
            raise KeyError(f"attribute '{name}' already exists")
        if "." in name:
            raise KeyError(f'module name can\'t contain ".", got: {name}')
        if name == "":
            raise KeyError('module name can\'t be empty string ""')
        self._set_module(name, module)

    def register_module(self, name: str, module: Module | None) -> None:
        """Register a child module: another name of `add_module`."""
        self.add_module(name, module)

    def _require_name(self, kind: str, name: Any, table: dict[str, Any]) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {typename(name)}")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain "."')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if hasattr(self, name) and name not in table:
            raise KeyError(f"attribute '{name}' already exists")


def _is_tensor_like(value: Any) -> bool:
    return isinstance(value, Tensor) or hasattr(value, "__torch_function__")


def _cannot_assign(
    value: Any, kind: str, name: str, expected: str, to_register: bool = False
) -> TypeError:
    what = f"'{typename(value)}' object to" if to_register else f"'{typename(value)}' as"
    verb = "required" if to_register else "expected"
    return TypeError(f"cannot assign {what} {kind} '{name}' ({expected} {verb})")


def _require_leaf_parameter(name: str, param: Any) -> None:
    if not isinstance(param, Parameter):
        expected = "torch.nn.Parameter or None"
        raise _cannot_assign(param, "parameter", name, expected, to_register=True)
    if param.grad_fn is not None:
        raise ValueError(
            f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be "
            f"created explicitly. To express '{name}' as a function of another Tensor, compute "
            "the value in the forward() method."
        )
