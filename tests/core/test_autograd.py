"""Autograd against PyTorch: accumulation, higher orders, hooks, freed graphs, functions."""

import numpy as np
import pytest
import torch as oracle

import taowa
from taowa.autograd import Function

LIBRARIES = [taowa, oracle]


def both(program):
    """Run one program under both libraries; return what it gave as NumPy arrays."""
    results = []
    for torch in LIBRARIES:
        result = program(torch)
        results.append([np.asarray(r.detach().numpy()) for r in result])
    return results


def compare(program, rtol=1e-5, atol=1e-6):
    ours, theirs = both(program)
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def leaf(torch, values, dtype=None):
    return torch.tensor(values, requires_grad=True, dtype=dtype)


def test_gradients_accumulate_until_they_are_cleared():
    def program(torch):
        x = leaf(torch, [1.0, 2.0])
        (x * x).sum().backward()
        (x * 3).sum().backward()
        first = x.grad.clone()
        x.grad = None
        (x.exp() * 2).sum().backward()
        return first, x.grad

    compare(program)


def test_third_derivatives():
    def program(torch):
        x = leaf(torch, [0.5, 1.5], torch.float64)
        y = (x**3 * x.exp()).sum()
        (g1,) = torch.autograd.grad(y, x, create_graph=True)
        (g2,) = torch.autograd.grad((g1 * g1).sum(), x, create_graph=True)
        (g3,) = torch.autograd.grad(g2.sum(), x)
        return g1, g2, g3

    compare(program, rtol=1e-9)


def test_backward_of_a_gradient_penalty_reaches_the_parameters():
    def program(torch):
        w = leaf(torch, [[0.3, -0.2], [0.1, 0.4]])
        x = leaf(torch, [[1.0, 2.0]])
        out = (x @ w).tanh().sum()
        (gx,) = torch.autograd.grad(out, x, create_graph=True)
        (out + (gx * gx).sum()).backward()
        return (w.grad,)

    compare(program)


def test_vector_gradients_and_several_roots():
    def program(torch):
        x = leaf(torch, [1.0, 2.0, 3.0])
        a, b = x * 2, x.sin()
        torch.autograd.backward([a, b], [torch.tensor([1.0, 0.5, 0.25]), torch.ones(3)])
        return (x.grad,)

    compare(program)


def test_retain_graph_and_a_freed_graph():
    for torch in LIBRARIES:
        x = leaf(torch, [1.0, 2.0])
        y = (x * x).sum()
        y.backward(retain_graph=True)
        y.backward()
        assert x.grad.tolist() == [4.0, 8.0]
        with pytest.raises(RuntimeError, match="second time"):
            y.backward()
        z = (x + 1).sum()  # nothing was saved, so this may go backward twice
        z.backward()
        z.backward()


def test_backward_on_a_vector_or_without_grad_raises():
    for torch in LIBRARIES:
        x = leaf(torch, [1.0, 2.0])
        with pytest.raises(RuntimeError, match="scalar outputs"):
            (x * 2).backward()
        with pytest.raises(RuntimeError, match="does not require grad"):
            torch.ones(1).backward()
        with pytest.raises(RuntimeError, match=r"[Mm]ismatch in shape"):
            (x * 2).backward(torch.ones(3))


def test_unused_inputs():
    for torch in LIBRARIES:
        x, unused = leaf(torch, [1.0]), leaf(torch, [1.0])
        with pytest.raises(RuntimeError, match="not have been used"):
            torch.autograd.grad(x * 2, unused)
        assert torch.autograd.grad(x * 2, unused, allow_unused=True) == (None,)
        (zeros,) = torch.autograd.grad(x * 2, unused, allow_unused=True, materialize_grads=True)
        assert zeros.tolist() == [0.0]


def test_gradient_towards_an_inner_tensor():
    def program(torch):
        x = leaf(torch, [1.0, 2.0])
        h = x * 3
        y = (h * h).sum()
        (gh,) = torch.autograd.grad(y, h)
        return (gh,)

    compare(program)


def test_no_grad_enable_grad_and_friends():
    for torch in LIBRARIES:
        x = leaf(torch, [1.0])
        with torch.no_grad():
            assert not (x * 2).requires_grad
            with torch.enable_grad():
                assert (x * 2).requires_grad
        with torch.inference_mode():
            assert not (x * 2).requires_grad
        with torch.set_grad_enabled(False):
            assert not (x * 2).requires_grad
        torch.set_grad_enabled(False)
        assert not torch.is_grad_enabled()
        torch.set_grad_enabled(True)

        @torch.no_grad()
        def f(t):
            return t * 2

        assert not f(x).requires_grad
        assert (x * 2).requires_grad


def test_hooks_change_and_see_gradients():
    def program(torch):
        x = leaf(torch, [1.0, 2.0])
        seen = []
        h = x * 2
        h.register_hook(lambda g: g * 10)
        x.register_hook(lambda g: seen.append(g) or g + 1)
        removed = x.register_hook(lambda g: g * 1000)
        removed.remove()
        (h * h).sum().backward()
        return x.grad, seen[0]

    compare(program)


