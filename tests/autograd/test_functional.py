"""Jacobians, Hessians and products with vectors, as PyTorch's."""

import numpy as np
import pytest
import torch

import taowa

BOTH = (taowa, torch)
# From parts of PyTorch that its own forward mode uses.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
X = np.array([[0.3, -1.2], [0.8, 2.0]])
Y = np.array([0.5, -0.7])


def one(x):
    return x.sin() * x.sum()


def two_in(x, y):
    return (x @ y).tanh() * y


def two_out(x):
    return x.exp(), (x * x).sum()


def both(x, y):
    return (x * y).sum(0), y.cos(), (x * x).mean()


def scalar(x):
    return (x**3).sum() * x.prod()


def scalar_of_two(x, y):
    return (x @ y).exp().sum()


def half_used(x, y):
    return x * 3


def linear(x):
    return 2 * x.sum()


def arrays(result, looks_at_tape=True):
    """Nested results as nested arrays, with whether they are on the tape."""
    if isinstance(result, tuple | list):  # lists are PyTorch's, of its forward mode
        return [arrays(part, looks_at_tape) for part in result]
    is_on_tape = looks_at_tape and result.requires_grad
    return result.detach().numpy(), is_on_tape, str(result.dtype)


def assert_same(ours, theirs):
    if isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for pair in zip(ours, theirs, strict=True):
            assert_same(*pair)
        return
    assert ours[1:] == theirs[1:]
    assert ours[0].shape == theirs[0].shape
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-10, atol=1e-12)


def outcome(library, name, function, arguments, **options):
    """The result, or the type of the error."""
    tensors = [library.tensor(a, requires_grad=True) for a in arguments]
    call = getattr(library.autograd.functional, name)
    inputs = tuple(tensors) if len(tensors) > 1 else tensors[0]
    options = {
        key: tuple(library.tensor(a) for a in value) if key == "v" and len(value) > 1
        else library.tensor(value[0]) if key == "v" else value
        for key, value in options.items()
    }  # fmt: skip
    is_forward = "forward-mode" in [v for v in options.values() if isinstance(v, str)]
    try:  # results of PyTorch's forward mode stay on the tape
        return arrays(call(function, inputs, **options), looks_at_tape=not is_forward)
    except Exception as error:
        return type(error).__name__


def check(name, function, arguments, **options):
    ours, theirs = (outcome(lib, name, function, arguments, **options) for lib in BOTH)
    if isinstance(theirs, str) or isinstance(ours, str):
        assert ours == theirs
    else:
        assert_same(ours, theirs)
    return theirs


CASES = [(one, (X,)), (two_in, (X, Y)), (two_out, (X,)), (both, (X, Y)), (half_used, (X, Y))]
SCALARS = [(scalar, (X,)), (scalar_of_two, (X, Y)), (linear, (X,))]
V = {1: (X + 1,), 2: (X + 1, Y - 2)}


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(("function", "arguments"), CASES)
def test_jacobian(function, arguments, create_graph):
    check("jacobian", function, arguments, create_graph=create_graph)


@pytest.mark.parametrize("strategy", ["forward-mode", "reverse-mode"])
@pytest.mark.parametrize(("function", "arguments"), CASES)
def test_jacobian_vectorised(function, arguments, strategy):
    check("jacobian", function, arguments, vectorize=True, strategy=strategy)


@pytest.mark.parametrize("options", [
    {"strict": True}, {"strict": True, "create_graph": True}, {"strict": True, "vectorize": True},
    {"strategy": "forward-mode"}, {"strategy": "sideways"},
    {"strategy": "forward-mode", "create_graph": True, "vectorize": True},
    {"strategy": "forward-mode", "strict": True, "vectorize": True},
])  # fmt: skip
@pytest.mark.parametrize(("function", "arguments"), [CASES[0], CASES[4], SCALARS[2]])
def test_refusals_of_jacobian(function, arguments, options):
    check("jacobian", function, arguments, **options)


@pytest.mark.parametrize("options", [
    {}, {"create_graph": True}, {"strict": True}, {"vectorize": True},
    {"vectorize": True, "outer_jacobian_strategy": "forward-mode"},
])  # fmt: skip
@pytest.mark.parametrize(("function", "arguments"), [*SCALARS, CASES[0], CASES[2]])
def test_hessian(function, arguments, options):
    check("hessian", function, arguments, **options)


@pytest.mark.parametrize("options", [{}, {"create_graph": True}, {"strict": True}])
@pytest.mark.parametrize("name", ["jvp", "vhp", "hvp"])
@pytest.mark.parametrize(("function", "arguments"), [*CASES, *SCALARS])
def test_products_with_a_vector_of_the_inputs(name, function, arguments, options):
    check(name, function, arguments, v=V[len(arguments)], **options)


@pytest.mark.parametrize("options", [{}, {"create_graph": True}, {"strict": True}])
@pytest.mark.parametrize(("function", "arguments"), CASES)
def test_products_with_a_vector_of_the_outputs(function, arguments, options):
    with torch.no_grad():
        made = function(*(torch.tensor(a) for a in arguments))
    v = tuple(t.numpy() + 1 for t in (made if isinstance(made, tuple) else (made,)))
    assert not isinstance(check("vjp", function, arguments, v=v), str)
    check("vjp", function, arguments, v=v, **options)


@pytest.mark.parametrize("name", ["vjp", "jvp", "vhp", "hvp"])
def test_vectors_left_out_or_of_another_shape(name):
    left_out = check(name, scalar, (X,))
    assert isinstance(left_out, str) == (name != "vjp")
    check(name, lambda x: x**2, (np.array(3.0),))
    assert check(name, scalar, (X,), v=(Y,)) == "RuntimeError"
    assert check(name, scalar, (X,), v=(X, Y)) == "RuntimeError"


@pytest.mark.parametrize("name", ["vjp", "jvp", "vhp", "hvp", "jacobian", "hessian"])
@pytest.mark.parametrize("library", BOTH)
def test_arguments_must_be_tensors(library, name):
    call = getattr(library.autograd.functional, name)
    with pytest.raises(TypeError, match=f"given to {name}"):
        call(lambda x: x, 3.0)
    with pytest.raises(TypeError, match=f"given to {name}"):
        call(lambda x: "no tensor", library.ones(1))


def test_a_jacobian_can_be_differentiated():
    results = []
    for library in BOTH:
        x = library.tensor(X, requires_grad=True)
        made = library.autograd.functional.jacobian(one, x, create_graph=True)
        (made**2).sum().backward()
        results.append(x.grad.numpy())
    np.testing.assert_allclose(*results, rtol=1e-10)


def test_rows_are_runs_of_few_programs():
    x = taowa.tensor(np.linspace(-1, 1, 40))
    taowa.autograd.functional.jacobian(taowa.tanh, x[:3])
    before = taowa.explain()
    made = taowa.autograd.functional.jacobian(taowa.tanh, x)
    counted = taowa.explain() - before
    assert made.shape == (40, 40)
    assert counted.compilations + counted.disk_hits <= 3


def test_forward_mode_names_the_nearest_way():
    with pytest.raises(NotImplementedError, match=r"functional\.jvp"):
        _ = taowa.autograd.forward_ad
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = taowa.autograd.nonsense
