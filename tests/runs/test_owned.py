"""A run folder belongs to one run: claimed, locked while it lives, free again after it, and left alone otherwise."""

from __future__ import annotations

import dataclasses
import gc
import shutil
from pathlib import Path

import numpy as np
import pytest
from pressing import CtrlC
from refusals import tree
from tiny_runs import TINY, ctrl_c, run

from minialex import plotting, train
from minialex.runs import folder as run_folder
from minialex.runs import run as running
from minialex.runs.folder import RunFolder
from minialex.runs.owned import OwnedFolder
from minialex.runs.pictures import Pictures
from minialex.runs.run import Run
from minialex.support import lock
from minialex.support.errors import UserError
from minialex.training.range_test import RangeTest

pytestmark = pytest.mark.usefixtures("quick_figures")


@pytest.fixture
def another_process(tmp_path):
    """Takes the lock of a folder, as another process would: the system gives it once, to whoever opens the file."""
    taken = []
    yield lambda folder: taken.append(lock.Lock(folder).acquire())
    for each in taken:
        each.release()


@pytest.fixture
def copy(whole, tmp_path):
    """A folder with a finished run of three epochs."""
    return Path(shutil.copytree(whole, tmp_path / "r"))


def longer(run, epochs):
    return dataclasses.replace(run.configuration.recipe, epochs=epochs)


def tiny(folder, epochs=1):
    options = train.parser().parse_args([*map(str, TINY), "--epochs", str(epochs), "--backend", "numpy"])
    return Run(train.configured(options), folder, say=lambda text: None)


@pytest.mark.heavy
@pytest.mark.parametrize("take", [lambda path: RunFolder.create(path / "r"), lambda path: RunFolder.claim(path, "r")])
def test_ctrl_c_at_any_line_leaves_no_folder(tmp_path, take):
    n, press = 0, None
    while press is None or press.lines >= n:
        n, folder = n + 1, None
        press = CtrlC(n)
        try:
            with press:
                folder = take(tmp_path / "new")
                folder.release()
        except KeyboardInterrupt as error:
            error.with_traceback(None)  # it holds the frame of `take`, and with it the folder
        folder = None
        gc.collect()
        assert not tree(tmp_path), f"line {n}"
    assert n > 40


class TestCreate:
    def test_it_is_taken_until_the_run_is_done(self, tmp_path, another_process):
        made = tiny(RunFolder.create(tmp_path / "new" / "r"))
        with pytest.raises(lock.Held):
            another_process(tmp_path / "new" / "r")
        made.train()
        another_process(tmp_path / "new" / "r")
        with pytest.raises(UserError, match="r is the folder of a run that is being trained now"):
            made.test()

    def test_what_was_made_and_not_used_is_removed(self, tmp_path):
        for leave in (RunFolder.release, lambda folder: None):  # or the object is just gone
            folder = RunFolder.create(tmp_path / "new" / "r")
            assert (tmp_path / "new" / "r").is_dir()
            leave(folder)
            del folder
            gc.collect()
            assert not list(tmp_path.iterdir())
        (tmp_path / "theirs").mkdir()
        RunFolder.create(tmp_path / "theirs" / "r").release()
        RunFolder.create(tmp_path / "theirs").release()
        assert [path.name for path in tmp_path.iterdir()] == ["theirs"], "it was there before"
        with RunFolder.create(tmp_path / "new" / "r") as folder:
            (folder.path / "config.json").write_text("{}")
        assert [path.name for path in (tmp_path / "new" / "r").iterdir()] == ["config.json"]

    def test_a_folder_in_which_another_run_begins(self, tmp_path, another_process):
        another_process(tmp_path / "r")
        before = tree(tmp_path)
        with pytest.raises(UserError, match="r is the folder of a run that is being trained now"):
            RunFolder.create(tmp_path / "r")
        assert tree(tmp_path) == before

    def test_another_run_that_is_quicker(self, tmp_path, monkeypatch):
        """It is there and gone between the look at the folder and the lock."""
        acquire = lock.Lock.acquire

        def late(self):
            self.folder.mkdir()
            (self.folder / "config.json").write_text("{}")
            return acquire(self)

        monkeypatch.setattr(lock.Lock, "acquire", late)
        with pytest.raises(FileExistsError, match="r exists and is not empty"):
            RunFolder.create(tmp_path / "r")
        assert [path.name for path in (tmp_path / "r").iterdir()] == ["config.json"]

    def test_nothing_is_written_to_folders_of_others(self, tmp_path):
        for name in ("curves.png", "last.npz", ".thesis.txt.partial", ".hidden"):
            theirs = tmp_path / name.strip(".")
            theirs.mkdir()
            (theirs / name).write_text("mine")
            times = theirs.stat().st_mtime_ns
            with pytest.raises(FileExistsError, match="exists and is not empty"):
                RunFolder.create(theirs)
            assert theirs.stat().st_mtime_ns == times, "not even for a moment"

    def test_what_a_killed_run_left_is_no_obstacle(self, tmp_path):
        for name in (lock.NAME, ".config.json.partial", ".last.npz.partial"):
            (tmp_path / name).write_text("")
        with RunFolder.create(tmp_path):
            assert [path.name for path in tmp_path.iterdir()] == [lock.NAME]
        assert not list(tmp_path.iterdir())

    def test_a_forked_child_gives_nothing_up(self, tmp_path, monkeypatch):
        folder = RunFolder.create(tmp_path / "r")
        with monkeypatch.context() as m:
            m.setattr("os.getpid", lambda: -1)
            folder.release()
        assert folder.is_taken and (tmp_path / "r" / lock.NAME).exists()
        folder._lock.release()


