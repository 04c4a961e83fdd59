"""`taowa models`: which networks there are."""

from __future__ import annotations

import re
from typing import Annotated

import typer


def run(
    patterns: Annotated[
        list[str] | None, typer.Argument(help="Wildcards, as in 'resnet*'.", show_default=False)
    ] = None,
) -> None:
    """List the networks that can be trained by name."""
    from taowa.models import get_model_builder, list_models

    names = sorted(list_models(patterns), key=_natural)
    width = max(map(len, names), default=0)
    for name in names:
        summary = (get_model_builder(name).__doc__ or "").strip().split("\n")[0]
        typer.echo(f"{name:<{width}}  {summary.removeprefix('Build ')}")


def _natural(name: str) -> list[tuple[str, int]]:
    """Return a sorting key that takes numbers as numbers."""
    return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", name)]
