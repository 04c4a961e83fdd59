"""What is taowa's own in layers, and what PyTorch's table (test_module_db.py) does not show."""

import copy
import pickle

import numpy as np
import pytest
import torch

import taowa
from taowa import nn
from taowa.core import journal
from taowa.core.context import context
from tests.nn.comparison import Comparison, flat, ours, random, same
from tests.nn.module_samples import samples

TOLERANCE = (2e-4, 1e-4)


def construct(name, args, kwargs):
    """The layer of both libraries after the same seed, equal in print and state."""
    torch.manual_seed(3)
    taowa.manual_seed(3)
    theirs = getattr(torch.nn, name)(*args, **kwargs)
    mine = getattr(nn, name)(*ours(args), **{k: ours(v) for k, v in kwargs.items()})
    assert repr(mine) == repr(theirs)
    state, expected = mine.state_dict(), theirs.state_dict()
    assert list(state) == list(expected)
    for key, value in expected.items():
        same(value, state[key], key, (0, 0))
    return theirs, mine


@pytest.mark.parametrize("name", ["Linear", "Conv2d", "BatchNorm2d", "LayerNorm", "Embedding",
                                  "PReLU", "ConvTranspose2d", "GroupNorm", "Bilinear"])  # fmt: skip
def test_copies_and_pickles(name):
    args, kwargs, *_ = next(samples(name, True))
    layer = getattr(nn, name)(*args, **kwargs)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert repr(other) == repr(layer)
        for key, value in layer.state_dict().items():
            np.testing.assert_array_equal(other.state_dict()[key].host(), value.host())


def test_building_a_network_compiles_nothing():
    before = journal.counters.compilations + journal.counters.disk_hits
    nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8, 4),
        nn.Embedding(5, 4, padding_idx=0), nn.LayerNorm(4), nn.PReLU(), nn.Bilinear(2, 3, 4),
    )  # fmt: skip
    assert journal.counters.compilations + journal.counters.disk_hits == before


def recorded(layer, x):
    """How many nodes one call adds to the pending work."""
    taowa.flush()
    before = len(context().pending)
    kept = layer(x)
    count = len(context().pending) - before
    del kept
    return count


@pytest.mark.parametrize(
    ("layer", "shape", "count"),
    [
        (lambda: nn.Linear(4, 2), (3, 4), 1),
        (lambda: nn.Conv2d(4, 2, 3, padding=1), (3, 4, 5, 5), 1),
        (lambda: nn.Conv1d(4, 2, 3, padding="same"), (3, 4, 5), 1),
        (lambda: nn.BatchNorm2d(4), (3, 4, 5, 5), 4),  # the op and its three outputs
        (lambda: nn.BatchNorm2d(4).eval(), (3, 4, 5, 5), 1),
        (lambda: nn.LayerNorm(4), (3, 4), 1),
        (lambda: nn.MaxPool2d(2), (3, 4, 4, 4), 1),
        (lambda: nn.AdaptiveAvgPool2d(1), (3, 4, 4, 4), 1),
        (nn.ReLU, (3, 4), 1),
        (nn.GELU, (3, 4), 1),
    ],
)
def test_a_layer_is_one_operation(layer, shape, count):
    assert recorded(layer(), taowa.ones(*shape)) == count


def test_batch_norm_counts_batches_and_averages_without_momentum():
    theirs, mine = construct("BatchNorm1d", (3,), {"momentum": None})
    for seed in range(3):
        x = random(5, 3, seed=seed, grad=False)
        theirs(x)
        mine(ours(x))
    assert mine.num_batches_tracked.is_on_host()
    for key, value in theirs.state_dict().items():
        same(value, mine.state_dict()[key], key)


