"""Convolutions layer by layer: the CPU kernels against PyTorch, each pass, effective GF/s.

Effective: operations of the direct algorithm per second. PyTorch's is the better of its two memory
formats. `python -m bench.convolutions [layers' names]`; `--xla` compares with XLA instead.
"""

import sys
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
import torch

from bench.pairs import compare
from taowa.kernels import conv
from taowa.kernels.shared_library import kernels

BLOCKS, BLOCK_SECONDS = 5, 0.03


class Layer(NamedTuple):
    """One layer: `(N, C, H, W)` of its input, and its filters."""

    size: tuple
    outputs: int
    kernel: int = 3
    stride: int = 1
    groups: int = 1

    def geometry(self):
        padding = self.kernel // 2
        return conv.Geometry(
            self.size[2:], (self.kernel,) * 2, (self.stride,) * 2, ((padding, padding),) * 2,
            (1, 1), self.groups,
        )  # fmt: skip

    def flops(self):
        pixels = self.size[0] * np.prod(self.geometry().output_sizes())
        return 2 * pixels * self.outputs * self.size[1] // self.groups * self.kernel**2


LAYERS = {
    "64ch 32x32": Layer((32, 64, 32, 32), 64),
    "128ch 16x16": Layer((32, 128, 16, 16), 128),
    "256ch 8x8": Layer((32, 256, 8, 8), 256),
    "512ch 4x4": Layer((32, 512, 4, 4), 512),
    "32ch 96x96": Layer((4, 32, 96, 96), 32),
    "64ch 56x56": Layer((4, 64, 56, 56), 64),
    "512ch 7x7": Layer((4, 512, 7, 7), 512),
    "first 3x3": Layer((32, 3, 32, 32), 64),
    "first 7x7/2": Layer((4, 3, 224, 224), 64, 7, 2),
    "64-128 3x3/2": Layer((32, 64, 32, 32), 128, 3, 2),
    "256-512 3x3/2": Layer((32, 256, 8, 8), 512, 3, 2),
    "64-128 1x1/2": Layer((32, 64, 32, 32), 128, 1, 2),
    "64-256 1x1": Layer((4, 64, 56, 56), 256, 1),
    "256-64 1x1": Layer((4, 256, 56, 56), 64, 1),
    "2048-512 1x1": Layer((4, 2048, 7, 7), 512, 1),
    "96ch depthwise": Layer((16, 96, 48, 48), 96, 3, 1, 96),
    "144ch depthwise/2": Layer((16, 144, 24, 24), 144, 3, 2, 144),
    "32 groups of 4": Layer((4, 128, 56, 56), 128, 3, 1, 32),
}


def operands(layer):
    """Images, filters, cotangents, in PyTorch's order of dimensions."""
    rng = np.random.RandomState(0)
    filters = (layer.outputs, layer.size[1] // layer.groups, layer.kernel, layer.kernel)
    result = (layer.size[0], layer.outputs, *layer.geometry().output_sizes())
    return [rng.standard_normal(s).astype(np.float32) for s in (layer.size, filters, result)]


def our_passes(layer, is_xla):
    """The three passes as functions without arguments."""
    x, w, dy = operands(layer)
    x, dy = (jax.device_put(np.ascontiguousarray(a.transpose(0, 2, 3, 1))) for a in (x, dy))
    names = ("forward", "input_gradient", "weight_gradient")
    passes = [getattr(conv, f"reference_{n}" if is_xla else n) for n in names]
    for one, pair in zip(passes, ((x, w), (dy, w), (x, dy)), strict=True):
        program = jax.jit(partial(one, geometry=layer.geometry()))
        on_device = [jax.device_put(a) for a in pair]
        yield lambda p=program, a=on_device: p(*a).block_until_ready()


def their_passes(layer, memory_format):
    """The same three of PyTorch."""
    x, w, dy = (torch.tensor(a).to(memory_format=memory_format) for a in operands(layer))
    padding = layer.kernel // 2
    yield lambda: torch.nn.functional.conv2d(x, w, None, layer.stride, padding, groups=layer.groups)
    for mask in ((True, False, False), (False, True, False)):
        yield lambda mask=mask: torch.ops.aten.convolution_backward(
            dy, x, w, None, [layer.stride] * 2, [padding] * 2, [1, 1], False, [0, 0],
            layer.groups, mask,
        )  # fmt: skip


def report(name, layer, is_xla):
    """Print one line: GF/s of ours and of PyTorch's, for each pass."""
    formats = (torch.contiguous_format, torch.channels_last)
    theirs = [their_passes(layer, f) for f in formats]
    cells = []
    for ours, *both in zip(our_passes(layer, is_xla), *theirs, strict=True):
        calls = max(1, int(BLOCK_SECONDS * 100e9 / layer.flops()))
        ratios = [compare(ours, one, min(calls, 50), blocks=BLOCKS, warmup=1) for one in both]
        best = max(ratios, key=lambda r: r.median)
        speeds = (layer.flops() / s * 1e-9 for s in (best.a_seconds, best.b_seconds))
        cells.append("{:5.0f} {:5.0f} {:5.1f}x".format(*speeds, 1 / best.median))
    print(f"{name:18}" + "   ".join(cells), flush=True)


def main(names):
    is_xla = "--xla" in names
    wanted = [n for n in names if n != "--xla"] or list(LAYERS)
    kernels.is_used()
    print(f"GF/s of {'XLA' if is_xla else kernels}, of PyTorch {torch.__version__}, and the ratio")
    print(f"{'layer':18}{'forward':21}{'input gradient':21}weight gradient")
    for name in wanted:
        report(name, LAYERS[name], is_xla)


if __name__ == "__main__":
    main(sys.argv[1:])
