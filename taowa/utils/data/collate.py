"""From a list of samples to one batch of tensors, on the host: nothing here compiles."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from taowa import dtypes
from taowa.core.tensor import Tensor, from_array
from taowa.ops.joining import stack
from taowa.ops.tensor_factory import as_tensor, tensor

CollateMap = dict[type | tuple[type, ...], Callable]


def _is_namedtuple(value: Any) -> bool:
    return isinstance(value, tuple) and hasattr(value, "_fields")


def _like_mapping(model: Mapping, items: dict) -> Any:
    """Return `items` in a mapping like `model`, whose further attributes a copy keeps."""
    try:
        if isinstance(model, MutableMapping):
            clone: Any = copy.copy(model)
            clone.update(items)
            return clone
        return type(model)(items)  # type: ignore[call-arg]
    except TypeError:  # it takes no such argument, or cannot be copied
        return items


def _like_sequence(model: Sequence, items: list) -> Any:
    """Return `items` in a sequence like `model`; a tuple becomes a list, as in PyTorch."""
    if _is_namedtuple(model):
        return type(model)(*items)
    if isinstance(model, tuple):
        return items
    try:
        if isinstance(model, MutableSequence):
            clone: Any = copy.copy(model)
            for i, item in enumerate(items):
                clone[i] = item
            return clone
        return type(model)(items)  # type: ignore[call-arg]
    except TypeError:  # a range, say
        return items


def _is_text_array(array: np.ndarray) -> bool:
    return array.dtype.kind in "SUO"


def default_convert(data: Any) -> Any:
    """Return the sample with every NumPy value in it made a tensor.

    Strings, numbers and other objects stay as they are; tuples become lists.

    Example:
        >>> import numpy as np
        >>> default_convert({"x": np.arange(2), "name": "a"})
        {'x': tensor([0, 1]), 'name': 'a'}
    """
    if isinstance(data, np.ndarray | np.generic) and not isinstance(data, np.str_ | np.bytes_):
        is_text = type(data) is np.ndarray and _is_text_array(data)
        return data if is_text else as_tensor(data)
    if isinstance(data, Mapping):
        return _like_mapping(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return _like_sequence(data, [default_convert(item) for item in data])
    return data


def collate(batch: Sequence, *, collate_fn_map: CollateMap | None = None) -> Any:
    """Merge a list of samples: containers element by element, the rest by `collate_fn_map`.

    Args:
        batch: Samples of one structure.
        collate_fn_map: For each type, or tuple of types, a function
            `f(batch, *, collate_fn_map)`. An exact type is preferred to a base class.
    Raises:
        TypeError: if a sample is of no such type.
        RuntimeError: if sequences in it differ in length.
    Example:
        >>> collate([{"n": 1}, {"n": 2}], collate_fn_map={int: lambda batch, **_: sum(batch)})
        {'n': 3}
    """
    first = batch[0]
    function = _function_for(first, collate_fn_map or {})
    if function is not None:
        return function(batch, collate_fn_map=collate_fn_map)
    if isinstance(first, Mapping):
        columns = {key: [sample[key] for sample in batch] for key in first}
        merged = {k: collate(c, collate_fn_map=collate_fn_map) for k, c in columns.items()}
        return _like_mapping(first, merged)
    if isinstance(first, Sequence):
        if not _is_namedtuple(first) and any(len(sample) != len(first) for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        columns = zip(*batch, strict=False)
        return _like_sequence(first, [collate(c, collate_fn_map=collate_fn_map) for c in columns])
    raise _not_collatable(type(first))


def _function_for(value: Any, functions: CollateMap) -> Callable | None:
    exact = functions.get(type(value))
    if exact is not None:
        return exact
    return next((f for kind, f in functions.items() if isinstance(value, kind)), None)


def _not_collatable(found: Any) -> TypeError:
    return TypeError(
        "default_collate: batch must contain tensors, numpy arrays, numbers, "
        f"dicts or lists; found {found}"
    )


def collate_tensor_fn(batch: Sequence[Tensor], *, collate_fn_map: Any = None) -> Tensor:
    """Stack tensors along a new first dimension, by NumPy if all values are on the host.

    Example:
        >>> import taowa
        >>> collate_tensor_fn([taowa.tensor([1, 2]), taowa.tensor([3, 4])])
        tensor([[1, 2],
                [3, 4]])
    """
    if all(map(_is_plain, batch)) and len({item._aval for item in batch}) == 1:
        stacked = np.stack([item.host() for item in batch])  # (B, ...)
        return from_array(stacked, device=batch[0].device)
    return stack(list(batch))


def _is_plain(item: Any) -> bool:
    return isinstance(item, Tensor) and item.is_on_host() and not item.requires_grad


def collate_numpy_array_fn(batch: Sequence[np.ndarray], *, collate_fn_map: Any = None) -> Any:
    """Stack arrays along a new first dimension.

    Unlike in PyTorch, arrays with negative strides (`image[:, ::-1]`) will do.

    Raises:
        TypeError: for arrays of text or objects.
    """
    if _is_text_array(batch[0]):
        raise _not_collatable(batch[0].dtype)
    is_default = (collate_fn_map or {}).get(Tensor) is collate_tensor_fn
    kinds = {(array.shape, array.dtype) for array in batch}
    if is_default and len(kinds) == 1 and batch[0].dtype.isnative:
        return from_array(np.stack(batch))  # one copy instead of two
    return collate([as_tensor(array) for array in batch], collate_fn_map=collate_fn_map)


def collate_numpy_scalar_fn(batch: Sequence[Any], *, collate_fn_map: Any = None) -> Tensor:
    """Make a one-dimensional tensor of NumPy numbers, of their type."""
    return as_tensor(batch)


def collate_float_fn(batch: Sequence[float], *, collate_fn_map: Any = None) -> Tensor:
    """Make a one-dimensional float64 tensor of Python floats."""
    return tensor(batch, dtype=dtypes.float64)


def collate_int_fn(batch: Sequence[int], *, collate_fn_map: Any = None) -> Tensor:
    """Make a one-dimensional tensor of Python integers or bools."""
    return tensor(batch)


def collate_str_fn(batch: Sequence, *, collate_fn_map: Any = None) -> Sequence:
    """Leave texts as they are."""
    return batch


# Changed in place, it changes `default_collate`.
default_collate_fn_map: CollateMap = {
    Tensor: collate_tensor_fn,
    np.ndarray: collate_numpy_array_fn,
    (np.bool_, np.number, np.object_): collate_numpy_scalar_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}


def default_collate(batch: Sequence) -> Any:
    """Merge a list of samples into one batch with a new first dimension.

    Tensors, arrays and numbers become tensors; strings stay lists of strings; dicts, namedtuples
    and sequences are merged element by element.

    Example:
        >>> default_collate([(0, "a"), (1, "b")])
        [tensor([0, 1]), ('a', 'b')]
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)
