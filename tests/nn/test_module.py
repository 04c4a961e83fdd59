"""Modules register, list, find and visit their members exactly as PyTorch's do."""

import copy
import io
import pickle

import pytest

from taowa.nn.module import Module
from tests.nn.both import LIBRARIES, assert_same

TAOWA = LIBRARIES[1]


def leaf(lib, name="Leaf", extra="", **members):
    """A module class made for the test, with the same name in both libraries."""
    kind = type(name, (lib.nn.Module,), {"extra_repr": lambda self: extra, "__module__": "user"})
    made = kind()
    for key, value in members.items():
        setattr(made, key, value)
    return made


def tree(lib):
    """A net with shared and empty members at three depths."""
    shared = leaf(lib, "Shared", w=lib.parameter(2))
    block = leaf(lib, "Block", "width=2", first=shared, second=shared, gain=lib.parameter(1))
    block.register_buffer("mean", lib.ones(2))
    block.register_buffer("count", lib.ones(1), persistent=False)
    block.register_buffer("none", None)
    net = leaf(lib, "Net", bias=lib.parameter(3))
    net.register_parameter("absent", None)
    net.block = block
    net.add_module("hole", None)
    net.again = block
    net.tied = leaf(lib, "Tied", "a\nb", bias=net.bias, shared=shared)
    return net


@pytest.mark.parametrize("remove_duplicate", [True, False])
@pytest.mark.parametrize("recurse", [True, False])
@pytest.mark.parametrize("listing", ["named_parameters", "named_buffers"])
def test_tensors_are_listed_in_the_same_order_under_the_same_names(
    listing, recurse, remove_duplicate
):
    def names(lib):
        found = getattr(tree(lib), listing)("net", recurse, remove_duplicate)
        return [(name, tuple(member.shape)) for name, member in found]

    assert_same(names)


@pytest.mark.parametrize("remove_duplicate", [True, False])
def test_modules_are_listed_in_the_same_order_under_the_same_names(remove_duplicate):
    def names(lib):
        found = tree(lib).named_modules(prefix="x", remove_duplicate=remove_duplicate)
        return [(name, type(module).__name__) for name, module in found]

    assert "x.block.first" in assert_same(names)


def test_memo_of_named_modules_leaves_out_and_collects():
    def names(lib):
        net = tree(lib)
        memo = {net.block}
        return [name for name, _ in net.named_modules(memo)], len(memo)

    assert_same(names)


@pytest.mark.parametrize(
    "visit",
    [
        lambda net: [name for name, _ in net.named_children()],
        lambda net: [type(m).__name__ for m in net.children()],
        lambda net: [type(m).__name__ for m in net.modules()],
        lambda net: [type(m).__name__ for m in net.modules(remove_duplicate=False)],
        lambda net: [tuple(p.shape) for p in net.parameters()],
        lambda net: [tuple(p.shape) for p in net.parameters(recurse=False)],
        lambda net: [tuple(b.shape) for b in net.buffers()],
        lambda net: [tuple(b.shape) for b in net.buffers(recurse=False)],
    ],
)
def test_plain_listings(visit):
    assert_same(lambda lib: visit(tree(lib)))


def test_apply_visits_children_before_parents():
    def order(lib):
        seen = []
        net = tree(lib)
        assert net.apply(lambda m: seen.append(type(m).__name__)) is net
        return seen

    assert_same(order)


def test_train_and_eval_reach_the_whole_tree():
    def modes(lib):
        net = tree(lib)
        assert net.eval() is net
        evaluated = [m.training for m in net.modules()]
        net.block.train()
        return evaluated, [m.training for m in net.modules()], net.train(False).training

    assert_same(modes)


def test_train_refuses_what_is_no_bool():
    assert_same(lambda lib: tree(lib).train(1))


def test_print_is_the_same():
    assert "(first): Shared()" in assert_same(lambda lib: str(tree(lib)))


@pytest.mark.parametrize("extra", ["", "one", "one\ntwo", "  indented", "one\n\ntwo"])
@pytest.mark.parametrize("has_child", [True, False])
def test_extra_repr_lines(extra, has_child):
    def text(lib):
        inner = leaf(lib, "Inner", extra)
        return str(leaf(lib, "Outer", extra, inner=inner) if has_child else inner)

    assert_same(text)


