"""Descriptions in checkpoints: every value, replaced by every kind of wrong one, is refused by name or means nothing.

A checkpoint is taken apart in memory, one place is changed, and it is read and loaded into the training that it is of.
What is accepted is listed with its reason.
"""

from __future__ import annotations

import copy
import functools
import json
import math
import re

import numpy as np
import pytest

from minialex import data, models, random
from minialex.nn import init
from minialex.runs import checkpoint
from minialex.runs.checkpoint import Checkpoint
from minialex.runs.configuration import Configuration
from minialex.support import npz
from minialex.training import trainer
from minialex.training.recipe import make_optimizer, make_schedule

RECIPES = {  # optimizer, schedule, epochs finished, batches since
    "sgd": ("sgd_paper", "warmup:1+cosine", 1, 1),
    "adam": ("adam", "plateau:3:0.5:2", 2, 0),
}


def a_trainer(kind):
    """A Trainer of a small network on five images, in batches of two, and its recipe."""
    optimizer, schedule, _, _ = RECIPES[kind]
    recipe = models.Recipe("shapes", 5, 2, 0.01, schedule, 0.9, optimizer, bias_lr=2.0)
    with init.skipped():
        model = models.build("shapes_net", num_classes=3, input_size=19)
    for name, p in model.named_parameters():
        p.data[...] = np.random.default_rng(len(name)).standard_normal(p.shape) / 10
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 19, 19), np.uint8)
    loader = data.Loader(
        data.ArrayDataset(images, np.arange(5) % 3, "abc"), 2, [data.Normalize(np.zeros((3, 1, 1)), 99)]
    )
    made = make_optimizer(model, recipe)
    return trainer.Trainer(model, made, make_schedule(model, recipe, made), loader), recipe


@functools.cache
def a_checkpoint(kind):
    """(the JSON of a checkpoint in the middle of training, its arrays, and a Trainer of the same form)."""
    t, recipe = a_trainer(kind)
    _, _, epochs, batches = RECIPES[kind]
    random.manual_seed(3)
    for _ in range(epochs):
        list(t.steps())
        row = t.finish_epoch([(np.zeros((2, 3, 19, 19), np.float32), np.array([0, 1]))])
        row["layers"] = [{"layer": "conv1", "activation": 0.5, "dead": None, "gradient": 1e-3, "update": math.inf}]
    for _, _ in zip(range(batches), t.steps()):
        pass
    configuration = Configuration("shapes_net", recipe, "numpy", 3, num_classes=3, input_size=19).check()
    saved = Checkpoint(
        model="shapes_net",
        arguments={"num_classes": 3, "input_size": 19},
        weights={name: array.copy() for name, array in t.model.state_dict().items()},
        input_size=19,
        normalization=data.Normalize(np.full((3, 24, 24), 99.0), 50).to_arrays(),
        classes=["a", "b", "c"],
        configuration=configuration.to_dict(),
        trainer_state=copy.deepcopy(t.state_dict()),
        history=t.history,
        resize=24,
    )
    arrays = checkpoint.to_arrays(saved)
    return json.loads(arrays.pop("checkpoint").tobytes()), arrays, a_trainer(kind)[0]


def read(kind, tree, arrays=None):
    _, own, _ = a_checkpoint(kind)
    text = {"checkpoint": np.frombuffer(json.dumps(tree).encode(), np.uint8)}
    return checkpoint.from_arrays("c.npz", {**(own if arrays is None else arrays), **text})


def resume(kind, tree, arrays=None):
    """Read a description, and load it as a run does that continues."""
    saved = read(kind, tree, arrays)
    t = a_checkpoint(kind)[2]
    if not saved.trainer_state:
        raise ValueError("it has no trainer_state")
    t.load_state_dict(saved.trainer_state)
    saved.check_course(t)
    return saved


