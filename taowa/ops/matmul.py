"""Products of vectors and matrices."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from taowa.core.api import public
from taowa.core.op import Array, Scalar, op
from taowa.kernels.matmul import dot as dot_kernel
from taowa.ops.precision import HIGHEST, as_rows, require_same_dtype


def product(a: Any, b: Any) -> Any:
    """Return the matrix product in the full precision of its type."""
    if a.dtype == bool:
        raise NotImplementedError("\"matmul\" not implemented for 'Bool'")
    if a.ndim < 2 or b.ndim < 2 or a.dtype != b.dtype:
        return jnp.matmul(a, b, precision=HIGHEST)
    if a.shape[:-2] == b.shape[:-2]:
        return dot_kernel(a, b)
    if b.ndim == 2:
        return dot_kernel(as_rows(a), b).reshape(*a.shape[:-1], b.shape[1])
    return jnp.matmul(a, b, precision=HIGHEST)


def _adjoint(x: Any) -> Any:
    return jnp.conj(jnp.swapaxes(x, -1, -2))


def cannot_multiply(a: tuple, b: tuple, note: str = "") -> RuntimeError:
    """Return the error for matrices whose inner sizes differ."""
    rows = 1
    for n in a[:-1]:
        rows *= n
    return RuntimeError(
        f"mat1 and mat2 shapes cannot be multiplied ({rows}x{a[-1]} and {b[0]}x{b[1]}){note}"
    )


def _require_ndim(name: str, x: Any, ndim: int) -> None:
    if x.ndim != ndim:
        kind = "matrix" if ndim == 2 else f"{ndim}D tensor"
        raise RuntimeError(f"{name} must be a {kind}, got shape {list(x.shape)}")


def _require_vectors(a: Any, b: Any) -> None:
    if a.ndim != 1 or b.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {a.ndim}D and {b.ndim}D tensors")
    if a.shape != b.shape:
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor {list(a.shape)} and src {list(b.shape)} to "
            f"have the same number of elements, but got {a.size} and {b.size} elements respectively"
        )
    require_same_dtype("both vectors", a, b)


def _require_batches(a: Any, b: Any) -> None:
    _require_ndim("batch1", a, 3)
    _require_ndim("batch2", b, 3)
    if (a.shape[0], a.shape[2]) != b.shape[:2]:
        raise RuntimeError(
            "Expected size for first two dimensions of batch2 tensor to be: "
            f"{[a.shape[0], a.shape[2]]} but got: {list(b.shape[:2])}."
        )
    require_same_dtype("batch1 and batch2", a, b)


def _require_matrices(a: Any, b: Any) -> None:
    _require_ndim("self", a, 2)
    _require_ndim("mat2", b, 2)
    if a.shape[1] != b.shape[0]:
        raise cannot_multiply(a.shape, b.shape)
    require_same_dtype("m1 and m2", a, b)


def _require_matrix_and_vector(matrix: Any, vector: Any) -> None:
    if matrix.ndim != 2 or vector.ndim != 1:
        raise RuntimeError(f"matrix @ vector expected, got {matrix.ndim}D and {vector.ndim}D")
    if matrix.shape[1] != vector.shape[0]:
        raise RuntimeError(
            f"size mismatch, got input ({matrix.shape[0]}), "
            f"mat ({matrix.shape[0]}x{matrix.shape[1]}), vec ({vector.shape[0]})"
        )
    require_same_dtype("matrix and vector", matrix, vector)


def _require_multipliable(a: Any, b: Any) -> None:
    """Check the operands of `matmul`, whatever their numbers of dimensions."""
    if a.ndim == 0 or b.ndim == 0:
        raise RuntimeError(
            f"both arguments to matmul need to be at least 1D, but they are {a.ndim}D and {b.ndim}D"
        )
    if a.ndim == 1 and b.ndim == 1:
        _require_vectors(a, b)
        return
    columns = b.shape if b.ndim > 1 else (*b.shape, 1)
    if a.shape[-1] != columns[-2]:
        raise cannot_multiply(a.shape, columns[-2:], f"; matmul of {a.shape} and {b.shape}")
    if a.ndim > 2 and b.ndim > 2:
        _require_broadcastable(a.shape[:-2], b.shape[:-2])
    require_same_dtype("m1 and m2", a, b)


def _require_broadcastable(a: tuple, b: tuple) -> None:
    width = max(len(a), len(b))
    a, b = (1,) * (width - len(a)) + a, (1,) * (width - len(b)) + b
    for dim in reversed(range(width)):
        if a[dim] != b[dim] and 1 not in (a[dim], b[dim]):
            raise RuntimeError(
                f"The size of tensor a ({a[dim]}) must match the size of tensor b ({b[dim]}) at "
                f"non-singleton dimension {dim}"
            )


@public
@op
def matmul(input: Array, other: Array):
    """Return the matrix product, over batches where there are more than two dimensions.

    A vector on the left counts as a row, one on the right as a column; that dimension is dropped
    from the result. Dimensions before the last two broadcast.

    Raises:
        RuntimeError: if the sizes do not fit, or the element types differ.

    Example:
        >>> import taowa
        >>> taowa.matmul(taowa.ones(2, 3), taowa.ones(3))
        tensor([3., 3.])
        >>> (taowa.ones(5, 2, 3) @ taowa.ones(3, 4)).shape
        torch.Size([5, 2, 4])
    """
    _require_multipliable(input, other)
    return product(input, other)


@matmul.backward
def _(grad, input, other):
    a = input if input.ndim > 1 else input[None]  # (..., m, k)
    b = other if other.ndim > 1 else other[:, None]  # (..., k, n)
    grad = grad if other.ndim > 1 else grad[..., None]
    grad = grad if input.ndim > 1 else jnp.expand_dims(grad, -2)  # (..., m, n)
    grad_a = product(grad, _adjoint(b))
    if b.ndim == 2:
        # One product instead of a sum over batches.
        grad_b = product(_adjoint(as_rows(a)), as_rows(grad))
    else:
        grad_b = product(_adjoint(a), grad)
    return _unpad(grad_a, input, 0), _unpad(grad_b, other, -1)


def _unpad(grad: Any, vector: Any, axis: int) -> Any:
    """Drop the dimension that was put beside a vector, summing over batches first."""
    if vector.ndim > 1:
        return grad
    return grad.sum(tuple(range(grad.ndim - 2))).reshape(vector.shape)


@public
@op
def mm(input: Array, mat2: Array):
    """Return the product of two matrices.

    Shape:
        `(n, m)` and `(m, p)` -> `(n, p)`

    Example:
        >>> import taowa
        >>> taowa.mm(taowa.ones(2, 3), taowa.ones(3, 2))
        tensor([[3., 3.],
                [3., 3.]])
    """
    _require_matrices(input, mat2)
    return product(input, mat2)


@mm.backward
def _(grad, input, mat2):
    return product(grad, _adjoint(mat2)), product(_adjoint(input), grad)


@public
@op
def bmm(input: Array, mat2: Array):
    """Return the product of two batches of matrices.

    Shape:
        `(b, n, m)` and `(b, m, p)` -> `(b, n, p)`

    Example:
        >>> import taowa
        >>> taowa.bmm(taowa.ones(5, 2, 3), taowa.ones(5, 3, 4)).shape
        torch.Size([5, 2, 4])
    """
    _require_batches(input, mat2)
    return product(input, mat2)


@bmm.backward
def _(grad, input, mat2):
    return product(grad, _adjoint(mat2)), product(_adjoint(input), grad)


@public
@op
def mv(input: Array, vec: Array):
    """Return the product of a matrix and a vector.

    Shape:
        `(n, m)` and `(m,)` -> `(n,)`

    Example:
        >>> import taowa
        >>> taowa.mv(taowa.ones(2, 3), taowa.ones(3))
        tensor([3., 3.])
    """
    _require_matrix_and_vector(input, vec)
    return product(input, vec)


@mv.backward
def _(grad, input, vec):
    return grad[:, None] * jnp.conj(vec), product(_adjoint(input), grad)


@public
@op
def dot(input: Array, tensor: Array):
    """Return the sum of the products of two vectors' elements.

    Example:
        >>> import taowa
        >>> taowa.dot(taowa.tensor([2.0, 3.0]), taowa.tensor([2.0, 1.0]))
        tensor(7.)
    """
    _require_vectors(input, tensor)
    return product(input, tensor)


@dot.backward
def _(grad, input, tensor):
    return grad * jnp.conj(tensor), grad * jnp.conj(input)


@public
@op
def vdot(input: Array, other: Array):
    """Return the dot product of two vectors, the first conjugated.

    Example:
        >>> import taowa
        >>> taowa.vdot(taowa.tensor([2.0, 3.0]), taowa.tensor([2.0, 1.0]))
        tensor(7.)
    """
    _require_vectors(input, other)
    return product(jnp.conj(input), other)


@public
@op
def inner(input: Array, other: Array):
    """Return the products of all pairs of the two tensors' last dimensions.

    Shape:
        `(*a, m)` and `(*b, m)` -> `(*a, *b)`; a tensor without dimensions multiplies the other.

    Example:
        >>> import taowa
        >>> taowa.inner(taowa.ones(2, 3), taowa.ones(3))
        tensor([3., 3.])
    """
    require_same_dtype("both inputs of inner()", input, other)
    if input.ndim == 0 or other.ndim == 0:
        return input * other
    if input.shape[-1] != other.shape[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(input.shape)} and {list(other.shape)}"
        )
    return jnp.tensordot(input, other, axes=((-1,), (-1,)), precision=HIGHEST)


@public(aliases=("ger",))
@op(promote="same")
def outer(input: Array, vec2: Array):
    """Return the products of all pairs of two vectors' elements.

    Shape:
        `(n,)` and `(m,)` -> `(n, m)`

    Example:
        >>> import taowa
        >>> taowa.outer(taowa.tensor([1, 2]), taowa.tensor([3, 4, 5]))
        tensor([[ 3,  4,  5],
                [ 6,  8, 10]])
    """
    for name, vector in (("self", input), ("vec2", vec2)):
        if vector.ndim != 1:
            raise RuntimeError(f"outer: Expected 1-D argument {name}, but got {vector.ndim}-D")
    return input[:, None] * vec2


def _blend(input: Any, product: Any, beta: Any, alpha: Any) -> Any:
    """Return `beta * input + alpha * product`; a beta of 0 ignores even infinities."""
    shape = product.shape
    if input.ndim > len(shape) or any(
        n not in (1, m) for n, m in zip(input.shape[::-1], shape[::-1], strict=False)
    ):
        raise RuntimeError(
            f"The expanded size of the tensor must match the existing size. Target sizes: "
            f"{list(shape)}.  Tensor sizes: {list(input.shape)}"
        )
    if product.dtype == bool:
        return jnp.logical_or(input & (beta != 0), product & (alpha != 0))
    beta, alpha = beta.astype(product.dtype), alpha.astype(product.dtype)
    return jnp.where(beta == 0, jnp.zeros_like(input), beta * input) + alpha * product


@public(inplace=True)
@op
def addmm(input: Array, mat1: Array, mat2: Array, *, beta: Scalar = 1, alpha: Scalar = 1):
    """Return `beta * input + alpha * (mat1 @ mat2)`.

    Shape:
        `(n, p)` or what broadcasts to it, `(n, m)` and `(m, p)` -> `(n, p)`

    Example:
        >>> import taowa
        >>> taowa.addmm(taowa.ones(2), taowa.ones(1, 3), taowa.ones(3, 2), beta=10)
        tensor([[13., 13.]])
    """
    _require_matrices(mat1, mat2)
    require_same_dtype("self and mat2", input, mat2)
    return _blend(input, product(mat1, mat2), beta, alpha)


@public(inplace=True)
@op
def addmv(input: Array, mat: Array, vec: Array, *, beta: Scalar = 1, alpha: Scalar = 1):
    """Return `beta * input + alpha * (mat @ vec)`.

    Shape:
        `(n,)` or what broadcasts to it, `(n, m)` and `(m,)` -> `(n,)`

    Example:
        >>> import taowa
        >>> taowa.addmv(taowa.ones(2), taowa.ones(2, 3), taowa.ones(3), alpha=2)
        tensor([7., 7.])
    """
    _require_matrix_and_vector(mat, vec)
    require_same_dtype("input and vec", input, vec)
    return _blend(input, product(mat, vec), beta, alpha)


@public(inplace=True)
@op(promote="same")
def addr(input: Array, vec1: Array, vec2: Array, *, beta: Scalar = 1, alpha: Scalar = 1):
    """Return `beta * input + alpha * outer(vec1, vec2)`.

    Shape:
        `(n, m)` or what broadcasts to it, `(n,)` and `(m,)` -> `(n, m)`

    Example:
        >>> import taowa
        >>> taowa.addr(taowa.ones(1, 2), taowa.ones(1), taowa.tensor([1.0, 2.0]))
        tensor([[2., 3.]])
    """
    for name, vector in (("vec1", vec1), ("vec2", vec2)):
        if vector.ndim != 1:
            raise RuntimeError(f"addr: Expected 1-D argument {name}, but got {vector.ndim}-D")
    return _blend(input, vec1[:, None] * vec2, beta, alpha)


@public(inplace=True)
@op
def baddbmm(input: Array, batch1: Array, batch2: Array, *, beta: Scalar = 1, alpha: Scalar = 1):
    """Return `beta * input + alpha * (batch1 @ batch2)`, batch by batch.

    Shape:
        `(b, n, p)` or what broadcasts to it, `(b, n, m)` and `(b, m, p)` -> `(b, n, p)`

    Example:
        >>> import taowa
        >>> taowa.baddbmm(taowa.ones(1), taowa.ones(1, 1, 3), taowa.ones(1, 3, 2))
        tensor([[[4., 4.]]])
    """
    _require_batches(batch1, batch2)
    require_same_dtype("input and batch2", input, batch2)
    return _blend(input, product(batch1, batch2), beta, alpha)


@public(inplace=True)
@op
def addbmm(input: Array, batch1: Array, batch2: Array, *, beta: Scalar = 1, alpha: Scalar = 1):
    """Return `beta * input + alpha * (the sum of batch1 @ batch2 over the batch)`.

    Shape:
        `(n, p)` or what broadcasts to it, `(b, n, m)` and `(b, m, p)` -> `(n, p)`

    Example:
        >>> import taowa
        >>> taowa.addbmm(taowa.ones(1), taowa.ones(5, 1, 3), taowa.ones(5, 3, 2))
        tensor([[16., 16.]])
    """
    _require_batches(batch1, batch2)
    require_same_dtype("input and batch2", input, batch2)
    product = jnp.einsum("bnm,bmp->np", batch1, batch2, precision=HIGHEST)
    return _blend(input, product, beta, alpha)
