"""The default network trained on a student's functions, beside the same steps on the library's own."""

from __future__ import annotations

import contextlib
import itertools
import statistics
import time
from dataclasses import dataclass, replace

from tqdm import tqdm

from .. import backends, data, models, random, trainer
from ..data import Normalization
from ..data.pipeline import Pipeline
from ..models import training
from . import assignment_in, using

NETWORK = "shapes_net"
REFERENCE_STEPS = 30  # that the library's own functions are timed over


@dataclass(frozen=True)
class Trained:
    """calls: of each function. seconds, own_seconds: of a step (the median), by the library's functions and by these.

    accuracy: on test pictures, from 0 to 1; classes: how many there are to guess from.
    """

    calls: dict[str, int]
    seconds: float
    own_seconds: float
    accuracy: float
    classes: int


def train(folders, epochs, pictures):
    """Train on the functions in `folders`, all of them at once; a Trained. RuntimeError if none was called."""
    backends.use_backend("numpy")
    splits = data.load(models.PRESETS[NETWORK].training.dataset, limit=pictures)
    seconds = _seconds_of_a_step(splits)
    with contextlib.ExitStack() as stack:
        counts = {assignment_in(folder).name: stack.enter_context(using(folder)) for folder in folders}
        model, teacher = _prepared(splits, epochs)
        times: list[float] = []
        for _ in tqdm(range(epochs), desc="training", unit="epoch"):
            times += _times(tqdm(teacher.steps(), total=len(teacher.loader), leave=False, unit="step"))
            teacher.finish_epoch()
        result = trainer.evaluate(model, _loader(splits, splits.test).epoch())
    calls = {f"{name}.{function}": n for name, count in counts.items() for function, n in count.items()}
    if not any(calls.values()):
        raise RuntimeError(f"the network never called {', '.join(calls)}: it learned on the library's own functions")
    return Trained(calls, seconds, statistics.median(times), 1 - result.top1_error, len(splits.train.classes))


def _seconds_of_a_step(splits):
    """By the library's own functions."""
    _, teacher = _prepared(splits, 1)
    return statistics.median(_times(itertools.islice(teacher.steps(), REFERENCE_STEPS)))


def _times(steps):
    """Seconds of each step."""
    times, start = [], time.perf_counter()
    for _ in steps:
        times.append(time.perf_counter() - start)
        start = time.perf_counter()
    return times


def _prepared(splits, epochs):
    """A network with its first weights, and its Trainer: the same ones every time."""
    random.manual_seed(0)
    recipe = replace(models.PRESETS[NETWORK].training, epochs=epochs)
    model = models.build(NETWORK, num_classes=len(splits.train.classes))
    training.set_initial_values(model, recipe)
    optimizer = models.optimizer(model, recipe)
    loader = _loader(splits, splits.train, recipe)
    return model, trainer.Trainer(model, optimizer, training.schedule(model, recipe, optimizer), loader)


def _loader(splits, dataset, recipe=None):
    """Of training where there is a recipe, else of evaluation."""
    pipeline = Pipeline(Normalization.channels(splits.train), dataset.image_shape[-1])
    if recipe is None:
        return data.Loader(dataset, 100, pipeline.evaluation())
    transforms = pipeline.training(crop_padding=recipe.crop_padding, flip=recipe.flip)
    return data.Loader(dataset, recipe.batch_size, transforms, shuffle=True)
