"""Names and signatures of every operation: PyTorch's, all of them and nothing else."""

import inspect

import pytest
import torch

import taowa
from taowa.core.api import INPLACE, METHODS, NAMES
from tests.ops.trials import problems, start
from tests.samples.ops import aliases, attribute, cases, has_values, paths, target

PATHS = paths()
# Arguments that have no meaning here, or that only PyTorch's compiler uses.
UNUSED = {"layout", "out", "out_dtype", "pin_memory"}
# PyTorch's schema has other names than its documentation, or further functions on lists.
OTHER_NAMES = {
    "result_type",  # two names for each operand, by its kind
    "Tensor.copy_", "eq", "isin", "ne", "nn.functional.elu_", "nn.functional.one_hot", "sort",
    "unsafe_split",
}  # fmt: skip
ELSEWHERE_IN_TORCH = {"fork_rng"}  # torch.random's


def test_aliases_are_the_operations_they_are_named_after():
    trials = []
    for alias, _ in aliases():
        op = target(alias)
        if op.theirs is None or not has_values(alias):
            continue
        found = cases(alias, torch.float32, 1) or cases(alias, torch.int64, 1)
        trials += [start(op.ours, op.theirs, pair[0], f"{alias} ", order=0) for pair in found[:1]]
    different = [text for t in trials if not t.theirs.error for text in problems(t)]
    assert not different, "\n".join(different)


def test_names_are_pytorch_s():
    own = set(NAMES) - set(INPLACE) - ELSEWHERE_IN_TORCH
    functions = [n for n in own if not hasattr(torch, n)]
    methods = [name for name in METHODS if not hasattr(torch.Tensor, name)]
    assert not functions, f"not in torch: {functions}"
    assert not methods, f"not methods of torch.Tensor: {methods}"


def test_what_is_a_method_in_pytorch_is_one_here():
    missing = [n for n in NAMES if hasattr(torch.Tensor, n) and not hasattr(taowa.Tensor, n)]
    in_place = [
        f"{n}_"
        for n in NAMES
        if hasattr(torch.Tensor, f"{n}_") and not hasattr(taowa.Tensor, f"{n}_")
    ]
    functions = [n for n in METHODS if callable(getattr(torch, n, None)) and n not in NAMES]
    assert not missing, f"methods of torch.Tensor: {missing}"
    assert not in_place, f"in-place methods of torch.Tensor: {in_place}"
    assert not functions, f"functions of torch: {functions}"


def overloads(path):
    """PyTorch's signatures of an operation: lists of (name, default)."""
    function = attribute(torch, path)
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        schemas = torch._C._jit_get_schemas_for_operator(f"aten::{path.split('.')[-1]}")
        return [_of_schema(s) for s in schemas if _is_of_tensors(s)]
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [[(p.name, p.default) for p in parameters if p.kind not in variable]]


def _is_of_tensors(schema):
    """Whether a schema is one that Python code calls: not for names, scalars or `out=`."""
    types = [str(a.type) for a in schema.arguments]
    is_scalar = "Tensor" not in str(types) and schema.name not in SCALAR_FACTORIES
    return not (is_scalar or "Dimname" in str(schema) or any(a.is_out for a in schema.arguments))


SCALAR_FACTORIES = {"aten::arange", "aten::eye", "aten::full", "aten::linspace", "aten::logspace"}


def _of_schema(schema):
    names = [("input" if a.name == "self" else a.name) for a in schema.arguments]
    return [(name, inspect.Parameter.empty) for name in names]


@pytest.mark.parametrize("path", [p for p in PATHS if p not in OTHER_NAMES and "__" not in p])
def test_signature(path):
    """Every keyword of PyTorch's is one here, with the same default."""
    ours = inspect.signature(attribute(taowa, path)).parameters
    if any(p.kind is p.VAR_KEYWORD for p in ours.values()):
        pytest.skip("takes any keyword")
    for signature in overloads(path):
        wanted = {n: d for n, d in signature if n[0] != "_" and n not in UNUSED}
        if path.startswith("Tensor.") or "self" in ours:
            wanted = {n: d for n, d in wanted.items() if n not in ("input", "self")}
        missing = [n for n in wanted if n not in ours]
        assert not missing, f"{path} has no keywords {missing}, only {list(ours)}"
        for name, default in wanted.items():
            if default is not inspect.Parameter.empty:
                assert repr(ours[name].default) == repr(default), f"{path}({name}=)"
