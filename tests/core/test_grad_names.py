"""The printed name of a tensor's backward function is PyTorch's."""

import pytest
import torch

import taowa

CASES = {
    "add": lambda t, x, v: x + 1,
    "sub": lambda t, x, v: x - x,
    "number minus tensor": lambda t, x, v: 1 - x,
    "mul": lambda t, x, v: x * x,
    "div": lambda t, x, v: x / x,
    "number over tensor": lambda t, x, v: 1 / x,
    "square": lambda t, x, v: x**2,
    "root": lambda t, x, v: x**0.5,
    "tensor power": lambda t, x, v: x**x,
    "power of a number": lambda t, x, v: 2**x,
    "exp": lambda t, x, v: x.exp(),
    "log1p": lambda t, x, v: x.log1p(),
    "sum": lambda t, x, v: x.sum(),
    "sum of rows": lambda t, x, v: x.sum(1),
    "mean": lambda t, x, v: x.mean(),
    "mean of rows": lambda t, x, v: x.mean(1),
    "max of rows": lambda t, x, v: x.max(1).values,
    "norm": lambda t, x, v: x.norm(),
    "mm": lambda t, x, v: x @ x,
    "mv": lambda t, x, v: x @ v,
    "dot": lambda t, x, v: v @ v,
    "bmm": lambda t, x, v: x[None] @ x[None],
    "linear": lambda t, x, v: t.nn.functional.linear(x, x, v),
    "linear without bias": lambda t, x, v: t.nn.functional.linear(x, x),
    "linear of a batch": lambda t, x, v: t.nn.functional.linear(x[None], x, v),
    "view": lambda t, x, v: x.view(16),
    "transpose": lambda t, x, v: x.transpose(0, 1),
    "select": lambda t, x, v: x[0],
    "slice": lambda t, x, v: x[:2],
    "index": lambda t, x, v: x[t.tensor([0, 1])],
    "cat": lambda t, x, v: t.cat([x, x]),
    "where": lambda t, x, v: t.where(x > 0, x, x),
    "masked_fill": lambda t, x, v: x.masked_fill(x > 0, 0.0),
    "relu": lambda t, x, v: t.relu(x),
    "leaky_relu": lambda t, x, v: t.nn.functional.leaky_relu(x),
    "relu6": lambda t, x, v: t.nn.functional.relu6(x),
    "log_softmax": lambda t, x, v: t.log_softmax(x, 1),
    "cross_entropy": lambda t, x, v: t.nn.functional.cross_entropy(x, t.tensor([0, 1, 2, 3])),
    "mse": lambda t, x, v: t.nn.functional.mse_loss(x, x * 2),
    "conv2d": lambda t, x, v: t.nn.functional.conv2d(x[None, None], x[None, None, :2, :2]),
    "max_pool2d": lambda t, x, v: t.nn.functional.max_pool2d(x[None, None], 2),
    "avg_pool2d": lambda t, x, v: t.nn.functional.avg_pool2d(x[None, None], 2),
    "global pooling": lambda t, x, v: t.nn.functional.adaptive_avg_pool2d(x[None, None], 1),
    "batch_norm": lambda t, x, v: t.nn.functional.batch_norm(x, None, None, training=True),
    "layer_norm": lambda t, x, v: t.nn.functional.layer_norm(x, (4,)),
    "embedding": lambda t, x, v: t.nn.functional.embedding(t.tensor([0]), x),
    "cast": lambda t, x, v: x.double(),
    "clone": lambda t, x, v: x.clone(),
    "in place": lambda t, x, v: (x * 1).add_(1),
}


@pytest.mark.parametrize("case", CASES)
def test_names_are_pytorchs(case):
    names = []
    for library in (taowa, torch):
        x = library.ones(4, 4, requires_grad=True)
        v = library.ones(4, requires_grad=True)
        names.append(CASES[case](library, x, v).grad_fn.name())
    assert names[0] == names[1]
