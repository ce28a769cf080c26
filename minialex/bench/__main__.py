"""`python -m minialex.bench`: time minialex against torch and the machine's limits."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

from .. import backends, cli, threads
from ..parallel import launch
from ..runs import launching
from . import gpu, parallel, phases, profile, report, scaling
from .contenders import choose, reason
from .host import Host
from .measure import Bench
from .ours import Minialex
from .rivals import RIVALS
from .workloads import SHARED_OUT, TWO_GPUS, WORKLOADS

DESCRIPTION = """\
Time the training step (forward, loss, backward, SGD with momentum) and the forward pass of whole networks, and each
layer alone, on every backend that runs here and on torch if it is installed, in turn and with the same number of
threads. Prints images/s, GFLOP/s, the speed relative to torch in eager mode ("torch-eager"), the floor set by the
machine's measured peak and bandwidth, and the peak memory of a training process. Close other programs first.

--backend cupy measures on the GPU instead: minialex's CUDA kernels and torch with cuDNN in the same run, once for each
precision of matrix products. Layers are timed by the GPU's own clock and compared with the bandwidth of a copy, and
the memory that each library takes from the GPU is measured.

--parallel measures training on several ranks instead, processes that are connected by MPI: the same step of one process
with all threads, and shared out as train --parallel data, hybrid and towers do, with fewer threads for each rank; what
it sends, how long that takes, how much of it is hidden behind backward. From the measured latency and bandwidth a model
predicts these times, and those of more ranks on faster and slower networks, of the two GPUs of the 2012 paper, too."""

EXAMPLES = """\
examples:
  python -m minialex.bench
  python -m minialex.bench --model alexnet --batch-size 32 --rival torch-eager --json bench.json --plot bench.png
  python -m minialex.bench --model cifar_quick --backend numpy --rival none --profile
  python -m minialex.bench --backend cupy --matmul-precision tf32 --json gpu.json
  python -m minialex.bench --loader ~/imagenet --backend numba
  python -m minialex.bench --parallel --model cifar_quick --plot scaling.png
  python -m minialex.bench --parallel --model alexnet_2012 --seconds-per-picture 0.0005 --link 100:5 --scaling strong
  python -m minialex.bench --quick"""


def main(argv=None):
    """Run the command: measure and report, network by network. argv: the arguments, sys.argv's if None."""
    options = _options(argv)
    threads.set_count(options.threads)
    if options.parallel:
        return parallel.run(options, _say, _status)
    device = _device(options)
    contenders = choose(device, options.backend, options.rival, _say)
    machine = device.measure(options.quick)
    _say(report.header(machine, [c.name for c in contenders], options.repeat))
    if options.loader:
        return _loader(options, contenders, device, machine)
    results: list = []
    try:
        for workload, with_layers, batch_size, precision in _plan(options, device):
            bench = Bench(contenders, device, precision, options.repeat, _say, _status)
            try:
                result = bench.network(workload, batch_size)
                _say("\n" + report.network(result))
                if options.layers and with_layers:
                    result["layers"] = bench.layers(workload, batch_size)
                    _say("\n" + report.layers(result))
                if options.profile:
                    result["profile"] = _profiles(contenders, workload, batch_size, device.clock)
                    _say("\n" + report.profiles(result))
            except device.out_of_memory as error:
                _say(f"{workload.name}, batches of {batch_size}: left out ({reason(error)})")
                continue
            finally:
                device.free()
            results.append(result)
            _keep(options, machine, results)
    finally:
        _status("")


def _loader(options, contenders, device, machine):
    """--loader: the speed of the data loader and of the network it feeds."""
    from . import loader  # here, since nothing else needs Pillow

    batch_size, pictures = (options.batch_size or [128])[0], 64 if options.quick else 512
    bench = loader.LoaderBench(
        options.loader, contenders, device, batch_size, options.threads, options.repeat, pictures, _status
    )
    with cli.as_user_error():
        try:
            result = bench.measure()
        finally:
            _status("")
    _say("\n" + loader.text(result))
    if options.json:
        report.write_json(options.json, machine, options.repeat, loader=result)


def _device(options):
    """The device of the chosen backends; UserError for CPU and GPU backends together."""
    if "cupy" not in (options.backend or ()):
        if options.matmul_precision:
            raise cli.UserError("--matmul-precision is for a GPU: it needs --backend cupy")
        return Host(options.threads)
    if set(options.backend) != {"cupy"}:
        raise cli.UserError(
            "--backend cupy is measured alone, on the GPU: measure the other backends in a separate run"
        )
    return gpu.Gpu(options.threads, [*dict.fromkeys(options.matmul_precision or gpu.PRECISIONS)])


def _plan(options, device):
    """Yield (workload, whether its layers are timed, batch size, precision) in the order of measurement."""
    models = options.model or (["cifar_quick"] if options.quick else device.batch_sizes)
    for name in dict.fromkeys(models):
        workload = WORKLOADS[name]
        sizes = options.batch_size or device.batch_sizes.get(name, workload.batch_sizes)
        of_layers = workload.layers_batch_size if workload.layers_batch_size in sizes else sizes[0]
        for batch_size in sizes:
            for precision in device.precisions:
                yield workload, batch_size == of_layers, batch_size, precision


def _profiles(contenders, workload, batch_size, clock):
    """{backend: rows of profile.of_step} for one training step, after one warm-up step."""
    profiles = {}
    for contender in contenders:
        if isinstance(contender, Minialex):
            network = contender.network(workload, batch_size)
            network.step()
            watched = contender.name == "numba"
            with phases.watched(clock) if watched else contextlib.nullcontext(clock) as now:
                profiles[contender.name] = profile.of_step(network, now, phases.PHASES if watched else ())
    return profiles


