"""What tensors tell about themselves."""

from __future__ import annotations

from typing import Any

from taowa.core.api import public
from taowa.core.size import Size
from taowa.core.tensor import Tensor
from taowa.errors import unsupported
from taowa.ops.dims import one_dim
from taowa.ops.layout import strided


@public(is_function=False)
def size(self: Tensor, dim: int | None = None) -> Any:
    """Return the shape, or the size of one dimension.

    Raises:
        IndexError: if there is no such dimension.

    Example:
        >>> import taowa
        >>> taowa.ones(2, 3).size(), taowa.ones(2, 3).size(-1)
        (torch.Size([2, 3]), 3)
    """
    shape = self._aval.shape
    if dim is None:
        return Size(shape)
    if not shape:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    return shape[one_dim(dim, len(shape))]


@public(is_function=False, aliases=("ndimension",))
def dim(self: Tensor) -> int:
    """Return the number of dimensions.

    Example:
        >>> import taowa
        >>> taowa.ones(2, 3).dim()
        2
    """
    return len(self._aval.shape)


@public
def numel(input: Tensor) -> int:
    """Return the number of elements.

    Example:
        >>> import taowa
        >>> taowa.numel(taowa.ones(2, 3))
        6
    """
    aval = input._aval
    return aval.nbytes // aval.dtype.itemsize


@public(is_function=False)
def nelement(self: Tensor) -> int:
    """Return the number of elements.

    Example:
        >>> import taowa
        >>> taowa.ones(2, 3).nelement()
        6
    """
    return numel(self)


@public(is_function=False)
def element_size(self: Tensor) -> int:
    """Return the size of one element in bytes.

    Example:
        >>> import taowa
        >>> taowa.ones(2).element_size()
        4
    """
    return self._aval.dtype.itemsize


@public
def is_floating_point(input: Tensor) -> bool:
    """Return whether the elements are floating-point numbers.

    Example:
        >>> import taowa
        >>> taowa.is_floating_point(taowa.tensor([1]))
        False
    """
    return input._aval.dtype.is_floating_point


@public
def is_complex(input: Tensor) -> bool:
    """Return whether the elements are complex numbers.

    Example:
        >>> import taowa
        >>> taowa.is_complex(taowa.tensor([1j]))
        True
    """
    return input._aval.dtype.is_complex


@public
def is_signed(input: Tensor) -> bool:
    """Return whether the elements may be negative.

    Example:
        >>> import taowa
        >>> taowa.tensor([1]).is_signed(), taowa.tensor([True]).is_signed()
        (True, False)
    """
    return input._aval.dtype.is_signed


@public
def is_nonzero(input: Tensor) -> bool:
    """Return whether the only element is not zero.

    Raises:
        RuntimeError: if there is not exactly one element.

    Example:
        >>> import taowa
        >>> taowa.is_nonzero(taowa.tensor([0.5]))
        True
    """
    return bool(input)


@public
def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Return whether two tensors have the same shape.

    Example:
        >>> import taowa
        >>> taowa.ones(2).is_same_size(taowa.ones(2, 1))
        False
    """
    return input._aval.shape == other._aval.shape


@public
def get_device(input: Tensor) -> int:
    """Return the index of the tensor's device, -1 for the CPU.

    Example:
        >>> import taowa
        >>> taowa.ones(2).get_device()
        -1
    """
    index = input.device.index
    return -1 if index is None else index


@public
def is_inference(input: Tensor) -> bool:
    """Return whether the tensor was made in inference mode.

    Example:
        >>> import taowa
        >>> taowa.ones(2).is_inference()
        False
    """
    return input._is_inference


@public(is_function=False)
def share_memory_(self: Tensor) -> Tensor:
    """Refuse: processes do not share tensors here.

    Raises:
        NotImplementedError: always.

    Example:
        >>> import taowa
        >>> taowa.ones(2).share_memory_()
        Traceback (most recent call last):
        NotImplementedError: Tensor.share_memory_() is not supported by taowa; use threads
    """
    raise unsupported("Tensor.share_memory_()", "threads")


@public(is_function=False)
def is_shared(self: Tensor) -> bool:
    """Return False: processes do not share tensors here.

    Example:
        >>> import taowa
        >>> taowa.ones(2).is_shared()
        False
    """
    return False


def _place(tensor: Tensor) -> tuple:
    return tensor.stride(), tensor.storage_offset()


@public(is_function=False)
def is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Return whether two tensors are the same view of the same memory.

    Example:
        >>> import taowa
        >>> x = taowa.ones(2)
        >>> x.is_set_to(x.detach()), x.is_set_to(taowa.ones(2))
        (True, False)
    """
    is_same = self._storage is tensor._storage and self.shape == tensor.shape
    return is_same and _place(self) == _place(tensor)


@public(is_function=False)
def pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """Return the tensor itself: transfers need no pinned memory here.

    Example:
        >>> import taowa
        >>> taowa.ones(2).pin_memory()
        tensor([1., 1.])
    """
    return self


@public(is_function=False)
def is_pinned(self: Tensor, device: Any = None) -> bool:
    """Return False: no memory is pinned here.

    Example:
        >>> import taowa
        >>> taowa.ones(2).is_pinned()
        False
    """
    return False


@public(is_method=False)
def is_tensor(obj: Any) -> bool:
    """Return whether an object is a tensor.

    Example:
        >>> import taowa
        >>> taowa.is_tensor(taowa.ones(1)), taowa.is_tensor(1)
        (True, False)
    """
    return isinstance(obj, Tensor)


def _install(name: str, compute: Any, doc: str) -> None:
    """Give Tensor a read-only property."""
    setattr(Tensor, name, property(compute, doc=doc))


_install("is_cuda", lambda t: t.device.type == "cuda", "Whether the tensor lives on a GPU.")
_install("is_cpu", lambda t: t.device.type == "cpu", "Whether it lives in main memory.")
_install("layout", lambda t: strided, "How the elements are stored: `taowa.strided`.")
_install("itemsize", lambda t: t._aval.dtype.itemsize, "The size of one element in bytes.")
_install("nbytes", lambda t: t._aval.nbytes, "The size of all elements in bytes.")
for _name in ("is_sparse", "is_quantized", "is_meta", "is_mps", "is_xpu", "is_mkldnn", "is_nested"):
    _install(_name, lambda t: False, f"False: there are no tensors of the kind `{_name}` names.")
