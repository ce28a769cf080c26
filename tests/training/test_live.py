"""Live: what it draws, when, that it leaves the training alone; and in a real kernel."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
import tiny_trainer

from minialex import nn
from minialex.support import progress
from minialex.tensor import Tensor
from minialex.training import Live, live, live_figures


class Handle:
    def __init__(self):
        self.shown = []

    def update(self, bundle, raw):
        self.shown.append(bundle["text/html"])


@pytest.fixture
def cell(monkeypatch):
    """A notebook's cell: the list of what was shown in its one output."""
    handle = Handle()
    monkeypatch.setattr(progress, "form", lambda: progress.NOTEBOOK)
    monkeypatch.setattr(Live, "_show", lambda self, text: handle.update({"text/html": text}, raw=True))
    return handle.shown


@pytest.fixture
def clock(monkeypatch):
    """Seconds of a clock that stands still unless it is set."""
    now = [100.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: now[0])
    return now


def network():
    return nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(8, 3))


def test_it_draws_every_second_and_in_a_twentieth_of_the_time(cell, clock, monkeypatch):
    drawn = Live.as_html
    monkeypatch.setattr(Live, "as_html", lambda self: (clock.__setitem__(0, clock[0] + 0.1), drawn(self))[1])
    shown = Live(network())
    shown.step(1.0)
    assert len(cell) == 1
    for seconds, count in ((2.9, 1), (0.2, 2), (1.0, 2), (2.1, 3)):  # 1 + 20 x 0.1 after the end of each
        clock[0] += seconds
        shown.step(0.5)
        assert len(cell) == count
    shown.epoch({"train_loss": 0.4})
    assert len(cell) == 3
    clock[0] += 2.05
    shown.epoch({"train_loss": 0.4})
    assert len(cell) == 4, "an epoch does not wait for the second"
    with shown:
        pass
    assert len(cell) == 5, "the end is always drawn"


def test_losses_accuracies_filters_and_confusion(cell, clock, rng):
    images, labels = rng.normal(size=(9, 3, 4, 4)).astype(np.float32), np.arange(9) % 3
    model = network()
    with Live(model, [(images[:4], labels[:4]), (images[4:], labels[4:])], ["<a>", "b", "c"]) as shown:
        shown.step(Tensor(np.float32(2.5)))
        shown.epoch({"train_loss": 2.5, "train_error": 0.75, "val_loss": 2.25, "val_top1_error": 0.5})
    text = cell[-1]
    assert "1 epoch done, step 1, loss 2.5000" in text
    assert "loss: training 2.5, validation 2.25" in text and "accuracy in %: training 25, validation 50" in text
    assert "2 filters of the first convolution" in text and "&lt;a&gt;" in text and "<a>" not in text
    predicted = model(Tensor(images)).numpy().argmax(1)
    found = [int(n) for n in re.findall(r"<td [^>]*>(\d+)</td>", text)]
    expected = np.zeros((3, 3), int)
    np.add.at(expected, (labels, predicted), 1)
    assert found == expected.ravel().tolist() and f"{(predicted == labels).sum()} of 9 pictures recognised" in text


def test_a_curve_of_many_steps_is_of_means(rng):
    text = live_figures.losses([*range(1000)], [])
    points = re.search(r'points="([^"]*)"', text)[1].split()
    assert len(points) == live_figures.POINTS and "from 2 to 997" in text
    assert live_figures.losses([], []) == "" and live_figures.losses([float("nan")], []) == ""
    both = live_figures.losses([float("nan")] * 4, [(2, {"train_loss": 3.0}), (4, {"train_loss": 1.0})])
    assert "loss from 1 to 3" in both, "on a GPU only epochs are known"
    assert live_figures.losses([float("inf"), 1.0], [])


def test_many_classes_are_a_picture():
    assert "<img" in live_figures.confusion(np.eye(30, dtype=int), None)
    assert "<img" not in live_figures.confusion(np.eye(10, dtype=int), None)


def test_a_network_without_a_convolution(cell):
    with Live(nn.Linear(3, 2)) as shown:
        shown.step(1.0)
    assert "filters" not in cell[-1] and "confusion" not in cell[-1]


