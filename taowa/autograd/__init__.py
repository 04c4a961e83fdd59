"""Automatic differentiation, under PyTorch's names (`torch.autograd`)."""

from __future__ import annotations

from typing import Any

from taowa.autograd import functional as functional
from taowa.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
from taowa.core import grad_mode as grad_mode
from taowa.core.anomaly import (
    detect_anomaly,
    is_anomaly_check_nan_enabled,
    is_anomaly_enabled,
    set_detect_anomaly,
)
from taowa.core.autograd import backward, grad
from taowa.core.function import Function, FunctionCtx, once_differentiable
from taowa.core.grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from taowa.core.tensor import Tensor as Variable
from taowa.errors import UnsupportedError

__all__ = [
    "Function",
    "FunctionCtx",
    "GradcheckError",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "functional",
    "grad",
    "grad_mode",
    "gradcheck",
    "gradgradcheck",
    "inference_mode",
    "is_anomaly_check_nan_enabled",
    "is_anomaly_enabled",
    "is_grad_enabled",
    "no_grad",
    "once_differentiable",
    "set_detect_anomaly",
    "set_grad_enabled",
]

_UNSUPPORTED = {
    "forward_ad": "functional.jvp",
    "graph": "checkpoint of taowa.utils and Tensor.register_hook",
    "profiler": "taowa.explain",
}


def __getattr__(name: str) -> Any:
    text = f"module 'taowa.autograd' has no attribute {name!r}"
    if name not in _UNSUPPORTED:
        raise AttributeError(text)
    raise UnsupportedError(f"{text}: it is not supported; use {_UNSUPPORTED[name]}")
