"""Masks of attention with several heads."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import jax.numpy as jnp

from taowa import dtypes
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor


class Masks(NamedTuple):
    """Where heads may not attend: bools (true = not) or numbers added to the scores.

    Attributes:
        attn: `(L, S)` or `(N * heads, L, S)`, or `None`.
        padding: `(N, S)`, or `(S,)` without a batch, or `None`.
        is_causal: Whether `attn` says that each query attends up to its own position.
    """

    attn: Tensor | None = None
    padding: Tensor | None = None
    is_causal: bool = False


def agreeing_masks(
    attn_mask: Tensor | None,
    key_padding_mask: Tensor | None,
    kind: dtypes.dtype,
    names: tuple[str, str] = ("attn_mask", "key_padding_mask"),
) -> tuple[Tensor | None, Tensor | None]:
    """Return both masks, as numbers of type `kind` if only one of them is bool.

    Raises:
        AssertionError: for masks that are neither bool nor floating.

    Example:
        >>> import taowa
        >>> agreeing_masks(taowa.tensor([True]), None, taowa.float32)
        (tensor([True]), None)
    """
    for mask, name in zip((attn_mask, key_padding_mask), names, strict=True):
        if mask is not None and not (mask.dtype is dtypes.bool or mask.dtype.is_floating_point):
            raise AssertionError(f"only bool and floating types of {name} are supported")
    if attn_mask is None or key_padding_mask is None or attn_mask.dtype is key_padding_mask.dtype:
        return attn_mask, key_padding_mask
    warnings.warn(
        f"Support for mismatched {names[1]} and {names[0]} is deprecated. "
        "Use same type for both instead.",
        stacklevel=3,
    )
    return tuple(
        _as_numbers(mask, kind) if mask.dtype is dtypes.bool else mask
        for mask in (attn_mask, key_padding_mask)
    )  # type: ignore[return-value]


@op(name="mask_to_numbers")
def _as_numbers(mask: Array, kind: Any):
    return jnp.where(mask, -jnp.inf, 0).astype(kind.np)
