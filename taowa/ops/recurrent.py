"""Recurrent networks with the weights given by the caller: `taowa.lstm`, `taowa.gru_cell`, ..."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from taowa.core.api import public
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.ops.dropout import dropout
from taowa.ops.joining import cat, stack
from taowa.ops.matmul import product
from taowa.ops.precision import require_same_dtype, wide
from taowa.ops.recurrent_cells import CELLS
from taowa.ops.recurrent_layer import recurrent_layer
from taowa.ops.recurrent_packing import pack_rows, pad_rows


def _layers(params: Sequence[Tensor], has_biases: bool, has_projections: bool, count: int) -> list:
    """Return `(weight_ih, weight_hh, bias_ih, bias_hh, weight_hr)` of each layer and direction."""
    width = 2 + 2 * has_biases + has_projections
    if len(params) % width:
        raise RuntimeError(f"{len(params)} weights cannot be shared out by {width} for each layer")
    if len(params) < width * count:
        raise RuntimeError(f"{count} layers need {width * count} weights, got {len(params)}")
    found = []
    for start in range(0, width * count, width):
        own = params[start : start + width]
        biases = own[2:4] if has_biases else (None, None)
        found.append((*own[:2], *biases, own[-1] if has_projections else None))
    return found


def run_layers(
    kind: str,
    input: Tensor,
    batch_sizes: Tensor | None,
    states: tuple[Tensor, ...],
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout_p: float,
    train: bool,
    bidirectional: bool,
) -> tuple[Tensor, ...]:
    """Return the output and the last states of a stack of layers.

    Args:
        kind: `"LSTM"`, `"GRU"`, `"RNN_TANH"` or `"RNN_RELU"`.
        input: `(T, B, I)`.
        batch_sizes: `(T,)`, how many sequences go on at each step; `None`: all of them.
        states: The hidden states `(D num_layers, B, P)`, and for an LSTM the cell states.
        params: All weights, in the order of a module's.
        dropout_p: Probability of zeroing between layers, while `train`.

    Example:
        >>> import taowa
        >>> weights = [taowa.zeros(2, 3), taowa.zeros(2, 2)]
        >>> x, h = taowa.ones(4, 1, 3), taowa.zeros(1, 1, 2)
        >>> [t.shape for t in run_layers("GRU", x, None, (h,), [taowa.zeros(6, 3),
        ...     taowa.zeros(6, 2)], False, 1, 0.0, False, False)]
        [torch.Size([4, 1, 2]), torch.Size([1, 1, 2])]
    """
    num_directions = 2 if bidirectional else 1
    has_projections = len(states) > 1 and states[0].shape[-1] != states[1].shape[-1]
    layers = _layers(params, has_biases, has_projections, num_layers * num_directions)
    last = []
    for layer in range(num_layers):
        outputs = []
        for direction in range(num_directions):
            at = layer * num_directions + direction
            h, *c = (state[at] for state in states)
            output, *end = recurrent_layer(
                input, h, c[0] if c else None, *layers[at], batch_sizes, kind, direction == 1
            )
            outputs.append(output)
            last.append(end)
        input = outputs[0] if num_directions == 1 else cat(outputs, -1)
        if layer < num_layers - 1:
            input = dropout(input, dropout_p, train)
    return input, *(stack([end[i] for end in last]) for i in range(len(states)))


def _run(kind: str, given: tuple, named: dict) -> tuple[Tensor, ...]:
    """Sort the arguments of PyTorch's two signatures, for padded and for packed sequences."""
    names = _names(kind, given)
    if len(given) > len(names):
        raise TypeError(f"expected at most {len(names)} arguments, got {len(given)}")
    values = dict(zip(names, given, strict=False)) | named
    missing = [name for name in names if name not in values]
    if missing or len(values) > len(names):
        extra = [name for name in values if name not in names]
        raise TypeError(f"missing arguments {missing}, unexpected arguments {extra}")
    hx = values["hx"]
    states = (hx,) if isinstance(hx, Tensor) else tuple(hx)
    if len(states) != 1 + CELLS[kind].has_memory:
        raise RuntimeError("lstm expects two hidden states")
    rest = [values[n] for n in ("params", "has_biases", "num_layers", "dropout", "train",
                                "bidirectional")]  # fmt: skip
    return _run_sequences(kind, values, states, rest)


