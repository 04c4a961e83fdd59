"""Networks and training steps, written once: `torch` is an argument, taowa or PyTorch."""

import numpy as np


def mlp(torch):
    """784-300-100-10 with batch-norm."""
    nn = torch.nn
    return nn.Sequential(
        nn.Linear(784, 300), nn.BatchNorm1d(300), nn.ReLU(),
        nn.Linear(300, 100), nn.BatchNorm1d(100), nn.ReLU(), nn.Linear(100, 10),
    )  # fmt: skip


def resnet18(torch, num_classes=10):
    """ResNet-18 in its CIFAR form: 3x3 first convolution, no max-pool."""
    nn, relu = torch.nn, torch.nn.functional.relu

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.shortcut = nn.Sequential()
            if stride != 1 or inputs != outputs:
                self.shortcut = nn.Sequential(
                    nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
                )

        def forward(self, x):
            out = relu(self.bn1(self.conv1(x)))
            return relu(self.bn2(self.conv2(out)) + self.shortcut(x))

    widths = [64, 64, 64, 128, 128, 256, 256, 512, 512]
    strides = [1, 1, 2, 1, 2, 1, 2, 1]
    blocks = [Block(i, o, s) for i, o, s in zip(widths[:-1], widths[1:], strides, strict=True)]
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(), *blocks,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, num_classes),
    )  # fmt: skip


SHAPES = {"mlp": (64, 784), "resnet18": (32, 3, 32, 32)}
BUILDERS = {"mlp": mlp, "resnet18": resnet18}


class Training:
    """One network with its optimiser and a batch, ready to step."""

    def __init__(self, torch, name, shape=None):
        torch.manual_seed(0)
        self.torch = torch
        self.net = BUILDERS[name](torch)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.01, momentum=0.9)
        rng = np.random.RandomState(0)
        shape = shape or SHAPES[name]
        self.x = torch.tensor(rng.randn(*shape).astype(np.float32))
        self.y = torch.tensor(rng.randint(0, 10, shape[0]))

    def step(self):
        self.optimizer.zero_grad()
        loss = self.torch.nn.functional.cross_entropy(self.net(self.x), self.y)
        loss.backward()
        self.optimizer.step()
        return loss.item()
