"""A network as a table: its tree of layers, their output shapes, their parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from taowa.core.tensor import Tensor, from_array
from taowa.dtypes import dtype as Dtype
from taowa.dtypes import float32
from taowa.inspect.rehearsal import rehearsal
from taowa.nn.module import Module

__all__ = ["Layer", "Summary", "summary"]

Span = tuple[str, str]  # a piece of text and its style
NOTHING = "–"
MAX_SHAPES = 4  # of one layer's output; the others are left out
UNITS = ((1_000, "kB"), (1_000_000, "MB"), (1_000_000_000, "GB"))


@dataclass(frozen=True)
class Layer:
    """One module of the tree.

    Attributes:
        name: Under which its parent knows it; empty for the network itself.
        kind: Its class's name.
        output: The shapes that its last call returned; empty if it was not called.
        num_calls: How often it was called.
        num_parameters: Elements of all parameters in it, each counted once.
        is_repeated: Whether the same module stands further up in the tree already.
        children: Its modules, in the order in which they were assigned.
    """

    name: str
    kind: str
    output: str
    num_calls: int
    num_parameters: int
    is_repeated: bool
    children: tuple[Layer, ...] = field(repr=False)

    @property
    def title(self) -> str:
        """Name, class, and how often it is called if not once."""
        calls = f" ×{self.num_calls}" if self.num_calls > 1 else ""
        name = f"{self.name}: " if self.name else ""
        return f"{name}{self.kind}{calls}"


@dataclass(frozen=True, repr=False)
class Summary:
    """What `summary` found. `print` it, or let `rich.print` do it in colour.

    Attributes:
        root: The tree of layers.
        input: The shapes that went in; empty without an input.
        num_parameters: Elements of all parameters, each counted once.
        num_trainable: Of these, elements that require a gradient.
        parameter_bytes: What all parameters take.
        buffer_bytes: What all buffers take.
        depth: How many levels of the tree are shown.
    """

    root: Layer
    input: str
    num_parameters: int
    num_trainable: int
    parameter_bytes: int
    buffer_bytes: int
    depth: int

    def __str__(self) -> str:
        return "\n".join("".join(text for text, _ in line).rstrip() for line in self._lines())

    __repr__ = __str__

    def __rich__(self) -> Any:
        from rich.text import Text  # noqa: PLC0415

        lines = [Text.assemble(*line) for line in self._lines()]
        return Text("\n", no_wrap=True, overflow="ellipsis").join(lines)

    def _lines(self) -> list[list[Span]]:
        rows = list(_rows(self.root, self.depth))
        titles = [len(row.guide) + len(row.layer.title) for row in rows]
        shapes = [len(row.layer.output) for row in rows]
        widths = (max(*titles, 5), max(*shapes, 12), max(len(f"{self.num_parameters:,}"), 10))
        rule = [("─" * (sum(widths) + 6), "dim")]
        head = [("Layer", "Output shape", "Parameters")]
        lines = [[(_aligned(cells, widths), "bold")] for cells in head]
        lines += [rule, *(_line(row, widths) for row in rows), rule]
        return lines + [[(f"{label:<12}", "dim"), (text, "")] for label, text in self._totals()]

    def _totals(self) -> Iterator[tuple[str, str]]:
        frozen = self.num_parameters - self.num_trainable
        size = f"{self.num_parameters:,} ({_size(self.parameter_bytes)})"
        yield "Parameters", size + (f", {frozen:,} of them frozen" if frozen else "")
        if self.buffer_bytes:
            yield "Buffers", _size(self.buffer_bytes)
        if self.input:
            yield "Input", self.input


class _Row(NamedTuple):
    guide: str
    layer: Layer


def _rows(layer: Layer, depth: int, guide: str = "", below: str = "") -> Iterator[_Row]:
    """Walk the tree as it is printed: each layer with the lines that lead to it."""
    yield _Row(guide, layer)
    if depth == 0 or layer.is_repeated:
        return
    for child in layer.children:
        is_last = child is layer.children[-1]
        branch, stem = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
        yield from _rows(child, depth - 1, below + branch, below + stem)


def _line(row: _Row, widths: tuple[int, int, int]) -> list[Span]:
    layer = row.layer
    count = f"{layer.num_parameters:,}" if layer.num_parameters else NOTHING
    cells = ("", layer.output or NOTHING, "shared" if layer.is_repeated else count)
    rest = _aligned(cells, (0, *widths[1:]))
    padding = " " * (widths[0] - len(row.guide) - len(layer.title))
    name_style = "bold" if layer.children else ""
    return [(row.guide, "dim"), (layer.title, name_style), (padding + rest, "")]


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, second, third = widths
    return f"{cells[0]:<{first}}   {cells[1]:<{second}}   {cells[2]:>{third}}"


def _size(num_bytes: int) -> str:
    unit, text = next((u, t) for u, t in UNITS if num_bytes < 1000 * u or u == UNITS[-1][0])
    return f"{num_bytes / unit:.1f} {text}"


def summary(
    model: Module,
    input_size: Sequence[int] | Sequence[Sequence[int]] | None = None,
    input_data: Any = None,
    *,
    depth: int = 3,
    dtype: Dtype = float32,
) -> Summary:
    """Describe a network: its layers, the shapes they give, their parameters.

    The network is called once in evaluation mode, but nothing is compiled or computed, and it is
    as before afterwards; see `rehearsal`.

    Args:
        input_size: Shape of the input, batch included, or a list of shapes for several inputs.
        input_data: The input itself instead: a tensor, a tuple of arguments or a dict of keyword
            arguments. Without any input the table has no shapes.
        depth: Levels of the tree to show; what lies deeper is counted in its parent.
        dtype: Element type of inputs made from `input_size`.
    Raises:
        ValueError: if both inputs are given, or `depth` is negative.
    Example:
        >>> from taowa import nn
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        >>> summary(model, (2, 1, 8, 8))
        Layer           Output shape   Parameters
        ─────────────────────────────────────────
        Sequential      [2, 10]               650
        ├─ 0: Flatten   [2, 64]                 –
        └─ 1: Linear    [2, 10]               650
        ─────────────────────────────────────────
        Parameters  650 (2.6 kB)
        Input       [2, 1, 8, 8]
    """
    if input_size is not None and input_data is not None:
        raise ValueError("summary: both input_size and input_data are given, expected one of them")
    if depth < 0:
        raise ValueError(f"summary: depth is {depth}, expected at least 0")
    args, kwargs = _arguments(input_size, input_data, dtype)
    calls = _Calls()
    if args or kwargs:
        calls.watch(model, args, kwargs)
    parameters, buffers = list(model.parameters()), list(model.buffers())
    return Summary(
        root=_layer("", model, calls, set()),
        input=_shapes([*args, *kwargs.values()]),
        num_parameters=sum(p.numel() for p in parameters),
        num_trainable=sum(p.numel() for p in parameters if p.requires_grad),
        parameter_bytes=sum(map(_num_bytes, parameters)),
        buffer_bytes=sum(map(_num_bytes, buffers)),
        depth=depth,
    )


def _num_bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _arguments(size: Any, data: Any, dtype: Dtype) -> tuple[tuple, dict[str, Any]]:
    """Return the arguments to call the network with; none at all without an input."""
    if isinstance(data, Mapping):
        return (), dict(data)
    if data is not None:
        return tuple(data) if isinstance(data, list | tuple) else (data,), {}
    if size is None:
        return (), {}
    sizes = [size] if not size or isinstance(size[0], int) else size
    return tuple(from_array(np.zeros(tuple(one), dtype.np)) for one in sizes), {}


class _Calls:
    """What each module returned, noted while the network is called."""

    def __init__(self) -> None:
        self.outputs: dict[int, str] = {}
        self.counts: dict[int, int] = {}

    def watch(self, model: Module, args: tuple, kwargs: dict[str, Any]) -> None:
        """Call the network, in rehearsal."""
        with ExitStack() as stack:
            for module in model.modules():
                stack.enter_context(module.register_forward_hook(self._note))
            stack.enter_context(rehearsal(model))
            model(*args, **kwargs)

    def _note(self, module: Module, _: tuple, output: Any) -> None:
        self.outputs[id(module)] = _shapes(output)
        self.counts[id(module)] = self.counts.get(id(module), 0) + 1


def _shapes(value: Any) -> str:
    """Return the shapes of all tensors in a nested value."""
    found = [str(list(tensor.shape)) for tensor in _tensors(value)]
    return ", ".join(found[:MAX_SHAPES] + ["…"] * (len(found) > MAX_SHAPES))


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)


def _layer(name: str, module: Module, calls: _Calls, seen: set[int]) -> Layer:
    """Build the tree's part below a module; `seen` holds the modules further up."""
    is_repeated = id(module) in seen
    seen.add(id(module))
    return Layer(
        name=name,
        kind=type(module).__name__,
        output=calls.outputs.get(id(module), ""),
        num_calls=calls.counts.get(id(module), 0),
        num_parameters=sum(p.numel() for p in module.parameters()),
        is_repeated=is_repeated,
        children=tuple(_layer(n, m, calls, seen) for n, m in module.named_children()),
    )
