"""`torch.cuda`: what PyTorch programs ask of GPUs, answered from JAX's devices."""

from __future__ import annotations

from typing import Any

from taowa.core import device as devices
from taowa.core.program import flush
from taowa.core.random import default_generator


def is_available() -> bool:
    """Return whether JAX can use a GPU.

    Example:
        >>> isinstance(is_available(), bool)
        True
    """
    return devices.is_available("cuda")


def device_count() -> int:
    """Return how many GPUs JAX can use."""
    return devices.count("cuda")


def current_device() -> int:
    """Return the index of the GPU that `"cuda"` means."""
    return 0


def synchronize(device: Any = None) -> None:
    """Dispatch pending work (values are waited for when they are read)."""
    flush()


def manual_seed(seed: int) -> None:
    """Seed the random numbers drawn inside programs."""
    default_generator.manual_seed(seed)


manual_seed_all = manual_seed


def empty_cache() -> None:
    """Do nothing: XLA's allocator keeps and reuses its memory."""


def is_bf16_supported() -> bool:
    """Return whether programs may use bfloat16, which XLA supports everywhere."""
    return True
