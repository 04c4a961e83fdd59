import pickle
import struct

import pytest

from taowa.errors import LoadError
from taowa.io.pickle_machine import EndOfDataError, Limits, Machine
from taowa.io.pth_globals import find_nothing
from tests.io.crafting import peak_bytes


def run(data, **limits):
    machine = Machine(data, find_nothing, limits=Limits(**limits))
    value = machine.run()
    assert machine.position == len(data)
    return value


VALUES = [
    None,
    True,
    False,
    0,
    255,
    256,
    65535,
    65536,
    -1,
    2**31 - 1,
    -(2**31),
    2**31,
    2**63,
    -(2**63) - 1,
    2**2038,
    1.5,
    float("inf"),
    -0.0,
    "",
    "naïve ✓ 😀",
    "\ud800 alone",
    [],
    [1, [2, [3]]],
    (),
    (1,),
    (1, 2),
    (1, 2, 3),
    (1, 2, 3, 4),
    {},
    {"a": 1, 2: {}, None: [], (1, "b"): 3},
    list(range(3000)),
    {i: str(i) for i in range(3000)},
]


@pytest.mark.parametrize("value", VALUES, ids=lambda v: repr(v)[:20])
@pytest.mark.parametrize("protocol", [2, 3])
def test_plain_values_are_as_pickle_reads_them(value, protocol):
    got = run(pickle.dumps(value, protocol))
    assert got == value
    assert type(got) is type(value)


def test_nan_keeps_its_bits():
    data = b"\x80\x02G" + struct.pack(">Q", 0x7FF8000000000123) + b"."
    assert struct.pack(">d", run(data)) == struct.pack(">Q", 0x7FF8000000000123)


def test_shared_list_stays_shared():
    shared = [1]
    first, second = run(pickle.dumps([shared, shared], 2))
    assert first is second


def test_string_of_python_2():
    assert run(b"\x80\x02U\x03abc.") == "abc"


def test_pickle_can_begin_anywhere():
    first, second = pickle.dumps([1], 2), pickle.dumps({"a": 2}, 2)
    machine = Machine(first + second, find_nothing)
    assert machine.run() == [1]
    assert machine.run(machine.position) == {"a": 2}
    assert machine.position == len(first + second)


SUPPORTED = b"\x80.(KMJ\x8aGXU}])t\x85\x86\x87aesuqrhjcQRbN\x88\x89"


@pytest.mark.parametrize("code", sorted(set(range(256)) - set(SUPPORTED)))
def test_every_other_opcode_is_refused(code):
    for arguments in (b"", b"\0" * 16, b"os\nsystem\n."):
        data = b"\x80\x02(]K\x01K\x02" + bytes([code]) + arguments
        with pytest.raises(LoadError, match=f"opcode 0x{code:02x}"):
            run(data + b"." * 8)


@pytest.mark.parametrize("protocol", [4, 5])
def test_newer_protocol_is_named(protocol):
    with pytest.raises(LoadError, match=f"pickle protocol {protocol}; expected 2"):
        run(pickle.dumps([1], protocol))


@pytest.mark.parametrize("value", [*VALUES[-3:], {"a": [1.5, (2**70, "x")]}])
def test_every_truncation_is_the_end_of_data(value):
    data = pickle.dumps(value, 2)
    for length in range(min(len(data), 2000)):
        with pytest.raises(EndOfDataError):
            run(data[:length])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"K\x01K\x02.", "2 values and 0 marks"),
        (b"(K\x01.", "1 marks"),
        (b".", "0 values"),
        (b"t.", "no such stack"),
        (b"K\x01\x86.", "no such stack"),
        (b"h\x05.", "no such stack or memo"),
        (b"q\x00.", "no such stack"),
        (b"}K\x01s.", "an item of a int|no such|a dict|no dict"),
        (b"]K\x01K\x02s.", "setting an item of a list"),
        (b")K\x01K\x02s.", "setting an item of a tuple"),
        (b"}(K\x01u.", "a key without a value"),
        (b"}]K\x01s.", "a list as a key"),
        (b"}}K\x01s.", "a dict as a key"),
        (b"})K\x01a.", "appending to a tuple"),
        (b"}(K\x01e.", "appending to a dict"),
        (b"}}b.", "setting attributes of a dict"),
        (b"]}b.", "setting attributes of a list"),
        (b"K\x01)R.", "calling a int"),
        (b"]]R.", "calling a list"),
        (b"K\x01Q.", "a reference to a storage where none can be"),
        (b"X\x02\0\0\0\xff\xfe.", "decode"),
        (b"U\x02\xff\xfe.", "decode"),
        (b"cos\nsystem\n.", "os.system"),
        (b"c" + b"a" * 600 + b"\nb\n.", "a name longer than 512"),
        (b"\x80\x09N.", "protocol 9"),
    ],
)
def test_wrong_programs_are_refused(data, message):
    with pytest.raises(LoadError, match=message):
        run(data)


BOMBS = {
    "claimed string": b"X\xff\xff\xff\xff.",
    "claimed long": b"\x8a\xff.",
    "memo index": b"Nr\xff\xff\xff\xff.",
    "flood of None": b"N" * 1_000_000 + b".",
    "flood of dicts": b"(" + b"}" * 200_000 + b"t.",
    "flood of lists": b"(" + b"]" * 200_000 + b"t.",
    "flood of tuples": b")" + b"\x85" * 1_000_000 + b".",
    "flood of marks": b"(" * 1_000_000 + b".",
    "hash of nested tuples": b")" + b"\x85q\x00h\x00\x86" * 60 + b"q\x01}h\x01Ns.",
    "hash of wide tuple": b"}(" + b"K\x01" * 100 + b"tNs.",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_with_little_memory(name):
    def attempt():
        with pytest.raises(LoadError):
            run(BOMBS[name])

    assert peak_bytes(attempt) < 8 << 20


def test_operations_are_bounded():
    data = pickle.dumps([None] * 100, 2)
    assert len(run(data, operations=200)) == 100
    with pytest.raises(LoadError, match="more than 50 pickle operations"):
        run(data, operations=50)


def test_stack_and_length_are_bounded():
    data = pickle.dumps((None,) * 100, 2)
    with pytest.raises(LoadError, match="more than 99 values"):
        run(data, stack=99)
    with pytest.raises(LoadError, match="longer than 50 bytes"):
        run(data, pickle_bytes=50)
