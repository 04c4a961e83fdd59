"""Checkpoints: the same values and gradients as without, as PyTorch's, for less memory."""

import contextlib

import numpy as np
import pytest
import torch

import taowa
from taowa import nn
from taowa.core.program import programs
from taowa.utils.checkpoint import CheckpointError, checkpoint, checkpoint_sequential

BOTH = [taowa, torch]


def network(library, p=0.0):
    library.manual_seed(0)
    make = library.nn
    return make.Sequential(
        make.Linear(3, 5), make.Tanh(), make.Dropout(p), make.Linear(5, 4), make.Tanh(),
        make.Linear(4, 2),
    )  # fmt: skip


def gradients(library, call, requires_grad=True, p=0.0):
    """Results and gradients of a network whose middle is called by `call(function, x)`."""
    net = network(library, p)
    x = library.tensor(np.arange(6.0, dtype=np.float32).reshape(2, 3), requires_grad=requires_grad)
    library.manual_seed(3)
    y = net[5](call(net[:5], x))
    (y**2).sum().backward()
    found = [y, *(parameter.grad for parameter in net.parameters())]
    return [t.detach().numpy() for t in [*found, *([x.grad] if requires_grad else [])]]


def assert_equal(ours, theirs, rtol=1e-5):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-6)


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_gradients_are_those_of_the_plain_call(use_reentrant):
    expected = gradients(torch, lambda f, x: f(x))
    made = gradients(taowa, lambda f, x: checkpoint(f, x, use_reentrant=use_reentrant))
    assert_equal(made, expected)


def test_an_input_without_gradient_and_keyword_arguments():
    call = lambda f, x: checkpoint(lambda *, v: f(v), v=x, use_reentrant=False)  # noqa: E731
    expected = gradients(torch, lambda f, x: f(x), requires_grad=False)
    assert_equal(gradients(taowa, call, requires_grad=False), expected)


def test_random_numbers_are_drawn_again():
    plain = gradients(taowa, lambda f, x: f(x), p=0.5)
    for preserve in (True, False):
        made = gradients(
            taowa, p=0.5, call=lambda f, x, preserve=preserve: checkpoint(
                f, x, use_reentrant=False, preserve_rng_state=preserve
            ),
        )  # fmt: skip
        assert np.allclose(plain[1], made[1]) == preserve


@pytest.mark.parametrize("segments", [1, 2, 5])
def test_sequential(segments):
    expected = gradients(torch, lambda f, x: f(x))
    call = lambda f, x: checkpoint_sequential(f, segments, x, use_reentrant=False)  # noqa: E731
    assert_equal(gradients(taowa, call), expected)


def test_checkpoints_within_checkpoints():
    def outer(f, x):
        def inner(v):
            return checkpoint(f[2:], checkpoint(f[:2], v, use_reentrant=False), use_reentrant=False)

        return checkpoint(inner, x, use_reentrant=False)

    assert_equal(gradients(taowa, outer), gradients(torch, lambda f, x: f(x)))


def test_several_tensors_in_nested_arguments_and_results():
    def function(pair, scale):
        a, b = pair["a"], pair["b"]
        return {"sum": a + scale * b, "rest": [a * b, 3, b.detach()], "same": a}

    results = []
    for library in BOTH:
        a, b = (library.tensor([v, 2.0], requires_grad=True) for v in (1.0, 3.0))
        call = library.utils.checkpoint.checkpoint
        made = call(function, {"a": a * 2, "b": b}, 4.0, use_reentrant=False)
        total = made["sum"].sum() + (made["rest"][0] ** 2).sum() + made["same"].sum()
        found = library.autograd.grad(total, [a, b])
        assert not made["rest"][2].requires_grad
        results.append([g.numpy() for g in found])
    assert_equal(*results)


def test_second_derivatives():
    x = taowa.tensor([0.5, 1.0], requires_grad=True)
    w = taowa.tensor([2.0, 3.0], requires_grad=True)
    y = checkpoint(lambda v: (v * w).sin() * v, x, use_reentrant=False).sum()
    (slope,) = taowa.autograd.grad(y, x, create_graph=True)
    found = taowa.autograd.grad(slope.sum(), [x, w])
    a, b = (torch.tensor(t.tolist(), requires_grad=True) for t in (x, w))
    (expected,) = torch.autograd.grad(((a * b).sin() * a).sum(), a, create_graph=True)
    theirs = torch.autograd.grad(expected.sum(), [a, b])
    assert_equal([g.numpy() for g in found], [g.numpy() for g in theirs])


