"""The random stream against PyTorch's, bit for bit."""

import math
import threading

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from taowa.core.mt19937 import LARGE_RANGE, MersenneTwister

FLOATS = ["float16", "bfloat16", "float32", "float64"]
COMPLEX = ["complex64", "complex128"]
INTEGERS = ["uint8", "int8", "int16", "int32", "int64"]
SIZES = [0, 1, 2, 5, 15, 16, 17, 31, 32, 100, 8191, 8192, 20000]


def numpy_dtype(name):
    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)


def empty(n, name):
    return torch.empty(n, dtype=getattr(torch, name))


def assert_same(drawn, reference):
    """Same type, same bits."""
    if reference.dtype == torch.bfloat16:
        assert drawn.dtype == ml_dtypes.bfloat16
        drawn, reference = drawn.view(np.int16), reference.view(torch.int16)
    np.testing.assert_array_equal(drawn, reference.numpy(), strict=True)


def weights(rows, columns, name):
    """The same random weights for both: NumPy array and tensor."""
    values = np.random.RandomState(rows + columns).rand(rows, columns).astype(numpy_dtype(name))
    return values, torch.from_numpy(values.astype(np.float64)).to(getattr(torch, name))


# Each returns two functions: the draw from a twister, and from PyTorch's default generator.


def draw_uniform(n, name, low, high):
    return (
        lambda twister: twister.uniform(n, numpy_dtype(name), low, high),
        lambda: empty(n, name).uniform_(low, high),
    )


def draw_normal(n, name, mean=0.0, std=1.0):
    return (
        lambda twister: twister.normal(n, numpy_dtype(name), mean, std),
        lambda: empty(n, name).normal_(mean, std),
    )


def draw_log_normal(n, name, mean, std):
    return (
        lambda twister: twister.log_normal(n, numpy_dtype(name), mean, std),
        lambda: empty(n, name).log_normal_(mean, std),
    )


def draw_exponential(n, name, rate):
    return (
        lambda twister: twister.exponential(n, numpy_dtype(name), rate),
        lambda: empty(n, name).exponential_(rate),
    )


def draw_cauchy(n, name, median, sigma):
    return (
        lambda twister: twister.cauchy(n, numpy_dtype(name), median, sigma),
        lambda: empty(n, name).cauchy_(median, sigma),
    )


def draw_geometric(n, name, p):
    return (
        lambda twister: twister.geometric(n, p, numpy_dtype(name)),
        lambda: empty(n, name).geometric_(p),
    )


def draw_bernoulli(n, name, p):
    return (
        lambda twister: twister.bernoulli(n, p, numpy_dtype(name)),
        lambda: empty(n, name).bernoulli_(p),
    )


def draw_bernoulli_array(n, name):
    p, tensor = weights(1, n, name)
    return (
        lambda twister: twister.bernoulli(n, p, p.dtype),
        lambda: torch.bernoulli(tensor.reshape(-1)),
    )


def draw_random(n, name, *bounds):
    return (
        lambda twister: twister.random(n, numpy_dtype(name), *bounds),
        lambda: empty(n, name).random_(*bounds),
    )


def draw_randint(n, low, high):
    return lambda twister: twister.randint(low, high, n), lambda: torch.randint(low, high, (n,))


def draw_randperm(n, name="int64"):
    return (
        lambda twister: twister.randperm(n, numpy_dtype(name)),
        lambda: torch.randperm(n, dtype=getattr(torch, name)),
    )


def draw_multinomial(rows, columns, name, num_samples, replacement):
    p, tensor = weights(rows, columns, name)
    return (
        lambda twister: twister.multinomial(p, num_samples, replacement),
        lambda: torch.multinomial(tensor, num_samples, replacement),
    )


def check(twister, draw, *arguments):
    """Both draw the same, or refuse with the same exception."""
    ours, theirs = draw(*arguments)
    try:
        reference = theirs()
    except (RuntimeError, ValueError) as error:
        with pytest.raises(type(error)):
            ours(twister)
    else:
        assert_same(ours(twister), reference)


