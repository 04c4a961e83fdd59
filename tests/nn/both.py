"""The same code run on PyTorch and on taowa, and what came out compared as text."""

import warnings
from types import SimpleNamespace

import numpy as np
import torch

import taowa
from taowa.core.tensor import from_array
from taowa.nn.container import ModuleDict, ModuleList, Sequential
from taowa.nn.module import Module
from taowa.nn.parameter import Buffer, Parameter
from taowa.nn.parameter_container import ParameterDict, ParameterList

LIBRARIES = (
    SimpleNamespace(
        name="torch",
        lib=torch,
        nn=torch.nn,
        tensor=lambda values, dtype=np.float32: torch.tensor(np.asarray(values, dtype)),
    ),
    SimpleNamespace(
        name="taowa",
        lib=taowa,
        nn=SimpleNamespace(
            Buffer=Buffer,
            Module=Module,
            ModuleDict=ModuleDict,
            ModuleList=ModuleList,
            Parameter=Parameter,
            ParameterDict=ParameterDict,
            ParameterList=ParameterList,
            Sequential=Sequential,
        ),
        tensor=lambda values, dtype=np.float32: from_array(np.array(values, dtype)),
    ),
)
for _library in LIBRARIES:
    _library.ones = lambda *shape, library=_library: library.tensor(np.ones(shape))
    _library.parameter = lambda *shape, library=_library: library.nn.Parameter(library.ones(*shape))


def outcome(function, *args):
    """The result's text, or the error's type and text; with the warnings on the way."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = f"returns {function(*args)!r}"
        except Exception as error:
            result = f"raises {type(error).__name__}: {error}"
    seen = "".join(f"; warns {w.category.__name__}: {w.message}" for w in caught)
    return without_homes(result + seen)


def without_homes(text):
    """The text with both libraries' module paths made equal."""
    for theirs, ours in (
        ("torch.nn.modules.", "taowa.nn."),
        ("torch.nn.parameter.", "taowa.nn.parameter."),
        ("torch.Tensor", "Tensor"),
        ("taowa.core.tensor.Tensor", "Tensor"),
    ):
        text = text.replace(theirs, ours)
    return text


def assert_same(function):
    """`function(library)` gives the same result, error and warnings on both."""
    theirs, ours = (outcome(function, library) for library in LIBRARIES)
    assert ours == theirs, f"\ntaowa {ours}\ntorch {theirs}"
    return ours
