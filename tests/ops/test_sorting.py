"""Sorting, selecting and counting."""

import math

from tests.ops.agreement import agree, gradients

NAN = math.nan


def test_equal_elements_keep_their_order():
    x = [1.0, 0.0, 1.0, NAN, 0.0]
    agree(
        lambda t: t.sort(t.tensor(x), stable=True),
        lambda t: t.sort(t.tensor(x), stable=True, descending=True),
        lambda t: t.argsort(t.tensor(x), stable=True),
        lambda t: t.sort(t.tensor([[3, 1], [2, 5]]), 0, True),
        lambda t: t.sort(t.tensor([True, False])),
        lambda t: t.sort(t.tensor(3.0)),
        lambda t: t.sort(t.tensor([1j])),
        lambda t: t.msort(t.tensor([[3, 1], [2, 5]])),
    )


def test_selection():
    agree(
        lambda t: t.topk(t.tensor([3, 1, 2]), 2),
        lambda t: t.topk(t.tensor([3.0, NAN, 2.0]), 2),
        lambda t: t.topk(t.tensor([3.0, NAN, 2.0]), 2, largest=False),
        lambda t: t.topk(t.tensor([[3, 1], [2, 5]]), 1, 0),
        lambda t: t.topk(t.tensor([3, 1, 2]), 5),
        lambda t: t.topk(t.tensor(3.0), 1),
        lambda t: t.kthvalue(t.tensor([3, 1, 2]), 2),
        lambda t: t.kthvalue(t.tensor([[3, 1, 2]]), 1, keepdim=True),
        lambda t: t.kthvalue(t.tensor([3, 1, 2]), 5),
    )


def test_gradients_go_where_the_elements_came_from():
    x = [[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]]
    agree(
        lambda t: gradients(t, lambda x: x.sort(1).values, x),
        lambda t: gradients(t, lambda x: x.sort(0, descending=True).values, x),
        lambda t: gradients(t, lambda x: x.topk(2, 1).values, x),
        lambda t: gradients(t, lambda x: x.topk(2, 1, largest=False).values, x),
        lambda t: gradients(t, lambda x: x.kthvalue(2, 1).values, x),
    )


def test_unique():
    x = [[3, 1], [3, 1], [0, 1]]
    agree(
        lambda t: t.unique(t.tensor(x)),
        lambda t: t.unique(t.tensor(x), return_inverse=True, return_counts=True),
        lambda t: t.unique(t.tensor(x), dim=0, return_inverse=True, return_counts=True),
        lambda t: t.unique(t.tensor([NAN, NAN, 1.0])),
        lambda t: t.unique(t.tensor(3.0), return_inverse=True),
        lambda t: t.unique(t.zeros(0)),
        lambda t: t.unique(t.tensor([2.0, 1.0], dtype=t.bfloat16)),
        lambda t: t.unique_consecutive(t.tensor(x), return_inverse=True, return_counts=True),
        lambda t: t.unique_consecutive(t.tensor(x), dim=0, return_inverse=True),
        lambda t: t.unique_consecutive(t.tensor(x), dim=1),
        lambda t: t.unique_consecutive(t.zeros(0)),
    )


def test_counting():
    x = [1.0, 2.0, 3.0]
    agree(
        lambda t: t.bincount(t.tensor([1, 1, 3])),
        lambda t: t.bincount(t.tensor([1, 1, 3]), t.tensor([0.5, 1, 2]), minlength=6),
        lambda t: t.bincount(t.tensor([-1])),
        lambda t: t.bincount(t.tensor([1.0])),
        lambda t: t.histc(t.tensor(x), 3),
        lambda t: t.histc(t.tensor(x), 4, 0, 3),
        lambda t: t.histc(t.tensor(x), 4, 3, 0),
        lambda t: t.histogram(t.tensor(x), t.tensor([0.0, 1.5, 4.0]), density=True),
        lambda t: t.histogram(t.tensor(x), 3, range=(0.0, 6.0), weight=t.tensor(x)),
        lambda t: t.count_nonzero(t.tensor([[1, 0], [2, 3]]), 0),
    )


def test_searching():
    rows = [[1, 3, 5], [2, 4, 6]]
    agree(
        lambda t: t.searchsorted(t.tensor([1, 3, 5]), t.tensor([1, 2, 6])),
        lambda t: t.searchsorted(t.tensor([1, 3, 5]), 3, side="right"),
        lambda t: t.searchsorted(t.tensor([1, 3, 5]), 3, side="up"),
        lambda t: t.searchsorted(t.tensor(rows), t.tensor([[3], [3]]), out_int32=True),
        lambda t: t.searchsorted(t.tensor(rows), 3),
        lambda t: t.searchsorted(t.tensor([5, 3, 1]), 3, sorter=t.tensor([2, 1, 0])),
        lambda t: t.bucketize(t.tensor([1, 2, 6]), t.tensor([1, 3, 5]), right=True),
        lambda t: t.bucketize(2, t.tensor([1, 3, 5])),
        lambda t: t.isin(t.tensor([1, 2]), t.tensor([2, 3])),
        lambda t: t.isin(t.tensor([1, 2]), 2, invert=True),
        lambda t: t.isin(1, t.tensor([1, 2])),
    )


def test_finding():
    x = [[1, 0], [0, 2]]
    agree(
        lambda t: t.nonzero(t.tensor(x)),
        lambda t: t.nonzero(t.tensor(x), as_tuple=True),
        lambda t: t.where(t.tensor(x) > 0),
        lambda t: t.nonzero(t.tensor(1)),
        lambda t: t.nonzero(t.tensor(0), as_tuple=True),
        lambda t: t.argwhere(t.tensor(x)),
        lambda t: t.nonzero_static(t.tensor(x), size=3),
    )
