"""`python -m minialex.train`: train a network and save the results in a run folder."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import sys
import time
from pathlib import Path

from . import backends, cfg, cli, data, models, threads
from .parallel import launch, schemes
from .parallel.group import Group
from .parallel.hybrid import EXCHANGES
from .parallel.witness import Witness
from .runs import kept, launching, program_options, shared_out, trained
from .runs.configuration import Configuration
from .runs.folder import RunFolder
from .runs.run import RESUMABLE, SEARCHES_ALONE, Run
from .runs.watched import WatchedFolder
from .support import progress
from .support.errors import UserError, as_user_error
from .support.resources import cache_text
from .support.text import aligned
from .training import recipes, trainer
from .training.recipe import OPTIMIZERS, describe_decay

ADAM_LR, SGD_LR = 0.001, 0.01  # with --optimizer, where the recipe's learning rate is for the other kind

DESCRIPTION = """\
Train a network. Without options, this trains shapes_net on shapes: ten classes of generated pictures, no download.
The results are saved in a run folder: config.json, metrics.csv, steps.csv, curves.png, filters.png, last.npz, best.npz
(the epoch with the lowest validation error) and, from the test at the end, predictions.png and confusion.png. The test
uses the weights of the last epoch, so no choice was based on it."""

EXAMPLES = """\
examples:
  python -m minialex.train
  python -m minialex.train --epochs 3 --lr 0.02 --out runs/slow
  python -m minialex.train --model cifar_quick --dataset cifar10 --download
  python -m minialex.train --model my_net.py:build
  python -m minialex.train --limit 500 --batch-size 20 --validation 0
  python -m minialex.train --overfit 20 --diagnose
  python -m minialex.train --lr-find
  python -m minialex.train --model alexnet --dataset folder --data-dir D
  python -m minialex.train --model alexnet_2012 --dataset folder --data-dir D --workers 8
  python -m minialex.train --model alexnet --dataset folder --data-dir D --recipe plain --set norm=none
  python -m minialex.train --weights runs/big --dataset folder --data-dir D --freeze conv1,conv2 --lr 0.001
  python -m minialex.train --resume runs/slow --epochs 6
  python -m minialex.train --cfg layers-80sec.cfg --cfg-params layer-params-80sec.cfg --dataset cifar10 --epochs 10
  mpiexec -n 4 python -m minialex.train --parallel data
  mpiexec -n 2 python -m minialex.train --parallel towers --model alexnet_2012 --dataset folder --data-dir D

