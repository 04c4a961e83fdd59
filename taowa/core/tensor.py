"""Tensor and Storage: handles on the graph. No mathematics here; `ops` installs it."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from taowa.core import lens as lenses
from taowa.core.context import context
from taowa.core.device import device, jax_device, of_array, present
from taowa.core.handles import RemovableHandle, register
from taowa.core.layout import Layout
from taowa.core.lens import Lens
from taowa.core.node import Aval, Leaf, Node, host_leaf, leaf
from taowa.core.program import value_of
from taowa.core.protocols import Protocols
from taowa.core.size import Size
from taowa.core.storage import Storage
from taowa.core.tape import GradFn
from taowa.dtypes import dtype, from_numpy_dtype


class Tensor(Layout, Protocols):
    """A multi-dimensional array with gradients, as `torch.Tensor`.

    Tensors come from factory functions (`taowa.tensor`, `taowa.zeros`), not from this class.

    Example:
        >>> import taowa
        >>> x = taowa.tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        tensor([2., 4.])
    """

    _lens: Lens = ()
    _base: Tensor | None = None
    _version_read = 0  # of a view: the storage's version that `_read` was read from
    _read: Node | None = None
    _follows = True  # of a view: it is on the tape when its base is
    _grad: Tensor | None = None
    _retains_grad = False
    _is_inference = False
    __array_priority__ = 1000  # NumPy leaves mixed expressions to Tensor
    __hash__ = object.__hash__  # type: ignore[assignment]

    _storage: Storage
    _edge: Any

    def __new__(cls, *args: Any, **kwargs: Any) -> Tensor:
        if cls is Tensor:
            return legacy_constructor[0](*args, **kwargs)
        return object.__new__(cls)

    # -- identity of the value ------------------------------------------------------------

    def _node(self) -> Node:
        """Return the node of the current value, reading the base again after a write."""
        storage = self._storage
        if not self._lens:
            return storage.node
        if self._version_read != storage.version or self._read is None:
            self._read_again()
        return self._read  # type: ignore[return-value]

    def _read_again(self) -> None:
        storage = self._storage
        edge = self._base_edge()
        array = storage.node.array
        if edge is None and array.__class__ is np.ndarray:
            self._read = host_leaf(lenses.host_view(self._lens, array), storage.node.aval.device)
        else:
            self._read, read_edge = lenses.read(context(), self._lens, (storage.node, edge))
            if edge is not None:
                self._edge = read_edge
        self._version_read = storage.version

    def _root(self) -> Tensor | None:
        """Return the tensor that this one is a view of, and no view itself."""
        base = self._base
        # A base that became a view of its own memory (`x.t_()`) has left a root behind.
        return base._base if base is not None and base._lens else base

    def _base_edge(self) -> Any:
        root = self._root()
        return root._edge if root is not None and self._follows else None

    def _tape(self) -> Any:
        """Return where the tape goes on from this tensor: a Node, a Leaf or None."""
        if self._lens and self._version_read != self._storage.version:
            self._read_again()
        return self._edge

    def _write(self, node: Node, edge: Any) -> None:
        """Make `node` this tensor's value, through the view if it is one."""
        ctx = context()
        self._require_writable(ctx)
        if self._lens:
            self._write_view(ctx, node, edge)
            return
        storage = self._storage
        if ctx.grad_enabled and self._edge.__class__ is not Leaf:
            if edge is None and self._edge is not None:
                node, edge = lenses.overwrite(ctx, (storage.node, self._edge), node)
            self._edge = edge
        storage.rebind(node)

    def _write_view(self, ctx: Any, node: Node, edge: Any) -> None:
        storage, root = self._storage, self._root()
        old = root._edge if root is not None and ctx.grad_enabled else None
        new_node, new_edge = lenses.write(ctx, self._lens, (storage.node, old), (node, edge))
        if old is not None and new_edge is None:
            new_node, new_edge = lenses.overwrite(ctx, (storage.node, old), new_node)
        storage.rebind(new_node)
        self._read, self._version_read = node, storage.version
        if root is not None and ctx.grad_enabled:
            root._edge = new_edge
            if edge is not None or new_edge is None:
                self._edge = edge
            else:
                self._version_read = -1  # an untracked value in a tracked base: read it from there

    def _require_writable(self, ctx: Any) -> None:
        if not ctx.grad_enabled:
            return
        if self._edge.__class__ is Leaf:
            raise RuntimeError(
                "a leaf Variable that requires grad is being used in an in-place operation."
            )
        root = self._root()
        if root is None or root._edge is None:
            return
        if root._edge.__class__ is Leaf:
            raise RuntimeError(
                "a view of a leaf Variable that requires grad is being used in an in-place "
                "operation."
            )
        if not self._follows:
            raise RuntimeError(
                "A view was created in no_grad mode and is being modified inplace with grad mode "
                "enabled. Make the view where gradients are enabled, or write under no_grad()."
            )

    @property
    def _aval(self) -> Aval:
        if self._lens:
            return self._lens[-1].read.aval  # type: ignore[return-value]
        return self._storage.node.aval

    # -- values on the host ---------------------------------------------------------------

    def host(self) -> np.ndarray:
        """Return the current value as a read-only NumPy array, waiting until it is computed."""
        node = self._node()
        array = node.array
        if array.__class__ is np.ndarray:
            return array
        return np.asarray(value_of(node))

    def is_on_host(self) -> bool:
        """Return whether the value is a NumPy array already: reading it costs nothing."""
        return self._node().array.__class__ is np.ndarray

    def set_host(self, array: Any) -> None:
        """Replace the whole value by a NumPy array of the same shape that nobody writes to."""
        aval = self._aval
        array = np.asarray(array, aval.dtype.np)
        if array.shape != aval.shape:
            array = np.broadcast_to(array, aval.shape)
        if self._lens and self._is_free_on_host():
            self.edit_host(lambda memory: memory.__setitem__(..., array))
            return
        self._write(host_leaf(array, aval.device), None)

    def edit_host(self, edit: Callable[[np.ndarray], Any]) -> None:
        """Let `edit` write to this tensor's memory; only where `_is_free_on_host`.

        The memory is only copied where somebody else may still read the old value, so that
        filling a large tensor row by row takes linear time.
        """
        lenses.require_no_overlap(self._lens)
        if self._lens:
            self._read = None
        memory = self._storage.own_array()
        edit(lenses.host_view(self._lens, memory))

    def _is_free_on_host(self) -> bool:
        """Return whether the memory is a NumPy array that can change unseen by the tape.

        Raises:
            RuntimeError: if writing is refused.
        """
        ctx = context()
        self._require_writable(ctx)
        if self._storage.node.array.__class__ is not np.ndarray:
            return False
        if not ctx.grad_enabled:
            return True
        root = self._root()
        return self._edge is None and (root is None or root._edge is None)

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """Return the value as a NumPy array of one's own.

        Unlike PyTorch, the array is a copy: writing to it leaves the tensor as it is.

        Raises:
            RuntimeError: if the tensor requires grad and `force` is false.

        Example:
            >>> import taowa
            >>> taowa.arange(3).numpy()
            array([0, 1, 2])
        """
        if self.requires_grad and not force:
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad. "
                "Use tensor.detach().numpy() instead."
            )
        if self.device.type != "cpu" and not force:
            raise TypeError(
                f"can't convert {self.device} device type tensor to numpy. "
                "Use Tensor.cpu() to copy the tensor to host memory first."
            )
        return np.array(self.host())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self.numpy()
        return array if dtype is None else array.astype(dtype, copy=False)

    def item(self) -> Any:
        """Return the only element as a Python number.

        Raises:
            RuntimeError: if there is not exactly one element.
        """
        array = self.host()
        if array.size != 1:
            raise RuntimeError(f"a Tensor with {array.size} elements cannot be converted to Scalar")
        value = array.reshape(()).item()
        return float(value) if self.dtype.is_floating_point else value

    def tolist(self) -> Any:
        """Return the value as nested lists of Python numbers."""
        array = self.host()
        return (array.astype(np.float32) if self.dtype.name == "bfloat16" else array).tolist()

    def to_jax(self) -> jax.Array:
        """Return the value as a JAX array.

        Example:
            >>> import taowa
            >>> taowa.ones(2).to_jax()
            Array([1., 1.], dtype=float32)
        """
        array = value_of(self._node())
        if array.__class__ is np.ndarray:
            with jax.enable_x64(True):
                return jax.numpy.array(array, device=jax_device(self.device))
        return array

    # -- properties -----------------------------------------------------------------------

    @property
    def shape(self) -> Size:
        """The size of each dimension."""
        return Size(self._aval.shape)

    @property
    def dtype(self) -> dtype:
        """The element type."""
        return self._aval.dtype

    @property
    def device(self) -> device:
        """Where the values live."""
        return self._aval.device

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self._aval.shape)

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to or through this tensor."""
        return self._tape() is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set whether gradients of this leaf are collected in `.grad`.

        Raises:
            RuntimeError: for a non-leaf tensor set to False, or a type without gradients.
        """
        if not self.is_leaf and not requires_grad:
            raise RuntimeError(
                "you can only change requires_grad flags of leaf variables. If you want to use a "
                "computed variable in a subgraph that doesn't require differentiation use "
                "var_no_grad = var.detach()."
            )
        if not requires_grad:
            self._edge = None
        elif self._tape() is None:
            if not (self.dtype.is_floating_point or self.dtype.is_complex):
                raise RuntimeError("only Tensors of floating point dtype can require gradients")
            self._edge = Leaf(weakref.ref(self))
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor was not computed from others that require grad."""
        return self._tape().__class__ is not Node

    @property
    def grad(self) -> Tensor | None:
        """The gradient collected by `backward`, `None` before the first."""
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            _require_fitting_grad(self, value)
        self._grad = value

    @property
    def grad_fn(self) -> GradFn | None:
        """The tape's entry for this tensor, `None` for a leaf."""
        edge = self._tape()
        return GradFn(edge) if edge.__class__ is Node else None

    @property
    def data(self) -> Tensor:
        """The same memory, cut off from the tape."""
        return self.detach()

    @data.setter
    def data(self, value: Tensor) -> None:
        edge = self._edge
        if edge.__class__ is Node:
            edge = None
        self._storage, self._lens, self._base = value._storage, value._lens, value._base
        self._read, self._version_read = value._read, value._version_read
        self._edge = edge

    def detach(self) -> Tensor:
        """Return a tensor on the same memory through which no gradient flows.

        Example:
            >>> import taowa
            >>> x = taowa.ones(2, requires_grad=True)
            >>> x.detach().requires_grad
            False
        """
        alias = wrap_storage(self._storage, None)
        if self._lens:
            alias._lens, alias._base = self._lens, wrap_storage(self._storage, None)
            if self._storage.node.array.__class__ is not np.ndarray:  # else read on the host
                alias._read, alias._version_read = self._node(), self._storage.version
        return alias

    def detach_(self) -> Tensor:
        """Cut this tensor off from the tape."""
        self._edge = None
        return self

    def retain_grad(self) -> None:
        """Collect the gradient of this non-leaf tensor in `.grad` too."""
        if not self.requires_grad:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        self._retains_grad = not self.is_leaf
        if self._retains_grad:
            keep = weakref.ref(self)
            self.register_hook(lambda grad: _keep_grad(keep, grad))

    @property
    def retains_grad(self) -> bool:
        """Whether `retain_grad` was called on this non-leaf tensor."""
        return self._retains_grad

    def register_hook(self, hook: Any) -> RemovableHandle:
        """Call `hook(grad)` when this tensor's gradient is computed; its result replaces it.

        Raises:
            RuntimeError: if the tensor does not require grad.
        """
        edge = self._tape()
        if edge is None:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if edge.hooks is None:
            edge.hooks = OrderedDict()
        return register(edge.hooks, hook)

    def register_post_accumulate_grad_hook(self, hook: Any) -> RemovableHandle:
        """Call `hook(tensor)` after a gradient was added to this leaf's `.grad`."""
        edge = self._tape()
        if edge.__class__ is not Leaf:
            raise RuntimeError(
                "post accumulate grad hooks cannot be registered on non-leaf tensors"
            )
        if edge.post_hooks is None:
            edge.post_hooks = OrderedDict()
        return register(edge.post_hooks, hook)

    # -- making tensors --------------------------------------------------------------------

    @classmethod
    def _from_node(cls, node: Node, edge: Any = None) -> Tensor:
        made = object.__new__(cls)
        made._storage = Storage(node)
        made._edge = edge
        return made

    @staticmethod
    def _make_subclass(kind: type, data: Tensor, require_grad: bool = False) -> Any:
        """Return a tensor of class `kind` on the same memory as `data`."""
        made = object.__new__(kind)
        made.__dict__.update(data.detach().__dict__)
        return made.requires_grad_(require_grad) if require_grad else made


