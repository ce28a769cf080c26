"""What a training run is asked to do: the options of `train`, and the configuration that they amount to."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import asdict, dataclass, field

from . import backends, cli, data, fields, models, recipes, threads

ADAM_LR = 0.001  # the recipes' rates are those of SGD
FILES_ONLY = ("workers", "strict", "val_labels", "resize")  # options of pictures that are read from files

DESCRIPTION = """\
Train a network. Without options: shapes_net on shapes, ten classes of pictures that are drawn on the spot.
Leaves a folder with config.json, metrics.csv, curves.png, filters.png, last.npz and best.npz (the epoch with
the lowest validation error), and, from the test at its end, predictions.png and confusion.png. The test is of the
last weights: nothing was chosen by it."""

EXAMPLES = """\
examples:
  python -m minialex.train
  python -m minialex.train --epochs 3 --lr 0.02 --out runs/slow
  python -m minialex.train --model cifar_quick --dataset cifar10 --download
  python -m minialex.train --limit 500 --batch-size 20 --validation 0
  python -m minialex.train --overfit 20 --diagnose
  python -m minialex.train --model alexnet --dataset folder --data-dir D --recipe paper
  python -m minialex.train --model alexnet_2012 --dataset folder --data-dir D --recipe 2012 --workers 8
  python -m minialex.train --weights runs/big --dataset folder --data-dir D --freeze conv1,conv2 --lr 0.001
  python -m minialex.train --resume runs/slow --epochs 6

