"""The model of many ranks, with numbers worked out by hand, and the command that measures and predicts."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

import pytest
from ranks import NEEDS_MPI, finished, start
from refusals import must_refuse

from minialex import cli, nn, threads
from minialex.bench import __main__ as bench
from minialex.bench import exchanges, parallel, parallel_report, scaling, workloads
from minialex.bench import host as bench_host
from minialex.bench.exchanges import Exchange, Link, Share


@pytest.fixture(autouse=True)
def thread_count(monkeypatch):
    """The command sets it for the whole process."""
    monkeypatch.setattr(threads, "_count", threads._count)


FREE = dict.fromkeys(exchanges.COLLECTIVES, Link(0.0, 1e30))
SLOW = dict.fromkeys(exchanges.COLLECTIVES, Link(0.5, 100.0))
COSTS = {"a": (2, 2), "relu": (0, 0), "b": (4, 8)}  # 16 in all: of 32 s a picture, forward 4 + 8, backward 16, then 4


def total(layer, size):
    return Exchange("all_reduce", size, 2, layer)  # takes 2 (0.5 + size / 200) s


class TestStep:
    """One picture on this rank: backward of b ends 16 s after its beginning, that of a 20 s."""

    work = {"a": 1.0, "relu": 1.0, "b": 1.0}

    def step(self, *made, work=None):
        return scaling.step(Share([*made], work or self.work), COSTS, 32.0, SLOW)

    def test_hidden(self):
        """2 s after b, and 1 s after a, when backward is over."""
        assert self.step(total("b", 100), total("a", 0)) == scaling.Step(32.0, 3.0, 1.0)

    def test_late(self):
        """From 16 to 27 s; then a's, although it was complete at 20 s, until 29 s: 9 s late."""
        step = self.step(total("b", 1000), total("a", 100))
        assert step == scaling.Step(32.0, 13.0, 9.0) and step.seconds == 41.0

    def test_activities_are_waited_for(self):
        """A gather of 400 bytes takes 0.5 + 2 s."""
        assert self.step(Exchange("all_gather", 400, 2)) == scaling.Step(32.0, 2.5, 2.5)

    def test_a_part_of_the_work(self):
        """Half of b: backward's end is at 12 s, and b's at 8 s: 8 + 11 s is 7 s late."""
        step = self.step(total("b", 1000), work={"a": 1.0, "relu": 1.0, "b": 0.5})
        assert step == scaling.Step(8.0 + 12.0, 11.0, 7.0)


@pytest.mark.parametrize("collective", exchanges.COLLECTIVES)
def test_fit_finds_the_link(collective):
    link = Link(3e-6, 2e9)
    times = [(size, Exchange(collective, size, 4).seconds({collective: link})) for size in (8, 4096, 1 << 25)]
    found = scaling.fit(times, collective, 4)
    assert found.latency == pytest.approx(link.latency) and found.bandwidth == pytest.approx(link.bandwidth)


def test_fit_is_relative():
    """All times 10 % longer or shorter in turn: small and large ones count alike."""
    sizes = [8 * 8**k for k in range(8)]
    exact = [Exchange("all_gather", size, 2).seconds({"all_gather": Link(1e-5, 1e9)}) for size in sizes]
    times = [(n, s * (1.1 if i % 2 else 0.9)) for i, (n, s) in enumerate(zip(sizes, exact))]
    found = scaling.fit(times, "all_gather", 2)
    assert found.latency == pytest.approx(1e-5, rel=0.1) and found.bandwidth == pytest.approx(1e9, rel=0.1)


def test_fit_needs_a_bandwidth():
    with pytest.raises(ValueError, match="all_gather took no longer for more bytes"):
        scaling.fit([(8, 1e-3), (1 << 20, 1e-3 * (1 - 1e-6))], "all_gather", 2)


def tiny():
    return nn.Sequential(
        {
            "conv1": nn.Conv2d(3, 4, 3),  # 6 x 6 -> 4 x 4
            "relu1": nn.ReLU(inplace=True),
            "norm1": nn.LocalResponseNorm(3, groups=2),
            "flatten": nn.Flatten(),
            "fc2": nn.Linear(64, 10),
        }
    )


TINY = workloads.Workload("tiny", tiny, 6, 10, (8,), 8)


