"""Sums, means and maxima of bags of rows of a table."""

from __future__ import annotations

import warnings
from typing import Any

import jax.numpy as jnp
from jax import lax

from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.errors import unsupported
from taowa.ops.embedding import is_out_of_range, shorten_rows_
from taowa.ops.operands import kind_name
from taowa.ops.precision import require_floating, wide

_INTEGERS = (jnp.int64, jnp.int32)


def _bags(indices: Any, offsets: Any, include_last: bool) -> tuple[Any, Any, int]:
    """Return all indices, `(P,)`, the bag that each is in, and how many bags there are.

    A bag's number is the number of bags where an index is in none.
    """
    if offsets is None:
        count, size = indices.shape
        return indices.reshape(-1), jnp.repeat(jnp.arange(count), size), count
    places = jnp.arange(indices.shape[0])
    count = offsets.shape[0] - include_last
    bags = jnp.searchsorted(offsets[:count], places, side="right") - 1
    if include_last:
        bags = jnp.where(places < offsets[-1], bags, count)
    return indices, bags, count


def _sums(x: Any, bags: Any, count: int) -> Any:
    """Return the sum of the rows of each bag."""
    zeros = jnp.zeros((count, *x.shape[1:]), x.dtype)
    return zeros.at[bags].add(x, mode="drop", indices_are_sorted=True)


def _of_bags(x: Any, bags: Any) -> Any:
    """Return each index's row of an array with one row for each bag, zeros for none."""
    return x.at[bags].get(mode="fill", fill_value=0)


def _sizes_of_bags(is_counted: Any, bags: Any, count: int, dtype: Any) -> Any:
    return jnp.maximum(_sums(is_counted.astype(dtype), bags, count), 1)


@op(name="embedding_bag")
def _embedding_bag(
    weight: Array,
    indices: Array,
    offsets: Array | None,
    per_sample_weights: Array | None,
    num_rows: int,
    is_mean: bool,
    padding_idx: int,
    scale_grad_by_freq: bool,
    include_last: bool,
):
    _require_operands(weight, indices, offsets, per_sample_weights)
    flat, bags, count = _bags(indices, offsets, include_last)
    is_counted = flat != padding_idx
    rows = wide(jnp.take(weight, flat, axis=0, mode="clip"))
    rows = jnp.where(is_counted[:, None], rows, 0)
    if per_sample_weights is not None:
        rows = rows * wide(per_sample_weights).reshape(-1, 1)
    direct = offsets is None and indices.shape[1] > 0
    total = rows.reshape(*indices.shape, -1).sum(1) if direct else _sums(rows, bags, count)
    if is_mean:
        total = total / _sizes_of_bags(is_counted, bags, count, total.dtype)[:, None]
    return total.astype(weight.dtype)


@_embedding_bag.backward
def _(
    grad, weight, indices, offsets, per_sample_weights, num_rows, is_mean, padding_idx,
    scale_grad_by_freq, include_last,
):  # fmt: skip
    flat, bags, count = _bags(indices, offsets, include_last)
    is_counted = flat != padding_idx
    g = wide(grad)
    if is_mean:
        g = g / _sizes_of_bags(is_counted, bags, count, g.dtype)[:, None]
    g = jnp.where(is_counted[:, None], _of_bags(g, bags), 0)
    towards_weights = None
    if per_sample_weights is not None:
        towards_weights = (g * wide(weight)[flat]).sum(1).reshape(per_sample_weights.shape)
        g = g * wide(per_sample_weights).reshape(-1, 1)
    if scale_grad_by_freq:
        g = g / jnp.zeros(num_rows, g.dtype).at[flat].add(1)[flat][:, None]
    return jnp.zeros(weight.shape, g.dtype).at[flat].add(g), None, None, towards_weights


@op(name="embedding_bag.max")
def _largest_of_bags(
    weight: Array,
    indices: Array,
    offsets: Array | None,
    num_rows: int,
    padding_idx: int,
    include_last: bool,
):
    """Return the largest element of each column of each bag, 0 for an empty bag."""
    _require_operands(weight, indices, offsets, None)
    flat, bags, count = _bags(indices, offsets, include_last)
    rows = jnp.take(weight, flat, axis=0, mode="clip")  # (P, D)
    known = lax.stop_gradient(rows)
    is_counted = (flat != padding_idx)[:, None]
    lowest = jnp.full((count, rows.shape[1]), -jnp.inf, rows.dtype)
    best = lowest.at[bags].max(jnp.where(is_counted, known, -jnp.inf), mode="drop")
    # The first of equal elements, which alone gets the gradient.
    P = rows.shape[0]
    places = jnp.where(is_counted & (known == _of_bags(best, bags)), jnp.arange(P)[:, None], P)
    first = jnp.full(lowest.shape, P, places.dtype).at[bags].min(places, mode="drop")
    if not P:
        return jnp.zeros(lowest.shape, rows.dtype)
    found = jnp.take_along_axis(rows, first, 0, mode="clip")
    return jnp.where(first < P, found, 0)


