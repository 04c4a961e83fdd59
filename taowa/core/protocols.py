"""How tensors take part in Python: printing, numbers, iteration, copying, pickling."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from taowa.core import format as formatting
from taowa.core.node import Node, host_leaf
from taowa.core.tape import GradFn


class Protocols:
    """The special methods of Tensor that need nothing but its public face."""

    if TYPE_CHECKING:  # Tensor's own attributes, and what `ops` installs from its table

        def __getattr__(self, name: str) -> Any: ...
        def __getitem__(self, index: Any) -> Any: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...
        def __neg__(self) -> Any: ...
        def __invert__(self) -> Any: ...
        def __abs__(self) -> Any: ...
        def __add__(self, other: Any) -> Any: ...
        def __radd__(self, other: Any) -> Any: ...
        def __sub__(self, other: Any) -> Any: ...
        def __rsub__(self, other: Any) -> Any: ...
        def __mul__(self, other: Any) -> Any: ...
        def __rmul__(self, other: Any) -> Any: ...
        def __truediv__(self, other: Any) -> Any: ...
        def __rtruediv__(self, other: Any) -> Any: ...
        def __floordiv__(self, other: Any) -> Any: ...
        def __mod__(self, other: Any) -> Any: ...
        def __pow__(self, other: Any) -> Any: ...
        def __rpow__(self, other: Any) -> Any: ...
        def __matmul__(self, other: Any) -> Any: ...
        def __and__(self, other: Any) -> Any: ...
        def __or__(self, other: Any) -> Any: ...
        def __xor__(self, other: Any) -> Any: ...
        def __lt__(self, other: Any) -> Any: ...
        def __le__(self, other: Any) -> Any: ...
        def __gt__(self, other: Any) -> Any: ...
        def __ge__(self, other: Any) -> Any: ...

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        edge: Any = self._tape()
        return formatting.format_tensor(
            self.host(),
            dtype_name=self.dtype.name,
            requires_grad=edge is not None and edge.__class__ is not Node,
            grad_fn_name=GradFn(edge).name() if isinstance(edge, Node) else None,
            device=str(self.device),
        )

    def __format__(self, spec: str) -> str:
        if not spec:
            return repr(self)
        return format(self.item(), spec) if self.ndim == 0 else object.__format__(self, spec)

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return self._aval.shape[0]

    def __bool__(self) -> bool:
        array = self.host()
        if array.size != 1:
            kind = "no values" if array.size == 0 else "more than one value"
            raise RuntimeError(f"Boolean value of Tensor with {kind} is ambiguous")
        return bool(array.reshape(()))

    def __int__(self) -> int:
        return int(self.item().real)

    def __float__(self) -> float:
        return float(self.item())  # type: ignore[arg-type]

    def __complex__(self) -> complex:
        return complex(self.item())

    def __index__(self) -> int:
        if self.dtype.is_floating_point or self.dtype.is_complex:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.item().real)

    def __iter__(self):
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind(0))  # type: ignore[attr-defined]

    def __reversed__(self):
        return self.flip(0) if self.ndim else self  # type: ignore[attr-defined]

    def __dlpack__(self, **kwargs: Any) -> Any:
        return self.to_jax().__dlpack__(**kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.to_jax().__dlpack_device__()

    def __deepcopy__(self, memo: dict) -> Any:
        if id(self) in memo:
            return memo[id(self)]
        if not self.is_leaf:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
                "protocol at the moment."
            )
        new = self._from_node(host_leaf(np.array(self.host()), self.device))
        memo[id(self)] = new
        if self.requires_grad:
            new.requires_grad_()
        if self._grad is not None:
            new._grad = copy.deepcopy(self._grad, memo)
        new.__dict__.update(copy.deepcopy(_user_attributes(self), memo))
        return new

    def __reduce_ex__(self, _: Any):
        state = (np.array(self.host()), self.requires_grad, _user_attributes(self))
        return _unpickle, (type(self), *state)


_OWN = frozenset(
    ("_storage", "_edge", "_lens", "_base", "_version_read", "_read", "_grad", "_retains_grad",
     "_is_inference")
)  # fmt: skip


def _user_attributes(tensor: Any) -> dict[str, Any]:
    return {k: v for k, v in tensor.__dict__.items() if k not in _OWN}


def _unpickle(cls: type, array: np.ndarray, requires_grad: bool, attributes: dict) -> Any:
    made = cls._from_node(host_leaf(array))
    made.__dict__.update(attributes)
    return made.requires_grad_() if requires_grad else made