REMOVED = object()
WRONG = {  # what a place is replaced by
    "nothing": REMOVED,
    "null": None,
    "true": True,
    "text": "x",
    "-1": -1,
    "1.5": 1.5,
    "NaN": math.nan,
    "infinity": math.inf,
    "huge": 10**400,
    "a list": [],
    "an object": {},
    "nested": functools.reduce(lambda inner, _: [inner], range(600), 0),
    "an array": {"$array": "weights/conv1.bias"},
}
NUMBER, TEXT, OPTIONAL = {"1.5"}, {"text"}, {"null"}
NAMES = "data_dir|recipe_name|weights|val_labels|model_sha256|conv_table|bias_schedule|schedule|dataset"
MAY_BE_NULL = (
    "data_dir|limit|validation|overfit|threads|recipe_name|weights|num_classes|input_size|workers|val_labels|resize|"
    "model_sha256|conv_table|bias_schedule|color_noise_until|clip_grad_norm|cfg_definition|cfg_parameters"
)
ACCEPTED = [  # (place, kinds of wrong values, why they are right)
    (r"configuration\.\w+", {"nothing"}, "it may have fewer fields, as that of a converted network"),
    (r"configuration", {"an object"}, "a converted network has none"),
    (rf"configuration\.({MAY_BE_NULL})", OPTIONAL, "these fields may be null"),
    (rf"configuration\.({NAMES})", TEXT, "names of files, data sets and schedules, judged where they are used"),
    (r"configuration\.(weight_decay|bias_lr|color_noise|clip_grad_norm)", NUMBER, "a number from 0 on"),
    (r"configuration\.(flip|bias_decay|diagnose|strict|random_resized_crop|cfg_initial_rates)", {"true"}, "a switch"),
    (
        r"configuration\.local_batch_norm",
        {"true"},
        "a switch, which fits the number of processes or not where it is used",
    ),
    (
        r"configuration\.(weight_decay|layer_schedules|freeze_from|init_std|init_bias|conv_ways)",
        {"an object"},
        "tables",
    ),
    (r"configuration\.freeze", {"a list"}, "a list of layers"),
    (r"configuration\.cfg_files", {"a list"}, "names of files"),
    (r"configuration\.cfg_(definition|parameters)", TEXT, "texts of files, read where a run goes on"),
    (r"configuration\.(lr|bias_lr)", NUMBER, "only a trainer's schedule says otherwise: see below"),
    (r"arguments", {"nothing"}, "see test_arguments"),
    (r"classes\[\d\]", TEXT, "a class may have any name"),
    (
        r"configuration\.(limit|validation|accumulate|keep_every|overfit|color_noise_until)",
        {"huge"},
        "as many as there are",
    ),
    (r"history\[\d\]\.layers\[0\]", {"nothing"}, "fewer layers"),
    (r"trainer_state\.optimizer\.param_groups\[\d\]\.nesterov", {"true"}, "a switch"),
    (r"trainer_state\.schedule\.own_lrs\[\d\]", {"-1", "1.5"}, "a run whose learning rates were set by hand"),
    (r"channel_order|history|resize|trainer_state", {"nothing"}, "they have defaults"),
    (r"resize", OPTIONAL, "there is none for other data than files; the mean image says what size"),
    (r"history\[\d\]\.(train_loss|val_loss|lr)", {"1.5", "-1"}, "a metric, which is only shown"),
    (r"history\[\d\]\.(seconds|images_per_second)", NUMBER, "likewise"),
    (r"history\[\d\]\.layers", {"nothing", "a list"}, "a run without the option diagnose has none"),
    (r"history\[\d\]\.layers\[0\]\.layer", TEXT, "a name"),
    (r"history\[\d\]\.layers\[0\]\.\w+", {"null", "-1", "1.5", "NaN", "infinity"}, "statistics, which may overflow"),
    (r"trainer_state\.seconds|trainer_state\.running\.loss_sum", {"1.5", "-1"}, "sums of time and loss, only shown"),
    (r"trainer_state\.optimizer\.param_groups\[\d\]\.(\w+)", {"nothing"}, "the recipe has the same settings"),
    (r"trainer_state\.optimizer\.param_groups\[\d\]\.(momentum|weight_decay|dampening|eps|lr)", NUMBER, "settings"),
    (r"trainer_state\.optimizer\.param_groups\[\d\]\.dampening", {"-1"}, "as in torch"),
    (r"trainer_state\.schedule\.(best|patience|threshold|eps|cooldown)", {"null", "-1", "1.5", "infinity"}, "settings"),
    (r"trainer_state\.schedule\.(min_lrs|_last_lr)\[\d\]", {"-1", "1.5"}, "learning rates"),
    (r"trainer_state\.schedule\.\w+", {"nothing"}, "states of earlier versions lack some"),
    (r"trainer_state\.schedule\.times", OPTIONAL, "without a limit"),
]


