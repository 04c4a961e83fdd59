"""Tensors from users' data, and the old constructors that name a type."""

from __future__ import annotations

import warnings
from typing import Any

import jax
import numpy as np

from taowa import dtypes
from taowa.core.api import NAMES, public
from taowa.core.size import Size
from taowa.core.tensor import Tensor, from_array, from_jax, legacy_constructor
from taowa.ops.conversion import TYPE_NAMES, to
from taowa.ops.copying import clone
from taowa.ops.creation import as_size
from taowa.ops.element_types import as_dtype, checked_number
from taowa.ops.nested_data import array_of

_COPY_WARNING = (
    "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
    "sourceTensor.detach().clone().requires_grad_(True), rather than {}."
)


@public(is_method=False)
def tensor(
    data: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return a tensor with a copy of the data.

    Args:
        data: A number, nested sequences of numbers, a NumPy array or a tensor.
        dtype: Element type; inferred if `None`: bool, int64, the default floating type, or that
            of the array.

    Raises:
        ValueError: for sequences whose lengths do not match.

    Example:
        >>> import taowa
        >>> taowa.tensor([[1, 2], [3, 4]])
        tensor([[1, 2],
                [3, 4]])
    """
    if isinstance(data, Tensor):
        warnings.warn(_COPY_WARNING.format("torch.tensor(sourceTensor)"), UserWarning, stacklevel=3)
        device = device or data.device
    return from_array(array_of(data, as_dtype(dtype)), requires_grad, device)


@public(is_method=False)
def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """Return the data as a tensor: the tensor itself if it is one that fits.

    Unlike PyTorch, the tensor does not share memory with a NumPy array.

    Example:
        >>> import taowa
        >>> x = taowa.ones(2)
        >>> taowa.as_tensor(x) is x, taowa.as_tensor([1.0, 2.0])
        (True, tensor([1., 2.]))
    """
    if isinstance(data, Tensor):
        return to(data, data.device if device is None else device, as_dtype(dtype))
    return from_array(array_of(data, as_dtype(dtype)), False, device)


@public(is_method=False)
def asarray(
    obj: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    copy: bool | None = None,
    requires_grad: bool | None = None,
) -> Tensor:
    """Return an object as a tensor, copied if `copy` is true or it has to be.

    Args:
        requires_grad: Whether gradients flow to the tensor; by default as to the object.

    Raises:
        ValueError: if `copy` is false and a copy is needed.

    Example:
        >>> import taowa
        >>> taowa.asarray([1.0, 2.0])
        tensor([1., 2.])
    """
    made = as_tensor(obj, dtype, device)
    if copy is False and made is not obj:
        raise ValueError(f"can't alias a {type(obj).__name__} without a copy")
    if copy and made is obj:
        made = made.clone()  # type: ignore[attr-defined]
    if requires_grad is None or made.requires_grad == requires_grad:
        return made
    return made.requires_grad_(requires_grad) if made.is_leaf else made.detach()


@public(is_method=False)
def from_numpy(ndarray: np.ndarray) -> Tensor:
    """Return a tensor with the elements of a NumPy array.

    Unlike PyTorch, the tensor is a copy: writing to one leaves the other as it is.

    Raises:
        TypeError: for anything but an array of numbers.

    Example:
        >>> import taowa
        >>> taowa.from_numpy(np.arange(3))
        tensor([0, 1, 2])
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    return from_array(array_of(ndarray))


@public(is_method=False)
def scalar_tensor(
    s: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return a 0-dim tensor of a number, in the default floating type unless told otherwise.

    Example:
        >>> import taowa
        >>> taowa.scalar_tensor(3)
        tensor(3.)
    """
    kind = as_dtype(dtype) or dtypes.get_default_dtype()
    return from_array(checked_number(s, kind), requires_grad, device)


@public(is_method=False)
def frombuffer(
    buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Tensor:
    """Return a one-dimensional tensor with the bytes of a buffer, copied.

    Args:
        count: Number of elements; -1 = all that follow `offset`.
        offset: Where to start, in bytes.

    Example:
        >>> import taowa
        >>> taowa.frombuffer(bytes([1, 0, 2, 0]), dtype=taowa.int16)
        tensor([1, 2], dtype=torch.int16)
    """
    kind = as_dtype(dtype)
    found = np.frombuffer(buffer, kind.np, count, offset)  # type: ignore[union-attr]
    return from_array(found.copy(), requires_grad)


@public(is_method=False)
def from_dlpack(ext_tensor: Any) -> Tensor:
    """Return a tensor with the elements of another library's array, copied.

    Example:
        >>> import taowa
        >>> taowa.from_dlpack(np.arange(3))
        tensor([0, 1, 2])
    """
    if isinstance(ext_tensor, Tensor):
        return clone(ext_tensor.detach())
    with jax.enable_x64(True):
        return from_jax(jax.numpy.array(jax.dlpack.from_dlpack(ext_tensor), copy=True))


@public(is_method=False)
def set_default_tensor_type(t: Any) -> None:
    """Set the default floating type by the name or class of its tensors. Deprecated.

    Example:
        >>> import taowa
        >>> taowa.set_default_tensor_type("torch.FloatTensor")
    """
    name = t.rpartition(".")[2] if isinstance(t, str) else t.__name__
    dtypes.set_default_dtype(TYPE_NAMES[name])


@public(is_function=False)
def new_tensor(
    self: Tensor,
    data: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """Return a tensor with a copy of the data, in this tensor's type and place.

    Example:
        >>> import taowa
        >>> taowa.ones(1).new_tensor([1, 2])
        tensor([1., 2.])
    """
    if isinstance(data, Tensor):
        warnings.warn(
            _COPY_WARNING.format("tensor.new_tensor(sourceTensor)"), UserWarning, stacklevel=2
        )
    kind = as_dtype(dtype) or self.dtype
    return from_array(array_of(data, kind), requires_grad, device or self.device)


def _construct(kind: Any, args: tuple, device: Any) -> Tensor:
    """Make a tensor as the old constructors do: from sizes, or from data."""
    if not args:
        return from_array(np.zeros(0, kind.np), False, device)
    first = args[0]
    if len(args) == 1:
        if isinstance(first, Tensor):
            return first.detach()
        if isinstance(first, list | tuple | np.ndarray) and not isinstance(first, Size):
            return from_array(array_of(first, kind), False, device)
        if isinstance(first, float | complex | bool):
            raise TypeError(f"new(): data must be a sequence (got {type(first).__name__})")
    return from_array(np.zeros(as_size("new", args), kind.np), False, device)


def _tensor(*args: Any, device: Any = None) -> Tensor:
    return _construct(dtypes.get_default_dtype(), args, device)


legacy_constructor[0] = _tensor


@public(is_function=False)
def new(self: Tensor, *args: Any, device: Any = None) -> Tensor:
    """Return a tensor from sizes or data in this tensor's type. Deprecated: use `new_empty`.

    Example:
        >>> import taowa
        >>> taowa.ones(1).new([1, 2])
        tensor([1., 2.])
    """
    return _construct(self.dtype, args, device or self.device)


class tensortype(type):  # noqa: N801  (PyTorch's own spelling)
    """Make the classes `FloatTensor`, `LongTensor`, ...: constructors and `isinstance` tests.

    Example:
        >>> import taowa
        >>> taowa.LongTensor([1, 2]), isinstance(taowa.ones(1), taowa.LongTensor)
        (tensor([1, 2]), False)
    """

    dtype: Any

    def __call__(cls, *args: Any, device: Any = None) -> Tensor:
        """Make a tensor from sizes or data."""
        return _construct(cls.dtype, args, device)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype

    def __repr__(cls) -> str:
        return f"<class 'torch.{cls.__name__}'>"


for _name, _kind in TYPE_NAMES.items():
    NAMES[_name] = tensortype(_name, (), {"dtype": _kind, "__module__": "torch"})
