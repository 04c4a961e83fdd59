"""Walking a module's tree: its parameters, buffers and descendants, by name and in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Self

from taowa.core.tensor import Tensor
from taowa.nn.parameter import Parameter
from taowa.nn.registry import Registry

if TYPE_CHECKING:
    from taowa.nn.module import Module

__all__: list[str] = []


class Traversal(Registry):
    """The part of `Module` that lists, finds and visits what lies below it."""

    # -- tensors --------------------------------------------------------------------------

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Iterate over the parameters, each once.

        Args:
            recurse: Whether those of the descendants follow.

        Example:
            >>> from taowa import nn
            >>> [tuple(p.shape) for p in nn.Linear(3, 2).parameters()]
            [(2, 3), (2,)]
        """
        for _, param in self.named_parameters(recurse=recurse):
            yield param

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Iterate over the parameters with their dotted names.

        Args:
            prefix: What every name begins with.
            recurse: Whether those of the descendants follow.
            remove_duplicate: Whether a shared parameter comes only under its first name.

        Example:
            >>> from taowa import nn
            >>> [name for name, _ in nn.Sequential(nn.Linear(3, 2)).named_parameters("net")]
            ['net.0.weight', 'net.0.bias']
        """
        modules = self._with_descendants(prefix, recurse, remove_duplicate)
        tables = ((name, module._parameters) for name, module in modules)
        yield from _named_members(tables, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Iterate over the buffers, each once; see `parameters`."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Iterate over the buffers with their dotted names; see `named_parameters`.

        Example:
            >>> from taowa import nn
            >>> [name for name, _ in nn.BatchNorm1d(2).named_buffers()]
            ['running_mean', 'running_var', 'num_batches_tracked']
        """
        modules = self._with_descendants(prefix, recurse, remove_duplicate)
        tables = ((name, module._buffers) for name, module in modules)
        yield from _named_members(tables, remove_duplicate)

    def _with_descendants(
        self, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterable[tuple[str, Registry]]:
        if not recurse:
            return [(prefix, self)]
        return self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)

    # -- modules --------------------------------------------------------------------------

    def children(self) -> Iterator[Module]:
        """Iterate over the direct children, each once."""
        for _, module in self.named_children():
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Iterate over the direct children with their names, each under its first name.

        Example:
            >>> from taowa import nn
            >>> list(nn.Sequential(nn.ReLU(), nn.Tanh()).named_children())
            [('0', ReLU()), ('1', Tanh())]
        """
        memo = set()
        for name, module in self._modules.items():
            if module is not None and module not in memo:
                memo.add(module)
                yield name, module

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """Iterate over this module and all descendants, parents before children.

        Args:
            remove_duplicate: Whether a shared module comes only once.
        """
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_modules(
        self, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """Iterate over this module and all descendants with their dotted names.

        Args:
            memo: Modules to leave out; those met are added.
            prefix: The name of this module itself.
            remove_duplicate: Whether a shared module comes only under its first name.

        Example:
            >>> from taowa import nn
            >>> net = nn.Sequential(nn.Sequential(nn.ReLU()), nn.Tanh())
            >>> [name for name, _ in net.named_modules()]
            ['', '0', '0.0', '1']
        """
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self  # type: ignore[misc]  (every Traversal is a Module)
        for name, module in self._modules.items():
            if module is not None:
                below = f"{prefix}.{name}" if prefix else name
                yield from module.named_modules(memo, below, remove_duplicate)

    # -- by name --------------------------------------------------------------------------

    def get_submodule(self, target: str) -> Module:
        """Return the descendant of that dotted name; an empty name is the module itself.

        Raises:
            AttributeError: if there is none, or it is no module.

        Example:
            >>> from taowa import nn
            >>> nn.Sequential(nn.Sequential(nn.ReLU())).get_submodule("0.0")
            ReLU()
        """
        found: Any = self
        for name in target.split(".") if target else ():
            found = _require_module(_attribute(found, name), name)
        return found

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put a module in the place of that dotted name.

        Args:
            target: Its parent must exist.
            module: What to put there.
            strict: Whether there must be a module to replace.

        Raises:
            ValueError: if `target` is empty or `module` is no module.
            AttributeError: if the parent does not exist, what is there is no module, or with
                `strict` nothing is there.

        Example:
            >>> from taowa import nn
            >>> net = nn.Sequential(nn.Sequential(nn.ReLU()))
            >>> net.set_submodule("0.0", nn.Tanh())
            >>> net[0]
            Sequential(
              (0): Tanh()
            )
        """
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Registry):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict or hasattr(parent, name):
            _require_module(_attribute(parent, name), name)
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """Return the parameter of that dotted name.

        Raises:
            AttributeError: if there is none, or it is no parameter.
        """
        path, _, name = target.rpartition(".")
        param = _attribute(self.get_submodule(path), name)
        if not isinstance(param, Parameter):
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return param

    def get_buffer(self, target: str) -> Tensor:
        """Return the buffer of that dotted name.

        Raises:
            AttributeError: if there is none, or it is no buffer.
        """
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        buffer = _attribute(module, name)
        if name not in module._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        return buffer

    # -- visits ---------------------------------------------------------------------------

    def apply(self, fn: Callable[[Any], Any]) -> Self:
        """Call `fn(module)` on every descendant and last on this module.

        Example:
            >>> from taowa import nn
            >>> net = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
            >>> _ = net.apply(lambda module: print(type(module).__name__))
            Linear
            ReLU
            Sequential
        """
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Set training mode, in which dropout drops and batch-norm uses the batch's statistics.

        Args:
            mode: Whether to train; `False` is the same as `eval`.

        Raises:
            ValueError: if `mode` is no bool.
        """
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Self:
        """Set evaluation mode, in which a result depends on nothing but input and weights.

        Example:
            >>> from taowa import nn
            >>> nn.Sequential(nn.Dropout()).eval()[0].training
            False
        """
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set for all parameters whether `backward` computes their gradients.

        Example:
            >>> from taowa import nn
            >>> frozen = nn.Linear(2, 1).requires_grad_(False)
            >>> frozen.weight.requires_grad
            False
        """
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Reset the gradients of all parameters.

        Args:
            set_to_none: Whether to drop them; otherwise they become zeros.
        """
        for param in self.parameters():
            if param.grad is None:
                continue
            if set_to_none:
                param.grad = None
            else:
                param.grad = param.grad.detach()
                param.grad.zero_()


def _named_members(
    tables: Iterable[tuple[str, dict[str, Any]]], remove_duplicate: bool
) -> Iterator[tuple[str, Any]]:
    seen = set()
    for module_name, members in tables:
        for name, member in members.items():
            if member is None or id(member) in seen:
                continue
            if remove_duplicate:
                seen.add(id(member))
            yield (f"{module_name}.{name}" if module_name else name), member


def _require_module(found: Any, name: str) -> Any:
    if not isinstance(found, Registry):
        raise AttributeError(f"`{name}` is not an nn.Module")
    return found


def _attribute(module: Any, name: str) -> Any:
    if not hasattr(module, name):
        raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
    return getattr(module, name)
