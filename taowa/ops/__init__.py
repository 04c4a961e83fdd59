"""All mathematics: one function is one op, grouped as PyTorch's documentation groups them."""

import gc
import importlib
import pkgutil

from taowa.core import api  # noqa: F401  (first: it gives `@op` its recorder)

_collects = gc.isenabled()
gc.disable()  # thousands of objects are made here, none of them garbage
for _module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")
if _collects:
    gc.enable()
