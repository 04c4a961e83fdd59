import io

import numpy as np
import pytest
from rich.console import Console

import taowa
from taowa import models, nn
from taowa.core import journal
from taowa.core.tensor import from_array
from taowa.inspect import summary


def flat(layer):
    yield layer
    for child in layer.children:
        yield from flat(child)


class Twins(nn.Module):
    """Calls one layer twice, shares it with a child, never calls another, returns two tensors."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.holder = nn.ModuleDict({"same": self.layer})
        self.unused = nn.Linear(4, 2, bias=False)
        self.unused.requires_grad_(False)

    def forward(self, x, scale):
        x = self.layer(self.layer(x))
        return {"sum": x * scale, "rest": [x[0]]}


def test_table_of_a_residual_network():
    net = models.ResNet(models.BasicBlock, [1, 1, 1, 1], 10, in_channels=1, stem="cifar")
    text = str(summary(net, (2, 1, 8, 8), depth=2))
    lines = text.split("\n")
    assert lines[2].split() == ["ResNet", "[2,", "10]", "4,902,090"]
    assert "│  └─ 0: BasicBlock             [2, 128, 4, 4]      230,144" in lines
    assert "└─ fc: Linear                   [2, 10]               5,130" in lines
    assert lines[-2:] == ["Buffers     23.1 kB", "Input       [2, 1, 8, 8]"]
    assert "bn2" not in text


def test_nothing_is_computed():
    counters = journal.counters
    before = counters.compilations, counters.disk_hits, counters.dispatches
    summary(models.resnet50(), (16, 3, 224, 224))
    assert (counters.compilations, counters.disk_hits, counters.dispatches) == before


def test_totals_are_the_sums_of_the_leaves():
    net = models.resnet18(num_classes=10, image_size=8, in_channels=1)
    net.conv1.requires_grad_(False)
    found = summary(net, (1, 1, 8, 8))
    leaves = [layer for layer in flat(found.root) if not layer.children]
    assert sum(layer.num_parameters for layer in leaves) == found.num_parameters
    assert found.num_parameters - found.num_trainable == 64 * 9
    assert found.parameter_bytes == 4 * found.num_parameters
    assert f"{64 * 9} of them frozen" in str(found)


def test_shared_uncalled_and_repeated_layers():
    x = from_array(np.zeros((3, 4), np.float32))
    found = summary(Twins(), input_data={"x": x, "scale": x})
    lines = str(found).split("\n")
    assert lines[2].startswith("Twins")
    assert "[3, 4], [4]" in lines[2]
    assert lines[3].split() == ["├─", "layer:", "Linear", "×2", "[3,", "4]", "20"]
    assert lines[5].split()[-1] == "shared"
    assert lines[6].split() == ["└─", "unused:", "Linear", "–", "8"]
    assert found.num_parameters == 28


def test_hooks_are_taken_off_and_modes_put_back():
    net = nn.Sequential(nn.Linear(4, 4), nn.Dropout())
    net[1].eval()
    summary(net, (2, 4))
    assert [m.training for m in net.modules()] == [True, True, False]
    assert not any(m._forward_hooks for m in net.modules())


def test_several_inputs_and_types():
    class Gather(nn.Module):
        def forward(self, table, index):
            return table[index]

    sizes = [(5, 3), (4,)]
    assert summary(Gather(), sizes, dtype=taowa.int64).root.output == "[4, 3]"


def test_without_input_there_are_no_shapes():
    found = summary(nn.Sequential(nn.Linear(4, 2)))
    assert found.root.output == ""
    assert str(found).split("\n")[2].split() == ["Sequential", "–", "10"]


def test_rich_prints_the_same_text():
    found = summary(models.mlp(image_size=4), (1, 1, 4, 4))
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(found)
    printed = [line.rstrip() for line in console.export_text().rstrip().split("\n")]
    assert printed == str(found).split("\n")


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="both input_size and input_data"):
        summary(nn.Identity(), (1,), taowa.zeros(1))
    with pytest.raises(ValueError, match="depth is -1"):
        summary(nn.Identity(), depth=-1)


def test_shape_errors_are_the_models_own():
    with pytest.raises(RuntimeError):
        summary(nn.Linear(4, 2), (2, 5))
