"""Derivatives of functions: Jacobians, Hessians and their products with vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from taowa.core.autograd import grad
from taowa.core.grad_mode import enable_grad, is_grad_enabled, set_grad_enabled
from taowa.core.program import flush
from taowa.core.tensor import Tensor, from_array
from taowa.ops.conversion import cast
from taowa.ops.joining import stack

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

_NOT_STRICT = "This is not allowed in strict mode."
_INDEPENDENT = {
    "back": "The output of the user-provided function is independent of input {i}. ",
    "forward": "The gradient with respect to the input is independent of entry {i} in the "
    "grad_outputs when using the double backward trick to compute forward mode gradients. ",
    "double_back": "The jacobian of the user-provided function is independent of input {i}. ",
    "double_forward": "The hessian of the user-provided function is independent of entry {i} in "
    "the grad_jacobian. ",
    "outputs": "Output {i} of the user-provided function does not require gradients. ",
    "grad_inputs": "The gradient with respect to input {i} is independent of the inputs of the "
    "user-provided function. ",
    "jacobian": "While computing the hessian, found that the jacobian of the user-provided "
    "function with respect to input {i} is independent of the input. ",
}


class _Call:
    """A function, its inputs prepared for differentiation, and its outputs.

    Attributes:
        inputs: New tensors with the inputs' values, so that a tensor which the function knows
            from elsewhere is not mistaken for its argument.
        is_tuple: Whether inputs and outputs came as tuples.
    """

    def __init__(self, name: str, func: Callable, inputs: Any, options: tuple[bool, bool]):
        self.name = name
        self.create_graph, self.strict = options
        given = _as_tuple(inputs, "inputs", name)
        self.inputs = tuple(_prepared(t, self.create_graph, True) for t in given)
        outputs = func(*self.inputs)
        self.outputs = _as_tuple(outputs, "outputs of the user-provided function", name)
        self.is_tuple = (isinstance(inputs, tuple), isinstance(outputs, tuple))
        self.require_tape(self.outputs, "outputs")

    def require_tape(self, tensors: tuple, kind: str) -> None:
        """Raise in strict mode where a tensor does not depend on the inputs."""
        if not self.strict:
            return
        for i, tensor in enumerate(tensors):
            if tensor is None:
                raise RuntimeError(_INDEPENDENT["back"].format(i=i) + _NOT_STRICT)
            if not tensor.requires_grad:
                raise RuntimeError(_INDEPENDENT[kind].format(i=i) + _NOT_STRICT)

    def require_scalar(self) -> None:
        """Raise unless the function returned one tensor of one element."""
        if self.is_tuple[1]:
            raise RuntimeError(f"The function given to {self.name} should return a single Tensor")
        if self.outputs[0].shape.numel() != 1:
            raise RuntimeError(
                f"The Tensor returned by the function given to {self.name} should contain a "
                "single element"
            )

    def vector(self, v: Any, like: tuple, is_tuple: bool, what: str) -> tuple | None:
        """Return the vector to multiply by, as a tuple of tensors with the shapes of `like`."""
        if v is None:
            if len(like) != 1 or like[0].shape.numel() != 1:
                raise RuntimeError(
                    f"The vector v can only be None if {what} is a single Tensor with a single "
                    "element."
                )
            return None
        given = _as_tuple(v, "v", self.name)
        _require_same_shapes(given, like, is_tuple)
        return tuple(_prepared(t, self.create_graph, False) for t in given)

    def filled(self, grads: tuple, like: tuple, stage: str) -> tuple:
        """Return gradients with zeros where there are none, which strict mode refuses."""
        for i, one in enumerate(grads):
            is_cut = self.create_graph and one is not None and not one.requires_grad
            if self.strict and (one is None or is_cut):
                where = " when create_graph=True." if is_cut else "."
                raise RuntimeError(_INDEPENDENT[stage].format(i=i) + _NOT_STRICT[:-1] + where)
        return tuple(
            _zeros(t) if one is None else one for one, t in zip(grads, like, strict=True)
        )  # fmt: skip

    def finished(self, tensors: tuple, is_tuple: bool) -> Any:
        """Return results as the user wants them: alone or in a tuple, with a tape or without."""
        made = tensors if self.create_graph else tuple(t.detach() for t in tensors)
        return made if is_tuple else made[0]


def _as_tuple(value: Any, what: str, function: str) -> tuple:
    values = value if isinstance(value, tuple) else (value,)
    for i, one in enumerate(values):
        if not isinstance(one, Tensor):
            place = f"value at index {i}" if isinstance(value, tuple) else f"given {what}"
            raise TypeError(
                f"The {what} given to {function} must be either a Tensor or a tuple of Tensors "
                f"but the {place} has type {type(one)}."
            )
    return values


def _prepared(tensor: Any, create_graph: bool, requires_grad: bool) -> Any:
    if create_graph and tensor.requires_grad:
        return tensor.view_as(tensor)
    return tensor.detach().requires_grad_(requires_grad)


def _require_same_shapes(given: tuple, like: tuple, is_tuple: bool) -> None:
    if len(given) != len(like):
        text = "The given v should contain a single Tensor."
        if is_tuple:
            text = f"v is a tuple of invalid length: should be {len(like)} but got {len(given)}."
        raise RuntimeError(text)
    for i, (one, other) in enumerate(zip(given, like, strict=True)):
        if one.shape != other.shape:
            entry = f"Entry {i} in " if is_tuple else ""
            raise RuntimeError(
                f"{entry}v has invalid size: should be {other.shape} but got {one.shape}."
            )


def _zeros(tensor: Tensor) -> Tensor:
    return from_array(np.zeros(tensor.shape, tensor.dtype.np), device=tensor.device)


def _gradients(
    outputs: tuple, inputs: tuple, vector: tuple | None, create_graph: bool, retain: bool = False
) -> tuple:
    """Return the gradients, `None` where there is no path; outputs may be `None` or constant."""
    vectors = vector or (None,) * len(outputs)
    pairs = [
        (o, v) for o, v in zip(outputs, vectors, strict=True) if o is not None and o.requires_grad
    ]  # fmt: skip
    if not pairs:
        return (None,) * len(inputs)
    return grad(
        [o for o, _ in pairs], list(inputs), [v for _, v in pairs], retain or None, create_graph,
        allow_unused=True,
    )  # fmt: skip


def vjp(
    func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """Return a function's value and the product of a vector with its Jacobian.

    Args:
        func: From tensors to a tensor or a tuple of them.
        inputs: A tensor or a tuple of them.
        v: As the outputs; `None` means 1 and wants an output of one element.
        create_graph: Put both results on the tape.
        strict: Raise where an output does not depend on an input, instead of giving zeros.

    Example:
        >>> import taowa
        >>> vjp(lambda x: x * x, taowa.tensor([1.0, 2.0]), taowa.ones(2))
        (tensor([1., 4.]), tensor([2., 4.]))
    """
    with enable_grad():
        call = _Call("vjp", func, inputs, (create_graph, strict))
        what = "the output of the user-provided function"
        vector = call.vector(v, call.outputs, call.is_tuple[1], what)
    with set_grad_enabled(create_graph or is_grad_enabled()):
        grads = _gradients(call.outputs, call.inputs, vector, create_graph)
        product = call.filled(grads, call.inputs, "back")
    return (
        call.finished(call.outputs, call.is_tuple[1]), call.finished(product, call.is_tuple[0])
    )  # fmt: skip


def jvp(
    func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """Return a function's value and the product of its Jacobian with a vector.

    The product is the gradient of the vector-Jacobian product towards its vector.

    Args:
        func: From tensors to a tensor or a tuple of them.
        inputs: A tensor or a tuple of them.
        v: As the inputs; `None` means 1 and wants an input of one element.
        create_graph: Put both results on the tape.
        strict: Raise where an output does not depend on an input, instead of giving zeros.

    Example:
        >>> import taowa
        >>> jvp(lambda x: x * x, taowa.tensor([1.0, 2.0]), taowa.ones(2))
        (tensor([1., 4.]), tensor([2., 4.]))
    """
    with enable_grad():
        call = _Call("jvp", func, inputs, (create_graph, strict))
        vector = _input_vector(call, v)
        slack = tuple(_zeros(t).requires_grad_() for t in call.outputs)
        grads = _gradients(call.outputs, call.inputs, slack, create_graph=True)
        call.require_tape(grads, "grad_inputs")
        product = call.filled(
            _gradients(grads, slack, vector, create_graph), call.outputs, "forward"
        )  # fmt: skip
    is_tuple = call.is_tuple[1]
    return call.finished(call.outputs, is_tuple), call.finished(product, is_tuple)


def _input_vector(call: _Call, v: Any) -> tuple | None:
    what = "the input to the user-provided function"
    return call.vector(v, call.inputs, call.is_tuple[0], what)


def jacobian(
    func: Callable,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """Return the Jacobian of a function: one row for each element of the outputs.

    Args:
        func: From tensors to a tensor or a tuple of them.
        inputs: A tensor or a tuple of them.
        create_graph: Put the result on the tape.
        strict: Raise where an output does not depend on an input, instead of giving zeros.
        vectorize: Accepted: rows are computed one after another by one program in any case.
        strategy: `"reverse-mode"`, or `"forward-mode"`, which is computed in the same way.

    Shape:
        for each output and input: the output's dimensions, then the input's.

    Example:
        >>> import taowa
        >>> jacobian(lambda x: x * x, taowa.tensor([1.0, 2.0]))
        tensor([[2., 0.],
                [0., 4.]])
    """
    _check_strategy(create_graph, strict, vectorize, strategy)
    with enable_grad():
        call = _Call("jacobian", func, inputs, (create_graph, strict))
        rows = tuple(_block_row(call, i) for i in range(len(call.outputs)))
    if strategy == "forward-mode":
        pairs = zip(rows, call.outputs, strict=True)
        rows = tuple(tuple(cast(b, output.dtype) for b in row) for row, output in pairs)
    made = tuple(call.finished(row, call.is_tuple[0]) for row in rows)
    return made if call.is_tuple[1] else made[0]


def _check_strategy(create_graph: bool, strict: bool, vectorize: bool, strategy: str) -> None:
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode".')
    is_forward = strategy == "forward-mode"
    if is_forward and create_graph:
        raise NotImplementedError(
            'jacobian: `create_graph=True` and `strategy="forward-mode"` are not supported '
            'together; use `create_graph=False` or `strategy="reverse-mode"`.'
        )
    if strict and (is_forward or vectorize):
        other = 'strategy="forward-mode"' if is_forward else "vectorized=True"
        raise RuntimeError(
            f"jacobian: `strict=True` and `{other}` are not supported together; use `strict=False`."
        )
    if is_forward and not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian is only "
            "implemented for `vectorize=True`."
        )


def _block_row(call: _Call, index: int) -> tuple:
    """Return the blocks of the Jacobian that belong to one output."""
    output = call.outputs[index]
    columns: list[list] = [[] for _ in call.inputs]
    for one_hot in _basis(output):
        grads = _gradients((output,), call.inputs, (one_hot,), call.create_graph, retain=True)
        for i, (column, one, tensor) in enumerate(zip(columns, grads, call.inputs, strict=True)):
            if one is None and call.strict:
                raise RuntimeError(
                    f"Output {index} of the user-provided function is independent of input {i}. "
                    + _NOT_STRICT
                )
            column.append(_zeros(tensor) if one is None else one)
        call.filled(grads, call.inputs, "double_back")
        flush()  # so that every row is a run of the same program
    return tuple(
        _stacked(column, output, tensor, call.create_graph)
        for column, tensor in zip(columns, call.inputs, strict=True)
    )


def _basis(tensor: Tensor) -> Iterator[Tensor]:
    for i in range(tensor.shape.numel()):
        array = np.zeros(tensor.shape, tensor.dtype.np)
        array.reshape(-1)[i] = 1
        yield from_array(array, device=tensor.device)


def _stacked(rows: list, output: Tensor, input: Tensor, create_graph: bool) -> Any:
    shape = (*output.shape, *input.shape)
    if create_graph and rows:
        return stack(rows).reshape(shape)
    arrays = [row.host() for row in rows]
    array = np.stack(arrays) if rows else np.zeros(0, input.dtype.np)
    return from_array(array.reshape(shape), device=input.device)


def hessian(
    func: Callable,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """Return the matrix of second derivatives of a function with one value.

    Args:
        func: From tensors to a tensor of one element.
        inputs: A tensor or a tuple of them.
        create_graph: Put the result on the tape.
        strict: Raise where the value does not depend on an input, instead of giving zeros.
        vectorize: See `jacobian`.
        outer_jacobian_strategy: See `jacobian`'s `strategy`.

    Example:
        >>> import taowa
        >>> hessian(lambda x: (x * x * x).sum(), taowa.tensor([1.0, 2.0]))
        tensor([[ 6.,  0.],
                [ 0., 12.]])
    """
    _as_tuple(inputs, "inputs", "hessian")

    def gradient(*args: Any) -> tuple:
        call = _Call("hessian", func, args, (True, strict))
        call.require_scalar()
        grads = _gradients(call.outputs, call.inputs, None, create_graph=True)
        made = tuple(_zeros(t) if g is None else g for g, t in zip(grads, args, strict=True))
        call.require_tape(made, "jacobian")
        return made

    made = jacobian(
        gradient, inputs, create_graph, strict, vectorize, outer_jacobian_strategy
    )  # fmt: skip
    return made if isinstance(inputs, tuple) else made[0]


def vhp(
    func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """Return a function's one value and the product of a vector with its Hessian.

    Args:
        func: From tensors to a tensor of one element.
        inputs: A tensor or a tuple of them.
        v: As the inputs; `None` means 1 and wants an input of one element.
        create_graph: Put both results on the tape.
        strict: Raise where the value does not depend on an input, instead of giving zeros.

    Example:
        >>> import taowa
        >>> vhp(lambda x: (x * x * x).sum(), taowa.tensor([1.0, 2.0]), taowa.ones(2))
        (tensor(9.), tensor([ 6., 12.]))
    """
    with enable_grad():
        call, grads, vector = _gradient_call("vhp", func, inputs, v, (create_graph, strict))
        product = _gradients(grads, call.inputs, vector, create_graph)
        product = call.filled(product, call.inputs, "double_back")
    return call.finished(call.outputs, False), call.finished(product, call.is_tuple[0])


def hvp(
    func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """Return a function's one value and the product of its Hessian with a vector.

    The same as `vhp`, computed with one more pass.

    Args:
        func: From tensors to a tensor of one element.
        inputs: A tensor or a tuple of them.
        v: As the inputs; `None` means 1 and wants an input of one element.
        create_graph: Put both results on the tape.
        strict: Raise where the value does not depend on an input, instead of giving zeros.

    Example:
        >>> import taowa
        >>> hvp(lambda x: (x * x * x).sum(), taowa.tensor([1.0, 2.0]), taowa.ones(2))
        (tensor(9.), tensor([ 6., 12.]))
    """
    with enable_grad():
        call, grads, vector = _gradient_call("hvp", func, inputs, v, (create_graph, strict))
        slack = tuple(_zeros(t).requires_grad_() for t in call.inputs)
        second = _gradients(grads, call.inputs, slack, create_graph=True)
        call.require_tape(second, "grad_inputs")
        product = _gradients(second, slack, vector, create_graph)
        product = call.filled(product, call.inputs, "double_forward")
    return call.finished(call.outputs, False), call.finished(product, call.is_tuple[0])


def _gradient_call(
    name: str, func: Callable, inputs: Any, v: Any, options: tuple[bool, bool]
) -> tuple[_Call, tuple, tuple | None]:
    """Call a function of one value; return the call, its gradient and the vector."""
    call = _Call(name, func, inputs, options)
    vector = _input_vector(call, v)
    call.require_scalar()
    grads = _gradients(call.outputs, call.inputs, None, create_graph=True)
    call.require_tape(grads, "jacobian")
    return call, grads, vector
