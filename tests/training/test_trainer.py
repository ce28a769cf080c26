"""Metrics against hand-worked numbers, schedules by name, and the loop itself."""

from __future__ import annotations

import numpy as np
import pytest

from minialex import backends, data, nn, optim, random
from minialex.tensor import Tensor, is_grad_enabled
from minialex.training import evaluation, trainer


def test_rank_of_label_by_hand():
    logits = np.array(
        [
            [0.1, 0.9, 0.3, 0.2, 0.0, -1.0, -2.0],  # label 1: first
            [0.1, 0.9, 0.3, 0.2, 0.0, -1.0, -2.0],  # label 4: behind 1, 2, 3, 0
            [0.1, 0.9, 0.3, 0.2, 0.0, -1.0, -2.0],  # label 5: behind five
            [5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0],  # label 0 of equal ones: first
            [5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0],  # label 6: last
            [1.0, 2.0, np.nan, 0.0, 0.0, 0.0, 0.0],  # label 1: behind what is no number
            [1.0, np.nan, 0.0, 0.0, 0.0, 0.0, 0.0],  # label 1, no number itself: behind all
        ],
        np.float32,
    )
    labels = np.array([1, 4, 5, 0, 6, 1, 1])
    assert evaluation.rank_of_label(logits, labels).tolist() == [0, 4, 5, 0, 6, 1, 7]
    metrics = evaluation.Metrics()
    metrics.add(2.0, logits, labels)
    metrics.add(9.0, logits[:1], labels[:1])
    assert (metrics.pictures, metrics.top1_errors, metrics.top5_errors) == (8, 5, 3)
    assert metrics.loss == (2.0 * 7 + 9.0) / 8 and metrics.top1_error == 5 / 8 and metrics.top5_error == 3 / 8


def test_the_first_choice_is_argmax(rng):
    logits = rng.integers(-2, 3, (200, 4)).astype(np.float32)  # many ties
    labels = rng.integers(0, 4, 200)
    assert ((evaluation.rank_of_label(logits, labels) == 0) == (logits.argmax(1) == labels)).all()


def batches(rng, count, size, classes=3):
    return [
        (
            rng.standard_normal((size - (i == count - 1), 4)).astype(np.float32),
            rng.integers(0, classes, size - (i == count - 1)),
        )
        for i in range(count)
    ]


def test_evaluate_weighs_pictures_not_batches_and_leaves_the_model_alone(rng):
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 3))
    recording = []
    model[0].forward = lambda x, forward=model[0].forward: (recording.append(is_grad_enabled()), forward(x))[1]
    parts = batches(rng, 3, 5)
    before = {name: array.copy() for name, array in model.state_dict().items()}
    metrics = evaluation.validate(model, parts)

    x, labels = (np.concatenate(column) for column in zip(*parts))
    logits = x.astype(np.float64) @ before["1.weight"].T + before["1.bias"]  # no dropout
    exponentials = np.exp(logits)
    loss = -np.log(exponentials[range(14), labels] / exponentials.sum(1)).mean()
    np.testing.assert_allclose(metrics.logits, logits, rtol=1e-4, atol=1e-6)
    assert (metrics.labels == labels).all()
    assert metrics.pictures == 14 and metrics.loss == pytest.approx(loss, rel=1e-6)
    assert metrics.top1_error == (logits.argmax(1) != labels).mean() and metrics.top5_error == 0
    assert recording == [False, False, False], "nothing is kept for a backward that never comes"
    assert model.training and random.default_generator.call == 2, "only the weight and the bias were drawn"
    assert all((array == before[name]).all() for name, array in model.state_dict().items())
    assert model[1].weight.grad is None

    model.eval()
    evaluation.validate(model, parts)
    assert not model.training
    model.train()
    with pytest.raises(ValueError):
        evaluation.validate(model, [(np.zeros((2, 4), np.float32), np.array([0, 7]))])
    assert model.training, "training mode comes back after an error too"


def test_best_row_is_the_lowest_error_then_the_lowest_loss():
    rows = [
        {"epoch": e, "val_top1_error": error, "val_loss": loss}
        for e, (error, loss) in enumerate([(0.3, 0.1), (0.2, 0.9), (0.2, 0.8), (0.2, 0.85), (0.25, 0.01)])
    ]
    assert trainer.best_row(rows)["epoch"] == 2


