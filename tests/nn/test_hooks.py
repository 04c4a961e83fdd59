"""Hooks are called in the same order with the same arguments as PyTorch's."""

import copy
import functools
import gc
import pickle
from collections import OrderedDict, namedtuple

import pytest
import torch

from taowa.nn import hooks as ours
from taowa.nn.hooks import RemovableHandle
from taowa.nn.module import Module
from tests.nn.both import LIBRARIES, assert_same

TAOWA = LIBRARIES[1]
MODULES = {"torch": torch.nn.modules.module, "taowa": ours}
Pair = namedtuple("Pair", "first second")


class Adding:
    """A module class of either library that adds to what it is given, in text or numbers."""

    def __new__(cls, lib, by="!", fails=False):
        def forward(self, x, more=""):
            if fails:
                raise ValueError("failed inside")
            return x + by + more

        return type("Adding", (lib.nn.Module,), {"forward": forward, "__module__": "user"})()


def logged(seen, name, result=None):
    """A hook that notes its arguments after the module, and returns something."""

    def hook(module, *args):
        seen.append((name, type(module).__name__, *copy.copy(args)))
        return result

    return hook


CALLS = {
    "pre": lambda m, log: m.register_forward_pre_hook(log("a")),
    "pre replaces": lambda m, log: m.register_forward_pre_hook(log("a", ("new",))),
    "pre replaces by one": lambda m, log: m.register_forward_pre_hook(log("a", "new")),
    "pre replaces by list": lambda m, log: m.register_forward_pre_hook(log("a", ["new"])),
    "pre with kwargs": lambda m, log: m.register_forward_pre_hook(log("a"), with_kwargs=True),
    "pre with kwargs replaces": lambda m, log: m.register_forward_pre_hook(
        log("a", (("new",), {"more": "?"})), with_kwargs=True
    ),
    "pre with kwargs replaces badly": lambda m, log: m.register_forward_pre_hook(
        log("a", "new"), with_kwargs=True
    ),
    "pre with kwargs replaces by three": lambda m, log: m.register_forward_pre_hook(
        log("a", (1, 2, 3)), with_kwargs=True
    ),
    "two pre": lambda m, log: (
        m.register_forward_pre_hook(log("a", "x")),
        m.register_forward_pre_hook(log("b")),
    ),
    "pre prepended": lambda m, log: (
        m.register_forward_pre_hook(log("a", "x")),
        m.register_forward_pre_hook(log("b"), prepend=True),
    ),
    "hook": lambda m, log: m.register_forward_hook(log("a")),
    "hook replaces": lambda m, log: m.register_forward_hook(log("a", "new")),
    "hook with kwargs": lambda m, log: m.register_forward_hook(log("a"), with_kwargs=True),
    "two hooks": lambda m, log: (
        m.register_forward_hook(log("a", "x")),
        m.register_forward_hook(log("b")),
    ),
    "hook prepended": lambda m, log: (
        m.register_forward_hook(log("a", "x")),
        m.register_forward_hook(log("b"), prepend=True, with_kwargs=True),
    ),
    "hook after pre": lambda m, log: (
        m.register_forward_pre_hook(log("a", "x")),
        m.register_forward_hook(log("b")),
    ),
    "removed": lambda m, log: m.register_forward_hook(log("a")).remove(),
    "removed with flags": lambda m, log: m.register_forward_hook(
        log("a"), with_kwargs=True, always_call=True
    ).remove(),
    "always": lambda m, log: m.register_forward_hook(log("a"), always_call=True),
    "always with kwargs": lambda m, log: m.register_forward_hook(
        log("a", 5), always_call=True, with_kwargs=True
    ),
    "always and not": lambda m, log: (
        m.register_forward_hook(log("a")),
        m.register_forward_hook(log("b", 7), always_call=True),
        m.register_forward_hook(log("c"), always_call=True),
    ),
    "always fails": lambda m, log: (
        m.register_forward_hook(lambda *_: 1 / 0, always_call=True),
        m.register_forward_hook(log("c"), always_call=True),
    ),
    "hook fails": lambda m, log: (
        m.register_forward_hook(lambda *_: 1 / 0),
        m.register_forward_hook(log("c"), always_call=True),
    ),
    "pre fails": lambda m, log: (
        m.register_forward_pre_hook(lambda *_: 1 / 0),
        m.register_forward_hook(log("c"), always_call=True),
    ),
}


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("register", CALLS.values(), ids=CALLS.keys())
def test_forward_hooks(register, fails):
    def call(lib):
        seen = []
        seens.append(seen)
        module = Adding(lib, fails=fails)
        register(module, functools.partial(logged, seen))
        return module("in", more="+")

    seens = []
    assert_same(call)
    assert seens[0] == seens[1]


