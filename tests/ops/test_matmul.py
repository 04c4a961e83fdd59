"""Products: shapes that meet, broadcasting, factors of zero, notation, errors with shapes."""

import itertools

import pytest
import torch

import taowa
from taowa.core import journal
from taowa.core.context import context
from taowa.ops.einsum import multiply_in_best_order
from tests.nn.comparison import Comparison, ours, random

NAN = float("nan")


def compare(cases, tolerance=None):
    """Compare `(name, options, arguments)` of the libraries' namespaces in one program."""
    both = Comparison()
    for name, options, args in cases:
        both.call(f"{name} {options}", getattr(torch, name), getattr(taowa, name), *args,
                  tolerance=tolerance, **options)  # fmt: skip
    both.check()


def test_matmul_of_vectors_matrices_and_batches():
    shapes = [
        ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)),
        ((5, 2, 3), (3,)), ((3,), (5, 3, 2)), ((2, 3), (5, 3, 4)), ((1, 2, 3), (5, 3, 4)),
        ((6, 1, 2, 3), (1, 5, 3, 4)), ((0, 3), (3, 2)), ((2, 0), (0, 3)),
    ]  # fmt: skip
    compare([("matmul", {}, [random(*a), random(*b)]) for a, b in shapes])


def test_complex_gradients_are_conjugated():
    def draw(*shape):
        parts = [random(*shape, seed=s, grad=False) for s in (1, 2)]
        return torch.complex(*parts).requires_grad_()

    compare([
        ("matmul", {}, [draw(2, 3), draw(3, 4)]), ("matmul", {}, [draw(3), draw(3)]),
        ("mv", {}, [draw(4, 3), draw(3)]), ("vdot", {}, [draw(3), draw(3)]),
        ("outer", {}, [draw(4), draw(3)]),
        ("addmm", {"beta": 0.5}, [draw(2), draw(2, 3), draw(3, 2)]),
    ])  # fmt: skip


def test_a_beta_of_zero_ignores_what_is_no_number():
    bad = torch.full((2, 2), NAN)
    compare([
        ("addmm", {"beta": 0}, [bad, random(2, 3), random(3, 2)]),
        ("addmv", {"beta": 0.0}, [bad[0], random(2, 3), random(3)]),
        ("baddbmm", {"beta": 0}, [bad, random(4, 2, 3), random(4, 3, 2)]),
        ("addr", {"beta": 0, "alpha": 2}, [bad, random(2), random(2)]),
    ])  # fmt: skip


def test_integers_wrap_and_truncate_factors():
    small = torch.arange(6, dtype=torch.int8).reshape(2, 3) * 20
    compare([
        ("matmul", {}, [small, small.T.contiguous()]),
        ("addmm", {"alpha": 1.5, "beta": 2}, [torch.arange(2), torch.ones(2, 3, dtype=torch.int64),
                                              torch.ones(3, 2, dtype=torch.int64)]),
    ])  # fmt: skip


def test_another_factor_compiles_nothing():
    x, a, b = taowa.ones(2, 2), taowa.ones(2, 3), taowa.ones(3, 2)
    found, made = [], []
    for alpha in (0.5, 0.25):
        found.append(taowa.addmm(x, a, b, alpha=alpha).tolist()[0][0])
        made.append(journal.counters.compilations + journal.counters.disk_hits)
    assert found == [2.5, 1.75]
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk", [(2, 3), (3, 5)]), ("ij,jk", [(2, 1), (3, 5)]),
        ("...ij,...jk", [(7, 2, 3), (3, 5)]), ("b...ij,b...jk->b...", [(7, 2, 3), (7, 3, 2)]),
        ("i...,...->", [(7, 2, 3), (2, 3)]), ("ba", [(2, 3)]), ("bA", [(2, 3)]),
        ("ii->i", [(3, 3)]),
        ("...ii->...i", [(2, 3, 3)]), ("bn,anm,bm->ba", [(2, 5), (3, 5, 4), (2, 4)]),
        ("bij , bjk -> bik", [(2, 3, 4), (2, 4, 5)]), ("ij->", [(2, 3)]), ("i,j", [(2,), (3,)]),
    ],
)  # fmt: skip
def test_einsum(equation, shapes):
    compare([("einsum", {}, [equation, *[random(*s) for s in shapes]])])


