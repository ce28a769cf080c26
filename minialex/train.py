"""`python -m minialex.train`: train a network and leave a run folder."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import time

from . import checkpoint, cli, trained, trainer
from .configuration import Configuration, parser
from .run import Run, say
from .run_folder import RunFolder

# What may change when a run goes on: how long it is, where the data lies, and how many threads work for it.
RESUMABLE = ("resume", "epochs", "data_dir", "val_labels", "threads", "workers")


def main(argv=None):
    """Train as the options say; the exit code."""
    options = parser().parse_args(argv)
    opened = _reopen if options.resume else _start
    run = Run(*opened(options))  # nothing here keeps the checkpoints, which are as large as the network
    with cli.Interrupt() as interrupt, _troubles_in_words(run.folder), run.backend.announcing(say):
        say(run.header())
        try:
            if run.configuration.overfit and not run.has_begun and not run.learns_by_heart(interrupt):
                return 1
            run.train(interrupt)
            run.test(interrupt)
        except cli.Interrupted as signal:
            run.stop()
            return signal.exit_code
    return 0


@contextlib.contextmanager
def _troubles_in_words(folder):
    try:
        yield
    except trainer.Diverged as error:
        left = f"the last good checkpoint is {folder.last}" if folder.last.exists() else "no checkpoint was saved yet"
        raise cli.UserError(f"{error}; {left}") from error
    except MemoryError as error:
        raise cli.UserError(
            f"out of memory ({error}): try a smaller --batch-size, with --accumulate for the same steps"
        ) from error


def _start(options):
    """A new run: what Run takes, with no checkpoint."""
    with cli.blame_input():
        start = trained.load(options.weights) if options.weights else None
        if start and options.model not in (None, start.checkpoint.model):
            raise ValueError(f"{start.path} holds the weights of '{start.checkpoint.model}', not of '{options.model}'")
        options.model = start.checkpoint.model if start else options.model
        configuration = Configuration.from_options(options)
    name = f"{configuration.model}-{configuration.training.dataset}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder = RunFolder.create(options.out or os.path.join("runs", name))
    return configuration, folder, None, start, bool(options.download)


def _reopen(options):
    """An earlier run: what Run takes, with its checkpoint if it came that far, else what it began with."""
    for name, value in vars(options).items():
        if value is not None and name not in RESUMABLE:
            allowed = [f"--{other.replace('_', '-')}" for other in RESUMABLE if other != "resume"]
            raise cli.UserError(
                f"--{name.replace('_', '-')} cannot be changed when a run goes on; leave it out, or "
                f"start a new run (only {', '.join(allowed[:-1])} and {allowed[-1]} go with --resume)"
            )
    folder, start = RunFolder.open(options.resume), None
    with cli.blame_input():
        configuration = folder.read_configuration(Configuration.from_dict)
        saved = checkpoint.load(folder.last, model=configuration.model) if folder.last.exists() else None
        if configuration.weights and not saved:
            start = trained.load(configuration.weights)
    if saved and not saved.training:
        raise cli.UserError(f"{folder.last} has weights but no state of training, as best.npz: it cannot go on")
    for name in ("data_dir", "val_labels"):
        if path := getattr(options, name):
            setattr(configuration, name, os.path.abspath(path))
    configuration.threads = options.threads or configuration.threads
    configuration.workers = options.workers or configuration.workers
    if options.epochs:
        finished = saved.training["epoch"] if saved else 0
        if options.epochs < finished:
            raise cli.UserError(f"the run has done {finished} epochs already: --epochs must be {finished} or more")
        configuration.training = dataclasses.replace(configuration.training, epochs=options.epochs)
    with cli.blame_input():
        configuration.check_source()
    return configuration, folder, saved, start


if __name__ == "__main__":
    sys.exit(cli.run(main))
