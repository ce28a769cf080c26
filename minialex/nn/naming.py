"""An error that is raised in a network's forward names the layer, by its path in the network as the user knows it."""

from __future__ import annotations

from typing import Any

REWORDED = (ValueError, TypeError, RuntimeError, IndexError)  # what shapes, dtypes and devices that do not fit raise


def name_layer(error: Exception, module: Any, outermost: bool) -> None:
    """Note that an error leaves a module's forward; the outermost one writes the innermost one's path into it.

        ValueError("conv2d: ...")  ->  ValueError("layer features.conv2 (Conv2d): conv2d: ...")

    error: the exception. Its type, cause and traceback stay. An error of another kind, or one that does not consist of
        one text, as a KeyError, keeps its text as well: the path is added as a note below it.
    module: the nn.Module.
    outermost: whether no other module is running around this one.

    A module that the outermost one does not list, such as one made in a forward, is passed over for the one around it.
    """
    path = error.__dict__.setdefault("_left", [])
    path.append(module)
    if not outermost or "_modules" not in module.__dict__:
        return
    del error.__dict__["_left"]
    names: dict[int, list[str]] = {}  # a module that stands in two places has two names
    for name, part in module.named_modules(remove_duplicate=False):
        names.setdefault(id(part), []).append(name)
    part = next(part for part in path if id(part) in names)
    if part is module:
        return
    place = f"layer {' or '.join(names[id(part)])} ({type(part).__name__})"
    text = error.args[0] if len(error.args) == 1 else None
    if isinstance(error, REWORDED) and isinstance(text, str) and str(error) == text:
        error.args = (f"{place}: {error}",)
    else:
        error.add_note(f"raised in {place}")
