"""Files of taowa read by PyTorch and by taowa again."""

import io
import sys
from collections import Counter, OrderedDict, defaultdict, namedtuple
from enum import IntEnum

import ml_dtypes
import numpy as np
import pytest
import torch

import taowa
from taowa import dtypes
from taowa.core.tensor import from_array
from taowa.io import load, save
from taowa.io.pickle_writer import MAX_DEPTH
from taowa.io.pth_writer import Checkpoint
from taowa.nn.parameter import Buffer, Parameter
from tests.io.comparing import bits, canonical
from tests.io.crafting import load_bytes, records_of, saved_by_torch

FORMATS = pytest.mark.parametrize("zip_format", [True, False], ids=["zip", "legacy"])
SIZES = [(3, 4), (), (0,), (3, 0, 2), (1,), (1,) * 20]


def saved(value, zip_format=True):
    file = io.BytesIO()
    save(value, file, _use_new_zipfile_serialization=zip_format)
    return file.getvalue()


def torch_loads(data):
    return torch.load(io.BytesIO(data), weights_only=True)


def random_array(dtype, size):
    rng = np.random.default_rng(0)
    if dtype is dtypes.bool:
        return rng.integers(0, 2, size).astype(np.bool_)
    count = int(np.prod(size))
    raw = rng.integers(0, 256, count * dtype.itemsize, dtype=np.uint8)
    return raw.view(dtype.np).reshape(size)


@FORMATS
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("dtype", dtypes.ALL, ids=str)
def test_every_type_bit_by_bit(dtype, size, zip_format):
    tensor = from_array(random_array(dtype, size))
    data = saved([tensor], zip_format)
    assert canonical(load_bytes(data)) == canonical([tensor])
    if zip_format or dtype.name not in ("uint16", "uint32", "uint64"):  # as torch.save's own file
        (expected,) = torch_loads(data)
        assert canonical(expected) == canonical(tensor)
        assert expected.is_contiguous()


def test_pytorch_cannot_read_the_new_unsigned_types_in_its_own_old_format():
    data = saved_by_torch(torch.ones(1, dtype=torch.uint16), _use_new_zipfile_serialization=False)
    with pytest.raises(AttributeError):
        torch_loads(data)


VALUE = {
    "a": [1, 2.5, True, False, None, "text", "", "naïve 😀 \ud800", (), (1,), (1, 2), (1, 2, 3)],
    "numbers": [0, 255, 256, 65535, 65536, -1, 2**31, -(2**31), -(2**31) - 1, 2**63, 2**2038],
    "floats": [float("inf"), float("-inf"), -0.0, 5e-324],
    7: {"nested": OrderedDict(x=1, y=OrderedDict())},
    None: Counter("abca"),
    (1, "k", (2.5, None)): {3, 4, "b", None},
    "bytes": [b"ab\xff\0", b"", bytearray(b"xyz"), bytearray()],
    "complex": [-1 + 2.5j, 1j],
    "long": list(range(2500)),
    "wide": {str(i): i for i in range(2500)},
    "tuple": tuple(range(2500)),
}


@FORMATS
def test_plain_values(zip_format):
    data = saved(VALUE, zip_format)
    assert canonical(torch_loads(data)) == canonical(VALUE)
    assert canonical(load_bytes(data)) == canonical(VALUE)


REPEATED = {
    "one bytes object": [b"x" * 10_000] * 50,
    "equal bytes": [bytes(10_000) for _ in range(50)],
    "equal bytearrays": [bytearray(10_000) for _ in range(50)],
    "empty dicts": [{} for _ in range(3000)],
    "empty lists": [[] for _ in range(3000)],
    "empty sets": [set() for _ in range(3000)],
    "empty ordered dicts": [OrderedDict() for _ in range(3000)],
    "empty tuples": [()] * 3000,
    "complex": [1j] * 3000,
    "sizes": [torch.Size([]) for _ in range(3000)],
    "devices": [torch.device("cpu")] * 3000,
    "scalars": [torch.tensor(i) for i in range(1000)],
    "parameters": [torch.nn.Parameter(torch.ones(())) for _ in range(1000)],
}


@pytest.mark.parametrize("name", REPEATED)
def test_honest_repetition_is_no_bomb(name):
    """Neither as PyTorch writes it nor as taowa does."""
    got = load_bytes(saved_by_torch(REPEATED[name]))
    again = load_bytes(saved(got))
    if name not in ("sizes", "devices"):
        assert canonical(again) == canonical(REPEATED[name])
    assert len(again) == len(REPEATED[name])


