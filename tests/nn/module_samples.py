"""PyTorch's own table of modules: how to construct them, and what to call them with."""

import functools
import sys
import types
import unittest
import warnings

import torch


@functools.cache
def module_infos():
    """PyTorch's ModuleInfos by class name; reading them takes seconds."""
    # The table's module wants `expecttest` for a base class of tests that nobody runs here.
    stand_in = types.ModuleType("expecttest")
    stand_in.TestCase = unittest.TestCase
    sys.modules.setdefault("expecttest", stand_in)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_modules import module_db  # noqa: PLC0415
    return {i.module_cls.__name__: i for i in module_db if ".ao." not in i.module_cls.__module__}


def samples(name, training, count=8):
    """`(constructor's args, kwargs, call's args, kwargs)` of up to `count` samples of a module."""
    info = module_infos()[name]
    torch.manual_seed(0)
    inputs = info.module_inputs_func(
        info, device="cpu", dtype=torch.float32, requires_grad=True, training=training
    )
    found = [sample for sample in inputs if sample.forward_input is not None]
    for sample in found[:: -(-len(found) // count)]:
        made, called = sample.constructor_input, sample.forward_input
        yield made.args, made.kwargs, fresh(called.args), fresh(called.kwargs)


def fresh(value):
    """The same values in leaves of their own, so that no tensor is given twice."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, dict):
        return {k: fresh(v) for k, v in value.items()}
    return type(value)(fresh(v) for v in value) if isinstance(value, list | tuple) else value
