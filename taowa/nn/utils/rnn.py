"""Sequences of different lengths in one batch: padded, packed, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from taowa import dtypes
from taowa.core.tensor import Tensor, from_array
from taowa.ops.gathering import index_select
from taowa.ops.recurrent_packing import pack_rows, pad_rows, pad_to_longest

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class _Fields(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Fields):
    """Hold sequences of different lengths without padding; recurrent layers take it as input.

    `pack_padded_sequence` and `pack_sequence` make it.

    Args:
        data: The rows of all sequences, `(N, *)`: those of the first step, longest sequence first,
            then those of the second, and so on.
        batch_sizes: How many sequences go on at each step, on the CPU.
        sorted_indices: The number of each sequence, longest first, in the batch as it was.
        unsorted_indices: The inverse, computed if not given.

    Raises:
        ValueError: if `batch_sizes` is not on the CPU.

    Example:
        >>> import taowa
        >>> pack_sequence([taowa.tensor([1, 2, 3]), taowa.tensor([4])])
        PackedSequence(data=tensor([1, 4, 2, 3]), batch_sizes=tensor([2, 1, 1]), \
sorted_indices=None, unsorted_indices=None)
    """

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> Self:
        """Return the packed sequence; `data` may be the pair of data and batch sizes."""
        if batch_sizes is None:
            if not isinstance(data, list | tuple) or len(data) != 2:
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        elif batch_sizes.device.type != "cpu":
            raise ValueError(
                "batch_sizes should always be on CPU; a PackedSequence should be made by "
                "pack_sequence or pack_padded_sequence of nn.utils.rnn"
            )
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)  # type: ignore[arg-type]

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Return the same sequences with another element type or on another device.

        The arguments are those of `Tensor.to`; if nothing changes, `self` is returned.
        """
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        return self._with(data, lambda index: index.to(data.device))

    def _with(self, data: Tensor, convert: Any) -> Self:
        indices = (self.sorted_indices, self.unsorted_indices)
        return type(self)(
            data, self.batch_sizes, *(None if i is None else convert(i) for i in indices)
        )

    def pin_memory(self) -> Self:
        """Return the same sequences in memory that a GPU can read directly."""
        return self._with(self.data.pin_memory(), lambda index: index.pin_memory())

    def cuda(self, *args: Any, **kwargs: Any) -> Self:
        """Return the same sequences on the GPU."""
        return self.to(*args, **kwargs) if args or "device" in kwargs else self.to("cuda", **kwargs)

    def cpu(self, *args: Any, **kwargs: Any) -> Self:
        """Return the same sequences in main memory."""
        return self.to(*args, **kwargs) if args or "device" in kwargs else self.to("cpu", **kwargs)

    def double(self) -> Self:
        """Return the same sequences in `float64`."""
        return self.to(dtype=dtypes.float64)

    def float(self) -> Self:
        """Return the same sequences in `float32`."""
        return self.to(dtype=dtypes.float32)

    def half(self) -> Self:
        """Return the same sequences in `float16`."""
        return self.to(dtype=dtypes.float16)

    def long(self) -> Self:
        """Return the same sequences in `int64`."""
        return self.to(dtype=dtypes.int64)

    def int(self) -> Self:
        """Return the same sequences in `int32`."""
        return self.to(dtype=dtypes.int32)

    def short(self) -> Self:
        """Return the same sequences in `int16`."""
        return self.to(dtype=dtypes.int16)

    def char(self) -> Self:
        """Return the same sequences in `int8`."""
        return self.to(dtype=dtypes.int8)

    def byte(self) -> Self:
        """Return the same sequences in `uint8`."""
        return self.to(dtype=dtypes.uint8)

    @property
    def is_cuda(self) -> bool:
        """Whether the data is on a GPU."""
        return self.data.is_cuda

    def is_pinned(self) -> bool:
        """Return whether the data is in pinned memory."""
        return self.data.is_pinned()


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """Return the permutation that undoes another one.

    Example:
        >>> import taowa
        >>> invert_permutation(taowa.tensor([2, 0, 1]))
        tensor([1, 2, 0])
    """
    if permutation is None:
        return None
    if permutation.is_on_host():
        return from_array(np.argsort(permutation.host()), device=permutation.device)
    return permutation.argsort()


def _lengths(lengths: Tensor | Sequence[int]) -> np.ndarray:
    values = np.asarray(lengths.host() if isinstance(lengths, Tensor) else lengths)
    if values.ndim != 1:
        raise RuntimeError(
            f"'lengths' argument should be a 1D CPU int64 tensor, but got {values.ndim}D"
        )
    return values.astype(np.int64)


def _require_lengths(lengths: np.ndarray, batch_size: int, longest: int) -> None:
    if lengths.size == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    if len(lengths) != batch_size:
        raise RuntimeError(
            "Expected `len(lengths)` to be equal to batch_size, but got "
            f"{len(lengths)} (batch_size={batch_size})"
        )
    if (lengths <= 0).any():
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' "
            "that is <= 0"
        )
    if (np.diff(lengths) > 0).any():
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. "
            "Pass `enforce_sorted=False` to have pack_padded_sequence or pack_sequence sort them."
        )
    if lengths[0] > longest:
        raise RuntimeError(f"a length of {lengths[0]} in sequences padded to {longest}")