GLOBALS = {
    "pre": lambda g, log: [g.register_module_forward_pre_hook(log("g"))],
    "pre replaces": lambda g, log: [g.register_module_forward_pre_hook(log("g", "new"))],
    "hook": lambda g, log: [g.register_module_forward_hook(log("g"))],
    "hook replaces": lambda g, log: [g.register_module_forward_hook(log("g", "new"))],
    "with kwargs": lambda g, log: [g.register_module_forward_hook(log("g"), with_kwargs=True)],
    "always": lambda g, log: [g.register_module_forward_hook(log("g"), always_call=True)],
    "always fails": lambda g, log: [
        g.register_module_forward_hook(lambda *_: 1 / 0, always_call=True)
    ],
}


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("register", GLOBALS.values(), ids=GLOBALS.keys())
def test_hooks_of_all_modules_come_before_a_modules_own(register, fails):
    def call(lib):
        seen = []
        seens.append(seen)
        net = lib.nn.Sequential(Adding(lib), Adding(lib, fails=fails))
        net[0].register_forward_hook(logged(seen, "own"))
        net[0].register_forward_pre_hook(logged(seen, "own pre"))
        handles = register(MODULES[lib.name], functools.partial(logged, seen))
        try:
            return net("in")
        finally:
            for handle in handles:
                handle.remove()
            net[0]("after")

    seens = []
    assert_same(call)
    assert seens[0] == seens[1]


@pytest.mark.parametrize("replaces", [False, True])
@pytest.mark.parametrize("kind", ["parameter", "buffer", "module"])
def test_registration_hooks(kind, replaces):
    def names(lib):
        seen = []
        substitute = {
            "parameter": lib.parameter(9),
            "buffer": lib.ones(9),
            "module": lib.nn.Sequential(),
        }[kind]

        def hook(module, name, member):
            seen.append((type(module).__name__, name, member is None))
            return substitute if replaces else None

        register = getattr(MODULES[lib.name], f"register_module_{kind}_registration_hook")
        with register(hook):
            net = lib.nn.Module()
            net.p = lib.parameter(1)
            net.register_buffer("b", lib.ones(1))
            net.register_buffer("none", None)
            net.b = lib.ones(2)
            net.m = lib.nn.Module()
            net.m = None
            net.add_module("n", lib.nn.Module())
            net.register_parameter("empty", None)
        net.after = lib.parameter(1)
        return seen, str(net), [(k, tuple(v.shape)) for k, v in net.state_dict().items()]

    assert_same(names)


# -- backward -----------------------------------------------------------------------------


def doubling(lib, forward=lambda self, x: x * 2):
    return type("Doubling", (lib.nn.Module,), {"forward": forward, "__module__": "user"})()


def entries(grads):
    return [None if g is None else g.tolist() for g in grads]


def grad_log(seen, name, change=None):
    """A backward hook that notes the gradients and may replace them."""

    def hook(module, *grads):
        seen.append((name, *(entries(g) for g in grads)))
        return change(*grads) if change else None

    return hook


