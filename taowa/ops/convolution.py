"""Convolution and its transpose, for any number of spatial dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.kernels import conv as kernel
from taowa.ops.padding import pad_array
from taowa.ops.precision import require_same_dtype, wide
from taowa.ops.small_convolution import convolve_by_taps, has_small_images

Size = int | Sequence[int]


def as_tuple(value: Size, rank: int) -> tuple[int, ...]:
    """Return one number for each spatial dimension.

    Example:
        >>> as_tuple(3, 2), as_tuple([1, 2], 2)
        ((3, 3), (1, 2))
    """
    return (value,) * rank if isinstance(value, int) else tuple(value)


def _spread(name: str, values: tuple, rank: int) -> tuple:
    if len(values) not in (1, rank):
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of {rank} values to match the "
            f"convolution dimensions, but got {name}={list(values)}"
        )
    return values * (rank // len(values)) if len(values) == 1 else values


def _batched(input: Any, rank: int, name: str) -> Any:
    """Return the input with a dimension of batches."""
    if input.ndim not in (rank + 1, rank + 2):
        raise RuntimeError(
            f"Expected {rank + 1}D (unbatched) or {rank + 2}D (batched) input to {name}{rank}d, "
            f"but got input of size: {list(input.shape)}"
        )
    return input if input.ndim == rank + 2 else input[None]


def _require_operands(
    x: Any, weight: Any, bias: Any, groups: int, channels: int, outputs: int, kind: str
) -> None:
    if weight.ndim != x.ndim:
        raise RuntimeError(
            f"expected a weight of {x.ndim} dimensions, but got weight of size {list(weight.shape)}"
        )
    if groups <= 0:
        raise RuntimeError(f"non-positive groups is not supported, but got groups={groups}")
    if weight.shape[0] < groups or weight.shape[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, "
            f"but got weight of size {list(weight.shape)} instead"
        )
    if x.shape[1] != channels:
        raise RuntimeError(
            f"Given {kind}, weight of size {list(weight.shape)}, expected "
            f"input{list(x.shape)} to have {channels} channels, but got {x.shape[1]} channels "
            "instead"
        )
    if bias is not None and bias.shape != (outputs,):
        raise RuntimeError(
            f"Given weight of size {list(weight.shape)}, expected bias to be 1-dimensional with "
            f"{outputs} elements, but got bias of size {list(bias.shape)} instead"
        )
    require_same_dtype("input, weight and bias", x, weight, bias)


def _require_positive(stride: tuple, dilation: tuple) -> None:
    if min(stride) <= 0:
        raise RuntimeError(f"non-positive stride is not supported, but got {list(stride)}")
    if min(dilation) <= 0:
        raise RuntimeError(f"dilation should be greater than zero, but got {list(dilation)}")


def same_padding(kernel: Sequence[int], dilation: Sequence[int]) -> list[tuple[int, int]]:
    """Return how much to pad before and after so that the size stays; the odd one goes after.

    Example:
        >>> same_padding((3, 4), (1, 1))
        [(1, 1), (1, 2)]
    """
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return [(total // 2, total - total // 2) for total in totals]


def _padding_pairs(
    padding: tuple | str, kernel: tuple, stride: tuple, dilation: tuple
) -> list[tuple[int, int]]:
    if padding == "same":
        if max(stride) > 1:
            raise RuntimeError("padding='same' is not supported for strided convolutions")
        return same_padding(kernel, dilation)
    if padding == "valid":
        return [(0, 0)] * len(kernel)
    if isinstance(padding, str):
        raise RuntimeError(f"Invalid padding string: {padding!r}, expected 'same' or 'valid'")
    padding = _spread("padding", padding, len(kernel))
    if min(padding) < 0:
        raise RuntimeError(f"negative padding is not supported, but got {list(padding)}")
    return [(p, p) for p in padding]


def _require_room(x: Any, kernel: tuple, pairs: list, dilation: tuple) -> None:
    padded = [n + sum(pair) for n, pair in zip(x.shape[2:], pairs, strict=True)]
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    if any(n < r for n, r in zip(padded, reach, strict=True)):
        raise RuntimeError(
            f"Calculated padded input size per channel: ({' x '.join(map(str, padded))}). "
            f"Kernel size: ({' x '.join(map(str, reach))}). "
            "Kernel size can't be greater than actual input size"
        )


def _dimension_numbers(rank: int) -> lax.ConvDimensionNumbers:
    order = tuple(range(rank + 2))  # (N, C, ...) and (O, I, ...)
    return lax.ConvDimensionNumbers(order, order, order)


def _add_bias(y: Any, bias: Any, rank: int) -> Any:
    if bias is None:
        return y
    return (wide(y) + wide(bias).reshape(-1, *(1,) * rank)).astype(y.dtype)


@op
def convolution(
    input: Array,
    weight: Array,
    bias: Array | None,
    rank: int,
    stride: tuple,
    padding: Any,
    dilation: tuple,
    groups: int,
    padding_mode: str = "zeros",
    method: str = "xla",
):
    """Slide a bank of filters over the input.

    Args:
        weight: `(out_channels, in_channels // groups, *kernel_size)`.
        bias: `(out_channels,)`.
        rank: The number of spatial dimensions.
        padding: A number for each spatial dimension, `"same"` or `"valid"`.
        padding_mode: What is put around the input: `zeros`, `reflect`, `replicate`, `circular`.
        method: Which CPU kernels may be used: `winograd` (all of them), `direct`, or `xla` (none).
    Shape:
        `(N, C, *sizes)` or `(C, *sizes)` -> `(N, C_out, *new_sizes)` or `(C_out, *new_sizes)`

    Example:
        >>> import taowa
        >>> x, weight = taowa.ones(1, 1, 4), taowa.ones(1, 1, 3)
        >>> convolution(x, weight, None, 1, (1,), (1,), (1,), 1)
        tensor([[[2., 3., 3., 2.]]])
    """
    stride, dilation = _spread("stride", stride, rank), _spread("dilation", dilation, rank)
    x = _batched(input, rank, "conv")
    channels = weight.shape[1] * groups if weight.ndim > 1 else 0
    _require_operands(x, weight, bias, groups, channels, weight.shape[0], f"groups={groups}")
    _require_positive(stride, dilation)
    kernel = weight.shape[2:]
    pairs = _padding_pairs(padding, kernel, stride, dilation)
    if padding_mode != "zeros":
        x = pad_array(x, [(0, 0), (0, 0), *pairs], padding_mode)
        pairs = [(0, 0)] * rank
    _require_room(x, kernel, pairs, dilation)
    options = (stride, pairs, dilation, groups)
    y = _convolve_by_kernel(x, weight, *options, method)
    y = _add_bias(_convolve(x, weight, *options) if y is None else y, bias, rank)
    return y if input.ndim == x.ndim else y[0]


def _convolve(x: Any, weight: Any, stride: tuple, pairs: list, dilation: tuple, groups: int) -> Any:
    if has_small_images(x, weight, stride, pairs, dilation):
        return convolve_by_taps(x, weight, stride, pairs, dilation, groups)
    return lax.conv_general_dilated(
        x, weight, stride, pairs, rhs_dilation=dilation, feature_group_count=groups,
        dimension_numbers=_dimension_numbers(len(stride)),
    )  # fmt: skip


def _convolve_by_kernel(
    x: Any, weight: Any, stride: tuple, pairs: list, dilation: tuple, groups: int, method: str
) -> Any:
    """Return the result of a CPU kernel, channels-last inside; `None` if none suits."""
    if not _has_kernel(x, method):
        return None
    geometry = _geometry(x.shape[2:], weight, stride, pairs, dilation, groups, method)
    return _run_kernel(kernel.forward, x, weight, geometry, geometry.sizes)


def _has_kernel(x: Any, method: str) -> bool:
    return x.ndim < 5 and x.size > 0 and kernel.is_wanted(x, method)


def _geometry(
    sizes: Any, weight: Any, stride: tuple, pairs: list, dilation: tuple, groups: int, method: str
) -> kernel.Geometry:
    """Return the sizes of a 2-d convolution; one dimension is two with a height of one."""
    low = 2 - len(stride)
    return kernel.Geometry(
        (1,) * low + tuple(sizes), (1,) * low + weight.shape[2:], (1,) * low + stride,
        ((0, 0),) * low + tuple(pairs), (1,) * low + dilation, groups, method == "winograd",
    )  # fmt: skip


def _run_kernel(run: Any, x: Any, weight: Any, geometry: kernel.Geometry, sizes: tuple) -> Any:
    """Run a kernel on images of these sizes: `(N, C, *sizes)` -> `(N, C_out, *new_sizes)`."""
    images = x.reshape(*x.shape[:2], *sizes).transpose(0, 2, 3, 1)
    filters = weight.reshape(*weight.shape[:2], *geometry.kernel)
    y = run(images, filters, geometry).transpose(0, 3, 1, 2)
    return y.reshape(*y.shape[:2], *y.shape[6 - x.ndim :])


def _transposed_sizes(
    x: Any, kernel: tuple, stride: tuple, padding: tuple, output_padding: tuple, dilation: tuple
) -> list[int]:
    sizes = zip(x.shape[2:], kernel, stride, padding, output_padding, dilation, strict=True)
    return [(n - 1) * s - 2 * p + d * (k - 1) + o + 1 for n, k, s, p, o, d in sizes]


def _require_output_padding(output_padding: tuple, stride: tuple, dilation: tuple) -> None:
    triples = zip(output_padding, stride, dilation, strict=True)
    if any(o >= s and o >= d for o, s, d in triples):
        raise RuntimeError(
            "output padding must be smaller than either stride or dilation, but got "
            f"output_padding={list(output_padding)}, stride={list(stride)}, "
            f"dilation={list(dilation)}"
        )


@op
def conv_transpose(
    input: Array,
    weight: Array,
    bias: Array | None,
    rank: int,
    stride: tuple,
    padding: tuple,
    output_padding: tuple,
    groups: int,
    dilation: tuple,
    method: str = "xla",
):
    """Apply the transpose of a convolution: what its gradient does to the input.

    Args:
        weight: `(in_channels, out_channels // groups, *kernel_size)`.
        rank: The number of spatial dimensions.
        output_padding: How much is added to one side of the result.
        method: Which CPU kernels may be used: `winograd` (all of them), `direct`, or `xla` (none).

    Example:
        >>> import taowa
        >>> x, weight = taowa.ones(1, 1, 2), taowa.ones(1, 1, 3)
        >>> conv_transpose(x, weight, None, 1, (2,), (0,), (0,), 1, (1,))
        tensor([[[1., 1., 2., 1., 1.]]])
    """
    stride, dilation = _spread("stride", stride, rank), _spread("dilation", dilation, rank)
    padding = _spread("padding", padding, rank)
    output_padding = _spread("output_padding", output_padding, rank)
    x = _batched(input, rank, "conv_transpose")
    outputs = weight.shape[1] * groups if weight.ndim > 1 else 0
    _require_operands(x, weight, bias, groups, weight.shape[0], outputs, "transposed=1")
    _require_positive(stride, dilation)
    _require_output_padding(output_padding, stride, dilation)
    kernel = weight.shape[2:]
    sizes = _transposed_sizes(x, kernel, stride, padding, output_padding, dilation)
    if min(sizes) <= 0:
        raise RuntimeError(
            f"Given input size per channel: ({' x '.join(map(str, x.shape[2:]))}). Calculated "
            f"output size per channel: ({' x '.join(map(str, sizes))}). Output size is too small"
        )
    options = (stride, padding, output_padding, dilation, groups)
    y = _transpose_by_kernel(x, weight, sizes, *options, method)
    y = _add_bias(_transpose(x, weight, *options) if y is None else y, bias, rank)
    return y if input.ndim == x.ndim else y[0]


def _transpose_by_kernel(
    x: Any, weight: Any, sizes: list[int], stride: tuple, padding: tuple, output_padding: tuple,
    dilation: tuple, groups: int, method: str,
) -> Any:  # fmt: skip
    """Return what the CPU kernel of a convolution's gradient gives; `None` if none suits."""
    if not _has_kernel(x, method):
        return None
    pairs = [(p, p - o) for p, o in zip(padding, output_padding, strict=True)]
    geometry = _geometry(sizes, weight, stride, pairs, dilation, groups, method)
    return _run_kernel(kernel.input_gradient, x, weight, geometry, geometry.output_sizes())


