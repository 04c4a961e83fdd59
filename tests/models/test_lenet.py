import numpy as np
import pytest
import torch

import taowa
from taowa.core.tensor import from_array
from taowa.models import LeNet5


def torch_lenet(first_padding, second_padding, size):
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=first_padding), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5, padding=second_padding), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(16 * size**2, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("image_size", "paddings", "size"),
    [(32, (0, 0), 5), (28, (2, 0), 5), (8, (2, 2), 2), (4, (2, 2), 1)],
)
def test_lenet_is_pytorchs(image_size, paddings, size):
    torch.manual_seed(2)
    theirs = torch_lenet(*paddings, size)
    taowa.manual_seed(2)
    ours = LeNet5(image_size=image_size)
    images = torch.randn(2, 1, image_size, image_size)
    scores = ours(from_array(images.numpy().copy()))
    np.testing.assert_allclose(scores.detach().numpy(), theirs(images).detach().numpy(), atol=1e-5)


def test_images_too_small_are_refused():
    with pytest.raises(ValueError, match="image_size is 3, expected at least 4"):
        LeNet5(image_size=3)