SOME_SIZE = st.sampled_from(SIZES)
DRAWS = st.one_of(
    st.tuples(st.just(draw_uniform), SOME_SIZE, st.sampled_from(FLOATS + COMPLEX),
              st.sampled_from([0, -0.37, -1.5]), st.sampled_from([1, 0.9])),
    st.tuples(st.just(draw_normal), SOME_SIZE, st.sampled_from(FLOATS + COMPLEX),
              st.sampled_from([0, 0.3]), st.sampled_from([1, 1.7])),
    st.tuples(st.just(draw_log_normal), SOME_SIZE, st.sampled_from(FLOATS),
              st.just(1), st.sampled_from([2, 0.3])),
    st.tuples(st.just(draw_exponential), SOME_SIZE, st.sampled_from(FLOATS),
              st.sampled_from([1, 0.3])),
    st.tuples(st.just(draw_cauchy), SOME_SIZE, st.sampled_from(FLOATS),
              st.sampled_from([0, 0.3]), st.sampled_from([1, 1.7])),
    st.tuples(st.just(draw_geometric), SOME_SIZE, st.sampled_from(FLOATS + INTEGERS),
              st.sampled_from([0.4, 0.9])),
    st.tuples(st.just(draw_bernoulli), SOME_SIZE, st.sampled_from([*FLOATS, *INTEGERS, "bool"]),
              st.sampled_from([0, 0.3, 1])),
    st.tuples(st.just(draw_bernoulli_array), SOME_SIZE, st.sampled_from(FLOATS)),
    st.tuples(st.just(draw_random), SOME_SIZE, st.sampled_from([*FLOATS, *INTEGERS, "bool"])),
    st.tuples(st.just(draw_randint), SOME_SIZE, st.sampled_from([0, -7]),
              st.sampled_from([1, 10, LARGE_RANGE - 8, LARGE_RANGE, 2**63 - 8])),
    st.tuples(st.just(draw_randperm), SOME_SIZE),
    st.tuples(st.just(draw_multinomial), st.sampled_from([1, 3]), st.just(9),
              st.sampled_from(FLOATS), st.sampled_from([1, 4]), st.just(True)),
    st.tuples(st.just(draw_multinomial), st.sampled_from([1, 3]), st.just(9),
              st.sampled_from(["float32", "float64"]), st.sampled_from([1, 4]), st.just(False)),
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**64 - 1), draws=st.lists(DRAWS, min_size=1, max_size=12))
def test_mixed_draws_stay_in_step(seed, draws):
    torch.manual_seed(seed)
    twister = MersenneTwister(seed)
    for draw, *arguments in draws:
        check(twister, draw, *arguments)
        np.testing.assert_array_equal(twister.get_state(), torch.get_rng_state().numpy())


@pytest.mark.parametrize("name", FLOATS + COMPLEX)
@pytest.mark.parametrize("n", SIZES)
def test_normal_of_every_size(n, name):
    torch.manual_seed(4)
    check(MersenneTwister(4), draw_normal, n, name, 0.0, 1.0)


def test_many_single_precision_normals_are_equal():
    torch.manual_seed(5)
    assert_same(MersenneTwister(5).normal(500_000), torch.randn(500_000))


def test_second_normal_of_a_pair_survives_other_draws():
    torch.manual_seed(1)
    twister = MersenneTwister(1)
    check(twister, draw_normal, 3, "float32", 0, 1)
    check(twister, draw_uniform, 4, "float32", 0, 1)
    check(twister, draw_normal, 40, "float32", 0, 1)
    check(twister, draw_normal, 2, "float64", 0, 1)


def test_seeding_forgets_the_kept_normal():
    twister = MersenneTwister(1)
    twister.normal(1)
    twister.seed(1)
    torch.manual_seed(1)
    check(twister, draw_normal, 1, "float32", 0, 1)


@pytest.mark.parametrize("bound", [(-1e30, 1e30), (-1e300, 1e305), (0, 5e-324), (1, 1)])
def test_uniform_of_extreme_ranges(bound):
    torch.manual_seed(2)
    check(MersenneTwister(2), draw_uniform, 50, "float64", *bound)


def test_sixteen_bit_uniforms_never_reach_the_bound():
    torch.manual_seed(2)
    drawn = MersenneTwister(2).uniform(20000, ml_dtypes.bfloat16)
    assert_same(drawn, torch.rand(20000, dtype=torch.bfloat16))
    assert drawn.astype(np.float32).max() < 1


