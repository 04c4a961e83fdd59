"""Between sequences padded to one length and sequences packed step after step.

The packed rows are those of the first step, then of the second, ..., longest sequence first;
`batch_sizes` says how many sequences go on at each step. Which row goes where is computed from it
inside the program, so that one program serves all lengths that give the same number of rows.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from taowa.core.op import Array, Scalar, op


def _first_rows(batch_sizes: Any) -> Any:
    """Return the packed row at which each step begins."""
    return jnp.cumsum(batch_sizes) - batch_sizes


def _padded(data: Any, batch_sizes: Any, batch_size: int, filling: Any) -> Any:
    """Return the packed rows as `(T, B, *)`."""
    number = jnp.arange(batch_size)
    rows = _first_rows(batch_sizes)[:, None] + number  # (T, B)
    is_there = number < batch_sizes[:, None]
    values = data[jnp.where(is_there, rows, 0)]
    return jnp.where(is_there.reshape(is_there.shape + (1,) * (data.ndim - 1)), values, filling)


def _packed(padded: Any, batch_sizes: Any, num_rows: int) -> Any:
    """Return the rows of `(T, B, *)` that are there."""
    row = jnp.arange(num_rows)
    step = jnp.searchsorted(jnp.cumsum(batch_sizes), row, side="right")
    return padded[step, row - _first_rows(batch_sizes)[step]]


@op(name="pad_packed_rows")
def pad_rows(data: Array, batch_sizes: Array, batch_size: int, filling: Scalar):
    """Return packed rows `(N, *)` as `(T, B, *)`, with `filling` behind each sequence's end."""
    return _padded(data, batch_sizes, batch_size, filling.astype(data.dtype))


@pad_rows.backward
def _(grad, data, batch_sizes):
    return _packed(grad, batch_sizes, data.shape[0]), None


@op(name="pack_padded_rows")
def pack_rows(padded: Array, batch_sizes: Array, num_rows: int):
    """Return `(T, B, *)`, longest sequence first, as packed rows `(N, *)`."""
    return _packed(padded, batch_sizes, num_rows)


@pack_rows.backward
def _(grad, padded, batch_sizes):
    return _padded(grad, batch_sizes, padded.shape[1], 0), None


@op(name="pad_sequence")
def pad_to_longest(sequences: list[Array], filling: Scalar, batch_first: bool, is_left: bool):
    """Return sequences `(L, *)` as `(B, T, *)` or `(T, B, *)`, with `filling` around them."""
    lengths = np.array([len(s) for s in sequences])
    rows, is_there = padding_table(lengths, is_left)
    if not batch_first:
        rows, is_there = rows.T, is_there.T
    dtype, shape = sequences[0].dtype, sequences[0].shape[1:]
    _require_equal_rest(sequences)
    data = jnp.concatenate([s.astype(dtype) for s in sequences])
    if len(data) == 0:
        return jnp.zeros(rows.shape + shape, dtype)
    is_there = is_there.reshape(is_there.shape + (1,) * len(shape))
    return jnp.where(is_there, data[rows], filling.astype(dtype))


def padding_table(lengths: np.ndarray, is_left: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each place `(B, T)`, its row in all sequences joined and whether there is one.

    Args:
        is_left: Whether what fills up stands before the sequences.

    Example:
        >>> padding_table(np.array([2, 1]), True)[0].tolist()
        [[0, 1], [0, 2]]
    """
    longest = lengths.max(initial=0)
    place = np.arange(longest) - (longest - lengths[:, None] if is_left else 0)
    is_there = (place >= 0) & (place < lengths[:, None])
    return np.where(is_there, place + (np.cumsum(lengths) - lengths)[:, None], 0), is_there


def _require_equal_rest(sequences: list) -> None:
    first = sequences[0].shape[1:]
    for sequence in sequences:
        if sequence.shape[1:] != first:
            raise RuntimeError(
                f"The size of tensor a {list(first)} must match the size of tensor b "
                f"{list(sequence.shape[1:])} behind the first dimension"
            )


@pad_to_longest.backward
def _(grad, sequences, batch_first, is_left):
    grad = grad if batch_first else jnp.swapaxes(grad, 0, 1)
    longest = grad.shape[1]
    lengths = [len(s) for s in sequences]
    return ([g[longest - n :] if is_left else g[:n] for g, n in zip(grad, lengths, strict=True)],)
