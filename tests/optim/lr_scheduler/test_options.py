"""Wrong options raise PyTorch's errors."""

import numpy as np
import pytest
import torch

from taowa.core.tensor import from_array
from taowa.optim import SGD, Adam, lr_scheduler


def our_optimizer(kind=SGD):
    return kind([from_array(np.ones(2, np.float32), requires_grad=True)], lr=0.1)


def torch_optimizer(kind=torch.optim.SGD):
    return kind([torch.ones(2, requires_grad=True)], lr=0.1)


def error_of(make, module, optimizer):
    with pytest.raises((ValueError, TypeError)) as caught:
        make(module, optimizer)
    return caught.value


WRONG = {
    "constant": lambda m, o: m.ConstantLR(o, factor=1.5),
    "linear_start": lambda m, o: m.LinearLR(o, start_factor=0),
    "linear_end": lambda m, o: m.LinearLR(o, end_factor=2),
    "lambdas": lambda m, o: m.LambdaLR(o, [abs, abs]),
    "multiplicative": lambda m, o: m.MultiplicativeLR(o, 3),
    "multiplicatives": lambda m, o: m.MultiplicativeLR(o, [abs, abs]),
    "T_0": lambda m, o: m.CosineAnnealingWarmRestarts(o, 0),
    "T_mult": lambda m, o: m.CosineAnnealingWarmRestarts(o, 1, 0),
    "eta_min": lambda m, o: m.CosineAnnealingWarmRestarts(o, 1, 1, "a"),
    "negative_epoch": lambda m, o: m.CosineAnnealingWarmRestarts(o, 1).step(-1),
    "cyclic_mode": lambda m, o: m.CyclicLR(o, 0.1, 0.2, mode="square"),
    "cyclic_length": lambda m, o: m.CyclicLR(o, [0.1, 0.2], 0.3),
    "one_cycle_none": lambda m, o: m.OneCycleLR(o, 0.1),
    "one_cycle_steps": lambda m, o: m.OneCycleLR(o, 0.1, total_steps=-1),
    "one_cycle_epochs": lambda m, o: m.OneCycleLR(o, 0.1, epochs=0, steps_per_epoch=2),
    "one_cycle_share": lambda m, o: m.OneCycleLR(o, 0.1, 10, pct_start=1.5),
    "one_cycle_strategy": lambda m, o: m.OneCycleLR(o, 0.1, 10, anneal_strategy="step"),
    "sequential_none": lambda m, o: m.SequentialLR(o, [], []),
    "sequential_milestones": lambda m, o: m.SequentialLR(o, [m.ConstantLR(o)], [3]),
    "sequential_plateau": lambda m, o: m.SequentialLR(o, [m.ReduceLROnPlateau(o)], []),
    "sequential_other": lambda m, o: m.SequentialLR(o, [3], []),
    "chained_none": lambda m, o: m.ChainedScheduler([]),
    "chained_plateau": lambda m, o: m.ChainedScheduler([m.ReduceLROnPlateau(o)]),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_option_raises_as_in_pytorch(name):
    ours = error_of(WRONG[name], lr_scheduler, our_optimizer())
    theirs = error_of(WRONG[name], torch.optim.lr_scheduler, torch_optimizer())
    assert type(ours) is type(theirs)
    assert str(ours).startswith(str(theirs).rstrip("."))


@pytest.mark.parametrize("kind", ["SequentialLR", "ChainedScheduler"])
def test_schedulers_of_different_optimizers_are_refused(kind):
    first = lr_scheduler.ConstantLR(our_optimizer())
    options = ([first], []) if kind == "SequentialLR" else ([first],)
    with pytest.raises(ValueError, match=f"{kind} expects all schedulers to belong to the same"):
        if kind == "SequentialLR":
            lr_scheduler.SequentialLR(our_optimizer(), *options)
        else:
            lr_scheduler.ChainedScheduler(*options, optimizer=our_optimizer())


def test_stepping_over_the_end_of_a_cycle_raises():
    def over(module, optimizer):
        scheduler = module.OneCycleLR(optimizer, 0.1, total_steps=3)
        for _ in range(4):
            optimizer.step()
            scheduler.step()

    ours = error_of(over, lr_scheduler, our_optimizer())
    assert str(ours) == str(error_of(over, torch.optim.lr_scheduler, torch_optimizer()))


@pytest.mark.parametrize("make", [
    lambda m, o: m.OneCycleLR(o, 0.1, 10),
    lambda m, o: m.CyclicLR(o, 0.1, 0.2, 3),
])  # fmt: skip
def test_momentum_is_the_first_beta_of_adam(make):
    results = []
    for module, optimizer in (
        (lr_scheduler, our_optimizer(Adam)),
        (torch.optim.lr_scheduler, torch_optimizer(torch.optim.Adam)),
    ):
        scheduler = make(module, optimizer)
        betas = [optimizer.param_groups[0]["betas"]]
        for _ in range(8):
            optimizer.step()
            scheduler.step()
            betas.append(optimizer.param_groups[0]["betas"])
        results.append((betas, scheduler.state_dict()["use_beta1"]))
    assert results[0] == results[1]


@pytest.mark.parametrize("name", ["CyclicLR", "OneCycleLR"])
def test_optimizer_without_momentum_is_refused(name):
    optimizer = our_optimizer()
    del optimizer.defaults["momentum"]
    options = (0.1, 0.2) if name == "CyclicLR" else (0.1, 10)
    with pytest.raises(ValueError, match="optimizer must support momentum or beta1"):
        getattr(lr_scheduler, name)(optimizer, *options)


def test_function_objects_keep_their_state():
    class Power:
        def __init__(self, base):
            self.base = base

        def __call__(self, epoch):
            return self.base**epoch

    for make in (
        lambda f: lr_scheduler.LambdaLR(our_optimizer(), f),
        lambda f: lr_scheduler.CyclicLR(our_optimizer(), 0.1, 0.2, 3, scale_fn=f),
    ):
        saved = make(Power(0.5)).state_dict()
        function = Power(2.0)
        make(function).load_state_dict(saved)
        assert function.base == 0.5
