"""Matrix products: the kernel against float64, its gradients, threads and repeatability."""

import threading
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

import taowa
from taowa.core.program import programs
from taowa.kernels.matmul import dot, dot_p
from taowa.kernels.shared_library import kernels

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not kernels.is_available(), reason="the kernels are not built"),
]
FLAGS = [(False, False), (False, True), (True, False), (True, True)]
TOLERANCE = 2e-6  # of the largest number of the result


@pytest.fixture(params=kernels.isas)
def isa(request):
    """Each instruction set that this machine has."""
    before = kernels.isa
    kernels.isa = request.param
    yield request.param
    kernels.isa = before


def operands(m, n, k, transpose_a=False, transpose_b=False, batch=(), seed=0):
    rng = np.random.default_rng(seed)
    shapes = (k, m) if transpose_a else (m, k), (n, k) if transpose_b else (k, n)
    return [rng.standard_normal((*batch, *shape), dtype=np.float32) for shape in shapes]


def reference(a, b, transpose_a, transpose_b):
    a = np.swapaxes(a, -1, -2) if transpose_a else a
    b = np.swapaxes(b, -1, -2) if transpose_b else b
    return a.astype(np.float64) @ b.astype(np.float64)


def kernel(a, b, transpose_a, transpose_b):
    """The kernel itself, also for shapes that `dot` leaves to XLA."""
    flags = {"transpose_a": transpose_a, "transpose_b": transpose_b}
    return jax.jit(partial(dot_p.bind, **flags))(a, b)


def check(m, n, k, transpose_a, transpose_b, batch=(), seed=0):
    a, b = operands(m, n, k, transpose_a, transpose_b, batch, seed)
    expected = reference(a, b, transpose_a, transpose_b)
    found = np.asarray(kernel(a, b, transpose_a, transpose_b))
    bound = TOLERANCE * np.abs(expected).max(initial=0.0)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=bound)


SIZES = [
    (1, 1, 1),
    (1, 40, 7),
    (40, 1, 7),
    (7, 9, 1),
    (13, 31, 17),
    (14, 32, 16),
    (15, 33, 385),
    (64, 300, 784),
    (129, 257, 800),
    (0, 5, 3),
    (5, 0, 3),
    (5, 3, 0),
]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_kernel_equals_float64(size, isa):
    for flags in FLAGS:
        check(*size, *flags)


def test_inner_sizes_beyond_one_block(isa):
    check(20, 700, 3000, False, False)
    check(40, 700, 7000, False, True)


@pytest.mark.parametrize("batch", [(0,), (1,), (3,), (2, 9)], ids=str)
def test_batches(batch, isa):
    for flags in FLAGS:
        check(21, 37, 45, *flags, batch=batch)


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(*[st.integers(0, 200)] * 3),
    st.sampled_from(FLAGS),
    st.sampled_from(kernels.isas or (None,)),
    st.integers(0, 99),
)
def test_random_sizes(size, flags, isa, seed):
    before = kernels.isa
    kernels.isa = isa
    try:
        check(*size, *flags, seed=seed)
    finally:
        kernels.isa = before


@pytest.mark.parametrize("flags", FLAGS, ids=str)
def test_gradients_of_every_order(flags):
    a, b = operands(33, 40, 36, *flags)
    product = partial(dot, transpose_a=flags[0], transpose_b=flags[1])
    check_grads(product, (a, b), order=2, modes=("fwd", "rev"), atol=2e-2, rtol=2e-2)


@pytest.mark.parametrize("flags", FLAGS, ids=str)
@pytest.mark.parametrize("axes", [(0, 0), (2, 1), (0, None), (2, None), (None, 1), (None, 2)])
def test_vmap(flags, axes):
    a, b = operands(33, 40, 36, *flags, batch=(3,))
    given = [x if axis is not None else x[0] for x, axis in zip((a, b), axes, strict=True)]
    expected = reference(*given, *flags)
    moved = [x if axis is None else np.moveaxis(x, 0, axis) for x, axis in zip(given, axes)]  # noqa: B905
    found = jax.jit(jax.vmap(partial(dot, transpose_a=flags[0], transpose_b=flags[1]), axes))(
        *moved
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE * np.abs(expected).max())


def test_calls_go_to_the_kernel_without_transposing():
    def step(a, b):
        return dot(a.T, b), dot(a, jnp.swapaxes(b, -1, -2)), dot(b, b.T)

    x = jax.ShapeDtypeStruct((64, 64), jnp.float32)
    compiled = jax.jit(step).lower(x, x).compile().as_text()
    assert compiled.count('custom_call_target="taowa.matmul"') == 3
    assert " transpose(" not in compiled


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.ones((64, 64)), np.ones((64, 64))),
        (np.ones((64, 64), np.int32), np.ones((64, 64), np.int32)),
        (np.ones((1, 64), np.float32), np.ones((64, 64), np.float32)),
        (np.ones((7, 8), np.float32), np.ones((8, 8), np.float32)),
    ],
    ids=["float64", "int32", "vector", "tiny"],
)
def test_what_xla_does_better_is_left_to_it(a, b):
    with jax.enable_x64(True):
        text = jax.jit(dot).lower(a, b).as_text()
    assert "taowa.matmul" not in text
    np.testing.assert_array_equal(dot(a, b), a @ b)


def test_wrong_sizes_are_an_error_not_a_crash():
    a, b = operands(32, 32, 32)
    call = jax.ffi.ffi_call("taowa.matmul", jax.ShapeDtypeStruct((32, 31), jnp.float32))
    with pytest.raises(jax.errors.JaxRuntimeError, match="sizes do not fit"):
        call(a, b, transpose_a=False, transpose_b=False).block_until_ready()


@pytest.mark.parametrize("size", [(64, 300, 784), (1024, 256, 256)], ids=str)
def test_same_bits_twice_and_with_any_number_of_threads(size, isa):
    a, b = operands(*size, transpose_b=True)
    results = [np.asarray(kernel(a, b, False, True)) for _ in range(5)]
    kernels.set_max_threads(1)
    try:
        results.append(np.asarray(kernel(a, b, False, True)))
    finally:
        kernels.set_max_threads(0)
    for one in results[1:]:
        np.testing.assert_array_equal(one, results[0])


def test_programs_of_several_threads_at_once():
    sizes = [(64, 300, 784), (300, 784, 64), (256, 256, 256), (100, 64, 300)]
    tasks = [(operands(*size, seed=i), size) for i, size in enumerate(sizes)]
    expected = [np.asarray(kernel(*pair, False, False)) for pair, _ in tasks]
    faults = []

    def work(pair, wanted):
        for _ in range(40):
            if not np.array_equal(kernel(*pair, False, False), wanted):
                faults.append("another result")

    threads = [
        threading.Thread(target=work, args=(pair, wanted))
        for (pair, _), wanted in zip(tasks, expected, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    assert faults == []


def test_a_linear_layer_trains_through_the_kernel_and_the_switch_turns_it_off():
    x = taowa.ones(64, 64)
    layer = taowa.nn.Linear(64, 64)

    def calls():
        layer.zero_grad()
        layer(x).square().mean().backward()
        layer.weight.grad.sum().item()
        return sum(p.call.as_text().count('"taowa.matmul"') for p in programs()[-1:])

    grads = []
    for enabled, expected in ((True, 2), (False, 0), (True, 2)):
        kernels.enabled = enabled
        assert calls() == expected
        grads.append(layer.weight.grad.numpy())
    np.testing.assert_allclose(grads[0], grads[1], rtol=1e-4, atol=1e-5)
