"""Activations with exponentials in them, and the gates made of them."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from taowa.core.api import public
from taowa.core.op import Array, Scalar, op
from taowa.core.tensor import Tensor
from taowa.ops.dims import one_dim
from taowa.ops.precision import magnitude, require_floating, wide

# The fixed point of mean 0 and variance 1, Klambauer et al. 2017, https://arxiv.org/abs/1706.02515
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


def _exponential_below_zero(x: Any, alpha: Any, scale: Any = 1.0, rate: Any = 1.0) -> Any:
    # The exponent is cut off, so that no infinity reaches the gradient of the other piece.
    below = alpha * jnp.expm1(jnp.minimum(x, 0) * rate)
    return scale * jnp.where(x <= 0, below, x)


def _gradient_below_zero(x: Any, alpha: Any, scale: Any = 1.0, rate: Any = 1.0) -> Any:
    below = alpha * rate * jnp.exp(jnp.minimum(x, 0) * rate)
    return scale * jnp.where(x <= 0, below, 1)


@op
def elu(input: Array, alpha: Scalar = 1.0):
    """Return the input, with `alpha * (exp(input) - 1)` where it is negative.

    References:
        Clevert et al. 2015, https://arxiv.org/abs/1511.07289

    Example:
        >>> import taowa
        >>> elu(taowa.tensor([-1.0, 2.0]))
        tensor([-0.6321,  2.0000])
    """
    require_floating("elu", input)
    return _exponential_below_zero(wide(input), wide(alpha)).astype(input.dtype)


@elu.backward
def _(grad, input, alpha):
    return wide(grad) * _gradient_below_zero(wide(input), wide(alpha))


@public(is_method=False)
@op
def selu(input: Array):
    """Return a scaled `elu` that keeps mean 0 and variance 1.

    References:
        Klambauer et al. 2017, https://arxiv.org/abs/1706.02515

    Example:
        >>> import taowa
        >>> taowa.selu(taowa.tensor([-1.0, 2.0]))
        tensor([-1.1113,  2.1014])
    """
    require_floating("selu", input)
    return _exponential_below_zero(wide(input), SELU_ALPHA, SELU_SCALE).astype(input.dtype)


@selu.backward
def _(grad, input):
    return wide(grad) * _gradient_below_zero(wide(input), SELU_ALPHA, SELU_SCALE)


@op(name="celu")
def _celu(input: Array, alpha: Scalar):
    require_floating("celu", input)
    alpha = wide(alpha)
    return _exponential_below_zero(wide(input), alpha, 1.0, 1 / alpha).astype(input.dtype)


@_celu.backward
def _(grad, input, alpha):
    return wide(grad) * _gradient_below_zero(wide(input), wide(alpha), 1.0, 1 / wide(alpha))


@public(is_method=False)
def celu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """Return the input, with `alpha * (exp(input / alpha) - 1)` where it is negative.

    Raises:
        RuntimeError: if `alpha` is 0.

    References:
        Barron 2017, https://arxiv.org/abs/1704.07483

    Example:
        >>> import taowa
        >>> taowa.celu(taowa.tensor([-1.0, 2.0]))
        tensor([-0.6321,  2.0000])
    """
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return _celu(input, alpha)


@op(name="gelu")
def _gelu(input: Array):
    require_floating("gelu", input)
    x = wide(input)
    return (x * 0.5 * (1 + lax.erf(x * math.sqrt(0.5)))).astype(input.dtype)


@_gelu.backward
def _(grad, input):
    x = wide(input)
    density = jnp.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return wide(grad) * (0.5 * (1 + lax.erf(x * math.sqrt(0.5))) + x * density)


def _tanh_argument(x: Any) -> Any:
    return math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)


@op(name="gelu_tanh")
def _gelu_tanh(input: Array):
    require_floating("gelu", input)
    x = wide(input)
    return (0.5 * x * (1 + jnp.tanh(_tanh_argument(x)))).astype(input.dtype)


@_gelu_tanh.backward
def _(grad, input):
    x = wide(input)
    t = jnp.tanh(_tanh_argument(x))
    slope = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)
    return wide(grad) * 0.5 * (1 + t + x * (1 - t * t) * slope)


def gelu(input: Tensor, *, approximate: str = "none") -> Tensor:
    """Return the input times the normal distribution's cumulative function of it.

    Args:
        approximate: `"none"`, or `"tanh"` for the approximation by a hyperbolic tangent.

    References:
        Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415

    Example:
        >>> import taowa
        >>> gelu(taowa.tensor([-1.0, 2.0]))
        tensor([-0.1587,  1.9545])
    """
    if approximate == "none":
        return _gelu(input)
    if approximate == "tanh":
        return _gelu_tanh(input)
    raise RuntimeError(f"approximate argument must be either none or tanh, but got {approximate!r}")


@op
def silu(input: Array):
    """Return `input * sigmoid(input)`.

    References:
        Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415

    Example:
        >>> import taowa
        >>> silu(taowa.tensor([-1.0, 2.0]))
        tensor([-0.2689,  1.7616])
    """
    require_floating("silu", input)
    x = wide(input)
    return (x * jax.nn.sigmoid(x)).astype(input.dtype)


@silu.backward
def _(grad, input):
    x = wide(input)
    s = jax.nn.sigmoid(x)
    return wide(grad) * s * (1 + x * (1 - s))


def _softplus_of(x: Any) -> Any:
    return jnp.logaddexp(x, jnp.zeros((), x.dtype))


@op
def mish(input: Array):
    """Return `input * tanh(softplus(input))`.

    References:
        Misra 2019, https://arxiv.org/abs/1908.08681

    Example:
        >>> import taowa
        >>> mish(taowa.tensor([-1.0, 2.0]))
        tensor([-0.3034,  1.9440])
    """
    require_floating("mish", input)
    x = wide(input)
    return (x * jnp.tanh(_softplus_of(x))).astype(input.dtype)


@mish.backward
def _(grad, input):
    x = wide(input)
    t = jnp.tanh(_softplus_of(x))
    return wide(grad) * (t + x * jax.nn.sigmoid(x) * (1 - t * t))


@op
def softplus(input: Array, beta: Scalar = 1.0, threshold: Scalar = 20.0):
    """Return `log(1 + exp(beta * input)) / beta`, the input itself above `threshold / beta`.

    Example:
        >>> import taowa
        >>> softplus(taowa.tensor([-1.0, 2.0]))
        tensor([0.3133, 2.1269])
    """
    require_floating("softplus", input)
    x, beta = wide(input), wide(beta)
    smooth = _softplus_of(x * beta) / beta
    return jnp.where(x * beta > wide(threshold), x, smooth).astype(input.dtype)


@softplus.backward
def _(grad, input, beta, threshold):
    x = wide(input) * wide(beta)
    return wide(grad) * jnp.where(x > wide(threshold), 1, jax.nn.sigmoid(x))


@op
def logsigmoid(input: Array):
    """Return the logarithm of the sigmoid function.

    Example:
        >>> import taowa
        >>> logsigmoid(taowa.tensor([-1.0, 2.0]))
        tensor([-1.3133, -0.1269])
    """
    require_floating("log_sigmoid", input)
    return (-_softplus_of(-wide(input))).astype(input.dtype)


@logsigmoid.backward
def _(grad, input):
    return wide(grad) * jax.nn.sigmoid(-wide(input))


@op(promote="float")
def softsign(input: Array):
    """Return `input / (1 + abs(input))`.

    Example:
        >>> import taowa
        >>> softsign(taowa.tensor([-1.0, 3.0]))
        tensor([-0.5000,  0.7500])
    """
    return input / (1 + magnitude(input))


@op(promote="float")
def tanhshrink(input: Array):
    """Return `input - tanh(input)`.

    Example:
        >>> import taowa
        >>> tanhshrink(taowa.tensor([-1.0, 2.0]))
        tensor([-0.2384,  1.0360])
    """
    return input - jnp.tanh(input)


@op
def glu(input: Array, dim: int = -1):
    """Return one half of the input times the sigmoid of the other.

    Args:
        dim: The dimension that is halved.

    References:
        Dauphin et al. 2016, https://arxiv.org/abs/1612.08083

    Example:
        >>> import taowa
        >>> glu(taowa.tensor([4.0, 0.0]))
        tensor([2.])
    """
    if input.ndim == 0:
        raise RuntimeError("glu does not support scalars because halving size must be even")
    dim = one_dim(dim, input.ndim)
    if input.shape[dim] % 2:
        raise RuntimeError(
            f"Halving dimension must be even, but dimension {dim} is size {input.shape[dim]}"
        )
    require_floating("glu", input)
    value, gate = jnp.split(input, 2, dim)
    return (wide(value) * jax.nn.sigmoid(wide(gate))).astype(input.dtype)
