"""Images to columns of their blocks and back: im2col and col2im."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.convolution import as_tuple
from taowa.ops.operands import kind_name

Size = int | Sequence[int]


class _Blocks(NamedTuple):
    """The sliding blocks of an image, two numbers in each field."""

    kernel: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int]
    stride: tuple[int, int]

    def counts(self, sizes: Sequence[int]) -> list[int]:
        """Return how many blocks fit along each dimension."""
        return [
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, k, d, p, s in zip(sizes, *self, strict=True)
        ]


def _blocks(name: str, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> _Blocks:
    pairs: Any = [_pair(v) for v in (kernel_size, dilation, padding, stride)]
    blocks = _Blocks(*pairs)
    for field in ("kernel", "dilation", "stride"):
        if min(getattr(blocks, field)) <= 0:
            raise RuntimeError(
                f"{name}: {field} should be greater than zero, but got {getattr(blocks, field)}"
            )
    if min(blocks.padding) < 0:
        raise RuntimeError(f"{name}: padding should be non-negative, but got {blocks.padding}")
    return blocks


def _pair(value: Size) -> tuple[int, ...]:
    values = as_tuple(value, 2)
    if len(values) != 2:
        raise RuntimeError(f"expected one or two numbers, but got {list(values)}")
    return values


def _columns(x: Any, blocks: _Blocks) -> Any:
    """Return `(N, C * kH * kW, L)` from `(N, C, H, W)`."""
    batch, channels, *sizes = x.shape
    counts = blocks.counts(sizes)
    pads = [(0, 0), (0, 0), *((p, p) for p in blocks.padding)]
    x = jnp.pad(x, pads)
    for axis in (2, 3):  # all rows of the kernel, then all its columns: kH + kW slices
        kernel, dilation, _, stride = (field[axis - 2] for field in blocks)
        reach = (counts[axis - 2] - 1) * stride + 1
        dim = axis + (axis - 2)  # the kernel's rows are a dimension of their own by then
        cuts = [
            lax.slice_in_dim(x, i * dilation, i * dilation + reach, stride, dim)
            for i in range(kernel)
        ]
        x = jnp.stack(cuts, dim)
    x = x.transpose(0, 1, 2, 4, 3, 5)  # from (N, C, kH, H_out, kW, W_out)
    rows = channels * blocks.kernel[0] * blocks.kernel[1]
    return x.reshape(batch, rows, counts[0] * counts[1])


def _image(columns: Any, blocks: _Blocks, sizes: tuple) -> Any:
    """Return `(N, C, H, W)`: the sum of the blocks, the transpose of `_columns`."""
    channels = columns.shape[1] // (blocks.kernel[0] * blocks.kernel[1])
    image = jax.ShapeDtypeStruct((columns.shape[0], channels, *sizes), columns.dtype)
    if columns.dtype == bool:
        added = _image(columns.astype(jnp.int32), blocks, sizes)
        return added != 0
    return jax.linear_transpose(lambda x: _columns(x, blocks), image)(columns)[0]


@op(name="im2col")
def _unfold(input: Array, blocks: _Blocks):
    shape = list(input.shape)
    if input.ndim not in (3, 4) or 0 in shape[-3:]:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, but got: {shape}"
        )
    _require_type("im2col", input)
    if min(blocks.counts(shape[-2:])) < 1:
        raise RuntimeError(
            f"Given input with spatial size {shape[-2:]} and {blocks}, calculated shape of the "
            f"array of sliding blocks as {blocks.counts(shape[-2:])}, but its components must be "
            "at least one."
        )
    return _columns(input, blocks) if input.ndim == 4 else _columns(input[None], blocks)[0]


@_unfold.backward
def _(grad, input, blocks):
    grad = grad if input.ndim == 4 else grad[None]
    return _image(grad, blocks, input.shape[-2:]).reshape(input.shape)


@op(name="col2im")
def _fold(input: Array, sizes: tuple, blocks: _Blocks):
    shape = list(input.shape)
    if input.ndim not in (2, 3) or 0 in shape[-2:]:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and "
            f"non-zero dimensions for input, but got: {shape}"
        )
    _require_type("col2im", input)
    if shape[-2] % (blocks.kernel[0] * blocks.kernel[1]):
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, "
            f"but got input.size(1)={shape[-2]} and kernel_size={blocks.kernel}."
        )
    counts = blocks.counts(sizes)
    if min(counts) < 1 or counts[0] * counts[1] != shape[-1]:
        raise RuntimeError(
            f"Given output_size={sizes} and {blocks}, expected size of input's dimension 2 to "
            f"match the calculated number of sliding blocks {counts[0]} * {counts[1]}, but got "
            f"input.size(2)={shape[-1]}."
        )
    return _image(input if input.ndim == 3 else input[None], blocks, sizes).reshape(
        *shape[:-2], shape[-2] // (blocks.kernel[0] * blocks.kernel[1]), *sizes
    )


@_fold.backward
def _(grad, input, blocks):
    grad = grad if input.ndim == 3 else grad[None]
    return _columns(grad, blocks).reshape(input.shape)


def _require_type(name: str, x: Any) -> None:
    if not (jnp.issubdtype(x.dtype, jnp.inexact) or x.dtype == bool):
        raise NotImplementedError(f"\"{name}\" not implemented for '{kind_name(x)}'")


def unfold(
    input: Tensor,
    kernel_size: Size,
    dilation: Size = 1,
    padding: Size = 0,
    stride: Size = 1,
) -> Tensor:
    """Return the sliding blocks of images, each as a column.

    Args:
        dilation: Distance of a block's elements.
        padding: Zeros put on all sides of the image.
        stride: Step of the blocks.
    Shape:
        `(N, C, H, W)` or `(C, H, W)` -> `(N, C * kH * kW, L)`, L the number of blocks

    Example:
        >>> import taowa
        >>> unfold(taowa.tensor([[[1.0, 2.0, 3.0]]]), (1, 2))
        tensor([[1., 2.],
                [2., 3.]])
    """
    return _unfold(input, _blocks("im2col", kernel_size, dilation, padding, stride))


def fold(
    input: Tensor,
    output_size: Size,
    kernel_size: Size,
    dilation: Size = 1,
    padding: Size = 0,
    stride: Size = 1,
) -> Tensor:
    """Return images from columns of their sliding blocks, overlapping blocks added up.

    Args:
        output_size: Height and width of the images.
        dilation: Distance of a block's elements.
        padding: Zeros that were put on all sides of the image.
        stride: Step of the blocks.
    Shape:
        `(N, C * kH * kW, L)` or without N -> `(N, C, H, W)`, L the number of blocks

    Example:
        >>> import taowa
        >>> fold(taowa.tensor([[1.0, 2.0], [2.0, 3.0]]), (1, 3), (1, 2))
        tensor([[[1., 4., 3.]]])
    """
    blocks = _blocks("col2im", kernel_size, dilation, padding, stride)
    return _fold(input, _pair(output_size), blocks)
