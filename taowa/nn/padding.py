"""Layers that put something around their input."""

from __future__ import annotations

from typing import Any

from taowa.core.tensor import Tensor
from taowa.nn import functional as F
from taowa.nn.module import Module

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


class _Pad(Module):
    """Pad the last `_rank` dimensions.

    Args:
        padding: How much before and after the last dimension, then before and after the one
            before it, and so on; one number for all.
    """

    _mode: str
    _rank: int
    padding: tuple[int, ...]

    def __init__(self, padding: Any):
        super().__init__()
        is_one = isinstance(padding, int)
        self.padding = (padding,) * (2 * self._rank) if is_one else tuple(padding)

    def forward(self, input: Tensor) -> Tensor:
        """Return the padded input."""
        if self._mode == "circular":
            _require_ndim(input, self._rank)
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        """Return the padding for the printed form."""
        return f"{self.padding}"


def _require_ndim(input: Tensor, rank: int) -> None:
    if input.ndim not in (rank + 1, rank + 2):
        raise ValueError(f"expected {rank + 1}D or {rank + 2}D input (got {input.ndim}D input)")


class _ConstantPad(_Pad):
    """Pad with a constant."""

    value: float

    def __init__(self, padding: Any, value: float):
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """Return the padded input."""
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        """Return the options for the printed form."""
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_ConstantPad):
    """Pad with zeros."""

    def __init__(self, padding: Any):
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """Return the padding for the printed form."""
        return f"{self.padding}"


_TEXT = """Put {what} around the last {rank} dimension(s).

    Args:
        padding: How much before and after the last dimension, then before and after the one
            before it, and so on; one number for all. Negative numbers cut off.{value}

    Shape:
        input `(N, C, *sizes)` or `(C, *sizes)` -> output with larger sizes

    Example:
        >>> import taowa
        >>> {name}({arguments})(taowa.ones({shape})).shape
        torch.Size([{padded}])
    """
_VALUE = "\n        value: The constant."


def _make(kind: str, base: type, mode: str, what: str, rank: int) -> type:
    """Return one of the layers."""
    name, has_value = f"{kind}Pad{rank}d", kind == "Constant"
    text = _TEXT.format(
        what=what, rank=rank, name=name, value=_VALUE if has_value else "",
        arguments="1, 3.5" if has_value else "1",
        shape=", ".join(["1", "1", *["2"] * rank]), padded=", ".join(["1", "1", *["4"] * rank]),
    )  # fmt: skip
    body = {"__doc__": text, "__module__": __name__, "_mode": mode, "_rank": rank}
    return type(name, (base,), body)


_KINDS = (
    ("Circular", _Pad, "circular", "what the other end holds"),
    ("Constant", _ConstantPad, "constant", "a constant"),
    ("Reflection", _Pad, "reflect", "a mirror image, without the border itself,"),
    ("Replication", _Pad, "replicate", "copies of the border"),
    ("Zero", _ZeroPad, "constant", "zeros"),
)
_MADE = {
    made.__name__: made for kind in _KINDS for made in (_make(*kind, rank=r) for r in (1, 2, 3))
}
CircularPad1d, CircularPad2d, CircularPad3d = (_MADE[f"CircularPad{r}d"] for r in (1, 2, 3))
ConstantPad1d, ConstantPad2d, ConstantPad3d = (_MADE[f"ConstantPad{r}d"] for r in (1, 2, 3))
ReflectionPad1d, ReflectionPad2d, ReflectionPad3d = (_MADE[f"ReflectionPad{r}d"] for r in (1, 2, 3))
ReplicationPad1d, ReplicationPad2d, ReplicationPad3d = (
    _MADE[f"ReplicationPad{r}d"] for r in (1, 2, 3)
)
ZeroPad1d, ZeroPad2d, ZeroPad3d = (_MADE[f"ZeroPad{r}d"] for r in (1, 2, 3))
