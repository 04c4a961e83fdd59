"""Looking at networks: what they are made of and what passes through them."""

from taowa.inspect.rehearsal import *
from taowa.inspect.summary import *
