"""Making tensors: on the host, so that nothing is compiled."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from taowa import dtypes
from taowa.core.api import public
from taowa.core.tensor import Tensor, from_array
from taowa.ops.element_types import as_dtype, checked_number, dtype_of_number
from taowa.ops.layout import require_strided
from taowa.ops.striding import as_strided


def as_size(name: str, size: Any) -> tuple[int, ...]:
    """Return a shape from PyTorch's `*size`: numbers, or one sequence of them.

    Raises:
        TypeError: if a size is no integer.
        RuntimeError: if one is negative.

    Example:
        >>> as_size("zeros", (2, 3)), as_size("zeros", ([2, 3],))
        ((2, 3), (2, 3))
    """
    if len(size) == 1 and isinstance(size[0], list | tuple):
        size = size[0]
    for place, n in enumerate(size):
        if n.__class__ is not int and not hasattr(n, "__index__"):
            raise TypeError(
                f"{name}(): argument 'size' failed to unpack the object at pos {place + 1} with "
                f'error "type must be tuple of ints,but got {type(n).__name__}"'
            )
    shape = tuple(operator.index(n) for n in size)
    if any(n < 0 for n in shape):
        raise RuntimeError(f"{name}: Dimension size must be non-negative, got {list(shape)}")
    return shape


def _filled(
    name: str, args: tuple, size: Any, value: int, dtype: Any, layout: Any, device: Any, grad: bool
) -> Tensor:
    """Return a tensor of zeros or ones from a factory's arguments."""
    require_strided(layout)
    if not args and size is None:
        raise TypeError(f'{name}() missing 1 required positional arguments: "size"')
    kind = as_dtype(dtype) or dtypes.get_default_dtype()
    shape = as_size(name, args if size is None else (size,))
    array = np.ones(shape, kind.np) if value else np.zeros(shape, kind.np)
    return from_array(array, grad, device)


