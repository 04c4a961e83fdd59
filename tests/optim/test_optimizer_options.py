"""What all optimisers share: options, kinds of parameters, hooks, closures, groups."""

import inspect

import numpy as np
import pytest
import torch
from torch.optim import optimizer as theirs

import taowa
from taowa.optim import optimizer as ours

NAMES = sorted(
    name for name, kind in vars(torch.optim).items()
    if isinstance(kind, type) and name not in ("Optimizer", "SparseAdam")
)  # fmt: skip
ACCEPTED = {"foreach": True, "fused": True, "capturable": True}


def make(library, name, options=(), values=((1.0, 2.0), (3.0, -1.0)), dtype="float32"):
    dtype = getattr(library, dtype)
    w = library.tensor(values, dtype=dtype, requires_grad=True)
    return w, getattr(library.optim, name)([w], **dict(options))


def closure_of(w, optimizer):
    def closure():
        optimizer.zero_grad()
        loss = (w * w).abs().sum()
        loss.backward()
        return loss

    return closure


def after_steps(library, name, options=(), count=3, **kwargs):
    w, optimizer = make(library, name, options, **kwargs)
    for _ in range(count):
        optimizer.step(closure_of(w, optimizer))
    return w.detach()


@pytest.mark.parametrize("name", NAMES)
def test_signatures(name):
    kinds = (getattr(library.optim, name) for library in (taowa, torch))
    found = [
        [(p.name, p.default, p.kind) for p in inspect.signature(kind).parameters.values()]
        for kind in kinds
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize("name", NAMES)
def test_accepted_options_change_nothing(name):
    known = inspect.signature(getattr(torch.optim, name)).parameters
    options = {key: value for key, value in ACCEPTED.items() if key in known}
    for key, value in options.items():
        plain, special = after_steps(taowa, name), after_steps(taowa, name, {key: value})
        assert plain.tolist() == special.tolist(), key


@pytest.mark.parametrize("name", NAMES)
def test_differentiable_is_refused_by_name(name):
    if "differentiable" in inspect.signature(getattr(torch.optim, name)).parameters:
        with pytest.raises(NotImplementedError, match=rf"{name}\(differentiable=True\)"):
            make(taowa, name, {"differentiable": True})


@pytest.mark.parametrize("name", NAMES)
def test_a_closure_gives_the_loss_and_its_gradients(name):
    w, optimizer = make(taowa, name)
    before = w.tolist()
    assert optimizer.step(closure_of(w, optimizer)).item() == 15.0
    assert w.tolist() != before


@pytest.mark.parametrize("name", NAMES)
def test_learning_rate_in_a_tensor(name):
    given = after_steps(taowa, name, {"lr": taowa.tensor(0.25)})
    np.testing.assert_array_equal(given.numpy(), after_steps(taowa, name, {"lr": 0.25}).numpy())
    for library in (taowa, torch):
        with pytest.raises(ValueError, match="Tensor lr must be 1-element"):
            make(library, name, {"lr": library.tensor([0.1, 0.2])})


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_rounds_once_for_each_step(name):
    """As exact as PyTorch: no farther from the float64 steps than it is, by one rounding."""
    options = {"lr": 0.1}
    mine, rough = (
        after_steps(library, name, options, dtype="bfloat16").float().numpy()
        for library in (taowa, torch)
    )
    exact = after_steps(torch, name, options, dtype="float64").numpy()
    allowed = np.abs(rough - exact).max() + np.abs(exact) * 2**-7 + 2**-9
    assert (np.abs(mine - exact) <= allowed).all()


@pytest.mark.parametrize("name", sorted({*NAMES} - {"Adafactor", "Muon"}))
def test_complex_parameters_are_pairs_of_reals(name):
    kinds = {"values": ((1 + 2j, 2 - 1j), (0.5j, -1 + 1j)), "dtype": "complex64"}
    found = [after_steps(lib, name, {"lr": 0.1}, **kinds).numpy() for lib in (taowa, torch)]
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("library", [taowa, torch])
@pytest.mark.parametrize("name", ["Adafactor", "Muon"])
def test_complex_parameters_are_refused(library, name):
    with pytest.raises(RuntimeError, match="complex"):
        after_steps(library, name, values=((1j, 2j), (3j, 4j)), dtype="complex64")


@pytest.mark.parametrize("library", [taowa, torch])
def test_dense_gradients_of_sparse_adam(library):
    w, optimizer = make(library, "SparseAdam")
    optimizer.step()
    with pytest.raises(RuntimeError, match="please consider Adam instead"):
        optimizer.step(closure_of(w, optimizer))
    with pytest.raises(ValueError, match=r"indices \[\[0, 0\]\]"):
        make(library, "SparseAdam", values=(1j,), dtype="complex64")
    with pytest.raises(ValueError, match="Invalid learning rate"):
        make(library, "SparseAdam", {"lr": 0.0})


@pytest.mark.parametrize("name", sorted({*NAMES} - {"LBFGS"}))
def test_a_group_added_later_is_updated_with_its_options(name):
    results = []
    for library in (taowa, torch):
        w, optimizer = make(library, name)
        optimizer.step(closure_of(w, optimizer))
        late = library.tensor([[1.0, 5.0]], requires_grad=True)
        optimizer.add_param_group({"params": [late], "lr": 0.5})
        for _ in range(2):
            optimizer.zero_grad()
            ((w * w).sum() + (late * late).sum()).backward()
            optimizer.step()
        results.append(np.concatenate([w.detach().numpy(), late.detach().numpy()]))
    np.testing.assert_allclose(*results, rtol=1e-5, atol=1e-6)


WRONG = [
    ("ASGD", {"weight_decay": -1}, "weight_decay"),
    ("Adadelta", {"rho": 2}, "rho"),
    ("Adafactor", {"beta2_decay": 1}, "beta2_decay"),
    ("Adafactor", {"eps": (-1, 0)}, "epsilon1"),
    ("Adafactor", {"d": 0.5}, "threshold d"),
    ("Adagrad", {"lr_decay": -1}, "lr_decay"),
    ("Adagrad", {"initial_accumulator_value": -1}, "initial_accumulator"),
    ("Adamax", {"betas": (0.9, 1.0)}, "beta parameter at index 1"),
    ("Muon", {"momentum": -1}, "momentum should be"),
    ("Muon", {"adjust_lr_fn": "so"}, "function so is not"),
    ("NAdam", {"momentum_decay": -1}, "momentum_decay"),
    ("RAdam", {"eps": -1}, "epsilon"),
    ("RMSprop", {"alpha": -1}, "alpha"),
    ("RMSprop", {"momentum": -1}, "momentum"),
    ("Rprop", {"etas": (1.5, 2.0)}, "eta values: 1.5, 2.0"),
]


@pytest.mark.parametrize("library", [taowa, torch])
@pytest.mark.parametrize(("name", "options", "text"), WRONG)
def test_options_out_of_range(library, name, options, text):
    with pytest.raises(ValueError, match=text):
        make(library, name, options)


@pytest.mark.parametrize("library", [taowa, torch])
def test_muon_wants_matrices(library):
    with pytest.raises(ValueError, match="only supports 2D"):
        make(library, "Muon", values=(1.0, 2.0))
    w, optimizer = make(library, "Muon", {"ns_steps": 100})
    with pytest.raises(ValueError, match="less than 100"):
        optimizer.step(closure_of(w, optimizer))


@pytest.mark.parametrize("home", [ours, theirs])
def test_global_hooks(home):
    library = taowa if home is ours else torch
    w, optimizer = make(library, "SGD")
    calls = []

    def note(name):
        return lambda own, args, kwargs: calls.append((name, own is optimizer, len(args), kwargs))

    optimizer.register_step_pre_hook(note("own before"))
    optimizer.register_step_post_hook(note("own after"))
    handles = [home.register_optimizer_step_pre_hook(note("before")),
               home.register_optimizer_step_post_hook(note("after"))]  # fmt: skip
    optimizer.step(closure_of(w, optimizer))
    for handle in handles:
        handle.remove()
    optimizer.step()
    names = ["before", "own before", "own after", "after"]
    assert calls == [(n, True, 2, {}) for n in names] + [(n, True, 1, {}) for n in names[1:3]]


@pytest.mark.parametrize("library", [taowa, torch])
def test_a_hook_can_replace_the_arguments(library):
    w, optimizer = make(library, "SGD", {"lr": 0.5})
    closure = closure_of(w, optimizer)
    handle = optimizer.register_step_pre_hook(lambda own, args, kwargs: ((own, closure), kwargs))
    assert optimizer.step().item() == 15.0
    handle.remove()
    optimizer.register_step_pre_hook(lambda *_: "wrong")
    with pytest.raises(RuntimeError, match="must return None or a tuple"):
        optimizer.step()
