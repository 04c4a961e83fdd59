import numpy as np
import pytest
import torch

from taowa.core.tensor import from_array
from taowa.optim import SGD, lr_scheduler

PAIR = (lr_scheduler, torch.optim.lr_scheduler)


def our_optimizer(num_groups=2):
    parameters = [from_array(np.ones(2, np.float32), requires_grad=True) for _ in range(num_groups)]
    return SGD([{"params": [p], "lr": 0.1 * (i + 1)} for i, p in enumerate(parameters)], lr=1.0)


def torch_optimizer(num_groups=2):
    parameters = [torch.ones(2, requires_grad=True) for _ in range(num_groups)]
    groups = [{"params": [p], "lr": 0.1 * (i + 1)} for i, p in enumerate(parameters)]
    return torch.optim.SGD(groups, lr=1.0)


def trajectory(module, optimizer, metrics, **options):
    scheduler = module.ReduceLROnPlateau(optimizer, **options)
    return [(scheduler.step(m), scheduler.get_last_lr(), scheduler.state_dict()) for m in metrics]


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"patience": 0},
        {"patience": 2, "cooldown": 3},
        {"patience": 1, "threshold": 0.2, "min_lr": [0.01, 0.05]},
        {"patience": 1, "factor": 0.5, "eps": 0.02, "min_lr": 0.001},
    ],
)
def test_rates_and_state_equal_pytorch(mode, threshold_mode, options):
    walk = np.cumsum(np.random.default_rng(0).normal(size=100))
    metrics = [*walk.tolist(), float("nan"), float("inf"), -float("inf"), *walk.tolist()]
    options = {**options, "mode": mode, "threshold_mode": threshold_mode}
    ours = trajectory(lr_scheduler, our_optimizer(), metrics, **options)
    theirs = trajectory(torch.optim.lr_scheduler, torch_optimizer(), metrics, **options)
    assert ours == theirs


def test_metric_may_be_a_tensor():
    scheduler = lr_scheduler.ReduceLROnPlateau(our_optimizer())
    scheduler.step(from_array(np.array(0.25, np.float32)))
    assert scheduler.best == 0.25


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"factor": 1.0}, r"Factor should be < 1\.0\."),
        ({"mode": "least"}, "mode least is unknown!"),
        ({"threshold_mode": "some"}, "threshold mode some is unknown!"),
        ({"min_lr": [0.1]}, "expected 2 min_lrs, got 1"),
    ],
)
def test_wrong_options_raise_as_in_pytorch(options, message):
    for module, optimizer in zip(PAIR, (our_optimizer(), torch_optimizer()), strict=True):
        with pytest.raises(ValueError, match=message):
            module.ReduceLROnPlateau(optimizer, **options)


def add_group(module, optimizer, parameter, **options):
    scheduler = module.ReduceLROnPlateau(optimizer, patience=0, **options)
    optimizer.add_param_group({"params": [parameter], "lr": 0.5})
    for metric in (1.0, 2.0):
        scheduler.step(metric)
    return scheduler.get_last_lr(), scheduler.min_lrs


def new_parameters():
    yield lr_scheduler, our_optimizer(), from_array(np.ones(1, np.float32), requires_grad=True)
    yield torch.optim.lr_scheduler, torch_optimizer(), torch.ones(1, requires_grad=True)


def test_group_added_later_is_lowered_too():
    ours, theirs = (add_group(*made, min_lr=0.01) for made in new_parameters())
    assert ours == theirs


def test_group_added_later_needs_its_own_least_rate():
    for made in new_parameters():
        with pytest.raises(RuntimeError, match=r"number of param groups in the `optimizer` \(3\)"):
            add_group(*made, min_lr=[0.01, 0.01])


def test_loading_a_state_takes_its_mode():
    saved = lr_scheduler.ReduceLROnPlateau(our_optimizer(), mode="max").state_dict()
    scheduler = lr_scheduler.ReduceLROnPlateau(our_optimizer())
    scheduler.load_state_dict(saved)
    assert (scheduler.mode, scheduler.mode_worse) == ("max", -float("inf"))


def test_step_with_epoch_warns_as_in_pytorch():
    for module, optimizer in zip(PAIR, (our_optimizer(), torch_optimizer()), strict=True):
        scheduler = module.ReduceLROnPlateau(optimizer)
        with pytest.warns(UserWarning, match="The epoch parameter"):
            scheduler.step(1.0, epoch=7)
        assert scheduler.last_epoch == 7