def test_costs_by_hand():
    conv, fc = 16 * 4 * 27, 640
    assert scaling.costs(TINY) == {"conv1": (conv, conv), "relu1": (0, 0), "norm1": (0, 0), "fc2": (fc, 2 * fc)}


@pytest.mark.parametrize("scheme", parallel_report.SCHEMES)
def test_without_exchanges_ranks_are_as_many_times_as_fast(scheme):
    for how, batch in (("weak", 32), ("strong", 8)):
        model = scaling.Model(TINY, 8, how, 0.25)
        [(step, speed_up)] = model.on(scheme, 4, [FREE])
        assert model.batch(4) == batch
        assert step.computing == pytest.approx(batch / 4 * 0.25) and speed_up == pytest.approx(4)


def test_data_by_hand():
    """Weak: 2 x 8 pictures, 8 of them, at 0.25 s: 2 s. Numbers, logits, and gradients of which fc2's come first."""
    [(step, speed_up)] = scaling.Model(TINY, 8, "weak", 0.25).on("data", 2, [SLOW])
    gathers = 0.5 + 16 / 200 + 0.5 + 16 * 40 / 200
    sums = 2 * (0.5 + 4 * (4 * 27 + 4 + 640 + 10) / 200)  # in one bucket, at the end of backward
    assert step.waiting == pytest.approx(gathers + sums) and speed_up == pytest.approx(2 * 2 / (2 + gathers + sums))


def test_strong_scaling_cannot_divide_a_picture():
    [(step, speed_up)] = scaling.Model(TINY, 8, "strong", 0.25).on("data", 16, [FREE])
    assert step.computing == pytest.approx(0.25) and speed_up == pytest.approx(8)


def test_links_are_gigabits_and_microseconds():
    assert scaling.gigabit(25, 10) == dict.fromkeys(exchanges.COLLECTIVES, Link(1e-5, 3.125e9))


def test_memory_by_hand():
    weights = 4 * (2 * (4 * 27 + 4 + 640 + 10) + 4 * 27 + 4)
    outputs = 8 * (64 + 64 + 10)  # ReLU works in place
    one, two = (scaling.memory(TINY, 8, ranks) for ranks in (1, 2))
    assert one == {"weights": weights, "activations": 4 * 2 * outputs, "others": 4 * 8 * (108 + 64)}
    received = (2 * 8 * 64 + 8 * 10) / 2  # before fc2, there and back, and the logits
    assert two == {"weights": weights / 2, "activations": 4 * (outputs + received), "others": 4 * 8 * (108 + 32)}


def test_the_papers_days():
    """90 x 1.2 million / 128 = 843,750 steps in 432,000 to 518,400 s."""
    paper = scaling.Paper()
    assert paper.seconds == pytest.approx((0.512, 0.6144))
    assert paper.peak == pytest.approx(1.581e12, rel=1e-3)
    one, two = paper.predicted(1), paper.predicted(2)
    conv1 = 55 * 55 * 96 * 363
    assert one.computing == pytest.approx(128 * 2 * (3 * 724_406_816 - conv1) / paper.peak)
    assert one.waiting == 0 and two.computing == pytest.approx(one.computing / 2)
    sent = 128 * 4 * (2 * (256 * 169 + 9216 + 4096 + 4096) + 1000) / 2
    assert two.waiting == pytest.approx(sent / 6e9 + 9 * 10e-6)


ROW = {"scheme": None, "ranks": 1, "threads": 4, "oversubscribed": False, "seconds": 0.6, "bytes": 0.0} | {
    "alone": 0.0, "waited": 0.0
}  # fmt: skip


