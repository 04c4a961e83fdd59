"""The engine: graph, programs, autograd, random numbers, Tensor and Storage."""
