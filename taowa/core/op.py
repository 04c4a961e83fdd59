"""`@op`: one plain function on JAX arrays becomes a recorded, differentiable operation.

The body's signature is the operation's interface, in PyTorch's names, and the annotations say
what each parameter is:

* `Array`, `Array | None`, `list[Array]`: tensors, or Python numbers standing for 0-dim tensors;
* `Scalar`, `Scalar | None`: a Python number given to the program at run time, never compiled in;
* anything else: a static argument, hashable, part of the program's key.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from taowa import dtypes
from taowa.core.context import PACKAGE_PREFIX
from taowa.core.node import Aval
from taowa.core.plan import SCALAR_TYPES, Plan, avals_of
from taowa.kernels.shared_library import kernels

Array = Any  # in an op's signature: a tensor outside, a JAX array inside
Scalar = Any  # in an op's signature: a Python number outside, a 0-dim JAX array inside

TENSOR, TENSORS, SCALAR, STATIC = "tensor", "tensors", "scalar", "static"
_KINDS = {
    "Array": TENSOR,
    "Array | None": TENSOR,
    "list[Array]": TENSORS,
    "Scalar": SCALAR,
    "Scalar | None": SCALAR,
}
MAX_PLANS_PER_OP = 4096

OPS: dict[str, Op] = {}
_every_op: weakref.WeakSet[Op] = weakref.WeakSet()


class Parameter(NamedTuple):
    """One parameter of an op: its name and what may be given for it."""

    name: str
    kind: str


class Op:
    """An operation: its body, its interface and its rule for gradients.

    Attributes:
        promote: How tensors are brought to one type first: `"same"` (PyTorch's promotion),
            `"float"` (the same, integers to the default floating type) or `None`.
        promoted: Which tensor parameters take part in that.
        numbers: Which tensor parameters may be Python numbers.
        num_residuals: How many of the body's last outputs only the gradient reads.
        check: Optional function of the inputs giving a 0-dim bool that is true where a *value* is
            bad (an index out of range), and `check_error` the exception that says so.
    """

    def __init__(
        self,
        body: Callable,
        name: str,
        promote: str | None,
        promoted: tuple | None,
        numbers: tuple | None,
    ):
        self.body = body
        self.name = name
        self.params = tuple(
            Parameter(p.name, _KINDS.get(str(p.annotation), STATIC)) for p in _parameters(body)
        )
        self.tensor_names = tuple(p.name for p in self.params if p.kind in (TENSOR, TENSORS))
        self.promote = promote
        self.promoted = self.tensor_names if promoted is None else promoted
        self.numbers = self.tensor_names if numbers is None else numbers
        self.num_residuals = 0
        self.rule: Rule | None = None
        self.check: Callable | None = None
        self.check_error: Callable | None = None
        self.plans: dict[tuple, Plan] = {}
        self.is_builtin = body.__module__.startswith("taowa.")
        _every_op.add(self)

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def plan(self, key: tuple) -> Plan:
        """Return the plan for a call: `(statics, scalar types, *tensor kinds)`.

        A tensor kind is an Aval, a number's type, `None`, or a tuple of those for `list[Array]`.
        """
        if len(self.plans) >= MAX_PLANS_PER_OP:
            self._forget_oldest()
        plan = self.plans[key] = _bind(self, key)
        return plan

    def _forget_oldest(self) -> None:
        for key in list(self.plans)[: MAX_PLANS_PER_OP // 2]:
            del self.plans[key]


def _forget_plans() -> None:
    for one in list(_every_op):  # also those whose name another op has taken
        one.plans.clear()


dtypes.default_listeners.append(_forget_plans)
kernels.listeners.append(_forget_plans)


class Rule:
    """An op's own gradient: a function of `grad` and whichever inputs, outputs, statics it names.

    It may name `grad` (or `grads`, for several outputs: a tuple with `None` for those without a
    cotangent), `output` or `outputs`, and any parameter of the op. It returns one gradient for
    each tensor parameter in order (or just one), `None` where there is none; sums over broadcast
    dimensions and casts to the inputs' types are done here for every rule.
    """

    def __init__(self, op: Op, function: Callable):
        self.op = op
        self.function = function
        self.names = tuple(p.name for p in _parameters(function))

    def pull(
        self, plan: Plan, inputs: list, outputs: list, cotangents: dict, scalars: Any, wanted: tuple
    ) -> tuple:
        """Return the gradients towards the wanted inputs."""
        call: BoundCall = plan.fn  # type: ignore[assignment]
        values = call.arguments(inputs, scalars)
        grads = tuple(cotangents.get(i) for i in range(len(plan.avals)))
        values |= {"grad": grads[0], "grads": grads, "output": outputs[0], "outputs": outputs}
        result = self.function(**{name: values[name] for name in self.names})
        flat = call.flatten_gradients(result if isinstance(result, tuple) else (result,))
        return tuple(_fit(flat[i], plan.in_avals[i]) for i in wanted)


def _fit(grad: Any, aval: Aval) -> Any:
    """Sum a gradient over broadcast dimensions and cast it to its input's type."""
    if grad is None:
        return jnp.zeros(aval.shape, aval.dtype.np)
    extra = grad.ndim - len(aval.shape)
    axes = [i for i, n in enumerate(aval.shape, extra) if n == 1 and grad.shape[i] != 1]
    if extra or axes:
        grad = grad.sum(axis=(*range(extra), *axes)).reshape(aval.shape)
    if jnp.iscomplexobj(grad) and not aval.dtype.is_complex:
        grad = grad.real
    return grad.astype(aval.dtype.np)


class BoundCall:
    """The function of a plan: unpack flat inputs, cast them, run the op's body."""

    def __init__(self, op: Op, key: tuple):
        self.op = op
        self.key = key
        statics, self.scalar_kinds, *self.tensor_kinds = key
        self.statics = dict(
            zip([p.name for p in op.params if p.kind == STATIC], statics, strict=True)
        )
        self.kinds = dict(zip(op.tensor_names, self.tensor_kinds, strict=True))
        self.common = self._common_dtype()
        self.input_names = [
            name
            for name, kind in self.kinds.items()
            for one in _as_tuple(kind)
            if one.__class__ is Aval
        ]

    def forget(self) -> None:
        """Drop the plan of this call, which is bound anew if it is asked for again."""
        self.op.plans.pop(self.key, None)

    def _common_dtype(self) -> dtypes.dtype | None:
        """Return the type to which the promoted tensors are cast."""
        kinds = [one for name in self.op.promoted for one in _as_tuple(self.kinds[name])]
        avals = [one for one in kinds if one.__class__ is Aval]
        numbers = [one for one in kinds if one.__class__ is type]
        if self.op.promote is None:
            return None
        result = dtypes.result_type_of(
            [a.dtype for a in avals if a.shape], [a.dtype for a in avals if not a.shape], numbers
        )
        is_exact = result.category < dtypes.FLOATING
        return dtypes.get_default_dtype() if self.op.promote == "float" and is_exact else result

    def _number_dtype(self) -> dtypes.dtype | None:
        """Return the type in which scalars reach the body: that of the computation."""
        if self.common is not None:
            return self.common
        first = next((one for k in self.tensor_kinds for one in _as_tuple(k) if one), None)
        return first.dtype if first.__class__ is Aval else None  # type: ignore[union-attr]

    def arguments(self, arrays: Any, scalars: Any) -> dict[str, Any]:
        """Return the body's arguments by name."""
        arrays, scalars = iter(arrays), iter(scalars)
        values = dict(self.statics)
        for name, kind in self.kinds.items():
            cast = self.common if name in self.op.promoted else None
            items = [_next_value(one, arrays, scalars, cast) for one in _as_tuple(kind)]
            values[name] = items if kind.__class__ is tuple else items[0]
        target = self._number_dtype()
        names = [p.name for p in self.op.params if p.kind == SCALAR]
        for name, kind in zip(names, self.scalar_kinds, strict=True):
            values[name] = None if kind is None else _cast_number(next(scalars), kind, target)
        return values

    def __call__(self, arrays: Any, scalars: Any) -> Any:
        """Run the op's body."""
        return self.op.body(**self.arguments(arrays, scalars))

    def flatten_gradients(self, grads: tuple) -> list:
        """Return the gradients of array inputs alone, in order."""
        flat = []
        for grad, kind in zip(grads, self.tensor_kinds, strict=False):
            items = grad if kind.__class__ is tuple else (grad,)
            flat += [
                g for g, one in zip(items, _as_tuple(kind), strict=True) if one.__class__ is Aval
            ]
        return flat + [None] * (len(self.input_names) - len(flat))


def _as_tuple(kind: Any) -> tuple:
    return kind if kind.__class__ is tuple else (kind,)


def _next_value(kind: Any, arrays: Any, scalars: Any, cast: dtypes.dtype | None) -> Any:
    if kind is None:
        return None
    if kind.__class__ is Aval:
        array = next(arrays)
        return array if cast is None or array.dtype == cast.np else array.astype(cast.np)
    return _cast_number(next(scalars), kind, cast)


def _cast_number(value: Any, kind: type, target: dtypes.dtype | None) -> Any:
    """Cast a run-time number to the computation's type, unless that would lose its kind."""
    if target is None or dtypes.of_number(kind).category > target.category:
        return value
    return value.astype(target.np)


def _bind(op: Op, key: tuple) -> Plan:
    """Make the plan of a call, tracing the body once; its errors are the user's errors."""
    call = BoundCall(op, key)
    kinds = [one for kind in call.tensor_kinds for one in _as_tuple(kind)]
    in_avals = tuple(one for one in kinds if one.__class__ is Aval)
    scalar_types = tuple(one for one in (*kinds, *call.scalar_kinds) if one.__class__ is type)
    _require_tensors(op, call, in_avals)
    _require_one_device(op, in_avals)
    structs = [jax.ShapeDtypeStruct((), SCALAR_TYPES[t]) for t in scalar_types]
    try:
        aval = avals_of(call, in_avals, structs)
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise _explain(op, call, error) from None
    default = dtypes.get_default_dtype()  # what numbers and integers become is part of the plan
    text = f"{op.name}{key!r}" + ("" if default is dtypes.float32 else default.name)
    return Plan(
        op.name, text if op.is_builtin else None, call, in_avals, aval,
        scalar_types=scalar_types, rule=op.rule, check=op.check and _Check(op, call),
        num_residuals=op.num_residuals,
    )  # fmt: skip


class _Check:
    """The value check of a plan: true where the op's inputs hold a bad value."""

    def __init__(self, op: Op, call: BoundCall):
        self.op = op
        self.call = call

    def __call__(self, arrays: Any, scalars: Any) -> Any:
        values = self.call.arguments(arrays, scalars)
        check: Any = self.op.check
        return check(**{p.name: values[p.name] for p in _parameters(check)})

    def error(self) -> Exception:
        """Return the exception for a bad value."""
        return self.op.check_error(self.call.kinds | self.call.statics)  # type: ignore[misc]


def _require_tensors(op: Op, call: BoundCall, in_avals: tuple[Aval, ...]) -> None:
    """Raise where a Python number stands for a tensor that must be one."""
    given = {name: kind for name, kind in call.kinds.items() if kind.__class__ is type}
    refused = [name for name in given if name not in op.numbers]
    if given and not in_avals and not refused:
        refused = list(given)
    for name in refused:
        position = op.tensor_names.index(name) + 1
        raise TypeError(
            f"{op.name.lstrip('_')}(): argument '{name}' (position {position}) must be Tensor, "
            f"not {given[name].__name__}"
        )


def _require_one_device(op: Op, avals: tuple[Aval, ...]) -> None:
    places = sorted({str(a.device) for a in avals})
    if len(places) > 1:
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two devices, "
            f"{places[0]} and {places[1]}! "
            f"(when calling {op.name} with {', '.join(map(repr, avals))})"
        )