SETTERS = {
    "parameter over plain": lambda lib, m: setattr(m, "plain", lib.parameter(2)),
    "parameter over buffer": lambda lib, m: setattr(m, "buffer", lib.parameter(2)),
    "parameter over module": lambda lib, m: setattr(m, "child", lib.parameter(2)),
    "parameter over parameter": lambda lib, m: setattr(m, "param", lib.parameter(2)),
    "none over parameter": lambda lib, m: setattr(m, "param", None),
    "tensor over parameter": lambda lib, m: setattr(m, "param", lib.ones(2)),
    "number over parameter": lambda lib, m: setattr(m, "param", 3),
    "module over parameter": lambda lib, m: setattr(m, "param", leaf(lib)),
    "buffer over parameter": lambda lib, m: setattr(m, "param", lib.nn.Buffer(lib.ones(1))),
    "module over plain": lambda lib, m: setattr(m, "plain", leaf(lib)),
    "module over buffer": lambda lib, m: setattr(m, "buffer", leaf(lib)),
    "module over module": lambda lib, m: setattr(m, "child", leaf(lib)),
    "none over module": lambda lib, m: setattr(m, "child", None),
    "number over module": lambda lib, m: setattr(m, "child", 3),
    "tensor over module": lambda lib, m: setattr(m, "child", lib.ones(1)),
    "buffer over module": lambda lib, m: setattr(m, "child", lib.nn.Buffer(lib.ones(1))),
    "buffer over plain": lambda lib, m: setattr(m, "plain", lib.nn.Buffer(lib.ones(1))),
    "new buffer": lambda lib, m: setattr(m, "new", lib.nn.Buffer(lib.ones(1))),
    "new quiet buffer": lambda lib, m: setattr(
        m, "new", lib.nn.Buffer(lib.ones(1), persistent=False)
    ),
    "quiet over loud buffer": lambda lib, m: setattr(
        m, "buffer", lib.nn.Buffer(lib.ones(1), persistent=False)
    ),
    "tensor over buffer": lambda lib, m: setattr(m, "buffer", lib.ones(4)),
    "tensor over quiet buffer": lambda lib, m: setattr(m, "quiet", lib.ones(4)),
    "none over buffer": lambda lib, m: setattr(m, "buffer", None),
    "number over buffer": lambda lib, m: setattr(m, "buffer", 3),
    "tensor is plain": lambda lib, m: setattr(m, "new", lib.ones(4)),
    "list is plain": lambda lib, m: setattr(m, "new", [leaf(lib)]),
    "dotted module": lambda lib, m: setattr(m, "a.b", leaf(lib)),
    "dotted parameter": lambda lib, m: setattr(m, "a.b", lib.parameter(1)),
    "delete parameter": lambda lib, m: delattr(m, "param"),
    "delete buffer": lambda lib, m: delattr(m, "buffer"),
    "delete quiet buffer": lambda lib, m: delattr(m, "quiet"),
    "delete module": lambda lib, m: delattr(m, "child"),
    "delete plain": lambda lib, m: delattr(m, "plain"),
    "delete nothing": lambda lib, m: delattr(m, "nothing"),
    "add module": lambda lib, m: m.add_module("new", leaf(lib)),
    "register module": lambda lib, m: m.register_module("new", leaf(lib)),
    "add over module": lambda lib, m: m.add_module("child", leaf(lib)),
    "add none": lambda lib, m: m.add_module("new", None),
    "add number": lambda lib, m: m.add_module("new", 3),
    "add tensor": lambda lib, m: m.add_module("new", lib.ones(1)),
    "add over parameter": lambda lib, m: m.add_module("param", leaf(lib)),
    "add over method": lambda lib, m: m.add_module("forward", leaf(lib)),
    "add dotted": lambda lib, m: m.add_module("a.b", leaf(lib)),
    "add unnamed": lambda lib, m: m.add_module("", leaf(lib)),
    "add under number": lambda lib, m: m.add_module(3, leaf(lib)),
    "register parameter": lambda lib, m: m.register_parameter("new", lib.parameter(1)),
    "register no parameter": lambda lib, m: m.register_parameter("new", None),
    "register tensor as parameter": lambda lib, m: m.register_parameter("new", lib.ones(1)),
    "register over buffer": lambda lib, m: m.register_parameter("buffer", lib.parameter(1)),
    "register over parameter": lambda lib, m: m.register_parameter("param", lib.parameter(1)),
    "register dotted": lambda lib, m: m.register_parameter("a.b", lib.parameter(1)),
    "register unnamed": lambda lib, m: m.register_parameter("", lib.parameter(1)),
    "register under number": lambda lib, m: m.register_parameter(3, lib.parameter(1)),
    "buffer again": lambda lib, m: m.register_buffer("buffer", lib.ones(9)),
    "buffer becomes quiet": lambda lib, m: m.register_buffer("buffer", lib.ones(9), False),
    "buffer becomes loud": lambda lib, m: m.register_buffer("quiet", lib.ones(9)),
    "number as buffer": lambda lib, m: m.register_buffer("new", 3),
    "module as buffer": lambda lib, m: m.register_buffer("new", leaf(lib)),
    "buffer over plain name": lambda lib, m: m.register_buffer("plain", lib.ones(1)),
    "buffer dotted": lambda lib, m: m.register_buffer("a.b", lib.ones(1)),
    "buffer unnamed": lambda lib, m: m.register_buffer("", lib.ones(1)),
    "buffer under number": lambda lib, m: m.register_buffer(3, lib.ones(1)),
}


