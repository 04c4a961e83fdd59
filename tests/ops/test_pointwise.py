"""Element-wise operations: what promotion, kinks, edges and errors mean."""

import math

import pytest
import torch

import taowa
from taowa.core import journal
from tests.ops.agreement import agree, gradients

INF, NAN = math.inf, math.nan


def test_numbers_promote_by_category_alone():
    agree(
        lambda t: t.tensor([1], dtype=t.int8) + 300,
        lambda t: t.tensor([255], dtype=t.uint8) == -1,
        lambda t: t.tensor([1], dtype=t.int8) + 1.5,
        lambda t: t.tensor([True]) + 1,
        lambda t: t.tensor([1.0], dtype=t.float16) * 2,
        lambda t: t.tensor([1.0], dtype=t.float16) * t.tensor(2.0, dtype=t.float64),
        lambda t: t.tensor([1]) * t.tensor(2.0, dtype=t.float64),
        lambda t: t.tensor([1.0]) + 1j,
        lambda t: t.tensor([1.0], dtype=t.bfloat16) + t.tensor([1.0], dtype=t.float16),
        lambda t: 2 ** t.tensor([1, 2]),
        lambda t: 2.0 ** t.tensor([1, 2]),
        lambda t: t.tensor([1, 2]) ** 2.0,
        lambda t: 7 // t.tensor([2, -2]),
        lambda t: 7 % t.tensor([4.0, -4.0]),
        lambda t: 1 - t.tensor([1, 2]),
        lambda t: 1 / t.tensor([1, 2]),
    )


def test_integer_division():
    x, y = [-7, -6, 7, 6, 0, -(2**62)], [2, 4, -2, -4, 3, 3]
    agree(
        lambda t: t.tensor(x) // t.tensor(y),
        lambda t: t.tensor(x) % t.tensor(y),
        lambda t: t.fmod(t.tensor(x), t.tensor(y)),
        lambda t: t.div(t.tensor(x), t.tensor(y), rounding_mode="trunc"),
        lambda t: t.div(t.tensor(x), t.tensor(y), rounding_mode="floor"),
        lambda t: t.tensor([1, 0]) / 0,
        lambda t: t.tensor([1]) // 0,
        lambda t: t.tensor([1]) % 0,
        lambda t: t.tensor([1]).fmod(0),
        lambda t: t.div(t.tensor([1]), 0, rounding_mode="trunc"),
        lambda t: t.div(t.tensor([1]), 1, rounding_mode="up"),
    )


def test_division_by_a_zero_computed_in_the_program_raises_when_read():
    zero = taowa.tensor([1, 2]) - taowa.tensor([1, 2])
    quotient = taowa.tensor([1, 2]) // (zero * 1)
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        quotient.tolist()


def test_floor_division_of_floats_is_exact():
    x = [1.0, -1.0, 0.3, 6.0, INF, NAN, 1.0, -0.0, 5.0]
    y = [0.1, 0.1, 0.1, 0.2, 2.0, 1.0, 0.0, 3.0, -INF]
    agree(
        lambda t: t.tensor(x) // t.tensor(y),
        lambda t: t.tensor(x) % t.tensor(y),
        lambda t: t.div(t.tensor(x), t.tensor(y), rounding_mode="trunc"),
    )


def test_powers():
    agree(
        lambda t: t.tensor([2, -3]) ** t.tensor([-1, 3]),
        lambda t: t.tensor([2]) ** -1,
        lambda t: t.tensor([0.0, -8.0, 4.0]) ** 0.5,
        lambda t: t.tensor([True, False]) ** 2,
        lambda t: t.tensor([True, False]) ** t.tensor([True, False]),
        lambda t: t.pow(t.tensor([2.0]), t.tensor([3])),
        lambda t: t.float_power(t.tensor([2]), 0.5),
        lambda t: t.ones(2).float_power_(2),
        *(lambda t, n=n: gradients(t, lambda x: x**n, [0.0, -2.0, 3.0]) for n in (0, 1, 2, 3, -1)),
        lambda t: gradients(t, lambda x, n: x**n, [0.0, 0.0, 2.0], [0.0, 2.0, 3.0]),
        lambda t: gradients(t, lambda n: 0**n, [0.0, 2.0]),
    )


def test_exponents_and_bounds_are_inputs_of_the_program():
    x = taowa.rand(7)
    (x**1.7).clamp(0.1, 0.9).lerp(x, 0.3).tolist()
    before = journal.counters.compilations + journal.counters.disk_hits
    (x**2.9).clamp(0.3, 0.7).lerp(x, 0.6).tolist()
    assert journal.counters.compilations + journal.counters.disk_hits == before


