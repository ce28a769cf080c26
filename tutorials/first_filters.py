"""Filters of a first convolution to look at (lesson 8): published ones where there are some, else one's own."""

from __future__ import annotations

import os
from pathlib import Path

from lesson import progress

import minialex
from minialex import convert, data, models, optim
from minialex.data.pipeline import Pipeline
from minialex.models import published
from minialex.nn import init
from minialex.support.resources import cache_folder
from minialex.training.trainer import Trainer


def to_see(pictures, epochs):
    """(weights (O, 3, h, w), red first; whose they are): of the published weights that are on this machine, or trained.

    The folder of published weights is that of --weights-dir: MINIALEX_WEIGHTS_DIR names it, or it is in the cache.
    """
    named = os.environ.get("MINIALEX_WEIGHTS_DIR")
    return of_published(Path(named) if named else cache_folder() / "weights") or trained_here(pictures, epochs)


def of_published(folder):
    """Those of the first file of published weights in a folder; None where there is none. Nothing is downloaded."""
    for row in published.TABLE.values():
        if (folder / row.file).is_file():
            network = convert.load_published(row.name, folder)
            weight = next(p.numpy() for p in network.model.parameters() if p.ndim == 4)
            return weight[:, ::-1] if row.channel_order == "BGR" else weight, row.summary
    return None


def trained_here(pictures, epochs):
    """Those of shapes_net, after so many epochs on so many pictures of its data set."""
    minialex.manual_seed(8)
    splits = data.load("shapes", train_count=pictures, validation=0, test_count=10)
    pipeline = Pipeline(data.Normalize.channels(splits.train), 32)
    model = models.build("shapes_net")
    init.normal_(model.conv1.weight, std=0.01)  # as in the paper: what has learned nothing stays nearly grey
    optimizer = optim.SGD(model.parameters(), 0.02, 0.9, weight_decay=0.002)
    schedule = optim.MultiStepLR(optimizer, [int(0.7 * epochs)])
    loader = data.Loader(splits.train, 64, pipeline.training_transforms(), shuffle=True, seed=8)
    trainer = Trainer(model, optimizer, schedule, loader)
    for _ in progress(range(epochs), "training", "epochs"):
        for _ in trainer.steps():
            pass
        trainer.finish_epoch()
    said = f"shapes_net after {epochs} epochs of {pictures:,} drawn shapes"
    return model.conv1.weight.numpy(), said
