"""Samples of PyTorch's table of modules, run on PyTorch and on taowa side by side."""

import copy
import random
import warnings
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

import taowa
from taowa import nn
from tests.nn.module_samples import module_infos
from tests.samples.convert import (
    TAOWA,
    TORCH,
    Case,
    difference,
    leaves,
    random_like,
    to_numpy,
    to_torch,
)


class Sample(NamedTuple):
    """How to construct a module and what to call it with."""

    made: Case
    called: Case


def _rebuilt(layer: torch.nn.TransformerEncoderLayer) -> Any:
    """Return taowa's encoder layer equal to PyTorch's, which some samples are made of."""
    mine = nn.TransformerEncoderLayer(
        layer.linear1.in_features, layer.self_attn.num_heads, layer.linear1.out_features,
        layer.dropout.p, _to_taowa(layer.activation), layer.norm1.eps,
        layer.self_attn.batch_first, layer.norm_first, layer.linear1.bias is not None,
        dtype=_to_taowa(layer.linear1.weight.dtype),
    )  # fmt: skip
    mine.load_state_dict(state_of(layer))
    return mine


def _to_taowa(value: Any) -> Any:
    """Return taowa's object for PyTorch's, whatever samples are made of."""
    if isinstance(value, torch.nn.TransformerEncoderLayer):
        return _rebuilt(value)
    if callable(value) and not isinstance(value, type):
        return getattr(nn.functional, value.__name__)
    return TAOWA.convert(value)


OURS = TAOWA._replace(convert=_to_taowa)
DOUBLE = TORCH._replace(
    tensor=lambda array: to_torch(array.astype(np.float64) if array.dtype.kind == "V" else array)
)  # PyTorch in float64, given bfloat16


def state_of(module: Any) -> dict:
    """Return the state of PyTorch's module in taowa's tensors."""
    return {key: TAOWA.tensor(to_numpy(value)) for key, value in module.state_dict().items()}


