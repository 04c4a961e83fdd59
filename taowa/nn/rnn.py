"""Recurrent networks over whole sequences."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from numbers import Number
from typing import Any

from taowa.core.tensor import Tensor
from taowa.nn import init
from taowa.nn.module import Module
from taowa.nn.parameter import Parameter
from taowa.nn.utils.rnn import PackedSequence
from taowa.ops.creation import empty, zeros
from taowa.ops.gathering import index_select
from taowa.ops.recurrent import run_layers, run_packed
from taowa.ops.recurrent_cells import CELLS

__all__ = ["GRU", "LSTM", "RNN", "RNNBase"]

State = Any  # a hidden state, or an LSTM's pair of hidden and cell state


def _require_settings(
    dropout: Any, bias: Any, batch_first: Any, input_size: Any, hidden_size: Any,
    num_layers: int, proj_size: int,
) -> None:  # fmt: skip
    """Check the constructor's arguments, in PyTorch's order."""
    if not isinstance(dropout, Number) or isinstance(dropout, bool) or not 0 <= dropout <= 1:  # type: ignore[operator]
        raise ValueError(
            "dropout should be a number in range [0, 1] representing the probability of an "
            "element being zeroed"
        )
    if dropout > 0 and num_layers == 1:  # type: ignore[operator]
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout "
            f"expects num_layers greater than 1, but got dropout={dropout} and "
            f"num_layers={num_layers}",
            stacklevel=4,
        )
    for name, value in (("bias", bias), ("batch_first", batch_first)):
        if not isinstance(value, bool):
            raise TypeError(f"{name} should be of type bool, got: {type(value).__name__}")
    for name, value in (("input_size", input_size), ("hidden_size", hidden_size)):
        if not isinstance(value, int):
            raise TypeError(f"{name} should be of type int, got: {type(value).__name__}")
        if value <= 0:
            raise ValueError(f"{name} must be greater than zero")
    if num_layers <= 0:
        raise ValueError("num_layers must be greater than zero")
    if proj_size < 0:
        raise ValueError("proj_size should be a positive integer or zero to disable projections")
    if proj_size >= hidden_size:
        raise ValueError("proj_size has to be smaller than hidden_size")


class RNNBase(Module):
    """What `RNN`, `LSTM` and `GRU` share: weights, checks, and the run over all layers.

    Args:
        mode: `"LSTM"`, `"GRU"`, `"RNN_TANH"` or `"RNN_RELU"`.
        input_size: Features of the input.
        hidden_size: Features of a state.
        num_layers: How many layers, each taking the outputs of the one before.
        bias: Whether there are biases.
        batch_first: Whether input and output are `(B, T, *)`, not `(T, B, *)`; states are not
            concerned.
        dropout: Probability of zeroing an output on its way to the next layer, in training.
        bidirectional: Whether each layer has a second half that goes from the end to the start.
        proj_size: If not 0, hidden states are projected to that many features (LSTM only).

    Example:
        >>> [name for name, _ in RNNBase("GRU", 3, 2, bias=False).named_parameters()]
        ['weight_ih_l0', 'weight_hh_l0']
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        _require_settings(
            dropout, bias, batch_first, input_size, hidden_size, num_layers, proj_size
        )
        if mode not in CELLS:
            raise ValueError("Unrecognized RNN mode: " + mode)
        self._all_weights = []
        for layer in range(num_layers):
            for suffix in ("", "_reverse")[: self._num_directions]:
                self._all_weights.append(self._make_weights(layer, suffix, device, dtype))
        self.reset_parameters()

    @property
    def _num_directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def _output_size(self) -> int:
        """Features of a hidden state, projected or not."""
        return self.proj_size if self.proj_size > 0 else self.hidden_size

    def _make_weights(self, layer: int, suffix: str, device: Any, dtype: Any) -> list[str]:
        """Register the parameters of one layer in one direction; return their names."""
        inputs = self._output_size * self._num_directions if layer else self.input_size
        rows = CELLS[self.mode].num_gates * self.hidden_size
        shapes: dict[str, tuple] = {
            "weight_ih": (rows, inputs), "weight_hh": (rows, self._output_size)
        }  # fmt: skip
        if self.bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        if self.proj_size > 0:
            shapes["weight_hr"] = (self.proj_size, self.hidden_size)
        names = [f"{name}_l{layer}{suffix}" for name in shapes]
        for name, shape in zip(names, shapes.values(), strict=True):
            setattr(self, name, Parameter(empty(shape, device=device, dtype=dtype)))
        return names

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def flatten_parameters(self) -> None:
        """Do nothing: where weights lie is the compiler's choice.

        Example:
            >>> LSTM(3, 2).flatten_parameters()
        """

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The weights of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self) -> list[Tensor]:
        return [getattr(self, name) for name in self._flat_weights_names]

    def extra_repr(self) -> str:
        """Return the sizes and what differs from the defaults, for the printed form."""
        defaults = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False,
                    "dropout": 0, "bidirectional": False}  # fmt: skip
        differing = [n for n, default in defaults.items() if getattr(self, n) != default]
        return ", ".join(
            [f"{self.input_size}, {self.hidden_size}"]
            + [f"{name}={getattr(self, name)}" for name in differing]
        )

    # -- checks -------------------------------------------------------------------------------

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Raise unless the input is of the weights' type and has `input_size` features."""
        expected = getattr(self, self._all_weights[0][0]).dtype
        if input.dtype != expected:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({expected}). "
                f"Convert input: input.to({expected}), or convert model: model.to({input.dtype})"
            )
        ndim = 3 if batch_sizes is None else 2
        if input.ndim != ndim:
            raise RuntimeError(f"input must have {ndim} dimensions, got {input.ndim}")
        if self.input_size != input.shape[-1]:
            raise RuntimeError(
                "input.size(-1) must be equal to input_size. "
                f"Expected {self.input_size}, got {input.shape[-1]}"
            )

    def _batch_size(self, input: Tensor, batch_sizes: Tensor | None) -> int:
        if batch_sizes is not None:
            return int(batch_sizes.host()[0])
        return input.shape[0] if self.batch_first else input.shape[1]

    def get_expected_hidden_size(
        self, input: Tensor, batch_sizes: Tensor | None
    ) -> tuple[int, int, int]:
        """Return the shape that a hidden state must have."""
        count = self.num_layers * self._num_directions
        return count, self._batch_size(input, batch_sizes), self._output_size

    def check_hidden_size(
        self,
        hx: Tensor,
        expected_hidden_size: tuple[int, int, int],
        msg: str = "Expected hidden size {}, got {}",
    ) -> None:
        """Raise unless a state has the expected shape."""
        if tuple(hx.shape) != tuple(expected_hidden_size):
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.shape)))

    def check_forward_args(self, input: Tensor, hidden: State, batch_sizes: Tensor | None) -> None:
        """Raise unless input and states fit the weights."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx: State, permutation: Tensor | None) -> State:
        """Return the states with the sequences in another order."""
        return hx if permutation is None else index_select(hx, 1, permutation)

    # -- the run ------------------------------------------------------------------------------

    def _zero_states(self, input: Tensor, batch_sizes: Tensor | None) -> State:
        size = self.get_expected_hidden_size(input, batch_sizes)
        return zeros(size, dtype=input.dtype, device=input.device)

    def _require_dims(self, input: Tensor, hx: State) -> None:
        """Raise unless a padded input has 2 or 3 dimensions, and states as many."""
        if input.ndim not in (2, 3):
            name, ending = type(self).__name__, ""
            if self.mode.startswith("RNN"):
                name, ending = "RNN", " tensor"
            raise ValueError(
                f"{name}: Expected input to be 2D or 3D, got {input.ndim}D{ending} instead"
            )
        if hx is not None:
            self._require_state_dims(input.ndim, hx)

    def _require_state_dims(self, ndim: int, hx: State) -> None:
        if hx.ndim != ndim:
            kind = "unbatched" if ndim == 2 else "batched"
            raise RuntimeError(
                f"For {kind} {ndim}-D input, hx should also be {ndim}-D but got {hx.ndim}-D tensor"
            )

    def _settings(self) -> tuple:
        return (self._flat_weights, self.bias, self.num_layers, self.dropout, self.training,
                self.bidirectional)  # fmt: skip

    def _run(self, input: Any, hx: State) -> tuple[Any, State]:
        if isinstance(input, PackedSequence):
            return self._run_packed(input, hx)
        self._require_dims(input, hx)
        is_batched, batch_dim = input.ndim == 3, 0 if self.batch_first else 1
        if not is_batched:
            input = input.unsqueeze(batch_dim)
            hx = None if hx is None else _each(hx, lambda state: state.unsqueeze(1))
        hx = self._zero_states(input, None) if hx is None else hx
        self.check_forward_args(input, hx, None)
        output, *last = run_layers(
            self.mode, input.transpose(0, 1) if self.batch_first else input, None, _as_tuple(hx),
            *self._settings(),
        )  # fmt: skip
        output = output.transpose(0, 1) if self.batch_first else output
        if not is_batched:
            output, last = output.squeeze(batch_dim), [state.squeeze(1) for state in last]
        return output, _as_given(last)

    def _run_packed(self, input: PackedSequence, hx: State) -> tuple[PackedSequence, State]:
        data, batch_sizes, sorted_indices, unsorted_indices = input
        if hx is None:
            hx = self._zero_states(data, batch_sizes)
        else:
            hx = self.permute_hidden(hx, sorted_indices)
        self.check_forward_args(data, hx, batch_sizes)
        output, *last = run_packed(self.mode, data, batch_sizes, _as_tuple(hx), *self._settings())
        packed = PackedSequence(output, batch_sizes, sorted_indices, unsorted_indices)
        return packed, self.permute_hidden(_as_given(last), unsorted_indices)


def _as_tuple(hx: State) -> tuple[Tensor, ...]:
    return (hx,) if isinstance(hx, Tensor) else tuple(hx)


def _as_given(states: Sequence[Tensor]) -> State:
    return states[0] if len(states) == 1 else tuple(states)


def _each(hx: State, change: Any) -> State:
    return _as_given([change(state) for state in _as_tuple(hx)])


class RNN(RNNBase):
    """Run Elman layers, `h' = tanh(W_ih x + b_ih + W_hh h + b_hh)`, over sequences.

    Called as `RNN(input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True,
    batch_first=False, dropout=0.0, bidirectional=False, device=None, dtype=None)`; `RNNBase`
    says what they mean, and `nonlinearity` is `"tanh"` or `"relu"`.

    Shape:
        input `(T, B, input_size)` or `(T, input_size)` or packed, state `(D num_layers, B,
        hidden_size)` -> output `(T, B, D hidden_size)`, the last state

    References:
        Elman 1990, https://doi.org/10.1207/s15516709cog1402_1

    Example:
        >>> import taowa
        >>> output, state = RNN(3, 2, num_layers=2)(taowa.zeros(5, 4, 3))
        >>> output.shape, state.shape
        (torch.Size([5, 4, 2]), torch.Size([2, 4, 2]))
    """

    def __init__(self, *args: Any, **kwargs: Any):
        _refuse_projection(kwargs)
        if len(args) > 3:
            self.nonlinearity = args[3]
            args = args[:3] + args[4:]
        else:
            self.nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if self.nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity '{self.nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        super().__init__(f"RNN_{self.nonlinearity.upper()}", *args, **kwargs)

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        """Return the outputs of all steps and the last state."""
        return self._run(input, hx)


def _refuse_projection(kwargs: dict) -> None:
    if "proj_size" in kwargs:
        raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")


class LSTM(RNNBase):
    """Run layers of long short-term memory over sequences.

    Called as `LSTM(input_size, hidden_size, num_layers=1, bias=True, batch_first=False,
    dropout=0.0, bidirectional=False, proj_size=0, device=None, dtype=None)`; `RNNBase` says what
    they mean. The weights' rows are the gates i, f, g, o: `c' = f c + i g`, `h' = o tanh(c')`.

    Shape:
        input `(T, B, input_size)` or `(T, input_size)` or packed, states `(D num_layers, B, P)`
        and `(D num_layers, B, hidden_size)` -> output `(T, B, D P)`, the pair of last states, with
        P = proj_size or hidden_size

    References:
        Hochreiter and Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735

    Example:
        >>> import taowa
        >>> output, (h, c) = LSTM(3, 2, bidirectional=True)(taowa.zeros(5, 4, 3))
        >>> output.shape, h.shape, c.shape
        (torch.Size([5, 4, 4]), torch.Size([2, 4, 2]), torch.Size([2, 4, 2]))
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__("LSTM", *args, **kwargs)

    def get_expected_cell_size(
        self, input: Tensor, batch_sizes: Tensor | None
    ) -> tuple[int, int, int]:
        """Return the shape that a cell state must have."""
        count = self.num_layers * self._num_directions
        return count, self._batch_size(input, batch_sizes), self.hidden_size

    def check_forward_args(self, input: Tensor, hidden: State, batch_sizes: Tensor | None) -> None:
        """Raise unless input and states fit the weights."""
        self.check_input(input, batch_sizes)
        sizes = (self.get_expected_hidden_size, self.get_expected_cell_size)
        for i, size in enumerate(sizes):
            message = f"Expected hidden[{i}] size {{}}, got {{}}"
            self.check_hidden_size(hidden[i], size(input, batch_sizes), message)

    def permute_hidden(self, hx: State, permutation: Tensor | None) -> State:
        """Return the states with the sequences in another order."""
        if permutation is None:
            return hx
        return index_select(hx[0], 1, permutation), index_select(hx[1], 1, permutation)

    def _zero_states(self, input: Tensor, batch_sizes: Tensor | None) -> State:
        size = self.get_expected_cell_size(input, batch_sizes)
        cells = zeros(size, dtype=input.dtype, device=input.device)
        return super()._zero_states(input, batch_sizes), cells

    def _require_state_dims(self, ndim: int, hx: State) -> None:
        dims = [state.ndim for state in hx]
        if dims != [ndim, ndim]:
            kind = "unbatched" if ndim == 2 else "batched"
            raise RuntimeError(
                f"For {kind} {ndim}-D input, hx and cx should also be {ndim}-D but got "
                f"({', '.join(f'{n}-D' for n in dims)}) tensors"
            )

    def forward(
        self, input: Any, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Any, tuple[Tensor, Tensor]]:
        """Return the outputs of all steps and the last hidden and cell states."""
        return self._run(input, hx)


class GRU(RNNBase):
    """Run layers of gated recurrent units over sequences.

    Called as `GRU(input_size, hidden_size, num_layers=1, bias=True, batch_first=False,
    dropout=0.0, bidirectional=False, device=None, dtype=None)`; `RNNBase` says what they mean.
    The weights' rows are the gates r, z, n: `h' = (1 - z) n + z h`.

    Shape:
        input `(T, B, input_size)` or `(T, input_size)` or packed, state `(D num_layers, B,
        hidden_size)` -> output `(T, B, D hidden_size)`, the last state

    References:
        Cho et al. 2014, https://arxiv.org/abs/1406.1078

    Example:
        >>> import taowa
        >>> output, state = GRU(3, 2, batch_first=True)(taowa.zeros(4, 5, 3))
        >>> output.shape, state.shape
        (torch.Size([4, 5, 2]), torch.Size([1, 4, 2]))
    """

    def __init__(self, *args: Any, **kwargs: Any):
        _refuse_projection(kwargs)
        super().__init__("GRU", *args, **kwargs)

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        """Return the outputs of all steps and the last state."""
        return self._run(input, hx)
