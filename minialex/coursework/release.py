"""What instructors hand out: the students' folder or archive, Gradescope's autograder, and the rubric."""

from __future__ import annotations

import io
import json
import secrets
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

SETUP = """\
#!/usr/bin/env bash
# Gradescope runs this once, as root, when it builds the image: installs Python 3.11 or later, NumPy{compiler}.
set -euo pipefail
autograder=${{AUTOGRADER:-/autograder}}
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y python3.11 python3.11-venv{packages} || apt-get install -y python3 python3-venv{packages}
python=$(command -v python3.11 || command -v python3)
"$python" -m venv "$autograder/venv"
"$autograder/venv/bin/pip" install 'numpy>=2'
"""

RUN = """\
#!/usr/bin/env bash
# Gradescope runs this as root for each submission.
autograder=${{AUTOGRADER:-/autograder}}
chmod -R go-rwx "$autograder/source"
MINIALEX_SECRET=$(cat "$autograder/source/secret") PYTHONPATH=$autograder/source \\
  "$autograder/venv/bin/python" -m minialex.coursework grade "$autograder/submission" \\
  --assignment {name} --variant {variant} --out "$autograder/results/results.json"
"""


def contents(assignment, variant=0):
    """The files of a student's folder: skeleton, handout, written questions and public tests.

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
        _write_zip(out, {f"{assignment.name}/{name}": data for name, data in made.items()})
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


def bundle(assignment, out, variant=0, secret=None):
    """Write an autograder archive for Gradescope: setup.sh, run_autograder, the secret, and the package itself.

    assignment: an Assignment.
    out: the .zip file to write.
    variant: the term's.
    secret: seeds the hidden inputs; random if None.

    Returns its path.
    """
    native = assignment.prepare is not None
    made = {
        "setup.sh": SETUP.format(compiler=" and a compiler" * native, packages=" g++" * native).encode(),
        "run_autograder": RUN.format(name=assignment.name, variant=variant).encode(),
        "secret": (secret or secrets.token_hex(16)).encode(),
    }
    for path in sorted(tree.PACKAGE.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            made[f"minialex/{path.relative_to(tree.PACKAGE)}"] = path.read_bytes()
    for path in sorted(resource("kernels").rglob("*")):
        if path.is_file():
            made[f"minialex/kernels/{path.relative_to(resource('kernels'))}"] = path.read_bytes()
    _write_zip(Path(out), made)
    return Path(out)


def _write_zip(path, made):
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in made.items():
            entry = zipfile.ZipInfo(name)  # dated 1980, so that the same contents give the same archive
            entry.external_attr = (0o755 if name in ("setup.sh", "run_autograder") else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    with files.replacing(path) as file:
        file.write(memory.getvalue())
