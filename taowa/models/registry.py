"""The table of networks, which the command line, the summaries and the tests read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from taowa.nn.module import Module

__all__ = ["get_model", "get_model_builder", "list_models", "register_model"]

Builder = Callable[..., Module]

BUILDERS: dict[str, Builder] = {}


def register_model(name: str | Builder | None = None) -> Any:
    """Put a function that builds a network into the table, as `@register_model`.

    So that every network can be built for every set of images, the function takes the keywords
    `num_classes`, `in_channels` and `image_size` (pixels along a side of the square images).

    Args:
        name: The table's name for it; the function's own by default.
    Raises:
        ValueError: if the name is taken.
    Example:
        >>> from taowa import nn
        >>> @register_model("perceptron")
        ... def build(*, num_classes=10, in_channels=1, image_size=28):
        ...     features = in_channels * image_size**2
        ...     return nn.Sequential(nn.Flatten(), nn.Linear(features, num_classes))
        >>> get_model("perceptron", image_size=8)
        Sequential(
          (0): Flatten(start_dim=1, end_dim=-1)
          (1): Linear(in_features=64, out_features=10, bias=True)
        )
        >>> _ = BUILDERS.pop("perceptron")
    """
    if callable(name):
        return register_model()(name)

    def put(builder: Builder) -> Builder:
        key = name or builder.__name__
        if key in BUILDERS:
            raise ValueError(f"An entry is already registered under the name '{key}'.")
        BUILDERS[key] = builder
        return builder

    return put


def list_models(
    include: str | Iterable[str] | None = None, exclude: str | Iterable[str] | None = None
) -> list[str]:
    """Return the names of the registered networks, sorted.

    Args:
        include: Wildcard patterns, one of which a name must match.
        exclude: Wildcard patterns, none of which it may match.
    Example:
        >>> list_models("resnet*", exclude="*1*")
        ['resnet34', 'resnet50']
    """
    wanted, unwanted = _patterns(include, ("*",)), _patterns(exclude, ())
    return sorted(n for n in BUILDERS if _matches(n, wanted) and not _matches(n, unwanted))


def _patterns(given: str | Iterable[str] | None, default: tuple[str, ...]) -> tuple[str, ...]:
    if not given:
        return default
    return (given,) if isinstance(given, str) else tuple(given)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def get_model_builder(name: str) -> Builder:
    """Return the function that builds the network of that name.

    Raises:
        ValueError: if there is none.
    Example:
        >>> get_model_builder("mlp").__name__
        'mlp'
    """
    builder = BUILDERS.get(name.lower())
    if builder is None:
        near = get_close_matches(name.lower(), BUILDERS, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else f"; known: {list_models()}"
        raise ValueError(f"Unknown model {name}{hint}")
    return builder


def get_model(name: str, **config: Any) -> Module:
    """Build the network of that name.

    Args:
        name: One of `list_models()`, in any case.
        **config: What its builder takes; all take `num_classes`, `in_channels`, `image_size`.
    Raises:
        ValueError: if there is none of that name.
    Example:
        >>> get_model("resnet18", num_classes=10).fc
        Linear(in_features=512, out_features=10, bias=True)
    """
    return get_model_builder(name)(**config)
