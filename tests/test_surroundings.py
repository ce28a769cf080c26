"""Commands where the user's surroundings are not what we have: no home, no place to write, no terminal, a full disk.

Whatever is missing, a command does what it is asked for, or says in one sentence what it lacks, with exit code 2.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from children import ROOT, Nursery
from converting import a_checkpoint
from photographs import folder as photographs
from photographs import write
from PIL import Image
from refusals import the_sentence, tree

from minialex import __main__ as front
from minialex import cli, data
from minialex.runs import checkpoint
from minialex.support import headless, resources

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no users and processes as Unix has")

# ------------------------------------------------------------------------------ paths that begin with a user's home

PATHS = {"FILE", "DIR", "D", "OUT", "RUN", "W", "WEIGHTS", "IMAGE", "IN", "PLACE", "P", "F", "F.zip"}


def parsers(name, monkeypatch):
    """The parser of a command, and those of its own commands."""

    def caught(self, *arguments, **options):
        raise _Caught(self)

    monkeypatch.setattr(cli.Parser, "parse_args", caught)
    with pytest.raises(_Caught) as error:
        front._command(name).main([])
    parser = error.value.args[0]
    inner = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return [parser, *(one for action in inner for one in action.choices.values())]


class _Caught(Exception):
    pass


@pytest.mark.parametrize("name", front.COMMANDS)
def test_every_path_of_every_command_may_begin_with_a_home(name, tmp_path, monkeypatch):
    """A shell expands ~ only at the beginning of a word, so not in --out=~/x."""
    monkeypatch.setenv("HOME", str(tmp_path))
    every = [action for parser in parsers(name, monkeypatch) for action in parser._actions]
    known = [action for action in every if action.metavar in PATHS or action.dest == "folder"]
    assert bool(known) == (name != "gradcheck")
    for action in known:
        read = action.type("~/x.svg")
        assert str(read) == f"{tmp_path}/x.svg", f"{name} {action.option_strings or action.metavar}"
        with pytest.raises(argparse.ArgumentTypeError, match="there is no user nosuchuser; write the whole path"):
            action.type("~nosuchuser/x.svg")
        with pytest.raises(argparse.ArgumentTypeError, match="'' is not the name of a f"):
            action.type("")


def test_a_recipe_and_a_network_of_ones_own_too(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.toml").write_text("epochs = -3\n")
    (tmp_path / "mine.py").write_text("build = 3\n")
    train = importlib.import_module("minialex.train")
    for arguments, expected in (
        (["--recipe=~/mine.toml"], f"{tmp_path}/mine.toml: epochs should be at least 1"),
        (["--recipe", "~nosuchuser/x"], "there is no user nosuchuser"),
        (["--model=~/mine.py:build"], f"{tmp_path}/mine.py: build is a int"),
        (["--model=~nosuchuser/mine.py:build"], "there is no user nosuchuser"),
    ):
        code = cli.run(train.main, arguments)
        assert expected in the_sentence(code, capsys.readouterr().err)


def test_a_file_whose_name_begins_with_a_tilde(tmp_path, monkeypatch):
    """As programs of an office leave beside a file that is open."""
    monkeypatch.chdir(tmp_path)
    Path("~$cat.png").touch()
    assert cli.file("~$cat.png") == "~$cat.png" and cli.file("./~x") == "./~x"


def test_help_where_names_of_folders_hold_percents(monkeypatch):
    """argparse replaces what follows a % in texts of help; train's are made when it is imported."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/100%sure\x1b")
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir", help=resources.cache_text())
    assert "/100%sure\\x1b/minialex" in parser.format_help()


def test_a_current_folder_that_was_removed(monkeypatch, capsys):
    def gone():
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(os, "getcwd", gone)
    code = cli.run(lambda argv: os.path.abspath("runs"), [])
    assert "the current folder has been removed" in the_sentence(code, capsys.readouterr().err)


def test_no_place_for_matplotlib(monkeypatch):
    """Which needs a folder to write to when it is imported. It is no error of the system, which would end a run."""

    class Nowhere:
        def find_spec(name, path=None, target=None):
            if name == "matplotlib":
                raise OSError("Matplotlib requires access\nto a writable cache directory")

    monkeypatch.setattr(sys, "meta_path", [Nowhere, *sys.meta_path])
    monkeypatch.delitem(sys.modules, "matplotlib", raising=False)
    with pytest.raises(cli.UserError, match="no figures can be drawn: Matplotlib requires access to a writable"):
        headless.import_matplotlib()


# ------------------------------------------------------------------------------ processes of their own

NAMES = ["plain", "zażółć 猫", "\U0001f40d _$x$", "\x1b[31mred", "{}%s<script>", os.fsdecode(b"caf\xe9"), "-7"]


