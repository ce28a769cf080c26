"""`minialex COMMAND`, or `python -m minialex COMMAND`: one name for all commands; without one, their list."""

from __future__ import annotations

import importlib
import sys

from . import __version__, cli
from .runs import launching

COMMANDS = {
    "train": "train a network; writes checkpoints, metrics and figures to a run folder",
    "ablate": "train a network and variants of it alike, and compare them; the race of the paper's figure 1",
    "summary": "print a network's layers, parameters and cost, as a table, explained, or drawn",
    "evaluate": "top-1 and top-5 error of trained networks, alone and averaged, in one or ten views",
    "predict": "classify images; optionally draw them with bars like those of the paper's figure 4",
    "convert": "convert weights between minialex, NumPy, safetensors, torch, Keras and ONNX",
    "look": "draw filters, feature maps, gradients, neighbours, the autograd graph, learning curves",
    "explore": "a page in which a network is at work: click a pixel, see the numbers that made it and its gradient",
    "data.pack": "pack a folder of photographs into large files of pixels, to train at the speed of a GPU",
    "tutorials": "the lessons and what you have solved of them; opens one, or writes them as pages",
    "coursework": "assignments: write parts of this library yourself; instructors release and grade them",
    "gradcheck": "check every operation's gradient against finite differences",
    "bench": "time networks and layers against torch and the machine's limits",
    "doctor": "report software and hardware and which backends work, or --tune the fast CPU",
}


def main(argv=None):
    """Run `minialex COMMAND ...`, or print the version and every command with its line.

    argv: the arguments, those of the process if None.

    Returns the command's exit code. Raises UserError for an unknown command.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments and arguments[0] in COMMANDS:
        return _command(arguments[0]).main(arguments[1:])
    unknown = [argument for argument in arguments if argument not in ("-h", "--help", "--version")]
    if unknown:
        raise cli.UserError(f"there is no command '{unknown[0]}'; choose from {', '.join(COMMANDS)}")
    print(f"minialex {__version__}")
    if "--version" in arguments:
        return 0
    print("\nCommands (each has --help):\n")
    for name, line in COMMANDS.items():
        print(f"  minialex {name:<10} {line}")
    print("\nminialex COMMAND and python -m minialex.COMMAND are the same.")
    return 0


def _command(name):
    """The module of a command: minialex.train, or minialex.bench.__main__ where the command is a package."""
    found = importlib.import_module(f"{__package__}.{name}")
    return importlib.import_module(f"{found.__name__}.__main__") if hasattr(found, "__path__") else found


def console():
    """The console command `minialex`: the exit code of main."""
    run = launching.run if sys.argv[1:2] == ["train"] else cli.run  # of which there may be several processes
    return run(main)


if __name__ == "__main__":
    sys.exit(console())
