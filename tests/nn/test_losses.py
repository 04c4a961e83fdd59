"""Losses at their edges: labels ignored and out of bounds, limits, warnings, weights."""

import pytest
import torch
import torch.nn.functional as TF

import taowa
import taowa.nn.functional as F
from taowa import nn
from tests.nn.comparison import Comparison, ours, random, same

REDUCTIONS = ("mean", "sum", "none")
CLASS_WEIGHTS = torch.tensor([1.0, 2.0, 0.5, 0.3])


def compare(cases, tolerance=None):
    """Compare `(name, options, arguments)` of nn.functional in one program."""
    both = Comparison()
    for name, options, args in cases:
        both.call(f"{name} {options}", getattr(TF, name), getattr(F, name), *args,
                  tolerance=tolerance, **options)  # fmt: skip
    both.check()


def labels(*shape):
    drawn = torch.randint(0, 4, shape, generator=torch.Generator().manual_seed(0))
    drawn.view(-1)[0] = -100
    return drawn


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weight", [None, CLASS_WEIGHTS])
def test_labels_probabilities_smoothing_and_weights(reduction, weight):
    cases = []
    for shape in ((5, 4), (2, 4, 3, 2)):
        x, target = random(*shape), labels(shape[0], *shape[2:])
        likely = random(*shape, seed=4, grad=False).softmax(1).requires_grad_()
        options = {"reduction": reduction, "weight": weight}
        cases += [
            (name, {**options, **extra}, [x, y])
            for name, extra, y in (
                ("nll_loss", {}, target),
                ("cross_entropy", {}, target),
                ("cross_entropy", {"label_smoothing": 0.2}, target),
                ("cross_entropy", {"label_smoothing": 0.2, "ignore_index": 1}, target.clamp(0)),
                ("cross_entropy", {}, likely),
                ("cross_entropy", {"label_smoothing": 0.2}, likely),
            )
        ]
    cases += [
        ("cross_entropy", {**options, "label_smoothing": s}, [random(4), torch.tensor(2)])
        for s in (0.0, 0.2)
    ]
    compare(cases)


def test_a_batch_of_ignored_labels_is_nan_with_gradient_zero():
    nothing = torch.full((3,), -100)
    compare(
        [("cross_entropy", {}, [random(3, 4), nothing]), ("nll_loss", {}, [random(3, 4), nothing])]
    )


def test_an_empty_batch():
    none = torch.zeros(0, dtype=torch.int64)
    compare([("cross_entropy", {"reduction": r}, [random(0, 4), none]) for r in REDUCTIONS])


@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss])
def test_label_out_of_bounds_raises_now_or_when_read(loss):
    x, bad = taowa.ones(2, 3), taowa.tensor([0, 10])
    with pytest.raises(IndexError, match="Target 10 is out of bounds"):
        loss(x, bad)
    late = loss(x, bad * 1)
    with pytest.raises(IndexError, match="out of bounds"):
        late.item()


def test_cross_entropy_is_one_operation():
    x, y = taowa.ones(2, 3), taowa.tensor([0, 1])
    taowa.flush()
    loss = F.cross_entropy(x, y)
    assert taowa.explain().num_pending == 1
    assert loss.ndim == 0


def test_probabilities_of_zero_cost_a_hundred():
    p = torch.tensor([0.0, 1.0, 1.0, 0.0], requires_grad=True)
    compare([("binary_cross_entropy", {}, [p, torch.tensor([1.0, 0.0, 1.0, 0.0])])])


def test_extreme_logits():
    x = torch.tensor([0.0, 100.0, -100.0, 0.0], requires_grad=True)
    y = torch.tensor([1.0, 0.0, 1.0, 0.5])
    compare([
        ("binary_cross_entropy_with_logits", {"reduction": r, **o}, [x, y])
        for r in REDUCTIONS for o in ({}, {"pos_weight": torch.tensor(3.0)}, {"weight": y})
    ])  # fmt: skip


def test_what_is_no_probability_raises_now_or_when_read():
    bad, one = taowa.tensor([1.5]), taowa.ones(1)
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        F.binary_cross_entropy(bad, one)
    late = F.binary_cross_entropy(bad * 1, one)
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        late.item()


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_other_sizes_broadcast_with_a_warning(name):
    x, y = random(3, 4), random(4)
    with pytest.warns(UserWarning, match="different to the input size"):
        compare([(name, {"reduction": r}, [x, y]) for r in REDUCTIONS])


def test_regression_losses_where_they_bend():
    x = torch.tensor([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0], requires_grad=True)
    y, weight = torch.zeros(7, requires_grad=True), torch.arange(1.0, 8.0)
    cases = [(n, {"reduction": r, **o}, [x, y]) for r in REDUCTIONS for n, o in (
        ("mse_loss", {}), ("l1_loss", {}), ("smooth_l1_loss", {}), ("smooth_l1_loss", {"beta": 0}),
        ("smooth_l1_loss", {"beta": 0.5}), ("huber_loss", {"delta": 0.5}),
        ("mse_loss", {"weight": weight}), ("l1_loss", {"weight": weight}),
        ("huber_loss", {"weight": weight}),
    )]  # fmt: skip
    compare(cases)