BACKWARD = {
    "hook": lambda m, log: m.register_full_backward_hook(log("a")),
    "pre": lambda m, log: m.register_full_backward_pre_hook(log("a")),
    "both": lambda m, log: (
        m.register_full_backward_hook(log("a")),
        m.register_full_backward_pre_hook(log("b")),
    ),
    "two": lambda m, log: (
        m.register_full_backward_hook(log("a", lambda gi, go: (gi[0] * 3,))),
        m.register_full_backward_hook(log("b")),
    ),
    "prepended": lambda m, log: (
        m.register_full_backward_hook(log("a", lambda gi, go: (gi[0] * 3,))),
        m.register_full_backward_hook(log("b"), prepend=True),
    ),
    "pre prepended": lambda m, log: (
        m.register_full_backward_pre_hook(log("a", lambda go: (go[0] * 3,))),
        m.register_full_backward_pre_hook(log("b"), prepend=True),
    ),
    "replaces": lambda m, log: m.register_full_backward_hook(
        log("a", lambda gi, go: (gi[0] * 10,))
    ),
    "replaces by list": lambda m, log: m.register_full_backward_hook(
        log("a", lambda gi, go: [gi[0] * 10])
    ),
    "drops": lambda m, log: m.register_full_backward_hook(log("a", lambda gi, go: (None,))),
    "pre replaces": lambda m, log: (
        m.register_full_backward_pre_hook(log("a", lambda go: (go[0] * 10,))),
        m.register_full_backward_hook(log("b")),
    ),
    "wrong count": lambda m, log: m.register_full_backward_hook(
        log("a", lambda gi, go: (gi[0], gi[0]))
    ),
    "pre wrong count": lambda m, log: m.register_full_backward_pre_hook(
        log("a", lambda go: (go[0], go[0]))
    ),
    "removed": lambda m, log: m.register_full_backward_hook(log("a")).remove(),
    "with forward hook": lambda m, log: (
        m.register_full_backward_hook(log("a")),
        m.register_forward_hook(lambda module, args, output: output * 5),
    ),
}


@pytest.mark.parametrize("name", BACKWARD)
def test_backward_hooks(name):
    def run(lib):
        seen = []
        module = doubling(lib)
        BACKWARD[name](module, functools.partial(grad_log, seen))
        x = lib.tensor([1, 2]).requires_grad_()
        # After a dropped gradient PyTorch calls further hooks with None, taowa calls none.
        output = module(x) if name == "drops" else module(module(x))
        (output * lib.tensor([0.5, -3])).sum().backward()
        return seen, x.grad

    assert_same(run)


@pytest.mark.parametrize("used", [0, 1, 3, (0, 3)])
@pytest.mark.parametrize("second_requires_grad", [False, True])
def test_backward_hooks_of_several_inputs_and_outputs(second_requires_grad, used):
    def run(lib):
        seen = []
        module = doubling(lib, lambda self, x, y, n=3: (x * 2, y * 3, 7, x * y))
        module.register_full_backward_hook(grad_log(seen, "hook"))
        module.register_full_backward_pre_hook(grad_log(seen, "pre"))
        x = lib.tensor([1, 2]).requires_grad_()
        y = lib.tensor([3, 4]).requires_grad_(second_requires_grad)
        outputs = module(x, y)
        flags = [o if isinstance(o, int) else o.requires_grad for o in outputs]
        chosen = used if isinstance(used, tuple) else (used,)
        total = sum((outputs[i] * lib.tensor([1, -2])).sum() for i in chosen)
        if total.requires_grad:
            total.backward()
        return flags, seen, x.grad, y.grad

    assert_same(run)


def weighted(lib, forward):
    module = doubling(lib, forward)
    module.weight = lib.nn.Parameter(lib.tensor([2, 3]))
    return module


@pytest.mark.parametrize(
    "change",
    [None, lambda gi, go: (None,), lambda gi, go: (go[0],)],
    ids=["looks", "returns None", "returns a gradient"],
)
def test_backward_hook_where_no_input_requires_grad(change):
    def run(lib):
        seen = []
        module = weighted(lib, lambda self, x: self.weight * x)
        module.register_full_backward_hook(grad_log(seen, "hook", change))
        module.register_full_backward_pre_hook(grad_log(seen, "pre", lambda go: (go[0] * 7,)))
        module(lib.tensor([5, 6])).sum().backward()
        return seen, module.weight.grad

    assert "warns UserWarning: Full backward hook is firing" in assert_same(run)


def test_backward_hook_without_positional_arguments():
    def run(lib):
        seen = []
        module = doubling(lib, lambda self, *, x: x * 2)
        module.register_full_backward_hook(grad_log(seen, "hook"))
        x = lib.tensor([1, 2]).requires_grad_()
        module(x=x).sum().backward()
        return seen, x.grad

    assert_same(run)


