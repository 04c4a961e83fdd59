"""Errors say which module they come from; the engine hears of the outermost call."""

import threading

import numpy as np
import pytest

import taowa
from taowa.core.context import context
from taowa.nn.module import Module
from taowa.nn.naming import module_path, typename
from tests.nn.both import LIBRARIES

TAOWA = LIBRARIES[1]


@pytest.mark.parametrize("value", [3, "a", None, int, len, object(), np.float32(1), {}.keys()])
def test_typename(value):
    assert typename(value) == LIBRARIES[0].lib.typename(value)


class Failing(Module):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def forward(self, x):
        raise self.error

    def extra_repr(self):
        return "width=3"


def net_failing_with(error):
    blocks = TAOWA.nn.Sequential(TAOWA.nn.Sequential(), TAOWA.nn.Sequential(Failing(error)))
    return TAOWA.nn.Sequential(TAOWA.nn.Sequential(), blocks)


def test_error_keeps_its_type_and_notes_once_where_it_came_from():
    error = ValueError("wrong")
    with pytest.raises(ValueError, match="wrong") as caught:
        net_failing_with(error)(1)
    assert caught.value is error
    assert str(error) == "wrong"
    assert error.__notes__ == ["in module 1.1.0: Failing(width=3)"]


def test_error_of_the_outermost_module_names_it_alone():
    error = ValueError("wrong")
    with pytest.raises(ValueError, match="wrong"):
        Failing(error)(1)
    assert error.__notes__ == ["in module Failing(width=3)"]


def test_note_of_a_module_with_children_is_one_line():
    net = TAOWA.nn.Sequential(TAOWA.nn.Sequential(TAOWA.nn.Sequential()))
    net[0].forward = lambda x: 1 / 0
    with pytest.raises(ZeroDivisionError) as caught:
        net(1)
    assert caught.value.__notes__ == ["in module 0: Sequential(...)"]


def test_keyboard_interrupt_gets_no_note():
    error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        net_failing_with(error)(1)
    assert not hasattr(error, "__notes__")


def test_broken_repr_does_not_hide_the_error():
    module = Failing(ValueError("wrong"))
    module.extra_repr = lambda: 1 / 0
    with pytest.raises(ValueError, match="wrong") as caught:
        module(1)
    assert caught.value.__notes__ == ["in module Failing(...)"]


def test_path_of_shared_foreign_and_unregistered_modules():
    shared, loose = TAOWA.nn.Sequential(), TAOWA.nn.Sequential()
    left, right = TAOWA.nn.Sequential(shared), TAOWA.nn.Sequential(shared)
    net = TAOWA.nn.Sequential(left, right)
    assert module_path([net]) == ""
    assert module_path([net, right, shared]) == "1.0"
    assert module_path([net, left, right]) == "1"  # known to the net, not to the left part
    assert module_path([net, left, loose]) == "0.<Sequential>"
    assert module_path([net, loose]) == "<Sequential>"


class Spy(Module):
    """Notes the stack while it runs."""

    def forward(self, seen):
        seen.append(list(context().module_stack))
        return seen


def test_stack_holds_the_running_modules_and_is_empty_afterwards():
    net = TAOWA.nn.Sequential(TAOWA.nn.Sequential(Spy()))
    (stack,) = net([])
    assert stack == [net, net[0], net[0][0]]
    with pytest.raises(ValueError, match="wrong"):
        net_failing_with(ValueError("wrong"))(1)
    assert context().module_stack == []


def test_each_thread_has_its_own_stack():
    found = []
    thread = threading.Thread(target=lambda: found.extend(spy([])))
    spy = Spy()
    context().module_stack.append(None)
    try:
        thread.start()
        thread.join()
    finally:
        context().module_stack.pop()
    assert found == [[spy]]


def test_outermost_call_alone_tells_the_engine(monkeypatch):
    told = []
    ctx = context()
    monkeypatch.setattr(type(ctx), "enter_outermost_module", lambda _: told.append("enter"))
    monkeypatch.setattr(type(ctx), "leave_outermost_module", lambda _: told.append("leave"))
    TAOWA.nn.Sequential(TAOWA.nn.Sequential(Spy()))(told)
    with pytest.raises(ValueError, match="wrong"):
        net_failing_with(ValueError("wrong"))(1)
    assert [t for t in told if isinstance(t, str)] == ["enter", "leave", "enter"]


class Square(Module):
    def forward(self, x):
        return x * x


def test_evaluation_is_dispatched_once_when_the_outermost_call_returns():
    net, x = TAOWA.nn.Sequential(Square(), TAOWA.nn.Sequential(Square())), TAOWA.ones(2)
    before = taowa.explain()
    with taowa.no_grad():
        y = net(x)
    done = taowa.explain() - before
    assert (done.dispatches, done.num_pending) == (1, 0)
    assert y.tolist() == [1, 1]


def test_training_is_not_cut_where_a_module_returns():
    x = TAOWA.ones(2).requires_grad_()
    before = taowa.explain()
    y = Square()(Square()(x))
    assert (taowa.explain() - before).dispatches == 0
    y.sum().backward()
    Square()(x)  # the next forward pass dispatches the finished backward pass
    assert (taowa.explain() - before).dispatches == 1
