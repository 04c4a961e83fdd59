"""Sums of products over named or numbered dimensions."""

from __future__ import annotations

import string
import warnings
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.matmul import matmul
from taowa.ops.precision import HIGHEST, require_same_dtype


@op(name="tensordot")
def _tensordot(input: Array, other: Array, dims_input: tuple, dims_other: tuple):
    require_same_dtype("both inputs of tensordot()", input, other)
    if len(dims_input) != len(dims_other):
        raise RuntimeError("both dimension lists should have same length")
    for i, j in zip(dims_input, dims_other, strict=True):
        n, m = input.shape[i], other.shape[j]
        if n == 1 or m == 1:  # a dimension of size 1 broadcasts, then both are summed
            input = input.sum(i, keepdims=True, dtype=input.dtype)
            other = other.sum(j, keepdims=True, dtype=other.dtype)
        elif n != m:
            raise RuntimeError(
                "contracted dimensions need to match, but first has size "
                f"{n} in dim {i} and second has size {m} in dim {j}"
            )
    return jnp.tensordot(input, other, axes=(dims_input, dims_other), precision=HIGHEST)


@public(is_method=False)
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Return the sum of products over the given dimensions of both tensors.

    Args:
        dims: How many of the last dimensions of `a` meet the first of `b`, or two lists of
            dimensions that meet.

    Example:
        >>> import taowa
        >>> taowa.tensordot(taowa.ones(2, 3, 4), taowa.ones(4, 3), dims=([1, 2], [1, 0]))
        tensor([12., 12.])
    """
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.ndim, b.ndim):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        return _tensordot(a, b, tuple(range(-dims, 0)), tuple(range(dims)))
    dims_a, dims_b = dims
    return _tensordot(a, b, _as_dims(dims_a), _as_dims(dims_b))


def _as_dims(dims: int | Sequence[int]) -> tuple[int, ...]:
    return (dims,) if isinstance(dims, int) else tuple(dims)


@op(name="einsum")
def _einsum(operands: list[Array], equation: str):
    require_same_dtype("all operands of einsum()", *operands)
    equation, operands = _Equation(equation, operands).explicit()
    return jnp.einsum(equation, *operands, precision=HIGHEST)


class _Equation:
    """An equation and its operands, on the way to one letter for each dimension.

    Attributes:
        terms: The letters of each operand's dimensions.
        sizes: The size that each letter broadcasts to.
    """

    def __init__(self, equation: str, operands: list):
        left, arrow, right = equation.replace(" ", "").partition("->")
        _require_letters(left + right)
        self.operands = operands
        self.is_explicit, self.right = bool(arrow), right
        terms = left.split(",")
        if len(terms) != len(operands):
            more = "more" if len(terms) < len(operands) else "fewer"
            raise RuntimeError(
                f"einsum(): {more} operands were provided than specified in the equation"
            )
        unused = [c for c in string.ascii_letters if c not in left]
        pairs = enumerate(zip(terms, operands, strict=True))
        self.num_hidden = max(_hidden(t, x, i) for i, (t, x) in pairs)
        self.hidden = "".join(unused[: self.num_hidden])  # letters of "...", aligned on the right
        self.left = left
        self.terms = [self._expand(t, x) for t, x in zip(terms, operands, strict=True)]
        self.sizes: dict[str, int] = {}
        for position in range(len(operands)):
            self._note_sizes(position)

    def _expand(self, term: str, operand: Any) -> str:
        num_hidden = operand.ndim - len(term.replace("...", ""))
        return term.replace("...", self.hidden[self.num_hidden - num_hidden :])

    def _note_sizes(self, position: int) -> None:
        own: dict[str, int] = {}
        for letter, size in zip(self.terms[position], self.operands[position].shape, strict=True):
            if own.setdefault(letter, size) != size:
                raise RuntimeError(
                    f"einsum(): subscript {letter} is repeated for operand {position} but the "
                    f"sizes don't match, {size} != {own[letter]}"
                )
        for letter, size in own.items():
            seen = self.sizes.get(letter, 1)
            if 1 not in (seen, size) and seen != size:
                raise RuntimeError(
                    f"einsum(): subscript {letter} has size {size} for operand {position} which "
                    f"does not broadcast with previously seen size {seen}"
                )
            self.sizes[letter] = size if seen == 1 else seen

    def _result(self) -> str:
        """Return the letters of the result's dimensions."""
        if not self.is_explicit:
            once = [c for c in sorted(set(self.left) - set(".,")) if self.left.count(c) == 1]
            return self.hidden + "".join(once)
        for letter in self.right.replace("...", ""):
            if letter not in self.left:
                raise RuntimeError(
                    f"einsum(): output subscript {letter} does not appear in the equation for any "
                    "input operand"
                )
            if self.right.count(letter) > 1:
                raise RuntimeError(
                    f"einsum(): output subscript {letter} appears more than once in the output"
                )
        return self.right.replace("...", self.hidden)

    def explicit(self) -> tuple[str, list]:
        """Return the equation without "..." for operands in which nothing broadcasts."""
        terms, operands = [], []
        for term, operand in zip(self.terms, self.operands, strict=True):
            pairs = list(zip(term, operand.shape, strict=True))
            kept = [(c, n) for c, n in pairs if n == self.sizes[c]]
            terms.append("".join(c for c, _ in kept))
            operands.append(operand.reshape([n for _, n in kept]))
        return f"{','.join(terms)}->{self._result()}", operands


