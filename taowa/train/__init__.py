"""Training: the loop, its folder on disk, its report, and recipes."""

from taowa.train.data import *
from taowa.train.interrupt import *
from taowa.train.loop import *
from taowa.train.recipe import *
from taowa.train.report import *
from taowa.train.run_folder import *
from taowa.train.tally import *
