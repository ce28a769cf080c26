"""What a person installs: the same folders from a wheel, an editable install and a plain checkout; a quiet import."""

from __future__ import annotations

import json
import os
import re
import shutil
import site
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import minialex
from minialex.support import resources

ROOT = Path(__file__).resolve().parents[1]
PLANTED = {"kernels/scale.cu": "// a kernel\n", "tutorials/assignments/relu.py": "# yours\n"}
FOR_INSTRUCTORS = {"minialex/coursework/hidden/planted.py": "# a check\n", "tutorials/assignments/mistakes.md": "all\n"}
CARRIED = {"minialex/kernels/scale.cu": "// a kernel\n", "minialex/coursework/handouts/relu.py": "# yours\n"}
FIND = """
import json
from minialex.support.resources import folder
print(json.dumps({name: str(folder(name)) for name in ("kernels", "handouts")}))
"""


def run(*command, cwd=None, **environment):
    """Run a command, without a path to any other minialex; returns its standard output."""
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    result = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=variables | environment, capture_output=True, text=True
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def copy_project(target):
    """The project without the folders a wheel maps: pyproject.toml, README, LICENSE, .gitignore and the package."""
    target.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, target)
    shutil.copytree(
        ROOT / "minialex", target / "minialex", ignore=shutil.ignore_patterns("__pycache__", "node_modules")
    )
    return target


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project in which small kernels/ and tutorials/assignments/ are planted, and a hidden check."""
    copy = copy_project(tmp_path_factory.mktemp("planted") / "project")
    for name, text in (PLANTED | FOR_INSTRUCTORS).items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text(text)
    return copy


@pytest.fixture
def python(tmp_path):
    """The interpreter of a new environment, which sees this one's libraries but not this one's minialex."""
    environment = tmp_path / "environment"
    venv.create(environment, symlinks=os.name != "nt")
    folders = {"base": str(environment), "platbase": str(environment)}
    # A folder named in a .pth file comes after the environment's own, and .pth files inside it are not followed:
    # an editable minialex in it stays out of sight.
    packages = dict.fromkeys([sysconfig.get_path("purelib"), *site.getsitepackages()])
    (Path(sysconfig.get_path("purelib", "venv", folders)) / "zz_libraries.pth").write_text("\n".join(packages))
    return Path(sysconfig.get_path("scripts", "venv", folders)) / Path(sys.executable).name


def pip(python, *arguments):
    """pip with the build backend that is installed here: nothing is downloaded."""
    for needed in ("pip", "hatchling"):
        pytest.importorskip(needed, reason=f"{needed} is not installed: pip install 'minialex[test]'")
    run(sys.executable, "-m", "pip", "--python", python, *arguments, "--no-deps", "--no-build-isolation", "--no-index")


def wheel_of(source, target):
    pip(sys.executable, "wheel", source, "--wheel-dir", target)
    (wheel,) = target.glob("*.whl")
    return wheel


def found(python, cwd, **environment):
    """Where the interpreter's minialex finds its folders, called from a directory that holds no minialex."""
    return {k: Path(v) for k, v in json.loads(run(python, "-c", FIND, cwd=cwd, **environment)).items()}


@pytest.mark.heavy
def test_folders_from_a_wheel(project, python, tmp_path):
    pip(python, "install", wheel_of(project, tmp_path / "dist"))
    shutil.rmtree(tmp_path / "dist")
    folders = found(python, tmp_path)
    assert all(folder.is_relative_to(tmp_path / "environment") for folder in folders.values())
    assert (folders["kernels"] / "scale.cu").read_text() == PLANTED["kernels/scale.cu"]
    assert (folders["handouts"] / "relu.py").read_text() == PLANTED["tutorials/assignments/relu.py"]


@pytest.mark.heavy
def test_folders_from_an_editable_install(project, python, tmp_path):
    pip(python, "install", "--editable", project)
    assert found(python, tmp_path) == {"kernels": project / "kernels", "handouts": project / "tutorials/assignments"}


def test_folders_from_a_plain_checkout(project, python, tmp_path):
    folders = found(python, tmp_path, PYTHONPATH=str(project))
    assert folders == {"kernels": project / "kernels", "handouts": project / "tutorials/assignments"}


