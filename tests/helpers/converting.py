"""Networks and checkpoints to convert, with numbers in every array that a mistake would show in."""

from __future__ import annotations

import numpy as np

from minialex import models
from minialex.models.layout import layout
from minialex.nn import init
from minialex.runs import checkpoint

# Smaller than published, so that fc6 has few inputs, but with pixels left behind every layer. At 68 pixels the padding
# of alexnet_2012 and of "same" is uneven, and pools that round sizes up reach over the edge.
SMALL = {name: 68 for name, preset in models.PRESETS.items() if preset.input_size > 200} | {"alexnet_dl4j": 195}


def arguments(name, num_classes=7):
    return {"num_classes": num_classes} | ({"input_size": SMALL[name]} if name in SMALL else {})


def size_of(name):
    return SMALL.get(name, models.PRESETS[name].input_size)


def filled(model):
    """The model in evaluation mode, with weights that keep activities large, biases and statistics of all sizes.

    Every array repeats one block of random numbers whose length, a prime, lets no two rows begin alike: quick to make.
    """
    rng = np.random.default_rng(7)
    block = rng.standard_normal(9973).astype(np.float32)
    for name, t in [*model.named_parameters(), *model.named_buffers()]:
        if t.dtype.kind != "f":
            continue
        values = np.resize(np.roll(block, rng.integers(9973)), t.shape)
        if name.endswith("running_var"):
            values = np.abs(values) + 0.1
        t.data[...] = values * np.sqrt(2 / np.prod(t.shape[1:]), dtype=np.float32) if t.ndim > 1 else values
    return model.eval()


def build(name, **options):
    with init.skipped():
        return filled(models.build(name, **arguments(name) | options))


def rows_of(name, model):
    return layout(model, (3, size_of(name), size_of(name)))


def pictures(count, size, seed=3):
    """float32, on the scale of pixels, where local response normalisation has much to do."""
    return (100 * np.random.default_rng(seed).standard_normal((count, 3, size, size))).astype(np.float32)


def a_checkpoint(name="shapes_net", mean_image=False, **options):
    """A Checkpoint with something in every field."""
    rng, size = np.random.default_rng(5), size_of(name)
    model = build(name, **options)
    mean = rng.random((3, size, size) if mean_image else (3, 1, 1)) * 255
    return checkpoint.Checkpoint(
        model=name,
        arguments=arguments(name) | options,
        weights=model.state_dict(),
        input_size=size,
        normalization={"mean": mean.astype(np.float32), "std": np.array(58.25, np.float32)},
        classes=[f"kind {i}" for i in range(7)],
        configuration={"lr": 0.1},
        trainer_state=a_training_state(model, rng),
        history=[dict(epoch=1, train_loss=2.5, train_error=0.5, lr=0.1, seconds=1.5, images_per_second=8.0)],
        channel_order=models.PRESETS[name].channel_order,
        resize=max(40, size),
    )


def a_training_state(model, rng):
    """Of Trainer.state_dict: after an epoch of Adam."""
    parameters = [*model.parameters()]
    of_first = {"step": 3} | {name: rng.random(parameters[0].shape) for name in ("exp_avg", "exp_avg_sq")}
    group = {"params": [*range(len(parameters))], "lr": 0.1, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0}
    return {
        "epoch": 1,
        "batch": 0,
        "running": {"pictures": 0, "loss_sum": 0.0, "top1_errors": 0, "top5_errors": 0},
        "seconds": 0.0,
        "generator": {"seed": 3, "call": 4},
        "optimizer": {"state": {"0": of_first}, "param_groups": [group]},
        "schedule": None,
    }


def assert_same(a, b):
    """Equal, arrays bit for bit and in their dtype."""
    if isinstance(a, checkpoint.Checkpoint):
        a, b = vars(a), vars(b)
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, np.ndarray):
        assert isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    else:
        assert type(a) is type(b) and a == b


def shapes_only(name):
    """{name: array without memory} as in a published state dict."""
    with init.skipped():
        state = models.build(name).state_dict()
    return {key: np.broadcast_to(np.zeros((), array.dtype), array.shape) for key, array in state.items()}
