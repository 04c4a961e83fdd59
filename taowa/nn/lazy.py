"""Layers that learn from their first batch how many features or channels come in."""

from __future__ import annotations

import itertools
from typing import Any

from taowa.core.grad_mode import no_grad
from taowa.core.tensor import Tensor
from taowa.nn.batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from taowa.nn.conv import Conv1d, Conv2d, Conv3d
from taowa.nn.conv_transpose import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from taowa.nn.linear import Linear
from taowa.nn.normalization import InstanceNorm1d, InstanceNorm2d, InstanceNorm3d
from taowa.nn.parameter import UninitializedBuffer, UninitializedParameter, is_lazy

__all__ = [
    "LazyBatchNorm1d",
    "LazyBatchNorm2d",
    "LazyBatchNorm3d",
    "LazyConv1d",
    "LazyConv2d",
    "LazyConv3d",
    "LazyConvTranspose1d",
    "LazyConvTranspose2d",
    "LazyConvTranspose3d",
    "LazyInstanceNorm1d",
    "LazyInstanceNorm2d",
    "LazyInstanceNorm3d",
    "LazyLinear",
]


class LazyModuleMixin:
    """Give a module parameters whose shapes its first call decides.

    The subclass registers `UninitializedParameter` and `UninitializedBuffer`, and defines
    `initialize_parameters`, called with the first call's arguments. Loading a state dict whose
    tensors have shapes decides them too.

    Attributes:
        cls_to_become: The class that the module then has.
    """

    cls_to_become: Any = None
    _initialize_hook: Any
    _load_hook: Any
    _parameters: dict
    _buffers: dict
    _register_load_state_dict_pre_hook: Any
    register_forward_pre_hook: Any

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._load_hook = self._register_load_state_dict_pre_hook(self._lazy_load_hook)
        self._initialize_hook = self.register_forward_pre_hook(
            self._infer_parameters, with_kwargs=True
        )

    def _members(self) -> Any:
        return itertools.chain(self._parameters.items(), self._buffers.items())

    def _lazy_load_hook(self, state_dict: dict, prefix: str, *_: Any) -> None:
        """Take over the shapes of a state dict."""
        for name, member in self._members():
            found = state_dict.get(prefix + name)
            if is_lazy(member) and found is not None and not is_lazy(found):
                with no_grad():
                    member.materialize(found.shape)

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Give the parameters their shapes and values; subclasses define it."""
        raise NotImplementedError(
            f"initialize_parameters is not implemented for {type(self).__name__}"
        )

    def has_uninitialized_params(self) -> bool:
        """Return whether a parameter or buffer has no shape yet.

        Example:
            >>> LazyLinear(3).has_uninitialized_params()
            True
        """
        return any(is_lazy(member) for _, member in self._members())

    def _infer_parameters(self, module: Any, args: tuple, kwargs: dict | None = None) -> None:
        """Become an ordinary module, before the first call's `forward`."""
        module.initialize_parameters(*args, **(kwargs or {}))
        if module.has_uninitialized_params():
            raise RuntimeError(f"module {module._get_name()} has not been fully initialized")
        module._initialize_hook.remove()
        module._load_hook.remove()
        del module._initialize_hook, module._load_hook
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become


class LazyLinear(LazyModuleMixin, Linear):
    """Be a `Linear` whose `in_features` is the size of the first input's last dimension.

    Args:
        out_features: Size of each output sample.
        bias: Whether to learn a shift.

    Example:
        >>> import taowa
        >>> layer = LazyLinear(3)
        >>> layer
        LazyLinear(in_features=0, out_features=3, bias=True)
        >>> layer(taowa.ones(4, 2)).shape
        torch.Size([4, 3])
        >>> layer
        Linear(in_features=2, out_features=3, bias=True)
    """

    cls_to_become = Linear

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None):
        super().__init__(0, 0, False)
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.out_features = out_features
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draw the parameters anew, once they have shapes."""
        if not self.has_uninitialized_params() and self.in_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        """Make parameters that fit the input."""
        if self.has_uninitialized_params():
            self.in_features = input.shape[-1]
            self.weight.materialize((self.out_features, self.in_features))
            if self.bias is not None:
                self.bias.materialize((self.out_features,))
            self.reset_parameters()
        if self.in_features == 0:  # a state dict brought the shapes
            if input.shape[-1] != self.weight.shape[-1]:
                raise AssertionError(
                    f"The in_features inferred from input: {input.shape[-1]} is not equal to "
                    f"in_features from self.weight: {self.weight.shape[-1]}"
                )
            self.in_features = input.shape[-1]


class _LazyConvolution(LazyModuleMixin):
    """What all lazy convolutions have in common."""

    rank: int
    groups: int
    transposed: bool
    kernel_size: tuple[int, ...]
    weight: Any
    bias: Any
    in_channels = 0

    def _make_lazy(self, out_channels: int, bias: bool, device: Any, dtype: Any) -> None:
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.out_channels = out_channels
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draw the parameters anew, once they have shapes."""
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()  # type: ignore[misc]

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        """Make parameters that fit the input."""
        if not self.has_uninitialized_params():
            return
        self.in_channels = self._channels_of(input)
        if self.in_channels % self.groups:
            raise ValueError("in_channels must be divisible by groups")
        first, second = self.out_channels, self.in_channels
        if self.transposed:
            first, second = second, first
        self.weight.materialize((first, second // self.groups, *self.kernel_size))
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()

    def _channels_of(self, input: Tensor) -> int:
        rank = self.rank
        if input.ndim not in (rank + 1, rank + 2):
            raise RuntimeError(
                f"Expected {rank + 1}D (unbatched) or {rank + 2}D (batched) input to "
                f"{type(self).__name__}, but got input of size: {input.shape}"
            )
        return input.shape[-rank - 1]


class _LazyConv(_LazyConvolution):
    def __init__(
        self,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] | str = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__(
            0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode,
            device, dtype,
        )  # fmt: skip
        self._make_lazy(out_channels, bias, device, dtype)


class _LazyConvTranspose(_LazyConvolution):
    def __init__(
        self,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] = 0,
        output_padding: int | tuple[int, ...] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | tuple[int, ...] = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__(
            0, 0, kernel_size, stride, padding, output_padding, groups, False, dilation,
            padding_mode, device, dtype,
        )  # fmt: skip
        self._make_lazy(out_channels, bias, device, dtype)


class LazyConv1d(_LazyConv, Conv1d):
    """Be a `Conv1d` whose `in_channels` are the first input's.

    Example:
        >>> import taowa
        >>> LazyConv1d(3, 2)(taowa.ones(1, 4, 5)).shape
        torch.Size([1, 3, 4])
    """

    cls_to_become = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    """Be a `Conv2d` whose `in_channels` are the first input's.

    Example:
        >>> import taowa
        >>> LazyConv2d(3, 2)(taowa.ones(1, 4, 5, 5)).shape
        torch.Size([1, 3, 4, 4])
    """

    cls_to_become = Conv2d


class LazyConv3d(_LazyConv, Conv3d):
    """Be a `Conv3d` whose `in_channels` are the first input's.

    Example:
        >>> import taowa
        >>> LazyConv3d(3, 2)(taowa.ones(1, 1, 2, 2, 2)).shape
        torch.Size([1, 3, 1, 1, 1])
    """

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):
    """Be a `ConvTranspose1d` whose `in_channels` are the first input's.

    Example:
        >>> import taowa
        >>> LazyConvTranspose1d(3, 2)(taowa.ones(1, 4, 5)).shape
        torch.Size([1, 3, 6])
    """

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):
    """Be a `ConvTranspose2d` whose `in_channels` are the first input's.

    Example:
        >>> import taowa
        >>> LazyConvTranspose2d(3, 2)(taowa.ones(1, 4, 5, 5)).shape
        torch.Size([1, 3, 6, 6])
    """

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):
    """Be a `ConvTranspose3d` whose `in_channels` are the first input's.

    Example:
        >>> import taowa
        >>> LazyConvTranspose3d(3, 2)(taowa.ones(1, 1, 2, 2, 2)).shape
        torch.Size([1, 3, 3, 3, 3])
    """

    cls_to_become = ConvTranspose3d


