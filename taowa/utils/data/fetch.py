"""From the indices of a batch to the batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from taowa.core.tensor import Tensor, from_array
from taowa.utils.data.collate import collate_tensor_fn, default_collate, default_collate_fn_map
from taowa.utils.data.dataset import Subset, TensorDataset, samples_of


def map_fetcher(dataset: Any, collate_fn: Callable, is_batched: bool) -> Callable:
    """Return the function from indices to a batch, for a dataset that is indexed."""

    def fetch_batch(indices: list) -> Any:
        if collate_fn is default_collate and _collates_tensors_as_usual():
            taken = take_rows(dataset, indices)
            if taken is not None:
                return taken
        return collate_fn(samples_of(dataset, indices))

    def fetch_sample(index: Any) -> Any:
        return collate_fn(dataset[index])

    return fetch_batch if is_batched else fetch_sample


def stream_fetcher(
    stream: Iterator, collate_fn: Callable, *, is_batched: bool, drop_last: bool
) -> Callable:
    """Return the function from placeholders to a batch, for a stream of samples."""

    def fetch_batch(places: list) -> Any:
        samples = [sample for _, sample in zip(places, stream, strict=False)]
        if not samples or (drop_last and len(samples) < len(places)):
            raise StopIteration
        return collate_fn(samples)

    def fetch_sample(_: Any) -> Any:
        return collate_fn(next(stream))

    return fetch_batch if is_batched else fetch_sample


def _collates_tensors_as_usual() -> bool:
    return default_collate_fn_map.get(Tensor) is collate_tensor_fn


def take_rows(dataset: Any, indices: list) -> list[Tensor] | None:
    """Return a batch of a `TensorDataset`, one gather per tensor, or `None` if that is not it.

    Only for the exact classes: a subclass may have changed what a sample is.
    """
    if type(dataset) is Subset:
        return take_rows(dataset.dataset, [dataset.indices[index] for index in indices])
    if type(dataset) is not TensorDataset or not all(type(index) is int for index in indices):
        return None
    length = len(dataset)
    if not indices or not all(-length <= index < length for index in indices):
        return None  # whatever error this is, the ordinary way raises it
    rows = np.array(indices)  # (B,)
    return [_take(tensor, rows) for tensor in dataset.tensors]


def _take(tensor: Tensor, rows: np.ndarray) -> Tensor:
    if tensor.requires_grad or tensor.device.type != "cpu":
        return tensor[from_array(rows, device=tensor.device)]
    return from_array(tensor.host()[rows])
