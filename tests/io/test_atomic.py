import errno
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from taowa.errors import CheckpointError
from taowa.io import atomic
from taowa.io.atomic import replacing

OLD = b"old" * 100


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "model.pth"
    path.write_bytes(OLD)
    return path


def write(path, data, **options):
    with replacing(path, **options) as file:
        for i in range(0, len(data), 1000):
            file.write(data[i : i + 1000])


def names_in(folder):
    return [path.name for path in folder.iterdir()]


def assert_untouched(path):
    assert path.read_bytes() == OLD
    assert names_in(path.parent) == [path.name]


def test_new_content_replaces_old(target):
    write(target, b"new")
    assert target.read_bytes() == b"new"
    assert names_in(target.parent) == [target.name]


def test_old_file_is_seen_until_the_end(target):
    with replacing(target) as file:
        file.write(b"new")
        file.flush()
        assert target.read_bytes() == OLD
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_error_in_block_keeps_old_file(target, error):
    with pytest.raises(error), replacing(target) as file:
        file.write(b"half")
        raise error
    assert_untouched(target)


def failing(number, error=errno.ENOSPC):
    """A function that raises at its `number`th call."""

    def call(real, *args):
        call.count += 1
        if call.count == number:
            raise OSError(error, os.strerror(error))
        return real(*args)

    call.count = 0
    return call


@pytest.mark.parametrize("number", range(1, 51))
def test_full_disk_at_any_fill_level_keeps_old_file(target, monkeypatch, number):
    fail, real = failing(number), os.fdopen

    def open_limited(*args):
        return Limited(real(*args), fail)

    monkeypatch.setattr(atomic.os, "fdopen", open_limited)
    with pytest.raises(CheckpointError, match=r"No space left.*about 123 bytes.*unchanged"):
        write(target, b"x" * 60_000, expected_bytes=123)
    assert_untouched(target)


class Limited:
    """A file whose `write` calls go through a function that may fail."""

    def __init__(self, file, fail):
        self.file, self.fail = file, fail

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, data):
        return self.fail(self.file.write, data)


@pytest.mark.parametrize(("name", "error"), [("fsync", errno.EIO), ("fsync", errno.EDQUOT)])
def test_failing_sync_keeps_old_file(target, monkeypatch, name, error):
    fail, real = failing(1, error), getattr(os, name)
    monkeypatch.setattr(atomic.os, name, lambda *args: fail(real, *args))
    with pytest.raises(CheckpointError, match=os.strerror(error)):
        write(target, b"new")
    assert_untouched(target)


def test_failing_rename_keeps_old_file(target, monkeypatch):
    fail = failing(1, errno.EACCES)
    real = Path.replace
    monkeypatch.setattr(Path, "replace", lambda *args: fail(real, *args))
    with pytest.raises(CheckpointError, match="Permission denied"):
        write(target, b"new")
    assert_untouched(target)


def test_file_size_limit_of_the_system_keeps_old_file(target):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(CheckpointError, match="File too large"):
            write(target, b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert_untouched(target)


def test_content_is_synced_before_the_rename_and_the_folder_after(target, monkeypatch):
    events = []
    real_sync, real_replace = os.fsync, Path.replace

    def sync(descriptor):
        events.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        real_sync(descriptor)

    def replace(*args):
        events.append("rename")
        return real_replace(*args)

    monkeypatch.setattr(atomic.os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", replace)
    write(target, b"new")
    assert events == ["file", "rename", "folder"]


def test_permissions_of_the_old_file_are_kept(target):
    target.chmod(0o640)
    write(target, b"new")
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_new_file_follows_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        write(tmp_path / "a", b"new")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_symbolic_link_is_followed(target, tmp_path):
    link = tmp_path / "latest"
    link.symlink_to(target.name)
    write(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_device_is_written_directly():
    write(os.devnull, b"new")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_full_device_is_an_error():
    with pytest.raises(CheckpointError, match="No space left on device"):
        write("/dev/full", b"x" * 100_000)


def test_pipe_is_written_directly(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    write(pipe, b"new")
    reader.join()
    assert received == [b"new"]


def test_missing_folder_and_folder_as_target(tmp_path):
    with pytest.raises(RuntimeError, match=r"Parent directory .*missing does not exist\."):
        write(tmp_path / "missing" / "a", b"")
    with pytest.raises(CheckpointError, match="is a directory"):
        write(tmp_path, b"")


def test_name_too_long_is_an_error_and_leaves_nothing(tmp_path):
    with pytest.raises(CheckpointError, match="File name too long"):
        write(tmp_path / ("n" * 300), b"new")
    assert names_in(tmp_path) == []


def test_longest_possible_name_can_be_written(tmp_path):
    write(tmp_path / ("n" * 255), b"new")
    assert names_in(tmp_path) == ["n" * 255]


WRITE_FOREVER = """
import sys
from taowa.io.atomic import replacing
print("ready", flush=True)
while True:
    for letter in b"abcdefgh":
        with replacing(sys.argv[1]) as file:
            for _ in range(64):
                file.write(bytes([letter]) * 65536)
"""


@pytest.mark.slow
def test_killed_at_any_moment_leaves_a_whole_file(target):
    target.write_bytes(b"a" * (64 * 65536))
    for kill in range(12):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITE_FOREVER, str(target)], stdout=subprocess.PIPE
        )
        assert process.stdout.readline() == b"ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.05 + 0.013 * kill)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        content = target.read_bytes()
        assert len(content) == 64 * 65536
        assert len(set(content)) == 1
