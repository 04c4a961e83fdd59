"""Convolutions: every kernel, pass and instruction set against float64; gradients; switches."""

import itertools
from functools import partial

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

import taowa
from taowa.kernels import conv
from taowa.kernels.conv import Geometry
from taowa.kernels.shared_library import kernels
from taowa.nn import functional as F

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not kernels.is_available(), reason="the kernels are not built"),
]
# Of the largest number of the result: direct kernels, and Winograd's algorithm.
DIRECT_TOLERANCE, WINOGRAD_TOLERANCE = 2e-6, 2e-5
PASSES = (conv.forward, conv.input_gradient, conv.weight_gradient)


def padded(x, geometry):
    return np.pad(x.astype(np.float64), [(0, 0), *geometry.padding, (0, 0)])


def taps(geometry):
    """Each tap of the filter, with the padded pixels that it meets."""
    for tap in itertools.product(*map(range, geometry.kernel)):
        starts = [t * d for t, d in zip(tap, geometry.dilation, strict=True)]
        dims = zip(starts, geometry.stride, geometry.output_sizes(), strict=True)
        yield tap, (slice(None), *(slice(a, a + s * (n - 1) + 1, s) for a, s, n in dims))


def references(x, w, dy, geometry):
    """The three passes in float64, tap by tap."""
    groups = geometry.groups
    image, result = padded(x, geometry), np.zeros(dy.shape)
    dx, dw = np.zeros(image.shape), np.zeros(w.shape)
    grouped = w.reshape(groups, -1, *w.shape[1:]).astype(np.float64)
    cotangent = dy.reshape(*dy.shape[:3], groups, -1).astype(np.float64)
    for tap, pixels in taps(geometry):
        part = image[pixels].reshape(*dy.shape[:3], groups, -1)
        result += np.einsum("nhwgc,goc->nhwgo", part, grouped[..., *tap]).reshape(dy.shape)
        back = np.einsum("nhwgo,goc->nhwgc", cotangent, grouped[..., *tap])
        dx[pixels] += back.reshape(*dy.shape[:3], -1)
        dw[..., *tap] = np.einsum("nhwgc,nhwgo->goc", part, cotangent).reshape(w.shape[:2])
    inside = [slice(p[0], p[0] + n) for p, n in zip(geometry.padding, geometry.sizes, strict=True)]
    return result, dx[:, *inside], dw


def operands(batch, channels, outputs, geometry, seed=0):
    rng = np.random.default_rng(seed)
    x = (batch, *geometry.sizes, channels)
    w = (outputs, channels // geometry.groups, *geometry.kernel)
    dy = (batch, *geometry.output_sizes(), outputs)
    return [rng.standard_normal(shape, dtype=np.float32) for shape in (x, w, dy)]


def check(batch, channels, outputs, geometry, tolerance=DIRECT_TOLERANCE, seed=0):
    """Every pass by every instruction set equals float64, and the kernel is really called."""
    x, w, dy = operands(batch, channels, outputs, geometry, seed)
    expected = references(x, w, dy, geometry)
    pairs = ((x, w), (dy, w), (x, dy))
    before = str(kernels.isa)
    for one, pair, exact in zip(PASSES, pairs, expected, strict=True):
        program = jax.jit(partial(one, geometry=geometry)).lower(*pair).compile()
        assert "taowa.conv_" in str(program.as_text())
        for isa in kernels.isas:
            kernels.isa = isa
            found = np.asarray(program(*pair))
            bound = tolerance * np.abs(exact).max(initial=0.0)
            np.testing.assert_allclose(found, exact, rtol=0, atol=bound, err_msg=f"{one} {isa}")
    kernels.isa = before


def pairs_of(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


@settings(max_examples=12, deadline=None)
@given(
    sizes=pairs_of(1, 13), kernel=pairs_of(1, 7), stride=pairs_of(1, 4), dilation=pairs_of(1, 3),
    padding=st.tuples(pairs_of(0, 4), pairs_of(0, 4)), groups=st.sampled_from([1, 1, 1, 2, 3]),
    channels=st.integers(1, 37), outputs=st.integers(1, 37), batch=st.integers(1, 3),
)  # fmt: skip
def test_direct_kernels_are_exact_for_every_option(
    sizes, kernel, stride, dilation, padding, groups, channels, outputs, batch
):
    geometry = Geometry(sizes, kernel, stride, padding, dilation, groups, winograd=False)
    if min(geometry.output_sizes()) > 0:
        check(batch, channels * groups, outputs * groups, geometry)


@settings(max_examples=6, deadline=None)
@given(
    sizes=pairs_of(1, 11), kernel=pairs_of(1, 5), stride=pairs_of(1, 3), dilation=pairs_of(1, 2),
    padding=st.tuples(pairs_of(0, 3), pairs_of(0, 3)), channels=st.integers(2, 37),
)  # fmt: skip
def test_depthwise_kernels_are_exact_for_every_option(
    sizes, kernel, stride, dilation, padding, channels
):
    geometry = Geometry(sizes, kernel, stride, padding, dilation, channels)
    if min(geometry.output_sizes()) > 0:
        check(2, channels, channels, geometry)


@pytest.fixture
def only_winograd(monkeypatch):
    monkeypatch.setattr(conv, "is_winograd_quicker", lambda *_: True)


@pytest.mark.parametrize(
    ("batch", "channels", "outputs", "sizes", "padding"),
    [
        (1, 1, 1, (1, 1), ((1, 1), (1, 1))),
        (3, 5, 40, (7, 9), ((1, 1), (1, 1))),
        (2, 70, 33, (5, 13), ((0, 2), (2, 0))),  # asymmetric; more than one block of channels
        (2, 16, 64, (12, 12), ((3, 3), (3, 3))),
        (1, 130, 150, (8, 4), ((1, 1), (1, 1))),  # fewer tiles than channels
        (9, 8, 8, (21, 22), ((1, 1), (1, 1))),  # many tiles: weights are summed in parts
        (1, 300, 17, (6, 6), ((0, 0), (0, 0))),
    ],
)
def test_winograd_kernels_are_near_float64(only_winograd, batch, channels, outputs, sizes, padding):
    geometry = Geometry(sizes, (3, 3), (1, 1), padding, (1, 1), 1)
    check(batch, channels, outputs, geometry, WINOGRAD_TOLERANCE)


@pytest.mark.parametrize("channels", [64, 130])
def test_direct_kernels_cut_many_channels_and_pixels_into_blocks(channels):
    geometry = Geometry((17, 15), (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1), 1, winograd=False)
    check(9, channels, 140, geometry)


def test_the_algorithm_is_chosen_by_shape():
    same = ((1, 1), (1, 1))
    large = Geometry((32, 32), (3, 3), (1, 1), same, (1, 1), 1)
    assert conv.is_winograd_quicker(32, 64, 64, large)
    assert not conv.is_winograd_quicker(32, 512, 512, large._replace(sizes=(1, 1)))
    assert not conv.suits_winograd(large._replace(stride=(1, 2)))
    assert not conv.suits_winograd(large._replace(groups=2))


def geometry_of(stride=1, winograd=True):
    return Geometry((5, 6), (3, 3), (stride,) * 2, ((1, 1), (1, 1)), (1, 1), 1, winograd)


@pytest.mark.parametrize("one", range(3))
def test_each_pass_can_be_differentiated_twice(one):
    geometry = geometry_of(stride=2, winograd=False)
    x, w, dy = operands(2, 3, 4, geometry)
    pair = ((x, w), (dy, w), (x, dy))[one]
    check_grads(partial(PASSES[one], geometry=geometry), pair, order=2, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0), (1, 2)])
