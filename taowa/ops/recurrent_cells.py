"""What one time step of each recurrent network computes, and its gradient, on JAX arrays.

A step gets `x`, the part of the gates that the input gives, and `a`, the part that the state
gives, both with bias. Letters as in the papers: gates `i f g o` (LSTM) and `r z n` (GRU), hidden
state `h`, cell state `c`, batch size `B`, hidden size `H`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp


class Cell(NamedTuple):
    """One kind of recurrent network.

    Attributes:
        num_gates: Rows of the weights over the hidden size.
        has_memory: Whether there is a cell state beside the hidden state.
        advance: `(x, a, h, c)` of one step to `(h, c, kept)`, the new state and a tuple of what
            the gradient reads.
        slopes: `(kept, output, previous h, previous c)` of all steps to the factors that
            `retreat` needs, so that the loop backwards does nothing that can be done outside.
        retreat: `(dh, dc, slopes)` of one step to `(da, dh_before, dc_before, extra)`: gradients
            towards `a`, the part towards the state before that does not go through `a`, and
            whatever `towards_x` needs.
        towards_x: `(da, extra)` of all steps to the gradient towards `x`.
    """

    num_gates: int
    has_memory: bool
    advance: Callable[..., tuple]
    slopes: Callable[..., tuple]
    retreat: Callable[..., tuple]
    towards_x: Callable[[Any, Any], Any]


def _sigmoid(x: Any) -> Any:
    return 0.5 * jnp.tanh(0.5 * x) + 0.5  # exact for large arguments too, and one division less


def _split(x: Any, count: int) -> list:
    return jnp.split(x, count, axis=-1)


def _join(*parts: Any) -> Any:
    return jnp.concatenate(parts, axis=-1)


def _same(da: Any, extra: Any) -> Any:
    return da


# -- long short-term memory -------------------------------------------------------------------


def _advance_lstm(x: Any, a: Any, h: Any, c: Any) -> tuple:
    i, f, g, o = _split(x + a, 4)
    i, f, g, o = _sigmoid(i), _sigmoid(f), jnp.tanh(g), _sigmoid(o)
    c = f * c + i * g
    return o * jnp.tanh(c), c, (_join(i, f, g, o), c)


def _slopes_lstm(kept: tuple, output: Any, h: Any, c: Any) -> tuple:
    gates, cells = kept
    i, f, g, o = _split(gates, 4)
    bent = jnp.tanh(cells)
    towards_gates = _join(
        g * i * (1 - i), c * f * (1 - f), i * (1 - g * g), bent * o * (1 - o)
    )  # (T, B, 4 H)
    return towards_gates, o * (1 - bent * bent), f


def _retreat_lstm(dh: Any, dc: Any, slopes: tuple) -> tuple:
    towards_gates, towards_cell, f = slopes
    dc = dc + dh * towards_cell
    return _join(dc, dc, dc, dh) * towards_gates, None, dc * f, None


# -- gated recurrent unit ---------------------------------------------------------------------


def _advance_gru(x: Any, a: Any, h: Any, c: Any) -> tuple:
    (x_r, x_z, x_n), (a_r, a_z, a_n) = _split(x, 3), _split(a, 3)
    r, z = _sigmoid(x_r + a_r), _sigmoid(x_z + a_z)
    n = jnp.tanh(x_n + r * a_n)
    return n + z * (h - n), None, (_join(r, z, n, a_n),)


def _slopes_gru(kept: tuple, output: Any, h: Any, c: Any) -> tuple:
    r, z, n, a_n = _split(kept[0], 4)
    towards_n = (1 - z) * (1 - n * n)
    towards_a = _join(towards_n * a_n * r * (1 - r), (h - n) * z * (1 - z), towards_n * r)
    return towards_a, towards_n, z


def _retreat_gru(dh: Any, dc: Any, slopes: tuple) -> tuple:
    towards_a, towards_n, z = slopes
    return _join(dh, dh, dh) * towards_a, dh * z, None, dh * towards_n


def _towards_x_gru(da: Any, dn: Any) -> Any:
    return _join(da[..., : 2 * dn.shape[-1]], dn)


# -- Elman network ----------------------------------------------------------------------------


def _elman(activate: Callable, slope: Callable) -> Cell:
    return Cell(
        num_gates=1,
        has_memory=False,
        advance=lambda x, a, h, c: (activate(x + a), None, ()),
        slopes=lambda kept, output, h, c: (slope(output),),
        retreat=lambda dh, dc, slopes: (dh * slopes[0], None, None, None),
        towards_x=_same,
    )


CELLS = {
    "LSTM": Cell(4, True, _advance_lstm, _slopes_lstm, _retreat_lstm, _same),
    "GRU": Cell(3, False, _advance_gru, _slopes_gru, _retreat_gru, _towards_x_gru),
    "RNN_TANH": _elman(jnp.tanh, lambda y: 1 - y * y),
    "RNN_RELU": _elman(lambda x: jnp.maximum(x, 0), lambda y: (y > 0).astype(y.dtype)),
}