def test_kinks():
    x = [-1.0, 0.0, 1.0]
    agree(
        lambda t: gradients(t, t.abs, x),
        lambda t: gradients(t, lambda x: t.clamp(x, -1, 1), [-2.0, -1.0, 0.0, 1.0, 2.0]),
        lambda t: gradients(t, t.clamp, [-2.0, 1.0, 3.0, 1.0], [-1.0, 1.0, 4.0, 3.0], [1.0] * 4),
        lambda t: gradients(t, t.maximum, x, [0.0, 0.0, 0.0]),
        lambda t: gradients(t, t.minimum, x, [0.0, 0.0, NAN]),
        lambda t: gradients(t, t.fmax, [1.0, 1.0, NAN], [1.0, NAN, 1.0]),
        lambda t: gradients(t, t.fmin, [1.0, 1.0, NAN], [1.0, NAN, 1.0]),
        lambda t: gradients(t, t.sqrt, [0.0, 4.0]),
        lambda t: gradients(t, lambda x: t.where(x > 0, t.sqrt(x), x), [0.0, 4.0]),
        lambda t: gradients(t, lambda x, y: t.where(x > 0, x, x / y), [1.0, 2.0], [0.0, 0.0]),
        lambda t: gradients(t, t.atan2, [0.0, 1.0], [0.0, 0.0]),
        lambda t: gradients(t, t.xlogy, [0.0, 0.0, 0.0, 1.0], [0.0, -1.0, 2.0, 0.0]),
        lambda t: gradients(t, t.logaddexp, [0.0, -INF, INF], [0.0, -INF, INF]),
        lambda t: gradients(t, t.remainder, [5.0, -5.0], [3.0, 3.0]),
        lambda t: gradients(t, t.copysign, [0.0, 1.0, -2.0], [-1.0, -1.0, 0.0]),
        lambda t: gradients(t, t.sinc, [0.0, 0.5]),
        lambda t: gradients(t, lambda x: t.nan_to_num(x), [0.0, INF, NAN]),
        lambda t: gradients(t, lambda x: t.logit(x, 0.1), [0.0, 0.1, 0.5, 0.9, 1.0]),
        lambda t: gradients(t, t.sign, x),
        lambda t: gradients(t, t.round, x),
    )


