"""The epochs of a run as data: the weights that it kept, and what they take the test pictures for."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import shutil

import kept_run
import numpy as np
import pytest

from minialex import cli, data, explore
from minialex.explore import __main__ as command
from minialex.explore import timeline
from minialex.look.subject import Subject
from minialex.runs import checkpoint, kept, trained
from minialex.tensor import Tensor, no_grad

pytestmark = pytest.mark.heavy
SHAPE = (3, 32, 32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return kept_run.make(tmp_path_factory.mktemp("runs"))


def of(folder, room=10**7):
    """(the timeline of a run, its network)."""
    network = trained.load(folder)
    return timeline.of(Subject(network, {}), folder, explore.describe(network.model, SHAPE), room), network


def integers(text):
    return np.frombuffer(base64.b64decode(text), "<i4")


def test_every_epoch_has_its_weights_and_its_predictions(folder):
    found, _ = of(folder)
    assert [entry["epoch"] for entry in found["entries"]] == [1, 2, 3] and found["start"] == 1 and found["note"] == ""
    assert found["entries"][1]["weights"] is None, "the page has them"
    test = data.load("shapes", limit=kept_run.COUNT).test
    numbers = integers(found["tested"])
    assert numbers.tolist() == list(range(kept_run.COUNT)) and found["of"] == kept_run.COUNT
    images, labels = test.fetch(numbers)
    assert integers(found["labels"]).tolist() == labels.tolist()
    x = (images.astype(np.float32) - np.array([100, 120, 140], np.float32)[:, None, None]) / 50
    for entry, path in zip(found["entries"], kept.found(folder).values()):
        model = trained.load(path).model
        with no_grad():
            assert integers(entry["predicted"]).tolist() == model(Tensor(x)).numpy().argmax(1).tolist()
        if entry["weights"]:
            given = np.frombuffer(base64.b64decode(entry["weights"][1]["weight"]["data"]), "<f4")
            assert given.tobytes() == model.conv1.weight.numpy().tobytes()
            assert entry["weights"].keys() == {1, 5, 9, 12, 15}
    assert set(found["pictures"]) == set(range(kept_run.COUNT))
    assert base64.b64decode(found["pictures"][7]) == images[7].tobytes()


def test_epochs_are_left_out_evenly_where_the_page_has_no_room(folder, tmp_path, monkeypatch):
    run = shutil.copytree(folder, tmp_path / "run")
    for epoch in range(4, 12):
        shutil.copy(kept.found(run)[3], run / "kept" / f"epoch_{epoch:03}.npz")
    room = 4_000_000
    found, _ = of(run, room)
    assert [entry["epoch"] for entry in found["entries"]] == [1, 2, 6, 11] and found["start"] == 1
    assert found["note"] == "3 of the 10 kept epochs, evenly chosen, so that this page stays small"
    assert len(json.dumps(found)) < room
    assert of(run, 300_000)[0] is None
    monkeypatch.setattr(timeline, "MOST", 5)
    assert [entry["epoch"] for entry in of(run)[0]["entries"]] == [1, 2, 4, 6, 9, 11]


def test_few_pictures_of_each_cell(folder, monkeypatch):
    monkeypatch.setattr(timeline, "SHOWN", 1)
    found, _ = of(folder)
    cells = [
        set(zip(integers(found["labels"]).tolist(), integers(entry["predicted"]).tolist()))
        for entry in found["entries"]
    ]
    assert len(found["pictures"]) <= sum(map(len, cells)) and len(found["pictures"]) < kept_run.COUNT
    for entry, of_epoch in zip(found["entries"], cells):
        labels, predicted = integers(found["labels"]), integers(entry["predicted"])
        assert {(labels[k], predicted[k]) for k in found["pictures"]} >= of_epoch


def test_pictures_are_drawn_from_all_classes(folder, monkeypatch):
    """Those of the generated data are in the order of their classes: every second would leave out half of them."""
    monkeypatch.setattr(timeline, "TESTED", kept_run.COUNT // 2)
    found, _ = of(folder)
    assert len(set(integers(found["labels"]).tolist())) > 5 and len(integers(found["tested"])) == kept_run.COUNT // 2


def test_weights_of_another_network_are_refused(folder, tmp_path, capsys):
    run = shutil.copytree(folder, tmp_path / "run")
    other = dataclasses.replace(checkpoint.load(kept.found(run)[1]), classes=[f"other {n}" for n in range(10)])
    checkpoint.save(run / "kept" / "epoch_001.npz", other)
    words = [str(run), "--out", str(tmp_path / "page.html")]
    assert cli.run(command.main, words) == 2
    error = capsys.readouterr().err
    assert re.search(r"kept/epoch_001\.npz is of another network than .*best\.npz", error) and error.count("\n") == 1
    (run / "kept" / "epoch_001.npz").write_bytes(b"PK\3\4 damaged")
    assert cli.run(command.main, words) == 2
    assert re.search(r"epoch_001\.npz is cut short or damaged", capsys.readouterr().err)


def test_the_command_makes_a_page_with_them(folder, tmp_path, capsys):
    assert cli.run(command.main, [str(folder), "--out", str(tmp_path / "page.html")]) == 0
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    shown = json.loads(re.search(r'<script type="application/json" id="network">(.*?)</script>', text)[1])
    assert [entry["epoch"] for entry in shown["timeline"]["entries"]] == [1, 2, 3]
    assert cli.run(command.main, [str(folder / "best.npz"), "--out", str(tmp_path / "page.html")]) == 0
    assert '"timeline":null' in (tmp_path / "page.html").read_text(encoding="utf-8")
