"""Layers that PyTorch's table of modules lacks: upsampling, folding, bags, adaptive softmax."""

import numpy as np
import pytest
import torch

import taowa
from taowa import nn
from tests.nn.comparison import Comparison, ours, random, same

TABLE = torch.arange(12.0).reshape(4, 3)
INDICES = torch.tensor([[1, 2, 1], [3, 0, 2]])
LAYERS = [
    ("Upsample", (), {"scale_factor": 2}, [random(2, 3, 4)]),
    ("Upsample", ((5, 6),), {"mode": "bilinear", "align_corners": True}, [random(2, 3, 4, 4)]),
    ("Upsample", (None, (1.5, 0.7)), {"mode": "bicubic"}, [random(1, 2, 5, 6)]),
    ("Upsample", (None, 1.6), {"recompute_scale_factor": True}, [random(1, 2, 5)]),
    ("UpsamplingNearest2d", ((7, 3),), {}, [random(2, 3, 4, 4)]),
    ("UpsamplingBilinear2d", (), {"scale_factor": 3}, [random(2, 3, 4, 4)]),
    ("Fold", ((4, 5), (2, 3)), {"padding": 1, "stride": 2}, [random(2, 12, 9)]),
    ("Unfold", ((2, 3),), {"dilation": 2, "padding": (1, 2), "stride": 2}, [random(2, 3, 5, 6)]),
    ("PixelShuffle", (2,), {}, [random(2, 8, 3, 4)]),
    ("PixelUnshuffle", (2,), {}, [random(2, 4, 6)]),
    ("ChannelShuffle", (3,), {}, [random(2, 6, 3)]),
    ("EmbeddingBag", (4, 3), {}, [INDICES]),
    ("EmbeddingBag", (4, 3), {"mode": "max", "padding_idx": -2}, [INDICES]),
    ("EmbeddingBag", (4, 3), {"mode": "sum", "max_norm": 1.0, "norm_type": 1.0}, [INDICES]),
    ("EmbeddingBag", (4, 3), {"scale_grad_by_freq": True, "include_last_offset": True},
     [torch.tensor([1, 1, 3, 0, 0, 3]), torch.tensor([0, 2, 2, 6])]),
    ("EmbeddingBag", (4, 3), {"mode": "sum"}, [INDICES, None, random(2, 3)]),
    ("AdaptiveLogSoftmaxWithLoss", (16, 20, [5, 10, 15]), {"head_bias": True, "div_value": 2.0},
     [random(6, 16), torch.tensor([0, 4, 5, 11, 15, 19])]),
    ("AdaptiveLogSoftmaxWithLoss", (16, 20, (5,)), {}, [random(16), torch.tensor(7)]),
    ("FractionalMaxPool2d", (2,), {"output_ratio": (0.5, 0.7), "return_indices": True},
     [random(2, 3, 6, 7)]),
    ("FractionalMaxPool3d", ((2, 1, 3), 3), {}, [random(1, 2, 6, 5, 6)]),
    ("LinearCrossEntropyLoss", (4, 5), {"bias": True, "weight": torch.rand(5), "ignore_index": 1},
     [random(6, 4), torch.tensor([0, 1, 2, 3, 4, 1])]),
]  # fmt: skip


def constructed(name, args, kwargs):
    """The layer of both libraries after the same seed, equal in print and state."""
    made = []
    for library, convert in ((torch, lambda value: value), (taowa, ours)):
        library.manual_seed(3)
        keywords = {key: convert(value) for key, value in kwargs.items()}
        made.append(getattr(library.nn, name)(*args, **keywords))
    theirs, mine = made
    assert repr(mine) == repr(theirs)
    assert list(mine.state_dict()) == list(theirs.state_dict())
    for key, value in theirs.state_dict().items():
        same(value, mine.state_dict()[key], key, (0, 0))
    return theirs, mine


def test_layers_are_like_pytorchs():
    both = Comparison()
    for name, args, kwargs, given in LAYERS:
        theirs, mine = constructed(name, args, kwargs)
        both.call(
            repr(theirs), theirs, mine, *given,
            parameters=(theirs.parameters(), mine.parameters()),
        )  # fmt: skip
    both.check()


