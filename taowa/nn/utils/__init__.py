"""Helpers around networks: clipping gradients, parameters as a vector; packed sequences."""

from taowa.nn.utils import rnn as rnn
from taowa.nn.utils.clip_grad import *
from taowa.nn.utils.convert_parameters import *
