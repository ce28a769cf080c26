"""Trainer.fit: its callbacks, how it ends, what it clips, and what it says of each step."""

from __future__ import annotations

import numpy as np
import pytest

from minialex import backends, data, nn, optim, random
from minialex.support import progress
from minialex.training import Trainer


def prepared(accumulate=1, clip=None, lr=0.1):
    random.manual_seed(3)
    draw = np.random.default_rng(0)
    pictures = data.ArrayDataset(draw.integers(0, 256, (18, 1, 4, 4), dtype=np.uint8), np.arange(18) % 3, "abc")
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(16, 3))
    loader = data.Loader(pictures, 4, [data.Normalize.channels(pictures)], shuffle=True)
    optimizer = optim.SGD(model.parameters(), lr)
    return Trainer(model, optimizer, optim.StepLR(optimizer, 1, 0.5), loader, accumulate, clip_grad_norm=clip)


def by_hand(t, epochs):
    """The same training as a loop; the losses of its steps."""
    losses = []
    while t.epoch < epochs:
        losses += t.steps()
        t.finish_epoch(t.loader.epoch())
    return losses


@pytest.mark.parametrize("accumulate", [1, 2])
def test_fit_is_the_loop_and_tells_of_each_step_and_epoch(accumulate):
    expected = prepared(accumulate)
    losses, steps, epochs = by_hand(expected, 3), [], []
    t = prepared(accumulate)
    history = t.fit(3, t.loader, on_step=lambda t, row: steps.append(row), on_epoch=lambda t, row: epochs.append(row))
    assert history is t.history and len(history) == 3 and all(a is b for a, b in zip(epochs, history, strict=True))
    for name, array in t.model.state_dict().items():
        np.testing.assert_array_equal(array, expected.model.state_dict()[name])
    assert [row["val_loss"] for row in history] == [row["val_loss"] for row in expected.history]

    ends = [1, 2, 3, 4, 5] if accumulate == 1 else [2, 4, 5]  # of 5 batches
    assert [row["step"] for row in steps] == [*range(1, 3 * len(ends) + 1)]
    assert [(row["epoch"], row["batch"]) for row in steps] == [(e, b) for e in (1, 2, 3) for b in ends]
    assert [row["lr"] for row in steps] == [0.1] * len(ends) + [0.05] * len(ends) + [0.025] * len(ends)
    assert [row["loss"] for row in steps] == losses
    assert {row["grad_norm"] for row in steps} == {None}


def test_more_epochs_later_are_the_same_as_all_at_once():
    at_once = prepared()
    at_once.fit(3)
    t = prepared()
    t.fit(1)
    assert t.epoch == 1 and len(t.fit(1)) == 1, "the number counts all epochs: nothing is left to do"
    t.fit(3)
    for name, array in t.model.state_dict().items():
        np.testing.assert_array_equal(array, at_once.model.state_dict()[name])


def test_stopping_in_a_callback():
    whole = prepared()
    whole.fit(2)
    t = prepared()

    def stop(t, row):
        t.should_stop = row["step"] == 3

    t.fit(2, on_step=stop)
    assert (t.epoch, t.batch, t.history) == (0, 3, []), "in the middle of the epoch"
    t.fit(2, on_epoch=lambda t, row: setattr(t, "should_stop", True))
    assert (t.epoch, t.batch) == (1, 0)
    assert len(t.fit(2)) == 2, "the next call starts anew"
    for name, array in t.model.state_dict().items():
        np.testing.assert_array_equal(array, whole.model.state_dict()[name])


@pytest.mark.parametrize("result", [False, 0, True])
def test_what_callbacks_return_is_nothing_to_stop_for(result):
    assert len(prepared().fit(2, on_step=lambda t, row: result, on_epoch=lambda t, row: result)) == 2


def test_what_a_callback_raises_ends_the_training_between_two_steps():
    t = prepared()
    t.model.eval()

    def fail(t, row):
        if row["step"] == 7:
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        t.fit(2, on_step=fail)
    assert (t.epoch, t.batch) == (1, 2) and not t.model.training
    t.model.train()
    t.fit(2)
    assert t.model.training, "as it was before"


