"""How a process learns that it is one of several, and what is said when they are ended."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from ranks import NEEDS_MPI, finished, start

from minialex import cli
from minialex.data import ArrayDataset, Loader
from minialex.parallel import launch, threads
from minialex.parallel.group import Group, lengths_of
from minialex.runs import shared_out
from minialex.support.errors import UserError

NAMES = [name for pair in launch._TOLD for name in pair]


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    launch.world.cache_clear()
    yield monkeypatch
    launch.world.cache_clear()


def test_alone(environment):
    assert launch.launched() == (0, 1)
    assert (launch.world().rank, launch.world().size) == (0, 1)
    environment.setenv("PMI_SIZE", "many")
    assert launch.launched() == (0, 1)


@pytest.mark.parametrize(("size", "rank"), launch._TOLD)
def test_launchers(environment, size, rank):
    environment.setenv(size, "4")
    environment.setenv(rank, "3")
    assert launch.launched() == (3, 4)


@pytest.mark.parametrize("error", [ImportError("no MPI"), RuntimeError("cannot load MPI library")])
def test_without_mpi(environment, error):
    environment.setenv("PMI_SIZE", "2")
    environment.setenv("PMI_RANK", "1")

    class Missing:
        def find_spec(self, name, path=None, target=None):
            if name in ("minialex.parallel.mpi", "mpi4py"):
                raise error

    environment.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    environment.delitem(sys.modules, "minialex.parallel.mpi", raising=False)
    environment.delitem(sys.modules, "mpi4py", raising=False)
    with pytest.raises(UserError, match=r"2 processes were started, which need MPI .*: pip install mpi4py mpich"):
        launch.world()
    launch.end(2)  # nobody is there to be ended


RAISING = """
from minialex.parallel import launch
group = launch.world()
if group.rank == 1:
    raise LookupError("of rank 1")
group.agree(True)
"""


@NEEDS_MPI
@pytest.mark.heavy
def test_an_exception_in_one_process_of_a_program_ends_all():
    code, _, errors = finished(start(2, "-c", RAISING))
    assert code == 1 and errors.splitlines()[-1] == "LookupError: of rank 1"


@NEEDS_MPI
@pytest.mark.heavy
def test_a_launcher_of_another_mpi_is_one_sentence():
    done = subprocess.run(
        [sys.executable, "-m", "minialex.train", "--parallel", "data"],
        env=os.environ | {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2 and not done.stdout
    [line] = done.stderr.splitlines()
    assert line.startswith("error: the launcher has started 2 processes, but MPI knows of 1")


WITNESS = """
import os, sys
from minialex.parallel.witness import Witness
witness = Witness()
witness.know("first")
witness.know("saved:\\n epoch 3 <&>")
{end}
"""


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("os.kill(os.getpid(), 9)", "saved: epoch 3 <&>\n"),
        ("os._exit(3)", "saved: epoch 3 <&>\n"),
        ("witness.dismiss(); witness.dismiss()", ""),
        ("witness.dismiss(); os.kill(os.getpid(), 9)", ""),
    ],
)
def test_the_witness_outlives_its_process(end, said):
    done = subprocess.run(
        [sys.executable, "-c", WITNESS.format(end=end)], stderr=subprocess.PIPE, text=True, timeout=60
    )
    assert done.stderr == said


def test_a_signal_to_one_process_stops_all():
    def each(group):
        interrupt = cli.Interrupt(lambda here: group.agree(here)[0], quiet=True)
        for step in range(5):
            if step == 2 and group.rank == 1:
                interrupt.number = 15
            try:
                interrupt.check()
            except cli.Interrupted as stopped:
                return step, stopped.exit_code
        raise AssertionError("not stopped")

    assert threads.run(3, each) == [(2, 130), (2, 143), (2, 130)]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_loaders_deal_out_each_batch(size):
    rng = np.random.default_rng(0)
    pictures = ArrayDataset(rng.integers(0, 256, (17, 3, 4, 5), np.uint8), rng.integers(0, 3, 17), "abc")

    def noise(images, words):
        return images + words[:, :1, None, None] / 2**32

    def loader(**options):
        return Loader(pictures, 5, [noise], shuffle=True, seed=4, **options)

    whole = list(loader().epoch(2))
    parts = [list(loader(ranks=(rank, size)).epoch(2)) for rank in range(size)]
    for number, (images, labels) in enumerate(whole):
        np.testing.assert_array_equal(np.concatenate([part[number][0] for part in parts]), images)
        for part in parts:
            np.testing.assert_array_equal(part[number][1], labels)


@pytest.mark.parametrize(
    ("counts", "batch", "ranks", "empty"),
    [([8, 4], 4, 2, False), ([9, 4], 4, 2, True), ([9, 4], 4, 1, False), ([8, 1], 4, 2, True), ([10], 4, 3, True),
     ([8], 2, 3, True), ([11], 4, 3, False)],
)  # fmt: skip
def test_who_has_no_picture_of_a_batch(counts, batch, ranks, empty):
    group = Group()
    group.size = ranks
    assert shared_out.has_empty_parts([*map(range, counts), None], batch, group) == empty
    batches = [min(batch, n - start) for n in counts for start in range(0, n, batch)]
    assert empty == any(0 in lengths_of(n, ranks) for n in batches)
