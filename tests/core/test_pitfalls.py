"""How lazily recording engines failed before: each known pitfall is a test here."""

import copy
import gc
import threading
import weakref

import jax
import numpy as np
import pytest

import taowa as torch
from taowa import nn
from taowa.core import journal, program
from taowa.core.context import context
from taowa.nn import functional as F


def made():
    """How many programs were compiled or loaded so far."""
    return journal.counters.compilations + journal.counters.disk_hits


def dispatched():
    return journal.counters.dispatches


# -- Python scalars and positions are inputs, never constants ------------------------------------


@pytest.mark.parametrize("numbers", [(0.3, 0.0, 1.0, -2.5), (2, 0, 1, 7)])
def test_another_python_number_does_not_recompile(numbers):
    x = torch.arange(4.0)
    first, *others = numbers
    ((x * first + first) / 3).tolist()
    before = made()
    for number in others:
        got = ((x * number + number) / 3).numpy()
        assert np.allclose(got, (np.arange(4.0) * number + number) / 3)
    assert made() == before


def test_another_learning_rate_and_momentum_do_not_recompile():
    w = torch.ones(3, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9)
    for step in range(4):
        optimizer.param_groups[0].update(lr=0.1 / (step + 1), momentum=0.9 - 0.1 * step)
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()
        if step == 0:
            before = made()
    assert made() == before


def test_another_index_and_slice_start_do_not_recompile():
    x = torch.arange(20.0) * 1
    torch.flush()

    # Not inside an assert: pytest keeps every part of one alive, which makes it an output.
    def at(i):
        return (x[i] * 1).item()

    def four_from(i):
        return (x[i : i + 4] * 1).tolist()

    at(3), four_from(2)
    before = made()
    items = [at(i) for i in (0, 7, -1)]
    slices = [four_from(i) for i in (0, 5, 9)]
    assert items == [0, 7, 19]
    assert slices == [list(np.arange(i, i + 4.0)) for i in (0, 5, 9)]
    assert made() == before


def test_another_random_draw_does_not_recompile_and_differs():
    x = torch.ones(64)
    draws = [F.dropout(x, 0.5).numpy()]
    before = made()
    draws += [F.dropout(x, p).numpy() for p in (0.5, 0.25, 0.5)]
    assert made() == before
    assert not np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[1], draws[3])


def test_manual_seed_repeats_the_draws_inside_programs():
    x = torch.ones(64)
    draws = []
    for _ in range(2):
        torch.manual_seed(5)
        draws.append(F.dropout(x, 0.5).numpy())
    assert np.array_equal(*draws)


def test_a_changed_shape_compiles_once_per_shape():
    def run(n):
        return (torch.ones(n) * 2 + 1).sum().item()

    run(3)
    before = made()
    run(4), run(3), run(4)
    assert made() - before == 1


# -- the first step is like all others -----------------------------------------------------------


def test_the_first_step_runs_the_same_program_as_the_second():
    torch.manual_seed(0)
    net = nn.Linear(3, 2)
    nn.init.orthogonal_(net.weight)
    net.bias[0:1].data.fill_(1.0)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, dampening=0.5)
    before = made()
    for _ in range(3):
        optimizer.zero_grad()
        net(torch.ones(4, 3)).pow(2).sum().backward()
        optimizer.step()
    assert made() - before == 1


# -- nothing grows -------------------------------------------------------------------------------


def test_a_sum_never_read_does_not_grow_the_graph():
    w = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.01)
    total = 0
    for step in range(30):
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        optimizer.step()
        total += loss
        if step == 5:
            before = made()
    assert made() == before
    depth, edge = 0, total._edge
    while edge is not None and getattr(edge, "edges", None):
        depth, edge = depth + 1, edge.edges[0]
    assert depth < 5
    assert np.isfinite(total.item())


def test_pending_work_is_bounded(monkeypatch):
    monkeypatch.setattr("taowa.core.record.MAX_PENDING_NODES", 50)
    x = torch.ones(2)
    for _ in range(130):
        x = x + 1
        assert len(context().pending) <= 60
    assert x.tolist() == [131.0, 131.0]


def test_pending_bytes_are_bounded(monkeypatch):
    monkeypatch.setattr("taowa.core.record.MAX_PENDING_BYTES", 1 << 20)
    x = torch.ones(1 << 16)
    before = dispatched()
    for _ in range(16):
        x = x + 1
    assert dispatched() > before
    assert x[0].item() == 17


