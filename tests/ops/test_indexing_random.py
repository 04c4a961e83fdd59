"""Random index expressions, read and written, against PyTorch."""

import numpy as np
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import taowa
from tests.ops.twins import assert_same, values

SETTINGS = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}
SHAPE = (3, 4, 2, 3)
KINDS = ("int", "slice", "slice", "new", "flag", "tensor", "tensor", "list", "mask", "dots")


def bounds(n):
    return st.none() | st.integers(-n - 1, n + 1)


@st.composite
def indices(draw):
    """An index expression as plain data: what is a tensor is a NumPy array still."""
    items, dim, has_ellipsis = [], 0, False
    tensor_shape = draw(st.sampled_from([(), (1,), (2,), (2, 2), (0,)]))
    while dim < len(SHAPE) and draw(st.integers(0, 5)):
        n = SHAPE[dim]
        kind = draw(st.sampled_from(KINDS))
        if kind == "int":
            items.append(draw(st.integers(-n, n - 1)))
        elif kind == "slice":
            step = draw(st.none() | st.integers(1, 3))
            items.append(slice(draw(bounds(n)), draw(bounds(n)), step))
        elif kind in ("tensor", "list"):
            # Shapes that broadcast: all the same, or of size one.
            shape = draw(st.sampled_from([tensor_shape, (1,)])) if tensor_shape else ()
            count = int(np.prod(shape))
            places = draw(st.lists(st.integers(-n, n - 1), min_size=count, max_size=count))
            array = np.array(places, np.int64).reshape(shape)
            items.append(array if kind == "tensor" or array.ndim != 1 else array.tolist())
        elif kind == "mask":
            depth = draw(st.integers(1, min(2, len(SHAPE) - dim)))
            items.append(draw(masks(SHAPE[dim : dim + depth], tensor_shape)))
            dim += depth - 1
        elif kind == "dots" and not has_ellipsis:
            items.append(Ellipsis)
            has_ellipsis = True
            break
        else:
            items.append(None if kind != "flag" else draw(st.booleans()))
        dim += kind not in ("new", "flag", "dots")
    return tuple(items)


@st.composite
def masks(draw, shape, tensor_shape):
    """A mask with as many true places as the other indices have, so that they broadcast."""
    size = int(np.prod(shape))
    count = tensor_shape[-1] if tensor_shape else 1
    places = draw(st.permutations(range(size)))[: min(count, size)]
    mask = np.zeros(size, bool)
    mask[list(places)] = True
    return mask.reshape(shape)


def in_library(library, index):
    """Return the index with tensors of a library for arrays."""
    return tuple(library.tensor(i) if isinstance(i, np.ndarray) else i for i in index)


def attempt(function):
    try:
        return function()
    except (IndexError, RuntimeError) as error:
        return error


def read(library, index, kind):
    x = library.tensor(values(*SHAPE))
    if kind == "host":
        return [x[in_library(library, index)]]
    x.requires_grad_()
    found = (x * 1)[in_library(library, index)]
    weights = library.tensor(values(found.numel(), seed=1)).view(found.shape)
    (found * weights).sum().backward()
    return [found, x.grad]


def write(library, index, kind, sizes, has_duplicates):
    """Write a tensor, broadcast from some dimensions only, or add where places meet."""
    x = library.tensor(values(*SHAPE))
    source = library.tensor(values(*sizes, seed=2))
    if kind == "tracked":
        x.requires_grad_(), source.requires_grad_()
    y = x if kind == "host" else x * 1
    # What is written last where places meet is not defined: write one value there.
    y[in_library(library, index)] = source.sum() if has_duplicates else source
    if kind == "host":
        return [y]
    (y * library.tensor(values(*SHAPE, seed=3))).sum().backward()
    # Nothing is left of what was overwritten whole: no gradient here, zeros in PyTorch.
    return [y, *(leaf * 0 if leaf.grad is None else leaf.grad for leaf in (x, source))]


def assert_same_attempts(run):
    """Both libraries give the same values, or both refuse with the same kind of error."""
    ours, theirs = attempt(lambda: run(taowa)), attempt(lambda: run(torch))
    if isinstance(theirs, Exception) or isinstance(ours, Exception):
        assert type(ours) is type(theirs), f"{ours!r}, not {theirs!r}"
        return
    for a, b in zip(ours, theirs, strict=True):
        assert_same(a, b)


@settings(max_examples=300, **SETTINGS)
@given(indices())
def test_reading_on_the_host(index):
    assert_same_attempts(lambda library: read(library, index, "host"))


@settings(max_examples=40, **SETTINGS)
@given(indices())
def test_reading_with_gradients(index):
    assert_same_attempts(lambda library: read(library, index, "tracked"))


@st.composite
def writes(draw):
    """An index, the shape of what is written there, and whether places may meet."""
    index = draw(indices())
    has_duplicates = any(not isinstance(i, int | slice | None | type(...)) for i in index)
    found = attempt(lambda: torch.zeros(SHAPE)[in_library(torch, index)])
    sizes = (1,) if isinstance(found, Exception) else tuple(found.shape)
    sizes = tuple(draw(st.sampled_from([n, 1])) if n else n for n in sizes)
    only_masks = all(i.dtype == bool for i in index if isinstance(i, np.ndarray))
    only_masks = only_masks and not any(isinstance(i, list) for i in index)
    return index, sizes[draw(st.integers(0, 1)) :], has_duplicates and not only_masks


@settings(max_examples=300, **SETTINGS)
@given(writes())
def test_writing_on_the_host(case):
    index, sizes, has_duplicates = case
    assert_same_attempts(lambda library: write(library, index, "host", sizes, has_duplicates))


@settings(max_examples=40, **SETTINGS)
@given(writes())
def test_writing_with_gradients(case):
    index, sizes, has_duplicates = case
    assert_same_attempts(lambda library: write(library, index, "tracked", sizes, has_duplicates))