class TestClaim:
    def test_each_gets_its_own(self, tmp_path):
        first, second = (RunFolder.claim(tmp_path / "runs", "r") for _ in range(2))
        assert [first.path.name, second.path.name] == ["r", "r-2"] and second.last == second.path / "last.npz"
        second.release()
        assert not second.path.exists() and first.is_taken
        first.release()
        assert not (tmp_path / "runs").exists()

    def test_a_parent_that_others_remove(self, tmp_path, monkeypatch):
        """A start that fails removes runs/ where it was the first, just when another one is about to use it."""
        mkdir, removed = Path.mkdir, []

        def slow(self, *arguments, **options):
            if self.name == "r" and not removed:
                removed.append((tmp_path / "runs").rmdir())
            mkdir(self, *arguments, **options)

        monkeypatch.setattr(Path, "mkdir", slow)
        with OwnedFolder.claim(tmp_path / "runs", "r") as folder:
            assert removed and folder.path.is_dir()

    def test_places_where_there_can_be_none(self, tmp_path):
        (tmp_path / "file").write_text("mine")
        for parent in ("file", "file/x"):
            with pytest.raises(OSError, match="file"):
                OwnedFolder.claim(tmp_path / parent, "r")


class TestOpen:
    def test_a_run_that_is_being_trained(self, copy, another_process):
        (copy / ".last.npz.partial").write_text("it is being written")
        another_process(copy)
        before = tree(copy)
        for _ in range(2):
            with pytest.raises(UserError, match="r is the folder of a run that is being trained now: wait"):
                Run.resume(copy)
        assert tree(copy) == before

    def test_only_our_own_leftovers_are_removed(self, copy, tmp_path):
        theirs = [".notes.partial", ".thesis.txt.partial", "last.npz.partial", ".last.npz.bak", ".x.last.npz.partial"]
        ours = [f".{name}.partial" for name in run_folder.FILES] + [".last.npz.123-4.partial"]
        for name in theirs + ours:
            (copy / name).write_text("some")
        (copy / ".curves.png.partial").unlink()
        (copy / ".curves.png.partial").mkdir()
        (copy / "config.json").rename(tmp_path / "config.json")
        (copy / "config.json").write_text('{"of": "another program"}')
        before = tree(copy)
        with pytest.raises(UserError, match="damaged"):
            Run.resume(copy)
        assert tree(copy) == before
        (tmp_path / "config.json").rename(copy / "config.json")
        Run.resume(copy)
        left = {path.name for path in copy.iterdir()}
        assert left >= {*theirs, ".curves.png.partial"} and not left & {*ours} - {".curves.png.partial"}

    def test_files_lists_what_a_run_writes(self, copy, tmp_path):
        assert {path.name for path in copy.iterdir()} == {*run_folder.FILES} - {"diagnose.csv", "diagnose.png"}
        assert run(*TINY, "--epochs", 1, "--diagnose", "--out", tmp_path / "d") == 0
        assert {path.name for path in (tmp_path / "d").iterdir()} == {*run_folder.FILES}

    def test_a_resume_that_fails_gives_it_up(self, copy, another_process):
        (copy / "last.npz").write_text("no checkpoint")
        with pytest.raises(UserError, match="not a minialex checkpoint"):
            Run.resume(copy)
        another_process(copy)