def test_the_table_of_measurements():
    rows = [
        ROW,
        ROW | {"scheme": "data", "ranks": 2, "threads": 2, "seconds": 0.4, "bytes": 2.5e6, "alone": 0.3, "waited": 0.1},
        ROW | {"scheme": "towers", "ranks": 4, "threads": 1, "oversubscribed": True, "alone": 0.1, "waited": 0.2},
    ]
    result = {"network": "cifar_quick", "batch_size": 8, "rows": rows, "left_out": ["a sentence"]}
    text = parallel_report.network(result, dict.fromkeys(exchanges.COLLECTIVES, Link(0.0, 1e7)))
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    sent = (16 + 8 * 40) / 2 + 145_578 * 4
    assert lines[2] == ["one process", "1 x 4", "0.6000", "1.00", "0.00", "0.0000", "0.0000", "0.0000", "0.0000", "-"]
    predicted = [f"{sent / 1e7:.4f}", f"{100 * (sent / 1e7 / 0.3 - 1):+.0f}"]
    assert lines[3] == ["data", "2 x 2", "0.4000", "1.50", "2.50", "0.3000", "0.1000", "0.2000", *predicted]
    assert lines[4][:4] == ["towers", "4 x 1", "0.6000", "oversubscribed"] and lines[4][7] == "0.0000"
    assert "left out: a sentence" in text and len({len(line) for line in lines}) == 1


def test_the_table_of_predictions_says_what_cannot_be():
    text = parallel_report.scaled(scaling.Model(TINY, 8, "weak", 0.25), [(25, 10)])
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    assert [row[:2] for row in rows[2:]] == [[s, n] for s in parallel_report.SCHEMES for n in ("8", "64", "1,024")]
    assert [row[2:] == ["-"] * 3 for row in rows[2:]] == [False] * 3 + [False, True, True] + [False] * 3
    assert "hybrid on 64 ranks: layer fc2 (Linear) cannot be divided among 64 ranks: out_features=10" in text


@pytest.mark.parametrize("text", ["25", "25:", "0:1", "-1:2", "25:-1", "nan:1", "inf:1", "1:inf", "1:nan", "1:2:3"])
def test_bad_links(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is not GBIT:MICROSECONDS, such as 100:5"):
        parallel.link(text)
    assert parallel.link("2.5:0") == (2.5, 0.0)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--ranks 2", "--ranks goes with --parallel"),
        ("--link 1:1", "--link goes with --parallel"),
        ("--scaling strong", "--scaling goes with --parallel"),
        ("--seconds-per-picture 1", "--seconds-per-picture goes with --parallel"),
        ("--model alexnet_2012", "take alexnet"),
        ("--parallel --seconds-per-picture 0", "computing takes more than 0 seconds"),
        ("--parallel --seconds-per-picture inf", "'inf' is not a number"),
        ("--parallel --ranks 1", "'1' is not a whole number of at least 2"),
        ("--parallel --rival none --rival torch-eager", "--rival none cannot be combined"),
        ("--parallel --rival torch-eager", "leave out --rival"),
        ("--parallel --profile", "leave out --profile"),
        ("--parallel --loader .", "leave out --loader"),
        ("--parallel --backend cupy", "give one --backend, numba or numpy"),
        ("--parallel --backend numpy --backend numba", "give one --backend, numba or numpy"),
        ("--parallel --seconds-per-picture 1 --json x.json", "leave out one"),
    ],
)
def test_refused(capsys, tmp_path, monkeypatch, words, sentence):
    monkeypatch.chdir(tmp_path)
    assert sentence in must_refuse(capsys, *words.split(), main=bench.main)


