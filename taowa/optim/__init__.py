"""Optimisers and learning-rate schedulers with PyTorch's names."""

from taowa.optim import lr_scheduler as lr_scheduler
from taowa.optim.adam import *
from taowa.optim.optimizer import *
from taowa.optim.sgd import *