class _LazyNorm(LazyModuleMixin):
    """What all lazy norms of channels have in common."""

    weight: Any
    bias: Any
    running_mean: Any
    running_var: Any

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        options = {"device": device, "dtype": dtype}
        # The counter of batches is made here; all else waits.
        super().__init__(0, eps, momentum, False, track_running_stats, **options, bias=False)
        self.affine = affine
        if affine:
            self.weight = UninitializedParameter(**options)
            if bias:
                self.bias = UninitializedParameter(**options)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(**options)
            self.running_var = UninitializedBuffer(**options)

    def reset_parameters(self) -> None:
        """Make the layer as new, once its members have shapes."""
        if not self.has_uninitialized_params() and self.num_features != 0:
            super().reset_parameters()  # type: ignore[misc]

    def initialize_parameters(self, input: Tensor) -> None:
        """Make members that fit the input."""
        if not self.has_uninitialized_params():
            return
        self.num_features = input.shape[1]
        for _, member in self._members():
            if is_lazy(member):
                member.materialize((self.num_features,))
        self.reset_parameters()


class LazyBatchNorm1d(_LazyNorm, BatchNorm1d):
    """Be a `BatchNorm1d` whose `num_features` are the first input's channels.

    Example:
        >>> import taowa
        >>> LazyBatchNorm1d()(taowa.ones(4, 2)).shape
        torch.Size([4, 2])
    """

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(_LazyNorm, BatchNorm2d):
    """Be a `BatchNorm2d` whose `num_features` are the first input's channels.

    Example:
        >>> import taowa
        >>> LazyBatchNorm2d()(taowa.ones(4, 2, 3, 3)).shape
        torch.Size([4, 2, 3, 3])
    """

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(_LazyNorm, BatchNorm3d):
    """Be a `BatchNorm3d` whose `num_features` are the first input's channels.

    Example:
        >>> import taowa
        >>> LazyBatchNorm3d()(taowa.ones(4, 2, 3, 3, 3)).shape
        torch.Size([4, 2, 3, 3, 3])
    """

    cls_to_become = BatchNorm3d


class LazyInstanceNorm1d(_LazyNorm, InstanceNorm1d):
    """Be an `InstanceNorm1d` whose `num_features` are the first input's channels.

    Example:
        >>> import taowa
        >>> LazyInstanceNorm1d()(taowa.ones(4, 2, 3)).shape
        torch.Size([4, 2, 3])
    """

    cls_to_become = InstanceNorm1d


class LazyInstanceNorm2d(_LazyNorm, InstanceNorm2d):
    """Be an `InstanceNorm2d` whose `num_features` are the first input's channels.

    Example:
        >>> import taowa
        >>> LazyInstanceNorm2d()(taowa.ones(4, 2, 3, 3)).shape
        torch.Size([4, 2, 3, 3])
    """

    cls_to_become = InstanceNorm2d


class LazyInstanceNorm3d(_LazyNorm, InstanceNorm3d):
    """Be an `InstanceNorm3d` whose `num_features` are the first input's channels.

    Example:
        >>> import taowa
        >>> LazyInstanceNorm3d()(taowa.ones(4, 2, 3, 3, 3)).shape
        torch.Size([4, 2, 3, 3, 3])
    """

    cls_to_become = InstanceNorm3d
