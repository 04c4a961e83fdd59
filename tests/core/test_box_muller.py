"""Fused arithmetic and the transform of uniform numbers into normal ones."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from taowa.core.box_muller import apply_libm, box_muller, fma64

ORDINARY = st.floats(-1e30, 1e30, allow_subnormal=False).filter(lambda v: v == 0 or abs(v) > 1e-30)


@settings(deadline=None, max_examples=400)
@given(ORDINARY, ORDINARY, ORDINARY)
def test_fma64_rounds_once(x, scale, shift):
    exact = float(Fraction(x) * Fraction(scale) + Fraction(shift))
    assert fma64(np.array([x]), scale, shift)[0] == exact


@settings(deadline=None, max_examples=400)
@given(st.integers(1, 2**53), st.integers(1, 2**53), st.integers(-3, 3), st.integers(-60, 60))
def test_fma64_rounds_once_near_cancellation(a, b, offset, power):
    x, scale = a * 2.0**-53, b * 2.0**-53
    shift = -float(x * scale) + offset * 2.0**power
    exact = float(Fraction(x) * Fraction(scale) + Fraction(shift))
    assert fma64(np.array([x]), scale, shift)[0] == exact


@pytest.mark.parametrize("bits", [27, 30, 40, 50])
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("shift", [1.0, 1 + 2.0**-52])
def test_fma64_is_not_misled_by_a_sum_next_to_a_midpoint(shift, sign, bits):
    x, scale = 1 + 2.0**-bits, sign * 2.0**-53 * (1 - 2.0**-bits)
    exact = float(Fraction(x) * Fraction(scale) + Fraction(shift))
    assert fma64(np.array([x]), scale, shift)[0] == exact


def test_fma64_of_very_large_numbers():
    x = np.linspace(0, 1, 1000)
    exact = [float(Fraction(v) * Fraction(1.1e305) - Fraction(1e304)) for v in x.tolist()]
    assert fma64(x, 1.1e305, -1e304).tolist() == exact


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_box_muller_is_pytorchs(dtype):
    torch.manual_seed(0)
    reference = torch.empty(1600, dtype=dtype).normal_(-0.7, 3.3)
    torch.manual_seed(0)
    uniform = torch.rand(1600, dtype=dtype).numpy()
    np.testing.assert_array_equal(box_muller(uniform, -0.7, 3.3), reference.numpy(), strict=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_box_muller_of_the_extreme_uniforms(dtype):
    largest = 1 - np.finfo(dtype).epsneg
    for u1 in (0.0, largest):
        for u2 in (0.0, 0.125, 0.25, 0.5, 0.75, 0.875, largest):
            uniform = np.repeat(np.array([u1, u2], dtype), 8)
            normals = box_muller(uniform, 0.0, 1.0).reshape(2, 8)
            radius = math.sqrt(-2 * math.log(1 - u1))
            angle = 2 * math.pi * u2
            expected = [[radius * math.cos(angle)], [radius * math.sin(angle)]]
            np.testing.assert_allclose(normals, np.repeat(expected, 8, axis=1), atol=1e-5)


def test_apply_libm_keeps_the_shape():
    x = np.array([[0.1, 0.2, 0.3]])
    assert apply_libm("sin", x).tolist() == [[math.sin(v) for v in (0.1, 0.2, 0.3)]]
