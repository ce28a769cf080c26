"""`python -m minialex.train`: train a network and leave a run folder."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import time

from tqdm import tqdm

from . import backends, cli, data, models, threads
from .runs import trained
from .runs.configuration import Configuration
from .runs.folder import RunFolder
from .runs.run import Run
from .support.errors import UserError, as_user_error
from .support.resources import cache_folder
from .support.text import aligned
from .training import recipes, trainer
from .training.recipe import OPTIMIZERS, describe_decay

ADAM_LR = 0.001  # the recipes' rates are those of SGD
# What may change when a run goes on: how long it is, where the data lies, and how many threads work for it.
RESUMABLE = ("resume", "epochs", "data_dir", "val_labels", "threads", "workers")

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

A recipe is a file of a few lines, see minialex/training/recipes/paper.toml. Options override the recipe, which
overrides the model's defaults. Ctrl-C saves and says how to go on; --resume then gives the same weights, bit for bit,
as a run that never stopped."""
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
    f"how to train: {', '.join(recipes.NAMES)}, or a file such as minialex/training/recipes/paper.toml; options "
    "override it (default: as the model's authors did, see the table)"
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


def main(argv=None):
    """Train as the options say; the exit code."""
    options = parser().parse_args(argv)
    run = _resumed(options) if options.resume else _new(options)
    with cli.Interrupt() as interrupt, _troubles_in_words(run.folder), run.backend.announcing(say):
        say(run.header())
        try:
            if run.configuration.overfit and not run.has_begun and not run.passes_overfit_check(interrupt.watch):
                return 1
            run.train(interrupt)
            run.test(interrupt.watch)
        except cli.Interrupted as signal:
            run.stop()
            return signal.exit_code
    return 0


def _new(options):
    """The Run that the options describe, in a folder of its own."""
    with as_user_error():
        start = trained.load(options.weights) if options.weights else None
        if start and options.model not in (None, start.checkpoint.model):
            raise UserError(f"{start.path} holds the weights of '{start.checkpoint.model}', not of '{options.model}'")
    options.model = start.checkpoint.model if start else options.model
    configuration = configured(options)
    name = f"{configuration.model}-{configuration.recipe.dataset}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder = RunFolder.create(options.out or os.path.join("runs", name))
    return Run(configuration, folder, start=start, download=bool(options.download), say=say)


def _resumed(options):
    """The Run in an earlier folder, where it stopped."""
    for name, value in vars(options).items():
        if value is not None and name not in RESUMABLE:
            allowed = [f"--{other.replace('_', '-')}" for other in RESUMABLE if other != "resume"]
            raise UserError(
                f"--{name.replace('_', '-')} cannot be changed when a run goes on; leave it out, or "
                f"start a new run (only {', '.join(allowed[:-1])} and {allowed[-1]} go with --resume)"
            )
    changes = {name: getattr(options, name) for name in RESUMABLE if name != "resume"}
    changes |= {name: _absolute(changes[name]) for name in ("data_dir", "val_labels")}
    return Run.resume(options.resume, **{name: value for name, value in changes.items() if value is not None}, say=say)


def configured(options):
    """The Configuration that options amount to: they override the recipe, which overrides the model's own.

    options: what parser() returns. Raises UserError for what is impossible.
    """
    model = options.model or "shapes_net"
    recipe = models.PRESETS[model].recipe
    if options.recipe:
        with as_user_error():
            recipe = recipes.apply(options.recipe, recipe)
    names = ("dataset", "epochs", "batch_size", "optimizer", "lr", "momentum", "weight_decay", "schedule")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if (options.optimizer or "").startswith("adam") and options.lr is None:
        given["lr"] = ADAM_LR
    if options.schedule:  # of all that learns: those which the recipe gives to some would no longer fit it
        given |= {"bias_schedule": None, "layer_schedules": {}}
    return Configuration(
        model=model,
        recipe=dataclasses.replace(recipe, **given),
        recipe_name=options.recipe,
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
        weights=_absolute(options.weights),
        num_classes=options.num_classes,
        input_size=options.input_size,
        freeze=options.freeze or [],
        workers=options.workers,
        strict=bool(options.strict),
        val_labels=_absolute(options.val_labels),
        resize=options.resize,
    ).check()


def _absolute(path):
    return os.path.abspath(path) if path else None


@contextlib.contextmanager
def _troubles_in_words(folder):
    try:
        yield
    except trainer.Diverged as error:
        left = f"the last good checkpoint is {folder.last}" if folder.last.exists() else "no checkpoint was saved yet"
        raise UserError(f"{error}; {left}") from error
    except MemoryError as error:
        raise UserError(
            f"out of memory ({error}): try a smaller --batch-size, with --accumulate for the same steps"
        ) from error


def say(text):
    """Print to stdout at once, above the progress bar if there is one."""
    tqdm.write(cli.with_options(text), file=sys.stdout)
    sys.stdout.flush()


def parser():
    """The options of `train`. One that was not given is None: recipe, model, or the run itself, decides."""
    p = cli.Parser("train", DESCRIPTION, f"{EXAMPLES}\n\n{_defaults()}", aliases={"size": "--resize"})
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
    option(pictures, "--data-dir", "DIR", f"folder of data in files (default: {cache_folder()})", type=cli.folder)
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
    choice(training, "--optimizer", OPTIMIZERS, f"{velocities} {own}")
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
    """The models' own recipes as a table."""
    rows = [["model", "dataset", "epochs", "batch-size", "optimizer", "lr", "momentum", "weight-decay", "schedule"]]
    for name, preset in models.PRESETS.items():
        r = preset.recipe
        row = name, r.dataset, r.epochs, r.batch_size, r.optimizer, r.lr, r.momentum, describe_decay(r), r.schedule
        rows.append([str(item) for item in row])
    return "the models' defaults:\n" + aligned(rows, left=range(len(rows[0])), indent="  ")


if __name__ == "__main__":
    sys.exit(cli.run(main))
