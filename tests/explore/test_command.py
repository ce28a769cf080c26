"""`python -m minialex.explore`: what it writes where, and what it refuses."""

from __future__ import annotations

import base64
import contextlib
import json
import queue
import re
import signal
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

import kept_run
import numpy as np
import pytest
from PIL import Image

from minialex import cli, data, models, random
from minialex.explore import __main__ as command
from minialex.runs import checkpoint, trained


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A checkpoint of random weights, trained on no data set that it names."""
    random.manual_seed(3)
    path = tmp_path_factory.mktemp("weights") / "net.npz"
    Image.new("RGB", (40, 40)).save(path.with_name("black.png"))
    checkpoint.save(path, untrained_checkpoint())
    return path


def untrained_checkpoint():
    norm = data.Normalize(np.array([100, 120, 140])[:, None, None], 50)
    values, classes = models.build("shapes_net").state_dict(), [f"class {letter}" for letter in "abcdefghij"]
    return checkpoint.Checkpoint("shapes_net", {}, values, 32, norm.to_arrays(), classes, {}, resize=40)


def said(capsys, *words):
    """(exit code, stdout, stderr) of the command."""
    code = cli.run(command.main, [str(word) for word in words])
    return code, *capsys.readouterr()


def read(path):
    """The data of a page."""
    text = Path(path).read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="network">(.*?)</script>', text)[1])


def test_a_page_of_pictures_from_files(weights, tmp_path, monkeypatch, capsys, rng):
    monkeypatch.chdir(tmp_path)
    pixels = rng.integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(pixels).save("<b>.png")
    assert said(capsys, weights, "--picture", "<b>.png", "--out", "page.html") == (0, "page.html\n", "")
    shown = read("page.html")
    assert shown["title"] == "shapes_net" and shown["classes"][1] == "class b"
    (picture,) = shown["pictures"]
    assert picture["caption"] == "<b>.png" and picture["label"] is None and picture["shape"] == [3, 32, 32]
    seen = pixels[4:36, 4:36].transpose(2, 0, 1)
    assert base64.b64decode(picture["pixels"]) == seen.tobytes()
    given = np.frombuffer(base64.b64decode(picture["input"]), "<f4").reshape(seen.shape)
    expected = trained.load(weights).pipeline.views(pixels.transpose(2, 0, 1)[None], 1)[0, 0]
    assert np.array_equal(given, expected) and abs(given[0].mean() - (seen[0].mean() - 100) / 50) < 1e-4


@pytest.mark.heavy
def test_a_run_has_its_page_and_test_pictures(tmp_path, monkeypatch, capsys):
    import tiny_runs

    tiny_runs.without_figures(monkeypatch)
    assert tiny_runs.run(*tiny_runs.TINY, "--epochs", 1, "--backend", "numpy", "--out", tmp_path / "run") == 0
    capsys.readouterr()
    page = tmp_path / "run" / "explore.html"
    assert said(capsys, tmp_path / "run", "--out", page) == (0, f"{page}\n", "")
    shown = read(page)
    assert [p["caption"] for p in shown["pictures"]] == [f"test image {n}" for n in range(6)]
    labels = data.load("shapes", limit=20).test.fetch(range(6))[1]
    assert [p["label"] for p in shown["pictures"]] == labels.tolist()


@pytest.mark.heavy
def test_a_network_before_training(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert said(capsys, "shapes_net", "--picture", "3", "--out", "explore.html") == (0, "explore.html\n", "")
    shown = read("explore.html")
    assert shown["classes"][0] == "circle" and len(shown["pictures"]) == 1
    given = np.frombuffer(base64.b64decode(shown["pictures"][0]["input"]), "<f4")
    assert abs(given.mean()) < 1 and 0.3 < given.std() < 2, "normalised by its data set"


EXPLAINED = ("WEIGHTS", "--picture", "PICTURE", "--out", "a.html", "--explain")
REFUSED = {
    ("nothing",): "there is no checkpoint nothing",
    ("WEIGHTS",): "does not name the data set.*give --picture FILE, or choose a data set with --dataset",
    ("WEIGHTS", "--explain", "conv1:0,0,0"): "--explain is for a page in a file, --out",
    (*EXPLAINED, "conv1:0,0,0"): "it explains every pixel of this one",
    (*EXPLAINED, "conv9:0,0,0"): "--explain conv9:0,0,0: expected LAYER:C,Y,X, where LAYER is one of picture, conv1",
    (*EXPLAINED, "conv1:32,0,0"): "conv1 has 32 x 16 x 16 numbers",
    (*EXPLAINED, "conv1:1"): "conv1 has 32 x 16 x 16 numbers",
    (*EXPLAINED, "conv1"): "expected LAYER:C,Y,X",
    ("WEIGHTS", "--port", "65536"): "whole number from 0 to 65535",
    ("--weights", "torchvision", "--weights-dir", ".", "WEIGHTS"): "unrecognized arguments",
    ("WEIGHTS", "--weights-dir", "."): "--weights-dir is the folder for the file of --weights NAME",
    ("WEIGHTS", "--out", "page.png"): "--out page.png: the name of a page must end in .html",
    ("WEIGHTS", "--picture", "lost.png"): "lost.png: No such file",
    ("WEIGHTS", "--picture", "3"): "does not name the data set.*choose one with --dataset",
    ("WEIGHTS", *["--picture", "a.png"] * 41): "at most 40 pictures, got 41",
    ("WEIGHTS", "--picture", "PICTURE", "--out", "no/folder/page.html"): "no/folder/page.html",
    (): "the following arguments are required: RUN",
}


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_what_it_refuses(words, weights, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    files = {"WEIGHTS": weights, "PICTURE": weights.with_name("black.png")}
    code, out, error = said(capsys, *(files.get(word, word) for word in words))
    assert code == 2 and not out and re.search(REFUSED[words], error), error
    assert len(error.splitlines()) == 1 and not list(tmp_path.iterdir())


@pytest.mark.heavy
def test_the_pixels_of_explain_are_those_of_a_large_network(weights, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("minialex.explore.describing.LARGEST", 0)
    picture, out = weights.with_name("black.png"), tmp_path / "a.html"
    options = ["--picture", picture, "--out", out, "--explain", "conv2:3,4,5", "--explain", "fc5:7"]
    assert said(capsys, weights, *options)[0] == 0
    (result,) = read(out)["results"]
    assert [(e["layer"], e["at"]) for e in result["explained"]] == [(5, [3, 4, 5]), (15, [7, 0, 0])]


def test_published_weights_are_shown(tmp_path, monkeypatch, capsys):
    asked, network = [], trained.of(untrained_checkpoint(), "net.npz")
    monkeypatch.setattr("minialex.convert.load_published", lambda *words: asked.append(words) or network)
    Image.new("RGB", (40, 40)).save(tmp_path / "black.png")
    options = ["--weights", "torchvision", "--weights-dir", tmp_path, "--picture", tmp_path / "black.png"]
    assert said(capsys, *options, "--out", tmp_path / "a.html") == (0, f"{tmp_path / 'a.html'}\n", "")
    assert asked == [("torchvision", str(tmp_path))]


@contextlib.contextmanager
def started(*words):
    """A context with the command in a process of its own, and the address that it prints."""
    run = [sys.executable, "-m", "minialex.explore", *map(str, words)]
    process = subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.heavy
def test_it_serves_until_ctrl_c(weights):
    with started(weights, "--picture", weights.with_name("black.png"), "--no-browser") as (process, address):
        with urllib.request.urlopen(address, timeout=20) as answer:
            assert answer.status == 200 and b'id="network"' in answer.read()
        taken = urllib.parse.urlsplit(address).port
        with started(weights, "--picture", weights.with_name("black.png"), "--port", taken, "--no-browser") as (
            other,
            _,
        ):
            assert other.wait(20) == 2
            assert re.fullmatch(rf"error: --port {taken}: .*in use; choose another one\n", other.stderr.read())
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130 and process.stderr.read() == "Ctrl-C stops it\nstopped\n"
        with pytest.raises(OSError, match="refused"):
            urllib.request.urlopen(address, timeout=20)


def test_it_opens_the_browser_at_its_address(weights, monkeypatch, capsys):
    opened = queue.Queue()
    monkeypatch.setattr("webbrowser.open", opened.put)
    served = []
    monkeypatch.setattr("minialex.explore.serving.Server.serve_forever", lambda server: served.append(server.address))
    code, out, _ = said(capsys, weights, "--picture", weights.with_name("black.png"))
    assert code == 0 and re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{43}/\n", out)
    assert opened.get(timeout=20) == served[0] == out.strip()
    assert said(capsys, weights, "--picture", weights.with_name("black.png"), "--no-browser")[0] == 0
    assert served[1] != served[0] and opened.empty()


@pytest.mark.heavy
def test_a_served_run_has_its_kept_epochs(tmp_path, monkeypatch, capsys):
    folder, served = kept_run.make(tmp_path), []
    monkeypatch.setattr("minialex.explore.serving.Server.serve_forever", lambda server: served.append(server.answers))
    assert said(capsys, folder, "--no-browser")[0] == 0
    (tmp_path / "page.html").write_bytes(served[0].page)
    shown = read(tmp_path / "page.html")
    assert [entry["epoch"] for entry in shown["timeline"]["entries"]] == [1, 2, 3] and shown["computes"]
    assert shown["served"] == {"pictures": kept_run.COUNT} and len(shown["pictures"]) == 6
