"""`python -m minialex.bench --parallel`: training steps on several ranks beside one process, and a model of more ranks.

The command starts its ranks with mpiexec (ranks.py has what they do), or uses those that it was started in.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from .. import __version__, backends, cli
from ..parallel import launch
from ..parallel.group import Group
from ..support.errors import as_user_error
from . import parallel_report, report, scaling
from .host import Host
from .workloads import SHARED_OUT, TWO_GPUS

DEFAULT = (TWO_GPUS.name, "cifar_quick")
RANKS = (2, 4)
ALONE = ("rival", "loader", "profile", "matmul_precision")  # options that --parallel has no use for


def run(options, say, status):
    """Measure, predict and report. options: the command's; say, status: print a text, show what is being done."""
    _check(options)
    if options.seconds_per_picture is None:
        measured = _measured(options, say, status)
        if measured is None:
            return  # the first rank speaks
    else:
        measured = None
        say(f"minialex {__version__}: predictions, from {options.seconds_per_picture:g} s of computing for a picture")
    models = [_model(options, name, size, measured) for name, size in _plan(options)["networks"]]
    for model in models:
        say("\n" + parallel_report.scaled(model, options.link))
    say("\n" + parallel_report.SCALED)
    say("\n" + parallel_report.paper())
    if options.plot:
        from . import scaling_chart  # here, since Matplotlib is slow to import

        scaling_chart.draw(models, options.link, options.plot)


def _measured(options, say, status):
    """Measure on ranks, report it and return it; None on ranks other than the first."""
    world = launch.world() if launch.launched()[1] > 1 else Group()
    plan, mpiexec = _plan(options, world.size), _mpiexec() if world.size == 1 else None
    if not world.rank:
        machine = Host(options.threads).measure(options.quick)
        say(report.header(machine, ("one process", *parallel_report.SCHEMES), options.repeat))
    try:
        measured = _started(mpiexec, plan, status) if mpiexec else _in(world, plan, status)
    finally:
        status("")
    if world.rank:
        return None
    if options.json:
        report.write_json(options.json, machine, options.repeat, parallel=measured)
    with as_user_error():  # times of which no bandwidth can be told
        links = parallel_report.fitted(measured["engine"])
    say("\n" + parallel_report.engine(measured["engine"], links))
    for result in measured["networks"]:
        say("\n" + parallel_report.network(result, links))
    say("\n" + parallel_report.MEASURED)
    return measured


def _check(options):
    """UserError for options that do not belong together."""
    for name in ALONE:
        if getattr(options, name):
            raise cli.UserError(f"--parallel times minialex alone, on processors: leave out --{name.replace('_', '-')}")
    if len(options.backend or ()) > 1 or options.backend == ["cupy"]:
        raise cli.UserError("--parallel times one backend of the CPU at a time: give one --backend, numba or numpy")
    if options.json and options.seconds_per_picture is not None:
        raise cli.UserError("--json keeps measurements, and with --seconds-per-picture there are none: leave out one")


def _in(world, plan, status):
    """Measure on the ranks that this process was started in."""
    from . import ranks  # here, since it needs MPI

    return ranks.measure(world, plan, status)


def _plan(options, started=1):
    """What the ranks are to do, as ranks.measure takes it. started: how many processes there are; one starts more."""
    usual = RANKS if started == 1 else [size for size in RANKS if size <= started]
    wanted = sorted(set(options.ranks or usual))
    if 1 < started < wanted[-1]:
        raise cli.UserError(f"--ranks {wanted[-1]} needs as many processes, and {started} were started")
    names = options.model or (["cifar_quick"] if options.quick else DEFAULT)
    networks = [
        (name, size)
        for name in dict.fromkeys(names)
        for size in options.batch_size or [SHARED_OUT[name].layers_batch_size]
    ]
    return {
        "networks": networks,
        "ranks": wanted,
        "threads": options.threads,
        "repeat": options.repeat,
        "backend": options.backend[0] if options.backend else backends.fastest(),
    }


def _started(mpiexec, plan, status):
    """Start the ranks and return what they have measured. Raises UserError where one of them fails."""
    command = [mpiexec, "-n", str(plan["ranks"][-1]), sys.executable, "-m", "minialex.bench.ranks", json.dumps(plan)]
    result = None
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            said = json.loads(line)
            status(said.get("status", ""))
            result = said.get("result")
    if process.returncode or result is None:
        raise cli.UserError(f"the ranks ended with exit code {process.returncode}: what they said stands above")
    return result


def _mpiexec():
    """The mpiexec beside python, whose MPI is mpi4py's, or that of the PATH."""
    beside = Path(sysconfig.get_path("scripts")) / "mpiexec"
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    if not found or not importlib.util.find_spec("mpi4py"):
        missing = "mpiexec" if not found else "mpi4py"
        raise cli.UserError(
            f"--parallel starts processes that talk to each other over MPI, and there is no {missing}: pip install "
            "mpi4py mpich; or predict only, with --seconds-per-picture S"
        )
    return found


def _model(options, name, size, measured):
    """The scaling.Model of a network, with the time of a picture that is given, or was measured in one process."""
    seconds = options.seconds_per_picture
    if measured:
        results = (r for r in measured["networks"] if (r["network"], r["batch_size"]) == (name, size))
        seconds = next(results)["rows"][0]["seconds"] / size
    return scaling.Model(SHARED_OUT[name], size, options.scaling, seconds)


def link(text):
    """An argparse type: GBIT:MICROSECONDS as a pair of numbers, the first above 0. text: the option's value."""
    speed, sign, latency = text.partition(":")
    try:
        pair = float(speed), float(latency)
    except ValueError:
        pair = (0.0, 0.0)
    if not (sign and 0 < pair[0] < float("inf") and 0 <= pair[1] < float("inf")):
        raise argparse.ArgumentTypeError(f"{text!r} is not GBIT:MICROSECONDS, such as 100:5")
    return pair


def seconds(text):
    """An argparse type: a number of seconds above 0. text: the option's value."""
    value = cli.real_number(0)(text)
    if not value:
        raise argparse.ArgumentTypeError("computing takes more than 0 seconds, such as 0.0005")
    return value
