"""State dicts have the same keys, order, metadata, errors and hooks as PyTorch's."""

import copy
import gc
import pickle
from collections import OrderedDict

import numpy as np
import pytest

from taowa.nn.module import Module
from tests.nn.both import LIBRARIES, assert_same, outcome

TAOWA = LIBRARIES[1]


def linear(lib, rows, columns, bias=True):
    """A module with the members of a linear layer."""
    module = lib.nn.Module()
    module.weight = lib.nn.Parameter(lib.tensor(np.arange(rows * columns).reshape(rows, columns)))
    module.register_parameter("bias", lib.parameter(rows) if bias else None)
    return module


def net(lib, width=2):
    """A net with buffers, sharing, a hole and two levels."""
    made = lib.nn.Sequential(linear(lib, width, 3), lib.nn.Sequential(linear(lib, 1, width, False)))
    made.norm = lib.nn.Module()
    made.norm.register_buffer("mean", lib.ones(width))
    made.norm.register_buffer("scratch", lib.ones(width), persistent=False)
    made.norm.register_buffer("steps", lib.tensor(0, np.int64))
    made.add_module("hole", None)
    made.again = made[0]
    return made


def read(state):
    return [(key, value.tolist(), value.requires_grad) for key, value in state.items()]


def numbered(lib, width=2, start=100):
    """A state dict of plain tensors with values that tell where they came from."""
    state = OrderedDict()
    for i, (key, value) in enumerate(net(lib, width).state_dict().items()):
        dtype = np.int64 if key.endswith("steps") else np.float32
        state[key] = lib.tensor(np.full(tuple(value.shape), start + i), dtype)
    return state


def test_keys_values_and_order():
    assert_same(lambda lib: read(net(lib).state_dict()))
    assert_same(lambda lib: type(net(lib).state_dict()).__name__)


def test_prefix_destination_and_keep_vars():
    def state(lib):
        made = net(lib)
        mine = {"already": lib.ones(1)}
        returned = made.state_dict(destination=mine, prefix="net.", keep_vars=True)
        kept = mine["net.0.weight"] is made[0].weight
        return read(mine), returned is mine, kept

    assert_same(state)


def test_metadata_holds_versions():
    def metadata(lib):
        made = net(lib)
        made.norm._version = 5
        return dict(made.state_dict()._metadata), dict(made.state_dict(prefix="x.")._metadata)

    assert_same(metadata)


def test_arguments_by_position_still_work_with_a_warning():
    def state(lib):
        mine = OrderedDict()
        net(lib).state_dict(mine, "net.", True)
        return read(mine)

    assert "warns FutureWarning" in assert_same(state)


def test_values_share_memory_with_the_module():
    def shared(lib):
        made = net(lib)
        state = made.state_dict()
        snapshot = copy.deepcopy(state)
        state["0.bias"].copy_(lib.tensor([5, 6]))
        return made[0].bias.tolist(), snapshot["0.bias"].tolist()

    assert_same(shared)


def test_load_copies_in_place():
    def loaded(lib):
        made = net(lib)
        weight = made[0].weight
        state = numbered(lib)
        result = made.load_state_dict(state)
        state["0.weight"].copy_(lib.tensor(np.zeros((2, 3))))
        return result, read(made.state_dict()), made[0].weight is weight, weight.requires_grad

    assert "<All keys matched successfully>" in assert_same(loaded)


def test_load_turns_values_into_the_modules_type():
    def loaded(lib):
        made = linear(lib, 1, 2)
        made.load_state_dict(
            {"weight": lib.tensor([[1.5, 2]], np.float64), "bias": lib.tensor([3], np.int32)}
        )
        return [(str(v.dtype), v.tolist()) for v in made.state_dict().values()]

    assert_same(loaded)


def change(key, value=None):
    def apply(lib, state):
        if value is None:
            del state[key]
        else:
            state[key] = value(lib)

    return apply


