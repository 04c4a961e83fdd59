"""Reductions: types, dimensions, ties, empty tensors and gradients at the edges."""

import math

import pytest
import torch

import taowa
from tests.ops.agreement import agree, gradients

INF, NAN = math.inf, math.nan


def test_result_types():
    kinds = ("bool", "uint8", "int32", "float16", "bfloat16", "float32", "complex64")

    def made(t, kind):
        return t.tensor([[1, 0], [1, 1]]).to(getattr(t, kind))

    for name in ("sum", "prod", "all", "any", "count_nonzero"):
        agree(*(lambda t, n=name, k=k: getattr(made(t, k), n)() for k in kinds))
    for name in ("cumsum", "cumprod"):
        agree(*(lambda t, n=name, k=k: getattr(made(t, k), n)(0) for k in kinds))
    agree(*(lambda t, k=k: [made(t, k).mean(), made(t, k).var()] for k in kinds))


def test_dimension_arguments():
    x = torch.arange(24.0).reshape(2, 3, 4).tolist()
    agree(
        lambda t: t.tensor(x).sum((0, -1)),
        lambda t: t.tensor(x).sum([0, 1], keepdim=True),
        lambda t: t.tensor(x).sum(axis=1, keepdims=True),
        lambda t: t.tensor(x).sum(()),
        lambda t: t.tensor(x).sum(3),
        lambda t: t.tensor(x).sum((0, 0)),
        lambda t: t.tensor(x).sum(dtype=t.float64),
        lambda t: t.tensor(2.0).sum(0),
        lambda t: t.tensor(2.0).max(-1),
        lambda t: t.tensor(x).amax((0, 2)),
        lambda t: t.tensor(x).amax(()),
        lambda t: t.tensor(x).all(()),
        lambda t: t.tensor(x).all((0, 1)),
        lambda t: t.tensor(x).argmax(),
        lambda t: t.tensor(x).argmax(1, keepdim=True),
        lambda t: t.tensor(x).argmax(keepdim=True),
        lambda t: t.tensor(x).prod((0, 1)),
        lambda t: t.tensor(x).aminmax(dim=1),
        lambda t: t.tensor(x).max(t.tensor(5.0)),
        lambda t: t.tensor([1, 2]).mean(),
        lambda t: t.tensor([1, 2]).mean(dtype=t.float32),
    )


def test_nothing_to_reduce():
    agree(
        lambda t: t.zeros(0).sum(),
        lambda t: t.zeros(0).prod(),
        lambda t: t.zeros(0).mean(),
        lambda t: t.zeros(0).max(),
        lambda t: t.zeros(2, 0).max(1),
        lambda t: t.zeros(0, 2).max(1),
        lambda t: t.zeros(0).argmax(),
        lambda t: t.zeros(0).all(),
        lambda t: t.zeros(0).any(),
        lambda t: t.zeros(0).var(),
        lambda t: t.zeros(0).median(),
        lambda t: t.zeros(0).logsumexp(0),
        lambda t: t.zeros(0).norm(),
        lambda t: t.quantile(t.zeros(0), 0.5),
        lambda t: t.tensor([1.0]).std(),
    )


def test_ties_share_the_gradient_except_along_a_dimension():
    x = [[1.0, 3.0, 3.0], [2.0, 2.0, 0.0]]
    agree(
        lambda t: gradients(t, lambda x: x.max(), x),
        lambda t: gradients(t, lambda x: x.amax(1), x),
        lambda t: gradients(t, lambda x: x.max(1).values, x),
        lambda t: gradients(t, lambda x: x.min(1, keepdim=True)[0], x),
        lambda t: gradients(t, lambda x: x.aminmax(dim=1).max, x),
        lambda t: gradients(t, lambda x: x.median(), [1.0, 1.0, 2.0, 0.0]),
        lambda t: gradients(t, lambda x: x.median(1).values, x),
        lambda t: gradients(t, lambda x: x.norm(INF), [1.0, -1.0]),
        lambda t: gradients(t, lambda x: x.cummax(1).values, x),
        lambda t: gradients(t, lambda x: x.mode(1).values, x),
    )


def test_nan_is_the_largest_and_the_smallest():
    x = [1.0, NAN, 3.0]
    agree(
        lambda t: [t.tensor(x).max(), t.tensor(x).min(), t.tensor(x).max(0), t.tensor(x).min(0)],
        lambda t: [t.tensor(x).argmax(), t.tensor(x).argmin()],
        lambda t: t.tensor(x).median(0),
        lambda t: t.tensor(x).nanmedian(0),
        lambda t: [t.tensor(x).nansum(), t.tensor(x).nanmean()],
        lambda t: [t.tensor(x).quantile(0.4), t.tensor(x).nanquantile(0.4)],
        lambda t: t.tensor([1.0, 3.0, NAN, 2.0]).cummin(0),
        lambda t: gradients(t, lambda x: x.nanmean(), x),
    )


