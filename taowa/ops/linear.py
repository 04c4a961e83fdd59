"""The products of the layers `Linear` and `Bilinear`, each one operation."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from taowa.core.op import Array, op
from taowa.ops.matmul import cannot_multiply, product
from taowa.ops.precision import HIGHEST, as_rows, require_same_dtype


@op
def linear(input: Array, weight: Array, bias: Array | None = None):
    """Return `input @ weight.T + bias`.

    Args:
        weight: `(out_features, in_features)`, or `(in_features,)` for a single output.
        bias: `(out_features,)`.
    Shape:
        `(*, in_features)` -> `(*, out_features)`

    Raises:
        RuntimeError: if the sizes do not fit, or the element types differ.

    Example:
        >>> import taowa
        >>> linear(taowa.ones(2, 3), taowa.ones(1, 3), taowa.ones(1))
        tensor([[4.],
                [4.]])
    """
    _require_linear(input, weight, bias)
    result = product(input, weight.T)
    return result if bias is None else result + bias


@linear.backward
def _(grad, input, weight):
    if weight.ndim == 1:
        columns = jnp.conj(as_rows(input)).T
        return grad[..., None] * jnp.conj(weight), product(columns, grad.reshape(-1)), None
    flat = as_rows(grad)
    grad_weight = product(flat.T, jnp.conj(as_rows(input)))
    return product(grad, jnp.conj(weight)), grad_weight, grad


def _require_linear(input: Any, weight: Any, bias: Any) -> None:
    if input.ndim == 0 or weight.ndim == 0:
        raise RuntimeError(
            "both arguments to linear need to be at least 1D, but they are "
            f"{input.ndim}D and {weight.ndim}D"
        )
    if weight.ndim > 2 or (weight.ndim == 1 and bias is not None):
        raise RuntimeError(f"weight must be a matrix, got shape {list(weight.shape)}")
    if input.shape[-1] != weight.shape[-1]:
        raise cannot_multiply(
            input.shape,
            (*weight.shape[::-1], 1)[:2],
            f"; linear received input {input.shape}, expected (*, {weight.shape[-1]}) "
            f"for weight {weight.shape}",
        )
    if bias is not None and bias.shape[-1:] not in (weight.shape[:1], (1,)):
        raise RuntimeError(
            f"linear received bias {bias.shape}, expected ({weight.shape[0]},) "
            f"for weight {weight.shape}"
        )
    require_same_dtype("mat1 and mat2", input, weight, bias)


@op
def bilinear(input1: Array, input2: Array, weight: Array, bias: Array | None = None):
    """Return `input1 @ weight[o] @ input2 + bias[o]` for each output `o`.

    Args:
        weight: `(out_features, in1_features, in2_features)`.
        bias: `(out_features,)`.
    Shape:
        `(*, in1_features)` and `(*, in2_features)` -> `(*, out_features)`

    Example:
        >>> import taowa
        >>> bilinear(taowa.ones(1, 2), taowa.ones(1, 3), taowa.ones(1, 2, 3))
        tensor([[6.]])
    """
    _require_bilinear(input1, input2, weight, bias)
    result = jnp.einsum("...i,oij,...j->...o", input1, weight, input2, precision=HIGHEST)
    return result if bias is None else result + bias


def _require_bilinear(input1: Any, input2: Any, weight: Any, bias: Any) -> None:
    if input1.ndim != input2.ndim:
        raise RuntimeError(
            f"bilinear(): input dimensions do not match: got {input1.ndim} and {input2.ndim}"
        )
    for dim, (n, m) in enumerate(zip(input1.shape[:-1], input2.shape[:-1], strict=True)):
        if n != m:
            raise RuntimeError(
                f"bilinear(): input batch dimensions do not match at dim {dim}: got {n} and {m}"
            )
    for name, x, wanted in (("input1", input1, 1), ("input2", input2, 2), ("bias", bias, 0)):
        if x is not None and x.shape[-1] != weight.shape[wanted]:
            raise RuntimeError(
                f"bilinear(): {name} size does not match weight size: got {x.shape[-1]} "
                f"but expected {weight.shape[wanted]}"
            )