@FORMATS
def test_types_devices_and_sizes(zip_format):
    value = [*dtypes.ALL, taowa.device("cpu"), taowa.device("cuda", 1), taowa.Size([1, 2])]
    value.append({taowa.float32: taowa.device("cpu")})
    data = saved(value, zip_format)
    assert [repr(item) for item in torch_loads(data)] == [repr(item) for item in value]
    assert [repr(item) for item in load_bytes(data)] == [repr(item) for item in value]


@FORMATS
def test_state_dict_with_metadata(zip_format):
    state = OrderedDict([("w", from_array(np.ones((2, 3), np.float32)))])
    state._metadata = OrderedDict([("", {"version": 1}), ("bn", {"version": 2})])
    for got in (torch_loads(saved(state, zip_format)), load_bytes(saved(state, zip_format))):
        assert canonical(got) == canonical(state)
        assert type(got._metadata) is OrderedDict


def test_pytorch_module_loads_the_state():
    net, other = (torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3)) for _ in "ab")
    state = load_bytes(saved_by_torch(net.state_dict()))
    other.load_state_dict(torch_loads(saved(state)))
    assert canonical(other.state_dict()) == canonical(net.state_dict())


def test_pytorch_optimizer_loads_the_state():
    def train(net, optimizer):
        optimizer.zero_grad()
        net(torch.ones(1, 3)).sum().backward()
        optimizer.step()

    net = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.1, amsgrad=True)
    train(net, optimizer)
    state = load_bytes(saved_by_torch([net.state_dict(), optimizer.state_dict()]))
    weights, moments = torch_loads(saved(state))
    twin = torch.nn.Linear(3, 2)
    twin.load_state_dict(weights)
    twin_optimizer = torch.optim.AdamW(twin.parameters(), lr=0.5)
    twin_optimizer.load_state_dict(moments)
    train(net, optimizer)
    train(twin, twin_optimizer)
    assert canonical(twin.state_dict()) == canonical(net.state_dict())


@FORMATS
def test_parameters_and_gradient_flags(zip_format):
    value = [
        Parameter(from_array(np.ones(2, np.float32))),
        Parameter(from_array(np.ones(2, np.int64)), requires_grad=False),
        from_array(np.ones(2, np.float32), requires_grad=True),
    ]
    data = saved(value, zip_format)
    assert canonical(torch_loads(data)) == canonical(value)
    assert canonical(load_bytes(data)) == canonical(value)


def test_attributes_of_tensors_and_parameters():
    parameter = Parameter(from_array(np.ones(2, np.float32)))
    parameter.note = ("kept", 3)
    tensor = Buffer(from_array(np.ones(2, np.float32)), persistent=False)
    data = saved([parameter, tensor])
    for got in (torch_loads(data), load_bytes(data)):
        assert got[0].note == ("kept", 3)
        assert got[1].persistent is False
    parameter.note = [1]
    with pytest.raises(TypeError, match=r"cannot save obj\[0\]\.note: .* builtins\.list"):
        saved([parameter])


@FORMATS
def test_tied_tensors_are_written_once_and_tied_again(zip_format):
    weight = Parameter(from_array(np.zeros((100, 100), np.float32)))
    state = {"a": weight.detach(), "b": weight.detach(), "c": weight}
    data = saved(state, zip_format)
    assert len(data) < 45_000
    got = torch_loads(data)
    assert len({tensor.data_ptr() for tensor in got.values()}) == 1
    again = load_bytes(data)
    again["a"].set_host(np.full((100, 100), 3, np.float32))
    assert again["b"].host().max() == again["c"].host().min() == 3


def test_reshaped_view_of_everything_is_tied_in_pytorch():
    base = from_array(np.arange(6, dtype=np.float32))
    got = torch_loads(saved([base, base.view(2, 3)]))
    assert got[0].data_ptr() == got[1].data_ptr()
    assert got[1].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_partial_view_is_written_without_its_base():
    base = from_array(np.arange(10_000, dtype=np.float32).reshape(100, 100))
    (part,) = base.narrow(0, 3, 1).unbind(0)
    data = saved([part, part.detach(), base.t()])
    assert len(data) < 42_000
    got = torch_loads(data)
    assert got[0].tolist() == got[1].tolist() == list(range(300, 400))
    assert got[2][5, 1].item() == 105
    assert got[2].is_contiguous()


