"""LeNet-5, the convolutional network for handwritten digits."""

from __future__ import annotations

from collections import OrderedDict

from taowa import nn
from taowa.core.tensor import Tensor
from taowa.models.registry import register_model

__all__ = ["LeNet5", "lenet5"]

KERNEL_SIZE = 5
UNPADDED_SIZES = (32, 14)  # the images that the original's two convolutions see


class LeNet5(nn.Module):
    """Classify images by two convolutions and three fully connected layers.

    Unlike the original it has ReLU and maximum pooling, and every feature map of the first layer
    feeds every one of the second. A convolution whose images are smaller than the original's (32
    and 14 pixels) is padded to keep their size: 28 pixels give the usual MNIST form.

    Args:
        in_channels: Channels of the images.
        image_size: Pixels along a side of the square images, at least 4.
    Shape:
        input `(N, in_channels, image_size, image_size)` -> output `(N, num_classes)`
    Raises:
        ValueError: if the images are too small.
    References:
        LeCun et al. 1998, https://doi.org/10.1109/5.726791
    Example:
        >>> LeNet5(num_classes=10, image_size=28).features.conv1
        Conv2d(1, 6, kernel_size=(5, 5), stride=(1, 1), padding=(2, 2))
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1, image_size: int = 32):
        super().__init__()
        if image_size < 4:
            raise ValueError(f"LeNet5: image_size is {image_size}, expected at least 4")
        first, second = UNPADDED_SIZES
        first_padding, size = _padding_and_size(image_size, first)
        second_padding, size = _padding_and_size(size, second)
        self.features = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(in_channels, 6, KERNEL_SIZE, padding=first_padding),
                relu1=nn.ReLU(),
                pool1=nn.MaxPool2d(2),
                conv2=nn.Conv2d(6, 16, KERNEL_SIZE, padding=second_padding),
                relu2=nn.ReLU(),
                pool2=nn.MaxPool2d(2),
                flatten=nn.Flatten(),
            )
        )
        self.classifier = nn.Sequential(
            OrderedDict(
                fc1=nn.Linear(16 * size**2, 120),
                relu1=nn.ReLU(),
                fc2=nn.Linear(120, 84),
                relu2=nn.ReLU(),
                fc3=nn.Linear(84, num_classes),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return each class's score: `(N, num_classes)`."""
        return self.classifier(self.features(x))


def _padding_and_size(size: int, unpadded_size: int) -> tuple[int, int]:
    """Return a convolution's padding and the size of its images after it and the pooling."""
    padding = KERNEL_SIZE // 2 if size < unpadded_size else 0
    return padding, (size + 2 * padding - KERNEL_SIZE + 1) // 2


@register_model
def lenet5(*, num_classes: int = 10, in_channels: int = 1, image_size: int = 32) -> LeNet5:
    """Build LeNet-5 for small images, at least 4 pixels along a side.

    Example:
        >>> sum(p.numel() for p in lenet5().parameters())
        61706
    """
    return LeNet5(num_classes, in_channels, image_size)
