"""The words under all draws; test_mt19937 compares states and draws with PyTorch's."""

import numpy as np
import pytest
import torch

from taowa.core.word_stream import STATE_BYTES, WordStream


def test_words_are_pytorchs():
    torch.manual_seed(9)
    low_bits = torch.randint(0, 2**24, (2000,))
    assert ((WordStream(9).words(2000) % 2**24).astype(np.int64) == low_bits.numpy()).all()


def test_words_come_in_the_same_order_in_parts():
    parts, whole = WordStream(2), WordStream(2)
    pieces = [parts.words(n) for n in (0, 1, 623, 1, 700)]
    assert (np.concatenate(pieces) == whole.words(1325)).all()


def test_words64_join_two_words_upper_half_first():
    pairs = WordStream(4).words(20).astype(object).reshape(10, 2)
    assert WordStream(4).words64(10).tolist() == [(a << 32) | b for a, b in pairs]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_unit_has_its_type_and_stays_below_one(dtype):
    unit = WordStream(1).unit(100_000, dtype)
    assert unit.dtype == dtype
    assert 0 <= unit.min() < 1e-4
    assert 1 - 1e-4 < unit.max() < 1


def test_state_is_independent_of_later_draws():
    stream = WordStream(3)
    state = stream.get_state()
    before = state.copy()
    stream.words(5)
    assert state.size == STATE_BYTES
    assert (state == before).all()