def test_adaptive_softmax_predicts_like_pytorch():
    theirs, mine = constructed("AdaptiveLogSoftmaxWithLoss", (16, 20, [3, 10]), {"div_value": 2.0})
    x = random(40, 16, grad=False) * 20
    predicted = theirs.predict(x)
    assert predicted.max() >= 3 > predicted.min()
    assert mine.predict(ours(x)).tolist() == predicted.tolist()
    same(theirs.log_prob(x), mine.log_prob(ours(x)))


@pytest.mark.parametrize("label", [-1, 20])
def test_adaptive_softmax_refuses_labels_that_are_no_class(label):
    layer = nn.AdaptiveLogSoftmaxWithLoss(16, 20, [3, 10])
    with pytest.raises(RuntimeError, match=r"should be in \[0, 19\]"):
        layer(taowa.ones(2, 16), taowa.tensor([0, label])).loss.item()


def test_cross_map_normalisation_has_pytorchs_values_and_their_derivative():
    """PyTorch's own gradient is not the derivative of its values, so this one's is measured."""
    theirs, mine = constructed("CrossMapLRN2d", (3, 1.5, 0.6, 2.0), {})
    x = random(1, 7, 2, 1, dtype=torch.float64)
    same(theirs(x.detach()), mine(ours(x.detach())))
    cotangent, moved = random(1, 7, 2, 1, dtype=torch.float64, grad=False, seed=1), ours(x)
    mine(moved).backward(ours(cotangent))
    for place in np.ndindex(1, 7, 2, 1):
        step = torch.zeros_like(x, requires_grad=False)
        step[place] = 1e-6
        slope = ((theirs(x + step) - theirs(x - step)).detach() / 2e-6 * cotangent).sum()
        assert moved.grad[place].item() == pytest.approx(slope.item(), abs=1e-7)


def test_embedding_bag_from_pretrained_is_frozen():
    layer = nn.EmbeddingBag.from_pretrained(ours(TABLE), mode="sum")
    assert not layer.weight.requires_grad
    assert layer(taowa.tensor([[0, 1]])).tolist() == [[3.0, 5.0, 7.0]]


def test_sparse_gradients_are_refused_by_name():
    with pytest.raises(NotImplementedError, match=r"EmbeddingBag\(sparse=True\).*dense"):
        nn.EmbeddingBag(4, 3, sparse=True)
    with pytest.raises(NotImplementedError, match=r"embedding_bag\(sparse=True\).*dense"):
        nn.functional.embedding_bag(ours(INDICES), ours(TABLE), sparse=True)