def test_hooks_of_parameters_run_once():
    net = network(taowa)
    calls = []
    net[0].weight.register_hook(lambda grad: calls.append(1) or grad * 2)
    checkpoint(net, taowa.ones(1, 3), use_reentrant=False).sum().backward()
    plain = network(taowa)
    plain(taowa.ones(1, 3)).sum().backward()
    assert calls == [1]
    np.testing.assert_allclose(net[0].weight.grad.numpy(), 2 * plain[0].weight.grad.numpy())


def test_arguments_written_to_afterwards_keep_their_first_value():
    x = taowa.tensor([1.0, 2.0])
    w = taowa.tensor([1.0, 1.0], requires_grad=True)
    y = checkpoint(lambda v: v * w, x, use_reentrant=False)
    x.mul_(10)
    y.sum().backward()
    assert w.grad.tolist() == [1.0, 2.0]


def test_a_graph_that_is_retained_and_one_that_is_freed():
    x = taowa.ones(2, requires_grad=True)
    y = checkpoint(taowa.sin, x, use_reentrant=False).sum()
    y.backward(retain_graph=True)
    y.backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.cos(1) * np.ones(2), rtol=1e-6)
    with pytest.raises(RuntimeError, match="a second time"):
        y.backward()


@pytest.mark.parametrize("library", BOTH)
def test_contexts(library):
    entered = []

    @contextlib.contextmanager
    def note(name):
        entered.append(name)
        yield

    x = library.ones(2, requires_grad=True)
    y = library.utils.checkpoint.checkpoint(
        lambda v: v * v, x, use_reentrant=False, context_fn=lambda: (note("first"), note("second"))
    )
    y.sum().backward()
    assert entered == ["first", "second"]


@pytest.mark.parametrize("library", BOTH)
def test_errors_and_warnings(library):
    module = library.utils.checkpoint
    x = library.ones(2, requires_grad=True)
    for use_reentrant in (True, False):
        with pytest.raises(ValueError, match="nexpected keyword"):
            call = module.checkpoint if use_reentrant else module.checkpoint_sequential
            more = () if use_reentrant else (1, x)
            call(library.sin, *more, use_reentrant=use_reentrant, wrong=1)
    with pytest.warns(UserWarning, match="use_reentrant parameter should be passed"):
        module.checkpoint(library.sin, x)
    with pytest.warns(UserWarning, match="use_reentrant parameter should be passed"):
        module.checkpoint_sequential([library.sin], 1, x)
    with pytest.warns(UserWarning, match="None of the inputs have requires_grad"):
        assert not module.checkpoint(library.sin, x.detach(), use_reentrant=True).requires_grad
    with pytest.raises(ValueError, match="context_fn"):
        module.checkpoint(library.sin, x, use_reentrant=True, context_fn=lambda: None)
    with pytest.raises(ValueError, match="determinism_check"):
        y = module.checkpoint(library.sin, x, use_reentrant=False, determinism_check="all")
        y.sum().backward()


@pytest.mark.parametrize("library", BOTH)
def test_another_result_the_second_time(library):
    x = library.ones(4, requires_grad=True)
    sizes = iter([4, 2])
    module = library.utils.checkpoint
    y = module.checkpoint(lambda v: v[: next(sizes)].sin(), x, use_reentrant=False)
    with pytest.raises(module.CheckpointError):
        y.sum().backward()
    assert issubclass(CheckpointError, RuntimeError)


def test_debug_is_refused():
    with pytest.raises(NotImplementedError, match="debug=True"):
        checkpoint(taowa.sin, taowa.ones(1), use_reentrant=False, debug=True)


def temporaries(segments):
    """Bytes of the temporaries of a training step of a deep network."""
    taowa.clear_programs()
    net = nn.Sequential(*(m for _ in range(16) for m in (nn.Linear(32, 32), nn.Tanh())))
    x = taowa.ones(1024, 32)
    optimizer = taowa.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        y = checkpoint_sequential(net, segments, x, use_reentrant=False)
        y.sum().backward()
        optimizer.step()
    step = max(programs(), key=lambda p: p.num_nodes)
    return step.call.memory_analysis().temp_size_in_bytes


def test_memory_is_saved():
    assert temporaries(4) < 0.6 * temporaries(1)
