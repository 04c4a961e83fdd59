"""Parametrizations: registering, removing, caching, and the ready-made ones."""

import copy
import pickle

import pytest
import torch

import taowa
from tests.nn.twice import error_of, trained, twice


def kinds(library):
    """Parametrizations of both libraries."""
    Module = library.nn.Module

    class Symmetric(Module):
        def forward(self, x):
            return x.triu() + x.triu(1).mT

        def right_inverse(self, x):
            return x.triu()

    class Doubled(Module):
        def forward(self, x):
            return 2 * x

    class Product(Module):
        def forward(self, a, b):
            return a * b

        def right_inverse(self, x):
            return [x, library.ones_like(x)]

    class Narrowed(Module):
        def forward(self, x):
            return x[:1]

    class Typed(Module):
        def forward(self, x):
            return x.double()

    return {c.__name__: c() for c in (Symmetric, Doubled, Product, Narrowed, Typed)}


def registered(library, *names, layer=None, **options):
    layer = layer or library.nn.Linear(3, 3)
    for name in names:
        made = kinds(library)[name]
        library.nn.utils.parametrize.register_parametrization(layer, "weight", made, **options)
    return layer


def data(library, *shape):
    return library.linspace(-1, 1, 12).reshape(4, 3) if not shape else library.randn(*shape)


@pytest.mark.parametrize(
    "names",
    [("Symmetric",), ("Doubled",), ("Product",), ("Symmetric", "Doubled"), ("Product", "Doubled")],
)
def test_registered(names):
    def scenario(library):
        layer = registered(library, *names)
        parametrize = library.nn.utils.parametrize
        facts = [
            parametrize.is_parametrized(layer), parametrize.is_parametrized(layer, "weight"),
            parametrize.is_parametrized(layer, "bias"), type(layer).__name__,
            parametrize.type_before_parametrizations(layer) is library.nn.Linear,
        ]  # fmt: skip
        return [facts, layer, layer.weight, trained(library, layer, data(library))]

    twice(scenario)


def test_the_original_stays_the_same_object():
    layer = taowa.nn.Linear(3, 3)
    weight = layer.weight
    registered(taowa, "Symmetric", layer=layer)
    assert layer.parametrizations.weight.original is weight
    taowa.nn.utils.parametrize.remove_parametrizations(layer, "weight")
    assert layer.weight is weight


def test_assigning():
    def scenario(library):
        layer = registered(library, "Symmetric")
        layer.weight = library.ones(3, 3)
        pair = registered(library, "Product")
        pair.weight = library.full((3, 3), 2.0)
        return [layer.weight, dict(layer.state_dict()), pair.weight, dict(pair.state_dict())]

    twice(scenario)


@pytest.mark.parametrize(("names", "leave"), [
    (("Symmetric",), True), (("Doubled",), False), (("Product",), True),
    (("Product", "Doubled"), True),
])  # fmt: skip
def test_removing(names, leave):
    def scenario(library):
        layer = registered(library, *names)
        removed = library.nn.utils.parametrize.remove_parametrizations(layer, "weight", leave)
        return [removed, type(layer) is library.nn.Linear, layer.weight]

    twice(scenario)


def test_buffers_and_two_tensors_of_one_module():
    def scenario(library):
        parametrize = library.nn.utils.parametrize
        layer = library.nn.BatchNorm1d(3)
        for name in ("running_mean", "weight"):
            parametrize.register_parametrization(layer, name, kinds(library)["Doubled"])
        state = dict(layer.state_dict())
        parametrize.remove_parametrizations(layer, "weight")
        return [state, type(layer).__name__, layer, layer.running_mean]

    twice(scenario)


def test_copies_share_nothing_and_pickles_are_refused():
    layer = registered(taowa, "Product")
    twin = copy.deepcopy(layer)
    twin.weight = taowa.zeros(3, 3)
    assert layer.weight.abs().sum() > 0
    assert twin.weight.abs().sum() == 0
    with pytest.raises(RuntimeError, match="Serialization of parametrized modules"):
        pickle.dumps(layer)


def test_cached_values_are_computed_once():
    calls = []

    class Counted(taowa.nn.Module):
        def forward(self, x):
            calls.append(1)
            return x + 1

    layer = taowa.nn.Linear(2, 2)
    taowa.nn.utils.parametrize.register_parametrization(layer, "weight", Counted())
    del calls[:]
    with taowa.nn.utils.parametrize.cached():
        for _ in range(3):
            layer(taowa.ones(1, 2))
    assert len(calls) == 1
    layer(taowa.ones(1, 2))
    assert len(calls) == 2


def test_transfer():
    def scenario(library):
        parametrize = library.nn.utils.parametrize
        found = []
        for names in (("Symmetric", "Doubled"), ("Product",)):
            source, target = registered(library, *names), library.nn.Linear(3, 3)
            parametrize.transfer_parametrizations_and_params(source, target)
            assert target.parametrizations.weight[0] is source.parametrizations.weight[0]
            found += [target, target.weight]
        return found

    twice(scenario)


