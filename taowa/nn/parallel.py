"""Data parallelism over devices, of which a taowa module uses one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from taowa.errors import unsupported
from taowa.nn.module import Module

__all__ = ["DataParallel"]


def _require_one(device_ids: Sequence[Any] | None) -> None:
    if device_ids is not None and len(device_ids) > 1:
        raise unsupported("DataParallel over several devices", "one device")


class DataParallel(Module):
    """Call a module on one device, as PyTorch's does where there is no second.

    The state dict's keys begin with `module.`, so files of parallel models fit.

    Args:
        module: What to call.
        device_ids: At most one device.
        output_device: Accepted; the result is where the module computes it.
        dim: The dimension that would be divided among devices.

    Raises:
        NotImplementedError: for several devices.

    Example:
        >>> import taowa
        >>> from taowa import nn
        >>> DataParallel(nn.Linear(2, 3))(taowa.ones(4, 2)).shape
        torch.Size([4, 3])
    """

    def __init__(
        self,
        module: Module,
        device_ids: Sequence[Any] | None = None,
        output_device: Any = None,
        dim: int = 0,
    ):
        super().__init__()
        _require_one(device_ids)
        self.module = module
        self.device_ids: list = []
        self.dim = dim
        self.output_device = output_device

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """Return the module's result."""
        return self.module(*inputs, **kwargs)


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Sequence[Any] | None = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: dict[str, Any] | None = None,
) -> Any:
    """Return the module's result for these inputs, computed on one device.

    Args:
        inputs: One argument, or a tuple of them.
        device_ids: At most one device.

    Raises:
        NotImplementedError: for several devices.

    Example:
        >>> import taowa
        >>> from taowa import nn
        >>> data_parallel(nn.ReLU(), taowa.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """
    _require_one(device_ids)
    arguments = inputs if isinstance(inputs, tuple) else (inputs,)
    return module(*arguments, **(module_kwargs or {}))
