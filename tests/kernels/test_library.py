"""The kernel library: what happens when it is missing, foreign or told what to do."""

import os
import shutil
import subprocess
import sys

import pytest

from taowa.kernels import build
from taowa.kernels.shared_library import Kernels, kernels


def needs_kernels(test):
    is_there = kernels.is_available()
    return pytest.mark.kernel(
        pytest.mark.skipif(not is_there, reason="the kernels are not built")(test)
    )


TRAIN = """
import taowa
from taowa.core import journal
layer = taowa.nn.Linear(64, 64)
taowa.nn.init.ones_(layer.weight)
layer(taowa.ones(64, 64)).sum().backward()
print(layer.weight.grad.sum().item(), taowa.backends.kernels.isa, journal.counters.disk_hits)
"""


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_library_a_warning_says_so_once(tmp_path):
    missing = Kernels(tmp_path / "none.so")
    with pytest.warns(
        UserWarning, match=r"runs without its CPU kernels.*for want of a C\+\+ compiler"
    ):
        assert not missing.is_used()
    assert not missing.is_used()
    assert missing.isa is None
    assert missing.isas == ()
    assert missing.key() == "no kernels"
    assert "none" in repr(missing)


def test_a_file_that_is_no_library_is_a_clear_problem(tmp_path):
    damaged = tmp_path / "damaged.so"
    damaged.write_bytes(b"not a library")
    with pytest.warns(UserWarning, match="does not load.*Reinstall taowa"):
        assert not Kernels(damaged).is_used()


def foreign_library(folder, **replacements):
    """The library's listing of one handler, compiled as if for another jaxlib."""
    include = folder / "include"
    shutil.copytree(build.include_folder(), include)
    header = include / "xla" / "ffi" / "api" / "c_api.h"
    text = header.read_text()
    for old, new in replacements.items():
        assert old in text
        text = text.replace(old, new)
    header.write_text(text)
    library = folder / "foreign.so"
    sources = [str(build.SOURCES / name) for name in ("library.cc", "parallel.cc")]
    handler = folder / "handler.cc"
    handler.write_text(
        '#include "handler.h"\nnamespace taowa {\n'
        "static ffi::Error Nothing() { return ffi::Error::Success(); }\n"
        'TAOWA_HANDLER("taowa.nothing", Nothing, ffi::Ffi::Bind());\n}\n'
    )
    flags = ["-std=c++17", "-shared", "-fPIC", f"-I{build.SOURCES}", f"-I{include}"]
    command = [*build.compiler(), *flags, str(handler), *sources, "-o", str(library)]
    subprocess.run(command, check=True, capture_output=True)
    return library


@pytest.mark.slow
@pytest.mark.skipif(build.compiler() is None, reason="needs a C++ compiler")
def test_another_ffi_version_is_a_clear_problem(tmp_path):
    library = foreign_library(
        tmp_path, **{"#define XLA_FFI_API_MAJOR 0": "#define XLA_FFI_API_MAJOR 7"}
    )
    with pytest.warns(UserWarning, match="built for version 7.*installed jaxlib has 0"):
        assert not Kernels(library).is_used()


@needs_kernels
def test_the_environment_chooses_the_instruction_set(tmp_path):
    for isa in kernels.isas:
        result = run(TRAIN, TAOWA_CPU_ISA=isa, TAOWA_CACHE_DIR=str(tmp_path))
        assert result.stdout.split()[:2] == ["262144.0", isa], result.stderr


@needs_kernels
def test_an_instruction_set_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"'mmx'.*this machine has: portable"):
        kernels.isa = "mmx"
    result = run(TRAIN, TAOWA_CPU_ISA="mmx")
    assert "instruction set 'mmx' of the CPU kernels; this machine has" in result.stderr


@needs_kernels
def test_the_environment_switches_the_kernels_off():
    result = run("import taowa; print(taowa.backends.kernels)", TAOWA_KERNELS="0")
    assert result.stdout.startswith("<CPU kernels: off")


@needs_kernels
def test_a_program_with_kernels_comes_back_from_disk(tmp_path):
    first, second = (run(TRAIN, TAOWA_CACHE_DIR=str(tmp_path)).stdout.split() for _ in range(2))
    without = run(TRAIN, TAOWA_CACHE_DIR=str(tmp_path), TAOWA_KERNELS="0").stdout.split()
    assert [first[0], second[0], without[0]] == ["262144.0"] * 3
    assert [first[2], second[2], without[2]] == ["0", "1", "0"]


@needs_kernels
def test_the_switch_calls_its_listeners_when_it_changes():
    own = Kernels()
    calls = []
    own.listeners.append(lambda: calls.append(own.enabled))
    own.enabled = own.enabled
    own.enabled = not own.enabled
    assert calls == [own.enabled]


def test_importing_taowa_loads_no_library():
    code = "import taowa; print(taowa.backends.kernels._library)"
    assert run(code).stdout.strip() == "None"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("nm") is None, reason="needs nm")
@pytest.mark.skipif(build.compiler() is None, reason="needs a C++ compiler")
def test_code_for_one_instruction_set_shares_no_symbol_with_another(tmp_path):
    """Else the linker might keep the AVX-512 copy of a function that every machine runs."""
    units = [u for u in build.units(tmp_path) if len(u.target.suffixes) == 2]
    assert units
    for unit in units:
        build.compile_unit(unit)
        names = subprocess.run(
            ["nm", "-C", "--defined-only", str(unit.target)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        isa = unit.target.suffixes[0][1:]
        shared = [n for n in names.splitlines() if n.split()[1] in "WVu" and f"::{isa}::" not in n]
        assert shared == []
        sections = subprocess.run(
            ["objdump", "-h", str(unit.target)], capture_output=True, text=True, check=True
        ).stdout
        assert ".init_array" not in sections, "code that runs when the library is loaded"
