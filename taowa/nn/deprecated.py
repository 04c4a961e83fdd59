"""Names that PyTorch keeps for old programs; each use warns."""

from __future__ import annotations

import warnings
from typing import Any

from taowa.nn.loss import NLLLoss
from taowa.nn.module import Module

__all__ = ["Container", "NLLLoss2d"]


class Container(Module):
    """Hold modules given by keyword; deprecated, subclass `Module` instead.

    Example:
        >>> import warnings
        >>> from taowa import nn
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     Container(act=nn.ReLU())
        Container(
          (act): ReLU()
        )
    """

    def __init__(self, **kwargs: Any):
        warnings.warn(
            "`nn.Container` is deprecated. All of its functionality is now implemented in "
            "`nn.Module`. Subclass that instead.",
            FutureWarning,
            stacklevel=2,
        )
        super().__init__()
        for name, module in kwargs.items():
            self.add_module(name, module)


class NLLLoss2d(NLLLoss):
    """Be `NLLLoss` under its old name for images; deprecated.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     NLLLoss2d()
        NLLLoss2d()
    """

    def __init__(self, *args: Any, **kwargs: Any):
        warnings.warn(
            "`NLLLoss2d` has been deprecated. Please use `NLLLoss` instead as a drop-in "
            "replacement and see https://pytorch.org/docs/main/nn.html#torch.nn.NLLLoss for more "
            "details.",
            FutureWarning,
            stacklevel=2,
        )
        super().__init__(*args, **kwargs)
