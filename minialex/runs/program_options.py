"""The options of train that name .cfg files: their texts, and the recipe for what the files do not say."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from .. import cfg, data, models
from ..support.errors import UserError, as_user_error
from ..training import recipes

# Options whose place is the parameter file, and fields of a recipe for which the same holds.
_IN_FILE = {"lr": "epsW and epsB", "momentum": "momW and momB", "weight_decay": "wc", "optimizer": "all rates",
    "schedule": "schedW and schedB"}  # fmt: skip
_OF_TRAINING = (*_IN_FILE, "bias_lr", "bias_decay", "bias_schedule", "layer_schedules", "freeze_from", "init_std",
    "init_bias")  # fmt: skip
EPOCHS, BATCH_SIZE = 10, 128  # convnet.py: --mini; the files do not say how many epochs


@dataclass
class Described:
    """A pair of .cfg files for a new run.

    recipe: the models.Recipe of what they do not say: data, batches, epochs. As in convdata.py, the mean image is
        subtracted and nothing divided; pictures that are larger than the input are cropped at random and mirrored.
    texts: fields of a Configuration.
    """

    recipe: models.Recipe
    texts: dict[str, Any]


def read(options):
    """The Described of train's options, or None where they name no .cfg files.

    options: the namespace of train's parser.

    Raises UserError for options that exclude each other, OSError or UserError for files that cannot be read.
    """
    if not options.cfg:
        if given := next((name for name in ("cfg_params", "init_rates") if getattr(options, name)), None):
            raise UserError(f"{given}=... belongs to a definition file: give cfg=..., too")
        return None
    if options.model:
        raise UserError("cfg=... is the network: leave out model=...")
    if given := next((name for name in _IN_FILE if getattr(options, name) is not None), None):
        raise UserError(
            f"{given}=... stands in the parameter file, as {_IN_FILE[given]} of each layer: change it there"
        )
    if not options.cfg_params:
        raise UserError("cfg=... says nothing about training: give its parameter file, layer-params-*.cfg, too: "
            "cfg_params=...")  # fmt: skip
    with as_user_error():
        program = cfg.read(options.cfg, options.cfg_params, bool(options.init_rates))
        recipe = _recipe(program, options)
    first, second = program.texts
    texts = {"cfg_definition": first.text, "cfg_parameters": second.text, "cfg_files": [first.name, second.name]}
    return Described(recipe, texts | {"cfg_initial_rates": bool(options.init_rates)})


def _recipe(program, options):
    dataset = options.dataset or ("cifar10" if program.classes in (10, None) else "folder")
    rates = [one.schedule.base for one in program.parameters.rates.values()]
    side = data.DATASETS[dataset].side
    cropped = data.DATASETS[dataset].in_files or (options.input_size or side) < side
    recipe = models.Recipe(
        dataset, EPOCHS, BATCH_SIZE, max(rates), normalization="mean-image-center", flip=cropped, optimizer="sgd_paper"
    )
    if not options.recipe:
        return recipe
    changed = recipes.apply(options.recipe, recipe)
    if wrong := [name for name in recipes.changed(recipe, changed) if name in _OF_TRAINING]:
        raise ValueError(f"{options.recipe}: {wrong[0]} stands in the parameter file of the network: leave it out")
    return dataclasses.replace(changed, optimizer="sgd_paper")