def wrong(library):
    """Actions that fail."""
    parametrize, Linear = library.nn.utils.parametrize, library.nn.Linear
    return [
        lambda: registered(library, "Narrowed"),
        lambda: registered(library, "Typed"),
        lambda: registered(library, "Doubled", "Narrowed"),
        lambda: registered(library, "Doubled", "Typed"),
        lambda: parametrize.register_parametrization(Linear(2, 2), "nothing", library.nn.ReLU()),
        lambda: parametrize.remove_parametrizations(Linear(2, 2), "weight"),
        lambda: parametrize.remove_parametrizations(
            registered(library, "Product"), "weight", False
        ),
        lambda: setattr(registered(library, "Doubled"), "weight", library.ones(3, 3)),
        lambda: parametrize.ParametrizationList([], library.ones(2)),
        lambda: library.nn.utils.parametrizations.orthogonal(Linear(2, 2), "bias"),
        lambda: library.nn.utils.parametrizations.orthogonal(Linear(2, 2), "nothing"),
        lambda: library.nn.utils.parametrizations.orthogonal(Linear(2, 2), orthogonal_map="x"),
        lambda: library.nn.utils.parametrizations.spectral_norm(Linear(2, 2), "nothing"),
        lambda: library.nn.utils.parametrizations.spectral_norm(Linear(2, 2), dim=2),
        lambda: library.nn.utils.parametrizations.spectral_norm(Linear(2, 2), n_power_iterations=0),
    ]


@pytest.mark.parametrize("index", range(15))
def test_errors(index):
    theirs, mine = (error_of(wrong(library)[index]) for library in (torch, taowa))
    assert theirs is not None
    assert mine == theirs


LAYERS = {
    "Linear": ((4, 3), (2, 4)),
    "Conv2d": ((2, 3, 3), (1, 2, 4, 4)),
    "ConvTranspose1d": ((2, 3, 2), (1, 2, 4)),
}


@pytest.mark.parametrize(
    ("name", "dim"), [("Linear", 0), ("Linear", None), ("Conv2d", 1), ("ConvTranspose1d", -2)]
)
def test_weight_norm(name, dim):
    def scenario(library):
        args, shape = LAYERS[name]
        layer = getattr(library.nn, name)(*args)
        library.nn.utils.parametrizations.weight_norm(layer, dim=dim)
        return [layer, trained(library, layer, data(library, *shape))]

    twice(scenario)


def test_weight_norm_loads_the_older_kind():
    def scenario(library):
        old = library.nn.utils.weight_norm(library.nn.Linear(3, 2))
        new = library.nn.utils.parametrizations.weight_norm(library.nn.Linear(3, 2))
        new.load_state_dict(old.state_dict())
        return [new, new.weight]

    twice(scenario)


@pytest.mark.parametrize("name", [*LAYERS, "BatchNorm1d"])
def test_spectral_norm(name):
    def scenario(library):
        args, shape = LAYERS.get(name, ((3,), (4, 3)))
        layer = getattr(library.nn, name)(*args)
        library.nn.utils.parametrizations.spectral_norm(layer, n_power_iterations=2)
        found = [layer, trained(library, layer, data(library, *shape))]
        return [*found, layer.eval()(data(library, *shape)), dict(layer.state_dict())]

    twice(scenario, tolerance=(1e-4, 1e-5))


@pytest.mark.parametrize(
    ("kind", "trivial", "sizes"),
    [
        ("matrix_exp", True, (4, 3)),
        ("cayley", True, (3, 5)),
        ("householder", True, (4, 3)),
        ("householder", False, (3, 5)),
        ("householder", False, (3, 3)),
        (None, True, (3, 3)),
    ],
)
def test_orthogonal(kind, trivial, sizes):
    def scenario(library):
        layer = library.nn.Linear(*sizes)
        orthogonal = library.nn.utils.parametrizations.orthogonal
        orthogonal(layer, orthogonal_map=kind, use_trivialization=trivial)
        first = layer.weight
        after = trained(library, layer, library.linspace(-1, 1, 2 * sizes[0]).reshape(2, sizes[0]))
        layer.weight = library.nn.init.orthogonal_(library.empty(sizes[1], sizes[0]))
        return [layer, first, after, layer.weight]

    twice(scenario, tolerance=(1e-4, 2e-5))


def test_orthogonal_without_trivialization_cannot_be_assigned():
    def scenario(library):
        layer = library.nn.Linear(3, 3)
        orthogonal = library.nn.utils.parametrizations.orthogonal
        orthogonal(layer, orthogonal_map="cayley", use_trivialization=False)
        error = error_of(setattr, layer, "weight", library.eye(3))
        return [layer, layer.weight, error]

    twice(scenario)
