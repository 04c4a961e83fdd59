"""The same tensor in PyTorch and in taowa, and the comparison of the two."""

import numpy as np
import torch

import taowa
from taowa.core import journal
from taowa.core.tensor import from_array

LIBRARIES = (torch, taowa)


def values(*shape, seed=0, dtype=np.float32):
    """Random values of a shape."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def twins(array, *, requires_grad=False):
    """The array as PyTorch's tensor and as taowa's, each with memory of its own."""
    array = np.asarray(array)
    theirs, ours = torch.tensor(array), from_array(array.copy())
    return theirs.requires_grad_(requires_grad), ours.requires_grad_(requires_grad)


def assert_same(ours, theirs, text=""):
    """Types and shapes are equal, values too up to rounding."""
    assert tuple(ours.shape) == tuple(theirs.shape), text
    assert str(ours.dtype) == str(theirs.dtype), text
    expected = theirs.detach().numpy()
    np.testing.assert_allclose(ours.detach().numpy(), expected, 2e-5, 1e-5, err_msg=text)


def caught(function, *args):
    """What a call raises, as its type and the first line of its text; `None` if nothing."""
    try:
        function(*args)
    except Exception as error:
        return type(error), str(error).split("\n")[0]
    return None


def made():
    """How many programs were compiled or loaded so far."""
    return journal.counters.compilations + journal.counters.disk_hits
