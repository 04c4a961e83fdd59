"""Layers without state, with the weights given by the caller: `torch.nn.functional`.

The mathematics is in `taowa.ops`; here are PyTorch's names and its `inplace=` forms.
"""

from __future__ import annotations

import warnings
from typing import Any

from taowa.core.api import write_inplace
from taowa.core.tensor import Tensor
from taowa.ops import activation as _straight
from taowa.ops import inplace_activation as _drawing
from taowa.ops import smooth_activation as _smooth
from taowa.ops import softmax as _softmax
from taowa.ops.activation import hardshrink, prelu, softshrink
from taowa.ops.attention import scaled_dot_product_attention
from taowa.ops.attention_forward import multi_head_attention_forward
from taowa.ops.average_pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
)
from taowa.ops.channel_order import (
    channel_shuffle,
    native_channel_shuffle,
    pixel_shuffle,
    pixel_unshuffle,
)
from taowa.ops.convolution import (
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from taowa.ops.creation import empty_like
from taowa.ops.ctc import ctc_loss
from taowa.ops.distance import (
    cosine_similarity,
    pairwise_distance,
    triplet_margin_with_distance_loss,
)
from taowa.ops.embedding import embedding, one_hot
from taowa.ops.embedding_bag import embedding_bag
from taowa.ops.folding import fold, unfold
from taowa.ops.fractional_pooling import (
    fractional_max_pool2d,
    fractional_max_pool2d_with_indices,
    fractional_max_pool3d,
    fractional_max_pool3d_with_indices,
)
from taowa.ops.functional_dropout import (
    alpha_dropout,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    feature_alpha_dropout,
)
from taowa.ops.grid_sampling import affine_grid, grid_sample
from taowa.ops.grouped_matmul import grouped_mm
from taowa.ops.grouped_matmul import scaled_grouped_mm as scaled_grouped_mm
from taowa.ops.grouped_matmul import scaled_mm as scaled_mm
from taowa.ops.inplace_activation import celu_, rrelu_, selu_, threshold_
from taowa.ops.interpolation import (
    interpolate,
    upsample,
    upsample_bilinear,
    upsample_nearest,
)
from taowa.ops.layer_normalization import group_norm, layer_norm, local_response_norm, rms_norm
from taowa.ops.linear import bilinear, linear
from taowa.ops.linear_cross_entropy import linear_cross_entropy
from taowa.ops.loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    nll_loss,
)
from taowa.ops.margin_loss import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    soft_margin_loss,
    triplet_margin_loss,
)
from taowa.ops.max_pooling import (
    adaptive_max_pool1d,
    adaptive_max_pool1d_with_indices,
    adaptive_max_pool2d,
    adaptive_max_pool2d_with_indices,
    adaptive_max_pool3d,
    adaptive_max_pool3d_with_indices,
    max_pool1d,
    max_pool1d_with_indices,
    max_pool2d,
    max_pool2d_with_indices,
    max_pool3d,
    max_pool3d_with_indices,
    max_unpool1d,
    max_unpool2d,
    max_unpool3d,
)
from taowa.ops.normalization import batch_norm, instance_norm
from taowa.ops.padding import pad
from taowa.ops.pair_distance import pdist
from taowa.ops.regression_loss import (
    gaussian_nll_loss,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    poisson_nll_loss,
    smooth_l1_loss,
)
from taowa.ops.smooth_activation import gelu, glu, logsigmoid, softplus, softsign, tanhshrink
from taowa.ops.time_convolution import conv_tbc
from taowa.ops.unary import sigmoid, tanh

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices", "adaptive_max_pool2d", "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d", "adaptive_max_pool3d_with_indices", "affine_grid", "alpha_dropout",
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "batch_norm", "bilinear", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "celu", "celu_", "channel_shuffle", "conv1d", "conv2d",
    "conv3d", "conv_tbc", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
    "cosine_embedding_loss", "cosine_similarity", "cross_entropy", "ctc_loss", "dropout",
    "dropout1d", "dropout2d", "dropout3d", "elu", "elu_", "embedding", "embedding_bag",
    "feature_alpha_dropout", "fold", "fractional_max_pool2d", "fractional_max_pool2d_with_indices",
    "fractional_max_pool3d", "fractional_max_pool3d_with_indices", "gaussian_nll_loss", "gelu",
    "glu", "grid_sample", "group_norm", "grouped_mm", "gumbel_softmax", "hardshrink", "hardsigmoid",
    "hardswish", "hardtanh", "hardtanh_", "hinge_embedding_loss", "huber_loss", "instance_norm",
    "interpolate", "kl_div", "l1_loss", "layer_norm", "leaky_relu", "leaky_relu_", "linear",
    "linear_cross_entropy", "local_response_norm", "log_softmax", "logsigmoid", "lp_pool1d",
    "lp_pool2d", "lp_pool3d", "margin_ranking_loss", "max_pool1d", "max_pool1d_with_indices",
    "max_pool2d", "max_pool2d_with_indices", "max_pool3d", "max_pool3d_with_indices",
    "max_unpool1d", "max_unpool2d", "max_unpool3d", "mish", "mse_loss",
    "multi_head_attention_forward", "multi_margin_loss", "multilabel_margin_loss",
    "multilabel_soft_margin_loss", "native_channel_shuffle", "nll_loss", "normalize", "one_hot",
    "pad", "pairwise_distance", "pdist", "pixel_shuffle", "pixel_unshuffle", "poisson_nll_loss",
    "prelu", "relu", "relu6", "relu_", "rms_norm", "rrelu", "rrelu_",
    "scaled_dot_product_attention", "selu", "selu_", "sigmoid",
    "silu", "smooth_l1_loss", "soft_margin_loss", "softmax", "softmin", "softplus", "softshrink",
    "softsign", "tanh", "tanhshrink", "threshold", "threshold_", "triplet_margin_loss",
    "triplet_margin_with_distance_loss", "unfold", "upsample", "upsample_bilinear",
    "upsample_nearest",
]  # fmt: skip


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return `max(0, x)`.

    Example:
        >>> import taowa
        >>> relu(taowa.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """
    result = _straight.relu(input)
    return write_inplace(input, result) if inplace else result


def relu_(input: Tensor) -> Tensor:
    """Write `max(0, x)` into the input.

    Example:
        >>> import taowa
        >>> relu_(taowa.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """
    return relu(input, inplace=True)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """Return `min(max(0, x), 6)`.

    Example:
        >>> import taowa
        >>> relu6(taowa.tensor([-1.0, 9.0]))
        tensor([0., 6.])
    """
    result = _straight.relu6(input)
    return write_inplace(input, result) if inplace else result


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """Return the input cut off at two bounds.

    Raises:
        ValueError: if `min_val` is above `max_val`.

    Example:
        >>> import taowa
        >>> hardtanh(taowa.tensor([-3.0, 0.5]))
        tensor([-1.0000,  0.5000])
    """
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    result = _straight.hardtanh(input, min_val, max_val)
    return write_inplace(input, result) if inplace else result


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """Cut the input off at two bounds, in place.

    Example:
        >>> import taowa
        >>> hardtanh_(taowa.tensor([-3.0, 0.5]))
        tensor([-1.0000,  0.5000])
    """
    return hardtanh(input, min_val, max_val, inplace=True)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """Return the input with what is not above `threshold` replaced by `value`.

    Example:
        >>> import taowa
        >>> threshold(taowa.tensor([0.0, 1.0]), 0.1, 20.0)
        tensor([20.,  1.])
    """
    result = _straight.threshold(input, threshold, value)
    return write_inplace(input, result) if inplace else result


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Return `max(0, x) + negative_slope * min(0, x)`.

    Example:
        >>> import taowa
        >>> leaky_relu(taowa.tensor([-1.0, 1.0]), 0.1)
        tensor([-0.1000,  1.0000])
    """
    result = _straight.leaky_relu(input, negative_slope)
    return write_inplace(input, result) if inplace else result


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """Write `max(0, x) + negative_slope * min(0, x)` into the input.

    Example:
        >>> import taowa
        >>> leaky_relu_(taowa.tensor([-1.0, 1.0]), 0.1)
        tensor([-0.1000,  1.0000])
    """
    return leaky_relu(input, negative_slope, inplace=True)


def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """Return a leaky rectifier's result, its slopes drawn for each element in training.

    Args:
        input: Of any shape.
        lower: Smallest slope below zero.
        upper: Largest slope.
        training: Draw the slopes, instead of taking the mean of the bounds.
        inplace: Write the result into the input.

    Example:
        >>> import taowa
        >>> rrelu(taowa.tensor([-1.0]), 0.1, 0.3)
        tensor([-0.2000])
    """
    result = _drawing.rrelu(input, lower, upper, training)
    return write_inplace(input, result) if inplace else result


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """Return `relu6(x + 3) / 6`.

    Example:
        >>> import taowa
        >>> hardsigmoid(taowa.tensor([0.0]))
        tensor([0.5000])
    """
    result = _straight.hardsigmoid(input)
    return write_inplace(input, result) if inplace else result


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """Return `x relu6(x + 3) / 6`.

    Example:
        >>> import taowa
        >>> hardswish(taowa.tensor([3.0]))
        tensor([3.])
    """
    result = _straight.hardswish(input)
    return write_inplace(input, result) if inplace else result


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return `x` above zero and `alpha (exp(x) - 1)` below.

    Example:
        >>> import taowa
        >>> elu(taowa.tensor([-1.0]))
        tensor([-0.6321])
    """
    result = _smooth.elu(input, alpha)
    return write_inplace(input, result) if inplace else result


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """Write the exponential linear unit's result into the input.

    Example:
        >>> import taowa
        >>> elu_(taowa.tensor([-1.0]))
        tensor([-0.6321])
    """
    return elu(input, alpha, inplace=True)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return the self-normalising exponential linear unit's result.

    Example:
        >>> import taowa
        >>> selu(taowa.tensor([1.0]))
        tensor([1.0507])
    """
    result = _smooth.selu(input)
    return write_inplace(input, result) if inplace else result


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return `x` above zero and `alpha (exp(x / alpha) - 1)` below.

    Example:
        >>> import taowa
        >>> celu(taowa.tensor([-1.0]))
        tensor([-0.6321])
    """
    result = _smooth.celu(input, alpha)
    return write_inplace(input, result) if inplace else result


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return `x sigmoid(x)`.

    Example:
        >>> import taowa
        >>> silu(taowa.tensor([1.0]))
        tensor([0.7311])
    """
    result = _smooth.silu(input)
    return write_inplace(input, result) if inplace else result


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """Return `x tanh(softplus(x))`.

    Example:
        >>> import taowa
        >>> mish(taowa.tensor([1.0]))
        tensor([0.8651])
    """
    result = _smooth.mish(input)
    return write_inplace(input, result) if inplace else result


def _implicit_dim(name: str, ndim: int, stacklevel: int) -> int:
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. "
        "Change the call to include dim=X as an argument.",
        stacklevel=stacklevel + 1,
    )
    return 0 if ndim in (0, 1, 3) else 1


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """Return `exp(x_i) / sum_j exp(x_j)` along a dimension.

    Args:
        input: Of any shape.
        dim: The dimension along which the results sum to 1.
        dtype: Cast the input to this type first.

    Example:
        >>> import taowa
        >>> softmax(taowa.tensor([0.0, 0.0]), dim=0)
        tensor([0.5000, 0.5000])
    """
    dim = _implicit_dim("softmax", input.ndim, _stacklevel) if dim is None else dim
    return _softmax.softmax(input, dim, dtype)


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """Return the logarithm of softmax along a dimension.

    Args:
        input: Of any shape.
        dim: The dimension along which the exponentials of the results sum to 1.
        dtype: Cast the input to this type first.

    Example:
        >>> import taowa
        >>> log_softmax(taowa.tensor([0.0, 0.0]), dim=0)
        tensor([-0.6931, -0.6931])
    """
    dim = _implicit_dim("log_softmax", input.ndim, _stacklevel) if dim is None else dim
    return _softmax.log_softmax(input, dim, dtype)


def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """Return softmax of the negated input along a dimension.

    Args:
        input: Of any shape.
        dim: The dimension along which the results sum to 1.
        dtype: Cast the input to this type first.

    Example:
        >>> import taowa
        >>> softmin(taowa.tensor([0.0, 0.0]), dim=0)
        tensor([0.5000, 0.5000])
    """
    dim = _implicit_dim("softmin", input.ndim, _stacklevel) if dim is None else dim
    return _softmax.softmin(input, dim, dtype)


def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """Draw from the Gumbel-softmax distribution.

    Args:
        logits: Unnormalised log-probabilities.
        tau: Temperature, > 0.
        hard: Return one-hot vectors, with the gradient of the soft ones.
        eps: Ignored, as in PyTorch.
        dim: The dimension along which the results sum to 1.

    References:
        Jang et al. 2017, https://arxiv.org/abs/1611.01144

    Example:
        >>> import taowa
        >>> gumbel_softmax(taowa.zeros(3, 4), hard=True).sum(1)
        tensor([1., 1., 1.])
    """
    draws = empty_like(logits.detach()).exponential_()  # type: ignore[attr-defined]
    return _softmax.softmax_of_draws(logits, draws, tau, dim, hard)


def normalize(
    input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Tensor | None = None
) -> Tensor:
    """Divide by the p-norm along a dimension.

    Args:
        input: Of any shape.
        p: Of the norm.
        dim: The dimension of the vectors.
        eps: Smallest divisor.
        out: Receives the result.

    Example:
        >>> import taowa
        >>> normalize(taowa.tensor([[3.0, 4.0]]))
        tensor([[0.6000, 0.8000]])
    """
    norm = input.norm(p, dim, keepdim=True)  # type: ignore[attr-defined]
    result = input / norm.clamp_min(eps).expand_as(input)  # type: ignore[operator]
    return result if out is None else out.copy_(result)  # type: ignore[attr-defined]
