"""Recipe files: how a network was trained, as TOML: `paper.toml`, `2012.toml`, or your own.

A recipe file sets fields of models.Recipe; the others keep the values of the model's own recipe.
"""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path

from ... import models
from ...support import schema
from ...support.files import expanded
from ...support.text import read_text
from ..recipe import check_recipe

FOLDER = Path(__file__).parent
NAMES = sorted(file.stem for file in FOLDER.glob("*.toml"))
KEYS = [field.name for field in dataclasses.fields(models.Recipe) if field.name != "dataset"]  # it fits any data set


def apply(name, recipe):
    """Apply a recipe file.

    name: one of NAMES, or the path of a file.
    recipe: the Recipe that it changes.

    Returns the changed Recipe.
    Raises FileNotFoundError where there is no such file; ValueError where it is not TOML, or a field is unknown or
    invalid.
    """
    path = FOLDER / f"{name}.toml" if name in NAMES else expanded(name)
    if not path.is_file():
        raise FileNotFoundError(f"unknown recipe {name}; choose one of {', '.join(NAMES)}, or give the path of a file")
    try:
        values = tomllib.loads(read_text(path))
    except RecursionError:
        raise ValueError(f"{path} is not a recipe: its values are nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{path} is not a recipe: it is not valid TOML ({error})") from error
    if unknown := [key for key in values if key not in KEYS]:
        raise ValueError(f"{path}: unknown field {unknown[0]}; the fields are {', '.join(KEYS)}")
    try:
        return check_recipe(schema.check(dataclasses.replace(recipe, **values)))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
