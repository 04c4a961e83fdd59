"""Normalisation within each sample."""

from __future__ import annotations

import warnings
from typing import Any

from taowa.core.tensor import Tensor
from taowa.nn import functional as F
from taowa.nn import init
from taowa.nn.batchnorm import _BatchNorm
from taowa.nn.module import Module
from taowa.nn.parameter import Parameter
from taowa.ops.creation import empty

__all__ = [
    "GroupNorm",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LayerNorm",
    "LocalResponseNorm",
    "RMSNorm",
]


def _shape(normalized_shape: Any) -> tuple[int, ...]:
    return (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)


class LayerNorm(Module):
    """Normalise the last dimensions of each sample to mean 0 and variance 1.

    Args:
        normalized_shape: The sizes of these dimensions; a number stands for the last alone.
        eps: Added to the variance.
        elementwise_affine: Whether to learn a scale and a shift for each element.
        bias: Whether there is a shift.

    Shape:
        input `(*, *normalized_shape)` -> output of the same shape

    References:
        Ba et al. 2016, https://arxiv.org/abs/1607.06450

    Example:
        >>> import taowa
        >>> LayerNorm(2)(taowa.tensor([1.0, 3.0])).detach()
        tensor([-1.0000,  1.0000])
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        for name, is_there in (("weight", True), ("bias", bias)):
            made = empty(self.normalized_shape, device=device, dtype=dtype)
            is_there = is_there and elementwise_affine
            self.register_parameter(name, Parameter(made) if is_there else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Make the layer as new."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the options for the printed form."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """Divide the last dimensions of each sample by the root of the mean of their squares.

    Args:
        normalized_shape: The sizes of these dimensions; a number stands for the last alone.
        eps: Added to the mean; by default the smallest step of the type at 1.
        elementwise_affine: Whether to learn a scale for each element.

    Shape:
        input `(*, *normalized_shape)` -> output of the same shape

    References:
        Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467

    Example:
        >>> import taowa
        >>> RMSNorm(2)(taowa.tensor([2.0, 2.0])).detach()
        tensor([1., 1.])
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        made = empty(self.normalized_shape, device=device, dtype=dtype)
        self.register_parameter("weight", Parameter(made) if elementwise_affine else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Make the layer as new."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input."""
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """Return the options for the printed form."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class GroupNorm(Module):
    """Normalise groups of channels of each sample to mean 0 and variance 1.

    Args:
        num_groups: Into how many groups the channels are split.
        num_channels: Channels C, divisible by `num_groups`.
        eps: Added to the variance.
        affine: Whether to learn a scale and a shift for each channel.
        bias: Whether the affine part has a shift.

    Shape:
        input `(N, C, *)` -> output of the same shape

    Raises:
        ValueError: if the channels cannot be split so.

    References:
        Wu and He 2018, https://arxiv.org/abs/1803.08494

    Example:
        >>> import taowa
        >>> GroupNorm(1, 2)(taowa.tensor([[1.0, 3.0]])).detach()
        tensor([[-1.0000,  1.0000]])
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        super().__init__()
        if num_channels % num_groups:
            raise ValueError(
                f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})"
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        for name, is_there in (("weight", affine), ("bias", affine and bias)):
            made = empty(num_channels, device=device, dtype=dtype)
            self.register_parameter(name, Parameter(made) if is_there else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Make the layer as new."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the options for the printed form."""
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class LocalResponseNorm(Module):
    """Divide each element by a power of the mean square of its neighbour channels.

    Args:
        size: How many neighbours, the channel itself among them.
        alpha: Factor of the mean.
        beta: The power.
        k: Added to the mean.

    Shape:
        input `(N, C, *)`, at least three dimensions -> output of the same shape

    References:
        Krizhevsky et al. 2012, ImageNet classification with deep convolutional networks

    Example:
        >>> import taowa
        >>> LocalResponseNorm(1, alpha=3.0, beta=0.5)(taowa.ones(1, 1, 2))
        tensor([[[0.5000, 0.5000]]])
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0):
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input."""
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """Return the options for the printed form."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class _InstanceNorm(_BatchNorm):
    """Normalise each channel of each sample, or by running statistics in evaluation."""

    _rank: int

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input; in training, update the running statistics."""
        if input.ndim not in (self._rank + 1, self._rank + 2):
            raise ValueError(
                f"expected {self._rank + 1}D or {self._rank + 2}D input (got {input.ndim}D input)"
            )
        is_batched = input.ndim == self._rank + 2
        self._check_channels(input, 1 if is_batched else 0)
        x = input if is_batched else input.unsqueeze(0)  # type: ignore[attr-defined]
        result = F.instance_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum, self.eps,
        )  # fmt: skip
        return result if is_batched else result.squeeze(0)  # type: ignore[attr-defined]

    def _check_channels(self, input: Tensor, dim: int) -> None:
        channels = input.shape[dim]
        if channels == self.num_features:
            return
        if self.affine:
            raise ValueError(
                f"expected input's size at dim={dim} to match num_features "
                f"({self.num_features}), but got: {channels}."
            )
        warnings.warn(
            f"input's size at dim={dim} does not match num_features. You can silence this warning "
            "by not passing in num_features, which is not used because affine=False",
            stacklevel=3,
        )

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, local_metadata: dict, *rest: Any
    ) -> None:
        statistics = [prefix + name for name in ("running_mean", "running_var")]
        found = [name for name in statistics if name in state_dict]
        if found and local_metadata.get("version") is None and not self.track_running_stats:
            names = " and ".join(f'"{name}"' for name in found)
            rest[-1].append(
                f"Unexpected running stats buffer(s) {names} for {type(self).__name__} with "
                "track_running_stats=False. A checkpoint from before they were optional has them: "
                "remove these keys from state_dict, or set track_running_stats=True."
            )
            for name in found:
                del state_dict[name]
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class InstanceNorm1d(_InstanceNorm):
    """Normalise each channel of each signal to mean 0 and variance 1.

    Args:
        num_features: Channels C.
        eps: Added to the variance.
        momentum: Weight of the new observation in the running statistics.
        affine: Whether to learn a scale and a shift for each channel.
        track_running_stats: Whether to keep running statistics for evaluation.
        bias: Whether the affine part has a shift.

    Shape:
        input `(N, C, L)` or `(C, L)` -> output of the same shape

    References:
        Ulyanov et al. 2016, https://arxiv.org/abs/1607.08022

    Example:
        >>> import taowa
        >>> InstanceNorm1d(1)(taowa.tensor([[1.0, 3.0]]))
        tensor([[-1.0000,  1.0000]])
    """

    _rank = 1


class InstanceNorm2d(_InstanceNorm):
    """Normalise each channel of each image to mean 0 and variance 1.

    See `InstanceNorm1d` for the arguments.

    Shape:
        input `(N, C, H, W)` or `(C, H, W)` -> output of the same shape

    Example:
        >>> import taowa
        >>> InstanceNorm2d(3)(taowa.ones(2, 3, 4, 4)).shape
        torch.Size([2, 3, 4, 4])
    """

    _rank = 2


class InstanceNorm3d(_InstanceNorm):
    """Normalise each channel of each volume to mean 0 and variance 1.

    See `InstanceNorm1d` for the arguments.

    Shape:
        input `(N, C, D, H, W)` or `(C, D, H, W)` -> output of the same shape

    Example:
        >>> import taowa
        >>> InstanceNorm3d(1)(taowa.ones(2, 1, 2, 2, 2)).shape
        torch.Size([2, 1, 2, 2, 2])
    """

    _rank = 3
