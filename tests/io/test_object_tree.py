from collections import OrderedDict

import pytest

from taowa.errors import LoadError
from taowa.io.object_tree import LEAF_TYPES, check_tree, is_plain_key


def nested(depth, kind):
    value = kind()
    for _ in range(depth - 1):
        value = {"a": value} if kind is dict else kind([value])
    return value


def check(value, depth=20, objects=1000):
    check_tree(value, LEAF_TYPES, depth, objects)


@pytest.mark.parametrize("kind", [list, tuple, dict])
def test_depth_is_bounded(kind):
    check(nested(20, kind))
    with pytest.raises(LoadError, match="nested deeper than 20"):
        check(nested(21, kind))


def test_depth_of_shared_parts_counts_along_the_longest_path():
    shared = nested(15, list)
    check([shared, [[[shared]]]])
    with pytest.raises(LoadError, match="nested deeper"):
        check([shared, [[[[[shared]]]]]])


def test_very_deep_list_is_refused_without_recursion():
    with pytest.raises(LoadError, match="nested deeper"):
        check(nested(100_000, list))


def test_shared_parts_count_each_time():
    value = ["x"]
    for _ in range(8):
        value = [value, value]
    check(value)
    with pytest.raises(LoadError, match="unfold to over 1,000 objects"):
        check([value, value])


def test_object_that_contains_itself_is_refused():
    loop = []
    loop.append({"a": (loop,)})
    with pytest.raises(LoadError, match="contains itself"):
        check(loop)


def test_metadata_of_ordered_dict_is_looked_at():
    state = OrderedDict(a=1)
    state._metadata = {"": {"version": object()}}
    with pytest.raises(LoadError, match="a bare object"):
        check(state)


def test_foreign_leaf_is_refused():
    with pytest.raises(LoadError, match="a bare range"):
        check({"a": [1, range(3)]})


@pytest.mark.parametrize("key", ["a", 1, 2.5, True, None, b"x", 2**64 - 1, (), ("a", (1, 2))])
def test_plain_keys(key):
    assert is_plain_key(key)


@pytest.mark.parametrize(
    "key", [[], {}, object(), ("a", [1]), range(2), tuple(range(65)), 1j, 2**64]
)
def test_other_keys(key):
    assert not is_plain_key(key)


def test_key_that_takes_exponential_time_to_hash_is_refused_at_once():
    key = (1,)
    for _ in range(60):
        key = (key, key)
    assert not is_plain_key(key)
