"""Modules, layers, losses and what belongs to them: `torch.nn`."""

from taowa.nn import functional as functional
from taowa.nn import init as init
from taowa.nn import modules as modules
from taowa.nn import parallel as parallel
from taowa.nn import parameter as parameter
from taowa.nn import utils as utils
from taowa.nn.activation import *
from taowa.nn.adaptive_softmax import *
from taowa.nn.attention import *
from taowa.nn.batchnorm import *
from taowa.nn.channel_normalization import *
from taowa.nn.channel_order import *
from taowa.nn.container import *
from taowa.nn.conv import *
from taowa.nn.conv_transpose import *
from taowa.nn.deprecated import *
from taowa.nn.distance import *
from taowa.nn.dropout import *
from taowa.nn.embedding_bag import *
from taowa.nn.flatten import *
from taowa.nn.folding import *
from taowa.nn.fractional_pooling import *
from taowa.nn.lazy import *
from taowa.nn.linear import *
from taowa.nn.linear_loss import *
from taowa.nn.loss import *
from taowa.nn.margin_loss import *
from taowa.nn.module import *
from taowa.nn.normalization import *
from taowa.nn.padding import *
from taowa.nn.parallel import *
from taowa.nn.parameter import *
from taowa.nn.parameter_container import *
from taowa.nn.pooling import *
from taowa.nn.rnn import *
from taowa.nn.rnn_cell import *
from taowa.nn.sequence_loss import *
from taowa.nn.smooth_activation import *
from taowa.nn.softmax import *
from taowa.nn.sparse import *
from taowa.nn.transformer import *
from taowa.nn.transformer_layers import *
from taowa.nn.unpooling import *
from taowa.nn.upsampling import *
