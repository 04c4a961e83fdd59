"""torchvision's ResNets, written down once more in PyTorch: the oracle for names and values."""

from torch import nn


class _Block(nn.Module):
    """A residual block whose convolutions are listed as (channels, kernel, stride, ...)."""

    def __init__(self, convolutions, inplanes, downsample, dilation):
        super().__init__()
        for i, (planes, kernel, stride, groups) in enumerate(convolutions, 1):
            spread = dilation if kernel == 3 else 1
            conv = nn.Conv2d(
                inplanes, planes, kernel, stride, padding=kernel // 2 * spread,
                dilation=spread, groups=groups, bias=False,
            )  # fmt: skip
            setattr(self, f"conv{i}", conv)
            setattr(self, f"bn{i}", nn.BatchNorm2d(planes))
            if i == 1 and len(convolutions) == 2:
                self.relu = nn.ReLU(inplace=True)
            inplanes = planes
        if len(convolutions) == 3:
            self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample
        self.depth = len(convolutions)

    def forward(self, x):
        out = x
        for i in range(1, self.depth + 1):
            out = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(out))
            out = self.relu(out) if i < self.depth else out
        return self.relu(out + (self.downsample(x) if self.downsample else x))


class BasicBlock(_Block):
    expansion = 1

    def __init__(self, inplanes, planes, stride, groups, width, downsample, dilation):
        super().__init__([(planes, 3, stride, 1), (planes, 3, 1, 1)], inplanes, downsample, 1)


class Bottleneck(_Block):
    expansion = 4

    def __init__(self, inplanes, planes, stride, groups, width, downsample, dilation):
        inner = planes * width // 64 * groups
        layers = [(inner, 1, 1, 1), (inner, 3, stride, groups), (4 * planes, 1, 1, 1)]
        super().__init__(layers, inplanes, downsample, dilation)


class ResNet(nn.Module):
    def __init__(
        self, block, layers, num_classes=1000, in_channels=3, stem="imagenet",
        groups=1, width=64, dilates=(False, False, False),
    ):  # fmt: skip
        super().__init__()
        is_small = stem == "cifar"
        kernel, stride = (3, 1) if is_small else (7, 2)
        self.conv1 = nn.Conv2d(in_channels, 64, kernel, stride, padding=kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if is_small else nn.MaxPool2d(3, 2, 1)
        inplanes, dilation = 64, 1
        for stage, number in enumerate(layers):
            planes, blocks = 64 << stage, []
            stage_stride, first_dilation = 1 if stage == 0 else 2, dilation
            if stage and dilates[stage - 1]:
                dilation, stage_stride = dilation * 2, 1
            for i in range(number):
                stride, outplanes, downsample = (
                    stage_stride if i == 0 else 1,
                    planes * block.expansion,
                    None,
                )
                if stride != 1 or inplanes != outplanes:
                    downsample = nn.Sequential(
                        nn.Conv2d(inplanes, outplanes, 1, stride, bias=False),
                        nn.BatchNorm2d(outplanes),
                    )
                spread = first_dilation if i == 0 else dilation
                blocks.append(block(inplanes, planes, stride, groups, width, downsample, spread))
                inplanes = outplanes
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(inplanes, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))