def test_plain_graphs_are_freed_without_the_garbage_collector():
    gc.disable()
    try:
        x = torch.ones(3, requires_grad=True)
        y = (x * 2).sum()
        nodes = [weakref.ref(y._edge), weakref.ref(y._edge.edges[0])]
        del y
        torch.flush()
        assert [n() for n in nodes] == [None, None]
        z = (x * 3).sum()
        z.backward()
        tape = weakref.ref(z._edge)
        z.item()
        del z
        torch.flush()
        assert tape() is None
    finally:
        gc.enable()


def test_dead_results_are_not_computed():
    x = torch.ones(4)
    for _ in range(3):
        (x @ x) * 2
    y = x + 1
    before = dispatched()
    y.tolist()
    assert dispatched() - before == 1
    latest = torch.core.program.programs()[-1]
    assert latest.num_nodes == 1


# -- reading in the middle -----------------------------------------------------------------------


def test_item_in_the_middle_dispatches_all_live_work_once():
    x = torch.ones(3, requires_grad=True)
    kept = x * 5
    y = (x * x).sum()
    before = dispatched()
    y.item()
    kept.tolist()
    assert dispatched() - before == 1
    y.backward()
    assert x.grad.tolist() == [2, 2, 2]


def test_branches_on_values_are_taken_anew_each_time():
    def step(x):
        return x * 2 if x.sum() > 0 else x - 1

    assert step(torch.tensor([1.0])).item() == 2
    assert step(torch.tensor([-1.0])).item() == -2
    assert step(torch.tensor([1.0])).item() == 2


# -- buffers: donation never bites ---------------------------------------------------------------


def test_a_detached_copy_survives_the_update():
    w = torch.ones(1000, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0)
    before = w.detach().clone()
    alias = w.detach()
    for _ in range(3):
        optimizer.zero_grad()
        w.sum().backward()
        optimizer.step()
    assert before.tolist() == [1.0] * 1000
    assert alias.tolist() == w.tolist() == [-2.0] * 1000


def test_numpy_results_survive_the_update():
    w = torch.ones(1000, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0)
    seen, jax_seen = [], []
    for _ in range(3):
        seen.append(w.detach().numpy())
        jax_seen.append(w.detach().to_jax())
        optimizer.zero_grad()
        w.sum().backward()
        optimizer.step()
    assert [s[0] for s in seen] == [1, 0, -1]
    assert [float(s[0]) for s in jax_seen] == [1, 0, -1]


def test_old_values_on_a_live_tape_survive_the_update():
    w = torch.full((1000,), 2.0, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0)
    kept = (w * w).sum()
    w.sum().backward()
    optimizer.step()
    w.grad = None
    kept.backward()
    assert w.grad[0].item() == 4.0  # with the value that the forward pass saw


def test_deepcopied_models_train_apart():
    net = nn.Linear(2, 1)
    twin = copy.deepcopy(net)
    start = twin.weight.tolist()
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    for _ in range(2):
        optimizer.zero_grad()
        net(torch.ones(1, 2)).sum().backward()
        optimizer.step()
    assert twin.weight.tolist() == start
    assert net.weight.tolist() != start


# -- views and in-place writes -------------------------------------------------------------------


def test_a_view_of_a_parameter_sees_the_update():
    w = torch.zeros(4, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0)
    with torch.no_grad():
        head = w[:2]
    w.sum().backward()
    optimizer.step()
    assert head.tolist() == [-1, -1]
    head.data.fill_(7.0)
    assert w.tolist() == [7, 7, -1, -1]


# -- errors leave a usable engine ----------------------------------------------------------------


def test_an_error_while_recording_leaves_pending_work_intact():
    x = torch.ones(2, 3)
    y = x * 2
    with pytest.raises(RuntimeError, match=r"shape|size"):
        y @ y
    assert y.tolist() == [[2.0] * 3] * 2


def test_errors_come_at_the_users_line():
    x = torch.ones(2, 3)
    with pytest.raises(RuntimeError) as caught:
        torch.matmul(x, x)
    lines = [str(entry.path) for entry in caught.traceback]
    assert lines[0] == __file__


def test_a_value_error_found_later_names_the_users_line():
    table = torch.ones(4, 2)
    index = torch.tensor([1, 2]) + 5  # known only after the program ran
    row = table.index_select(0, index)
    with pytest.raises((IndexError, RuntimeError)) as caught:
        row.tolist()
    assert any("test_pitfalls.py" in note for note in caught.value.__notes__)
    assert (table + 1).tolist() == [[2.0, 2.0]] * 4


# -- side effects, containers, instances (tinygrad's list) ---------------------------------------


