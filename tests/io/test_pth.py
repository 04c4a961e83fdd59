"""`save` and `load` as their users call them, and on damaged files."""

import io
import os
import random
import struct
from collections import Counter, OrderedDict

import numpy as np
import pytest
import torch

import taowa
from taowa.core.tensor import from_array
from taowa.errors import CheckpointError, LoadError
from taowa.io import Limits, load, save
from tests.io.comparing import canonical
from tests.io.crafting import checkpoint, load_bytes, pickled, records_of, saved_by_torch, zipped


def value():
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(4, 3, generator=generator)
    return {
        "state": torch.nn.BatchNorm1d(2).state_dict(),
        "parameter": torch.nn.Parameter(torch.randn(3, 2, generator=generator)),
        "weight": weight,
        "transposed": weight.t(),
        "types": [torch.ones(2, dtype=d) for d in (torch.bfloat16, torch.uint16, torch.complex64)],
        "empty": torch.zeros(0, 3),
        "plain": [1, 2.5, None, True, "x", (1, 2, 3, 4), {1, 2}, b"abc", -(2**70), 1j],
        "others": [torch.Size([1]), torch.float32, torch.device("cpu"), Counter("ab")],
        1: OrderedDict(a=[]),
    }


# -- damaged files ------------------------------------------------------------------------


def mutated(r, data):
    """The bytes with one accident: bits, bytes, a hole, an insertion, a copied run."""
    data, kind = bytearray(data), r.randrange(6)
    at = r.randrange(len(data))
    if kind == 0:
        data[at] ^= 1 << r.randrange(8)
    elif kind == 1:
        data[at] = r.randrange(256)
    elif kind == 2:
        del data[at : at + r.choice([1, 2, 4, 16])]
    elif kind == 3:
        data[at:at] = r.randbytes(r.choice([1, 2, 8]))
    elif kind == 4:
        for _ in range(4):
            data[r.randrange(len(data))] = r.choice([0, 255, 128, 1])
    else:
        source, length = r.randrange(len(data)), r.randrange(1, 64)
        data[at : at + length] = data[source : source + length]
    return bytes(data)


def outcome(data):
    """The value in a file, or None if it is refused; any other error goes through."""
    try:
        return canonical(load_bytes(data))
    except LoadError as error:
        assert str(error).startswith("cannot load the file: ")
        return None


def saved_by_taowa(obj, **options):
    file = io.BytesIO()
    save(obj, file, **options)
    return file.getvalue()


def own_value():
    return load_bytes(saved_by_torch(value()))


@pytest.mark.parametrize("writer", ["torch", "taowa"])
def test_damaged_zip_gives_the_same_value_or_load_error(writer):
    data = saved_by_torch(value()) if writer == "torch" else saved_by_taowa(own_value())
    expected = outcome(data)
    assert expected is not None
    r = random.Random(0)
    results = Counter(
        {None: "refused", expected: "same"}.get(outcome(mutated(r, data)), "different")
        for _ in range(500)
    )
    assert results["different"] == 0
    assert results["refused"] > 200


def test_damaged_pickle_with_right_checksum_loads_or_gives_load_error():
    records = records_of(saved_by_torch(value()))
    r = random.Random(1)
    results = []
    for _ in range(500):
        damaged = {**records, "data.pkl": mutated(r, records["data.pkl"])}
        results.append(outcome(zipped(damaged)) is None)
    assert sum(results) > 300


def test_damaged_legacy_file_loads_or_gives_load_error():
    data = saved_by_torch(value(), _use_new_zipfile_serialization=False)
    r = random.Random(2)
    assert sum(outcome(mutated(r, data)) is None for _ in range(500)) > 300


@pytest.mark.parametrize("zip_format", [True, False], ids=["zip", "legacy"])
def test_every_truncation_is_a_load_error(zip_format):
    small = {"w": torch.ones(2, 2), "b": torch.zeros(1)}
    data = saved_by_torch(small, _use_new_zipfile_serialization=zip_format)
    assert outcome(data) is not None
    for length in range(len(data)):
        assert outcome(data[:length]) is None, length


