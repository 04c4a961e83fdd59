"""The zip files of PyTorch checkpoints: stored records in one folder, read strictly.

Zip readers disagree about duplicate names, about headers that contradict each other and about bytes
around the archive, which is how a file can show one content to a scanner and another to a loader.
Here all of that is refused, and every record's checksum is verified.

References:
    PKWARE, .ZIP File Format Specification (APPNOTE) 6.3.10.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from taowa.errors import LoadError
from taowa.io.byte_source import ByteSource
from taowa.io.file_kind import describe_zip

LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
END64, LOCATOR64 = b"PK\x06\x06", b"PK\x06\x07"
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR64 = struct.Struct("<4sIQI")
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_ENCRYPTED, _SIZES_FOLLOW, _UTF8 = 0x2041, 0x0008, 0x0800
ALIGNMENT = 64


@dataclass(frozen=True)
class Record:
    """Where one record's bytes are: `size` bytes from `start`, with checksum `crc`."""

    name: str
    start: int
    size: int
    crc: int


class ZipReader:
    """The records of a zip file, by their names below its one folder.

    Args:
        source: The file.
        max_records: Largest number of entries.

    Raises:
        LoadError: if anything about the archive is contradictory, compressed or encrypted.
    """

    def __init__(self, source: ByteSource, max_records: int):
        self.source = source
        count, begin, size = _find_directory(source)
        if count > max_records:
            raise LoadError(f"{count:,} records, more than {max_records:,}")
        entries = _parse_directory(source.read_at(begin, size), count)
        kind = describe_zip([entry.shown for entry in entries])
        if kind:
            raise LoadError(kind)
        for entry in entries:
            _require_plain(entry)
        self.records = _by_name(_locate(source, entries, begin))

    def read(self, name: str, max_bytes: int) -> bytes:
        """Return a short record."""
        record = self._find(name)
        if record.size > max_bytes:
            raise LoadError(f"record {name} has {record.size:,} bytes, more than {max_bytes:,}")
        data = self.source.read_at(record.start, record.size)
        _require_crc(name, record, zlib.crc32(data))
        return data

    def read_array(self, name: str) -> np.ndarray:
        """Return a record as a new uint8 array."""
        record = self._find(name)
        array = self.source.read_array_at(record.start, record.size)
        _require_crc(name, record, zlib.crc32(array.data))
        return array

    def size_of(self, name: str) -> int:
        """Return a record's length in bytes."""
        return self._find(name).size

    def _find(self, name: str) -> Record:
        if name not in self.records:
            raise LoadError(f"record {name} is missing")
        return self.records[name]


def _require_crc(name: str, record: Record, crc: int) -> None:
    if crc != record.crc:
        raise LoadError(f"record {name} is damaged: checksum {crc:08x}, expected {record.crc:08x}")


def _find_directory(source: ByteSource) -> tuple[int, int, int]:
    """Return the number of entries and the place and length of the central directory."""
    if source.size < _END.size:
        raise LoadError("the zip archive is cut off")
    end_at = source.size - _END.size
    signature, *fields, comment = _END.unpack(source.read_at(end_at, _END.size))
    if signature != END or comment:
        raise LoadError("the zip archive is cut off or has extra bytes at its end")
    disk, directory_disk, here, count, size, begin = fields
    directory_end = end_at
    wide = _find_wide_end(source, end_at)
    if wide is not None:
        directory_end, values = wide
        for narrow, full, value in zip(
            fields, (_FULL16,) * 4 + (_FULL32,) * 2, values, strict=True
        ):
            if narrow not in (value, full):
                raise LoadError("the zip archive's two end records contradict each other")
        disk, directory_disk, here, count, size, begin = values
    if disk or directory_disk or here != count or begin + size != directory_end:
        raise LoadError("the zip archive's directory is not where its end record says")
    return count, begin, size


def _find_wide_end(source: ByteSource, end_at: int) -> tuple[int, tuple[int, ...]] | None:
    """Return the place and contents of the ZIP64 end record, if there is one."""
    locator_at = end_at - _LOCATOR64.size
    if locator_at < 0:
        return None
    signature, _, at, _ = _LOCATOR64.unpack(source.read_at(locator_at, _LOCATOR64.size))
    if signature != LOCATOR64:
        return None
    if at + _END64.size != locator_at:
        raise LoadError("the zip archive's ZIP64 end record is not where it should be")
    signature, _, _, _, *values = _END64.unpack(source.read_at(at, _END64.size))
    if signature != END64:
        raise LoadError("the zip archive's ZIP64 end record is damaged")
    return at, tuple(values)


