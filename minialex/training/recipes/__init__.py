"""How a network is trained: as its authors did, or by a recipe file, as TOML: `paper.toml`, `2012.toml`, or your own.

    recipe = recipes.of("alexnet")              as the paper says
    recipe = recipes.of("alexnet", "plain")     the network's own short recipe

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
PLAIN = "plain"  # the model's own recipe, without a file
NAMES = [*sorted(file.stem for file in FOLDER.glob("*.toml")), PLAIN]
KEYS = [field.name for field in dataclasses.fields(models.Recipe) if field.name != "dataset"]  # it fits any data set


def of(model: str, name: str | None = None) -> models.Recipe:
    """The Recipe that a network is trained by.

    model: a key of models.PRESETS, or the name of a registered network of the user's own.
    name: one of NAMES, or the path of a recipe file; None for that of the network's authors.

    Returns a Recipe; of a network without published training, such as the user's own, its preset's.
    Raises ValueError for an unknown model, and as `apply` does.
    """
    preset = models.get_preset(model)
    return apply(name or preset.recipe_file or PLAIN, preset.recipe)


def apply(name: str, recipe: models.Recipe) -> models.Recipe:
    """Apply a recipe file.

    name: one of NAMES, or the path of a file; "plain" is no file, and changes nothing.
    recipe: the Recipe that it changes.

    Returns the changed Recipe.
    Raises FileNotFoundError where there is no such file; ValueError where it is not TOML, or a field is unknown or
    invalid.
    """
    if name == PLAIN:
        return recipe
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
    if values.get("bias_schedule") == "":  # TOML has no None
        values["bias_schedule"] = None
    try:
        return check_recipe(schema.check(dataclasses.replace(recipe, **values)))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def changed(recipe: models.Recipe, other: models.Recipe) -> list[str]:
    """The names of the fields in which two Recipes differ, but for the data set.

    recipe, other: the Recipes.

    Returns a list of names, in the order of the fields.
    """
    return [key for key in KEYS if getattr(recipe, key) != getattr(other, key)]
