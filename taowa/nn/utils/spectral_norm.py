"""Weights divided by their largest singular value, which power iteration follows."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from taowa.core.grad_mode import no_grad
from taowa.core.op import Array, Scalar, op
from taowa.core.tensor import Tensor, from_array
from taowa.nn import functional as F
from taowa.nn.conv_transpose import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from taowa.nn.module import Module
from taowa.nn.parameter import Parameter, is_lazy
from taowa.ops.matmul import product

__all__ = [
    "SpectralNorm",
    "SpectralNormLoadStateDictPreHook",
    "SpectralNormStateDictHook",
    "remove_spectral_norm",
    "spectral_norm",
]


def _as_matrix(weight: Any, dim: int) -> Any:
    """Return an array as a matrix whose rows are its slices along a dimension."""
    return jnp.moveaxis(weight, dim, 0).reshape(weight.shape[dim], -1)


def _normalized(x: Any, eps: Any) -> Any:
    return x / jnp.maximum(jnp.linalg.norm(x), eps)


@op
def power_iteration(
    weight: Array, u: Array, v: Array, eps: Scalar, dim: int, count: int, left_first: bool
):
    """Return approximations of a weight's first singular vectors, made better `count` times.

    Args:
        u: Left vector, of the size of dimension `dim`.
        v: Right vector, of the size of all others together.
        left_first: Whether each round begins with `u`.

    Example:
        >>> import taowa
        >>> one = taowa.tensor([1.0])
        >>> power_iteration(taowa.tensor([[2.0]]), one, one, 1e-12, 0, 1, True)
        (tensor([1.]), tensor([1.]))
    """
    matrix = _as_matrix(weight, dim)
    adjoint = jnp.conj(matrix.T)

    def improve(_: Any, vectors: Any) -> Any:
        u, v = vectors
        if not left_first:
            v = _normalized(product(adjoint, u), eps)
        u = _normalized(product(matrix, v), eps)
        return u, _normalized(product(adjoint, u), eps) if left_first else v

    return lax.fori_loop(0, count, improve, (u, v))


@op
def over_sigma(weight: Array, u: Array, v: Array, dim: int):
    """Return `weight / sigma` with `sigma = u^H weight v`.

    Example:
        >>> import taowa
        >>> one = taowa.tensor([1.0])
        >>> over_sigma(taowa.tensor([[2.0]]), one, one, 0)
        tensor([[1.]])
    """
    return weight / product(jnp.conj(u), product(_as_matrix(weight, dim), v))


def draw_vectors(weight: Any, dim: int, eps: float) -> tuple[Tensor, Tensor]:
    """Return random vectors of length 1 for `power_iteration` to start from.

    Example:
        >>> import taowa
        >>> [x.shape for x in draw_vectors(taowa.ones(2, 3, 4), 0, 1e-12)]
        [torch.Size([2]), torch.Size([12])]
    """
    height = weight.shape[dim]
    width = weight.numel() // height
    drawn = (weight.new_empty(size).normal_(0, 1) for size in (height, width))
    u, v = (F.normalize(x, dim=0, eps=eps) for x in drawn)
    return u, v


def dim_of_outputs(module: Module, dim: int | None) -> int:
    """Return the dimension of a weight that counts outputs, unless one is given.

    Example:
        >>> dim_of_outputs(ConvTranspose1d(1, 1, 1), None)
        1
    """
    if dim is not None:
        return dim
    return int(isinstance(module, ConvTranspose1d | ConvTranspose2d | ConvTranspose3d))


def require_iterations(count: int) -> None:
    """Raise unless the number of iterations is positive.

    Raises:
        ValueError: if it is not.

    Example:
        >>> require_iterations(1)
    """
    if count <= 0:
        raise ValueError(
            f"Expected n_power_iterations to be positive, but got n_power_iterations={count}"
        )


class SpectralNorm:
    """Divide a weight by its largest singular value before each call of a module.

    Args:
        name: Of the parameter.
        n_power_iterations: How often the singular vectors are made better in each call.
        dim: The dimension that counts outputs.
        eps: Smallest divisor.
    """

    _version = 1

    def __init__(
        self, name: str = "weight", n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ):
        require_iterations(n_power_iterations)
        self.name = name
        self.dim = dim
        self.n_power_iterations = n_power_iterations
        self.eps = eps

    def reshape_weight_to_matrix(self, weight: Any) -> Tensor:
        """Return the weight as a matrix, a row for each output."""
        return weight.movedim(self.dim, 0).reshape(weight.shape[self.dim], -1)

    def compute_weight(self, module: Module, do_power_iteration: bool) -> Tensor:
        """Return the module's weight of now, its singular vectors made better first if asked."""
        weight, u, v = (getattr(module, f"{self.name}_{part}") for part in ("orig", "u", "v"))
        if do_power_iteration:
            with no_grad():
                better = power_iteration(
                    weight, u, v, self.eps, self.dim, self.n_power_iterations, False
                )
                u.copy_(better[0])
                v.copy_(better[1])
            u, v = better
        return over_sigma(weight, u, v, self.dim)

    def remove(self, module: Module) -> None:
        """Make the weight an ordinary parameter again."""
        with no_grad():
            weight = self.compute_weight(module, do_power_iteration=False)
        for suffix in ("", "_u", "_v", "_orig"):
            delattr(module, self.name + suffix)
        module.register_parameter(self.name, Parameter(weight.detach()))

    def __call__(self, module: Module, inputs: Any) -> None:
        """Recompute the weight."""
        setattr(module, self.name, self.compute_weight(module, module.training))

    @staticmethod
    def apply(
        module: Module, name: str, n_power_iterations: int, dim: int, eps: float
    ) -> SpectralNorm:
        """Replace a parameter by `<name>_orig`, and add the buffers `<name>_u` and `<name>_v`.

        Raises:
            RuntimeError: if that was done already.
            ValueError: if the parameter is `None` or has no shape yet.
        """
        if _find(module._forward_pre_hooks, SpectralNorm, name) is not None:
            raise RuntimeError(
                f"Cannot register two spectral_norm hooks on the same parameter {name}"
            )
        hook = SpectralNorm(name, n_power_iterations, dim, eps)
        weight = module._parameters[name]
        if weight is None:
            raise ValueError(f"`SpectralNorm` cannot be applied as parameter `{name}` is None")
        if is_lazy(weight):
            raise ValueError(
                "The module passed to `SpectralNorm` can't have uninitialized parameters. "
                "Make sure to run the dummy forward before applying spectral normalization"
            )
        with no_grad():
            u, v = draw_vectors(weight, dim, eps)
        delattr(module, name)
        module.register_parameter(f"{name}_orig", weight)
        setattr(module, name, weight.data)
        module.register_buffer(f"{name}_u", u)
        module.register_buffer(f"{name}_v", v)
        module.register_forward_pre_hook(hook)
        module._register_state_dict_hook(SpectralNormStateDictHook(hook))
        module._register_load_state_dict_pre_hook(SpectralNormLoadStateDictPreHook(hook))
        return hook


