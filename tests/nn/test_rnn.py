"""Recurrent networks against PyTorch: what its own table of modules does not ask."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch

import taowa
from taowa import nn
from taowa.core import journal
from taowa.core.context import context
from tests.nn.comparison import Comparison, ours, random, same

pack, theirs_pack = nn.utils.rnn.pack_padded_sequence, torch.nn.utils.rnn.pack_padded_sequence


def pair(name, *args, **kwargs):
    """The module of both libraries after the same seed, equal in print and state."""
    torch.manual_seed(3)
    taowa.manual_seed(3)
    theirs, mine = getattr(torch.nn, name)(*args, **kwargs), getattr(nn, name)(*args, **kwargs)
    assert repr(mine) == repr(theirs)
    assert list(mine.state_dict()) == list(theirs.state_dict())
    for key, value in theirs.state_dict().items():
        same(value, mine.state_dict()[key], key, (0, 0))
    return theirs, mine


def parameters(theirs, mine):
    return list(theirs.parameters()), list(mine.parameters())


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("RNN", (3, 5, 2, "relu", False, True, 0.25, True), {}),
        ("RNN", (3, 5), {"nonlinearity": "tanh", "num_layers": 3}),
        ("LSTM", (3, 5, 2, True, True, 0.5, True, 2), {}),
        ("GRU", (3, 5, 2), {"dropout": 1, "bidirectional": True}),
        ("RNNBase", ("GRU", 4, 2), {}),
        ("RNNCell", (3, 5, False, "relu"), {}),
        ("LSTMCell", (3, 5), {"bias": False}),
        ("GRUCell", (3, 5), {}),
    ],
)
def test_print_state_and_first_values(name, args, kwargs):
    theirs, mine = pair(name, *args, **kwargs)
    for other in (copy.deepcopy(mine), pickle.loads(pickle.dumps(mine))):
        assert repr(other) == repr(mine)
        assert list(other.state_dict()) == list(theirs.state_dict())
    if "Cell" not in name:
        shapes = [[tuple(w.shape) for w in layer] for layer in theirs.all_weights]
        assert [[tuple(w.shape) for w in layer] for layer in mine.all_weights] == shapes
        assert mine._flat_weights_names == theirs._flat_weights_names


@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_batches_with_states():
    both = Comparison()
    for name, kwargs in (
        ("LSTM", {"bidirectional": True, "proj_size": 2, "batch_first": True}),
        ("GRU", {"num_layers": 2, "bidirectional": True}),
        ("RNN", {"nonlinearity": "relu", "batch_first": True}),
    ):
        theirs, mine = pair(name, 3, 4, **kwargs)
        rows = theirs.num_layers * (1 + theirs.bidirectional)
        hx = random(rows, 2, theirs.proj_size or 4)
        hx = (hx, random(rows, 2, 4, seed=2)) if name == "LSTM" else hx
        x = random(2, 5, 3) if theirs.batch_first else random(5, 2, 3)
        both.call(name, theirs, mine, x, hx, parameters=parameters(theirs, mine))
    both.check()


@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_packed_batches_in_any_order():
    both = Comparison()
    for name, kwargs in (("LSTM", {"proj_size": 2, "bidirectional": True}), ("GRU", {})):
        theirs, mine = pair(name, 3, 4, **kwargs)

        def run(module, packing, x, h, c):
            packed = packing(x, [2, 5, 1, 3], enforce_sorted=False)
            hx = (h, c) if module.mode == "LSTM" else c
            output, last = module(packed, hx)
            return output.data, output.batch_sizes, output.unsorted_indices, last

        rows = 1 + theirs.bidirectional
        both.call(
            name,
            lambda *a, m=theirs, run=run: run(m, theirs_pack, *a),
            lambda *a, m=mine, run=run: run(m, pack, *a),
            random(5, 4, 3), random(rows, 4, 2, grad=name == "LSTM"), random(rows, 4, 4, seed=2),
            parameters=parameters(theirs, mine),
        )  # fmt: skip
    both.check()


def test_lengths_do_not_make_other_programs():
    net = nn.GRU(3, 2)
    x = ours(random(4, 3, 3, grad=False))
    with taowa.no_grad():
        first = net(pack(x, [4, 3, 1]))[1].host()
        before = journal.counters.compilations
        second = net(pack(x, [4, 2, 2]))[1].host()
        assert journal.counters.compilations == before
    np.testing.assert_array_equal(first[0, 0], second[0, 0])
    assert not np.allclose(first[0, 1:], second[0, 1:])


def test_dropout_acts_between_layers_in_training():
    torch.manual_seed(0)
    net = nn.GRU(3, 4, num_layers=2, dropout=1.0)
    x = taowa.ones(5, 2, 3)
    output, state = net(x)
    other, _ = net(2 * x)
    np.testing.assert_array_equal(output.host(), other.host())  # nothing gets to the second layer
    assert np.abs(state.host()[0]).min() > 0
    assert np.abs(net.eval()(x)[0].host() - net(2 * x)[0].host()).max() > 0
    half = nn.GRU(3, 4, num_layers=2, dropout=0.5)
    assert np.abs(half(x)[0].host() - half(x)[0].host()).max() > 0


def test_one_layer_is_one_operation():
    net, x = nn.LSTM(3, 2), taowa.ones(5, 2, 3)
    taowa.flush()
    before = len(context().pending)
    kept = net(x)
    names = [node.plan.name for node in context().pending[before:]]
    del kept
    assert [n for n in names if not n.startswith("output")] == ["recurrent_layer", "stack", "stack"]


def test_evaluation_keeps_no_gates():
    """What only the gradient reads is no output of a program without gradients."""
    net, x = nn.LSTM(3, 2), taowa.ones(5, 2, 3)
    with taowa.no_grad():
        output, _ = net(x)
    gates = [n for n in context().pending if n.aval.shape == (5, 2, 8)]
    output.host()
    assert all(n.array is None for n in gates)


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("LSTM", (3, 2), {"dropout": 1.5}), ("LSTM", (3, 2), {"dropout": True}),
        ("LSTM", (3, 2), {"proj_size": 2}), ("LSTM", (3, 2), {"proj_size": -1}),
        ("GRU", (3, 2), {"proj_size": 1}), ("RNN", (3, 2), {"proj_size": 1}),
        ("RNN", (3, 2), {"nonlinearity": "sine"}), ("RNN", (3.0, 2), {}), ("RNN", (3, "2"), {}),
        ("RNN", (0, 2), {}), ("RNNBase", ("X", 3, 2), {}), ("GRU", (3, 2), {"bias": None}),
    ],
)  # fmt: skip
def test_construction_errors(name, args, kwargs):
    assert error(getattr(nn, name), *args, **kwargs) == error(
        getattr(torch.nn, name), *args, **kwargs
    )


def error(function, *args, **kwargs):
    """Type and message of what a call raises."""
    try:
        function(*args, **kwargs)
    except Exception as raised:
        return type(raised), str(raised)
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("LSTM", [(2, 2, 4)]), ("LSTM", [(0, 2, 3)]), ("LSTM", [(2, 2, 2, 3)]), ("RNN", [(3,)]),
        ("LSTM", [(2, 2, 3), (1, 3, 2), (1, 2, 2)]), ("LSTM", [(2, 2, 3), (1, 2, 2), (1, 3, 2)]),
        ("LSTM", [(2, 3), (1, 2, 2), (1, 2)]), ("LSTM", [(2, 2, 3), (1, 2), (1, 2, 2)]),
        ("GRU", [(2, 2, 3), (1, 4, 2)]), ("GRU", [(2, 3), (1, 1, 2)]), ("GRU", [(2, 2, 3), (1, 2)]),
        ("RNNCell", [(1, 1, 3)]), ("RNNCell", [(1, 4)]), ("GRUCell", [(1, 3), (1, 4)]),
        ("LSTMCell", [(1, 3), (1, 2), (2, 2)]), ("LSTMCell", [(1, 3), (1, 2), (1, 1, 2)]),
    ],
)  # fmt: skip
def test_call_errors(name, shapes):
    theirs, mine = pair(name, 3, 2)
    x, *states = (torch.zeros(shape) for shape in shapes)
    hx = tuple(states) if len(states) == 2 else states[0] if states else None
    expected, got = error(theirs, x, hx), error(mine, ours(x), ours(hx))
    assert got == expected


def test_call_of_another_type_and_unknown_nonlinearity():
    theirs, mine = pair("LSTM", 3, 2)
    x = torch.zeros(1, 1, 3, dtype=torch.float64)
    assert error(mine, ours(x)) == error(theirs, x)
    theirs, mine = pair("RNNCell", 3, 2)
    theirs.nonlinearity = mine.nonlinearity = "sine"
    x = torch.zeros(1, 3)
    assert error(mine, ours(x)) == error(theirs, x)


def test_dropout_on_one_layer_warns():
    with pytest.warns(UserWarning, match="num_layers greater than 1, but got dropout=0.5"):
        nn.LSTM(3, 2, dropout=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nn.LSTM(3, 2, dropout=0.5, num_layers=2)


def test_empty_batches_and_conversion():
    theirs, mine = pair("LSTM", 3, 2)
    same(theirs.double()(torch.zeros(2, 0, 3).double())[0], mine.double()(
        taowa.zeros(2, 0, 3, dtype=taowa.float64))[0])  # fmt: skip


def test_replaced_weights_are_used():
    net, x = nn.GRU(3, 2), taowa.ones(4, 1, 3)
    net.weight_ih_l0 = nn.Parameter(taowa.zeros(6, 3))
    net.bias_ih_l0 = nn.Parameter(taowa.zeros(6))
    np.testing.assert_array_equal(net(x)[0].host(), net(5 * x)[0].host())
