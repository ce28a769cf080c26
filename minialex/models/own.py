"""Networks of the user's own: `my_net.py:build` names a function in a file, which returns a Module.

A file is executed only where the user names it, with `register`; from then on `models.build` and `get_preset` know the
network by its name, the file's and the function's. Checkpoints hold that name and the SHA-256 of the file's text, and
no code.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
import traceback
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..nn import Module
from ..nn.more import evaluating
from ..support.files import expanded
from ..support.text import content
from ..tensor import Tensor, no_grad
from .preset import Preset, Recipe

# For networks that nobody has tuned: Adam forgives a learning rate that does not suit the initial weights.
RECIPE = Recipe("shapes", epochs=10, batch_size=64, lr=0.001, schedule="cosine", optimizer="adam", weight_decay=0.0)
REGISTERED: dict[str, Own] = {}
_LONGEST = 300  # characters of a name; no file system has longer ones of files


@dataclass(frozen=True)
class Own(Preset):
    """A network of the user's own, as a Preset.

    input_size: the function's attribute input_size, or its argument's default; None for that of the data.
    num_classes: the default of the function's argument; None for the number of classes in the data.
    path: of the file, as the user wrote it.
    sha256: of its text, in hexadecimal.
    """

    input_size: int | None  # type: ignore[assignment]
    num_classes: int | None  # type: ignore[assignment]
    path: str = ""
    sha256: str = ""

    def check(self, model: Any, shape: Any, classes: Any) -> Any:
        """Raise ValueError unless a network can be trained: it takes the images, and has an output for each class.

        model: what `build` has returned.
        shape: of one image, (C, H, W).
        classes: how many there are.
        """
        size = "x".join(map(str, shape))
        try:
            with no_grad(), evaluating(model), _one_sentence(self.path, but=(TypeError, ValueError)):
                output = model(Tensor(np.zeros((2, *shape), np.float32)))
        except OwnError:
            raise
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{self.path}: this network does not take pictures of {size} ({error}); input_size=... changes that"
            ) from error
        if not any(p.requires_grad for p in model.parameters()):
            raise ValueError(f"{self.path}: this network has no parameter with requires_grad=True: nothing to train")
        found = getattr(output, "shape", None)
        if found != (2, classes):
            what = f"shape {found}" if found else f"type {type(output).__name__}"
            raise ValueError(
                f"{self.path}: for 2 pictures and {classes} classes a network returns logits of shape (2, {classes}), "
                f"this one something of {what}{'; let the function take num_classes' if found else ''}"
            )

    def check_empty(self, model: Any, shape: Any) -> Any:
        """Raise ValueError unless a network takes a batch of no pictures, which a process may have of a short one.

        model, shape: as of `check`.
        """
        try:
            with no_grad(), evaluating(model), _one_sentence(self.path):
                model(Tensor(np.zeros((0, *shape), np.float32)))
        except OwnError as error:
            raise ValueError(
                f"{error}: so it is with no pictures, and of a short batch a process has none; write x.flatten(1), "
                "where it is x.reshape(len(x), -1), or choose another batch_size=..., or fewer processes"
            ) from error


def is_reference(text: Any) -> bool:
    """Whether a text is of the form FILE.py:FUNCTION, as opposed to the name of a published network."""
    name = name_of(text)
    return name is not None and len(name) <= _LONGEST


def name_of(reference: str) -> str | None:
    """The name of the network in FILE.py:FUNCTION, without the file's folder; None for another text."""
    path, colon, function = reference.rpartition(":")
    return f"{Path(path).name}:{function}" if colon and path.endswith(".py") and function.isidentifier() else None


def register(reference: str) -> Any:
    """Execute a file, and make the network in it known to `models.build`.

    reference: "FILE.py:FUNCTION"; the function takes num_classes, input_size, both or neither, and returns a Module. A
        subclass of Module will do.

    Returns the network's name, "my_net.py:build".
    Raises ValueError, in one sentence, for a file that does not exist or fails, and where there is no such function.
    """
    path, _, function = reference.rpartition(":")
    name = name_of(reference)
    if name is None:
        raise ValueError(f"{reference!r} does not name a network: write FILE.py:FUNCTION, such as my_net.py:build")
    path = str(expanded(path)) if path.startswith("~") else path
    try:
        text = content(path)
    except OSError as error:
        raise ValueError(f"there is no file {path} that could define a network ({error.strerror})") from None
    sha256 = hashlib.sha256(text).hexdigest()
    if name in REGISTERED and Path(REGISTERED[name].path).resolve() != Path(path).resolve():
        raise ValueError(f"{REGISTERED[name].path} and {path} have the same name: rename one of them")
    module = _executed(path, text)
    make = getattr(module, function, None)
    if not callable(make) or isinstance(make, Module):
        known = [n for n, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__ and callable(v)]
        what = f"is a {type(make).__name__}" if make is not None else "is not there"
        has = f"; it has {', '.join(known)}" if known else ""
        raise ValueError(f"{path}: {function} {what}, but must be a function that returns a Module{has}")
    REGISTERED[name] = _described(make, function, path, sha256)
    return name