def test_batch_norm_in_evaluation_ignores_the_batch():
    layer = nn.BatchNorm1d(2).eval()
    x = taowa.tensor([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_allclose(layer(x).detach().numpy(), x.numpy(), rtol=1e-5)
    assert layer.num_batches_tracked.item() == 0


def test_batch_norm_of_half_precision_keeps_statistics_in_float32():
    both = Comparison()
    theirs, mine = construct("BatchNorm1d", (3,), {})
    for dtype in (torch.bfloat16, torch.float16):
        both.call(str(dtype), theirs, mine, random(6, 3, dtype=dtype))
    both.check()
    for key, value in theirs.state_dict().items():
        same(value, mine.state_dict()[key], key)


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("padding", [1, (2, 1), "same", "valid"])
def test_padding_modes_of_convolution(mode, padding):
    theirs, mine = construct(
        "Conv2d", (2, 3, (3, 5)), {"padding": padding, "padding_mode": mode, "dilation": (1, 2)}
    )
    both = Comparison()
    both.call(mode, theirs, mine, random(2, 2, 9, 10), tolerance=TOLERANCE)
    both.call(f"{mode} without batch", theirs, mine, random(2, 9, 10), tolerance=TOLERANCE)
    both.check()


def test_embedding_padding_row_gets_no_gradient_and_no_draw():
    theirs, mine = construct("Embedding", (5, 3), {"padding_idx": -2})
    mine(taowa.tensor([[3, 1], [3, 3]])).sum().backward()
    theirs(torch.tensor([[3, 1], [3, 3]])).sum().backward()
    same(theirs.weight.grad, mine.weight.grad)
    assert mine.weight.grad[3].tolist() == [0.0] * 3


def test_embedding_max_norm_shortens_rows_in_use():
    theirs, mine = construct("Embedding", (5, 3), {"max_norm": 0.5, "norm_type": 1.0})
    both = Comparison()
    both.call("rows", theirs, mine, torch.tensor([1, 4, 1]))
    both.check()
    same(theirs.weight, mine.weight)


def test_embedding_from_pretrained_is_frozen():
    layer = nn.Embedding.from_pretrained(taowa.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert not layer.weight.requires_grad
    assert layer(taowa.tensor([1])).tolist() == [[3.0, 4.0]]


ERRORS = [
    ("Conv2d", (4, 8, 3), {"groups": 3}, None),
    ("Conv2d", (4, 7, 3), {"groups": 2}, None),
    ("Conv2d", (4, 8, 3), {"groups": 0}, None),
    ("Conv2d", (4, 8, 3), {"padding": "around"}, None),
    ("Conv2d", (4, 8, 3), {"padding": "same", "stride": 2}, None),
    ("Conv2d", (4, 8, 3), {"padding_mode": "mirror"}, None),
    ("Conv2d", (4, 8, 3), {}, (1, 3, 8, 8)),
    ("Conv2d", (4, 8, 3), {}, (8, 8)),
    ("Conv2d", (4, 8, 9), {}, (1, 4, 8, 8)),
    ("ConvTranspose2d", (4, 8, 3), {"padding_mode": "reflect"}, None),
    ("ConvTranspose2d", (4, 8, 3), {}, (1, 3, 8, 8)),
    ("Linear", (4, 8), {}, (3, 5)),
    ("Bilinear", (0, 4, 8), {}, None),
    ("BatchNorm1d", (3,), {}, (2, 3, 4, 4)),
    ("BatchNorm1d", (3,), {}, (1, 3)),
    ("BatchNorm2d", (3,), {}, (2, 4, 5, 5)),
    ("LayerNorm", (3,), {}, (2, 4)),
    ("GroupNorm", (2, 3), {}, None),
    ("GroupNorm", (2, 4), {}, (2, 6)),
    ("InstanceNorm2d", (3,), {}, (2, 3)),
    ("MaxPool2d", (2,), {"padding": 2}, (1, 1, 4, 4)),
    ("MaxPool2d", (5,), {}, (1, 1, 4, 4)),
    ("AvgPool2d", (2,), {"divisor_override": 0}, (1, 1, 4, 4)),
    ("AdaptiveAvgPool2d", (2,), {}, (4, 4)),
    ("Embedding", (5, 3), {"padding_idx": 5}, None),
    ("Hardtanh", (3, -1), {}, None),
    ("GELU", (), {"approximate": "maybe"}, (3,)),
    ("GLU", (), {}, (3,)),
    ("PReLU", (2,), {}, (1, 3)),
    ("Softmax", (5,), {}, (2, 2)),
    ("ReflectionPad1d", (9,), {}, (1, 4)),
    ("Unflatten", (0, (2, 3)), {}, (5,)),
]


def error_of(library, name, args, kwargs, shape):
    try:
        layer = getattr(library.nn, name)(*args, **kwargs)
        if shape is not None:
            layer(library.ones(*shape))
    except Exception as error:
        return error
    return None


@pytest.mark.parametrize(("name", "args", "kwargs", "shape"), ERRORS)
def test_errors_are_of_pytorchs_kind(name, args, kwargs, shape):
    theirs = error_of(torch, name, args, kwargs, shape)
    mine = error_of(taowa, name, args, kwargs, shape)
    assert theirs is not None
    assert isinstance(mine, type(theirs)), f"{mine!r}, not {theirs!r}"


def test_linear_says_shapes_received_and_expected():
    with pytest.raises(RuntimeError, match=r"cannot be multiplied \(4x3 and 5x2\).*\(2, 5\)"):
        nn.Linear(5, 2)(taowa.ones(4, 3))


@pytest.mark.parametrize("name", ["ReLU", "ELU", "SELU", "SiLU", "Hardtanh", "LeakyReLU", "Mish"])
def test_inplace_activations_write_into_their_input(name):
    x = random(3, 4, grad=False)
    mine = ours(x) * 1
    result = getattr(nn, name)(inplace=True)(mine)
    assert result is mine
    same(getattr(torch.nn, name)()(x), mine, name)
    with pytest.raises(RuntimeError, match="leaf Variable"):
        getattr(nn, name)(inplace=True)(taowa.ones(2, requires_grad=True))


def test_comparison_notices_a_wrong_gradient():
    both = Comparison()
    both.call("square", lambda x: x * x, lambda x: x * x.detach(), random(3))
    with pytest.raises(AssertionError, match="gradient"):
        both.check()
    assert flat([1, (taowa.ones(1),)])[0].tolist() == [1.0]