@dataclass(frozen=True)
class _Entry:
    """One line of the central directory."""

    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    disk: int
    header: int

    @property
    def shown(self) -> str:
        """The name for messages, without what a terminal might obey."""
        name = self.raw_name.decode("utf-8", "replace")[:80]
        return "".join(c if c.isprintable() else "?" for c in name)


def _parse_directory(data: bytes, count: int) -> list[_Entry]:
    entries, at = [], 0
    for _ in range(count):
        if at + _CENTRAL.size > len(data):
            raise LoadError("the zip archive's directory is damaged")
        fields = _CENTRAL.unpack_from(data, at)
        name_length, extra_length, comment_length = fields[10:13]
        name_at = at + _CENTRAL.size
        extra_at = name_at + name_length
        at = extra_at + extra_length + comment_length
        if fields[0] != CENTRAL or at > len(data):
            raise LoadError("the zip archive's directory is damaged")
        extra = data[extra_at : extra_at + extra_length]
        entries.append(_entry(data[name_at:extra_at], fields, extra))
    if at != len(data):
        raise LoadError("the zip archive's directory has bytes left over")
    return entries


def _entry(raw_name: bytes, fields: tuple[Any, ...], extra: bytes) -> _Entry:
    _, _, _, flags, method, _, _, crc, packed, size, _, _, _, disk, _, _, header = fields
    size, packed, header = _widen(extra, (size, packed, header))
    return _Entry(raw_name, flags, method, crc, packed, size, disk, header)


def _require_plain(entry: _Entry) -> None:
    if entry.flags & _ENCRYPTED:
        raise LoadError(f"record {entry.shown} is encrypted")
    if entry.method != 0 or entry.packed != entry.size:
        raise LoadError(
            f"record {entry.shown} is compressed ({entry.packed:,} bytes for {entry.size:,}); "
            "PyTorch stores its records as they are, so pack the archive again without "
            "compression (zip -0)"
        )
    if entry.disk:
        raise LoadError(f"record {entry.shown} is on another disk")


def _widen(extra: bytes, values: tuple[int, ...]) -> list[int]:
    """Return the values with those that did not fit 32 bits taken from the ZIP64 extra field."""
    wide = iter(_wide_values(extra))
    try:
        return [next(wide) if value == _FULL32 else value for value in values]
    except StopIteration:
        raise LoadError("the zip archive's ZIP64 sizes are missing") from None


def _wide_values(extra: bytes) -> list[int]:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1 and at + 4 + length <= len(extra):
            count = length // 8
            return list(struct.unpack_from(f"<{count}Q", extra, at + 4))
        at += 4 + length
    return []


def _locate(source: ByteSource, entries: Iterable[_Entry], directory: int) -> list[Record]:
    """Return the records after comparing each local header with the directory."""
    records: list[Record] = []
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header):
        if entry.header < end or (not records and entry.header):
            raise LoadError("records of the zip archive overlap, or other bytes come first")
        start = _check_local_header(source, entry)
        end = start + entry.size
        if end > directory:
            raise LoadError("a record of the zip archive runs into its directory")
        records.append(Record(_decode_name(entry.raw_name), start, entry.size, entry.crc))
    return records


def _decode_name(raw_name: bytes) -> str:
    try:
        return raw_name.decode()
    except UnicodeDecodeError:
        raise LoadError(f"a record whose name {raw_name[:80]!r} is not UTF-8") from None


def _check_local_header(source: ByteSource, entry: _Entry) -> int:
    """Return where the record's bytes begin."""
    fields = _LOCAL.unpack(source.read_at(entry.header, _LOCAL.size))
    signature, _, flags, method, _, _, crc, packed, size, name_length, extra_length = fields
    name_at = entry.header + _LOCAL.size
    name_and_extra = source.read_at(name_at, name_length + extra_length)
    same = (signature, flags, method) == (LOCAL, entry.flags, entry.method)
    if not same or name_and_extra[:name_length] != entry.raw_name:
        raise LoadError(f"record {entry.shown}: its header contradicts the zip archive's directory")
    expected = {(entry.crc, entry.size, entry.size)}
    if flags & _SIZES_FOLLOW:
        expected |= {(0, 0, 0)}
    if _FULL32 in (packed, size):
        size, packed = _widen(name_and_extra[name_length:], (size, packed))
    if (crc, packed, size) not in expected:
        raise LoadError(f"record {entry.shown}: its header contradicts the zip archive's directory")
    return name_at + name_length + extra_length


