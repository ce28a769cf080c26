"""Locations of minialex's folders: those shipped with it, in the package or beside it in a checkout, and its cache."""

from __future__ import annotations

from pathlib import Path

from .text import printable

_PACKAGE = Path(__file__).resolve().parents[1]
_FOLDERS = {  # name: (inside the package, beside it)
    "kernels": ("kernels", "kernels"),
    "handouts": ("coursework/handouts", "tutorials/assignments"),
}


def cache_folder():
    """Path of the folder for everything that can be recreated: downloads, statistics, compiled kernels.

    Raises FileNotFoundError where the user has no home folder.
    """
    import platformdirs  # here, so that computing needs nothing but NumPy

    try:
        path = platformdirs.user_cache_path("minialex")
    except RuntimeError:
        path = Path("~")
    if not path.is_absolute():
        raise FileNotFoundError("the user has no home folder for a cache: set HOME or XDG_CACHE_HOME to a folder")
    return path


def cache_text():
    """The cache folder's path as a text for argparse's help, which takes %% for a %, or why there is none."""
    try:
        return printable(str(cache_folder())).replace("%", "%%")
    except FileNotFoundError:
        return "none, since the user has no home folder"


def folder(name):
    """Path of a folder shipped with minialex: inside the package in a wheel, beside it in a checkout.

    name: "kernels" (CUDA C++ sources) or "handouts" (the tutorials' assignments).

    Returns a Path.
    Raises ValueError for another name, FileNotFoundError where the folder is in neither place.
    """
    if name not in _FOLDERS:
        raise ValueError(f"unknown folder {name!r}; choose one of {', '.join(_FOLDERS)}")
    inside, beside = _FOLDERS[name]
    candidates = [_PACKAGE / inside]
    if checkout() is not None:
        candidates.append(checkout() / beside)
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    places = " or ".join(str(candidate) for candidate in candidates)
    raise FileNotFoundError(
        f"the folder {name} is missing: expected {places}; reinstall minialex or use a complete checkout"
    )


def checkout():
    """Path of the source tree that minialex runs from; None where it is installed, as in site-packages."""
    found = _PACKAGE.parent
    return found if (found / "pyproject.toml").is_file() else None
