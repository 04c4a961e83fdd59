"""Joining, repeating, turning, triangles and combinations against PyTorch."""

import warnings

import numpy as np
import pytest
import torch

import taowa
from tests.ops.twins import LIBRARIES, assert_same, caught, made, twins, values

# Of x (2, 3, 4), y (2, 3, 4), i = [0, 1, 2], z = 3.0, b of bools.
CALLS = """
lib.cat([x, y])
lib.cat((x, y), dim=1)
lib.cat((x, y), axis=-1)
lib.cat(tensors=[x, x, y], dim=2)
lib.cat([x, lib.ones(0)], 1)
lib.cat([lib.ones(0), lib.ones(0)])
lib.cat([i, x[0, 0]])
lib.cat([i, b])
lib.concat([x, y])
lib.concatenate([x, y], 1)
lib.stack([z, z])
lib.stack([x, y], -1)
lib.stack([x, y], dim=1)
lib.stack([i, i.double()])
lib.hstack([z, z])
lib.hstack([i, i])
lib.hstack([x, y])
lib.vstack([i, i])
lib.vstack([x, y])
lib.row_stack([i, i])
lib.dstack([i, i])
lib.dstack([x, y])
lib.column_stack([i, i])
lib.column_stack([i, lib.ones(3, 2)])
lib.block_diag(x[0], i, z, lib.ones(0))
lib.block_diag()
lib.broadcast_tensors(x, y[:1], i[:1], z)
lib.meshgrid(i, z.long(), i, indexing="ij")
lib.meshgrid([i, i[:2]], indexing="xy")
lib.cartesian_prod(i, i[1:])
lib.cartesian_prod(i)
lib.combinations(i)
lib.combinations(i, r=3)
lib.combinations(i, 2, with_replacement=True)
lib.combinations(i, r=0)
lib.combinations(i, r=5)
lib.atleast_1d(z, x)
lib.atleast_2d([z, i, x])
lib.atleast_3d(i)
lib.atleast_3d(x[0])
x.repeat(2, 1, 1, 2)
x.repeat(0, 1, 1)
z.repeat(3)
x.tile(2)
lib.tile(x, dims=(2, 1, 1, 1))
lib.repeat_interleave(i)
lib.repeat_interleave(x, 2)
x.repeat_interleave(2, dim=1)
x.repeat_interleave(lib.tensor([1, 0, 2]), 1)
x.repeat_interleave(lib.tensor([1, 2]), 0, output_size=3)
x.repeat_interleave(lib.tensor([3]), -1)
x.flip(0, -1)
lib.flip(x, ())
lib.fliplr(x)
x.flipud()
lib.rot90(x)
lib.rot90(x, 2, [0, 2])
lib.rot90(x, -1, [1, 2])
lib.rot90(x, 4)
lib.roll(x, 1)
lib.roll(x, (1, -5), (0, 2))
x.roll(shifts=7, dims=1)
lib.roll(z, 1)
lib.tril(x)
lib.tril(x, diagonal=1)
lib.triu(x, -1)
x.triu(2)
lib.tril(x > 0)
lib.diag(i)
lib.diag(i, -2)
lib.diag(x[0], 1)
lib.diag(x[0], 9)
lib.diag_embed(x[0], 1)
lib.diag_embed(x[0], -1, 0, 2)
lib.diagflat(x[0], -1)
x[0].clone().fill_diagonal_(5)
lib.ones(5, 2).fill_diagonal_(0, wrap=True)
lib.ones(5, 2).fill_diagonal_(0)
lib.ones(3, 3, 3).fill_diagonal_(7)
lib.unravel_index(i, (2, 2))
lib.unravel_index(lib.tensor([[3], [-1]]), (2, 3))
x.select_scatter(y[:, 0], 1, -1)
x.slice_scatter(y[:, :2], 1, start=1)
x.slice_scatter(y[..., :2], 2, 0, None, 2)
x.slice_scatter(y[:0], 0, 5, 9)
x.diagonal_scatter(y[0, :2, :3], 1, 1, 2)
lib.narrow_copy(x, 1, 1, 2)
""".strip().splitlines()


def names(library, x, y):
    i, b = library.arange(3), library.tensor([True, False, True])
    return {"lib": library, "x": x, "y": y, "i": i, "b": b, "z": library.tensor(3.0)}


def run(library, expression, requires_grad=False):
    """Values, and the gradients towards x and y with a random cotangent."""
    leaves = [library.tensor(values(2, 3, 4, seed=s), requires_grad=requires_grad) for s in (0, 1)]
    x, y = (leaf * 1 for leaf in leaves) if requires_grad else leaves
    found = eval(expression, names(library, x, y))
    found = list(found) if isinstance(found, tuple | list) else [found]
    tracked = [t for t in found if t.requires_grad]
    if tracked:
        weights = library.tensor(values(400, seed=2))
        total = sum((t.reshape(-1) * weights[: t.numel()]).sum() for t in tracked)
        total.backward()
        found += [leaf.grad for leaf in leaves if leaf.grad is not None]
    return found


def test_values_and_gradients():
    """Everything is recorded before the first value is read: one program."""
    ours = [run(taowa, expression, True) for expression in CALLS]
    for expression, found in zip(CALLS, ours, strict=True):
        theirs = run(torch, expression, True)
        assert len(found) == len(theirs), expression
        for a, b in zip(found, theirs, strict=True):
            assert_same(a, b, expression)


