import itertools
import random

import numpy as np
import pytest
import torch

from taowa import dtypes
from taowa.errors import LoadError
from taowa.io.pth_layout import STORAGE_TYPES, Layout, StorageRef, checked_layout
from tests.io.comparing import bits
from tests.io.crafting import Store, checkpoint, load_bytes, pickled, tensor_call

NUMEL = 24
STORAGE = StorageRef("0", dtypes.float32, 4 * NUMEL, "cpu", 0, NUMEL)
ELEMENTS = np.arange(NUMEL, dtype=np.float32)


def random_layout(r):
    rank = r.randrange(4)
    size = tuple(r.choice([0, 1, 1, 2, 3, 4, 5]) for _ in range(rank))
    stride = tuple(r.choice([0, 1, 2, 3, 6, 8, 24, 30]) for _ in range(rank))
    return r.choice([0, 0, 1, 5, 12, 23, 24, 25]), size, stride


def torch_takes(offset, size, stride):
    """The values as PyTorch sees them, None if it refuses."""
    storage = torch.from_numpy(ELEMENTS.copy()).untyped_storage()
    try:
        return torch.empty(0).set_(storage, offset, size, stride)
    except RuntimeError:
        return None


def takes(offset, size, stride):
    try:
        layout = checked_layout(STORAGE, offset, size, stride, None, None)
    except LoadError:
        return None
    return layout.take(ELEMENTS)


def test_same_layouts_are_accepted_as_in_pytorch_with_the_same_values():
    r = random.Random(0)
    accepted = 0
    for _ in range(2000):
        layout = random_layout(r)
        expected, got = torch_takes(*layout), takes(*layout)
        if got is None:
            assert expected is None, layout
            continue
        assert expected is not None, layout
        assert got.shape == tuple(expected.shape)
        assert got.tobytes() == bits(expected), layout
        accepted += 1
    assert accepted > 500


BAD = [
    (-1, (2,), (1,)),
    (0, (-1,), (1,)),
    (0, (2,), (-1,)),
    (0, (25,), (1,)),
    (1, (24,), (1,)),
    (0, (2, 2), (1,)),
    (0, (1 << 62, 1 << 62), (1 << 62, 1)),
    (0, (1 << 61, 2), (0, 0)),
    (0, (2,), (1 << 62,)),
    (1 << 62, (1,), (1,)),
    (0.0, (2,), (1,)),
    (True, (2,), (1,)),
    (None, (2,), (1,)),
    (0, (2.0,), (1,)),
    (0, (True,), (1,)),
    (0, [2], (1,)),
    (0, (2,), [1]),
    (0, "2", (1,)),
    (0, (1,) * 65, (1,) * 65),
    (0, (0, 1 << 61), (1, 1)),
]


@pytest.mark.parametrize("layout", BAD, ids=lambda bad: repr(bad)[:40])
def test_impossible_layouts_are_refused_in_a_file(layout):
    offset, size, stride = layout
    data = checkpoint(
        pickled(tensor_call(size, stride, offset, Store(numel=NUMEL))), ELEMENTS.tobytes()
    )
    with pytest.raises(LoadError):
        load_bytes(data)


@pytest.mark.parametrize("size", [(3, 2), (1, 24), (24,), (2, 3, 4), (0,), (0, 5), (), (1,)])
def test_contiguous_tensor_of_the_whole_storage_is_whole(size):
    tensor = torch.zeros(size)
    ref = StorageRef("0", dtypes.float32, 4 * tensor.numel(), "cpu", 0, tensor.numel())
    layout = Layout(ref, dtypes.float32, 0, size, tensor.stride())
    assert layout.is_whole


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [(0, (6, 4), (1, 6)), (1, (23,), (1,)), (0, (12,), (1,)), (0, (24,), (0,)), (0, (12,), (2,))],
)
def test_other_layouts_are_not_whole(offset, size, stride):
    assert not checked_layout(STORAGE, offset, size, stride, None, None).is_whole


def test_taken_array_is_a_new_one():
    layout = checked_layout(STORAGE, 0, (24,), (1,), None, None)
    assert not np.shares_memory(layout.take(ELEMENTS), ELEMENTS)


def test_flags_conjugate_and_negate():
    storage = StorageRef("0", dtypes.complex64, 16, "cpu", 0, 2)
    values = np.array([1 + 2j, -3j], np.complex64)
    for conj, neg in itertools.product([False, True], repeat=2):
        metadata = {"conj": conj, "neg": neg}
        got = checked_layout(storage, 0, (2,), (1,), None, metadata).take(values)
        expected = np.conj(values) if conj else values
        assert got.tobytes() == (-expected if neg else expected).tobytes()


def test_storage_types_are_pytorchs():
    for name, kind in STORAGE_TYPES.items():
        assert repr(torch.storage._get_dtype_from_pickle_storage_type(name)) == str(kind)
