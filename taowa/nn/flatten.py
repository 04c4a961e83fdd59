"""Layers that only change the shape."""

from __future__ import annotations

from typing import Any

from taowa.core.tensor import Tensor
from taowa.nn.module import Module

__all__ = ["Flatten", "Unflatten"]


class Flatten(Module):
    """Join a range of dimensions into one.

    Args:
        start_dim: First dimension of the range.
        end_dim: Last dimension of the range, included.

    Example:
        >>> import taowa
        >>> Flatten()(taowa.ones(2, 3, 4)).shape
        torch.Size([2, 12])
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        """Return the flattened input."""
        return input.flatten(self.start_dim, self.end_dim)  # type: ignore[attr-defined]

    def extra_repr(self) -> str:
        """Return the range for the printed form."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Split one dimension into several.

    Args:
        dim: The dimension to split, a number (or a name, which is not supported).
        unflattened_size: The sizes it becomes; one of them may be -1.

    Raises:
        TypeError: if the sizes are no tuple of ints.

    Example:
        >>> import taowa
        >>> Unflatten(1, (2, 3))(taowa.ones(1, 6)).shape
        torch.Size([1, 2, 3])
    """

    def __init__(self, dim: int, unflattened_size: Any):
        super().__init__()
        if isinstance(dim, str):
            raise NotImplementedError(
                "named dimensions are not supported by taowa; use the dimension's number"
            )
        if not isinstance(dim, int):
            raise TypeError("invalid argument type for dim parameter")
        if not isinstance(unflattened_size, tuple | list):
            raise TypeError(
                "unflattened_size must be a tuple of ints, but found type "
                f"{type(unflattened_size).__name__}"
            )
        for position, size in enumerate(unflattened_size):
            if not isinstance(size, int):
                raise TypeError(
                    "unflattened_size must be tuple of ints, but found element of type "
                    f"{type(size).__name__} at pos {position}"
                )
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with the dimension split."""
        return input.unflatten(self.dim, self.unflattened_size)  # type: ignore[attr-defined]

    def extra_repr(self) -> str:
        """Return the options for the printed form."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