ERRORS = [
    ("PixelShuffle", (2,), {}, [(1, 3, 2, 2)]),
    ("PixelUnshuffle", (2,), {}, [(1, 3, 3, 2)]),
    ("PixelShuffle", (0,), {}, [(1, 4, 2, 2)]),
    ("ChannelShuffle", (2,), {}, [(1, 3, 2)]),
    ("ChannelShuffle", (0,), {}, [(1, 3, 2)]),
    ("Fold", ((4, 5), 2), {}, [(1, 5, 12)]),
    ("Fold", ((4, 5), 2), {}, [(1, 4, 11)]),
    ("Unfold", (5,), {}, [(1, 1, 4, 4)]),
    ("Unfold", (2,), {"stride": 0}, [(1, 1, 4, 4)]),
    ("Unfold", (2,), {"padding": -1}, [(1, 1, 4, 4)]),
    ("Unfold", (2,), {}, [(1, 1, 1, 4, 4)]),
    ("Upsample", (), {}, [(1, 1, 4)]),
    ("Upsample", (4, 2.0), {}, [(1, 1, 4)]),
    ("Upsample", (4,), {"align_corners": True}, [(1, 1, 4)]),
    ("Upsample", (4,), {"mode": "bilinear"}, [(1, 1, 4)]),
    ("Upsample", (4,), {"mode": "smooth"}, [(1, 1, 4)]),
    ("Upsample", ((4, 4),), {}, [(1, 1, 4)]),
    ("Upsample", (0,), {}, [(1, 1, 4)]),
    ("Upsample", ((2.5,),), {}, [(1, 1, 4)]),
    ("Upsample", (4,), {"recompute_scale_factor": True}, [(1, 1, 4)]),
    ("Upsample", (4,), {"mode": "nearest"}, [(1, 0, 4)]),
    ("EmbeddingBag", (4, 3), {"padding_idx": 4}, []),
    ("EmbeddingBag", (4, 3), {"mode": "median"}, [torch.tensor([[0]])]),
    ("EmbeddingBag", (4, 3), {}, [torch.tensor([[4]])]),
    ("EmbeddingBag", (4, 3), {}, [torch.tensor([0, 1])]),
    ("EmbeddingBag", (4, 3), {}, [torch.tensor([0, 1]), torch.tensor([1])]),
    ("EmbeddingBag", (4, 3), {}, [torch.tensor([0, 1]), torch.tensor([0, 3])]),
    ("EmbeddingBag", (4, 3), {}, [torch.tensor([[0]]), torch.tensor([0])]),
    ("EmbeddingBag", (4, 3), {}, [torch.tensor([[0]]), None, torch.ones(1, 1)]),
    ("EmbeddingBag", (4, 3), {"mode": "max", "scale_grad_by_freq": True}, [torch.tensor([[0]])]),
    ("FractionalMaxPool2d", (2,), {}, []),
    ("FractionalMaxPool2d", (2, 3, 0.5), {}, []),
    ("FractionalMaxPool2d", (2,), {"output_ratio": 1.5}, []),
    ("FractionalMaxPool2d", (2, 5), {}, [(1, 1, 5, 5)]),
    ("FractionalMaxPool3d", (0, 5), {}, []),
    ("AdaptiveLogSoftmaxWithLoss", (16, 20, []), {}, []),
    ("AdaptiveLogSoftmaxWithLoss", (16, 20, [5, 5]), {}, []),
    ("AdaptiveLogSoftmaxWithLoss", (16, 20, [5, 20]), {}, []),
    ("AdaptiveLogSoftmaxWithLoss", (16, 20, [5]), {}, [(3, 16), torch.tensor([0, 1])]),
    ("AdaptiveLogSoftmaxWithLoss", (16, 20, [5]), {}, [(3, 16), torch.tensor([[0, 1]])]),
    ("AdaptiveLogSoftmaxWithLoss", (16, 20, [5]), {}, [(3, 16), torch.tensor(0)]),
    ("CrossMapLRN2d", (3,), {}, [(3, 4)]),
    ("LinearCrossEntropyLoss", (4, 5), {"weight": torch.ones(4)}, []),
    ("LinearCrossEntropyLoss", (4, 5), {"label_smoothing": 2.0}, []),
]


def error_of(library, name, args, kwargs, given):
    convert = ours if library is taowa else lambda value: value
    try:
        layer = getattr(library.nn, name)(*args, **{k: convert(v) for k, v in kwargs.items()})
        values = [library.ones(*v) if isinstance(v, tuple) else convert(v) for v in given]
        result = layer(*values) if given else None
        if library is taowa and result is not None:
            taowa.flush()
            _ = [part.host() for part in (result if isinstance(result, tuple) else (result,))]
    except Exception as error:
        return error
    return None


@pytest.mark.parametrize(("name", "args", "kwargs", "given"), ERRORS)
def test_errors_are_of_pytorchs_kind(name, args, kwargs, given):
    theirs = error_of(torch, name, args, kwargs, given)
    mine = error_of(taowa, name, args, kwargs, given)
    assert theirs is not None
    assert isinstance(mine, type(theirs)), f"{mine!r}, not {theirs!r}"


def test_embedding_bag_divides_each_rows_gradient_by_its_own_frequency():
    """PyTorch's CPU code takes another row's frequency where rows are used unequally often."""
    table = ours(TABLE).requires_grad_()
    bags = nn.functional.embedding_bag(
        taowa.tensor([1, 1, 3, 0, 2]), table, taowa.tensor([0, 2]), mode="sum",
        scale_grad_by_freq=True,
    )  # fmt: skip
    bags.sum().backward()
    assert table.grad.tolist() == [[1.0] * 3] * 4


def test_embedding_bag_means_count_what_lies_before_the_last_offset():
    """PyTorch's CPU code divides by what lies behind it too, though it adds up nothing of that."""
    bags = nn.functional.embedding_bag(
        taowa.tensor([0, 1, 2, 3]), ours(TABLE), taowa.tensor([0, 2]), include_last_offset=True
    )
    assert bags.tolist() == [[1.5, 2.5, 3.5]]