@pytest.mark.parametrize("missing", ["mpiexec", "mpi4py"])
def test_without_mpi(capsys, tmp_path, monkeypatch, missing):
    """One sentence, before anything is measured."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(parallel.sysconfig, "get_path", lambda name: str(tmp_path / "scripts"))
    monkeypatch.setattr(parallel.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(parallel.shutil, "which", lambda name: None if missing == "mpiexec" else f"/bin/{name}")
    monkeypatch.setattr(bench_host.Host, "measure", lambda *_: pytest.fail("measured"))
    sentence = must_refuse(capsys, "--parallel", main=bench.main)
    assert f"there is no {missing}: pip install mpi4py mpich" in sentence and "--seconds-per-picture S" in sentence


@pytest.mark.heavy
def test_predicting_needs_no_mpi(capsys, monkeypatch):
    monkeypatch.setattr(parallel, "_measured", lambda *_: pytest.fail("measured"))
    words = "--parallel --model cifar_quick --batch-size 16 --seconds-per-picture 0.5 --link 100:5 --scaling strong"
    assert cli.run(bench.main, words.split()) == 0
    text = capsys.readouterr().out
    assert "cifar_quick, strong scaling, 16 pictures in a batch, 500 ms of computing for each: predicted" in text
    assert "100 Gbit/s, 5 us: step, s" in text and "843,750 steps" in text


@pytest.mark.heavy
def test_the_picture(tmp_path):
    from minialex.bench import scaling_chart

    models = [scaling.Model(TINY, 8, "weak", 0.25), scaling.Model(TINY, 8, "strong", 0.25)]
    figure = scaling_chart.draw(models, [(1, 50), (400, 2)], tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    panels = [axes for sheet in figure.subfigs for axes in sheet.axes]
    assert [axes.get_title("left") for axes in panels] == ["1 Gbit/s, 50 µs", "400 Gbit/s, 2 µs"] * 2
    data, hybrid, towers = panels[0].get_lines()
    assert data.get_xdata()[0] == 1 and data.get_ydata()[0] == 100 and data.get_xdata()[-1] == 1024
    assert hybrid.get_xdata()[-1] == 8 and towers.get_xdata()[0] == 2


COMMAND = "-m minialex.bench --parallel --model cifar_quick --batch-size 3 --backend numpy --repeat 1 --quick"


def checked(result, ranks):
    """What a measurement must say of data, hybrid and towers on these numbers of ranks."""
    assert result["engine"]["ranks"] == ranks[0] and len(result["engine"]["times"]["all_reduce"]) == 8
    [network] = result["networks"]
    schemes = [(s, n) for n in ranks for s in parallel_report.SCHEMES if s != "towers" or n % 2 == 0]
    assert [(row["scheme"], row["ranks"]) for row in network["rows"]] == [(None, 1), *schemes]
    for row in network["rows"][1:]:
        shares = [
            exchanges.share(row["scheme"], workloads.WORKLOADS["cifar_quick"], 3, rank, row["ranks"])
            for rank in range(row["ranks"])
        ]
        assert row["bytes"] == pytest.approx(max(sum(e.sent for e in share.exchanges) for share in shares))
        assert row["seconds"] > 0 and row["alone"] > 0 and row["waited"] > 0 and len(row["every_run"]) == 1


@pytest.mark.heavy
@NEEDS_MPI
def test_the_command_starts_its_ranks(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [*COMMAND.split()[2:], "--ranks", "3", "--ranks", "2", "--json", "x.json"]
    monkeypatch.setenv("PYTHONPATH", str(Path(bench.__file__).parents[2]))
    assert cli.run(bench.main, words) == 0
    checked(json.loads(Path("x.json").read_text())["parallel"], [2, 3])
    text = capsys.readouterr().out
    assert "left out: towers on 3 ranks: towers are for pairs of ranks, got 3" in text
    assert len(re.findall(r"^\| (data|hybrid|towers) +\| +[23] x 1 \|", text, re.M)) == 5


@pytest.mark.heavy
@NEEDS_MPI
def test_the_command_in_ranks(tmp_path):
    """The first of them speaks, once."""
    code, text, errors = finished(start(2, *COMMAND.split(), "--json", "x.json", cwd=tmp_path))
    assert code == 0 and not errors, errors
    checked(json.loads((tmp_path / "x.json").read_text())["parallel"], [2])
    assert text.count("as a ring's messages") == text.count("843,750 steps") == 1


@pytest.mark.heavy
@NEEDS_MPI
def test_more_ranks_than_were_started(tmp_path):
    code, text, errors = finished(start(2, *COMMAND.split(), "--ranks", "4", cwd=tmp_path))
    assert code == 2 and not text and errors.startswith("error: --ranks 4 needs as many processes, and 2 were started")


@pytest.mark.heavy
@NEEDS_MPI
def test_many_processes_without_parallel(tmp_path):
    code, text, errors = finished(start(2, "-m", "minialex.bench", "--quick", cwd=tmp_path))
    assert code == 2 and not text and "they are for --parallel; without it, start one" in errors


@pytest.mark.heavy
@NEEDS_MPI
def test_a_rank_that_fails(tmp_path, capsys, monkeypatch):
    """All end, and the command says so."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert "the ranks ended with exit code" in must_refuse_after(capsys, *COMMAND.split()[2:])


def must_refuse_after(capsys, *words):
    """The sentence of a command that fails after it has begun to speak."""
    assert cli.run(bench.main, list(words)) == 2
    return capsys.readouterr().err
