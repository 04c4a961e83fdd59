import numpy as np
import pytest

import taowa
from taowa import nn
from taowa.core import journal
from taowa.core.context import context
from taowa.core.tensor import from_array
from taowa.inspect import rehearsal


def engine():
    counters = journal.counters
    return counters.compilations, counters.disk_hits, counters.dispatches


def image(*shape):
    return from_array(np.zeros(shape, np.float32))


class Careless(nn.Module):
    """Writes its buffers, draws random numbers and calls a part that is in training mode."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.register_buffer("calls", taowa.zeros(1))

    def forward(self, x):
        self.calls += 1
        self.norm.train()
        return self.norm(x) + taowa.rand(4)


def test_nothing_is_dispatched_or_left_pending():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten())
    before, pending = engine(), len(context().pending)
    with rehearsal(net):
        assert net(image(5, 1, 8, 8)).shape == (5, 72)
    assert (engine(), len(context().pending)) == (before, pending)


def test_state_is_as_it_was():
    net = Careless()
    net.norm.eval()
    before = {name: value.numpy().copy() for name, value in net.state_dict().items()}
    random_state = taowa.get_rng_state().numpy().copy()
    with rehearsal(net):
        net(image(3, 4))
    assert (net.training, net.norm.training) == (True, False)
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name], err_msg=name)
    np.testing.assert_array_equal(taowa.get_rng_state().numpy(), random_state)


def test_state_is_as_it_was_after_an_error():
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(3, 3))
    with pytest.raises(RuntimeError), rehearsal(net):
        net(image(2, 4))
    assert net.training
    assert taowa.is_grad_enabled()
    assert context().module_stack == []


def test_pending_work_goes_on_afterwards():
    net = nn.Linear(2, 2)
    x = taowa.ones(2, requires_grad=True)
    loss = (x * x).sum()
    loss.backward()
    before = engine()
    with rehearsal(net):
        net(image(1, 2))
    assert engine() == before
    assert x.grad.tolist() == [2, 2]


def test_networks_larger_than_the_bound_on_pending_work_are_not_computed():
    net = nn.Conv2d(1, 64, 1)
    before = engine()
    with rehearsal(net):
        for _ in range(3):
            net(image(64, 1, 512, 512))  # 4 GiB each, were it computed
    assert engine() == before


def test_a_network_that_reads_a_value_still_gets_it():
    class Reader(nn.Module):
        def forward(self, x):
            return x if (x + 1).sum().item() == 4 else x[0]

    waiting = taowa.ones(2) * 3
    with rehearsal(Reader()):
        assert Reader()(image(2, 2)).shape == (2, 2)
    assert context().pending == []
    assert waiting.tolist() == [3, 3]
