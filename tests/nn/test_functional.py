"""What nn.functional means at edges: kinks, ties, NaN, second gradients, options of PyTorch's."""

import pytest
import torch
import torch.nn.functional as TF

import taowa
import taowa.nn.functional as F
from taowa import autograd
from tests.nn.comparison import Comparison, ours, random, same

NAN, INF = float("nan"), float("inf")
KINKS = [-30.0, -6.0, -4.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 4.0, 6.0, 7.0, 30.0, NAN]
FLOATING = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
ACTIVATIONS = [
    ("relu", {}), ("relu6", {}), ("hardtanh", {}), ("hardtanh", {"min_val": -0.5, "max_val": 3}),
    ("threshold", {"threshold": 1, "value": 9}), ("leaky_relu", {"negative_slope": -0.3}),
    ("hardswish", {}), ("hardsigmoid", {}), ("hardshrink", {"lambd": 1.0}), ("softshrink", {}),
    ("elu", {"alpha": 2.0}), ("selu", {}), ("celu", {"alpha": 2.0}), ("gelu", {}),
    ("gelu", {"approximate": "tanh"}), ("silu", {}), ("mish", {}), ("logsigmoid", {}),
    ("softplus", {"beta": 2, "threshold": 3}), ("softsign", {}), ("tanhshrink", {}), ("rrelu", {}),
]  # fmt: skip


def with_options(function, options):
    return lambda *args: function(*args, **options)


def compare(cases, tolerance=None):
    """Compare `(name, options, arguments)` of nn.functional in one program."""
    both = Comparison()
    for name, options, args in cases:
        theirs, mine = (with_options(getattr(library, name), options) for library in (TF, F))
        both.call(f"{name} {options}", theirs, mine, *args, tolerance=tolerance)
    both.check()


@pytest.mark.parametrize("dtype", FLOATING)
def test_activations_at_their_kinks(dtype):
    x = torch.tensor(KINKS, dtype=dtype)
    compare([(name, options, [x.clone().requires_grad_()]) for name, options in ACTIVATIONS])


def second(library, function, x):
    y = function(x)
    (slope,) = library.autograd.grad([y], [x], [(y * y).detach()], create_graph=True)
    return slope


def test_second_gradients():
    x = random(4, 6, dtype=torch.float64)
    images = random(2, 4, 6, 6, dtype=torch.float64)
    labels = torch.tensor([0, 5, 2, 2])
    twice = [(n, o) for n, o in ACTIVATIONS if n != "hardsigmoid"]  # PyTorch has none for it
    cases = [(lambda L, n=n, o=o: with_options(getattr(L, n), o), x) for n, o in twice]
    cases += [
        (lambda L: lambda v: L.softmax(v, dim=1), x),
        (lambda L: lambda v: L.log_softmax(v, dim=0), x),
        (lambda L: lambda v: L.layer_norm(v, (6,)), x),
        (lambda L: lambda v: L.batch_norm(v, None, None, training=True), x),
        (lambda L: lambda v: L.group_norm(v, 3), x),
        (lambda L: lambda v: L.max_pool2d(v, 3, 2), images),
        (lambda L: lambda v: L.cross_entropy(v, labels if L is TF else ours(labels)), x),
    ]
    both = Comparison()
    for i, (make, value) in enumerate(cases):
        both.call(
            f"second gradient of case {i}",
            lambda v, make=make: second(torch, make(TF), v),
            lambda v, make=make: second(taowa, make(F), v),
            value,
        )
    both.check()


def test_softmax_of_infinities_and_implicit_dimensions():
    x = torch.tensor([[-INF, 0.0, 1.0], [-INF, -INF, -INF], [INF, 0.0, 0.0]])
    compare([(name, {"dim": 1}, [x]) for name in ("softmax", "log_softmax", "softmin")])
    for name in ("softmax", "log_softmax", "softmin"):
        for shape in ((3,), (2, 3), (2, 3, 4)):
            y = random(*shape, grad=False)
            with pytest.warns(UserWarning, match=f"Implicit dimension choice for {name}"):
                mine = getattr(F, name)(ours(y))
            with pytest.warns(UserWarning):
                same(getattr(TF, name)(y), mine)


def test_maxima_ties_nan_and_minus_infinity():
    ties = torch.randint(0, 3, (2, 3, 9, 8), generator=torch.Generator().manual_seed(0)).float()
    strange = torch.tensor([[[NAN, 1.0, NAN, 2.0], [-INF] * 4]])
    empty_handed = torch.full((1, 1, 4, 4), -INF)
    options = [
        {"kernel_size": 3, "stride": 2, "padding": 1},
        {"kernel_size": (2, 3), "stride": [1, 3], "dilation": (3, 2), "ceil_mode": True},
        {"kernel_size": 2, "stride": 2, "padding": 1, "dilation": 2},
    ]
    cases = [
        ("max_pool2d", {**o, "return_indices": True}, [x.clone().requires_grad_()])
        for o in options for x in (ties, empty_handed)
    ]  # fmt: skip
    cases += [
        ("max_pool1d", {"kernel_size": 2, "return_indices": True}, [strange]),
        ("adaptive_max_pool2d", {"output_size": (4, 3), "return_indices": True},
         [ties.requires_grad_()]),
        ("max_pool2d", {"kernel_size": 2}, [ties.detach().long()]),
    ]  # fmt: skip
    compare(cases)


