"""`python -m minialex`: the list of commands."""

from __future__ import annotations

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
    """Print the version and every command with its line."""
    arguments = sys.argv[1:] if argv is None else argv
    unknown = [argument for argument in arguments if argument not in ("-h", "--help", "--version")]
    if unknown:
        name = unknown[0]
        known = f"it is python -m minialex.{name}" if name in COMMANDS else f"there are: {', '.join(COMMANDS)}"
        raise cli.UserError(f"python -m minialex takes no '{name}'; a command is python -m minialex.COMMAND, {known}")
    print(f"minialex {__version__}")
    if "--version" in arguments:
        return
    print("\nThe commands (each explains itself with --help):\n")
    for name, line in COMMANDS.items():
        print(f"  python -m minialex.{name:<10} {line}")


if __name__ == "__main__":
    sys.exit(cli.run(main))