def test_outputs_are_not_overwritten_by_the_next_call():
    def f(x):
        return x * 2

    a = f(torch.tensor([1.0]))
    b = f(torch.tensor([5.0]))
    assert (a.item(), b.item()) == (2.0, 10.0)


def test_an_output_that_is_the_input_stays_itself():
    x = torch.ones(3)
    y = x.reshape(3)
    z = y.clone()
    x.add_(1)
    assert (y.tolist(), z.tolist()) == ([2.0] * 3, [1.0] * 3)


def test_side_effects_happen_every_time():
    calls = []

    class Counting(nn.Module):
        def forward(self, x):
            calls.append(1)
            return x + 1

    net = Counting()
    for _ in range(3):
        net(torch.ones(1)).item()
    assert len(calls) == 3


def test_one_method_on_two_instances_keeps_them_apart():
    a, b = nn.Linear(2, 1), nn.Linear(2, 1)
    x = torch.ones(1, 2)
    for net in (a, b, a, b):
        expected = x.numpy() @ net.weight.detach().numpy().T + net.bias.detach().numpy()
        assert np.allclose(net(x).detach().numpy(), expected)


def test_duplicate_inputs_and_tensors_in_containers():
    x = torch.ones(2)
    assert (x * x + x).tolist() == [2.0, 2.0]
    parts = {"a": [x, x * 2], "b": (x * 3,)}
    assert torch.cat([*parts["a"], *parts["b"]]).tolist() == [1, 1, 2, 2, 3, 3]


def test_keyword_order_does_not_matter():
    x = torch.arange(6.0).reshape(2, 3)
    one = torch.sum(x, dim=1, keepdim=True)
    two = torch.sum(keepdim=True, dim=1, input=x)
    assert one.tolist() == two.tolist()


# -- threads -------------------------------------------------------------------------------------


def test_threads_record_apart_and_share_values():
    x = torch.arange(8.0) * 1
    results = {}

    def work(i):
        mine = x * i
        results[i] = (mine + 1).sum()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [results[i].item() for i in range(6)] == [28 * i + 8 for i in range(6)]


def test_threads_train_apart():
    failures = []

    def work(seed):
        rng = np.random.RandomState(seed)
        w = torch.tensor(rng.randn(4), requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=0.1)
        expected = w.detach().numpy()
        for _ in range(20):
            optimizer.zero_grad()
            (w * w).sum().backward()
            optimizer.step()
            expected = expected * 0.8
        if not np.allclose(w.detach().numpy(), expected):
            failures.append(seed)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


# -- the layer below: JAX's traps ----------------------------------------------------------------


def test_int64_and_float64_are_kept():
    assert (torch.tensor(2**40) + 5).item() == 2**40 + 5
    pi = torch.tensor(np.pi, dtype=torch.float64)
    assert (pi * 1).item() == np.pi
    assert torch.tensor([1]).sum().dtype is torch.int64


def test_importing_taowa_leaves_jax_configuration_alone():
    assert jax.config.jax_enable_x64 is False
    assert jax.numpy.ones(1).dtype == np.float32


def test_indices_out_of_range_raise():
    x = torch.arange(3.0)
    with pytest.raises(IndexError):
        x[3]
    with pytest.raises((IndexError, RuntimeError)):
        x[torch.tensor([5])].tolist()


def test_integer_division_by_zero_raises():
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        (torch.tensor([5]) // torch.tensor([0])).tolist()


def test_a_reused_numpy_buffer_does_not_change_tensors():
    for n in (3, 16, 4096):
        buffer = np.ones(n, np.float32)
        tensors = [torch.from_numpy(buffer), torch.tensor(buffer), torch.as_tensor(buffer)]
        sums = [t * 1 for t in tensors]
        buffer[:] = 9
        assert all(t.tolist() == [1.0] * n for t in [*tensors, *sums])


def test_a_failed_program_takes_nothing_else_along(monkeypatch):
    kept = torch.ones(3) * 2
    broken = torch.ones(2) + 1
    calls = []

    def fail_once(self):
        calls.append(self)
        if len(calls) == 1:
            raise MemoryError("no room for the compiler")
        return compile_really(self)

    compile_really = program.Program._compile
    monkeypatch.setattr(program.Program, "_compile", fail_once)
    with pytest.raises(MemoryError, match="no room"):
        broken.tolist()
    assert kept.tolist() == [2.0, 2.0, 2.0]
    assert (kept + 1).tolist() == [3.0, 3.0, 3.0]
    assert broken.tolist() == [2.0, 2.0]
