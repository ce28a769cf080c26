"""What a notebook shows of a Run."""

from __future__ import annotations

import pytest
from tiny_runs import TINY

from minialex import plotting, train
from minialex.plotting import style
from minialex.runs.folder import RunFolder
from minialex.runs.run import Run

pytestmark = pytest.mark.usefixtures("quick_figures")


def test_where_it_stands_its_curves_and_its_settings(tmp_path, monkeypatch):
    options = train.parser().parse_args([*map(str, TINY), "--epochs", "2", "--backend", "numpy"])
    run = Run(train.configured(options), RunFolder(tmp_path / "<b>"), say=lambda text: None)
    before = run._repr_html_()
    assert "Run of shapes_net: 0 of 2 epochs done" in before and "<img" not in before
    assert "shapes: 20 training, 20 validation and 20 test pictures" in before and "backend" in before
    assert "<b>" not in before.partition("</b>")[2] and "&lt;b&gt;" in before, "the folder's name is escaped"
    next(run.trainer.steps())
    assert "0 of 2 epochs done, and 1 of 3 batches" in run._repr_html_()
    monkeypatch.setattr(plotting, "curves", lambda history: style.Figure(figsize=(1, 1)))
    run.trainer.fit(1, run.validation_batches(), progress=False)
    after = run._repr_html_()
    (row,) = run.trainer.history
    assert "1 of 2 epochs done<" in after and f">{row['val_loss']:.4f}<" in after
    assert after.count('src="data:image/png;base64,iVBOR') == 1
