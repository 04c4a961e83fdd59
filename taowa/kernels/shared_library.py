"""The kernel library: loading, registration with XLA, and what can be set about it."""

from __future__ import annotations

import ctypes
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax

from taowa.config import config

PATH = Path(__file__).parent / "_kernels.so"
_SLOWER = "Programs run on plain XLA, which is slower in matrix products and convolutions."


class UnusableError(Exception):
    """Why the library cannot be used, as a sentence."""


def _load(path: Path) -> ctypes.CDLL:
    if not path.exists():
        raise UnusableError(
            "they were not built when taowa was installed, mostly for want of a C++ compiler. "
            "Install g++ or clang++, then reinstall taowa"
        )
    try:
        library = ctypes.CDLL(str(path))
        library.taowa_ffi_version.restype = ctypes.c_int
    except (OSError, AttributeError) as error:
        raise UnusableError(f"the library does not load ({error}). Reinstall taowa") from error
    for name in ("taowa_isa", "taowa_isa_name", "taowa_handler_name"):
        getattr(library, name).restype = ctypes.c_char_p
    for name in ("taowa_next_handler", "taowa_handler_function"):
        getattr(library, name).restype = ctypes.c_void_p
    return library


def _handlers(library: ctypes.CDLL) -> Iterator[tuple[str, int]]:
    """Yield the name and address of each handler."""
    handler = library.taowa_next_handler(None)
    while handler:
        pointer = ctypes.c_void_p(handler)
        yield library.taowa_handler_name(pointer).decode(), library.taowa_handler_function(pointer)
        handler = library.taowa_next_handler(pointer)


def _capsule(address: int) -> Any:
    return jax.ffi.pycapsule(ctypes.cast(address, ctypes.CFUNCTYPE(None)))


def _installed_version() -> tuple[int, int]:
    """Return the version of the foreign-function interface of the installed jaxlib."""
    header = Path(jax.ffi.include_dir()) / "xla" / "ffi" / "api" / "c_api.h"
    found = dict(re.findall(r"#define XLA_FFI_API_(MAJOR|MINOR) (\d+)", header.read_text()))
    return int(found["MAJOR"]), int(found["MINOR"])


def _require_version(library: ctypes.CDLL) -> None:
    """Compare the versions; XLA itself accepts handlers of another one and runs them."""
    major, minor = divmod(library.taowa_ffi_version(), 1000)
    try:
        installed = _installed_version()
    except (OSError, KeyError) as error:
        raise UnusableError(f"the installed jaxlib's headers cannot be read ({error})") from error
    if major != installed[0] or minor > installed[1]:
        raise UnusableError(
            f"they were built for version {major}.{minor} of XLA's foreign-function interface, the "
            f"installed jaxlib has {installed[0]}.{installed[1]}. Reinstall taowa"
        )


def _register(library: ctypes.CDLL) -> None:
    try:
        for name, address in _handlers(library):
            jax.ffi.register_ffi_target(name, _capsule(address), platform="cpu")
    except jax.errors.JaxRuntimeError as error:
        raise UnusableError(f"XLA refuses to register them ({error})") from error


class Kernels:
    """The CPU kernels of this process: whether they are there, their instruction set, a switch.

    Nothing is loaded before it is needed.

    Attributes:
        winograd: Whether new programs may convolve by Winograd's algorithm, which is the quickest
            and less exact: errors up to 1e-5 of the largest output instead of 1e-6.

    Example:
        >>> import taowa
        >>> taowa.backends.kernels
        <CPU kernels...>
    """

    def __init__(self, path: Path = PATH):
        self._path = path
        self._lock = threading.RLock()
        self._library: ctypes.CDLL | None = None
        self._enabled = config.use_kernels
        self.winograd = True
        self.problem: str | None = None  # why the library cannot be used, once that is known
        self.listeners: list[Callable[[], None]] = []  # called when the switch has changed

    def is_available(self) -> bool:
        """Return whether the library is there and fits the installed jaxlib."""
        if self._library is None and self.problem is None:
            with self._lock:
                self._start()
        return self._library is not None

    def _start(self) -> None:
        if self._library is not None or self.problem is not None:
            return
        try:
            library = _load(self._path)
            _require_version(library)
            _register(library)
        except UnusableError as error:
            self.problem = str(error)
            return
        if config.cpu_isa is not None:
            _set_isa(library, config.cpu_isa)
        self._library = library

    def is_used(self) -> bool:
        """Return whether new programs use the kernels; the first time they cannot, say why."""
        if not self._enabled:
            return False
        was_known = self.problem is not None
        if self.is_available():
            return True
        if not was_known:
            message = f"taowa runs without its CPU kernels: {self.problem}. {_SLOWER}"
            warnings.warn(message, stacklevel=2)
        return False

    def key(self) -> str:
        """Return what compiled programs depend on: whether they call kernels, and which."""
        return f"kernels {self.isa}" if self._enabled and self.is_available() else "no kernels"

    @property
    def enabled(self) -> bool:
        """Whether kernels are wanted; also set by the environment variable `TAOWA_KERNELS=0`."""
        return self._enabled

    @enabled.setter
    def enabled(self, value: bool) -> None:
        if value != self._enabled:
            self._enabled = value
            for listener in self.listeners:
                listener()

    @property
    def isas(self) -> tuple[str, ...]:
        """The instruction sets that both the library and this machine have."""
        return () if self._require() is None else tuple(filter(None, _isa_names(self._library)))

    @property
    def isa(self) -> str | None:
        """The instruction set in use; also set by the environment variable `TAOWA_CPU_ISA`."""
        library = self._require()
        return None if library is None else library.taowa_isa().decode()

    @isa.setter
    def isa(self, name: str) -> None:
        if (library := self._require()) is not None:
            _set_isa(library, name)

    def set_max_threads(self, count: int) -> None:
        """Bound the threads of a kernel; 0: as many as XLA has."""
        if (library := self._require()) is not None:
            library.taowa_set_max_threads(count)

    def _require(self) -> ctypes.CDLL | None:
        return self._library if self.is_available() else None

    def __repr__(self) -> str:
        if not self.is_available():
            return f"<CPU kernels: none, {self.problem}>"
        state = "on" if self._enabled else "off"
        return f"<CPU kernels: {state}, instruction set {self.isa} of {', '.join(self.isas)}>"


def _isa_names(library: Any) -> Iterator[str]:
    """Yield the name of each instruction set, "" where the machine lacks it."""
    index = 0
    while (name := library.taowa_isa_name(index)) is not None:
        yield name.decode()
        index += 1


def _set_isa(library: ctypes.CDLL, name: str) -> None:
    names = list(_isa_names(library))
    if not name or name not in names:
        found = ", ".join(filter(None, names))
        raise ValueError(f"instruction set {name!r} of the CPU kernels; this machine has: {found}")
    library.taowa_set_isa(names.index(name))


kernels = Kernels()