def _names(kind: str, given: tuple) -> tuple[str, ...]:
    settings = ("params", "has_biases", "num_layers", "dropout", "train", "bidirectional")
    # In an LSTM's padded form a list of states comes second, elsewhere the list of weights third.
    at = 1 if CELLS[kind].has_memory else 2
    if len(given) > at and isinstance(given[at], Tensor):
        return ("data", "batch_sizes", "hx", *settings)
    return ("input", "hx", *settings, "batch_first")


def run_packed(
    kind: str, data: Tensor, batch_sizes: Tensor, states: tuple[Tensor, ...], *settings: Any
) -> tuple[Tensor, ...]:
    """Return the packed output and the last states for packed rows; `settings` as `run_layers`."""
    sizes = batch_sizes.to(data.device)
    padded = pad_rows(data, sizes, states[0].shape[1], 0.0)
    output, *last = run_layers(kind, padded, sizes, states, *settings)
    return pack_rows(output, sizes, data.shape[0]), *last


def _run_sequences(kind: str, values: dict, states: tuple, rest: list) -> tuple[Tensor, ...]:
    if "batch_sizes" in values:
        return run_packed(kind, values["data"], values["batch_sizes"], states, *rest)
    input = values["input"]
    if not values["batch_first"]:
        return run_layers(kind, input, None, states, *rest)
    output, *last = run_layers(kind, input.transpose(0, 1), None, states, *rest)
    return output.transpose(0, 1), *last


