"""Normalisation across neighbouring channels, with the windows of an old Lua library."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from taowa.core.op import Array, BadValue, Scalar, op
from taowa.ops.precision import HIGHEST, wide


def _windows(channels: int, size: int) -> np.ndarray:
    """Return `(C, C)`: 1 where a channel's square counts in another's sum.

    Once windows have left the first channel behind, PyTorch keeps it in their sums.
    """
    reach = int((size - 1) / 2 + 1)
    first, second = np.mgrid[:channels, :channels]
    is_near = np.abs(second - first) < reach
    return is_near | ((second == 0) & (first >= reach))


@op(name="cross_map_lrn2d")
def cross_map_lrn2d(input: Array, size: int, alpha: Scalar, beta: Scalar, k: Scalar):
    """Return each element divided by a power of `k` plus a mean of squares of nearby channels."""
    if input.ndim != 4:
        raise BadValue(f"CrossMapLRN2d: Expected input to be 4D, got {input.ndim}D instead.")
    x = wide(input)
    windows = jnp.asarray(_windows(x.shape[1], size), x.dtype)
    squares = jnp.einsum("cd,ndhw->nchw", windows, jnp.square(x), precision=HIGHEST)
    return (x * (squares * (wide(alpha) / size) + wide(k)) ** -wide(beta)).astype(input.dtype)
