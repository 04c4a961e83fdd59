"""How a tensor lies in the memory that it shares: the strides that PyTorch would have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from taowa.core import lens as lenses
from taowa.core.lens import contiguous_strides
from taowa.core.storage import Storage


class Layout:
    """The methods of Tensor that tell where its elements lie."""

    if TYPE_CHECKING:  # Tensor's own attributes

        def __getattr__(self, name: str) -> Any: ...

    def stride(self, dim: int | None = None) -> Any:
        """Return how far apart neighbours are in memory, in elements."""
        if self._lens:
            strides = lenses.strides_of(self._lens, self._storage.node.aval)
        else:
            strides = contiguous_strides(self._aval.shape)
        return strides if dim is None else strides[dim]

    def storage_offset(self) -> int:
        """Return where in the storage the tensor begins, in elements."""
        return lenses.offset_of(self._lens, self._storage.node.aval) if self._lens else 0

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """Return whether the elements lie in row-major order without gaps."""
        if not self._lens:
            return True
        shape = self._aval.shape
        expected = contiguous_strides(shape)
        pairs = zip(shape, self.stride(), expected, strict=True)
        return 0 in shape or all(n == 1 or a == b for n, a, b in pairs)

    def _is_view(self) -> bool:
        return self._base is not None

    @property
    def _version(self) -> int:
        return self._storage.version

    def data_ptr(self) -> int:
        """Return a number that is the same for tensors that begin at the same memory."""
        return id(self._storage) + self.storage_offset() * self.dtype.itemsize

    def untyped_storage(self) -> Storage:
        """Return the memory shared by this tensor and its views."""
        return self._storage
