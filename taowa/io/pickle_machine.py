"""An interpreter for the few pickle opcodes that state dicts need; it can call nothing.

A name in the file (opcode GLOBAL) becomes a value from a fixed table, never an import. Opcode
REDUCE runs a builder of that table, which checks its arguments and makes one plain value.

References:
    The opcodes: Python's standard library, module `pickletools`.
"""

from __future__ import annotations

import struct
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from taowa.errors import LoadError
from taowa.io.object_tree import is_plain_key

MAX_NAME_BYTES = 512
CONTAINER_COST = 16
SHORT_TUPLE_COST = 8


@dataclass(frozen=True)
class Limits:
    """Bound what a file may make a reader do; a larger honest file can be given larger ones.

    Args:
        pickle_bytes: Length of the object description (not of the tensors).
        operations: Opcodes run for one file.
        stack: Values waiting to be put into a container.
        depth: Containers nested in one another.
        objects: Objects counted along every path, so that shared ones count each time.
        records: Entries of a zip file.
        expansion: Bytes of all tensors together, as a multiple of the file's size.
        free_bytes: Bytes of all tensors together that are always allowed.

    Example:
        >>> Limits(depth=10).depth
        10
    """

    pickle_bytes: int = 64 << 20
    operations: int = 10_000_000
    stack: int = 1 << 18
    depth: int = 128
    objects: int = 50_000_000
    records: int = 1 << 18
    expansion: float = 4.0
    free_bytes: int = 16 << 20


class EndOfDataError(LoadError):
    """The data ends inside the pickle."""


@dataclass(frozen=True)
class Builder:
    """A name that REDUCE may be applied to, and what makes its value.

    Args:
        name: The dotted name in the file, for messages.
        arity: The numbers of arguments it takes.
        build: Takes the arguments; raises LoadError if they are not what it expects.
        cost: What one use is charged, see `Machine.charge`; a function takes the arguments.
    """

    name: str
    arity: tuple[int, ...]
    build: Callable[..., Any]
    cost: int | Callable[..., int] = 0


class Machine:
    """Interpret one pickle.

    Args:
        data: Bytes that contain the pickle.
        find_global: Returns the value for (module, name) or raises LoadError.
        find_persistent: Returns the value for a persistent id or raises LoadError.
        limits: Bounds on the work.

    Example:
        >>> import pickle
        >>> machine = Machine(pickle.dumps({"a": [1, 2.5]}, 2), find_global=None)
        >>> machine.run()
        {'a': [1, 2.5]}
    """

    def __init__(
        self,
        data: bytes,
        find_global: Callable[[str, str], Any],
        find_persistent: Callable[[Any], Any] | None = None,
        limits: Limits | None = None,
    ):
        self.data = data
        self.position = 0
        self.find_global = find_global
        self.find_persistent = find_persistent
        self.limits = limits or Limits()

    def run(self, position: int = 0) -> Any:
        """Return the value of the pickle that begins at `position`; move `self.position` past it.

        Raises:
            LoadError: if the pickle is damaged, too large, or needs more than plain values.
        """
        self.start = self.position = position
        self.end = min(len(self.data), position + self.limits.pickle_bytes)
        self.stack: list[Any] = []
        self.frames: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.charged = 0
        code = -1
        try:
            for _ in range(self.limits.operations):
                code = self.take_byte()
                _HANDLERS[code](self)
                if len(self.stack) > self.limits.stack:
                    raise LoadError(f"more than {self.limits.stack:,} values on the stack")
                if code == _STOP:
                    return self._result()
        except EndOfDataError:
            raise
        except LoadError as error:
            raise LoadError(f"{self._where(code)}: {error}") from error.__cause__
        except (IndexError, KeyError, UnicodeDecodeError) as error:
            reason = error if isinstance(error, ValueError) else "no such stack or memo entry"
            raise LoadError(f"{self._where(code)}: {reason}") from None
        raise LoadError(f"more than {self.limits.operations:,} pickle operations")

    def _where(self, code: int) -> str:
        return f"byte {self.position} ({_NAMES.get(code, 'unknown')})"

    def _result(self) -> Any:
        if self.frames or len(self.stack) != 1:
            raise LoadError(f"{len(self.stack)} values and {len(self.frames)} marks at the end")
        return self.stack[0]

    # -- what the handlers use ------------------------------------------------------------

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        begin = self.position
        end = begin + count
        if end > self.end:
            self._refuse_end(count)
        self.position = end
        return self.data[begin:end]

    def take_byte(self) -> int:
        """Return the next byte as a number."""
        begin = self.position
        if begin >= self.end:
            self._refuse_end(1)
        self.position = begin + 1
        return self.data[begin]

    def _refuse_end(self, count: int) -> None:
        if self.end < len(self.data):
            raise LoadError(f"the pickle is longer than {self.limits.pickle_bytes:,} bytes")
        raise EndOfDataError(
            f"byte {self.position}: the pickle ends where {count} more bytes belong"
        )

    def take_int(self, count: int) -> int:
        """Return the next `count` bytes as an unsigned number."""
        return int.from_bytes(self.take(count), "little")

    def take_line(self) -> str:
        """Return the text up to the next newline."""
        begin = self.position
        end = self.data.find(b"\n", begin, begin + MAX_NAME_BYTES)
        if end < 0:
            if begin + MAX_NAME_BYTES > len(self.data):
                raise EndOfDataError(f"byte {begin}: the pickle ends inside a name")
            raise LoadError(f"a name longer than {MAX_NAME_BYTES} bytes")
        return self.take(end + 1 - begin)[:-1].decode()

    def pop_frame(self) -> list[Any]:
        """Return the values since the last MARK."""
        values, self.stack = self.stack, self.frames.pop()
        return values

    def charge(self, cost: int) -> None:
        """Count work that few bytes of pickle can ask for again and again.

        An honest pickle spells out what it makes, so its costs stay below a multiple of its length;
        a bomb makes something once and copies it many times through the memo.
        """
        self.charged += cost
        if self.charged > 4 * (self.position - self.start) + 4096:
            raise LoadError("the pickle makes far more than it spells out, as only a bomb does")


