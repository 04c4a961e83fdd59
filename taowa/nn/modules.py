"""Families of layers by PyTorch's file names: `nn.modules.batchnorm` and so on."""

from taowa.nn import activation as activation
from taowa.nn import batchnorm as batchnorm
from taowa.nn import container as container
from taowa.nn import conv as conv
from taowa.nn import distance as distance
from taowa.nn import dropout as dropout
from taowa.nn import flatten as flatten
from taowa.nn import lazy as lazy
from taowa.nn import linear as linear
from taowa.nn import loss as loss
from taowa.nn import module as module
from taowa.nn import normalization as normalization
from taowa.nn import padding as padding
from taowa.nn import pooling as pooling
from taowa.nn import sparse as sparse
from taowa.nn import transformer as transformer
from taowa.nn.module import Module as Module
