"""`python -m minialex.convert IN OUT`: convert weights to another format, or to an equivalent network."""

from __future__ import annotations

import argparse
import sys

from .. import cli, models
from ..data import Normalize
from ..runs.checkpoint import Checkpoint
from ..support import text
from . import formats
from .description import NORMALIZATIONS, with_classes
from .loading import Given, described
from .variants import grouped, in_channel_order, merged

DESCRIPTION = """\
Convert a network from one file format to another. The suffix of a file gives its format:

  .npz            a minialex checkpoint, or the arrays of a state dict
  .keras.npz      np.savez(file, *model.get_weights()) of a Keras model; for model.set_weights
  .safetensors    a state dict; in several files: the .safetensors.index.json beside them
  .pth, .pt       a PyTorch state dict, without PyTorch; read also where a training script has nested it, from
                  .pth.tar, .ckpt and .bin, with the names of DataParallel or Lightning
  .onnx           the whole network, operator sets from 7 on
  .caffemodel     the whole network of Caffe, or the weights of that of --prototxt; can only be read
  .h5, .keras     a Keras model, or with .weights.h5 its weights
  .npy            a pickled dict of layers, as bvlc_alexnet.npy; can only be read

.onnx and .caffemodel, and writing .safetensors, .h5 and .keras, need pip install 'minialex[convert]'. No other
framework is needed, and nothing in a file is executed. .npz, .safetensors and .pth also hold minialex's description
(model, classes, normalisation, training state), so that a checkpoint can be restored exactly."""

EXAMPLES = """\
examples:
  python -m minialex.convert runs/mine/best.npz mine.onnx
  python -m minialex.convert runs/mine/best.npz mine.pth     # for torch.load and load_state_dict
  python -m minialex.convert runs/mine/best.npz mine.safetensors --weights-only
  python -m minialex.convert alexnet-owt-7be5be79.pth alexnet.npz --classes imagenet.txt
  python -m minialex.convert squeezenet1.1-7.onnx squeezenet.npz --normalization torchvision
  python -m minialex.convert bvlc_alexnet.caffemodel alexnet.npz --prototxt deploy.prototxt --mean mean.binaryproto
  python -m minialex.convert caffe.npz alexnet.npz --model alexnet_caffe --normalization 122.7,116.7,104.0
  python -m minialex.convert paper.npz merged.npz --merge"""

_NORMALIZATION = (
    "normalisation of pixels from 0 to 255, where the file does not say: torchvision, caffe (its means, blue first), "
    "none, or the means of red, green and blue, optionally with their stds, such as 122.7,116.7,104.0 or "
    "122.7,116.7,104.0/58.4,57.1,57.4 (default: what the file or the known network says; none for other weights)"
)


def main(argv=None):
    """Run the command; argv: its arguments, sys.argv[1:] if None."""
    options = _parse(argv)
    with cli.as_user_error():
        formats.writer(options.output)  # raises an error before a large file is read in vain
        options.model = cli.register([options.model])[0] if options.model else None
        found = formats.read(options.input, **_companions(options))
        if isinstance(found, Checkpoint):
            saved, notes = _with_options(found, options), []
        else:
            saved, notes = described(found, options.input, _given(options))
        for sentence in notes:
            cli.note(sentence)
        changed = merged(saved) if options.merge else grouped(saved) if options.group else saved
        if options.channel_order:
            changed = in_channel_order(changed, options.channel_order.upper())
        if saved.trainer_state and not changed.trainer_state:
            cli.note("the optimiser's state no longer fits and is left out: a run cannot be resumed from this file")
        cli.note(models.own.changed(saved.model, saved.configuration.get("model_sha256")))
        formats.write(options.output, changed, options.weights_only)
    count = sum(array.size for array in changed.weights.values())
    print(
        f"{options.output}: {changed.model} for {len(changed.classes)} classes, {count:,} numbers, "
        f"channel order {changed.channel_order}"
    )