def _require_letters(text: str) -> None:
    for letter in text.replace("...", "").replace(",", ""):
        if letter not in string.ascii_letters:
            raise RuntimeError(
                f"einsum(): invalid subscript given, subscripts must be in [a-zA-Z], "
                f"but found {letter!r}"
            )


def _hidden(term: str, operand: Any, position: int) -> int:
    """Return how many dimensions of an operand its "..." stands for."""
    named = len(term.replace("...", ""))
    if named == operand.ndim or ("..." in term and named < operand.ndim):
        return operand.ndim - named
    ellipsis = "but no" if "..." not in term else "and an"
    raise RuntimeError(
        f"einsum(): the number of subscripts in the equation ({named}) does not match the number "
        f"of dimensions ({operand.ndim}) for operand {position} {ellipsis} ellipsis was given"
    )


@public(is_method=False)
def einsum(*args: Any) -> Tensor:
    """Return a sum of products written in Einstein's notation.

    Each letter names a dimension; dimensions of one name are multiplied element by element, and
    those that the result does not name are summed. `...` stands for dimensions that broadcast.
    Without `->` the result has the letters that occur once, in alphabetical order.

    Args:
        args: The equation and its operands, or operands each followed by a list of numbers in
            the place of letters, then the result's list.

    Example:
        >>> import taowa
        >>> taowa.einsum("ij,j->i", taowa.ones(2, 3), taowa.tensor([1.0, 2.0, 3.0]))
        tensor([6., 6.])
        >>> taowa.einsum(taowa.ones(2, 3), [0, 1], [1])
        tensor([2., 2., 2.])
    """
    if len(args) < 2:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, "
            "or at least one operand and its subscripts list"
        )
    if isinstance(args[0], Tensor):
        return _einsum(*_from_sublists(args))
    equation, *operands = args
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = operands[0]
    return _einsum(operands, equation)


def _from_sublists(args: tuple) -> tuple[list[Tensor], str]:
    left = ",".join(_letters(sublist) for sublist in args[1::2])
    if len(args) % 2 == 0:
        return list(args[::2]), left
    return list(args[:-1:2]), f"{left}->{_letters(args[-1])}"


def _letters(sublist: Sequence) -> str:
    return "".join("..." if i is ... else _letter(i) for i in sublist)


def _letter(number: int) -> str:
    letters = string.ascii_uppercase + string.ascii_lowercase
    if not 0 <= number < len(letters):
        raise RuntimeError(f"einsum(): expected subscripts to be within [0, 52), but got {number}")
    return letters[number]


@public(is_method=False)
def chain_matmul(*matrices: Tensor) -> Tensor:
    """Return the product of several matrices, in the order that takes the fewest operations.

    Deprecated by PyTorch in favour of `linalg.multi_dot`.

    Example:
        >>> import taowa
        >>> import warnings
        >>> warnings.simplefilter("ignore")
        >>> taowa.chain_matmul(taowa.ones(1, 2), taowa.ones(2, 2), taowa.ones(2, 1))
        tensor([[4.]])
    """
    warnings.warn(
        "torch.chain_matmul is deprecated, use torch.linalg.multi_dot with a list of tensors",
        UserWarning,
        stacklevel=2,
    )
    for position, matrix in enumerate(matrices):
        if matrix.ndim != 2:
            raise RuntimeError(
                f"Tensor dimension is {matrix.ndim}, expected 2 instead (matrix {position})"
            )
    if len(matrices) == 1:
        return matrices[0].clone()  # type: ignore[attr-defined]
    return multiply_in_best_order(list(matrices))


def multiply_in_best_order(matrices: list[Tensor]) -> Tensor:
    """Return the product of a list of matrices, found by dynamic programming over splits.

    References:
        Cormen et al., Introduction to Algorithms, "Matrix-chain multiplication"

    Example:
        >>> import taowa
        >>> multiply_in_best_order([taowa.ones(1, 2), taowa.ones(2, 1)])
        tensor([[2.]])
    """
    sizes = [m.shape[0] for m in matrices] + [matrices[-1].shape[-1]]
    n = len(matrices)
    cost = {(i, i): 0 for i in range(n)}
    split = {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            options = [
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j)
            ]
            cost[i, j], split[i, j] = min(options)

    def multiply(i: int, j: int) -> Tensor:
        k = split.get((i, j))
        return matrices[i] if k is None else matmul(multiply(i, k), multiply(k + 1, j))

    return multiply(0, n - 1)
