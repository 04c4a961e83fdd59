"""Activations made of straight pieces."""

from __future__ import annotations

from typing import Any

from taowa.core.tensor import Tensor
from taowa.nn import functional as F
from taowa.nn import init
from taowa.nn.inplace import InplaceActivation
from taowa.nn.module import Module
from taowa.nn.parameter import Parameter
from taowa.ops.creation import empty

__all__ = [
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "Softshrink",
    "Threshold",
]


class ReLU(InplaceActivation):
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


class Hardswish(InplaceActivation):
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


class Hardsigmoid(InplaceActivation):
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
        return f"lower={self.lower}, upper={self.upper}" + (
            ", inplace=True" if self.inplace else ""
        )


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
