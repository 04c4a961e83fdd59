"""The forms of dropout in `nn.functional`."""

from __future__ import annotations

import warnings
from typing import Any

from taowa.core.api import write_inplace
from taowa.core.tensor import Tensor
from taowa.ops import dropout as ops
from taowa.ops.dropout import drop_channels


def _require_probability(p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _hand_out(input: Tensor, result: Tensor, inplace: bool) -> Tensor:
    return write_inplace(input, result) if inplace and result is not input else result


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero elements at random and scale the others by `1 / (1 - p)`, in training.

    Args:
        p: Probability of zeroing, in [0, 1].
        inplace: Write the result into `input`.

    Raises:
        ValueError: if `p` is no probability.

    References:
        Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html

    Example:
        >>> import taowa
        >>> dropout(taowa.ones(2), training=False)
        tensor([1., 1.])
    """
    _require_probability(p)
    return _hand_out(input, ops.dropout(input, p, training), inplace)


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Set elements to SELU's limit at random, keeping mean and variance.

    References:
        Klambauer et al. 2017, https://arxiv.org/abs/1706.02515

    Example:
        >>> import taowa
        >>> alpha_dropout(taowa.ones(2))
        tensor([1., 1.])
    """
    _require_probability(p)
    return _hand_out(input, ops.alpha_dropout(input, p, training), inplace)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Set whole channels to SELU's limit at random, keeping mean and variance.

    Args:
        input: `(N, C, ...)`.

    Example:
        >>> import taowa
        >>> feature_alpha_dropout(taowa.ones(1, 2))
        tensor([[1., 1.]])
    """
    _require_probability(p)
    return _hand_out(input, ops.feature_alpha_dropout(input, p, training), inplace)


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero whole channels of sequences at random, in training.

    Args:
        input: `(N, C, L)` or `(C, L)`.

    Raises:
        RuntimeError: for another number of dimensions.

    Example:
        >>> import taowa
        >>> dropout1d(taowa.ones(1, 2, 3), 1.0).sum()
        tensor(0.)
    """
    _require_probability(p)
    if input.ndim not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, (N, C, L) or (C, L), but received a "
            f"{input.ndim}D input of shape {tuple(input.shape)}"
        )
    return _drop(input, p, training, inplace, num_dims=input.ndim - 1)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero whole channels of images at random, in training.

    Args:
        input: `(N, C, H, W)`; three dimensions are read as `(N, C, L)`, with a warning.

    Example:
        >>> import taowa
        >>> dropout2d(taowa.ones(1, 2, 3, 3), 1.0).sum()
        tensor(0.)
    """
    _require_probability(p)
    if input.ndim == 3:
        warnings.warn(
            "dropout2d: a 3D input is read as (N, C, L); use dropout1d for that. A future "
            "release of PyTorch will read it as (C, H, W).",
            stacklevel=2,
        )
    elif input.ndim != 4:
        _warn_about_dims("dropout2d", input)
    return _drop(input, p, training, inplace, num_dims=2)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero whole channels of volumes at random, in training.

    Args:
        input: `(N, C, D, H, W)` or `(C, D, H, W)`.

    Example:
        >>> import taowa
        >>> dropout3d(taowa.ones(1, 2, 3, 3, 3), 1.0).sum()
        tensor(0.)
    """
    _require_probability(p)
    if input.ndim not in (4, 5):
        _warn_about_dims("dropout3d", input)
    return _drop(input, p, training, inplace, num_dims=2 if input.ndim == 5 else 1)


def _warn_about_dims(name: str, input: Tensor) -> None:
    warnings.warn(
        f"{name}: Received a {input.ndim}-D input to {name}, which is deprecated: "
        "please use dropout instead.",
        stacklevel=3,
    )


def _drop(input: Tensor, p: float, training: Any, inplace: bool, num_dims: int) -> Tensor:
    return _hand_out(input, drop_channels(input, p, training, num_dims), inplace)