def test_same_object_twice_is_the_same_object():
    tensor, items = from_array(np.ones(2, np.float32)), [1]
    for got in (torch_loads, load_bytes):
        value = got(saved([tensor, tensor, items, items, (items, tensor)]))
        assert value[0] is value[1] is value[4][1]
        assert value[2] is value[3] is value[4][0]


def test_arrays_of_any_memory_layout():
    for array in (
        np.arange(12, dtype=np.float32).reshape(3, 4).T,
        np.arange(12, dtype=np.float32)[::-2],
        np.broadcast_to(np.float32(3), (2, 3)),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(4, dtype=ml_dtypes.bfloat16)[::2],
    ):
        assert bits(torch_loads(saved(from_array(array)))) == np.ascontiguousarray(array).tobytes()


def test_records_are_those_that_pytorch_needs():
    records = records_of(saved({"a": from_array(np.ones(2, np.float32))}))
    assert list(records) == ["data.pkl", "byteorder", "data/0", "version"]
    assert records["byteorder"] == sys.byteorder.encode()
    assert records["version"] == b"3\n"


def test_same_value_gives_the_same_bytes():
    assert saved(VALUE) == saved(VALUE)


def test_size_is_estimated_from_above():
    checkpoint = Checkpoint(VALUE, lambda _: None)
    assert len(saved(VALUE)) <= checkpoint.num_bytes <= len(saved(VALUE)) + 4096


class Color(IntEnum):
    RED = 1


class Text(str):
    pass


Point = namedtuple("Point", "x y")


class Net(torch.nn.Module):
    pass


REFUSED = {
    "numpy number": (np.float32(1), r"numpy\.float32; make it a Python number with \.item"),
    "numpy float64": (np.float64(1), r"numpy\.float64; make it a Python number"),
    "array": (np.ones(2), r"numpy\.ndarray; make it a tensor with taowa\.from_numpy"),
    "module": (Net(), r"Net; whole objects are not saved, save its \.state_dict\(\)"),
    "optimizer": (torch.optim.SGD([torch.ones(1)]), r"save its \.state_dict\(\)"),
    "function": (len, "builtins.builtin_function_or_method; what PyTorch loads safely are"),
    "named tuple": (Point(1, 2), "Point; make it a plain tuple"),
    "default dict": (defaultdict(int), "defaultdict; make it a plain dict"),
    "enum": (Color.RED, "Color; make it a plain int"),
    "text": (Text("a"), "Text; make it a plain str"),
    "frozen set": (frozenset([1]), "builtins.frozenset"),
    "class": (dict, "builtins.type"),
    "slice": (slice(1), "builtins.slice"),
    "object": (object(), "builtins.object"),
    "foreign tensor": (torch.ones(1), "torch.Tensor"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_types_are_refused_with_their_place(name):
    value, message = REFUSED[name]
    with pytest.raises(TypeError, match=rf"cannot save obj\['a'\]\[1\]\['b'\]: .*{message}"):
        saved({"a": [1, {"b": value}]})


def test_keys_that_cannot_be_loaded_are_refused():
    tensor = from_array(np.ones(1, np.float32))
    for value in ({tensor: 1}, {(1, tensor): 1}, {frozenset(): 1}, {Point(1, 2): [len]}, {len}):
        with pytest.raises(TypeError, match=r"cannot save obj\['x'\]"):
            saved({"x": value})


def test_foreign_attributes_of_an_ordered_dict_are_refused():
    state = OrderedDict()
    state.note = 1
    with pytest.raises(
        TypeError, match="an OrderedDict with attributes other than _metadata: note"
    ):
        saved(state)


def test_object_that_contains_itself_is_refused():
    loop, table = [], {}
    loop.append({"x": (loop,)})
    table["t"] = table
    for value in (loop, table):
        with pytest.raises(ValueError, match="contains itself"):
            saved(value)


def test_depth_is_bounded_where_loading_bounds_it():
    def nested(depth):
        value = []
        for _ in range(depth - 1):
            value = [value]
        return value

    assert load(io.BytesIO(saved(nested(MAX_DEPTH)))) == nested(MAX_DEPTH)
    with pytest.raises(ValueError, match=f"nested deeper than {MAX_DEPTH}"):
        saved(nested(MAX_DEPTH + 1))


def test_integer_that_does_not_fit():
    with pytest.raises(OverflowError, match=r"cannot save obj\[0\]: an int of 2040 bits"):
        saved([2**2039])
