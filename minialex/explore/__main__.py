"""`python -m minialex.explore RUN`: a page in which one sees a network compute, forwards and backwards."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

from .. import backends, cli, convert, data, models
from ..look.subject import CHANNELS, Subject
from ..nn import init
from ..random import manual_seed
from ..runs import kept, trained
from ..support import files
from . import LARGEST, Picture, Reading, describe, page, timeline

DESCRIPTION = f"""\
Write a page in which one sees a network at work: one file of HTML that any browser opens, with no address outside it.
It shows the maps of every layer, or the gradients that arrive at them. A click or the keyboard chooses a layer, a pixel
or a weight; the page writes out the numbers that it is made of, and those that its gradient comes from. It takes
pictures of one's own, which stay in the browser. The page computes all of it itself, with at most {LARGEST / 1e6:g} MB
of weights. Of a run that was trained with --keep-every, a slider leads through its epochs.

RUN is the folder of a training run, whose best weights are used; a checkpoint, or a file of another framework; or the
name of a network of that size, such as shapes_net, which is shown before training."""

EXAMPLES = """\
examples: python -m minialex.explore runs/first
          python -m minialex.explore runs/first --picture 17 --picture cat.jpg --out cat.html
          python -m minialex.explore shapes_net
          python -m minialex.explore runs/mine --model my_net.py:build"""

FIRST = 6  # test images, without --picture
MOST = 40  # pictures in a page


def main(argv=None):
    """Run the command: write the page and print its path. argv: the arguments, sys.argv's if None."""
    options = _parse(argv)
    if options.out and Path(options.out).suffix.lower() not in (".html", ".htm"):
        raise cli.UserError(f"--out {options.out}: the name of a page must end in .html")
    if len(options.picture or ()) > MOST:
        raise cli.UserError(f"a page shows at most {MOST} pictures, got {len(options.picture)}")
    with cli.as_user_error():
        cli.register(options.model)
        backends.use_backend(backends.fastest())  # for the test pictures of a run's kept epochs
        given = {"dataset": options.dataset, "data_dir": options.data_dir}
        network = _network(options, given)
        subject = Subject(network, given)
        cli.note(network.note)
        pipeline = network.pipeline
        layers = describe(network.model, (CHANNELS, pipeline.input_size, pipeline.input_size))
        reading = Reading(network.resize, pipeline.normalization, pipeline.channel_order)
        shown = layers, _pictures(subject, options.picture), network.classes, network.name, reading
        text = page(*shown)
        if Path(options.run).is_dir() and kept.found(Path(options.run)):
            room = timeline.LARGEST_PAGE - len(text.encode())
            text = page(*shown, timeline.of(subject, Path(options.run), layers, room))
    path = Path(options.out) if options.out else _usual_place(options)
    files.write_text(path, text)
    print(path)


def _network(options, given):
    """The Trained to show."""
    if options.run in models.PRESETS and not Path(options.run).exists():
        return _untrained(options.run, given)
    return convert.load(options.run)


def _untrained(name, given):
    """A published network before training, as a Trained: initial weights of seed 0, normalised by its usual data."""
    preset = models.get_preset(name)
    with init.skipped():
        describe(models.build(name), (CHANNELS, preset.input_size, preset.input_size))  # raises for a large one
    manual_seed(0)
    model = models.build(name)
    saved: Any = convert.describe(model.state_dict(), name)
    saved = dataclasses.replace(saved, configuration={"dataset": preset.recipe.dataset})
    splits = trained.of(saved, name).splits(**given)[1]
    kind = preset.recipe.normalization
    size = preset.input_size if kind == "mean-image-center" else None
    normalization = (
        data.Normalize.channels(splits.train) if kind == "channels" else data.Normalize.mean_image(splits.train, size)
    )
    classes = splits.train.classes if len(splits.train.classes) == len(saved.classes) else saved.classes
    return trained.of(dataclasses.replace(saved, normalization=normalization.to_arrays(), classes=classes), name)


def _pictures(subject, wanted):
    """Those of --picture, or the first of the test set."""
    if not wanted:
        wanted = [str(number) for number in range(min(FIRST, len(subject.splits.test)))]
    classes = subject.network.classes
    return [
        Picture(
            picture.caption,
            subject.cropped(picture.image[None])[0],
            subject.shown(picture.image[None])[0],
            classes.index(picture.name) if picture.name in classes else None,
        )
        for picture in subject.pictures(wanted)
    ]


def _usual_place(options):
    """explore.html in the folder of the run, beside the checkpoint, or here."""
    run = Path(options.run)
    if options.run in models.PRESETS and not run.exists():
        run = Path()
    return (run if run.is_dir() else run.parent) / "explore.html"


def _parse(argv):
    parser = cli.Parser("explore", DESCRIPTION, EXAMPLES)
    text = "folder of a training run, checkpoint, or name of a network"
    parser.add_argument("run", metavar="RUN", type=cli.folder, help=text)
    which = f"an image file or the number of a test image; repeatable (default: the first {FIRST} test images)"
    parser.add_argument("--picture", metavar="P", action="append", type=cli.file, help=which)
    own = "(default: the run's own)"
    names = tuple(data.DATASETS)
    parser.add_argument("--dataset", metavar="NAME", choices=names, help=f"{', '.join(names)} {own}")
    parser.add_argument("--data-dir", metavar="DIR", type=cli.folder, help=f"folder of data sets in files {own}")
    cli.own_model_option(parser)
    where = "the page; an existing file is replaced (default: explore.html in RUN, beside the checkpoint, or here)"
    parser.add_argument("--out", metavar="FILE.html", type=cli.file, help=where)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(cli.run(main))
