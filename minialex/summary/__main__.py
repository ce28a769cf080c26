"""`python -m minialex.summary MODEL`: the layers, shapes and costs of a network, without running it."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

import numpy as np

from .. import cli, convert, data, models
from ..convert import formats
from ..models.layout import layout
from ..nn import init
from . import programs
from .diagram import class_diagram, sequence_diagram
from .dl4j import dl4j_summary
from .explain import explain
from .keras import COUNTERS, keras_summary
from .tables import cost_table, layer_table

STYLES = ("costs", "keras", "dl4j", "torch", "table", "mermaid", "sequence")

DESCRIPTION = """\
Print a network's layers: shapes, parameters, multiply-accumulates (MACs), memory, receptive fields.
No weights of published networks are initialised, so this is fast for the largest one, too."""

EXAMPLES = """\
styles:
  costs     a row for each layer; memory is for a batch of --batch-size
  keras     as model.summary() in Keras
  dl4j      as MultiLayerNetwork.summary() in Deeplearning4j
  torch     as print(model) in PyTorch
  table     a layer table as in textbooks, from Out to In
  mermaid   a class diagram, for https://mermaid.live or a mermaid code block in Markdown
  sequence  a sequence diagram, likewise: a training step, forward and backward through the layers

examples:
  python -m minialex.summary alexnet
  python -m minialex.summary alexnet --num-classes 10 --style keras --counters fresh
  python -m minialex.summary alexnet --explain
  python -m minialex.summary alexnet --set norm=none --set dropout=before
  python -m minialex.summary alexnet --picture alexnet.svg
  python -m minialex.summary my_net.py:build --input-size 32
  python -m minialex.summary squeezenet.onnx
  python -m minialex.summary layers-145.cfg --cfg-params layer-params-145.cfg --explain"""

PICTURES = (".png", ".svg")
CLASSES = 10  # of a network of the user's own that takes num_classes


def main(argv=None):
    """Run the command; argv: its arguments, sys.argv[1:] if None."""
    options = _parse(argv)
    with cli.as_user_error():
        in_file = options.model not in models.PRESETS and not models.own.is_reference(options.model)
        described = programs.read(options)
        if described:
            preset, model, size = described.preset, described.model, described.size
        else:
            preset, model, size = _of_file(options) if in_file else _by_name(options)
        own = preset not in models.PRESETS.values()
        in_words = described if options.explain else options.style == "torch"  # needs no shapes
        rows = [] if in_words and not options.picture else layout(model, (3, size, size))
    name = options.model + (f" ({', '.join(map('='.join, options.set))})" if options.set else "")
    if options.picture:
        from ..plotting import architecture  # matplotlib takes longer to import than everything else

        title = f"{name}: {preset.summary}; {sum(row.parameters for row in rows):,} parameters"
        architecture(rows, options.picture, title=title)
        print(f"drawn: {options.picture}", file=sys.stderr)
    if options.explain:
        print(described.explain() if described else explain(name, preset, rows))
    elif options.style == "keras":
        print(keras_summary(rows, options.counters or ("fresh" if own else "published")))
    elif options.style == "dl4j":
        print(dl4j_summary(rows))
    elif options.style == "torch":
        print(model)
    elif options.style == "table":
        print(layer_table(rows))
    elif options.style == "mermaid":
        print(class_diagram(options.model, rows))
    elif options.style == "sequence":
        print(sequence_diagram(options.model, rows))
    else:
        print(f"{name}: {preset.summary}\n")
        print(cost_table(rows, options.batch_size))


def _by_name(options):
    """(Preset, Module, input size) of a published network, or of one of the user's own."""
    arguments = {"num_classes": options.num_classes, "input_size": options.input_size}
    (options.model,) = cli.register([options.model])
    preset = models.get_preset(options.model)
    size, given = options.input_size or preset.input_size, cli.arguments(options.model, options.set)
    own = isinstance(preset, models.own.Own)
    if own:
        arguments = {"num_classes": options.num_classes or preset.num_classes or CLASSES, "input_size": size}
        if size is None:
            raise ValueError(f"{options.model} does not say for which input size it is: give input_size=...")
    with contextlib.nullcontext() if own else init.skipped():  # an own forward may have to run
        model = preset.build(**given, **{name: value for name, value in arguments.items() if value is not None})
    return preset, model, size


def _of_file(options):
    """The same of the network in a file of weights."""
    if options.set or options.num_classes:
        raise ValueError(f"{options.model} is a file, which says all of its network: leave out the other options")
    given = convert.Given(input_size=options.input_size, normalization=data.Normalize(np.zeros((3, 1, 1))))
    network = convert.load(options.model, given=given)  # whose sizes do not depend on the normalisation
    options.model = network.name
    return network.preset, network.model, network.pipeline.input_size


def _network(text):
    """An argparse type: a published network, one of the user's own, or a file or folder of weights."""
    if Path(text).suffix != ".py" and Path(text).exists():
        return text
    if text.lower().endswith((*formats.SUFFIXES, ".cfg")):
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return cli.network(text)


def _parse(argv):
    parser = cli.Parser("summary", DESCRIPTION, EXAMPLES, aliases={"init_rates": "--init-rates of train"})
    known = (
        f"one of: {', '.join(models.PRESETS)}; a network of your own, FILE.py:FUNCTION, whose file is executed; or a "
    )
    known += "file of weights or the folder of a run, or a layer definition file of cuda-convnet, layers-*.cfg"
    parser.add_argument("model", metavar="MODEL", help=known, type=_network)
    cli.set_option(parser)
    parser.add_argument(
        "--cfg-params", type=cli.file, metavar="FILE", help="layer parameter file of a .cfg MODEL, layer-params-*.cfg"
    )
    parser.add_argument(
        "--num-classes", type=cli.whole_number(1), metavar="C", help="number of classes (default: as published, or 10)"
    )
    parser.add_argument(
        "--input-size",
        type=cli.whole_number(1),
        metavar="PIXELS",
        help="pixels per side of the input (default: as published)",
    )
    parser.add_argument(
        "--batch-size",
        type=cli.whole_number(1),
        default=128,
        metavar="N",
        help="batch size for which --style costs gives the memory (default: %(default)s)",
    )
    parser.add_argument("--style", choices=STYLES, default="costs", help="output format (default: %(default)s)")
    parser.add_argument(
        "--counters",
        choices=tuple(COUNTERS),
        help="numbers in the layer names of --style keras: as in the output published for alexnet_keras_bn10, "
        "or as in a fresh session (default: published; fresh for a network of your own)",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="instead, print the differences from the paper's network and the calculation of every size",
    )
    parser.add_argument(
        "--picture",
        type=_picture,
        metavar="FILE",
        help="also draw the network to a .png or .svg file: its layers as boxes, a network with groups as the two "
        "towers of the paper's figure 2",
    )
    return parser.parse_args(argv)


def _picture(text):
    text = cli.file(text)
    if Path(text).suffix.lower() not in PICTURES:
        raise argparse.ArgumentTypeError(f"'{text}' must end in {' or '.join(PICTURES)}")
    return text


if __name__ == "__main__":
    sys.exit(cli.run(main))
