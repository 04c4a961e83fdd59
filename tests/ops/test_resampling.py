"""What of resampling, grids, bags and labels the generated tests do not reach."""

import numpy as np
import pytest
import torch

import taowa
import taowa.nn.functional as F
from taowa.core import journal
from taowa.ops.resampling import Axis, resample
from tests.nn.comparison import Comparison, ours, random, same

FACTORS = (0.37, 0.8, 1.0, 1.3, 2.018, 2.5, 3.7)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
def test_nearest_neighbours_are_pytorchs_to_the_last_bit(mode):
    both = Comparison()
    for n in (3, 19, 57):
        x = torch.arange(float(n)).reshape(1, 1, n)
        for factor in FACTORS:
            both.call(
                f"{n} {factor}", torch.nn.functional.interpolate, F.interpolate, x,
                scale_factor=factor, mode=mode, tolerance=(0, 0),
            )  # fmt: skip
    both.check()


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "lanczos"])
def test_antialiasing(mode):
    both = Comparison()
    for size in ((3, 4), (20, 5), (9, 30)):
        both.call(
            f"{mode} {size}", torch.nn.functional.interpolate, F.interpolate, random(1, 2, 9, 13),
            size, mode=mode, antialias=True,
        )  # fmt: skip
    both.check()


def test_bytes_are_rounded_as_pytorch_rounds_them():
    x = torch.arange(3 * 90, dtype=torch.int64).mul(37).remainder(256).to(torch.uint8)
    x = x.reshape(1, 3, 9, 10)
    for keywords in ({"mode": "bilinear"}, {"mode": "bilinear", "antialias": True}):
        expected = torch.nn.functional.interpolate(x, (5, 17), **keywords)
        same(expected, F.interpolate(ours(x), (5, 17), **keywords), str(keywords), (0, 0))


@pytest.mark.parametrize("sizes", [((4, 64)), ((64, 4)), ((5, 5))])
def test_large_factors_have_the_transposed_gradient(sizes):
    n, m = sizes
    x = random(2, n, dtype=torch.float64)
    for method in ("nearest", "linear", "cubic", "smooth-linear"):
        forward = resample(ours(torch.eye(n, dtype=torch.float64)), (Axis(method, m),)).host()
        leaf, cotangent = ours(x), random(2, m, dtype=torch.float64, grad=False)
        resample(leaf, (Axis(method, m),)).backward(ours(cotangent))
        np.testing.assert_allclose(leaf.grad.numpy(), cotangent.numpy() @ forward.T, atol=1e-12)


def test_lengths_of_sequences_are_data_and_compile_nothing_new():
    logs = taowa.zeros(6, 2, 4).log_softmax(2)
    labels = taowa.tensor([[1, 2, 3], [3, 2, 1]])
    losses = []
    taowa.flush()
    for ends, counts in (([6, 6], [3, 3]), ([6, 5], [2, 0])):
        before = journal.counters.compilations + journal.counters.disk_hits
        loss = F.ctc_loss(logs, labels, taowa.tensor(ends), taowa.tensor(counts))
        losses.append(loss.item())
    assert journal.counters.compilations + journal.counters.disk_hits == before
    assert losses[0] != losses[1]


BAD_LENGTHS = [([7, 6], [3, 3]), ([-1, 6], [3, 3]), ([6, 6], [4, 3]), ([6, 6], [3, -1])]


@pytest.mark.parametrize(("ends", "counts"), BAD_LENGTHS)
def test_lengths_that_do_not_fit_raise(ends, counts):
    logs = taowa.zeros(6, 2, 4)
    with pytest.raises(RuntimeError, match="lengths to have values"):
        F.ctc_loss(logs, taowa.ones(2, 3).long(), taowa.tensor(ends), taowa.tensor(counts)).item()


def test_ctc_without_alignment_is_infinite_or_counts_as_nothing():
    both = Comparison()
    arguments = (torch.tensor([[1, 1], [1, 2]]), torch.tensor([2, 4]), torch.tensor([2, 2]))
    logs = random(4, 2, 3, grad=False).log_softmax(2)
    for is_zero in (False, True):
        both.call(
            f"{is_zero}", torch.nn.functional.ctc_loss, F.ctc_loss,
            logs.clone().requires_grad_(), *arguments, zero_infinity=is_zero, reduction="sum",
        )  # fmt: skip
    both.check()


def test_ctc_is_exact_over_long_sequences():
    logs = random(300, 1, 5, grad=False).mul(3).log_softmax(2)
    labels = torch.arange(60).remainder(4).add(1)[None]
    exact = logs.double().requires_grad_()
    torch.nn.functional.ctc_loss(exact, labels, (300,), (60,), reduction="sum").backward()
    mine = ours(logs).requires_grad_()
    F.ctc_loss(mine, ours(labels), (300,), (60,), reduction="sum").backward()
    np.testing.assert_allclose(mine.grad.numpy(), exact.grad.numpy(), atol=2e-5)


def test_products_of_scaled_numbers_are_refused_by_name():
    for name in ("scaled_mm", "scaled_grouped_mm"):
        with pytest.raises(NotImplementedError, match=f"{name} is not supported"):
            getattr(F, name)(taowa.ones(2, 2), taowa.ones(2, 2))


def test_points_far_outside_or_nan_do_not_fail():
    grid = torch.tensor([[[[1e30, 0.0], [-1e30, 0.0], [float("inf"), 0.0], [0.5, -0.5]]]])
    x = random(1, 2, 4, 4, grad=False)
    for padding in ("zeros", "border"):
        keywords = {"padding_mode": padding, "align_corners": False}
        expected = torch.nn.functional.grid_sample(x, grid, **keywords)
        same(expected, F.grid_sample(ours(x), ours(grid), **keywords), padding)


def test_a_batch_in_pieces_has_the_second_gradients_of_the_whole():
    found = []
    for options in (None, taowa.nn.LinearCrossEntropyOptions(batch_chunk_size=2)):
        x, w = (ours(random(n, 3, dtype=torch.float64)) for n in (5, 4))
        labels = taowa.tensor([0, 3, 1, -100, 2])
        loss = F.linear_cross_entropy(x, w, labels, options=options)
        (first,) = taowa.autograd.grad(loss, [w], create_graph=True)
        found.append([loss, first, *taowa.autograd.grad(first.pow(2).sum(), [x, w])])
    for whole, pieces in zip(*found, strict=True):
        np.testing.assert_allclose(pieces.host(), whole.host(), rtol=1e-10, atol=1e-12)
