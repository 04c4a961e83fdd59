"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from taowa.core.tensor import Tensor
from taowa.ops.joining import cat

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Return all parameters, flattened and joined.

    Example:
        >>> import taowa
        >>> parameters_to_vector([taowa.ones(2), taowa.zeros(1, 1)])
        tensor([1., 1., 0.])
    """
    return cat([p.reshape(-1) for p in parameters])  # type: ignore[attr-defined]


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Make the pieces of a vector the parameters' values.

    Args:
        vec: As `parameters_to_vector` returns it.
        parameters: The parameters, in the same order.

    Raises:
        TypeError: if `vec` is no tensor.

    Example:
        >>> import taowa
        >>> w = taowa.zeros(1, 2)
        >>> vector_to_parameters(taowa.tensor([1.0, 2.0]), [w])
        >>> w
        tensor([[1., 2.]])
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected Tensor, but got: {type(vec).__name__}")
    start = 0
    for parameter in parameters:
        end = start + parameter.shape.numel()
        parameter.data = vec[start:end].reshape(parameter.shape).data  # type: ignore[index]
        start = end
