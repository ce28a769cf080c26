"""The autograder archive for Gradescope: two scripts, the secret, and the part of minialex that grades."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import secrets
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

from .. import __version__
from ..support.resources import folder as resource
from . import tree
from .release import write_zip
from .targets import TARGETS

# Other commands, what only students get, and the kernels, which are added for the assignment that needs them.
LEFT_OUT = {
    *("bench", "convert", "look", "plotting", "runs", "summary", "coursework/handouts", "kernels"),
    *("cases.py", "doctor.py", "evaluate.py", "gradcheck.py", "predict.py", "train.py", "coursework/train.py"),
}
MODES = {"setup.sh": 0o755, "run_autograder": 0o755, "secret": 0o600}

SETUP = """\
#!/usr/bin/env bash
# Gradescope runs this once, as root, when it builds the image: it installs Python and what grading needs.
set -euo pipefail
umask 022
autograder=${{AUTOGRADER:-/autograder}}
export DEBIAN_FRONTEND=noninteractive
chmod go-rwx "$autograder/source"  # of the folder alone: what is copied out of it for a submission can be read there
apt-get update
apt-get install -y python{python} python{python}-venv{packages} || apt-get install -y python3 python3-venv{packages}
# A sandbox around submissions. Without it the grader uses what there is, and its report says so.
apt-get install -y bubblewrap libseccomp2 || true

found=
for python in python{python} python3 python3.14 python3.13 python3.12; do
  if "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < {version})' 2>/dev/null; then
    found=$python
    break
  fi
done
if [[ -z $found ]]; then
  echo "minialex needs Python {python} or later with its module venv: choose a base image that has it" >&2
  exit 1
fi
"$found" -m venv "$autograder/venv"
"$autograder/venv/bin/python" -m pip install {requirements}
"$autograder/venv/bin/python" -m pip install pyseccomp || true

# Better an image that is not built than one in which every submission fails.
PYTHONPATH=$autograder/source "$autograder/venv/bin/python" -P -s -c '{check}'
"""

LOAD = """\
import minialex.coursework.__main__
from minialex import coursework
if coursework.assignment("{name}").native:
    from minialex.coursework import kernels
"""
CHECK = f"{LOAD}    kernels.compiler()\n"

# Nothing replaces the first results but those of a grading that has ended.
RUN = """\
#!/usr/bin/env bash
# Gradescope runs this as root for each submission.
umask 022
autograder=${{AUTOGRADER:-/autograder}}
results=$autograder/results/results.json
mkdir -p "$autograder/results"
rm -f "$results.new"
cat >"$results" <<'JSON'
{fallback}
JSON

chmod go-rwx "$autograder/source" "$autograder/source/secret"
secret=$(cat "$autograder/source/secret") && [[ -n $secret ]] &&
  MINIALEX_SECRET=$secret PYTHONPATH=$autograder/source \\
    "$autograder/venv/bin/python" -P -s -m minialex.coursework grade "$autograder/submission" \\
    --assignment {name} --variant {variant} --out "$results.new" &&
  mv -f "$results.new" "$results" ||
  echo "Grading did not finish, so the results say that this submission is to be graded again." >&2
"""

NOT_GRADED = """\
This submission has not been graded: the autograder stopped before it had finished. The fault is the autograder's, and \
the score of 0 says nothing about your work. Please tell your instructor; your submission will be graded again."""


def bundle(assignment, out, variant=0, secret=None):
    """Write an autograder archive for Gradescope: setup.sh, run_autograder, the secret, and what grading needs.

    Its file bundle.json tells the assignment, the variant and the version of minialex.

    assignment: an Assignment.
    out: the .zip file to write.
    variant: the term's.
    secret: seeds the hidden inputs; random if None.

    Returns its path.
    Raises ValueError for a secret that is empty or not one line, FileExistsError where `out` exists, since its secret
    would be lost, and FileNotFoundError where minialex is installed without the hidden checks.
    """
    out = Path(out)
    if out.exists():
        raise FileExistsError(
            f"{out} exists and is not overwritten, since its secret would be lost: choose another name"
        )
    secret = secrets.token_hex(16) if secret is None else secret
    if not secret or secret != secret.strip() or not secret.isprintable():
        raise ValueError(
            "the secret is empty or not one line without spaces around it: choose another, or none for a random one"
        )
    made_for = {"assignment": assignment.name, "variant": variant, "minialex": __version__}
    made = {
        "setup.sh": _setup(assignment).encode(),
        "run_autograder": _run(made_for).encode(),
        "secret": f"{secret}\n".encode(),
        "bundle.json": f"{json.dumps(made_for, indent=2)}\n".encode(),
    }
    write_zip(out, made | _package(assignment), MODES)
    return out


def _setup(assignment):
    project = _project()
    python = project["requires-python"].removeprefix(">=")
    return SETUP.format(
        python=python,
        version=tuple(map(int, python.split("."))),
        packages=" g++" if assignment.native else "",
        requirements=shlex.join(_requirements(assignment, project["dependencies"])),
        check=CHECK.format(name=assignment.name),
    )


def _run(made_for):
    fallback = {
        "score": 0,
        "output": NOT_GRADED,
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "extra_data": made_for | {"graded": False},
    }
    return RUN.format(fallback=json.dumps(fallback, indent=2), name=made_for["assignment"], variant=made_for["variant"])


def _project():
    """The table [project] of pyproject.toml, which is beside the package in a checkout."""
    path = tree.PACKAGE.parent / "pyproject.toml"
    if not path.is_file():
        raise FileNotFoundError(
            "the installed package has no hidden checks, so no autograder can be made from it: call bundle in a "
            "checkout of minialex"
        )
    return tomllib.loads(path.read_text(encoding="utf-8"))["project"]


def _requirements(assignment, dependencies):
    """Those of the project's dependencies that grading imports, found by importing it in a process of its own."""
    code = LOAD.format(name=assignment.name) + "import sys; print(*sys.modules, sep='\\n')"
    environment = os.environ | {"PYTHONPATH": str(tree.PACKAGE.parent)}
    loaded = subprocess.run([sys.executable, "-P", "-c", code], env=environment, capture_output=True, text=True)
    if loaded.returncode:
        raise ValueError(f"grading {assignment.name} cannot be imported here: {loaded.stderr.strip().splitlines()[-1]}")
    packages = {name.partition(".")[0] for name in loaded.stdout.split()}
    projects = importlib.metadata.packages_distributions()
    needed = {project.lower() for package in packages for project in projects.get(package, ())}
    return [text for text in dependencies if re.split(r"[^\w.-]", text)[0].lower() in needed]


def _package(assignment):
    """{name in the archive: bytes} of the package, without the checks of other assignments."""
    others = TARGETS.keys() - {assignment.name}
    made = {}
    for path in sorted(tree.PACKAGE.rglob("*")):
        place = path.relative_to(tree.PACKAGE)
        above = {path.as_posix() for path in (place, *place.parents)}
        of_another = "coursework" in above and not others.isdisjoint(re.split(r"[_./]", place.as_posix()))
        if path.is_file() and path.suffix in (".py", ".toml") and not of_another and not above & LEFT_OUT:
            made[f"minialex/{place.as_posix()}"] = path.read_bytes()
    for path in sorted(resource("kernels").iterdir()) if assignment.native else ():
        if path.suffix != ".md":
            made[f"minialex/kernels/{path.name}"] = path.read_bytes()
    return made