class TestOneProcess:
    """In a notebook, runs in earlier cells are still there."""

    def test_a_run_that_waits_gives_way(self, copy):
        first = Run.resume(copy, epochs=4)
        second = Run.resume(copy, epochs=4)
        second.train()
        third = Run.resume(copy)
        assert third.trainer.epoch == 4
        for old in (first, third):  # one that has missed something, and the newest
            old.configuration = dataclasses.replace(old.configuration, recipe=longer(old, 5))
        with pytest.raises(UserError, match="last.npz is not the checkpoint that this Run has read or saved"):
            first.train()
        third.train()
        assert Run.resume(copy).trainer.epoch == 5

    @pytest.mark.heavy
    def test_a_run_that_was_stopped(self, copy, monkeypatch):
        stopped = Run.resume(copy, epochs=5)
        with monkeypatch.context() as m:
            m.setattr(stopped.trainer, "finish_epoch", lambda batches: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                stopped.train()
        stopped.stop()
        assert Run.resume(copy).trainer.batch == 3
        stopped.train()
        assert Run.resume(copy).trainer.epoch == 5

    def test_a_run_at_work_does_not_give_way(self, copy, monkeypatch):
        at_work, refused = Run.resume(copy, epochs=4), []

        def resume_it_too():
            with pytest.raises(UserError, match="is being trained now"):
                Run.resume(copy)
            refused.append(True)

        monkeypatch.setattr(at_work.folder, "save_is_due", resume_it_too)
        at_work.train()
        assert len(refused) == 3 and Run.resume(copy).trainer.epoch == 4

    def test_a_new_run_does_not_continue_where_another_one_was(self, copy):
        with pytest.raises(UserError, match="is not the checkpoint that this Run has read or saved"):
            tiny(RunFolder(copy)).train()


class TestStarts:
    """Commands that do not come to train leave no folder."""

    @pytest.fixture(autouse=True)
    def here(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

    @pytest.mark.parametrize("options", [(), ("--out", "new/r")])
    def test_ctrl_c_while_the_data_is_read(self, tmp_path, monkeypatch, capfd, options):
        monkeypatch.setattr(Pictures, "read", lambda self: list(tmp_path.iterdir()) or ctrl_c())
        assert run(*TINY, *options) == 130
        assert capfd.readouterr().err == "stopped\n" and not list(tmp_path.iterdir())

    @pytest.mark.parametrize("options", [(), ("--out", "new/r")])
    def test_data_that_is_not_there(self, tmp_path, capsys, options):
        assert run("--dataset", "cifar10", "--data-dir", tmp_path / "nowhere", *options) == 2
        assert "error: " in capsys.readouterr().err and not list(tmp_path.iterdir())

    def test_a_network_that_cannot_memorise(self, tmp_path, monkeypatch):
        taken = []
        monkeypatch.setattr(Run, "passes_overfit_check", lambda self, watch: taken.append(self.folder.path.exists()))
        assert run(*TINY, "--overfit", 1) == 1 and taken == [True] and not list(tmp_path.iterdir())

    def test_lr_find_replaces_no_figure(self, tmp_path, monkeypatch):
        found = RangeTest(np.array([1e-3, 1e-2]), np.array([2.0, 1.0]), np.array([2.0, 1.5]), 0.01, False)
        monkeypatch.setattr(running, "lr_find", lambda *arguments, **options: found)
        (tmp_path / "r.1.lr-find.png").write_text("mine")
        for _ in range(2):
            assert run(*TINY, "--lr-find", "--out", "r.1") == 0
        assert {path.name for path in tmp_path.iterdir()} == {f"r.1.lr-find{n}.png" for n in ("", "-2", "-3")}
        assert (tmp_path / "r.1.lr-find.png").read_text() == "mine"

    def test_a_figure_that_cannot_be_drawn(self, tmp_path, monkeypatch):
        monkeypatch.setattr(plotting, "lr_range", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            RunFolder("r").draw_lr_range(None)
        assert not list(tmp_path.iterdir())

    def test_where_runs_is_a_file(self, tmp_path, capsys):
        (tmp_path / "runs").write_text("mine")
        assert run(*TINY) == 2 and "runs: File exists" in capsys.readouterr().err


def test_a_full_disk_takes_no_half_row(tmp_path):
    resource = pytest.importorskip("resource", reason="this system has no limits of resources")
    folder, row = RunFolder(tmp_path), dict(step=1, epoch=1, batch=1, loss=0.123456789012345, lr=0.1, grad_norm=None)
    folder.keep_steps(0)
    folder.write_steps([row])
    before = (tmp_path / "steps.csv").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 9, hard))
    try:
        with pytest.raises(OSError, match="cannot write .*steps.csv: File too large"):
            folder.write_steps([row])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "steps.csv").read_bytes() == before