_Handler = Callable[[Machine], None]
_STOP = ord(".")
_NAMES: dict[int, str] = {}


def _refuse_opcode(code: int) -> _Handler:
    newer = 0x8C <= code <= 0x98
    hint = "; it belongs to pickle protocol 4 or 5: save with pickle_protocol=2" if newer else ""

    def handler(m: Machine) -> None:
        raise LoadError(f"pickle opcode 0x{code:02x} is not used by state dicts{hint}")

    return handler


_HANDLERS: list[_Handler] = [_refuse_opcode(code) for code in range(256)]


def _opcode(code: bytes, name: str) -> Callable[[_Handler], _Handler]:
    def register(handler: _Handler) -> _Handler:
        _HANDLERS[code[0]], _NAMES[code[0]] = handler, name
        return handler

    return register


def _constant(code: bytes, name: str, value: Any) -> None:
    _opcode(code, name)(lambda m: m.stack.append(value))


_constant(b"N", "NONE", None)
_constant(b"\x88", "NEWTRUE", True)
_constant(b"\x89", "NEWFALSE", False)
_constant(b")", "EMPTY_TUPLE", ())


@_opcode(b"\x80", "PROTO")
def _proto(m: Machine) -> None:
    version = m.take_byte()
    if version not in (2, 3):
        raise LoadError(f"pickle protocol {version}; expected 2, the default of torch.save")


@_opcode(b".", "STOP")
def _stop(m: Machine) -> None:
    """End the run, which the loop does."""


@_opcode(b"(", "MARK")
def _mark(m: Machine) -> None:
    if len(m.frames) >= m.limits.depth * 3:  # a tensor inside a container opens three
        raise LoadError(f"containers nested deeper than {m.limits.depth}")
    m.frames.append(m.stack)
    m.stack = []


@_opcode(b"K", "BININT1")
def _binint1(m: Machine) -> None:
    m.stack.append(m.take_byte())


@_opcode(b"M", "BININT2")
def _binint2(m: Machine) -> None:
    m.stack.append(m.take_int(2))


@_opcode(b"J", "BININT")
def _binint(m: Machine) -> None:
    m.stack.append(int.from_bytes(m.take(4), "little", signed=True))


@_opcode(b"\x8a", "LONG1")
def _long1(m: Machine) -> None:
    m.stack.append(int.from_bytes(m.take(m.take_byte()), "little", signed=True))


@_opcode(b"G", "BINFLOAT")
def _binfloat(m: Machine) -> None:
    m.stack.append(struct.unpack(">d", m.take(8))[0])


@_opcode(b"X", "BINUNICODE")
def _binunicode(m: Machine) -> None:
    m.stack.append(m.take(m.take_int(4)).decode("utf-8", "surrogatepass"))


@_opcode(b"U", "SHORT_BINSTRING")
def _short_binstring(m: Machine) -> None:  # Python 2 wrote its strings like this
    m.stack.append(m.take(m.take_byte()).decode())


@_opcode(b"}", "EMPTY_DICT")
def _empty_dict(m: Machine) -> None:
    m.charge(CONTAINER_COST)
    m.stack.append({})


@_opcode(b"]", "EMPTY_LIST")
def _empty_list(m: Machine) -> None:
    m.charge(CONTAINER_COST)
    m.stack.append([])


