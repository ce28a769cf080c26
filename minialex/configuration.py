"""What a training run is asked to do: the options of `train`, and the configuration that they amount to."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import asdict, dataclass

from . import backends, cli, data, models

OPTIMIZERS = {"sgd": "torch", "sgd_paper": "paper"}  # option: the convention for the velocity

DESCRIPTION = """\
Train a network. Without options: shapes_net on shapes, ten classes of pictures that are drawn on the spot.
Leaves a folder with config.json, metrics.csv, curves.png, filters.png, last.npz and best.npz (the epoch with
the lowest validation error). The test at the end is of the last weights: nothing was chosen by it."""

EXAMPLES = """\
examples:
  python -m minialex.train
  python -m minialex.train --epochs 3 --lr 0.02 --out runs/slow
  python -m minialex.train --model cifar_quick --dataset cifar10 --download
  python -m minialex.train --limit 500 --batch-size 20 --validation 0
  python -m minialex.train --resume runs/slow --epochs 6

Ctrl-C saves and says how to go on. Running it again with --resume gives the same weights, bit for bit, as if it had
never stopped."""

_VALIDATION = "(default: 1000 of shapes, 5000 of cifar10, which takes them from its training pictures)"
_SCHEDULES = (
    "constant; step:30, a tenth every 30 epochs; multistep:60,80, a tenth after each of these; plateau:5, a tenth "
    "when the validation loss has not fallen for more than 5; a last field is another factor, as in step:30:0.5"
)
_RESUME = "as it was configured; only --epochs, to go on longer, and --data-dir, if the data has moved, go with it"


@dataclass
class Configuration:
    """All that decides what a run does. `training` is the model's recipe, with the user's options in it."""

    model: str
    training: models.Training
    backend: str
    seed: int
    data_dir: str | None
    limit: int | None
    validation: int | None

    @classmethod
    def from_options(cls, options):
        """The model's recipe wherever an option was not given."""
        recipe = models.PRESETS[options.model].training
        names = ("dataset", "epochs", "batch_size", "lr", "momentum", "weight_decay", "schedule")
        given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
        if options.optimizer:
            given["velocity"] = OPTIMIZERS[options.optimizer]
        data_dir = os.path.abspath(options.data_dir) if options.data_dir else None
        return cls(
            model=options.model,
            training=dataclasses.replace(recipe, **given),
            backend=options.backend,
            seed=options.seed,
            data_dir=data_dir,
            limit=options.limit,
            validation=options.validation,
        )

    @classmethod
    def from_dict(cls, values):
        """The inverse of to_dict."""
        recipe = {field.name for field in dataclasses.fields(models.Training)}
        training = models.Training(**{name: value for name, value in values.items() if name in recipe})
        return cls(training=training, **{name: value for name, value in values.items() if name not in recipe})

    def to_dict(self):
        """One flat dict, fit for JSON."""
        values = asdict(self)
        return values | values.pop("training")


def parser():
    """The options of `train`. One that was not given is None: the model's recipe, or the run itself, decides."""
    p = cli.Parser("train", DESCRIPTION, f"{_recipes()}\n\n{EXAMPLES}")
    recipe = "(default: the model's)"

    def option(name, metavar, text, **how):
        p.add_argument(name, metavar=metavar, help=text, **how)

    def choice(name, known, text):
        option(name, "NAME", f"{', '.join(known)} {text}", choices=known)

    count, natural = cli.whole_number(1), cli.whole_number(0)
    choice("--model", models.PRESETS, "(default: shapes_net)")
    choice("--dataset", data.DATASETS, recipe)
    option("--data-dir", "DIR", "folder of data sets that are read from files (default: ~/.cache/minialex)")
    p.add_argument("--download", action="store_true", default=None, help="fetch what is missing (default: do not)")
    option("--limit", "N", "train on the first N pictures, validate and test on at most N (default: all)", type=count)
    option("--validation", "N", f"pictures for validation, 0 for none {_VALIDATION}", type=natural)
    option("--epochs", "N", f"passes over the training pictures {recipe}", type=count)
    option("--batch-size", "N", f"pictures in a step {recipe}", type=count)
    choice("--optimizer", OPTIMIZERS, f"(the rate stands outside or inside the velocity) {recipe}")
    option("--lr", "RATE", f"learning rate {recipe}", type=cli.real_number(0))
    option("--momentum", "M", f"share of the velocity that a step keeps {recipe}", type=cli.real_number(0, 1))
    option("--weight-decay", "DECAY", f"L2 penalty {recipe}", type=cli.real_number(0))
    option("--schedule", "TEXT", f"of the rate: {_SCHEDULES} {recipe}")
    option("--seed", "N", "of weights, order, distortion and dropout (default: 0)", type=cli.whole_number(0, 2**64 - 1))
    choice("--backend", backends.available(), "(default: numpy)")
    option("--out", "DIR", "folder for the run, new or empty (default: runs/MODEL-DATASET-DATE-TIME)")
    option("--resume", "RUN", f"go on with the run in this folder {_RESUME}")
    return p


def _recipes():
    """The models' defaults as a table."""
    rows = [["model", "dataset", "epochs", "batch-size", "optimizer", "lr", "momentum", "weight-decay", "schedule"]]
    for name, preset in models.PRESETS.items():
        t = preset.training
        row = name, t.dataset, t.epochs, t.batch_size, optimizer_name(t), t.lr, t.momentum, decay_text(t), t.schedule
        rows.append([str(item) for item in row])
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(item.ljust(width) for item, width in zip(row, widths)).rstrip() for row in rows]
    return "\n  ".join(["the models' defaults:", *lines])


def optimizer_name(training):
    """The --optimizer option that stands for the recipe's velocity."""
    return next(option for option, velocity in OPTIMIZERS.items() if velocity == training.velocity)


def decay_text(training):
    """The recipe's weight decay in words: a number, or one for each kind of layer."""
    decay = training.weight_decay
    return ", ".join(f"{prefix} {value}" for prefix, value in decay.items()) if isinstance(decay, dict) else str(decay)
