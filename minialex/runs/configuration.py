"""The configuration of a training run, as saved in its config.json."""

from __future__ import annotations

import dataclasses
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from .. import backends, data, models
from ..data.pipeline import LARGEST_SIDE
from ..parallel import schemes
from ..parallel.hybrid import EXCHANGES
from ..support import schema
from ..support.errors import UserError
from ..support.schema import AtLeast, AtMost, Below, OneOf
from ..training.recipe import check_recipe

MOST_CLASSES, MOST_THREADS, MOST_PROCESSES = 1_000_000, 4096, 1_000_000
FILES_ONLY = ("workers", "strict", "val_labels", "resize")  # fields that are only for images read from files


class KnownModel(OneOf):
    """A limit: the name of a published network, FILE.py:FUNCTION, or "graph" for a network that a file describes."""

    def __init__(self) -> None:
        super().__init__(*models.PRESETS, "FILE.py:FUNCTION")

    def allows(self, value: Any) -> bool:
        """Whether `value` is such a name; the file need not exist."""
        return value in (*models.PRESETS, models.graph.NAME) or models.own.is_reference(value)


@dataclass
class Configuration:
    """All settings of a training run.

    model: a key of models.PRESETS, or the name of a network of the user's own, see models/own.py, or "graph".
    recipe: a models.Recipe, how it is trained.
    backend: name of the backend.
    seed: of weights, order, augmentation and dropout.
    data_dir, limit, validation, workers, strict, val_labels: see data.load.
    accumulate: batches per step.
    diagnose: whether to measure every layer after each epoch.
    overfit: training images that a copy of the network must memorise first; None to skip this test.
    threads: that compute.
    matmul_precision: of matrix products on a GPU, "float32" or "tf32".
    recipe_name: name or path of the recipe file, None for the model's own recipe.
    conv_table: name of the file that conv_ways is from, to be shown; None without one.
    conv_ways: {layer: way}, how the numba backend computes convolutions; {} for its own choice, see fast_cpu/tune.py.
    arguments: of the network's function besides num_classes and input_size.
    cfg_definition, cfg_parameters: texts of a pair of .cfg files that describe network and training, see minialex.cfg.
    cfg_files: their names.
    cfg_initial_rates: whether the learning rates of the beginning replace theirs.
    weights: path of a run or a checkpoint whose weights the network starts with.
    num_classes, input_size: of the network; None for the data's and the model's.
    freeze: layers that are not trained.
    resize: pixels to which the shorter side of images from files is resized, or those of cifar10 are enlarged.
    parallel: how the run is shared out among processes, one of parallel.schemes.NAMES; None for one process.
    exchange: of activities in parallel="hybrid", see parallel.hybrid.
    processes: among which it was shared out last.
    local_batch_norm: whether each process normalises its own part of a batch, and not the batch.
    keep_every: epochs after each of which weights are kept, see runs/kept.py; 0 for none.
    model_sha256: SHA-256 of the text of the file that the user's own network is from; None for another.
    """

    model: Annotated[str, KnownModel()]
    recipe: models.Recipe
    backend: Annotated[str, OneOf(*backends.available())]
    seed: Annotated[int, AtLeast(0), Below(2**64)]
    data_dir: str | None = None
    limit: Annotated[int | None, AtLeast(1)] = None
    validation: Annotated[int | None, AtLeast(0)] = None
    accumulate: Annotated[int, AtLeast(1)] = 1
    diagnose: bool = False
    keep_every: Annotated[int, AtLeast(0)] = 0
    overfit: Annotated[int | None, AtLeast(1)] = None
    threads: Annotated[int | None, AtLeast(1), AtMost(MOST_THREADS)] = None
    matmul_precision: Annotated[str, OneOf("float32", "tf32")] = "float32"
    recipe_name: str | None = None
    weights: str | None = None
    num_classes: Annotated[int | None, AtLeast(1), AtMost(MOST_CLASSES)] = None
    input_size: Annotated[int | None, AtLeast(1), AtMost(LARGEST_SIDE)] = None
    freeze: list[str] = field(default_factory=list)
    workers: Annotated[int | None, AtLeast(1), AtMost(MOST_THREADS)] = None
    strict: bool = False
    val_labels: str | None = None
    resize: Annotated[int | None, AtLeast(1), AtMost(LARGEST_SIDE)] = None
    model_sha256: str | None = None
    conv_table: str | None = None
    conv_ways: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, bool | int | float | str] = field(default_factory=dict)
    cfg_definition: str | None = None
    cfg_parameters: str | None = None
    cfg_files: list[str] = field(default_factory=list)
    cfg_initial_rates: bool = False
    parallel: Annotated[str | None, OneOf(*schemes.NAMES)] = None
    exchange: Annotated[str, OneOf(*EXCHANGES)] = "all"
    local_batch_norm: bool = False
    processes: Annotated[int, AtLeast(1), AtMost(MOST_PROCESSES)] = 1

    def check(self) -> Configuration:
        """Returns the configuration itself; raises UserError where a field is invalid, or two exclude each other."""
        try:
            schema.check(self)
            schema.check(self.recipe)
            check_recipe(self.recipe)
            if self.model in models.PRESETS:
                models.arguments.check(self.model, models.PRESETS[self.model], self.arguments)
            if self.recipe.dataset not in data.DATASETS:
                raise ValueError(f"unknown data set {self.recipe.dataset}; choose one of {', '.join(data.DATASETS)}")
        except ValueError as error:
            raise UserError(str(error)) from error
        if self.cfg_definition is not None:
            whole = self.cfg_parameters is not None and len(self.cfg_files) == 2
            if self.model != models.graph.NAME or not whole:
                raise UserError("a run of .cfg files has two texts, their names, and no other model")
        if self.weights and self.input_size:
            raise UserError("a run that starts with weights=... has their input size: leave out input_size=...")
        if (self.conv_table or self.conv_ways) and self.backend != "numba":
            raise UserError(
                f"conv_table=... is only for backend=numba, which has several ways to compute a convolution, not for "
                f"{self.backend}: leave it out"
            )
        if self.parallel in ("hybrid", "towers"):
            self._check_divided()
        if (self.local_batch_norm and self.parallel not in ("data", "towers")) or (
            self.exchange != "all" and self.parallel != "hybrid"
        ):
            name, those = ("local_batch_norm", "data or towers") if self.local_batch_norm else ("exchange", "hybrid")
            raise UserError(f"{name}=... is for parallel={those}: leave it out")
        if not self.reads_files:
            enlarged = {"resize"} if data.DATASETS[self.recipe.dataset].enlarges else set()
            given = [name for name in FILES_ONLY if getattr(self, name) and name not in enlarged]
            if given:
                files = ", ".join(name for name, source in data.DATASETS.items() if source.in_files)
                raise UserError(
                    f"{given[0]}=... is only for pictures read from files (dataset={files}), not for "
                    f"{self.recipe.dataset}: leave it out"
                )
        return self

    def _check_divided(self):
        """Raise UserError for what does not go with layers of which each process has rows."""
        with_rows = {
            "clip_grad_norm": self.recipe.clip_grad_norm is not None,
            "freeze": bool(self.freeze or self.recipe.freeze_from),
            "cfg": self.cfg_definition is not None,
        }
        for name, given in with_rows.items():
            if given:
                raise UserError(f"{name}=... needs whole layers: use parallel=data, not {self.parallel}")

    @property
    def reads_files(self) -> bool:
        """Whether every image is read from a file of its own, as in image folders."""
        return data.DATASETS[self.recipe.dataset].in_files

    def to_dict(self) -> dict[str, Any]:
        """A flat dict for JSON, with the recipe's fields among the others."""
        values = asdict(self)
        return values | values.pop("recipe")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Configuration:
        """The inverse of `to_dict`, also for dicts from earlier versions; raises ValueError for invalid `values`."""
        values = upgraded(values)
        names = {field.name for field in dataclasses.fields(models.Recipe)}
        recipe = schema.build(models.Recipe, {name: value for name, value in values.items() if name in names})
        own = {name: value for name, value in values.items() if name not in names}
        return schema.build(cls, own | {"recipe": recipe}).check()


def upgraded(values: dict[str, Any]) -> dict[str, Any]:
    """A configuration's dict `values`, of this or an earlier version, converted to this version's form."""
    values = dict(values)
    if "recipe" in values:  # the recipe's name, before the first format of checkpoints
        values["recipe_name"] = values.pop("recipe")
    if values.get("color_noise_by") == "deviation":
        values["color_noise_by"] = "std"
    return values