A recipe is a file of a few lines, see minialex/recipes/paper.toml; an option stands above it, and it above the model's
own defaults. Ctrl-C saves and says how to go on. Running it again with --resume gives the same weights, bit for bit, as
if it had never stopped."""
_VALIDATION = (
    "(default: 1000 of shapes, 5000 of cifar10, which takes them from its training pictures; of a folder its val/, or "
    "where there is none a tenth of its training pictures, at most 5000)"
)
_SCHEDULES = (
    "constant; step:30, a tenth every 30 epochs; multistep:60,80, a tenth after each of these; plateau:5, a tenth "
    "when the validation loss has not fallen for more than 5; a next field is another factor, as in step:30:0.5, and "
    "one more how often a plateau may do so; cosine, down to 0 at the end; warmup:5+cosine, rising for 5 epochs first"
)
_RECIPE = (
    f"how to train: {', '.join(recipes.NAMES)}, or a file such as minialex/recipes/paper.toml; the options below stand "
    "above it (default: as the model's authors did, see the table)"
)
_WEIGHTS = (
    "begin with what a run, or a checkpoint .npz, has learned, and with its normalisation of pictures; the last layer "
    "is drawn anew where the number of classes differs (default: begin from random weights)"
)
_FREEZE = "layers that are not trained, as conv1,conv2: their batch norm stays as it is too (default: train all)"
_LABELS = "ILSVRC's file of labels, where D/val is one flat folder (default: found in D by its usual name)"
_RESIZE = (
    "of photographs, what their shorter side is brought to before crops of the network's size (default: 256; for "
    "networks below 200 pixels 8/7 of their size)"
)
_ACCUMULATE = "the step is that of one batch N times as large, in the memory of one (batch norm still sees each alone)"
_OVERFIT = (
    "see whether a copy of the network, without dropout and distortion, learns N training pictures by heart; exit "
    "code 1 if it does not"
)
_DIAGNOSE = "after each epoch measure activations, dead ReLUs, gradients and steps by layer: diagnose.csv, diagnose.png"
_RESUME = (
    "as it was configured; only --epochs, to go on longer, --data-dir and --val-labels, if the data has moved, "
    "--threads and --workers go with it"
)
_THREADS = "threads that compute (default: as many as this process may use; another number may change the last digits)"
_PRECISION = "of matrix products on a GPU: tf32 rounds their factors to 10 bits, for tensor cores"


@dataclass
class Configuration:
    """All that decides what a run does. `training` is the model's own, with the recipe and the user's options in it."""

    model: str
    training: models.Training
    backend: str
    seed: int
    data_dir: str | None
    limit: int | None
    validation: int | None
    accumulate: int = 1
    diagnose: bool = False
    overfit: int | None = None
    threads: int | None = None
    matmul_precision: str = "float32"
    recipe: str | None = None  # its name; what it says is in `training`
    weights: str | None = None
    num_classes: int | None = None
    input_size: int | None = None
    freeze: list[str] = field(default_factory=list)
    workers: int | None = None
    strict: bool = False
    val_labels: str | None = None
    resize: int | None = None

    @classmethod
    def from_options(cls, options):
        """Options above the recipe, the recipe above the model's own training; ValueError for a recipe in error."""
        model = options.model or "shapes_net"
        training = models.PRESETS[model].training
        if options.recipe:
            training = recipes.apply(options.recipe, training)
        names = ("dataset", "epochs", "batch_size", "optimizer", "lr", "momentum", "weight_decay", "schedule")
        given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
        if (options.optimizer or "").startswith("adam") and options.lr is None:
            given["lr"] = ADAM_LR
        if options.schedule:  # of all that learns: those which the recipe gives to some would no longer fit it
            given |= {"bias_schedule": None, "layer_schedules": {}}
        configuration = cls(
            model=model,
            training=dataclasses.replace(training, **given),
            backend=backends.fastest() if options.backend in (None, "auto") else options.backend,
            seed=options.seed or 0,
            data_dir=_absolute(options.data_dir),
            limit=options.limit,
            validation=options.validation,
            accumulate=options.accumulate or 1,
            diagnose=bool(options.diagnose),
            overfit=options.overfit,
            threads=options.threads or threads.count(),
            matmul_precision=options.matmul_precision or "float32",
            recipe=options.recipe,
            weights=_absolute(options.weights),
            num_classes=options.num_classes,
            input_size=options.input_size,
            freeze=options.freeze or [],
            workers=options.workers,
            strict=bool(options.strict),
            val_labels=_absolute(options.val_labels),
            resize=options.resize,
        )
        models.check_training(configuration.training)
        configuration.check_source()
        return configuration

    @classmethod
    def from_dict(cls, values):
        """The inverse of to_dict. KeyError, TypeError or ValueError for what no options amount to."""
        recipe = {field.name for field in dataclasses.fields(models.Training)}
        training = models.Training(**{name: value for name, value in values.items() if name in recipe})
        configuration = cls(training=training, **{name: value for name, value in values.items() if name not in recipe})
        configuration.check()
        return configuration

    def check(self):
        """TypeError or ValueError for what no options amount to, as after an edit of config.json by hand."""
        t = self.training
        fields.check_types(self)
        fields.check_types(t)
        models.check_training(t)
        own = ["model", "backend", "seed", "limit", "validation", "accumulate", "overfit", "threads"]
        own += ["matmul_precision", "num_classes", "input_size", "workers", "resize"]
        values = {name: getattr(self, name) for name in own}
        recipe = ("dataset", "epochs", "batch_size", "optimizer", "lr", "momentum")
        values |= {name: getattr(t, name) for name in recipe}
        texts = [f"--{name.replace('_', '-')}={value}" for name, value in values.items() if value is not None]
        try:
            parser().parse_args(texts)
        except cli.UserError as error:
            raise ValueError(str(error)) from error
        self.check_source()

    def check_source(self):
        """ValueError for another size than the weights', and for options of photographs where the data set has none."""
        if self.weights and self.input_size:
            raise ValueError("--input-size is that of the --weights when a run begins with some; leave it out")
        if "workers" in data.DATASETS[self.training.dataset].options:
            return
        if given := [name for name in FILES_ONLY if getattr(self, name)]:
            files = ", ".join(name for name, source in data.DATASETS.items() if "workers" in source.options)
            raise ValueError(
                f"--{given[0].replace('_', '-')} is for pictures that are read from files (--dataset {files}), and "
                f"{self.training.dataset} is no such data set; leave it out"
            )

    def to_dict(self):
        """One flat dict, fit for JSON."""
        values = asdict(self)
        return values | values.pop("training")


def _absolute(path):
    return os.path.abspath(path) if path else None