RANGES = [
    (0, 2), (0, 5), (-7, 9), (0, 128), (0, 257), (-300, 300), (2, None), (-3, None), (100, 101),
    (0, 2**20), (0, 2**28), (0, 2**40), (0, 2**63 - 1), (-(2**63), 2**63 - 1), (-(2**63), None),
    (-(2**63) + 1, None), (5, 5), (7, 3), (0, 65504), (2049, 2053), (3000, None), (2048, None),
    (-(2**24) - 3, 2**24 + 3), (2**24 + 1, 2**24 + 2), (0, 2**63),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*is out of bounds.*:UserWarning")
@pytest.mark.parametrize("bounds", RANGES, ids=str)
@pytest.mark.parametrize("name", [*FLOATS, *INTEGERS, "bool", "uint16", "uint32", "uint64"])
def test_random_in_a_range(name, bounds):
    torch.manual_seed(3)
    check(MersenneTwister(3), draw_random, 200, name, *bounds)


def test_random_warns_beyond_the_exact_integers():
    with pytest.warns(UserWarning, match=r"to - 1 is out of bounds \[-\(2\^24\), 2\^24\]"):
        MersenneTwister(0).random(3, np.float32, 0, 2**30)


@pytest.mark.parametrize("name", [*FLOATS, *INTEGERS])
@pytest.mark.parametrize("n", [0, 1, 2, 120, 128, 129, 256, 257, 258, 2048, 2049, 2050])
def test_randperm_of_every_type(n, name):
    torch.manual_seed(3)
    check(MersenneTwister(3), draw_randperm, n, name)


@pytest.mark.parametrize("p", [np.array(0.3), np.array([0.3], np.float32)])
def test_one_probability_is_used_for_all(p):
    torch.manual_seed(3)
    reference = torch.empty(50).bernoulli_(torch.from_numpy(p))
    assert_same(MersenneTwister(3).bernoulli(50, p), reference)


def test_multinomial_of_one_row_has_one_dimension():
    torch.manual_seed(3)
    p = np.array([0.1, 0.0, 0.4, 0.5])
    reference = torch.multinomial(torch.from_numpy(p), 3)
    assert_same(MersenneTwister(3).multinomial(p, 3), reference)


@pytest.mark.parametrize("before", [0, 1, 300, 623, 624, 625, 1248])
@pytest.mark.parametrize("normals", [0, 1, 2])
def test_state_of_pytorch_continues_here(before, normals):
    torch.manual_seed(11)
    torch.rand(before)
    torch.randn(normals)
    twister = MersenneTwister(0)
    twister.set_state(torch.get_rng_state().numpy())
    assert twister.initial_seed() == 11
    np.testing.assert_array_equal(twister.get_state(), torch.get_rng_state().numpy())
    check(twister, draw_normal, 3, "float32", 0, 1)
    check(twister, draw_uniform, 1000, "float32", 0, 1)


@pytest.mark.parametrize("before", [0, 1, 624, 1000])
@pytest.mark.parametrize("normals", [0, 1])
def test_state_saved_here_continues_in_pytorch(before, normals):
    twister = MersenneTwister(-5)
    twister.uniform(before)
    twister.normal(normals)
    torch.set_rng_state(torch.from_numpy(twister.get_state()))
    assert torch.initial_seed() == twister.initial_seed()
    check(twister, draw_normal, 3, "float32", 0, 1)
    check(twister, draw_uniform, 1000, "float32", 0, 1)


def damaged(**fields):
    state = MersenneTwister(0).get_state()
    numbers = state[8:24].view(np.int32)  # left, seeded, next (two halves)
    for name, value in fields.items():
        numbers[["left", "seeded", "next"].index(name)] = value
    return state


@pytest.mark.parametrize(
    "state",
    [
        np.zeros(5056, np.uint8),
        np.zeros(5055, np.uint8),
        np.zeros(5056, np.int32),
        damaged(left=700),
        damaged(left=0),
        damaged(next=625),
        damaged(seeded=0),
    ],
)
def test_wrong_states_are_refused(state):
    with pytest.raises((RuntimeError, TypeError)) as expected:
        torch.Generator().set_state(torch.from_numpy(state))
    with pytest.raises(expected.type):
        MersenneTwister(0).set_state(state)


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**32 + 1, 2**64 - 1, -1, -(2**63)])
def test_seeds(seed):
    torch.manual_seed(seed)
    twister = MersenneTwister(seed)
    assert twister.initial_seed() == torch.initial_seed()
    assert_same(twister.uniform(5), torch.rand(5))


