"""Checks of gradients by finite differences: what passes, what is found."""

import numpy as np
import pytest
import torch

import taowa

BOTH = (taowa, torch)


def wrong(library):
    class Wrong(library.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, grad):
            return 3 * ctx.saved_tensors[0] * grad

    return Wrong.apply


def constant(library):
    class Constant(library.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, grad):
            return library.ones_like(grad)

    return Constant.apply


def restless(library):
    class Restless(library.autograd.Function):
        count = 0

        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, grad):
            Restless.count += 1
            return grad * (1 + 1e-7 * Restless.count)

    return Restless.apply


FUNCTIONS = {
    "sin": lambda m: m.sin,
    "matmul": lambda m: lambda x, y: x @ y,
    "several": lambda m: lambda x, y: (x * y, y.exp()),
    "partly_constant": lambda m: lambda x, y: (x * x, y.detach()),
    "abs": lambda m: lambda x, y: (x * y).abs().sqrt(),
    "wrong": lambda m: lambda x, y: wrong(m)(x) * y,
    "constant": lambda m: lambda x, y: constant(m)(x),
    "restless": lambda m: lambda x, y: restless_of[m](x),
    "not_differentiable": lambda m: lambda x, y: x.detach() * 1,
    "an_integer": lambda m: lambda x, y: x.abs().detach().argmax(),
    "detached": lambda m: lambda x, y: x * y.detach(),
}
restless_of = {library: restless(library) for library in BOTH}


def arguments(library, name, dtype):
    rng = np.random.RandomState(0)
    count = 1 if name == "sin" else 2
    values = [rng.randn(2, 2) + (1j * rng.randn(2, 2) if "complex" in dtype else 0) for _ in "xy"]
    return tuple(library.tensor(v.astype(dtype), requires_grad=True) for v in values[:count])


def outcome(library, check, name, dtype, **options):
    inputs = arguments(library, name, dtype)
    try:
        return getattr(library.autograd, check)(FUNCTIONS[name](library), inputs, **options)
    except Exception as error:
        return type(error).__name__


KINDS = [("float64", {}), ("float64", {"fast_mode": True}), ("complex128", {}),
         ("float64", {"raise_exception": False})]  # fmt: skip


@pytest.mark.parametrize(("dtype", "options"), KINDS)
@pytest.mark.parametrize("check", ["gradcheck", "gradgradcheck"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_like_pytorch(check, name, dtype, options):
    if check == "gradgradcheck" and name in ("not_differentiable", "an_integer"):
        name = "sin"  # there is no first gradient to differentiate
    ours, theirs = (outcome(library, check, name, dtype, **options) for library in BOTH)
    assert ours == theirs


@pytest.mark.parametrize("library", BOTH)
def test_tolerance_of_repetition(library):
    x = library.tensor([1.0, 2.0], dtype=library.float64, requires_grad=True)
    assert library.autograd.gradcheck(restless(library), x, nondet_tol=1e-3)
    with pytest.raises(RuntimeError, match="not reentrant"):
        library.autograd.gradcheck(restless(library), x)


@pytest.mark.parametrize("library", BOTH)
def test_what_the_error_says(library):
    x = library.tensor([1.0, 2.0], dtype=library.float64, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"(?s)mismatch for output 0 with respect to input 0.*"
                                           r"numerical.*2\..*analytical.*3\."):  # fmt: skip
        library.autograd.gradcheck(wrong(library), x)


@pytest.mark.parametrize("library", BOTH)
def test_inputs_that_cannot_be_checked(library):
    with pytest.raises(ValueError, match="at least one input tensor to require gradient"):
        library.autograd.gradcheck(library.sin, library.ones(2, dtype=library.float64))
    with pytest.warns(UserWarning, match="Input #0 requires gradient and is not a double"):
        library.autograd.gradcheck(
            library.sin, library.ones(2, requires_grad=True), eps=1e-2, atol=1e-2
        )
    with pytest.raises(AssertionError, match="at least one of"):
        library.autograd.gradcheck(library.sin, (), check_backward_ad=False)


def test_inputs_keep_their_values_and_parameters_are_moved_in_place():
    layer = taowa.nn.Linear(2, 2, dtype=taowa.float64)
    before = layer.weight.tolist()
    x = taowa.tensor([[1.0, 2.0]], dtype=taowa.float64)
    assert taowa.autograd.gradcheck(lambda *_: layer(x), (layer.weight, layer.bias))
    assert layer.weight.tolist() == before


def test_other_modes_are_refused_by_name():
    x = taowa.ones(1, dtype=taowa.float64, requires_grad=True)
    for option in ("check_forward_ad", "check_batched_grad"):
        with pytest.raises(NotImplementedError, match="is not supported"):
            taowa.autograd.gradcheck(taowa.sin, x, **{option: True})
    with pytest.raises(NotImplementedError, match="forward-mode"):
        taowa.autograd.gradgradcheck(taowa.sin, x, check_fwd_over_rev=True)