def parser():
    """The options of `train`. One that was not given is None: recipe, model, or the run itself, decides."""
    p = cli.Parser("train", DESCRIPTION, f"{EXAMPLES}\n\n{_defaults()}")
    own = "(default: the recipe's, or the model's)"
    count, natural = cli.whole_number(1), cli.whole_number(0)

    def option(group, name, metavar, text, **how):
        group.add_argument(name, metavar=metavar, help=text, **how)

    def choice(group, name, known, text):
        option(group, name, "NAME", f"{', '.join(known)} {text}", choices=known)

    def switch(group, name, text):
        group.add_argument(name, action="store_true", default=None, help=f"{text} (default: do not)")

    network = p.add_argument_group("network")
    choice(network, "--model", models.PRESETS, "(default: shapes_net, or that of the --weights)")
    option(network, "--weights", "W", _WEIGHTS, type=cli.folder)
    option(network, "--num-classes", "C", "at least as many as the data has (default: the data's)", type=count)
    option(network, "--input-size", "PIXELS", "a side of what it sees (default: the model's)", type=count)
    option(network, "--freeze", "LAYERS", _FREEZE, type=_names)

    pictures = p.add_argument_group("data")
    choice(pictures, "--dataset", data.DATASETS, "(default: the model's)")
    option(pictures, "--data-dir", "DIR", "folder of data in files (default: ~/.cache/minialex)", type=cli.folder)
    switch(pictures, "--download", "fetch what is missing")
    option(pictures, "--limit", "N", "the first N training pictures, and at most N others (default: all)", type=count)
    option(pictures, "--validation", "N", f"pictures for validation, 0 for none {_VALIDATION}", type=natural)
    option(pictures, "--resize", "PIXELS", _RESIZE, type=count)
    option(pictures, "--val-labels", "FILE", _LABELS, type=cli.folder)
    switch(pictures, "--strict", "stop at a damaged photograph, instead of leaving it out")

    training = p.add_argument_group("training")
    option(training, "--recipe", "NAME", _RECIPE)
    option(training, "--epochs", "N", f"passes over the training pictures {own}", type=count)
    option(training, "--batch-size", "N", f"pictures in a batch {own}", type=count)
    option(training, "--accumulate", "N", f"batches in a step: {_ACCUMULATE} (default: 1)", type=count)
    velocities = "(of sgd and sgd_paper: the rate stands outside or inside the velocity)"
    choice(training, "--optimizer", models.OPTIMIZERS, f"{velocities} {own}")
    rate = f"learning rate (default: the recipe's, or the model's; with --optimizer adam and adamw {ADAM_LR})"
    option(training, "--lr", "RATE", rate, type=cli.real_number(0))
    option(training, "--momentum", "M", f"share of the velocity that a step keeps {own}", type=cli.real_number(0, 1))
    option(training, "--weight-decay", "DECAY", f"L2 penalty {own}", type=cli.real_number(0))
    option(training, "--schedule", "TEXT", f"of the rate, for all layers: {_SCHEDULES} {own}")
    seeds = cli.whole_number(0, 2**64 - 1)
    option(training, "--seed", "N", "of weights, order, distortion and dropout (default: 0)", type=seeds)
    option(training, "--overfit", "N", f"before training, {_OVERFIT} (default: do not)", type=count)
    switch(training, "--diagnose", _DIAGNOSE)
    where = "folder for the run, new or empty (default: runs/MODEL-DATASET-DATE-TIME)"
    option(training, "--out", "DIR", where, type=cli.folder)
    option(training, "--resume", "RUN", f"go on with the run in this folder {_RESUME}", type=cli.folder)

    machine = p.add_argument_group("machine")
    choice(machine, "--backend", ("auto", *backends.available()), "(default: auto, the fastest that works here)")
    option(machine, "--threads", "N", _THREADS, type=count)
    option(machine, "--workers", "N", "threads that decode photographs (default: one a processor)", type=count)
    choice(machine, "--matmul-precision", ("float32", "tf32"), f"{_PRECISION} (default: float32)")
    return p


def _names(text):
    """An argparse type: names with commas between them."""
    return [name.strip() for name in text.split(",") if name.strip()]


def _defaults():
    """The models' own training as a table."""
    rows = [["model", "dataset", "epochs", "batch-size", "optimizer", "lr", "momentum", "weight-decay", "schedule"]]
    for name, preset in models.PRESETS.items():
        t = preset.training
        row = name, t.dataset, t.epochs, t.batch_size, t.optimizer, t.lr, t.momentum, decay_text(t), t.schedule
        rows.append([str(item) for item in row])
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(item.ljust(width) for item, width in zip(row, widths)).rstrip() for row in rows]
    return "\n  ".join(["the models' defaults:", *lines])


def decay_text(training):
    """The recipe's weight decay in words: a number, or one for each kind of layer."""
    decay = training.weight_decay
    return ", ".join(f"{prefix} {value}" for prefix, value in decay.items()) if isinstance(decay, dict) else str(decay)
