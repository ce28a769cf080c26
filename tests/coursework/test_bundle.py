"""Gradescope's autograder: what is in the archive, and its two scripts where and how Gradescope runs them."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from wrong_solutions import own, put

from minialex import __version__, cli, coursework
from minialex.coursework import NAMES, gradescope, tree
from minialex.coursework.__main__ import main

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Gradescope's machines run Linux")
A1 = coursework.assignment("a1")
A5 = coursework.assignment("a5")


@pytest.fixture
def imports_nothing(monkeypatch):
    """What grading imports is not looked up, which takes a process of its own."""
    monkeypatch.setattr(gradescope, "_requirements", lambda *_: ["numpy>=2"])


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The autograder of A1 for most tests, made once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gradescope, "_requirements", lambda *_: ["numpy>=2"])
        return gradescope.bundle(A1, tmp_path_factory.mktemp("archive") / "a1.zip", 2, "known")


def unpacked(archive, place):
    """The folder that Gradescope makes of an archive, with an empty submission."""
    for folder in ("source", "submission", "results"):
        (place / folder).mkdir(parents=True)
    with zipfile.ZipFile(archive) as file:
        for entry in file.infolist():
            Path(file.extract(entry, place / "source")).chmod(entry.external_attr >> 16 & 0o777)
    shutil.copy(place / "source" / "run_autograder", place)
    (place / "submission_metadata.json").write_text('{"id": 1, "users": []}')
    return place


def executable(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def environment(place, *folders, **more):
    """Of Gradescope's scripts: nothing of this process's Python, and programs only of these folders and the system."""
    theirs = ("PYTHON", "VIRTUAL_ENV", "MINIALEX", "COV_")
    own_ = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
    path = os.pathsep.join([*map(str, folders), os.defpath])
    return own_ | {"PATH": path, "AUTOGRADER": str(place)} | more


def autograded(place):
    """Run run_autograder as Gradescope does; returns (the results, what it printed)."""
    done = subprocess.run(
        [place / "run_autograder"], cwd=place, env=environment(place), capture_output=True, text=True, umask=0o077
    )
    assert done.returncode == 0, done.stderr
    results = place / "results" / "results.json"
    assert results.stat().st_mode & 0o044 == 0o044
    return json.loads(results.read_text()), done.stdout + done.stderr


# ------------------------------------------------------------------------------ the archive


def test_the_archive_holds_what_grading_needs_and_nothing_else(imports_nothing, tmp_path, monkeypatch):
    package = tmp_path / "project" / "minialex"
    needed = {"__init__.py", "tape.py", "training/recipes/paper.toml", "coursework/grade.py", "coursework/a1.py"}
    needed |= {"coursework/kernels.py", "coursework/hidden/__init__.py", "coursework/hidden/a1.py"}
    needless = {"plotting/maps.py", "data/digits.npz", "tape.pyc", "nn/README.md", "train.py", "coursework/train.py"}
    needless |= {"coursework/a2_checks.py", "coursework/hidden/a2.py", "coursework/hidden/a3/inputs.py"}
    needless |= {"coursework/handouts/a1/README.md", "coursework/handouts/figures.py"}
    for name in needed | needless:
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(f"# {name}\n")
    shutil.copy(tree.PACKAGE.parent / "pyproject.toml", package.parent)
    monkeypatch.setattr(tree, "PACKAGE", package)
    gradescope.bundle(A1, tmp_path / "a1.zip")
    with zipfile.ZipFile(tmp_path / "a1.zip") as archive:
        names = {name.removeprefix("minialex/") for name in archive.namelist()}
        modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in archive.infolist()}
    assert names == needed | {"setup.sh", "run_autograder", "secret", "bundle.json"}
    assert modes["secret"] == 0o600 and modes["setup.sh"] == modes["run_autograder"] == 0o755
    assert modes["minialex/tape.py"] == 0o644
    (package.parent / "pyproject.toml").unlink()
    with pytest.raises(FileNotFoundError, match="installed package has no hidden checks.*in a checkout"):
        gradescope.bundle(A1, tmp_path / "installed.zip")
    assert not (tmp_path / "installed.zip").exists()


@pytest.mark.heavy
def test_kernels_and_their_compiler_come_with_a5_alone(archive, imports_nothing, tmp_path):
    a1, a5 = unpacked(archive, tmp_path / "a1"), unpacked(gradescope.bundle(A5, tmp_path / "a5.zip"), tmp_path / "a5")
    assert (a5 / "source/minialex/kernels/lrn.cu").is_file() and not (a1 / "source/minialex/kernels").exists()
    assert (a5 / "source/minialex/coursework/a5_bodies.py").is_file()
    assert not [*(a1 / "source/minialex/coursework").glob("a[2-6]*")]
    for place, compilers in ((a1, 0), (a5, 2)):
        script = place / "source" / "setup.sh"
        subprocess.run(["bash", "-n", script], check=True)
        assert len(re.findall(r"apt-get install .*? g\+\+", script.read_text().replace("||", "\n"))) == compilers


@pytest.mark.heavy
def test_the_same_secret_gives_the_same_archive(imports_nothing, tmp_path, capsys):
    for name, secret in (("one", "s"), ("two", "s"), ("three", "t")):
        main(["bundle", "a1", "--out", str(tmp_path / f"{name}.zip"), "--secret", secret, "--variant", "4"])
    assert f"one.zip: for variant 4, made with minialex {__version__}" in capsys.readouterr().out
    one, two, three = ((tmp_path / f"{name}.zip").read_bytes() for name in ("one", "two", "three"))
    assert one == two != three
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.read("secret") == b"s\n"
        assert json.loads(archive.read("bundle.json")) == {"assignment": "a1", "variant": 4, "minialex": __version__}
    drawn = []
    for name in ("four", "five"):
        main(["bundle", "a1", "--out", str(tmp_path / f"{name}.zip")])
        with zipfile.ZipFile(tmp_path / f"{name}.zip") as archive:
            drawn.append(archive.read("secret"))
    assert drawn[0] != drawn[1] and min(map(len, drawn)) > 30
    with pytest.raises(FileExistsError, match="its secret would be lost"):
        main(["bundle", "a1", "--out", str(tmp_path / "one.zip")])
    assert (tmp_path / "one.zip").read_bytes() == one


@pytest.mark.parametrize("secret", ["", " ", "a\nb", "a ", "a\0b", "\ta"])
def test_a_secret_that_would_not_arrive_is_refused(secret, imports_nothing, tmp_path):
    with pytest.raises(cli.UserError, match="the secret is empty or not one line"):
        main(["bundle", "a1", "--out", str(tmp_path / "a1.zip"), "--secret", secret])
    assert not [*tmp_path.iterdir()]


@pytest.mark.heavy
def test_what_is_installed_is_what_grading_imports(tmp_path, monkeypatch):
    dependencies = gradescope._project()["dependencies"]
    assert {"numpy>=2", "matplotlib", "numba"} < {*dependencies}
    assert gradescope._requirements(A1, dependencies) == ["numpy>=2"]
    a6 = gradescope._requirements(coursework.assignment("a6"), dependencies)
    assert "numpy>=2" in a6 and not {"matplotlib", "numba"} & {*a6}
    monkeypatch.setattr(tree, "PACKAGE", tmp_path / "minialex")
    (tmp_path / "minialex").mkdir()
    (tmp_path / "minialex" / "__init__.py").write_text("import something_else\n")
    with pytest.raises(ValueError, match="grading a1 cannot be imported here: ModuleNotFoundError: .*something_else"):
        gradescope._requirements(A1, dependencies)


# ------------------------------------------------------------------------------ run_autograder


ENDINGS = {  # what the interpreter of the environment does -> whether its results count
    "graded": ("echo '{\"score\": 7}' > $out", True),
    "fails": ("exit 2", False),
    "is killed": ("kill -KILL $$", False),
    "is killed in the middle": ("echo '{\"score\": 3}' > $out; kill -KILL $$", False),
    "fails in the middle": ("echo '{\"score\": 3}' > $out; exit 2", False),
    "writes nothing": ("exit 0", False),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_only_a_grading_that_ended_replaces_the_first_results(ending, archive, tmp_path):
    does, counts = ENDINGS[ending]
    place = unpacked(archive, tmp_path / "autograder")
    last = 'for out; do :; done; echo "$MINIALEX_SECRET $PYTHONPATH $*" > "$0.called"\n'
    python = executable(place / "venv" / "bin" / "python", f"#!/bin/bash\n{last}{does}\n")
    (place / "results" / "results.json").write_text("of an earlier submission")
    report, printed = autograded(place)
    called = f"-P -s -m minialex.coursework grade {place}/submission --assignment a1 --variant 2 --out "
    assert f"known {place}/source {called}{place}/results/" in python.with_name("python.called").read_text()
    if counts:
        assert report == {"score": 7} and not printed
    else:
        not_graded(report)
        assert "graded again" in printed


def not_graded(report):
    """The first results: readable for the student, and to be found by the instructor."""
    assert report["score"] == 0 and report["visibility"] == "visible" and report["stdout_visibility"] == "hidden"
    assert report["extra_data"]["graded"] is False and report["extra_data"]["assignment"] == "a1"
    for words in ("has not been graded", "fault is the autograder's", "tell your instructor", "graded again"):
        assert words in report["output"]


BASE = Path(sys.executable).resolve()  # without what is installed beside these tests
BREAKS = {
    "no environment": lambda place: shutil.rmtree(place / "venv"),
    "no package": lambda place: (place / "source" / "minialex").rename(place / "source" / "gone"),
    "no secret": lambda place: (place / "source" / "secret").unlink(),
    "an empty secret": lambda place: (place / "source" / "secret").write_text("\n"),
    "no folder of results": lambda place: shutil.rmtree(place / "results"),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_a_crash_at_once_leaves_readable_results(broken, archive, tmp_path):
    """No library is installed in this environment: an import fails in any case, and in some other things before it."""
    place = unpacked(archive, tmp_path / "autograder")
    executable(place / "venv" / "bin" / "python", f'#!/bin/sh\nexec "{BASE}" -S "$@"\n')
    BREAKS[broken](place)
    report, printed = autograded(place)
    not_graded(report)
    assert "graded again" in printed


def test_a_kill_of_everything_leaves_readable_results(archive, tmp_path):
    place = unpacked(archive, tmp_path / "autograder")
    python = executable(place / "venv" / "bin" / "python", '#!/bin/sh\ntouch "$0.called"\nsleep 60\n')
    process = subprocess.Popen([place / "run_autograder"], env=environment(place), cwd=place, start_new_session=True)
    until = time.monotonic() + 30
    while not python.with_name("python.called").exists() and time.monotonic() < until:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    not_graded(json.loads((place / "results" / "results.json").read_text()))


# ------------------------------------------------------------------------------ setup.sh


@pytest.fixture(scope="session")
def shelf(tmp_path_factory):
    """A folder of wheels of the libraries that are installed here, so that pip needs no network."""
    folder = tmp_path_factory.mktemp("shelf")
    for project in ("numpy", "pillow"):
        installed = importlib.metadata.distribution(project)
        tag = re.search(r"^Tag: (.*)$", installed.read_text("WHEEL"), re.MULTILINE)[1]
        with zipfile.ZipFile(folder / f"{project}-{installed.version}-{tag}.whl", "w") as wheel:
            for file in installed.files:
                if ".." not in file.parts and file.suffix != ".pyc" and file.locate().is_file():
                    wheel.write(file.locate(), str(file))
    return folder


def set_up(place, shelf, stubs):
    """Run setup.sh as it stands: apt-get is a stub that notes its arguments, Python 3.11 that of these tests."""
    stub = '#!/bin/sh\necho "$*" >> "$0.called"\n'
    executable(stubs / "apt-get", stub)
    executable(stubs / "python3.11", f'#!/bin/sh\nexec "{BASE}" "$@"\n')
    variables = environment(place, stubs, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(shelf))
    done = subprocess.run(
        ["bash", place / "source" / "setup.sh"], cwd=place, env=variables, capture_output=True, text=True, umask=0o077
    )
    return done, (stubs / "apt-get.called").read_text().splitlines()


def installed(place):
    """The projects in the environment that setup.sh made, without pip's own."""
    python = place / "venv" / "bin" / "python"
    code = "import importlib.metadata as m; print(*{d.name.lower() for d in m.distributions()})"
    return set(subprocess.check_output([python, "-I", "-c", code], text=True).split()) - {"pip", "setuptools"}


