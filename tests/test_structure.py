"""The house: which rooms there are, and that imports go one way, from the commands down to what knows nothing else."""

from __future__ import annotations

import ast
import functools
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "minialex"
LAYERS = [  # each may import from those above it, and from itself
    {"support", "random", "threads", "window"},
    {"backends"},
    {"tape"},
    {
        "tensor",
        "tensor_methods",
        "tensor_changes",
        "functional",
    },  # a Tensor's methods are the functions, which take Tensors: the one circle
    {"nn"},
    {"optim", "models", "parallel"},
    {"cfg"},  # describes networks for models.graph, and has an optimiser of its own
    {"creation", "grad_modes", "saving", "torch_names"},  # what torch has at its top
    {""},  # minialex/__init__.py: what `import minialex` brings
    {"cli"},
    {"data", "training"},
    {"plotting"},
    {"runs", "cases"},
    {"convert"},
    {"summary", "look", "bench", "coursework", "ablation", "tutorials"},
    {"explore"},  # explains layers as summary does, and finds its pictures as look does
    {"train", "ablate", "evaluate", "predict", "gradcheck", "doctor", "__main__"},
]
COMMANDS_INSIDE = {"data.pack"}  # a command whose name says what it packs


def module_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def parsed(path):
    return ast.parse(path.read_text())


def statements(node):
    """All statements within a node, at any depth; ast.walk would visit every expression as well."""
    for field in ("body", "orelse", "finalbody", "handlers", "cases"):
        for inner in getattr(node, field, ()):
            yield inner
            yield from statements(inner)


def imports(path):
    """The modules of the package that a file imports, anywhere in it."""
    parts = ["minialex", *filter(None, module_of(path).split("."))]
    package = ".".join(parts if path.name == "__init__.py" else parts[:-1])
    for node in statements(parsed(path)):
        if isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            for name in node.names if base.split(".")[0] == "minialex" else ():
                yield f"{base}.{name.name}".removeprefix("minialex").lstrip(".")
        elif isinstance(node, ast.Import):
            yield from (
                n.name.removeprefix("minialex").lstrip(".") for n in node.names if n.name.startswith("minialex")
            )


@functools.cache
def room(name):
    first = name.split(".")[0]
    return first if (PACKAGE / first).is_dir() or (PACKAGE / f"{first}.py").is_file() else ""


def test_every_room_has_its_layer():
    rooms = {room(module_of(path)) for path in PACKAGE.rglob("*.py")}
    assert rooms == set().union(*LAYERS)


@pytest.mark.heavy
def test_imports_go_one_way():
    layer = {name: number for number, names in enumerate(LAYERS) for name in names}
    upward = [
        f"{module_of(path)} imports {name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if module_of(path) not in COMMANDS_INSIDE
        for name in imports(path)
        if layer[room(name)] > layer[room(module_of(path))]
        or (
            layer[room(name)] == layer[room(module_of(path))]
            and room(name) != room(module_of(path))
            and layer[room(name)] > 3
        )
    ]
    assert not upward


def test_what_stands_on_top():
    files = {path.name for path in PACKAGE.glob("*.py")}
    reading = {"tape.py", "tensor.py", "window.py", "random.py", "threads.py"}
    commands = {"train.py", "ablate.py", "evaluate.py", "predict.py", "gradcheck.py", "cases.py", "doctor.py", "cli.py"}
    top = {"creation.py", "grad_modes.py", "saving.py", "torch_names.py"}  # of minialex, as of torch
    assert files == reading | commands | top | {"tensor_methods.py", "tensor_changes.py", "__init__.py", "__main__.py"}


def test_no_function_bears_the_name_of_a_subpackage():
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    defined = {
        node.name
        for path in PACKAGE.rglob("*.py")
        for node in parsed(path).body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    }
    assert not rooms & defined
