"""`python -m minialex`: the list of commands."""

from __future__ import annotations

import sys

from . import __version__, cli

COMMANDS = {
    "train": "train a network; leaves a run folder with checkpoints, metrics and figures",
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
