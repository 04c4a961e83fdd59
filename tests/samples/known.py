"""Where taowa differs from PyTorch and may: each entry must still be true, or its test fails."""

# operation -> {pattern searched in the difference's text: reason}
KNOWN: dict[str, dict[str, str]] = {
    "Tensor.float": {
        r"values: .*memory_format=torch.channels_last\): \(requires_grad, memory": (
            "the compiler orders memory, so that nothing is copied"
        ),
    },
    "Tensor.to": {
        r"values: .*memory_format=torch.channels_last\): \(requires_grad, memory": "the same",
        r"second gradients: .*memory_format=torch.channels_last\): \(requires_grad": "the same",
    },
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
    "complex": {
        r"values: float16": "there is no complex32",
    },
    "conj": {
        r"values: complex64.*memory": "conjugation is computed, not a flag of a view",
    },
    "kthvalue": {
        r"values: (int64|uint8).*result 1": "which of equal elements is found is unspecified",
    },
    "lgamma": {
        r"second gradients: .*gradient 2": "PyTorch's trigamma is off by up to 1e-6 below zero",
    },
    "logcumsumexp": {
        r"second gradients: .*not nan": "PyTorch's second gradient is nan where it need not be",
    },
    "nn.functional.ctc_loss": {
        r"second gradients: .*not RuntimeError\(derivative for": "a gradient that PyTorch lacks",
    },
    "nn.functional.linear_cross_entropy": {
        r"second gradients: .*options=Linear": "PyTorch has zeros or none",
    },
    "nn.functional.multi_head_attention_forward": {
        r"(values|eager|second gradients): .*, False, 0.5, .*training=True": (
            "the mask is drawn by key"
        ),
    },
    "nn.functional.scaled_dot_product_attention": {
        r"values: .*dropout_p=0.5": "the mask is drawn by key",
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