@pytest.mark.parametrize("kind", [dict, list, Pair])
def test_backward_hook_of_unusual_outputs(kind):
    make = {
        dict: lambda self, x: {"a": x * 2},
        list: lambda self, x: [x * 2],
        Pair: lambda self, x: Pair(x * 2, x * 3),
    }[kind]

    def run(lib):
        seen = []
        module = doubling(lib, make)
        module.register_full_backward_hook(grad_log(seen, "hook"))
        x = lib.tensor([1, 2]).requires_grad_()
        output = module(x)
        values = output.values() if kind is dict else output
        sum(v.sum() for v in values).backward()
        return type(output).__name__, seen, x.grad

    assert_same(run)


def test_backward_hooks_rest_when_gradients_are_off():
    def run(lib):
        seen = []
        module = doubling(lib)
        module.register_full_backward_hook(grad_log(seen, "hook"))
        x = lib.tensor([1, 2]).requires_grad_()
        with lib.lib.no_grad():
            output = module(x)
        return output, output.requires_grad, seen

    assert_same(run)


def test_backward_hooks_of_all_modules_come_first():
    def run(lib):
        seen = []
        net = lib.nn.Sequential(doubling(lib), doubling(lib))
        net[0].register_full_backward_hook(grad_log(seen, "own"))
        net[1].register_full_backward_pre_hook(grad_log(seen, "own pre"))
        library = MODULES[lib.name]
        x = lib.tensor([1, 2]).requires_grad_()
        with (
            library.register_module_full_backward_hook(grad_log(seen, "all")),
            library.register_module_full_backward_pre_hook(grad_log(seen, "all pre")),
        ):
            net(x).sum().backward()
        net(x).sum().backward()
        return seen, x.grad

    assert_same(run)


def test_backward_twice_calls_hooks_twice():
    def run(lib):
        seen = []
        module = doubling(lib)
        module.register_full_backward_hook(grad_log(seen, "hook"))
        x = lib.tensor([1, 2]).requires_grad_()
        output = module(x).sum()
        output.backward(retain_graph=True)
        output.backward()
        return seen, x.grad

    assert_same(run)


def test_only_the_hooks_on_the_way_are_called():
    def run(lib):
        seen = []
        module = weighted(lib, lambda self, x: self.weight * x)
        module.register_full_backward_hook(grad_log(seen, "hook"))
        module.register_full_backward_pre_hook(grad_log(seen, "pre"))
        x = lib.tensor([1, 2]).requires_grad_()
        return lib.lib.autograd.grad(module(x).sum(), module.weight), seen

    assert_same(run)


def test_the_old_kind_of_backward_hook_is_refused_by_name():
    for refused in (Module().register_backward_hook, ours.register_module_backward_hook):
        with pytest.raises(NotImplementedError, match="full_backward_hook"):
            refused(lambda *_: None)


# -- handles ------------------------------------------------------------------------------


def test_handle_removes_once_and_from_every_table():
    hooks, flags = OrderedDict(), OrderedDict()
    handle = RemovableHandle(hooks, extra_dict=flags)
    hooks[handle.id] = flags[handle.id] = "x"
    other = RemovableHandle(hooks, extra_dict=[flags])
    hooks[other.id] = "y"
    handle.remove()
    handle.remove()
    assert list(hooks.values()) == ["y"]
    assert not flags


def test_handle_outlives_its_module():
    module = Module()
    handle = module.register_forward_hook(print)
    del module
    gc.collect()
    handle.remove()
    assert RemovableHandle(OrderedDict()).id > handle.id


def test_handle_survives_pickling_with_its_module():
    module = Module()
    module.register_forward_hook(print)
    module.handle = module.register_forward_hook(repr)
    twin = pickle.loads(pickle.dumps(module))
    twin.handle.remove()
    assert list(twin._forward_hooks.values()) == [print]
    assert list(module._forward_hooks.values()) == [print, repr]


def test_copied_module_has_its_own_hooks():
    def counts(lib):
        module = Adding(lib)
        module.register_forward_hook(lambda m, args, output: output + "h")
        twin = copy.deepcopy(module)
        twin.register_forward_hook(lambda m, args, output: output + "t")
        return module("x"), twin("x")

    assert_same(counts)
