"""Optimisers and learning-rate schedulers with PyTorch's names."""

from taowa.optim import lr_scheduler as lr_scheduler
from taowa.optim import swa_utils as swa_utils
from taowa.optim.adadelta import *
from taowa.optim.adafactor import *
from taowa.optim.adagrad import *
from taowa.optim.adam import *
from taowa.optim.adamax import *
from taowa.optim.asgd import *
from taowa.optim.lbfgs import *
from taowa.optim.muon import *
from taowa.optim.nadam import *
from taowa.optim.optimizer import *
from taowa.optim.radam import *
from taowa.optim.rmsprop import *
from taowa.optim.rprop import *
from taowa.optim.sgd import *
from taowa.optim.sparse_adam import *
