"""Activation functions as layers."""

from __future__ import annotations

from typing import Any

from taowa.core.tensor import Tensor
from taowa.nn import functional as F
from taowa.nn import init
from taowa.nn.module import Module
from taowa.nn.parameter import Parameter
from taowa.ops.creation import empty

__all__ = [
    "CELU", "ELU", "GELU", "GLU", "SELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh",
    "LeakyReLU", "LogSigmoid", "LogSoftmax", "Mish", "PReLU", "RReLU", "ReLU", "ReLU6", "SiLU", "Sigmoid",
    "Softmax", "Softmax2d", "Softmin", "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink",
    "Threshold",
]  # fmt: skip


class _Inplace(Module):
    """An activation without options but `inplace`."""

    def __init__(self, inplace: bool = False):
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        """Return `inplace=True` where it is set."""
        return "inplace=True" if self.inplace else ""


class ReLU(_Inplace):
    """Apply `max(0, x)`.

    Args:
        inplace: Whether to write the result into the input.

    Example:
        >>> import taowa
        >>> ReLU()(taowa.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the activated input."""
        return F.relu(input, inplace=self.inplace)


class SiLU(_Inplace):
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


class Mish(_Inplace):
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


class Hardswish(_Inplace):
    """Apply `x relu6(x + 3) / 6`.

    Args:
        inplace: Whether to write the result into the input.

    References:
        Howard et al. 2019, https://arxiv.org/abs/1905.02244

    Example:
        >>> import taowa
        >>> Hardswish()(taowa.tensor([3.0]))
        tensor([3.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the activated input."""
        return F.hardswish(input, self.inplace)

    def extra_repr(self) -> str:
        """Return nothing: PyTorch prints no option here."""
        return ""


class Hardsigmoid(_Inplace):
    """Apply `relu6(x + 3) / 6`.

    Args:
        inplace: Whether to write the result into the input.

    Example:
        >>> import taowa
        >>> Hardsigmoid()(taowa.tensor([0.0]))
        tensor([0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the activated input."""
        return F.hardsigmoid(input, self.inplace)

    def extra_repr(self) -> str:
        """Return nothing: PyTorch prints no option here."""
        return ""


class SELU(_Inplace):
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


class Softmax2d(Module):
    """Apply softmax over the channels of images.

    Shape:
        `(N, C, H, W)` or `(C, H, W)`, in and out

    Example:
        >>> import taowa
        >>> Softmax2d()(taowa.zeros(1, 2, 1, 1)).flatten()
        tensor([0.5000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the probabilities."""
        if input.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.ndim}D instead")
        return F.softmax(input, -3)


class _OverDim(Module):
    """A softmax along one dimension."""

    dim: int | None

    def __init__(self, dim: int | None = None):
        super().__init__()
        self.dim = dim

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        self.__dict__.setdefault("dim", None)

    def extra_repr(self) -> str:
        """Return the dimension for the printed form."""
        return f"dim={self.dim}"


class Softmax(_OverDim):
    """Apply `exp(x_i) / sum_j exp(x_j)` along a dimension.

    Args:
        dim: The dimension along which the results sum to 1.

    Example:
        >>> import taowa
        >>> Softmax(dim=0)(taowa.tensor([0.0, 0.0]))
        tensor([0.5000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the probabilities."""
        return F.softmax(input, self.dim, _stacklevel=5)


class LogSoftmax(_OverDim):
    """Apply the logarithm of softmax along a dimension.

    Args:
        dim: The dimension along which the exponentials of the results sum to 1.

    Example:
        >>> import taowa
        >>> LogSoftmax(dim=0)(taowa.tensor([0.0, 0.0]))
        tensor([-0.6931, -0.6931])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the log-probabilities."""
        return F.log_softmax(input, self.dim, _stacklevel=5)


class Softmin(_OverDim):
    """Apply softmax of the negated input along a dimension.

    Args:
        dim: The dimension along which the results sum to 1.

    Example:
        >>> import taowa
        >>> Softmin(dim=0)(taowa.tensor([0.0, 0.0]))
        tensor([0.5000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the probabilities."""
        return F.softmin(input, self.dim, _stacklevel=5)

    def extra_repr(self) -> str:
        """Return the dimension for the printed form."""
        return f"dim={self.dim}"


