"""What a run prints about its data and its errors."""

from __future__ import annotations

import contextlib
import re

import numpy as np
import pytest

from minialex import data, plotting
from minialex.runs import report
from minialex.training.evaluation import Evaluation


def splits(train, validation, test, same=False):
    made = [data.ArrayDataset(np.zeros((n, 3, 2, 2), np.uint8), np.zeros(n, int), ["a"]) for n in (validation, test)]
    return data.Splits(None, made[1] if same else made[0], made[1])


def test_a_test_that_says_little():
    assert [*report.cautions(splits(9, 60, 60))] == []
    assert [*report.cautions(splits(9, 60, 60, same=True))] == [
        "validation and test are the same 60 pictures: what validation chooses, this test cannot judge"
    ]
    few = "the test has only 7 pictures, each of them 14.3 % of the test error"
    assert [*report.cautions(splits(9, 60, 7))] == [few]
    assert [*report.cautions(splits(9, 7, 7, same=True))][1:] == [few]
    assert [*report.cautions(splits(9, 60, 7), limit=7)] == [], "there are few because the user wants it so"


@pytest.mark.parametrize(("classes", "expected"), [(3, False), (5, False), (6, True), (10, True)])
def test_there_is_no_top_5_error_of_five_classes(classes, expected):
    assert report.errors(0.25, 0.125, classes) == "top-1 error 25.0 %" + ", top-5 error 12.5 %" * expected
    row = {
        "epoch": 1,
        "train_loss": 1.0,
        "train_error": 0.5,
        "val_loss": 2.0,
        "val_top1_error": 0.5,
        "val_top5_error": 0.0,
    }
    row |= {"images_per_second": 3, "seconds": 1.0}
    assert ("top-5" in report.epoch_line(row, 2, classes)) == expected


def test_one_accuracy_on_the_terminal_and_in_the_figure(tmp_path, monkeypatch):
    """787 of 2,000 are 39.35 %, which as 100 % minus an error was 39.3 here and 39.4 there."""
    from minialex.runs.run import Run

    written = []
    monkeypatch.setattr("matplotlib.figure.Figure.text", lambda self, x, y, text, **style: written.append(text))
    right = 787
    labels, predicted = np.zeros(2000, int), (np.arange(2000) >= right).astype(int)
    plotting.confusion(labels, predicted, ["a", "b"], tmp_path / "c.png")
    result = Evaluation(2000, 0.0, 2000 - right, 0, logits=np.eye(2)[predicted], labels=labels)
    run, said = Run.__new__(Run), []
    run.model, run.splits, run.say, run.classes = None, data.Splits(None, None, None), said.append, ["a", "b"]
    monkeypatch.setattr(run, "batches", lambda *arguments: None, raising=False)
    monkeypatch.setattr("minialex.training.evaluation.validate", lambda *arguments, result=result: result)
    run.folder = type("Folder", (contextlib.nullcontext,), {"draw_test": lambda *arguments: None})()
    run.test()
    (terminal,) = re.findall(r"test accuracy ([\d.]+) %", said[-1])
    (figure,) = re.findall(r"([\d.]+) % of 2,000 correct", written[-1])
    assert terminal == figure == f"{100 * right / 2000:.1f}"
