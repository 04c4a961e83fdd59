"""How bodies of operations compute: the types of intermediate results."""

from __future__ import annotations

from math import prod
from typing import Any

import jax.numpy as jnp
from jax import lax

from taowa.ops.operands import kind_name

_HALF = (jnp.float16, jnp.bfloat16)
HIGHEST = "highest"  # PyTorch multiplies float32 matrices in float32, not in the faster TF32


def wide(x: Any) -> Any:
    """Return a half-precision array as float32, another as it is.

    Results are cast back once at the end, as PyTorch does, instead of rounded at every step.
    """
    return x.astype(jnp.float32) if x.dtype in _HALF else x


def magnitude(x: Any) -> Any:
    """Return absolute values whose gradient is 0 at 0, as PyTorch's is; JAX has 1 there."""
    return jnp.abs(x) if jnp.iscomplexobj(x) else x * lax.stop_gradient(jnp.sign(x))


def as_rows(x: Any) -> Any:
    """Return an array as a matrix of its last dimension's rows, also where there are none."""
    return x.reshape(prod(x.shape[:-1]), x.shape[-1])


def require_same_dtype(names: str, *arrays: Any) -> None:
    """Raise PyTorch's kind of error unless all arrays have one element type."""
    found = [kind_name(a) for a in arrays if a is not None]
    if len(set(found)) > 1:
        raise RuntimeError(
            f"expected {names} to have the same dtype, but got: {' != '.join(found)}"
        )


def require_floating(name: str, x: Any) -> None:
    """Raise PyTorch's kind of error for an integer input."""
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        raise NotImplementedError(f"\"{name}\" not implemented for '{kind_name(x)}'")
