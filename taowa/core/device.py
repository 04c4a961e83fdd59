"""`torch.device`-like names for JAX's devices."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jax

_PLATFORMS = {"cpu": "cpu", "cuda": "gpu", "tpu": "tpu"}


class device:  # noqa: N801  (PyTorch's own spelling)
    """Name the place where a tensor's values live.

    Args:
        type: `"cpu"`, `"cuda"` or `"tpu"`, optionally with an index as in `"cuda:1"`.
        index: Which of several devices; `None` = the current one.

    Raises:
        RuntimeError: if the name is none of the known ones.

    Example:
        >>> device("cuda", 1), device("cpu").type
        (device(type='cuda', index=1), 'cpu')
    """

    __slots__ = ("index", "type")
    type: str
    index: int | None

    def __init__(self, type: str | device, index: int | None = None):
        if isinstance(type, device):
            type, index = type.type, type.index
        if ":" in type:
            type, _, number = type.partition(":")
            index = _parse_index(type, number)
        if type not in _PLATFORMS:
            raise RuntimeError(
                f"Expected one of {', '.join(_PLATFORMS)} device type at start of device string: "
                f"{type}"
            )
        self.type = type
        self.index = index

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self):
        return device, (self.type, self.index)


def _parse_index(kind: str, number: str) -> int:
    if not number.isdigit():
        raise RuntimeError(f"Invalid device string: '{kind}:{number}'")
    return int(number)


CPU = device("cpu")


def canonical(spec: device | str | int | None) -> device:
    """Return the device that a user's argument names, with an index except on the CPU."""
    if spec is None:
        return CPU
    if isinstance(spec, int):
        return device("cuda", spec)
    d = device(spec) if isinstance(spec, str) else spec
    if not isinstance(d, device):
        raise TypeError(f"device must be a device, a string or an int, got {type(spec).__name__}")
    if d.type == "cpu" and not d.index:
        return CPU
    return d if d.index is not None else device(d.type, 0)


def present(spec: device | str | int | None) -> device:
    """Return the device that a user's argument names, where this machine has it.

    Raises:
        RuntimeError: if this machine has none.
    """
    d = canonical(spec)
    if d is not CPU:
        jax_device(d)
    return d


@lru_cache
def jax_device(d: device) -> Any:
    """Return JAX's device of that name.

    Raises:
        RuntimeError: if this machine has none.
    """
    try:
        found = jax.devices(_PLATFORMS[d.type])
    except RuntimeError as error:
        raise RuntimeError(
            f"{d}: this machine has no {d.type} device that JAX can use ({error})"
        ) from None
    if (d.index or 0) >= len(found):
        raise RuntimeError(f"{d}: this machine has {len(found)} {d.type} device(s)")
    return found[d.index or 0]


def of_array(array: jax.Array) -> device:
    """Return the device on which a JAX array lives."""
    place = next(iter(array.devices()))
    kind = {"gpu": "cuda", "cuda": "cuda", "rocm": "cuda"}.get(place.platform, place.platform)
    index = jax.devices(place.platform).index(place)
    return canonical(device(str(kind), index))


def is_available(kind: str) -> bool:
    """Return whether this machine has a device of that kind.

    Example:
        >>> is_available("cpu")
        True
    """
    return count(kind) > 0


def count(kind: str) -> int:
    """Return how many devices of that kind this machine has."""
    try:
        return len(jax.devices(_PLATFORMS[kind]))
    except RuntimeError:
        return 0
