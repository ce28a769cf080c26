"""The output of a training run: the lines before it, and one line per epoch."""

from __future__ import annotations

from .. import __version__, models, random, threads
from ..models.layout import known_layout, window_of
from ..nn import Conv2d
from ..support.text import printable
from ..training import recipes
from ..training.recipe import absent_layers, describe_decay
from . import shared_out


def header(run):
    """The description of a Run that is printed before it starts, one line per topic."""
    pairs = settings(run)
    width = max(9, *(len(name) for name, _ in pairs))
    return "\n".join([f"minialex {__version__}", *(f"  {name:{width}s}  {text}" for name, text in pairs)])


def settings(run, *, place=True):
    """The settings of a Run as pairs: topic, text.

    run: a Run.
    place: whether to say at which epoch and batch it continues.
    """
    c, r, splits, progress = run.configuration, run.configuration.recipe, run.splits, run.trainer
    shape = f"{splits.train.image_shape[0]}x{run.pictures.size}x{run.pictures.size}"
    validation = f"{len(splits.validation):,} validation" if splits.validation else "no validation"
    workers = f"{threads.count()} thread{'s' if threads.count() > 1 else ''} of {run.backend.thread_owner}"
    biases = f" (biases {r.lr * r.bias_lr:g})" if r.bias_lr != 1 else ""
    momentum = f", momentum {r.momentum:g}" if r.optimizer.startswith("sgd") else ""
    decay = describe_decay(r) + ("" if r.bias_decay else " (none for biases)")
    clip = "" if r.clip_grad_norm is None else f", gradients clipped to norm {r.clip_grad_norm:g}"
    at = f", continuing at epoch {progress.epoch + 1}, batch {progress.batch + 1}" if run.has_begun and place else ""
    tests, batches = len(splits.test), len(progress.loader)
    network = " and ".join(c.cfg_files) if run.files else c.model + _arguments(run)
    training = f"{r.optimizer}, lr {r.lr:g}{biases}{momentum}, weight decay {decay}, schedule {r.schedule}{clip}"
    steps = f", {c.accumulate} batches per step" if c.accumulate > 1 else ""
    pairs = [
        ("model", f"{network}, {run.parameters:,} parameters, pictures {shape}, {len(run.classes)} classes"),
        ("weights", _weights(run)),
        ("frozen", _frozen(c)),
        ("data", f"{r.dataset}: {len(splits.train):,} training, {validation} and {tests:,} test pictures"),
        ("split", getattr(splits.train, "division", "")),
        *(("note", text) for text in cautions(splits, c.limit)),
        *(("note", text) for text in (run.files.program.notes if run.files else ())),
        ("pictures", run.pictures.describe()),
        ("backend", f"{run.backend.name}, {c.matmul_precision}, {workers}"),
        ("parallel", shared_out.describe(run)),
        ("convolutions", _convolutions(run)),
        ("recipe", "" if run.files else _recipe(run)),
        ("optimizer", run.files.describe() if run.files else training),
        ("epochs", f"{r.epochs} of {batches:,} batches of {r.batch_size} pictures{steps}, seed {c.seed}{at}"),
        ("folder", str(run.folder.path)),
    ]
    return [(name, text) for name, text in pairs if text]


FEW = 50  # images: in a smaller test, one image changes the error by more than 2 %


def cautions(splits, limit=None):
    """Sentences about a test that says little: few images, or those of the validation.

    splits: data.Splits.
    limit: at most so many images of each, if the user has said so: then there are few on purpose.
    """
    count = len(splits.test)
    images = f"{count:,} picture{'s' if count != 1 else ''}"
    if splits.validation is splits.test:
        yield f"validation and test are the same {images}: what validation chooses, this test cannot judge"
    if count < FEW and not limit:
        yield f"the test has only {images}, each of them {100 / max(count, 1):.3g} % of the test error"


