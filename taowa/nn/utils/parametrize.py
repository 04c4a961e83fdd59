"""Parametrizations: a module's tensor as a function of others that are trained instead."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from typing import Any

from taowa.core.grad_mode import no_grad
from taowa.core.tensor import Tensor
from taowa.nn.container import ModuleDict, ModuleList
from taowa.nn.module import Module
from taowa.nn.parameter import Parameter

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]


class _Cache:
    """Values of parametrized tensors, kept while somebody is inside `cached`."""

    def __init__(self):
        self.depth = 0
        self.values: dict[tuple[int, str], Tensor] = {}


_cache = _Cache()


@contextlib.contextmanager
def cached() -> Iterator[None]:
    """Compute each parametrized tensor once, at its first use within the block.

    Example:
        >>> from taowa import nn
        >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 1))
        >>> with cached():
        ...     layer.weight is layer.weight
        True
    """
    _cache.depth += 1
    try:
        yield
    finally:
        _cache.depth -= 1
        if not _cache.depth:
            _cache.values = {}


def _register(module: Module, name: str, tensor: Any) -> None:
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


def _set(target: Tensor, value: Tensor) -> None:
    """Give a tensor the values, and possibly the shape, of another; it stays the same object."""
    target.data = Tensor._from_node(value._node())


def _require_tensor(value: Any, what: str) -> None:
    if not isinstance(value, Tensor):
        raise ValueError(f"{what} must return a tensor. Got {type(value).__name__}.")


def _require_alike(found: Tensor, wanted: Tensor, names: tuple[str, str], what: str) -> None:
    """Raise unless type and shape of two tensors agree."""
    for kind in ("dtype", "shape"):
        values = getattr(wanted, kind), getattr(found, kind)
        if values[0] != values[1]:
            raise ValueError(
                f"{what.format(kind=kind)}\n{names[0].format(kind)}: {values[0]}\n"
                f"{names[1].format(kind)}: {values[1]}"
            )


class ParametrizationList(ModuleList):
    """Hold the functions that give a tensor its value, and the tensors they start from.

    Args:
        modules: Applied one after the other.
        original: The parameter or buffer that they replace.
        unsafe: Whether they may change its type and shape.

    Attributes:
        original: What the first function takes, or `original0`, `original1` and so on.

    Raises:
        ValueError: if the functions do not fit together, or not with the tensor.

    Example:
        >>> import taowa
        >>> from taowa import nn
        >>> class Doubled(nn.Module):
        ...     def forward(self, x):
        ...         return 2 * x
        >>> ParametrizationList([Doubled()], nn.Parameter(taowa.ones(2)))().detach()
        tensor([2., 2.])
    """

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False):
        if len(modules) == 0:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        before = original.detach()
        with no_grad():
            new: Any = original
            for module in reversed(self):
                if hasattr(module, "right_inverse"):
                    with contextlib.suppress(NotImplementedError):  # then it is the identity
                        new = module.right_inverse(new)
        if not isinstance(new, Tensor | Sequence):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got {type(new).__name__}"
            )
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if self.is_tensor else len(new)
        if self.is_tensor:
            self._take_one(original, new)
        else:
            self._take_several(original, new)  # type: ignore[arg-type]
        if not unsafe:
            self._require_consistent(before)

    def _take_one(self, original: Tensor, new: Any) -> None:
        for kind in ("dtype", "device"):
            values = getattr(original, kind), getattr(new, kind)
            if values[0] != values[1]:
                raise ValueError(
                    f"When `right_inverse` outputs one tensor, it may not change the {kind}.\n"
                    f"original.{kind}: {values[0]}\nright_inverse(original).{kind}: {values[1]}"
                )
        _set(original, new)  # the same object, which an optimiser may hold already
        _register(self, "original", original)

    def _take_several(self, original: Tensor, new: Sequence[Any]) -> None:
        for i, tensor in enumerate(new):
            if not isinstance(tensor, Tensor):
                raise ValueError(
                    "'right_inverse' must return a Tensor or a Sequence of tensors (list, "
                    f"tuple...). Got element {i} of the sequence with type "
                    f"{type(tensor).__name__}."
                )
            own = Tensor._from_node(tensor._node())
            if isinstance(original, Parameter):
                own = Parameter(own, original.requires_grad)
            own.requires_grad_(original.requires_grad)
            _register(self, f"original{i}", own)

    def _require_consistent(self, before: Tensor) -> None:
        value = self()
        _require_tensor(value, "A parametrization")
        names = ("unparametrized {}", "parametrized {}")
        what = (
            "Registering a parametrization may not change the {kind} of the tensor, unless "
            "`unsafe` flag is enabled."
        )
        _require_alike(value, before, names, what)

    def _originals(self) -> list[Tensor]:
        if self.is_tensor:
            return [self.original]
        return [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def right_inverse(self, value: Any) -> None:
        """Change the originals so that they give `value`, as assigning to the tensor does.

        Raises:
            RuntimeError: if a function has no inverse.
            ValueError: if an inverse does not return what it returned at first.
        """
        with no_grad():
            for module in reversed(self):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        f"parametrization {type(module).__name__} does not implement right_inverse."
                    )
                value = module.right_inverse(value)
            if self.is_tensor:
                self._replace_one(value)
            else:
                self._replace_several(value)

    def _replace_one(self, value: Any) -> None:
        if not isinstance(value, Tensor):
            raise ValueError(f"`right_inverse` should return a tensor. Got {type(value).__name__}")
        if value.dtype != self.original.dtype:
            raise ValueError(
                f"The tensor returned by `right_inverse` has dtype {value.dtype} "
                f"while `original` has dtype {self.original.dtype}"
            )
        _set(self.original, value)

    def _replace_several(self, values: Any) -> None:
        if not isinstance(values, Sequence):
            raise ValueError(
                f"'right_inverse' must return a sequence of tensors. Got {type(values).__name__}."
            )
        if len(values) != self.ntensors:
            raise ValueError(
                "'right_inverse' must return a sequence of tensors of length "
                f"{self.ntensors}. Got a sequence of length {len(values)}."
            )
        for i, (old, value) in enumerate(zip(self._originals(), values, strict=True)):
            if not isinstance(value, Tensor):
                raise ValueError(
                    "'right_inverse' must return a sequence of tensors. "
                    f"Got element {i} of type {type(value).__name__}."
                )
            if value.dtype != old.dtype:
                raise ValueError(
                    f"Tensor {i} returned by `right_inverse` has dtype {value.dtype} "
                    f"while `original{i}` has dtype {old.dtype}"
                )
            _set(old, value)

    def forward(self) -> Tensor:
        """Return the value of the parametrized tensor."""
        first, *others = self
        value = first(*self._originals())
        for module in others:
            value = module(value)
        return value


def _deepcopy(self: Any, memo: dict) -> Any:
    """Copy as `copy.deepcopy` does without asking for a pickle, which is refused."""
    if id(self) not in memo:
        twin = memo[id(self)] = object.__new__(type(self))
        twin.__dict__ = copy.deepcopy(self.__dict__, memo)
    return memo[id(self)]


def _refuse_pickling(self: Any) -> Any:
    raise RuntimeError(
        "Serialization of parametrized modules is only supported through state_dict(). See:\n"
        "https://pytorch.org/tutorials/beginner/saving_loading_models.html"
        "#saving-loading-a-general-checkpoint-for-inference-and-or-resuming-training"
    )


def _inject_class(module: Module) -> None:
    """Give the module a class of its own, on which properties can be set."""
    kind = type(module)
    members: dict[str, Any] = {"__getstate__": _refuse_pickling}
    if not hasattr(kind, "__deepcopy__"):
        members["__deepcopy__"] = _deepcopy
    module.__class__ = type(f"Parametrized{kind.__name__}", (kind,), members)


def _inject_property(module: Module, name: str) -> None:
    """Let the attribute read and write through the parametrization."""

    def read(self: Any) -> Tensor:
        if not _cache.depth:
            return self.parametrizations[name]()
        key = (id(self), name)
        if key not in _cache.values:
            _cache.values[key] = self.parametrizations[name]()
        return _cache.values[key]

    def write(self: Any, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    setattr(type(module), name, property(read, write))


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Let a parameter or buffer be computed, at each access, by a module.

    What is trained is `module.parametrizations.<name>.original` then. If the parametrization has
    a method `right_inverse`, it gives the original's first value and those after assignments.

    Args:
        module: Owns the tensor; its class becomes `Parametrized...`.
        tensor_name: Of the parameter or buffer; registering several times chains them.
        parametrization: Called with the original, or with the result of the one before.
        unsafe: Whether it may change type and shape.

    Raises:
        ValueError: if there is no such tensor, or the parametrization does not fit it.

    Example:
        >>> import taowa
        >>> from taowa import nn
        >>> class Symmetric(nn.Module):
        ...     def forward(self, x):
        ...         return x.triu() + x.triu(1).mT
        >>> layer = register_parametrization(nn.Linear(3, 3), "weight", Symmetric())
        >>> bool((layer.weight == layer.weight.mT).all())
        True
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        _append(module, tensor_name, parametrization, unsafe)
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        made = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _inject_class(module)
            module.parametrizations = ModuleDict()
        _inject_property(module, tensor_name)
        module.parametrizations[tensor_name] = made
    else:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element "
            f"with name '{tensor_name}'"
        )
    return module


def _append(module: Any, name: str, parametrization: Any, unsafe: bool) -> None:
    if not unsafe:
        value = getattr(module, name)
        new = parametrization(value)
        _require_tensor(new, "A parametrization")
        own, flag = f"module.{name}", "unless the `unsafe` flag is enabled."
        _require_alike(
            new, value, (f"{own}.{{}}", f"parametrization({own}).{{}}"),
            f"Registering a parametrization may not change the {{kind}} of the tensor, {flag}",
        )  # fmt: skip
        if hasattr(parametrization, "right_inverse"):
            with contextlib.suppress(NotImplementedError):
                back = parametrization.right_inverse(new)
                _require_tensor(back, "parametrization.right_inverse")
                _require_alike(
                    back, value, (f"{own}.{{}}", "returned {}"),
                    "The tensor returned by parametrization.right_inverse must have the same "
                    f"{{kind}} as {own}, {flag}",
                )  # fmt: skip
    module.parametrizations[name].append(parametrization)
    module.parametrizations[name].unsafe |= unsafe


def is_parametrized(module: Any, tensor_name: str | None = None) -> bool:
    """Return whether a tensor of the module, or any if no name is given, is parametrized.

    Example:
        >>> from taowa import nn
        >>> is_parametrized(nn.Linear(2, 1))
        False
    """
    found = getattr(module, "parametrizations", None)
    if not isinstance(found, ModuleDict):
        return False
    return len(found) > 0 if tensor_name is None else tensor_name in found


def remove_parametrizations(
    module: Any, tensor_name: str, leave_parametrized: bool = True
) -> Module:
    """Make a parametrized tensor an ordinary parameter or buffer again.

    Args:
        leave_parametrized: Whether it keeps its present value instead of the original's.

    Raises:
        ValueError: if it is not parametrized, or there are several originals to go back to.

    Example:
        >>> from taowa import nn
        >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 1))
        >>> remove_parametrizations(layer, "weight")
        Linear(in_features=2, out_features=1, bias=True)
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    made: Any = module.parametrizations[tensor_name]
    if made.is_tensor:
        original = made.original
        if leave_parametrized:
            with no_grad():
                _set(original, getattr(module, tensor_name))
    elif leave_parametrized:
        value = getattr(module, tensor_name)
        original = Parameter(value.detach()) if value.requires_grad else value
    else:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is "
            "parametrized in terms of a sequence of tensors."
        )
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register(module, tensor_name, original)
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """Return the class that the module had before its tensors were parametrized.

    Example:
        >>> from taowa import nn
        >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 1))
        >>> type_before_parametrizations(layer).__name__
        'Linear'
    """
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Any, to_module: Any, tensor_name: str | None = None
) -> Module:
    """Give a module the parametrizations and the originals of another.

    Args:
        from_module: Keeps its own.
        to_module: Tensors that it lacks are made first.
        tensor_name: Of one tensor; all by default.

    Example:
        >>> from taowa import nn
        >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 1))
        >>> twin = transfer_parametrizations_and_params(layer, nn.Linear(2, 1))
        >>> bool((twin.weight == layer.weight).all())
        True
    """
    if not is_parametrized(from_module):
        return to_module
    names = list(from_module.parametrizations) if tensor_name is None else [tensor_name]
    for name in names:
        made = from_module.parametrizations[name]
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name).detach()))
        for parametrization in made:
            register_parametrization(to_module, name, parametrization)
        target = to_module.parametrizations[name]
        originals = (
            ["original"] if made.is_tensor else [f"original{i}" for i in range(made.ntensors)]
        )
        for original in originals:
            setattr(target, original, getattr(made, original))
    return to_module
