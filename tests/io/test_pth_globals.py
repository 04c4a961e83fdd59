"""What a file can call: nothing. And what the few names it may use make of odd arguments."""

import io
import os
import pickle
import struct
import sys
from collections import Counter, OrderedDict

import pytest
import torch

import taowa
from taowa.errors import LoadError
from taowa.io import load
from tests.io.crafting import (
    Call,
    Store,
    checkpoint,
    load_bytes,
    peak_bytes,
    pickled,
    tensor_call,
    zipped,
)

NAMES = """
os system|os popen|os execv|os remove|os spawnl|posix system|posix popen|nt system|subprocess Popen
subprocess call|subprocess run|subprocess check_output|subprocess getoutput|builtins eval
builtins exec|builtins compile|builtins getattr|builtins setattr|builtins __import__|builtins open
builtins map|builtins globals|builtins type|builtins object|builtins breakpoint|builtins print
builtins list|builtins dict|__builtin__ eval|__builtin__ exec|__builtin__ getattr|__builtin__ apply
__builtin__ execfile|__builtin__ file|commands getoutput|runpy run_path|runpy _run_code|pty spawn
ctypes CDLL|ctypes WinDLL|ctypes.util find_library|webbrowser open|shutil rmtree|shutil move
socket create_connection|pickle loads|_pickle loads|marshal loads|types FunctionType|types CodeType
importlib import_module|importlib.machinery SourceFileLoader|operator attrgetter
operator methodcaller|_operator attrgetter|functools partial|functools reduce|itertools starmap
code interact|codeop compile_command|pdb run|bdb Bdb.run|timeit timeit|cProfile run|profile run
_interpreters run_string|_xxsubinterpreters run_string|_testcapi run_in_subinterp
asyncio.unix_events _UnixSubprocessTransport._start|pip main|venv create|ensurepip bootstrap
urllib.request urlretrieve|http.client HTTPSConnection|smtplib SMTP|ftplib FTP|sys exit
sys modules|signal alarm|linecache getlines|logging.config fileConfig|multiprocessing Process
concurrent.futures ThreadPoolExecutor|numpy load|numpy.f2py.crackfortran getlincoef
numpy.testing._private.utils runstring|numpy.core.multiarray _reconstruct|doctest debug_script
torch load|torch.serialization load|torch.jit load|torch.hub load|torch.package PackageImporter
torch._utils _import_dotted_name|torch._utils _set_obj_state|torch._utils _rebuild_wrapper_subclass
torch._dynamo.guards GuardBuilder.get|torch.utils._config_module ConfigModule.load_config
torch.utils.bottleneck.__main__ run_cprofile|torch.fx.experimental.symbolic_shapes ShapeEnv
torch nn.Linear|torch os.system|torch._C _jit_get_operation|torch.storage _load_from_bytes
pathlib os.system|pathlib Path.unlink|collections OrderedDict.fromkeys|collections abc.Callable
collections defaultdict|collections namedtuple|collections __builtins__|builtins set.union
builtins bytearray.__class__|builtins complex.from_number|_codecs lookup|codecs open|_codecs decode
torch float32.__class__|torch Size.__mro__|torch.nn.parameter Parameter|torch Tensor.__reduce_ex__
copyreg _reconstructor|copy_reg _reconstructor|__main__ Evil|site main|idlelib.pyshell main
lib2to3.pgen2.grammar Grammar.loads|tkinter.messagebox showerror|distutils.file_util write_file
""".replace("\n", "|").split("|")
NAMES = [tuple(name.split()) for name in NAMES if name]


def short_string(text):
    return b"\x8c" + bytes([len(text)]) + text.encode()


def programs(module, name, argument):
    """The ways in which a pickle can come to call a name."""
    text = b"X" + struct.pack("<I", len(argument)) + argument.encode()
    found = b"c" + f"{module}\n{name}\n".encode()
    yield b"\x80\x02" + found + b"."
    yield b"\x80\x02" + found + text + b"\x85R."
    yield b"\x80\x02" + found + text + b"\x85\x81."  # NEWOBJ
    yield b"\x80\x02]" + found + b"a(" + text + b"tR."
    yield b"\x80\x02(" + text + b"i" + f"{module}\n{name}\n.".encode()  # INST
    yield b"\x80\x02(" + found + text + b"o."  # OBJ
    yield b"\x80\x04" + short_string(module) + short_string(name) + b"\x93" + text + b"\x85R."
    yield b"(S'" + argument.encode() + b"'\n" + found + b"R."  # protocol 0


watching = []
events = []
FORBIDDEN = ("exec", "compile", "import", "open", "os.", "subprocess.", "socket.", "ctypes.",
             "pickle.", "marshal.", "shutil.", "urllib.", "tempfile.", "pty.")  # fmt: skip


def note_event(event, arguments):
    if watching and event.startswith(FORBIDDEN):
        events.append((event, arguments))


sys.addaudithook(note_event)


