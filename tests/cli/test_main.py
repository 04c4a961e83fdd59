import subprocess
import sys

import pytest

from taowa.cli import main, models
from taowa.errors import LoadError
from tests.cli import running


def exit_code(arguments):
    with pytest.raises(SystemExit) as caught:
        main.app(arguments)
    return caught.value.code


def test_help_lists_every_command(capsys):
    assert exit_code(["--help"]) == 0
    shown = capsys.readouterr().out
    assert "train" in shown
    assert "models" in shown


def test_without_arguments_there_is_help(capsys):
    assert exit_code([]) == 0
    assert "Usage: taowa" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "No such command 'trian'"),
        (["train", "--epochs", "many"], "--epochs"),
        (["train", "--epoch", "1"], "--epoch"),
        (["train", "--lr"], "--lr"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(arguments, message, capsys):
    assert exit_code(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("taowa: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err


def test_expected_errors_are_one_line_and_code_1(monkeypatch, capsys):
    def fail():
        raise LoadError("the file is damaged")

    monkeypatch.setattr(models, "run", fail)
    assert exit_code(["models"]) == 1
    assert capsys.readouterr().err == "taowa: the file is damaged\n"


def test_faults_of_the_program_keep_their_traceback(monkeypatch):
    def fail():
        raise ZeroDivisionError

    monkeypatch.setattr(models, "run", fail)
    with pytest.raises(ZeroDivisionError):
        main.app(["models"])


def test_ctrl_c_anywhere_is_code_130(monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(models, "run", interrupted)
    assert exit_code(["models"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_commands_load_nothing_heavy_before_they_run():
    code = """
import sys, taowa
before = set(sys.modules)
from taowa.cli import main
main._commands()
late = {"taowa.train", "taowa.models", "sklearn", "matplotlib", "rich.progress"}
found = late & (set(sys.modules) - before)
assert not found, found
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=running.environment())


def test_a_reader_that_leaves_early_gets_no_traceback():
    command = " ".join([*running.COMMAND, "models", "|", "head", "-n", "0"])
    result = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env=running.environment()
    )
    assert "Traceback" not in result.stderr
