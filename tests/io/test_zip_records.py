import io
import struct
import zipfile
import zlib

import numpy as np
import pytest

from taowa.errors import LoadError
from taowa.io import zip_records
from taowa.io.byte_source import ByteSource
from taowa.io.zip_records import ZipReader, ZipWriter
from tests.io.crafting import peak_bytes, zipped

RECORDS = {"data.pkl": b"pickle", "data/0": b"\1\2\3\4", "data/1": b"", "version": b"3\n"}


def read(data, max_records=100):
    return ZipReader(ByteSource(io.BytesIO(data)), max_records)


def contents(reader):
    return {name: reader.read(name, 1 << 20) for name in reader.records}


def written(records=RECORDS):
    file = io.BytesIO()
    archive = ZipWriter(file, "archive")
    for name, data in records.items():
        archive.add(name, data)
    archive.close()
    return file.getvalue()


def test_own_archive_reads_back():
    assert contents(read(written())) == RECORDS


def test_archive_of_zipfile_reads_back():
    assert contents(read(zipped(RECORDS))) == RECORDS


def test_zipfile_reads_own_archive():
    archive = zipfile.ZipFile(io.BytesIO(written()))
    assert archive.testzip() is None
    assert {n.removeprefix("archive/"): archive.read(n) for n in archive.namelist()} == RECORDS


def test_records_are_aligned():
    assert [r.start % 64 for r in read(written()).records.values()] == [0] * 4


def test_array_is_the_same_as_the_bytes():
    assert read(written()).read_array("data/0").tobytes() == b"\1\2\3\4"


def test_sizes_beyond_32_bits_are_written_and_read(monkeypatch):
    # The limit is lowered instead of writing four gigabytes; the fields are the same.
    monkeypatch.setattr(zip_records, "_FULL32", 3)
    data = written()
    assert contents(read(data)) == RECORDS


def test_place_beyond_32_bits_stands_in_the_extra_field():
    class Sparse(io.RawIOBase):
        """A file that keeps only what is not the long run of zeros."""

        def __init__(self):
            self.parts, self.size = [], 0

        def write(self, data):
            if len(data) < 1 << 20:
                self.parts.append((self.size, bytes(data)))
            self.size += len(data)
            return len(data)

    file = Sparse()
    archive = ZipWriter(file, "archive")
    archive.add("first", b"x")
    archive.position = file.size = (1 << 32) + 64  # as if a long record had been written
    archive.add("second", b"y")
    archive.close()
    central = b"".join(part for at, part in file.parts if at > (1 << 32) + 128)
    assert struct.pack("<2HQ", 1, 8, (1 << 32) + 64) in central


def test_too_many_records():
    with pytest.raises(LoadError, match="4 records, more than 3"):
        read(written(), max_records=3)


def test_short_read_limit():
    with pytest.raises(LoadError, match="6 bytes, more than 5"):
        read(written()).read("data.pkl", 5)


def test_missing_record():
    with pytest.raises(LoadError, match="record data/7 is missing"):
        read(written()).read("data/7", 10)


def test_damaged_record():
    data = written().replace(b"pickle", b"pickla")
    reader = read(data)
    with pytest.raises(LoadError, match=r"data\.pkl is damaged: checksum"):
        reader.read("data.pkl", 100)
    assert reader.read("version", 10) == b"3\n"


def test_damaged_array():
    data = written().replace(b"\1\2\3\4", b"\1\2\3\5")
    with pytest.raises(LoadError, match="data/0 is damaged"):
        read(data).read_array("data/0")


def test_every_truncation_is_refused():
    data = written()
    for length in range(len(data)):
        with pytest.raises(LoadError):
            contents(read(data[:length]))


@pytest.mark.parametrize("junk", [b"\0", b"PK\5\6" + bytes(18), b"x" * 100])
def test_bytes_after_the_archive(junk):
    with pytest.raises(LoadError):
        read(written() + junk)


def test_bytes_before_the_archive():
    with pytest.raises(LoadError):
        read(b"#!/bin/sh\n" + written())


def test_bytes_before_the_first_record_of_an_otherwise_right_archive():
    file = io.BytesIO(b"#!/bin/sh\n")
    with zipfile.ZipFile(file, "a") as archive:  # records offsets from the file's start
        archive.writestr("a/data.pkl", b"x")
    with pytest.raises(LoadError, match="other bytes come first"):
        read(file.getvalue())


