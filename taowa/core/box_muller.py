"""Normal numbers from uniform ones, to the last bit as PyTorch's CPU generator makes them.

PyTorch's vectorised path takes logarithm, sine and cosine from the single-precision Cephes
polynomials with fused multiply-adds. All single-precision steps here run on float64 arrays that
hold float32 values and are rounded after each step, which gives the same bits on any machine.
"""

from __future__ import annotations

import math

import numpy as np

BLOCK = 8192  # elements handled at once, so that the temporaries stay in cache


def _single(*values: float) -> tuple[float, ...]:
    return tuple(float(np.float32(value)) for value in values)


_LOG = _single(
    7.0376836292e-2,
    -1.1514610310e-1,
    1.1676998740e-1,
    -1.2420140846e-1,
    1.4249322787e-1,
    -1.6668057665e-1,
    2.0000714765e-1,
    -2.4999993993e-1,
    3.3333331174e-1,
)
_LN2_LOW, _LN2_HIGH, _SQRT_HALF = _single(-2.12194440e-4, 0.693359375, math.sqrt(0.5))
_SIN = _single(-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_COS = _single(2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
_MINUS_QUARTER_PI = _single(-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8)
_FOUR_OVER_PI, _TWO_PI = _single(4 / math.pi, 2 * math.pi)


def _round(x: np.ndarray) -> np.ndarray:
    """Round to the nearest float32, keeping the float64 container."""
    return x.astype(np.float32).astype(np.float64)


def _polynomial(coefficients: tuple[float, ...], x: np.ndarray) -> np.ndarray:
    """Evaluate by Horner's rule, highest power first, one rounding per fused step."""
    y = _round(x * coefficients[0] + coefficients[1])
    for coefficient in coefficients[2:]:
        y = _round(y * x + coefficient)
    return y


def _log(x: np.ndarray) -> np.ndarray:
    """Return the Cephes `logf` of numbers in (0, 1]."""
    mantissa, exponent = np.frexp(x)
    low = mantissa < _SQRT_HALF
    exponent = exponent - low
    x = np.where(low, 2 * mantissa, mantissa) - 1  # in [sqrt(1/2) - 1, sqrt(2) - 1)
    square = _round(x * x)
    y = _round(_polynomial(_LOG, x) * x)
    y = _round(y * square + _round(exponent * _LN2_LOW))
    y = _round(y - 0.5 * square)
    return _round(_round(x + y) + exponent * _LN2_HIGH)


def _sin_cos(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the Cephes `sinf` and `cosf` of angles in [0, 2 pi)."""
    octant = (_round(theta * _FOUR_OVER_PI).astype(np.int32) + 1) & ~1
    x = theta
    for part in _MINUS_QUARTER_PI:  # three parts keep the reduced angle exact
        x = _round(octant * part + x)
    square = _round(x * x)
    cosine = _round(_polynomial(_COS, square) * square)
    cosine = _round(_round(cosine * square - 0.5 * square) + 1)
    sine = _round(_polynomial(_SIN, square) * square)
    sine = _round(sine * x + x)
    swap = (octant & 2) != 0
    sine, cosine = np.where(swap, cosine, sine), np.where(swap, sine, cosine)
    return (
        np.where(octant & 4, -sine, sine),
        np.where((octant + 2) & 4, -cosine, cosine),
    )


def _normals32(uniform: np.ndarray, mean: float, std: float) -> np.ndarray:
    """Turn float32 uniforms `(groups, 16)` into normals of the same shape."""
    u = uniform.astype(np.float64)
    radius = _round(np.sqrt(-2 * _log(1 - u[:, :8])))
    sine, cosine = _sin_cos(_round(u[:, 8:] * _TWO_PI))
    mean, std = _single(mean, std)
    u[:, :8] = _round(radius * cosine) * std + mean
    u[:, 8:] = _round(radius * sine) * std + mean
    return u.astype(np.float32)


def _normals64(uniform: np.ndarray, mean: float, std: float) -> np.ndarray:
    """Turn float64 uniforms `(groups, 16)` into normals of the same shape."""
    radius = np.sqrt(-2 * apply_libm("log", 1 - uniform[:, :8]))
    theta = 2 * math.pi * uniform[:, 8:]
    halves = [radius * apply_libm(name, theta) for name in ("cos", "sin")]
    return fma64(np.concatenate(halves, axis=1), std, mean)


def box_muller(uniform: np.ndarray, mean: float, std: float) -> np.ndarray:
    """Turn uniform numbers in [0, 1) into normal ones, in groups of sixteen.

    The first eight numbers of a group give the radii sqrt(-2 ln(1 - u)), the last eight the angles
    2 pi u; radius times cosine fills the first half of the group, radius times sine the second.

    Args:
        uniform: float32 or float64, one dimension, length a multiple of 16.
        mean: Centre of the distribution.
        std: Standard deviation.
    Shape:
        `(n,)` -> `(n,)`, same dtype.
    References:
        Box & Muller 1958, doi:10.1214/aoms/1177706645; Cephes, https://www.netlib.org/cephes
    Example:
        >>> import numpy as np
        >>> box_muller(np.zeros(16, np.float32), mean=3.0, std=1.0)[:4]
        array([3., 3., 3., 3.], dtype=float32)
    """
    transform = _normals64 if uniform.dtype == np.float64 else _normals32
    return transform(uniform.reshape(-1, 16), mean, std).reshape(-1)


def apply_libm(name: str, x: np.ndarray) -> np.ndarray:
    """Apply a function of `math` to each float64 element.

    NumPy's own vectorised functions may differ from the C library's in the last bit.

    Example:
        >>> import numpy as np
        >>> apply_libm("sqrt", np.array([4.0, 9.0]))
        array([2., 3.])
    """
    values = map(getattr(math, name), x.ravel().tolist())
    return np.fromiter(values, np.float64, x.size).reshape(x.shape)


def _two_sum(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rounded sum and its exact error (Knuth)."""
    total = a + b
    shift = total - a
    return total, (a - (total - shift)) + (b - shift)


def _split(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split into two halves of at most 26 bits (Veltkamp)."""
    scaled = a * (2.0**27 + 1)
    high = scaled - (scaled - a)
    return high, a - high


def _two_product(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rounded product and its exact error (Dekker)."""
    product = a * b
    (a_high, a_low), (b_high, b_low) = _split(a), _split(b)
    error = a_high * b_high - product + a_high * b_low + a_low * b_high + a_low * b_low
    return product, error


def _add_to_odd(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Add, rounding an inexact sum to the neighbour whose last bit is one."""
    total, error = _two_sum(a, b)
    bits = total.view(np.int64)
    step = np.where((error > 0) == (total > 0), 1, -1)
    return np.where((error != 0) & (bits % 2 == 0), bits + step, bits).view(np.float64)


def fma64(x: np.ndarray, scale: float, shift: float) -> np.ndarray:
    """Return `x * scale + shift` in float64 with a single rounding.

    Args:
        x: float64 array, |x| below 2**100.
        scale: Factor.
        shift: Addend.
    References:
        Boldo & Melquiond 2008, doi:10.1109/TC.2007.70819
    Example:
        >>> import numpy as np
        >>> fma64(np.array([1 + 2.0**-30]), 1 - 2.0**-30, -1.0) == -(2.0**-60)
        array([ True])
    """
    if shift == 0 or abs(math.frexp(scale)[0]) in (0.0, 0.5):  # the product is exact
        return x * scale + shift
    if max(abs(scale), abs(shift)) > 2.0**900:  # splitting would overflow
        return fma64(x, scale * 2.0**-200, shift * 2.0**-200) * 2.0**200
    high, low = _two_product(x, np.asarray(scale))
    low_sum, low_error = _two_sum(np.asarray(shift), low)
    total, error = _two_sum(high, low_sum)
    return total + _add_to_odd(low_error, error)
