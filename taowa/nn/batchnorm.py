"""Batch normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from taowa.core.tensor import Tensor, from_array
from taowa.nn import functional as F
from taowa.nn import init
from taowa.nn.module import Module
from taowa.nn.parameter import Parameter
from taowa.ops.creation import empty, ones, zeros

__all__ = ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm"]


class _BatchNorm(Module):
    """Normalise each channel over the batch, or by running statistics in evaluation."""

    _version = 2
    _ranks: tuple[int, ...]

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        options = {"device": device, "dtype": dtype}
        for name, is_there in (("weight", affine), ("bias", affine and bias)):
            made = Parameter(empty(num_features, **options)) if is_there else None
            self.register_parameter(name, made)
        tracks = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, **options) if tracks else None)
        self.register_buffer("running_var", ones(num_features, **options) if tracks else None)
        counter = from_array(np.zeros((), np.int64), device=device) if tracks else None
        self.register_buffer("num_batches_tracked", counter)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget what was seen so far."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Make the layer as new."""
        self.reset_running_stats()
        if self.affine:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim not in self._ranks:
            expected = " or ".join(f"{r}D" for r in self._ranks)
            raise ValueError(f"expected {expected} input (got {input.ndim}D input)")

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input; in training, update the running statistics."""
        self._check_input_dim(input)
        momentum = self.momentum
        if self.training and self.track_running_stats:
            momentum = self._count_batch(momentum)
        keeps = not self.training or self.track_running_stats
        mean, var = (self.running_mean, self.running_var) if keeps else (None, None)
        return F.batch_norm(
            input, mean, var, self.weight, self.bias, self.training or mean is None,
            0.0 if momentum is None else momentum, self.eps,
        )  # fmt: skip

    def _count_batch(self, momentum: float | None) -> float | None:
        """Count one batch, on the host: the counter is no part of a program; return the weight."""
        counter = self.num_batches_tracked
        if counter is None:
            return momentum
        count = counter.host() + 1
        counter.set_host(count)
        return 1.0 / float(count) if momentum is None else momentum

    def extra_repr(self) -> str:
        """Return the options for the printed form."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, local_metadata: dict, *rest: Any
    ) -> None:
        version = local_metadata.get("version")
        name = f"{prefix}num_batches_tracked"
        if (version is None or version < 2) and self.track_running_stats and name not in state_dict:
            # Files from before version 2 do not count batches.
            state_dict[name] = from_array(np.zeros((), np.int64))
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class BatchNorm1d(_BatchNorm):
    """Normalise each channel of vectors or signals over the batch.

    Args:
        num_features: Channels C.
        eps: Added to the variance.
        momentum: Weight of the new observation, in (0, 1]; `None` = cumulative mean.
        affine: Whether to learn a scale and a shift for each channel.
        track_running_stats: Whether to keep running statistics for evaluation.
        bias: Whether the affine part has a shift.

    Shape:
        input `(N, C)` or `(N, C, L)` -> output of the same shape

    References:
        Ioffe & Szegedy 2015, https://arxiv.org/abs/1502.03167

    Example:
        >>> import taowa
        >>> BatchNorm1d(2)(taowa.tensor([[1.0, 5.0], [3.0, 9.0]])).detach()
        tensor([[-1.0000, -1.0000],
                [ 1.0000,  1.0000]])
    """

    _ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Normalise each channel of images over the batch.

    Args:
        num_features: Channels C.
        eps: Added to the variance.
        momentum: Weight of the new observation, in (0, 1]; `None` = cumulative mean.
        affine: Whether to learn a scale and a shift for each channel.
        track_running_stats: Whether to keep running statistics for evaluation.
        bias: Whether the affine part has a shift.

    Shape:
        input `(N, C, H, W)` -> output of the same shape

    References:
        Ioffe & Szegedy 2015, https://arxiv.org/abs/1502.03167

    Example:
        >>> import taowa
        >>> BatchNorm2d(3)(taowa.ones(2, 3, 4, 4)).shape
        torch.Size([2, 3, 4, 4])
    """

    _ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Normalise each channel of volumes over the batch.

    Args:
        num_features: Channels C.
        eps: Added to the variance.
        momentum: Weight of the new observation, in (0, 1]; `None` = cumulative mean.
        affine: Whether to learn a scale and a shift for each channel.
        track_running_stats: Whether to keep running statistics for evaluation.
        bias: Whether the affine part has a shift.

    Shape:
        input `(N, C, D, H, W)` -> output of the same shape

    References:
        Ioffe & Szegedy 2015, https://arxiv.org/abs/1502.03167

    Example:
        >>> import taowa
        >>> BatchNorm3d(1)(taowa.ones(2, 1, 2, 2, 2)).shape
        torch.Size([2, 1, 2, 2, 2])
    """

    _ranks = (5,)


class SyncBatchNorm(_BatchNorm):
    """Normalise each channel over the batch; on one device, nothing needs to be synchronised.

    Args:
        num_features: Channels C.
        eps: Added to the variance.
        momentum: Weight of the new observation, in (0, 1]; `None` = cumulative mean.
        affine: Whether to learn a scale and a shift for each channel.
        track_running_stats: Whether to keep running statistics for evaluation.
        process_group: Accepted and kept.
        bias: Whether the affine part has a shift.

    Shape:
        input `(N, C, *)` -> output of the same shape

    Example:
        >>> import taowa
        >>> SyncBatchNorm(2)(taowa.ones(3, 2)).shape
        torch.Size([3, 2])
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )
        self.process_group = process_group

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"expected at least 2D input (got {input.ndim}D input)")
        if input.shape[1] == 0:
            raise ValueError("SyncBatchNorm number of input channels should be non-zero")

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """Return the module with each batch norm in it replaced, parameters and state shared.

        Args:
            module: A batch norm, or a network with some; changed in place.
            process_group: Kept by the new norms.

        Example:
            >>> from taowa import nn
            >>> SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(BatchNorm1d(2)))
            Sequential(
              (0): SyncBatchNorm(2, eps=1e-05, momentum=0.1, affine=True, bias=True, \
track_running_stats=True)
            )
        """
        converted = module
        if isinstance(module, BatchNorm1d | BatchNorm2d | BatchNorm3d | SyncBatchNorm):
            converted = SyncBatchNorm(
                module.num_features, module.eps, module.momentum, module.affine,
                module.track_running_stats, process_group, bias=module.bias is not None,
            )  # fmt: skip
            for name, parameter in module._parameters.items():
                setattr(converted, name, parameter)
            for name, buffer in module._buffers.items():
                setattr(converted, name, buffer)
            converted.training = module.training
        for name, child in module.named_children():
            converted.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return converted