def places(value, place=()):
    """Every place in a JSON value; of weights and velocities, which are alike, the first two."""
    if place:
        yield place
    if isinstance(value, dict):
        keys = [*value]
        if place in (("weights",), ("trainer_state", "optimizer", "state")):
            keys = keys[:2]
        for key in keys:
            if key != "$array":
                yield from places(value[key], (*place, key))
    elif isinstance(value, list):
        for index in range(min(len(value), 2)):
            yield from places(value[index], (*place, index))


def shown(place):
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)[1:]


def get(tree, place):
    return functools.reduce(lambda inner, step: inner[step], place, tree)


def put(tree, place, value):
    """A copy of a tree with another value at a place, or without it; what does not lie on the way is shared."""
    if not place:
        return value
    step, *rest = place
    other = dict(tree) if isinstance(tree, dict) else list(tree)
    if value is REMOVED and not rest:
        del other[step]
    else:
        other[step] = put(tree[step], rest, value)
    return other


def is_accepted(place, wrong):
    return any(re.fullmatch(pattern, shown(place)) and wrong in kinds for pattern, kinds, _ in ACCEPTED)


def check(kind, place, wrong):
    tree = a_checkpoint(kind)[0]
    before = get(tree, place)
    if WRONG[wrong] == before or (wrong == "true" and before is True):
        return
    changed = put(tree, place, WRONG[wrong])
    try:
        resume(kind, changed)
    except ValueError as error:
        text = str(error)
        named = [str(step) for step in place if not isinstance(step, int)]
        named = named[3 if "has nothing for parameter" in text and len(named) > 3 else -1]
        assert len(text) < 500 and "\n" not in text, text
        assert named in text or place[0] in ("format", "version"), f"{shown(place)} = {wrong}: {text}"
    else:
        assert is_accepted(place, wrong), f"{shown(place)} = {wrong} was accepted"


def cases(kind):
    return [(place, wrong) for place in places(a_checkpoint(kind)[0]) for wrong in WRONG]


@pytest.mark.parametrize("kind", RECIPES)
def test_an_unchanged_description_is_accepted(kind):
    tree, arrays, _ = a_checkpoint(kind)
    saved = resume(kind, tree)
    assert checkpoint.to_arrays(saved).keys() == {"checkpoint", *arrays}
    assert json.loads(checkpoint.to_arrays(saved)["checkpoint"].tobytes()) == tree


@pytest.mark.parametrize("kind", RECIPES)
def test_some_wrong_values_in_every_place(kind):
    """Two kinds of wrong values for each place, others for the next; all of them are tried below."""
    some = [place for place in places(a_checkpoint(kind)[0]) if kind == "sgd" or place[0] == "trainer_state"]
    wrong = [*WRONG]
    for number, place in enumerate(some):
        check(kind, place, wrong[2 * number % len(wrong)])
        check(kind, place, wrong[(2 * number + 7) % len(wrong)])


@pytest.mark.heavy
@pytest.mark.parametrize("kind", RECIPES)
def test_every_wrong_value_in_every_place(kind):
    for place, wrong in cases(kind):
        check(kind, place, wrong)


ADDED = [  # objects with a key more, and whether that is right
    ((), False),
    (("arguments",), False),
    (("configuration",), False),
    (("normalization",), False),
    (("weights",), False),
    (("trainer_state",), False),
    (("trainer_state", "running"), False),
    (("trainer_state", "generator"), False),
    (("trainer_state", "optimizer"), False),
    (("trainer_state", "optimizer", "state"), False),
    (("trainer_state", "optimizer", "state", "0"), False),
    (("trainer_state", "optimizer", "param_groups", 0), False),
    (("trainer_state", "schedule"), False),
    (("history", 0), True),  # a metric of the user's own
    (("history", 0, "layers", 0), False),
]


@pytest.mark.parametrize(("place", "right"), ADDED)
@pytest.mark.parametrize("kind", RECIPES)
def test_a_key_more(kind, place, right):
    tree = a_checkpoint(kind)[0]
    changed = put(tree, place, get(tree, place) | {"zzz": 3})
    if right:
        assert resume(kind, changed).history[0]["zzz"] == 3
    else:
        with pytest.raises(ValueError, match="zzz"):
            resume(kind, changed)