def members(module):
    """What a module holds, as names only."""
    quiet = sorted(module._non_persistent_buffers_set)
    plain = [k for k in module.__dict__ if k in ("plain", "new", "param", "buffer", "child", "a.b")]
    tables = (module._parameters, module._buffers, module._modules)
    return [[(k, v is None) for k, v in table.items()] for table in tables], quiet, plain


@pytest.mark.parametrize("setter", SETTERS.values(), ids=SETTERS.keys())
def test_setting_and_deleting_follow_the_same_rules(setter):
    def after(lib):
        module = leaf(lib, param=lib.parameter(1), plain=3, child=leaf(lib))
        module.register_buffer("buffer", lib.ones(1))
        module.register_buffer("quiet", lib.ones(1), persistent=False)
        try:
            setter(lib, module)
        finally:
            found.append(members(module))

    found = []
    assert_same(after)
    assert found[0] == found[1]


@pytest.mark.parametrize("value", ["parameter", "module", "buffer", "plain", "register_buffer"])
def test_assigning_before_init(value):
    def assign(lib):
        class Late(lib.nn.Module):
            def __init__(self):
                if value == "parameter":
                    self.x = lib.parameter(1)
                elif value == "module":
                    self.x = lib.nn.Sequential()
                elif value == "buffer":
                    self.x = lib.nn.Buffer(lib.ones(1))
                elif value == "register_buffer":
                    self.register_buffer("x", lib.ones(1))
                else:
                    self.x = 1
                super().__init__()

        return Late().x

    assert_same(assign)


def test_plain_tensors_and_lists_are_not_registered():
    module = leaf(TAOWA, tensor=TAOWA.ones(2), modules_=[leaf(TAOWA, w=TAOWA.parameter(1))])
    assert list(module.state_dict()) == list(module.modules())[1:] == []


@pytest.mark.parametrize("name", ["nothing", "weight", "_parameters"])
def test_missing_attribute(name):
    assert_same(lambda lib: getattr(leaf(lib), name))


def test_missing_attribute_is_told_to_the_interpreter_for_its_suggestion():
    module = leaf(TAOWA, weight=TAOWA.parameter(1))
    with pytest.raises(AttributeError) as caught:
        _ = module.weigth
    assert caught.value.name == "weigth"
    assert caught.value.obj is module


def test_dir_lists_members_but_no_numbers():
    def names(lib):
        module = leaf(lib, "Dir", param=lib.parameter(1), child=leaf(lib), plain=1)
        module.add_module("0", leaf(lib))
        module.register_buffer("buffer", lib.ones(1))
        return [n for n in dir(module) if n in ("param", "child", "plain", "buffer", "0")]

    assert_same(names)


def test_public_names_are_all_there():
    theirs = {n for n in dir(LIBRARIES[0].nn.Module) if not n.startswith("_")}
    assert theirs - set(dir(Module)) == {"T_destination", "dump_patches"}