def refuse(data):
    """Load bytes that must be refused; nothing may be run, imported or opened meanwhile."""
    file = io.BytesIO(data)
    modules = set(sys.modules)
    events.clear()
    watching.append(True)
    try:
        load(file)
    except LoadError:
        watching.clear()
        assert events == []
        assert set(sys.modules) == modules
        return
    finally:
        watching.clear()
    raise AssertionError("it was loaded")


@pytest.mark.parametrize("name", NAMES, ids=".".join)
def test_no_name_is_called_in_any_way(name, tmp_path):
    canary = tmp_path / "canary"
    for argument in (f"touch {canary}", f"open({str(canary)!r}, 'w')", str(canary)):
        for program in programs(*name, argument):
            refuse(checkpoint(program))
    assert not canary.exists()


def test_corpus_is_large():
    assert len(set(NAMES)) * 8 * 3 >= 300
    assert len(set(NAMES)) == len(NAMES)


def test_payload_works_in_pickle_itself(tmp_path):
    """Otherwise the corpus would prove nothing."""
    for i, program in enumerate(programs("builtins", "open", str(tmp_path / "canary"))):
        assert i == 0 or b"open" in program
    pickle.loads(pickle.dumps(Call(os.mkdir, str(tmp_path / "made")), 2))
    assert (tmp_path / "made").exists()
    pickle.loads(next(p for p in list(programs("os", "mkdir", str(tmp_path / "two")))[1:]))
    assert (tmp_path / "two").exists()


def test_name_is_in_the_message():
    with pytest.raises(LoadError, match=r"data\.pkl, byte 13 \(GLOBAL\): .* type os\.system"):
        load_bytes(checkpoint(b"\x80\x02cos\nsystem\n)R."))


def test_name_with_control_characters_is_shown_safely():
    with pytest.raises(LoadError) as caught:
        load_bytes(checkpoint(b"\x80\x02cos\x1b[31m\nx\x07\n."))
    assert str(caught.value).isprintable()


# -- names that are allowed, with wrong arguments -----------------------------------------

rebuild = torch._utils._rebuild_tensor_v2
rebuild_3 = torch._utils._rebuild_tensor_v3
parameter = torch._utils._rebuild_parameter

WRONG_CALLS = {
    "bytearray of a number": Call(bytearray, 2**33),
    "bytearray of a list": Call(bytearray, [1]),
    "set of a string": Call(set, "ab"),
    "set of lists": Call(set, [[1]]),
    "complex of strings": Call(complex, "1", "2"),
    "complex of one": Call(complex, 1.0),
    "size of strings": Call(torch.Size, ("a",)),
    "size of a list": Call(torch.Size, [1]),
    "ordered dict of strings": Call(OrderedDict, ["ab"]),
    "ordered dict of a dict": Call(OrderedDict, {"a": 1}),
    "ordered dict with a list as key": Call(OrderedDict, [([], 1)]),
    "counter of a list": Call(Counter, [1, 1]),
    "device of a number": Call(torch.device, 3),
    "unknown device": Call(torch.device, "privateuseone"),
    "device with a foreign digit": Call(torch.device, "cuda:²"),
    "device with a text index": Call(torch.device, "cuda", "0"),
    "a function that is kept": rebuild,
    "a class that is kept": OrderedDict,
    "a storage that is kept": Store(),
    "a storage class that is kept": torch.FloatStorage,
    "tensor without storage": Call(rebuild, 1, 0, (1,), (1,), False, {}),
    "tensor with hooks": tensor_call(hooks={1: 2}),
    "tensor with requires_grad=1": tensor_call(requires_grad=1),
    "integer tensor that requires grad": tensor_call(
        store=Store(torch.IntStorage), requires_grad=True
    ),
    "tensor with too few arguments": Call(rebuild, Store()),
    "tensor with a negative flag that is no bool": Call(
        rebuild, Store(), 0, (4,), (1,), False, {}, {"neg": 1}
    ),
    "conjugated real tensor": Call(rebuild, Store(), 0, (4,), (1,), False, {}, {"conj": True}),
    "other tensor metadata": Call(rebuild, Store(), 0, (4,), (1,), False, {}, {"x": True}),
    "typed tensor on untyped storage": Call(
        rebuild, Store(torch.UntypedStorage, numel=16), 0, (4,), (1,), False, {}
    ),
    "new tensor on typed storage": Call(rebuild_3, Store(), 0, (4,), (1,), False, {}, torch.uint16),
    "new tensor without type": Call(
        rebuild_3, Store(torch.UntypedStorage, numel=16), 0, (4,), (1,), False, {}, "uint16"
    ),
    "parameter of a list": Call(parameter, [1.0], True, {}),
    "parameter of a storage": Call(parameter, Store(), True, {}),
    "persistent id that is a number": Store(word=1),
    "persistent id of another kind": Store(word="module"),
    "key that is no number": [tensor_call(store=Store(key="../0"))],
    "key with foreign digits": [tensor_call(store=Store(key="٣"))],
    "key that is a number": [tensor_call(store=Store(key=0))],
    "location that is a number": [tensor_call(store=Store(location=0))],
    "negative length": [tensor_call(store=Store(numel=-1))],
    "huge length": [tensor_call(store=Store(numel=2**62))],
    "length that is a float": [tensor_call(store=Store(numel=4.0))],
    "length that is a bool": [tensor_call(store=Store(numel=True))],
    "length other than the record's": [tensor_call(store=Store(numel=3), size=(3,))],
    "record that is missing": [tensor_call(store=Store(key="1"))],
    "two types of one storage": [
        tensor_call(),
        tensor_call(store=Store(torch.IntStorage)),
    ],
    "an attribute that exists": Call(
        torch._utils._rebuild_parameter_with_state, tensor_call(), True, {}, {"shape": 1}
    ),
    "an attribute of the engine": Call(
        torch._utils._rebuild_parameter_with_state, tensor_call(), True, {}, {"_storage": 1}
    ),
    "an attribute that is no plain value": Call(
        torch._utils._rebuild_parameter_with_state, tensor_call(), True, {}, {"a": [1]}
    ),
}


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_wrong_arguments_are_refused(name):
    refuse(checkpoint(pickled(WRONG_CALLS[name])))


