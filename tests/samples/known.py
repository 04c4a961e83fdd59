"""Where taowa differs from PyTorch and may: each entry must still be true, or its test fails."""

# operation -> {pattern searched in the difference's text: reason}
KNOWN: dict[str, dict[str, str]] = {
    "addbmm": {
        r"in place: .*float32\[1\].*doesn't match the broadcast": (
            "PyTorch gives the tensor written to another shape, which no other in-place form does"
        ),
    },
    "adjoint": {
        r"values: complex64.*memory": "conjugation is computed, not a flag of a view",
    },
    "arange": {
        r"errors: \(0, 64, 0.5, out=": "the type of out= does not change the meaning of the step",
    },
    "bernoulli": {
        r"values: .*\(requires_grad, memory": "draws are leaves; PyTorch's gradient is zero",
        r"eager: .*\(requires_grad, memory": "the same",
        r"second gradients: .*\(requires_grad, memory": "the same",
    },
    "complex": {
        r"values: float16": "there is no complex32",
    },
    "conj": {
        r"values: complex64.*memory": "conjugation is computed, not a flag of a view",
    },
    "kthvalue": {
        r"values: (int64|uint8).*result 1": "which of equal elements is found is unspecified",
    },
    "logcumsumexp": {
        r"second gradients: .*not nan": "PyTorch's second gradient is nan where it need not be",
    },
    "normal": {
        r"values: .*\(requires_grad, memory": "draws are leaves; PyTorch's gradient is zero",
        r"eager: .*\(requires_grad, memory": "the same",
        r"second gradients: .*\(requires_grad, memory": "the same",
    },
    "topk": {
        r"values: (int64|uint8).*result 1": "which of equal elements comes first is unspecified",
    },
}

# The same for every operation.
EVERYWHERE: dict[str, str] = {
    r"errors: .*out=.*Trying to resize storage": "a result of another size replaces any tensor's",
    r"errors: .*out=.*refer to a single memory location": "nothing is overwritten while it is read",
    r"errors: .*out=.*Expected out tensor to have dtype": "out= takes wider types everywhere",
    r"errors: .*out=.*Expected object of scalar type": "the same",
    r"errors: .*out=.*expects Long tensor out": "the same",
    r"in place: .*not NotImplementedError\(the derivative for": "a gradient that PyTorch lacks",
}
