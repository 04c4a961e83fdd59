"""Modules that hold parameters in order or by name."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Iterable, Iterator, KeysView, Mapping
from typing import Any, Self

from taowa.core.tensor import Tensor
from taowa.nn.container import checked_pairs
from taowa.nn.module import Module
from taowa.nn.naming import typename
from taowa.nn.parameter import Parameter

__all__ = ["ParameterDict", "ParameterList"]


def _as_parameter(value: Any) -> Any:
    """Return a plain tensor as a parameter, anything else as it is."""
    is_plain = isinstance(value, Tensor) and not isinstance(value, Parameter)
    return Parameter(value) if is_plain else value


def _describe(value: Any, kind: str) -> str:
    if not isinstance(value, Tensor):
        return f"Object of type: {type(value).__name__}"
    size = "x".join(map(str, value.shape))
    place = "" if value.device.type == "cpu" else f" ({value.device})"
    name = "Parameter" if isinstance(value, Parameter) else "Tensor"
    return f"{name} containing: [{kind} of size {size}{place}]"


class ParameterList(Module):
    """Hold parameters in a list; a plain tensor becomes a parameter, other values are kept too.

    Args:
        values: What to begin with.

    Example:
        >>> import taowa
        >>> from taowa import nn
        >>> nn.ParameterList([taowa.ones(2), taowa.ones(2, 3)])
        ParameterList(
            (0): Parameter containing: [torch.float32 of size 2]
            (1): Parameter containing: [torch.float32 of size 2x3]
        )
    """

    _size: int

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def _name_at(self, index: Any) -> str:
        position = operator.index(index)
        if not -len(self) <= position < len(self):
            raise IndexError(f"index {position} is out of range")
        return str(position % len(self))

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(self[i] for i in range(len(self))[index])
        return getattr(self, self._name_at(index))

    def __setitem__(self, index: int, param: Any) -> None:
        setattr(self, self._name_at(index), _as_parameter(param))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __iadd__(self, parameters: Iterable[Any]) -> Self:
        return self.extend(parameters)

    def append(self, value: Any) -> Self:
        """Add a value at the end."""
        self._size += 1
        self[self._size - 1] = value
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add values at the end.

        Raises:
            TypeError: if `values` is a tensor or cannot be iterated over.
        """
        if not isinstance(values, Iterable) or isinstance(values, Tensor):
            given = type(values).__name__
            raise TypeError(
                f"ParameterList.extend should be called with an iterable, but got {given}"
            )
        for value in values:
            self.append(value)
        return self

    def extra_repr(self) -> str:
        """Return one line for each value."""
        kinds = (value.dtype if isinstance(value, Tensor) else "" for value in self)
        values = zip(self, kinds, strict=True)
        return "\n".join(f"  ({i}): {_describe(v, str(k))}" for i, (v, k) in enumerate(values))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Raise: a list of parameters computes nothing."""
        raise RuntimeError("ParameterList should not be called.")


class ParameterDict(Module):
    """Hold parameters by name; a plain tensor becomes a parameter, other values are kept too.

    Args:
        parameters: A mapping, or pairs of name and value. A plain `dict` is added in the order of
            its sorted names, as PyTorch does.

    Example:
        >>> import taowa
        >>> from taowa import nn
        >>> nn.ParameterDict({"scale": taowa.ones(3)})
        ParameterDict(  (scale): Parameter containing: [torch.FloatTensor of size 3])
    """

    _keys: dict[str, None]

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys = {}
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Any:
        return getattr(self, _checked_key(key))

    def __setitem__(self, key: str, value: Any) -> None:
        setattr(self, _checked_key(key), _as_parameter(value))
        self._keys[key] = None

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def copy(self) -> ParameterDict:
        """Return a new dict with the same parameters."""
        return ParameterDict(OrderedDict(self.items()))

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the value of that name, which is `default` if there was none."""
        if key not in self:
            self[key] = default
        return self[key]

    def clear(self) -> None:
        """Remove everything."""
        for key in list(self._keys):
            del self[key]

    def pop(self, key: str) -> Any:
        """Remove a value, and return it."""
        found = self[key]
        del self[key]
        return found

    def popitem(self) -> tuple[str, Any]:
        """Remove the last pair of name and value, and return it.

        Raises:
            KeyError: if there is none.
        """
        key, _ = self._keys.popitem()
        found = self[key]
        delattr(self, key)
        return key, found

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of that name, or `default`."""
        return self[key] if key in self._keys else default

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """Return a new dict with the given names and one value for all."""
        return ParameterDict((key, default) for key in keys)

    def keys(self) -> KeysView[str]:
        """Return the names."""
        return self._keys.keys()

    def items(self) -> Iterator[tuple[str, Any]]:
        """Iterate over the pairs of name and value."""
        return ((key, self[key]) for key in self._keys)

    def values(self) -> Iterator[Any]:
        """Iterate over the values."""
        return (self[key] for key in self._keys)

    def update(self, parameters: Any) -> None:
        """Add values, or replace those of the same name.

        Args:
            parameters: An `OrderedDict`, `ParameterDict` or pairs of name and value keep their
                order; any other mapping is added in the order of its sorted names.

        Raises:
            TypeError: if `parameters` is not iterable, or one of its elements is not.
            ValueError: if an element is no pair.
        """
        if isinstance(parameters, OrderedDict | ParameterDict):
            pairs: Any = parameters.items()
        elif isinstance(parameters, Mapping):
            pairs = sorted(parameters.items())
        else:
            pairs = checked_pairs("ParameterDict", parameters, "ParametersDict")
        for key, value in pairs:
            self[key] = value

    def extra_repr(self) -> str:
        """Return one line for each value."""
        return "\n".join(f"  ({k}): {_describe(v, typename(v))}" for k, v in self.items())

    def __call__(self, input: Any) -> Any:
        """Raise: a dict of parameters computes nothing."""
        raise RuntimeError("ParameterDict should not be called.")

    def __or__(self, other: ParameterDict) -> ParameterDict:
        merged = self.copy()
        merged.update(other)
        return merged

    def __ror__(self, other: ParameterDict) -> ParameterDict:
        merged = other.copy()
        merged.update(self)
        return merged

    def __ior__(self, other: ParameterDict) -> Self:
        self.update(other)
        return self


def _checked_key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(
            "Index given to ParameterDict cannot be used as a key as it is not a string "
            f"(type is '{type(key).__name__}')."
        )
    return key
