"""Everything around training that is neither layer nor optimiser."""

from taowa.utils import checkpoint, data, hooks

__all__ = ["checkpoint", "data", "hooks"]