def test_variances_in_all_their_forms():
    x = [[1.0, 2.0, 4.0], [0.0, 0.0, 0.0]]
    agree(
        lambda t: t.var(t.tensor(x), unbiased=False),
        lambda t: t.var(t.tensor(x), False),
        lambda t: t.var(t.tensor(x), 1, False, True),
        lambda t: t.var(t.tensor(x), dim=1, correction=2),
        lambda t: t.std(t.tensor(x), (0, 1), keepdim=True),
        lambda t: t.std(t.tensor(x), correction=9),
        lambda t: t.std_mean(t.tensor(x), 1),
        lambda t: t.var_mean(t.tensor(x), dim=0, correction=0),
        lambda t: t.var(t.tensor([1, 2])),
        lambda t: t.var(t.tensor([1j, 2])),
        lambda t: gradients(t, lambda x: x.std(1), x),
        lambda t: gradients(t, lambda x: t.stack(t.var_mean(x, 1)), x),
        lambda t: gradients(t, lambda x: t.stack(t.std_mean(x, 1)), [[1.0, 2.0, 4.0]]),
    )


def test_too_few_degrees_of_freedom_are_told():
    with pytest.warns(UserWarning, match="degrees of freedom"):
        taowa.tensor([3.5]).std()


def test_norms_at_zero_and_products_with_zeros():
    x = [[0.0, 0.0], [3.0, -4.0]]
    agree(
        *(
            lambda t, p=p: gradients(t, lambda x: x.norm(p, 1), x)
            for p in (0, 0.5, 1, 1.5, 2, 3, INF, -INF)
        ),
        lambda t: t.norm(t.tensor(x), "nuc"),
        lambda t: t.norm(t.tensor([3, 4])),
        lambda t: t.norm(t.tensor([3j, 4])),
        lambda t: t.dist(t.ones(2), t.zeros(2), 1),
        lambda t: gradients(t, lambda x: x.prod(), [0.0, 2.0, 3.0]),
        lambda t: gradients(t, lambda x: x.prod(1), [[0.0, 0.0, 3.0], [0.0, 2.0, 3.0]]),
        lambda t: gradients(t, lambda x: x.cumprod(0), [2.0, 0.0, 3.0, 0.0]),
        lambda t: gradients(t, lambda x: x.logsumexp(0), [-INF, 1.0]),
        lambda t: gradients(t, lambda x: x.cumsum(0), [1.0, 2.0, 3.0]),
        lambda t: t.renorm(t.tensor(x), 2, 0, 1.0),
    )


def test_order_statistics():
    x = [[1.0, 2.0, 4.0, 8.0], [4.0, 3.0, 2.0, 2.0]]
    agree(
        *(
            lambda t, how=how: t.quantile(t.tensor(x), 0.3, 1, interpolation=how)
            for how in ("linear", "lower", "higher", "midpoint", "nearest", "other")
        ),
        lambda t: t.quantile(t.tensor(x), t.tensor([0.3, 0.5]), dim=1, keepdim=True),
        lambda t: t.quantile(t.tensor(x), 1.3),
        lambda t: t.quantile(t.tensor([1, 2]), 0.3),
        lambda t: t.mode(t.tensor(x), 1),
        lambda t: t.median(t.tensor(x), 0, keepdim=True),
        lambda t: gradients(t, lambda x: x.quantile(0.3, 1), x),
    )


def test_running_values_and_differences():
    agree(
        lambda t: t.tensor([1, 3, 3, 2]).cummax(0),
        lambda t: t.tensor([-INF, 1.0, 2.0]).logcumsumexp(0),
        lambda t: t.ones(2, dtype=t.int32).cumsum_(0),
        lambda t: t.tensor(2.0).cumsum(0),
        lambda t: t.tensor([1, 3, 6]).diff(n=2),
        lambda t: t.tensor([1, 3, 6]).diff(prepend=t.tensor([0]), append=t.tensor([7])),
        lambda t: t.tensor([True, False]).diff(),
        lambda t: t.tensor(1).diff(),
        lambda t: t.trapezoid(t.tensor([1, 2, 4]), t.tensor([0, 1, 3])),
        lambda t: t.cumulative_trapezoid(t.tensor([1.0, 2.0, 4.0]), dx=2),
        lambda t: t.gradient(t.tensor([[1.0, 2.0, 4.0], [0.0, 3.0, 9.0]]), spacing=[2.0, 0.5]),
        lambda t: t.gradient(t.tensor([1.0, 2, 4, 8]), spacing=(t.tensor([0.0, 1, 3, 4]),)),
        lambda t: t.gradient(t.tensor([1.0, 2, 4, 8]), edge_order=2),
    )


def test_results_print_with_their_names():
    assert repr(taowa.tensor([1, 3]).max(0)) == repr(torch.tensor([1, 3]).max(0))
    assert repr(taowa.tensor([1, 3]).aminmax()) == repr(torch.tensor([1, 3]).aminmax())
