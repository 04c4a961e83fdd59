"""Samples of functions of layers that PyTorch's own table lacks, in PyTorch's tensors."""

from __future__ import annotations

import torch

from tests.samples.by_hand import FLOATING, INTEGRAL, Hand, Make
from tests.samples.convert import Case, call


def _ctc_cases(m: Make) -> list[Case]:
    """Return calls with padded and with concatenated labels, without a batch, and impossible."""
    logs = m(6, 3, 4).detach().log_softmax(2).requires_grad_()
    ends, counts = torch.tensor([6, 4, 5]), torch.tensor([2, 0, 3])
    padded = 1 + m.index(3, 3, high=3)
    return [
        call(logs, padded, ends, counts),
        call(logs, padded.int(), ends.int(), counts.int(), reduction="none"),
        call(logs, 1 + m.index(5, high=3), ends, counts, reduction="sum"),
        call(logs, m.index(5, high=3), [6, 4, 5], [2, 0, 3], blank=3),
        call(logs, padded, torch.tensor([0, 4, 1]), counts, 0, "mean", True),
        call(logs.detach()[:, 0].requires_grad_(), padded[0], (6,), (3,), reduction="none"),
    ]


def _fractional_cases(rank: int) -> Hand:
    size = (6,) * rank

    def make(m: Make) -> list[Case]:
        samples = m(2, 3, rank, low=0, high=1).detach()
        return [
            call(m(2, 3, *size), 2, output_size=4),
            call(m(3, *size), 3, output_ratio=(0.5,) * rank),
            call(m(2, 3, *size), 2, (3,) * rank, _random_samples=samples),
        ]

    return Hand(make, FLOATING)


def _affine_cases(m: Make) -> list[Case]:
    return [
        call(m(2, 2, 3), (2, 1, 3, 4), align_corners=False),
        call(m(2, 2, 3), (2, 1, 3, 4), align_corners=True),
        call(m(1, 3, 4), (1, 1, 2, 3, 2), align_corners=False),
        call(m(1, 2, 3), [1, 1, 1, 1]),
    ]


def _fold_cases(m: Make) -> list[Case]:
    return [
        call(m(2, 12, 12), (4, 5), (2, 2)),
        call(m(8, 8), (4, 5), 2, stride=(2, 1)),
        call(m(1, 6, 30), (5, 4), (2, 3), padding=1),
        call(m(1, 4, 4), 4, 2, dilation=2),
    ]


def _grouped_cases(m: Make) -> list[Case]:
    ends = torch.tensor([3, 8], dtype=torch.int32)
    return [
        call(m(2, 8, 16), m(2, 16, 8)),
        call(m(8, 16), m(2, 16, 8), offs=ends),
        call(m(2, 8, 16), m(16, 8), offs=ends),
        call(m(8, 16), m(16, 8), offs=torch.tensor([8, 16], dtype=torch.int32)),
    ]


def _layers_of(gates: int, num_states: int) -> Hand:
    """Calls of one layer, and of two in both directions without biases."""

    def weights(m: Make, inputs: int, hidden: int, biased: bool) -> list:
        rows, bounds = gates * hidden, {"low": -1, "high": 1}  # no gate is saturated
        made = [m(rows, inputs, **bounds), m(rows, hidden, **bounds)]
        return made + ([m(rows), m(rows)] if biased else [])

    def make(m: Make) -> list[Case]:
        one, two = m(1, 2, 3), m(4, 2, 3)
        stacked = [w for size in (4, 4, 6, 6) for w in weights(m, size, 3, False)]
        pairs = [(one, m(1, 2, 3)), (two, m(4, 2, 3))] if num_states == 2 else [one, two]
        single = weights(m, 4, 3, True)
        return [
            call(m(3, 2, 4), pairs[0], single, True, 1, 0.0, True, False, False),
            call(m(2, 3, 4), pairs[1], stacked, False, 2, 0.0, True, True, True),
        ]

    return Hand(make, FLOATING[:2])


def _cell_of(gates: int, num_states: int) -> Hand:
    def make(m: Make) -> list[Case]:
        states = [m(2, 3), m(2, 3)] if num_states == 2 else m(2, 3)
        weights = [m(gates * 3, 4), m(gates * 3, 3)]
        biases = [m(gates * 3), m(gates * 3)]
        return [call(m(2, 4), states, *weights, *biases), call(m(2, 4), states, *weights)]

    return Hand(make, FLOATING[:2])


_GATES = {"lstm": (4, 2), "gru": (3, 1), "rnn_tanh": (1, 1), "rnn_relu": (1, 1)}

LAYER_RECORDS: dict[str, Hand] = {
    **{name: _layers_of(*sizes) for name, sizes in _GATES.items()},
    **{f"{name}_cell": _cell_of(*sizes) for name, sizes in _GATES.items()},
    "nn.functional.affine_grid": Hand(_affine_cases, FLOATING),
    "nn.functional.conv_tbc": Hand(
        lambda m: [call(m(5, 2, 3), m(3, 3, 4), m(4)), call(m(2, 2, 3), m(3, 3, 4), m(4), 1)],
        FLOATING[:3],
    ),
    "nn.functional.ctc_loss": Hand(_ctc_cases, FLOATING[:2]),
    "nn.functional.fold": Hand(_fold_cases, FLOATING),
    **{
        f"nn.functional.fractional_max_pool{n}d{end}": _fractional_cases(n)
        for n in (2, 3)
        for end in ("", "_with_indices")
    },
    "nn.functional.grouped_mm": Hand(_grouped_cases, (torch.float32, torch.bfloat16)),
    "nn.functional.native_channel_shuffle": Hand(
        lambda m: [call(m(2, 6, 3).detach(), 3), call(m(1, 4, 2, 2).detach(), 2)],
        (*FLOATING, *INTEGRAL),
    ),
    "nn.functional.upsample": Hand(
        lambda m: [
            call(m(2, 3, 4), 6),
            call(m(2, 3, 4, 5), scale_factor=1.5, mode="bicubic", align_corners=True),
        ],
        FLOATING,
    ),
}
