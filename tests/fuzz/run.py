"""Read mutated files, thousands at a time, and report what went wrong.

    python tests/fuzz/run.py                            every target, 1,000 inputs each
    python tests/fuzz/run.py picture pack --count 50000
    python tests/fuzz/run.py checkpoint --seed 123      one input, whose files are left in the folder printed

Exit code 1 where anything went wrong.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent), str(TESTS), str(TESTS / "helpers")]

from fuzz import fuzzing  # noqa: E402
from fuzz.targets import TARGETS  # noqa: E402


def main(argv=None):
    """Run the command; argv: its arguments, sys.argv[1:] if None. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", metavar="TARGET", nargs="*", help=f"of {', '.join(TARGETS)} (default: all)")
    parser.add_argument("--count", type=int, default=1000, help="inputs of each target (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the seed of the first input (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="only the input of this seed")
    parser.add_argument("--kept", type=Path, help="the folder for inputs that went wrong (default: a new one)")
    options = parser.parse_args(argv)
    if unknown := [name for name in options.targets if name not in TARGETS]:
        parser.error(f"unknown target {unknown[0]}; choose of {', '.join(TARGETS)}")
    seeds = range(options.first, options.first + options.count)
    if options.seed is not None:
        seeds = range(options.seed, options.seed + 1)
    wrong = 0
    for name in options.targets or TARGETS:
        if missing := [module for module in TARGETS[name].needs if not present(module)]:
            print(f"{name}: left out, since {missing[0]} is not installed", flush=True)
            continue
        start = time.monotonic()
        with fuzzing.Worker(kept=options.kept) as worker:
            result = worker.run(name, seeds)
            if options.seed is not None:
                print(f"input: {worker.keep(name, options.seed)}")
        took = time.monotonic() - start
        counts = f"{result.inputs:,} inputs, {result.accepted:,} accepted, {result.refused:,} refused"
        print(f"{name}: {counts}, {len(result.findings)} findings, {took:.0f} s", flush=True)
        if result.findings:
            print(result.described(50), flush=True)
        wrong += len(result.findings)
    return 1 if wrong else 0


def present(module):
    """Whether a module, which may be one of a package, is installed."""
    package = module.rpartition(".")[0]
    return (not package or present(package)) and importlib.util.find_spec(module) is not None


if __name__ == "__main__":
    sys.exit(main())
