"""The lessons of a checkout: their titles, their exercises, and a learner's own copies of the notebooks."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from ..support.resources import checkout
from . import learner

WORK = "work"  # the folder of copies, which git ignores
_SOURCE = re.compile(r"[0-9]{2}_\w+\.py")
_EXERCISE = re.compile(r"^# ### Exercise (\d+\.\d+) (★{1,3}) (.+)$", re.MULTILINE)


class Exercise(NamedTuple):
    """name: such as "2.3"; stars: its difficulty, from 1 to 3; title: a few words."""

    name: str
    stars: int
    title: str


class Lesson(NamedTuple):
    """path: of the source; number, title, question: of its first cell; exercises: in order."""

    path: Path
    number: int
    title: str
    question: str
    exercises: tuple[Exercise, ...]


def folder():
    """The checkout's folder tutorials/. Raises FileNotFoundError, which says where to get one, if there is none."""
    found = checkout()
    if found is None or not (found / "tutorials" / "lesson.py").is_file():
        raise FileNotFoundError(
            "the lessons are not part of the installed package: get the source of minialex, which has the folder "
            "tutorials/, and run  pip install -e '.[tutorials]'  in it"
        )
    return found / "tutorials"


def read(place):
    """The Lessons of a folder, in order. Their files are only read, never executed. ValueError without a title."""
    return [_read(path) for path in sorted(place.iterdir()) if _SOURCE.fullmatch(path.name)]


def _read(path):
    text = path.read_text(encoding="utf-8")
    opening = re.match(r"# %% \[markdown\]\n# # \d+\. (.+)\n#\n((?:# .+\n)+)", text)
    if opening is None:
        raise ValueError(f"{path} does not begin with a lesson's number, title and question")
    title, question = opening[1], re.sub(r"\n?# ", " ", opening[2]).strip(" \n*")
    exercises = tuple(Exercise(name, len(stars), words) for name, stars, words in _EXERCISE.findall(text))
    return Lesson(path, int(path.stem[:2]), title, question, exercises)


def table(lessons, records):
    """The lines of the overview.

    lessons: Lessons.
    records: {name: learner.Record}.
    """
    rows, todo = [], None
    for lesson in lessons:
        marks = []
        for exercise in lesson.exercises:
            record = records.get(exercise.name, learner.Record())
            marks.append("●" if record.solved else "○")
            todo = todo or (None if record.solved else exercise)
        hints = sum(records.get(exercise.name, learner.Record()).hints for exercise in lesson.exercises)
        words = f"{hints} hint{'s' * (hints != 1)}" if hints else ""
        rows.append(f"{lesson.number:3}  {lesson.title:<28} {' '.join(marks):<11} {words}".rstrip())
    solved = sum(records.get(e.name, learner.Record()).solved for lesson in lessons for e in lesson.exercises)
    rows.append(f"\n{solved} of {sum(len(lesson.exercises) for lesson in lessons)} exercises solved")
    if todo:
        rows.append(f"next: {todo.name} {'★' * todo.stars} {todo.title}")
        rows.append(f"      python -m minialex.tutorials --open {todo.name.split('.')[0]}")
    return rows


def copies(place):
    """Copy every notebook that is not there yet into the learner's folder.

    place: the folder of the lessons.

    Returns (the folder of copies, names of those whose lesson has changed since they were made).
    """
    work = place / WORK
    work.mkdir(exist_ok=True)
    old = []
    for notebook in sorted(place.glob("[0-9][0-9]_*.ipynb")):
        own = work / notebook.name
        if not own.exists():
            shutil.copyfile(notebook, own)
        elif _source(own) != _source(notebook):
            old.append(own.name)
    return work, old


def _source(notebook):
    """The hash of the source that a notebook was made from; None where it does not say."""
    try:
        return json.loads(notebook.read_bytes())["metadata"]["minialex"]["sha256"]
    except (ValueError, KeyError, TypeError):
        return None


def jupyter(place, notebook):
    """Open a notebook in JupyterLab, and return its exit code. Lessons find their modules from any folder.

    Raises ModuleNotFoundError where JupyterLab is not installed.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise ModuleNotFoundError("JupyterLab is not installed: pip install -e '.[tutorials]'")
    paths = [str(place), str(place.parent), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = [sys.executable, "-m", "jupyterlab", str(notebook)]
    return subprocess.run(command, env=environment, check=False).returncode
