"""Every scheduler against PyTorch's: the same rates, bit for bit, and the same state."""

import json
import pickle

import numpy as np
import pytest
import torch

from taowa.core.tensor import from_array
from taowa.optim import SGD, lr_scheduler

EPOCHS = 100
RATES = (0.3, 0.07)


def halve(epoch):
    return 0.5**epoch


def wobble(epoch):
    return 1 + 0.1 * (-1) ** epoch


def shrink(x):
    return 1 / (1 + x)


# Each case: the scheduler from the module of schedulers and the optimiser.
CASES = {
    "step": lambda m, o: m.StepLR(o, 7, gamma=0.7),
    "multi_step": lambda m, o: m.MultiStepLR(o, [3, 30, 30, 80], gamma=0.3),
    "exponential": lambda m, o: m.ExponentialLR(o, 0.97),
    "constant": lambda m, o: m.ConstantLR(o, factor=0.4, total_iters=10),
    "constant_default": lambda m, o: m.ConstantLR(o),
    "linear": lambda m, o: m.LinearLR(o, start_factor=0.1, end_factor=0.8, total_iters=20),
    "linear_default": lambda m, o: m.LinearLR(o),
    "polynomial": lambda m, o: m.PolynomialLR(o, total_iters=40, power=1.7),
    "polynomial_default": lambda m, o: m.PolynomialLR(o),
    "cosine": lambda m, o: m.CosineAnnealingLR(o, T_max=50),
    "cosine_periodic": lambda m, o: m.CosineAnnealingLR(o, T_max=7, eta_min=1e-3),
    "restarts": lambda m, o: m.CosineAnnealingWarmRestarts(o, T_0=9),
    "restarts_longer": lambda m, o: m.CosineAnnealingWarmRestarts(o, 5, 2, eta_min=1e-4),
    "lambda": lambda m, o: m.LambdaLR(o, halve),
    "lambda_list": lambda m, o: m.LambdaLR(o, [halve, wobble]),
    "multiplicative": lambda m, o: m.MultiplicativeLR(o, wobble),
    "cyclic": lambda m, o: m.CyclicLR(o, 0.01, 0.1, step_size_up=7),
    "cyclic_2": lambda m, o: m.CyclicLR(o, [0.01, 0.02], 0.1, 7, 3, mode="triangular2"),
    "cyclic_exp": lambda m, o: m.CyclicLR(o, 0.01, 0.1, 7, mode="exp_range", gamma=0.99),
    "cyclic_own": lambda m, o: m.CyclicLR(
        o, 0.01, 0.1, 7, scale_fn=shrink, scale_mode="iterations", cycle_momentum=False
    ),
    "one_cycle": lambda m, o: m.OneCycleLR(o, 0.5, total_steps=EPOCHS),
    "one_cycle_linear": lambda m, o: m.OneCycleLR(
        o, [0.5, 0.2], epochs=10, steps_per_epoch=10, anneal_strategy="linear", pct_start=0.2
    ),
    "one_cycle_three": lambda m, o: m.OneCycleLR(
        o, 0.5, EPOCHS, three_phase=True, cycle_momentum=False, final_div_factor=10.0
    ),
    "sequential": lambda m, o: m.SequentialLR(
        o,
        [m.ConstantLR(o, 0.1, 20), m.ExponentialLR(o, 0.9), m.CosineAnnealingLR(o, 9)],
        milestones=[11, 40],
    ),
    "chained": lambda m, o: m.ChainedScheduler(
        [m.LinearLR(o, 0.2, total_iters=9), m.StepLR(o, 20, 0.5), m.ExponentialLR(o, 0.99)]
    ),
    "chained_sequence": lambda m, o: m.ChainedScheduler(
        [m.SequentialLR(o, [m.LinearLR(o), m.StepLR(o, 3)], [6]), m.ExponentialLR(o, 0.99)]
    ),
}


def our_optimizer(rates=RATES):
    parameters = [from_array(np.ones(2, np.float32), requires_grad=True) for _ in rates]
    groups = [{"params": [p], "lr": lr} for p, lr in zip(parameters, rates, strict=True)]
    return SGD(groups, lr=1.0, momentum=0.9)


def torch_optimizer(rates=RATES):
    groups = [{"params": [torch.ones(2, requires_grad=True)], "lr": lr} for lr in rates]
    return torch.optim.SGD(groups, lr=1.0, momentum=0.9)


def both(name):
    """Ours and PyTorch's: optimisers and schedulers."""
    ours, theirs = our_optimizer(), torch_optimizer()
    make = CASES[name]
    return (ours, make(lr_scheduler, ours)), (theirs, make(torch.optim.lr_scheduler, theirs))