def test_validation_in_every_epoch_from_a_list_too():
    t = prepared()
    images = np.zeros((3, 1, 4, 4), np.float32)
    history = t.fit(2, [(images, np.array([0, 1, 2]))])
    assert all(0 <= row["val_top1_error"] <= 1 for row in history)


def test_a_line_for_each_epoch(capsys):
    prepared().fit(1)
    prepared().fit(1, [(np.zeros((3, 1, 4, 4), np.float32), np.array([0, 1, 2]))])
    prepared().fit(1, progress=False)
    out, err = capsys.readouterr()
    first, second = out.splitlines()
    assert err == "" and first.startswith("epoch 1/1: training loss 1.") and "%, 0." in first
    assert "training error " in first and "validation loss " in second and ", error " in second


def test_the_bar_counts_the_images_of_all_epochs(monkeypatch):
    seen = []
    monkeypatch.setattr(progress.Progress, "_draw", lambda self, now: seen.append((self.description, self.done)))
    monkeypatch.setattr(progress, "TICK", dict.fromkeys(progress.TICK, 0))
    t = prepared(accumulate=2)
    t.fit(2)
    counts = [("epoch 1/2", 8), ("epoch 1/2", 16), ("epoch 1/2", 18), *(("epoch 2/2", 18 + n) for n in (8, 16, 18))]
    assert [s for s in seen if s in counts] == counts and set(seen) <= {*counts, ("epoch 1/2", 0)}


class TestClipping:
    def test_a_step_has_the_clipped_gradient(self, rng):
        """Without momentum, a step is lr times as long as the clipped gradient."""
        t = prepared(clip=0.25)
        moved, rows = [], []

        def look(t, row):
            moved.append(np.concatenate([p.numpy().ravel() for p in t.model.parameters()]))
            rows.append(row)

        moved.append(np.concatenate([p.numpy().ravel() for p in t.model.parameters()]))
        t.fit(1, on_step=look)
        for before, after, row in zip(moved, moved[1:], rows, strict=False):
            length = np.linalg.norm((after - before).astype(np.float64)) / 0.1
            assert length == pytest.approx(min(row["grad_norm"], 0.25), rel=1e-4)
        assert max(row["grad_norm"] for row in rows) > 0.5, "there was something to clip"

    def test_a_limit_that_is_never_reached_changes_no_bit(self):
        plain = prepared()
        plain.fit(2)
        clipped = prepared(clip=1e6)
        clipped.fit(2)
        for name, array in clipped.model.state_dict().items():
            assert array.tobytes() == plain.model.state_dict()[name].tobytes()

    @pytest.mark.parametrize("accumulate", [1, 3])
    def test_the_sum_over_batches_is_clipped_not_each(self, accumulate):
        norms = []
        t = prepared(accumulate, clip=0.25)
        before = [p.numpy().copy() for p in t.model.parameters()]
        t.fit(1, on_step=lambda t, row: (norms.append(row["grad_norm"]), setattr(t, "should_stop", True)))
        moved = sum(
            ((p.numpy() - b).astype(float) ** 2).sum() for p, b in zip(t.model.parameters(), before, strict=True)
        )
        assert moved**0.5 == pytest.approx(0.1 * min(norms[0], 0.25), rel=1e-4)


class TestRecordedSteps:
    """Rows for steps.csv; on a GPU losses are read rarely, and yet every row has its own."""

    @pytest.mark.parametrize(("accumulate", "every"), [(1, 1), (2, 3), (2, 100)])
    def test_every_step_once_with_its_loss(self, monkeypatch, accumulate, every):
        losses = by_hand(prepared(accumulate), 2)
        monkeypatch.setattr(backends.get_backend(), "sync_every", every)
        t, rows = prepared(accumulate, clip=5.0), []
        t.recording = True
        while t.epoch < 2:
            for number, _ in enumerate(t.steps()):
                if number == 1:
                    rows += t.recorded_steps()
            t.finish_epoch(t.loader.epoch())
        rows += t.recorded_steps()
        assert [row["step"] for row in rows] == [*range(1, len(losses) + 1)] and t.recorded_steps() == []
        assert [row["loss"] for row in rows] == pytest.approx(losses, rel=1e-6)
        assert all(isinstance(row["grad_norm"], float) and row["grad_norm"] > 0 for row in rows)

    def test_on_request_only(self):
        t = prepared()
        t.fit(1)
        assert t.recorded_steps() == []