TOGETHER = {  # several right values that do not fit together
    "3 names for 10 outputs": (
        {("arguments",): {"input_size": 19}},
        "classes has 3 names, but the default of arguments.num_classes is 10",
    ),
    "a billion outputs": (
        {("arguments", "num_classes"): 10**9},
        "classes has 3 names, but arguments.num_classes is 1000000000",
    ),
    "another input": ({("input_size",): 21}, "input_size is 21, but arguments.input_size is 19"),
    "an input that leaves nothing": (
        {("input_size",): 2, ("arguments", "input_size"): 2},
        "input_size=2 leaves no pix",
    ),
    "a vast input": ({("input_size",): 10**9}, "input_size should be at least 1 and at most 4,096, got 1000000000"),
    "a large input": (
        {("input_size",): 4096, ("arguments", "input_size"): 4096, ("resize",): 4096},
        r"misshapen: fc4.weight \(is \(128, \d+\), expected \(128, \d{6,}\)\)|normalization.mean is of images of 24x24",
    ),
    "small images": ({("resize",): 18}, "resize is 18, less than the input_size of 19"),
    "images of another size": ({("resize",): 30}, "normalization.mean is of images of 24x24, but they are 30x30"),
    "another model": ({("model",): "alexnet"}, "arguments.input_size|input_size=19 leaves no pixels"),
    "no published model": ({("model",): "vgg"}, "model should be one of shapes_net, .*, got 'vgg'"),
    "more epochs": ({("trainer_state", "epoch"): 10**9}, "trainer_state.epoch is 1,000,000,000, but history ends with"),
    "fewer epochs": ({("trainer_state", "epoch"): 0}, "trainer_state.epoch is 0, but history ends with epoch"),
    "no history": ({("history",): []}, "trainer_state.epoch is [12], but history has 0 rows"),
    "an epoch left out": ({("history", 0, "epoch"): 7}, "epoch"),
    "a batch beyond": ({("trainer_state", "batch"): 4}, "the state is at batch 4 of an epoch with 3 batches"),
    "another batch": ({("trainer_state", "batch"): 2}, "running.pictures should be 4 after batch 2"),
    "too many errors": (
        {("trainer_state", "running", "top1_errors"): 3},
        "running.top1_errors should be at most [02], got 3",
    ),
    "half a validation": ({("history", 0, "val_loss"): REMOVED}, r"history\[0\] has a validation without val_loss"),
    "another seed": ({("trainer_state", "generator", "seed"): 4}, "generator.seed is 4, but configuration.seed is 3"),
    "65 bits": ({("trainer_state", "generator", "call"): 2**64}, "generator.call should be .*below 1.84467e.19"),
    "another schedule's epoch": (
        {("trainer_state", "schedule", "last_epoch"): 3},
        "schedule.last_epoch is 3, but train",
    ),
    "other first rates": (
        {("trainer_state", "schedule", "base_lrs", 0): 9.0},
        "schedule.base_lrs has 9.0, but configuration.lr and bias_lr make 0.01, 0.02",
    ),
    "no velocities": ({("trainer_state", "optimizer", "state"): {}}, "optimizer.state has nothing for parameter 0"),
    "no velocity": ({("trainer_state", "optimizer", "state", "1"): REMOVED}, "has nothing for parameter 1"),
    "a parameter more": ({("trainer_state", "optimizer", "param_groups", 0, "params", 0): 1}, r"params should be \["),
    "no group": ({("trainer_state", "optimizer", "param_groups"): []}, "param_groups should be of at least 1 item"),
    "version 0": ({("version",): 0}, "has the format version 0"),
    "version true": ({("version",): True}, "has the format version True"),
    "version 99": ({("version",): 99}, "written by a newer minialex: its format is 99"),
}


@pytest.mark.parametrize("case", TOGETHER)
@pytest.mark.parametrize("kind", RECIPES)
def test_values_that_do_not_fit_together(kind, case):
    changes, message = TOGETHER[case]
    tree = a_checkpoint(kind)[0]
    for place, value in changes.items():
        tree = put(tree, place, value)
    with pytest.raises(ValueError, match=message):
        resume(kind, tree)