def test_a_step_is_forward_backward_step(rng):
    """Two batches against the same arithmetic written out: softmax regression with momentum."""
    images = rng.integers(0, 256, (6, 4, 1, 1), dtype=np.uint8)
    pictures = data.ArrayDataset(images, np.array([0, 1, 2, 0, 1, 2]), "abc")
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    w, b = (p.data.astype(np.float64) for p in model.parameters())
    optimizer = optim.SGD(model.parameters(), 0.1, momentum=0.5)
    loader = data.Loader(pictures, 4, [data.Normalize(np.full((4, 1, 1), 128), 64.0)])
    t = trainer.Trainer(model, optimizer, None, loader)
    losses = list(t.steps())

    v_w, v_b = 0.0, 0.0
    for part, loss in zip((slice(0, 4), slice(4, 6)), losses):
        x, labels = (pictures.images[part, :, 0, 0] - 128.0) / 64, pictures.labels[part]
        p = np.exp(x @ w.T + b)
        p /= p.sum(1, keepdims=True)
        assert loss == pytest.approx(-np.log(p[range(len(x)), labels]).mean(), rel=1e-5)
        g = (p - np.eye(3)[labels]) / len(x)
        v_w, v_b = 0.5 * v_w + g.T @ x, 0.5 * v_b + g.sum(0)
        w, b = w - 0.1 * v_w, b - 0.1 * v_b
    np.testing.assert_allclose(model[1].weight.data, w, rtol=1e-5)
    np.testing.assert_allclose(model[1].bias.data, b, rtol=1e-5)
    assert (t.epoch, t.batch, t.running.pictures) == (0, 2, 6)
    row = t.finish_epoch()
    assert row["epoch"] == 1 and row["train_loss"] == pytest.approx((4 * losses[0] + 2 * losses[1]) / 6)
    assert "val_loss" not in row and (t.epoch, t.batch, t.running.pictures) == (1, 0, 0)


def accumulated(rng, count, batch_size, accumulate, *, drop_last=False, epochs=2):
    """Losses and weights of a small network (no dropout) after some epochs, and its trainer."""
    images = rng.integers(0, 256, (count, 1, 6, 6), dtype=np.uint8)
    pictures = data.ArrayDataset(images, rng.integers(0, 3, count), "abc")
    random.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    optimizer = optim.SGD(model.parameters(), 0.05, momentum=0.9, weight_decay=0.01)
    loader = data.Loader(
        pictures, batch_size, [data.Normalize.channels(pictures)], shuffle=True, seed=3, drop_last=drop_last
    )
    t = trainer.Trainer(model, optimizer, None, loader, accumulate)
    losses = []
    for _ in range(epochs):
        losses += t.steps()
        t.finish_epoch()
    return losses, model.state_dict(), t


@pytest.mark.parametrize(
    ("count", "batch_size", "accumulate", "steps"),
    [
        (20, 8, 3, 1),  # batches of 8, 8 and 4: weighed by their pictures
        (20, 4, 3, 2),  # steps of 12 and 8
        (21, 5, 2, 3),  # steps of 10, 10 and a single picture
        (12, 4, 99, 1),  # more than there are
    ],
)
def test_accumulated_batches_are_one_large_batch(rng, count, batch_size, accumulate, steps):
    state = rng.bit_generator.state
    losses, weights, t = accumulated(rng, count, batch_size, accumulate)
    rng.bit_generator.state = state
    large_losses, large_weights, large = accumulated(rng, count, batch_size * accumulate, 1)
    assert len(losses) == len(large_losses) == 2 * steps
    assert losses == pytest.approx(large_losses, rel=1e-5)
    for name, array in weights.items():
        np.testing.assert_allclose(array, large_weights[name], rtol=1e-4, atol=1e-6)
    for row, large_row in zip(t.history, large.history, strict=True):
        assert row["train_loss"] == pytest.approx(large_row["train_loss"], rel=1e-5)


def test_accumulation_where_the_last_batch_is_dropped(rng):
    """21 pictures in batches of 4: five are used, in steps of 8, 8 and 4 of them."""
    losses, _, t = accumulated(rng, 21, 4, 2, drop_last=True, epochs=1)
    assert len(losses) == 3 and t.history[0]["train_loss"] == pytest.approx(np.dot(losses, [8, 8, 4]) / 20)


def test_accumulation_yields_where_a_checkpoint_is_exact(rng):
    """A state taken at any yield, loaded into a new trainer, ends with the same bits."""
    state = rng.bit_generator.state
    _, weights, _ = accumulated(rng, 21, 4, 2, epochs=1)
    for taken in range(1, 4):
        rng.bit_generator.state = state
        _, _, t = accumulated(rng, 21, 4, 2, epochs=0)
        for _, _ in zip(range(taken), t.steps()):
            pass
        assert t.batch == min(2 * taken, 6)
        saved, arrays = t.state_dict(), {name: array.copy() for name, array in t.model.state_dict().items()}
        rng.bit_generator.state = state
        _, _, other = accumulated(rng, 21, 4, 2, epochs=0)
        other.model.load_state_dict(arrays)
        other.load_state_dict(saved)
        list(other.steps())
        for name, array in other.model.state_dict().items():
            assert array.tobytes() == weights[name].tobytes()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_is_no_number_stops_before_the_step(value):
    pictures = data.ArrayDataset(np.zeros((4, 4, 1, 1), np.uint8), np.zeros(4, int), "abc")
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    t = trainer.Trainer(model, optim.SGD(model.parameters(), 0.1), None, data.Loader(pictures, 2))
    steps = t.steps()
    next(steps)
    model[1].bias.data = Tensor(np.array([value, 0, 0], np.float32)).data
    expected = r"^the training loss became (nan|inf) in epoch 1, batch 2: 1 \(Linear\) is the first module .* 1.bias .*"
    with pytest.raises(
        trainer.Diverged, match=f"{expected}; try a lower learning rate .*, smaller initial weights or normal"
    ):
        next(steps)
    assert np.isfinite(model[1].weight.data).all() and t.batch == 1
    with pytest.raises(trainer.Diverged, match="the validation loss after epoch 1 became (nan|inf) in batch 1: 1 "):
        t.finish_epoch([(np.zeros((1, 4, 1, 1), np.float32), np.array([1]))])
    assert t.history == []
    with pytest.raises(trainer.Diverged, match="^after 0 epochs and 1 batches, 1.bias became NaN or inf"):
        t.check_weights()
    model[1].bias.data[...] = 0
    t.check_weights()


