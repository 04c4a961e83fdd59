"""Handles of hooks, at PyTorch's address."""

from taowa.core.handles import RemovableHandle

__all__ = ["RemovableHandle"]
