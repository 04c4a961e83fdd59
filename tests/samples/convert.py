"""From PyTorch's arguments to taowa's, and the comparison of what came out."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import torch

import taowa
from taowa.core.tensor import from_array


class Case(NamedTuple):
    """One call: its arguments, in PyTorch's tensors."""

    args: tuple
    kwargs: dict


def call(*args: Any, **kwargs: Any) -> Case:
    """Return the case of this call."""
    return Case(args, kwargs)


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """Return the values of PyTorch's tensor in an array of one's own."""
    tensor = tensor.detach().resolve_conj().resolve_neg()
    if tensor.dtype is torch.bfloat16:
        return (
            tensor.contiguous().view(torch.int16).numpy(force=True).copy().view(ml_dtypes.bfloat16)
        )
    if tensor.dtype is torch.complex32:
        raise NotImplementedError("complex32")
    return np.array(tensor.numpy(force=True), order="C")  # `force`: also for zeros kept unwritten


def to_torch(array: np.ndarray) -> torch.Tensor:
    """Return PyTorch's tensor of these values."""
    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(np.array(array).view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(np.array(array, order="C"))


def mapped(tree: Any, leaf: Callable[[Any], Any]) -> Any:
    """Apply `leaf` to everything in nested lists, tuples and mappings."""
    if isinstance(tree, tuple | list):
        items = [mapped(item, leaf) for item in tree]
        if isinstance(tree, torch.nn.utils.rnn.PackedSequence) and items[0] is not None:
            library = taowa if isinstance(items[0], taowa.Tensor) else torch
            return library.nn.utils.rnn.PackedSequence(*items)
        return items if isinstance(tree, list) else tuple(items)
    if isinstance(tree, torch.Size):
        return tuple(tree)
    if isinstance(tree, Mapping):
        return {key: mapped(value, leaf) for key, value in tree.items()}
    if isinstance(tree, slice):
        return slice(*(mapped(v, leaf) for v in (tree.start, tree.stop, tree.step)))
    return leaf(tree)


def leaves(tree: Any) -> list:
    """Return everything in nested lists, tuples and mappings, in order."""
    found: list = []
    mapped(tree, found.append)
    return found


class Library(NamedTuple):
    """What differs between the two sides of a comparison."""

    module: Any
    Tensor: type
    tensor: Callable[[np.ndarray], Any]
    host: Callable[[Any], np.ndarray]
    convert: Callable[[Any], Any]
    memory: Callable[[Any], Any]

    def arguments(self, case: Case) -> tuple[tuple, dict, list]:
        """Return the case's arguments as fresh tensors, and those that require grad."""
        made: dict[int, Any] = {}
        differentiable: list = []

        def leaf(value: Any) -> Any:
            if not isinstance(value, torch.Tensor):
                return self.convert(value)
            if id(value) not in made:
                made[id(value)] = tensor = self.tensor(to_numpy(value))
                if value.requires_grad:
                    differentiable.append(tensor.requires_grad_())
            return made[id(value)]

        args, kwargs = mapped(case, leaf)
        return args, kwargs, differentiable


def _to_taowa(value: Any) -> Any:
    """Return taowa's object for PyTorch's dtype, device, layout and the like."""
    if isinstance(value, torch.dtype | torch.layout | torch.memory_format):
        return getattr(taowa, str(value).removeprefix("torch."))
    if isinstance(value, torch.device):
        return taowa.device(str(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):  # a layer's options
        fields = {f.name: _to_taowa(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return getattr(taowa.nn, type(value).__name__)(**fields)
    if isinstance(value, torch.Generator):
        raise NotImplementedError("generators")
    return value


TORCH = Library(
    torch, torch.Tensor, to_torch, to_numpy, lambda value: value,
    lambda tensor: tensor.untyped_storage().data_ptr(),
)  # fmt: skip
TAOWA = Library(
    taowa, taowa.Tensor, from_array, lambda tensor: tensor.host(), _to_taowa,
    lambda tensor: id(tensor._storage),
)  # fmt: skip


def random_like(library: Library, tensor: Any, rng: np.random.Generator) -> Any:
    """Return a tensor of random values in [-2, 2] with the type and shape of this one."""
    shape, name = tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")
    values = rng.integers(-64, 65, shape) / 32  # exact in every floating type
    if tensor.dtype.is_complex:
        values = values + 1j * rng.integers(-64, 65, shape) / 32
    return library.tensor(np.asarray(values).astype(getattr(taowa, name).np))


def difference(ours: Any, theirs: Any, *, values: bool = True, scale: float = 1.0) -> str | None:
    """Return how two results differ, `None` if they do not.

    Args:
        values: Whether values count; types, shapes and structure always do.
        scale: Factor on PyTorch's tolerances for the type.
    """
    if isinstance(theirs, torch.Tensor):
        return _tensor_difference(ours, theirs, values, scale)
    if isinstance(theirs, tuple | list):
        return _sequence_difference(ours, theirs, values, scale)
    if isinstance(theirs, float | complex) and isinstance(ours, type(theirs)):
        return None if np.allclose(ours, theirs, equal_nan=True) else f"{ours!r}, not {theirs!r}"
    if isinstance(theirs, torch.dtype):
        ours, theirs = str(ours), str(theirs)
    return None if type(ours) is type(theirs) and ours == theirs else f"{ours!r}, not {theirs!r}"


def _sequence_difference(ours: Any, theirs: Any, values: bool, scale: float) -> str | None:
    if isinstance(ours, list) != isinstance(theirs, list) or not isinstance(ours, tuple | list):
        return f"a {type(ours).__name__}, not a {type(theirs).__name__}"
    if len(ours) != len(theirs):
        return f"{len(ours)} results, not {len(theirs)}"
    fields = [n for n in dir(theirs) if n[0] != "_" and n[0:2] != "n_"]
    absent = [n for n in fields if not hasattr(ours, n)]
    if absent:
        return f"a result without the fields {absent}"
    pairs = enumerate(zip(ours, theirs, strict=True))
    found = [(i, difference(a, b, values=values, scale=scale)) for i, (a, b) in pairs]
    return next((f"result {i}: {text}" for i, text in found if text), None)


def _tensor_difference(ours: Any, theirs: torch.Tensor, values: bool, scale: float) -> str | None:
    if not isinstance(ours, taowa.Tensor):
        return f"a {type(ours).__name__} ({ours!r}), not a Tensor"
    if str(ours.dtype) != str(theirs.dtype):
        return f"{ours.dtype}, not {theirs.dtype}"
    if tuple(ours.shape) != tuple(theirs.shape):
        return f"shape {tuple(ours.shape)}, not {tuple(theirs.shape)}"
    if not values:
        return None
    expected = to_torch(to_numpy(theirs))
    got = to_torch(ours.host())
    rtol, atol = torch.testing._comparison.default_tolerances(expected.dtype)
    close = torch.isclose(got, expected, rtol=rtol * scale, atol=atol * scale, equal_nan=True)
    if bool(close.all()):
        return None
    at = tuple(int(i) for i in (~close).nonzero()[0])
    count = f"{int((~close).sum())} of {close.numel()} values"
    return f"{count}, first {got[at].item()!r}, not {expected[at].item()!r}, at {list(at)}"


def describe(tree: Any) -> str:
    """Return arguments as short text, tensors by type and shape (small ones by value)."""
    if isinstance(tree, torch.Tensor):
        kind = str(tree.dtype).removeprefix("torch.")
        return f"{kind}{list(tree.shape)}" if tree.dim() else f"{kind}({tree.item()!r})"
    if isinstance(tree, Case):
        keywords = [f"{key}={describe(value)}" for key, value in tree.kwargs.items()]
        return f"({', '.join([*map(describe, tree.args), *keywords])})"
    if isinstance(tree, list | tuple):
        left, right = "[]" if isinstance(tree, list) else "()"
        return left + ", ".join(map(describe, tree)) + right
    return repr(tree)
