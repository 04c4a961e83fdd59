"""Optimisers follow PyTorch's parameters, and exchange state with it."""

import copy

import numpy as np
import pytest
import torch

import taowa

CASES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.1, "maximize": True, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "amsgrad": True, "weight_decay": 0.1, "betas": (0.8, 0.99)}),
    ("Adam", {"lr": 0.01, "maximize": True, "eps": 1e-4}),
    ("AdamW", {"lr": 0.01}),
    ("AdamW", {"lr": 0.01, "amsgrad": True, "weight_decay": 0.3}),
    ("ASGD", {"lr": 0.1}),
    ("ASGD", {"lr": 0.1, "t0": 4, "lambd": 0.1, "alpha": 0.5, "weight_decay": 0.1}),
    ("ASGD", {"lr": 0.05, "maximize": True}),
    ("Adadelta", {"lr": 1.0}),
    ("Adadelta", {"lr": 0.3, "rho": 0.7, "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("Adafactor", {"lr": 0.05}),
    ("Adafactor", {"lr": 0.9, "beta2_decay": -0.5, "eps": (1e-2, 0.3), "d": 1.5}),
    ("Adafactor", {"lr": 0.05, "weight_decay": 0.1, "maximize": True}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.3, "eps": 0.1}),
    ("Adagrad", {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("Adamax", {"lr": 0.01}),
    ("Adamax", {"lr": 0.01, "betas": (0.7, 0.9), "eps": 1e-2, "weight_decay": 0.1}),
    ("Adamax", {"lr": 0.01, "maximize": True}),
    ("Muon", {"lr": 0.01}),
    ("Muon", {"lr": 0.01, "momentum": 0.5, "nesterov": False, "weight_decay": 0.3}),
    ("Muon", {"lr": 0.01, "ns_steps": 3, "adjust_lr_fn": "match_rms_adamw", "eps": 1e-3}),
    ("NAdam", {"lr": 0.01}),
    ("NAdam", {"lr": 0.01, "momentum_decay": 0.1, "weight_decay": 0.1, "betas": (0.5, 0.8)}),
    ("NAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("RAdam", {"lr": 0.01}),
    ("RAdam", {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-2, "weight_decay": 0.1}),
    ("RAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("RMSprop", {"lr": 0.01}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1, "alpha": 0.9}),
    ("RMSprop", {"lr": 0.01, "centered": True, "eps": 1e-3, "maximize": True}),
    ("RMSprop", {"lr": 0.01, "centered": True, "momentum": 0.5}),
    ("Rprop", {"lr": 0.01}),
    ("Rprop", {"lr": 0.1, "etas": (0.3, 1.5), "step_sizes": (1e-3, 0.4), "maximize": True}),
]
# No steps of their own kind: LBFGS wants a closure, SparseAdam sparse gradients.
TESTED_ELSEWHERE = {"LBFGS", "SparseAdam"}
START = [np.random.RandomState(0).randn(4, 3), np.random.RandomState(1).randn(5)]


def make(library, name, options, dtype, groups=False):
    start = [START[0], START[0][:2] + 1] if name == "Muon" else START
    params = [library.tensor(a.astype(dtype), requires_grad=True) for a in start]
    chosen = [{"params": params[:1]}, {"params": params[1:], "lr": 0.003}] if groups else params
    return params, getattr(library.optim, name)(chosen, **options)


def run(library, params, optimizer, steps, seed=0):
    rng = np.random.RandomState(seed)
    for _ in range(steps):
        optimizer.zero_grad()
        for p in params:
            c = library.tensor(rng.randn(*p.shape).astype(p.detach().numpy().dtype))
            ((p - c) ** 2).sum().backward()
        optimizer.step()
    return [p.detach().numpy() for p in params]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "options"), CASES)
def test_thirty_steps_follow_pytorch(name, options, dtype):
    ours = run(taowa, *make(taowa, name, options, dtype), steps=30)
    theirs = run(torch, *make(torch, name, options, dtype), steps=30)
    rtol = 1e-5 if dtype == "float32" else 1e-10
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


def test_every_optimizer_has_a_case():
    names = {n for n in torch.optim.__all__ if isinstance(getattr(torch.optim, n), type)}
    assert names - {"Optimizer"} - TESTED_ELSEWHERE == {name for name, _ in CASES}
    assert all(hasattr(taowa.optim, name) for name in names)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_groups_keep_their_own_options(name, options):
    ours = run(taowa, *make(taowa, name, options, "float32", groups=True), steps=5)
    theirs = run(torch, *make(torch, name, options, "float32", groups=True), steps=5)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def to_numpy_state(state):
    return {
        "state": {
            k: {n: v.numpy() if hasattr(v, "numpy") else v for n, v in s.items()}
            for k, s in state["state"].items()
        },
        "param_groups": state["param_groups"],
    }


def to_library(library, state):
    return {
        "state": {
            k: {n: library.tensor(v) if isinstance(v, np.ndarray) else v for n, v in s.items()}
            for k, s in state["state"].items()
        },
        "param_groups": state["param_groups"],
    }


@pytest.mark.parametrize(("name", "options"), CASES)
def test_state_goes_on_in_the_other_library(name, options):
    sides = {}
    for library in (taowa, torch):
        params, optimizer = make(library, name, options, "float32")
        run(library, params, optimizer, steps=3)
        sides[library] = (
            [p.detach().numpy() for p in params],
            to_numpy_state(optimizer.state_dict()),
        )
    assert sides[taowa][1]["param_groups"] == sides[torch][1]["param_groups"]
    for source, target in ((taowa, torch), (torch, taowa)):
        values, state = sides[source]
        results = []
        for library in (source, target):
            params = [library.tensor(v.copy(), requires_grad=True) for v in values]
            optimizer = getattr(library.optim, name)(params, **options)
            optimizer.load_state_dict(to_library(library, copy.deepcopy(state)))
            results.append(run(library, params, optimizer, steps=10, seed=5))
        for a, b in zip(*results, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_printed_form(name, options):
    assert repr(make(taowa, name, options, "float32")[1]) == repr(
        make(torch, name, options, "float32")[1]
    )


@pytest.mark.parametrize("library", [taowa, torch])
def test_errors(library):
    w = library.ones(1, requires_grad=True)
    with pytest.raises(ValueError, match="Invalid learning rate"):
        library.optim.SGD([w], lr=-1.0)
    with pytest.raises(ValueError, match="Nesterov"):
        library.optim.SGD([w], lr=0.1, nesterov=True)
    with pytest.raises(ValueError, match="Invalid beta"):
        library.optim.Adam([w], betas=(1.0, 0.9))
    with pytest.raises(ValueError, match="empty parameter list"):
        library.optim.SGD([], lr=0.1)
    with pytest.raises(TypeError, match="iterable of Tensors"):
        library.optim.SGD(w, lr=0.1)
    with pytest.raises(TypeError, match="only optimize Tensors"):
        library.optim.SGD([1.0], lr=0.1)
    with pytest.raises(ValueError, match="non-leaf"):
        library.optim.SGD([w * 2], lr=0.1)
    with pytest.raises(ValueError, match="more than one parameter group"):
        library.optim.SGD([{"params": [w]}, {"params": [w]}], lr=0.1)
    optimizer = library.optim.SGD([w], lr=0.1)
    with pytest.raises(ValueError, match="different number of parameter groups"):
        optimizer.load_state_dict({"state": {}, "param_groups": []})


@pytest.mark.parametrize("library", [taowa, torch])
def test_closures_hooks_and_zero_grad(library):
    w = library.ones(2, requires_grad=True)
    optimizer = library.optim.SGD([w], lr=0.5)
    calls = []
    optimizer.register_step_pre_hook(lambda *_: calls.append("before"))
    handle = optimizer.register_step_post_hook(lambda *_: calls.append("after"))

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 2.0
    assert w.tolist() == [0.0, 0.0]
    handle.remove()
    optimizer.step(closure)
    assert calls == ["before", "after", "before"]
    optimizer.zero_grad(set_to_none=False)
    assert w.grad.tolist() == [0.0, 0.0]
    optimizer.zero_grad()
    assert w.grad is None


def test_an_optimizer_written_for_pytorch_works():
    class Plain(taowa.optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        p.add_(p.grad, alpha=-group["lr"])

    w = taowa.ones(2, requires_grad=True)
    optimizer = Plain([w], lr=0.25)
    before = None
    for _ in range(3):
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()
        before = before or taowa.explain()
    assert w.tolist() == [0.125, 0.125]
    counted = taowa.explain() - before
    assert (counted.compilations + counted.disk_hits, counted.dispatches) == (0, 2)
