"""One form for values of taowa and of PyTorch, so that equal means equal to the last bit."""

import numpy as np
import torch

import taowa


def canonical(value):
    """A value as nested tuples of plain Python, the same for both libraries."""
    if isinstance(value, torch.Tensor | taowa.Tensor):
        kind = "Parameter" if "Parameter" in type(value).__name__ else "Tensor"
        return kind, str(value.dtype), tuple(value.shape), bits(value), value.requires_grad
    if isinstance(value, dict):
        items = tuple((repr(k), canonical(v)) for k, v in value.items())
        metadata = getattr(value, "_metadata", None)
        return type(value).__name__, items, None if metadata is None else canonical(metadata)
    if isinstance(value, list | tuple):
        return type(value).__name__, tuple(canonical(item) for item in value)
    return type(value).__name__, repr(value)


def bits(tensor):
    """The bytes of a tensor's elements in row-major order."""
    if isinstance(tensor, taowa.Tensor):
        return np.ascontiguousarray(tensor.host()).tobytes()
    plain = torch.empty(tensor.numel(), dtype=tensor.dtype)
    plain.copy_(tensor.detach().resolve_conj().resolve_neg().reshape(-1))
    return plain.view(torch.uint8).numpy().tobytes()
