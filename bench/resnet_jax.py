"""The ResNet-18 step of `networks.py`, written by hand in JAX with donation."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

WIDTHS = [64, 64, 64, 128, 128, 256, 256, 512, 512]
STRIDES = [1, 1, 2, 1, 2, 1, 2, 1]


def _conv_weight(rng, outputs, inputs, size):
    scale = (inputs * size * size) ** -0.5
    return jnp.asarray(rng.uniform(-scale, scale, (outputs, inputs, size, size)), jnp.float32)


def _norm(width):
    return {"weight": jnp.ones(width), "bias": jnp.zeros(width)}


def _stats(width):
    return {"mean": jnp.zeros(width), "var": jnp.ones(width)}


def init(seed=0):
    """Return parameters and running statistics."""
    rng = np.random.RandomState(seed)
    params = {"stem": _conv_weight(rng, 64, 3, 3), "stem_bn": _norm(64)}
    stats = {"stem_bn": _stats(64)}
    for i, (a, b, s) in enumerate(zip(WIDTHS[:-1], WIDTHS[1:], STRIDES, strict=True)):
        block = {"conv1": _conv_weight(rng, b, a, 3), "bn1": _norm(b),
                 "conv2": _conv_weight(rng, b, b, 3), "bn2": _norm(b)}  # fmt: skip
        stats[f"block{i}"] = {"bn1": _stats(b), "bn2": _stats(b)}
        if s != 1 or a != b:
            block |= {"short": _conv_weight(rng, b, a, 1), "short_bn": _norm(b)}
            stats[f"block{i}"]["short_bn"] = _stats(b)
        params[f"block{i}"] = block
    params["head"] = {
        "weight": jnp.asarray(rng.uniform(-0.04, 0.04, (10, 512)), jnp.float32),
        "bias": jnp.zeros(10),
    }
    return params, stats


def conv(x, w, stride=1):
    pad = w.shape[-1] // 2
    return lax.conv_general_dilated(
        x, w, (stride, stride), [(pad, pad)] * 2, dimension_numbers=("NCHW", "OIHW", "NCHW")
    )


def batch_norm(x, p, s):
    mean = x.mean((0, 2, 3))
    var = x.var((0, 2, 3))
    n = x.size / x.shape[1]
    new = {"mean": 0.9 * s["mean"] + 0.1 * mean, "var": 0.9 * s["var"] + 0.1 * var * n / (n - 1)}
    shape = (1, -1, 1, 1)
    scale = p["weight"] * lax.rsqrt(var + 1e-5)
    return (x - mean.reshape(shape)) * scale.reshape(shape) + p["bias"].reshape(shape), new


def forward(params, stats, x):
    new = {}
    x, new["stem_bn"] = batch_norm(conv(x, params["stem"]), params["stem_bn"], stats["stem_bn"])
    x = jax.nn.relu(x)
    for i, stride in enumerate(STRIDES):
        p, s, n = params[f"block{i}"], stats[f"block{i}"], {}
        out, n["bn1"] = batch_norm(conv(x, p["conv1"], stride), p["bn1"], s["bn1"])
        out, n["bn2"] = batch_norm(conv(jax.nn.relu(out), p["conv2"]), p["bn2"], s["bn2"])
        if "short" in p:
            x, n["short_bn"] = batch_norm(conv(x, p["short"], stride), p["short_bn"], s["short_bn"])
        x = jax.nn.relu(out + x)
        new[f"block{i}"] = n
    x = x.mean((2, 3))
    return x @ params["head"]["weight"].T + params["head"]["bias"], new


def loss_of(params, stats, x, y):
    logits, new = forward(params, stats, x)
    picked = jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1)
    return -picked.mean(), new


def update(params, momenta, stats, x, y):
    (loss, stats), grads = jax.value_and_grad(loss_of, has_aux=True)(params, stats, x, y)
    momenta = jax.tree.map(lambda m, g: 0.9 * m + g, momenta, grads)
    params = jax.tree.map(lambda p, m: p - 0.01 * m, params, momenta)
    return params, momenta, stats, loss


def make_step(batch):
    """Return a function that makes one step, and one that gives the compiled program."""
    rng = np.random.RandomState(0)
    x = jnp.asarray(rng.randn(batch, 3, 32, 32), jnp.float32)
    y = jnp.asarray(rng.randint(0, 10, batch))
    params, stats = init()
    state = [params, jax.tree.map(jnp.zeros_like, params), stats]
    del params, stats
    compiled = (
        jax.jit(update, donate_argnums=(0, 1, 2))
        .lower(*state, x, y)
        .compile({"xla_backend_optimization_level": 1})
    )

    def step():
        *state[:], loss = compiled(*state, x, y)
        return float(loss)

    return step, lambda: compiled
