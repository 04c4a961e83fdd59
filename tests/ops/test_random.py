"""Random numbers: PyTorch's under one seed on the host, masks inside programs."""

import copy
import pickle

import numpy as np
import pytest
import torch

import taowa
from taowa.core import journal
from taowa.core.random import default_generator, fork_rng, next_key
from taowa.ops import functional_dropout
from tests.ops.agreement import agree


def seeded(draw):
    """A function of the library that draws after one seed, and draws a little more."""

    def drawn(t):
        t.manual_seed(7)
        return [draw(t), t.rand(2)]

    return drawn


@pytest.mark.parametrize("shape", [(3,), (4, 5), (2, 3, 7)])
def test_factories_draw_pytorchs_numbers(shape):
    draws = [
        lambda t: t.rand(shape),
        lambda t: t.rand(shape, dtype=t.float64),
        lambda t: t.rand(shape, dtype=t.bfloat16),
        lambda t: t.rand(shape, dtype=t.complex64),
        lambda t: t.randn(shape),
        lambda t: t.randn(shape, dtype=t.float64),
        lambda t: t.randint(10, shape),
        lambda t: t.randint(-5, 2**40, shape),
        lambda t: t.randint(0, 2, shape, dtype=t.bool),
        lambda t: t.randperm(11),
        lambda t: t.rand_like(t.zeros(shape)),
        lambda t: t.randn_like(t.zeros(shape)),
        lambda t: t.randint_like(t.zeros(shape), 3, 9),
        lambda t: t.normal(1.0, 2.0, shape),
        lambda t: t.normal(t.zeros(shape), 2.0),
        lambda t: t.normal(1.0, t.ones(shape)),
        lambda t: t.normal(t.zeros(shape), t.ones(shape)),
        lambda t: t.bernoulli(t.full(shape, 0.3)),
        lambda t: t.poisson(t.full(shape, 2.5)),
        lambda t: t.poisson(t.full(shape, 25.0)),
        lambda t: t.binomial(t.full(shape, 9.0), t.full(shape, 0.7)),
        lambda t: t.multinomial(t.tensor([0.1, 0.2, 0.7]), 5, replacement=True),
    ]
    agree(*map(seeded, draws))


@pytest.mark.parametrize("shape", [(3,), (4, 5)])
def test_filling_draws_pytorchs_numbers(shape):
    draws = [
        lambda t: t.zeros(shape).uniform_(-2, 3),
        lambda t: t.zeros(shape).uniform_(to=3),
        lambda t: t.zeros(shape).normal_(1, 2),
        lambda t: t.zeros(shape).random_(),
        lambda t: t.zeros(shape, dtype=t.int64).random_(3, 9),
        lambda t: t.zeros(shape, dtype=t.uint8).random_(to=9),
        lambda t: t.zeros(shape).bernoulli_(t.full(shape, 0.3)),
        lambda t: t.zeros(shape).cauchy_(),
        lambda t: t.zeros(shape).log_normal_(),
        lambda t: t.zeros(shape).geometric_(0.2),
        lambda t: t.zeros(*shape, 2).transpose(0, -1).uniform_(),
        lambda t: t.zeros(*shape, 5).transpose(0, -1).normal_(),
        lambda t: t.zeros(9, 3)[:, 1].normal_(),
        lambda t: t.zeros(20, 3)[2:18].normal_(),
    ]
    agree(*map(seeded, draws))


def test_draws_that_pytorch_refuses():
    agree(
        lambda t: t.normal(0.0, -1.0, (2,)),
        lambda t: t.normal(t.zeros(2), -t.ones(2)),
        lambda t: t.randint(3, 3, (2,)),
        lambda t: t.rand(2, dtype=t.int64),
        lambda t: t.bernoulli(t.tensor([2.0])),
        lambda t: t.zeros(2).uniform_(3, 1),
        lambda t: t.ones(2, requires_grad=True).normal_(),
        lambda t: t.multinomial(t.tensor([0.0, 0.0]), 1),
        lambda t: t.multinomial(t.tensor([0.5, 0.5]), 3),
        lambda t: t.poisson(t.tensor([-1.0])),
        lambda t: t.randperm(-1),
    )


