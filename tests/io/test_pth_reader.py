"""Files of torch.save read by taowa."""

import io
import pickle
import struct
from collections import Counter, OrderedDict

import numpy as np
import pytest
import torch

import taowa
from taowa.errors import LoadError
from taowa.io import load
from taowa.nn.parameter import Buffer
from tests.io.comparing import bits, canonical
from tests.io.crafting import (
    Call,
    Store,
    checkpoint,
    load_bytes,
    peak_bytes,
    pickled,
    records_of,
    saved_by_torch,
    tensor_call,
    zipped,
)

FORMATS = pytest.mark.parametrize("zip_format", [True, False], ids=["zip", "legacy"])
DTYPES = [
    torch.bool, torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.int8, torch.int16,
    torch.int32, torch.int64, torch.float16, torch.bfloat16, torch.float32, torch.float64,
    torch.complex64, torch.complex128,
]  # fmt: skip


def random_tensor(dtype, *size):
    """A tensor with random bits: NaN payloads, denormals and 64-bit integers among them."""
    if dtype == torch.bool:
        return torch.randint(0, 2, size).bool()
    numel = int(np.prod(size))
    raw = torch.randint(0, 256, (numel * dtype.itemsize,), dtype=torch.uint8)
    return raw.view(dtype).reshape(size) if numel else torch.empty(size, dtype=dtype)


LAYOUTS = {
    "plain": lambda dtype: random_tensor(dtype, 3, 4),
    "0-dim": lambda dtype: random_tensor(dtype, 1)[0],
    "empty": lambda dtype: random_tensor(dtype, 0),
    "empty 2-dim": lambda dtype: random_tensor(dtype, 3, 0),
    "transposed": lambda dtype: random_tensor(dtype, 3, 4).t(),
    "slice": lambda dtype: random_tensor(dtype, 10)[3:7],
    "step": lambda dtype: random_tensor(dtype, 4, 6)[1::2, ::3],
    "expanded": lambda dtype: random_tensor(dtype, 3, 1).expand(3, 5),
    "permuted": lambda dtype: random_tensor(dtype, 2, 3, 4).permute(2, 0, 1),
    "channels last": lambda dtype: random_tensor(dtype, 2, 3, 4, 5).permute(0, 3, 1, 2),
    "many dims": lambda dtype: random_tensor(dtype, *(1,) * 20, 2),
}


def loaded(value, zip_format=True):
    return load_bytes(saved_by_torch(value, _use_new_zipfile_serialization=zip_format))


@FORMATS
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_type_and_layout_bit_by_bit(dtype, layout, zip_format):
    torch.manual_seed(0)
    tensor = LAYOUTS[layout](dtype)
    got = loaded(tensor, zip_format)
    assert str(got.dtype) == str(tensor.dtype)
    assert tuple(got.shape) == tuple(tensor.shape)
    assert bits(got) == bits(tensor)
    assert got.is_contiguous()


PLAIN = {
    "a": [1, 2.5, True, None, "text", (1, "b"), ()],
    7: {"nested": OrderedDict(x=1)},
    None: Counter("abca"),
    (1, "k"): {3, 4},
    "bytes": b"ab\xff\0",
    "no bytes": b"",
    "bytearray": bytearray(b"xyz"),
    "complex": -1 + 2.5j,
    "big": -(2**70),
    "huge": 2**2000,
    "empty": [{}, [], (), set(), OrderedDict(), Counter()],
}


@FORMATS
def test_plain_values(zip_format):
    got = loaded(PLAIN, zip_format)
    assert got == PLAIN
    assert canonical(got) == canonical(PLAIN)


@FORMATS
def test_types_devices_and_sizes(zip_format):
    value = [torch.float32, torch.bfloat16, torch.uint16, torch.device("cpu"), torch.Size([1, 2])]
    value.append(torch.device("cuda", 1))
    got = loaded(value, zip_format)
    assert [repr(item) for item in got] == [repr(item) for item in value]
    assert type(got[4]) is taowa.Size
    assert got[0] is taowa.float32


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(5, 4)
        self.norm = torch.nn.BatchNorm1d(4)
        self.rnn = torch.nn.LSTM(4, 4)
        self.head = torch.nn.Linear(4, 5, bias=False)
        self.head.weight = self.embed.weight


@FORMATS
def test_state_dict_with_metadata_and_tied_weights(zip_format):
    state = Net().state_dict()
    got = loaded(state, zip_format)
    assert canonical(got) == canonical(state)
    assert got._metadata == state._metadata
    got["embed.weight"].set_host(np.full((5, 4), 7, np.float32))
    assert got["head.weight"].tolist() == [[7.0] * 4] * 5


