"""Residual networks, with torchvision's printed tree, state-dict keys and initial weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from taowa import nn
from taowa.core.tensor import Tensor
from taowa.errors import unsupported
from taowa.models.registry import register_model

__all__ = [
    "BasicBlock",
    "Bottleneck",
    "ResNet",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "resnext101_64x4d",
    "wide_resnet50_2",
    "wide_resnet101_2",
]

NormLayer = Callable[[int], nn.Module]
Stem = Literal["imagenet", "cifar"]
STAGE_WIDTHS = (64, 128, 256, 512)
SMALL_IMAGE = 64  # images under this many pixels along a side get the CIFAR form


def _conv3x3(
    in_channels: int, out_channels: int, stride: int = 1, groups: int = 1, dilation: int = 1
) -> nn.Conv2d:
    return nn.Conv2d(
        in_channels, out_channels, kernel_size=3, stride=stride,
        padding=dilation, dilation=dilation, groups=groups, bias=False,
    )  # fmt: skip


def _conv1x1(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False)


class BasicBlock(nn.Module):
    """Add two 3×3 convolutions' result to the input: the block of ResNet-18 and -34.

    Args:
        inplanes: Channels of the input.
        planes: Channels of the output.
        stride: Of the first convolution.
        downsample: Brings the input to the output's shape. `None` = it has it already.
        groups: Only 1.
        base_width: Only 64.
        dilation: Only 1.
        norm_layer: Makes a normalisation from a number of channels; `nn.BatchNorm2d` by default.
    Shape:
        input `(N, inplanes, H, W)` -> output `(N, planes, H / stride, W / stride)`, rounded up
    Raises:
        ValueError: for other `groups` or `base_width`.
        NotImplementedError: for another `dilation`.
    Example:
        >>> import taowa
        >>> BasicBlock(4, 4)(taowa.zeros(1, 4, 8, 8)).shape
        torch.Size([1, 4, 8, 8])
    """

    expansion = 1

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: NormLayer | None = None,
    ):
        super().__init__()
        if groups != 1 or base_width != 64:
            raise ValueError("BasicBlock only supports groups=1 and base_width=64")
        if dilation > 1:
            raise NotImplementedError("Dilation > 1 not supported in BasicBlock")
        norm = norm_layer or nn.BatchNorm2d
        self.conv1 = _conv3x3(inplanes, planes, stride)
        self.bn1 = norm(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = _conv3x3(planes, planes)
        self.bn2 = norm(planes)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Return the input plus the residual, rectified."""
        residual = self.relu(self.bn1(self.conv1(x)))
        residual = self.bn2(self.conv2(residual))
        return self.relu(residual + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """Add the result of 1×1, 3×3 and 1×1 convolutions to the input: the block of deep ResNets.

    The 3×3 convolution has `planes * base_width / 64 * groups` channels, the output four times
    `planes`. The stride is the 3×3 convolution's, as in torchvision, not the paper's first 1×1's.

    Args:
        inplanes: Channels of the input.
        planes: A quarter of the output's channels.
        stride: Of the 3×3 convolution.
        downsample: Brings the input to the output's shape. `None` = it has it already.
        groups: Of the 3×3 convolution.
        base_width: Its channels per group, at `planes` 64.
        dilation: Of the 3×3 convolution.
        norm_layer: Makes a normalisation from a number of channels; `nn.BatchNorm2d` by default.
    Shape:
        input `(N, inplanes, H, W)` -> output `(N, 4 * planes, H / stride, W / stride)`, rounded up
    References:
        https://catalog.ngc.nvidia.com/orgs/nvidia/resources/resnet_50_v1_5_for_pytorch (v1.5)
    Example:
        >>> import taowa
        >>> Bottleneck(16, 4)(taowa.zeros(1, 16, 8, 8)).shape
        torch.Size([1, 16, 8, 8])
    """

    expansion = 4

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: NormLayer | None = None,
    ):
        super().__init__()
        norm = norm_layer or nn.BatchNorm2d
        width = int(planes * (base_width / 64)) * groups
        self.conv1 = _conv1x1(inplanes, width)
        self.bn1 = norm(width)
        self.conv2 = _conv3x3(width, width, stride, groups, dilation)
        self.bn2 = norm(width)
        self.conv3 = _conv1x1(width, planes * self.expansion)
        self.bn3 = norm(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Return the input plus the residual, rectified."""
        residual = self.relu(self.bn1(self.conv1(x)))
        residual = self.relu(self.bn2(self.conv2(residual)))
        residual = self.bn3(self.conv3(residual))
        return self.relu(residual + (x if self.downsample is None else self.downsample(x)))


Block = type[BasicBlock] | type[Bottleneck]


class ResNet(nn.Module):
    """Classify images by four stages of residual blocks.

    Args:
        block: `BasicBlock` or `Bottleneck`.
        layers: How many blocks each of the four stages has.
        zero_init_residual: Whether each block starts as the identity (last scale set to zero).
        groups: Of the bottlenecks' 3×3 convolutions.
        width_per_group: Their channels per group in the first stage.
        replace_stride_with_dilation: For stages 2 to 4, whether to dilate instead of striding.
        norm_layer: Makes a normalisation from a number of channels; `nn.BatchNorm2d` by default.
        in_channels: Channels of the images.
        stem: `"imagenet"`: 7×7 convolution with stride 2 and pooling; `"cifar"`, for small images:
            3×3 convolution, no pooling.
    Shape:
        input `(N, in_channels, H, W)` -> output `(N, num_classes)`
    Raises:
        ValueError: for another `stem`, or flags for other than three stages.
    References:
        He et al. 2015, https://arxiv.org/abs/1512.03385
    Example:
        >>> import taowa
        >>> net = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=10, in_channels=1, stem="cifar")
        >>> net.conv1
        Conv2d(1, 64, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)
        >>> net(taowa.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        block: Block,
        layers: Sequence[int],
        num_classes: int = 1000,
        zero_init_residual: bool = False,
        groups: int = 1,
        width_per_group: int = 64,
        replace_stride_with_dilation: Sequence[bool] | None = None,
        norm_layer: NormLayer | None = None,
        *,
        in_channels: int = 3,
        stem: Stem = "imagenet",
    ):
        super().__init__()
        dilates = replace_stride_with_dilation or (False, False, False)
        if len(dilates) != 3:
            raise ValueError(
                "replace_stride_with_dilation should be None "
                f"or a 3-element tuple, got {replace_stride_with_dilation}"
            )
        norm = norm_layer or nn.BatchNorm2d
        make = _StageMaker(block, groups, width_per_group, norm)
        self.conv1, maxpool = _stem(stem, in_channels)
        self.bn1 = norm(STAGE_WIDTHS[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = maxpool
        self.layer1 = make(STAGE_WIDTHS[0], layers[0])
        self.layer2 = make(STAGE_WIDTHS[1], layers[1], stride=2, dilates=dilates[0])
        self.layer3 = make(STAGE_WIDTHS[2], layers[2], stride=2, dilates=dilates[1])
        self.layer4 = make(STAGE_WIDTHS[3], layers[3], stride=2, dilates=dilates[2])
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(STAGE_WIDTHS[3] * block.expansion, num_classes)
        self.apply(_init_convolution)
        if zero_init_residual:
            self.apply(_init_as_identity)

    def forward(self, x: Tensor) -> Tensor:
        """Return each class's score: `(N, num_classes)`."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))  # (N, 64, H / 4, W / 4)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))  # (N, C, H / 32, W / 32)
        return self.fc(self.avgpool(x).flatten(1))


def _stem(kind: str, in_channels: int) -> tuple[nn.Conv2d, nn.Module]:
    """Return the first convolution and the pooling after it."""
    width = STAGE_WIDTHS[0]
    if kind == "imagenet":
        conv = nn.Conv2d(in_channels, width, kernel_size=7, stride=2, padding=3, bias=False)
        return conv, nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
    if kind == "cifar":
        return _conv3x3(in_channels, width), nn.Identity()
    raise ValueError(f"ResNet: stem is {kind!r}, expected 'imagenet' or 'cifar'")


class _StageMaker:
    """Make stages one after another, each from the channels and dilation of the last."""

    def __init__(self, block: Block, groups: int, base_width: int, norm: NormLayer):
        self.block = block
        self.groups = groups
        self.base_width = base_width
        self.norm = norm
        self.channels = STAGE_WIDTHS[0]
        self.dilation = 1

    def __call__(
        self, planes: int, num_blocks: int, stride: int = 1, dilates: bool = False
    ) -> nn.Sequential:
        first_dilation = self.dilation
        if dilates:
            self.dilation, stride = self.dilation * stride, 1
        blocks = [self._make_block(planes, first_dilation, stride)]
        blocks += [self._make_block(planes, self.dilation) for _ in range(1, num_blocks)]
        return nn.Sequential(*blocks)

    def _make_block(self, planes: int, dilation: int, stride: int = 1) -> nn.Module:
        channels, self.channels = self.channels, planes * self.block.expansion
        downsample = None
        if stride != 1 or channels != self.channels:
            downsample = nn.Sequential(
                _conv1x1(channels, self.channels, stride), self.norm(self.channels)
            )
        return self.block(
            channels, planes, stride, downsample,
            self.groups, self.base_width, dilation, self.norm,
        )  # fmt: skip


def _init_convolution(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def _init_as_identity(module: nn.Module) -> None:
    if isinstance(module, Bottleneck):
        nn.init.zeros_(module.bn3.weight)
    elif isinstance(module, BasicBlock):
        nn.init.zeros_(module.bn2.weight)


class _Config(NamedTuple):
    block: Block
    layers: tuple[int, int, int, int]
    groups: int = 1
    width_per_group: int = 64


_CONFIGS = {
    "resnet18": _Config(BasicBlock, (2, 2, 2, 2)),
    "resnet34": _Config(BasicBlock, (3, 4, 6, 3)),
    "resnet50": _Config(Bottleneck, (3, 4, 6, 3)),
    "resnet101": _Config(Bottleneck, (3, 4, 23, 3)),
    "resnet152": _Config(Bottleneck, (3, 8, 36, 3)),
    "resnext50_32x4d": _Config(Bottleneck, (3, 4, 6, 3), groups=32, width_per_group=4),
    "resnext101_32x8d": _Config(Bottleneck, (3, 4, 23, 3), groups=32, width_per_group=8),
    "resnext101_64x4d": _Config(Bottleneck, (3, 4, 23, 3), groups=64, width_per_group=4),
    "wide_resnet50_2": _Config(Bottleneck, (3, 4, 6, 3), width_per_group=128),
    "wide_resnet101_2": _Config(Bottleneck, (3, 4, 23, 3), width_per_group=128),
}


def _build(name: str, weights: None, image_size: int, options: dict[str, Any]) -> ResNet:
    """Build the network of the table; its options give way to the caller's."""
    if weights is not None:
        raise unsupported(f"{name}(weights={weights!r})", "load_state_dict(taowa.load(file))")
    stem = "cifar" if image_size < SMALL_IMAGE else "imagenet"
    return ResNet(**{**_CONFIGS[name]._asdict(), "stem": stem, **options})


@register_model
def resnet18(
    *, weights: None = None, progress: bool = True, image_size: int = 224, **options: Any
) -> ResNet:
    """Build ResNet-18: basic blocks, 11.7 million parameters.

    Args:
        weights: Only `None`: nothing is downloaded.
        progress: Without effect.
        image_size: Pixels along a side of the images; under 64 they get the CIFAR form, unless
            `stem` says otherwise.
        **options: What `ResNet` takes.
    Example:
        >>> resnet18(num_classes=10, in_channels=1, image_size=8).maxpool
        Identity()
    """
    return _build("resnet18", weights, image_size, options)


@register_model
def resnet34(
    *, weights: None = None, progress: bool = True, image_size: int = 224, **options: Any
) -> ResNet:
    """Build ResNet-34: basic blocks, 21.8 million parameters.

    Takes what `resnet18` takes.
    """
    return _build("resnet34", weights, image_size, options)


@register_model
def resnet50(
    *, weights: None = None, progress: bool = True, image_size: int = 224, **options: Any
) -> ResNet:
    """Build ResNet-50: bottlenecks, 25.6 million parameters.

    Takes what `resnet18` takes.
    """
    return _build("resnet50", weights, image_size, options)


@register_model
def resnet101(
    *, weights: None = None, progress: bool = True, image_size: int = 224, **options: Any
) -> ResNet:
    """Build ResNet-101: bottlenecks, 44.5 million parameters.

    Takes what `resnet18` takes.
    """
    return _build("resnet101", weights, image_size, options)


@register_model
def resnet152(
    *, weights: None = None, progress: bool = True, image_size: int = 224, **options: Any
) -> ResNet:
    """Build ResNet-152: bottlenecks, 60.2 million parameters.

    Takes what `resnet18` takes.
    """
    return _build("resnet152", weights, image_size, options)


@register_model
def resnext50_32x4d(
    *, weights: None = None, progress: bool = True, image_size: int = 224, **options: Any
) -> ResNet:
    """Build ResNeXt-50 32×4d: grouped bottlenecks, 25.0 million parameters.

    Takes what `resnet18` takes.
    """
    return _build("resnext50_32x4d", weights, image_size, options)


@register_model
def resnext101_32x8d(
    *, weights: None = None, progress: bool = True, image_size: int = 224, **options: Any
) -> ResNet:
    """Build ResNeXt-101 32×8d: grouped bottlenecks, 88.8 million parameters.

    Takes what `resnet18` takes.
    """
    return _build("resnext101_32x8d", weights, image_size, options)


@register_model
def resnext101_64x4d(
    *, weights: None = None, progress: bool = True, image_size: int = 224, **options: Any
) -> ResNet:
    """Build ResNeXt-101 64×4d: grouped bottlenecks, 83.5 million parameters.

    Takes what `resnet18` takes.
    """
    return _build("resnext101_64x4d", weights, image_size, options)


@register_model
def wide_resnet50_2(
    *, weights: None = None, progress: bool = True, image_size: int = 224, **options: Any
) -> ResNet:
    """Build Wide ResNet-50-2: bottlenecks twice as wide, 68.9 million parameters.

    Takes what `resnet18` takes.
    """
    return _build("wide_resnet50_2", weights, image_size, options)


@register_model
def wide_resnet101_2(
    *, weights: None = None, progress: bool = True, image_size: int = 224, **options: Any
) -> ResNet:
    """Build Wide ResNet-101-2: bottlenecks twice as wide, 126.9 million parameters.

    Takes what `resnet18` takes.
    """
    return _build("wide_resnet101_2", weights, image_size, options)
