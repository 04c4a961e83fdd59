"""Ready-made parametrizations of weights."""

from __future__ import annotations

from typing import Any

from taowa.core.grad_mode import no_grad
from taowa.core.tensor import Tensor
from taowa.nn import functional as F
from taowa.nn.module import Module
from taowa.nn.utils import parametrize
from taowa.nn.utils.parametrizations_orthogonal import orthogonal
from taowa.nn.utils.spectral_norm import (
    dim_of_outputs,
    draw_vectors,
    over_sigma,
    power_iteration,
    require_iterations,
)
from taowa.nn.utils.weight_norm import norm_except_dim, rescaled

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


class _WeightNorm(Module):
    """Map lengths and directions to a weight."""

    def __init__(self, dim: int | None = 0):
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        """Return the weight."""
        return rescaled(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weight's lengths and, for directions, the weight itself."""
        return norm_except_dim(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Train a weight's length and direction apart.

    They are `module.parametrizations.<name>.original0` and `.original1`. Files of the older
    `nn.utils.weight_norm` load.

    Args:
        dim: The dimension along which there is a length for each slice; `None` for one length.

    References:
        Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868

    Example:
        >>> from taowa import nn
        >>> layer = weight_norm(nn.Linear(2, 3))
        >>> layer.parametrizations.weight.original0.shape
        torch.Size([3, 1])
    """
    parametrize.register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def rename(state_dict: dict, prefix: str, *_: Any) -> None:
        old = [f"{prefix}{name}_{part}" for part in "gv"]
        if all(key in state_dict for key in old):
            for i, key in enumerate(old):
                new = f"{prefix}parametrizations.{name}.original{i}"
                state_dict[new] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(rename)
    return module


class _SpectralNorm(Module):
    """Divide a weight by its largest singular value, or a vector by its length."""

    _u: Tensor
    _v: Tensor

    def __init__(
        self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ):
        super().__init__()
        ndim = weight.ndim
        if not -ndim <= dim < ndim:
            raise IndexError(
                "Dimension out of range (expected to be in range of "
                f"[-{ndim}, {ndim - 1}] but got {dim})"
            )
        require_iterations(n_power_iterations)
        self.dim = dim % ndim
        self.eps = eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            with no_grad():
                u, v = draw_vectors(weight, self.dim, eps)
            self.register_buffer("_u", u)
            self.register_buffer("_v", v)
            self._improve(weight, 15)

    @no_grad()
    def _improve(self, weight: Tensor, count: int) -> tuple[Tensor, Tensor]:
        better = power_iteration(weight, self._u, self._v, self.eps, self.dim, count, True)
        self._u.copy_(better[0])  # type: ignore[attr-defined]
        self._v.copy_(better[1])  # type: ignore[attr-defined]
        return better

    def forward(self, weight: Tensor) -> Tensor:
        """Return the divided weight; in training, follow its singular vectors first."""
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        u, v = self._u, self._v
        if self.training:
            u, v = self._improve(weight, self.n_power_iterations)
        return over_sigma(weight, u, v, self.dim)

    def right_inverse(self, value: Tensor) -> Tensor:
        """Return the value itself, which need not be divided."""
        return value


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Keep a weight's largest singular value at 1.

    Args:
        n_power_iterations: How often the singular vectors are made better at each access in
            training.
        eps: Smallest divisor.
        dim: The dimension that counts outputs; 1 for transposed convolutions, else 0.

    Raises:
        ValueError: if there is no such weight.

    References:
        Miyato et al. 2018, https://arxiv.org/abs/1802.05957

    Example:
        >>> from taowa import nn
        >>> layer = spectral_norm(nn.Linear(2, 3))
        >>> layer.parametrizations.weight[0]._u.shape
        torch.Size([3])
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    made = _SpectralNorm(weight, n_power_iterations, dim_of_outputs(module, dim), eps)
    return parametrize.register_parametrization(module, name, made)
