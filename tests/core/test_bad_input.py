"""Bad input: PyTorch's exception type, and a message with what was received and expected."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch as oracle

import taowa
from taowa import nn
from taowa.nn import functional as F

CASES = {
    "linear of another width": lambda t: t.nn.Linear(3, 2)(t.ones(4, 5)),
    "matmul": lambda t: t.ones(2, 3) @ t.ones(2, 3),
    "broadcast": lambda t: t.ones(2, 3) + t.ones(2, 4),
    "conv channels": lambda t: t.nn.Conv2d(3, 8, 3)(t.ones(1, 4, 8, 8)),
    "conv rank": lambda t: t.nn.Conv2d(3, 8, 3)(t.ones(3, 8)),
    "conv larger than its input": lambda t: t.nn.Conv2d(1, 1, 5)(t.ones(1, 1, 3, 3)),
    "batch norm rank": lambda t: t.nn.BatchNorm2d(3)(t.ones(2, 3)),
    "batch norm channels": lambda t: t.nn.BatchNorm1d(3)(t.ones(2, 4)),
    "batch norm of one value": lambda t: t.nn.BatchNorm1d(3)(t.ones(1, 3)),
    "view": lambda t: t.ones(6).view(4),
    "cat": lambda t: t.cat([t.ones(2, 3), t.ones(2, 4)]),
    "stack": lambda t: t.stack([t.ones(2), t.ones(3)]),
    "dimension": lambda t: t.ones(2).sum(3),
    "index": lambda t: t.ones(3)[5],
    "too many indices": lambda t: t.ones(3)[0, 0],
    "tensor index": lambda t: t.ones(3)[t.tensor([7])],
    "embedding index": lambda t: t.nn.Embedding(3, 2)(t.tensor([5])),
    "label": lambda t: t.nn.functional.cross_entropy(t.ones(2, 3), t.tensor([0, 3])),
    "labels of another batch": lambda t: t.nn.functional.cross_entropy(
        t.ones(2, 3), t.tensor([0, 1, 2])
    ),
    "float labels as classes": lambda t: t.nn.functional.nll_loss(t.ones(2, 3), t.ones(2)),
    "float indices": lambda t: t.nn.Embedding(3, 2)(t.ones(2)),
    "mixed dtypes": lambda t: t.ones(2, 2) @ t.ones(2, 2, dtype=t.float64),
    "gradient of integers": lambda t: t.tensor([1]).requires_grad_(),
    "in-place widening": lambda t: t.tensor([1]).add_(0.5),
    "in-place shape": lambda t: t.ones(2).add_(t.ones(3, 2)),
    "integer division by zero": lambda t: t.tensor([1]) // t.tensor([0]),
    "item of several": lambda t: t.ones(2).item(),
    "truth of several": lambda t: bool(t.ones(2)),
    "dropout probability": lambda t: t.nn.Dropout(1.5),
    "device name": lambda t: t.ones(1, device="gpuu"),
    "freed graph": lambda t: _backward_twice(t),
    "backward of a vector": lambda t: (t.ones(2, requires_grad=True) * 2).backward(),
    "leaf in place": lambda t: t.ones(2, requires_grad=True).add_(1),
    "missing file": lambda t: t.load("no such file.pth"),
    "ragged lists": lambda t: t.tensor([[1, 2], [3]]),
    "no tensor": lambda t: t.tensor("text"),
    "state dict key": lambda t: t.nn.Linear(2, 2).load_state_dict({"nope": t.ones(1)}),
    "state dict shape": lambda t: t.nn.Linear(2, 2).load_state_dict(
        {"weight": t.ones(3, 2), "bias": t.ones(2)}
    ),
}


def _backward_twice(t):
    y = (t.ones(2, requires_grad=True) ** 2).sum()
    y.backward()
    y.backward()


def _run(case, library):
    """Run a case to the end; an error of a value may wait until something is read."""
    result = CASES[case](library)
    if hasattr(result, "tolist"):
        result.tolist()
    raise AssertionError(f"{case} raised nothing under {library.__name__}")


@pytest.mark.parametrize("case", CASES)
def test_the_same_exception_type(case):
    with pytest.raises(Exception) as theirs:
        _run(case, oracle)
    with pytest.raises(Exception) as ours:
        _run(case, taowa)
    assert not isinstance(theirs.value, AssertionError)
    assert isinstance(ours.value, theirs.type) or theirs.type.__name__ == "DeferredCudaCallError"
    assert str(ours.value)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())
        self.layer2 = nn.Sequential(nn.Conv2d(8, 8, 3))

    def forward(self, x):
        return self.layer2(self.layer1(x))


def test_shape_errors_name_the_module_and_both_shapes():
    with pytest.raises(RuntimeError) as caught:
        Net()(taowa.ones(2, 1, 8, 8))
    text = f"{caught.value} {' '.join(caught.value.__notes__)}"
    assert "layer2.0" in text
    assert "Conv2d(8, 8" in text
    assert "4 channels" in text
    assert "8" in text


def test_a_device_that_is_not_there():
    with pytest.raises(RuntimeError, match=r"cpu:7: this machine has \d+ cpu"):
        taowa.ones(1, device="cpu:7")


MIXED = """
import taowa
a, b = taowa.ones(2), taowa.ones(2, device="cpu:1")
assert (b * 2).device == taowa.device("cpu", 1)
assert (a + b.to("cpu")).tolist() == [2.0, 2.0]
try:
    a + b
except RuntimeError as error:
    print(error)
"""


def test_mixing_devices_names_both():
    env = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    done = subprocess.run(
        [sys.executable, "-c", MIXED], env=env, capture_output=True, text=True, check=True
    )
    assert "Expected all tensors to be on the same device" in done.stdout
    assert "cpu and cpu:1" in done.stdout


def test_labels_out_of_range_that_were_computed_raise_when_read():
    labels = taowa.tensor([1, 2]) * 2
    loss = F.cross_entropy(taowa.ones(2, 3), labels)
    with pytest.raises(IndexError, match=r"out of bounds|out of range"):
        loss.item()
    assert taowa.ones(2).sum().item() == 2.0


def test_closed_and_wrong_files(tmp_path):
    path = tmp_path / "net.pth"
    taowa.save({"w": taowa.ones(2)}, path)
    with path.open("rb") as file:
        pass
    with pytest.raises(ValueError, match="closed"):
        taowa.load(file)
    path.write_bytes(np.random.RandomState(0).bytes(200))
    with pytest.raises(taowa.LoadError):
        taowa.load(path)
