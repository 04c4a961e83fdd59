"""Moving a module's tensors to another device or element type, in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from taowa import dtypes
from taowa.core.device import canonical, device
from taowa.core.grad_mode import no_grad
from taowa.core.tensor import Tensor
from taowa.errors import unsupported
from taowa.nn.naming import typename
from taowa.nn.registry import Registry

__all__: list[str] = []

Target = tuple[Any, Any, bool, Any]  # device, dtype, non_blocking, memory_format
_PYTHON_TYPES: dict[Any, dtypes.dtype] = {
    float: dtypes.float64,
    int: dtypes.int64,
    bool: dtypes.bool,
    complex: dtypes.complex128,
}
_PLACES = (device, str, int, type(None))
_IMAGE_RANKS = (4, 5)  # (N, C, H, W) and (N, C, D, H, W): the shapes that memory formats are for


class Conversion(Registry):
    """The part of `Module` that changes where its tensors live and of what type they are."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Replace every parameter's, gradient's and buffer's values by `fn` of them."""
        if recurse:
            for child in self._modules.values():
                if child is not None:
                    child._apply(fn)
        for param in self._parameters.values():
            if param is not None:
                with no_grad():
                    _convert_parameter(param, fn)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move parameters and buffers to a device or floating-point type, in place.

        Called as `to(device=None, dtype=None, non_blocking=False)`, `to(dtype,
        non_blocking=False)` or `to(tensor, non_blocking=False)`. Integral parameters and buffers
        keep their type.

        Raises:
            TypeError: if the type is neither floating-point nor complex.

        Example:
            >>> import taowa
            >>> from taowa import nn
            >>> nn.Linear(2, 1).to(taowa.float64).weight.dtype
            torch.float64
        """
        place, dtype, non_blocking, memory_format = parse_to(args, kwargs)
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(
                "nn.Module.to only accepts floating point or complex dtypes, "
                f"but got desired dtype={dtype}"
            )

        def convert(tensor: Tensor) -> Tensor:
            is_number = tensor.dtype.is_floating_point or tensor.dtype.is_complex
            wanted = dtype if is_number else None
            if memory_format is not None and tensor.ndim in _IMAGE_RANKS:
                return tensor.to(place, wanted, non_blocking, memory_format=memory_format)
            return tensor.to(place, wanted, non_blocking)

        return self._apply(convert)

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """Move to a device without the values, which are undefined afterwards.

        Args:
            device: Where to.
            recurse: Whether the children move too.
        """
        return self._apply(lambda t: t.new_empty(t.shape, device=device), recurse=recurse)

    def cuda(self, device: Any = None) -> Self:
        """Move parameters and buffers to the GPU of that index, the current one for `None`."""
        return self._apply(lambda t: t.cuda(device))

    def cpu(self) -> Self:
        """Move parameters and buffers to the CPU."""
        return self._apply(lambda t: t.cpu())

    def xpu(self, device: Any = None) -> Self:
        """Raise: no such device is known to taowa."""
        raise unsupported("Module.xpu()", 'Module.to("cuda") or Module.to("tpu")')

    def ipu(self, device: Any = None) -> Self:
        """Raise: no such device is known to taowa."""
        raise unsupported("Module.ipu()", 'Module.to("cuda") or Module.to("tpu")')

    def mtia(self, device: Any = None) -> Self:
        """Raise: no such device is known to taowa."""
        raise unsupported("Module.mtia()", 'Module.to("cuda") or Module.to("tpu")')

    def type(self, dst_type: Any) -> Self:
        """Turn all parameters and buffers, integral ones included, into one element type.

        Args:
            dst_type: A dtype, or PyTorch's name of one (`"torch.DoubleTensor"`).
        """
        return self._apply(lambda t: t.type(dst_type))

    def float(self) -> Self:
        """Turn floating-point parameters and buffers into `float32`.

        Example:
            >>> from taowa import nn
            >>> nn.Linear(2, 1).double().float().bias.dtype
            torch.float32
        """
        return self._to_floating(dtypes.float32)

    def double(self) -> Self:
        """Turn floating-point parameters and buffers into `float64`."""
        return self._to_floating(dtypes.float64)

    def half(self) -> Self:
        """Turn floating-point parameters and buffers into `float16`."""
        return self._to_floating(dtypes.float16)

    def bfloat16(self) -> Self:
        """Turn floating-point parameters and buffers into `bfloat16`."""
        return self._to_floating(dtypes.bfloat16)

    def _to_floating(self, dtype: dtypes.dtype) -> Self:
        return self._apply(lambda t: t.to(dtype) if t.dtype.is_floating_point else t)

    def share_memory(self) -> Self:
        """Return self: threads see the same tensors, and processes get copies.

        Example:
            >>> from taowa import nn
            >>> nn.ReLU().share_memory()
            ReLU()
        """
        return self


def _convert_parameter(param: Tensor, fn: Callable[[Tensor], Tensor]) -> None:
    """Replace the values of a parameter and of its gradient; both stay the same objects."""
    grad = param.grad
    param.data = fn(param)
    if grad is not None:
        grad.data = fn(grad)


def parse_to(args: tuple, kwargs: dict[str, Any]) -> Target:
    """Return device, dtype, non_blocking and memory format from any form of `Module.to`.

    Raises:
        TypeError: if the arguments fit none of the forms.
        RuntimeError: if `copy` is asked for, or a device is unknown.
    """
    given = dict(kwargs)
    memory_format = given.pop("memory_format", None)
    names = _form_of(args, given)
    positional = dict(zip(names, args, strict=False))
    if len(args) > len(names) or set(given) - set(names) or positional.keys() & given.keys():
        raise _no_such_form(args, kwargs)
    given |= positional
    if given.get("copy"):
        raise RuntimeError(".to() does not accept copy argument")
    place, dtype = given.get("device"), _as_dtype(given.get("dtype"))
    if isinstance(tensor := given.get("tensor"), Tensor):
        place, dtype = tensor.device, tensor.dtype
    non_blocking = given.get("non_blocking", False)
    kinds = ((place, _PLACES), (dtype, dtypes.dtype | None), (non_blocking, bool))
    if not all(isinstance(value, kind) for value, kind in kinds):
        raise _no_such_form(args, kwargs)
    return None if place is None else canonical(place), dtype, non_blocking, memory_format


def _form_of(args: tuple, kwargs: dict[str, Any]) -> tuple[str, ...]:
    """Return the argument names of the form that the first argument chooses."""
    first = args[0] if args else None
    if isinstance(first, Tensor) or "tensor" in kwargs:
        return ("tensor", "non_blocking", "copy")
    if isinstance(_as_dtype(first), dtypes.dtype):
        return ("dtype", "non_blocking", "copy")
    return ("device", "dtype", "non_blocking", "copy")


def _as_dtype(value: Any) -> Any:
    """Return the dtype for which a Python type stands, anything else as it is."""
    return _PYTHON_TYPES.get(value, value) if isinstance(value, type) else value


def _no_such_form(args: tuple, kwargs: dict[str, Any]) -> TypeError:
    got = [typename(value) for value in args]
    got += [f"{name}={typename(value)}" for name, value in kwargs.items()]
    return TypeError(
        f"to() received an invalid combination of arguments - got ({', '.join(got)}), but expected "
        "one of: (device=None, dtype=None, non_blocking=False), (dtype, non_blocking=False) or "
        "(tensor, non_blocking=False), each with memory_format=None"
    )