A network is trained as its authors did. Where that is a recipe, a short file such as
minialex/training/recipes/paper.toml, the table below names it, and --recipe chooses another one. Options override the
recipe, and a recipe overrides the model's own values, which --recipe plain leaves as they are. Ctrl-C saves the run and
prints how to continue; with --resume it ends with the same weights, bit for bit, as a run that was never stopped."""
_MODEL = (
    f"{', '.join(models.PRESETS)}; or a network of your own, FILE.py:FUNCTION, where the function returns a Module and "
    "may take num_classes and input_size; the file is executed, now and whenever a command is given it again "
    "(default: shapes_net, or that of --weights)"
)
_INPUT_SIZE = (
    "pixels per side of the input (default: the model's; of a network of your own, its function's attribute input_size "
    f"or the default of its argument, else that of the data, {data.DATASETS['shapes'].side} for shapes and cifar10, "
    f"{data.DATASETS['folder'].side} for a folder)"
)
_DATA_DIR = (
    "folder D of the data's files; for dataset folder D/train/CLASS/*.jpg and D/val/CLASS/*.jpg, or D/CLASS/*.jpg "
    f"(default: {cache_text()})"
)
_VALIDATION = (
    "(default: 1000 for shapes; 5000 for cifar10, held out from its training pictures; for a folder its val/, or "
    "without one a tenth of its training pictures, at most 5000; of D/CLASS a tenth, and another for the test)"
)
_SCHEDULES = (
    "constant; step:30, multiply by 0.1 every 30 epochs; multistep:60,80, after 60 and after 80 epochs; plateau:5, "
    "when the validation loss has not fallen for more than 5 epochs; cosine, down to 0 at the end; warmup:5+cosine, "
    "rise for 5 epochs first; step:30:0.5 multiplies by 0.5, plateau:5:0.1:3 by 0.1 at most 3 times"
)
_RECIPE = (
    f"how to train: {', '.join(recipes.NAMES)}, or the path of a recipe file; options override it; plain is the "
    "model's own short recipe, without a file (default: as the model's authors did, see the table below)"
)
_WEIGHTS = (
    "start with the weights and the normalisation of a run, or of a checkpoint .npz; the last layer is initialised "
    "anew if the number of classes differs; arguments that are set replace theirs; for .cfg files, what their "
    "initWFunc and initBFunc name, or everything (default: random weights)"
)
_CFG = "instead of --model, the network in a layer definition file of cuda-convnet, layers-*.cfg; see minialex.summary"
_CFG_PARAMS = "its layer parameter file, layer-params-*.cfg: learning rates, schedules and decays of every layer"
_INIT_RATES = (
    "take the learning rates of the beginning of training instead of those in --cfg-params, a file that was kept as it "
    "was at the end"
)
_FREEZE = "layers not to train, such as conv1,conv2; their batch normalisation is fixed, too (default: train all)"
_LABELS = "file of ILSVRC's labels, if D/val is one flat folder (default: found in D by its usual name)"
_RESIZE = (
    "for photographs: resize the shorter side to so many pixels, then crop to the input size of the network (default: "
    "256; 8/7 of the input size if that is below 200); for cifar10: enlarge pictures to 64, 96, ... (default: 32)"
)
_ACCUMULATE = "each step is that of one N times larger batch, in the memory of one (except for batch normalisation)"
_OVERFIT = (
    "test whether a copy of the network, without dropout and augmentation, can memorise N training pictures; exit "
    "code 1 if it cannot"
)
_LR_FIND = (
    "instead of training, try 200 steps with growing learning rates, suggest the one at which the loss falls fastest, "
    "and draw the test beside the run folder"
)
_DIAGNOSE = (
    "after each epoch, measure activations, dead ReLUs, gradients and steps of each layer: diagnose.csv, diagnose.png"
)
_KEEP_EVERY = (
    "keep the weights of every N epochs in the folder kept, of a network of up to "
    f"{kept.LARGEST / 1e6:g} MB, so that python -m minialex.explore RUN shows how it learned; 0 for none (default: 0)"
)
_RESUME = (
    "with its settings; only these options can be added: --epochs, to train longer, --data-dir and --val-labels, if "
    "the data was moved, --threads and --workers, --parallel, for any number of processes, and --model, which a "
    "network of your own needs"
)
_THREADS = (
    "threads that compute (default: all that this process may use, or its share where there are several; the last "
    "digits of results may depend on the number)"
)
_CONV_TABLE = (
    "table of how the numba backend computes each convolution (default: as built in), measured by "
    "python -m minialex.doctor --tune FILE"
)
_PARALLEL = (
    "(what each of the processes that mpiexec starts has: a part of each batch; a part of it for convolutions and rows "
    "of fully connected layers; half of each layer, as in 2012) (default: one process)"
)
_EXCHANGE = (
    "(how --parallel hybrid exchanges activities: those of the whole batch at once, or of each process in turn) "
    "(default: all)"
)
_LOCAL_BATCH_NORM = (
    "with --parallel data or towers: batch normalisation over each process's part of a batch, instead of the batch"
)
_PRECISION = "precision of matrix products on a GPU; tf32 rounds factors to 10 bits and uses tensor cores"


def main(argv=None):
    """Run the command; argv: its arguments, sys.argv[1:] if None. Returns the exit code."""
    options = parser().parse_args(argv)
    try:
        return _run(options, argv, launch.world())
    finally:
        backends.get_backend().set_conv_ways({})  # the run's: not of what else this process does


def _run(options, argv, world):
    if options.lr_find and world.size > 1:
        raise UserError(SEARCHES_ALONE)  # before the data is read, which takes long
    run = _resumed(options, world) if options.resume else _new(options, world)
    if options.lr_find:
        return _find_lr(run, argv)
    with cli.Interrupt(lambda here: world.agree(here)[0], quiet=world.rank > 0) as interrupt:
        if not options.resume:
            run.folder = _new_folder(options, run.folder.path.name, world)
        with contextlib.ExitStack() as stack:
            for context in (run.world, run.folder, _troubles_in_words(run.folder), run.backend.announcing(run.say)):
                stack.enter_context(context)
            with _witnessed(run):
                return _train(run, interrupt)


def _train(run, interrupt):
    """Train and test; after a signal, save. Returns the exit code."""
    run.say(run.header())
    # Processes look at signals together; here they may differ in their numbers of steps, by rounding.
    watch = interrupt.watch if run.world.size == 1 else iter
    try:
        if run.configuration.overfit and not run.has_begun and not run.passes_overfit_check(watch):
            return 1
        run.train(interrupt)
        run.test(interrupt.watch)
    except cli.Interrupted as signal:
        run.stop()
        interrupt.finish()
        run.draw(now=True)
        return signal.exit_code
    return 0


def _find_lr(run, argv):
    """Make a learning-rate range test, draw it, and print the suggestion with the command that uses it."""
    with _troubles_in_words(run.folder), run.backend.announcing(say):
        say(run.header())
        tested = run.find_lr()
    drawn = f"drawn: {run.folder.draw_lr_range(tested)}"
    if tested.suggestion is None:
        limits = f"{tested.lrs[0]:.1g} to {tested.lrs[-1]:.1g}"
        say(f"no learning rate to suggest: from {limits} the loss never fell noticeably; {drawn}")
        return 1
    given = list(sys.argv[1:] if argv is None else argv)
    kept = [word for before, word in zip(["", *given], given) if not word.startswith("--lr") and before != "--lr"]
    command = shlex.join(["python", "-m", "minialex.train", *map(str, kept), "--lr", f"{tested.suggestion:.2g}"])
    say(f"suggested learning rate {tested.suggestion:.2g}, where the loss falls fastest; {drawn}; to use it: {command}")
    return 0


@contextlib.contextmanager
def _witnessed(run):
    """Where there are several processes: if they are ended within this context, somebody says what was saved."""
    if run.world.size == 1:
        yield
        return
    witness = None if run.world.rank else Witness()

    def know(saved="nothing yet"):
        sentence = f"the processes of this run were ended; saved: {saved}"
        launching.last_words = f"{sentence}\n"
        if witness:
            witness.know(sentence)

    def know_saved():
        t = run.trainer
        know(f"{t.epoch} epochs and {t.batch} batches, continue with: {run.command()}")

    run.after_save = know_saved
    know_saved() if run.has_begun else know()
    try:
        yield
    finally:
        if witness:
            witness.dismiss()


def _new(options, world):
    """A new Run with these options, in a new folder."""
    with as_user_error():
        options.model = cli.register([options.model])[0] if options.model else None
        if options.weights in models.published.TABLE and not Path(options.weights).exists():
            raise UserError(
                f"--weights {options.weights}: training starts with a run or a checkpoint; convert the file of these "
                f"published weights, which python -m minialex.predict --weights {options.weights} downloads, with "
                "python -m minialex.convert"
            )
        start = trained.load(options.weights) if options.weights else None
        cli.note(start.note if start else "")
        if start and options.model not in (None, start.checkpoint.model):
            raise UserError(f"{start.path} holds the weights of '{start.checkpoint.model}', not of '{options.model}'")
    options.model = start.checkpoint.model if start and not options.cfg else options.model
    configuration = configured(options, world)
    network = cfg.name_of(configuration.cfg_files[0]) if options.cfg else configuration.model.partition(".py:")[0]
    name = f"{network}-{configuration.recipe.dataset}-{time.strftime('%Y%m%d-%H%M%S')}"
    if not world.rank:
        _free_folder(options, name).release()  # raises where no run can be left, before data is read, which takes long
    folder = RunFolder(options.out or os.path.join("runs", name))
    download = bool(options.download)
    return Run(configuration, folder, start=start, download=download, say=_say(world), world=world)


def _new_folder(options, name, world):
    """The folder of a new run: the first process takes it, the others only know its name."""
    folder = None if world.rank else _free_folder(options, name)
    path = world.text(str(folder.path) if folder else "")
    return folder or WatchedFolder(path)


def _say(world):
    """What prints a run's lines: one process of all."""
    return (lambda text: None) if world.rank else say