def _keep(options, machine, results):
    """Write the requested files after every network, so that Ctrl-C does not lose finished measurements."""
    if options.json:
        report.write_json(options.json, machine, options.repeat, networks=results)
    if options.plot:
        from . import chart  # here, since Matplotlib is slow to import

        chart.draw(results, machine, options.plot)


def _say(text):
    """Print to stdout at once, replacing the status line."""
    _status("")
    print(text, flush=True)


def _status(text):
    """Show what is running in the last line of a terminal; "" clears it."""
    if sys.stderr.isatty():
        print(f"\r{text[:79]:79}\r", end="", file=sys.stderr, flush=True)


def _options(argv):
    """The options, with defaults filled in; --quick makes them smaller."""
    options = _parser().parse_args(argv)
    if "none" in (options.rival or ()):
        if set(options.rival) != {"none"}:
            raise cli.UserError("--rival none cannot be combined with another --rival: give it alone or leave it out")
        options.rival = []
    if options.loader:
        for name in ("model", "rival", "plot", "profile"):
            if getattr(options, name):
                raise cli.UserError(f"--loader always times minialex's alexnet, without figures: leave out --{name}")
        options.rival = []
    _check_parallel(options)
    options.batch_size = [*dict.fromkeys(options.batch_size or ([8] if options.quick else []))]
    options.repeat = options.repeat or (1 if options.quick else 5)
    return options


def _check_parallel(options):
    """UserError for options of --parallel without it, and for many processes."""
    if options.parallel:
        options.link = options.link or list(scaling.LINKS)
        return
    for name in ("ranks", "link", "scaling", "seconds_per_picture"):
        if getattr(options, name) not in (None, "weak"):
            raise cli.UserError(f"--{name.replace('_', '-')} goes with --parallel: give both or leave it out")
    if TWO_GPUS.name in (options.model or ()):
        raise cli.UserError(f"--model {TWO_GPUS.name} goes with --parallel: give both, or take alexnet")
    if launch.launched()[1] > 1:
        raise cli.UserError("several processes were started: they are for --parallel; without it, start one")


def _new_file(text):
    """An argparse type: a file to be written, checked before the measurements rather than after."""
    path = Path(cli.file(text))
    if path.is_dir():
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
    usual = f"default: all, on a GPU alexnet, with --parallel {TWO_GPUS.name}, which is for it only, and cifar_quick"
    several("--model", tuple(SHARED_OUT), f"({usual})")
    batches = "; ".join(f"{name} {', '.join(map(str, w.batch_sizes))}" for name, w in WORKLOADS.items())
    on_gpu = f"on a GPU alexnet {', '.join(map(str, gpu.Gpu.batch_sizes['alexnet']))}"
    on_ranks = ", ".join(f"{name} {w.layers_batch_size}" for name, w in SHARED_OUT.items())
    text = f"images per batch; may be repeated (default: {batches}; {on_gpu}; with --parallel {on_ranks})"
    option("--batch-size", "N", text, type=count, action="append")
    several("--backend", backends.available(), "(default: all that run on the CPU here; with --parallel the fastest)")
    several("--rival", (*RIVALS, "none"), "(default: all that run here)")
    several("--matmul-precision", gpu.PRECISIONS, "(default: both; GPU only)")
    text = f"threads of every contender (default: the usable cores, {cores})"
    option("--threads", "N", text, type=count, default=cores)
    option("--repeat", "N", "rounds, whose median is reported (default: 5)", type=count)
    alone = ", ".join(f"{name} {w.layers_batch_size}" for name, w in WORKLOADS.items())
    layers = f"time each layer alone, at one batch size: {alone}, or the first if that is not measured (default: yes)"
    p.add_argument("--layers", action=argparse.BooleanOptionalAction, default=True, help=layers)
    p.add_argument(
        "--profile",
        action="store_true",
        help="show one training step by operation, and what numba's threads do in it (default: no)",
    )
    text = "instead: time loading the images of folder D (as for --dataset folder) and compare with alexnet"
    option("--loader", "D", f"{text} (default: no)", type=cli.folder)
    p.add_argument("--parallel", action="store_true", help="instead: time and predict training on ranks (default: no)")
    text = "ranks of --parallel, beside one process; may be repeated (default: 2 and 4)"
    option("--ranks", "N", text, type=cli.whole_number(2), action="append")
    text = "what the prediction keeps: images on a rank, weak, or in the batch of all ranks, strong (default: weak)"
    p.add_argument("--scaling", choices=scaling.SCALINGS, default="weak", help=text)
    assumed = ", ".join(f"{speed}:{latency}" for speed, latency in scaling.LINKS)
    text = f"a network to predict for, its speed in Gbit/s and its latency; may be repeated (default: {assumed})"
    option("--link", "GBIT:US", text, type=parallel.link, action="append")
    text = "computing time of one image in a training step, such as a GPU's, to predict from; nothing is measured then"
    option("--seconds-per-picture", "S", f"{text} (default: one process's, measured)", type=parallel.seconds)
    option("--json", "FILE", "write all measurements to FILE (default: no)", type=_new_file)
    option(
        "--plot",
        "FILE",
        "draw images/s as bars in FILE, a PNG; with --parallel the efficiency predicted (default: no)",
        type=_new_file,
    )
    quick = "smoke test: one round of cifar_quick in batches of 8, unless other options say otherwise (default: no)"
    p.add_argument("--quick", action="store_true", help=quick)
    return p


if __name__ == "__main__":
    sys.exit(launching.run(main))
