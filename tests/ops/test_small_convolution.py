import numpy as np
import pytest
import torch

import taowa
from taowa.core.tensor import from_array
from taowa.nn import functional as F
from taowa.ops.small_convolution import has_small_images

# sizes of input and weight, stride, padding, dilation, groups
CASES = [
    ((3, 4, 2), (6, 4, 3), 1, 1, 1, 1),
    ((3, 4, 1, 1), (6, 4, 3, 3), 1, 1, 1, 1),
    ((3, 4, 2, 2), (6, 4, 3, 3), 1, 1, 1, 1),
    ((3, 4, 4, 4), (6, 4, 3, 3), 2, 1, 1, 1),
    ((3, 4, 2, 9), (6, 2, 3, 5), (1, 2), (1, 3), 1, 2),
    ((3, 4, 3, 3), (4, 1, 3, 3), 1, 2, 2, 4),
    ((3, 4, 5, 2), (6, 4, 2, 4), (3, 1), (0, 2), (2, 1), 1),
    ((2, 2, 2, 3, 1), (2, 2, 3, 3, 1), 1, 1, 1, 1),
    ((0, 4, 2, 2), (6, 4, 3, 3), 1, 1, 1, 1),
]


def draw(*shape, seed, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator).to(dtype)


def ours(tensor):
    return from_array(tensor.detach().numpy().copy()).requires_grad_(tensor.requires_grad)


@pytest.mark.parametrize(("size", "weight_size", "stride", "padding", "dilation", "groups"), CASES)
def test_values_and_gradients_are_pytorchs(size, weight_size, stride, padding, dilation, groups):
    name = f"conv{len(size) - 2}d"
    x, weight = draw(*size, seed=1).requires_grad_(), draw(*weight_size, seed=2).requires_grad_()
    bias = draw(weight_size[0], seed=3)
    options = (stride, padding, dilation, groups)
    expected = getattr(torch.nn.functional, name)(x, weight, bias, *options)
    cotangent = draw(*expected.shape, seed=4)
    expected.backward(cotangent)
    our_x, our_weight = ours(x), ours(weight)
    result = getattr(F, name)(our_x, our_weight, ours(bias), *options)
    result.backward(ours(cotangent))
    pairs = [(result, expected), (our_x.grad, x.grad), (our_weight.grad, weight.grad)]
    for mine, theirs in pairs:
        np.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), atol=1e-4)


def test_half_precision_is_rounded_once():
    x, weight = draw(2, 64, 2, 2, seed=1).bfloat16(), draw(8, 64, 3, 3, seed=2).bfloat16()
    exact = torch.nn.functional.conv2d(x.double(), weight.double(), padding=1)
    result = F.conv2d(ours(x.float()).bfloat16(), ours(weight.float()).bfloat16(), padding=1)
    assert result.dtype is taowa.bfloat16
    error = np.abs(result.float().numpy() - exact.numpy()) / np.abs(exact.numpy()).clip(1)
    assert error.max() < 2**-8


def test_integers_are_exact():
    x, weight = torch.arange(4).reshape(1, 1, 2, 2), torch.arange(9).reshape(1, 1, 3, 3)
    expected = torch.nn.functional.conv2d(x, weight, padding=1)
    np.testing.assert_array_equal(F.conv2d(ours(x), ours(weight), padding=1).numpy(), expected)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "is_small"),
    [
        ((2, 2), (3, 3), 1, 1, True),
        ((3, 3), (3, 3), 1, 1, False),
        ((4, 4), (3, 3), 2, 1, True),  # the gradient towards the input starts from 2×2
        ((1, 1), (1, 1), 1, 0, False),
        ((4, 4), (9, 9), 1, 4, False),  # too many taps
    ],
)
def test_only_images_smaller_than_the_filters_are_summed_by_taps(
    size, kernel, stride, padding, is_small
):
    x, weight = np.zeros((1, 1, *size)), np.zeros((1, 1, *kernel))
    pairs = [(padding, padding)] * 2
    assert has_small_images(x, weight, (stride,) * 2, pairs, (1, 1)) == is_small
