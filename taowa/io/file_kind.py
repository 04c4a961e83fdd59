"""Telling what a file is that is not a checkpoint, and what its owner can do."""

from __future__ import annotations

from collections.abc import Collection

LEGACY_MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # pickle of 0x1950a86a20f9469cfc6c
ZIP_MAGIC = b"PK\x03\x04"
HEAD_BYTES = 512
TAR_MAGIC_AT = 257

_SAVE_WEIGHTS = "in PyTorch, save the weights alone with torch.save(model.state_dict(), path)"

# First bytes, what the file is, what to do. The first row that fits counts.
_MAGICS = (
    (b"PK\x05\x06", "an empty zip archive", "there is nothing in it to load"),
    (b"\x89PNG", "a PNG image", "pass the checkpoint instead"),
    (b"\xff\xd8\xff", "a JPEG image", "pass the checkpoint instead"),
    (b"GIF8", "a GIF image", "pass the checkpoint instead"),
    (b"%PDF", "a PDF document", "pass the checkpoint instead"),
    (b"\x1f\x8b", "a gzip-compressed file", "decompress it first (gunzip)"),
    (b"BZh", "a bzip2-compressed file", "decompress it first (bunzip2)"),
    (b"\xfd7zXZ", "an xz-compressed file", "decompress it first (unxz)"),
    (b"\x28\xb5\x2f\xfd", "a zstd-compressed file", "decompress it first (unzstd)"),
    (b"7z\xbc\xaf", "a 7-zip archive", "unpack it first"),
    (b"Rar!", "a RAR archive", "unpack it first"),
    (b"\x89HDF", "an HDF5 file, as Keras writes", "convert its arrays with h5py"),
    (b"\x93NUMPY", "a NumPy array", "read it with numpy.load and taowa.from_numpy"),
    (b"GGUF", "a GGUF model", "convert it to a PyTorch checkpoint first"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself", "run `git lfs pull`"),
    (b"\x7fELF", "an executable or shared library", "pass the checkpoint instead"),
    (b"\x80", "a pickle that torch.save did not write",
     "taowa does not open such files, because they can run code; " + _SAVE_WEIGHTS),
)  # fmt: skip

# A record that only one kind of zip archive has, what the archive is, what to do.
_ZIP_KINDS = (
    ("constants.pkl", "a TorchScript archive, which holds code",
     "in PyTorch, torch.save(torch.jit.load(path).state_dict(), new_path)"),
    ("archive_format", "a program of torch.export (.pt2)",
     "in PyTorch, torch.save(torch.export.load(path).state_dict, new_path)"),
    (".data/extern_modules", "a package of torch.package, which holds code", _SAVE_WEIGHTS),
    ("[Content_Types].xml", "an Office document", "pass the checkpoint instead"),
    ("META-INF/MANIFEST.MF", "a Java archive", "pass the checkpoint instead"),
    ("model.weights.h5", "a Keras model", "convert its weights first"),
)  # fmt: skip


def describe(head: bytes) -> str:
    r"""Return a clause that says what a file is, from its first 512 bytes, and what to do.

    Example:
        >>> describe(b"\x89PNG...")
        'it is a PNG image; pass the checkpoint instead'
    """
    if not head:
        return "it is empty (0 bytes); the save or download never finished"
    if head[TAR_MAGIC_AT : TAR_MAGIC_AT + 5] == b"ustar":
        return (
            "it is a tar archive, perhaps a checkpoint of the first PyTorch versions; load it with "
            "PyTorch and save it again"
        )
    for magic, kind, advice in _MAGICS:
        if head.startswith(magic):
            return f"it is {kind}; {advice}"
    if _is_safetensors(head):
        return "it is a safetensors file; read it with a safetensors reader"
    if _is_text(head):
        shown = head[:40].decode("utf-8", "replace").strip()
        return f"it is a text file that begins {shown!r}; perhaps an error page was downloaded"
    return f"it begins with {head[:8].hex(' ')}, which no checkpoint of torch.save does"


def describe_zip(names: Collection[str]) -> str | None:
    """Return a clause about a zip archive that is not a checkpoint, `None` if it may be one.

    Example:
        >>> describe_zip(["a.npy", "b.npy"])
        'it is a NumPy .npz archive; read it with numpy.load and taowa.from_numpy'
    """
    below = {name.partition("/")[2] for name in names}
    for record, kind, advice in _ZIP_KINDS:
        if record in below or record in names:
            return f"it is {kind}; {advice}"
    if names and all(name.endswith(".npy") for name in names):
        return "it is a NumPy .npz archive; read it with numpy.load and taowa.from_numpy"
    if "data.pkl" not in below:
        shown = ", ".join(sorted(names)[:3])
        return f"it is a zip archive without a checkpoint (no data.pkl; it holds {shown})"
    return None


def describe_global(module: str, name: str) -> str:
    """Return what a name says about the file, and what to do."""
    shown = f"{module}.{name}"
    if module.split(".")[0] == "numpy":
        return (
            f"it holds a NumPy value ({shown}); before saving, turn numbers into Python's with "
            ".item() and arrays into tensors with torch.from_numpy"
        )
    if (module == "torch._utils" and "rebuild" in name) or module == "torch.sparse":
        return f"it holds a kind of tensor that taowa does not have ({shown}): {_SAVE_WEIGHTS}"
    return (
        f"it holds a Python object of type {shown}, perhaps a whole model; loading that would run "
        f"code from the file, which taowa never does, also not with weights_only=False: "
        f"{_SAVE_WEIGHTS}"
    )


def _is_safetensors(head: bytes) -> bool:
    return head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= 100_000_000


def _is_text(head: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\n\r" for byte in head)
