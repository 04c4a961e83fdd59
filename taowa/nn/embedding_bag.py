"""Tables whose rows are summed up in bags."""

from __future__ import annotations

from typing import Any

from taowa.core.grad_mode import no_grad
from taowa.core.tensor import Tensor
from taowa.errors import unsupported
from taowa.nn import functional as F
from taowa.nn import init
from taowa.nn.module import Module
from taowa.nn.parameter import Parameter
from taowa.nn.sparse import positive_row
from taowa.ops.creation import empty

__all__ = ["EmbeddingBag"]


class EmbeddingBag(Module):
    """Take sums, means or maxima of bags of a table's rows.

    Args:
        num_embeddings: Rows of the table.
        embedding_dim: Length of a row.
        max_norm: Rows that are looked up and are longer are scaled to this length first.
        norm_type: The p of that length.
        scale_grad_by_freq: Divide each row's gradient by how often it was looked up.
        mode: `"sum"`, `"mean"` or `"max"`.
        sparse: Not supported.
        include_last_offset: Whether the last offset is the end of the last bag.
        padding_idx: Row that counts for nothing and starts as zeros.

    Shape:
        input `(B, N)`, or `(P,)` with offsets `(B,)` -> output `(B, embedding_dim)`

    Example:
        >>> import taowa
        >>> EmbeddingBag(10, 3)(taowa.tensor([1, 2, 4]), taowa.tensor([0, 2])).shape
        torch.Size([2, 3])
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        if sparse:
            raise unsupported("EmbeddingBag(sparse=True)", "sparse=False, with dense gradients")
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.padding_idx = positive_row(padding_idx, num_embeddings)
        shape = (num_embeddings, embedding_dim)
        if _weight is not None and tuple(_weight.shape) != shape:
            raise AssertionError("Shape of weight does not match num_embeddings and embedding_dim")
        has_weight = _weight is not None
        table = _weight if has_weight else empty(shape, device=device, dtype=dtype)
        self.weight = Parameter(table)
        if not has_weight:
            self.reset_parameters()
        self.mode = mode
        self.sparse = sparse
        self.include_last_offset = include_last_offset

    def reset_parameters(self) -> None:
        """Draw the table anew."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)  # type: ignore[index]

    def forward(
        self,
        input: Tensor,
        offsets: Tensor | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:
        """Return one row for each bag."""
        return F.embedding_bag(
            input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq,
            self.mode, self.sparse, per_sample_weights, self.include_last_offset, self.padding_idx,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """Return the options that differ from the defaults for the printed form."""
        parts = [f"{self.num_embeddings}, {self.embedding_dim}"]
        if self.max_norm is not None:
            parts.append(f"max_norm={self.max_norm!r}")
        if self.norm_type != 2:
            parts.append(f"norm_type={self.norm_type!r}")
        if self.scale_grad_by_freq is not False:
            parts.append(f"scale_grad_by_freq={self.scale_grad_by_freq!r}")
        parts.append(f"mode={self.mode!r}")
        if self.padding_idx is not None:
            parts.append(f"padding_idx={self.padding_idx!r}")
        return ", ".join(parts)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:
        """Return a layer on an existing table.

        Args:
            embeddings: The table, `(num_embeddings, embedding_dim)`.
            freeze: Whether the table is not learned.
            max_norm: As the constructor's, like all that follow.

        Example:
            >>> import taowa
            >>> EmbeddingBag.from_pretrained(taowa.eye(2))(taowa.tensor([[1, 1]]))
            tensor([[0., 1.]])
        """
        if embeddings.ndim != 2:
            raise AssertionError("Embeddings parameter is expected to be 2-dimensional")
        rows, columns = embeddings.shape
        made = cls(
            rows, columns, max_norm, norm_type, scale_grad_by_freq, mode, sparse, embeddings,
            include_last_offset, padding_idx,
        )  # fmt: skip
        made.weight.requires_grad = not freeze
        return made
