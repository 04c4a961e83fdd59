"""Handwritten digits that need no download: they come with scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from taowa.core.tensor import Tensor, from_array
from taowa.errors import DataError
from taowa.utils.data.dataset import Dataset

__all__ = ["Digits"]

TEST_EVERY = 5  # of each digit's images, numbers 0, 5, 10, ... are for testing
BRIGHTEST = 16  # of the values in scikit-learn's copy


class Digits(Dataset):
    """Serve scikit-learn's 1,797 handwritten digits, grey images of 8×8 pixels.

    Every fifth image of each digit is for testing (364 in all), the others for training (1,433).

    Args:
        train: Whether to serve the images for training.
        transform: Called with each image, a float32 tensor `(1, 8, 8)` of values from 0 to 1.
    Attributes:
        images: All images of this part, `(N, 1, 8, 8)`.
        labels: Their digits, `(N,)`, int64.
    Raises:
        DataError: if scikit-learn is not installed.
    References:
        Alpaydin & Kaynak 1998, https://doi.org/10.24432/C50P49
    Example:
        >>> digits = Digits(train=False)
        >>> image, label = digits[0]
        >>> len(digits), image.shape, label
        (364, torch.Size([1, 8, 8]), 0)
    """

    classes = tuple("0123456789")

    def __init__(self, train: bool = True, transform: Callable[[Tensor], Any] | None = None):
        images, labels = _load()
        is_test = _rank_in_class(labels) % TEST_EVERY == 0
        chosen = ~is_test if train else is_test
        self.images: np.ndarray = images[chosen]
        self.labels: np.ndarray = labels[chosen]
        self.transform = transform

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image = from_array(self.images[index])
        if self.transform is not None:
            image = self.transform(image)
        return image, int(self.labels[index])

    def __len__(self) -> int:
        return len(self.labels)


def _load() -> tuple[np.ndarray, np.ndarray]:
    """Return all images, `(1797, 1, 8, 8)` from 0 to 1, and their digits."""
    try:
        from sklearn.datasets import load_digits  # noqa: PLC0415
    except ImportError as error:
        raise DataError(
            "the digits come with scikit-learn, which is not installed: "
            "pip install scikit-learn (or taowa[demo])"
        ) from error
    loaded: Any = load_digits()
    images = (loaded.images[:, None] / BRIGHTEST).astype(np.float32)
    return images, loaded.target.astype(np.int64)


def _rank_in_class(labels: np.ndarray) -> np.ndarray:
    """Return how many earlier labels are the same, for each."""
    is_class = labels[:, None] == np.arange(labels.max() + 1)  # (N, num_classes)
    return (is_class.cumsum(0) - 1)[is_class]
