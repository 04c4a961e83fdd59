"""Where public names are declared: one decorator makes function, method and in-place form."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from taowa.core import record  # noqa: F401  (gives ops the call that records them)
from taowa.core.context import context
from taowa.core.op import Array, op
from taowa.core.tensor import Tensor
from taowa.dtypes import dtype

NAMES: dict[str, Callable] = {}  # the functions of the `taowa` namespace
METHODS: dict[str, Callable] = {}  # of Tensor, in-place forms included
INPLACE: dict[str, Callable] = {}  # `name_` -> the function that computes the new value


def public(
    function: Callable | None = None,
    *,
    name: str | None = None,
    is_method: bool = True,
    is_function: bool = True,
    inplace: bool = False,
    aliases: tuple[str, ...] = (),
) -> Any:
    """Declare a public operation: `taowa.name`, `Tensor.name` and, if asked for, `Tensor.name_`.

    The function of the namespace also takes PyTorch's `out=`.

    Args:
        name: The public name; the function's own by default.
        is_method: Whether it is a method of Tensor, which is then the first argument.
        is_function: Whether it is in the `taowa` namespace.
        inplace: Whether there is a form that writes the result into its first argument.
        aliases: Further names of the same operation.

    Example:
        >>> import taowa
        >>> "add" in NAMES, "add_" in METHODS
        (True, True)
    """
    if function is None:
        return lambda f: public(
            f, name=name, is_method=is_method, is_function=is_function,
            inplace=inplace, aliases=aliases,
        )  # fmt: skip
    for one in (name or function.__name__, *aliases):
        if is_function:
            NAMES[one] = _with_out(function)
        if is_method:
            _install(one, function)
        if inplace:
            INPLACE[f"{one}_"] = function
            writing = _inplace(function, one)
            if is_method:
                _install(f"{one}_", writing)
            if is_function:
                NAMES[f"{one}_"] = writing
    return function


def _install(name: str, function: Callable) -> None:
    METHODS[name] = function
    setattr(Tensor, name, function)


def _with_out(function: Callable) -> Callable:
    """Return the function with an `out=` argument that receives the result."""

    @functools.wraps(function)
    def named(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        return result if out is None else write_out(out, result)

    return named


def write_out(out: Any, result: Any) -> Any:
    """Write results into the tensors given as `out=`."""
    if isinstance(out, tuple | list):
        written = [write_out(o, r) for o, r in zip(out, result, strict=True)]
        return type(result)(*written) if hasattr(result, "_fields") else tuple(written)
    require_castable(result.dtype, out.dtype)
    if out.shape != result.shape:
        out.resize_(result.shape)
    return out.copy_(result)


def require_castable(source: dtype, target: dtype) -> None:
    """Raise PyTorch's error where a result would lose its kind (float to int, say)."""
    if source.category > target.category:
        names = {"float32": "Float", "float64": "Double", "int64": "Long", "int32": "Int",
                 "bool": "Bool", "float16": "Half", "bfloat16": "BFloat16", "int16": "Short",
                 "int8": "Char", "uint8": "Byte", "complex64": "ComplexFloat",
                 "complex128": "ComplexDouble"}  # fmt: skip
        raise RuntimeError(
            f"result type {names.get(source.name, source.name)} can't be cast to the desired "
            f"output type {names.get(target.name, target.name)}"
        )


def write_inplace(target: Tensor, result: Tensor) -> Tensor:
    """Make `result` the value of `target`, as an in-place operation does.

    Raises:
        RuntimeError: if the shape would change or the type would lose its kind.
    """
    aval, wanted = result._aval, target._aval
    if aval is not wanted:
        if aval.shape != wanted.shape:
            raise RuntimeError(
                f"output with shape {list(wanted.shape)} doesn't match the broadcast shape "
                f"{list(aval.shape)}"
            )
        if aval.dtype is not wanted.dtype:
            require_castable(aval.dtype, wanted.dtype)
            result = cast(result, wanted.dtype)
    target._write(result._node(), result._edge)
    return target


def _inplace(function: Callable, name: str) -> Callable:
    @functools.wraps(function)
    def in_place(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if self._edge is not None:
            self._require_writable(context())
        return write_inplace(self, function(self, *args, **kwargs))

    in_place.__name__ = in_place.__qualname__ = f"{name}_"
    in_place.__doc__ = f"Write the result of `{name}` into this tensor and return it."
    return in_place


@op(name="to_dtype")
def _to_dtype(input: Array, dtype: Any):
    if input.dtype.kind == "c" and dtype.np.kind != "c" and dtype.np.kind != "b":
        input = input.real
    if input.dtype.kind == "f" and dtype.np.kind in "ui":
        return _float_to_int(input, dtype.np)
    return input.astype(dtype.np)


def _float_to_int(x: Any, target: Any) -> Any:
    """Truncate, wrapping small integer types as C does instead of saturating."""
    if target.itemsize < 4:
        return x.astype("int32").astype(target)
    return x.astype(target)


def cast(tensor: Tensor, target: dtype) -> Tensor:
    """Return the tensor with another element type (itself if it has it already)."""
    return tensor if tensor.dtype is target else _to_dtype(tensor, target)
