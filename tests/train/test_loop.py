import math

import numpy as np
import pytest
import torch

import taowa
from taowa import nn
from taowa.core import journal
from taowa.core.tensor import from_array
from taowa.train import Observer, Trainer, evaluate
from taowa.utils.data import DataLoader
from tests.train import small


class Stopper(Observer):
    """Asks to stop after a number of steps."""

    def __init__(self, num_steps):
        self.left = num_steps

    def stepped(self, trainer):
        self.left -= 1
        if self.left == 0:
            trainer.stop()


class Diary(Observer):
    """Writes down what it is told."""

    def __init__(self):
        self.lines = []

    def started(self, trainer):
        self.lines.append("started")

    def stepped(self, trainer):
        self.lines.append(f"step {trainer.batch} of epoch {trainer.epoch + 1}")

    def epoch_ended(self, trainer, record):
        self.lines.append(f"epoch {record.epoch}")

    def stopped(self, trainer):
        self.lines.append("stopped")


def weights(trainer):
    return {name: value.numpy().copy() for name, value in trainer.model.state_dict().items()}


def torch_losses(epochs):
    """The mean training loss of each epoch of the same run in PyTorch, without dropout."""
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    points, labels = (torch.tensor(t.numpy()) for t in small.data().tensors)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 5 * epochs)
    dataset = torch.utils.data.TensorDataset(points, labels)
    loader = torch.utils.data.DataLoader(dataset, 4, shuffle=True, drop_last=True)
    for _ in range(epochs):
        losses = []
        for x, y in loader:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())
        yield sum(losses) / len(losses)


def test_losses_are_those_of_the_same_loop_in_pytorch():
    trainer = small.trainer()
    taowa.manual_seed(1)
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 3))
    optimizer = taowa.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = taowa.optim.lr_scheduler.CosineAnnealingLR(optimizer, 15)
    trainer = Trainer(model, optimizer, trainer.train_loader, [], epochs=3, scheduler=scheduler)
    trainer.fit()
    ours = [record.train_loss for record in trainer.history]
    np.testing.assert_allclose(ours, list(torch_losses(3)), rtol=1e-4)


def test_training_learns():
    trainer = small.trainer(epochs=20)
    trainer.fit()
    assert trainer.best.test_accuracy > 0.8
    assert trainer.history[-1].train_loss < trainer.history[0].train_loss / 2
    assert trainer.is_complete


def test_every_step_is_one_program_and_later_epochs_compile_nothing():
    trainer = small.trainer(epochs=1)
    trainer.fit()
    trainer.epochs = 3
    counters = journal.counters
    compiled = counters.compilations + counters.disk_hits
    dispatched = counters.dispatches
    trainer.fit()
    assert counters.compilations + counters.disk_hits == compiled
    # Two epochs of five steps, and of two batches of evaluation: the network, then loss and hits.
    assert counters.dispatches - dispatched == 2 * (5 + 2 * 2)


def test_observers_are_told_in_order():
    diary = Diary()
    small.trainer(epochs=1, observers=[diary]).fit()
    steps = [f"step {i} of epoch 1" for i in range(1, 6)]
    assert diary.lines == ["started", *steps, "epoch 1", "stopped"]


@pytest.mark.parametrize("num_steps", [1, 3, 5, 8, 10])
def test_a_stopped_run_goes_on_bit_for_bit(num_steps):
    whole = small.trainer()
    whole.fit()
    first = small.trainer(observers=[Stopper(num_steps)])
    first.fit()
    assert not first.is_complete
    state = first.state_dict()
    taowa.manual_seed(99)
    rest = small.trainer(seed=50)
    rest.load_state_dict(state)
    rest.fit()
    assert list(map(small.figures, rest.history)) == list(map(small.figures, whole.history))
    for name, value in weights(whole).items():
        np.testing.assert_array_equal(weights(rest)[name], value, err_msg=name)


def test_a_stop_during_evaluation_leaves_the_epoch_open():
    trainer = small.trainer()
    batches = list(trainer.test_loader)

    def interrupted():
        yield batches[0]
        trainer.stop()
        yield batches[1]

    trainer.test_loader = interrupted()
    trainer.fit()
    assert (trainer.epoch, trainer.batch, trainer.history) == (0, 5, [])


def test_a_loss_that_is_not_finite_ends_the_run():
    trainer = small.trainer(lr=1e30)
    with pytest.raises(
        FloatingPointError, match=r"in epoch 1, near step \d; a lower learning rate"
    ):
        trainer.fit()


def test_evaluate_is_the_mean_over_samples():
    scores = np.random.RandomState(0).randn(10, 4).astype(np.float32)
    labels = np.random.RandomState(1).randint(0, 4, 10)
    loader = [(from_array(scores[s]), from_array(labels[s])) for s in (slice(0, 7), slice(7, 10))]
    score = evaluate(nn.Identity(), loader)
    theirs = torch.nn.functional.cross_entropy(torch.tensor(scores), torch.tensor(labels))
    assert math.isclose(score.loss, theirs.item(), rel_tol=1e-5)
    assert score.accuracy == (scores.argmax(1) == labels).mean()


@pytest.mark.parametrize("was_training", [True, False])
def test_evaluate_neither_trains_nor_changes_the_mode(was_training):
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout())
    model.train(was_training)
    loader = DataLoader(small.data(), 10)
    first, second = evaluate(model, loader), evaluate(model, loader)
    assert first == second
    assert model.training == model[0].training == was_training
    assert model[0].num_batches_tracked.item() == 0
