"""What instructors hand out: the students' folder or archive, and the questions of the written part."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import zipfile
from pathlib import Path

from .. import __version__
from ..support import files
from ..support.resources import folder as resource
from . import DESCRIPTION, tree
from .declaration import WRITTEN

PUBLIC_TESTS = '''\
"""The public checks of {name}, {title}. Run `python -m pytest` or `python -m minialex.coursework check .` here."""

from pathlib import Path

import pytest

from minialex.coursework import student

HERE = Path(__file__).parent


@pytest.mark.parametrize("check", student.public_checks(HERE), ids=lambda check: check.name)
def test_public(check):
    message = student.public_fault(HERE, check)
    assert not message, message
'''


def contents(assignment, variant=0):
    """The files of a student's folder: skeleton, handout, written questions and public tests.

    None of them contains a function that this or any other assignment asks for.

    assignment: an Assignment.
    variant: the term's.

    Returns {file name: bytes}.
    """
    made = {name: source.encode() for name, source in tree.skeleton(assignment).items()}
    for path in sorted((resource("handouts") / assignment.name).iterdir()):
        if path.suffix in (".md", ".png"):
            made[path.name] = path.read_bytes()
    made["written.md"] = written(assignment).encode()
    made["test_public.py"] = PUBLIC_TESTS.format(name=assignment.name, title=assignment.title).encode()
    description = {"assignment": assignment.name, "variant": variant, "minialex": __version__}
    made[DESCRIPTION] = f"{json.dumps(description, indent=2)}\n".encode()
    return made


def release(assignment, out, variant=0):
    """Write the students' folder, or an archive of it.

    assignment: an Assignment.
    out: the new folder, or an archive if the name ends in .zip.
    variant: the term's.

    Returns its path.
    Raises FileExistsError where `out` exists and is not an empty folder.
    """
    out, made = Path(out), contents(assignment, variant)
    if out.suffix == ".zip":
        if out.exists():
            raise FileExistsError(f"{out} exists and is not overwritten: choose another name")
        write_zip(out, {f"{assignment.name}/{name}": data for name, data in made.items()})
        return out
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"{out} exists and is not empty: choose another folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:  # write everything or nothing
        for name, data in made.items():
            (beside / name).write_bytes(data)
        beside.chmod(0o755)
        beside.replace(out)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return out


def written(assignment, rubric=False):
    """The questions of the written part as Markdown. assignment: an Assignment; rubric: with what earns the points."""
    lines = [f"# {assignment.name.upper()}: the written part ({WRITTEN} points)"]
    for number, question in enumerate(assignment.written, 1):
        lines += ["", f"## Question {number} ({question.points} points)", "", question.text, ""]
        lines += [f"- [ ] {line}" for line in question.rubric] if rubric else ["Your answer:"]
    return "\n".join(lines) + "\n"


def write_zip(path, made, modes=None):
    """Write an archive whose bytes depend on its contents alone.

    path: of the .zip file.
    made: {name: bytes}.
    modes: {name: permissions} of files that are not to have 0o644.
    """
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in made.items():
            entry = zipfile.ZipInfo(name)  # dated 1980, so that the same contents give the same archive
            entry.create_system = 3  # Unix, wherever it is made: the permissions count
            entry.external_attr = (0o100000 | (modes or {}).get(name, 0o644)) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    with files.replacing(path) as file:
        file.write(memory.getvalue())