@FORMATS
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "RAdam", "LBFGS"])
def test_optimizer_and_scheduler_state(name, zip_format):
    net = torch.nn.Linear(3, 2)
    optimizer = getattr(torch.optim, name)(net.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [1, 3])
    for _ in range(2):
        optimizer.zero_grad()
        loss = net(torch.ones(4, 3)).square().sum()
        loss.backward()
        optimizer.step(lambda loss=loss: loss)
        scheduler.step()
    value = {
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "rng": torch.get_rng_state(),
        "epoch": 2,
    }
    assert canonical(loaded(value, zip_format)) == canonical(value)


@FORMATS
def test_parameters(zip_format):
    value = [
        torch.nn.Parameter(torch.randn(2, 3)),
        torch.nn.Parameter(torch.arange(3), requires_grad=False),
        torch.ones(2, requires_grad=True) * 2,
        torch.nn.Parameter(torch.randn(2, 3).t()),
    ]
    got = loaded(value, zip_format)
    assert canonical(got) == canonical([*value])
    assert type(got[0]).__name__ == "Parameter"
    assert all(tensor.is_leaf for tensor in got)


def test_attributes_of_tensors_and_parameters():
    parameter, tensor = torch.nn.Parameter(torch.ones(2)), torch.ones(2)
    parameter.sharded, tensor.note = (1, "a"), "kept"
    got = loaded([parameter, tensor])
    assert got[0].sharded == (1, "a")
    assert got[1].note == "kept"


def test_buffers_keep_their_marks():
    got = loaded(torch.nn.Buffer(torch.ones(2)))
    assert isinstance(got, Buffer)
    assert got.persistent is True


@FORMATS
def test_shared_objects_stay_shared(zip_format):
    tensor, items = torch.ones(2), [1]
    got = loaded(
        {"a": tensor, "b": tensor, "c": tensor.detach(), "d": items, "e": items}, zip_format
    )
    assert got["a"] is got["b"]
    assert got["d"] is got["e"]
    got["a"].set_host(np.array([5, 6], np.float32))
    assert got["c"].tolist() == [5.0, 6.0]


@FORMATS
def test_views_become_tensors_of_their_own(zip_format):
    base = torch.arange(6.0)
    value = {"base": base, "part": base[2:4], "rows": base.view(2, 3), "again": base[2:4]}
    got = loaded(value, zip_format)
    assert canonical(got) == canonical(value)
    got["part"].set_host(np.array([8, 9], np.float32))
    assert got["base"].tolist() == base.tolist()
    assert got["again"].tolist() == [8.0, 9.0]


def test_conjugated_and_negated_views():
    value = torch.tensor([1 + 2j, -3j])
    for tensor in (value.conj(), value.conj().imag, value.imag, value.real, value[1:].conj()):
        assert bits(loaded(tensor)) == bits(tensor)


def test_bool_storage_with_other_bytes_is_true():
    tensor = torch.tensor([0, 1, 2, 255], dtype=torch.uint8).view(torch.bool)
    got = loaded(tensor)
    assert got.tolist() == [False, True, True, True]
    assert bits(got) == b"\0\1\1\1"


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_big_endian_file(dtype):
    tensor = random_tensor(dtype, 3)
    width = dtype.itemsize // (2 if dtype.is_complex else 1)
    swapped = np.frombuffer(bits(tensor), np.uint8).reshape(-1, width)[:, ::-1].tobytes()
    records = records_of(saved_by_torch([tensor, tensor[:2]]))
    records |= {"byteorder": b"big", "data/0": swapped}
    first, second = load_bytes(zipped(records))
    assert bits(first) == bits(tensor)
    assert bits(second) == bits(tensor[:2])


def test_file_without_byte_order_is_little_endian():
    records = records_of(saved_by_torch(torch.arange(3)))
    del records["byteorder"]
    assert load_bytes(zipped(records)).tolist() == [0, 1, 2]


@pytest.mark.parametrize("version", [b"1", b"3\n", b"10"])
def test_versions_that_pytorch_reads(version):
    assert load_bytes(checkpoint(pickled([1]), version=version)) == [1]


@pytest.mark.parametrize("version", [b"0", b"11", b"", b"x", b"-1", b"3" * 99])
def test_other_versions(version):
    with pytest.raises(LoadError, match="version"):
        load_bytes(checkpoint(pickled([1]), version=version))


@pytest.mark.parametrize("order", [b"middle", b"", b"LITTLE", b"little\n"])
def test_other_byte_orders(order):
    with pytest.raises(LoadError, match="byteorder"):
        load_bytes(checkpoint(pickled([1]), byteorder=order))


@pytest.mark.parametrize("size", [0, 15, 17, 32])
def test_record_of_another_length(size):
    with pytest.raises(LoadError, match=f"data/0 has {size} bytes, expected 16"):
        load_bytes(checkpoint(pickled(tensor_call()), data=bytes(size)))


