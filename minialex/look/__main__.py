"""`python -m minialex.look RUN ... WHAT ...`: figures of filters, feature maps, saliency, neighbours and the graph."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from .. import backends, cli, convert, data, functional
from ..models import published
from ..models.names import layers_called, published_names
from ..models.own import Own
from ..nn import Conv2d, Graph, Local2d
from ..support.progress import track
from ..tensor import Tensor
from . import feature_maps, hidden_layer, hidden_values, input_gradient, nearest
from .subject import CHANNELS, Subject, read_metrics

VIEWS = ("filters", "features", "gradient", "neighbours", "graph", "curves")

DESCRIPTION = """\
Draw what a trained network has learned. RUN is the folder of a training run, whose best weights are used, or a
checkpoint. WHAT is one or more of:

  filters     the filters of a convolution, as in the paper's figure 3; one block per GPU for AlexNet; of a locally
              connected layer those of its middle pixel
  features    the feature maps of every layer for one image
  gradient    saliency: the gradient of a class's logit with respect to the pixels
  neighbours  the nearest training images by the activations of the last hidden layer, as in the paper's figure 4
  graph       the autograd graph of one training step
  curves      loss and error over the epochs, of one run or of several in one figure

Without WHAT: all of them for one RUN, curves for several. With --weights there is no RUN: other words are images, and
what needs no data set is drawn."""

EXAMPLES = f"""\
examples: python -m minialex.look runs/first
          python -m minialex.look runs/first filters --layer conv2
          python -m minialex.look runs/first features gradient --picture 17 --picture cat.jpg --class cat
          python -m minialex.look runs/first neighbours --limit 2000 --out neighbours.svg
          python -m minialex.look runs/first runs/second curves
          python -m minialex.look --weights torchvision cat.jpg

published weights, for --weights:
{published.overview()}"""

FIRST = {"features": 1, "gradient": 6, "neighbours": 6}  # the first so many test images, without --picture
NEAREST = 6
MOST_TILES = 256  # of a layer after the first, which may have 100,000


def main(argv=None):
    """Run the command: draw the figures and print their paths. argv: the arguments, sys.argv's if None."""
    options = _parse(argv)
    if options.weights:
        runs, views = ["."], _views_of_weights(options)
    else:
        runs, views = _runs_and_views(options.things)
    with cli.as_user_error():
        if views != ["curves"]:
            backends.use_backend(options.backend)
            given = {name: getattr(options, name) for name in ("dataset", "data_dir", "limit")}
            cli.register(options.model)
            weights = options.weights
            network = convert.load_published(weights, options.weights_dir) if weights else convert.load(runs[0])
            subject = Subject(network, given)
            cli.note(subject.network.note)
        for view in views:
            path = _place(options.out, Path(runs[0]), view, len(views))
            path.parent.mkdir(parents=True, exist_ok=True)
            if view == "curves":
                _curves(runs, path)
            else:
                DRAWN[view](subject, options, path)
            print(path)


def _runs_and_views(things):
    """Split the words into runs and views; UserError for a combination that cannot be drawn."""
    views = [view for view in VIEWS if view in things]
    runs = [thing for thing in things if thing not in VIEWS]
    if not runs:
        raise cli.UserError("RUN is missing: give the folder of a training run or a checkpoint, as in: look runs/first")
    if not views:
        of_one = [view for view in VIEWS if view != "curves" or Path(runs[0]).is_dir()]  # a checkpoint has no curves
        views = of_one if len(runs) == 1 else ["curves"]
    if len(runs) > 1 and views != ["curves"]:
        alone = next(view for view in views if view != "curves")
        raise cli.UserError(
            f"{alone} needs exactly one RUN, got {len(runs)}: {', '.join(runs)}; only curves takes more"
        )
    if unknown := [run for run in runs[1:] if not Path(run).exists()]:
        raise cli.UserError(f"there is no run '{unknown[0]}', and WHAT is one of: {', '.join(VIEWS)}")
    return runs, views


