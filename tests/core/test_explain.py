"""What the engine tells about itself."""

import os
import subprocess
import sys

import numpy as np

import taowa


def test_counters_and_their_difference():
    before = taowa.explain()
    (taowa.ones(7) * 3).tolist()
    counted = taowa.explain() - before
    assert counted.dispatches == 1
    assert counted.compilations + counted.disk_hits == 1
    assert "programs dispatched" in str(counted)


def test_each_compilation_names_the_users_line_and_its_cause():
    (taowa.ones(11) * 3).tolist()
    (taowa.ones(12) * 3).tolist()
    latest = taowa.explain().history[-1]
    assert latest.line[0] == __file__
    assert "float32[12]" in latest.cause
    assert "float32[11]" in latest.cause


def test_graph_key_and_program_can_be_read():
    x = taowa.ones(5, requires_grad=True)
    y = (x * 2.5).sum()
    y.backward()
    pending = taowa.explain(verbose=True).details
    assert "pending graph" in pending
    assert "mul" in pending
    assert "2.5" in pending
    assert x.grad.tolist() == [2.5] * 5
    shown = taowa.explain(verbose=True).details
    assert "latest program" in shown
    assert "mul(a0; 1 numbers) -> float32[5]" in shown
    assert "return %" in shown
    assert "lambda" in shown  # JAX's form of it


def test_logging_prints_one_line_for_each_compilation():
    code = "import taowa; (taowa.ones(3) + 1).tolist()"
    env = {**os.environ, "TAOWA_LOG": "compile", "TAOWA_CACHE_DIR": ""}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    lines = [line for line in done.stderr.splitlines() if line.startswith("taowa:")]
    assert len(lines) == 1
    assert "<string>:1: compiled" in lines[0]


def test_eager_runs_each_operation_at_once():
    x = taowa.ones(3)
    before = taowa.explain()
    with taowa.eager():
        y = (x + 1) * 2
        assert (taowa.explain() - before).dispatches == 2
        assert taowa.explain().num_pending == 0
    assert np.array_equal(y.numpy(), [4, 4, 4])