FAULTS = {
    "missing": [change("0.weight"), change("norm.mean")],
    "unexpected": [change("extra", lambda lib: lib.ones(1))],
    "unexpected deep": [change("0.extra", lambda lib: lib.ones(1))],
    "unexpected child": [change("child.w", lambda lib: lib.ones(1))],
    "unexpected below": [change("0.weight.more", lambda lib: lib.ones(1))],
    "scratch given": [change("norm.scratch", lambda lib: lib.ones(2))],
    "hole given": [change("hole.w", lambda lib: lib.ones(2))],
    "absent bias given": [change("1.0.bias", lambda lib: lib.ones(1))],
    "missing and unexpected": [change("0.weight"), change("extra", lambda lib: lib.ones(1))],
    "wrong shape": [change("0.weight", lambda lib: lib.ones(3, 2))],
    "two wrong shapes": [
        change("0.weight", lambda lib: lib.ones(3, 2)),
        change("norm.mean", lambda lib: lib.ones(1)),
    ],
    "scalar for vector": [change("norm.mean", lambda lib: lib.tensor(1))],
    "one element for scalar": [change("norm.steps", lambda lib: lib.tensor([7], np.int64))],
    "two elements for scalar": [change("norm.steps", lambda lib: lib.tensor([7, 8], np.int64))],
    "array": [change("norm.mean", lambda lib: np.ones(2))],
    "number": [change("norm.mean", lambda lib: 3)],
    "extra state": [change("_extra_state", lambda lib: lib.ones(1))],
    "deep extra state": [change("0._extra_state", lambda lib: lib.ones(1))],
    "everything": [
        change("0.weight"),
        change("extra", lambda lib: lib.ones(1)),
        change("norm.mean", lambda lib: lib.ones(1)),
    ],
}


@pytest.mark.parametrize("assign", [False, True])
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS.keys())
def test_what_does_not_fit_is_told_in_the_same_words(faults, strict, assign):
    def loaded(lib):
        made, state = net(lib), numbered(lib)
        for fault in faults:
            fault(lib, state)
        try:
            return made.load_state_dict(state, strict=strict, assign=assign)
        finally:
            after.append(read(made.state_dict()))

    after = []
    assert_same(loaded)
    assert after[0] == after[1]


def test_load_from_another_width():
    assert_same(lambda lib: net(lib, 4).load_state_dict(net(lib, 2).state_dict()))


def test_load_takes_mappings_only():
    assert_same(lambda lib: net(lib).load_state_dict([]))
    assert_same(lambda lib: net(lib).load_state_dict(None))


def test_result_prints_unpacks_and_pickles():
    def result(lib):
        keys = net(lib).load_state_dict({"extra": lib.ones(1)}, strict=False)
        missing, unexpected = keys
        return str(keys), missing, unexpected, keys.missing_keys is missing

    assert_same(result)


def test_error_while_copying_is_listed_with_the_others(monkeypatch):
    made, state = net(TAOWA), numbered(TAOWA)
    monkeypatch.setattr(Module, "_take_tensor", lambda *_: 1 / 0)
    text = outcome(made.load_state_dict, state)
    assert text.startswith(
        "raises RuntimeError: Error(s) in loading state_dict for Sequential:\n\t"
    )
    assert (
        'While copying the parameter named "0.weight", whose dimensions in the model are '
        "torch.Size([2, 3]) and whose dimensions in the checkpoint are torch.Size([2, 3]), "
        "an exception occurred : ('division by zero',)."
    ) in text


def test_assign_takes_the_tensors_themselves():
    def loaded(lib):
        made = net(lib)
        made[0].bias.requires_grad_(False)
        state = OrderedDict((k, v.double()) for k, v in numbered(lib).items() if "steps" not in k)
        state["norm.steps"] = lib.tensor(4, np.int64)
        mine = state["1.0.weight"] = lib.nn.Parameter(lib.ones(1, 2), requires_grad=False)
        made.load_state_dict(state, assign=True)
        own = [(type(v).__name__, str(v.dtype)) for _, v in made.named_parameters()]
        return read(made.state_dict(keep_vars=True)), own, made[1][0].weight is mine

    assert_same(loaded)


def counter(lib, name="Counter", getter=True, setter=True):
    """A module with extra state."""
    body = {"__module__": "user", "count": 0}
    if getter:
        body["get_extra_state"] = lambda self: {"count": self.count}
    if setter:
        body["set_extra_state"] = lambda self, state: setattr(self, "count", state["count"])
    return type(name, (lib.nn.Module,), body)()


def test_extra_state_is_saved_and_restored():
    def round_trip(lib):
        made = lib.nn.Sequential(counter(lib))
        made[0].count = 7
        state = made.state_dict()
        twin = lib.nn.Sequential(counter(lib))
        result = twin.load_state_dict(state)
        return dict(state), result, twin[0].count

    assert_same(round_trip)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("getter", "setter", "given"),
    [(True, True, False), (True, False, True), (False, True, False), (False, False, True)],
)
def test_extra_state_missing_or_unexpected(getter, setter, given, strict):
    def loaded(lib):
        made = lib.nn.Sequential(counter(lib, getter=getter, setter=setter))
        state = {"0._extra_state": {"count": 3}} if given else {}
        return list(made.state_dict()), made.load_state_dict(state, strict)

    assert_same(loaded)


