"""An experiment: a base, its variants, seeds and settings; from the command's options, or from a recipe file."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from .. import backends, data, models
from ..runs.configuration import MOST_CLASSES, Configuration
from ..support import schema
from ..support.errors import as_user_error
from ..support.files import expanded
from ..support.schema import AtLeast, AtMost, Below, Finite, OneOf
from ..support.text import read_text
from ..training import recipes
from . import words

FOLDER = Path(__file__).parent / "recipes"
NAMES = sorted(file.stem for file in FOLDER.glob("*.toml"))
BASE = "base"  # the variant in which nothing is changed
MOST_SEEDS = 30


@dataclass
class Variant:
    """What sets a variant apart from the base.

    meaning: a sentence.
    set: {argument of the network's function: value}.
    train: {field of the training's Recipe: value}.
    model: another network; None for the base's.
    rates: of a race, the learning rates from which one is chosen; [] for that of the recipe.
    """

    meaning: str = ""
    set: dict[str, bool | int | float | str] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)
    model: Annotated[str, OneOf(*models.PRESETS)] | None = None
    rates: Annotated[list[float], AtLeast(0), Finite()] = field(default_factory=list)


@dataclass
class Experiment:
    """Which runs there are: each variant with each seed. The fields are what a recipe file may set.

    base: a key of models.PRESETS.
    set: {argument of its function: value}, of all variants.
    training_recipe: by which all are trained, see training.recipes.of; None for that of the base's authors.
    train: {field of models.Recipe: value}, which override that recipe for all variants.
    without, adding: words, see words.py; each is a variant.
    variants: {name: Variant}, further ones.
    target: makes it a race: every run ends when the training error of an epoch has fallen to this share; None for an
        ablation, in which variants are compared by their test errors.
    seeds: how many runs of each variant there are.
    seed: of the first one; the others have the numbers that follow.
    dataset, limit, resize, input_size, num_classes: as in runs.Configuration.
    validation: likewise; None for no such pictures, of a folder for its own, without which it may have no test.
    backend: its name, or "auto".
    """

    base: Annotated[str, OneOf(*models.PRESETS)] = "alexnet_2012"
    set: dict[str, bool | int | float | str] = field(default_factory=dict)
    training_recipe: str | None = None
    train: dict[str, Any] = field(default_factory=dict)
    without: list[str] = field(default_factory=list)
    adding: list[str] = field(default_factory=list)
    variants: dict[str, Variant] = field(default_factory=dict)
    target: Annotated[float, AtLeast(0), Below(1)] | None = None
    seeds: Annotated[int, AtLeast(1), AtMost(MOST_SEEDS)] = 3
    seed: Annotated[int, AtLeast(0), Below(2**63)] = 0
    dataset: str | None = None
    limit: Annotated[int | None, AtLeast(1)] = None
    validation: Annotated[int | None, AtLeast(0)] = None
    resize: Annotated[int | None, AtLeast(1)] = None
    input_size: Annotated[int | None, AtLeast(1)] = None
    num_classes: Annotated[int | None, AtLeast(1), AtMost(MOST_CLASSES)] = None
    backend: Annotated[str, OneOf("auto", *backends.available())] = "auto"

    def all_seeds(self) -> list[int]:
        """The seeds, in order."""
        return [*range(self.seed, self.seed + self.seeds)]

    def recipe(self) -> models.Recipe:
        """The Recipe of the base; raises ValueError for an unknown or invalid field."""
        return _changed(recipes.of(self.base, self.training_recipe), self.train, self.dataset)

    def all_variants(self) -> dict[str, Variant]:
        """{name: Variant}: of an ablation first BASE, then words and named variants in their order.

        Raises ValueError for an unknown word, one that means nothing for the base, and a name that is there twice.
        """
        found = {} if self.target is not None else {BASE: Variant("nothing is changed")}
        for word, adds in (*((word, False) for word in self.without), *((word, True) for word in self.adding)):
            known = [name for name, one in words.WORDS.items() if one.adds == adds]
            if word not in known:
                option = "adding" if adds else "without"
                raise ValueError(f"unknown word '{word}' in {option}=...; choose from {', '.join(known)}")
            if sentence := words.missing(word, self.base, self.set, self.recipe()):
                raise ValueError(sentence)
            one = words.WORDS[word]
            _add(found, word, Variant(one.meaning, one.set, one.train, one.model.get(self.base)))
        for name, variant in self.variants.items():
            _add(found, name, variant)
        if len(found) < 2:
            raise ValueError(
                "there is nothing to compare: name variants with without=... or adding=..., or a recipe=..."
            )
        return found

    def configuration(self, variant: Variant, seed: int, lr: float | None = None, **machine: Any) -> Configuration:
        """The Configuration of one run.

        variant: one of all_variants().
        seed: of weights, order, augmentation and dropout.
        lr: another learning rate than the recipe's.
        machine: data_dir and threads of the Configuration.

        Raises ValueError where something does not fit together.
        """
        model = variant.model or self.base
        recipe = _changed(self.recipe(), variant.train)
        in_files = recipe.dataset in data.DATASETS and data.DATASETS[recipe.dataset].in_files
        return Configuration(
            model=model,
            recipe=recipe if lr is None else dataclasses.replace(recipe, lr=lr),
            recipe_name=self.training_recipe or models.get_preset(self.base).recipe_file,
            arguments=self.set | variant.set,
            backend=backends.fastest() if self.backend == "auto" else self.backend,
            seed=seed,
            limit=self.limit,
            validation=0 if self.validation is None and not in_files else self.validation,
            resize=self.resize,
            input_size=self.input_size,
            num_classes=self.num_classes,
            **machine,
        ).check()

    def check(self) -> Experiment:
        """Returns the experiment itself; raises ValueError where no run of it could begin."""
        schema.check(self)
        for variant in self.all_variants().values():
            schema.check(variant)
            configuration = self.configuration(variant, self.seed)
            preset = models.get_preset(configuration.model)
            models.arguments.check(configuration.model, preset, configuration.arguments)
            with models.init.skipped():  # functions check words
                preset.build(**configuration.arguments)
        return self

    def to_dict(self) -> dict[str, Any]:
        """The fields, for JSON."""
        return dataclasses.asdict(self)


def _add(found, name, variant):
    if name in found:
        raise ValueError(f"the variant '{name}' is there twice")
    if not name or not all(letter.isalnum() or letter in "-_." for letter in name) or name.startswith("."):
        raise ValueError(f"the variant '{name}' needs a name of letters, digits, - and _, which its folders bear")
    found[name] = variant


def _changed(recipe, values, dataset=None):
    """A Recipe with other values of some fields; a schedule is for all layers, as in `train`."""
    for name in values:
        if name not in recipes.KEYS:
            raise ValueError(f"unknown field '{name}' of a training recipe; the fields are {', '.join(recipes.KEYS)}")
    others = {"bias_schedule": None, "layer_schedules": {}} if "schedule" in values else {}
    return dataclasses.replace(recipe, **({"dataset": dataset} if dataset else {}), **(others | values))


def read(name: str) -> Experiment:
    """The Experiment of a recipe file.

    name: one of NAMES, or the path of a TOML file with fields of Experiment.

    Raises FileNotFoundError where there is none, UserError where it is not such a file.
    """
    path = FOLDER / f"{name}.toml" if name in NAMES else expanded(name)
    if not path.is_file():
        raise FileNotFoundError(f"unknown recipe {name}; choose one of {', '.join(NAMES)}, or give the path of a file")
    with as_user_error(f"{path}: "):
        try:
            values = tomllib.loads(read_text(path))
        except RecursionError:
            raise ValueError("its values are nested too deeply") from None
        return schema.build(Experiment, values)