def _transpose(
    x: Any, weight: Any, stride: tuple, padding: tuple, output_padding: tuple, dilation: tuple,
    groups: int,
) -> Any:  # fmt: skip
    rank = len(stride)
    reach = [d * (k - 1) for k, d in zip(weight.shape[2:], dilation, strict=True)]
    pairs = [(r - p, r - p + o) for r, p, o in zip(reach, padding, output_padding, strict=True)]
    return lax.conv_general_dilated(
        x, _swapped(weight, groups), (1,) * rank, pairs, lhs_dilation=stride,
        rhs_dilation=dilation, feature_group_count=groups,
        dimension_numbers=_dimension_numbers(rank),
    )  # fmt: skip


def _swapped(weight: Any, groups: int) -> Any:
    """Return `(in, out // groups, ...)` as the mirrored filters `(out, in // groups, ...)`."""
    inputs, outputs, *kernel = weight.shape
    grouped = weight.reshape(groups, inputs // groups, outputs, *kernel)
    swapped = jnp.swapaxes(grouped, 1, 2).reshape(groups * outputs, inputs // groups, *kernel)
    return jnp.flip(swapped, range(2, swapped.ndim))


def _forward(rank: int) -> Any:
    """Return `conv{rank}d`."""

    def conv(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
    ) -> Tensor:
        pads = padding if isinstance(padding, str) else as_tuple(padding, rank)
        return convolution(
            input, weight, bias, rank, as_tuple(stride, rank), pads, as_tuple(dilation, rank),
            groups, "zeros", kernel.method(),
        )  # fmt: skip

    return _named(conv, f"conv{rank}d", _FORWARD_TEXT, rank)


def _transposed(rank: int) -> Any:
    """Return `conv_transpose{rank}d`."""

    def conv(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        dilation: Size = 1,
    ) -> Tensor:
        return conv_transpose(
            input, weight, bias, rank, as_tuple(stride, rank), as_tuple(padding, rank),
            as_tuple(output_padding, rank), groups, as_tuple(dilation, rank), kernel.method(),
        )  # fmt: skip

    return _named(conv, f"conv_transpose{rank}d", _TRANSPOSED_TEXT, rank)


_FORWARD_TEXT = """Convolve the input with a bank of filters over {rank} spatial dimension(s).

    Args:
        weight: `(out_channels, in_channels // groups, *kernel_size)`.
        bias: `(out_channels,)`.
        padding: Zeros on both sides, or `"same"` to keep the size, or `"valid"` for none.
        groups: In how many parts the channels are convolved apart from each other.
    Shape:
        `(N, C, *sizes)` or `(C, *sizes)` -> `(N, C_out, *new_sizes)` or `(C_out, *new_sizes)`

    Raises:
        RuntimeError: if the sizes do not fit, or the element types differ.

    Example:
        >>> import taowa
        >>> x, weight = taowa.ones({x}), taowa.ones({weight})
        >>> taowa.conv{rank}d(x, weight, stride=2, padding=1).shape
        torch.Size([{y}])
    """
_TRANSPOSED_TEXT = """Apply the transpose of a convolution over {rank} spatial dimension(s).

    Args:
        weight: `(in_channels, out_channels // groups, *kernel_size)`.
        bias: `(out_channels,)`.
        padding: How much is taken off both sides of the result.
        output_padding: How much is added to one side of the result.
    Shape:
        `(N, C, *sizes)` or `(C, *sizes)` -> `(N, C_out, *new_sizes)` or `(C_out, *new_sizes)`

    References:
        Zeiler et al. 2010, Deconvolutional networks

    Example:
        >>> import taowa
        >>> x, weight = taowa.ones({y}), taowa.ones({weight})
        >>> taowa.conv_transpose{rank}d(x, weight, stride=2, padding=1, output_padding=1).shape
        torch.Size([{back}])
    """


def _named(function: Any, name: str, text: str, rank: int) -> Any:
    function.__name__ = function.__qualname__ = name
    shapes = {"x": [2, 3, 8], "weight": [4, 3, 3], "y": [2, 4, 4], "back": [2, 3, 8]}
    examples = {k: ", ".join(map(str, v + v[-1:] * (rank - 1))) for k, v in shapes.items()}
    function.__doc__ = text.format(rank=rank, **examples)
    return public(is_method=False)(function)


conv1d, conv2d, conv3d = _forward(1), _forward(2), _forward(3)
conv_transpose1d, conv_transpose2d, conv_transpose3d = (
    _transposed(1),
    _transposed(2),
    _transposed(3),
)