class LeakyReLU(Module):
    """Apply `max(0, x) + negative_slope * min(0, x)`.

    Args:
        negative_slope: Slope below zero.
        inplace: Whether to write the result into the input.

    Example:
        >>> import taowa
        >>> LeakyReLU(0.1)(taowa.tensor([-1.0, 1.0]))
        tensor([-0.1000,  1.0000])
    """

    def __init__(self, negative_slope: float = 1e-2, inplace: bool = False):
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Return the activated input."""
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        """Return the options for the printed form."""
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class RReLU(Module):
    """Apply a leaky rectifier whose slope is drawn for each element in training.

    Args:
        lower: Smallest slope below zero.
        upper: Largest slope.
        inplace: Whether to write the result into the input.

    References:
        Xu et al. 2015, https://arxiv.org/abs/1505.00853

    Example:
        >>> import taowa
        >>> RReLU(0.1, 0.3).eval()(taowa.tensor([-1.0, 1.0]))
        tensor([-0.2000,  1.0000])
    """

    def __init__(self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False):
        super().__init__()
        self.lower = lower
        self.upper = upper
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Return the activated input."""
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        """Return the options for the printed form."""
        return f"lower={self.lower}, upper={self.upper}" + (", inplace=True" if self.inplace else "")


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


class Hardtanh(Module):
    """Cut the input off at two bounds.

    Args:
        min_val: Lower bound.
        max_val: Upper bound, above the lower.
        inplace: Whether to write the result into the input.

    Example:
        >>> import taowa
        >>> Hardtanh()(taowa.tensor([-3.0, 0.5]))
        tensor([-1.0000,  0.5000])
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False):
        super().__init__()
        self.min_val = min_val
        self.max_val = max_val
        self.inplace = inplace
        if max_val <= min_val:
            raise AssertionError("max_val must be larger than min_val")

    def forward(self, input: Tensor) -> Tensor:
        """Return the activated input."""
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        """Return the options for the printed form."""
        bounds = f"min_val={self.min_val}, max_val={self.max_val}"
        return bounds + (", inplace=True" if self.inplace else "")


class ReLU6(Hardtanh):
    """Apply `min(max(0, x), 6)`.

    Args:
        inplace: Whether to write the result into the input.

    Example:
        >>> import taowa
        >>> ReLU6()(taowa.tensor([-1.0, 9.0]))
        tensor([0., 6.])
    """

    def __init__(self, inplace: bool = False):
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        """Return `inplace=True` where it is set."""
        return "inplace=True" if self.inplace else ""


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


class _Shrink(Module):
    def __init__(self, lambd: float = 0.5):
        super().__init__()
        self.lambd = lambd

    def extra_repr(self) -> str:
        """Return the bound for the printed form."""
        return str(self.lambd)


class Hardshrink(_Shrink):
    """Set what lies within `[-lambd, lambd]` to zero.

    Args:
        lambd: The bound.

    Example:
        >>> import taowa
        >>> Hardshrink()(taowa.tensor([0.4, 0.6]))
        tensor([0.0000, 0.6000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the activated input."""
        return F.hardshrink(input, self.lambd)


class Softshrink(_Shrink):
    """Move every value towards zero by `lambd`, stopping there.

    Args:
        lambd: How far, >= 0.

    Example:
        >>> import taowa
        >>> Softshrink()(taowa.tensor([0.4, 1.5]))
        tensor([0., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the activated input."""
        return F.softshrink(input, self.lambd)


class Threshold(Module):
    """Replace what is not above a threshold by a value.

    Args:
        threshold: What to be above of.
        value: What stands instead.
        inplace: Whether to write the result into the input.

    Example:
        >>> import taowa
        >>> Threshold(0.1, 20)(taowa.tensor([0.0, 1.0]))
        tensor([20.,  1.])
    """

    def __init__(self, threshold: float, value: float, inplace: bool = False):
        super().__init__()
        self.threshold = threshold
        self.value = value
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Return the activated input."""
        return F.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self) -> str:
        """Return the options for the printed form."""
        inplace = ", inplace=True" if self.inplace else ""
        return f"threshold={self.threshold}, value={self.value}{inplace}"


class PReLU(Module):
    """Apply `max(0, x) + a min(0, x)` with a learned slope.

    Args:
        num_parameters: 1, or the number of channels for a slope each.
        init: The first value of the slopes.

    References:
        He et al. 2015, https://arxiv.org/abs/1502.01852

    Example:
        >>> import taowa
        >>> PReLU()(taowa.tensor([-1.0])).detach()
        tensor([-0.2500])
    """

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None
    ):
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(empty(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the slopes to their first value."""
        init.constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        """Return the activated input."""
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        """Return the number of slopes for the printed form."""
        return f"num_parameters={self.num_parameters}"
