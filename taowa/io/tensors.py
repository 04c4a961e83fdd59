"""Between tensors and the NumPy arrays that files hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from taowa.core.device import CPU, canonical, count, device, jax_device
from taowa.core.protocols import _user_attributes
from taowa.core.tensor import Tensor, from_array
from taowa.io.pth_writer import TensorItem
from taowa.nn.parameter import Parameter

MapLocation = None | str | device | Mapping[str, Any] | Callable[[Any, str], Any]
_OTHER_PLACE = re.compile(r"(cuda|tpu)(?::([0-9]{1,4}))?")


def describe_tensor(obj: Any) -> TensorItem | None:
    """Return what a file needs to know of a tensor, `None` for anything else.

    Example:
        >>> describe_tensor(from_array(np.zeros((2, 3), np.int8))).size
        torch.Size([2, 3])
    """
    if type(obj) not in (Tensor, Parameter):
        return None
    return TensorItem(
        memory=id(obj.untyped_storage()) if _is_whole(obj) else ("view", id(obj)),
        dtype=obj.dtype,
        size=obj.shape,
        location=str(obj.device) if obj.device.type in ("cpu", "cuda") else "cpu",
        requires_grad=obj.requires_grad,
        is_parameter=type(obj) is Parameter,
        values=obj.host,
        attributes=_user_attributes(obj),
    )


def _is_whole(tensor: Tensor) -> bool:
    """Return whether a tensor's elements are its storage's, in order; a view is written alone."""
    stored = tensor.untyped_storage().node.aval
    same = stored.dtype is tensor.dtype and prod(stored.shape) == prod(tensor.shape)
    return same and tensor.storage_offset() == 0 and tensor.is_contiguous()


class ArrayTensors:
    """Make tensors of the arrays in a file, on the devices that `map_location` names."""

    tensor_type = Tensor

    def __init__(self, map_location: MapLocation):
        self.places: dict[str, device] = {}
        self.map_location = map_location

    def tensor(self, array: np.ndarray, location: str) -> Tensor:
        """Return a tensor that owns the array."""
        if location not in self.places:
            self.places[location] = find_device(location, self.map_location)
        return from_array(array, device=self.places[location])

    def alias(self, tensor: Tensor, requires_grad: bool) -> Tensor:
        """Return a tensor on the same memory."""
        return tensor.detach().requires_grad_(requires_grad)

    def parameter(self, tensor: Tensor, requires_grad: bool) -> Parameter:
        """Return a parameter on the same memory."""
        return Parameter(tensor, requires_grad)

    def set_attribute(self, tensor: Tensor, name: str, value: Any) -> None:
        """Give a tensor an attribute of the user's."""
        setattr(tensor, name, value)


@dataclass(frozen=True)
class StoragePlace:
    """What a `map_location` function is given: only the place can be chosen."""

    device: device

    def cpu(self) -> StoragePlace:
        """Return the same on the CPU."""
        return StoragePlace(CPU)

    def cuda(self, index: int = 0) -> StoragePlace:
        """Return the same on a GPU."""
        return StoragePlace(device("cuda", index))


def find_device(location: str, map_location: MapLocation) -> device:
    """Return where a storage that was at `location` goes.

    Without `map_location` it goes back to the device of that name, and to the CPU where this
    machine has no such device.

    Raises:
        RuntimeError: if `map_location` names a device that this machine does not have.

    Example:
        >>> find_device("cuda:7", "cpu"), find_device("cpu", None)
        (device(type='cpu'), device(type='cpu'))
    """
    wanted: Any = map_location
    if isinstance(map_location, Mapping):
        wanted = map_location.get(location)
    elif callable(map_location):
        wanted = map_location(StoragePlace(CPU), location)
    if wanted is None:
        return _own_device(location)
    return _present(canonical(getattr(wanted, "device", wanted)))


def _own_device(location: str) -> device:
    named = _OTHER_PLACE.fullmatch(location)
    if named is None or int(named[2] or 0) >= count(named[1]):
        return CPU
    return canonical(location)


def _present(place: device) -> device:
    if place.type != "cpu":
        jax_device(place)
    return place