class TestLookingRarely:
    """As on a GPU: losses are read every few batches, and when somebody needs the sums."""

    @pytest.mark.parametrize("every", [2, 4, 100])
    def test_the_same_training(self, rng, monkeypatch, every):
        state = rng.bit_generator.state
        losses, weights, t = accumulated(rng, 21, 4, 2)
        assert None not in losses
        monkeypatch.setattr(backends.get_backend(), "sync_every", every)
        rng.bit_generator.state = state
        unread, same_weights, rarely = accumulated(rng, 21, 4, 2)
        assert unread == [None] * len(losses)
        for name, array in weights.items():
            np.testing.assert_array_equal(same_weights[name], array)
        for row, same in zip(t.history, rarely.history, strict=True):
            for figure in ("train_loss", "train_error"):
                assert same[figure] == row[figure]

    def test_a_state_has_counted_all(self, rng, monkeypatch):
        monkeypatch.setattr(backends.get_backend(), "sync_every", 100)
        _, _, t = accumulated(rng, 21, 4, 2, epochs=0)
        for _, _ in zip(range(2), t.steps()):
            pass
        assert t.running.pictures == 0 and t.state_dict()["running"]["pictures"] == 16

    def test_a_loss_that_is_no_number_is_seen_later(self, monkeypatch):
        monkeypatch.setattr(backends.get_backend(), "sync_every", 100)
        pictures = data.ArrayDataset(np.zeros((8, 4, 1, 1), np.uint8), np.zeros(8, int), "abc")
        model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
        t = trainer.Trainer(model, optim.SGD(model.parameters(), 0.1), None, data.Loader(pictures, 2))
        steps = t.steps()
        next(steps)
        model[1].bias.data = np.array([np.nan, 0, 0], np.float32)
        assert [*steps] == [None] * 3
        expected = r"became nan in epoch 1, batch 2: seen after batch 4, when 1.weight and 1 other had become"
        with pytest.raises(trainer.Diverged, match=expected):
            t.state_dict()

    @pytest.mark.parametrize("every", [1, 2, 5, 100])
    def test_the_same_evaluation(self, rng, monkeypatch, every):
        """In batches of 3, 3, 3, 3 and 1; each batch's logits and loss are fetched once."""
        batches = [(rng.standard_normal((n, 4)).astype(np.float32), rng.integers(0, 3, n)) for n in (3, 3, 3, 3, 1)]
        model, fetched, numpy = nn.Linear(4, 3), [], Tensor.numpy
        expected = evaluation.validate(model, batches)
        monkeypatch.setattr(backends.get_backend(), "sync_every", every)
        monkeypatch.setattr(Tensor, "numpy", lambda self: fetched.append(self.shape) or numpy(self))
        result = evaluation.validate(model, batches)
        assert [shape for shape in fetched if shape] == [(3, 3)] * 4 + [(1, 3)]
        assert (result.loss, result.top1_error, result.pictures) == (expected.loss, expected.top1_error, 13)
        np.testing.assert_array_equal(result.logits, expected.logits)
        np.testing.assert_array_equal(result.labels, np.concatenate([labels for _, labels in batches]))

    @pytest.mark.parametrize(
        ("every", "found"),
        [(1, "linear .* is the first module .* all weights still"), (3, "all weights are"), (4, "all weights are")],
    )
    def test_an_evaluation_that_overflows(self, monkeypatch, every, found):
        """In its second batch; which module it was is told where the batch is still there."""
        monkeypatch.setattr(backends.get_backend(), "sync_every", every)
        model = nn.Sequential({"linear": nn.Linear(2, 2)})
        model.linear.weight.data = np.full((2, 2), 3e38, np.float32)
        batches = [(np.full((1, 2), x, np.float32), np.array([0])) for x in (0, 2, 0)]
        with pytest.raises(trainer.Diverged, match=f"^the loss became nan in batch 2: {found}"):
            evaluation.validate(model, batches)
