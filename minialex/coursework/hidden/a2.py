"""The hidden checks of A2: leading axes, float32, the four cases of dropout, weights and smoothing, forms of SGD."""

from __future__ import annotations

import itertools

import numpy as np

from .. import a2_checks as a2
from ..declaration import Check
from .again import after_another

SINGLE = {"dtype": np.float32}


def in_single(draw):
    """draw: what `draw` draws, in float32."""

    def single(rng):
        drawn = draw(rng)
        return {k: v.astype(np.float32) if getattr(v, "dtype", None) == np.float64 else v for k, v in drawn.items()}

    return single


# ------------------------------------------------------------------------------ linear


def leading_axes(rng):
    """One row without leading axes, rows with two of them, and no rows."""
    inputs = a2.linear_backward(2, 3)(rng) | {"b": 1 + a2.normal(rng, 4)}
    return inputs | {"x1": a2.normal(rng, 7), "gy1": a2.normal(rng, 4)}


def linear_axes_run(lib, x, x1, w, b, gy, gy1):
    """y of them."""
    backend = lib.backends.get_backend()
    return {
        "y": backend.linear(x, w, b),
        "y_of_one_axis": backend.linear(x1, w, b),
        "y_of_no_rows": backend.linear(x[0, :0], w, b),
    }


def no_bias_run(lib, x, w, b):
    """Without a bias."""
    return {"y": lib.backends.get_backend().linear(x, w, None)}


def linear_backward_axes_run(lib, x, x1, w, b, gy, gy1):
    """The gradients of them."""
    made = a2.linear_backward_run(lib, gy, x, w)
    made |= {f"{name}_of_one_axis": g for name, g in a2.linear_backward_run(lib, gy1, x1, w).items()}
    return made | {f"{name}_of_no_rows": g for name, g in a2.linear_backward_run(lib, gy[0, :0], x[0, :0], w).items()}


def wanted_run(lib, gy, x, w):
    """Every choice of gradients, without what only the others need."""
    backend, made = lib.backends.get_backend(), {}
    for needs in itertools.product((True, False), repeat=3):
        if any(needs):
            gradients = backend.linear_backward(gy, x if needs[1] else None, w if needs[0] else None, needs)
            for name, needed, g in zip(("gx", "gw", "gb"), needs, gradients, strict=True):
                made[f"{name}_{''.join('01'[need] for need in needs)}"] = g if needed else g is None
    return made


def linear_single_run(lib, x, w, b, gy):
    """Forward and backward, each after another batch of the same shape."""
    backend = lib.backends.get_backend()
    gradients = after_another(lib, backend.linear_backward, gy, x, w, (True, True, True))
    return dict(zip(("gx", "gw", "gb"), gradients, strict=True)) | {"y": after_another(lib, backend.linear, x, w, b)}


# ------------------------------------------------------------------------------ dropout


def masks(rng):
    """Images of two shapes; calls beyond 32 bits."""
    return a2.mask(rng) | {
        "x": a2.normal(rng, 3, 1, 5, 7, **SINGLE),
        "other": a2.normal(rng, 11, 13, **SINGLE),
        "call": int(rng.integers(2**33, 2**40)),
    }


def masks_run(lib, x, other, keep, scale, seed, call):
    """Two shapes with the same seed and call, other calls, nothing kept and all."""
    function = lib.backends.get_backend().dropout
    return {
        "y": after_another(lib, function, x, keep, scale, seed, call),
        "of_another_shape": function(other, keep, scale, seed, call),
        "of_another_call": function(x, keep, scale, seed, call + 1),
        "of_another_seed": function(x, 1 - keep, 1.0, seed + 1, call),
        "nothing_kept": function(x, 0.0, scale, seed, call),
        "all_kept": function(x, 1.0, scale, seed, call),
    }


def nothing_and_all_run(lib, x, gy, p, seed, call, training, inverted):
    """p = 0 and p = 1, without a division by 0, in all four cases; what is no probability is refused."""
    made = {}
    for training, inverted in itertools.product((True, False), repeat=2):
        case = f"{'training' if training else 'evaluation'}_{'inverted' if inverted else '2012'}"
        for name, share in (("nothing", 0.0), ("all", 1.0)):
            dropped = a2.dropout_run(lib, x, gy, share, seed, call, training, inverted)
            made |= {f"y_{name}_{case}": dropped["y"], f"gx_{name}_{case}": dropped["gx"]}
            if name == "nothing":
                made[f"draws_{case}"] = dropped["draws"]
    refused = [lib.refused(lib.functional.dropout, lib.Tensor(x), wrong) for wrong in (-p, 1 + p)]
    return made | {"refused": ["ValueError" in kinds for kinds in refused]}