def test_retain_grad_and_post_accumulate_hooks():
    for torch in LIBRARIES:
        x = leaf(torch, [1.0, 2.0])
        called = []
        x.register_post_accumulate_grad_hook(
            lambda t, called=called: called.append(t.grad.tolist())
        )
        h = x * 2
        h.retain_grad()
        h.sum().backward()
        assert h.grad.tolist() == [1.0, 1.0]
        assert h.retains_grad
        assert called == [[2.0, 2.0]]


def test_in_place_writes_carry_gradients():
    def program(torch):
        x = leaf(torch, [1.0, 2.0, 3.0])
        y = x * 1
        y[0] = x[2] * 5
        y[1:].mul_(2)
        y.add_(x)
        (y * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
        return x.grad, y

    compare(program)


def test_in_place_on_a_leaf_raises_and_works_without_grad():
    for torch in LIBRARIES:
        x = leaf(torch, [1.0, 2.0])
        with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
            x.add_(1)
        with pytest.raises(RuntimeError, match="view of a leaf"):
            x[0:1].add_(1)
        with torch.no_grad():
            x.add_(1)
            x[0:1].mul_(5)
        assert x.tolist() == [10.0, 3.0]
        assert x.is_leaf
        assert x.requires_grad


def test_detach_shares_memory_and_cuts_the_tape():
    for torch in LIBRARIES:
        x = leaf(torch, [1.0, 2.0])
        d = x.detach()
        d.fill_(7.0)
        assert x.tolist() == [7.0, 7.0]
        assert not d.requires_grad
        (x * d).sum().backward()
        assert x.grad.tolist() == [7.0, 7.0]


def test_leaf_flags():
    for torch in LIBRARIES:
        x = leaf(torch, [1.0])
        y = x * 2
        assert (x.is_leaf, y.is_leaf, y.detach().is_leaf) == (True, False, True)
        assert x.grad_fn is None
        assert y.grad_fn.name() == "MulBackward0"
        with pytest.raises(RuntimeError, match="leaf variables"):
            y.requires_grad_(False)
        with pytest.raises(RuntimeError, match="floating point"):
            torch.tensor([1]).requires_grad_()
        with pytest.raises(RuntimeError, match="Can't call numpy"):
            x.numpy()


def cube(torch):
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, scale):
            y = x * x * x
            ctx.save_for_backward(x, y)
            ctx.scale = scale
            return y * scale, y.sign()

        @staticmethod
        def backward(ctx, grad, _):
            x, _ = ctx.saved_tensors
            return 3 * x * x * grad * ctx.scale, None

    return Cube


def test_custom_functions_and_their_second_derivative():
    def program(torch):
        x = leaf(torch, [1.0, -2.0])
        out, sign = cube(torch).apply(x * 2, 0.5)
        (g,) = torch.autograd.grad(out.sum(), x, create_graph=True)
        g.sum().backward()
        return out, sign, g, x.grad

    compare(program)


def test_custom_functions_say_when_gradients_are_missing():
    class Wrong(Function):
        @staticmethod
        def forward(ctx, x, y):
            return x + y

        @staticmethod
        def backward(ctx, grad):
            return grad

    x = leaf(taowa, [1.0])
    with pytest.raises(RuntimeError, match=r"expected 2, got 1"):
        Wrong.apply(x, x).sum().backward()


def test_custom_functions_run_once_per_step_without_recompiling():
    x = leaf(taowa, [1.0, 2.0])
    before = None
    for _ in range(3):
        x.grad = None
        out, _ = cube(taowa).apply(x, 2.0)
        out.sum().backward()
        assert x.grad.tolist() == [6.0, 24.0]
        if before is None:
            before = taowa.explain()
    counted = taowa.explain() - before
    assert counted.compilations + counted.disk_hits == 0


def test_anomaly_detection_names_the_operation_and_line():
    x = leaf(taowa, [0.0])
    with taowa.autograd.detect_anomaly(), pytest.raises(RuntimeError, match="Sqrt") as caught:
        (x.sqrt() * 0).sum().backward()
    assert any("test_autograd.py" in note for note in caught.value.__notes__)


def test_broadcast_gradients_have_their_inputs_shapes():
    def program(torch):
        a = leaf(torch, [[1.0], [2.0]])
        b = leaf(torch, [3.0, 4.0, 5.0])
        c = leaf(torch, 2.0)
        (a * b + c / b).backward(torch.arange(6.0).reshape(2, 3))
        return a.grad, b.grad, c.grad

    compare(program)


def test_mixed_types_send_gradients_in_their_inputs_type():
    def program(torch):
        a = leaf(torch, [1.0, 2.0])
        b = leaf(torch, [3.0, 4.0], torch.float64)
        (a * b).sum().backward()
        return a.grad, b.grad

    compare(program)