def test_nothing_is_read_before_everything_is_checked():
    big = bytes(32 << 20)
    good = tensor_call((8 << 20,), (1,), store=Store(numel=8 << 20))
    data = checkpoint(pickled([good, tensor_call((99,), (1,), store=Store(key="1"))]), data=big)

    def attempt():
        with pytest.raises(LoadError, match="reaches element 98"):
            load_bytes(data)

    assert peak_bytes(attempt) < 8 << 20


def test_loading_takes_little_more_memory_than_the_tensors():
    data = saved_by_torch({str(i): torch.zeros(1 << 20) for i in range(8)})
    assert peak_bytes(lambda: load_bytes(data)) < 40 << 20


def test_old_rebuild_function_and_old_cuda_storages():
    call = Call(torch._utils._rebuild_tensor, Store(), 1, (2,), (2,))
    data = np.arange(4, dtype=np.float32).tobytes()
    program = pickled(call).replace(b"ctorch\nFloat", b"ctorch.cuda\nFloat")
    assert load_bytes(checkpoint(program, data)).tolist() == [1.0, 3.0]


# -- the format before 1.6 ----------------------------------------------------------------


def legacy(root, keys, blobs, system=None):
    """A checkpoint in the old format, made by hand."""
    system = {"protocol_version": 1001, "little_endian": True} if system is None else system
    parts = [0x1950A86A20F9469CFC6C, 1001, system]
    return b"".join(pickle.dumps(part, 2) for part in parts) + root + pickle.dumps(keys, 2) + blobs


def blob(*values):
    return struct.pack("<q", len(values)) + np.array(values, np.float32).tobytes()


class View(Store):
    """A reference with the sixth item of the old format."""

    def __init__(self, view, **options):
        super().__init__(**options)
        self.persistent_id = (*self.persistent_id, view)


def test_legacy_storage_views():
    whole = tensor_call((4,), (1,), store=View(None))
    part = tensor_call((2,), (1,), store=View(("9", 1, 2)))
    got = load_bytes(legacy(pickled([whole, part]), ["0"], blob(1, 2, 3, 4)))
    assert [tensor.tolist() for tensor in got] == [[1, 2, 3, 4], [2, 3]]


@pytest.mark.parametrize(
    "view", [("9", 3, 2), ("9", -1, 2), ("9", 0, -1), ("9", 0), 3, ("9", 0.0, 1), ("9", 0, 3)]
)
def test_legacy_views_outside_of_their_storage(view):
    part = tensor_call((4,), (1,), store=View(view))
    with pytest.raises(LoadError):
        load_bytes(legacy(pickled(part), ["0"], blob(1, 2, 3, 4)))


@pytest.mark.parametrize(
    ("keys", "blobs"),
    [
        (["0"], blob(1, 2, 3)),
        (["0"], blob(1, 2, 3, 4)[:-1]),
        (["0"], struct.pack("<q", -1)),
        (["0"], struct.pack("<q", 1 << 62)),
        (["0", "1"], blob(1, 2, 3, 4) * 2),
        (["1"], blob(1, 2, 3, 4)),
        ([], b""),
        (["0", "0"], blob(1, 2, 3, 4) * 2),
        ([0], blob(1, 2, 3, 4)),
        ({"0": 1}, blob(1, 2, 3, 4)),
        ("0", blob(1, 2, 3, 4)),
    ],
)
def test_legacy_storages_that_do_not_fit(keys, blobs):
    with pytest.raises(LoadError):
        load_bytes(legacy(pickled(tensor_call(store=View(None))), keys, blobs))


def test_legacy_header_that_does_not_fit():
    good = legacy(pickled([1]), [], b"")
    assert load_bytes(good) == [1]
    with pytest.raises(LoadError, match="protocol version other than 1001"):
        load_bytes(good.replace(pickle.dumps(1001, 2), pickle.dumps(1002, 2), 1))
    with pytest.raises(LoadError, match="no dict"):
        load_bytes(legacy(pickled([1]), [], b"", system=[1]))


def test_legacy_file_with_a_long_pickle():
    value = {"names": [f"parameter {i}" for i in range(60_000)], "w": torch.ones(3)}
    data = saved_by_torch(value, _use_new_zipfile_serialization=False)
    assert len(data) > 1 << 20
    assert canonical(load_bytes(data)) == canonical(value)


def test_several_objects_in_one_file():
    file = io.BytesIO()
    for i in range(3):
        torch.save({"i": i, "t": torch.full((2,), i)}, file, _use_new_zipfile_serialization=False)
    file.seek(0)
    assert [load(file)["t"].tolist() for _ in range(3)] == [[0, 0], [1, 1], [2, 2]]
