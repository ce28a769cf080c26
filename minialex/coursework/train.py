"""Training a small network on a student's functions, timed against the library's own."""

from __future__ import annotations

import contextlib
import itertools
import math
import statistics
import time
from dataclasses import dataclass, replace

import numpy as np

from .. import backends, data, models, nn, random
from ..data import Normalize
from ..data.pipeline import Pipeline
from ..nn import init
from ..support.progress import Progress
from ..tensor import Tensor
from ..training import evaluation, trainer
from ..training.recipe import make_optimizer, make_schedule
from . import assignment_in, using

NETWORK = "shapes_net"
REFERENCE_STEPS = 30  # for timing the library's own functions


class InOperators(nn.Module):
    """A network written in operators, for A1, whose functions the layers do not call.

        logits = tanh(x W + a) V s + b      x (N, D), W (D, 100), V (100, C), s a learned scalar

    inputs: D.
    classes: C.
    hidden: the number of hidden units.
    """

    def __init__(self, inputs, classes, hidden=100):
        super().__init__()
        shapes = {"W": (inputs, hidden), "a": (hidden,), "V": (hidden, classes), "s": (1,), "b": (classes,)}
        for name, shape in shapes.items():
            values = nn.Parameter(np.ones(shape, np.float32))
            fan_in = shape[0] if len(shape) == 2 else math.inf
            setattr(self, name, init.normal_(values, std=fan_in**-0.5) if name != "s" else values)

    def forward(self, images):
        """Logits (N, C) for images (N, ...)."""
        x = Tensor(images.data.reshape(len(images), -1))
        p = self._parameters
        return (x @ p["W"] + p["a"]).tanh() @ p["V"] * p["s"] + p["b"]


@dataclass(frozen=True)
class TrainResult:
    """The result of training on a student's functions.

    calls: {function: number of calls}.
    seconds: of a step with the library's functions, the median.
    own_seconds: of a step with the student's functions, the median.
    accuracy: on the test images, from 0 to 1.
    classes: number of classes.
    """

    calls: dict[str, int]
    seconds: float
    own_seconds: float
    accuracy: float
    classes: int


def train(folders, epochs, pictures):
    """Train AlexNet in miniature or, for A1 alone, a network written in operators, on a student's functions.

    folders: the student's; the functions of all of them are used together.
    epochs: passes over the training images.
    pictures: at most so many training images.

    Returns a TrainResult.
    Raises RuntimeError if none of the functions was called.
    """
    backends.use_backend("numpy")
    splits = data.load(models.PRESETS[NETWORK].recipe.dataset, limit=pictures)
    in_operators = [assignment_in(folder).name for folder in folders] == ["a1"]
    seconds = _seconds_of_a_step(splits, in_operators)
    with contextlib.ExitStack() as stack:
        counts = {assignment_in(folder).name: stack.enter_context(using(folder)) for folder in folders}
        model, teacher = _prepared(splits, epochs, in_operators)
        times: list[float] = []
        with Progress("training", epochs * len(teacher.loader), "steps") as bar:
            for _ in range(epochs):
                times += _times(teacher.steps(), bar)
                teacher.finish_epoch()
        result = evaluation.validate(model, _loader(splits, splits.test).epoch())
    calls = {f"{name}.{function}": n for name, count in counts.items() for function, n in count.items()}
    if not any(calls.values()):
        raise RuntimeError(f"the network never called {', '.join(calls)}: it was trained with the library's functions")
    return TrainResult(calls, seconds, statistics.median(times), 1 - result.top1_error, len(splits.train.classes))


def _seconds_of_a_step(splits, in_operators):
    """The median time of a step with the library's own functions."""
    _, teacher = _prepared(splits, 1, in_operators)
    return statistics.median(_times(itertools.islice(teacher.steps(), REFERENCE_STEPS)))


def _times(steps, bar=None):
    """The seconds of each step; bar: a Progress, updated after each."""
    times, start = [], time.perf_counter()
    for _ in steps:
        times.append(time.perf_counter() - start)
        if bar:
            bar.update()
        start = time.perf_counter()
    return times


def _prepared(splits, epochs, in_operators):
    """(model, Trainer) with the same initial weights every time."""
    random.manual_seed(0)
    recipe, classes = replace(models.PRESETS[NETWORK].recipe, epochs=epochs), len(splits.train.classes)
    model: nn.Module
    if in_operators:
        model = InOperators(math.prod(splits.train.image_shape), classes)
    else:
        model = models.build(NETWORK, num_classes=classes)
    optimizer = make_optimizer(model, recipe)
    loader = _loader(splits, splits.train, recipe)
    return model, trainer.Trainer(model, optimizer, make_schedule(model, recipe, optimizer), loader)


def _loader(splits, dataset, recipe=None):
    """A Loader for training if a recipe is given, else for evaluation."""
    pipeline = Pipeline(Normalize.channels(splits.train), dataset.image_shape[-1])
    if recipe is None:
        return data.Loader(dataset, 100, pipeline.evaluation_transforms())
    transforms = pipeline.training_transforms(crop_padding=recipe.crop_padding, flip=recipe.flip)
    return data.Loader(dataset, recipe.batch_size, transforms, shuffle=True)
