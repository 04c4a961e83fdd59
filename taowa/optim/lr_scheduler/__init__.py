"""Learning rates that change while training."""

from taowa.optim.lr_scheduler.base import LRScheduler
from taowa.optim.lr_scheduler.composite import ChainedScheduler, SequentialLR
from taowa.optim.lr_scheduler.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from taowa.optim.lr_scheduler.cycle import CyclicLR, OneCycleLR
from taowa.optim.lr_scheduler.decay import (
    ConstantLR,
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from taowa.optim.lr_scheduler.function import LambdaLR, MultiplicativeLR
from taowa.optim.lr_scheduler.plateau import ReduceLROnPlateau

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