@_opcode(b"t", "TUPLE")
def _tuple(m: Machine) -> None:
    values = m.pop_frame()
    m.stack.append(tuple(values))


def _short_tuple(length: int) -> _Handler:
    def handler(m: Machine) -> None:
        if len(m.stack) < length:
            raise IndexError
        m.charge(SHORT_TUPLE_COST)
        m.stack[-length:] = [tuple(m.stack[-length:])]

    return handler


_opcode(b"\x85", "TUPLE1")(_short_tuple(1))
_opcode(b"\x86", "TUPLE2")(_short_tuple(2))
_opcode(b"\x87", "TUPLE3")(_short_tuple(3))


def _list_below(m: Machine) -> list:
    if type(m.stack[-1]) is not list:
        raise LoadError(f"appending to a {type(m.stack[-1]).__name__}, which is no list")
    return m.stack[-1]


@_opcode(b"a", "APPEND")
def _append(m: Machine) -> None:
    value = m.stack.pop()
    _list_below(m).append(value)


@_opcode(b"e", "APPENDS")
def _appends(m: Machine) -> None:
    values = m.pop_frame()
    _list_below(m).extend(values)


def _set_items(m: Machine, flat: list[Any]) -> None:
    target = m.stack[-1]
    if type(target) not in (dict, OrderedDict, Counter):
        raise LoadError(f"setting an item of a {type(target).__name__}, which is no dict")
    if len(flat) % 2:
        raise LoadError("a key without a value")
    for key, value in zip(flat[::2], flat[1::2], strict=True):
        require_key(key)
        target[key] = value


def require_key(key: Any) -> None:
    """Refuse what cannot be a dict key or set element, or takes long to hash."""
    if not is_plain_key(key):
        raise LoadError(
            f"a {type(key).__name__} as a key; keys may be str, int of 64 bits, float, bool, "
            "None, bytes, dtypes, devices and short tuples of these"
        )


@_opcode(b"s", "SETITEM")
def _setitem(m: Machine) -> None:
    value, key = m.stack.pop(), m.stack.pop()
    _set_items(m, [key, value])


@_opcode(b"u", "SETITEMS")
def _setitems(m: Machine) -> None:
    _set_items(m, m.pop_frame())


def _put(m: Machine, index: int) -> None:
    if index > m.position:  # writers number their entries one by one
        raise LoadError(f"memo entry {index} in a pickle of {m.position - m.start} bytes so far")
    m.memo[index] = m.stack[-1]


@_opcode(b"q", "BINPUT")
def _binput(m: Machine) -> None:
    _put(m, m.take_byte())


@_opcode(b"r", "LONG_BINPUT")
def _long_binput(m: Machine) -> None:
    _put(m, m.take_int(4))


@_opcode(b"h", "BINGET")
def _binget(m: Machine) -> None:
    m.stack.append(m.memo[m.take_byte()])


@_opcode(b"j", "LONG_BINGET")
def _long_binget(m: Machine) -> None:
    m.stack.append(m.memo[m.take_int(4)])


@_opcode(b"c", "GLOBAL")
def _global(m: Machine) -> None:
    module = m.take_line()
    m.stack.append(m.find_global(module, m.take_line()))


@_opcode(b"Q", "BINPERSID")
def _binpersid(m: Machine) -> None:
    if m.find_persistent is None:
        raise LoadError("a reference to a storage where none can be")
    m.stack.append(m.find_persistent(m.stack.pop()))


@_opcode(b"R", "REDUCE")
def _reduce(m: Machine) -> None:
    arguments, builder = m.stack.pop(), m.stack.pop()
    if type(builder) is not Builder or type(arguments) is not tuple:
        raise LoadError(f"calling a {type(builder).__name__} with a {type(arguments).__name__}")
    if len(arguments) not in builder.arity:
        raise LoadError(f"{builder.name} with {len(arguments)} arguments, expected {builder.arity}")
    m.charge(builder.cost(*arguments) if callable(builder.cost) else builder.cost)
    m.stack.append(builder.build(*arguments))


@_opcode(b"b", "BUILD")
def _build(m: Machine) -> None:
    state, target = m.stack.pop(), m.stack[-1]
    if type(target) is not OrderedDict:
        raise LoadError(f"setting attributes of a {type(target).__name__}")
    if type(state) is not dict or list(state) != ["_metadata"]:
        raise LoadError("attributes of an OrderedDict other than _metadata")
    if type(state["_metadata"]) not in (dict, OrderedDict):
        raise LoadError("_metadata is no dict")
    target._metadata = state["_metadata"]  # type: ignore[attr-defined]