@pytest.mark.parametrize("one", range(3))
def test_stacks_are_mapped_over(one, axes):
    geometry = geometry_of(winograd=False)
    sets = [operands(2, 3, 4, geometry, seed) for seed in range(3)]
    pairs = [((x, w), (dy, w), (x, dy))[one] for x, w, dy in sets]
    stacked = [
        pairs[0][i] if axis is None else np.stack([pair[i] for pair in pairs], axis)
        for i, axis in enumerate(axes)
    ]
    found = jax.vmap(partial(PASSES[one], geometry=geometry), axes)(*stacked)
    for i, pair in enumerate(pairs):
        a, b = (pairs[0][k] if axes[k] is None else pair[k] for k in range(2))
        expected = PASSES[one](a, b, geometry=geometry)
        np.testing.assert_allclose(found[i], expected, atol=1e-5)


def draw(*shape, seed=0):
    return taowa.tensor(np.random.default_rng(seed).standard_normal(shape, dtype=np.float32))


def test_the_override_takes_the_direct_kernel():
    x, w = draw(2, 16, 12, 12), draw(16, 16, 3, 3, seed=1)
    by_winograd = F.conv2d(x, w, padding=1).numpy()
    kernels.winograd = False
    directly = F.conv2d(x, w, padding=1).numpy()
    kernels.winograd = True
    exact = references(
        x.numpy().transpose(0, 2, 3, 1), w.numpy(), np.zeros((2, 12, 12, 16), np.float32),
        Geometry((12, 12), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1),
    )[0].transpose(0, 3, 1, 2)  # fmt: skip
    assert (by_winograd != directly).any()
    np.testing.assert_allclose(directly, exact, rtol=0, atol=DIRECT_TOLERANCE * exact.max())
    np.testing.assert_allclose(by_winograd, exact, rtol=0, atol=WINOGRAD_TOLERANCE * exact.max())


def test_without_kernels_programs_run_on_xla():
    x, w = draw(1, 4, 9, seed=2), draw(3, 4, 3, seed=3)
    with_kernels = F.conv1d(x, w, padding=1).numpy()
    kernels.enabled = False
    without = F.conv1d(x, w, padding=1).numpy()
    kernels.enabled = True
    np.testing.assert_allclose(with_kernels, without, atol=1e-5)


@pytest.mark.parametrize("dtype", [taowa.float64, taowa.bfloat16])
def test_other_types_run_on_xla(dtype):
    x, w = draw(1, 4, 5, 5).to(dtype), draw(3, 4, 3, 3, seed=1).to(dtype)
    result = F.conv2d(x, w)
    assert result.dtype is dtype
    expected = F.conv2d(x.float(), w.float())
    np.testing.assert_allclose(result.float().numpy(), expected.numpy(), rtol=0.02, atol=0.1)
