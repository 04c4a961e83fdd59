import io

import pytest

from taowa.errors import LoadError
from taowa.io.byte_source import ByteSource


class Slow(io.RawIOBase):
    """Gives at most three bytes at once, as a raw file may."""

    def __init__(self, data):
        self.file = io.BytesIO(data)

    def read(self, count=-1):
        return self.file.read(min(count, 3))

    def readinto(self, buffer):
        return self.file.readinto(buffer[:3])

    def seek(self, *args):
        return self.file.seek(*args)

    def tell(self):
        return self.file.tell()


@pytest.mark.parametrize("kind", [io.BytesIO, Slow])
def test_reads_exactly_what_was_asked_for(kind):
    source = ByteSource(kind(b"0123456789"))
    assert source.read_at(2, 7) == b"2345678"
    assert source.read_array_at(3, 5).tobytes() == b"34567"
    assert source.read_at(10, 0) == b""


@pytest.mark.parametrize("place", [(0, 11), (10, 1), (-1, 1), (0, -1), (1 << 70, 1)])
def test_bytes_outside_the_file_are_an_error(place):
    source = ByteSource(io.BytesIO(b"0123456789"))
    for read in (source.read_at, source.read_array_at):
        with pytest.raises(LoadError, match="the file has 10"):
            read(*place)


def test_file_begins_at_its_position():
    file = io.BytesIO(b"headpayload")
    file.seek(4)
    source = ByteSource(file)
    assert source.size == 7
    assert source.read_at(0, 3) == b"pay"
    source.move_to(7)
    assert file.tell() == 11


def test_file_that_shrinks_while_read_is_an_error():
    file = io.BytesIO(b"0123456789")
    source = ByteSource(file)
    file.truncate(4)
    for read in (source.read_at, source.read_array_at):
        with pytest.raises(LoadError, match="6 bytes early"):
            read(0, 10)


def test_file_without_readinto():
    file = io.BytesIO(b"0123456789")

    class Plain:
        read, seek, tell = file.read, file.seek, file.tell

    assert ByteSource(Plain()).read_array_at(1, 3).tobytes() == b"123"


def test_text_file_is_a_type_error():
    with pytest.raises(TypeError, match="binary mode"):
        ByteSource(io.StringIO("abc")).read_at(0, 1)


def test_object_that_is_no_file_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'int' object has no attribute 'read'"):
        ByteSource(3)
