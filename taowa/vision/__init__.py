"""Images: datasets."""

from taowa.vision.digits import *
