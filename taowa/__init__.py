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

import difflib
import importlib
import math
import os
import warnings
from typing import Any

from taowa import dtypes as _dtypes
from taowa import ops as _ops
from taowa.core import backends, cuda
from taowa.core import random as random
from taowa.core.api import NAMES as _NAMES
from taowa.core.autograd import backward as _backward
from taowa.core.device import device
from taowa.core.explain import explain
from taowa.core.format import get_printoptions, set_printoptions
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
from taowa.core.type_info import finfo, iinfo
from taowa.dtypes import dtype, get_default_dtype, promote_types, set_default_dtype
from taowa.errors import CheckpointError, DataError, LoadError, OutOfMemoryError, UnsupportedError
from taowa.ops import operators as _operators
from taowa.version import __version__

_operators.install()
globals().update({d.name: d for d in _dtypes.ALL})
globals().update(_dtypes.ALIASES)
globals().update(_NAMES)

pi, e, inf, nan = math.pi, math.e, math.inf, math.nan
newaxis = None

# Loaded when they are first asked for, so that `import taowa` stays as quick as `import jax`.
_LAZY_MODULES = ("autograd", "io", "nn", "optim", "utils", "vision", "models", "inspect", "train")
_LAZY_NAMES = {"load": "io", "save": "io"}


def get_num_threads() -> int:
    """Return how many threads a program may use: one for each processor."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def set_num_threads(num_threads: int) -> None:
    """Accept the number of threads that programs use anyway, and warn about any other.

    XLA sizes its pool when the process starts: limit the process's processors instead.
    """
    if num_threads != get_num_threads():
        warnings.warn(
            f"set_num_threads({num_threads}): programs use {get_num_threads()} threads, one for "
            "each processor that the process may use; limit those (taskset) to change it",
            stacklevel=2,
        )


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Accept PyTorch's switch: programs on the CPU are deterministic in any case."""


def set_float32_matmul_precision(precision: str) -> None:
    """Accept PyTorch's switch: float32 products on the CPU are computed in float32.

    Raises:
        NotImplementedError: for another precision than `"highest"` or `"high"`.
    """
    if precision not in ("highest", "high"):
        raise NotImplementedError(
            f"set_float32_matmul_precision({precision!r}) is not supported by taowa; use 'highest'"
        )


def compile(model: Any = None, **options: Any) -> Any:
    """Return the model as it is: every program is compiled whole without being asked."""
    return (lambda m: m) if model is None else model


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """Return a tensor with the value of another library's array, through DLPack.

    Args:
        ext_tensor: An array with the DLPack protocol.
        device: Where the tensor shall be; the CPU by default.
        copy: `False` is not supported: the value is always copied.

    Example:
        >>> import numpy as np
        >>> from_dlpack(np.arange(3.0))
        tensor([0., 1., 2.], dtype=torch.float64)
    """
    if copy is False:
        raise NotImplementedError(
            "from_dlpack(copy=False) is not supported by taowa; use copy=True"
        )
    import_dlpack = importlib.import_module("numpy").from_dlpack
    made = _NAMES["from_numpy"](import_dlpack(ext_tensor))
    return made if device is None else made.to(device)


def __getattr__(name: str) -> Any:
    if name in _LAZY_MODULES:
        return importlib.import_module(f"taowa.{name}")
    if name in _LAZY_NAMES:
        return getattr(importlib.import_module(f"taowa.{_LAZY_NAMES[name]}"), name)
    if name.startswith("__"):
        raise AttributeError(f"module 'taowa' has no attribute {name!r}")
    near = difflib.get_close_matches(name, [n for n in globals() if not n.startswith("_")], 1)
    hint = f"; did you mean taowa.{near[0]}?" if near else ""
    raise UnsupportedError(f"module 'taowa' has no attribute {name!r}: it is not supported{hint}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY_MODULES, *_LAZY_NAMES})