@public(is_method=False)
def zeros(
    *args: Any,
    size: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return a tensor filled with zeros.

    Args:
        args: The size of each dimension, or one sequence of them.
        size: The same as a keyword.
        dtype: Element type, the default floating type if `None`.

    Example:
        >>> import taowa
        >>> taowa.zeros(2, 3)
        tensor([[0., 0., 0.],
                [0., 0., 0.]])
    """
    return _filled("zeros", args, size, 0, dtype, layout, device, requires_grad)


@public(is_method=False)
def ones(
    *args: Any,
    size: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return a tensor filled with ones.

    Example:
        >>> import taowa
        >>> taowa.ones(2)
        tensor([1., 1.])
    """
    return _filled("ones", args, size, 1, dtype, layout, device, requires_grad)


@public(is_method=False)
def empty(
    *args: Any,
    size: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Return a tensor whose values mean nothing; here they are zeros.

    Example:
        >>> import taowa
        >>> taowa.empty(2, 3).shape
        torch.Size([2, 3])
    """
    return _filled("empty", args, size, 0, dtype, layout, device, requires_grad)


@public(is_method=False)
def full(
    size: Any,
    fill_value: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return a tensor filled with one value.

    Args:
        size: The shape, a sequence.
        fill_value: A number or a 0-dim tensor, which also gives the type if `dtype` is `None`.

    Example:
        >>> import taowa
        >>> taowa.full((2,), 7)
        tensor([7, 7])
    """
    require_strided(layout)
    if not isinstance(size, list | tuple):
        raise TypeError(
            f"full(): argument 'size' (position 1) must be tuple of ints, not {type(size).__name__}"
        )
    kind = as_dtype(dtype) or _dtype_of_value(fill_value)
    value = checked_number(fill_value, kind)
    return from_array(np.full(as_size("full", (size,)), value, kind.np), requires_grad, device)


def _dtype_of_value(value: Any) -> Any:
    return value.dtype if isinstance(value, Tensor) else dtype_of_number(value)


@public(is_method=False)
def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return a matrix with ones on the diagonal and zeros elsewhere.

    Args:
        n: Number of rows.
        m: Number of columns; `n` if `None`.

    Example:
        >>> import taowa
        >>> taowa.eye(2)
        tensor([[1., 0.],
                [0., 1.]])
    """
    require_strided(layout)
    for name, size in (("n", n), ("m", m)):
        if size is not None and size < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {size}")
    kind = as_dtype(dtype) or dtypes.get_default_dtype()
    return from_array(np.eye(n, m, dtype=kind.np), requires_grad, device)


@public(is_method=False)
def empty_strided(
    size: Any,
    stride: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return a tensor of zeros whose neighbours lie `stride` elements apart.

    Example:
        >>> import taowa
        >>> taowa.empty_strided((2, 3), (1, 2)).stride()
        (1, 2)
    """
    reach = sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    length = 0 if 0 in size else reach + 1
    base = empty(length, dtype=dtype, layout=layout, device=device)
    made = as_strided(base, size, stride)
    return made.requires_grad_() if requires_grad else made


@public(is_method=False)
def empty_permuted(
    size: Any,
    physical_layout: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return a tensor of zeros whose dimensions lie in memory in another order.

    Args:
        physical_layout: The dimensions, from the outermost in memory to the innermost.

    Example:
        >>> import taowa
        >>> taowa.empty_permuted((2, 3), (1, 0)).stride()
        (1, 2)
    """
    if sorted(physical_layout) != list(range(len(size))):
        raise RuntimeError(
            f"physical_layout must name each of the {len(size)} dimensions once, "
            f"got {tuple(physical_layout)}"
        )
    stride, step = [0] * len(size), 1
    for place in reversed(tuple(physical_layout)):
        stride[place] = step
        step *= size[place]
    return empty_strided(
        size, stride, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad
    )


def _like(input: Tensor, value: Any, dtype: Any, layout: Any, device: Any, grad: bool) -> Tensor:
    """Return a tensor of the input's shape, and its type and device unless told otherwise."""
    require_strided(layout)
    aval = input._aval
    kind = as_dtype(dtype) or aval.dtype
    array = np.full(aval.shape, value, kind.np) if value else np.zeros(aval.shape, kind.np)
    return from_array(array, grad, device or aval.device)


@public(is_method=False)
def zeros_like(
    input: Tensor,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Return zeros in the shape, type and place of another tensor.

    Example:
        >>> import taowa
        >>> taowa.zeros_like(taowa.tensor([1, 2]))
        tensor([0, 0])
    """
    return _like(input, 0, dtype, layout, device, requires_grad)


@public(is_method=False)
def ones_like(
    input: Tensor,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Return ones in the shape, type and place of another tensor.

    Example:
        >>> import taowa
        >>> taowa.ones_like(taowa.tensor([1, 2]))
        tensor([1, 1])
    """
    return _like(input, 1, dtype, layout, device, requires_grad)


@public(is_method=False)
def empty_like(
    input: Tensor,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Return a tensor like another whose values mean nothing; here they are zeros.

    Example:
        >>> import taowa
        >>> taowa.empty_like(taowa.ones(3)).shape
        torch.Size([3])
    """
    return _like(input, 0, dtype, layout, device, requires_grad)


@public(is_method=False)
def full_like(
    input: Tensor,
    fill_value: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Return one value in the shape, type and place of another tensor.

    Example:
        >>> import taowa
        >>> taowa.full_like(taowa.ones(2), 5)
        tensor([5., 5.])
    """
    value = checked_number(fill_value, as_dtype(dtype) or input.dtype)
    return _like(input, value, dtype, layout, device, requires_grad)


@public(is_function=False)
def new_zeros(
    self: Tensor,
    *args: Any,
    size: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return zeros of a given shape with this tensor's type and device.

    Example:
        >>> import taowa
        >>> taowa.tensor([1, 2]).new_zeros(3)
        tensor([0, 0, 0])
    """
    kind, place = dtype or self.dtype, device or self.device
    return _filled("new_zeros", args, size, 0, kind, layout, place, requires_grad)


@public(is_function=False)
def new_ones(
    self: Tensor,
    *args: Any,
    size: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return ones of a given shape with this tensor's type and device.

    Example:
        >>> import taowa
        >>> taowa.tensor([1, 2]).new_ones(3)
        tensor([1, 1, 1])
    """
    kind, place = dtype or self.dtype, device or self.device
    return _filled("new_ones", args, size, 1, kind, layout, place, requires_grad)


@public(is_function=False)
def new_empty(
    self: Tensor,
    *args: Any,
    size: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return a tensor of a given shape with this tensor's type and device.

    Example:
        >>> import taowa
        >>> taowa.tensor([1, 2]).new_empty(3).dtype
        torch.int64
    """
    return new_zeros(
        self, *args, size=size, dtype=dtype, layout=layout, device=device,
        requires_grad=requires_grad,
    )  # fmt: skip


@public(is_function=False)
def new_full(
    self: Tensor,
    size: Any,
    fill_value: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return one value in a given shape with this tensor's type and device.

    Example:
        >>> import taowa
        >>> taowa.tensor([1, 2]).new_full((3,), 7)
        tensor([7, 7, 7])
    """
    return full(
        size, fill_value, dtype=dtype or self.dtype, layout=layout,
        device=device or self.device, requires_grad=requires_grad,
    )  # fmt: skip


@public(is_function=False)
def new_empty_strided(
    self: Tensor,
    size: Any,
    stride: Any,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return a tensor of zeros with given strides and this tensor's type and device.

    Example:
        >>> import taowa
        >>> taowa.tensor([1]).new_empty_strided((2, 3), (1, 2)).dtype
        torch.int64
    """
    return empty_strided(
        size, stride, dtype=dtype or self.dtype, layout=layout, device=device or self.device,
        requires_grad=requires_grad,
    )  # fmt: skip