def pack_padded_sequence(
    input: Tensor,
    lengths: Tensor | Sequence[int],
    batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """Pack sequences that were padded to one length.

    Args:
        input: `(T, B, *)`, or `(B, T, *)` with `batch_first`.
        lengths: The length of each sequence, at most T.
        enforce_sorted: Whether the longest sequence must come first; otherwise they are sorted.

    Raises:
        RuntimeError: if the lengths are not sorted, not positive, or do not fit the input.

    Example:
        >>> import taowa
        >>> padded = taowa.tensor([[1, 2, 3], [4, 0, 0]])
        >>> pack_padded_sequence(padded, [3, 1], batch_first=True).data
        tensor([1, 4, 2, 3])
    """
    values, sorted_indices = _lengths(lengths), None
    if batch_first:
        input = input.transpose(0, 1)
    steps, batch_size = input.shape[0], input.size(1)
    if not enforce_sorted:
        order = np.argsort(-values, kind="stable")
        values = values[order]
        sorted_indices = from_array(order, device=input.device)
        input = index_select(input, 1, sorted_indices)
    _require_lengths(values, batch_size, steps)
    if values[0] < steps:
        input = input[: int(values[0])]
    batch_sizes = from_array((values > np.arange(values[0])[:, None]).sum(1))
    data = pack_rows(input, batch_sizes.to(input.device), int(values.sum()))
    return PackedSequence(data, batch_sizes, sorted_indices)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Return packed sequences padded to one length, in their first order, and their lengths.

    Args:
        batch_first: Whether the result is `(B, T, *)`, not `(T, B, *)`.
        padding_value: What stands behind a sequence's end.
        total_length: The length to pad to; that of the longest sequence by default.

    Raises:
        ValueError: if `total_length` is less than the longest sequence.

    Example:
        >>> import taowa
        >>> packed = pack_sequence([taowa.tensor([1, 2, 3]), taowa.tensor([4])])
        >>> pad_packed_sequence(packed, batch_first=True)
        (tensor([[1, 2, 3],
                [4, 0, 0]]), tensor([3, 1]))
    """
    sizes = np.asarray(sequence.batch_sizes.host())
    total_length = len(sizes) if total_length is None else total_length
    if total_length < len(sizes):
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence in input, but "
            f"got total_length={total_length} and max sequence length being {len(sizes)}"
        )
    lengths = (sizes[:, None] > np.arange(sizes[0])).sum(0)
    every_size = from_array(np.pad(sizes, (0, total_length - len(sizes))))
    data = sequence.data
    padded = pad_rows(data, every_size.to(data.device), int(sizes[0]), padding_value)
    if sequence.unsorted_indices is not None:
        padded = index_select(padded, 1, sequence.unsorted_indices)
        lengths = lengths[sequence.unsorted_indices.host()]
    return padded.transpose(0, 1) if batch_first else padded, from_array(lengths)


def pad_sequence(
    sequences: Tensor | Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Return sequences `(L, *)` filled up to the length T of the longest, in one tensor.

    Args:
        sequences: Alike in all but their first dimension.
        batch_first: Whether the result is `(B, T, *)`, not `(T, B, *)`.
        padding_value: What they are filled up with.
        padding_side: `"right"` or `"left"`, where it stands.

    Raises:
        RuntimeError: if there is no sequence, or another side is given.

    Example:
        >>> import taowa
        >>> pad_sequence([taowa.tensor([1, 2]), taowa.tensor([3])], batch_first=True)
        tensor([[1, 2],
                [3, 0]])
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: "
            f"{type(sequences)}"
        )
    sequences = list(sequences)
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(
            f"Expected padding_side to be one of left or right, but got {padding_side}."
        )
    for i, one in enumerate(sequences):
        if not isinstance(one, Tensor):
            raise TypeError(
                f"expected Tensor as element {i} in argument 0, but got {type(one).__name__}"
            )
        if one.ndim == 0:
            raise RuntimeError("pad_sequence: a sequence has at least one dimension, got none")
    return pad_to_longest(sequences, float(padding_value), batch_first, padding_side == "left")


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False
) -> list[Tensor]:
    """Return the sequences of a padded tensor, each at its own length.

    Args:
        padded_sequences: `(T, B, *)`, or `(B, T, *)` with `batch_first`.
        lengths: The length of each sequence.

    Example:
        >>> import taowa
        >>> unpad_sequence(taowa.tensor([[1, 2], [3, 0]]), taowa.tensor([2, 1]), batch_first=True)
        [tensor([1, 2]), tensor([3])]
    """
    batch = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [one[: int(n)] for one, n in zip(batch, _lengths(lengths), strict=True)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences `(L, *)`.

    Args:
        enforce_sorted: Whether the longest sequence must come first; otherwise they are sorted.

    Example:
        >>> import taowa
        >>> pack_sequence([taowa.tensor([1]), taowa.tensor([2, 3])], enforce_sorted=False).data
        tensor([2, 1, 3])
    """
    lengths = [len(s) for s in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Return the sequences of a packed batch, in their first order.

    Example:
        >>> import taowa
        >>> unpack_sequence(pack_sequence([taowa.tensor([1, 2]), taowa.tensor([3])]))
        [tensor([1, 2]), tensor([3])]
    """
    return unpad_sequence(*pad_packed_sequence(packed_sequences, batch_first=True), True)