def test_averages_do_not_spread_infinities():
    x = torch.tensor([[[1.0, INF, 2.0, 3.0, 4.0]]])
    compare([("adaptive_avg_pool1d", {"output_size": 3}, [x])])


def test_average_divisors():
    x = random(2, 3, 9, 8)
    compare([
        ("avg_pool2d", {"kernel_size": k, "stride": 2, "padding": 1, "ceil_mode": c, **o}, [x])
        for k in (2, 3, (2, 3)) for c in (False, True)
        for o in ({}, {"count_include_pad": False}, {"divisor_override": 5})
    ])  # fmt: skip


def test_convolution_options():
    x, weight, bias = random(2, 4, 9, 8), random(6, 4, 3, 2), random(6)
    options = [
        {}, {"stride": 2}, {"padding": (1, 2)}, {"dilation": 2}, {"padding": "valid"},
        {"padding": "same", "dilation": (1, 2)},
        {"stride": (2, 1), "padding": [2, 0], "dilation": (1, 2)},
    ]  # fmt: skip
    cases = [("conv2d", o, [x, weight, bias]) for o in options]
    cases += [("conv2d", {**o, "groups": 2}, [x, random(6, 2, 3, 2)]) for o in options]
    cases += [
        ("conv1d", {"stride": (2,)}, [random(4, 9), random(8, 4, 3), random(8)]),
        ("conv3d", {"stride": 2, "padding": 1}, [random(2, 2, 5, 6, 4), random(3, 2, 3, 3, 3)]),
        ("conv_transpose2d", {"stride": (3, 2), "padding": 1, "output_padding": (2, 0)},
         [random(2, 4, 5, 4), random(4, 6, 3, 3), random(6)]),
        ("conv_transpose2d", {"groups": 2, "dilation": 2}, [random(4, 5, 4), random(4, 3, 3, 3)]),
        ("conv2d", {}, [random(0, 4, 9, 8), weight, bias]),
    ]  # fmt: skip
    compare(cases, (1e-4, 1e-4))


def test_half_precision_accumulates_in_float32():
    for dtype in (torch.float16, torch.bfloat16):
        x, weight = random(4, 2000, dtype=dtype), random(3, 2000, dtype=dtype)
        compare([("linear", {}, [x, weight, random(3, dtype=dtype)])], (2e-2, 2e-1))


def test_running_statistics_move_in_place():
    x, mean, var = random(4, 3, 5), torch.zeros(3), torch.ones(3)
    for name in ("batch_norm", "instance_norm"):
        options = {"training": True} if name == "batch_norm" else {}
        expected, actual = (mean.clone(), var.clone()), (ours(mean), ours(var))
        getattr(TF, name)(x, *expected, momentum=0.3, **options)
        getattr(F, name)(ours(x), *actual, momentum=0.3, **options)
        for t, o in zip(expected, actual, strict=True):
            same(t, o, name)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_padding_by_its_own_values(mode):
    compare([
        ("pad", {"pad": pad, "mode": mode}, [random(2, 3, 5, 4)])
        for pad in ((1, 2, 0, 3), (-1, 2, 1, -2), (0, 0, 0, 0))
    ])  # fmt: skip


def test_scaled_gradient_of_frequent_rows():
    indices = torch.tensor([[0, 2, 2], [3, 1, 2]])
    compare([
        ("embedding", options, [indices, random(4, 3)])
        for options in ({"scale_grad_by_freq": True}, {"padding_idx": 2}, {"padding_idx": -2})
    ])  # fmt: skip


def test_indices_out_of_range_raise_now_or_when_read():
    table, bad = taowa.ones(5, 2), taowa.tensor([5])
    with pytest.raises(IndexError, match="index out of range"):
        F.embedding(bad, table)
    late = F.embedding(bad * 1, table)
    with pytest.raises(IndexError, match="index out of range"):
        late.numpy()
    with pytest.raises(RuntimeError, match="num_classes"):
        F.one_hot(taowa.tensor([3]), 3)


def test_gumbel_softmax_is_one_hot_with_a_soft_gradient():
    logits = ours(random(5, 4))
    drawn = F.gumbel_softmax(logits, hard=True)
    assert sorted(set(drawn.detach().numpy().ravel().tolist())) == [0.0, 1.0]
    (slope,) = autograd.grad(drawn[:, 0].sum(), logits)
    assert slope.abs().sum().item() > 0


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("hardtanh", (3, -1)), ("celu", (0,)), ("softshrink", (-1,)), ("glu", (5,)),
        ("elu", ()), ("softmax", (4,)), ("prelu", (torch.ones(2, 2),)),
        ("linear", (torch.ones(2, 5),)), ("conv2d", (torch.ones(1, 1, 2, 2),)),
        ("layer_norm", ((4,),)), ("max_pool2d", (2,)), ("pad", ((1,),)),
        ("one_hot", ()), ("dropout", (2.0,)),
    ],
)  # fmt: skip
def test_errors_are_of_pytorchs_kind(name, args):
    x = torch.ones(3, dtype=torch.int64 if name == "elu" else torch.float32)
    with pytest.raises(Exception) as theirs:
        getattr(TF, name)(x, *args)
    with pytest.raises(theirs.type):
        getattr(F, name)(ours(x), *ours(args))
