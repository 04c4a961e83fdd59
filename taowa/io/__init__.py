"""Files: checkpoints exchanged with PyTorch."""

from __future__ import annotations

from taowa.io.pickle_machine import Limits
from taowa.io.pth import load, save

__all__ = ["Limits", "load", "save"]
