"""A learner's progress: which exercises are solved, and how many hints they took. One small file of JSON.

    {"format": 1, "exercises": {"1.1": {"solved": true, "hints": 0}, "1.2": {"solved": false, "hints": 2}}}

The environment variable MINIALEX_LEARNER names another file than the usual one.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from pathlib import Path
from typing import NamedTuple

from ..support import files, lock

FORMAT = 1
LARGEST = 1_000_000  # bytes: some hundred exercises take ten thousand
PATIENCE = 2.0  # seconds to wait for another notebook that writes at the same time
_NAME = re.compile(r"\d{1,3}\.\d{1,3}")


class Record(NamedTuple):
    """What is known of one exercise.

    solved: whether a right answer was given.
    hints: how many of its three hints were shown.
    """

    solved: bool = False
    hints: int = 0


def path():
    """Path of the file. Raises FileNotFoundError where the user has no home folder."""
    import platformdirs  # here, so that computing needs nothing but NumPy

    if os.environ.get("MINIALEX_LEARNER"):
        return files.expanded(os.environ["MINIALEX_LEARNER"])
    try:
        folder = platformdirs.user_data_path("minialex")
    except RuntimeError:
        folder = Path("~")
    if not folder.is_absolute():
        raise FileNotFoundError(
            "the user has no home folder for a learner's progress: set HOME, or MINIALEX_LEARNER to a file"
        )
    return folder / "tutorials.json"


def read():
    """{name of an exercise: Record}, in the order of the lessons; {} where there is no file yet.

    Raises ValueError, naming the file, where it is not a learner's progress.
    """
    place = path()
    try:
        with open(place, "rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        return {}
    try:
        found = json.loads(data) if len(data) <= LARGEST else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("format") != FORMAT or not isinstance(found.get("exercises"), dict):
        raise ValueError(f"{place} is not a learner's progress of this version; move it away to begin anew")
    records = {name: _record(value, name, place) for name, value in found["exercises"].items()}
    return dict(sorted(records.items(), key=lambda item: [int(part) for part in item[0].split(".")]))


def _record(value, name, place):
    solved, hints = (value.get(field) for field in Record._fields) if isinstance(value, dict) else (None, None)
    if not (_NAME.fullmatch(name) and isinstance(solved, bool) and type(hints) is int and 0 <= hints <= 3):
        raise ValueError(f"{place}: exercise {name[:20]!r} needs solved, true or false, and hints, from 0 to 3")
    return Record(solved, hints)


def note(name, solved=False, hints=0):
    """Add to what is known of one exercise: it stays solved, and the largest number of hints counts.

    name: such as "2.3".

    Returns its Record. The file is written beside and renamed, and other notebooks that write meanwhile lose nothing.
    Raises ValueError as `read`, OSError where it cannot be written.
    """
    place = path()
    with _alone(place.parent):
        records = read()
        before = records.get(name, Record())
        after = Record(before.solved or solved, max(before.hints, hints))
        if after != before:
            records[name] = after
            _write(place, records)
    return after


def reset():
    """Forget everything; returns how many exercises had been solved. The file is kept beside, with .old at its name."""
    place = path()
    with _alone(place.parent):
        solved = sum(record.solved for record in read().values())
        if place.exists():
            os.replace(place, place.with_name(f"{place.name}.old"))
    return solved


def _write(place, records):
    exercises = {name: record._asdict() for name, record in records.items()}
    files.write_text(place, json.dumps({"format": FORMAT, "exercises": exercises}, indent=1) + "\n")


@contextlib.contextmanager
def _alone(folder):
    """A context with the lock of the folder, for which this waits a moment. Raises lock.Held after that."""
    held = lock.Lock(folder, "noting progress in")
    end = time.monotonic() + PATIENCE
    while not held.is_held:
        try:
            held.acquire()
        except lock.Held:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
    try:
        yield
    finally:
        held.release()
