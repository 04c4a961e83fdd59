"""Where taowa differs from PyTorch and may: each entry must still be true, or its test fails."""

# operation -> {pattern searched in the difference's text: reason}
KNOWN: dict[str, dict[str, str]] = {}
