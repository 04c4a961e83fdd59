"""The stream of random words under all draws, and its saved form."""

from __future__ import annotations

import threading

import numpy as np

DEFAULT_SEED = 67280421310721
STATE_BYTES = 5056

_WORDS = 624  # in the twister's state
# Layout of PyTorch's saved CPU generator; the fields it no longer uses are zero.
_STATE = np.dtype(
    [
        ("seed", "<u8"),
        ("left", "<i4"),
        ("seeded", "<i4"),
        ("next", "<u8"),
        ("words", "<u8", _WORDS),
        ("unused_x", "<f8"),
        ("normal", "<f8"),
        ("unused_rho", "<f8"),
        ("has_normal", "<i4"),
        ("unused_float", "V12"),
    ]
)


class WordStream:
    """Hold a Mersenne twister that gives the words of PyTorch's CPU generator.

    Args:
        seed: Any integer that fits 64 bits; the words depend on its low 32 bits only.
    Raises:
        ValueError: if the seed does not fit.
    References:
        Matsumoto & Nishimura 1998, doi:10.1145/272991.272995
    Example:
        >>> WordStream(0).words(2)
        array([2357136044, 2546248239], dtype=uint32)
    """

    def __init__(self, seed: int = DEFAULT_SEED):
        self.lock = threading.RLock()
        self.seed(seed)

    def seed(self, value: int) -> None:
        """Restart the stream from a seed; negative ones count from 2**64 downwards.

        Example:
            >>> stream = WordStream(1)
            >>> stream.seed(-1)
            >>> stream.initial_seed()
            18446744073709551615
        """
        if not -(2**63) <= value < 2**64:
            raise ValueError(f"Overflow when unpacking long long: seed {value} exceeds 64 bits")
        with self.lock:
            self._seed = int(value) % 2**64
            self._stream = np.random.RandomState(self._seed % 2**32)
            self._fresh = True  # no word drawn since seeding
            self.kept_normal: float | None = None  # second of a pair, for the next draw

    def initial_seed(self) -> int:
        """Return the seed this stream started from.

        Example:
            >>> WordStream(7).initial_seed()
            7
        """
        return self._seed

    def get_state(self) -> np.ndarray:
        """Return the state in the bytes of `torch.get_rng_state()`.

        Shape:
            `(5056,)`, uint8.
        Example:
            >>> WordStream(0).get_state().shape
            (5056,)
        """
        state = np.zeros(1, _STATE)
        with self.lock:
            twister = self._stream.get_state(legacy=False)["state"]
            position = int(twister["pos"])
            state["seed"], state["seeded"], state["words"] = self._seed, 1, twister["key"]
            state["left"] = _WORDS + 1 - position
            state["next"] = 0 if self._fresh else position
            state["has_normal"] = self.kept_normal is not None
            state["normal"] = self.kept_normal or 0.0
        return state.view(np.uint8)

    def set_state(self, state: np.ndarray) -> None:
        """Continue from saved bytes, those of `torch.get_rng_state()` included.

        Args:
            state: `(5056,)`, uint8.
        Raises:
            TypeError: if the array is not one of bytes.
            RuntimeError: if its size or content is not that of a generator.
        Example:
            >>> stream = WordStream(3)
            >>> state = stream.get_state()
            >>> first = stream.words(2)
            >>> stream.set_state(state)
            >>> bool((stream.words(2) == first).all())
            True
        """
        if state.dtype != np.uint8:
            raise TypeError(f"RNG state must be a torch.ByteTensor, got an array of {state.dtype}")
        if state.size != STATE_BYTES:
            raise RuntimeError(
                f"Expected a CPUGeneratorImplState of size {STATE_BYTES} "
                f"but found the input RNG state size to be {state.size}"
            )
        self._restore(np.ascontiguousarray(state).reshape(-1).view(_STATE)[0])

    def _restore(self, state: np.void) -> None:
        left, position = int(state["left"]), int(state["next"])
        fresh = (left, position) == (1, 0)
        consistent = fresh or (left + position == _WORDS + 1 and 1 <= position <= _WORDS)
        if not state["seeded"] or not consistent:
            raise RuntimeError(f"Invalid mt19937 state: left={left}, next={position}")
        words = state["words"].astype(np.uint32)
        with self.lock:
            self._stream.set_state(("MT19937", words, _WORDS if fresh else position, 0, 0.0))
            self._seed, self._fresh = int(state["seed"]), fresh
            self.kept_normal = float(state["normal"]) if state["has_normal"] else None

    def words(self, n: int) -> np.ndarray:
        """Take `n` words of 32 bits.

        Example:
            >>> WordStream(0).words(1)
            array([2357136044], dtype=uint32)
        """
        with self.lock:
            self._fresh = self._fresh and n == 0
            return self._stream.randint(0, 1 << 32, n, dtype=np.uint32)

    def words64(self, n: int) -> np.ndarray:
        """Take `n` words of 64 bits, each from two, the upper half first.

        Example:
            >>> WordStream(0).words64(1) == (2357136044 << 32) + 2546248239
            array([ True])
        """
        pairs = self.words(2 * n).reshape(n, 2).astype(np.uint64)
        return pairs[:, 0] << np.uint64(32) | pairs[:, 1]

    def unit(self, n: int, dtype: type) -> np.ndarray:
        """Take `n` uniform numbers in [0, 1): float64 from 53 bits or float32 from 24.

        Example:
            >>> import numpy as np
            >>> WordStream(0).unit(2, np.float32)
            array([0.4962566, 0.7682218], dtype=float32)
        """
        if dtype == np.float64:
            return (self.words64(n) & np.uint64(2**53 - 1)) * 2.0**-53
        return (self.words(n) & np.uint32(2**24 - 1)).astype(np.float32) * np.float32(2**-24)
