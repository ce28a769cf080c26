"""The registry of backends, which do the arithmetic on raw arrays.

`use_backend(name)` sets the default for new tensors; a tensor keeps the backend that it was made on. A backend's module
is imported when it is first used: the numba backend's takes half a second.
"""

from __future__ import annotations

import importlib
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from ..support import absent
from .base import BackendUnavailable

_CLASSES = {
    "numpy": (".numpy_backend", "NumPyBackend"),
    "numba": (".fast_cpu.backend", "NumbaBackend"),
    "cupy": (".cuda.gpu", "CupyBackend"),
    "emulator": (".cuda.emulator", "EmulatorBackend"),
}
_PACKAGES = {"numba": "numba"}  # imported by a backend's module before it can say that one is missing
_GPU = ("cupy", "cuda", "cuda:0")
_made: dict = {}
_making = threading.RLock()  # two threads that ask for the first time get the same backend
_default = "numpy"


def available() -> tuple[str, ...]:
    """Names of the backends that this version has."""
    return tuple(_CLASSES)


def fastest() -> str:
    """The name of the fastest backend that this machine can use: what "auto" stands for."""
    try:
        return get_backend("numba").name
    except ValueError:
        return "numpy"


def is_gpu_name(name: str) -> bool:
    """Whether a name is the cupy backend's, or one that torch has for it. name: any object."""
    return isinstance(name, str) and name in _GPU


def is_name(name: str) -> bool:
    """Whether get_backend takes a name other than "auto". name: any object."""
    return isinstance(name, str) and (name in _CLASSES or name in _GPU or name == "cpu")


def get_backend(backend: Any = None) -> Any:
    """A backend by its name, made once.

    backend: a name, "auto" for the fastest, None for the default, or a backend, which is returned as it is. Of torch's
        names "cuda" is the cupy backend, and "cpu" the default one, or numpy where that is a GPU's.

    Raises ValueError for an unknown name, and for a backend that cannot be used here.
    """
    if not isinstance(backend, (str, type(None))):
        return backend
    name = fastest() if backend == "auto" else backend or _default
    if name == "cpu":
        name = "numpy" if is_gpu_name(_default) else _default
    name = "cupy" if is_gpu_name(name) else name
    if name not in _made:
        if name not in _CLASSES:
            raise ValueError(f"unknown backend {name!r}; this version has {', '.join(_CLASSES)}")
        module, cls = _CLASSES[name]
        try:
            with _making:
                _import(_PACKAGES.get(name))
                if name not in _made:
                    _made[name] = getattr(importlib.import_module(module, __name__), cls)()
        except BackendUnavailable as error:
            raise ValueError(f"the {name} backend cannot be used here ({error}); choose another backend") from error
    return _made[name]


def _import(package):
    """Import somebody else's package, so that whatever it raises is told as its fault and never hides one of ours."""
    try:
        if package:
            importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise BackendUnavailable(f"{error}: pip install {error.name}") from error
    except Exception as error:  # a library that does not load, a NumPy that it was not built for, ...
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BackendUnavailable(f"{why}; compatible versions: pip install --upgrade {package} numpy") from error


def use_backend(backend: Any) -> Any:
    """Make a backend the default for new tensors; returns it.

    backend: a name, or "auto" for the fastest.

    Raises ValueError as get_backend does.
    """
    global _default
    made = get_backend(backend)
    made.on_selected()
    _default = made.name
    return made


if not TYPE_CHECKING:  # to a type checker every name would be there
    __getattr__ = partial(absent.refuse, "backends")
