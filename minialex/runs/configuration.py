"""What a training run is asked to do: all that its config.json holds."""

from __future__ import annotations

import dataclasses
from dataclasses import asdict, dataclass, field
from typing import Annotated

from .. import backends, data, models
from ..support import schema
from ..support.errors import UserError
from ..support.schema import AtLeast, Below, OneOf
from ..training.recipe import check_recipe

FILES_ONLY = ("workers", "strict", "val_labels", "resize")  # options of pictures that are read from files


@dataclass
class Configuration:
    """All that decides what a run does.

    model: a name of models.PRESETS. recipe: how it is trained; recipe_name: where that is from, if not the model.
    data_dir, limit, validation, workers, strict, val_labels: see data.load. resize: pixels that the shorter side of a
    photograph is brought to. accumulate: batches in a step. diagnose: measure every layer after each epoch. overfit:
    training pictures that a copy of the network must first learn by heart. threads: that compute. weights: a checkpoint
    whose weights the network begins with. num_classes, input_size: of the network. freeze: layers that are not trained.
    """

    model: Annotated[str, OneOf(*models.PRESETS)]
    recipe: models.Recipe
    backend: Annotated[str, OneOf(*backends.available())]
    seed: Annotated[int, AtLeast(0), Below(2**64)]
    data_dir: str | None = None
    limit: Annotated[int | None, AtLeast(1)] = None
    validation: Annotated[int | None, AtLeast(0)] = None
    accumulate: Annotated[int, AtLeast(1)] = 1
    diagnose: bool = False
    overfit: Annotated[int | None, AtLeast(1)] = None
    threads: Annotated[int | None, AtLeast(1)] = None
    matmul_precision: Annotated[str, OneOf("float32", "tf32")] = "float32"
    recipe_name: str | None = None
    weights: str | None = None
    num_classes: Annotated[int | None, AtLeast(1)] = None
    input_size: Annotated[int | None, AtLeast(1)] = None
    freeze: list[str] = field(default_factory=list)
    workers: Annotated[int | None, AtLeast(1)] = None
    strict: bool = False
    val_labels: str | None = None
    resize: Annotated[int | None, AtLeast(1)] = None

    def check(self):
        """The configuration itself; UserError where a field is impossible, or two do not go together."""
        try:
            schema.check(self)
            schema.check(self.recipe)
            check_recipe(self.recipe)
            if self.recipe.dataset not in data.DATASETS:
                raise ValueError(f"there is no data set {self.recipe.dataset}; there are {', '.join(data.DATASETS)}")
        except ValueError as error:
            raise UserError(str(error)) from error
        if self.weights and self.input_size:
            raise UserError("a run that begins with weights=... has their input size: leave out input_size=...")
        if not self.reads_files:
            given = [name for name in FILES_ONLY if getattr(self, name)]
            if given:
                files = ", ".join(name for name, source in data.DATASETS.items() if source.in_files)
                raise UserError(
                    f"{given[0]}=... is for pictures that are read from files (dataset={files}), and "
                    f"{self.recipe.dataset} is no such data set; leave it out"
                )
        return self

    @property
    def reads_files(self):
        """Whether the pictures are read from files one by one, as photographs in folders are."""
        return data.DATASETS[self.recipe.dataset].in_files

    def to_dict(self):
        """One flat dict, fit for JSON: the recipe's fields stand among the others."""
        values = asdict(self)
        return values | values.pop("recipe")

    @classmethod
    def from_dict(cls, values):
        """The inverse of to_dict; ValueError for what to_dict cannot have written. Earlier versions' dicts are read."""
        values = upgraded(values)
        names = {field.name for field in dataclasses.fields(models.Recipe)}
        recipe = schema.build(models.Recipe, {name: value for name, value in values.items() if name in names})
        own = {name: value for name, value in values.items() if name not in names}
        return schema.build(cls, own | {"recipe": recipe}).check()


def upgraded(values):
    """A configuration's dict as this version writes it, from one of this version or of an earlier one."""
    values = dict(values)
    if "recipe" in values:  # until the first format of checkpoints: the recipe's name
        values["recipe_name"] = values.pop("recipe")
    if values.get("color_noise_by") == "deviation":
        values["color_noise_by"] = "std"
    return values
