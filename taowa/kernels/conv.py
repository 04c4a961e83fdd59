"""Convolutions as JAX primitives: by the CPU kernels on a CPU, elsewhere by XLA's own operation.

Images lie channels-last, `(N, H, W, C)`, weights as in PyTorch, `(C_out, C / groups, kH, kW)`.
The three passes of a convolution are linear in both operands, and the gradients of each are the
two others, so they can be differentiated any number of times.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import ShapedArray
from jax.interpreters import ad, batching, mlir

from taowa.kernels.shared_library import kernels

_LAYOUT = ("NHWC", "OIHW", "NHWC")
Primitive: Any = type(lax.dot_general_p)  # importing jax.extend.core would import Pallas too


class Geometry(NamedTuple):
    """The sizes of a convolution, and whether Winograd's algorithm may be used."""

    sizes: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int
    winograd: bool = True

    def output_sizes(self) -> tuple[int, ...]:
        """Return the height and width that come out."""
        dims = zip(
            self.sizes, self.kernel, self.stride, self.padding, self.dilation, strict=True
        )  # fmt: skip
        return tuple((n + sum(p) - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in dims)

    def window(self) -> np.ndarray:
        """Return what the kernels are told besides the shapes of the arrays."""
        before = [pair[0] for pair in self.padding]
        return np.array([*self.stride, *before, *self.dilation, self.groups], np.int64)


def method() -> str:
    """Return which kernels new programs may use: `winograd` (all), `direct` or `xla` (none)."""
    if not kernels.is_used():
        return "xla"
    return "winograd" if kernels.winograd else "direct"


def is_wanted(x: Any, method: str) -> bool:
    """Return whether kernels may be used for images of this type."""
    return method != "xla" and x.dtype == np.float32 and kernels.is_available()


def suits_winograd(geometry: Geometry) -> bool:
    """Return whether Winograd's algorithm can compute this convolution."""
    return (*geometry.kernel, *geometry.stride, *geometry.dilation, geometry.groups) == (
        3, 3, 1, 1, 1, 1, 1,
    )  # fmt: skip


def is_winograd_quicker(batch: int, channels: int, outputs: int, geometry: Geometry) -> bool:
    """Return whether Winograd's algorithm needs less work: a model of both, in vector operations.

    Products of matrices run at full speed, one operation for each 16 products. What else each
    algorithm does to inputs, outputs and filters is set by hand, as operations per number.
    """
    height, width = geometry.output_sizes()
    tiles, pixels = batch * -(-height // 4) * -(-width // 4), batch * height * width
    filters = channels * outputs
    transforms = 10 * (-(-channels // 16) + -(-outputs // 16)) * 16
    winograd = tiles * (36 * filters / 16 + transforms) + 15 * filters
    direct = pixels * 9 * (filters / 16 + 0.15 * channels) + 9 * filters
    return winograd < direct


def forward(x: Any, weight: Any, geometry: Geometry) -> Any:
    """Convolve images with filters."""
    return _forward.bind(x, weight, geometry=geometry)


def input_gradient(cotangent: Any, weight: Any, geometry: Geometry) -> Any:
    """Return the gradient of `forward` towards the images."""
    return _input_gradient.bind(cotangent, weight, geometry=geometry)


def weight_gradient(x: Any, cotangent: Any, geometry: Geometry) -> Any:
    """Return the gradient of `forward` towards the filters."""
    return _weight_gradient.bind(x, cotangent, geometry=geometry)


def reference_forward(x: Any, weight: Any, geometry: Geometry) -> Any:
    """Convolve by XLA's own operation."""
    return lax.conv_general_dilated(
        x, weight, geometry.stride, geometry.padding, rhs_dilation=geometry.dilation,
        feature_group_count=geometry.groups, dimension_numbers=_LAYOUT,
    )  # fmt: skip


def reference_input_gradient(cotangent: Any, weight: Any, geometry: Geometry) -> Any:
    """Return the gradient towards the images by XLA's own operation."""
    shape = (cotangent.shape[0], *geometry.sizes, weight.shape[1] * geometry.groups)
    images = jax.ShapeDtypeStruct(shape, cotangent.dtype)
    return jax.linear_transpose(lambda x: reference_forward(x, weight, geometry), images)(
        cotangent
    )[0]


def reference_weight_gradient(x: Any, cotangent: Any, geometry: Geometry) -> Any:
    """Return the gradient towards the filters by XLA's own operation."""
    shape = (cotangent.shape[3], x.shape[3] // geometry.groups, *geometry.kernel)
    filters = jax.ShapeDtypeStruct(shape, x.dtype)
    return jax.linear_transpose(lambda w: reference_forward(x, w, geometry), filters)(cotangent)[0]


def _define(name: str, reference: Callable, result_shape: Callable, sizes: Callable) -> Any:
    """Return the primitive of one pass; `sizes` finds batch, channels and outputs."""
    primitive = Primitive(f"taowa_{name}")

    def shape_of(a: Any, b: Any, *, geometry: Geometry) -> ShapedArray:
        return ShapedArray(result_shape(a.shape, b.shape, geometry), a.dtype)

    def lower(context: Any, a: Any, b: Any, *, geometry: Geometry) -> Any:
        rule = jax.ffi.ffi_lowering(f"taowa.{name}")
        batch, channels, outputs = sizes(*[aval.shape for aval in context.avals_in])
        winograd = geometry.winograd and suits_winograd(geometry)
        winograd = winograd and is_winograd_quicker(batch, channels, outputs, geometry)
        return rule(context, a, b, window=geometry.window(), winograd=winograd)

    primitive.def_abstract_eval(shape_of)
    primitive.def_impl(lambda a, b, **static: jax.jit(partial(primitive.bind, **static))(a, b))
    mlir.register_lowering(primitive, mlir.lower_fun(reference, multiple_results=False))
    mlir.register_lowering(primitive, lower, platform="cpu")
    batching.primitive_batchers[primitive] = partial(_batch, primitive)
    return primitive


def _batch(primitive: Any, values: tuple, axes: tuple, *, geometry: Geometry) -> tuple:
    """Apply a pass to stacks of operands: of images as one larger batch, else one by one."""
    a, b = (
        v if axis is None else jnp.moveaxis(v, axis, 0)
        for v, axis in zip(values, axes, strict=True)
    )
    if axes[1] is None and primitive is not _weight_gradient:
        result = primitive.bind(a.reshape(-1, *a.shape[2:]), b, geometry=geometry)
        return result.reshape(*a.shape[:2], *result.shape[1:]), 0

    def one(pair: tuple) -> Any:
        whole = [v if axis is None else p for v, axis, p in zip((a, b), axes, pair, strict=True)]
        return primitive.bind(*whole, geometry=geometry)

    pairs = tuple(None if axis is None else v for v, axis in zip((a, b), axes, strict=True))
    return lax.map(one, pairs), 0


_forward = _define(
    "conv_forward",
    reference_forward,
    lambda x, w, geometry: (x[0], *geometry.output_sizes(), w[0]),
    lambda x, w: (x[0], x[3], w[0]),
)
_input_gradient = _define(
    "conv_input",
    reference_input_gradient,
    lambda dy, w, geometry: (dy[0], *geometry.sizes, w[1] * geometry.groups),
    lambda dy, w: (dy[0], w[1], dy[3]),
)
_weight_gradient = _define(
    "conv_weight",
    reference_weight_gradient,
    lambda x, dy, geometry: (dy[3], x[3] // geometry.groups, *geometry.kernel),
    lambda x, dy: (x[0], x[3], dy[3]),
)

# Each pass is linear in both operands; cotangent first, then the operands as they stand in a call.
ad.defbilinear(
    _forward,
    lambda ct, _, w, geometry: input_gradient(ct, w, geometry),
    lambda ct, x, _, geometry: weight_gradient(x, ct, geometry),
)
ad.defbilinear(
    _input_gradient,
    lambda ct, _, w, geometry: forward(ct, w, geometry),
    lambda ct, dy, _, geometry: weight_gradient(ct, dy, geometry),
)
ad.defbilinear(
    _weight_gradient,
    lambda ct, _, dy, geometry: input_gradient(dy, ct, geometry),
    lambda ct, x, _, geometry: forward(x, ct, geometry),
)
