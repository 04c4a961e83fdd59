from collections import UserList

import numpy as np
import pytest
import torch

from taowa.core.tensor import Tensor


def describe(value):
    """A batch as plain objects: kinds of containers, element types, shapes and values."""
    if isinstance(value, Tensor | torch.Tensor):
        array = value.host() if isinstance(value, Tensor) else value.detach().numpy()
        return "tensor", str(value.dtype), tuple(value.shape), array.tolist()
    if isinstance(value, np.ndarray):
        return "array", value.tolist()
    if isinstance(value, dict):
        return type(value).__name__, {key: describe(item) for key, item in value.items()}
    if isinstance(value, list | tuple | UserList):
        return type(value).__name__, [describe(item) for item in value]
    return value


@pytest.fixture
def same():
    """Asserts that a value of ours and one of PyTorch's are the same."""

    def check(ours, theirs):
        assert describe(ours) == describe(theirs)

    return check


@pytest.fixture
def same_error():
    """Asserts that an action fails here as it does in PyTorch."""

    def check(ours, theirs):
        caught = []
        for action in (ours, theirs):
            with pytest.raises(Exception) as info:
                action()
            caught.append((type(info.value), str(info.value)))
        assert caught[0] == caught[1]

    return check