def dropout_single_run(lib, x, gy, p, seed, call, training, inverted):
    """All four cases in float32."""
    made = {}
    for training, inverted in itertools.product((True, False), repeat=2):
        case = f"{'training' if training else 'evaluation'}_{'inverted' if inverted else '2012'}"
        dropped = a2.dropout_run(lib, x, gy, p, seed, call, training, inverted)
        made |= {f"y_{case}": dropped["y"], f"gx_{case}": dropped["gx"]}
    return made


def two_layers(rng):
    """Two inputs."""
    return {
        "x": a2.normal(rng, 6, 9),
        "gy": a2.normal(rng, 6, 9),
        "other": a2.normal(rng, 6, 9),
        "g_other": a2.normal(rng, 6, 9),
        "seed": int(rng.integers(2**40)),
    }


def two_layers_run(lib, x, gy, other, g_other, seed):
    """Two dropouts of a network with all defaults: each backward has its own forward's mask, whatever came since."""
    lib.replaced(a2.DROPOUT, a2.steady_dropout)
    lib.random.manual_seed(seed)
    first, second = lib.Tensor(x, requires_grad=True), lib.Tensor(other, requires_grad=True)
    y, y_other = lib.functional.dropout(first), lib.functional.dropout(second)
    made = {"draws": lib.random.default_generator.call}
    y.backward(gy)
    y_other.backward(g_other)
    made |= {"y": y.numpy(), "y_other": y_other.numpy()}
    return made | {
        "gx": first._grad,
        "g_other": second._grad,
        "draws_after_backward": lib.random.default_generator.call,
    }


def in_place_run(lib, x, gy, p, seed, call, training, inverted):
    """inplace=True, in training and in the evaluation of 2012: the result is in the input's array."""
    lib.replaced(a2.DROPOUT, a2.steady_dropout)
    made = {}
    for name, options in (("training", {}), ("evaluation", {"training": False, "inverted": False})):
        leaf = lib.Tensor(x, requires_grad=True)
        generator = a2.generator_at(lib, seed, call)
        h = lib.functional.add(leaf, leaf)
        y = lib.functional.dropout(h, p, inplace=True, generator=generator, **options)
        made |= {f"y_{name}": y.numpy(), f"input_{name}": h.numpy()}
        y.backward(gy)
        made[f"gx_{name}"] = leaf._grad
    refused = lib.refused(lib.functional.dropout, lib.Tensor(x, requires_grad=True), p, inplace=True)
    return made | {"refused_on_a_leaf": "RuntimeError" in refused}


# ------------------------------------------------------------------------------ softmax and loss


def far(rng):
    """Logits for which e^x overflows, with differences for which a probability is 0, and rows far from each other."""
    rows = np.linspace(-5e4, 5e4, 5).astype(np.float32)
    return {"x": 1e4 * a2.normal(rng, 5, 6, **SINGLE) + rng.permutation(rows)[:, None], "axis": 1}


def other_axes(rng):
    """Three axes."""
    return {"x": 2 * a2.normal(rng, 4, 3, 5), "gy": a2.normal(rng, 4, 3, 5)}


def log_softmax_axes_run(lib, x, gy):
    """Along each axis."""
    function = lib.backends.get_backend().log_softmax
    return {f"y_{axis}": function(x, axis)[0] for axis in range(3)}


def log_softmax_backward_axes(rng):
    """gy, and the results of a correct forward along each axis."""
    x = 2 * a2.normal(rng, 4, 3, 5)
    results = {f"y{axis}": a2.steady_log_softmax(None, x, axis)[0] for axis in range(3)}
    return results | {"gy": a2.normal(rng, 4, 3, 5)}


def log_softmax_backward_axes_run(lib, gy, **results):
    """Along each axis."""
    function = lib.backends.get_backend().log_softmax_backward
    return {f"gx_{axis}": function(gy, results[f"y{axis}"], axis) for axis in range(3)}


def lasting_softmax_run(lib, x, axis):
    """The result, after another batch of the same shape."""
    y, saved = after_another(lib, lib.backends.get_backend().log_softmax, x, axis)
    return {"y": y, "saved": saved}


def lasting_softmax_backward_run(lib, gy, y, axis):
    """The gradient, after another batch of the same shape."""
    return {"gx": after_another(lib, lib.backends.get_backend().log_softmax_backward, gy, y, axis)}


def lasting_losses_run(lib, x, labels, w, valid, smoothing):
    """The losses, after another batch of the same shape."""
    lib.replaced(a2.LOG_SOFTMAX, a2.steady_log_softmax)
    made = after_another(lib, lib.backends.get_backend().cross_entropy, x, labels, w, valid, smoothing)
    return dict(zip(("losses", "logp"), made, strict=True))


def lasting_losses_backward_run(lib, gy, logp, labels, w, valid, smoothing):
    """The gradient, after another batch of the same shape."""
    function = lib.backends.get_backend().cross_entropy_backward
    return {"gx": after_another(lib, function, gy, logp, labels, w, valid, smoothing)}


