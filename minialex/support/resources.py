"""Where folders are: those that travel with minialex, in the package or beside it in a checkout, and its cache."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_FOLDERS = {  # name: (inside the package, beside it)
    "kernels": ("kernels", "kernels"),
    "handouts": ("coursework/handouts", "tutorials/assignments"),
}


def cache_folder():
    """Where minialex keeps what can be made or fetched again: data sets, statistics, compiled kernels. A Path."""
    import platformdirs  # only where something is kept: to compute takes no more than NumPy

    return platformdirs.user_cache_path("minialex")


def folder(name):
    """The folder "kernels" (CUDA C++ sources) or "handouts" (the tutorials' assignments), as a Path.

    A wheel carries them inside the package; in a checkout, editable install or not, they stand beside it.
    ValueError for another name, FileNotFoundError when the folder is in neither place.
    """
    if name not in _FOLDERS:
        raise ValueError(f"no folder is called {name!r}; there are {' and '.join(_FOLDERS)}")
    inside, beside = _FOLDERS[name]
    candidates = [_PACKAGE / inside]
    checkout = _PACKAGE.parent
    if (checkout / "pyproject.toml").is_file():  # not site-packages, where `kernels` would be somebody else's
        candidates.append(checkout / beside)
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    places = " or ".join(str(candidate) for candidate in candidates)
    raise FileNotFoundError(
        f"the {name} folder is missing: expected {places}; reinstall minialex or take a complete checkout"
    )