ARGUMENTS = {
    "a word for a number": ({"num_classes": "3"}, "arguments.num_classes should be an integer, got '3'"),
    "true for a number": ({"input_size": True}, "arguments.input_size should be an integer, got True"),
    "unknown": ({"zzz": 1}, "unknown field arguments.zzz; the fields are num_classes, input_size"),
    "null": ({"num_classes": None}, "arguments.num_classes should be an integer, got None"),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_arguments(case):
    changes, message = ARGUMENTS[case]
    tree = a_checkpoint("sgd")[0]
    with pytest.raises(ValueError, match=f"^c.npz is damaged: {message}"):
        read("sgd", tree | {"arguments": tree["arguments"] | changes})


def test_arguments_of_larger_networks():
    """A text for a switch would count as true."""
    tree = a_checkpoint("sgd")[0] | {"model": "alexnet"}
    for name, value, message in (
        ("inverted", "x", "arguments.inverted should be true or false, got 'x'"),
        ("norm", "x", 'norm must be "lrn", "bn" or "none"'),
        ("dropout", 3, "arguments.dropout should be a string, got 3"),
    ):
        changed = tree | {"input_size": 227, "resize": 256, "arguments": {"num_classes": 3, name: value}}
        changed["normalization"] = {}
        with pytest.raises(ValueError, match="normalization"):
            read("sgd", changed)
        changed["normalization"] = tree["normalization"]
        _, arrays, _ = a_checkpoint("sgd")
        with pytest.raises(ValueError, match=message):
            read("sgd", changed, arrays | {"normalization/mean": np.zeros((3, 1, 1), np.float32)})


WEIGHT, VELOCITY = "weights/conv1.weight", "trainer_state/optimizer/state/0/momentum_buffer"
ARRAYS = {  # arrays in the place of others
    "no array": (WEIGHT, lambda a: None, "the array weights/conv1.weight is missing"),
    "no velocity": (VELOCITY, lambda a: None, f"the array {VELOCITY} is missing"),
    "another shape": (WEIGHT, lambda a: a[:1], r"misshapen: conv1.weight \(is \(1, "),
    "0-d": (WEIGHT, lambda a: np.float32(1), r"misshapen: conv1.weight \(is \(\), "),
    "empty": (WEIGHT, lambda a: a[:0], r"misshapen: conv1.weight \(is \(0, "),
    "a billion numbers": (WEIGHT, lambda a: np.broadcast_to(np.float32(0), (10**6, 10**6)), "misshapen: conv1.weight"),
    "complex": (
        WEIGHT,
        lambda a: a.astype(np.complex64),
        "weights.conv1.weight should be finite numbers, got .*complex",
    ),
    "texts": (WEIGHT, lambda a: a.astype(str), "weights.conv1.weight should be finite numbers, got an array of <U"),
    "objects": (
        WEIGHT,
        lambda a: a.astype(object),
        "weights.conv1.weight should be finite numbers, got an array of obj",
    ),
    "records": (WEIGHT, lambda a: a.view([("x", "f4")]), "weights.conv1.weight should be finite numbers"),
    "dates": (WEIGHT, lambda a: a.astype("M8[s]"), "weights.conv1.weight should be finite numbers"),
    "integers": (WEIGHT, lambda a: a.astype(np.int32), "weights.conv1.weight holds int32"),
    "NaN": (WEIGHT, lambda a: np.where(a == a.max(), np.nan, a), "weights.conv1.weight should be finite .* with NaN"),
    "infinity": (WEIGHT, lambda a: a / 0, "weights.conv1.weight should be finite numbers, got .* with NaN or infinity"),
    "too large": (WEIGHT, lambda a: a.astype(np.float64) * 1e300, "conv1.weight .* which float32 cannot hold"),
    "a velocity's shape": (
        VELOCITY,
        lambda a: a[:1],
        f"{VELOCITY.replace('/', '.')} has the shape .*which no weight has",
    ),
    "of another weight": (VELOCITY, lambda a: np.zeros(3, "f4"), r"momentum_buffer of parameter 0 has shape \(3,\)"),
    "a velocity of NaN": (VELOCITY, lambda a: a * np.nan, "momentum_buffer should be finite floating-point numbers"),
    "of integers": (
        VELOCITY,
        lambda a: a.astype(np.int8),
        "momentum_buffer should be finite floating-point numbers, got",
    ),
    "std 0": ("normalization/std", np.zeros_like, "std greater than 0"),
    "std NaN": ("normalization/std", lambda a: np.full_like(a, np.nan), "normalization.std should be finite numbers"),
    "std of two": ("normalization/std", lambda a: np.ones(2), r"std \(\) or \(3, 1, 1\), got \(3, 24, 24\) and \(2,\)"),
    "std complex": ("normalization/std", lambda a: a.astype(complex), "normalization.std should be finite numbers"),
    "a flat mean": ("normalization/mean", lambda a: a[0], r"got \(24, 24\) and \(\)"),
    "one channel": ("normalization/mean", lambda a: a[:1], r"got \(1, 24, 24\) and \(\)"),
    "a small mean": ("normalization/mean", lambda a: a[:, :9, :9], "normalization.mean is of images of 9x9"),
    "a mean of 0 to 1": ("normalization/mean", lambda a: a / 500 - 1e30, None),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays(case):
    name, change, message = ARRAYS[case]
    tree, arrays, _ = a_checkpoint("sgd")
    with np.errstate(all="ignore"):
        other = change(arrays[name])
    changed = {n: a for n, a in arrays.items() if n != name} | ({} if other is None else {name: other})
    if message is None:
        resume("sgd", tree, changed)
        return
    with pytest.raises(ValueError, match=message):
        resume("sgd", tree, changed).build_model()


def test_nothing_is_read_before_its_shape_is_known(tmp_path, monkeypatch):
    """The weights of a file that fit no network stay where they are."""
    tree, arrays, _ = a_checkpoint("sgd")
    text = np.frombuffer(json.dumps(tree).encode(), np.uint8)
    np.savez_compressed(tmp_path / "c.npz", checkpoint=text, **arrays | {WEIGHT: np.zeros((4000, 400), np.float32)})
    seen, original = [], npz.Archive._read

    def read(archive, name, whole):
        seen.extend([name] * whole)
        return original(archive, name, whole)

    monkeypatch.setattr(npz.Archive, "_read", read)
    with pytest.raises(ValueError, match=r"misshapen: conv1.weight \(is \(4000, 400\)"):
        checkpoint.load(tmp_path / "c.npz")
    assert seen == ["checkpoint"]


TEXTS = {
    "a key twice": (lambda text: text[:-1] + ', "model": "alexnet"}', "has the key model twice in one object"),
    "nested": (lambda text: "[" * 100_000, "it is nested too deeply"),
    "no JSON": (lambda text: text[:-1], "its description is not JSON"),
    "another format": (lambda text: text.replace("minialex checkpoint", "x"), "its description has another format"),
    "digits": (lambda text: text.replace('"version": 2', f'"version": {"9" * 5000}'), "its description is not JSON"),
    "not text": (lambda text: "\udcff" + text, "its description is not JSON"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_texts(case):
    change, message = TEXTS[case]
    tree, arrays, _ = a_checkpoint("sgd")
    text = change(json.dumps(tree)).encode(errors="surrogateescape")
    with pytest.raises(ValueError, match=f"^c.npz is not a minialex checkpoint: .*{message}"):
        checkpoint.from_arrays("c.npz", arrays | {"checkpoint": np.frombuffer(text, np.uint8)})


def test_a_state_that_is_refused_changes_nothing():
    """Optimizer, schedule, generator and position are as before, whichever part is wrong."""
    tree = a_checkpoint("sgd")[0]
    saved, t = read("sgd", tree), a_trainer("sgd")[0]
    t.load_state_dict(saved.trainer_state)

    def now():
        arrays = {i: s["momentum_buffer"].tobytes() for i, s in t.optimizer.state.items()}
        settings = [{k: v for k, v in group.items() if k != "params"} for group in t.optimizer.param_groups]
        generator = random.default_generator
        return arrays, settings, t.schedule.state_dict(), t.epoch, t.batch, t.running, generator.seed, generator.call

    before = copy.deepcopy(now())
    state = saved.trainer_state
    lr = {("optimizer", "param_groups", 0, "lr"): 0.5, ("schedule", "group_lrs", 0): 0.5}
    for changes, message in (
        (lr | {("schedule", "base_lrs"): ["x"]}, "schedule: .*base_lrs"),
        (
            lr | {("optimizer", "state", "3", "momentum_buffer"): np.zeros(1)},
            "optimizer: momentum_buffer of parameter 3",
        ),
        (lr | {("batch",): 99}, "batch 99"),
        ({("generator", "seed"): -1, ("epoch",): 4}, "seed"),
    ):
        wrong = state
        for place, value in changes.items():
            wrong = put(wrong, place, value)
        with pytest.raises(ValueError, match=message):
            t.load_state_dict(wrong)
        assert now() == before