class SpectralNormLoadStateDictPreHook:
    """Bring state dicts of old files, which lack the right singular vector, up to date."""

    def __init__(self, fn: SpectralNorm):
        self.fn = fn

    def __call__(
        self, state_dict: dict, prefix: str, local_metadata: dict, strict: bool,
        missing_keys: list[str], *_: Any,
    ) -> None:  # fmt: skip
        """Compute what is missing from what is there."""
        key = prefix + self.fn.name
        version = local_metadata.get("spectral_norm", {}).get(f"{self.fn.name}.version")
        is_whole = all(key + end in state_dict for end in ("_orig", "_u", "_v"))
        if version is not None or (is_whole and key not in state_dict):
            return
        missing = [key + end for end in ("_orig", "", "_u") if key + end not in state_dict]
        if missing:
            missing_keys += missing if strict else []
            return
        weight, u = state_dict[f"{key}_orig"], state_dict[f"{key}_u"]
        sigma = (weight.host() / state_dict.pop(key).host()).mean()
        matrix = self.fn.reshape_weight_to_matrix(weight).host()
        v = np.linalg.pinv(matrix.T @ matrix) @ matrix.T @ u.host()
        v *= sigma / (u.host() @ matrix @ v)
        state_dict[f"{key}_v"] = from_array(v.astype(matrix.dtype))


class SpectralNormStateDictHook:
    """Note the version of the format in a state dict."""

    def __init__(self, fn: SpectralNorm):
        self.fn = fn

    def __call__(self, module: Module, state_dict: dict, prefix: str, local_metadata: dict) -> None:
        """Write the version into the metadata."""
        versions = local_metadata.setdefault("spectral_norm", {})
        key = f"{self.fn.name}.version"
        if key in versions:
            raise RuntimeError(f"Unexpected key in metadata['spectral_norm']: {key}")
        versions[key] = self.fn._version


def _find(hooks: Any, kind: type, name: str) -> int | None:
    """Return the id of a hook on a parameter."""
    for key, hook in hooks.items():
        if isinstance(hook, kind) and getattr(hook, "fn", hook).name == name:
            return key
    return None


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Any:
    """Keep a weight's largest singular value at 1; see also `parametrizations.spectral_norm`.

    Args:
        module: Gets `<name>_orig`, `<name>_u` and `<name>_v`; `<name>` is computed of them.
        n_power_iterations: How often the singular vectors are made better in each call.
        eps: Smallest divisor.
        dim: The dimension that counts outputs; 1 for transposed convolutions, else 0.

    References:
        Miyato et al. 2018, https://arxiv.org/abs/1802.05957

    Example:
        >>> from taowa import nn
        >>> layer = spectral_norm(nn.Linear(2, 3))
        >>> list(layer.state_dict())
        ['bias', 'weight_orig', 'weight_u', 'weight_v']
    """
    SpectralNorm.apply(module, name, n_power_iterations, dim_of_outputs(module, dim), eps)
    return module


def remove_spectral_norm(module: Module, name: str = "weight") -> Any:
    """Make a weight that `spectral_norm` divides an ordinary parameter again.

    Raises:
        ValueError: if it is not divided.
    """
    key = _find(module._forward_pre_hooks, SpectralNorm, name)
    if key is None:
        raise ValueError(f"spectral_norm of '{name}' not found in {module}")
    hook: Any = module._forward_pre_hooks[key]
    hook.remove(module)
    tables = (
        (module._forward_pre_hooks, SpectralNorm),
        (module._state_dict_hooks, SpectralNormStateDictHook),
        (module._load_state_dict_pre_hooks, SpectralNormLoadStateDictPreHook),
    )
    for table, kind in tables:
        key = _find(table, kind, name)
        if key is not None:
            del table[key]
    return module