def _explain(op: Op, call: BoundCall, error: Exception) -> Exception:
    """Return PyTorch's kind of error for one that JAX raised in a body."""
    if getattr(error, "is_final", False):
        return error
    received = ", ".join(f"{name} {kind}" for name, kind in call.kinds.items())
    first_line = str(error).split("\n")[0]
    return RuntimeError(f"{op.name}: {first_line}; received {received}")


class BadArgumentError(Exception):
    """Mixin that marks an error raised on purpose in a body, to pass as it is."""

    is_final = True


class BadValue(BadArgumentError, ValueError):
    """A ValueError that a body raises on purpose."""


class BadType(BadArgumentError, TypeError):
    """A TypeError that a body raises on purpose."""


class _Declared(NamedTuple):
    """One parameter as a function declares it."""

    name: str
    annotation: Any
    is_keyword_only: bool
    has_default: bool
    default: Any


def _parameters(function: Any) -> list[_Declared]:
    """Return a plain function's parameters (`inspect.signature` takes 60 us, hundreds of times)."""
    code = function.__code__
    num_positional = code.co_argcount
    names = code.co_varnames[: num_positional + code.co_kwonlyargcount]
    positional = function.__defaults__ or ()
    defaults = dict(
        zip(names[num_positional - len(positional) : num_positional], positional, strict=True)
    )
    defaults |= function.__kwdefaults__ or {}
    return [
        _Declared(
            name, function.__annotations__.get(name), i >= num_positional, name in defaults,
            defaults.get(name),
        )
        for i, name in enumerate(names)
    ]  # fmt: skip


