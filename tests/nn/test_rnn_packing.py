"""Padding and packing of sequences against PyTorch."""

from typing import Any

import numpy as np
import pytest
import torch

import taowa
from taowa import nn
from tests.nn.comparison import Comparison, ours, random, same

MINE, THEIRS = nn.utils.rnn, torch.nn.utils.rnn


def same_packed(theirs, mine):
    for name in theirs._fields:
        expected, got = getattr(theirs, name), getattr(mine, name)
        assert (expected is None) == (got is None), name
        if expected is not None:
            same(expected, got, name, (0, 0))


@pytest.mark.parametrize(
    ("lengths", "batch_first", "has_features"),
    [([2, 3, 1], True, True), ([1, 3, 3, 2], False, False), ([2], False, True)],
)
def test_round_trip(lengths, batch_first, has_features):
    rest = (2,) if has_features else ()
    shape = (len(lengths), 3, *rest) if batch_first else (3, len(lengths), *rest)
    x = random(*shape, grad=False)
    theirs = THEIRS.pack_padded_sequence(x, lengths, batch_first, enforce_sorted=False)
    mine = MINE.pack_padded_sequence(ours(x), lengths, batch_first, enforce_sorted=False)
    same_packed(theirs, mine)
    expected = THEIRS.pad_packed_sequence(theirs, batch_first, -1.5, 4)
    got = MINE.pad_packed_sequence(mine, batch_first, -1.5, 4)
    for t, o in zip(expected, got, strict=True):
        same(t, o, "padded", (0, 0))
    for t, o in zip(THEIRS.unpack_sequence(theirs), MINE.unpack_sequence(mine), strict=True):
        same(t, o, "unpacked", (0, 0))


def test_gradients():
    both = Comparison()

    def there_and_back(library, x):
        packed = library.pack_padded_sequence(x, [4, 3, 1])
        return packed.data, library.pad_packed_sequence(packed, padding_value=2.0)[0]

    both.call("pack", lambda x: there_and_back(THEIRS, x), lambda x: there_and_back(MINE, x),
              random(5, 3, 2))  # fmt: skip
    for side in ("left", "right"):
        for batch_first in (False, True):
            sequences = [random(3, 2), random(1, 2), random(4, 2), random(0, 2)]
            both.call(
                f"pad {side} {batch_first}",
                lambda *s, b=batch_first, d=side: THEIRS.pad_sequence(s, b, 0.5, d),
                lambda *s, b=batch_first, d=side: MINE.pad_sequence(s, b, 0.5, d),
                *sequences,
            )
    both.check()


def test_types_of_padded_sequences():
    cases = [
        ([torch.tensor([1, 2]), torch.tensor([3])], 1.5),
        ([torch.tensor([1, 2]), torch.tensor([3.5])], 0.0),
        (torch.arange(6.0).view(2, 3), 0.0),
        ([torch.tensor([True]), torch.tensor([False, True])], 1.0),
    ]
    for sequences, value in cases:
        theirs = THEIRS.pad_sequence(sequences, padding_value=value)
        same(theirs, MINE.pad_sequence(ours(sequences), padding_value=value), "", (0, 0))


def test_packing_lists():
    sequences = [torch.tensor([1, 2, 3]), torch.tensor([4]), torch.tensor([5, 6])]
    theirs = THEIRS.pack_sequence(sequences, enforce_sorted=False)
    mine = MINE.pack_sequence(ours(sequences), enforce_sorted=False)
    same_packed(theirs, mine)
    assert repr(mine) == repr(theirs)
    for t, o in zip(THEIRS.unpack_sequence(theirs), MINE.unpack_sequence(mine), strict=True):
        same(t, o, "", (0, 0))


def test_packed_sequences_change_their_type():
    sequences = [torch.tensor([1.5, 2]), torch.tensor([3.0, 1, 2])]
    theirs: Any = THEIRS.pack_sequence(sequences, enforce_sorted=False)
    mine: Any = MINE.pack_sequence(ours(sequences), enforce_sorted=False)
    for name in ("double", "float", "half", "long", "int", "short", "char", "byte", "cpu"):
        same_packed(getattr(theirs, name)(), getattr(mine, name)())
    assert mine.float() is mine
    assert mine.to(taowa.float64) is not mine
    assert mine.to("cpu", taowa.float64).data.dtype is taowa.float64
    assert issubclass(MINE.PackedSequence, tuple)
    assert mine._fields == theirs._fields
    assert (mine.is_cuda, mine.is_pinned()) == (theirs.is_cuda, theirs.is_pinned())
    assert isinstance(mine.double(), MINE.PackedSequence)


def test_packed_sequence_from_a_pair():
    data, sizes = taowa.ones(3), taowa.tensor([2, 1])
    assert MINE.PackedSequence((data, sizes)).batch_sizes is sizes
    with pytest.raises(AssertionError, match="list or tuple of length 2"):
        MINE.PackedSequence(data)


def test_inverse_of_a_permutation():
    order = taowa.tensor([2, 0, 3, 1])
    expected = THEIRS.invert_permutation(torch.tensor([2, 0, 3, 1]))
    same(expected, MINE.invert_permutation(order), "on the host")
    same(expected + 0, MINE.invert_permutation(order + taowa.tensor([0, 0, 0, 0])), "computed")
    assert MINE.invert_permutation(None) is None


def test_unpadding_leaves_its_argument_alone():
    x = taowa.tensor([[1, 2, 3], [4, 5, 6]])
    parts = MINE.unpad_sequence(x, taowa.tensor([2, 1, 1]))
    assert [p.tolist() for p in parts] == [[1, 4], [2], [3]]
    assert tuple(x.shape) == (2, 3)


@pytest.mark.parametrize(
    ("shape", "lengths"),
    [((4, 2, 3), [2, 4]), ((4, 2, 3), [4, 0]), ((4, 2, 3), [4]), ((4, 2), [[4, 1]]),
     ((4, 0, 3), [])],
)  # fmt: skip
def test_lengths_that_do_not_fit(shape, lengths):
    with pytest.raises(RuntimeError) as expected:
        THEIRS.pack_padded_sequence(torch.zeros(shape), lengths)
    with pytest.raises(RuntimeError) as got:
        MINE.pack_padded_sequence(taowa.zeros(shape), lengths)
    assert str(got.value)[:40] == str(expected.value)[:40]


def test_errors():
    with pytest.raises(RuntimeError, match="a length of 5 in sequences padded to 4"):
        MINE.pack_padded_sequence(taowa.zeros(4, 1), [5])
    two: list[Any] = [torch.zeros(2), torch.zeros(3)]
    for args, kwargs in (([], {}), (3, {}), ([1], {}), (two, {"padding_side": "top"})):
        with pytest.raises((RuntimeError, TypeError)) as expected:
            THEIRS.pad_sequence(args, **kwargs)
        with pytest.raises(type(expected.value)) as got:
            MINE.pad_sequence(ours(args), **kwargs)
        assert str(got.value) == str(expected.value)
    with pytest.raises(RuntimeError, match="must match"):
        MINE.pad_sequence([taowa.zeros(2, 3), taowa.zeros(2, 2)])
    with pytest.raises(ValueError, match="total_length=1 and max sequence length being 2"):
        MINE.pad_packed_sequence(MINE.pack_sequence([taowa.ones(2)]), total_length=1)


def test_padding_data_on_the_host_gives_equal_values_again():
    sequences = [taowa.tensor([1.0, 2.0]), taowa.tensor([3.0])]
    first, second = (MINE.pad_sequence(sequences, batch_first=True).host() for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, [[1, 2], [3, 0]])
