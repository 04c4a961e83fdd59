"""Generators: PyTorch's random numbers on the host, and keys for draws inside programs."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from typing import Any

import numpy as np

from taowa.core.device import canonical, device
from taowa.core.mt19937 import MersenneTwister
from taowa.core.tensor import Tensor, from_array
from taowa.core.word_stream import STATE_BYTES

# PyTorch writes zeros here and ignores them when it reads: the number of keys drawn fits in.
_KEYS_DRAWN = slice(STATE_BYTES - 40, STATE_BYTES - 32)


class Generator:
    """Draw random numbers from a state of its own, as `torch.Generator`.

    Numbers drawn on the host are those of PyTorch's CPU generator, whatever the device.

    Args:
        device: Where the tensors drawn shall live.

    Attributes:
        stream: The host's random numbers.

    Example:
        >>> import taowa
        >>> taowa.rand(2, generator=Generator().manual_seed(0))
        tensor([0.4963, 0.7682])
    """

    def __init__(self, device: Any = "cpu"):
        self._device = canonical(device)
        self.stream = MersenneTwister()
        self._keys_drawn = 0

    def __repr__(self) -> str:
        return f"<torch._C.Generator object at {hex(id(self))}>"

    @property
    def device(self) -> device:
        """Where the tensors drawn live."""
        return self._device

    def manual_seed(self, seed: int) -> Generator:
        """Restart from a seed and return the generator.

        Raises:
            ValueError: if the seed does not fit 64 bits.

        Example:
            >>> Generator().manual_seed(5).initial_seed()
            5
        """
        self.stream.seed(int(seed))
        self._keys_drawn = 0
        return self

    def seed(self) -> int:
        """Restart from a seed that nobody knows beforehand and return it.

        Example:
            >>> generator = Generator()
            >>> generator.seed() == generator.initial_seed()
            True
        """
        self.manual_seed(secrets.randbits(63))
        return self.initial_seed()

    def initial_seed(self) -> int:
        """Return the seed that the generator last started from.

        Example:
            >>> Generator().initial_seed()
            67280421310721
        """
        return self.stream.initial_seed()

    def get_state(self) -> Tensor:
        """Return the state as bytes that PyTorch's CPU generator reads too.

        Shape:
            `(5056,)`, uint8.

        Example:
            >>> Generator().get_state().shape
            torch.Size([5056])
        """
        state = self.stream.get_state()
        state[_KEYS_DRAWN] = np.array([self._keys_drawn], "<u8").view(np.uint8)
        return from_array(state)

    def set_state(self, new_state: Tensor) -> None:
        """Continue from saved bytes, PyTorch's included.

        Raises:
            TypeError: if they are no tensor of bytes.
            RuntimeError: if they are not the state of a generator.

        Example:
            >>> import taowa
            >>> generator = Generator()
            >>> state = generator.get_state()
            >>> first = taowa.rand(1, generator=generator)
            >>> generator.set_state(state)
            >>> bool(first == taowa.rand(1, generator=generator))
            True
        """
        if not isinstance(new_state, Tensor):
            raise TypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}")
        state = np.ascontiguousarray(new_state.host()).reshape(-1)
        self.stream.set_state(state)
        self._keys_drawn = int(state[_KEYS_DRAWN].view("<u8")[0])

    def clone_state(self) -> Generator:
        """Return a generator that continues from the same state.

        Example:
            >>> Generator().manual_seed(5).clone_state().initial_seed()
            5
        """
        twin = Generator(self._device)
        twin.set_state(self.get_state())
        return twin

    def next_key(self) -> tuple[int, int]:
        """Return two 32-bit numbers that no earlier call gave since seeding.

        Example:
            >>> generator = Generator().manual_seed(5)
            >>> generator.next_key(), generator.next_key()
            ((5, 0), (5, 1))
        """
        with self.stream.lock:
            number = self._keys_drawn
            self._keys_drawn = number + 1
        seed = self.stream.initial_seed()
        return (seed ^ seed >> 32) % 2**32, number % 2**32

    def __getstate__(self) -> dict[str, Any]:
        return {"device": self._device, "state": self.get_state().numpy()}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        Generator.__init__(self, saved["device"])
        self.set_state(from_array(saved["state"]))


default_generator = Generator()


def next_key(generator: Generator | None = None) -> tuple[int, int]:
    """Return two 32-bit numbers for a draw inside a program: a seed and how many draws came before.

    They restart with `manual_seed`; host draws neither use nor change them.

    Example:
        >>> seed, number = next_key()
        >>> next_key() == (seed, number + 1)
        True
    """
    return (generator or default_generator).next_key()


def manual_seed(seed: int) -> Generator:
    """Restart the default generator from a seed and return it.

    Args:
        seed: Any integer of 64 bits; negative ones count from 2**64 downwards.

    Example:
        >>> manual_seed(3).initial_seed()
        3
    """
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Restart the default generator from a seed that nobody knows beforehand and return it.

    Example:
        >>> seed() == initial_seed()
        True
    """
    return default_generator.seed()


def initial_seed() -> int:
    """Return the seed that the default generator last started from.

    Example:
        >>> _ = manual_seed(3)
        >>> initial_seed()
        3
    """
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """Return the state of the default generator.

    Example:
        >>> get_rng_state().dtype
        torch.uint8
    """
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Let the default generator continue from a saved state.

    Example:
        >>> set_rng_state(get_rng_state())
    """
    default_generator.set_state(new_state)


@contextlib.contextmanager
def fork_rng(
    devices: Any = None,
    enabled: bool = True,
    _caller: str = "fork_rng",
    _devices_kw: str = "devices",
    device_type: str = "cuda",
) -> Iterator[None]:
    """Put the default generator back, on leaving, to where it was on entering.

    Args:
        devices: Accepted and without effect: one generator serves all devices.
        enabled: Do nothing if false.

    Example:
        >>> import taowa
        >>> _ = manual_seed(0)
        >>> with fork_rng():
        ...     first = taowa.rand(1)
        >>> bool(first == taowa.rand(1))
        True
    """
    if not enabled:
        yield
        return
    state = get_rng_state()
    try:
        yield
    finally:
        set_rng_state(state)
