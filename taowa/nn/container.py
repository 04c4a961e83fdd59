"""Modules that hold modules in order or by name."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from itertools import chain
from typing import Any, Self, overload

from taowa.nn.module import Module
from taowa.nn.naming import indent

__all__ = ["ModuleDict", "ModuleList", "Sequential"]


class _Positional(Module):
    """Children named 0, 1, 2…: what `Sequential` and `ModuleList` have in common."""

    def _names_at(self, index: Any) -> Any:
        """Return the name at a position, or the list of names in a slice."""
        names = list(self._modules)
        if isinstance(index, slice):
            return names[index]
        position = operator.index(index)
        if not -len(names) <= position < len(names):
            raise IndexError(f"index {position} is out of range")
        return names[position]

    def _renumber(self) -> None:
        self._modules = {str(i): module for i, module in enumerate(self._modules.values())}

    def _make_room(self, index: int, module: Module) -> None:
        """Put a module at a position and count those behind it on."""
        for i in range(len(self._modules), index, -1):
            self._modules[str(i)] = self._modules[str(i - 1)]
        self._modules[str(index)] = module

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._names_at(operator.index(index)), module)

    def __delitem__(self, index: int | slice) -> None:
        names = self._names_at(index)
        for name in names if isinstance(index, slice) else [names]:
            delattr(self, name)
        self._renumber()

    def append(self, module: Module) -> Self:
        """Add a module at the end.

        Example:
            >>> from taowa import nn
            >>> len(nn.Sequential(nn.ReLU()).append(nn.Tanh()))
            2
        """
        self.add_module(str(len(self)), module)
        return self

    def pop(self, key: int | slice) -> Any:
        """Remove what is at a position, and return it."""
        found = self[key]  # type: ignore[index]  (both subclasses define it)
        del self[key]
        return found


class Sequential(_Positional):
    """Call modules one after another, each on the output of the one before.

    Args:
        args: The modules, or one `OrderedDict` of named modules.

    Example:
        >>> from collections import OrderedDict
        >>> from taowa import nn
        >>> nn.Sequential(nn.Linear(4, 8), nn.ReLU())
        Sequential(
          (0): Linear(in_features=4, out_features=8, bias=True)
          (1): ReLU()
        )
        >>> net = nn.Sequential(OrderedDict(hidden=nn.Linear(4, 8), act=nn.ReLU()))
        >>> net.hidden, net[-1]
        (Linear(in_features=4, out_features=8, bias=True), ReLU())
    """

    @overload
    def __init__(self, *args: Module) -> None: ...
    @overload
    def __init__(self, arg: OrderedDict[str, Module], /) -> None: ...
    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], OrderedDict):
            named = args[0].items()
        else:
            named = ((str(i), module) for i, module in enumerate(args))
        for name, module in named:
            self.add_module(name, module)

    def forward(self, input: Any) -> Any:
        """Return the last module's output."""
        for module in self:
            input = module(input)
        return input

    def __getitem__(self, index: int | slice) -> Any:
        names = self._names_at(index)
        if isinstance(index, slice):
            chosen: Any = OrderedDict((name, self._modules[name]) for name in names)
            return type(self)(chosen)
        return self._modules[names]

    def insert(self, index: int, module: Module) -> Self:
        """Put a module before the one at a position.

        Raises:
            IndexError: if the position is beyond the end.

        Example:
            >>> from taowa import nn
            >>> nn.Sequential(nn.ReLU()).insert(0, nn.Tanh())[0]
            Tanh()
        """
        if not isinstance(module, Module):
            raise AssertionError(f"module should be of type: {Module}")
        count = len(self)
        if not -count <= index <= count:
            raise IndexError(f"Index out of range: {index}")
        self._make_room(index + count if index < 0 else index, module)
        return self

    def extend(self, sequential: Iterable[Module]) -> Self:
        """Add modules at the end."""
        for module in sequential:
            self.append(module)
        return self

    def __add__(self, other: Any) -> Sequential:
        _require_sequential(other)
        return Sequential(*self, *other)

    def __iadd__(self, other: Any) -> Self:
        _require_sequential(other)
        return self.extend(list(other))

    def __mul__(self, times: int) -> Sequential:
        self._require_factor(times)
        return Sequential(*(list(self) * times))

    __rmul__ = __mul__

    def __imul__(self, times: int) -> Self:
        self._require_factor(times)
        return self.extend(list(self) * (times - 1))

    def _require_factor(self, times: Any) -> None:
        if not isinstance(times, int):
            raise TypeError(f"unsupported operand type(s) for *: {type(self)} and {type(times)}")
        if times <= 0:
            raise ValueError(f"Non-positive multiplication factor {times} for {type(self)}")


