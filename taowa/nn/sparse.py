"""Embedding tables."""

from __future__ import annotations

from typing import Any

from taowa.core.grad_mode import no_grad
from taowa.core.tensor import Tensor
from taowa.nn import functional as F
from taowa.nn import init
from taowa.nn.module import Module
from taowa.nn.parameter import Parameter
from taowa.ops.creation import empty

__all__ = ["Embedding"]


class Embedding(Module):
    """Look rows up in a table.

    Args:
        num_embeddings: Rows of the table.
        embedding_dim: Length of a row.
        padding_idx: Row that gets no gradient and starts as zeros.
        max_norm: Rows that are looked up and are longer are scaled to this length first.
        norm_type: The p of that length.
        scale_grad_by_freq: Divide each row's gradient by how often it was looked up.
        sparse: Not supported.

    Shape:
        input `(*)`, integers in [0, num_embeddings) -> output `(*, embedding_dim)`

    Example:
        >>> import taowa
        >>> Embedding(10, 3)(taowa.tensor([[1, 2], [4, 5]])).shape
        torch.Size([2, 2, 3])
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = positive_row(padding_idx, num_embeddings)
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        if sparse:
            raise NotImplementedError(
                "Embedding(sparse=True) is not supported by taowa; use sparse=False"
            )
        self.sparse = sparse
        shape = (num_embeddings, embedding_dim)
        if _weight is None:
            table = empty(shape, device=device, dtype=dtype)
            self.weight = Parameter(table, requires_grad=not _freeze)
            self.reset_parameters()
            return
        if tuple(_weight.shape) != shape:
            raise AssertionError("Shape of weight does not match num_embeddings and embedding_dim")
        self.weight = Parameter(_weight, requires_grad=not _freeze)

    def reset_parameters(self) -> None:
        """Draw the table anew."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)  # type: ignore[index]

    def forward(self, input: Tensor) -> Tensor:
        """Return the rows at the given places."""
        return F.embedding(
            input, self.weight, self.padding_idx, self.max_norm, self.norm_type,
            self.scale_grad_by_freq, self.sparse,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """Return the options that differ from the defaults for the printed form."""
        parts = [f"{self.num_embeddings}, {self.embedding_dim}"]
        if self.padding_idx is not None:
            parts.append(f"padding_idx={self.padding_idx}")
        if self.max_norm is not None:
            parts.append(f"max_norm={self.max_norm}")
        if self.norm_type != 2:
            parts.append(f"norm_type={self.norm_type}")
        if self.scale_grad_by_freq:
            parts.append(f"scale_grad_by_freq={self.scale_grad_by_freq}")
        return ", ".join(parts)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """Return a layer on an existing table.

        Args:
            embeddings: The table, `(num_embeddings, embedding_dim)`.
            freeze: Whether the table is not learned.
            padding_idx: Row that gets no gradient.
            max_norm: Rows that are looked up and are longer are scaled to this length first.
            norm_type: The p of that length.
            scale_grad_by_freq: Divide each row's gradient by how often it was looked up.
            sparse: Not supported.

        Example:
            >>> import taowa
            >>> Embedding.from_pretrained(taowa.eye(2))(taowa.tensor([1]))
            tensor([[0., 1.]])
        """
        if embeddings.ndim != 2:
            raise AssertionError("Embeddings parameter is expected to be 2-dimensional")
        rows, columns = embeddings.shape
        return cls(
            rows, columns, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse,
            _weight=embeddings, _freeze=freeze,
        )  # fmt: skip


def positive_row(row: int | None, num_rows: int) -> int | None:
    """Return a row counted from the front.

    Raises:
        AssertionError: if there is no such row.

    Example:
        >>> positive_row(-1, 10)
        9
    """
    if row is None:
        return None
    if not -num_rows <= row < num_rows:
        raise AssertionError("Padding_idx must be within num_embeddings")
    return row % num_rows