def _by_name(records: list[Record]) -> dict[str, Record]:
    """Return the records by their names below the one folder."""
    found: dict[str, Record] = {}
    folders = set()
    for record in records:
        folder, slash, name = record.name.partition("/")
        folders.add(folder)
        if not (folder and slash and name) or not _is_safe(record.name):
            raise LoadError(f"a record with the name {record.name[:80]!r}")
        if name in found:
            raise LoadError(f"two records with the name {record.name!r}")
        found[name] = record
    if len(folders) > 1:
        shown = ", ".join(map(repr, sorted(folders)[:4]))
        raise LoadError(f"records in {len(folders)} folders ({shown}), expected one")
    return found


def _is_safe(name: str) -> bool:
    bad_parts = {"", ".", ".."} & set(name.split("/"))
    return not bad_parts and "\\" not in name and min(name) >= " "


class ZipWriter:
    r"""Write records, one after the other, to anything that has `write`.

    The bytes of a record begin at a multiple of 64, so that they can be mapped into memory.

    Args:
        file: Only its `write` is used; it need not be seekable.
        folder: The folder that holds all records.

    Example:
        >>> import io, zipfile
        >>> file = io.BytesIO()
        >>> archive = ZipWriter(file, "archive")
        >>> archive.add("version", b"3\n")
        >>> archive.close()
        >>> zipfile.ZipFile(file).read("archive/version")
        b'3\n'
    """

    def __init__(self, file: Any, folder: str):
        self.file = file
        self.folder = folder
        self.position = 0
        self.directory: list[bytes] = []

    def add(self, name: str, data: bytes | memoryview) -> None:
        """Write one record."""
        raw_name = f"{self.folder}/{name}".encode()
        size, crc, header = len(data), zlib.crc32(data), self.position
        wide = struct.pack("<2H2Q", 1, 16, size, size) if size >= _FULL32 else b""
        extra = wide + self._padding(len(raw_name) + len(wide))
        shown = min(size, _FULL32)
        lengths = (len(raw_name), len(extra))
        common = (_UTF8, 0, 0, 0x21, crc, shown, shown, *lengths)  # 0x21: the first of January 1980
        self._write(_LOCAL.pack(LOCAL, 45, *common) + raw_name + extra)
        self._write(data)
        self.directory.append(_central_line(raw_name, size, crc, header))

    def close(self) -> None:
        """Write the directory, after which no record can follow."""
        begin, lines = self.position, b"".join(self.directory)
        count = len(self.directory)
        wide = _END64.pack(END64, 44, 45, 45, 0, 0, count, count, len(lines), begin)
        locator = _LOCATOR64.pack(LOCATOR64, 0, begin + len(lines), 1)
        shown = min(count, _FULL16)
        narrow = (shown, shown, min(len(lines), _FULL32), min(begin, _FULL32), 0)
        self._write(lines + wide + locator + _END.pack(END, 0, 0, *narrow))

    def _padding(self, length: int) -> bytes:
        """Return an extra field that brings the record's bytes to the alignment."""
        start = self.position + _LOCAL.size + length + 4
        fill = -start % ALIGNMENT
        return struct.pack("<2sH", b"FB", fill) + b"Z" * fill

    def _write(self, data: bytes | memoryview) -> None:
        self.position += len(data)
        write_all(self.file, data)


def _central_line(raw_name: bytes, size: int, crc: int, header: int) -> bytes:
    wide = [size, size] if size >= _FULL32 else []
    wide += [header] if header >= _FULL32 else []
    extra = struct.pack(f"<2H{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
    shown = min(size, _FULL32)
    lengths = (len(raw_name), len(extra), 0, 0, 0, 0)
    common = (_UTF8, 0, 0, 0x21, crc, shown, shown, *lengths)
    line = _CENTRAL.pack(CENTRAL, 45, 45, *common, min(header, _FULL32))
    return line + raw_name + extra


def write_all(file: Any, data: bytes | memoryview) -> None:
    """Write all of `data`, also to an unbuffered file that takes only some of it at once."""
    view = memoryview(data)
    while len(view):
        written = file.write(view)
        if not isinstance(written, int) or written >= len(view):
            return
        view = view[written:]