def _with_options(saved, options):
    """A Checkpoint with the changes that the options ask for."""
    if options.model not in (None, saved.model):
        raise ValueError(f"{options.input} holds the weights of {saved.model}, not of {options.model}")
    if options.set:
        raise ValueError(f"{options.input} holds a description, which names the network's arguments: leave out set=...")
    if options.input_size not in (None, saved.input_size):
        raise ValueError(f"{options.input} is for pictures of {saved.input_size} pixels, not {options.input_size}")
    if options.normalization is not None:
        saved.normalization = options.normalization[0].to_arrays()
    return with_classes(saved, _lines(options.classes)) if options.classes else saved


def _companions(options):
    """The files beside IN."""
    given = {"prototxt": options.prototxt, "mean": options.mean}
    return {name: path for name, path in given.items() if path is not None}


def _given(options):
    """What the options say of a file without minialex's description."""
    if options.set and not options.model:
        raise ValueError("set=... is of a network that is named: give model=..., too")
    normalization, order = options.normalization or (None, None)
    return Given(
        model=options.model,
        arguments=cli.arguments(options.model, options.set) if options.set else {},
        input_size=options.input_size,
        classes=_lines(options.classes) if options.classes else None,
        normalization=normalization,
        pixel_order=(options.pixel_order or order or "").upper() or None,
    )


def _lines(path):
    return [text.printable(line) for line in text.read_lines(path) if line]


def _normalization(text):
    """An argparse type: (a Normalize, the channel order that goes with it or None), from its name or its numbers."""
    if text in NORMALIZATIONS:
        return NORMALIZATIONS[text]
    try:
        parts = [[float(number) for number in part.split(",")] for part in text.split("/")]
        if not 1 <= len(parts) <= 2 or any(len(part) != 3 for part in parts):
            raise ValueError
        return Normalize(*([[[number]] for number in part] for part in parts)), None
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"'{text}' is neither {', '.join(NORMALIZATIONS)} nor three means, or three means and three stds above 0, "
            "such as 122.7,116.7,104.0 or 122.7,116.7,104.0/58.4,57.1,57.4"
        ) from None


def _parse(argv):
    parser = cli.Parser("convert", DESCRIPTION, EXAMPLES)
    parser.add_argument("input", metavar="IN", type=cli.file, help="the file to read")
    parser.add_argument("output", metavar="OUT", type=cli.file, help="the file to write")
    parser.add_argument(
        "--model",
        type=cli.network,
        metavar="NAME",
        help="the network, for weights without a description (default: the only one that their shapes fit); "
        f"one of {', '.join(models.PRESETS)}; or FILE.py:FUNCTION, for a network of your own, whose file is executed",
    )
    cli.set_option(parser)
    parser.add_argument(
        "--input-size",
        type=cli.whole_number(1),
        metavar="PIXELS",
        help="input size of the network, for weights without a description (default: as published)",
    )
    parser.add_argument(
        "--classes",
        metavar="FILE",
        type=cli.file,
        help="class names, one per line (default: those in IN, else class 0, class 1, ...)",
    )
    parser.add_argument("--normalization", type=_normalization, metavar="N", help=_NORMALIZATION)
    parser.add_argument(
        "--channel-order",
        choices=("rgb", "bgr"),
        help="reorder the first convolution's weights for this order of the channels (default: keep the order)",
    )
    parser.add_argument(
        "--pixel-order",
        choices=("rgb", "bgr"),
        help="the order of the channels that a network from another framework expects (default: what the file says, "
        "else rgb)",
    )
    for name, what in (("--prototxt", "the network of a .caffemodel"), ("--mean", "its mean image, a .binaryproto")):
        parser.add_argument(name, metavar="FILE", type=cli.file, help=f"{what} (default: what the .caffemodel says)")
    groups = parser.add_mutually_exclusive_group()
    groups.add_argument("--merge", action="store_true", help="convert alexnet to alexnet_merged, which has no groups")
    groups.add_argument(
        "--group",
        action="store_true",
        help="convert alexnet_merged to alexnet; all weights between the groups must be 0",
    )
    parser.add_argument(
        "--weights-only",
        action="store_true",
        help="leave out the description and the training state (default: keep them)",
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(cli.run(main))
