"""Making tensors: on the host, so that nothing is compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from taowa import dtypes
from taowa.core.api import public
from taowa.core.tensor import Tensor, from_array


@public(is_method=False)
def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return a tensor filled with ones.

    Example:
        >>> import taowa
        >>> taowa.ones(2)
        tensor([1., 1.])
    """
    kind = dtype or dtypes.get_default_dtype()
    return from_array(np.ones(size, kind.np), requires_grad, device)
