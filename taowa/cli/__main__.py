"""`python -m taowa.cli`: the same as the command `taowa`."""

from taowa.cli.main import app

app()