def test_it_leaves_the_training_alone(cell):
    """Weights, velocities, the generator and the modes are those of a training that nobody looks at."""
    ends = []
    for watched in (False, True):
        t = tiny_trainer.prepared()
        validation = [batch for batch in t.loader.epoch(0)]
        if watched:
            with Live(t.model, validation, "abc", every=0) as shown:
                live.SHARE, before = 0, live.SHARE
                t.fit(2, validation, on_step=shown.on_step, on_epoch=shown.on_epoch, progress=False)
                live.SHARE = before
        else:
            t.fit(2, validation, progress=False)
        ends.append(tiny_trainer.everything(t))
    assert len(cell) == 2 * 3 + 2 + 1
    np.testing.assert_equal(ends[1], ends[0])


def test_outside_a_notebook_one_sentence_says_so(capsys, monkeypatch):
    monkeypatch.setattr(progress, "form", lambda: progress.LOG)
    with Live(network(), [(np.zeros((1, 3, 4, 4), np.float32), np.zeros(1, int))]) as shown:
        shown.step(1.0)
        shown.epoch({"train_loss": 1.0})
    assert capsys.readouterr().err == f"{live.ELSEWHERE}\n"
    monkeypatch.setattr(progress, "form", lambda: None)
    Live(network())
    assert capsys.readouterr().err == ""


CELLS = [
    """
import time
import numpy as np
from minialex import data, nn, optim, training

draw = np.random.default_rng(0)
pictures = data.ArrayDataset(draw.integers(0, 256, (40, 3, 4, 4), dtype=np.uint8), np.arange(40) % 3, "abc")
loader = data.Loader(pictures, 4, [data.Normalize.channels(pictures)], shuffle=True)
model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(16, 3))
trainer = training.Trainer(model, optim.SGD(model.parameters(), 0.1), None, loader)""",
    """
with training.Live(model, loader, "abc", every=0.05) as live:
    trainer.fit(2, loader, on_step=lambda t, row: (live.on_step(t, row), time.sleep(0.02)), on_epoch=live.on_epoch)""",
    """
with training.Live(model) as live:
    for loss in (3.0, 2.0, 1.0):
        live.step(loss)""",
]


@pytest.mark.heavy
def test_in_a_kernel(tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat", reason="the extra `tutorials` is not installed")
    client = pytest.importorskip("nbclient", reason="the extra `tutorials` is not installed")
    pytest.importorskip("ipykernel", reason="the extra `tutorials` is not installed")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("MPLCONFIGDIR", os.environ.get("MPLCONFIGDIR", str(tmp_path)))
    monkeypatch.delenv("MINIALEX_PROGRESS", raising=False)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    resources = {"metadata": {"path": str(tmp_path)}}
    client.NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    _, fitted, own = [cell.outputs for cell in notebook.cells]
    for outputs, words in ((fitted, "2 epochs done, step 20"), (own, "step 3, loss 1.0000")):
        (drawn,) = [o.data["text/html"] for o in outputs if o.output_type == "display_data" and "text/html" in o.data]
        assert words in drawn and "<svg" in drawn and "filters of the first convolution" in drawn
    assert not [o for outputs in (fitted, own) for o in outputs if o.get("name") == "stderr"]


@pytest.mark.heavy
def test_a_run_of_a_folder(cell, tmp_path, monkeypatch):
    import tiny_runs

    from minialex import train
    from minialex.runs.folder import RunFolder
    from minialex.runs.run import Run

    tiny_runs.without_figures(monkeypatch)
    words = [str(word) for word in (*tiny_runs.TINY, "--epochs", 2, "--backend", "numpy")]
    run = Run(train.configured(train.parser().parse_args(words)), RunFolder.create(tmp_path / "run"))
    with Live(run.model, run.validation_batches(), run.classes) as shown:
        run.train(live=shown)
    assert len(shown.losses) == 6 and len(shown.rows) == 2 and "2 epochs done, step 6" in cell[-1]
    assert ">hourglass</th>" in cell[-1]


def test_what_ends_the_loop_is_not_hidden_by_a_drawing_that_fails(cell):
    test = [(np.zeros((2, 5, 4, 4), np.float32), np.zeros(2, int))]  # five channels, and the network takes three
    with pytest.raises(ZeroDivisionError), Live(network(), test) as shown:
        shown.losses.append(1.0)
        1 / 0  # noqa: B018
    with pytest.raises(ValueError, match="channels"), Live(network(), test) as shown:
        shown.losses.append(1.0)


def test_a_test_set_without_pictures_is_refused(cell):
    with pytest.raises(ValueError, match="test holds no pictures: give a Loader or a list with at least one batch"):
        Live(network(), [])
