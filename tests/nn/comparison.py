"""Calls of PyTorch and of taowa on the same values, compared in values, types and gradients."""

from __future__ import annotations

import numpy as np
import torch

from taowa.core import autograd
from taowa.core.tensor import Tensor, from_array

# (rtol, atol) as torch.testing.assert_close uses them, with room for another order of summing
TOLERANCES = {
    torch.float32: (2e-5, 2e-5),
    torch.float64: (1e-7, 1e-7),
    torch.float16: (2e-3, 2e-3),
    torch.bfloat16: (2e-2, 2e-2),
    torch.complex64: (2e-5, 2e-5),
}


def ours(value):
    """The same tensor in taowa (other values pass through)."""
    if isinstance(value, torch.Tensor):
        array = value.detach()
        if value.dtype == torch.bfloat16:
            made = from_array(array.float().numpy().astype("bfloat16"))
        else:
            made = from_array(np.array(array.numpy()))
        return made.requires_grad_() if value.requires_grad else made
    if isinstance(value, list | tuple):
        return type(value)(ours(v) for v in value)
    if isinstance(value, torch.dtype):
        return getattr(__import__("taowa"), str(value).removeprefix("torch."))
    return value


def flat(value):
    """All tensors in nested tuples, lists and dicts, in order."""
    if isinstance(value, torch.Tensor | Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [tensor for one in value for tensor in flat(one)]
    return []


def random(*shape, dtype=torch.float32, seed=None, grad=True):
    """Normal numbers; the same ones for the same seed."""
    generator = torch.Generator().manual_seed(len(shape) + 7 * sum(shape) if seed is None else seed)
    x = torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
    return x.requires_grad_() if grad else x


def same(theirs, our, name="", tolerance=None):
    """Fail unless a tensor of taowa equals one of PyTorch in shape, type and values."""
    assert tuple(our.shape) == tuple(theirs.shape), f"{name}: {our.shape} != {theirs.shape}"
    assert str(our.dtype) == str(theirs.dtype), f"{name}: {our.dtype} != {theirs.dtype}"
    rtol, atol = tolerance or TOLERANCES.get(theirs.dtype, (0, 0))
    expected = theirs.detach()
    wide = expected.double() if expected.is_floating_point() else expected
    actual = np.asarray(our.host())
    actual = actual.astype(np.float64) if expected.is_floating_point() else actual
    np.testing.assert_allclose(actual, wide.numpy(), rtol, atol, err_msg=name)


class Comparison:
    """Many comparisons, whose taowa side is computed as few programs.

    Example: `both.call("relu", F.relu, ours.relu, x)` for each case, then `both.check()`.
    """

    def __init__(self):
        self.pairs = []

    def call(self, name, theirs, our, *args, tolerance=None, parameters=((), ()), **kwargs):
        """Call both functions, and go backward from both with the same random cotangents.

        Gradients are compared towards all arguments and both sides' `parameters`.
        """
        args_ours, kwargs_ours = ours(args), {k: ours(v) for k, v in kwargs.items()}
        expected, actual = flat(theirs(*args, **kwargs)), flat(our(*args_ours, **kwargs_ours))
        assert len(expected) == len(actual), name
        for i, pair in enumerate(zip(expected, actual, strict=True)):
            self.pairs.append((f"{name} output {i}", *pair, tolerance))
        inputs = [flat([args, kwargs, *parameters[0]]),
                  flat([args_ours, kwargs_ours, *parameters[1]])]  # fmt: skip
        leaves = [pair for pair in zip(*inputs, strict=True) if pair[0].requires_grad]
        self._backward(name, expected, actual, leaves, tolerance)

    def _backward(self, name, expected, actual, leaves, tolerance):
        roots = [(t, o) for t, o in zip(expected, actual, strict=True) if t.requires_grad]
        for t, o in zip(expected, actual, strict=True):
            assert t.requires_grad == o.requires_grad, f"{name}: requires_grad"
        if not roots or not leaves:
            return
        cotangents = [random(*t.shape, dtype=t.dtype, seed=5, grad=False) for t, _ in roots]
        theirs = torch.autograd.grad(
            [t for t, _ in roots], [t for t, _ in leaves], cotangents, allow_unused=True
        )
        mine = autograd.grad(
            [o for _, o in roots], [o for _, o in leaves], ours(cotangents), allow_unused=True
        )
        for i, (t, o) in enumerate(zip(theirs, mine, strict=True)):
            if t is not None:
                assert o is not None, f"{name} gradient {i} is missing"
                self.pairs.append((f"{name} gradient {i}", t, o, tolerance))

    def check(self):
        """Read and compare everything."""
        for name, t, o, tolerance in self.pairs:
            same(t, o, name, tolerance)
        self.pairs = []
