"""Peak memory of a ResNet-18 training step: taowa against the same step hand-written in JAX.

Each side runs in a process of its own. After three warm-up steps the kernel's high-water mark is
reset and three more steps are run; XLA's own account of the compiled step is printed beside it.
"""

import gc
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np

BATCH = 32


def main():
    sides = {side: _run(side) for side in ("taowa", "jax")}
    for side, (peak, program) in sides.items():
        print(f"{side:6} resident peak of a step {peak:7.1f} MB   XLA's account {program:7.1f} MB")
    (ours, our_program), (theirs, their_program) = sides["taowa"], sides["jax"]
    print(f"ratio  resident {ours / theirs:.3f}   XLA's account {our_program / their_program:.3f}"
          "   budget 1.1")  # fmt: skip


def _run(side):
    command = [sys.executable, "-m", "bench.memory", side]
    peak, program = subprocess.check_output(command, text=True).split()[-2:]
    return float(peak), float(program)


def _status_mb(field):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"{field} is not in /proc/self/status")


def peak_mb(step):
    """Return the most memory that values took during a step.

    That is what was alive between two steps, and how far the resident set then rose above it.
    """
    for _ in range(3):
        step()
    gc.collect()
    alive = sum(array.nbytes for array in jax.live_arrays()) / 2**20
    between = _status_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    for _ in range(3):
        step()
    return _status_mb("VmHWM") - between + alive


def program_mb(compiled):
    """Return XLA's account: arguments, outputs and temporaries, donated buffers once."""
    m = compiled.memory_analysis()
    total = m.argument_size_in_bytes + m.output_size_in_bytes + m.temp_size_in_bytes
    return (total - m.alias_size_in_bytes) / 2**20


def run_taowa():
    import taowa
    from bench.networks import Training
    from taowa.core.program import programs

    peak = peak_mb(Training(taowa, "resnet18", (BATCH, 3, 32, 32)).step)
    step = max(programs(), key=lambda p: p.num_nodes)
    print(peak, program_mb(step.call))


def run_jax():
    from bench.resnet_jax import make_step

    step, compiled = make_step(BATCH)
    print(peak_mb(step), program_mb(compiled()))


if __name__ == "__main__":
    np.random.seed(0)
    {"taowa": run_taowa, "jax": run_jax}.get(sys.argv[1] if sys.argv[1:] else "", main)()