def test_divergence_with_probabilities_of_zero():
    x, y = random(3, 4), torch.tensor([[0.0, 1.0, 0.0, 0.0]]).repeat(3, 1)
    compare(
        [("kl_div", {"reduction": "batchmean"}, [x, y]), ("kl_div", {"reduction": "sum"}, [x, y])]
    )
    with pytest.warns(UserWarning, match="batchmean"):
        F.kl_div(ours(x), ours(y))


def test_a_negative_variance_raises():
    with pytest.raises(ValueError, match="negative"):
        F.gaussian_nll_loss(taowa.ones(2), taowa.ones(2), taowa.tensor([1.0, -1.0]))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"size_average": False}, "sum"),
        ({"reduce": False}, "none"),
        ({"size_average": True}, "mean"),
    ],
)
def test_old_switches_warn_and_work(old, new):
    x, y = random(3, 4), torch.tensor([0, 1, 2])
    with pytest.warns(UserWarning, match=f"reduction='{new}'"):
        layer = nn.CrossEntropyLoss(**old)
    assert layer.reduction == new
    with pytest.warns(UserWarning, match=f"reduction='{new}'"):
        mine = F.cross_entropy(ours(x), ours(y), **old)
    same(TF.cross_entropy(x, y, reduction=new), mine)


def test_weights_take_no_gradient():
    weight = taowa.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="not differentiable with respect to argument 'weight'"):
        F.cross_entropy(taowa.ones(2, 3), taowa.tensor([0, 1]), weight=weight)


def test_half_precision_and_mixed_types():
    for dtype, tolerance in ((torch.bfloat16, (2e-2, 2e-2)), (torch.float16, (2e-3, 2e-3))):
        x = random(5, 4, dtype=dtype)
        compare(
            [
                ("cross_entropy", {}, [x, labels(5)]),
                ("cross_entropy", {}, [x, random(5, 4, grad=False).softmax(1)]),
                ("mse_loss", {}, [x, random(5, 4, dtype=dtype, seed=3)]),
                ("l1_loss", {}, [x, random(5, 4, dtype=dtype, seed=3)]),
            ],
            tolerance,
        )


@pytest.mark.parametrize(
    ("name", "shapes", "options"),
    [
        ("cross_entropy", ((3, 4), (2,)), {}), ("cross_entropy", ((3, 4, 5), (3, 6)), {}),
        ("cross_entropy", ((3, 4), (3,)), {"weight": torch.ones(3)}),
        ("cross_entropy", ((3, 4), (3,)), {"reduction": "all"}),
        ("cross_entropy", ((3, 4), (3,)), {"label_smoothing": 1.5}),
        ("nll_loss", ((3, 4), (3, 4)), {}), ("multi_margin_loss", ((3, 4), (2,)), {}),
        ("multi_margin_loss", ((3, 4), (3,)), {"p": 3}),
        ("multilabel_margin_loss", ((3, 4), (3,)), {}),
    ],
)  # fmt: skip
def test_errors_of_labels_are_of_pytorchs_kind(name, shapes, options):
    x, y = torch.ones(shapes[0]), torch.ones(shapes[1], dtype=torch.int64)
    raise_alike(name, (x, y), options)


@pytest.mark.parametrize(
    ("name", "shapes", "options"),
    [
        ("mse_loss", ((3,), (3,)), {"reduction": "all"}),
        ("mse_loss", ((3,), (3,)), {"weight": torch.ones(4)}),
        ("smooth_l1_loss", ((3,), (3,)), {"beta": -1}), ("huber_loss", ((3,), (3,)), {"delta": 0}),
        ("binary_cross_entropy", ((3,), (3, 1)), {}),
        ("binary_cross_entropy_with_logits", ((3,), (3, 1)), {}),
        ("kl_div", ((3,), (3,)), {"reduction": "all"}),
        ("margin_ranking_loss", ((3,), (3, 1), (3,)), {}),
        ("cosine_embedding_loss", ((3, 4), (3, 4), (3, 1)), {}),
        ("triplet_margin_loss", ((3, 4), (3, 4), (4,)), {}),
        ("triplet_margin_loss", ((3, 4), (3, 4), (3, 4)), {"margin": -1}),
        ("gaussian_nll_loss", ((3, 2), (3, 2), (4,)), {}),
    ],
)  # fmt: skip
def test_errors_of_numbers_are_of_pytorchs_kind(name, shapes, options):
    raise_alike(name, [torch.ones(shape) for shape in shapes], options)


def raise_alike(name, args, options):
    with pytest.raises(Exception) as theirs:
        getattr(TF, name)(*args, **options)
    with pytest.raises(theirs.type):
        getattr(F, name)(*ours(args), **{k: ours(v) for k, v in options.items()})
