import gc
import pickle
import warnings
import weakref

import numpy as np
import pytest
import torch

from taowa.core.tensor import from_array
from taowa.optim import SGD, lr_scheduler
from taowa.optim.lr_scheduler import ExponentialLR, LRScheduler, StepLR


def our_optimizer(lr=1.0):
    return SGD([from_array(np.ones(2, np.float32), requires_grad=True)], lr=lr)


def torch_optimizer(lr=1.0):
    return torch.optim.SGD([torch.ones(2, requires_grad=True)], lr=lr)


def warnings_of(action):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        action()
    return [(w.category, str(w.message)) for w in caught]


def steps_in_wrong_order(module, optimizer):
    scheduler = module.StepLR(optimizer, 1)
    scheduler.step()
    optimizer.step()
    scheduler.step()


def steps_in_right_order(module, optimizer):
    scheduler = module.StepLR(optimizer, 1)
    for _ in range(3):
        optimizer.step()
        scheduler.step()


def replaced_step(module, optimizer):
    scheduler = module.StepLR(optimizer, 1)
    optimizer.step = lambda: None
    scheduler.step()


def get_lr_by_hand(module, optimizer):
    module.StepLR(optimizer, 1).get_lr()


def step_with_epoch(module, optimizer):
    scheduler = module.StepLR(optimizer, 1)
    optimizer.step()
    scheduler.step(3)


def two_schedulers(module, optimizer):
    first, second = module.StepLR(optimizer, 1), module.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    first.step()
    second.step()


@pytest.mark.parametrize(
    "action",
    [
        steps_in_wrong_order,
        steps_in_right_order,
        replaced_step,
        get_lr_by_hand,
        step_with_epoch,
        two_schedulers,
    ],
)
def test_warns_when_pytorch_warns(action):
    ours = warnings_of(lambda: action(lr_scheduler, our_optimizer()))
    theirs = warnings_of(lambda: action(torch.optim.lr_scheduler, torch_optimizer()))
    assert [category for category, _ in ours] == [category for category, _ in theirs]
    for (_, our_text), (_, their_text) in zip(ours, theirs, strict=True):
        assert our_text.split(". ")[0] == their_text.split(". ")[0]


def test_warning_of_order_points_at_the_callers_line():
    scheduler = StepLR(our_optimizer(), 1)
    with pytest.warns(UserWarning, match="Detected call") as caught:
        scheduler.step()
    assert caught[0].filename == __file__


def test_step_of_the_optimizer_returns_its_loss_and_keeps_its_name():
    optimizer = our_optimizer()
    StepLR(optimizer, 1)
    assert optimizer.step(lambda: 7.5) == 7.5
    assert optimizer.step.__name__ == "step"


def test_scheduler_does_not_keep_a_dropped_optimizer_alive():
    optimizer = our_optimizer()
    scheduler = StepLR(optimizer, 1)
    dropped = weakref.ref(optimizer)
    gc.disable()
    try:
        del optimizer, scheduler
        assert dropped() is None
    finally:
        gc.enable()


def test_optimizer_with_a_scheduler_can_be_pickled():
    optimizer = our_optimizer()
    StepLR(optimizer, 1)
    state = optimizer.state_dict()
    assert pickle.loads(pickle.dumps(state))["param_groups"][0]["initial_lr"] == 1.0


@pytest.mark.parametrize("make", [lambda m, o: m.StepLR(o, 1), lambda m, o: m.LRScheduler(o)])
def test_something_else_than_an_optimizer_is_refused(make):
    for module in (lr_scheduler, torch.optim.lr_scheduler):
        with pytest.raises(TypeError, match=r"^list is not an Optimizer$"):
            make(module, [])


def test_resuming_without_initial_lr_is_refused():
    for module, optimizer in (
        (lr_scheduler, our_optimizer()),
        (torch.optim.lr_scheduler, torch_optimizer()),
    ):
        with pytest.raises(KeyError, match=r"param 'initial_lr' is not specified in param_groups"):
            module.StepLR(optimizer, 1, last_epoch=3)


def test_removed_option_verbose_is_refused():
    for module, optimizer in (
        (lr_scheduler, our_optimizer()),
        (torch.optim.lr_scheduler, torch_optimizer()),
    ):
        with pytest.raises(TypeError, match="verbose"):
            module.StepLR(optimizer, 1, verbose=True)


def test_own_scheduler_needs_only_get_lr():
    class Half(LRScheduler):
        def get_lr(self):
            return [base / (1 + self.last_epoch) for base in self.base_lrs]

    optimizer = our_optimizer(lr=3.0)
    scheduler = Half(optimizer)
    for _ in range(2):
        optimizer.step()
        scheduler.step()
    assert scheduler.get_last_lr() == [1.0]
    assert optimizer.param_groups[0]["lr"] == 1.0


def test_base_class_has_no_rate_of_its_own():
    with pytest.raises(NotImplementedError):
        LRScheduler(our_optimizer())


def test_rate_that_is_a_tensor_stays_the_same_tensor():
    rate = from_array(np.array(1.0, np.float32))
    optimizer = our_optimizer(lr=rate)
    scheduler = ExponentialLR(optimizer, 0.5)
    before = scheduler.get_last_lr()[0]
    for _ in range(3):
        optimizer.step()
        scheduler.step()
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate.item() == 0.125
    assert before.item() == 1.0
    assert optimizer.param_groups[0]["initial_lr"].item() == 1.0
