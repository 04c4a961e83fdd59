"""Products of groups of matrices, and the products of scaled 8-bit numbers that are not here."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.errors import unsupported
from taowa.ops.operands import kind_name
from taowa.ops.precision import HIGHEST, wide


def _require_groups(a: Any, b: Any, offs: Any) -> None:
    for name, array in (("mat_a", a), ("mat_b", b)):
        if array.dtype not in (jnp.float32, jnp.bfloat16, jnp.float16):
            raise RuntimeError(
                f"Expected {name} to be Float32, BFloat16 or Float16 matrix, got {kind_name(array)}"
            )
        if array.ndim not in (2, 3):
            raise RuntimeError(f"{name} has to be 2 or 3d, but got {array.ndim}d")
    if (offs is None) != (a.ndim == b.ndim == 3):
        raise RuntimeError(
            "Have to provide offsets if there is a 2d matrix, or no offset if both matrices are 3d"
        )
    if offs is not None and offs.dtype != jnp.int32:
        raise RuntimeError("Offsets have to be int32")
    if a.shape[-1] != b.shape[-2]:
        raise RuntimeError(
            f"contraction dimension of mat_a and mat_b must match, got {list(a.shape)} and "
            f"{list(b.shape)}"
        )


@op(name="grouped_mm")
def _grouped_mm(mat_a: Array, mat_b: Array, offs: Array | None, out_dtype: Any):
    _require_groups(mat_a, mat_b, offs)
    if out_dtype is not None and out_dtype.np != mat_a.dtype:
        raise RuntimeError("Grouped gemm output dtype must match `mat_a` dtype")
    a, b = wide(mat_a), wide(mat_b)
    if offs is None:
        return jnp.matmul(a, b, precision=HIGHEST).astype(mat_a.dtype)
    sizes = jnp.diff(offs, prepend=0)
    if mat_a.ndim == mat_b.ndim == 2:  # groups along what is summed
        bounds, place = offs[:, None], jnp.arange(a.shape[1])
        is_inside = (place < bounds) & (place >= bounds - sizes[:, None])
        parts = jnp.where(is_inside[:, None], a, 0)  # (groups, M, K)
        return jnp.matmul(parts, b, precision=HIGHEST).astype(mat_a.dtype)
    if mat_a.ndim == 2:
        product = lax.ragged_dot(a, b, sizes, precision=HIGHEST)
    else:
        product = lax.ragged_dot(b.T, a.swapaxes(1, 2), sizes, precision=HIGHEST).T
    return product.astype(mat_a.dtype)


def grouped_mm(
    mat_a: Tensor,
    mat_b: Tensor,
    *,
    offs: Tensor | None = None,
    bias: Tensor | None = None,
    out_dtype: Any = None,
) -> Tensor:
    """Return the products of groups of matrices, stacked or side by side.

    Args:
        mat_a: `(G, M, K)`, or `(M, K)` with groups along one of its dimensions.
        mat_b: `(G, K, N)`, or `(K, N)`.
        offs: Where each group ends, `(G,)`, int32: along M, N, or K if both are matrices.
        bias: Not supported, as in PyTorch.
        out_dtype: Like `mat_a`.

    Example:
        >>> import taowa
        >>> a, b = taowa.ones(3, 2), taowa.ones(2, 2, 1)
        >>> grouped_mm(a, b, offs=taowa.tensor([1, 3], dtype=taowa.int32)).flatten()
        tensor([2., 2., 2.])
    """
    if bias is not None:
        raise RuntimeError("Bias not supported yet")
    return _grouped_mm(mat_a, mat_b, offs, out_dtype)


def scaled_mm(*args: Any, **kwargs: Any) -> Tensor:
    """Raise: products of scaled 8-bit numbers are not supported.

    Raises:
        NotImplementedError: always.
    """
    raise unsupported("scaled_mm", "matmul of float32 or bfloat16 tensors")


def scaled_grouped_mm(*args: Any, **kwargs: Any) -> Tensor:
    """Raise: products of scaled 8-bit numbers are not supported.

    Raises:
        NotImplementedError: always.
    """
    raise unsupported("scaled_grouped_mm", "grouped_mm of float32 or bfloat16 tensors")