legacy_constructor: list[Any] = [None]  # `Tensor(2, 3)`, set by ops.creation


def wrap(node: Node, edge: Any) -> Tensor:
    """Return a new tensor whose value is `node`."""
    made = object.__new__(Tensor)
    made._storage = Storage(node)
    made._edge = edge
    return made


def wrap_storage(storage: Storage, edge: Any) -> Tensor:
    """Return a new tensor on existing memory."""
    made = object.__new__(Tensor)
    made._storage = storage
    made._edge = edge
    return made


def from_array(array: np.ndarray, requires_grad: bool = False, device: Any = None) -> Tensor:
    """Return a tensor that owns the given NumPy array: nothing is copied or compiled.

    Nobody may write to the array afterwards.

    Example:
        >>> from_array(np.ones(2, np.float32))
        tensor([1., 1.])
    """
    made = wrap(host_leaf(np.asarray(array), present(device)), None)
    return made.requires_grad_() if requires_grad else made


def from_jax(array: jax.Array) -> Tensor:
    """Return a tensor with the value of a JAX array.

    Example:
        >>> from_jax(jax.numpy.ones(2))
        tensor([1., 1.])
    """
    return wrap(
        leaf(array, Aval.of(array.shape, from_numpy_dtype(array.dtype), of_array(array))), None
    )


def _keep_grad(keep: weakref.ref, grad: Tensor) -> None:
    tensor = keep()
    if tensor is not None:
        tensor._grad = grad if tensor._grad is None else tensor._grad + grad


def _require_fitting_grad(tensor: Tensor, grad: Any) -> None:
    if not isinstance(grad, Tensor):
        raise TypeError(
            "assigned grad expected to be a Tensor or None but got grad of type "
            f"{type(grad).__name__}"
        )
    if grad.shape != tensor.shape:
        raise RuntimeError(
            f"assigned grad has data of a different size: got {tuple(grad.shape)}, "
            f"expected {tuple(tensor.shape)}"
        )
