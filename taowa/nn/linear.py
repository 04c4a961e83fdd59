"""Affine layers."""

from __future__ import annotations

import math
from typing import Any

from taowa.core.tensor import Tensor
from taowa.nn import functional as F
from taowa.nn import init
from taowa.nn.module import Module
from taowa.nn.parameter import Parameter
from taowa.ops.creation import empty

__all__ = ["Bilinear", "Identity", "Linear"]


class Identity(Module):
    """Return the input as it is, whatever arguments the constructor was given.

    Example:
        >>> import taowa
        >>> Identity(54, unused=True)(taowa.ones(2))
        tensor([1., 1.])
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        """Return the input."""
        return input


class Linear(Module):
    """Apply `y = x A^T + b` to the last dimension.

    Args:
        in_features: Size of each input sample.
        out_features: Size of each output sample.
        bias: Whether to learn `b`.

    Shape:
        input `(*, in_features)` -> output `(*, out_features)`

    Example:
        >>> import taowa
        >>> layer = Linear(20, 30)
        >>> layer(taowa.zeros(128, 20)).shape
        torch.Size([128, 30])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(empty((out_features, in_features), device=device, dtype=dtype))
        self.register_parameter(
            "bias", Parameter(empty(out_features, device=device, dtype=dtype)) if bias else None
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        # a = sqrt(5) makes the bound 1/sqrt(in_features), PyTorch's choice since its beginnings.
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        """Return the affine image of the input."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the sizes for the printed form."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Bilinear(Module):
    """Apply `y = x1^T A x2 + b`.

    Args:
        in1_features: Size of each first input sample, > 0.
        in2_features: Size of each second input sample.
        out_features: Size of each output sample.
        bias: Whether to learn `b`.

    Shape:
        inputs `(*, in1_features)`, `(*, in2_features)` -> output `(*, out_features)`

    Example:
        >>> import taowa
        >>> Bilinear(2, 3, 4)(taowa.ones(5, 2), taowa.ones(5, 3)).shape
        torch.Size([5, 4])
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"in1_features must be > 0, but got {in1_features}")
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        shape = (out_features, in1_features, in2_features)
        self.weight = Parameter(empty(shape, device=device, dtype=dtype))
        self.register_parameter(
            "bias", Parameter(empty(out_features, device=device, dtype=dtype)) if bias else None
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        bound = 1 / math.sqrt(self.weight.shape[1])
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        """Return the bilinear image of the inputs."""
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the sizes for the printed form."""
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )
