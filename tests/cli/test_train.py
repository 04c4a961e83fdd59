import json
import os
import signal
import subprocess
import time

import pytest

from tests.cli import running

QUICK = ("train", "--model", "mlp", "--epochs", "2", "--optimizer", "adam")


def metrics(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    times = ("seconds", "compile_seconds", "images_per_second")
    return [{k: v for k, v in line.items() if k not in times} for line in lines]


def test_a_run_writes_its_folder_and_plain_lines(tmp_path):
    result = running.run(*QUICK, "--out", tmp_path, "--name", "a")
    assert (result.returncode, result.stderr) == (0, "")
    folder = tmp_path / "a"
    names = {"config.json", "last.pth", "best.pth", "metrics.jsonl", "curves.png"}
    assert {p.name for p in folder.iterdir()} == names
    lines = result.stdout.splitlines()
    assert lines[0].startswith("network   mlp, 50,610 parameters")
    assert [line.split()[0] for line in lines[6:8]] == ["1/2", "2/2"]
    assert "\x1b" not in result.stdout
    config = json.loads((folder / "config.json").read_text())
    assert config["recipe"]["optimizer"] == "adam"
    assert len(metrics(folder)) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "resnt18"], "Unknown model resnt18; did you mean resnet18"),
        (["--data", "cats"], "data is 'cats', expected one of digits"),
        (["--epochs", "0"], "epochs is 0, expected at least 1"),
        (["--lr", "-1"], "lr is -1.0, expected at least 0"),
        (["--batch-size", "2000"], "batch_size is 2000, expected at most 1433"),
    ],
)
def test_bad_values_are_one_line_and_code_2(arguments, message, tmp_path):
    result = running.run("train", *arguments, "--out", tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"taowa: Invalid value: {message}")
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_diverging_run_is_one_line_and_code_1(tmp_path):
    result = running.run(*QUICK, "--optimizer", "sgd", "--lr", "1e30", "--out", tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith("taowa: the loss became ")
    assert result.stderr.count("\n") == 1


def test_a_folder_that_cannot_be_made_is_one_line_and_code_1(tmp_path):
    (tmp_path / "file").write_text("")
    result = running.run(*QUICK, "--out", tmp_path / "file")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1


def wait_for_lines(path, count):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if path.exists() and len(path.read_text().splitlines()) >= count:
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} has no {count} lines")


LONG = ("train", "--model", "mlp", "--epochs", "20")


def interrupt(folder, number):
    """Start a run, send it a signal after two epochs; return exit code, output and errors."""
    process = running.start(*LONG, "--out", folder.parent, "--name", folder.name)
    wait_for_lines(folder / "metrics.jsonl", 2)
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_ctrl_c_ends_a_run_cleanly_and_resume_goes_on(tmp_path):
    folder = tmp_path / "cut"
    code, out, err = interrupt(folder, signal.SIGINT)
    assert (code, err) == (130, "")
    assert "stopped in epoch" in out
    assert out.splitlines()[-1] == f"go on with: taowa train --resume {folder}"
    assert {p.name for p in folder.iterdir()} >= {"last.pth", "best.pth", "curves.png"}
    assert 2 <= len(metrics(folder)) < 20

    assert running.run("train", "--resume", folder).returncode == 0
    assert running.run(*LONG, "--out", tmp_path, "--name", "whole").returncode == 0
    assert metrics(folder) == metrics(tmp_path / "whole")


def test_a_terminating_signal_ends_a_run_cleanly(tmp_path):
    code, out, err = interrupt(tmp_path / "cut", signal.SIGTERM)
    assert (code, err) == (143, "")
    assert "stopped in epoch" in out


def test_resume_takes_no_other_recipe(tmp_path):
    result = running.run("train", "--resume", tmp_path, "--lr", "0.1")
    assert result.returncode == 2
    assert "--resume goes on as the run was started, without --lr" in result.stderr


def test_resume_of_no_run_is_one_line_and_code_1(tmp_path):
    result = running.run("train", "--resume", tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith(f"taowa: {tmp_path}/config.json cannot be read")
    assert result.stderr.count("\n") == 1


def test_a_run_on_a_terminal_shows_a_bar(tmp_path):
    command = " ".join([*running.COMMAND, *QUICK, "--out", str(tmp_path)])
    result = subprocess.run(
        ["script", "-qec", command, "/dev/null"],
        env=running.environment(TERM="xterm"), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert result.returncode == 0
    assert "━" in result.stdout
    assert "images/s" in result.stdout