def _require_operands(weight: Any, indices: Any, offsets: Any, per_sample_weights: Any) -> None:
    for name, array in (("indices", indices), ("offsets", offsets)):
        if array is not None and array.dtype not in _INTEGERS:
            raise RuntimeError(
                f"Expected tensor for argument '{name}' to have one of the following scalar types: "
                f"Long, Int; but got {kind_name(array)} instead (while checking arguments for "
                "embedding_bag)"
            )
    require_floating("embedding_bag", weight)
    if per_sample_weights is not None and per_sample_weights.dtype != weight.dtype:
        raise RuntimeError(
            "Expected tensor for argument 'weight' to have the same type as tensor for argument "
            f"'per_sample_weights'; but type {kind_name(weight)} does not equal "
            f"{kind_name(per_sample_weights)} (while checking arguments for embedding_bag)"
        )
    if offsets is not None and not offsets.shape[0]:
        raise RuntimeError("embedding_bag: offsets must hold at least one number")


def _is_bad(indices: Any, offsets: Any, num_rows: int) -> Any:
    is_bad = is_out_of_range(indices, num_rows)
    if offsets is None:
        return is_bad
    return is_bad | (offsets[0] != 0) | (offsets[-1] > indices.shape[0])


def _bad_values(info: dict) -> RuntimeError:
    return RuntimeError(
        f"embedding_bag: Expected idx >= 0 && idx < num_embeddings ({info['num_rows']}) for every "
        "index, offsets[0] to be 0 and offsets[-1] to be no greater than input's length"
    )


_embedding_bag.check(_bad_values)(_is_bad)
_largest_of_bags.check(_bad_values)(_is_bad)


def _require_bags(input: Tensor, weight: Tensor, offsets: Any, per_sample_weights: Any) -> None:
    if per_sample_weights is not None and input.shape != per_sample_weights.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, then "
            f"it must have the same shape as the input ({input.shape})"
        )
    if weight.ndim != 2:
        raise ValueError(f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.ndim}")
    if input.ndim not in (1, 2):
        raise ValueError(
            f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}"
        )
    if input.ndim == 2 and offsets is not None:
        raise ValueError(
            "if input is 2D, then offsets has to be None, as input is a mini-batch of sequences of "
            f"one length. However, found offsets of type {type(offsets)}"
        )
    if input.ndim == 1 and (offsets is None or offsets.ndim != 1):
        got = "None" if offsets is None else f"{offsets.ndim} dimensions"
        raise ValueError(f"offsets has to be a 1D Tensor but got {got}")


def _require_mode(mode: str, scale_grad_by_freq: bool, sparse: bool, has_weights: bool) -> None:
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if mode == "max" and sparse:
        raise ValueError("max mode does not support sparse weights")
    if sparse:
        raise unsupported("embedding_bag(sparse=True)", "sparse=False, with dense gradients")
    if has_weights and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported "
            f"for mode='sum' (got mode='{mode}')."
        )


def _padding_row(padding_idx: int | None, num_rows: int) -> int:
    """Return the padding row counted from the front, -1 for none."""
    if padding_idx is None:
        return -1
    if not -num_rows <= padding_idx < num_rows:
        raise RuntimeError(
            f"padding_idx must be within the number of embeddings, {-num_rows} through "
            f"{num_rows - 1}, but got {padding_idx}"
        )
    return padding_idx % num_rows


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Return the sums, means or maxima of bags of a table's rows.

    Args:
        input: Indices, `(B, N)` for B bags of N, or `(P,)` for bags that begin at `offsets`.
        weight: The table, `(num_embeddings, embedding_dim)`.
        offsets: Where each bag begins in `input`, `(B,)`.
        max_norm: Rows in use that are longer are shortened, in place.
        norm_type: The p of that norm.
        scale_grad_by_freq: Divide each row's gradient by how often the input names it.
        mode: `"sum"`, `"mean"` or `"max"`.
        per_sample_weights: What to multiply each row by, like `input`; for sums.
        include_last_offset: Whether the last offset is the end of the last bag.
        padding_idx: An index that counts for nothing.
    Shape:
        `(B, embedding_dim)`

    Raises:
        RuntimeError: if an index names no row or offsets do not fit.
        ValueError: if shapes or options do not fit.

    Example:
        >>> import taowa
        >>> table = taowa.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> embedding_bag(taowa.tensor([0, 1, 1]), table, taowa.tensor([0, 2]), mode="sum")
        tensor([[4., 6.],
                [3., 4.]])
    """
    if weight.dtype.name == "int64" and input.is_floating_point():
        warnings.warn(
            "Argument order of nn.functional.embedding_bag was changed. Usage "
            "`embedding_bag(weight, input, ...)` is deprecated, and should now be "
            "`embedding_bag(input, weight, ...)`.",
            stacklevel=2,
        )
        weight, input = input, weight
    _require_bags(input, weight, offsets, per_sample_weights)
    _require_mode(mode, scale_grad_by_freq, sparse, per_sample_weights is not None)
    if max_norm is not None:
        shorten_rows_(weight, input, max_norm, norm_type)
    num_rows = weight._aval.shape[0]
    row = _padding_row(padding_idx, num_rows)
    include_last = bool(include_last_offset) and input.ndim == 1
    if mode == "max":
        return _largest_of_bags(weight, input, offsets, num_rows, row, include_last)
    return _embedding_bag(
        weight, input, offsets, per_sample_weights, num_rows, mode == "mean", row,
        bool(scale_grad_by_freq), include_last,
    )  # fmt: skip
