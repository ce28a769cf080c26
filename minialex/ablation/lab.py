"""The lab: the runs of an experiment, one after another, in one folder.

OUT/experiment.json           the experiment; a command with another one is refused
OUT/lrn-seed0/                the folder of a run, as `train` leaves it
OUT/lrn-seed0/result.json     how it ended; a run that has one is not trained again
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from .. import cli
from ..runs.configuration import Configuration
from ..runs.folder import RunFolder
from ..runs.run import Run
from ..support import files, lock, schema
from ..support.errors import UserError, as_user_error
from ..support.schema import AtLeast, AtMost, Finite, OneOf
from ..support.types import FileName
from ..training.trainer import Diverged
from .experiment import Experiment, Variant

EXPERIMENT, RESULT = "experiment.json", "result.json"


@dataclass
class Result:
    """How a run ended.

    outcome: "finished" after all epochs, "reached" where the target of a race was reached before, "diverged" where a
        loss or a weight became NaN or infinite.
    train_errors: of each epoch, a share: the mean over its pictures, each as the network was when it was trained on.
    parameters: how many the network has.
    seconds: of training.
    test_error: of the weights of the last epoch, top-1, a share; None where it was not tested.
    note: what made it diverge.
    """

    outcome: Annotated[str, OneOf("finished", "reached", "diverged")]
    train_errors: Annotated[list[float], AtLeast(0), AtMost(1)]
    parameters: Annotated[int, AtLeast(0)]
    seconds: Annotated[float, AtLeast(0), Finite()]
    test_error: Annotated[float | None, AtLeast(0), AtMost(1)] = None
    note: str = ""


class Lab:
    """Trains the runs of an experiment, and keeps their results.

        with Lab(folder, experiment, command, runs=6, interrupt=interrupt, say=print) as lab:
            result = lab.result("lrn-seed0", variant, seed=0)

    folder: OUT.
    experiment: an Experiment.
    command: the command line that began it, for messages.
    runs: how many there will be.
    interrupt: a cli.Interrupt.
    say: a function that is called with each line of output.
    machine: data_dir, threads and download.

    Raises UserError where OUT is another process's, or holds another experiment.
    """

    def __init__(
        self, folder: FileName, experiment: Experiment, command: str, *, runs: int, interrupt: cli.Interrupt,
        say: Callable[[str], object], **machine: Any,
    ) -> None:  # fmt: skip
        self.folder, self.experiment, self.command = Path(folder), experiment, command
        self.runs, self.interrupt, self.say, self.machine = runs, interrupt, say, machine
        self._lock = lock.Lock(self.folder, "running an experiment in")
        self._done: dict[str, Result] = {}

    def __enter__(self) -> Lab:
        if self.folder.exists() and not self.folder.is_dir():
            raise UserError(f"{self.folder} is not a folder: choose another one with out=...")
        with as_user_error():
            self._lock.acquire()
        try:
            self._claim()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    def _claim(self):
        """Write experiment.json, or compare the one that is there."""
        path, now = self.folder / EXPERIMENT, json.loads(json.dumps(self.experiment.to_dict()))
        ours = {self.folder / lock.NAME, path, *files.leftovers(self.folder, (EXPERIMENT,))}
        is_new = not {*self.folder.iterdir()} - ours  # or its first run could not begin
        if is_new or not path.exists():
            if not is_new:
                raise UserError(f"{self.folder} is not empty, and has no {EXPERIMENT}: choose another one with out=...")
            files.write_text(path, json.dumps({"command": self.command, "experiment": now}, indent=2) + "\n")
            return
        with as_user_error(f"{path} "):
            saved = schema.from_json_file(path)
        with as_user_error(f"{path}: "):
            saved = schema.read(dict[str, Any], saved)
            command, before = (
                schema.read(str, saved.get("command")),
                schema.read(dict[str, Any], saved.get("experiment")),
            )
        for name in now:
            if now[name] != before.get(name):
                raise UserError(
                    f"{self.folder} holds another experiment, with {name} {json.dumps(before.get(name))}, not "
                    f"{json.dumps(now[name])}: choose another folder with out=..., or continue it with: {command}"
                )

    def result(
        self, name: str, variant: Variant, seed: int, lr: float | None = None, *, test: bool = True,
        enough: Callable[[list[dict[str, Any]]], bool] | None = None,
    ) -> Result:  # fmt: skip
        """The Result of a run, which is trained, or continued, unless it has one.

        name: of its folder in OUT.
        variant, seed, lr: as in Experiment.configuration.
        test: whether to evaluate it on the test pictures.
        enough: as in Run.train.

        Raises cli.Interrupted, with everything saved, after Ctrl-C.
        """
        self.interrupt.check()  # a signal may have come between two runs
        result = self._read(name)
        if result is None:
            self.say(f"run {len(self._done) + 1} of {self.runs}: {name}{self._time_left()}")
            result = self._train(name, variant, seed, lr, test, enough)
            files.write_text(self.folder / name / RESULT, json.dumps(asdict(result), indent=2) + "\n")
            self.say(f"  {told(result)}, {result.seconds:.0f} s")
        self._done[name] = result
        return result

    def _read(self, name):
        path = self.folder / name / RESULT
        if not path.is_file():
            return None
        with as_user_error(f"{path} is damaged, remove it: it "):
            values = schema.from_json_file(path)
        with as_user_error(f"{path} is damaged, remove it: "):
            return schema.build(Result, values)

    def _train(self, name, variant, seed, lr, test, enough):
        with self._opened(name, self.experiment.configuration(variant, seed, lr, **self._machine())) as run:
            outcome, note, tested = "finished", "", None
            try:
                run.train(self.interrupt, enough)
                outcome = "finished" if run.trainer.epoch == run.configuration.recipe.epochs else "reached"
                tested = run.test(self.interrupt.watch) if test else None
            except Diverged as error:
                outcome, note = "diverged", str(error)
            except cli.Interrupted:
                run.save()
                raise
            history = run.trainer.history
            return Result(
                outcome,
                [row["train_error"] for row in history],
                sum(p.numel() for p in run.model.parameters()),
                sum(row["seconds"] for row in history),
                tested.top1_error if tested else None,
                note,
            )

    @contextlib.contextmanager
    def _opened(self, name: str, configuration: Configuration) -> Iterator[Run]:
        """The Run in a folder, new or where it stopped, while the block runs."""
        path = self.folder / name
        if (path / "config.json").is_file():
            run = Run.resume(path, say=_quietly, **self._machine())
        else:
            folder = RunFolder.create(path)
            with folder.released_on_error():
                run = Run(configuration, folder, download=self.machine.get("download", False), say=_quietly)
        with run.folder, run.backend.announcing(self.say):
            yield run

    def _machine(self):
        return {name: self.machine.get(name) for name in ("data_dir", "threads") if self.machine.get(name) is not None}

    def _time_left(self):
        """What is left by the mean of the runs so far, and when it ends; "" before the first has ended."""
        if not self._done:
            return ""
        seconds = sum(result.seconds for result in self._done.values()) / len(self._done)
        left = seconds * (self.runs - len(self._done))
        end = time.localtime(time.time() + left)
        day = "" if end[:3] == time.localtime()[:3] else time.strftime("%Y-%m-%d ", end)
        return f" (about {max(left / 60, 1):.0f} min left, until {day}{time.strftime('%H:%M', end)})"


def told(result: Result) -> str:
    """The end of a run in words; result: its Result."""
    epochs = len(result.train_errors)
    if result.outcome == "diverged":
        return f"diverged in epoch {epochs + 1}"
    errors = f"training error {100 * result.train_errors[-1]:.1f} % in epoch {epochs}"
    return errors if result.test_error is None else f"test error {100 * result.test_error:.1f} %, {errors}"


def _quietly(text):
    """The lines of single runs are not shown."""
