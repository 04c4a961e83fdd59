"""Gathering and scattering where places meet: ties, zeros, nothing at all."""

import numpy as np
import pytest
import torch

import taowa
from tests.ops.twins import LIBRARIES, assert_same, caught, values

REDUCTIONS = ("sum", "prod", "mean", "amax", "amin")


def pulled(library, function, arrays, dtype="float32"):
    """The result of a function of tensors, and its gradients with a random cotangent."""
    leaves = [library.tensor(a).to(getattr(library, dtype)).requires_grad_() for a in arrays]
    found = function(library, *leaves)
    weights = library.tensor(values(found.numel(), seed=9)).view(found.shape)
    (found * weights).sum().backward()
    return [found, *(leaf.grad if leaf.grad is not None else leaf * 0 for leaf in leaves)]


def assert_same_pulls(functions, arrays):
    """Record every function before the first value is read."""
    ours = [pulled(taowa, f, arrays) for f in functions]
    for place, (found, f) in enumerate(zip(ours, functions, strict=True)):
        for a, b in zip(found, pulled(torch, f, arrays), strict=True):
            assert_same(a, b, str(place))


def test_reductions_with_ties_and_zeros():
    x = np.float32([[2, 0, 1, 3], [0, 0, 5, -1]])
    source = np.float32([[2, 0, 1, 1], [0, 4, 5, -1]])
    index = [[0, 0, 1, 1], [2, 2, 2, 3]]
    assert_same_pulls(
        [
            lambda lib, x, s, r=r, own=own: x.scatter_reduce(
                1, lib.tensor(index), s, r, include_self=own
            )
            for r in REDUCTIONS
            for own in (True, False)
        ],
        (x, source),
    )


def test_second_gradients_of_products():
    results = []
    for library in LIBRARIES:
        x, s = (library.tensor(values(3, seed=n), requires_grad=True) for n in (0, 1))
        y = x.scatter_reduce(0, library.tensor([1, 1, 2]), s, "prod")
        (dx, ds) = library.autograd.grad((y * y).sum(), (x, s), create_graph=True)
        results.append(library.autograd.grad((dx * dx).sum() + (ds * ds * ds).sum(), (x, s)))
    for theirs, ours in zip(*results, strict=True):
        assert_same(ours, theirs)


@pytest.mark.filterwarnings("ignore:index_reduce")  # PyTorch's, which is in beta
def test_writes_at_the_same_places():
    x, source = values(3, 4), values(3, 4, seed=1)
    index = [[0, 2], [2, 0], [1, 1]]
    assert_same_pulls(
        [
            lambda lib, x, s: x.gather(1, lib.tensor(index)) + s[:, :2],
            lambda lib, x, s: x.scatter(0, lib.tensor(index)[:2], s[:2, :2]),
            lambda lib, x, s: x.scatter(1, lib.tensor([[0], [3], [1]]), s[:, :1]),
            lambda lib, x, s: x.scatter(1, lib.tensor(index), 7.0) + s,
            lambda lib, x, s: x.scatter_add(1, lib.tensor(index), s[:, :2]),
            lambda lib, x, s: x.index_add(0, lib.tensor([2, 2, 0]), s, alpha=-0.5),
            lambda lib, x, s: x.index_copy(1, lib.tensor([3, 0]), s[:, :2]),
            lambda lib, x, s: x.index_fill(1, lib.tensor([3, 3, 0]), s[0, 0]),
            lambda lib, x, s: x.index_reduce(0, lib.tensor([1, 1, 0]), s, "amax"),
            lambda lib, x, s: x.index_select(1, lib.tensor([3, 3, 0])) * s[:, :3],
            lambda lib, x, s: x.take(lib.tensor([[0, -1], [5, 0]])) * s[0, 0],
            lambda lib, x, s: x.put(lib.tensor([[0, 5]]), s[:1, :2]),
            lambda lib, x, s: x.put(lib.tensor([0, 0]), s[0, :2], accumulate=True),
            lambda lib, x, s: x.take_along_dim(lib.tensor([[1], [-1], [0]]), 1) * s,
            lambda lib, x, s: x.masked_fill(lib.tensor([True, False, True, False]), s[1, 1]),
            lambda lib, x, s: x.masked_scatter(x > 0, s),
            lambda lib, x, s: x.masked_select(s > 0),
        ],
        (x, source),
    )


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "bfloat16", "complex64"])
def test_types(dtype):
    results = []
    for library in LIBRARIES:
        kind = getattr(library, dtype)
        x, s = (library.tensor([3, 0, 1]).to(kind), library.tensor([1, 2, 0]).to(kind))
        index = library.tensor([1, 1, 2])
        found = [x.scatter_reduce(0, index, s, r) for r in ("sum", "prod")]
        found += [x.scatter(0, index, s), x.index_add(0, index, s), x.put(index, s, True)]
        found += [x.scatter(0, index[1:], 2), x.index_fill(0, index[:1], 2), x.gather(0, index)]
        if dtype != "bool":
            found += [x.scatter_reduce(0, index, s, "mean", include_self=False)]
        results.append(found)
    for theirs, ours in zip(*results, strict=True):
        assert str(ours.dtype) == str(theirs.dtype)
        assert ours.tolist() == theirs.tolist()


