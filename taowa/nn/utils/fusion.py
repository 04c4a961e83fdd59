"""Batch norm in evaluation, worked into the layer before it."""

from __future__ import annotations

import copy
from typing import Any

from taowa.core.op import Array, Scalar, op
from taowa.core.tensor import Tensor
from taowa.nn.module import Module
from taowa.nn.parameter import Parameter

__all__ = [
    "fuse_conv_bn_eval",
    "fuse_conv_bn_weights",
    "fuse_linear_bn_eval",
    "fuse_linear_bn_weights",
]


@op
def fuse(
    weight: Array,
    bias: Array | None,
    mean: Array,
    var: Array,
    scale: Array | None,
    shift: Array | None,
    eps: Scalar,
    dim: int,
):
    """Return weight and bias of a layer with the batch norm after it worked in.

    Args:
        dim: The weight's dimension of outputs.

    Example:
        >>> import taowa
        >>> one = taowa.ones(1)
        >>> fuse(taowa.ones(1, 1), None, one, one, 2 * one, None, 0.0, 0)
        (tensor([[2.]]), tensor([-2.]))
    """
    factor = (var + eps) ** -0.5
    factor = factor if scale is None else factor * scale
    shape = [1] * weight.ndim
    shape[dim] = -1
    bias_type = weight.dtype if bias is None else bias.dtype
    fused = ((0 if bias is None else bias) - mean) * factor + (0 if shift is None else shift)
    return (weight * factor.reshape(shape)).astype(weight.dtype), fused.astype(bias_type)


def _parameters(weight: Any, bias: Any, *rest: Any) -> tuple[Parameter, Parameter]:
    made = fuse(weight, bias, *rest)
    is_trained = (weight.requires_grad, bias is not None and bias.requires_grad)
    new = [Parameter(m.detach(), g) for m, g in zip(made, is_trained, strict=True)]
    return new[0], new[1]


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Return a convolution's weight and bias with the batch norm after it worked in.

    Args:
        conv_w: `(C_out, C_in, ...)`, or `(C_in, C_out, ...)` with `transpose`.
        conv_b: `(C_out,)`.
        bn_rm: Running mean `(C_out,)`.
        bn_rv: Running variance `(C_out,)`.
        bn_eps: Added to the variance.
        bn_w: Scale `(C_out,)`.
        bn_b: Shift `(C_out,)`.

    Example:
        >>> import taowa
        >>> one = taowa.ones(1)
        >>> fuse_conv_bn_weights(taowa.ones(1, 1, 1), None, one, one, 0.0, None, one)[1]
        Parameter containing:
        tensor([0.])
    """
    return _parameters(conv_w, conv_b, bn_rm, bn_rv, bn_w, bn_b, bn_eps, int(transpose))


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor,
    bn_b: Tensor,
) -> tuple[Parameter, Parameter]:
    """Return a linear layer's weight and bias with the batch norm after it worked in.

    Args:
        linear_w: `(out_features, in_features)`.
        linear_b: `(out_features,)`.
        bn_rm: Running mean `(out_features,)`, or `(1,)`.
        bn_rv: Running variance.
        bn_eps: Added to the variance.
        bn_w: Scale.
        bn_b: Shift.

    Example:
        >>> import taowa
        >>> one = taowa.ones(1)
        >>> fuse_linear_bn_weights(taowa.ones(1, 1), one, one, one, 0.0, one, one)[1]
        Parameter containing:
        tensor([1.])
    """
    return _parameters(linear_w, linear_b, bn_rm, bn_rv, bn_w, bn_b, bn_eps, 0)


def _require_evaluation(layer: Module, bn: Any) -> None:
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")


def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """Return a copy of a convolution that does the batch norm after it too.

    Args:
        conv: In evaluation mode.
        bn: In evaluation mode, with running statistics.
        transpose: Whether the convolution is a transposed one.

    Raises:
        AssertionError: if one of them is in training mode.

    Example:
        >>> from taowa import nn
        >>> fuse_conv_bn_eval(nn.Conv1d(2, 3, 1).eval(), nn.BatchNorm1d(3).eval())
        Conv1d(2, 3, kernel_size=(1,), stride=(1,))
    """
    _require_evaluation(conv, bn)
    fused = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias,
        transpose,
    )  # fmt: skip
    return fused


def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """Return a copy of a linear layer that does the batch norm after it too.

    Args:
        linear: In evaluation mode.
        bn: In evaluation mode, with running statistics, for as many features or for one.

    Raises:
        AssertionError: if one of them is in training mode, or the sizes differ.

    Example:
        >>> from taowa import nn
        >>> fuse_linear_bn_eval(nn.Linear(2, 3).eval(), nn.BatchNorm1d(3).eval())
        Linear(in_features=2, out_features=3, bias=True)
    """
    if not (linear.training or bn.training) and bn.num_features not in (1, linear.out_features):
        raise AssertionError(
            "To fuse, linear.out_features == bn.num_features or bn.num_features == 1, got "
            f"linear.out_features={linear.out_features} and bn.num_features={bn.num_features}"
        )
    _require_evaluation(linear, bn)
    fused = copy.deepcopy(linear)
    fused.weight, fused.bias = fuse_linear_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    )
    return fused
