"""CPU kernels in C++, called from XLA's programs through its foreign-function interface."""
