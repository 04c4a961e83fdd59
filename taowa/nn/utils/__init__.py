"""Helpers around networks: clipping gradients, parameters as a vector."""

from taowa.nn.utils.clip_grad import *
from taowa.nn.utils.convert_parameters import *