def _free_folder(options, name):
    """The folder of a new run, taken: that of --out, or one in runs/ that nobody else gets."""
    return RunFolder.create(options.out) if options.out else RunFolder.claim("runs", name)


def _resumed(options, world):
    """The Run to resume, with these options."""
    own = options.model is not None and models.own.is_reference(options.model)
    for name, value in vars(options).items():
        if value is not None and name not in ("resume", *RESUMABLE) and not (name == "model" and own):
            allowed = [f"--{other.replace('_', '-')}" for other in RESUMABLE]
            raise UserError(
                f"--{name.replace('_', '-')} cannot be changed when a run is resumed; leave it out, or "
                f"start a new run (only {', '.join(allowed)} and, for a network of your own, --model are allowed "
                "with --resume)"
            )
    changes = {name: getattr(options, name) for name in RESUMABLE}
    changes |= {name: _absolute(changes[name]) for name in ("data_dir", "val_labels")}
    changes = {name: value for name, value in changes.items() if value is not None}
    return Run.resume(options.resume, model=options.model, say=_say(world), world=world, **changes)


def configured(options, world=None):
    """The Configuration of a run: options override the recipe, which is that of the model's authors.

    options: the namespace from parser().parse_args().
    world: the Group of all processes, which share the threads of a machine.

    Returns a Configuration.
    Raises UserError where options are invalid or exclude each other.
    """
    described = program_options.read(options)
    model = models.graph.NAME if described else options.model or "shapes_net"
    preset = models.get_preset(model)
    recipe_name = options.recipe or preset.recipe_file
    with as_user_error():
        recipe = described.recipe if described else recipes.of(model, recipe_name)
    names = (
        *("dataset", "epochs", "batch_size", "optimizer", "lr", "momentum", "weight_decay"),
        *("clip_grad_norm", "schedule"),
    )
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if options.optimizer and options.lr is None:
        to_adam, from_adam = options.optimizer.startswith("adam"), recipe.optimizer.startswith("adam")
        given |= {"lr": ADAM_LR} if to_adam else {"lr": SGD_LR} if from_adam else {}
    if options.schedule:  # it is for all layers: the recipe's separate schedules would no longer fit it
        given |= {"bias_schedule": None, "layer_schedules": {}}
    thread_count = options.threads or shared_out.threads_of(threads.count(), world or Group())
    configuration = Configuration(
        model=model,
        recipe=dataclasses.replace(recipe, **given),
        recipe_name=recipe_name,
        arguments=cli.arguments(model, options.set),
        backend=backends.fastest() if options.backend in (None, "auto") else options.backend,
        seed=options.seed or 0,
        data_dir=_absolute(options.data_dir),
        limit=options.limit,
        validation=options.validation,
        accumulate=options.accumulate or 1,
        diagnose=bool(options.diagnose),
        keep_every=options.keep_every or 0,
        overfit=options.overfit,
        threads=thread_count,
        matmul_precision=options.matmul_precision or "float32",
        weights=_absolute(options.weights),
        num_classes=options.num_classes,
        input_size=options.input_size,
        freeze=options.freeze or [],
        workers=options.workers,
        strict=bool(options.strict),
        val_labels=_absolute(options.val_labels),
        resize=options.resize,
        model_sha256=getattr(preset, "sha256", None),
        conv_table=Path(options.conv_table).name if options.conv_table else None,
        parallel=options.parallel,
        exchange=options.exchange or "all",
        local_batch_norm=bool(options.local_batch_norm),
        processes=world.size if world else 1,
        **(described.texts if described else {}),
    ).check()
    if options.conv_table:
        from .backends.fast_cpu import tune  # which needs Numba

        with as_user_error():
            configuration.conv_ways = tune.read(options.conv_table, thread_count)
    return configuration


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
    """Print `text` to stdout at once, above the progress bar if there is one."""
    progress.write(cli.with_options(text))


