"""Averages of weights, and their learning rate, as PyTorch's."""

import numpy as np
import pytest
import torch

import taowa
from taowa.optim import swa_utils as ours
from tests.samples.convert import to_numpy

theirs = torch.optim.swa_utils
LIBRARIES = (taowa, torch)


def network(library):
    nn = library.nn
    library.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))


def data(library, count=3):
    rng = np.random.RandomState(0)
    return [library.tensor(rng.randn(5, 3).astype(np.float32)) for _ in range(count)]


def assert_same_state(ours, theirs):
    mine, expected = ours.state_dict(), theirs.state_dict()
    assert list(mine) == list(expected)
    for key, value in expected.items():
        assert str(mine[key].dtype) == str(value.dtype)
        np.testing.assert_allclose(mine[key].numpy(), to_numpy(value), 1e-5, 1e-6, err_msg=key)


AVERAGES = {
    "plain": lambda m: {},
    "swa": lambda m: {"avg_fn": m.get_swa_avg_fn()},
    "ema": lambda m: {"avg_fn": m.get_ema_avg_fn(0.8)},
    "multi_swa": lambda m: {"multi_avg_fn": m.get_swa_multi_avg_fn()},
    "multi_ema": lambda m: {"multi_avg_fn": m.get_ema_multi_avg_fn(0.8)},
}


def averaged(library, options):
    net = network(library)
    average = library.optim.swa_utils.AveragedModel(net, **options)
    optimizer = library.optim.SGD(net.parameters(), lr=0.1)
    for batch in data(library):
        optimizer.zero_grad()
        (net(batch) ** 2).mean().backward()
        optimizer.step()
        average.update_parameters(net)
    return average


# PyTorch's function for many tensors cannot average the counts of batches.
KINDS = [(n, b) for n in AVERAGES for b in (False, True) if not (n == "multi_swa" and b)]


@pytest.mark.parametrize(("name", "use_buffers"), KINDS)
def test_averages_equal_pytorch(name, use_buffers):
    sides = [
        averaged(library, AVERAGES[name](library.optim.swa_utils) | {"use_buffers": use_buffers})
        for library in LIBRARIES
    ]
    assert repr(sides[0]) == repr(sides[1])
    assert_same_state(*sides)


def test_an_average_costs_one_program_and_is_no_part_of_the_step():
    net = network(taowa)
    average = ours.AveragedModel(net)
    optimizer = taowa.optim.SGD(net.parameters(), lr=0.1)
    batch = data(taowa)[0]
    for i in range(5):
        if i == 4:
            before = taowa.explain()
        optimizer.zero_grad()
        (net(batch) ** 2).mean().backward()
        optimizer.step()
        average.update_parameters(net)
    counted = taowa.explain() - before
    assert (counted.dispatches, counted.compilations + counted.disk_hits) == (2, 0)


@pytest.mark.parametrize("as_pair", [False, True])
def test_update_bn_equals_pytorch(as_pair):
    sides = []
    for library in LIBRARIES:
        net = network(library).eval()
        batches = [(batch, 0) if as_pair else batch for batch in data(library)]
        library.optim.swa_utils.update_bn(batches, net, device="cpu")
        assert not net.training
        assert net[1].momentum == 0.1
        sides.append(net)
    assert_same_state(*sides)


def test_update_bn_reads_nothing_without_batch_norm():
    ours.update_bn(iter(lambda: pytest.fail("read"), None), taowa.nn.Linear(1, 1))


SCHEDULES = [
    {"swa_lr": 0.05},
    {"swa_lr": 0.5, "anneal_strategy": "linear", "anneal_epochs": 30},
    {"swa_lr": [0.05, 0.01], "anneal_epochs": 0},
    {"swa_lr": 0.05, "anneal_epochs": 1},
]


def scheduled(library, options):
    params = [library.ones(1, requires_grad=True) for _ in range(2)]
    groups = [{"params": [params[0]]}, {"params": [params[1]], "lr": 0.7}]
    optimizer = library.optim.SGD(groups, lr=0.2)
    return optimizer, library.optim.swa_utils.SWALR(optimizer, **options)


def rates(optimizer, scheduler, epochs):
    found = []
    for _ in range(epochs):
        optimizer.step()
        scheduler.step()
        found.append(scheduler.get_last_lr())
    return found


@pytest.mark.parametrize("options", SCHEDULES)
def test_hundred_rates_equal_pytorch(options):
    assert rates(*scheduled(taowa, options), 100) == rates(*scheduled(torch, options), 100)


@pytest.mark.parametrize(("source", "target"), [LIBRARIES, LIBRARIES[::-1]])
def test_state_goes_on_in_the_other_library(source, target):
    options = SCHEDULES[1]
    optimizer, scheduler = scheduled(source, options)
    rates(optimizer, scheduler, 7)
    other, resumed = scheduled(target, options)
    resumed.load_state_dict(scheduler.state_dict())
    for group, rate in zip(other.param_groups, scheduler.get_last_lr(), strict=True):
        group["lr"] = rate
    assert rates(other, resumed, 10) == rates(optimizer, scheduler, 10)


@pytest.mark.parametrize("library", LIBRARIES)
def test_errors(library):
    module = library.optim.swa_utils
    net = library.nn.Linear(1, 1)
    optimizer = library.optim.SGD(net.parameters(), lr=0.1)
    with pytest.raises(AssertionError, match="Only one of"):
        module.AveragedModel(net, avg_fn=max, multi_avg_fn=max)
    for make in (module.get_ema_avg_fn, module.get_ema_multi_avg_fn):
        with pytest.raises(ValueError, match="Invalid decay value 2"):
            make(2)
    with pytest.raises(ValueError, match="anneal_strategy"):
        module.SWALR(optimizer, 0.1, anneal_strategy="wild")
    with pytest.raises(ValueError, match="anneal_epochs"):
        module.SWALR(optimizer, 0.1, anneal_epochs=-1)
    with pytest.raises(ValueError, match="swa_lr must have the same length"):
        module.SWALR(optimizer, [0.1, 0.2])


def test_public_names():
    assert sorted(ours.__all__) == sorted(theirs.__all__)
