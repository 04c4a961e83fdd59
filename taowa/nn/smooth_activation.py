"""Smooth activations."""

from __future__ import annotations

from taowa.core.tensor import Tensor
from taowa.nn import functional as F
from taowa.nn.inplace import InplaceActivation
from taowa.nn.module import Module

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "LogSigmoid",
    "Mish",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Softsign",
    "Tanh",
    "Tanhshrink",
]


class SiLU(InplaceActivation):
    """Apply `x sigmoid(x)`.

    Args:
        inplace: Whether to write the result into the input.

    References:
        Hendrycks & Gimpel 2016, https://arxiv.org/abs/1606.08415

    Example:
        >>> import taowa
        >>> SiLU()(taowa.tensor([1.0]))
        tensor([0.7311])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the activated input."""
        return F.silu(input, inplace=self.inplace)


class Mish(InplaceActivation):
    """Apply `x tanh(softplus(x))`.

    Args:
        inplace: Whether to write the result into the input.

    References:
        Misra 2019, https://arxiv.org/abs/1908.08681

    Example:
        >>> import taowa
        >>> Mish()(taowa.tensor([1.0]))
        tensor([0.8651])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the activated input."""
        return F.mish(input, inplace=self.inplace)


class SELU(InplaceActivation):
    """Apply the self-normalising exponential linear unit.

    Args:
        inplace: Whether to write the result into the input.

    References:
        Klambauer et al. 2017, https://arxiv.org/abs/1706.02515

    Example:
        >>> import taowa
        >>> SELU()(taowa.tensor([1.0]))
        tensor([1.0507])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the activated input."""
        return F.selu(input, self.inplace)


class Sigmoid(Module):
    """Apply `1 / (1 + exp(-x))`.

    Example:
        >>> import taowa
        >>> Sigmoid()(taowa.tensor([0.0]))
        tensor([0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the activated input."""
        return input.sigmoid()  # type: ignore[attr-defined]


class Tanh(Module):
    """Apply the hyperbolic tangent.

    Example:
        >>> import taowa
        >>> Tanh()(taowa.tensor([0.0]))
        tensor([0.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the activated input."""
        return input.tanh()  # type: ignore[attr-defined]


class LogSigmoid(Module):
    """Apply `log(sigmoid(x))`.

    Example:
        >>> import taowa
        >>> LogSigmoid()(taowa.tensor([0.0]))
        tensor([-0.6931])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the activated input."""
        return F.logsigmoid(input)


class Softsign(Module):
    """Apply `x / (1 + |x|)`.

    Example:
        >>> import taowa
        >>> Softsign()(taowa.tensor([1.0]))
        tensor([0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the activated input."""
        return F.softsign(input)


class Tanhshrink(Module):
    """Apply `x - tanh(x)`.

    Example:
        >>> import taowa
        >>> Tanhshrink()(taowa.tensor([0.0]))
        tensor([0.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the activated input."""
        return F.tanhshrink(input)


class GELU(Module):
    """Apply `x Phi(x)`, with the normal distribution's cumulative function.

    Args:
        approximate: `"none"`, or `"tanh"` for the approximation by tanh.

    References:
        Hendrycks & Gimpel 2016, https://arxiv.org/abs/1606.08415

    Example:
        >>> import taowa
        >>> GELU()(taowa.tensor([1.0]))
        tensor([0.8413])
    """

    def __init__(self, approximate: str = "none"):
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        """Return the activated input."""
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self) -> str:
        """Return the option for the printed form."""
        return f"approximate={self.approximate!r}"


class ELU(Module):
    """Apply `x` above zero and `alpha (exp(x) - 1)` below.

    Args:
        alpha: Minus the limit far below zero.
        inplace: Whether to write the result into the input.

    References:
        Clevert et al. 2016, https://arxiv.org/abs/1511.07289

    Example:
        >>> import taowa
        >>> ELU()(taowa.tensor([-1.0]))
        tensor([-0.6321])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False):
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Return the activated input."""
        return F.elu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        """Return the options for the printed form."""
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class CELU(ELU):
    """Apply `x` above zero and `alpha (exp(x / alpha) - 1)` below.

    Args:
        alpha: Minus the limit far below zero.
        inplace: Whether to write the result into the input.

    References:
        Barron 2017, https://arxiv.org/abs/1704.07483

    Example:
        >>> import taowa
        >>> CELU()(taowa.tensor([-1.0]))
        tensor([-0.6321])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the activated input."""
        return F.celu(input, self.alpha, self.inplace)


class GLU(Module):
    """Split the input in halves a, b along a dimension and return `a sigmoid(b)`.

    Args:
        dim: The dimension to split; its size must be even.

    References:
        Dauphin et al. 2017, https://arxiv.org/abs/1612.08083

    Example:
        >>> import taowa
        >>> GLU()(taowa.tensor([2.0, 0.0]))
        tensor([1.])
    """

    def __init__(self, dim: int = -1):
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """Return the gated half."""
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        """Return the dimension for the printed form."""
        return f"dim={self.dim}"


class Softplus(Module):
    """Apply `log(1 + exp(beta x)) / beta`, a smooth rectifier.

    Args:
        beta: Sharpness.
        threshold: Above `beta x = threshold` the function is taken as linear.

    Example:
        >>> import taowa
        >>> Softplus()(taowa.tensor([0.0]))
        tensor([0.6931])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0):
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Tensor) -> Tensor:
        """Return the activated input."""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """Return the options for the printed form."""
        return f"beta={self.beta}, threshold={self.threshold}"