def test_states_go_between_the_libraries():
    torch.manual_seed(5)
    torch.randn(3)
    taowa.set_rng_state(taowa.from_numpy(torch.get_rng_state().numpy()))
    assert taowa.randn(4).tolist() == pytest.approx(torch.randn(4).tolist(), abs=1e-6)
    torch.set_rng_state(torch.from_numpy(taowa.get_rng_state().numpy()))
    assert torch.rand(4).tolist() == taowa.rand(4).tolist()


def test_generators_are_independent_and_can_be_copied():
    generator = taowa.Generator().manual_seed(3)
    taowa.rand(5)
    twins = [copy.deepcopy(generator), pickle.loads(pickle.dumps(generator))]
    twins.append(generator.clone_state())
    expected = taowa.rand(3, generator=generator).tolist()
    assert [taowa.rand(3, generator=g).tolist() for g in twins] == [expected] * 3
    assert generator.initial_seed() == 3
    assert generator.device == taowa.device("cpu")


def test_forking_leaves_the_generator_where_it_was():
    taowa.manual_seed(1)
    before, key = taowa.get_rng_state(), next_key()
    with fork_rng():
        taowa.rand(3)
        next_key()
    assert taowa.equal(taowa.get_rng_state()[:5016], before[:5016])
    assert next_key() == (key[0], key[1] + 1)


def test_host_draws_and_keys_do_not_touch_each_other():
    taowa.manual_seed(1)
    first = taowa.rand(3).tolist()
    taowa.manual_seed(1)
    taowa.dropout(taowa.ones(3), 0.5, True)
    assert taowa.rand(3).tolist() == first


def test_dropout_keeps_the_mean_and_its_gradient_has_the_same_mask():
    taowa.manual_seed(0)
    x = taowa.ones(200, 200, requires_grad=True)
    y = taowa.dropout(x, 0.3, True)
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()
    values, counts = np.unique(y.detach().numpy(), return_counts=True)
    assert values.tolist() == pytest.approx([0.0, 1 / 0.7])
    assert counts[0] / y.numel() == pytest.approx(0.3, abs=0.01)


def test_each_draw_is_another_one_of_the_same_program():
    def draw():
        return taowa.dropout(taowa.ones(40), 0.5, True).tolist()

    taowa.manual_seed(4)
    first = draw()
    before = journal.counters.compilations + journal.counters.disk_hits
    second = draw()
    taowa.manual_seed(4)
    again = draw()
    assert first != second
    assert first == again
    assert journal.counters.compilations + journal.counters.disk_hits == before


def test_dropout_off_is_the_input():
    x = taowa.ones(3)
    assert taowa.dropout(x, 0.5, False) is x
    assert taowa.dropout(x, 0.0, True) is x
    assert taowa.dropout(x, 1.0, True).tolist() == [0.0] * 3
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        taowa.dropout(x, 1.5, True)


def test_feature_dropout_drops_whole_channels():
    taowa.manual_seed(0)
    y = functional_dropout.dropout2d(taowa.ones(4, 8, 3, 3), 0.5).numpy()
    assert (y == y[:, :, :1, :1]).all()
    assert 0 < (y[:, :, 0, 0] == 0).sum() < 32
    lone = functional_dropout.dropout1d(taowa.ones(8, 5), 0.5).numpy()
    assert (lone == lone[:, :1]).all()


def test_alpha_dropout_keeps_mean_and_variance():
    taowa.manual_seed(0)
    x = taowa.randn(100_000, requires_grad=True)
    y = taowa.alpha_dropout(x, 0.2, True)
    assert y.mean().item() == pytest.approx(0, abs=0.02)
    assert y.std().item() == pytest.approx(1, abs=0.02)
    y.sum().backward()
    assert (x.grad == 0).float().mean().item() == pytest.approx(0.2, abs=0.01)
    assert x.grad.unique().numel() == 2


def test_bernoulli_is_on_the_tape_with_a_zero_gradient():
    p = taowa.full((3,), 0.5, requires_grad=True)
    (taowa.bernoulli(p) * p).sum().backward()
    drawn = p.grad.clone()
    assert set(drawn.tolist()) <= {0.0, 1.0}


def test_the_default_generator_is_the_namespaces():
    assert taowa.default_generator is default_generator
    assert taowa.manual_seed(9) is default_generator
    assert taowa.initial_seed() == 9
    assert taowa.seed() == taowa.initial_seed()
