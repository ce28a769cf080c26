"""`python -m minialex.explore RUN`: a page in which one sees a network compute, forwards and backwards."""

from __future__ import annotations

import dataclasses
import sys
import threading
import webbrowser
from pathlib import Path
from typing import Any

from .. import backends, cli, convert, data, models
from ..look.subject import CHANNELS, Subject
from ..models import published
from ..random import manual_seed
from ..runs import kept, trained
from ..support import files
from . import LARGEST, Picture, Reading, computes, describe, layers_of, page, results, serving, timeline

FIRST, FIRST_OF_LARGE = 6, 3  # test images, without --picture; in a file of a network that the page does not compute
MOST = 40  # pictures in a page
NORMALIZED_BY = 200  # pictures, of an untrained network's data set where they are large

MB = LARGEST / 1e6

DESCRIPTION = f"""\
Show a network at work in the browser: the maps of every layer, or the gradients that arrive at them. A click or the
keyboard chooses a layer, a pixel or a weight; the page writes out the numbers that it is made of, and those that its
gradient comes from. It takes pictures of one's own: from a file, drawn, or from the data set by number. Of a run that
was trained with --keep-every, a slider leads through its epochs.

The page is served on this machine alone, at an address with a token that nobody else knows, until Ctrl-C. With --out it
is written to one file of HTML that any browser opens, with no address outside it.

A network of at most {MB:g} MB of weights is computed by the page itself, a larger one by minialex. The file of a larger
one carries its maps and gradients in 8 bits, some 4 MB for each picture that an AlexNet sees, and the terms of some
pixels, see --explain; it takes no other pictures.

RUN is the folder of a training run, whose best weights are used; a checkpoint, or a file of another framework; or the
name of a network, such as shapes_net or alexnet, which is shown before training. With --weights it is left out."""

EXAMPLES = f"""\
examples: python -m minialex.explore runs/first
          python -m minialex.explore runs/first --picture 17 --picture cat.jpg --out cat.html
          python -m minialex.explore alexnet --out alexnet.html --explain conv1:3,20,20 --explain fc8:7
          python -m minialex.explore --weights torchvision --picture cat.jpg
          python -m minialex.explore runs/mine --model my_net.py:build

published weights, for --weights:
{published.overview()}"""


def main(argv=None):
    """Run the command: serve the page, or write it and print its path. argv: the arguments, sys.argv's if None."""
    options = _parse(argv)
    if options.out and Path(options.out).suffix.lower() not in (".html", ".htm"):
        raise cli.UserError(f"--out {options.out}: the name of a page must end in .html")
    if len(options.picture or ()) > MOST:
        raise cli.UserError(f"a page shows at most {MOST} pictures, got {len(options.picture)}")
    if options.explain and not options.out:
        raise cli.UserError("--explain is for a page in a file, --out; the one that is served explains every pixel")
    with cli.as_user_error():
        backends.use_backend(options.backend)
        cli.register(options.model)
        given = {"dataset": options.dataset, "data_dir": options.data_dir}
        network = _network(options, given)
        subject = Subject(network, given)
        cli.note(network.note)
        shape = (CHANNELS, *[network.pipeline.input_size] * 2)
        layers, rows = describe(network.model, shape), layers_of(network.model, shape)
        pictures = _pictures(subject, options, computes(layers))
        if options.out:
            _write(options, subject, layers, rows, pictures)
        else:
            answers = _answers(options, subject, layers, rows, pictures)
    if not options.out:
        _serve(options, answers)


def _write(options, subject, layers, rows, pictures):
    places = [_place(text, layers) for text in options.explain or ()]
    if computes(layers) and places:
        raise ValueError(
            "--explain is for a network that the page does not compute; it explains every pixel of this one"
        )
    carried = None if computes(layers) else results(layers, rows, pictures, places)
    network = subject.network
    shown = layers, pictures, network.classes, network.name, _reading(network), carried
    files.write_text(options.out, page(*shown, timeline=_timeline(options, subject, layers, page(*shown))))
    print(options.out)


def _timeline(options, subject, layers, text):
    """The kept epochs of a run as data of its page, which is so far `text`; None without them."""
    if options.weights or not computes(layers) or not (Path(options.run).is_dir() and kept.found(Path(options.run))):
        return None
    return timeline.of(subject, Path(options.run), layers, timeline.LARGEST_PAGE - len(text.encode()))


def _place(text, layers):
    """(number of the layer, [c, y, x]) of LAYER:C,Y,X, or of LAYER:C where it is a vector."""
    name, _, numbers = text.rpartition(":")
    known = {layer["name"]: n for n, layer in enumerate(layers[:-1])}
    if name not in known:
        raise ValueError(f"--explain {text}: expected LAYER:C,Y,X, where LAYER is one of {', '.join(known)}")
    shape = layers[known[name]]["output"]
    at = [int(word) if word.isdecimal() else -1 for word in numbers.split(",")]
    at += [0, 0] if len(at) == 1 and shape[1:] == [1, 1] else []
    if len(at) != 3 or not all(0 <= k < size for k, size in zip(at, shape)):
        places = " x ".join(map(str, shape))
        raise ValueError(f"--explain {text}: {name} has {places} numbers, counted from 0")
    return known[name], at


