"""Random tensors, drawn on the host: under one seed the numbers are PyTorch's."""

from __future__ import annotations

from math import prod
from typing import Any

import jax.numpy as jnp
import numpy as np

from taowa import dtypes
from taowa.core import random as generators
from taowa.core.api import NAMES, public
from taowa.core.op import Array, op
from taowa.core.random import Generator, default_generator
from taowa.core.tensor import Tensor, from_array
from taowa.ops.creation import as_size
from taowa.ops.element_types import as_dtype
from taowa.ops.layout import require_strided

for _name in ("Generator", "default_generator", "fork_rng", "get_rng_state", "initial_seed",
              "manual_seed", "seed", "set_rng_state"):  # fmt: skip
    NAMES[_name] = getattr(generators, _name)


def _place(device: Any, generator: Generator | None) -> Any:
    return generator.device if device is None and generator is not None else device


def _draw(
    kind: str,
    name: str,
    args: tuple,
    size: Any,
    generator: Generator | None,
    dtype: Any,
    layout: Any,
    device: Any,
    grad: bool,
) -> Tensor:
    """Return a tensor of uniform or normal numbers from a factory's arguments."""
    require_strided(layout)
    shape = as_size(name, args if size is None else (size,))
    wanted = as_dtype(dtype) or dtypes.get_default_dtype()
    draw = getattr((generator or default_generator).stream, kind)
    array = draw(prod(shape), wanted.np).reshape(shape)
    return from_array(array, grad, _place(device, generator))