@pytest.fixture(scope="module")
def place():
    """A folder that every user may read, with a network and a picture, and one `out`, which every user may write to."""
    folder = Path(tempfile.mkdtemp(prefix="minialex-tests-"))
    saved = a_checkpoint(num_classes=len(NAMES))
    saved.classes, saved.configuration = NAMES, {}
    checkpoint.save(folder / "net.npz", saved)
    write(folder / "zażółć.png")
    (folder / "out").mkdir()
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.name == "out" else 0o755)
    yield folder
    shutil.rmtree(folder)


def start(*words, env=None, by=(), **options):
    """Python with these words, started by the command `by`; variables of `env` that are None are not set."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"} | (env or {})
    environment = {name: value for name, value in environment.items() if value is not None}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL} | options
    return subprocess.run([*by, sys.executable, *map(str, words)], env=environment, timeout=120, **options)


def is_clean(err):
    """Whether all of stderr is one of the notes that a figure may make."""
    notes = (
        r"figures: no installed font has .*|Matplotlib created a temporary cache directory at .*|mkdir -p failed for .*"
    )
    return all(re.fullmatch(notes, line) for line in err.splitlines())


def check_predictions(done, folder):
    """That predict has said three classes, and drawn them."""
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == 0 and is_clean(err), (done.returncode, out, err)
    assert len(re.findall(r"^ +\d+\.\d\d %  .", out, re.M)) == 7 and "\x1b" not in out
    assert "\\x1b[31mred" in out and "caf\\xe9" in out and "{}%s<script>" in out
    with Image.open(folder / "p.png") as image:
        assert image.width > 100
    (folder / "p.png").unlink()


ISOLATED = (
    f"import sys; sys.path.insert(0, {str(ROOT)!r}); import runpy; runpy.run_module(sys.argv.pop(1), None, '__main__')"
)
CHILDREN = {  # Python's own options, and variables, of which a notebook sets MPLBACKEND
    "without asserts, every warning an error": (["-O", "-X", "dev", "-W", "error"], {"PYTHONIOENCODING": "ascii"}),
    "without docstrings, isolated": (["-OO", "-I"], {"MPLBACKEND": "module://nowhere.backend"}),
    "in the C locale": (["-X", "utf8=0"], {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "COLUMNS": "1", "TERM": None}),
}


@posix
@pytest.mark.heavy
@pytest.mark.parametrize("case", CHILDREN)
def test_python_is_started_otherwise(place, case):
    options, env = CHILDREN[case]
    predict = ["predict", place / "net.npz", place / "zażółć.png", "--top", 7, "--backend", "numpy"]
    predict += ["--picture", place / "out" / "p.png"]
    module = ["-c", ISOLATED, f"minialex.{predict[0]}"] if "-I" in options else ["-m", f"minialex.{predict[0]}"]
    done = start(*options, *module, *predict[1:], env=env)
    check_predictions(done, place / "out")
    if case == "in the C locale" or "PYTHONIOENCODING" in env:
        assert done.stdout.isascii()
    else:
        assert "猫" in done.stdout.decode()


# The superuser may write anywhere: as another one, who may read what the superuser may.
AS_ANOTHER = (
    "setpriv --reuid 54321 --regid 54321 --clear-groups --inh-caps +dac_read_search --ambient-caps +dac_read_search"
)


@pytest.fixture
def stranger(place):
    """Starts Python where it may write nowhere but below place/out, as a user without a name if this one is root."""
    nothing = place / "nothing"
    nothing.mkdir(exist_ok=True)
    nothing.chmod(0o555)
    nowhere = str(nothing / "deeper")
    env = dict.fromkeys(("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "TMPDIR"), nowhere)
    env |= dict.fromkeys(("HOME", "USER", "LOGNAME", "NUMBA_CACHE_DIR", "PYTHONPYCACHEPREFIX"))
    by = AS_ANOTHER.split() if os.geteuid() == 0 else []
    if by and (shutil.which(by[0]) is None or subprocess.run([*by, "true"], capture_output=True).returncode):
        pytest.skip("root cannot become another user here: there is no setpriv, or it may not")
    return lambda *words, **more: start(*words, env=env | more, cwd=nothing, by=by)


@posix
@pytest.mark.heavy
def test_a_user_without_a_name_a_home_or_a_place_to_write(place, stranger):
    predict = ["-m", "minialex.predict", place / "net.npz", place / "zażółć.png", "--top", 7, "--backend", "numpy"]
    check_predictions(stranger(*predict, "--picture", place / "out" / "p.png"), place / "out")
    for words, sentence in (
        (["minialex.train", "--limit", 20], "runs: Permission denied"),
        (["minialex.train", "--dataset", "cifar10", "--download"], "no home folder for a cache: set HOME|denied"),
        (["minialex.predict", "~/net.npz", "x"], "~ cannot be expanded, since the user has no home folder: set HOME"),
    ):
        done = stranger("-m", *words)
        *notes, error = done.stderr.decode().splitlines()
        assert re.search(sentence, the_sentence(done.returncode, f"{error}\n")) and is_clean("\n".join(notes))
    assert not list((place / "nothing").iterdir())


KERNEL = """
import minialex
backend = minialex.use_backend("numba")
said = []
with backend.announcing(said.append):
    print(minialex.Tensor([-1.0, 2.0]).relu().numpy().tolist())
