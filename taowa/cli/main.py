"""The command `taowa`. Each other file of this folder is one of its commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules

import typer

import taowa.cli
from taowa.errors import CheckpointError, DataError, LoadError, OutOfMemoryError

__all__ = ["app"]

NOT_COMMANDS = ("__main__", "main")
# What can go wrong without a fault in the program; a traceback would only hide the message.
EXPECTED_ERRORS = (CheckpointError, DataError, LoadError, OutOfMemoryError, FloatingPointError)
USAGE_EXIT_CODE, FAILURE_EXIT_CODE, INTERRUPT_EXIT_CODE = 2, 1, 130


def _commands() -> typer.Typer:
    """Make a command of every file's function `run`."""
    commands = typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        help="PyTorch's neural-network API, every training step compiled whole.",
    )
    commands.callback()(lambda: None)  # keeps a lone command a sub-command
    for file in iter_modules(taowa.cli.__path__):
        if file.name not in NOT_COMMANDS:
            command = import_module(f"taowa.cli.{file.name}")
            commands.command(file.name)(command.run)
    return commands


def app(arguments: Sequence[str] | None = None) -> None:
    """Run a command and leave Python: one line on standard error says what went wrong.

    The exit code is 0, 2 for a wrong option, 1 for what failed later, 130 after Ctrl-C.

    Args:
        arguments: The command line without the program's name; `sys.argv`'s by default.
    Raises:
        SystemExit: always.
    Example:
        >>> app(["models", "resnet18"])
        Traceback (most recent call last):
        SystemExit: 0
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(_exit_code(given or ["--help"]))


def _exit_code(arguments: list[str]) -> int:
    command = typer.main.get_command(_commands())
    try:
        return command.main(arguments, prog_name="taowa", standalone_mode=False) or 0
    except EXPECTED_ERRORS as error:
        return _fail(str(error), FAILURE_EXIT_CODE)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPT_EXIT_CODE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads any more
        return FAILURE_EXIT_CODE
    except Exception as error:
        message = getattr(error, "format_message", None)  # what typer has to say to the user
        if message is None:
            raise
        return _fail(message(), USAGE_EXIT_CODE)


def _fail(message: str, code: int) -> int:
    typer.secho(f"taowa: {message}", fg="red", err=True)
    return code