def test_extra_state_must_be_overridden_before_it_is_asked_for():
    for name, args in (("get_extra_state", ()), ("set_extra_state", (1,))):
        with pytest.raises(RuntimeError, match=f"override {name}"):
            getattr(Module(), name)(*args)


def test_versioned_loading_of_a_layer():
    def loaded(lib):
        seen = []

        class Versioned(lib.nn.Module):
            _version = 2

            def __init__(self):
                super().__init__()
                self.register_buffer("steps", lib.tensor(0, np.int64))

            def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest):
                version = local_metadata.get("version")
                seen.append((prefix, version, sorted(local_metadata)))
                if version is None or version < 2:
                    state_dict[prefix + "steps"] = lib.tensor(9, np.int64)
                super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

        made = lib.nn.Sequential(Versioned())
        made.load_state_dict({})
        first = made[0].steps.tolist()
        made.load_state_dict(made.state_dict())
        return first, seen

    assert_same(loaded)


# -- hooks --------------------------------------------------------------------------------


def test_saving_hooks_run_in_order_on_every_level():
    def log(lib):
        made, seen = net(lib), []
        for module in (made, made[0]):
            name = str(len(list(module.children())))
            module.register_state_dict_pre_hook(
                lambda m, prefix, keep, name=name: seen.append(("pre", name, prefix, keep))
            )
            module.register_state_dict_post_hook(
                lambda m, state, prefix, meta, name=name: seen.append(
                    ("post", name, prefix, len(state), meta)
                )
            )
        made.state_dict(prefix="x.")
        return seen

    assert_same(log)


def test_private_hook_may_replace_the_state_and_public_may_not():
    def private(lib):
        made = net(lib)
        made._register_state_dict_hook(lambda m, state, prefix, meta: {"only": lib.ones(1)})
        return read(made.state_dict())

    def public(lib):
        made = net(lib)
        made.register_state_dict_post_hook(lambda m, state, prefix, meta: {})
        return made.state_dict()

    def both(lib):
        def hook(*_):
            return None

        made = net(lib)
        made.register_state_dict_post_hook(hook)
        made._register_state_dict_hook(hook)

    for function in (private, public, both):
        assert_same(function)


def test_loading_hooks_see_and_change_everything():
    def log(lib):
        made, seen = net(lib), []

        def rename(module, state, prefix, meta, strict, missing, unexpected, errors):
            seen.append((prefix, strict, list(missing), meta))
            state[prefix + "bias"] = state.pop(prefix + "offset")

        def forgive(module, keys):
            seen.append((list(keys.missing_keys), list(keys.unexpected_keys)))
            keys.missing_keys.clear()

        handles = [made[0].register_load_state_dict_pre_hook(rename)]
        handles.append(made.register_load_state_dict_post_hook(forgive))
        state = numbered(lib)
        state["0.offset"], state["again.offset"] = state.pop("0.bias"), state.pop("again.bias")
        del state["norm.mean"]
        result = made.load_state_dict(state)
        for handle in handles:
            handle.remove()
        return seen, result, read(made.state_dict()), outcome(made.load_state_dict, state)

    assert_same(log)


def test_post_hook_must_not_return():
    def loaded(lib):
        made = net(lib)
        made.register_load_state_dict_post_hook(lambda module, keys: keys)
        return made.load_state_dict(made.state_dict())

    assert "AssertionError" in assert_same(loaded)


def test_private_pre_hook_without_module():
    def log(lib):
        made, seen = net(lib), []
        made._register_load_state_dict_pre_hook(lambda *args: seen.append(len(args)))
        made._register_load_state_dict_pre_hook(
            lambda module, *args: seen.append((module is made, len(args))), with_module=True
        )
        made.load_state_dict(made.state_dict())
        return seen

    assert_same(log)


class Renaming(Module):
    """Registers its own method as a hook, as wrappers do."""

    def __init__(self):
        super().__init__()
        self.seen = 0
        self.register_load_state_dict_pre_hook(count_load)


def count_load(module, *_):
    module.seen += 1


def test_hook_of_a_copy_gets_the_copy():
    first = Renaming()
    for twin in (copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
        twin.load_state_dict({})
        assert (first.seen, twin.seen) == (0, 1)


def test_hook_does_not_keep_its_module_alive():
    module = Renaming()
    (hook,) = module._load_state_dict_pre_hooks.values()
    del module
    gc.collect()
    with pytest.raises(RuntimeError, match="dead Module"):
        hook({})
    with pytest.raises(RuntimeError, match="dead Module"):
        pickle.loads(pickle.dumps(hook))