def test_einsum_with_numbered_dimensions():
    x, y = random(2, 3), random(3, 5)
    compare([
        ("einsum", {}, [x, [0, 1], y, [1, 30]]),
        ("einsum", {}, [x, [..., 1], y, [1, 30], [30, ...]]),
    ])  # fmt: skip


def test_tensordot_broadcasts_sizes_of_one():
    compare([
        ("tensordot", {"dims": d}, [random(3, 3), random(3, 3)]) for d in (0, 1, 2, ([1], [0]))
    ] + [("tensordot", {"dims": ([0], [0])}, [random(1, 3), random(3, 3)])])  # fmt: skip


def test_chains_are_multiplied_in_the_cheapest_order():
    sizes = (30, 1, 40, 10, 25)
    matrices = [random(*pair, grad=False) for pair in itertools.pairwise(sizes)]
    taowa.flush()
    product = multiply_in_best_order([ours(m) for m in matrices])
    shapes = [node.aval.shape for node in context().pending]
    assert shapes == [(1, 10), (1, 25), (30, 25)]
    assert product.shape == (30, 25)


@pytest.mark.parametrize(
    ("name", "shapes", "words"),
    [
        ("matmul", ((2, 3), (2, 3)), r"\(2x3 and 2x3\)"),
        ("matmul", ((5, 2, 3), (2, 3)), r"\(10x3 and 2x3\)"),
        ("matmul", ((5, 2, 3), (4, 3, 3)), r"size of tensor a \(5\)"),
        ("matmul", ((3,), (4,)), r"\[3\] and src \[4\]"),
        ("matmul", ((), (4,)), "at least 1D"),
        ("mm", ((2,), (2, 3)), "matrix"), ("bmm", ((2, 3), (2, 3, 4)), "3D"),
        ("bmm", ((2, 3, 4), (2, 3, 4)), r"\[2, 4\] but got: \[2, 3\]"),
        ("mv", ((3, 4), (3,)), "3x4"), ("dot", ((3, 1), (4,)), "2D and 1D"),
        ("inner", ((3, 1), (4,)), r"\[3, 1\] and \[4\]"), ("outer", ((3, 1), (4,)), "1-D"),
        ("addmm", ((4,), (2, 5), (5, 3)), r"\[4\]"), ("addr", ((3, 3), (3,), (4,)), r"\[3, 4\]"),
    ],
)  # fmt: skip
def test_errors_say_the_shapes(name, shapes, words):
    args = [torch.ones(shape) for shape in shapes]
    with pytest.raises(RuntimeError):
        getattr(torch, name)(*args)
    with pytest.raises(RuntimeError, match=words):
        getattr(taowa, name)(*ours(args))


@pytest.mark.parametrize(
    ("equation", "words"),
    [
        ("ij,jk", "fewer operands|does not broadcast"), ("ijk,jk", "number of subscripts"),
        ("ij,jk->iz", "output subscript z"), ("ij,jk,k", "fewer operands"), ("i1,1k", "subscript"),
    ],
)  # fmt: skip
def test_bad_equations(equation, words):
    args = [torch.ones(2, 2), torch.ones(2 if "z" in equation else 3, 5)]
    with pytest.raises(RuntimeError):
        torch.einsum(equation, *args)
    with pytest.raises(RuntimeError, match=words):
        taowa.einsum(equation, *ours(args))


def test_types_must_agree():
    with pytest.raises(RuntimeError, match="same dtype"):
        taowa.ones(2, 2) @ taowa.ones(2, 2, dtype=taowa.float64)
    with pytest.raises(NotImplementedError):
        taowa.ones(2, 2, dtype=taowa.bool) @ taowa.ones(2, 2, dtype=taowa.bool)
