"""`python -m minialex.summary MODEL`: a network's layers, sizes and costs, without computing anything."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .. import cli, models
from ..models.layout import layout
from ..nn import init
from .diagram import class_diagram
from .explain import explain
from .keras import COUNTERS, keras_summary
from .tables import cost_table, layer_table

STYLES = ("costs", "keras", "torch", "table", "mermaid")

DESCRIPTION = """\
A network's layers: shapes, parameters, multiply-accumulates (MACs), memory, receptive fields.
Its weights are not made, so the largest network answers at once."""

EXAMPLES = """\
styles: costs    a row for every layer, for a batch of --batch-size
        keras    model.summary() of Keras
        torch    print(model) of torch
        table    the layer table of textbooks, from Out to In
        mermaid  a class diagram, for https://mermaid.live or a fenced block in Markdown

examples: python -m minialex.summary alexnet
          python -m minialex.summary alexnet --num-classes 10 --style keras --counters fresh
          python -m minialex.summary alexnet --explain
          python -m minialex.summary alexnet --picture alexnet.svg"""

PICTURES = (".png", ".svg")


def main(argv=None):
    """The command: print a network in one of the styles, or explained; draw it."""
    options = _parse(argv)
    arguments = {"num_classes": options.num_classes, "input_size": options.input_size}
    with cli.as_user_error():
        preset = models.get_preset(options.model)
        with init.skipped():
            model = preset.build(**{name: value for name, value in arguments.items() if value is not None})
        size = options.input_size or preset.input_size
        rows = layout(model, (3, size, size))
    if options.picture:
        from ..plotting import architecture  # matplotlib takes longer to load than all the rest

        title = f"{options.model}: {preset.summary}; {sum(row.parameters for row in rows):,} parameters"
        architecture(rows, options.picture, title=title)
        print(f"drawn: {options.picture}", file=sys.stderr)
    if options.explain:
        print(explain(options.model, preset, rows))
    elif options.style == "keras":
        print(keras_summary(rows, options.counters))
    elif options.style == "torch":
        print(model)
    elif options.style == "table":
        print(layer_table(rows))
    elif options.style == "mermaid":
        print(class_diagram(options.model, rows))
    else:
        print(f"{options.model}: {preset.summary}\n")
        print(cost_table(rows, options.batch_size))


def _parse(argv):
    parser = cli.Parser("summary", DESCRIPTION, EXAMPLES)
    parser.add_argument("model", metavar="MODEL", help=f"one of: {', '.join(models.PRESETS)}")
    parser.add_argument("--num-classes", type=cli.whole_number(1), metavar="C", help="logits (default: as published)")
    parser.add_argument(
        "--input-size", type=cli.whole_number(1), metavar="PIXELS", help="side of a picture (default: as published)"
    )
    parser.add_argument(
        "--batch-size",
        type=cli.whole_number(1),
        default=128,
        metavar="N",
        help="pictures whose memory the costs are for (default: %(default)s)",
    )
    parser.add_argument("--style", choices=STYLES, default="costs", help="what to print (default: %(default)s)")
    parser.add_argument(
        "--counters",
        choices=tuple(COUNTERS),
        default="published",
        help="of --style keras: layers numbered as in the output published for alexnet_keras_bn10, "
        "or as in a fresh session (default: %(default)s)",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="instead: what sets the network apart from the paper's, and every size worked out",
    )
    parser.add_argument(
        "--picture",
        type=_picture,
        metavar="FILE",
        help="draw the network, too: all layers as boxes, and of one in groups the two towers of the paper's figure 2; "
        "PNG or SVG, by the suffix",
    )
    return parser.parse_args(argv)


def _picture(text):
    if Path(text).suffix.lower() not in PICTURES:
        raise argparse.ArgumentTypeError(f"'{text}' is no name of a picture: end it in {' or '.join(PICTURES)}")
    return text


if __name__ == "__main__":
    sys.exit(cli.run(main))
