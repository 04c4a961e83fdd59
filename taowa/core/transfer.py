"""Moving values between devices: the one step that no program contains."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from taowa.core.context import context
from taowa.core.device import device, jax_device
from taowa.core.node import Aval, Node, leaf
from taowa.core.plan import Plan
from taowa.core.program import value_of
from taowa.core.tensor import Tensor, wrap


def to_device(tensor: Tensor, target: device) -> Tensor:
    """Return the tensor's value on another device; gradients come back the same way.

    Raises:
        RuntimeError: if this machine has no such device.

    Example:
        >>> import taowa
        >>> to_device(taowa.ones(2), device("cpu")).device
        device(type='cpu')
    """
    if tensor.device == target:
        return tensor
    aval = tensor._aval
    place = jax_device(target)
    array = value_of(tensor._node())
    if array.__class__ is not np.ndarray or target.type != "cpu":
        with jax.enable_x64(True):
            array = jax.device_put(array, place)
    there = Aval.of(aval.shape, aval.dtype, target)
    edge = tensor._tape() if context().grad_enabled else None
    if edge is None:
        return wrap(leaf(array, there), None)
    entry = Node(Plan("to_copy", None, _no_step, (), there), (), (), (edge,), there)
    entry.function = lambda node, wanted, arrived: [to_device(arrived[0], aval.device)]
    return wrap(leaf(array, there), entry)


def _no_step(*_: Any) -> Any:
    raise RuntimeError("a move between devices is no step of a program")
