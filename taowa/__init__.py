"""taowa: the neural-network toolbox that PyTorch users know, on the XLA compiler.

`import taowa as torch` and write PyTorch. Operations are recorded as they are called and compiled
whole, one program for each training step.

Example:
    >>> import taowa as torch
    >>> x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4., 6.])
"""

from __future__ import annotations

from typing import Any

from taowa import dtypes as _dtypes
from taowa import ops as _ops
from taowa.core.api import NAMES as _NAMES
from taowa.core.autograd import backward as _backward  # noqa: F401
from taowa.core.device import device
from taowa.core.explain import explain
from taowa.core.format import set_printoptions
from taowa.core.grad_mode import (
    eager,
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from taowa.core.program import clear_programs, flush
from taowa.core.size import Size
from taowa.core.tensor import Tensor, from_jax
from taowa.dtypes import (
    dtype,
    get_default_dtype,
    promote_types,
    set_default_dtype,
)
from taowa.errors import CheckpointError, DataError, LoadError, OutOfMemoryError
from taowa.ops import operators as _operators
from taowa.version import __version__

_operators.install()
globals().update({d.name: d for d in _dtypes.ALL})
globals().update(_dtypes.ALIASES)
globals().update(_NAMES)

from taowa import autograd, nn, optim, utils  # noqa: E402
from taowa.io import load, save  # noqa: E402


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module 'taowa' has no attribute {name!r}")
