"""Stochastic gradient descent by a CPU kernel: all parameters of a step in one call."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from taowa.kernels.shared_library import kernels

TARGET = "taowa.sgd"


def suits(values: Any) -> bool:
    """Return whether the kernel can update these arrays: all float32, and kernels in use."""
    return all(v.dtype == jnp.float32 for v in values) and kernels.is_used()


def descend(
    params: list, grads: list, buffers: list, numbers: Any, *, is_nesterov: bool,
    is_maximizing: bool,
) -> tuple[list, list]:  # fmt: skip
    """Return the new parameters and momentum buffers; old ones are overwritten where XLA may.

    Args:
        buffers: One for each parameter, or none at all without momentum.
        numbers: Learning rate, momentum, weight of the gradient, decay, number of the step from 1.
    """
    packed = jnp.stack([n.astype(jnp.float32) for n in numbers])
    values = [*params, *grads, *buffers]
    shapes = [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in (*params, *buffers)]
    count = len(params)
    aliases = {1 + i: i for i in range(count)}
    aliases |= {1 + 2 * count + i: count + i for i in range(len(buffers))}
    call = jax.ffi.ffi_call(TARGET, shapes, input_output_aliases=aliases)
    made = call(
        packed, *values, has_momentum=bool(buffers), is_nesterov=is_nesterov,
        is_maximizing=is_maximizing,
    )  # fmt: skip
    return list(made[:count]), list(made[count:])
