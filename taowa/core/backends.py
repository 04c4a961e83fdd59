"""`torch.backends`: switches that PyTorch programs set, accepted where they change nothing here."""

from __future__ import annotations

from dataclasses import dataclass, field

from taowa.kernels.shared_library import kernels

__all__ = ["cuda", "cudnn", "kernels", "mps"]


@dataclass
class Cudnn:
    """Switches of cuDNN; XLA chooses its algorithms itself and deterministically on the CPU."""

    enabled: bool = True
    benchmark: bool = False
    deterministic: bool = True
    allow_tf32: bool = False

    def is_available(self) -> bool:
        """Return False: cuDNN is XLA's business."""
        return False


@dataclass
class _Matmul:
    allow_tf32: bool = False


@dataclass
class Cuda:
    """Switches of CUDA's matrix products."""

    matmul: _Matmul = field(default_factory=_Matmul)


class Mps:
    """Apple's GPUs, which taowa does not use."""

    def is_available(self) -> bool:
        """Return False."""
        return False

    is_built = is_available


cudnn = Cudnn()
cuda = Cuda()
mps = Mps()
