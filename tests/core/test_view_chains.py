"""Random chains of views with writes in between: values, strides and gradients as in PyTorch."""

import numpy as np
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import taowa
from taowa.core import journal

SETTINGS = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}
SHAPE = (2, 3, 4)
WEIGHTS = np.random.default_rng(0).standard_normal(400).astype(np.float32)


def factors(n):
    """The ways to write a size as a product of two."""
    return [(a, n // a) for a in range(1, n + 1) if n % a == 0]


@st.composite
def views(draw, shape):
    """One view of a tensor of this shape, as a function of any library's tensor."""
    ndim = len(shape)
    kinds = ["new", "all"]
    kinds += ["permute", "pick", "cut", "swap", "split", "merge"] if ndim else []
    kinds += ["diagonal"] if ndim > 1 else []
    kind = draw(st.sampled_from(kinds))
    dim = draw(st.integers(0, max(ndim - 1, 0)))
    if kind == "new":
        return lambda x: x.unsqueeze(dim)
    if kind == "permute":
        order = draw(st.permutations(range(ndim)))
        return lambda x: x.permute(*order)
    if kind == "swap":
        return lambda x: x.transpose(dim, -1)
    if kind == "pick" and shape[dim]:
        place = draw(st.integers(-shape[dim], shape[dim] - 1))
        return lambda x: x.select(dim, place)
    if kind == "cut":
        start, step = draw(st.integers(0, shape[dim])), draw(st.integers(1, 3))
        return lambda x: x[(*[slice(None)] * dim, slice(start, None, step))]
    if kind == "split":
        sizes = draw(st.sampled_from(factors(shape[dim]) or [(0, 1)]))
        return lambda x: x.unflatten(dim, sizes)
    if kind == "merge":  # a copy where the strides forbid a view: then nothing is shared
        return lambda x: x.flatten(dim)
    if kind == "diagonal":
        offset = draw(st.integers(-1, 1))
        return lambda x: x.diagonal(offset, dim, (dim + 1) % ndim)
    return lambda x: x.view(x.shape)


WRITES = ("fill", "copy", "assign", "mask", "scale", "add", "base")
HOST_WRITES = ("fill", "copy", "assign")


@st.composite
def chains(draw, writes):
    """A list of steps: `("view", source, function)` or `(write, target, number)`."""
    shapes, steps = [SHAPE], []
    for _ in range(draw(st.integers(2, 7))):
        place = draw(st.integers(0, len(shapes) - 1))
        if draw(st.booleans()):
            function = draw(views(shapes[place]))
            steps.append(("view", place, function))
            shapes.append(tuple(function(torch.empty(shapes[place])).shape))
        else:
            steps.append((draw(st.sampled_from(writes)), place, draw(st.integers(-3, 3))))
    return steps


def write(library, kind, target, number, tensors):
    n = target.numel()
    source = library.tensor(WEIGHTS[number + 3 : number + 3 + n]).view(target.shape)
    if kind == "fill":
        target.fill_(number)
    elif kind == "copy":
        target.copy_(source)
    elif kind == "assign":
        if target.ndim and target.shape[0]:
            target[number % target.shape[0]] = source[0]
    elif kind == "mask":
        target[source > 0] = number
    elif kind == "scale":
        target.mul_(number / 2)
    elif kind == "add":
        target.add_(source)
    else:
        tensors[0].add_(1)


def run(library, steps, kind):
    """Return all tensors of a chain, and the gradient of a random function of them."""
    leaf = library.tensor(WEIGHTS[:24].reshape(SHAPE))
    if kind == "tracked":
        leaf.requires_grad_()
    tensors = [leaf if kind == "host" else leaf * 1]
    for name, place, what in steps:
        if name == "view":
            tensors.append(what(tensors[place]))
        else:
            write(library, name, tensors[place], what, tensors)
    if kind != "tracked":
        return tensors
    total = 0
    for place, x in enumerate(tensors):
        weights = library.tensor(WEIGHTS[place : place + x.numel()])
        total = total + (x.reshape(-1) * weights).sum()
    total.backward()
    return [*tensors, leaf.grad]


def assert_same_chain(steps, kind):
    ours, theirs = (run(library, steps, kind) for library in (taowa, torch))
    for a, b in zip(ours, theirs, strict=True):
        assert tuple(a.shape) == tuple(b.shape)
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), 1e-4, 1e-5)
        if b.numel() and b._is_view() and a._is_view() and not b.requires_grad:
            assert a.storage_offset() == b.storage_offset()
            sized = [i for i, n in enumerate(b.shape) if n > 1]
            assert [a.stride(i) for i in sized] == [b.stride(i) for i in sized]
    return ours


@settings(max_examples=150, **SETTINGS)
@given(chains(HOST_WRITES))
def test_on_the_host_nothing_is_compiled(steps):
    before = journal.counters.dispatches
    tensors = assert_same_chain(steps, "host")
    has_copy = not all(x._is_view() for x in tensors[1:])  # `flatten` of odd strides is an op
    assert journal.counters.dispatches == before or has_copy


@settings(max_examples=20, **SETTINGS)
@given(chains(WRITES))
def test_computed_values(steps):
    assert_same_chain(steps, "computed")


@settings(max_examples=30, **SETTINGS)
@given(chains(WRITES))
def test_gradients(steps):
    assert_same_chain(steps, "tracked")
