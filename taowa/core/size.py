"""`torch.Size`: a shape that prints itself."""

from __future__ import annotations

from math import prod
from typing import Any


class Size(tuple):
    """Hold a tensor's shape: a tuple with PyTorch's printed form and `numel`.

    Example:
        >>> Size((2, 3)), Size((2, 3)).numel()
        (torch.Size([2, 3]), 6)
    """

    __slots__ = ()

    def numel(self) -> int:
        """Return the number of elements."""
        return prod(self)

    def __repr__(self) -> str:
        return f"torch.Size([{', '.join(map(str, self))}])"

    def __getitem__(self, index) -> Any:
        found = tuple.__getitem__(self, index)
        return Size(found) if isinstance(index, slice) else found

    def __add__(self, other):
        return Size(tuple.__add__(self, tuple(other)))

    def __mul__(self, times):
        return Size(tuple.__mul__(self, times))

    __rmul__ = __mul__

    def __reduce__(self):
        return Size, (tuple(self),)
