"""Compiled programs on disk: found by the next process, never trusted when damaged."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import taowa as torch
w = torch.ones(3, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9)
for _ in range(2):
    optimizer.zero_grad()
    (w * w).sum().backward()
    optimizer.step()
report = torch.explain()
print(report.compilations, report.disk_hits, w.tolist())
"""


def run(folder):
    env = {**os.environ, "TAOWA_CACHE_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=env, capture_output=True, text=True, check=True
    )
    compiled, loaded, values = done.stdout.split(" ", 2)
    return int(compiled), int(loaded), values


def test_the_second_process_compiles_nothing(tmp_path):
    first = run(tmp_path / "cache")
    second = run(tmp_path / "cache")
    assert first[:2] == (1, 0)
    assert second[:2] == (0, 1)
    assert first[2] == second[2]


def test_a_damaged_file_is_compiled_anew(tmp_path):
    first = run(tmp_path)
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert run(tmp_path) == first
    assert run(tmp_path)[:2] == (0, 1)


def test_no_folder_means_no_cache(tmp_path):
    assert run("")[:2] == (1, 0)
    assert run("")[:2] == (1, 0)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_the_folder_is_the_users_own(tmp_path):
    run(tmp_path / "cache")
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0
    assert not list((tmp_path / "cache").glob("*.tmp"))


def test_an_unwritable_folder_costs_only_the_cache(tmp_path):
    (tmp_path / "file").write_text("no folder")
    assert run(tmp_path / "file" / "cache")[:2] == (1, 0)
