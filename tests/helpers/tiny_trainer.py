"""A Trainer of a tiny network with all that a step changes, and what must be equal when two of them are compared."""

from __future__ import annotations

import copy

import numpy as np

from minialex import data, nn, optim, random
from minialex.training.trainer import Trainer

EPOCHS = 2  # each of 3 steps: 20 images in batches of 4, two of them to a step


def prepared(clip=1.0):
    """A Trainer with all that a step changes: momentum, dropout, batch statistics, sums."""
    random.manual_seed(3)
    draw = np.random.default_rng(0)
    pictures = data.ArrayDataset(draw.integers(0, 256, (20, 2, 4, 4), dtype=np.uint8), np.arange(20) % 3, "abc")
    layers = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5), nn.Linear(12, 3)
    model = nn.Sequential(*layers)
    optimizer = optim.SGD(model.parameters(), 0.1, momentum=0.9)
    loader = data.Loader(pictures, 4, [data.Normalize.channels(pictures)], shuffle=True)
    t = Trainer(model.eval(), optimizer, optim.StepLR(optimizer, 1, 0.5), loader, 2, clip_grad_norm=clip)
    t.recording = True
    return t


def everything(t):
    state = t.state_dict()
    state.pop("seconds")
    history = [{k: v for k, v in row.items() if k not in ("seconds", "images_per_second")} for row in t.history]
    return copy.deepcopy((t.model.state_dict(), state, history))
