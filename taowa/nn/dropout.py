"""Dropout layers."""

from __future__ import annotations

from taowa.core.tensor import Tensor
from taowa.nn import functional as F
from taowa.nn.module import Module

__all__ = [
    "AlphaDropout",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "FeatureAlphaDropout",
]


class _Dropout(Module):
    def __init__(self, p: float = 0.5, inplace: bool = False):
        super().__init__()
        if p < 0 or p > 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        """Return the options for the printed form."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """Set each element to zero with probability p in training, and scale the others by 1/(1-p).

    Args:
        p: Probability of zero, in [0, 1].
        inplace: Whether to write the result into the input.

    References:
        Hinton et al. 2012, https://arxiv.org/abs/1207.0580

    Example:
        >>> import taowa
        >>> Dropout(0.5).eval()(taowa.ones(3))
        tensor([1., 1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with some elements dropped."""
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_Dropout):
    """Set whole channels of signals to zero with probability p in training.

    Args:
        p: Probability of zero, in [0, 1].
        inplace: Whether to write the result into the input.

    Shape:
        `(N, C, L)` or `(C, L)`, in and out

    Example:
        >>> import taowa
        >>> Dropout1d(0.5).eval()(taowa.ones(1, 1, 2))
        tensor([[[1., 1.]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with some channels dropped."""
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_Dropout):
    """Set whole channels of images to zero with probability p in training.

    Args:
        p: Probability of zero, in [0, 1].
        inplace: Whether to write the result into the input.

    Shape:
        `(N, C, H, W)`, in and out

    References:
        Tompson et al. 2015, https://arxiv.org/abs/1411.4280

    Example:
        >>> import taowa
        >>> Dropout2d(0.5).eval()(taowa.ones(1, 1, 1, 2))
        tensor([[[[1., 1.]]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with some channels dropped."""
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_Dropout):
    """Set whole channels of volumes to zero with probability p in training.

    Args:
        p: Probability of zero, in [0, 1].
        inplace: Whether to write the result into the input.

    Shape:
        `(N, C, D, H, W)` or `(C, D, H, W)`, in and out

    Example:
        >>> import taowa
        >>> Dropout3d(0.5).eval()(taowa.ones(1, 1, 1, 1, 2)).shape
        torch.Size([1, 1, 1, 1, 2])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with some channels dropped."""
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_Dropout):
    """Drop elements while keeping mean and variance, for networks with SELU.

    Args:
        p: Probability of dropping, in [0, 1].
        inplace: Whether to write the result into the input.

    References:
        Klambauer et al. 2017, https://arxiv.org/abs/1706.02515

    Example:
        >>> import taowa
        >>> AlphaDropout(0.5).eval()(taowa.ones(2))
        tensor([1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with some elements dropped."""
        return F.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(_Dropout):
    """Drop whole channels while keeping mean and variance, for networks with SELU.

    Args:
        p: Probability of dropping, in [0, 1].
        inplace: Whether to write the result into the input.

    Example:
        >>> import taowa
        >>> FeatureAlphaDropout(0.5).eval()(taowa.ones(1, 1, 2))
        tensor([[[1., 1.]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with some channels dropped."""
        return F.feature_alpha_dropout(input, self.p, self.training)