FINDERS = [
    lambda net: type(net.get_submodule("")).__name__,
    lambda net: type(net.get_submodule("block.first")).__name__,
    lambda net: net.get_submodule("block.third"),
    lambda net: net.get_submodule("hole"),
    lambda net: net.get_submodule("block.gain"),
    lambda net: net.get_submodule("block..first"),
    lambda net: tuple(net.get_parameter("block.first.w").shape),
    lambda net: tuple(net.get_parameter("bias").shape),
    lambda net: net.get_parameter("block.mean"),
    lambda net: net.get_parameter("absent"),
    lambda net: net.get_parameter("nothing"),
    lambda net: tuple(net.get_buffer("block.mean").shape),
    lambda net: net.get_buffer("block.gain"),
    lambda net: net.get_buffer("block.nothing"),
    lambda net: net.get_buffer("nothing.mean"),
    lambda net: net.set_submodule("block.first", net.tied) or str(net),
    lambda net: net.set_submodule("block.new", net.tied) or str(net),
    lambda net: net.set_submodule("new", net.block) or str(net.new),
    lambda net: net.set_submodule("block.new", net.tied, strict=True),
    lambda net: net.set_submodule("nothing.new", net.tied),
    lambda net: net.set_submodule("block.gain", net.tied),
    lambda net: net.set_submodule("", net.tied),
    lambda net: net.set_submodule("block", 3),
]


@pytest.mark.parametrize("find", FINDERS)
def test_members_by_dotted_name(find):
    assert_same(lambda lib: find(tree(lib)))


def test_init_takes_no_arguments():
    for make in (lambda nn: nn.Module(1), lambda nn: nn.Module(width=1)):
        assert_same(lambda lib, make=make: make(lib.nn))


def test_call_super_init_goes_on_to_other_bases():
    def made(lib):
        class Other:
            def __init__(self, width):
                self.width = width

        class Both(lib.nn.Module, Other):
            call_super_init = True

        return Both(5).width, Both(width=6).width

    assert_same(made)


def test_forward_is_required():
    assert_same(lambda lib: leaf(lib)(1))


def test_overridden_register_buffer_without_persistent():
    def made(lib):
        class Old(lib.nn.Module):
            def register_buffer(self, name, tensor):
                super().register_buffer(name, tensor)

        module = Old()
        module.x = lib.nn.Buffer(lib.ones(1))
        return list(module.state_dict())

    assert_same(made)
    module = type("Old", (Module,), {"register_buffer": lambda self, name, tensor: None})()
    with pytest.raises(RuntimeError, match="non-persistent buffer 'x'"):
        module.x = TAOWA.nn.Buffer(TAOWA.ones(1), persistent=False)


def test_compile_changes_nothing():
    module = TAOWA.nn.Sequential()
    assert module.compile(mode="max-autotune") is None
    assert module(5) == 5


def test_deepcopy_is_independent_and_keeps_sharing_inside():
    def copied(lib):
        net = tree_of_known_classes(lib)
        twin = copy.deepcopy(net)
        twin.a.w.data = lib.tensor([7, 7])
        tied = twin.a.w is twin.b.w
        return (
            net.a.w.tolist(),
            twin.b.w.tolist(),
            tied,
            twin.a.w.requires_grad,
            list(twin.children()),
        )

    assert_same(copied)


def tree_of_known_classes(lib):
    net = lib.nn.Module()
    net.a, net.b = lib.nn.Module(), lib.nn.Module()
    net.a.w = net.b.w = lib.parameter(2)
    net.a.register_buffer("m", lib.ones(1), persistent=False)
    return net


def test_deepcopy_drops_gradients_as_in_torch():
    def grad(lib):
        net = tree_of_known_classes(lib)
        net.a.w.grad = lib.ones(2)
        return copy.deepcopy(net).a.w.grad

    assert_same(grad)


def test_pickle_round_trip():
    net = tree_of_known_classes(TAOWA)
    net.a.w.data = TAOWA.tensor([3, 4])
    net.eval()
    again = pickle.load(io.BytesIO(pickle.dumps(net)))
    assert again.a.w is again.b.w
    assert again.a.w.tolist() == [3, 4]
    assert not again.a.training
    assert list(again.state_dict()) == ["a.w", "b.w"]
    assert list(dict(again.named_buffers())) == ["a.m"]


def test_old_pickles_get_the_tables_that_they_lack():
    module = Module()
    state = {k: v for k, v in module.__dict__.items() if "hooks" not in k}
    again = Module.__new__(Module)
    again.__setstate__(state)
    assert again._forward_hooks == again._state_dict_pre_hooks == {}
    assert again._non_persistent_buffers_set == set()