def test_operations_without_a_derivative_say_so():
    agree(
        lambda t: gradients(t, lambda x: x // 2, [3.0]),
        lambda t: gradients(t, t.heaviside, [3.0], [1.0]),
        lambda t: t.ones(2, requires_grad=True) // 2,
    )


def test_operands_that_pytorch_refuses():
    agree(
        lambda t: t.tensor([True]) - 1,
        lambda t: t.tensor([1]) - t.tensor([True]),
        lambda t: -t.tensor([True]),
        lambda t: +t.tensor([True]),
        lambda t: t.abs(t.tensor([True])),
        lambda t: t.add(t.tensor([1]), 1, alpha=1.5),
        lambda t: t.add(t.tensor([1.0]), 1, alpha=1j),
        lambda t: t.add(t.tensor([1]), 1, alpha=True),
        lambda t: t.add(t.tensor([True]), True, alpha=2),
        lambda t: t.tensor([1.0]) & 1,
        lambda t: t.tensor([1.0]) << 1,
        lambda t: t.tensor([1j]) < 1,
        lambda t: t.maximum(t.tensor([1.0]), 2),
        lambda t: t.clamp(t.ones(2)),
        lambda t: t.clamp(t.tensor([1j]), 0),
        lambda t: t.where(t.ones(2), 1, 2),
        lambda t: t.floor(t.tensor([1j])),
        lambda t: t.sign(t.tensor([1j])),
        lambda t: t.frac(t.tensor([1])),
        lambda t: t.hypot(t.tensor([1]), t.tensor([2])),
        lambda t: t.addcdiv(t.tensor([1]), t.tensor([1]), t.tensor([1])),
        lambda t: t.lerp(t.ones(2), t.ones(2, dtype=t.float64), 0.5),
        lambda t: t.heaviside(t.tensor([1]), t.tensor([1.0])),
        lambda t: t.isclose(t.ones(2), t.ones(2), rtol=-1),
        lambda t: t.isclose(t.ones(2), t.ones(2, dtype=t.int64)),
        lambda t: t.tensor([1]) + "a",
        lambda t: t.ones(2, 3) + t.ones(2),
    )


def test_in_place_keeps_type_and_shape():
    agree(
        lambda t: t.ones(2, dtype=t.int64).add_(1.5),
        lambda t: t.ones(2, dtype=t.int64).div_(2),
        lambda t: t.ones(2).add_(1j),
        lambda t: t.ones(2).add_(t.ones(2, 2)),
        lambda t: t.ones(2, 2).add_(t.ones(2)),
        lambda t: t.ones(2, dtype=t.float16).add_(t.ones(2, dtype=t.float64)),
        lambda t: t.ones(2, dtype=t.int32).add_(t.ones(2, dtype=t.int64)),
        lambda t: t.tensor([1, 2]).eq_(2),
        lambda t: t.ones(2).sub_(1, alpha=3),
        lambda t: t.add(t.ones(2), 1, out=t.empty(2, dtype=t.float64)),
        lambda t: t.add(t.ones(2), 1, out=t.empty(2, dtype=t.int64)),
        lambda t: t.ones(2, requires_grad=True).mul_(2),
    )


def test_in_place_operators_change_the_tensor_itself():
    x = alias = taowa.tensor([1.0, 2.0])
    x += 1
    x *= 2
    x /= 4
    x -= 0.5
    x **= 2
    assert x is alias
    assert alias.tolist() == [0.25, 1.0]


def test_logic_and_bits():
    agree(
        lambda t: t.logical_and(t.tensor([1.0, 0.0, NAN]), t.tensor([1j])),
        lambda t: ~t.tensor([True, False]),
        lambda t: ~t.tensor([0, 5], dtype=t.uint8),
        lambda t: t.tensor([True]) & t.tensor([False]),
        lambda t: t.tensor([6]) ^ 3,
        lambda t: t.tensor([1, 2]) << 65,
        lambda t: t.tensor([-8, 2]) >> 70,
        lambda t: t.tensor([-8, 2]) >> -1,
        lambda t: t.tensor([200], dtype=t.uint8) << 1,
        lambda t: t.gcd(t.tensor([-4, 0]), t.tensor([6, 0])),
        lambda t: t.lcm(t.tensor([-4, 0]), t.tensor([6, 5])),
    )


def test_signs_and_rounding():
    x = [-0.0, -1.5, -0.5, 0.5, 1.5, 2.5, INF, NAN]
    agree(
        *(
            lambda t, name=name: getattr(t, name)(t.tensor(x))
            for name in ("sign", "sgn", "signbit", "round", "trunc", "frac", "ceil", "isfinite")
        ),
        lambda t: t.round(t.tensor([1.255, 15.0]), decimals=2),
        lambda t: t.round(t.tensor([125.0, 15.0]), decimals=-1),
        lambda t: t.floor(t.tensor([3])),
        lambda t: t.sgn(t.tensor([3 + 4j, 0])),
        lambda t: t.frexp(t.tensor([3.0, 0.0])),
    )


def test_questions_have_python_answers():
    agree(
        lambda t: t.equal(t.ones(2), t.ones(2, dtype=t.int64)),
        lambda t: t.equal(t.ones(2), t.ones(1, 2)),
        lambda t: t.allclose(t.ones(2), t.ones(2) + 1e-7),
        lambda t: 1 in t.tensor([1, 2]),
        lambda t: "a" in t.tensor([1, 2]),
        lambda t: t.result_type(t.ones(2, dtype=t.int32), 1.5),
        lambda t: t.can_cast(t.float64, t.int32),
    )


def test_complex_parts():
    z = [1 + 2j, -3.0, 0.0]
    agree(
        lambda t: [t.tensor(z).real, t.tensor(z).imag, t.tensor(z).conj(), t.tensor(z).angle()],
        lambda t: t.tensor([1.0]).imag,
        lambda t: t.complex(t.ones(2), t.ones(2)),
        lambda t: t.complex(t.ones(2), t.ones(2, dtype=t.float64)),
        lambda t: t.polar(t.ones(2), t.ones(2)),
        lambda t: gradients(t, lambda x, y: t.polar(x, y).abs(), [1.0, 2.0], [0.3, 0.4]),
        lambda t: gradients(t, lambda x, y: t.complex(x, y).angle(), [1.0, 0.0], [0.3, 0.0]),
    )


def test_writing_to_the_real_part_changes_the_number():
    for t in (taowa, torch):
        z = t.tensor([1 + 2j, 3 + 4j])
        z.real.mul_(10)
        z.imag[0] = 7
        assert z.tolist() == [10 + 7j, 30 + 4j]


def test_gamma_at_its_poles():
    x = [0.0, -0.0, -1.0, -0.5, 0.5, 1.0, 2.0, 30.0]
    agree(
        lambda t: t.digamma(t.tensor(x)),
        lambda t: t.lgamma(t.tensor([0.0, -1.0, -INF, 1.0, 2.0, 2.5])),
        lambda t: t.polygamma(1, t.tensor([-0.5, 0.5, 3.0])),
        lambda t: t.polygamma(3, t.tensor([0.5, 3.0])),
        lambda t: t.polygamma(-1, t.ones(2)),
        lambda t: t.mvlgamma(t.tensor([2.5]), 2),
        lambda t: gradients(t, t.lgamma, [0.3, 2.0]),
        lambda t: gradients(t, t.digamma, [0.3, -1.3]),
        lambda t: gradients(t, t.erfinv, [0.3, -0.9]),
    )


def test_second_derivatives():
    def twice(t, function):
        x = t.tensor([0.3, 1.7], dtype=t.float64, requires_grad=True)
        (first,) = t.autograd.grad(function(x).sum(), x, create_graph=True)
        (second,) = t.autograd.grad((first * t.tensor([1.0, 2.0])).sum(), x)
        return second

    agree(
        lambda t: twice(t, lambda x: x**3),
        lambda t: twice(t, lambda x: x**2.5),
        lambda t: twice(t, t.tanh),
        lambda t: twice(t, t.rsqrt),
        lambda t: twice(t, lambda x: x.exp() / x.sigmoid()),
        lambda t: twice(t, lambda x: t.atan2(x, x * x)),
        lambda t: twice(t, t.lgamma),
    )