def _answers(options, subject, layers, rows, pictures):
    network = subject.network
    count = len(subject.splits.test) if _has_data(network, options) else 0
    shown = layers, pictures, network.classes, network.name, _reading(network)
    text = page(*shown, served=count)
    text = page(*shown, served=count, timeline=_timeline(options, subject, layers, text))
    return serving.Answers(
        text, layers, rows, pictures, shown[-1], lambda number: _shown(subject, [str(number)])[0], count
    )


def _serve(options, answers):
    try:
        server = serving.Server(answers, options.port)
    except OSError as error:
        raise cli.UserError(f"--port {options.port}: {error.strerror or error}; choose another one") from error
    with server:
        print(server.address, flush=True)
        print("Ctrl-C stops it", file=sys.stderr)
        if options.browser:  # in a thread, since a browser of the terminal ends only when it is closed
            threading.Thread(target=webbrowser.open, args=[server.address], daemon=True).start()
        server.serve_forever()


def _reading(network):
    return Reading(network.resize, network.pipeline.normalization, network.pipeline.channel_order)


def _network(options, given):
    """The Trained to show."""
    if options.weights:
        return convert.load_published(options.weights, options.weights_dir)
    if options.run in models.PRESETS and not Path(options.run).exists():
        return _untrained(options.run, given)
    return convert.load(options.run)


def _untrained(name, given):
    """A published network before training, as a Trained: initial weights of seed 0, normalised by its usual data."""
    preset = models.get_preset(name)
    manual_seed(0)
    model = models.build(name)
    saved: Any = convert.describe(model.state_dict(), name)
    saved = dataclasses.replace(saved, configuration={"dataset": preset.recipe.dataset})
    limit = NORMALIZED_BY if preset.input_size > 64 else None
    splits = trained.of(saved, name).splits(**given, limit=limit)[1]
    kind = preset.recipe.normalization
    size = preset.input_size if kind == "mean-image-center" else None
    normalization = (
        data.Normalize.channels(splits.train) if kind == "channels" else data.Normalize.mean_image(splits.train, size)
    )
    classes = splits.train.classes if len(splits.train.classes) == len(saved.classes) else saved.classes
    return trained.of(dataclasses.replace(saved, normalization=normalization.to_arrays(), classes=classes), name)


def _pictures(subject, options, alone):
    """Those of --picture, or the first of the test set."""
    if options.picture:
        return _shown(subject, options.picture)
    if not _has_data(subject.network, options):
        raise ValueError(
            f"{subject.network.name} does not name the data set that it was trained on: give --picture FILE, or choose "
            "a data set with --dataset"
        )
    first = FIRST if alone or not options.out else FIRST_OF_LARGE
    return _shown(subject, [str(number) for number in range(min(first, len(subject.splits.test)))])


def _has_data(network, options):
    return options.dataset is not None or network.checkpoint.configuration.get("dataset") is not None


def _shown(subject, wanted):
    """Pictures by their number in the test set or the names of their files."""
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


def _parse(argv):
    parser = cli.Parser("explore", DESCRIPTION, EXAMPLES)
    if not cli.names_weights(argv):
        text = "folder of a training run, checkpoint, or name of a network; left out with --weights"
        parser.add_argument("run", metavar="RUN", type=cli.folder, help=text)
    which = (
        "an image file or the number of a test image; repeatable "
        f"(default: the first {FIRST} test images; {FIRST_OF_LARGE} in a file of more than {MB:g} MB of weights)"
    )
    parser.add_argument("--picture", metavar="P", action="append", type=cli.file, help=which)
    where = "write the page to this file, which is replaced if it exists (default: serve it)"
    parser.add_argument("--out", metavar="FILE.html", type=cli.file, help=where)
    text = (
        "a pixel whose terms the file of a large network has: the layer, and the map, row and column, from 0; "
        "repeatable (default: the largest of each layer)"
    )
    parser.add_argument("--explain", metavar="LAYER:C,Y,X", action="append", help=text)
    text = "of the address at which the page is served (default: any free one)"
    parser.add_argument("--port", metavar="N", type=cli.whole_number(0, 65535), default=0, help=text)
    text = "do not open the browser; the address is printed"
    parser.add_argument("--no-browser", dest="browser", action="store_false", help=text)
    cli.weights_options(parser, "RUN")
    own = "(default: the run's own)"
    names = tuple(data.DATASETS)
    parser.add_argument("--dataset", metavar="NAME", choices=names, help=f"{', '.join(names)} {own}")
    parser.add_argument("--data-dir", metavar="DIR", type=cli.folder, help=f"folder of data sets in files {own}")
    cli.own_model_option(parser)
    cli.backend_option(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(cli.run(main))
