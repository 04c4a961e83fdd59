"""Writes docs/coverage.md: every public name of PyTorch for training, and whether it is here.

Run as `python -m tests.coverage_table`.
"""

import importlib
import inspect
import types
from pathlib import Path

import torch

import taowa

PATH = Path(__file__).parents[1] / "docs" / "coverage.md"
NAMESPACES = (
    "nn", "nn.functional", "nn.init", "nn.utils", "nn.utils.parametrize",
    "nn.utils.parametrizations", "nn.utils.prune", "nn.utils.rnn", "nn.utils.stateless",
    "nn.utils.fusion", "optim", "optim.lr_scheduler", "optim.swa_utils", "autograd",
    "autograd.functional", "utils.checkpoint",
)  # fmt: skip

SPARSE = "there are no sparse tensors; gradients are dense"
GRAPH = "the tape has no objects that a user could hold or pack"
PARTLY = {
    "nn.DataParallel": "one device",
    "nn.SyncBatchNorm": "one device, where it is batch normalisation",
    "nn.Embedding": f"`sparse=True` is refused: {SPARSE}",
    "nn.EmbeddingBag": f"`sparse=True` is refused: {SPARSE}",
    "optim.SparseAdam": f"constructed and refused like PyTorch's; {SPARSE}",
    "autograd.grad": "`is_grads_batched=True` is refused",
    "autograd.gradcheck": "no checks of forward mode and of batched gradients",
    "autograd.gradgradcheck": "no checks of forward mode and of batched gradients",
    "autograd.functional.jacobian": "forward mode and `vectorize` are computed row by row",
    "autograd.functional.hessian": "forward mode and `vectorize` are computed row by row",
    "utils.checkpoint.checkpoint": "`debug=True` is refused",
}
HELPER = "a helper of PyTorch's own code"
SCALED = "names layouts of 8-bit floats, whose products are CUDA's"
NO = {
    "nn.factory_kwargs": HELPER,
    "nn.functional.ScalingType": SCALED,
    "nn.functional.SwizzleType": SCALED,
    "nn.functional.assert_int_or_pair": HELPER,
    "nn.functional.boolean_dispatch": HELPER,
    "nn.functional.has_torch_function": HELPER,
    "nn.functional.has_torch_function_unary": HELPER,
    "nn.functional.has_torch_function_variadic": HELPER,
    "autograd.NestedIOFunction": "private to PyTorch's old RNNs",
    "autograd.set_multithreading_enabled": "a backward pass is a part of one program",
    "autograd.enforce_grad_layout_policy": "the compiler chooses layouts",
    "autograd.variable": "a module of the old Variable; `Variable` is here",
    "optim.swap_in_optimizer_params_and_state": "serves PyTorch's own export of whole steps",
    "utils.checkpoint.CheckpointFunction": "one implementation serves both variants",
    "utils.checkpoint.CheckpointPolicy": "selective checkpoints are not built",
    "utils.checkpoint.SelectiveCheckpointContext": "selective checkpoints are not built",
    "utils.checkpoint.create_selective_checkpoint_contexts": "selective checkpoints are not built",
    "utils.checkpoint.SAC_IGNORED_OPS": "selective checkpoints are not built",
    "utils.checkpoint.GraphExecGroup": GRAPH,
    "utils.checkpoint.check_backward_validity": "private to the reentrant variant",
    "utils.checkpoint.detach_variable": "private to the reentrant variant",
    "utils.checkpoint.get_device_states": "one generator serves all devices",
    "utils.checkpoint.set_device_states": "one generator serves all devices",
    "utils.checkpoint.DefaultDeviceType": "one generator serves all devices",
    "utils.checkpoint.set_checkpoint_early_stop": "programs never compute what nothing needs",
    "utils.checkpoint.set_checkpoint_debug_enabled": "see `debug=True` of `checkpoint`",
}


def module_of(library, name):
    """The namespace of a library, None where it has none."""
    try:
        return importlib.import_module(f"{library.__name__}.{name}")
    except ImportError:
        return None


def public_names(name):
    """What users of PyTorch can call in a namespace: its `__all__`, or what is defined there."""
    module = module_of(torch, name)
    listed = getattr(module, "__all__", None)
    if listed is None or name in ("nn", "nn.utils"):
        listed = [
            key for key, value in vars(module).items()
            if not key.startswith("_") and callable(value) and is_own(value)
        ]  # fmt: skip
    skipped = {k for k in listed if isinstance(getattr(module, k, None), types.ModuleType)}
    return sorted({*listed} - skipped | ({"variable"} & {*listed}))


def is_own(value):
    """Whether something was made by PyTorch's nn, and is no helper of typing."""
    home = getattr(value, "__module__", None) or "torch._C"
    return home.startswith("torch") and home != "torch.overrides" and not inspect.ismodule(value)


def status(namespace, name):
    """'yes', 'partly: what not' or 'no: why' for one name."""
    full = f"{namespace}.{name}"
    home = module_of(taowa, namespace)
    if home is None or not hasattr(home, name):
        return f"no: {NO[full]}" if full in NO else "no"
    return f"partly: {PARTLY[full]}" if full in PARTLY else "yes"


def table():
    """Every name with its status, by namespace."""
    return {n: {name: status(n, name) for name in public_names(n)} for n in NAMESPACES}


def text():
    """The page."""
    found = table()
    lines = [
        "# Coverage", "",
        "Every public name of PyTorch 2.13 in the namespaces of networks and their training, and "
        "whether it is", "here. `python -m tests.coverage_table` writes this page; a test keeps it "
        "true. Differences in", "behaviour stand in [differences.md](differences.md).", "",
        "| namespace | names | yes | partly | no |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for namespace, names in found.items():
        kinds = [value.split(":")[0] for value in names.values()]
        counts = " | ".join(str(kinds.count(kind)) for kind in ("yes", "partly", "no"))
        lines.append(f"| [{namespace}](#{namespace.replace('.', '')}) | {len(names)} | {counts} |")
    for namespace, names in found.items():
        lines += ["", f"## {namespace}", "", "| name | here |", "|---|---|"]
        lines += [f"| `{name}` | {value} |" for name, value in names.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PATH.write_text(text())
