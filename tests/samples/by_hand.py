"""Samples of operations that PyTorch's own table lacks, in PyTorch's tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from tests.samples.convert import Case, call
from tests.samples.opinfo import seed_all

FLOATING = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
INTEGRAL = (torch.int64, torch.uint8)
ONE = (torch.float32,)
REAL = (*FLOATING, *INTEGRAL, torch.bool)


class Make:
    """Makes random tensors of one type."""

    def __init__(self, dtype: torch.dtype):
        self.dtype = dtype

    def __call__(self, *shape: Any, low: float = -3, high: float = 3) -> torch.Tensor:
        """Return a tensor between the bounds, with gradient if the type has any."""
        low = 0 if self.dtype is torch.uint8 else low
        shape = shape[0] if shape == ((),) else shape
        real = torch.rand(shape, dtype=torch.float64) * (high - low) + low
        if self.dtype is torch.bool:
            return real > (low + high) / 2
        made = real.to(self.dtype)
        return made.requires_grad_(self.dtype.is_floating_point or self.dtype.is_complex)

    def index(self, *shape: int, high: int) -> torch.Tensor:
        """Return int64 values in [0, high)."""
        return torch.randint(high, shape)

    def mask(self, *shape: int) -> torch.Tensor:
        """Return random bools."""
        return torch.rand(shape) > 0.5


class Hand(NamedTuple):
    """A hand-written record.

    Attributes:
        make: Gives the calls, from a maker of tensors.
        dtypes: The types to try.
    """

    make: Callable[[Make], list[Case]]
    dtypes: tuple = REAL

    def pairs(self, dtype: torch.dtype, count: int) -> list[tuple[Case, Case]]:
        """Return the cases of a type, each with one of other values."""
        if dtype not in self.dtypes:
            return []
        sets = []
        for seed in (0, 1):
            seed_all(seed)
            sets.append(self.make(Make(dtype))[:count])
        return list(zip(*sets, strict=True))


def of_tensor(*further: tuple, dtypes: tuple = REAL) -> Hand:
    """Return the record of an operation called with a matrix and with each of these arguments."""
    rest = further or ((),)
    return Hand(lambda m: [call(m(2, 3), *args) for args in rest], dtypes)


def of_plain(*further: tuple, dtypes: tuple = REAL) -> Hand:
    """Return the same for a matrix without gradient."""
    rest = further or ((),)
    return Hand(lambda m: [call(m(3, 20).detach(), *args) for args in rest], dtypes)


def of_vector(*further: tuple, dtypes: tuple = REAL) -> Hand:
    """Return the same for a vector without gradient."""
    return Hand(lambda m: [call(m(3).detach(), *args) for args in further or ((),)], dtypes)


def _batch_norm_cases(m: Make) -> list[Case]:
    """Return calls of `torch.batch_norm`, whose last argument asks for cuDNN."""
    mean, variance = m(3).detach(), m(3, low=0.5).detach()
    return [
        call(m(4, 3, 2), m(3), m(3), mean, variance, True, 0.1, 1e-5, True),
        call(m(4, 3), m(3), m(3), mean, variance, False, 0.1, 1e-5, False),
    ]


def _functional_records() -> dict[str, Hand]:
    """Return the records of `torch.nn.functional` alone."""
    pools: dict[str, Hand] = {}
    for n in (1, 2, 3):
        size = (5,) * n
        pools[f"lp_pool{n}d"] = Hand(
            lambda m, s=size: [
                call(m(2, 3, *s, low=0.1), 2.0, 2),
                call(m(2, 3, *s, low=0.1), 3.0, 3, stride=1, ceil_mode=True),
            ],
            FLOATING[:2],
        )
        pools[f"max_pool{n}d_with_indices"] = Hand(
            lambda m, s=size: [call(m(2, 3, *s), 2), call(m(2, 3, *s), 3, 2, 1, ceil_mode=True)],
            FLOATING,
        )
        pools[f"adaptive_max_pool{n}d_with_indices"] = Hand(
            lambda m, s=size: [call(m(2, 3, *s), 2)], FLOATING
        )
    pools = {f"nn.functional.{name}": record for name, record in pools.items()}
    pools["nn.functional.dropout1d"] = Hand(
        lambda m: [call(m(2, 3, 4)), call(m(3, 4), 0.5, False)], FLOATING
    )
    pools["nn.functional.gumbel_softmax"] = Hand(
        lambda m: [call(m(3, 4)), call(m(3, 4), tau=0.5, hard=True, dim=0)], FLOATING[:2]
    )
    return pools


RECORDS: dict[str, Hand] = {
    # -- properties
    "dim": of_tensor(),
    "element_size": of_tensor(),
    "get_device": of_tensor(),
    "is_complex": of_tensor(dtypes=(torch.float32, torch.complex64, torch.bool)),
    "is_floating_point": of_tensor(),
    "is_inference": of_tensor(),
    "is_nonzero": Hand(lambda m: [call(m()), call(m(1, 1)), call(m(1) * 0)]),
    "is_pinned": of_tensor(),
    "is_same_size": Hand(lambda m: [call(m(2, 3), m(2, 3)), call(m(2, 3), m(3, 2))]),
    "is_set_to": Hand(lambda m: [call(m(2), m(2))]),
    "is_shared": of_tensor(),
    "is_signed": of_tensor(),
    "is_tensor": Hand(lambda m: [call(m(2)), call(1.5), call([m(2)])]),
    "nelement": of_tensor(),
    "numel": of_tensor(),
    "size": of_tensor((), (0,), (-1,)),
    "typename": Hand(lambda m: [call(m(2)), call(1.5), call("name")]),
    # -- types
    "can_cast": Hand(
        lambda _: [call(torch.float32, torch.int64), call(torch.float64, torch.float16)], ONE
    ),
    "result_type": Hand(lambda m: [call(m(2), 1.5), call(m(2), m(()).double()), call(1, m(2))]),
    "cpu": of_tensor(),
    "type": of_tensor((), (torch.float64,), ("torch.IntTensor",)),
    "type_as": Hand(lambda m: [call(m(2), m(3).double()), call(m(2), m(3))]),
    # -- making tensors
    "as_tensor": Hand(lambda m: [call([[1, 2], [3, 4]]), call(m(2, 3)), call(2.5, dtype=m.dtype)]),
    "asarray": Hand(lambda m: [call([1.5, 2]), call(m(2, 3)), call(m(2, 3), copy=True)]),
    "from_numpy": Hand(lambda m: [call(np.arange(3.0)), call(np.ones((2, 2), bool))], ONE),
    "frombuffer": Hand(lambda m: [call(bytearray(16), dtype=m.dtype, count=2, offset=0)]),
    "new": Hand(lambda m: [call(m(2), [1, 2, 3])], (torch.float32, torch.int64)),
    "new_tensor": Hand(lambda m: [call(m(2), [[1, 2], [3, 4]]), call(m(2), 3, dtype=torch.int64)]),
    "rand": Hand(lambda m: [call(2, 3, dtype=m.dtype), call((4,), dtype=m.dtype)], FLOATING),
    "randperm": Hand(lambda m: [call(7), call(5, dtype=torch.int32)], ONE),
    "range": Hand(lambda m: [call(1, 4, dtype=m.dtype), call(0, 1, 0.3)], (torch.float32,)),
    "tensor": Hand(
        lambda m: [
            call([[1, 0], [3, 4]], dtype=m.dtype),
            call(2.5),
            call([True, False]),
            call([1, 2.5]),
            call([]),
            call(3, dtype=m.dtype, requires_grad=m.dtype.is_floating_point),
        ]
    ),
    "from_dlpack": Hand(lambda _: [call(np.arange(3.0))], ONE),
    "vander": of_vector((), (2, True), (4,)),
    **{
        f"{name}_window": Hand(lambda m: [call(7, dtype=m.dtype), call(6, False)], FLOATING[:2])
        for name in ("bartlett", "blackman", "hamming", "hann", "kaiser")
    },
    # -- writing
    "apply_": Hand(lambda m: [call(m(2, 3).detach(), lambda x: 2 * x)], (torch.float32,)),
    "map_": Hand(lambda m: [call(m(2, 3).detach(), m(2, 3).detach(), max)], (torch.float32,)),
    "copy_": Hand(lambda m: [call(m(2, 3), m(2, 3)), call(m(2, 3), m(3).double()), call(m(2), 5)]),
    "fill_": Hand(lambda m: [call(m(2, 3), 2), call(m(2), torch.tensor(3)), call(m(()), 1)]),
    # -- random
    "bernoulli_": of_plain((), (0.3,)),
    "cauchy_": of_plain((), (1.0, 2.0), dtypes=FLOATING),
    "exponential_": of_plain((), (2.0,), dtypes=FLOATING),
    "geometric_": of_plain((0.3,), dtypes=(*FLOATING, torch.int64)),
    "log_normal_": of_plain((), (0.5, 0.2), dtypes=FLOATING),
    "normal_": of_plain((), (1.0, 2.0), dtypes=FLOATING),
    "random_": of_plain((), (10,), (2, 7), dtypes=(torch.float32, torch.int64)),
    "uniform_": of_plain((), (-1.0, 2.0), dtypes=FLOATING),
    "binomial": Hand(lambda m: [call(m(9, low=0).detach().ceil(), m(9, low=0).detach() / 3)], ONE),
    "poisson": Hand(lambda m: [call(m(3, 20, low=0).detach())], (torch.float32,)),
    # -- the rest
    "detach": of_tensor(),
    "polygamma": Hand(lambda m: [call(n, m(2, 3, low=0.5)) for n in (0, 1, 3)], FLOATING[:2]),
    "is_conj": of_tensor(dtypes=(torch.float32, torch.complex64)),
    "is_neg": of_tensor(dtypes=(torch.float32, torch.complex64)),
    "batch_norm": Hand(_batch_norm_cases, FLOATING),
    "chain_matmul": Hand(lambda m: [call(m(2, 3), m(3, 4), m(4, 2)), call(m(2, 3))], FLOATING[:2]),
    "float_power_": Hand(lambda m: [call(m(2, 3, low=0.5), 2), call(m(3), m(3))], FLOATING[1:2]),
    "slice_scatter": Hand(
        lambda m: [call(m(4, 5), m(4, 2), 1, 1, 5, 2), call(m(4), m(2), start=2), call(m(3), m(3))]
    ),
    **{
        name: Hand(lambda m: [call(m(2, 3, 4), 0.5, True), call(m(2, 3, 4), 0.5, False)], FLOATING)
        for name in ("alpha_dropout", "dropout", "feature_alpha_dropout", "feature_dropout")
    },
    "fill_diagonal_": Hand(
        lambda m: [call(m(3, 3), 2), call(m(7, 3), 1, wrap=True), call(m(2, 2, 2), 0)]
    ),
    # PyTorch's own samples pass modules of its own as the distance.
    "nn.functional.triplet_margin_with_distance_loss": Hand(
        lambda m: [
            call(m(4, 3), m(4, 3), m(4, 3)),
            call(m(4, 3), m(4, 3), m(4, 3), margin=0.5, swap=True, reduction="sum"),
        ],
        FLOATING[:2],
    ),
    **_functional_records(),
}

# Results without comparable values: what memory held, or draws made on the device by other
# generators than PyTorch's (checked for shapes and types here, for their distribution by hand).
WITHOUT_VALUES = {
    "alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d", "empty", "empty_like",
    "empty_permuted", "empty_strided", "feature_alpha_dropout", "feature_dropout",
    "gumbel_softmax", "new_empty", "new_empty_strided", "rrelu", "rrelu_",
}  # fmt: skip

# What no sample can show: the state of generators, moves to devices that are not here.
TESTED_ELSEWHERE = {
    "cuda": "tests/core",
    "default_generator": "tests/core",
    "detach_": "tests/core",
    "fork_rng": "tests/core",
    "get_rng_state": "tests/core",
    "initial_seed": "tests/core",
    "manual_seed": "tests/core",
    "pin_memory": "tests/core",
    "seed": "tests/core",
    "set_default_tensor_type": "tests/ops/test_creation.py",
    "set_rng_state": "tests/core",
    "share_memory_": "refused",
}
