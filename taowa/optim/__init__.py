"""Optimisers and learning-rate schedulers with PyTorch's names."""

from taowa.optim import lr_scheduler
from taowa.optim.adam import *  # noqa: F403
from taowa.optim.optimizer import *  # noqa: F403
from taowa.optim.sgd import *  # noqa: F403