# ------------------------------------------------------------------------------ SGD


def forms(draws, nesterov=False, velocity=True):
    """run: with torch's velocity and with the paper's.

    draws: whether with and without the weight decay drawn.
    nesterov, velocity: as of a2.sgd.
    """

    def run(lib, weight_decay, **inputs):
        decays = {"": weight_decay, "_without_decay": 0.0} if draws else {"": weight_decay}
        return {
            f"{name}_{kind}{suffix}": value
            for kind, inside in (("torch", False), ("paper", True))
            for suffix, decay in decays.items()
            for name, value in a2.sgd(inside, nesterov, velocity)(lib, weight_decay=decay, **inputs).items()
        }

    return run


def dampened_run(lib, momentum, **inputs):
    """Both forms, with momentum and with a velocity that forgets all."""
    made = forms(True)(lib, momentum=momentum, **inputs)
    return made | {f"{name}_forgetful": a for name, a in forms(True)(lib, momentum=0.0, **inputs).items()}


def hidden(name, points, draw, run, **options):
    """A hidden Check."""
    return Check(name, points, draw, run, public=False, **options)


def linear_single(rng):
    """Rows in float32, forward and backward."""
    return a2.linear(5)(rng) | {"gy": a2.normal(rng, 5, 4)}


EVERYTHING = {"weighted": True, "smoothed": True, "ignored": True}

CHECKS: tuple[Check, ...] = (
    hidden("linear without bias", 1, in_single(a2.linear(5)), no_bias_run, rtol=1e-5),
    hidden("linear leading axes", 1, leading_axes, linear_axes_run),
    hidden("linear backward leading axes", 2, leading_axes, linear_backward_axes_run),
    hidden("linear backward wanted", 1, a2.linear_backward(5), wanted_run),
    hidden("linear float32", 1, in_single(linear_single), linear_single_run, rtol=1e-5),
    hidden("mask float32", 2, masks, masks_run),
    hidden("dropout of 2012", 1, a2.dropout(True, False), a2.dropout_run),
    hidden("dropout evaluation", 1, a2.dropout(False, True), a2.dropout_run),
    hidden("dropout evaluation of 2012", 1, a2.dropout(False, False), a2.dropout_run),
    hidden("dropout nothing and all", 1, a2.dropout(True, True), nothing_and_all_run),
    hidden("dropout float32", 1, a2.dropout(True, True, **SINGLE), dropout_single_run, rtol=1e-5),
    hidden("dropout of two layers", 1, two_layers, two_layers_run),
    hidden("dropout in place", 1, a2.dropout(True, True), in_place_run),
    hidden("log softmax far out", 2, far, lasting_softmax_run),
    hidden("log softmax axes", 2, other_axes, log_softmax_axes_run),
    hidden("log softmax backward axes", 2, log_softmax_backward_axes, log_softmax_backward_axes_run),
    hidden(
        "log softmax backward float32",
        1,
        a2.log_softmax_backward((4, 6), 1, **SINGLE),
        lasting_softmax_backward_run,
        rtol=1e-5,
    ),
    hidden("cross entropy weights", 1, a2.losses(weighted=True), a2.losses_run),
    hidden("cross entropy smoothing", 2, a2.losses(weighted=True, smoothed=True), a2.losses_run),
    hidden("cross entropy ignored", 1, a2.losses(**EVERYTHING), a2.losses_run),
    hidden("cross entropy far out", 1, a2.losses(size=1e4), a2.losses_run),
    hidden("cross entropy float32", 1, a2.losses(**EVERYTHING, **SINGLE), lasting_losses_run, rtol=1e-5),
    hidden("cross entropy backward weights", 1, a2.losses_backward(weighted=True), a2.losses_backward_run),
    hidden(
        "cross entropy backward smoothing", 2, a2.losses_backward(weighted=True, smoothed=True), a2.losses_backward_run
    ),
    hidden("cross entropy backward ignored", 2, a2.losses_backward(**EVERYTHING), a2.losses_backward_run),
    hidden(
        "cross entropy backward float32",
        1,
        a2.losses_backward(**EVERYTHING, **SINGLE),
        lasting_losses_backward_run,
        rtol=1e-5,
    ),
    hidden("sgd without momentum", 1, a2.steps(momentum=False, dampening=True), forms(True, velocity=False)),
    hidden("sgd without weight decay", 1, a2.steps(weight_decay=False), forms(False)),
    hidden("sgd nesterov", 2, a2.steps(dampening=True, shape=(2, 3, 1, 4)), forms(True, nesterov=True)),
    hidden("sgd dampening", 1, a2.steps(dampening=True, shape=(7,)), dampened_run),
    hidden("sgd float32", 1, a2.steps(shape=(3, 11003), **SINGLE), forms(False), rtol=1e-5),
)