def _views_of_weights(options):
    """The views of published weights; what names no view is an image, and is added to those of --picture."""
    views = [view for view in VIEWS if view in options.things]
    options.picture = (options.picture or []) + [thing for thing in options.things if thing not in VIEWS] or None
    if "curves" in views:
        raise cli.UserError(f"curves needs the folder of a training run, which --weights {options.weights} has not")
    with_data = options.dataset is not None
    with_images = with_data or options.picture is not None
    possible = {"features": with_images, "gradient": with_images, "neighbours": with_data, "curves": False}
    return views or [view for view in VIEWS if possible.get(view, True)]


def _place(out, run, view, count):
    """The path of a figure: --out, or the folder `look` in the run's folder or beside the checkpoint."""
    if out is None:
        return (run if run.is_dir() else run.parent) / "look" / f"{view}.png"
    path = Path(out)
    if path.suffix.lower() not in (".png", ".svg"):
        return path / f"{view}.png"
    if count > 1:
        raise cli.UserError(f"--out {out} is one file, but {count} figures are to be drawn: give a folder")
    return path


def _filters(subject, options, path):
    from .. import plotting  # here, since Matplotlib takes a second to import

    model = subject.graph
    modules = dict(model.named_modules())
    convolutions = {n: its for n, its in published_names(model).items() if isinstance(modules[its], (Conv2d, Local2d))}
    first_named = next(iter(convolutions), None)
    if first_named is None:
        raise ValueError(f"{subject.network.name} has no convolution, so no filters")
    name = layers_called(model, [options.layer or first_named])[0]
    if name not in convolutions.values():
        known = ", ".join(convolutions)
        raise ValueError(f"--layer {options.layer} is not a convolution; the convolutions are {known}")
    weight, first = modules[name].weight.numpy(), name == convolutions[first_named]
    middle = ""
    if isinstance(modules[name], Local2d):
        row, column = (n // 2 for n in weight.shape[:2])
        weight, middle = weight[row, column], f" at output pixel ({row}, {column})"
    if first and subject.network.pipeline.channel_order == "BGR":
        weight = weight[:, ::-1]
    called = _shown_names(subject)[name]
    title = f"{called} of {subject.network.name}{middle}"
    gpus = subject.network.preset.gpus
    plotting.filters(weight, path, title=title, gpus=gpus, most=None if first else MOST_TILES)


def _shown_names(subject):
    """{name of a module: what it is called in a figure}: a published network's layers have the paper's names."""
    names, network = published_names(subject.graph), subject.network
    own = isinstance(network.model, Graph) or isinstance(network.preset, Own)
    return {its: its if own else name for name, its in names.items()}


def _features(subject, options, path):
    from .. import plotting

    picture = _pictures(subject, options, "features")[0]
    image = picture.image[None]
    name = subject.network.name
    maps = feature_maps(subject.graph, subject.shown(image))
    names = _shown_names(subject)
    title = f"Feature maps of {name}: {picture.caption}" + (f", {picture.name}" if picture.name else "")
    plotting.features(maps, path, names=names, picture=subject.cropped(image)[0], title=title)


def _gradient(subject, options, path):
    from .. import plotting

    pictures = _pictures(subject, options, "gradient")
    images = np.stack([picture.image for picture in pictures])
    classes = subject.network.classes
    targets: Any = None if options.target is None else [_class_number(options.target, classes)] * len(pictures)
    of = "the predicted class" if targets is None else classes[targets[0]]
    gradients, logits, targets = input_gradient(subject.network.model, subject.shown(images), targets)
    plotting.saliency(
        gradients,
        logits,
        targets,
        subject.cropped(images),
        path,
        classes=classes,
        names=[picture.name for picture in pictures],
        title=f"Gradient of the logit of {of} with respect to the input",
    )


def _class_number(text, classes):
    if text in classes:
        return classes.index(text)
    if text.isdecimal() and int(text) < len(classes):
        return int(text)
    known = ", ".join(classes[:10]) + (", ..." if len(classes) > 10 else "")
    raise ValueError(f"--class {text}: no such class; give a name ({known}) or a number from 0 to {len(classes) - 1}")


def _neighbours(subject, options, path):
    from .. import plotting

    model, train = subject.graph, subject.splits.train
    pictures = _pictures(subject, options, "neighbours")
    queries = hidden_values(model, subject.shown(np.stack([picture.image for picture in pictures])))
    loader = data.Loader(train, options.batch_size, subject.network.pipeline.evaluation_transforms())
    batches = track(loader.epoch(), "training images", "batches", len(loader))
    indices, distances = nearest(queries, (hidden_values(model, images) for images, _ in batches), NEAREST)
    found = []
    for row in indices:
        images, labels = train.fetch(row)
        found.append([(image, train.classes[label]) for image, label in zip(images, labels)])
    _, name = hidden_layer(model)
    name = _shown_names(subject).get(published_names(model).get(name), name)
    title = f"Nearest of {len(train):,} training images in {name}"
    shown = [(picture.image, picture.name) for picture in pictures]
    plotting.neighbours(shown, found, path, distances=distances, title=title)


def _graph(subject, options, path):
    from .. import plotting

    model, size = subject.network.model, subject.network.pipeline.input_size
    name = subject.network.name
    model.train()  # as in a training step, with dropout
    loss = functional.cross_entropy(model(Tensor(np.zeros((2, CHANNELS, size, size), np.float32))), np.zeros(2, int))
    plotting.graph(loss, path, names={"loss": loss}, model=model, title=f"One training step of {name}, 2 images")
    model.eval()


def _curves(runs, path):
    from .. import plotting

    folders = [Path(run) if Path(run).is_dir() else Path(run).parent for run in runs]
    names = [folder.resolve().name for folder in folders]
    called = [str(run) if names.count(name) > 1 else name for run, name in zip(runs, names)]
    plotting.compare({name: read_metrics(folder) for name, folder in zip(called, folders)}, path)


DRAWN = {"filters": _filters, "features": _features, "gradient": _gradient, "neighbours": _neighbours, "graph": _graph}


def _pictures(subject, options, view):
    """The images of --picture, or the first of the test set."""
    wanted = options.picture or [str(n) for n in range(min(FIRST[view], len(subject.splits.test)))]
    return subject.pictures(wanted)


def _parse(argv):
    parser = cli.Parser("look", DESCRIPTION, EXAMPLES)

    def option(name, metavar, text, **how):
        parser.add_argument(name, metavar=metavar, help=text, **how)

    count = cli.whole_number(1)
    parser.usage = (
        f"{parser.prog} RUN [RUN ...] [WHAT ...] [--OPTION VALUE ...]\n"
        f"       {parser.prog} --weights NAME [IMAGE ...] [WHAT ...] [--OPTION VALUE ...]"
    )
    named = cli.names_weights(argv)
    option("things", "RUN", argparse.SUPPRESS, nargs="*" if named else "+", type=cli.folder)
    option("--layer", "NAME", "for filters: the convolution, conv1, conv2, ... (default: the first)")
    which = "for features, gradient and neighbours: an image file or the number of a test image; repeatable"
    firsts = ", ".join(f"{n} for {view}" for view, n in FIRST.items())
    option(
        "--picture",
        "P",
        f"{which}; features uses one only (default: the first test images, {firsts})",
        action="append",
        type=cli.file,
    )
    option("--class", "C", "for gradient: a class by name or number (default: the predicted class)", dest="target")
    run = "(default: the run's own)"
    option("--dataset", "NAME", f"{', '.join(data.DATASETS)} {run}", choices=tuple(data.DATASETS))
    option("--data-dir", "DIR", f"folder of data sets in files {run}", type=cli.folder)
    option("--limit", "N", f"for neighbours: search at most N training images {run}", type=count)
    batch = "images per batch (default: %(default)s)"
    option("--batch-size", "N", batch, type=count, default=100)
    cli.weights_options(parser, "RUN")
    cli.own_model_option(parser)
    cli.backend_option(parser)
    where = "folder for the figures, or a .png or .svg file for one; existing files are replaced"
    option(
        "--out", "PLACE", f"{where} (default: the folder look in RUN, beside the checkpoint, or here)", type=cli.folder
    )
    return parser.parse_args(argv, mixed=True)


if __name__ == "__main__":
    sys.exit(cli.run(main))
