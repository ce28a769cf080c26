"""How somebody trained a network, as a small file in TOML: `paper.toml`, `2012.toml`, or one of your own.

A recipe sets fields of models.Recipe by their names; those that it does not name stay the model's own.
"""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path

from ... import models
from ...support import schema
from ..recipe import check_recipe

FOLDER = Path(__file__).parent
NAMES = sorted(file.stem for file in FOLDER.glob("*.toml"))
KEYS = [field.name for field in dataclasses.fields(models.Recipe) if field.name != "dataset"]  # fits any pictures


def apply(name, recipe):
    """`recipe` with what the file `name` says: one of NAMES, or a path.

    ValueError names the file, and what in it is unknown, of the wrong type or impossible; FileNotFoundError where there
    is none.
    """
    path = FOLDER / f"{name}.toml" if name in NAMES else Path(name)
    if not path.is_file():
        raise FileNotFoundError(f"there is no recipe {name}, and no file of that name; there are {', '.join(NAMES)}")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no recipe: it is not written in TOML ({error})") from error
    if unknown := [key for key in values if key not in KEYS]:
        raise ValueError(f"{path}: a recipe has no {unknown[0]}; it may have {', '.join(KEYS)}")
    try:
        return check_recipe(schema.check(dataclasses.replace(recipe, **values)))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