@pytest.mark.parametrize("zip_format", [True, False], ids=["zip", "legacy"])
def test_cut_off_file_is_said_to_be_cut_off(zip_format):
    data = saved_by_torch(value(), _use_new_zipfile_serialization=zip_format)
    for length in (10, len(data) // 2, len(data) - 1):
        with pytest.raises(LoadError, match=r"cut off|directory is not where"):
            load_bytes(data[:length])


# -- paths, files and options -------------------------------------------------------------


def test_both_libraries_agree_through_a_path(tmp_path):
    ours, theirs = tmp_path / "ours.pth", tmp_path / "theirs.pt"
    torch.save(value(), theirs)
    save(load(theirs), ours)
    for mmap in (False, True):
        got = torch.load(ours, weights_only=True, mmap=mmap)
        assert canonical(got) == canonical(value())
    assert canonical(load(str(ours), mmap=True)) == canonical(value())


@pytest.mark.parametrize("name", ["model", "a.b.pth", "naïve ✓.pth", "-x"])
def test_any_file_name(tmp_path, name):
    path = tmp_path / name
    torch.save(torch.arange(3), path)
    assert load(path).tolist() == [0, 1, 2]
    save(load(path), path)
    assert torch.load(path).tolist() == [0, 1, 2]


def test_name_given_as_path_like(tmp_path):
    class Named:
        def __fspath__(self):
            return str(tmp_path / "m.pth")

    save([1], Named())
    assert load(Named()) == [1]


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing.pth")
    with pytest.raises(IsADirectoryError):
        load(tmp_path)
    with pytest.raises(RuntimeError, match=r"Parent directory .* does not exist\."):
        save([1], tmp_path / "missing" / "m.pth")
    with pytest.raises(CheckpointError, match="is a directory"):
        save([1], tmp_path)


def test_message_names_the_file(tmp_path):
    path = tmp_path / "model.pth"
    path.write_bytes(b"GIF89a")
    with pytest.raises(LoadError, match=r"cannot load .*model\.pth: it is a GIF image"):
        load(path)


def test_failed_save_keeps_the_old_file(tmp_path):
    path = tmp_path / "model.pth"
    save({"a": 1}, path)
    with pytest.raises(TypeError, match=r"cannot save obj\['a'\]\[1\]"):
        save({"a": [1, object()]}, path)
    assert load(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["model.pth"]


def test_full_disk_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.pth"
    save({"a": 1}, path)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"No space left on device \(it needs about .* free"):
        save({"w": from_array(np.ones(1000, np.float32))}, path)
    assert load(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["model.pth"]


def test_saving_onto_the_file_just_loaded(tmp_path):
    path = tmp_path / "model.pth"
    torch.save(value(), path)
    mapped = torch.load(path, mmap=True)
    for _ in range(3):
        save(load(path), path)
    assert canonical(load(path)) == canonical(value())
    assert canonical(mapped) == canonical(value())


def test_open_files_at_any_position():
    file = io.BytesIO()
    file.write(b"head")
    save({"a": from_array(np.arange(3))}, file)
    file.seek(4)
    assert load(file)["a"].tolist() == [0, 1, 2]
    file.seek(4)
    assert torch.load(file)["a"].tolist() == [0, 1, 2]


def test_unbuffered_and_write_only_files(tmp_path):
    with (tmp_path / "a").open("wb", buffering=0) as file:
        save({"a": from_array(np.arange(3))}, file)
    assert load(tmp_path / "a")["a"].tolist() == [0, 1, 2]

    class Sink:
        data = b""

        def write(self, part):
            self.data += bytes(part)

    sink = Sink()
    save([1], sink)
    assert load_bytes(sink.data) == [1]


def test_several_objects_in_one_legacy_file():
    file = io.BytesIO()
    for i in range(3):
        save({"i": i}, file, _use_new_zipfile_serialization=False)
    for read in (load, torch.load):
        file.seek(0)
        assert [read(file)["i"] for _ in range(3)] == [0, 1, 2]


def test_things_that_are_no_files():
    with pytest.raises(AttributeError, match="'write'"):
        save([1], 3)
    with pytest.raises(AttributeError, match="'int' object has no attribute 'read'"):
        load(3)
    with pytest.raises(TypeError, match="binary mode"):
        load(io.StringIO("text"))


@pytest.mark.parametrize("weights_only", [None, True, False])
def test_weights_only_makes_no_difference(weights_only):
    assert load_bytes(saved_by_torch([1]), weights_only=weights_only) == [1]
    with pytest.raises(LoadError, match="not with weights_only=False"):
        load_bytes(saved_by_torch(torch.nn.ReLU()), weights_only=weights_only)


def test_mmap_needs_a_path_and_the_zip_format(tmp_path):
    with pytest.raises(ValueError, match="needs a path"):
        load_bytes(saved_by_torch([1]), mmap=True)
    torch.save([1], tmp_path / "old", _use_new_zipfile_serialization=False)
    with pytest.raises(RuntimeError, match="needs the zip format"):
        load(tmp_path / "old", mmap=True)


def test_options_that_cannot_be_followed():
    with pytest.raises(NotImplementedError, match=r"save\(pickle_protocol=4\).*use 2"):
        save([1], io.BytesIO(), pickle_protocol=4)
    with pytest.raises(NotImplementedError, match="pickle_module=struct"):
        save([1], io.BytesIO(), struct)
    with pytest.raises(NotImplementedError, match="pickle_module=struct"):
        load_bytes(saved_by_torch([1]), pickle_module=struct)


def test_limits_can_be_given():
    data = checkpoint(pickled([[[1]]]))
    with pytest.raises(LoadError, match="nested deeper than 2"):
        load_bytes(data, limits=Limits(depth=2))
    with pytest.raises(LoadError, match="3 records, more than 2"):
        load_bytes(data, limits=Limits(records=2))
    assert load_bytes(data) == [[[1]]]


def test_pending_work_is_computed_before_it_is_saved():
    x = taowa.ones(3)
    y = x + x
    assert load_bytes(saved_by_taowa({"y": y}))["y"].tolist() == y.tolist()