def samples(name: str, dtype: Any, training: bool, limit: int | None = None) -> list[Sample]:
    """Return the samples of an entry, at most `limit` of them spread over all."""
    info = module_infos()[name]
    _seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = list(info.module_inputs_func(
            info, device="cpu", dtype=dtype, requires_grad=True, training=training
        ))  # fmt: skip
    chosen = found if limit is None else found[:: -(-len(found) // limit)]
    return [
        Sample(
            Case(one.constructor_input.args, one.constructor_input.kwargs),
            Case(one.forward_input.args, one.forward_input.kwargs),
        )
        for one in chosen
        if one.forward_input is not None
    ]


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    taowa.manual_seed(seed)


def construct(name: str, made: Case) -> list:
    """Return the module of both libraries, constructed after the same seed."""
    pair = []
    for library, home in _SIDES:
        args, kwargs, _ = library.arguments(made)
        pair.append(quietly(getattr(home, name), *args, **kwargs))
    return pair


def state_difference(mine: Any, theirs: Any) -> str | None:
    """Return how the printed forms or the states of two modules differ, exactly."""
    if repr(mine) != repr(theirs):
        return f"prints\n{mine!r}, not\n{theirs!r}"
    state, expected = mine.state_dict(), theirs.state_dict()
    if list(state) != list(expected):
        return f"state {list(state)}, not {list(expected)}"
    for key, value in expected.items():
        text = None if torch.nn.parameter.is_lazy(value) else difference(state[key], value, scale=0)
        if text:
            return f"{key}: {text}"
    return None


class Side:
    """One library's module and one call of it.

    Attributes:
        roots: The outputs that require grad.
        leaves: The arguments and parameters that do.
        grads: Their gradients, once there are.
    """

    def __init__(self, library: Any, module: Any, called: Case):
        self.origin = library
        self.module = module
        args, kwargs, given = library.arguments(called)
        self.result = quietly(module, *args, **kwargs)
        self.outputs = [v for v in leaves(self.result) if isinstance(v, library.Tensor)]
        self.roots = [v for v in self.outputs if v.requires_grad]
        self.leaves = [*given, *(p for p in module.parameters() if p.requires_grad)]
        self.grads: tuple = ()

    def values(self) -> list[tuple[str, Any]]:
        """Return everything to compare, named."""
        outputs = self.outputs or [self.result]
        named = [(f"output {i}", value) for i, value in enumerate(outputs)]
        named += [(f"gradient {i}", value) for i, value in enumerate(self.grads)]
        return named + list(self.module.named_buffers())

    def cotangents(self) -> list:
        """Return the same random cotangents in both libraries."""
        rng = np.random.default_rng(0)
        return [random_like(self.origin, root, rng) for root in self.roots]


def quietly(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a class or a module after a seed of its own, without its warnings."""
    _seed(5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


class RefusedByPyTorchError(Exception):
    """PyTorch has no kernel of this type, so that there is nothing to compare with."""


class Trial:
    """One sample on both sides, called, its gradients still to come."""

    def __init__(self, name: str, sample: Sample, dtype: torch.dtype, training: bool):
        theirs, mine = construct(name, sample.made)
        self.text = f"{mine} training={training}"
        self.fault = state_difference(mine, theirs)
        theirs = theirs.to(dtype).train(training)
        mine = mine.to(getattr(taowa, str(dtype)[6:])).train(training)
        if name.startswith("Lazy"):  # the first call makes the parameters
            for library, module in ((TORCH, theirs), (OURS, mine)):
                args, kwargs, _ = library.arguments(sample.called)
                quietly(module, *args, **kwargs)
            self.fault = self.fault or state_difference(mine, theirs)
        mine.load_state_dict(state_of(theirs))
        exact = copy.deepcopy(theirs).double() if dtype is torch.bfloat16 else None
        try:
            self.theirs = Side(TORCH, theirs, sample.called)
        except RuntimeError as error:
            raise RefusedByPyTorchError from error
        self.mine = Side(OURS, mine, sample.called)
        self.exact = exact and Side(DOUBLE, exact, sample.called)
        if len(self.mine.roots) != len(self.theirs.roots):
            self.fault = self.fault or "requires_grad of the results differs"
        structure = difference(self.mine.result, self.theirs.result, values=False)
        self.fault = self.fault or structure

    def difference(self, scale: float) -> str | None:
        """Return how results, gradients or buffers differ."""
        sides = [self.mine, self.theirs, *([self.exact] if self.exact else [])]
        compare = not_worse if self.exact else partial(difference, scale=scale)
        values = zip(*(side.values() for side in sides), strict=True)
        differences = ((named[0][0], compare(*(v for _, v in named))) for named in values)
        found = self.fault or next((f"{key}: {text}" for key, text in differences if text), None)
        return found and f"{self.text}: {found}"


def not_worse(mine: Any, theirs: Any, exact: Any) -> str | None:
    """Return where bfloat16 values are farther from float64's than PyTorch's worst ones are."""
    if not isinstance(theirs, torch.Tensor) or not theirs.is_floating_point():
        return difference(mine, theirs)
    text = difference(mine, theirs, values=False)
    if text or not theirs.numel():
        return text
    got, rough = to_torch(mine.host()).double(), theirs.detach().double()
    exact = exact.detach()
    allowed = 1e-5 + 1.6e-2 * exact.abs() + (rough - exact).abs().max()
    is_far = (got - exact).abs() > allowed
    return f"{got[is_far]}, not {exact[is_far]} (PyTorch {rough[is_far]})" if is_far.any() else None


def try_all(
    name: str, dtype: Any, limit: int | None, scale: float = 1, modes: tuple = (True, False)
) -> list[str]:
    """Return the differences of an entry's samples in training and in evaluation.

    Everything of one mode is recorded before anything is read, so that it is one program.

    Args:
        limit: How many samples to take, spread over all.
        scale: Factor on the tolerances of `torch.testing.assert_close`.
        modes: Of `training`.
    """
    faults = []
    for training in modes:
        trials = []
        for sample in samples(name, dtype, training, limit):
            try:
                trials.append(Trial(name, sample, dtype, training))
            except RefusedByPyTorchError:
                if dtype is not torch.bfloat16:
                    raise
            except Exception as error:
                faults.append(f"{sample.made} called with {sample.called}: {error!r}")
        _differentiate(trials)
        faults += filter(None, (trial.difference(scale) for trial in trials))
    return faults


def _differentiate(trials: list[Trial]) -> None:
    """Compute the gradients of all trials: PyTorch's one by one, taowa's in one pass."""
    trials = [trial for trial in trials if not trial.fault and trial.mine.roots]
    for trial in trials:
        for side in filter(None, (trial.theirs, trial.exact)):
            side.grads = torch.autograd.grad(
                side.roots, side.leaves, side.cotangents(), allow_unused=True
            )
    mine = [trial.mine for trial in trials]
    if not mine:
        return
    grads = iter(taowa.autograd.grad(
        [root for side in mine for root in side.roots],
        [leaf for side in mine for leaf in side.leaves],
        [cotangent for side in mine for cotangent in side.cotangents()],
        allow_unused=True,
    ))  # fmt: skip
    for side in mine:
        side.grads = tuple(next(grads) for _ in side.leaves)


def error_differences(name: str) -> list[str]:
    """Return the error inputs of an entry that do not raise PyTorch's type of exception."""
    info = module_infos()[name]
    found = info.module_error_inputs_func(
        info, device="cpu", dtype=torch.float32, requires_grad=False, training=True
    )
    faults = []
    for one in found:
        given = one.module_error_input
        made = Case(given.constructor_input.args, given.constructor_input.kwargs)
        call = given.forward_input and Case(given.forward_input.args, given.forward_input.kwargs)
        theirs, mine = (_error(*side, name, made, call) for side in _SIDES)
        assert isinstance(theirs, one.error_type), f"PyTorch: {theirs!r}"
        if not isinstance(mine, type(theirs)):
            faults.append(f"{made} {call}: {mine!r}, not {theirs!r}")
    return faults


_SIDES = ((TORCH, torch.nn), (OURS, nn))


def _error(library: Any, home: Any, name: str, made: Case, called: Case | None) -> Any:
    try:
        args, kwargs, _ = library.arguments(made)
        module = getattr(home, name)(*args, **kwargs)
        if called is not None:
            args, kwargs, _ = library.arguments(called)
            quietly(module, *args, **kwargs)
    except Exception as error:
        return error
    return None
