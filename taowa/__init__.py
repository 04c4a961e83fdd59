"""taowa: the neural-network toolbox PyTorch users know, on XLA."""

from taowa import ops as _ops
from taowa.core.api import NAMES as _NAMES
from taowa.core.grad_mode import *  # noqa: F403
from taowa.core.program import flush
from taowa.ops import operators as _operators

_operators.install()
globals().update(_NAMES)