print(*said)
"""


@posix
@pytest.mark.heavy
def test_kernels_without_a_place_to_keep_them(stranger):
    """The package itself is no such place, either: it may be on a disk that is read only."""
    pytest.importorskip("numba")
    with _read_only(ROOT / "minialex" / "backends" / "fast_cpu") as package:
        done = stranger("-c", KERNEL, **package)
    result, said = done.stdout.decode().splitlines() or ["", ""]
    assert result == "[0.0, 2.0]" and said.endswith("name one with NUMBA_CACHE_DIR"), done
    assert done.stderr == b""


@contextlib.contextmanager
def _read_only(folder):
    """Variables with which a process cannot write to a folder of the package: as another user it cannot anyway."""
    if os.geteuid() == 0:
        yield {}
        return
    with tempfile.TemporaryDirectory() as copied:
        shutil.copytree(ROOT / "minialex", Path(copied) / "minialex", ignore=shutil.ignore_patterns("__pycache__"))
        inside = Path(copied) / folder.relative_to(ROOT)
        inside.chmod(0o555)
        yield {"PYTHONPATH": copied}
        inside.chmod(0o755)


@pytest.mark.heavy
def test_two_processes_compile_into_an_empty_cache(tmp_path):
    pytest.importorskip("numba")
    env = os.environ | {"PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(tmp_path)}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": env}
    both = [subprocess.Popen([sys.executable, "-c", KERNEL], **options) for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=120)
        assert out.splitlines()[0] == "[0.0, 2.0]" and err == "" and process.returncode == 0
    third = start("-c", KERNEL, env={"NUMBA_CACHE_DIR": str(tmp_path)})
    assert third.stdout.decode().split("\n") == ["[0.0, 2.0]", "", ""], "both have left what a third can use"


@posix
@pytest.mark.heavy
@pytest.mark.parametrize(
    ("closed", "words", "code", "out", "err"),
    [
        ([1], "shapes_net", 0, "", ""),
        ([2], "nosuch", 2, "", ""),
        ([0, 1, 2], "shapes_net", 0, "", ""),
        ([1], "nosuch", 2, "", "error: .*unknown model 'nosuch'.*\n"),
    ],
)
def test_streams_that_are_closed(closed, words, code, out, err):
    """As by `>&-`. An error is not printed to stdout where there is no stderr."""
    done = start("-m", "minialex.summary", words, preexec_fn=lambda: [os.close(number) for number in closed])
    assert (done.returncode, done.stdout.decode()) == (code, out) and re.fullmatch(err, done.stderr.decode()), done


@posix
@pytest.mark.heavy
@pytest.mark.parametrize("both", [False, True])
def test_nobody_reads_what_is_printed(both):
    """As behind `| head -1`, also with `2>&1`."""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "minialex.summary", "shapes_net" if not both else "nosuch"]
    reader, writer = os.pipe()
    os.close(reader)
    err = writer if both else subprocess.PIPE
    done = subprocess.run(command, stdout=writer, stderr=err, env=env, timeout=60)
    os.close(writer)
    assert done.returncode == 1 and not done.stderr


# ------------------------------------------------------------------------------ a full disk

FULL = {  # code, arguments, the bytes that a file may have, what stays afterwards
    "pack": (
        "from minialex.data.pack import main",
        ["in", "new", "--size", 16, "--shard", 20],
        6000,
        "cannot write new/train-00000.npy: File too large",
    ),
    "convert": (
        "from minialex.convert.__main__ import main",
        ["net.npz", "there.npz"],
        50_000,
        "cannot write there.npz: File too large",
    ),
    "evaluate": (
        "from minialex.evaluate import main",
        ["net.npz", "--dataset", "shapes", "--limit", 20, "--backend", "numpy", "--out", "there"],
        3000,
        "cannot write there/confusion.png: File too large",
    ),
    "predict": (
        "from minialex.predict import main",
        ["net.npz", "cat.png", "--backend", "numpy", "--picture", "there.png"],
        2000,
        "cannot write there.png: File too large",
    ),
    "summary": (
        "from minialex.summary.__main__ import main",
        ["shapes_net", "--picture", "there.png"],
        2000,
        "cannot write there.png: File too large",
    ),
    "save": (
        "import minialex\ndef main(argv):\n    minialex.save([minialex.zeros(10_000)], argv[0])",
        ["there.npz"],
        2000,
        "cannot write there.npz: File too large",
    ),
}


@pytest.fixture(scope="module")
def nursery(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    saved = a_checkpoint(num_classes=10)
    saved.classes = data.load("shapes", train_count=10).train.classes
    checkpoint.save(folder / "net.npz", saved)
    photographs(folder / "in", {"a": 9, "b": 14})
    write(folder / "cat.png")
    (folder / "there").mkdir()
    for name in ("there.npz", "there.png", "there/confusion.png"):
        (folder / name).write_text("what was there before")
    imported = "from minialex import data, evaluate, plotting, predict\nfrom minialex.convert import __main__"
    with Nursery(folder, imported, XDG_CACHE_HOME=str(tmp_path_factory.mktemp("cache"))) as nursery:
        yield nursery


def files_in(folder):
    return {path: content for path, content in tree(folder).items() if ".printed" not in path.parts}


@posix
@pytest.mark.heavy
@pytest.mark.parametrize("command", FULL)
def test_a_full_disk(nursery, command):
    code, arguments, largest, sentence = FULL[command]
    before = files_in(nursery.folder)
    done = nursery.run(code, arguments, largest=largest)
    assert sentence in the_sentence(done.code, done.err)
    if command == "pack":
        again = nursery.run(code, arguments)
        assert again.code == 0, again
        assert not [*(nursery.folder / "new").glob(".*")]
        shutil.rmtree(nursery.folder / "new")
    if command == "evaluate":  # its tables are smaller, and complete
        for name in ("summary.json", "classes.csv"):
            assert (nursery.folder / "there" / name).read_bytes().endswith(b"\n")
            (nursery.folder / "there" / name).unlink()
    assert files_in(nursery.folder) == before


@posix
@pytest.mark.heavy
def test_a_full_disk_that_is_one(nursery, tmp_path):
    """The same on a file system of 100 KB, where that can be made: errors arise at other places than with a limit."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "none", str(disk)], capture_output=True)
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.decode().strip()}")
    try:
        (disk / "there.npz").write_text("what was there before")
        (disk / "filler").write_bytes(bytes(88_000))
        for command in ("convert", "save", "predict", "pack"):
            code, arguments, *_ = FULL[command]
            given = [disk / word if str(word).startswith(("there", "new")) else word for word in arguments]
            done = nursery.run(code, given)
            found = the_sentence(done.code, done.err)
            assert re.search("No space left on device|GB free, but the pictures take", found), found
            if command != "pack":
                assert {p.name for p in disk.iterdir()} == {"there.npz", "filler"}
            assert (disk / "there.npz").read_text() == "what was there before"
    finally:
        subprocess.run(["umount", str(disk)], check=True)


