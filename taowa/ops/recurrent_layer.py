"""One direction of one recurrent layer over all time steps, as one operation.

The input's part of the gates is one matrix product before the loop over time, and the gradients
towards the weights are one product each behind the loop backwards. The operation's outputs are
the sequence, the last state, and what the gradient reads of each step. `T` time steps, batch size
`B`, hidden size `H`, output size `P` (the projection's, else `H`), `G` rows of the weights.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from taowa.core.op import Array, op
from taowa.ops.matmul import product
from taowa.ops.precision import HIGHEST, as_rows, require_same_dtype, wide
from taowa.ops.recurrent_cells import CELLS, Cell


def _wide(*arrays: Any) -> list:
    return [None if a is None else wide(a) for a in arrays]


def _require_layer(arrays: dict[str, Any], num_gates: int) -> None:
    """Check that the sizes of one layer's arrays fit, as a matrix product would."""
    x, h0, weight_ih, weight_hh = (arrays[k] for k in ("input", "h0", "weight_ih", "weight_hh"))
    require_same_dtype("input and parameters", *arrays.values())
    if x.shape[0] == 0:
        raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
    for values, weight in ((x, weight_ih), (h0, weight_hh)):
        if values.shape[-1] != weight.shape[-1]:
            rows = values.size // max(values.shape[-1], 1)
            raise RuntimeError(
                f"mat1 and mat2 shapes cannot be multiplied ({rows}x{values.shape[-1]} and "
                f"{weight.shape[1]}x{weight.shape[0]})"
            )
    if weight_ih.shape[0] != weight_hh.shape[0] or weight_hh.shape[0] % num_gates:
        raise RuntimeError(
            f"weights of {weight_ih.shape[0]} and {weight_hh.shape[0]} rows for {num_gates} gates"
        )
    if h0.shape[0] != x.shape[1]:
        raise RuntimeError(f"states of {h0.shape[0]} sequences for {x.shape[1]} sequences")


def alive_steps(batch_sizes: Any, batch_size: int) -> Any:
    """Return whether each sequence still goes on at each step, `(T, B, 1)`."""
    return (jnp.arange(batch_size) < batch_sizes[:, None])[..., None]


@op(name="recurrent_layer")
def recurrent_layer(
    input: Array,
    h0: Array,
    c0: Array | None,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array | None,
    bias_hh: Array | None,
    weight_hr: Array | None,
    batch_sizes: Array | None,
    kind: str,
    is_reverse: bool,
):
    """Return the outputs of all steps, the last hidden state, cell state if any, and residuals."""
    cell, dtype = CELLS[kind], input.dtype
    arrays = {"input": input, "h0": h0, "c0": c0, "weight_ih": weight_ih, "weight_hh": weight_hh,
              "bias_ih": bias_ih, "bias_hh": bias_hh, "weight_hr": weight_hr}  # fmt: skip
    _require_layer(arrays, cell.num_gates)
    x, h0, c0, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr = _wide(*arrays.values())
    rows = product(as_rows(x), weight_ih.T)
    rows = rows if bias_ih is None else rows + bias_ih
    x = rows.reshape(*x.shape[:2], len(weight_ih))  # (T, B, G)
    alive = None if batch_sizes is None else alive_steps(batch_sizes, x.shape[1])
    step = _step(cell, weight_hh.T, bias_hh, None if weight_hr is None else weight_hr.T)
    (h, c), (output, kept) = lax.scan(step, (h0, c0), (x, alive), reverse=is_reverse)
    last = (h, c) if cell.has_memory else (h,)
    return *(a.astype(dtype) for a in (output, *last)), *kept


def _inner_product(a: Any, b: Any) -> Any:
    """Return a product inside the loop: few rows, for which XLA's own is quicker."""
    return jnp.matmul(a, b, precision=HIGHEST)


def _step(cell: Cell, weight: Any, bias: Any, projection: Any) -> Any:
    """Return the function of one step: `(state, (x, alive))` to `(state, (output, kept))`."""

    def step(state: tuple, given: tuple) -> tuple:
        (h, c), (x, alive) = state, given
        a = _inner_product(h, weight)  # (B, G)
        new_h, new_c, kept = cell.advance(x, a if bias is None else a + bias, h, c)
        if projection is not None:
            new_h = _inner_product(new_h, projection)
        output = new_h
        if alive is not None:  # the state of a sequence stands still behind its end
            output = jnp.where(alive, new_h, 0)
            new_h = jnp.where(alive, new_h, h)
            new_c = None if c is None else jnp.where(alive, new_c, c)
        return (new_h, new_c), (output, kept)

    return step


