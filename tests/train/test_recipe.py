from dataclasses import asdict

import numpy as np
import pytest

import taowa
from taowa.train import OPTIMIZERS, SOURCES, Recipe, data_for, trainer_for
from taowa.train.recipe import even_batch_size

QUICK = {"model": "mlp", "epochs": 1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "resnt18"}, "did you mean resnet18"),
        ({"data": "cats"}, "data is 'cats', expected one of digits"),
        ({"optimizer": "sgdm"}, "optimizer is 'sgdm', expected one of sgd, adam, adamw"),
        ({"epochs": 0}, "epochs is 0, expected at least 1"),
        ({"batch_size": 1}, "batch_size is 1, expected at least 2"),
        ({"lr": -0.5}, "lr is -0.5, expected at least 0"),
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0, expected from 0 to 1"),
        ({"lr": float("nan")}, "lr is nan"),
        ({"lr": float("inf")}, "lr is inf"),
        ({"weight_decay": -1.0}, "weight_decay is -1.0, expected at least 0"),
        ({"weight_decay": float("nan")}, "weight_decay is nan"),
        ({"seed": -1}, "seed is -1, expected at least 0"),
    ],
)
def test_bad_values_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**options)


def test_the_recipe_of_a_run_gives_the_same_recipe_again():
    recipe = Recipe(optimizer="adamw")
    assert (recipe.lr, recipe.weight_decay) == (3e-3, 1e-2)
    assert Recipe(**asdict(recipe)) == recipe


def test_networks_without_normalisation_get_adam():
    chosen = {name: Recipe(model=name).optimizer for name in ("mlp", "lenet5", "resnet50")}
    assert chosen == {"mlp": "adam", "lenet5": "adam", "resnet50": "sgd"}
    assert Recipe(model="mlp", optimizer="sgd").optimizer == "sgd"


def test_batch_larger_than_the_data_is_refused():
    with pytest.raises(ValueError, match="batch_size is 2000, expected at most 1433"):
        data_for(Recipe(batch_size=2000))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_gets_its_options(optimizer):
    recipe = Recipe(**QUICK, optimizer=optimizer, weight_decay=0.25)
    trainer = trainer_for(recipe, data_for(recipe))
    group = trainer.optimizer.param_groups[0]
    assert type(trainer.optimizer).__name__.lower() == optimizer
    assert (group["lr"], group["weight_decay"]) == (recipe.lr, 0.25)


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_says_what_its_images_are(source):
    data = SOURCES[source]()
    image, _ = data.train[0]
    assert image.shape == (data.in_channels, data.image_size, data.image_size)
    labels = {int(data.test[i][1]) for i in range(len(data.test))}
    assert labels == set(range(data.num_classes))


def test_learning_rate_falls_to_zero():
    recipe = Recipe(**QUICK, lr=0.1)
    trainer = trainer_for(recipe, data_for(recipe))
    trainer.fit()
    assert 0 < trainer.history[0].lr < 1e-3
    assert trainer.optimizer.param_groups[0]["lr"] == pytest.approx(0, abs=1e-12)


def test_seed_fixes_weights_and_order():
    def batches_and_weights(seed):
        recipe = Recipe(**QUICK, seed=seed)
        trainer = trainer_for(recipe, data_for(recipe))
        labels = [labels.tolist() for _, labels in trainer.train_loader]
        return labels, trainer.model[1].weight.detach().numpy()

    (labels, weight), (same_labels, same_weight) = batches_and_weights(3), batches_and_weights(3)
    assert labels == same_labels
    np.testing.assert_array_equal(weight, same_weight)
    assert batches_and_weights(4)[0] != labels


def test_all_batches_have_one_size():
    recipe = Recipe(**QUICK)
    trainer = trainer_for(recipe, data_for(recipe))
    for loader in (trainer.train_loader, trainer.test_loader):
        assert len({len(labels) for _, labels in loader}) == 1
    assert sum(len(labels) for _, labels in trainer.test_loader) == 364


@pytest.mark.parametrize(
    ("num_samples", "at_most", "size"), [(360, 64, 60), (10, 64, 10), (97, 64, 64), (128, 64, 64)]
)
def test_even_batch_size(num_samples, at_most, size):
    assert even_batch_size(num_samples, at_most) == size


@pytest.mark.slow
def test_default_recipe_reads_98_of_100_digits():
    recipe = Recipe()
    trainer = trainer_for(recipe, data_for(recipe))
    trainer.fit()
    assert trainer.history[-1].test_accuracy >= 0.98
    assert isinstance(trainer.model, taowa.models.ResNet)