# ------------------------------------------------------------------------------ two at once

IMPORTED = "from minialex.data import pack"


@posix
@pytest.mark.heavy
def test_two_packings_into_one_folder(tmp_path):
    """One is done, the other says why not; what is there is whole."""
    photographs(tmp_path / "in", {"a": 9, "b": 14})
    code, arguments = "from minialex.data.pack import main", ["in", "out", "--size", 16, "--shard", 3]
    with Nursery(tmp_path, IMPORTED) as one, Nursery(tmp_path, IMPORTED) as two:
        two.printed = [path.with_name(f"{path.name}-2") for path in two.printed]
        both = [nursery.start(code, arguments) for nursery in (one, two)]
        done = sorted([child.end() for child in both])
    assert [d.code for d in done] == [0, 2]
    refused = the_sentence(2, done[1].err)
    assert re.search("another process is packing into out|out holds packed pictures already", refused)
    assert not [*(tmp_path / "out").glob(".*")] and (tmp_path / "out" / "pack.json").exists()


SAVER = """
import minialex, sys
def main(argv):
    for _ in range(40):
        minialex.save(minialex.full((3000,), int(argv[1])), argv[0])
"""


@posix
@pytest.mark.heavy
def test_two_processes_save_to_one_file(tmp_path):
    """Every time that it is read, it is the one or the other, and whole."""
    import minialex

    with Nursery(tmp_path, IMPORTED) as one, Nursery(tmp_path, IMPORTED) as two:
        two.printed = [path.with_name(f"{path.name}-2") for path in two.printed]
        both = [nursery.start(SAVER, ["x.npz", n]) for n, nursery in enumerate((one, two))]
        seen = []
        while len(seen) < 30:
            with contextlib.suppress(FileNotFoundError):
                values = np.unique(minialex.load(tmp_path / "x.npz").numpy())
                assert len(values) == 1
                seen.append(int(values[0]))
        done = [child.end() for child in both]
    assert [(d.code, d.err) for d in done] == [(0, ""), (0, "")]
    assert {path.name for path in tmp_path.iterdir()} == {".printed", "x.npz"}
