"""Layers that make signals, images and volumes larger or smaller."""

from __future__ import annotations

from typing import Any

from taowa.core.tensor import Tensor
from taowa.nn import functional as F
from taowa.nn.module import Module

__all__ = ["Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"]


class Upsample(Module):
    """Give signals, images or volumes other sizes.

    Args:
        size: The new spatial sizes.
        scale_factor: What to multiply them by, in the place of `size`.
        mode: `nearest`, `linear`, `bilinear`, `bicubic`, `trilinear`; see `interpolate`.
        align_corners: Whether the centres of the corners' elements stay where they are.
        recompute_scale_factor: Take coordinates from the sizes, not from `scale_factor`.

    Shape:
        input `(N, C, *sizes)` -> output `(N, C, *new_sizes)`

    Example:
        >>> import taowa
        >>> Upsample(scale_factor=2)(taowa.tensor([[[1.0, 2.0]]]))
        tensor([[[1., 1., 2., 2.]]])
    """

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ):
        super().__init__()
        self.name = type(self).__name__
        self.size = size
        if isinstance(scale_factor, tuple):
            self.scale_factor: Any = tuple(float(factor) for factor in scale_factor)
        else:
            self.scale_factor = float(scale_factor) if scale_factor else None
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with other sizes."""
        return F.interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners,
            recompute_scale_factor=self.recompute_scale_factor,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """Return the options for the printed form."""
        has_factor = self.scale_factor is not None
        sizes = f"scale_factor={self.scale_factor!r}" if has_factor else f"size={self.size!r}"
        return f"{sizes}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Enlarge images by repeating elements; `Upsample` can do more.

    Args:
        size: Height and width of the result.
        scale_factor: What to multiply them by, in the place of `size`.

    Example:
        >>> import taowa
        >>> UpsamplingNearest2d(scale_factor=2)(taowa.ones(1, 1, 2, 3)).shape
        torch.Size([1, 1, 4, 6])
    """

    def __init__(self, size: Any = None, scale_factor: Any = None):
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """Enlarge images linearly, their corners aligned; `Upsample` can do more.

    Args:
        size: Height and width of the result.
        scale_factor: What to multiply them by, in the place of `size`.

    Example:
        >>> import taowa
        >>> UpsamplingBilinear2d(3)(taowa.tensor([[[[1.0, 2.0]]]])).shape
        torch.Size([1, 1, 3, 3])
    """

    def __init__(self, size: Any = None, scale_factor: Any = None):
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)