def test_duplicate_names():
    with pytest.warns(UserWarning, match="Duplicate"):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("a/data.pkl", b"shown")
            archive.writestr("a/data.pkl", b"loaded")
    with pytest.raises(LoadError, match=r"two records with the name 'a/data\.pkl'"):
        read(file.getvalue())


@pytest.mark.parametrize(
    "name", ["../data/0", "/data/0", "a//0", "a/./0", "a\\0", "a/\x01", "data/0/", "\n/a"]
)
def test_unusual_names(name):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/data.pkl", b"x")
        archive.writestr(name, b"x")
    with pytest.raises(LoadError):
        read(file.getvalue())


def test_second_folder():
    with pytest.raises(LoadError, match=r"records in 2 folders \('a', 'b'\)"):
        read(zipped({"a/data.pkl": b"x", "b/data/0": b"y"}, ""))


def test_compressed_record_is_refused_before_it_is_unpacked():
    bomb = zipped({"data/0": bytes(1 << 26), "data.pkl": b"x"}, compression=zipfile.ZIP_DEFLATED)

    def attempt():
        with pytest.raises(LoadError, match=r"data/0 is compressed \(.* 67,108,864\)"):
            read(bomb)

    assert peak_bytes(attempt) < 1 << 20


def patched(offset_of, offset, fmt, value):
    """The archive with one field changed, counted from a signature's `offset_of`th place."""
    data = bytearray(written())
    signature, number = offset_of
    at = -1
    for _ in range(number + 1):
        at = data.index(signature, at + 1)
    struct.pack_into(fmt, data, at + offset, value)
    return bytes(data)


@pytest.mark.parametrize(
    ("place", "offset", "fmt", "value"),
    [
        ((b"PK\1\2", 0), 8, "<H", 0x801),  # encrypted
        ((b"PK\1\2", 1), 10, "<H", 8),  # deflated
        ((b"PK\1\2", 1), 20, "<I", 3),  # packed size
        ((b"PK\1\2", 1), 24, "<I", 5),  # size
        ((b"PK\1\2", 1), 34, "<H", 1),  # disk
        ((b"PK\1\2", 1), 42, "<I", 0),  # offset: overlaps the first
        ((b"PK\1\2", 1), 42, "<I", 1 << 31),
        ((b"PK\1\2", 1), 28, "<H", 900),  # length of the name
        ((b"PK\1\2", 1), 46, "<B", ord("b")),  # name
        ((b"PK\3\4", 1), 30, "<B", ord("b")),
        ((b"PK\3\4", 1), 8, "<H", 8),  # method of the local header
        ((b"PK\3\4", 1), 6, "<H", 1),  # flags of the local header
        ((b"PK\3\4", 1), 14, "<I", 7),  # checksum of the local header
        ((b"PK\3\4", 1), 22, "<I", 3),  # size of the local header
        ((b"PK\5\6", 0), 8, "<H", 3),  # number of entries
        ((b"PK\5\6", 0), 12, "<I", 7),  # directory size
        ((b"PK\5\6", 0), 16, "<I", 7),  # directory offset
        ((b"PK\5\6", 0), 20, "<H", 1),  # comment
        ((b"PK\6\6", 0), 32, "<Q", 5),  # number of entries
        ((b"PK\6\6", 0), 48, "<Q", 1 << 62),  # directory offset
        ((b"PK\6\7", 0), 8, "<Q", 1 << 40),  # place of the ZIP64 end record
    ],
)
def test_contradictions_are_refused(place, offset, fmt, value):
    with pytest.raises(LoadError):
        contents(read(patched(place, offset, fmt, value)))


def test_overlapping_records_are_refused():
    data = bytearray(written({"a": b"0" * 200, "b": b"1"}))
    at = data.index(b"PK\3\4", 4)
    inner = bytes(data[at : at + 30 + 9])
    data[70 : 70 + len(inner)] = inner  # a header inside the first record's bytes
    second = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1)
    struct.pack_into("<I", data, second + 42, 70)
    first = data.index(b"PK\1\2")
    start = data.index(b"0" * 10)
    struct.pack_into("<I", data, first + 16, zlib.crc32(bytes(data[start : start + 200])))
    with pytest.raises(LoadError):
        contents(read(bytes(data)))


def test_partial_writes_are_continued():
    class Stingy(io.BytesIO):
        def write(self, data):
            return super().write(memoryview(data)[:7])

    file = Stingy()
    archive = ZipWriter(file, "archive")
    archive.add("data.pkl", b"x")
    archive.add("data/0", np.arange(100, dtype=np.uint8).data)
    archive.close()
    assert read(file.getvalue()).read("data/0", 100) == bytes(range(100))
