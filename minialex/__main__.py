"""`minialex COMMAND`, or `python -m minialex COMMAND`: one name for all commands; without one, their list."""

from __future__ import annotations

import importlib
import sys

from . import __version__, cli

COMMANDS = {
    "train": "train a network; leaves a run folder with checkpoints, metrics and figures",
    "summary": "a network's layers, sizes and costs, in the formats that readers know; explained; drawn",
    "evaluate": "how often trained networks are right, one or several, in one view or the paper's ten",
    "predict": "what a trained network sees in pictures, with bars like those of the paper's figure 4",
    "convert": "weights between minialex, NumPy, safetensors, torch, Keras and ONNX",
    "look": "figures from inside trained networks: filters, feature maps, gradients, neighbours, graph, curves",
    "data.pack": "a folder of photographs as large files of pixels, to train at the speed of a GPU",
    "coursework": "assignments: write parts of this library yourself; instructors release and grade them",
    "gradcheck": "check every operation's gradient against finite differences",
    "bench": "time networks and layers beside torch, and beside the machine's limits",
    "doctor": "what this machine has, and which backends really work on it",
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
        raise cli.UserError(f"there is no command '{unknown[0]}'; there are: {', '.join(COMMANDS)}")
    print(f"minialex {__version__}")
    if "--version" in arguments:
        return 0
    print("\nThe commands (each explains itself with --help):\n")
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
    return cli.run(main)


if __name__ == "__main__":
    sys.exit(console())