_WRAPPER = """
def recorded({signature}):
    return _apply(_op, ({tensors}), ({scalars}), ({statics}))
"""


@cache
def _compiled(source: str) -> Any:
    # The name counts as a file of the package, so that it is never taken for the user's.
    return compile(source, f"{PACKAGE_PREFIX}/<op>", "exec")


def _public(op: Op, apply: Callable) -> Any:
    """Generate the op's public function: the body's signature, its parameters sorted by kind."""
    names = {kind: [p.name for p in op.params if p.kind == kind] for kind in (SCALAR, STATIC)}
    namespace: dict[str, Any] = {"_apply": apply, "_op": op}
    parts = []
    for parameter in _parameters(op.body):
        if parameter.is_keyword_only and "*" not in parts:
            parts.append("*")
        default = ""
        if parameter.has_default:
            default = f"=_default_{parameter.name}"
            namespace[default[1:]] = parameter.default
        parts.append(parameter.name + default)
    source = _WRAPPER.format(
        signature=", ".join(parts),
        tensors="".join(f"{n}, " for n in op.tensor_names),
        scalars="".join(f"{n}, " for n in names[SCALAR]),
        statics="".join(f"{n}, " for n in names[STATIC]),
    )
    exec(_compiled(source), namespace)
    made = namespace["recorded"]
    made.__name__ = made.__qualname__ = op.name.split(".")[-1]
    return made


