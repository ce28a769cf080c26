"""In a real kernel: what a notebook shows, and what its file holds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

CELLS = [
    """
%matplotlib inline
import os, signal, time
import numpy as np
from minialex import data, models, nn, optim, plotting, random, training
from minialex.support import progress

draw = np.random.default_rng(0)
pictures = data.ArrayDataset(draw.integers(0, 256, (40, 1, 4, 4), dtype=np.uint8), np.arange(40) % 3, "abc")
loader = data.Loader(pictures, 4, [data.Normalize.channels(pictures)], shuffle=True)
model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
trainer = training.Trainer(model, optim.SGD(model.parameters(), 0.1), None, loader)
model""",
    "next(iter(loader))[0]",
    """progress.QUICK = 0
trainer.fit(2, on_step=lambda trainer, row: time.sleep(0.06))[0]["epoch"]""",
    "plotting.curves(trainer.history)",
    "plotting.filters(np.ones((4, 3, 5, 5)))",
    """model.eval()
trainer.fit(9, on_step=lambda trainer, row: row["step"] == 27 and os.kill(os.getpid(), signal.SIGINT))""",
    "(trainer.epoch, trainer.batch, model.training)",
]


@pytest.mark.heavy
def test_a_notebook(tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat", reason="the extra `tutorials` is not installed")
    client = pytest.importorskip("nbclient", reason="the extra `tutorials` is not installed")
    pytest.importorskip("ipykernel", reason="the extra `tutorials` is not installed")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("MPLCONFIGDIR", os.environ.get("MPLCONFIGDIR", str(tmp_path)))
    monkeypatch.delenv("MINIALEX_PROGRESS", raising=False)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    resources = {"metadata": {"path": str(tmp_path)}}
    client.NotebookClient(
        notebook, timeout=120, kernel_name="python3", allow_errors=True, resources=resources
    ).execute()
    module, images, fit, curves, filters, stopped, after = [cell.outputs for cell in notebook.cells]
    assert "Sequential: 51 parameters" in module[0].data["text/html"] and "MACs" in module[0].data["text/html"]
    assert "data:image/png;base64," in images[0].data["text/html"]
    shown = [output.data["text/plain"] for output in fit if output.output_type == "display_data"]
    assert len(shown) == 1 and shown[0].startswith("epoch 2/2: 80 images in 0:0"), "replaced in place, one line is left"
    printed = "".join(output.text for output in fit if output.output_type == "stream")
    assert "\r" not in printed and [line[:9] for line in printed.splitlines()] == ["epoch 1/2", "epoch 2/2"]
    assert all(output.name == "stdout" for output in fit if output.output_type == "stream")
    for (figure,) in (curves, filters):
        assert len(figure.data["image/png"]) > 1000, "once, as an image"
    error = next(output for output in stopped if output.output_type == "error")
    assert error.ename == "KeyboardInterrupt" and error.evalue.startswith(
        "training stopped in epoch 3 after 7 of 10 bat"
    )
    assert after[0].data["text/plain"] == "(2, 7, False)"