def test_in_place_forms_write_through_views():
    for library in LIBRARIES:
        base = library.zeros(2, 4)
        row, index = base[1], library.tensor([1, 3])
        row.scatter_(0, index, 5.0).scatter_add_(0, index, library.ones(2))
        row.index_add_(0, index[:1], library.ones(1)).index_fill_(0, index - 1, 2)
        row.masked_fill_(row > 6, 0).put_(index - 1, library.tensor([8.0, 9.0]))
        assert base.tolist() == [[0, 0, 0, 0], [8, 0, 9, 6]]


BAD = """
x.index_select(0, lib.tensor([2]))
x.index_select(0, lib.tensor([[0]]))
x.index_select(0, lib.tensor([0.5]))
x.gather(0, lib.tensor([[2]]))
x.gather(0, lib.tensor([[-1]]))
x.gather(0, lib.tensor([0]))
x.gather(1, lib.zeros(3, 1, dtype=lib.int64))
x.take(lib.tensor([8]))
x.take(lib.tensor([0.0]))
x.take_along_dim(lib.tensor([9]))
x.take_along_dim(lib.tensor([3]), 1)
x.scatter(1, lib.tensor([[0, 4]]), 1.0)
x.scatter(1, lib.tensor([[0, 3]]), lib.tensor([[5]]))
x.scatter(1, lib.tensor([[0, 3]]), lib.tensor([[5.0]]))
x.scatter(1, lib.tensor([0]), 1.0)
x.scatter(1, lib.zeros(3, 1, dtype=lib.int64), 1.0)
x.scatter(1, lib.tensor([[0]]), 1.0, reduce="mean")
x.index_add(0, lib.tensor([0, 2]), x)
x.index_add(0, lib.tensor([0]), x)
x.index_add(0, lib.tensor([0, 0]), x[:, :2])
x.index_add(0, lib.tensor([0, 0]), x.long())
x.index_copy(0, lib.tensor([1]), x)
x.index_copy(0, lib.tensor([3]), x[:1])
x.index_copy(0, lib.tensor([1]), x[:1, :2])
x.index_fill(0, lib.tensor([2]), 5.0)
x.index_fill(0, lib.tensor([[1]]), 5)
x.put(lib.tensor([0, 24]), lib.ones(2))
x.put(lib.tensor([0, 2]), lib.ones(1))
x.masked_fill(lib.tensor([True, False]), 1.0)
x.masked_fill(lib.tensor([1, 0, 0, 0], dtype=lib.uint8), 1.0)
x.masked_fill(lib.tensor(True), lib.ones(1))
x.masked_select(lib.tensor([1, 0, 0, 0]))
x.masked_scatter(lib.tensor(True), lib.ones(3))
x.masked_scatter(lib.tensor(True), lib.ones(8).long())
x.index_reduce(0, lib.tensor([0, 0]), x, "sum")
""".strip().splitlines()


@pytest.mark.parametrize("expression", BAD)
def test_errors(expression):
    found = []
    for library in LIBRARIES:
        x = library.tensor(values(2, 4))
        found.append(caught(eval, expression, {"x": x, "lib": library}))
    theirs, ours = found
    assert ours is not None
    assert ours == theirs
