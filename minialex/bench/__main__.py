"""`python -m minialex.bench`: minialex beside torch and beside the machine's limits."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from .. import backends, cli, threads
from . import machine, profile, report
from .contenders import choose
from .measure import Bench
from .ours import Minialex
from .rivals import RIVALS
from .workloads import WORKLOADS

DESCRIPTION = """\
Time the training step (forward, loss, backward, SGD with momentum) and the forward pass of whole networks, and each
layer alone: every backend that runs here, and torch if it is installed, in turn, with the same number of threads.
Prints images/s, GFLOP/s, the ratio to torch as it comes ("torch-eager"), the floor that the machine's measured peak
and bandwidth set, and the peak memory of a process that trains. Close other programs first."""

EXAMPLES = """\
examples:
  python -m minialex.bench
  python -m minialex.bench --model alexnet --batch-size 32 --rival torch-eager --json bench.json --plot bench.png
  python -m minialex.bench --model cifar_quick --backend numpy --rival none --profile
  python -m minialex.bench --quick"""


def main(argv=None):
    """Measure as the options say, and print, write and draw what comes out, network by network."""
    options = _options(argv)
    threads.set_count(options.threads)
    contenders = choose(options.backend, options.rival, options.threads, _say)
    this_machine = machine.measure(side=256, megabytes=8) if options.quick else machine.measure()
    _say(report.header(this_machine, [c.name for c in contenders], options.repeat))
    results = []
    with tqdm(bar_format="{desc}", disable=None, leave=False) as line:
        bench = Bench(contenders, this_machine, options.repeat, _say, line.set_description_str)
        for name in options.model:
            workload = WORKLOADS[name]
            for number, batch_size in enumerate(options.batch_size or workload.batch_sizes):
                result = bench.network(workload, batch_size)
                _say("\n" + report.network(result))
                if options.layers and number == 0:
                    result["layers"] = bench.layers(workload, batch_size)
                    _say("\n" + report.layers(result))
                if options.profile:
                    result["profile"] = _profiles(contenders, workload, batch_size)
                    _say("\n" + report.profiles(result))
                results.append(result)
                _keep(options, this_machine, results)


def _profiles(contenders, workload, batch_size):
    """{backend: where the time of a training step goes}, after a step that does not count."""
    profiles = {}
    for contender in contenders:
        if isinstance(contender, Minialex):
            network = contender.network(workload, batch_size)
            network.step()
            profiles[contender.name] = profile.of_step(network)
    return profiles


def _keep(options, this_machine, results):
    """The files asked for, new after every network: what was measured before Ctrl-C is not lost."""
    if options.json:
        report.write_json(options.json, this_machine, options.repeat, results)
    if options.plot:
        from . import chart  # matplotlib takes a moment to load

        chart.draw(results, this_machine, options.plot)


def _say(text):
    """Print to stdout at once, above the line that tells what runs."""
    tqdm.write(text, file=sys.stdout)
    sys.stdout.flush()


def _options(argv):
    """The options given, and for those that were not the defaults, which --quick makes smaller."""
    options = _parser().parse_args(argv)
    if "none" in (options.rival or ()):
        if set(options.rival) != {"none"}:
            raise cli.UserError("--rival none leaves no other rival: give it alone, or leave it out")
        options.rival = []
    options.model = [*dict.fromkeys(options.model or (["cifar_quick"] if options.quick else WORKLOADS))]
    options.batch_size = [*dict.fromkeys(options.batch_size or ([8] if options.quick else []))]
    options.repeat = options.repeat or (1 if options.quick else 5)
    return options


def _new_file(text):
    """An argparse type: the name of a file that can be written; better to hear now than after the measurements."""
    path = Path(text)
    if not text or path.is_dir():
        raise argparse.ArgumentTypeError(f"'{text}' is not the name of a file")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder '{path.parent}' for '{path.name}'")
    return path


def _parser():
    p = cli.Parser("bench", DESCRIPTION, EXAMPLES)

    def option(name, metavar, text, **how):
        p.add_argument(name, metavar=metavar, help=text, **how)

    def several(name, known, text):
        option(name, "NAME", f"{', '.join(known)}; may be repeated {text}", choices=known, action="append")

    count, cores = cli.whole_number(1), threads.default_count()
    several("--model", tuple(WORKLOADS), "(default: all)")
    batches = ", ".join(f"{name} {' and '.join(map(str, w.batch_sizes))}" for name, w in WORKLOADS.items())
    text = f"pictures in a batch; may be repeated (default: {batches})"
    option("--batch-size", "N", text, type=count, action="append")
    several("--backend", backends.available(), "(default: all that run here)")
    several("--rival", (*RIVALS, "none"), "(default: all that run here)")
    text = f"threads of every contender (default: the usable cores, {cores})"
    option("--threads", "N", text, type=count, default=cores)
    option("--repeat", "N", "rounds, of which the median counts (default: 5)", type=count)
    layers = "time each layer of a network alone, with its first batch size (default: do)"
    p.add_argument("--layers", action=argparse.BooleanOptionalAction, default=True, help=layers)
    p.add_argument("--profile", action="store_true", help="show one training step by operation (default: do not)")
    option("--json", "FILE", "write all figures there (default: do not)", type=_new_file)
    option("--plot", "FILE", "draw images/s as bars there, a PNG (default: do not)", type=_new_file)
    quick = "only see that it works: one round of cifar_quick in batches of 8, unless told otherwise (default: do not)"
    p.add_argument("--quick", action="store_true", help=quick)
    return p


if __name__ == "__main__":
    sys.exit(cli.run(main))
