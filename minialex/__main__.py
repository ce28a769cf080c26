"""`python -m minialex`: the list of commands."""

from __future__ import annotations

import sys

from . import __version__, cli

COMMANDS = {
    "train": "train a network; writes checkpoints, metrics and figures to a run folder",
    "summary": "print a network's layers, parameters and cost, as a table, explained, or drawn",
    "evaluate": "top-1 and top-5 error of trained networks, alone and averaged, in one or ten views",
    "predict": "classify images; optionally draw them with bars like those of the paper's figure 4",
    "convert": "convert weights between minialex, NumPy, safetensors, torch, Keras and ONNX",
    "look": "draw filters, feature maps, gradients, neighbours, the autograd graph, learning curves",
    "data.pack": "pack a folder of photographs into large files of pixels, to train at the speed of a GPU",
    "coursework": "assignments: write parts of this library yourself; instructors release and grade them",
    "gradcheck": "check every operation's gradient against finite differences",
    "bench": "time networks and layers against torch and the machine's limits",
    "doctor": "report the installed software and hardware, and which backends work",
}


def main(argv=None):
    """Print the version and the commands. argv: the arguments, sys.argv's if None."""
    arguments = sys.argv[1:] if argv is None else argv
    unknown = [argument for argument in arguments if argument not in ("-h", "--help", "--version")]
    if unknown:
        name = unknown[0]
        known = f"write python -m minialex.{name}" if name in COMMANDS else f"COMMAND being {', '.join(COMMANDS)}"
        raise cli.UserError(f"python -m minialex takes no '{name}'; commands are python -m minialex.COMMAND, {known}")
    print(f"minialex {__version__}")
    if "--version" in arguments:
        return
    print("\nCommands (each has --help):\n")
    for name, line in COMMANDS.items():
        print(f"  python -m minialex.{name:<10} {line}")


if __name__ == "__main__":
    sys.exit(cli.run(main))