def _weights(run):
    path, transferred = run.configuration.weights, run.transferred
    return f"from {path}, with their normalisation" + (transferred and f"; {transferred}") if path else ""


def _frozen(configuration):
    late = [f"{layer} after {epochs} epochs" for layer, epochs in configuration.recipe.freeze_from.items()]
    return ", ".join([*configuration.freeze, *late])


def _convolutions(run):
    """Whose table says how convolutions are computed, and for how many of the network's."""
    configuration = run.configuration
    if not configuration.conv_ways:
        return ""
    from ..backends.fast_cpu import ways  # which needs Numba

    drawn = random.default_generator.call
    rows = known_layout(run.model) or ()
    random.default_generator.call = drawn  # a network of the user's own that is traced may draw for its dropout
    keys = []
    for row in rows:
        if isinstance(layer := row.layer, Conv2d):
            window, weight = window_of(layer, row.input), layer.weight
            keys.append(ways.key(row.input, weight.shape, window, layer.groups, weight.dtype))
    found = sum(key in configuration.conv_ways for key in keys)
    count = f" ({found} of {len(keys)} layers)" if keys else ""  # one that cannot be traced has no known layers
    return f"as in {printable(configuration.conv_table or 'a table')}{count}"


def _arguments(run):
    """The arguments that the network was built with, where they are not its function's defaults: " (norm=none)"."""
    known = models.arguments.defaults(models.get_preset(run.configuration.model))
    given = [f"{name}={run.arguments[name]}" for name in known if run.arguments.get(name, known[name]) != known[name]]
    return f" ({', '.join(given)})" if given else ""


def _recipe(run):
    """Which recipe is in force, whose it is, and what differs from it."""
    name, recipe = _recipe_name(run.configuration), run.configuration.recipe
    special = [f"{layer} {schedule}" for layer, schedule in recipe.layer_schedules.items()]
    special += [f"biases {recipe.bias_schedule}"] if recipe.bias_schedule else []
    schedules = f"; separate schedules: {', '.join(special)}" if special else ""
    absent = absent_layers(run.model, recipe)
    return f"{name}{schedules}" + (f"; this network has no {', '.join(absent)}" if absent else "")


def _recipe_name(configuration):
    """The recipe's name, or where it is from, and the fields that options have changed."""
    name, preset = configuration.recipe_name, models.get_preset(configuration.model)
    if name not in (None, *recipes.NAMES):
        return name  # a file, which may have changed since the run began
    if name in (None, recipes.PLAIN):
        text = f"plain, the short one of {configuration.model}" if preset.recipe_file else preset.recipe_source
    else:
        text = f"{name}, as its authors trained it" if name == preset.recipe_file else name
    changed = recipes.changed(configuration.recipe, recipes.of(configuration.model, name or recipes.PLAIN))
    return text + (f", but for {', '.join(changed)}" if changed else "")


def epoch_line(row, epochs, classes):
    """The line with an epoch's metrics.

    row: of Trainer.history.
    epochs: of the whole run.
    classes: how many there are.
    """
    result = f"training error {100 * row['train_error']:.1f} %, no validation pictures"
    if "val_loss" in row:
        result = (
            f"validation loss {row['val_loss']:.4f}, {errors(row['val_top1_error'], row['val_top5_error'], classes)}"
        )
    number = str(row["epoch"]).rjust(len(str(epochs)))
    speed = f"{row['images_per_second']:,.0f} images/s, {row['seconds']:.1f} s"
    return f"epoch {number}/{epochs}: training loss {row['train_loss']:.4f}, {result}, {speed}"


def errors(top1, top5, classes):
    """Both error rates in percent, as text.

    top1, top5: shares from 0 to 1.
    classes: how many there are; among five or fewer there is no top-5 error.
    """
    return f"top-1 error {100 * top1:.1f} %" + (f", top-5 error {100 * top5:.1f} %" if classes > 5 else "")
