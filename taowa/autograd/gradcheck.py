"""Comparing gradients with finite differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from taowa.core.autograd import grad
from taowa.core.program import flush
from taowa.core.tensor import Tensor, from_array
from taowa.errors import unsupported
from taowa.ops.complex_numbers import imag, real

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """A gradient does not agree with finite differences."""


def gradcheck(
    func: Callable,
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Return whether a function's gradients agree with finite differences.

    Args:
        func: From tensors to a tensor or a tuple of them.
        inputs: Its arguments; those that require grad are checked, and should be float64.
        eps: How far each element is moved to either side.
        atol: Absolute tolerance.
        rtol: Relative tolerance.
        raise_exception: Raise instead of returning `False`.
        nondet_tol: By how much two backward passes may differ.
        check_undefined_grad: Accepted: zero gradients are tried in any case.
        check_grad_dtypes: Whether gradients must have their inputs' types.
        fast_mode: Compare one random projection of each Jacobian, not all of its elements.
        masked: Accepted: there are no sparse tensors.

    Raises:
        GradcheckError: naming the first output and input whose gradients disagree.

    Example:
        >>> import taowa
        >>> x = taowa.tensor([0.5, 2.0], dtype=taowa.float64, requires_grad=True)
        >>> gradcheck(taowa.log, x)
        True
        >>> gradcheck(lambda x: x * x.detach(), x, raise_exception=False)
        False
    """
    _refuse(check_forward_ad, check_batched_grad, check_batched_forward_grad, check_backward_ad)
    given = inputs if isinstance(inputs, tuple | list) else (inputs,)
    checked = _checked_inputs(given)
    if not _outputs(func(*given)):
        return _has_no_slope(func, given, checked, eps, raise_exception)
    try:
        for part in _real_parts(func, given):
            _Check(part, given, checked, eps, (rtol, atol)).run(
                nondet_tol, check_grad_dtypes, fast_mode
            )  # fmt: skip
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable,
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Return whether a function's second derivatives agree with differences of its gradients.

    Args:
        func: From tensors to a tensor or a tuple of them.
        inputs: Its arguments; those that require grad are checked, and should be float64.
        grad_outputs: The gradients to start from, random ones by default.
        gen_non_contig_grad_outputs: Accepted: gradients here are always contiguous.
        check_rev_over_rev: Must be true.
        eps: See `gradcheck`, as for the other options.

    Raises:
        GradcheckError: naming the first output and input whose gradients disagree.

    Example:
        >>> import taowa
        >>> x = taowa.tensor([0.5, 2.0], dtype=taowa.float64, requires_grad=True)
        >>> gradgradcheck(taowa.log, x)
        True
    """
    _refuse(check_fwd_over_rev, check_batched_grad, False, check_rev_over_rev)
    given = tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)
    if grad_outputs is None:
        rng = np.random.default_rng(0)
        grad_outputs = [_random_like(t, rng).requires_grad_() for t in _outputs(func(*given))]
    starts = tuple(grad_outputs) if isinstance(grad_outputs, tuple | list) else (grad_outputs,)

    def gradient(*args: Any) -> tuple:
        own, cotangents = args[: len(given)], args[len(given) :]
        wanted = [t for t in own if isinstance(t, Tensor) and t.requires_grad]
        found = grad(
            _outputs(func(*own)), wanted, list(cotangents), create_graph=True, allow_unused=True
        )  # fmt: skip
        return tuple(one for one in found if one is not None)

    return gradcheck(
        gradient, given + starts, eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception,
        nondet_tol=nondet_tol, check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes, fast_mode=fast_mode, masked=masked,
    )  # fmt: skip


def _refuse(forward: bool, batched: bool, batched_forward: bool, backward: bool) -> None:
    if not (forward or backward):
        raise AssertionError(
            "Expected at least one of check_forward_ad or check_backward_ad to be True"
        )
    if forward or batched_forward:
        raise unsupported("a check of forward-mode gradients", "check_backward_ad=True")
    if batched:
        raise unsupported("check_batched_grad=True", "check_batched_grad=False")


def _checked_inputs(given: Any) -> list[int]:
    """Return which arguments require grad, after looking at their types."""
    found = [i for i, t in enumerate(given) if isinstance(t, Tensor) and t.requires_grad]
    if not found:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them "
            "have requires_grad=True."
        )
    for i in found:
        if given[i].dtype.name not in ("float64", "complex128"):
            warnings.warn(
                f"Input #{i} requires gradient and is not a double precision floating point or "
                "complex. This check will likely fail if all the inputs are not of double "
                "precision floating point or complex. ",
                UserWarning, stacklevel=3,
            )  # fmt: skip
    return found


def _outputs(result: Any) -> list[Any]:
    """Return the results that gradients flow from."""
    results = result if isinstance(result, tuple | list) else (result,)
    return [t for t in results if isinstance(t, Tensor) and t.requires_grad]


def _real_parts(func: Callable, given: Any) -> Iterator[Callable]:
    """Return functions with real results: the function, or its real and its imaginary part."""
    yield lambda *args: [
        real(t) if t.dtype.is_complex else t for t in _outputs(func(*args))
    ]  # fmt: skip
    if any(t.dtype.is_complex for t in _outputs(func(*given))):
        yield lambda *args: [imag(t) for t in _outputs(func(*args)) if t.dtype.is_complex]


def _has_no_slope(func: Callable, given: Any, checked: list[int], eps: float, raises: bool) -> bool:
    """Return whether a function without differentiable results really is constant."""
    check = _Check(lambda *args: _floating(func(*args)), given, checked, eps, (0, 0))
    if not any(column.any() for i in checked for column in check.numerical(given[i])):
        return True
    if raises:
        raise GradcheckError("Numerical gradient for function expected to be zero")
    return False


def _floating(result: Any) -> list[Any]:
    results = result if isinstance(result, tuple | list) else (result,)
    return [t for t in results if t.dtype.is_floating_point or t.dtype.is_complex]


def _random_like(tensor: Tensor, rng: np.random.Generator) -> Any:
    values = rng.uniform(-1, 1, tensor.shape)
    if tensor.dtype.is_complex:
        values = values + 1j * rng.uniform(-1, 1, tensor.shape)
    return from_array(np.asarray(values).astype(tensor.dtype.np), device=tensor.device)


class _Check:
    """A function with real results, checked at one point.

    Jacobians are arrays `(elements of the output, elements of the input)`; a column towards a
    complex element holds the derivative towards its real part plus i times the other one.
    """

    def __init__(self, func: Callable, given: Any, checked: list[int], eps: float, near: tuple):
        self.func = func
        self.given = given
        self.checked = checked
        self.eps = eps
        self.rtol, self.atol = near
        self.outputs: list[Any] = func(*given)

    def run(self, nondet_tol: float, check_grad_dtypes: bool, fast_mode: bool) -> None:
        self.check_zero(check_grad_dtypes)
        is_complex = any(self.given[i].dtype.is_complex for i in self.checked)
        if fast_mode and not is_complex:
            self.check_projections(nondet_tol)
            return
        for i in self.checked:
            numerical = self.numerical(self.given[i])
            for k, output in enumerate(self.outputs):
                analytical = self.analytical(output, self.given[i])
                self.compare(k, i, numerical[k], analytical, self.atol)
                again = self.analytical(output, self.given[i])
                _require_repeatable(analytical, again, nondet_tol)

    def gradients(self, outputs: list, vectors: list, inputs: list) -> list[Any]:
        """Return gradients as arrays, zeros where there is no path."""
        pairs = [(o, v) for o, v in zip(outputs, vectors, strict=True) if o.requires_grad]
        if not pairs:
            return [np.zeros(t.shape, t.dtype.np) for t in inputs]
        found = grad(
            [o for o, _ in pairs], inputs, [v for _, v in pairs], retain_graph=True,
            allow_unused=True,
        )  # fmt: skip
        flush()
        return [
            np.zeros(t.shape, t.dtype.np) if g is None else g.host()
            for g, t in zip(found, inputs, strict=True)
        ]  # fmt: skip

    def check_zero(self, check_grad_dtypes: bool) -> None:
        """Raise unless zero gradients give zero gradients."""
        inputs = [self.given[i] for i in self.checked]
        zeros = [from_array(np.zeros(o.shape, o.dtype.np), device=o.device) for o in self.outputs]
        for found, tensor in zip(self.gradients(self.outputs, zeros, inputs), inputs, strict=True):
            if found.any():
                raise GradcheckError("backward not multiplied by grad_output")
            if check_grad_dtypes and found.dtype != tensor.dtype.np:
                raise GradcheckError("Gradient has dtype mismatch")

    def analytical(self, output: Any, tensor: Tensor) -> np.ndarray:
        rows = []
        for i in range(output.shape.numel()):
            one_hot = np.zeros(output.shape, output.dtype.np)
            one_hot.reshape(-1)[i] = 1
            start = from_array(one_hot, device=output.device)
            rows.append(self.gradients([output], [start], [tensor])[0].reshape(-1))
        return np.array(rows).reshape(output.shape.numel(), tensor.shape.numel())

    def numerical(self, tensor: Tensor) -> list[np.ndarray]:
        """Return the Jacobian of each output by central differences."""
        columns = []
        for i in range(tensor.shape.numel()):
            step = np.zeros(tensor.shape, tensor.dtype.np)
            step.reshape(-1)[i] = 1
            column = self.difference(tensor, step)
            if tensor.dtype.is_complex:
                turned = self.difference(tensor, step * 1j)
                column = [a + 1j * b for a, b in zip(column, turned, strict=True)]
            columns.append(column)
        sizes = [o.shape.numel() for o in self.outputs]
        return [
            np.stack([c[k] for c in columns], -1) if columns else np.zeros((size, 0))
            for k, size in enumerate(sizes)
        ]  # fmt: skip

    def difference(self, tensor: Tensor, direction: np.ndarray) -> list[np.ndarray]:
        """Return the derivative of each output along a direction of one input."""
        start = np.array(tensor.host())
        ends = []
        try:
            for sign in (1, -1):
                tensor.detach().set_host(start + sign * self.eps * direction)
                ends.append([o.detach().numpy().reshape(-1) for o in self.func(*self.given)])
        finally:
            tensor.detach().set_host(start)
        return [(a - b) / (2 * self.eps) for a, b in zip(*ends, strict=True)]

    def check_projections(self, nondet_tol: float) -> None:
        """Compare `u J v` for random vectors, with the tolerance of their products' sum."""
        rng = np.random.default_rng(0)
        ends = [rng.uniform(0, 1, o.shape) for o in self.outputs]
        for i in self.checked:
            tensor = self.given[i]
            along = rng.uniform(0, 1, tensor.shape)
            along = (along / np.linalg.norm(along)).astype(tensor.dtype.np)
            moved = self.difference(tensor, along)
            for k, (output, end) in enumerate(zip(self.outputs, ends, strict=True)):
                start = from_array(np.asarray(end).astype(output.dtype.np), device=output.device)
                first, second = (
                    self.gradients([output], [start], [tensor])[0] for _ in range(2)
                )  # fmt: skip
                atol = self.atol * float(end.sum() * along.sum())
                numerical = np.asarray(np.dot(end.reshape(-1), moved[k]))
                self.compare(k, i, numerical, np.asarray((first * along).sum()), atol)
                _require_repeatable(first, second, nondet_tol)

    def compare(self, k: int, i: int, numerical: Any, analytical: Any, atol: float) -> None:
        if np.allclose(analytical, numerical, self.rtol, atol, equal_nan=True):
            return
        raise GradcheckError(
            f"Jacobian mismatch for output {k} with respect to input {i},\n"
            f"numerical:{numerical}\nanalytical:{analytical}\n"
        )


def _require_repeatable(first: np.ndarray, second: np.ndarray, tolerance: float) -> None:
    if first.size and np.abs(first - second).max() > tolerance:
        raise GradcheckError(
            "Backward is not reentrant, i.e., running backward with same input and grad_output "
            "multiple times gives different values, although analytical gradient matches "
            f"numerical gradient. The tolerance for nondeterminism was {tolerance}."
        )
