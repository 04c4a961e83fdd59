"""Networks by name: `get_model("resnet18")` or `taowa.models.resnet18()`."""

from taowa.models.lenet import *
from taowa.models.mlp import *
from taowa.models.registry import *
from taowa.models.resnet import *
