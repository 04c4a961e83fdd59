"""The random words behind dropout, and masks made of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.random import threefry_2x32

import taowa
from taowa.ops.dropout import draw_mask, threefry


def test_threefry_is_the_published_one():
    rng = np.random.default_rng(0)
    key, left, right = (rng.integers(0, 2**32, n, dtype=np.uint32) for n in (2, 5, 5))
    ours = threefry(tuple(jnp.asarray(key)), (jnp.asarray(left), jnp.asarray(right)))
    theirs = threefry_2x32(jnp.asarray(key), jnp.asarray(np.concatenate([left, right])))
    np.testing.assert_array_equal(np.concatenate(ours), theirs)


def mask(p, seed=1, number=0, shape=(300, 400)):
    with jax.enable_x64(True):
        arguments = [
            jnp.asarray(v, t) for v, t in ((p, "float64"), (seed, "int64"), (number, "int64"))
        ]
        return np.asarray(draw_mask(shape, *arguments))


@pytest.mark.parametrize("p", [1e-3, 0.1, 0.5, 0.9])
def test_masks_have_the_probability_asked_for(p):
    drawn = mask(p)
    assert abs(drawn.mean() - (1 - p)) < 4 * np.sqrt(p * (1 - p) / drawn.size)


def test_nothing_and_everything():
    assert mask(0.0).all()
    assert not mask(1.0).any()
    assert mask(0.5, shape=(0, 3)).shape == (0, 3)


def test_neighbours_and_other_keys_are_independent():
    first = mask(0.5) - 0.5
    others = [mask(0.5, number=1), mask(0.5, seed=2), mask(0.5, seed=0, number=1)]
    pairs = [(first, other - 0.5) for other in others]
    pairs += [(first[:, 1:], first[:, :-1]), (first[1:], first[:-1])]
    for a, b in pairs:
        assert abs((a * b).mean() * 4) < 4 / np.sqrt(a.size)


def test_a_seed_gives_the_same_masks_again():
    drawn = []
    for _ in range(2):
        taowa.manual_seed(7)
        drawn.append([taowa.dropout(taowa.ones(20), 0.5, True).tolist() for _ in range(2)])
    assert drawn[0] == drawn[1]
    assert drawn[0][0] != drawn[0][1]
