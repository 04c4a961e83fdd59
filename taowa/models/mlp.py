"""Fully connected networks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from taowa import nn
from taowa.models.registry import register_model

__all__ = ["MLP", "mlp"]


class MLP(nn.Sequential):
    """Flatten the input and pass it through fully connected layers with ReLU between them.

    Args:
        in_features: Numbers per sample.
        hidden: Widths of the hidden layers.
        num_classes: Width of the output.
    Shape:
        input `(N, ...)` with `in_features` numbers per sample -> output `(N, num_classes)`
    Example:
        >>> MLP(64, [32], 10)
        MLP(
          (0): Flatten(start_dim=1, end_dim=-1)
          (1): Linear(in_features=64, out_features=32, bias=True)
          (2): ReLU()
          (3): Linear(in_features=32, out_features=10, bias=True)
        )
    """

    def __init__(self, in_features: int, hidden: Sequence[int], num_classes: int):
        layers: list[nn.Module] = [nn.Flatten()]
        for width, next_width in pairwise((in_features, *hidden)):
            layers += [nn.Linear(width, next_width), nn.ReLU()]
        layers.append(nn.Linear((in_features, *hidden)[-1], num_classes))
        super().__init__(*layers)


@register_model
def mlp(
    *,
    num_classes: int = 10,
    in_channels: int = 1,
    image_size: int = 28,
    hidden: Sequence[int] = (300, 100),
) -> MLP:
    """Build a fully connected network for small images.

    Args:
        image_size: Pixels along a side of the square images.
        hidden: Widths of the hidden layers.
    References:
        LeCun et al. 1998, https://doi.org/10.1109/5.726791 (784-300-100-10)
    Example:
        >>> sum(p.numel() for p in mlp().parameters())
        266610
    """
    return MLP(in_channels * image_size**2, hidden, num_classes)
