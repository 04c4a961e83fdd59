"""Attention and transformers against PyTorch; what one call records."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import taowa
import taowa.nn.functional as F
from taowa.core.context import context
from tests.nn.comparison import Comparison, ours, random, same
from tests.nn.twice import error_of, twice

NOT = -math.inf


def mask_of(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) > 0.4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_scaled_dot_product_attention(dtype):
    q, k, v = (
        random(2, 4, 5, 8, dtype=dtype),
        random(2, 4, 6, 8, dtype=dtype),
        random(2, 4, 6, 3, dtype=dtype),
    )
    shared = random(2, 2, 6, 8, dtype=dtype)
    nothing = mask_of(5, 6)
    nothing[2] = False
    calls = [
        ((q, k, v), {}),
        ((q, k, v), {"is_causal": True}),
        ((q, k, v), {"scale": 0.7}),
        ((q, k, v), {"attn_mask": nothing}),
        ((q, k, v), {"attn_mask": random(2, 1, 5, 6, dtype=dtype)}),
        ((q, shared, shared.detach()), {"enable_gqa": True}),
        ((q, random(6, 8, dtype=dtype), random(1, 4, 6, 2, dtype=dtype)), {}),
        ((q[0, 0].detach(), k[0, 0].detach(), v[0, 0].detach()), {}),
        ((q[:, :, :0], k, v), {}),
    ]  # fmt: skip
    both = Comparison()
    for i, (args, options) in enumerate(calls):
        both.call(
            f"{i} {list(options)}", TF.scaled_dot_product_attention, F.scaled_dot_product_attention,
            *args, **options,
        )  # fmt: skip
    both.check()


def test_a_mask_and_causality_both_count():
    q, mask = random(2, 5, 4, grad=False), mask_of(5, 5)
    both = TF.scaled_dot_product_attention(q, q, q, mask & torch.ones(5, 5).tril().bool())
    same(both, F.scaled_dot_product_attention(*ours((q, q, q)), ours(mask), is_causal=True))


def second(library, function, x):
    y = function(x)
    (slope,) = library.autograd.grad([y], [x], [(y * y).detach()], create_graph=True)
    return slope


def test_second_gradients():
    both = Comparison()
    for options in ({}, {"is_causal": True}):
        functions = [
            lambda x, f=f, o=options, library=library: second(library, lambda v: f(v, v, v, **o), x)
            for library, f in (
                (torch, TF.scaled_dot_product_attention), (taowa, F.scaled_dot_product_attention)
            )
        ]  # fmt: skip
        both.call(str(options), *functions, random(2, 3, 4, dtype=torch.float64))
    both.check()


def test_dropout_scales_what_it_keeps():
    taowa.manual_seed(0)
    q, k = taowa.zeros(1, 64, 4), taowa.zeros(1, 100, 4)
    value = taowa.ones(1, 100, 1, requires_grad=True)
    result = F.scaled_dot_product_attention(q, k, value, dropout_p=0.25)
    kept = np.round(result.detach().numpy() * 100 * 0.75)
    assert 70 < kept.mean() < 80
    assert len(np.unique(kept)) > 5
    # The gradient drops the same weights: together they sum to the result's sum.
    result.sum().backward()
    np.testing.assert_allclose(value.grad.numpy().sum(), result.detach().numpy().sum(), rtol=1e-5)
    assert np.ptp(value.grad.numpy()) > 0
    other = F.scaled_dot_product_attention(q, k, value, dropout_p=0.25)
    assert (other != result).any()
    assert not F.scaled_dot_product_attention(q, k, value, dropout_p=1.0).any()


def bad_calls(library):
    attention = library.nn.functional.scaled_dot_product_attention
    ones = library.ones
    q = ones(2, 4, 5, 8)
    return [
        lambda: attention(ones(5), ones(5), ones(5)),
        lambda: attention(q, ones(2, 4, 6, 7), ones(2, 4, 6, 7)),
        lambda: attention(q, q.double(), q),
        lambda: attention(q.long(), q.long(), q.long()),
        lambda: attention(q, q, q, attn_mask=ones(5, 5).long()),
        lambda: attention(q, q, q, attn_mask=ones(3, 5)),
        lambda: attention(q, q, q, dropout_p=1.5),
        lambda: attention(q, ones(2, 3, 6, 8), ones(2, 3, 6, 8), enable_gqa=True),
        lambda: attention(q, ones(2, 2, 6, 8), ones(2, 2, 6, 8)),
        lambda: attention(ones(5, 8), ones(5, 8), ones(5, 8), enable_gqa=True),
        lambda: attention(q, q, q, None, 0.0, False, 0.5),
    ]


@pytest.mark.parametrize("index", range(11))
def test_errors_of_attention(index):
    theirs, mine = (error_of(bad_calls(library)[index]) for library in (torch, taowa))
    assert theirs is not None
    assert mine[0] == theirs[0], mine


OPTIONS = [
    {},
    {"bias": False, "add_bias_kv": True, "add_zero_attn": True},
    {"kdim": 4, "vdim": 6},
    {"batch_first": True, "add_zero_attn": True},
]
S, L, N, E, HEADS = 4, 3, 2, 8, 2


def inputs(options, kind):
    """Query, key and value for a layer: of one sequence, of two, or all different."""
    batch = (N,) if kind != "single" else ()
    shapes = [
        (L, *batch, E),
        (S, *batch, options.get("kdim", E)),
        (S, *batch, options.get("vdim", E)),
    ]
    if options.get("batch_first") and batch:
        shapes = [(n, length, size) for length, n, size in shapes]
    q, k, v = (random(*shape, seed=i) for i, shape in enumerate(shapes))
    if "kdim" in options or kind in ("apart", "single"):
        return [q, k, v]
    return [k, k, k] if kind == "self" else [q, k, k]


CASES = [
    ("self", ""), ("pair", "square padding"), ("apart", "each"), ("single", "square padding each"),
    ("self", "numbers"), ("pair", "padding plain"), ("self", "square plain each"),
]  # fmt: skip


def masks_of(names, rows, is_single):
    """Masks and options of a call by their names."""
    given = {}
    if "padding" in names:
        padding = torch.tensor([[False, False, False, True], [False] * 4])
        given["key_padding_mask"] = padding[0] if is_single else padding
    square = mask_of(rows, S) & torch.tensor([False, True, True, True])
    if "each" in names:
        given["attn_mask"] = torch.stack([square] * (HEADS * (1 if is_single else N)))
    elif "square" in names:
        given["attn_mask"] = square
    elif "numbers" in names:
        given |= {"attn_mask": random(rows, S), "average_attn_weights": False}
    return given | ({"need_weights": False} if "plain" in names else {})


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_multihead_attention(options):
    torch.manual_seed(0), taowa.manual_seed(0)
    layers = [
        (library.nn.MultiheadAttention(E, HEADS, **options), library) for library in (torch, taowa)
    ]
    assert repr(layers[1][0]) == repr(layers[0][0])
    both = Comparison()
    for kind, names in CASES:
        args = inputs(options, kind)
        rows = args[0].shape[1 if options.get("batch_first") and kind != "single" else 0]
        given = masks_of(names, rows, is_single=kind == "single")
        places = [[x is y for y in args].index(True) for x in args]
        both.call(
            f"{kind} {list(given)}",
            *[_with_places(layer, places, given, library) for layer, library in layers],
            *[x for i, x in enumerate(args) if i in places],
            parameters=[list(layer.parameters()) for layer, _ in layers],
            tolerance=(1e-4, 1e-4),
        )
    both.check()


def _with_places(layer, places, masks, library):
    """Call a layer with query, key and value, some of which are the same tensor."""
    order = sorted(set(places))
    masks = {k: ours(v) for k, v in masks.items()} if library is taowa else masks
    return lambda *xs: layer(*[xs[order.index(i)] for i in places], **masks)


def test_fixed_keys_and_values():
    q = random(L, N, E)
    fixed = [random(N * HEADS, 5, E // HEADS, seed=i) for i in (1, 2)]
    weight, bias, out = random(3 * E, E), random(3 * E), random(E, E)

    def call(function):
        return lambda q, k, v, w, b, o: function(
            q, q, q, E, HEADS, w, b, None, None, False, 0.0, o, None, static_k=k, static_v=v
        )

    both = Comparison()
    both.call(
        "fixed", call(TF.multi_head_attention_forward), call(F.multi_head_attention_forward),
        q, *fixed, weight, bias, out, tolerance=(1e-4, 1e-4),
    )  # fmt: skip
    both.check()


def test_masked_rows_and_dropout_of_a_layer():
    layer = taowa.nn.MultiheadAttention(4, 2, dropout=0.5)
    x, mask = taowa.ones(3, 1, 4), taowa.ones(3, 3).bool()
    assert layer(x, x, x, attn_mask=mask)[1].isnan().all()
    assert not layer(x, x, x, attn_mask=mask, need_weights=False)[0].isnan().any()
    weights = layer(x, x, x, average_attn_weights=False)[1].detach().numpy()
    assert set(np.round(weights.reshape(-1) * 3, 4)) <= {0.0, 2.0}
    layer.eval()
    np.testing.assert_allclose(layer(x, x, x)[1].detach().numpy(), 1 / 3, rtol=1e-6)


def wrong_calls(library):
    layer, ones = library.nn.MultiheadAttention(8, 2), library.ones
    x, single = ones(5, 3, 8), ones(5, 8)
    Attention = library.nn.MultiheadAttention
    return [
        lambda: Attention(8, 3),
        lambda: Attention(0, 3),
        lambda: layer(x, ones(4, 3, 8), ones(6, 3, 8)),
        lambda: layer(ones(5, 3, 7), x, x),
        lambda: layer(ones(5, 3, 8, 1), x, x),
        lambda: layer(x, single, x),
        lambda: layer(x, x, x, key_padding_mask=ones(5, 3).bool()),
        lambda: layer(x, x, x, key_padding_mask=ones(3, 4).bool()),
        lambda: layer(x, x, x, key_padding_mask=ones(3, 5).int()),
        lambda: layer(x, x, x, attn_mask=ones(3, 5).int()),
        lambda: layer(x, x, x, attn_mask=ones(3, 5).bool()),
        lambda: layer(x, x, x, attn_mask=ones(3, 5, 5).bool()),
        lambda: layer(x, x, x, attn_mask=ones(3).bool()),
        lambda: layer(x, x, x, is_causal=True),
        lambda: layer(single, single, single, attn_mask=ones(3, 5, 5).bool()),
        lambda: layer(single, single, single, key_padding_mask=ones(3, 5).bool()),
        lambda: Attention(8, 2, kdim=4)(x, x, x),
        lambda: library.nn.TransformerEncoderLayer(8, 2, activation="tanh"),
        lambda: library.nn.Transformer(8, 2, 1, 1, 4)(x, ones(5, 2, 8)),
        lambda: library.nn.Transformer(8, 2, 1, 1, 4)(x, ones(5, 3, 4)),
    ]


@pytest.mark.parametrize("index", range(20))
def test_errors_of_layers(index):
    theirs, mine = (error_of(wrong_calls(library)[index]) for library in (torch, taowa))
    assert theirs is not None
    assert mine == theirs


def transformer(library, **options):
    return library.nn.Transformer(8, 2, 1, 1, 6, dropout=0.0, **options)


@pytest.mark.parametrize(
    "options",
    [{}, {"batch_first": True, "activation": "gelu"}, {"norm_first": True, "bias": False}],
    ids=str,
)
def test_transformer(options):
    def scenario(library):
        net = transformer(library, **options)
        src, tgt = library.linspace(-1, 1, 80).reshape(5, 2, 8), library.ones(4, 2, 8)
        if options.get("batch_first"):
            src, tgt = src.transpose(0, 1), tgt.transpose(0, 1)
        causal = library.nn.Transformer.generate_square_subsequent_mask(4)
        padding = library.tensor([[False] * 5, [False] * 4 + [True]])
        y = net(src, tgt, tgt_mask=causal, src_key_padding_mask=padding)
        (y * y).sum().backward()
        return [net, y, {name: p.grad for name, p in net.named_parameters()}]

    twice(scenario, tolerance=(2e-4, 2e-4))


def test_masks_of_different_types_warn_once():
    def scenario(library):
        nn = library.nn
        encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 4, dropout=0.0), 2)
        x, padding = library.linspace(-1, 1, 48).reshape(3, 2, 8), library.zeros(2, 3).bool()
        mask = nn.Transformer.generate_square_subsequent_mask(3)
        attention = nn.MultiheadAttention(8, 2)
        weights = attention(x, x, x, padding, attn_mask=mask)[1]
        return [encoder(x, mask, padding), encoder(x, mask), encoder(x, mask != 0), weights]

    twice(scenario, tolerance=(1e-4, 1e-4))


def test_why_nested_tensors_are_not_used():
    def scenario(library):
        nn, made = library.nn, []
        for options in ({}, {"batch_first": True}, {"batch_first": True, "norm_first": True},
                        {"batch_first": True, "activation": nn.functional.silu},
                        {"batch_first": True, "bias": False}):  # fmt: skip
            layer = nn.TransformerEncoderLayer(6, 2, 4, **options)
            encoder = nn.TransformerEncoder(layer, 1)
            made.append([encoder.use_nested_tensor, layer.activation_relu_or_gelu])
        layer = nn.TransformerEncoderLayer(6, 3, 4, batch_first=True, activation=nn.GELU())
        made.append([nn.TransformerEncoder(layer, 1).use_nested_tensor, repr(layer)])
        made.append(nn.TransformerEncoder(layer, 1, enable_nested_tensor=False).use_nested_tensor)
        return made

    twice(scenario)


def test_copies_and_pickles():
    net = transformer(taowa, batch_first=True).eval()
    src = taowa.ones(1, 2, 8)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert repr(other) == repr(net)
        np.testing.assert_array_equal(other(src, src).detach(), net(src, src).detach())


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (lambda: taowa.nn.MultiheadAttention(8, 2, batch_first=True), 6),
        (lambda: taowa.nn.TransformerEncoderLayer(8, 2, 4, 0.0), 12),
        (lambda: taowa.nn.TransformerEncoderLayer(8, 2, 4, 0.1, batch_first=True), 19),
    ],
)
def test_few_operations_are_recorded(make, count):
    layer, x = make(), taowa.ones(3, 2, 8)
    args = (x, x, x) if isinstance(layer, taowa.nn.MultiheadAttention) else (x,)
    taowa.flush()
    before = len(context().pending)
    kept = layer(*args)
    assert len(context().pending) - before <= count
    del kept