@recurrent_layer.backward
def _(
    grads, outputs, input, h0, c0, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, batch_sizes,
    kind, is_reverse,
):  # fmt: skip
    arrays = (input, h0, c0, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr)
    num_public = 3 if CELLS[kind].has_memory else 2
    result = _Backward(kind, is_reverse, arrays, outputs, batch_sizes).run(grads[:num_public])
    if any(g is not None for g in grads[num_public:]):
        rest = _towards_residuals(arrays, grads, num_public, batch_sizes, kind, is_reverse)
        result = [g if r is None else g + wide(r) for g, r in zip(result, rest, strict=True)]
    return *result, None


def _towards_residuals(
    arrays: tuple, grads: tuple, num_public: int, batch_sizes: Any, kind: str, is_reverse: bool
) -> tuple:
    """Return the gradients through the residuals, which only a second derivative asks for."""
    body = recurrent_layer.op.body
    outputs, pull = jax.vjp(lambda *a: body(*a, batch_sizes, kind, is_reverse), *arrays)
    return pull(tuple(
        jnp.zeros_like(o) if i < num_public or g is None else g
        for i, (o, g) in enumerate(zip(outputs, grads, strict=True))
    ))  # fmt: skip


def _before(sequence: Any, first: Any, is_reverse: bool, alive: Any) -> Any:
    """Return the state that each step started from, where the sequence is alive."""
    if not is_reverse:
        return jnp.concatenate([first[None], sequence[:-1]])
    if alive is not None:
        sequence = jnp.where(alive, sequence, first)
    return jnp.concatenate([sequence[1:], first[None]])


class _Backward:
    """The gradient of one layer: a loop over the steps backwards, then one product per weight."""

    def __init__(self, kind: str, is_reverse: bool, arrays: tuple, outputs: list, batch_sizes: Any):
        self.cell = cell = CELLS[kind]
        self.is_reverse = is_reverse
        self.x, self.h0, self.c0, *self.weights = _wide(*arrays)
        self.kept = tuple(outputs[3 if cell.has_memory else 2 :])
        is_packed = batch_sizes is not None
        self.alive = alive_steps(batch_sizes, self.x.shape[1]) if is_packed else None
        self.output = wide(outputs[0])
        self.h = _before(self.output, self.h0, is_reverse, self.alive)
        cells = self.kept[1] if cell.has_memory else None
        self.c = None if cells is None else _before(cells, self.c0, is_reverse, self.alive)

    def run(self, grads: tuple) -> list:
        """Return the gradients towards the arrays, from those towards output and last state."""
        weight_ih, _, bias_ih, bias_hh, weight_hr = self.weights
        grad_output, dh, *dc = (None if g is None else wide(g) for g in grads)
        dh = jnp.zeros_like(self.h0) if dh is None else dh
        dc = dc[0] if dc else None
        dc = jnp.zeros_like(self.c0) if dc is None and self.c0 is not None else dc
        given = (grad_output, self.alive, (self.kept, self.output, self.h, self.c))
        (dh, dc), (da, extra, dy) = lax.scan(
            self.step, (dh, dc), given, length=len(self.x), reverse=not self.is_reverse
        )
        dx, da = as_rows(self.cell.towards_x(da, extra)), as_rows(da)
        return [
            product(dx, weight_ih).reshape(self.x.shape), dh, dc,
            product(dx.T, as_rows(self.x)), product(da.T, as_rows(self.h)),
            None if bias_ih is None else dx.sum(0), None if bias_hh is None else da.sum(0),
            None if weight_hr is None else product(as_rows(dy).T, self.unprojected()),
        ]  # fmt: skip

    def step(self, state: tuple, given: tuple) -> tuple:
        """Go back by one step: the gradient towards the state after it to that before it."""
        (dh, dc), (grad_output, alive, values) = state, given
        _, weight_hh, _, _, weight_hr = self.weights
        dy = dh if grad_output is None else dh + grad_output
        if alive is not None:
            dy = jnp.where(alive, dy, 0)
        dh_inner = dy if weight_hr is None else _inner_product(dy, weight_hr)
        da, direct, dc_before, extra = self.cell.retreat(dh_inner, dc, *values)
        if alive is not None:
            da = jnp.where(alive, da, 0)
            dc_before = None if dc is None else jnp.where(alive, dc_before, dc)
        dh_before = _inner_product(da, weight_hh)
        dh_before = dh_before if direct is None else dh_before + direct
        if alive is not None:
            dh_before = dh_before + jnp.where(alive, 0, dh)
        return (dh_before, dc_before), (da, extra, None if weight_hr is None else dy)

    def unprojected(self) -> Any:
        """Return the hidden states before their projection, `(T B, H)`."""
        gates, cells = self.kept
        return as_rows(jnp.split(gates, 4, axis=-1)[3] * jnp.tanh(cells))
