"""Run the kernels' stress programs under sanitizers: `make sanitize ARGS=10000` (random shapes).

Each `stress_*.cc` takes the number of random shapes and the number of threads that call at once.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from taowa.kernels import build

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / "build" / "sanitize"
KINDS = {
    # name: flags, share of the shapes, threads that call at once
    "address": (("-fsanitize=address,undefined", "-fno-sanitize-recover=all"), 1.0, 1),
    "thread": (("-fsanitize=thread",), 0.1, 8),
}


def compile_objects(folder, flags):
    """Compile the whole library with the flags and return its objects."""
    folder.mkdir(parents=True, exist_ok=True)
    units = build.units(folder)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda unit: build.compile_unit(unit, flags), units))
    return [str(unit.target) for unit in units]


def run(kind, num_shapes):
    """Build and run each stress program with one kind of sanitizer."""
    sanitizers, share, num_callers = KINDS[kind]
    flags = ("-O1", "-g", "-fno-omit-frame-pointer", "-Wall", "-Wextra", "-Werror", *sanitizers)
    folder = FOLDER / kind
    objects = compile_objects(folder, flags)
    for source in sorted(HERE.glob("stress_*.cc")):
        program = folder / source.stem
        include = (f"-I{build.SOURCES}", "-isystem", str(build.include_folder()))
        command = [*build.compiler(), "-std=c++17", *flags, *include, str(source), *objects]
        subprocess.run([*command, "-pthread", "-o", str(program)], check=True)
        print(f"{kind} sanitizer: {source.stem}", flush=True)
        numbers = (str(int(num_shapes * share)), str(num_callers))
        subprocess.run([str(program), *numbers], check=True)


def main():
    num_shapes = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    for kind in KINDS:
        run(kind, num_shapes)
    print("0 reports")


if __name__ == "__main__":
    main()
