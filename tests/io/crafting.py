"""Checkpoints made by hand: any pickle, any records."""

import io
import pickle
import tracemalloc
import zipfile

import torch

from taowa.io import load


class Call:
    """Is pickled as the result of `function(*args)`."""

    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


class Store:
    """Is pickled as a reference to a storage."""

    def __init__(
        self, kind=torch.FloatStorage, key="0", location="cpu", numel=4, *, word="storage"
    ):
        self.persistent_id = (word, kind, key, location, numel)


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj):
        return obj.persistent_id if isinstance(obj, Store) else None


def pickled(obj, protocol=2):
    """The pickle of an object that may hold Calls and Stores."""
    file = io.BytesIO()
    _Pickler(file, protocol=protocol).dump(obj)
    return file.getvalue()


def zipped(records, folder="archive/", compression=zipfile.ZIP_STORED):
    """A zip file with these records."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in records.items():
            archive.writestr(folder + name, data)
    return file.getvalue()


def records_of(data):
    """The records of a checkpoint."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def checkpoint(pickle_bytes, data=b"\0" * 16, **records):
    """A checkpoint with this pickle and one storage, `data/0`."""
    named = {name.replace("_", "/"): value for name, value in records.items()}
    return zipped({"data.pkl": pickle_bytes, "data/0": data, "version": b"3\n", **named})


def tensor_call(size=(4,), stride=(1,), offset=0, store=None, requires_grad=False, hooks=None):
    """A tensor on the one storage of `checkpoint`."""
    store = store or Store()
    hooks = {} if hooks is None else hooks
    return Call(torch._utils._rebuild_tensor_v2, store, offset, size, stride, requires_grad, hooks)


def saved_by_torch(obj, **options):
    """The bytes of torch.save."""
    file = io.BytesIO()
    torch.save(obj, file, **options)
    return file.getvalue()


def load_bytes(data, **options):
    """Load from memory with taowa."""
    return load(io.BytesIO(data), **options)


def peak_bytes(function):
    """The memory that a call takes at its highest point."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