def parser():
    """The parser of `train`; options that are not given are None, and the recipe, the model or the run decides."""
    p = cli.Parser("train", DESCRIPTION, f"{EXAMPLES}\n\n{_defaults()}", aliases={"size": "--resize"})
    own = "(default: from the recipe or the model)"
    count, natural = cli.whole_number(1), cli.whole_number(0)

    def option(group, name, metavar, text, **how):
        group.add_argument(name, metavar=metavar, help=text, **how)

    def choice(group, name, known, text):
        option(group, name, "NAME", f"{', '.join(known)} {text}", choices=known)

    def switch(group, name, text):
        group.add_argument(name, action="store_true", default=None, help=f"{text} (default: off)")

    network = p.add_argument_group("network")
    option(network, "--model", "NAME", _MODEL, type=cli.network)
    cli.set_option(network)
    option(network, "--cfg", "FILE", _CFG, type=cli.file)
    option(network, "--cfg-params", "FILE", _CFG_PARAMS, type=cli.file)
    switch(network, "--init-rates", _INIT_RATES)
    option(network, "--weights", "W", _WEIGHTS, type=cli.folder)
    option(
        network,
        "--num-classes",
        "C",
        "number of classes, at least that of the data (default: that of the data)",
        type=count,
    )
    option(network, "--input-size", "PIXELS", _INPUT_SIZE, type=count)
    option(network, "--freeze", "LAYERS", _FREEZE, type=_names)

    pictures = p.add_argument_group("data")
    choice(pictures, "--dataset", data.DATASETS, "(default: the model's)")
    option(pictures, "--data-dir", "DIR", _DATA_DIR, type=cli.folder)
    switch(pictures, "--download", "download missing files")
    option(pictures, "--limit", "N", "use at most N pictures of each split (default: all)", type=count)
    option(pictures, "--validation", "N", f"pictures for validation, 0 for none {_VALIDATION}", type=natural)
    option(pictures, "--resize", "PIXELS", _RESIZE, type=count)
    option(pictures, "--val-labels", "FILE", _LABELS, type=cli.folder)
    switch(pictures, "--strict", "stop at a damaged photograph, instead of leaving it out")

    training = p.add_argument_group("training")
    option(training, "--recipe", "NAME", _RECIPE)
    option(training, "--epochs", "N", f"passes over the training pictures {own}", type=count)
    option(training, "--batch-size", "N", f"pictures in a batch {own}", type=count)
    option(training, "--accumulate", "N", f"batches per step: {_ACCUMULATE} (default: 1)", type=count)
    velocities = "(sgd has the learning rate outside the velocity, sgd_paper inside)"
    choice(training, "--optimizer", OPTIMIZERS, f"{velocities} {own}")
    rate = (
        f"learning rate (default: from the recipe or the model; {ADAM_LR} with --optimizer adam or adamw, {SGD_LR} "
        "with --optimizer sgd where the recipe has Adam)"
    )
    option(training, "--lr", "RATE", rate, type=cli.real_number(0))
    option(training, "--momentum", "M", f"momentum of SGD, from 0 to below 1 {own}", type=cli.real_number(0, 1))
    option(training, "--weight-decay", "DECAY", f"weight decay (L2 penalty) {own}", type=cli.real_number(0))
    clip = "largest norm of all gradients of a step as one vector; longer ones are scaled down (default: any)"
    option(training, "--clip-grad-norm", "NORM", clip, type=cli.real_number(0))
    option(training, "--schedule", "TEXT", f"of the learning rate, for all layers: {_SCHEDULES} {own}")
    seeds = cli.whole_number(0, 2**64 - 1)
    option(training, "--seed", "N", "of weights, order, augmentation and dropout (default: 0)", type=seeds)
    option(training, "--overfit", "N", f"before training, {_OVERFIT} (default: off)", type=count)
    switch(training, "--lr-find", _LR_FIND)
    switch(training, "--diagnose", _DIAGNOSE)
    option(training, "--keep-every", "N", _KEEP_EVERY, type=natural)
    where = "folder for the run, new or empty (default: runs/MODEL-DATASET-DATE-TIME)"
    option(training, "--out", "DIR", where, type=cli.folder)
    option(training, "--resume", "RUN", f"continue the run in this folder {_RESUME}", type=cli.folder)

    machine = p.add_argument_group("machine")
    choice(machine, "--backend", ("auto", *backends.available()), "(default: auto, the fastest that works here)")
    option(machine, "--threads", "N", _THREADS, type=count)
    option(machine, "--workers", "N", "threads that decode photographs (default: one per usable core)", type=count)
    option(machine, "--conv-table", "FILE", _CONV_TABLE, type=cli.file)
    choice(machine, "--parallel", schemes.NAMES, _PARALLEL)
    choice(machine, "--exchange", EXCHANGES, _EXCHANGE)
    switch(machine, "--local-batch-norm", _LOCAL_BATCH_NORM)
    choice(machine, "--matmul-precision", ("float32", "tf32"), f"({_PRECISION}) (default: float32)")
    return p


def _names(text):
    """An argparse type: names separated by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def _defaults():
    """The recipes by which the models are trained by default, as a table."""
    head = "model dataset epochs batch-size optimizer lr momentum weight-decay schedule recipe"
    rows, files = [head.split()], {name: preset.recipe_file for name, preset in models.PRESETS.items()}
    recipes_of = {name: recipes.of(name) for name in files} | {"FILE.py:FUNCTION": models.own.RECIPE}
    for name, r in recipes_of.items():
        decay, file = describe_decay(r), files.get(name) or "-"
        row = name, r.dataset, r.epochs, r.batch_size, r.optimizer, r.lr, r.momentum, decay, r.schedule, file
        rows.append([str(item) for item in row])
    return "the models' defaults:\n" + aligned(rows, left=range(len(rows[0])), indent="  ")


if __name__ == "__main__":
    sys.exit(launching.run(main))
