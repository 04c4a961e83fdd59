"""The version of taowa, and of the PyTorch interface that it follows."""

__version__ = "0.1.0"
torch_version = "2.13.0"