@public(is_method=False)
def rand(
    *args: Any,
    size: Any = None,
    generator: Generator | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return numbers drawn uniformly from [0, 1).

    Example:
        >>> import taowa
        >>> _ = taowa.manual_seed(0)
        >>> taowa.rand(3)
        tensor([0.4963, 0.7682, 0.0885])
    """
    return _draw(
        "uniform", "rand", args, size, generator, dtype, layout, device, requires_grad
    )  # fmt: skip


@public(is_method=False)
def randn(
    *args: Any,
    size: Any = None,
    generator: Generator | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return numbers drawn from the standard normal distribution.

    Example:
        >>> import taowa
        >>> _ = taowa.manual_seed(0)
        >>> taowa.randn(3)
        tensor([ 1.5410, -0.2934, -2.1788])
    """
    return _draw("normal", "randn", args, size, generator, dtype, layout, device, requires_grad)


@public(is_method=False)
def rand_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Return uniform numbers in the shape, type and place of another tensor.

    Example:
        >>> import taowa
        >>> _ = taowa.manual_seed(0)
        >>> taowa.rand_like(taowa.zeros(2))
        tensor([0.4963, 0.7682])
    """
    return _draw(
        "uniform", "rand_like", (), tuple(input.shape), generator, dtype or input.dtype,
        layout, device or input.device, requires_grad,
    )  # fmt: skip


@public(is_method=False)
def randn_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Return standard normal numbers in the shape, type and place of another tensor.

    Example:
        >>> import taowa
        >>> _ = taowa.manual_seed(0)
        >>> taowa.randn_like(taowa.zeros(2))
        tensor([ 1.5410, -0.2934])
    """
    return _draw(
        "normal", "randn_like", (), tuple(input.shape), generator, dtype or input.dtype,
        layout, device or input.device, requires_grad,
    )  # fmt: skip


@public(is_method=False)
def randint(
    *args: Any,
    low: int = 0,
    high: int | None = None,
    size: Any = None,
    generator: Generator | None = None,
    dtype: Any = dtypes.int64,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return integers drawn uniformly from `low` up to but without `high`.

    Called as `randint(high, size)` or `randint(low, high, size)`.

    Raises:
        RuntimeError: if the range is empty.

    Example:
        >>> import taowa
        >>> _ = taowa.manual_seed(0)
        >>> taowa.randint(0, 10, (5,))
        tensor([4, 9, 3, 0, 3])
    """
    require_strided(layout)
    numbers = list(args)
    if numbers and isinstance(numbers[-1], list | tuple):
        size = numbers.pop()
    if len(numbers) == 2:
        low, high = numbers
    elif numbers and high is None:
        high = numbers[0]
    elif numbers:
        low = numbers[0]
    if high is None or size is None:
        raise TypeError(f"randint() needs high and a tuple as size, got {args}")
    shape, kind = as_size("randint", (size,)), as_dtype(dtype) or dtypes.int64
    stream = (generator or default_generator).stream
    array = stream.randint(int(low), int(high), prod(shape), kind.np).reshape(shape)
    return from_array(array, requires_grad, _place(device, generator))


@public(is_method=False)
def randint_like(
    input: Tensor,
    *args: int,
    low: int = 0,
    high: int | None = None,
    generator: Generator | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Return random integers in the shape, type and place of another tensor.

    Called as `randint_like(input, high)` or `randint_like(input, low, high)`.

    Example:
        >>> import taowa
        >>> _ = taowa.manual_seed(0)
        >>> taowa.randint_like(taowa.zeros(3), 10)
        tensor([4., 9., 3.])
    """
    return randint(
        *args, low=low, high=high, size=tuple(input.shape), generator=generator,
        dtype=dtype or input.dtype, layout=layout, device=device or input.device,
        requires_grad=requires_grad,
    )  # fmt: skip


@public(is_method=False)
def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    dtype: Any = dtypes.int64,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return the integers from 0 to `n - 1` in random order.

    Example:
        >>> import taowa
        >>> _ = taowa.manual_seed(0)
        >>> taowa.randperm(5)
        tensor([4, 0, 1, 3, 2])
    """
    require_strided(layout)
    stream = (generator or default_generator).stream
    array = stream.randperm(int(n), (as_dtype(dtype) or dtypes.int64).np)
    return from_array(array, requires_grad, _place(device, generator))


@public(is_method=False)
def normal(
    mean: Any,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return normal numbers with the given means and standard deviations.

    Args:
        mean: A tensor of means, or a number.
        std: A tensor of standard deviations, or a number.
        size: The shape, needed where both are numbers.

    Raises:
        RuntimeError: for a negative standard deviation.

    Example:
        >>> import taowa
        >>> _ = taowa.manual_seed(0)
        >>> taowa.normal(taowa.tensor([10.0, 20.0]), 0.1)
        tensor([10.1541, 19.9707])
    """
    stream = (generator or default_generator).stream
    if not isinstance(mean, Tensor) and not isinstance(std, Tensor):
        shape = as_size("normal", (size,))
        kind = as_dtype(dtype) or dtypes.get_default_dtype()
        array = stream.normal(prod(shape), kind.np, float(mean), float(std)).reshape(shape)
        return from_array(array, requires_grad, _place(device, generator))
    first = mean if isinstance(mean, Tensor) else std
    means, stds = (v.detach().host() if isinstance(v, Tensor) else v for v in (mean, std))
    shape = np.broadcast_shapes(np.shape(means), np.shape(stds))
    if isinstance(std, Tensor):
        if stds.size and stds.min() < 0:
            raise RuntimeError("normal expects all elements of std >= 0.0")
        array = stream.normal(prod(shape), first.dtype.np).reshape(shape) * stds + means
    else:
        drawn = stream.normal(prod(shape), first.dtype.np, 0.0, float(stds))
        array = drawn.reshape(shape) + means
    made = from_array(array.astype(first.dtype.np), False, first.device)
    needs_tape = any(isinstance(v, Tensor) and v.requires_grad for v in (mean, std))
    return _drawn_from(made, mean, std) if needs_tape else made


@public
def bernoulli(
    input: Tensor, p: float | None = None, *, generator: Generator | None = None
) -> Tensor:
    """Return ones with the probabilities that `input` holds, and zeros.

    Args:
        p: One probability instead of those in `input`, which then gives shape and type alone.

    Raises:
        RuntimeError: if a probability is outside [0, 1].

    Example:
        >>> import taowa
        >>> _ = taowa.manual_seed(0)
        >>> taowa.bernoulli(taowa.tensor([0.0, 1.0]))
        tensor([0., 1.])
    """
    stream = (generator or default_generator).stream
    probabilities = np.ascontiguousarray(input.detach().host()) if p is None else float(p)
    drawn = stream.bernoulli(input.numel(), probabilities, input.dtype.np)  # type: ignore[attr-defined]
    made = from_array(drawn.reshape(input.shape), False, input.device)
    return _drawn_from(made, input, 0) if input.requires_grad else made


@op(name="drawn_from")
def _drawn_from(drawn: Array, first: Array, second: Array):
    """Return what was drawn, on the tape of what it was drawn from."""
    return jnp.copy(drawn)


@_drawn_from.backward
def _(grad, first, second):
    return None, jnp.zeros_like(first), jnp.zeros_like(second)


@public
def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Return indices drawn with the weights in the last dimension of `input`.

    Args:
        input: Weights, not negative, `(m,)` or `(rows, m)`.
        replacement: Whether an index may be drawn more than once.

    Shape:
        `(num_samples,)` or `(rows, num_samples)`, int64.

    Raises:
        RuntimeError: if the weights or the number of samples do not allow it.

    Example:
        >>> import taowa
        >>> _ = taowa.manual_seed(0)
        >>> taowa.multinomial(taowa.tensor([0.0, 1.0, 0.0]), 2, replacement=True)
        tensor([1, 1])
    """
    stream = (generator or default_generator).stream
    weights = np.ascontiguousarray(input.detach().host())
    return from_array(stream.multinomial(weights, num_samples, replacement), False, input.device)
