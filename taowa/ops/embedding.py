"""Looking rows up in a table."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from taowa.core.api import public
from taowa.core.grad_mode import no_grad
from taowa.core.op import Array, Scalar, op
from taowa.core.tensor import Tensor
from taowa.errors import unsupported
from taowa.ops.operands import kind_name
from taowa.ops.precision import wide


def _require_indices(indices: Any, weight: Any) -> None:
    if indices.dtype not in (jnp.int64, jnp.int32):
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: "
            f"Long, Int; but got {kind_name(indices)} instead (while checking arguments for "
            "embedding)"
        )
    if weight.ndim != 2:
        raise RuntimeError(f"'weight' must be 2-D, got shape {list(weight.shape)}")


def is_out_of_range(indices: Any, num_rows: int) -> Any:
    """Return whether an index names no row."""
    return ((indices < 0) | (indices >= num_rows)).any()


def out_of_range(info: dict) -> IndexError:
    """Return the error for an index that names no row."""
    return IndexError(f"index out of range in self; expected indices in [0, {info['num_rows']})")


@op(name="embedding")
def _embedding(
    weight: Array, indices: Array, num_rows: int, padding_idx: int, scale_grad_by_freq: bool
):
    _require_indices(indices, weight)
    return jnp.take(weight, indices, axis=0, mode="clip")


_embedding.check(out_of_range)(is_out_of_range)


@_embedding.backward
def _(grad, weight, indices, num_rows, padding_idx, scale_grad_by_freq):
    flat = indices.reshape(-1)
    g = wide(grad).reshape(-1, weight.shape[1])
    g = jnp.where((flat == padding_idx)[:, None], 0, g)
    if scale_grad_by_freq:
        counts = jnp.zeros(num_rows, g.dtype).at[flat].add(1)
        g = g / counts[flat][:, None]
    return jnp.zeros(weight.shape, g.dtype).at[flat].add(g), None


@op(name="embedding_renorm")
def _renormalized(weight: Array, indices: Array, max_norm: Scalar, num_rows: int, norm_type: float):
    """Return the table, its rows in use shortened where they are longer than `max_norm`."""
    _require_indices(indices, weight)
    flat = indices.reshape(-1)
    rows, limit = wide(weight[flat]), wide(max_norm)
    norms = jnp.linalg.norm(rows, norm_type, axis=1, keepdims=True)
    shortened = jnp.where(norms > limit, rows * (limit / (norms + 1e-7)), rows)
    return weight.at[flat].set(shortened.astype(weight.dtype))


_renormalized.check(out_of_range)(is_out_of_range)


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Return the rows of a table that indices name.

    Args:
        input: Indices, int64 or int32.
        weight: The table, `(num_embeddings, embedding_dim)`.
        padding_idx: A row that gets no gradient; negative counts from the end.
        max_norm: Rows in use that are longer are shortened, in place.
        norm_type: The p of that norm.
        scale_grad_by_freq: Divide each row's gradient by how often the batch uses it.
    Shape:
        `(*)` -> `(*, embedding_dim)`

    Raises:
        IndexError: if an index names no row.

    Example:
        >>> import taowa
        >>> embedding(taowa.tensor([1]), taowa.tensor([[1.0, 2.0], [3.0, 4.0]]))
        tensor([[3., 4.]])
    """
    if sparse:
        raise unsupported("embedding(sparse=True)", "sparse=False")
    if len(weight._aval.shape) != 2:
        raise RuntimeError(f"'weight' must be 2-D, got shape {list(weight.shape)}")
    num_rows = weight._aval.shape[0]
    padding_idx = require_padding_index(padding_idx, num_rows)
    if max_norm is not None:
        shorten_rows_(weight, input, max_norm, norm_type)
    return _embedding(weight, input, num_rows, padding_idx, scale_grad_by_freq)


def shorten_rows_(weight: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> None:
    """Shorten a table's rows in use that are longer than `max_norm`, in place.

    Example:
        >>> import taowa
        >>> table = taowa.tensor([[3.0, 4.0], [3.0, 4.0]])
        >>> shorten_rows_(table, taowa.tensor([0]), 1.0, 2)
        >>> table
        tensor([[0.6000, 0.8000],
                [3.0000, 4.0000]])
    """
    with no_grad():
        made = _renormalized(weight, indices, max_norm, weight._aval.shape[0], float(norm_type))
        weight._write(made._node(), None)


def require_padding_index(padding_idx: int | None, num_rows: int) -> int:
    """Return the padding row counted from the front, -1 for none.

    Raises:
        AssertionError: if there is no such row.

    Example:
        >>> require_padding_index(-1, 10), require_padding_index(None, 10)
        (9, -1)
    """
    if padding_idx is None:
        return -1
    if not -num_rows <= padding_idx < num_rows:
        raise AssertionError(
            f"Padding_idx must be within num_embeddings, got {padding_idx} for {num_rows} rows"
        )
    return padding_idx % num_rows


@public(is_method=False, name="embedding")
def _torch_embedding(
    weight: Tensor,
    indices: Tensor,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Return rows of a table; `nn.functional.embedding` with another order of arguments."""
    if sparse:
        raise unsupported("embedding(sparse=True)", "sparse=False")
    return _embedding(weight, indices, (*weight.shape, 0)[0], padding_idx, scale_grad_by_freq)


@op(name="one_hot")
def _one_hot(indices: Array, num_classes: int):
    if indices.dtype != jnp.int64:
        raise RuntimeError(
            "one_hot is only applicable to index tensor of type LongTensor, "
            f"got {kind_name(indices)}"
        )
    return (indices[..., None] == jnp.arange(num_classes)).astype(jnp.int64)


_one_hot.check(
    lambda info: RuntimeError(
        f"Class values must be non-negative and smaller than num_classes ({info['num_classes']})."
    )
)(lambda indices, num_classes: ((indices < 0) | (indices >= num_classes)).any())


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Return a last dimension of zeros with a one at each index.

    Args:
        tensor: Indices, int64.
        num_classes: The new dimension's size; by default one more than the largest index, which
            must then be computed first.

    Raises:
        RuntimeError: if an index is negative or too large.

    Example:
        >>> import taowa
        >>> one_hot(taowa.tensor([0, 2]))
        tensor([[1, 0, 0],
                [0, 0, 1]])
    """
    if num_classes == -1:
        if tensor.shape.numel() == 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        num_classes = int(tensor.host().max()) + 1
    return _one_hot(tensor, num_classes)
