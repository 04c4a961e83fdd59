"""Helpers around networks: clipping, packed sequences, parametrizations, pruning, fusion."""

from taowa.nn.utils import parametrizations as parametrizations
from taowa.nn.utils import parametrize as parametrize
from taowa.nn.utils import prune as prune
from taowa.nn.utils import rnn as rnn
from taowa.nn.utils import stateless as stateless
from taowa.nn.utils.clip_grad import *
from taowa.nn.utils.convert_parameters import *
from taowa.nn.utils.fusion import *
from taowa.nn.utils.init import *
from taowa.nn.utils.memory_format import *
from taowa.nn.utils.spectral_norm import remove_spectral_norm as remove_spectral_norm
from taowa.nn.utils.spectral_norm import spectral_norm as spectral_norm
from taowa.nn.utils.weight_norm import remove_weight_norm as remove_weight_norm
from taowa.nn.utils.weight_norm import weight_norm as weight_norm