@pytest.mark.parametrize(
    "expression",
    [e for e in CALLS if any(name in e for name in ("cat", "stack", "atleast", "meshgrid"))
     and "scatter" not in e and "[i, b]" not in e and "[i, x" not in e and "double" not in e
     and "ones(3, 2)" not in e],
)  # fmt: skip
def test_joining_on_the_host_compiles_nothing(expression):
    before = made()
    for a, b in zip(run(taowa, expression), run(torch, expression), strict=True):
        assert_same(a, b, expression)
        assert a.is_on_host()
    assert made() == before


def test_views_and_copies():
    for library in LIBRARIES:
        x = library.zeros(2)
        grid, _ = library.meshgrid(x, library.zeros(1), indexing="ij")
        library.atleast_2d(x)[0, 0] = 5
        assert grid.tolist() == [[5], [0]]
        for copy in (library.cat([x]), library.rot90(x.view(1, 2), 4), library.diag(x.view(2, 1))):
            copy.fill_(9)
        assert x.tolist() == [5, 0]


def test_triangles_in_place():
    for library in LIBRARIES:
        x = library.ones(3, 3)
        x[:2].tril_(-1)
        x.triu_(-1)
        assert x.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 1]]


def test_another_shift_or_diagonal_compiles_nothing():
    x = taowa.arange(9.0).view(3, 3) * 1
    taowa.flush()

    def moved(n):
        return (x.roll(n, 1) + x.tril(n - 1).roll((n, 1), (0, 1))).tolist()

    moved(0)
    before = made()
    array = np.arange(9.0).reshape(3, 3)
    for n in (1, 2, -4):
        lower = np.roll(np.tril(array, n - 1), (n, 1), (0, 1))
        assert moved(n) == (np.roll(array, n, 1) + lower).tolist()
    assert made() == before


def test_repeats_that_miss_the_promised_size():
    repeats = taowa.tensor([1, 2]) * 1
    x = taowa.ones(2).repeat_interleave(repeats, 0, output_size=4)
    with pytest.raises(RuntimeError, match="allocated size does not match required size"):
        x.tolist()


def test_out():
    for library in LIBRARIES:
        out = library.zeros(0)
        x = library.ones(2)
        assert library.cat([x, x], out=out) is out
        assert out.tolist() == [1, 1, 1, 1]


def test_meshgrid_wants_its_indexing():
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        taowa.meshgrid(taowa.ones(1))
    assert "it will be required to pass the indexing argument" in str(found[0].message)


def test_broadcast_shapes():
    for shapes in [((2, 1), (3,)), (2, (3, 1)), (), ((0,), (1,)), ((5, 1, 4), (3, 1), ())]:
        assert taowa.broadcast_shapes(*shapes) == torch.broadcast_shapes(*shapes)


BAD = """
lib.cat([])
lib.cat(x)
lib.cat([x, z])
lib.cat([x, x[0]])
lib.cat([x, y[:, :2]])
lib.cat([x, lib.ones(0, 3)])
lib.cat([x, y], 5)
lib.cat([x, 3])
lib.stack([])
lib.stack([x, z])
lib.stack([x, y], 5)
lib.stack(i)
lib.hstack([])
lib.vstack([z, i])
lib.broadcast_tensors(x, lib.ones(5))
lib.broadcast_shapes((2,), (3,))
lib.broadcast_shapes((2, -1))
lib.meshgrid(i, indexing="xx")
lib.meshgrid(indexing="ij")
lib.meshgrid(i, i.double(), indexing="ij")
lib.block_diag(x)
lib.cartesian_prod(x)
lib.combinations(i, r=-1)
lib.combinations(x)
x.repeat(2)
x.repeat(2, 1, -1)
x.tile()
x.repeat_interleave(-1)
x.repeat_interleave(lib.tensor([1, 2, 3]), 0)
lib.repeat_interleave(lib.tensor([1, -2]))
lib.repeat_interleave(lib.tensor([[1, 2]]))
x.flip()
lib.flip(x, [1, 1])
lib.flip(x, [7])
i.fliplr()
z.flipud()
lib.rot90(x, 1, [0, 0])
lib.rot90(x, 1, [0])
lib.rot90(i)
lib.roll(x, (1, 2))
lib.roll(x, (), ())
lib.roll(z, 1, 0)
lib.triu(i)
lib.diag(x)
lib.diag_embed(x[0], 0, 0, 0)
lib.ones(3, 2, 3).fill_diagonal_(7)
lib.ones(3).fill_diagonal_(7)
lib.unravel_index(x, (2, 2))
x.select_scatter(y[0, :2], 0, 1)
x.slice_scatter(y, 2, 1)
x.diagonal_scatter(y[0])
""".strip().splitlines()


@pytest.mark.parametrize("expression", BAD)
def test_errors(expression):
    found = []
    for library, x, y in zip(
        LIBRARIES, twins(values(2, 3, 4)), twins(values(2, 3, 4)), strict=True
    ):
        found.append(caught(eval, expression, names(library, x, y)))
    theirs, ours = found
    assert ours is not None
    assert ours == theirs