@pytest.mark.parametrize(
    "state",
    [{"x": 1}, {"_metadata": {}, "x": 1}, {"_metadata": 3}, {"__class__": {}}, [], {}],
)
def test_ordered_dict_takes_no_other_attribute(state):
    program = b"\x80\x02ccollections\nOrderedDict\n)R" + pickled(state)[2:-1] + b"b."
    refuse(checkpoint(program))


def test_bytes_that_are_none():
    import_free = b"\x80\x02c_codecs\nencode\n"
    for text, encoding in (("☃", "latin1"), ("a", "utf-8"), ("61", "hex"), ("a", "rot13")):
        arguments = pickled((text, encoding))[2:-1]
        refuse(checkpoint(import_free + arguments + b"R."))


def test_bytearray_bomb_takes_no_memory():
    data = checkpoint(pickled(Call(bytearray, 2**33)))
    assert peak_bytes(lambda: refuse(data)) < 1 << 20


AMPLIFIERS = {
    "bytes": b"c_codecs\nencode\nq\x00" + pickled("x" * 100_000)[2:-1] + b"q\x01"
    b"X\x06\0\0\0latin1\x86q\x02]q\x03(" + b"h\x00h\x02R" * 5000 + b"e.",
    "sets": b"c__builtin__\nset\nq\x00]q\x01(" + b"".join(b"M%b" % struct.pack("<H", i)
    for i in range(20_000)) + b"e\x85q\x02](" + b"h\x00h\x02R" * 5000 + b"e.",
    "tensors": pickled([rebuild, (Store(), 0, (4,), (1,), False, {})])[2:-1]
    + b"ctorch._utils\n_rebuild_tensor_v2\nq\x50](h\x50h\x0a" + b"h\x50h\x0aR" * 5000 + b"e.",
}  # fmt: skip


@pytest.mark.parametrize("name", AMPLIFIERS)
def test_copies_of_what_was_made_once_are_bounded(name):
    data = checkpoint(b"\x80\x02" + AMPLIFIERS[name])
    assert peak_bytes(lambda: refuse(data)) < 16 << 20


def test_many_views_of_one_storage_are_bounded():
    big = bytes(1 << 20)
    store = Store(numel=1 << 18)
    views = [tensor_call((1 << 18,), (0,), offset=i, store=store) for i in range(200)]
    data = checkpoint(pickled(views), data=big)
    with pytest.raises(LoadError, match=r"its tensors come to over .*expansion"):
        load_bytes(data)
    assert len(load_bytes(data, limits=taowa.io.Limits(expansion=1000))) == 200


def test_huge_view_takes_no_memory():
    data = checkpoint(pickled(tensor_call((1 << 40,), (0,))))
    assert peak_bytes(lambda: refuse(data)) < 16 << 20


def test_unused_extra_bytes_after_the_pickle():
    refuse(checkpoint(pickled([1]) + b"x"))


def test_names_of_python_2_and_3_mean_the_same():
    for module in ("__builtin__", "builtins"):
        program = b"\x80\x02c" + module.encode() + b"\nset\n](K\x01K\x02e\x85R."
        assert load_bytes(checkpoint(program)) == {1, 2}


def test_pickle_is_found_only_in_its_record():
    with pytest.raises(LoadError, match="record version is missing"):
        load_bytes(zipped({"data.pkl": pickled([1])}))


def test_audit_hook_notices_an_open_file():
    events.clear()
    watching.append(True)
    with open(os.devnull):  # noqa: PTH123  (the event of the plain call)
        watching.clear()
    assert [event for event, _ in events] == ["open"]
