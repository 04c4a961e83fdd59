import gzip
import io
import tarfile

import numpy as np
import pytest
import torch

from taowa.errors import LoadError
from taowa.io.file_kind import describe, describe_global
from tests.io.crafting import load_bytes, pickled, saved_by_torch, zipped


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(2, 1)

    def forward(self, x):
        return self.head(x)


def torchscript():
    file = io.BytesIO()
    with pytest.warns(DeprecationWarning):
        torch.jit.save(torch.jit.script(Net()), file)
    return file.getvalue()


def exported():
    file = io.BytesIO()
    torch.export.save(torch.export.export(Net(), (torch.ones(1, 2),)), file)
    return file.getvalue()


def tar():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("storages"))
    return file.getvalue()


def npz(save):
    file = io.BytesIO()
    save(file, a=np.ones(200), b=np.zeros(3))
    return file.getvalue()


def npy():
    file = io.BytesIO()
    np.save(file, np.ones(2))
    return file.getvalue()


SAFETENSORS = (2).to_bytes(8, "little") + b"{}"

KINDS = {
    "empty": (b"", r"it is empty \(0 bytes\)"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(100), "a PNG image"),
    "jpeg": (b"\xff\xd8\xff\xe0" + bytes(100), "a JPEG image"),
    "gzip": (gzip.compress(b"x" * 100), "gzip-compressed file; decompress it first"),
    "npy": (npy(), "a NumPy array; read it with numpy.load"),
    "npz": (npz(np.savez), "a NumPy .npz archive"),
    "compressed npz": (npz(np.savez_compressed), "a NumPy .npz archive"),
    "tar": (tar(), "a tar archive"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file"),
    "gguf": (b"GGUF\3\0\0\0" + bytes(100), "a GGUF model"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "git lfs pull"),
    "html": (b"<!DOCTYPE html>\n<title>404</title>", "text file that begins '<!DOCTYPE html>"),
    "safetensors": (SAFETENSORS, "a safetensors file"),
    "plain pickle": (pickled({"a": 1}), "a pickle that torch.save did not write"),
    "pickle protocol 4": (pickled({"a": 1}, 4), "a pickle that torch.save did not write"),
    "noise": (bytes(range(0, 256, 5)), "begins with 00 05 0a 0f"),
    "empty zip": (zipped({}), "an empty zip archive"),
    "other zip": (zipped({"a.txt": b"x"}), r"without a checkpoint \(no data.pkl; it holds .*a.txt"),
    "office": (zipped({"[Content_Types].xml": b"x", "w/d.xml": b""}, ""), "an Office document"),
    "jar": (zipped({"META-INF/MANIFEST.MF": b"x"}, ""), "a Java archive"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_file_of_another_kind_is_named(kind):
    data, message = KINDS[kind]
    with pytest.raises(LoadError, match=message):
        load_bytes(data)


def test_torchscript_is_named():
    with pytest.raises(LoadError, match=r"TorchScript archive, which holds code.*torch\.jit\.load"):
        load_bytes(torchscript())


def test_exported_program_is_named():
    with pytest.raises(LoadError, match=r"a program of torch.export \(\.pt2\)"):
        load_bytes(exported())


@pytest.mark.parametrize("zip_format", [True, False])
@pytest.mark.parametrize("weights_only", [None, True, False])
def test_whole_model_is_named_with_its_class_and_a_way_out(zip_format, weights_only):
    data = saved_by_torch(torch.nn.Linear(1, 1), _use_new_zipfile_serialization=zip_format)
    message = r"torch\.nn\.modules\.linear\.Linear, perhaps a whole model.*state_dict\(\)"
    with pytest.raises(LoadError, match=message):
        load_bytes(data, weights_only=weights_only)


@pytest.mark.parametrize("value", [np.float32(1), np.arange(3)])
def test_numpy_values_are_named(value):
    with pytest.raises(LoadError, match=r"NumPy value.*\.item\(\)"):
        load_bytes(saved_by_torch({"x": value}))


def test_quantised_and_sparse_tensors_are_named():
    for tensor in (torch.eye(2).to_sparse(), torch.ones(1, device="meta")):
        with pytest.raises(LoadError, match="kind of tensor that taowa does not have"):
            load_bytes(saved_by_torch(tensor))
    with pytest.raises(LoadError, match=r"torch.float8_e5m2, which taowa does not have"):
        load_bytes(saved_by_torch(torch.ones(1, dtype=torch.float8_e5m2)))


def test_every_description_says_something():
    assert all(describe(data) for data, _ in KINDS.values())
    assert "os.system" in describe_global("os", "system")