def _require_sequential(other: Any) -> None:
    if not isinstance(other, Sequential):
        raise ValueError(
            f"add operator supports only objects of Sequential class, but {type(other)} is given."
        )


class ModuleList(_Positional):
    """Hold modules in a list, whose parameters are the owner's; calling them is up to `forward`.

    Args:
        modules: What to begin with.

    Example:
        >>> from taowa import nn
        >>> nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        ModuleList(
          (0-2): 3 x Linear(in_features=4, out_features=4, bias=True)
        )
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __getitem__(self, index: int | slice) -> Any:
        names = self._names_at(index)
        if isinstance(index, slice):
            return type(self)([self._modules[name] for name in names])  # type: ignore[misc]
        return self._modules[names]

    def insert(self, index: int, module: Module) -> None:
        """Put a module before the one at a position."""
        self._make_room(index + len(self) if index < 0 else index, module)

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end.

        Raises:
            TypeError: if `modules` cannot be iterated over.
        """
        if not isinstance(modules, Iterable):
            given = type(modules).__name__
            raise TypeError(f"ModuleList.extend should be called with an iterable, but got {given}")
        offset = len(self)
        for i, module in enumerate(modules):
            self.add_module(str(offset + i), module)
        return self

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList(chain(self, other))

    def __repr__(self) -> str:
        if not len(self):
            return f"{self._get_name()}()"
        lines = [indent(line, keep_blank=True) for line in _folded([repr(m) for m in self])]
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"


def _folded(reprs: list[str]) -> Iterator[str]:
    """Yield each text with its position, equal neighbours as one with its count."""
    first = 0
    for i, text in enumerate(reprs):
        if i + 1 < len(reprs) and reprs[i + 1] == text:
            continue
        count = i + 1 - first
        yield f"({first}): {text}" if count == 1 else f"({first}-{i}): {count} x {text}"
        first = i + 1


class ModuleDict(Module):
    """Hold modules by name, whose parameters are the owner's; calling them is up to `forward`.

    Args:
        modules: A mapping, or pairs of name and module.

    Example:
        >>> from taowa import nn
        >>> heads = nn.ModuleDict({"age": nn.Linear(4, 1), "sex": nn.Linear(4, 2)})
        >>> heads["age"], "sex" in heads
        (Linear(in_features=4, out_features=1, bias=True), True)
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Any:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Remove everything."""
        self._modules.clear()

    def pop(self, key: str) -> Any:
        """Remove a module, and return it."""
        return self._modules.pop(key)

    def keys(self) -> KeysView[str]:
        """Return the names."""
        return self._modules.keys()

    def items(self) -> ItemsView[str, Any]:
        """Return the pairs of name and module."""
        return self._modules.items()

    def values(self) -> ValuesView[Any]:
        """Return the modules."""
        return self._modules.values()

    def update(self, modules: Mapping[str, Module] | Iterable) -> None:
        """Add modules, or replace those of the same name.

        Args:
            modules: A mapping, or pairs of name and module, in the order to add them.

        Raises:
            TypeError: if `modules` is not iterable, or one of its elements is not.
            ValueError: if an element is no pair.

        Example:
            >>> from taowa import nn
            >>> acts = nn.ModuleDict()
            >>> acts.update([("relu", nn.ReLU()), ("tanh", nn.Tanh())])
            >>> list(acts)
            ['relu', 'tanh']
        """
        is_mapping = isinstance(modules, Mapping | ModuleDict)
        pairs = modules.items() if is_mapping else checked_pairs("ModuleDict", modules)
        for name, module in pairs:
            self[name] = module


def checked_pairs(owner: str, values: Any, owner_in_type_error: str = "") -> Iterator[tuple]:
    """Yield pairs of key and value, or raise the error that names the first wrong element."""
    if not isinstance(values, Iterable):
        raise TypeError(
            f"{owner_in_type_error or owner}.update should be called with an iterable of "
            f"key/value pairs, but got {type(values).__name__}"
        )
    for i, pair in enumerate(values):
        if not hasattr(pair, "__iter__"):
            given = type(pair).__name__
            raise TypeError(f"{owner} update sequence element #{i} should be Iterable; is{given}")
        if len(pair) != 2:
            raise ValueError(
                f"{owner} update sequence element #{i} has length {len(pair)}; 2 is required"
            )
        yield pair[0], pair[1]
