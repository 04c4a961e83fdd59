"""Recurrent networks one time step at a time."""

from __future__ import annotations

import math
from typing import Any

from taowa.core.tensor import Tensor
from taowa.nn import init
from taowa.nn.module import Module
from taowa.nn.parameter import Parameter
from taowa.ops.creation import empty, zeros
from taowa.ops.recurrent import gru_cell, lstm_cell, rnn_relu_cell, rnn_tanh_cell

__all__ = ["GRUCell", "LSTMCell", "RNNCell", "RNNCellBase"]


class RNNCellBase(Module):
    """What `RNNCell`, `LSTMCell` and `GRUCell` share: weights and checks.

    Args:
        input_size: Features of the input.
        hidden_size: Features of a state.
        bias: Whether there are biases.
        num_chunks: How many gates there are.

    Example:
        >>> RNNCellBase(3, 2, True, 4).weight_ih.shape
        torch.Size([8, 3])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = num_chunks * hidden_size
        for name, columns in (("weight_ih", input_size), ("weight_hh", hidden_size)):
            setattr(self, name, Parameter(empty((rows, columns), device=device, dtype=dtype)))
        for name in ("bias_ih", "bias_hh"):
            values = Parameter(empty(rows, device=device, dtype=dtype)) if bias else None
            self.register_parameter(name, values)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def extra_repr(self) -> str:
        """Return the sizes and what differs from the defaults, for the printed form."""
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={self.nonlinearity}"
        return text

    @property
    def _weights(self) -> tuple:
        return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh

    def _require_dims(self, what: str, value: Tensor) -> None:
        if value.ndim not in (1, 2):
            raise ValueError(
                f"{type(self).__name__}: Expected {what} to be 1D or 2D, got {value.ndim}D instead"
            )

    def _step(self, step: Any, input: Tensor, hx: Tensor | None) -> Tensor:
        """Run one step of a cell with one state, adding and dropping the batch dimension."""
        self._require_dims("input", input)
        if hx is not None:
            self._require_dims("hidden", hx)
        is_batched = input.ndim == 2
        input = input if is_batched else input.unsqueeze(0)
        if hx is None:
            hx = self._zero_state(input)
        elif not is_batched:
            hx = hx.unsqueeze(0)
        result = step(input, hx, *self._weights)
        return result if is_batched else result.squeeze(0)

    def _zero_state(self, input: Tensor) -> Tensor:
        return zeros(input.shape[0], self.hidden_size, dtype=input.dtype, device=input.device)


class RNNCell(RNNCellBase):
    """Run one step of an Elman network, `h' = tanh(W_ih x + b_ih + W_hh h + b_hh)`.

    Args:
        input_size: Features of the input.
        hidden_size: Features of the state.
        bias: Whether there are biases.
        nonlinearity: `"tanh"` or `"relu"`.

    Shape:
        input `(B, input_size)`, state `(B, hidden_size)` -> the next state; both without B too

    Example:
        >>> import taowa
        >>> RNNCell(3, 2)(taowa.zeros(4, 3)).shape
        torch.Size([4, 2])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the next state."""
        steps = {"tanh": rnn_tanh_cell, "relu": rnn_relu_cell}
        if self.nonlinearity not in steps:
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._step(steps[self.nonlinearity], input, hx)


class LSTMCell(RNNCellBase):
    """Run one step of long short-term memory, the rows of its weights being gates i, f, g, o.

    Args:
        input_size: Features of the input.
        hidden_size: Features of each state.
        bias: Whether there are biases.

    Shape:
        input `(B, input_size)`, states `(B, hidden_size)` -> the pair of next states; all without
        B too

    References:
        Hochreiter and Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735

    Example:
        >>> import taowa
        >>> h, c = LSTMCell(3, 2)(taowa.zeros(4, 3))
        >>> h.shape
        torch.Size([4, 2])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the next hidden and cell states."""
        self._require_dims("input", input)
        for i, state in enumerate(hx or ()):
            self._require_dims(f"hx[{i}]", state)
        is_batched = input.ndim == 2
        input = input if is_batched else input.unsqueeze(0)
        if hx is None:
            hx = (self._zero_state(input), self._zero_state(input))
        elif not is_batched:
            hx = (hx[0].unsqueeze(0), hx[1].unsqueeze(0))
        h, c = lstm_cell(input, hx, *self._weights)
        return (h, c) if is_batched else (h.squeeze(0), c.squeeze(0))


class GRUCell(RNNCellBase):
    """Run one step of a gated recurrent unit, the rows of its weights being gates r, z, n.

    Args:
        input_size: Features of the input.
        hidden_size: Features of the state.
        bias: Whether there are biases.

    Shape:
        input `(B, input_size)`, state `(B, hidden_size)` -> the next state; both without B too

    References:
        Cho et al. 2014, https://arxiv.org/abs/1406.1078

    Example:
        >>> import taowa
        >>> GRUCell(3, 2)(taowa.zeros(4, 3)).shape
        torch.Size([4, 2])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the next state."""
        return self._step(gru_cell, input, hx)