@pytest.mark.heavy
def test_an_environment_made_by_the_lines_of_setup_grades(shelf, tmp_path):
    place = unpacked(gradescope.bundle(A1, tmp_path / "a1.zip"), tmp_path / "autograder")
    done, called = set_up(place, shelf, tmp_path / "stubs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert called == ["update", "install -y python3.11 python3.11-venv", "install -y bubblewrap libseccomp2"]
    assert installed(place) == {"numpy"}
    sources = own(A1) | {"activation.py": tree.skeleton(A1)["activation.py"]}
    put(sources, place / "submission", "a4")  # what the student's folder says is not what is graded
    for folder in (place, place / "submission"):
        (folder / "numpy.py").write_text("raise SystemExit('not the installed one')\n")
    report, printed = autograded(place)
    points = {test["name"]: test["score"] for test in report["tests"]}
    assert points["tanh"] == 0 < points["add"] and 60 < report["score"] < 90, (report, printed)
    assert report["score"] == sum(points.values()) and report["extra_data"]["assignment"] == "a1"
    assert {"score", "output", "tests", "extra_data"} <= report.keys()
    assert report["tests"][0].keys() >= {"name", "score", "max_score", "output", "visibility"}
    assert [path.name for path in (place / "results").iterdir()] == ["results.json"]
    for path in (place / "source", place / "source" / "secret"):
        assert not path.stat().st_mode & 0o077


@pytest.mark.coursework
def test_a_network_and_kernels_are_graded_in_such_an_environment(shelf, tmp_path):
    a6 = coursework.assignment("a6")
    place = unpacked(gradescope.bundle(a6, tmp_path / "a6.zip"), tmp_path / "a6")
    done, _ = set_up(place, shelf, tmp_path / "stubs")
    assert done.returncode == 0, done.stdout + done.stderr
    put(own(a6), place / "submission", "a6")
    report, printed = autograded(place)
    assert report["score"] == 90, (report["output"], report["tests"], printed)
    kernels = unpacked(gradescope.bundle(A5, tmp_path / "a5.zip"), tmp_path / "a5")
    (kernels / "venv").symlink_to(place / "venv")
    put({"relu.cu": own(A5)["relu.cu"]}, kernels / "submission", "a5")  # the others take long to compile
    report, printed = autograded(kernels)
    points = {test["name"]: test["score"] for test in report["tests"]}
    assert points["relu"] and points["relu backward"], (report["output"], report["tests"], printed)


ONLY = """
import sys
class Only:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in {*sys.stdlib_module_names, "numpy", "minialex"}:
            raise ModuleNotFoundError(f"{name} is not installed", name=name)
sys.meta_path.insert(0, Only())
"""


@pytest.mark.coursework
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("a1", "a6")])
def test_grading_imports_nothing_but_numpy(name, imports_nothing, tmp_path):
    place = unpacked(gradescope.bundle(coursework.assignment(name), tmp_path / "a.zip"), tmp_path / "autograder")
    code = ONLY + gradescope.CHECK.format(name=name) + "\nimport minialex; print(minialex.__file__)"
    variables = environment(place, PYTHONPATH=str(place / "source"))
    told = subprocess.run([sys.executable, "-P", "-c", code], env=variables, capture_output=True, text=True)
    assert told.returncode == 0 and told.stdout.startswith(str(place)), told.stderr


def test_setup_without_a_usable_python_says_so(archive, tmp_path):
    place = unpacked(archive, tmp_path / "autograder")
    stubs = tmp_path / "stubs"
    executable(stubs / "apt-get", "#!/bin/sh\nexit 0\n")
    for name in ("3", "3.11", "3.12", "3.13", "3.14"):
        executable(stubs / f"python{name}", "#!/bin/sh\nexit 1\n")
    done = subprocess.run(
        ["bash", place / "source" / "setup.sh"], env=environment(place, stubs), capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stderr.startswith("minialex needs Python 3.11 or later with its module venv")
    executable(stubs / "apt-get", '#!/bin/sh\n[ "$1" = update ] || exit 1\n')
    assert subprocess.run(["bash", place / "source" / "setup.sh"], env=environment(place, stubs)).returncode
