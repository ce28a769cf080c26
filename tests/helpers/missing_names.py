"""The public names of torch that minialex lacks: writes minialex/support/missing_names.py.

python tests/helpers/missing_names.py
"""

from __future__ import annotations

import importlib
import inspect
import textwrap
from pathlib import Path

import minialex
from minialex.support import absent

FILE = Path(absent.__file__).with_name("missing_names.py")
HEAD = '"""Names of torch for which minialex has nothing: written by tests/helpers/missing_names.py."""\n\n'


def homes(torch):
    """{place, as in absent.refuse: torch's class or module of that name}"""
    return {
        "Tensor": torch.Tensor,
        "Module": torch.nn.Module,
        "functional": torch.nn.functional,
        "nn": torch.nn,
        "nn.init": torch.nn.init,
        "nn.utils": torch.nn.utils,
        "optim": torch.optim,
        "optim.lr_scheduler": torch.optim.lr_scheduler,
        "data": torch.utils.data,
        "backends": torch.backends,
    }


def ours(place):
    """What has these names in minialex: an object whose missing attributes are explained."""
    things = {"": minialex, "Tensor": minialex.Tensor([1.0]), "Module": minialex.nn.ReLU()}
    return things[place] if place in things else importlib.import_module(f"minialex.{place}")


def public(home):
    """The public names that torch gives a class or module of its own; not what it imports from elsewhere."""
    if inspect.isclass(home):
        return [name for name in dir(home) if not name.startswith("_")]
    return [name for name in dir(home) if not name.startswith("_") and _is_torchs(getattr(home, name, None))]


def _is_torchs(value):
    module = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None)
    return (module or "torch").partition(".")[0] == "torch"


def lacking(torch):
    """{place: sorted names that torch has there, and minialex neither has nor has other words for}"""
    return {
        place: sorted(
            name for name in public(home) if name not in absent.WRITE.get(place, ()) and not hasattr(ours(place), name)
        )
        for place, home in homes(torch).items()
        if place != "backends"  # whose own names are modules, there once they are imported
    }


def text(torch):
    """The text of the file."""
    lines = [HEAD + "NAMES = {"]
    for place, listed in lacking(torch).items():
        wrapped = textwrap.wrap(" ".join(listed), 112, break_long_words=False, break_on_hyphens=False)
        lines += [f'    "{place}": """', *(f"        {line}" for line in wrapped), '    """,']
    return "\n".join([*lines, "}", ""])


if __name__ == "__main__":
    import torch

    FILE.write_text(text(torch), encoding="utf-8")
