"""The house rules that no other tool checks: who may import whom, and how large things get."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "taowa").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

# Upper storeys import lower ones. Names on one line that a comma joins are one storey and may
# import each other; names that `|` separates are siblings and may not.
STOREYS = """
cli | compat
train
vision, models
inspect | surgery | io | optim | utils | distributed | export | amp | quantization | func
nn
autograd | fft | linalg | special
ops
core
kernels
dtypes, config, errors, version
""".strip().splitlines()
RANK = {
    name.strip(): (-height, sibling)
    for height, line in enumerate(STOREYS)
    for sibling, group in enumerate(line.split("|"))
    for name in group.split(",")
}
OPTIONAL = {"matplotlib", "rich", "sklearn", "torch", "typer"}
MAX_FILE_LINES, MAX_FUNCTION_LINES = 500, 60
MACHINE_PATH = re.compile(r"(?<![\w./}~-])/(?:work|root|home|Users|opt|tmp)(?=[/\s'\"`]|$)")


def module_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(tree):
    """Every (node, imported dotted name) of a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            prefix = "." * node.level + (node.module or "")
            # `from taowa import nn` imports taowa.nn; `from taowa import zeros` imports all of it.
            parts = [f"taowa.{a.name}" if a.name in RANK else "taowa" for a in node.names]
            names = parts if prefix == "taowa" else [prefix]
            yield from ((node, name) for name in names)


def may_import(importer, imported):
    """Whether a module of taowa may import another one."""
    upper, lower = (name.split(".")[1] for name in (importer, imported))
    if upper == lower:
        return True
    (height, side), (other_height, other_side) = RANK[upper], RANK[lower]
    return other_height < height or (other_height == height and side == other_side)


def import_fault(module, name, is_inner):
    """What is wrong with one import in one file of taowa, or None."""
    package = name.split(".")[0]
    if name.startswith("."):
        return "relative import"
    if package == "torch":
        return "torch belongs to the tests"
    if is_inner and not (module.startswith("taowa.cli") or package in OPTIONAL):
        return "import inside a function"
    if package != "taowa" or module == "taowa":
        return None
    if name == "taowa":
        return None if RANK[module.split(".")[1]][0] >= RANK["train"][0] else "imports all of taowa"
    return None if may_import(module, name) else "wrong direction"


def import_faults(module, source):
    """One line for each wrong import of a file."""
    tree = ast.parse(source)
    outer = [tree, *(n for n in tree.body if isinstance(n, ast.If | ast.Try))]
    at_top = {id(statement) for node in outer for statement in ast.iter_child_nodes(node)}
    for node, name in imports(tree):
        if fault := import_fault(module, name, id(node) not in at_top):
            yield f"{module}:{node.lineno} import of {name}: {fault}"


def body_lines(function):
    """Lines from `def` to the end, without the docstring."""
    first = function.body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    docstring = first.end_lineno - first.lineno + 1 if is_docstring else 0
    return function.end_lineno - function.lineno + 1 - docstring


def long_functions(source):
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    functions = [n for n in ast.walk(ast.parse(source)) if isinstance(n, kinds)]
    return [f.name for f in functions if body_lines(f) > MAX_FUNCTION_LINES]


def relative(path):
    return path.relative_to(ROOT).as_posix()


def test_every_part_has_a_storey():
    parts = {relative(p).split("/")[1].removesuffix(".py") for p in SOURCES} - {"__init__"}
    assert parts <= set(RANK), f"place {sorted(parts - set(RANK))} in STOREYS"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_imports_point_downwards(path):
    assert list(import_faults(module_of(path), path.read_text())) == []


@pytest.mark.parametrize("path", SOURCES + TESTS, ids=relative)
def test_sizes(path):
    source = path.read_text()
    assert len(source.splitlines()) <= MAX_FILE_LINES
    assert long_functions(source) == []


def test_no_path_of_one_machine():
    texts = [*SOURCES, *TESTS, *ROOT.glob("*.md"), *ROOT.glob("*.toml"), ROOT / "Makefile"]
    found = {relative(p): MACHINE_PATH.findall(p.read_text()) for p in texts}
    assert {name: paths for name, paths in found.items() if paths} == {}


@pytest.mark.parametrize(
    ("module", "source", "fault"),
    [
        ("taowa.ops.pointwise", "from taowa.nn import Linear", "wrong direction"),
        ("taowa.ops.pointwise", "from taowa import nn", "wrong direction"),
        ("taowa.io.pth", "import taowa.optim.sgd", "wrong direction"),
        ("taowa.nn.linear", "import taowa", "imports all of taowa"),
        ("taowa.nn.linear", "from taowa import zeros", "imports all of taowa"),
        ("taowa.nn.linear", "from .module import Module", "relative import"),
        ("taowa.core.node", "def f():\n    import jax", "import inside a function"),
        ("taowa.io.pth", "def f():\n    import torch", "torch belongs to the tests"),
    ],
)
def test_wrong_imports_are_found(module, source, fault):
    assert [line.split(": ")[1] for line in import_faults(module, source)] == [fault]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("taowa", "from taowa import nn"),
        ("taowa.train.loop", "import taowa"),
        ("taowa.nn.linear", "from taowa.nn.module import Module\nfrom taowa import ops"),
        ("taowa.models.resnet", "from taowa.vision.transforms import Compose"),
        ("taowa.cli.main", "def f():\n    import taowa.train.loop"),
        ("taowa.train.plots", "def f():\n    import matplotlib.pyplot"),
        ("taowa.core.disk", "try:\n    import fcntl\nexcept ImportError:\n    fcntl = None"),
    ],
)
def test_right_imports_are_left_alone(module, source):
    assert list(import_faults(module, source)) == []


def test_machine_path_pattern():
    there = "".join(["see /", "root/venv"])
    assert MACHINE_PATH.findall(there) == ["".join(["/", "root"])]
    assert MACHINE_PATH.findall("a/root/b ../root/x https://x.org/home/ 1/opt") == []


def test_long_functions_do_not_count_the_docstring():
    lines = ["    x = 1"] * 59
    docstring = ['    """' + "\n" * 9 + '    """']
    assert long_functions("\n".join(["def f():", *docstring, *lines])) == []
    assert long_functions("\n".join(["def f():", *lines, "    x = 2"])) == ["f"]
