import numpy as np
import torch

import taowa
from taowa.core.tensor import from_array
from taowa.models import MLP, mlp


def test_mlp_is_pytorchs_sequential():
    torch.manual_seed(1)
    theirs = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(12, 5), torch.nn.ReLU(),
        torch.nn.Linear(5, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3),
    )  # fmt: skip
    taowa.manual_seed(1)
    ours = mlp(num_classes=3, in_channels=3, image_size=2, hidden=(5, 4))
    assert repr(ours) == repr(theirs).replace("Sequential", "MLP")
    images = torch.randn(2, 3, 2, 2)
    scores = ours(from_array(images.numpy().copy()))
    np.testing.assert_allclose(scores.detach().numpy(), theirs(images).detach().numpy(), atol=1e-5)


def test_mlp_without_hidden_layers_is_linear():
    assert [type(m).__name__ for m in MLP(6, [], 2)] == ["Flatten", "Linear"]
