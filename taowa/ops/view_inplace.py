"""Views that a tensor becomes itself, and changes of its size."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from taowa.core.api import public
from taowa.core.context import context
from taowa.core.storage import Storage
from taowa.core.tensor import Tensor, from_array
from taowa.core.views import become_view
from taowa.ops.splitting import slice_along
from taowa.ops.striding import as_strided
from taowa.ops.transposing import t, transpose
from taowa.ops.views import reshape, sizes_of, squeeze, unsqueeze


def _in_place(view: Callable) -> Callable:
    def become(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if self._edge is not None:
            self._require_writable(context())
        return become_view(self, view(self, *args, **kwargs))

    become.__doc__ = f"Make this tensor the view of itself that `{view.__name__}` returns."
    return become


for _view, *_names in (
    (squeeze, "squeeze_"), (unsqueeze, "unsqueeze_"), (t, "t_"),
    (transpose, "transpose_", "swapaxes_", "swapdims_"),
):  # fmt: skip
    for _name in _names:
        public(_in_place(_view), name=_name, is_function=False)
public(_in_place(as_strided), name="as_strided_")


@public(is_function=False)
def resize_(self: Tensor, *sizes: Any, size: Any = None, memory_format: Any = None) -> Tensor:
    """Give the tensor another size; its elements stay in row-major order, new ones are 0.

    Unlike in PyTorch, other tensors on the same memory keep theirs.

    Raises:
        RuntimeError: if the tensor requires grad.

    Example:
        >>> import taowa
        >>> taowa.ones(3).resize_(2, 2)
        tensor([[1., 1.],
                [1., 0.]])
    """
    shape = sizes_of(sizes, size)
    if min(shape, default=0) < 0:
        raise RuntimeError(f"resize_: sizes must be non-negative, got {list(shape)}")
    if self._tape() is not None:
        raise RuntimeError("cannot resize variables that require grad")
    if shape == self._aval.shape:
        return self
    resized = _resized(self.detach(), shape)
    self._storage, self._lens, self._base = Storage(resized._node()), (), None
    self._read = None
    return self


def _resized(input: Tensor, shape: tuple[int, ...]) -> Tensor:
    old, new = prod(input._aval.shape), prod(shape)
    flat = reshape(input, old)
    if new <= old:
        return slice_along(flat, 0, 0, new).reshape(shape)
    grown = from_array(np.zeros(new, input.dtype.np), device=input.device)
    slice_along(grown, 0, 0, old).copy_(flat)
    return grown.reshape(shape)


@public
def resize_as_(self: Tensor, the_template: Tensor, *, memory_format: Any = None) -> Tensor:
    """Give the tensor the size of another one; see `resize_`.

    Example:
        >>> import taowa
        >>> taowa.ones(3).resize_as_(taowa.zeros(2))
        tensor([1., 1.])
    """
    return resize_(self, the_template._aval.shape)
