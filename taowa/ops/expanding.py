"""Repeating elements, without memory where that is possible."""

from __future__ import annotations

from typing import Any

from taowa.core.api import public
from taowa.core.draw_types import pytorch_name
from taowa.core.tensor import Tensor
from taowa.ops.view_steps import expanded
from taowa.ops.views import sizes_of


@public(is_function=False)
def expand(self: Tensor, *sizes: Any, size: Any = None, implicit: bool = False) -> Tensor:
    """Return a view in which dimensions of size one are repeated, without using memory.

    Args:
        sizes: The new sizes; -1 keeps one; further ones may stand in front.

    Raises:
        RuntimeError: if another dimension would change.

    Example:
        >>> import taowa
        >>> taowa.ones(2, 1).expand(-1, 3)
        tensor([[1., 1., 1.],
                [1., 1., 1.]])
    """
    return expanded(self, expanded_shape(self, sizes_of(sizes, size)))


def expanded_shape(input: Tensor, given: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that a tensor has once it is expanded to the given sizes.

    Raises:
        RuntimeError: if a dimension that is not of size one would change.

    Example:
        >>> import taowa
        >>> expanded_shape(taowa.ones(2, 1), (4, -1, 3))
        (4, 2, 3)
    """
    old = input._aval.shape
    extra = len(given) - len(old)
    if extra < 0:
        raise RuntimeError(
            f"expand(torch.{pytorch_name(input.dtype.np)}Tensor{{{list(old)}}}, size={list(given)})"
            f": the number of sizes provided ({len(given)}) must be greater or equal to the number "
            f"of dimensions in the tensor ({len(old)})"
        )
    new = list(given)
    for place, n in enumerate(given):
        if place < extra:
            if n < 0:
                raise RuntimeError(
                    f"The expanded size of the tensor ({n}) isn't allowed in a leading, "
                    f"non-existing dimension {place}"
                )
        elif n == -1:
            new[place] = old[place - extra]
        elif n != old[place - extra] and (old[place - extra] != 1 or n < 0):
            raise RuntimeError(
                f"The expanded size of the tensor ({n}) must match the existing size "
                f"({old[place - extra]}) at non-singleton dimension {place}.  Target sizes: "
                f"{list(given)}.  Tensor sizes: {list(old)}"
            )
    return tuple(new)


@public(is_function=False)
def expand_as(self: Tensor, other: Tensor) -> Tensor:
    """Return a view repeated to the shape of `other`.

    Example:
        >>> import taowa
        >>> taowa.ones(2, 1).expand_as(taowa.ones(2, 3)).shape
        torch.Size([2, 3])
    """
    return expand(self, other._aval.shape)


@public
def broadcast_to(input: Tensor, *sizes: Any, size: Any = None) -> Tensor:
    """Return a view repeated to the given shape.

    Example:
        >>> import taowa
        >>> taowa.broadcast_to(taowa.ones(3), (2, 3)).shape
        torch.Size([2, 3])
    """
    return expand(input, *sizes, size=size)