@pytest.mark.parametrize("seed", [2**64, -(2**63) - 1])
def test_seeds_beyond_64_bits_are_refused(seed):
    with pytest.raises(ValueError, match="Overflow"):
        MersenneTwister(seed)


def test_default_seed_is_that_of_a_new_generator():
    assert MersenneTwister().initial_seed() == torch.Generator().initial_seed()


HALF, INT = "float16", "int32"
REFUSED = [
    *((draw_uniform, 3, "float32", *b) for b in [(1, 0), (0, math.inf), (math.nan, 1), (0, 1e39)]),
    (draw_uniform, 3, HALF, -60000, 60000), (draw_uniform, 3, HALF, -70000, 0),
    (draw_uniform, 3, "float64", -1.7e308, 1.7e308), (draw_uniform, 3, INT, 0, 1),
    (draw_normal, 3, "float32", 0, -1), (draw_normal, 3, "float32", 0, math.nan),
    (draw_normal, 3, INT, 0, 1), (draw_log_normal, 3, "float32", 0, 0),
    (draw_log_normal, 3, INT, 0, 1), (draw_exponential, 3, "float32", 0),
    (draw_exponential, 3, "float32", math.nan), (draw_exponential, 3, INT, 1),
    (draw_cauchy, 3, "float32", 0, 0), (draw_cauchy, 3, INT, 0, 1),
    (draw_geometric, 3, "float32", 0), (draw_geometric, 3, "float32", 1),
    (draw_geometric, 3, "bool", 0.5), (draw_bernoulli, 3, "float32", 1.5),
    (draw_bernoulli, 3, "float32", math.nan), (draw_bernoulli, 3, "uint16", 0.5),
    (draw_bernoulli, 3, "complex64", 0.5), (draw_random, 3, "uint16"),
    (draw_random, 3, "complex64"), (draw_random, 3, "complex64", 0, 5), (draw_randperm, -1),
    (draw_multinomial, 2, 3, "float32", 4, False), (draw_multinomial, 2, 3, "float32", 0, True),
    (draw_multinomial, 2, 3, "int64", 1, False),
]  # fmt: skip


def named(case):
    return " ".join(map(str, (case[0].__name__, *case[1:])))


@pytest.mark.parametrize("arguments", REFUSED, ids=named)
def test_wrong_arguments_raise_as_in_pytorch(arguments):
    draw, *rest = arguments
    ours, theirs = draw(*rest)
    with pytest.raises((RuntimeError, ValueError)) as expected:
        theirs()
    with pytest.raises(expected.type):
        ours(MersenneTwister(0))


@pytest.mark.parametrize("bad", [[0.5, -0.1], [0.5, np.nan], [np.inf, 1.0], [0.0, 0.0]])
@pytest.mark.parametrize("replacement", [True, False])
def test_multinomial_refuses_weights_that_are_none(bad, replacement):
    with pytest.raises(RuntimeError):
        torch.multinomial(torch.tensor(bad), 2, replacement)
    with pytest.raises(RuntimeError, match="probabilit"):
        MersenneTwister(0).multinomial(np.array(bad), 2, replacement)


@pytest.mark.parametrize("bad", [[0.5, 2.0], [0.5, np.nan]])
def test_bernoulli_refuses_what_is_no_probability(bad):
    with pytest.raises(RuntimeError, match="p to be in"):
        MersenneTwister(0).bernoulli(2, np.array(bad))


def test_draws_in_threads_are_the_draws_of_one_thread_in_some_order():
    shared, alone = MersenneTwister(8), MersenneTwister(8)
    drawn = []

    def draw():
        for _ in range(20):
            drawn.append(shared.uniform(9000).tobytes())

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(drawn) == sorted(alone.uniform(9000).tobytes() for _ in range(80))
