"""What activations with no option but `inplace` have in common."""

from __future__ import annotations

from taowa.nn.module import Module

__all__: list[str] = []


class InplaceActivation(Module):
    """Remember whether to write the result into the input."""

    def __init__(self, inplace: bool = False):
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        """Return `inplace=True` where it is set."""
        return "inplace=True" if self.inplace else ""
