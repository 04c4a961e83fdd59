"""What can be trained on, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from taowa.vision.digits import Digits

__all__ = ["SOURCES", "ImageData"]


@dataclass(frozen=True)
class ImageData:
    """Images to train and test a classifier on, with what a network must know of them.

    Attributes:
        train: Dataset with a length, of `(image, label)`.
        test: Likewise.
        in_channels: Of every image.
        image_size: Pixels along each side of every image.
    """

    train: Any
    test: Any
    num_classes: int
    in_channels: int
    image_size: int


def _digits() -> ImageData:
    return ImageData(
        Digits(train=True), Digits(train=False), num_classes=10, in_channels=1, image_size=8
    )


SOURCES: dict[str, Callable[[], ImageData]] = {"digits": _digits}
