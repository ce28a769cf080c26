"""The loader's bench: what it runs, what it says, what it leaves; never how long anything takes."""

import itertools
import json
import tempfile
import types

import pytest
from photographs import damage
from photographs import folder as photographs
from refusals import must_refuse

from minialex import threads
from minialex.bench import __main__ as bench
from minialex.bench import host, loader, machine


@pytest.fixture(autouse=True)
def quick(tmp_path, monkeypatch):
    """The number of threads as before, an own cache and folder for temporary files, and no waiting."""
    monkeypatch.setattr(threads, "_count", threads._count)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(host, "PAUSE", 0)
    monkeypatch.setattr(host, "LONG_ENOUGH", 1e-9)


@pytest.fixture
def root(tmp_path):
    root = photographs(tmp_path / "pictures", {"a": 7, "b": 6})
    damage(root / "train" / "a" / "0.jpg")
    return root


class Fake:
    """A contender whose steps are counted."""

    def __init__(self, name):
        self.name, self.steps, self.batch_sizes = name, 0, []

    def network(self, workload, batch_size):
        self.batch_sizes.append((workload.name, batch_size))
        return types.SimpleNamespace(step=self.step)

    def step(self):
        self.steps += 1


class Device:
    """A clock of its own: a run takes a second."""

    precisions, warm_ups = (None,), 2

    def use(self, precision):
        self.used = precision

    def seconds(self, run):
        run()
        return 1.0


def measured(root, thread_count=3, pictures=50, repeat=2):
    fake, seen = Fake("fake"), []
    result = loader.LoaderBench(root, [fake], Device(), 4, thread_count, repeat, pictures, seen.append).measure()
    return result, fake, seen


def test_thread_counts():
    assert [loader.thread_counts(most) for most in (1, 2, 3, 4, 6)] == [[1], [1, 2], [1, 2, 3], [1, 2, 4], [1, 2, 4, 6]]


def test_files_and_packed_by_threads_and_the_network(root, tmp_path):
    result, fake, seen = measured(root)
    rows = [(row["source"], row["threads"]) for row in result["loaders"]]
    assert rows == [*itertools.product(("files", "packed"), (1, 2, 3))]
    assert result["pictures"] == 12, "the damaged one is not counted"
    for row in result["loaders"]:
        assert len(row["every_run"]) == 2
        low, high = sorted(12 / seconds for seconds in row["every_run"])
        assert low <= row["images_per_second"] <= high
    assert result["networks"] == [{"contender": "fake", "images_per_second": 4.0, "every_run": [1.0, 1.0]}]
    assert fake.steps == 4 and fake.batch_sizes == [("alexnet", 4)]
    assert {"files 1", "packed 3", "fake"} <= set(seen)
    assert not [*(tmp_path / "temporary").iterdir()]


def test_every_run_loads_every_picture_as_alexnet_is_shown_it(root, monkeypatch):
    shapes = []

    class Watched(loader.Loader):
        def epoch(self):
            for images, labels in super().epoch():
                shapes.append((images.shape, self.workers))
                yield images, labels

    monkeypatch.setattr(loader, "Loader", Watched)
    measured(root, thread_count=2, repeat=1)
    one_run = [(4, 3, 227, 227)] * 3
    assert shapes == [(shape, workers) for _ in range(2) for workers in (1, 2, 1, 2) for shape in one_run]


def test_no_more_pictures_than_asked_for(root):
    assert measured(root, thread_count=1, pictures=5)[0]["pictures"] in (4, 5)


def test_a_packed_folder_has_no_files(root, tmp_path):
    from minialex.data import pack

    pack.main([str(root), str(tmp_path / "packed")])
    result, _, _ = measured(tmp_path / "packed", thread_count=2)
    assert [(row["source"], row["threads"]) for row in result["loaders"]] == [("packed", 1), ("packed", 2)]
    assert result["pictures"] == 12


def result_of(files, packed, **networks):
    rows = [
        {"source": s, "threads": 2**i, "images_per_second": rate}
        for s, rates in (("files", files), ("packed", packed))
        for i, rate in enumerate(rates)
    ]
    steps = [{"contender": name, "images_per_second": rate} for name, rate in networks.items()]
    return {"network": "alexnet", "batch_size": 8, "pictures": 64, "loaders": rows, "networks": steps}


def test_the_bottleneck_is_named():
    slow, fast = loader.verdicts(result_of([60.0, 110.0, 90.0], [500.0, 900.0], numpy=20.0, numba=200.0))
    assert slow == "files: the loader is the bottleneck; it loads 55 % of what numba consumes"
    assert fast == "packed: the network is the bottleneck; 1 thread loads 2.5 x what numba consumes"
    (two, _) = loader.verdicts(result_of([60.0, 110.0, 400.0], [500.0], numba=100.0))
    assert two == "files: the network is the bottleneck; 2 threads load 1.1 x what numba consumes"


def test_the_text_has_every_figure():
    text = loader.text(result_of([60.25, 1110.0], [5000.0], numpy=20.0, numba=200.0))
    for part in ("64 images in batches of 8", "60.2", "1,110.0", "5,000.0", "20.0", "packed", "numba", "bottleneck"):
        assert part in text


def test_the_command(root, tmp_path, monkeypatch, capsys):
    fake = Fake("numpy")
    fakes = machine.Machine("a processor", 2, 2, 1e9, 1e9, "3", "2", "blas", None, None, "2026-11-21")
    monkeypatch.setattr(machine, "measure", lambda **options: fakes)
    monkeypatch.setattr(bench, "choose", lambda device, backend, rival, say: [fake] if rival == [] else pytest.fail())
    bench.main(["--loader", str(root), "--quick", "--threads", "1", "--json", str(tmp_path / "bench.json")])
    out = capsys.readouterr().out
    assert "images from" in out and "bottleneck" in out and fake.batch_sizes == [("alexnet", 8)]
    document = json.loads((tmp_path / "bench.json").read_text())
    assert document["machine"]["cpu"] == "a processor" and document["repeat"] == 1
    assert [row["source"] for row in document["loader"]["loaders"]] == ["files", "packed"]


@pytest.mark.parametrize(
    "extra", [["--model", "alexnet"], ["--rival", "torch-eager"], ["--profile"], ["--plot", "x.png"]]
)
def test_options_that_do_not_fit(tmp_path, monkeypatch, capsys, extra):
    monkeypatch.chdir(tmp_path)
    sentence = must_refuse(capsys, "--loader", ".", *extra, main=bench.main)
    assert "--loader always times minialex's alexnet" in sentence and extra[0] in sentence


def test_a_folder_without_pictures(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    sentence = must_refuse(capsys, "--loader", "temporary", "--quick", "--backend", "numpy", main=bench.main)
    assert "temporary holds no pictures: expected temporary/train/CLASS/*.jpg, a folder for each class, or" in sentence
