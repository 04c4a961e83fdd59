"""Everything around training that is neither layer nor optimiser."""

from taowa.utils import data

__all__ = ["data"]