_apply_hook: list[Callable] = []  # set by record.py, which lies above


def op(
    body: Callable | None = None,
    *,
    name: str | None = None,
    promote: str | None = None,
    promoted: tuple[str, ...] | None = None,
    numbers: tuple[str, ...] | None = None,
    residuals: int = 0,
) -> Any:
    """Register a function on JAX arrays as an operation on tensors.

    The function returned takes tensors and records a node. It carries `.op` (the `Op`), and the
    decorators `.backward` (the op's own gradient, see `Rule`) and `.check`.

    Args:
        name: The registered name; the function's own by default.
        promote: `"same"`, `"float"` or `None`, see `Op`.
        promoted: The parameters that take part in promotion; all tensors by default.
        numbers: The tensor parameters that may be Python numbers; all by default.
        residuals: How many of the body's last outputs are not results but values that `.backward`
            reads (it names `outputs`), so that nothing is computed again for the gradient.

    Example:
        >>> @op
        ... def triple(input: Array):
        ...     return 3 * input
        >>> import taowa
        >>> triple(taowa.ones(2))
        tensor([3., 3.])
    """
    if body is None:
        return lambda function: op(
            function, name=name, promote=promote, promoted=promoted, numbers=numbers,
            residuals=residuals,
        )  # fmt: skip
    made = Op(body, name or body.__name__, promote, promoted, numbers)
    made.num_residuals = residuals
    OPS[made.name] = made
    public: Any = _public(made, _apply_hook[0])
    public.__doc__ = body.__doc__
    public.__module__ = body.__module__
    public.__qualname__ = public.__name__
    public.op = made
    public.backward = lambda function: _set_rule(made, public, function)
    public.check = lambda error: lambda function: _set_check(made, public, function, error)
    return public


def _set_rule(made: Op, public: Callable, function: Callable) -> Callable:
    made.rule = Rule(made, function)
    return public


def _set_check(made: Op, public: Callable, function: Callable, error: Callable) -> Callable:
    made.check, made.check_error = function, error
    return public