def numbers_of(optimizer):
    """Every group's numbers: rates, bounds, momentum."""
    return [
        {k: v for k, v in group.items() if isinstance(v, float | int)}
        for group in optimizer.param_groups
    ]


def walk(optimizer, scheduler, epochs):
    rates, groups = [], []
    for _ in range(epochs):
        optimizer.step()
        scheduler.step()
        rates.append(scheduler.get_last_lr())
        groups.append(numbers_of(optimizer))
    return rates, groups


def plain(state):
    """A state as text, without what PyTorch holds besides: functions and its own spelling."""
    return json.loads(json.dumps(state, default=repr))


@pytest.mark.parametrize("name", CASES)
def test_rates_and_groups_equal_pytorch(name):
    (ours, our_scheduler), (theirs, their_scheduler) = both(name)
    assert our_scheduler.get_last_lr() == their_scheduler.get_last_lr()
    our_rates, our_groups = walk(ours, our_scheduler, EPOCHS)
    their_rates, their_groups = walk(theirs, their_scheduler, EPOCHS)
    assert our_rates == their_rates
    assert our_groups == their_groups


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("epochs", [0, 13])
def test_state_equals_pytorch(name, epochs):
    (ours, our_scheduler), (theirs, their_scheduler) = both(name)
    walk(ours, our_scheduler, epochs)
    walk(theirs, their_scheduler, epochs)
    assert plain(our_scheduler.state_dict()) == plain(their_scheduler.state_dict())


@pytest.mark.parametrize("name", CASES)
def test_resumed_run_equals_the_whole_run(name):
    (ours, scheduler), _ = both(name)
    walk(ours, scheduler, 13)
    saved = pickle.loads(pickle.dumps((ours.state_dict(), scheduler.state_dict())))
    rest = walk(ours, scheduler, 30)
    (other, resumed), _ = both(name)
    other.load_state_dict(saved[0])
    resumed.load_state_dict(saved[1])
    assert walk(other, resumed, 30) == rest


@pytest.mark.parametrize("name", CASES)
def test_loads_a_state_of_pytorch(name):
    (ours, our_scheduler), (theirs, their_scheduler) = both(name)
    walk(theirs, their_scheduler, 13)
    our_scheduler.load_state_dict(their_scheduler.state_dict())
    for our_group, their_group in zip(ours.param_groups, theirs.param_groups, strict=True):
        our_group.update({k: v for k, v in their_group.items() if k != "params"})
    assert walk(ours, our_scheduler, 30) == walk(theirs, their_scheduler, 30)


CLOSED = [
    "step", "multi_step", "exponential", "constant", "linear", "polynomial", "cosine",
    "cosine_periodic", "lambda", "restarts", "restarts_longer",
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:The epoch parameter")
@pytest.mark.filterwarnings("ignore:Detected call")
@pytest.mark.parametrize("name", CLOSED)
def test_jumps_to_an_epoch_like_pytorch(name):
    (_, our_scheduler), (_, their_scheduler) = both(name)
    for epoch in (4, 17, 40, 3):
        our_scheduler.step(epoch)
        their_scheduler.step(epoch)
        assert our_scheduler.get_last_lr() == their_scheduler.get_last_lr()


@pytest.mark.parametrize(
    "name", ["step", "multi_step", "exponential", "linear", "cosine", "polynomial", "lambda"]
)
def test_resumes_at_last_epoch_like_pytorch(name):
    made = []
    for module, optimizer in (
        (lr_scheduler, our_optimizer()),
        (torch.optim.lr_scheduler, torch_optimizer()),
    ):
        for group in optimizer.param_groups:
            group["initial_lr"] = 2 * group["lr"]
        kinds = {
            "step": lambda m, o: m.StepLR(o, 7, 0.7, last_epoch=20),
            "multi_step": lambda m, o: m.MultiStepLR(o, [21, 30], 0.7, last_epoch=20),
            "exponential": lambda m, o: m.ExponentialLR(o, 0.7, last_epoch=20),
            "linear": lambda m, o: m.LinearLR(o, total_iters=40, last_epoch=20),
            "cosine": lambda m, o: m.CosineAnnealingLR(o, 50, last_epoch=20),
            "polynomial": lambda m, o: m.PolynomialLR(o, 50, last_epoch=20),
            "lambda": lambda m, o: m.LambdaLR(o, halve, last_epoch=20),
        }
        scheduler = kinds[name](module, optimizer)
        made.append((scheduler.get_last_lr(), walk(optimizer, scheduler, 30)))
    assert made[0] == made[1]