@pytest.mark.heavy
def test_wheel_through_an_sdist_is_the_same(project, tmp_path):
    """And holds nothing that only instructors need."""
    pytest.importorskip("hatchling", reason="hatchling is not installed: pip install 'minialex[test]'")
    run(sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", tmp_path / "sdist", cwd=project)
    (sdist,) = (tmp_path / "sdist").glob("*.tar.gz")
    contents = []
    for source, target in ((project, tmp_path / "direct"), (sdist, tmp_path / "through")):
        with zipfile.ZipFile(wheel_of(source, target)) as wheel:
            contents.append({name: wheel.read(name).decode() for name in wheel.namelist()})
    assert contents[0] == contents[1]
    names = {name for name in contents[0] if ".dist-info/" not in name}
    files = [path for path in (project / "minialex").rglob("*") if path.is_file()]
    # Another test may have imported the copy, and so left bytecode in it, which no wheel carries.
    sources = {str(path.relative_to(project)) for path in files if path.suffix != ".pyc"}
    sources = {name for name in sources if not name.startswith("minialex/coursework/hidden/")}
    assert names == sources | CARRIED.keys() and "minialex/py.typed" in names
    assert {name: contents[0][name] for name in CARRIED} == CARRIED


@pytest.mark.heavy
def test_wheel_without_the_folders(tmp_path):
    """Before there are kernels and tutorials the build leaves them out."""
    project = copy_project(tmp_path / "project")
    with zipfile.ZipFile(wheel_of(project, tmp_path / "dist")) as wheel:
        assert not [name for name in wheel.namelist() if name.startswith(("minialex/kernels", "minialex/coursework/h"))]


def test_missing_folders_raise_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "minialex")
    with pytest.raises(ValueError, match="unknown folder 'weights'; choose one of kernels, handouts"):
        resources.folder("weights")
    (tmp_path / "kernels").mkdir()  # as in site-packages: somebody else's package, with no pyproject.toml beside it
    with pytest.raises(FileNotFoundError, match="the folder kernels is missing: expected .*reinstall minialex"):
        resources.folder("kernels")
    (tmp_path / "pyproject.toml").touch()
    assert resources.folder("kernels") == tmp_path / "kernels"
    (tmp_path / "minialex/kernels").mkdir(parents=True)
    assert resources.folder("kernels") == tmp_path / "minialex/kernels"


def test_import_is_light_and_silent(tmp_path):
    """`import minialex` brings in no heavy library, prints nothing and leaves NumPy's random state alone."""
    code = """
import sys
import numpy as np
before = np.random.get_state()[1].tolist()
import minialex
assert np.random.get_state()[1].tolist() == before, "reseeded"
loaded = {name.partition(".")[0] for name in sys.modules}
commands = ["minialex.train", "minialex.training.trainer", "minialex.plotting"]
print(sorted(loaded & {"numba", "cupy", "matplotlib", "PIL", "torch"} | set(commands) & sys.modules.keys()))
"""
    assert run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(ROOT)) == "[]\n"


def test_version_is_the_projects():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert minialex.__version__ == project["version"]


def test_top_level_holds_nothing_else():
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not a git checkout")
    tracked = {name.partition("/")[0] for name in run("git", "ls-files", cwd=ROOT).splitlines()}
    if not tracked:
        pytest.skip("nothing is committed yet")
    visible = {name for name in tracked if not name.startswith(".")}
    needed = {"pyproject.toml", "minialex", "tests", "README.md", "LICENSE"}
    assert needed <= visible <= needed | {"kernels", "tutorials"}


@pytest.mark.heavy
def test_readmes_show_the_set_up_first_and_examples_that_run(tmp_path):
    readme = (ROOT / "README.md").read_text()
    train, tests, *_ = re.findall(r"^```sh\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert train == "python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/python -m minialex.train\n"
    assert tests == "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/python -m pytest\n"
    kernels = (ROOT / "kernels" / "README.md").read_text()
    network, operation = re.findall(r"^```python\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    (kernel,) = re.findall(r"^```python\n(.*?)^```", kernels, re.MULTILINE | re.DOTALL)
    printed = run(sys.executable, "-c", network, cwd=tmp_path, PYTHONPATH=str(ROOT)).splitlines()
    assert re.fullmatch(r"accuracy \d+\.\d %", printed[-1])
    printed = run(sys.executable, "-c", operation, cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert re.match(r"error \d\.\de-\d\d in input 0", printed) and float(printed.split()[1]) < 1e-6
    if shutil.which("g++"):
        printed = run(sys.executable, "-c", kernel, cwd=tmp_path, PYTHONPATH=str(ROOT)).splitlines()
        told = re.search(r"prints, among others, `(.*?)`", kernels, re.DOTALL)[1]
        assert " ".join(told.split()) in printed and printed[-1] == "32 loads, 32 stores"
    assert not list(tmp_path.iterdir()), "the examples leave files behind"
