"""Recurrent functions of the top namespace, and second derivatives of the layers."""

import pytest
import torch

import taowa
from tests.nn.comparison import Comparison, flat, ours, random, same

GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}
SETTINGS = (True, 1, 0.0, False, True)  # biases, layers, dropout, train, bidirectional


def weights(name, inputs=3, size=2, directions=2):
    rows = GATES[name] * size
    shapes = [(rows, inputs), (rows, size), (rows,), (rows,)] * directions
    return [random(*shape, seed=i) for i, shape in enumerate(shapes)]


def state(name, batch, directions=2):
    h = random(directions, batch, 2, seed=21)
    return [h, random(directions, batch, 2, seed=22)] if name == "lstm" else h


@pytest.mark.parametrize("name", list(GATES))
def test_sequences(name):
    both = Comparison()
    theirs, mine = getattr(torch, name), getattr(taowa, name)
    both.call(f"{name} padded", theirs, mine, random(2, 4, 3), state(name, 2), weights(name),
              *SETTINGS, True)  # fmt: skip
    both.call(f"{name} packed", theirs, mine, random(6, 3), torch.tensor([3, 2, 1]),
              state(name, 3), weights(name), *SETTINGS)  # fmt: skip
    both.check()


@pytest.mark.parametrize("name", [f"{name}_cell" for name in GATES])
def test_cells(name):
    both = Comparison()
    theirs, mine = getattr(torch, name), getattr(taowa, name)
    base = name.removesuffix("_cell")
    hx = [random(2, 2, seed=1), random(2, 2, seed=2)]
    hx = hx if base == "lstm" else hx[0]
    w = weights(base, directions=1)
    both.call(name, theirs, mine, random(2, 3), hx, *w)
    both.call(f"{name} without bias", theirs, mine, random(2, 3), hx, *w[:2])
    both.check()


def penalised(library, output, leaves, cotangents):
    """Gradients of the squared first gradients, so that a second derivative is needed."""
    first = library.autograd.grad([output], leaves, cotangents, create_graph=True)
    return library.autograd.grad(sum((g * g).sum() for g in first), leaves)


@pytest.mark.parametrize("name", list(GATES))
def test_second_derivatives(name):
    given = [random(4, 3), state(name, 2, 1), weights(name, directions=1)]
    sizes, cotangents = torch.tensor([2, 1, 1]), [random(4, 2, seed=9, grad=False)]
    results = []
    for library, convert in ((torch, lambda value: value), (taowa, ours)):
        data, h, params = convert(given)
        function = getattr(library, name)
        outputs = function(data, convert(sizes), h, params, True, 1, 0.0, False, False)
        leaves = flat([data, h, params])
        results.append(penalised(library, outputs[0], leaves, convert(cotangents)))
    for i, (expected, got) in enumerate(zip(*results, strict=True)):
        same(expected, got, f"{name} {i}", (1e-4, 1e-4))


def test_wrong_arguments():
    x, h, w = taowa.ones(2, 1, 3), taowa.zeros(1, 1, 2), ours(weights("gru", directions=1))
    with pytest.raises(RuntimeError, match="lstm expects two hidden states"):
        taowa.lstm(x, [h], w, True, 1, 0.0, False, False, False)
    with pytest.raises(RuntimeError, match="2 layers need 8 weights, got 4"):
        taowa.gru(x, h, w, True, 2, 0.0, False, False, False)
    with pytest.raises(RuntimeError, match="cannot be shared out by 4"):
        taowa.gru(x, h, w[:3], True, 1, 0.0, False, False, False)
    with pytest.raises(TypeError, match=r"missing arguments \['batch_first'\]"):
        taowa.gru(x, h, w, True, 1, 0.0, False, False)
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        taowa.gru(x[..., :2], h, w, True, 1, 0.0, False, False, False)
    with pytest.raises(RuntimeError, match="states of 2 sequences for 1 sequences"):
        taowa.gru(x, taowa.zeros(1, 2, 2), w, True, 1, 0.0, False, False, False)
    with pytest.raises(RuntimeError, match="same dtype"):
        taowa.gru(x.double(), h, w, True, 1, 0.0, False, False, False)
    settings = {"has_biases": True, "num_layers": 1, "dropout": 0.0, "train": False}
    named = {"hx": h, "params": w, **settings, "bidirectional": False, "batch_first": False}
    assert tuple(taowa.gru(x, **named)[0].shape) == (2, 1, 2)
