"""`python -m minialex.predict WEIGHTS IMAGE...`: the most probable classes of images, as text, JSON or a figure."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from . import backends, cli, convert, threads
from .data.decode import decode
from .models import published
from .support.progress import track
from .support.text import printable
from .training import evaluation

DESCRIPTION = """\
Classify images with a trained network: the most probable classes and their probabilities. An image may be in any
format that Pillow reads, grey or in colour, and is rotated as its EXIF data says. Its shorter side is resized to the
size that the network was trained with, and its centre is cropped."""

EXAMPLES = f"""\
examples: python -m minialex.predict runs/first cat.jpg
          python -m minialex.predict --weights torchvision cat.jpg
          python -m minialex.predict alexnet.npz holiday/*.jpg --views 10 --picture holiday.png
          python -m minialex.predict alexnet.npz cat.jpg --json

published weights, for --weights:
{published.overview()}

A file that cannot be read is reported on stderr and the exit code is 2; all other images are still classified."""

AT_ONCE = 100  # views per batch
MOST_DRAWN = 100  # images in a figure


def main(argv=None):
    """Run the command: print the predictions for each image, then raise UserError if some could not be read.

    argv: the arguments, sys.argv's if None.
    """
    options = _parse(argv)
    if options.picture and Path(options.picture).suffix.lower() not in (".png", ".svg"):
        raise cli.UserError(f"--picture {options.picture}: the name of a figure must end in .png or .svg")
    if options.picture and len(options.images) > MOST_DRAWN:
        raise cli.UserError(f"--picture draws at most {MOST_DRAWN} images, got {len(options.images):,}")
    if options.threads:
        threads.set_count(options.threads)
    with cli.as_user_error():
        backends.use_backend(options.backend)
        cli.register(options.model)
        given = options.weights
        network = convert.load_published(given, options.weights_dir) if given else convert.load(options.network)
    cli.note(network.note)
    read, answers, pictures, troubles = [], [], [], []
    try:
        for paths, images in _batches(options.images, network.resize, max(1, AT_ONCE // options.views), troubles):
            read += paths
            answers.extend(np.exp(evaluation.log_probabilities(network, images, options.views)))
            if options.picture:
                pictures.extend(images)
    except evaluation.NotFinite as error:
        raise cli.UserError(str(error)) from error
    top = min(options.top, len(network.classes))
    said = [_most_probable(p, network.classes, top) for p in answers]
    if options.json:
        print(json.dumps([{"file": path, "predictions": lines} for path, lines in zip(read, said)], indent=2))
    elif said:
        print("\n\n".join(_lines(path, lines) for path, lines in zip(read, said)))
    if options.picture and read:
        from . import plotting  # Matplotlib takes a second to import

        names = [printable(Path(path).name) for path in read]
        plotting.bars(pictures, names, answers, network.classes, options.picture, top=top)
    if troubles:
        count = f"{len(troubles)} of {len(options.images)} images" if len(options.images) > 1 else "the image"
        raise cli.UserError(f"{count} could not be read: {'; '.join(troubles)}")


def _batches(paths, size, count, troubles):
    """Yield (paths, images), uint8 (n, 3, size, size), at most `count` at a time.

    For each file that cannot be read, a sentence is appended to the list `troubles`.
    """
    for start in track(range(0, len(paths), count), "classifying", "batches"):
        known, images = [], []
        for path in paths[start : start + count]:
            try:
                images.append(decode(path, size))
                known.append(path)
            except OSError as error:
                troubles.append(f"{path}: {error.strerror}" if error.strerror else str(error))
        if known:
            yield known, np.stack(images)


def _most_probable(p, classes, top):
    order = np.argsort(-p, kind="stable")[:top]
    return [{"class": classes[c], "probability": float(p[c])} for c in order]


def _lines(path, predictions):
    rows = [f"  {100 * row['probability']:6.2f} %  {row['class']}" for row in predictions]
    return "\n".join([printable(path), *rows])


def _parse(argv):
    parser = cli.Parser("predict", DESCRIPTION, EXAMPLES)
    if not cli.names_weights(argv):
        text = "checkpoint, folder of a training run (its best), or file of another framework; left out with --weights"
        parser.add_argument("network", metavar="WEIGHTS", type=cli.file, help=text)
    parser.add_argument("images", metavar="IMAGE", nargs="+", type=cli.file, help="image files")
    parser.add_argument(
        "--views",
        type=int,
        choices=(1, 9, 10),
        default=1,
        help="1, the centre crop, or several, whose probabilities are averaged: the paper's 10 are four corners, the "
        "centre, and their mirror images; cuda-convnet's 9 for CIFAR a grid of 3 x 3 crops (default: %(default)s)",
    )
    count = cli.whole_number(1)
    parser.add_argument("--top", type=count, default=5, metavar="N", help="classes to show (default: %(default)s)")
    drawn = "draw images and bars to a .png or .svg file (default: no)"
    parser.add_argument("--picture", metavar="FILE", type=cli.file, help=drawn)
    parser.add_argument("--json", action="store_true", help="print JSON instead of text (default: text)")
    cli.weights_options(parser, "WEIGHTS")
    cli.own_model_option(parser)
    cli.backend_option(parser)
    threads_help = "compute threads (default: the usable cores)"
    parser.add_argument("--threads", type=count, metavar="N", help=threads_help)
    return parser.parse_args(argv, mixed=True)


if __name__ == "__main__":
    sys.exit(cli.run(main))
