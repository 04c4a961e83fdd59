"""The command line in a process of its own, as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "taowa.cli"]


def environment(**changes):
    """This process's environment, for a plain 100-column terminal."""
    plain = {"PYTHONPATH": str(ROOT), "COLUMNS": "100", "NO_COLOR": "1"}
    return {**os.environ, **plain, **changes}


def start(*arguments):
    """Begin to run."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def run(*arguments):
    """Run to the end; standard output, standard error and exit code are in the result."""
    process = start(*arguments)
    stdout, stderr = process.communicate(timeout=300)
    return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)