def changed(name: str, sha256: str | None) -> Any:
    """A sentence where a file has changed since a network was trained, else "".

    name: of the network, which is registered if it is the user's own.
    sha256: of the file's text then; None if unknown.
    """
    own = REGISTERED.get(name)
    if own is None or sha256 in (None, own.sha256):
        return ""
    return (
        f"{own.path} has changed since these weights were trained (its SHA-256 was {sha256[:12]}..., "
        f"it is {own.sha256[:12]}...)"
    )


def missing(name: str) -> Any:
    """The ValueError for a network of the user's own that is not registered; name: "my_net.py:build"."""
    return ValueError(
        f"{name} is a network of your own, and a file of weights holds no code: name it again, with "
        f"model=PATH/{name}, as when it was trained"
    )


def _executed(path, text):
    """The module that a file's text defines."""
    module = types.ModuleType(f"own_{Path(path).stem}")
    module.__file__ = path
    sys.modules[module.__name__] = module
    folder = str(Path(path).resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)  # for the imports in the file, as for a script
    with _one_sentence(path):
        exec(compile(text, path, "exec"), vars(module))
    return module


class OwnError(ValueError):
    """An error in the user's file; the message names the line."""


class _one_sentence:
    """A context that turns any error of the user's code into an OwnError that names its file and line.

    path: of the file.
    but: kinds of errors that are left as they are.
    """

    def __init__(self, path, but=()):
        self.path, self.but = path, but

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, (Exception, SystemExit)) and not isinstance(error, self.but):
            raise OwnError(_sentence(error, self.path, _last_line(error, self.path))) from error


def blamed(error: BaseException) -> str:
    """A sentence for an error that came out of a registered file, as from a forward in training; "" for another error.

    error: the exception, as caught.
    """
    lines = ((own.path, _last_line(error, own.path)) for own in REGISTERED.values())
    return next((_sentence(error, path, line) for path, line in lines if line), "")


def _last_line(error: BaseException, path: str) -> int | None:
    """The line of a file in which an error came up; None if that file took no part."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return error.lineno if isinstance(error, SyntaxError) and error.filename == path else (lines or [None])[-1]


def _sentence(error: BaseException, path: str, line: int | None) -> str:
    what = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{path}{f':{line}' if line else ''}: {type(error).__name__}: {' '.join(what.split())}"


def _kind(thing: Any) -> str:
    """What a function has returned instead of a Module, in words."""
    if isinstance(thing, type) and issubclass(thing, Module):
        return f"the class {thing.__name__}, without the parentheses that make one"
    kind = type(thing)
    others = any(base.__module__.startswith("torch.") for base in kind.__mro__)  # without an import of torch
    return f"torch's {kind.__name__}: write from minialex import nn" if others else kind.__name__


def _described(make, function, path, sha256):
    """The Own of a function."""
    with _one_sentence(path):
        parameters = inspect.signature(make).parameters
    needed = [
        name
        for name, p in parameters.items()
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if unknown := [name for name in needed if name not in ("num_classes", "input_size")]:
        raise ValueError(f"{path}: {function} needs {unknown[0]}, but only num_classes and input_size are given")

    def default(name):
        value = parameters[name].default if name in parameters else None
        return value if isinstance(value, int) else None

    def build(**arguments):
        given = {name: value for name, value in arguments.items() if name in parameters}
        with _one_sentence(path):
            model = make(**given)
        if not isinstance(model, Module):
            raise ValueError(f"{path}: {function} must return a Module, it returned {_kind(model)}")
        return model

    build.__signature__ = inspect.Signature([*parameters.values()])  # type: ignore[attr-defined]  # for models.arguments

    return Own(
        build,
        input_size=getattr(make, "input_size", None) or default("input_size"),
        num_classes=default("num_classes"),
        summary=f"a network of your own, from {path}",
        recipe=RECIPE,
        recipe_source="minialex's for networks of your own",
        path=path,
        sha256=sha256,
    )
