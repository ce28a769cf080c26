"""What a training run is asked to do: the options of `train`, and the configuration that they amount to."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import asdict, dataclass

from . import backends, cli, data, fields, models, threads, trainer

ADAM_LR = 0.001  # the recipes' rates are those of SGD

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
  python -m minialex.train --resume runs/slow --epochs 6

Ctrl-C saves and says how to go on. Running it again with --resume gives the same weights, bit for bit, as if it had
never stopped."""

_VALIDATION = "(default: 1000 of shapes, 5000 of cifar10, which takes them from its training pictures)"
_SCHEDULES = (
    "constant; step:30, a tenth every 30 epochs; multistep:60,80, a tenth after each of these; plateau:5, a tenth "
    "when the validation loss has not fallen for more than 5; a last field is another factor, as in step:30:0.5; "
    "cosine, down to 0 at the end; warmup:5+cosine, rising for 5 epochs first"
)
_ACCUMULATE = "the step is that of one batch N times as large, in the memory of one (batch norm still sees each alone)"
_OVERFIT = (
    "see whether a copy of the network, without dropout and distortion, learns N training pictures by heart; exit "
    "code 1 if it does not"
)
_DIAGNOSE = "after each epoch measure activations, dead ReLUs, gradients and steps by layer: diagnose.csv, diagnose.png"
_RESUME = (
    "as it was configured; only --epochs, to go on longer, --data-dir, if the data has moved, and --threads go with it"
)
_THREADS = "threads that compute (default: as many as this process may use; another number may change the last digits)"
_PRECISION = "of matrix products on a GPU: tf32 rounds their factors to 10 bits, for tensor cores"


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
    accumulate: int = 1
    diagnose: bool = False
    overfit: int | None = None
    threads: int | None = None
    matmul_precision: str = "float32"

    @classmethod
    def from_options(cls, options):
        """The model's recipe wherever an option was not given."""
        model = options.model or "shapes_net"
        recipe = models.PRESETS[model].training
        names = ("dataset", "epochs", "batch_size", "optimizer", "lr", "momentum", "weight_decay", "schedule")
        given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
        if (options.optimizer or "").startswith("adam") and options.lr is None:
            given["lr"] = ADAM_LR
        data_dir = os.path.abspath(options.data_dir) if options.data_dir else None
        return cls(
            model=model,
            training=dataclasses.replace(recipe, **given),
            backend=backends.fastest() if options.backend in (None, "auto") else options.backend,
            seed=options.seed or 0,
            data_dir=data_dir,
            limit=options.limit,
            validation=options.validation,
            accumulate=options.accumulate or 1,
            diagnose=bool(options.diagnose),
            overfit=options.overfit,
            threads=options.threads or threads.count(),
            matmul_precision=options.matmul_precision or "float32",
        )

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
        trainer.parse_schedule(t.schedule)
        if t.normalization not in ("channels", "mean-image"):
            raise ValueError(f"unknown normalization '{t.normalization}'; there are channels and mean-image")
        own = ("model", "backend", "seed", "limit", "validation", "accumulate", "overfit", "threads")
        values = {name: getattr(self, name) for name in (*own, "matmul_precision")}
        recipe = ("dataset", "epochs", "batch_size", "optimizer", "lr", "momentum")
        values |= {name: getattr(t, name) for name in recipe}
        texts = [f"--{name.replace('_', '-')}={value}" for name, value in values.items() if value is not None]
        try:
            parser().parse_args(texts)
        except cli.UserError as error:
            raise ValueError(str(error)) from error

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
    option("--data-dir", "DIR", "folder of data sets in files (default: ~/.cache/minialex)", type=cli.folder)
    p.add_argument("--download", action="store_true", default=None, help="fetch what is missing (default: do not)")
    option("--limit", "N", "train on the first N pictures, validate and test on at most N (default: all)", type=count)
    option("--validation", "N", f"pictures for validation, 0 for none {_VALIDATION}", type=natural)
    option("--epochs", "N", f"passes over the training pictures {recipe}", type=count)
    option("--batch-size", "N", f"pictures in a batch {recipe}", type=count)
    option("--accumulate", "N", f"batches in a step: {_ACCUMULATE} (default: 1)", type=count)
    velocities = "(of sgd and sgd_paper: the rate stands outside or inside the velocity)"
    choice("--optimizer", models.OPTIMIZERS, f"{velocities} {recipe}")
    rate = f"learning rate (default: the model's; with adam and adamw {ADAM_LR})"
    option("--lr", "RATE", rate, type=cli.real_number(0))
    option("--momentum", "M", f"share of the velocity that a step keeps {recipe}", type=cli.real_number(0, 1))
    option("--weight-decay", "DECAY", f"L2 penalty {recipe}", type=cli.real_number(0))
    option("--schedule", "TEXT", f"of the rate: {_SCHEDULES} {recipe}")
    option("--seed", "N", "of weights, order, distortion and dropout (default: 0)", type=cli.whole_number(0, 2**64 - 1))
    choice("--backend", ("auto", *backends.available()), "(default: auto, the fastest that works here)")
    option("--threads", "N", _THREADS, type=count)
    choice("--matmul-precision", ("float32", "tf32"), f"{_PRECISION} (default: float32)")
    option("--overfit", "N", f"before training, {_OVERFIT} (default: do not)", type=count)
    p.add_argument("--diagnose", action="store_true", default=None, help=f"{_DIAGNOSE} (default: do not)")
    option("--out", "DIR", "folder for the run, new or empty (default: runs/MODEL-DATASET-DATE-TIME)", type=cli.folder)
    option("--resume", "RUN", f"go on with the run in this folder {_RESUME}", type=cli.folder)
    return p


def _recipes():
    """The models' defaults as a table."""
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