@public(is_method=False)
def lstm(*args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
    """Run a stack of LSTM layers; return the output, the last hidden and cell states.

    Called as `lstm(input, hx, params, has_biases, num_layers, dropout, train, bidirectional,
    batch_first)`, or for a packed sequence as `lstm(data, batch_sizes, hx, params, has_biases,
    num_layers, dropout, train, bidirectional)`; `hx` is a pair. `nn.LSTM` is the usual way.

    References:
        Hochreiter and Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735

    Example:
        >>> import taowa
        >>> x, state = taowa.ones(4, 1, 3), taowa.zeros(1, 1, 2)
        >>> weights = [taowa.zeros(8, 3), taowa.zeros(8, 2)]
        >>> taowa.lstm(x, (state, state), weights, False, 1, 0.0, False, False, False)[0].shape
        torch.Size([4, 1, 2])
    """
    return _run("LSTM", args, kwargs)


@public(is_method=False)
def gru(*args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
    """Run a stack of gated recurrent units; return the output and the last states.

    Called as `taowa.lstm`, with `hx` one tensor. `nn.GRU` is the usual way.

    References:
        Cho et al. 2014, https://arxiv.org/abs/1406.1078

    Example:
        >>> import taowa
        >>> x, state = taowa.ones(4, 1, 3), taowa.zeros(1, 1, 2)
        >>> weights = [taowa.zeros(6, 3), taowa.zeros(6, 2)]
        >>> taowa.gru(x, state, weights, False, 1, 0.0, False, False, False)[1].shape
        torch.Size([1, 1, 2])
    """
    return _run("GRU", args, kwargs)


@public(is_method=False)
def rnn_tanh(*args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
    """Run a stack of Elman layers with the hyperbolic tangent; arguments as of `taowa.gru`.

    Example:
        >>> import taowa
        >>> x, state = taowa.ones(4, 1, 3), taowa.zeros(1, 1, 2)
        >>> weights = [taowa.zeros(2, 3), taowa.zeros(2, 2)]
        >>> taowa.rnn_tanh(x, state, weights, False, 1, 0.0, False, False, False)[1]
        tensor([[[0., 0.]]])
    """
    return _run("RNN_TANH", args, kwargs)


@public(is_method=False)
def rnn_relu(*args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
    """Run a stack of Elman layers with ReLU; arguments as of `taowa.gru`.

    Example:
        >>> import taowa
        >>> x, state = taowa.ones(4, 1, 3), taowa.zeros(1, 1, 2)
        >>> weights = [taowa.ones(2, 3), taowa.zeros(2, 2)]
        >>> taowa.rnn_relu(x, state, weights, False, 1, 0.0, False, False, False)[1]
        tensor([[[3., 3.]]])
    """
    return _run("RNN_RELU", args, kwargs)


# -- one step ---------------------------------------------------------------------------------


@op(name="recurrent_cell")
def _cell(
    input: Array,
    h: Array,
    c: Array | None,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array | None,
    bias_hh: Array | None,
    kind: str,
):
    cell = CELLS[kind]
    arrays = (input, h, c, weight_ih, weight_hh, bias_ih, bias_hh)
    require_same_dtype("input and parameters", *arrays)
    states = [s for s in (h, c) if s is not None]
    _require_cell(input, states, weight_ih, weight_hh, cell.num_gates)
    x = _affine(input, weight_ih, bias_ih)
    a = _affine(h, weight_hh, bias_hh)
    new_h, new_c, _ = cell.advance(x, a, wide(h), None if c is None else wide(c))
    if not cell.has_memory:
        return new_h.astype(input.dtype)
    return new_h.astype(input.dtype), new_c.astype(input.dtype)


def _affine(x: Any, weight: Any, bias: Any) -> Any:
    rows = product(wide(x), wide(weight).T)
    return rows if bias is None else rows + wide(bias)


def _require_cell(input: Any, states: list, weight_ih: Any, weight_hh: Any, num_gates: int) -> None:
    """Check the sizes as PyTorch does."""
    if input.shape[1] != weight_ih.shape[1]:
        raise RuntimeError(
            f"input has inconsistent input_size: got {input.shape[1]} expected {weight_ih.shape[1]}"
        )
    hidden_size = weight_hh.shape[1]
    for i, state in enumerate(states):
        if state.shape[0] != input.shape[0]:
            raise RuntimeError(
                f"Input batch size {input.shape[0]} doesn't match hidden{i} batch size "
                f"{state.shape[0]}"
            )
        if state.shape[1] != hidden_size:
            raise RuntimeError(
                f"hidden{i} has inconsistent hidden_size: got {state.shape[1]}, "
                f"expected {hidden_size}"
            )
    for name, weight in (("weight_ih", weight_ih), ("weight_hh", weight_hh)):
        if weight.shape[0] != num_gates * hidden_size:
            raise RuntimeError(
                f"{name} first dim must be {num_gates} * hidden_size = {num_gates * hidden_size}, "
                f"but got {weight.shape[0]}"
            )


@public(is_method=False)
def lstm_cell(
    input: Tensor,
    hx: Sequence[Tensor],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the hidden and the cell state after one step of an LSTM.

    Args:
        input: `(B, I)`.
        hx: The states `(B, H)` before.
        w_ih: `(4 H, I)`.
        w_hh: `(4 H, H)`.

    Example:
        >>> import taowa
        >>> zeros = taowa.zeros(1, 2)
        >>> taowa.lstm_cell(taowa.ones(1, 3), (zeros, zeros), taowa.ones(8, 3), taowa.ones(8, 2))[0]
        tensor([[0.7038, 0.7038]])
    """
    if len(hx) != 2:
        raise RuntimeError("lstm_cell expects two hidden states")
    return _cell(input, *hx, w_ih, w_hh, b_ih, b_hh, "LSTM")


@public(is_method=False)
def gru_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """Return the hidden state after one step of a gated recurrent unit.

    Args:
        input: `(B, I)`.
        hx: `(B, H)`.
        w_ih: `(3 H, I)`.
        w_hh: `(3 H, H)`.

    Example:
        >>> import taowa
        >>> taowa.gru_cell(taowa.ones(1, 3), taowa.ones(1, 2), taowa.zeros(6, 3), taowa.zeros(6, 2))
        tensor([[0.5000, 0.5000]])
    """
    return _cell(input, hx, None, w_ih, w_hh, b_ih, b_hh, "GRU")


@public(is_method=False)
def rnn_tanh_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """Return `tanh(input @ w_ih.T + b_ih + hx @ w_hh.T + b_hh)`.

    Example:
        >>> import taowa
        >>> ones = taowa.ones(1, 1)
        >>> taowa.rnn_tanh_cell(ones, ones, ones, ones)
        tensor([[0.9640]])
    """
    return _cell(input, hx, None, w_ih, w_hh, b_ih, b_hh, "RNN_TANH")


@public(is_method=False)
def rnn_relu_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """Return `relu(input @ w_ih.T + b_ih + hx @ w_hh.T + b_hh)`.

    Example:
        >>> import taowa
        >>> ones = taowa.ones(1, 1)
        >>> taowa.rnn_relu_cell(ones, ones, ones, ones)
        tensor([[2.]])
    """
    return _cell(input, hx, None, w_ih, w_hh, b_ih, b_hh, "RNN_RELU")
