"""What one time step of each recurrent network computes, and its gradient, on JAX arrays.

A step gets `x`, the part of the gates that the input gives, and `a`, the part that the state
gives, both with bias. Letters as in the papers: gates `i f g o` (LSTM) and `r z n` (GRU), hidden
state `h`, cell state `c`, batch size `B`, hidden size `H`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax


class Cell(NamedTuple):
    """One kind of recurrent network.

    Attributes:
        num_gates: Rows of the weights over the hidden size.
        has_memory: Whether there is a cell state beside the hidden state.
        advance: `(x, a, h, c)` of one step to `(h, c, kept)`, the new state and a tuple of what
            the gradient reads.
        retreat: `(dh, dc, kept, output, previous h, previous c)` of one step to `(da, dh_before,
            dc_before, extra)`: gradients towards `a`, the part towards the state before that does
            not go through `a`, and whatever `towards_x` needs.
        towards_x: `(da, extra)` of all steps to the gradient towards `x`.
    """

    num_gates: int
    has_memory: bool
    advance: Callable[..., tuple]
    retreat: Callable[..., tuple]
    towards_x: Callable[[Any, Any], Any]


def _sigmoid(x: Any) -> Any:
    return 0.5 * jnp.tanh(0.5 * x) + 0.5  # exact for large arguments too, and one division less


def _activated(x: Any) -> Any:
    """Return the gates of an LSTM: all are one hyperbolic tangent, scaled and moved."""
    is_bent = np.arange(4)[:, None] == 2  # g
    scale = np.broadcast_to(np.where(is_bent, 1.0, 0.5), (4, x.shape[-1] // 4)).reshape(-1)
    gates = jnp.tanh(x * scale.astype(x.dtype)) * scale.astype(x.dtype)
    # Behind the barrier each use reads the gates instead of computing them once more.
    return lax.optimization_barrier(gates + (1 - scale).astype(x.dtype))


def _split(x: Any, count: int) -> list:
    return jnp.split(x, count, axis=-1)


def _join(*parts: Any) -> Any:
    return jnp.concatenate(parts, axis=-1)


def _same(da: Any, extra: Any) -> Any:
    return da


# -- long short-term memory -------------------------------------------------------------------


def _advance_lstm(x: Any, a: Any, h: Any, c: Any) -> tuple:
    gates = _activated(x + a)
    i, f, g, o = _split(gates, 4)
    c = f * c + i * g
    return o * jnp.tanh(c), c, (gates, c)


def _retreat_lstm(dh: Any, dc: Any, kept: tuple, output: Any, h: Any, c: Any) -> tuple:
    i, f, g, o = _split(kept[0], 4)
    bent = jnp.tanh(kept[1])
    dc = lax.optimization_barrier(dc + dh * o * (1 - bent * bent))
    da = _join(
        dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g), dh * bent * o * (1 - o)
    )
    return da, None, dc * f, None


# -- gated recurrent unit ---------------------------------------------------------------------


def _advance_gru(x: Any, a: Any, h: Any, c: Any) -> tuple:
    size = h.shape[-1]
    open_gates = lax.optimization_barrier(_sigmoid(x[..., : 2 * size] + a[..., : 2 * size]))
    (r, z), a_n = _split(open_gates, 2), a[..., 2 * size :]
    n = lax.optimization_barrier(jnp.tanh(x[..., 2 * size :] + r * a_n))
    return n + z * (h - n), None, (_join(open_gates, n, a_n),)


def _retreat_gru(dh: Any, dc: Any, kept: tuple, output: Any, h: Any, c: Any) -> tuple:
    r, z, n, a_n = _split(kept[0], 4)
    dn = lax.optimization_barrier(dh * (1 - z) * (1 - n * n))
    da = _join(dn * a_n * r * (1 - r), dh * (h - n) * z * (1 - z), dn * r)
    return da, dh * z, None, dn


def _towards_x_gru(da: Any, dn: Any) -> Any:
    return _join(da[..., : 2 * dn.shape[-1]], dn)


# -- Elman network ----------------------------------------------------------------------------


def _elman(activate: Callable, slope: Callable) -> Cell:
    return Cell(
        num_gates=1,
        has_memory=False,
        advance=lambda x, a, h, c: (activate(x + a), None, ()),
        retreat=lambda dh, dc, kept, output, h, c: (dh * slope(output), None, None, None),
        towards_x=_same,
    )


CELLS = {
    "LSTM": Cell(4, True, _advance_lstm, _retreat_lstm, _same),
    "GRU": Cell(3, False, _advance_gru, _retreat_gru, _towards_x_gru),
    "RNN_TANH": _elman(jnp.tanh, lambda y: 1 - y * y),
    "RNN_RELU": _elman(lambda x: jnp.maximum(x, 0), lambda y: (y > 0).astype(y.dtype)),
}
