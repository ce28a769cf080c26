"""`python -m minialex.convert IN OUT`: weights from one format to another, or of one network to its equal."""

from __future__ import annotations

import sys

from .. import cli, models
from ..data import Normalize
from ..runs.checkpoint import Checkpoint
from . import formats
from .description import NO_NORMALIZATION, describe, guess, torchvision_normalization, with_classes
from .variants import grouped, in_channel_order, merged

DESCRIPTION = """\
Convert weights. The suffix says what a file is:

  .npz            a checkpoint of minialex, or arrays under the names of a state dict
  .keras.npz      np.savez(file, *model.get_weights()) of Keras; for model.set_weights
  .safetensors    needs pip install 'minialex[convert]'
  .pth, .pt       a state dict of torch's; needs pip install 'minialex[torch]'
  .onnx           the network itself, written only; needs pip install 'minialex[convert]'

Every format but Keras's and ONNX carries minialex's description (model, classes, normalisation, the run's state), so
that a checkpoint comes back as it was."""

EXAMPLES = """\
examples:
  python -m minialex.convert runs/mine/best.npz mine.onnx
  python -m minialex.convert runs/mine/best.npz mine.pth     (for torch.load and load_state_dict)
  python -m minialex.convert runs/mine/best.npz mine.safetensors --weights-only
  python -m minialex.convert alexnet-owt-7be5be79.pth alexnet.npz --classes imagenet.txt
  python -m minialex.convert caffe.npz alexnet.npz --model alexnet_caffe --normalization 122.7,116.7,104.0
  python -m minialex.convert paper.npz merged.npz --merge"""

_NORMALIZATION = (
    "what pixels from 0 to 255 go through, for weights that do not say it: torchvision, none, or means of red, green, "
    "blue, then perhaps their stds, as in 122.7,116.7,104.0 or 122.7,116.7,104.0/58.4,57.1,57.4 "
    "(default: torchvision for alexnet_torchvision, else none)"
)


def main(argv=None):
    """The command: read, describe, change, write."""
    options = _parse(argv)
    with cli.as_user_error():
        formats.writer(options.output)  # before a large file is read for nothing
        found = formats.read(options.input)
        saved = _with_options(found, options) if isinstance(found, Checkpoint) else _described(found, options)
        changed = merged(saved) if options.merge else grouped(saved) if options.group else saved
        if options.channel_order:
            changed = in_channel_order(changed, options.channel_order.upper())
        if saved.trainer_state and not changed.trainer_state:
            _remark("the optimiser's state no longer fits and is left out: a run cannot be resumed from this")
        formats.write(options.output, changed, options.weights_only)
    count = sum(array.size for array in changed.weights.values())
    print(
        f"{options.output}: {changed.model} for {len(changed.classes)} classes, {count:,} numbers, "
        f"channels {changed.channel_order}"
    )


def _with_options(saved, options):
    """A described Checkpoint with what the options say instead."""
    if options.model not in (None, saved.model):
        raise ValueError(f"{options.input} says that it is of {saved.model}, not of {options.model}")
    if options.input_size not in (None, saved.input_size):
        raise ValueError(f"{options.input} says that it is for {saved.input_size} pixels, not {options.input_size}")
    if options.normalization is not None:
        saved.normalization = options.normalization.to_arrays()
    return with_classes(saved, _lines(options.classes)) if options.classes else saved


def _described(arrays, options):
    """Weights without a description: what is assumed is said."""
    try:
        model = options.model or guess(arrays, options.input_size)
        saved = describe(
            arrays,
            model,
            input_size=options.input_size,
            normalization=options.normalization,
            classes=_lines(options.classes) if options.classes else None,
        )
    except ValueError as error:
        raise ValueError(f"{options.input}: {error}") from error
    if not options.model:
        _remark(f"taken for {model}, the only network with these names and shapes")
    if options.normalization is None:
        what = "torchvision's" if model == "alexnet_torchvision" else "none: pixels from 0 to 255 go in as they are"
        _remark(f"normalisation: {what} (--normalization says otherwise)")
    return saved


def _remark(text):
    print(f"note: {text}", file=sys.stderr)


def _lines(path):
    try:
        with open(path, encoding="utf-8") as file:
            return [line.strip() for line in file if line.strip()]
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text in UTF-8") from None


def _normalization(text):
    """An argparse type: a Normalize by its name or its numbers. ValueError for others."""
    named = {"torchvision": torchvision_normalization(), "none": NO_NORMALIZATION}
    if text in named:
        return named[text]
    return Normalize(*([[[float(number)]] for number in part.split(",")] for part in text.split("/")))


def _parse(argv):
    parser = cli.Parser("convert", DESCRIPTION, EXAMPLES)
    parser.add_argument("input", metavar="IN", help="the file to read")
    parser.add_argument("output", metavar="OUT", help="the file to write")
    parser.add_argument(
        "--model",
        choices=tuple(models.PRESETS),
        metavar="NAME",
        help="the network of weights that do not say it (default: the only one with their shapes); "
        f"one of {', '.join(models.PRESETS)}",
    )
    parser.add_argument(
        "--input-size",
        type=cli.whole_number(1),
        metavar="PIXELS",
        help="side of the pictures, for weights that do not say it (default: as published)",
    )
    parser.add_argument(
        "--classes", metavar="FILE", help="names of the classes, one a line (default: those of IN, or class 0, ...)"
    )
    parser.add_argument("--normalization", type=_normalization, metavar="N", help=_NORMALIZATION)
    parser.add_argument(
        "--channel-order",
        choices=("rgb", "bgr"),
        help="make the first convolution expect this order (default: that of IN)",
    )
    groups = parser.add_mutually_exclusive_group()
    groups.add_argument("--merge", action="store_true", help="alexnet without groups, as alexnet_merged")
    groups.add_argument(
        "--group", action="store_true", help="alexnet_merged as alexnet, if its weights between the groups are 0"
    )
    parser.add_argument(
        "--weights-only", action="store_true", help="leave out the description and the run's state (default: keep them)"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(cli.run(main))
