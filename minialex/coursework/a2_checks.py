"""The checks of A2. Forward and backward are checked separately: a backward gets what a correct forward saves."""

from __future__ import annotations

import numpy as np

from .. import backends, functional, random
from ..backends.numpy_backend import NumPyBackend
from ..tensor import Tensor
from .declaration import Check


class _Steady(NumPyBackend):
    """A dropout and a log-softmax independent of the student's, for checking the functions that call them."""

    def dropout(self, x, keep, scale, seed, call):
        return x * (np.random.default_rng([seed, call]).random(x.shape) < keep) * scale

    def log_softmax(self, x, axis):
        y = x - np.logaddexp.reduce(x, axis=axis, keepdims=True)
        return y, y


STEADY = _Steady()


def _normal(rng, *shape):
    return rng.standard_normal(shape)


# ------------------------------------------------------------------------------ linear


def _linear(*leading):
    return lambda rng: {"x": _normal(rng, *leading, 7), "w": _normal(rng, 4, 7), "b": 1 + _normal(rng, 4)}


def _linear_run(x, w, b):
    return {"y": backends.get_backend().linear(x, w, b)}


def _no_bias_run(x, w):
    return {"y": backends.get_backend().linear(x, w, None)}


def _linear_backward(*leading):
    return lambda rng: {"gy": _normal(rng, *leading, 4), "x": _normal(rng, *leading, 7), "w": _normal(rng, 4, 7)}


def _linear_backward_run(gy, x, w):
    return dict(zip(("gx", "gw", "gb"), backends.get_backend().linear_backward(gy, x, w, (True, True, True))))


def _wanted_run(gy, x, w):
    """One gradient at a time, without what only the other two need."""
    backend = backends.get_backend()
    all_three = [
        backend.linear_backward(gy, None, w, (True, False, False)),
        backend.linear_backward(gy, x, None, (False, True, False)),
        backend.linear_backward(gy, None, None, (False, False, True)),
    ]
    made = {name: gradients[place] for place, (name, gradients) in enumerate(zip(("gx", "gw", "gb"), all_three))}
    return made | {"absent": [sum(g is None for g in gradients) for gradients in all_three]}


def _teach_linear(inputs, got, expected):
    if np.allclose(got["y"] + inputs["b"], expected["y"]):
        return "this is x W^T: the bias is missing"
    if np.allclose(got["y"] + inputs["b"], expected["y"] - inputs["b"]):
        return "the bias is subtracted"
    return None


def _teach_linear_backward(inputs, got, expected):
    rows = inputs["gy"].size // inputs["gy"].shape[-1]
    for name in ("gw", "gb"):
        if np.allclose(got[name] * rows, expected[name]):
            return f"this {name} looks like a mean over the rows: gradients are summed, only the loss averages"
        if np.allclose(got[name], -expected[name]):
            return f"the sign of {name} is wrong"
    return None


# ------------------------------------------------------------------------------ dropout


def _mask(dtype, high):
    """draw: a number of elements that is no multiple of four, the words of a block; high: calls beyond 32 bits."""

    def draw(rng):
        keep = float(rng.choice([0.2, 0.3, 0.7, 0.8]))
        call = int(rng.integers(2**33, 2**40)) if high else int(rng.integers(100))
        return {
            "x": _normal(rng, 7, 9).astype(dtype),
            "keep": keep,
            "scale": float(1 / keep),
            "seed": int(rng.integers(2**40)),
            "call": call,
        }

    return draw


def _mask_run(x, keep, scale, seed, call):
    return {"y": backends.get_backend().dropout(x, keep, scale, seed, call)}


def _dropout(training, inverted):
    def draw(rng):
        return {
            "x": _normal(rng, 6, 9),
            "gy": _normal(rng, 6, 9),
            "p": float(rng.choice([0.2, 0.3, 0.7, 0.8])),
            "seed": int(rng.integers(2**40)),
            "call": int(rng.integers(100)),
            "training": training,
            "inverted": inverted,
        }

    return draw


def _dropout_run(x, gy, p, seed, call, training, inverted):
    """Uses the stand-in's mask; draws: the number of generator calls by forward and backward."""
    generator = random.Generator(seed)
    generator.call = call
    leaf = Tensor(x, requires_grad=True, backend=STEADY)
    y = functional.dropout(leaf, p, training, inverted=inverted, generator=generator)
    y.backward(gy)
    return {"y": y.numpy(), "gx": leaf._grad, "draws": generator.call - call}


def _nothing_and_all_run(x, gy, p, seed, call, training, inverted):
    """p = 0 and p = 1, without a division by 0."""
    made = {}
    for name, share in (("nothing", 0.0), ("all", 1.0)):
        dropped = _dropout_run(x, gy, share, seed, call, training, inverted)
        made |= {f"y_{name}": dropped["y"], f"gx_{name}": dropped["gx"]}
    return made


def _teach_mask(inputs, got, expected):
    if not ((got["y"] != 0) & (expected["y"] != 0)).any():
        return "kept and dropped are exchanged: an element is kept where its word is below keep 2^32"
    if np.allclose(got["y"] * inputs["scale"], expected["y"]):
        return "kept elements must be multiplied by scale"
    return None


def _teach_dropout(inputs, got, expected):
    keep = 1 - inputs["p"]
    if (got["draws"] > expected["draws"] or ((got["gx"] == 0) != (expected["gx"] == 0)).any()) and np.allclose(
        got["y"], expected["y"]
    ):
        return "backward drew another mask: it must reuse that of forward, with the same seed and the same call"
    for factor, told in (
        (keep, "in training, inverted dropout scales kept elements by 1 / (1 - p)"),
        (1 / keep, "if not inverted, training only drops and evaluation multiplies by 1 - p"),
    ):
        if np.allclose(got["y"], expected["y"] * factor):
            return f"this y is {factor:.3g} times the expected one; {told}"
    if np.allclose(got["y"], _dropout_run(**inputs | {"p": keep})["y"]):
        return "p is the probability of dropping, but the backend expects the probability of keeping"
    return None


# ------------------------------------------------------------------------------ softmax and loss


def _log_softmax_run(x, axis):
    y, saved = backends.get_backend().log_softmax(x, axis)
    return {"y": y, "saved": saved}


def _log_softmax_backward_run(gy, y, axis):
    return {"gx": backends.get_backend().log_softmax_backward(gy, y, axis)}


def _far(rng):
    """Logits for which e^x overflows, with differences for which a probability is 0."""
    return {"x": 1e4 * _normal(rng, 5, 6).astype(np.float32), "axis": 1}


def _log_probabilities(rng, shape, axis):
    return STEADY.log_softmax(2 * _normal(rng, *shape), axis)[0]


def _log_softmax_backward(shape, axis):
    return lambda rng: {"gy": _normal(rng, *shape), "y": _log_probabilities(rng, shape, axis), "axis": axis}


def _losses(weighted=False, ignored=False, smoothed=False, size=1.0):
    """draw: logits and the arguments that `functional.cross_entropy` passes: the label of an ignored row is 0."""

    def draw(rng):
        valid = np.ones(9, bool)
        valid[rng.permutation(9)[:3]] = not ignored
        labels = np.where(valid, rng.permutation(np.arange(9) % 6), 0)
        w = rng.uniform(0.3, 3.0, 6) if weighted else np.ones(6)
        smoothing = float(rng.uniform(0.1, 0.4)) if smoothed else 0.0
        return {"x": size * _normal(rng, 9, 6), "labels": labels, "w": w, "valid": valid, "smoothing": smoothing}

    return draw


def _losses_run(x, labels, w, valid, smoothing):
    losses, logp = STEADY.cross_entropy(x, labels, w, valid, smoothing)
    return {"losses": losses, "logp": logp}


def _losses_backward(**kind):
    def draw(rng):
        inputs = _losses(**kind)(rng)
        return {"gy": _normal(rng, 9), "logp": STEADY.log_softmax(inputs.pop("x"), 1)[0]} | inputs

    return draw


def _losses_backward_run(gy, logp, labels, w, valid, smoothing):
    return {"gx": backends.get_backend().cross_entropy_backward(gy, logp.copy(), labels, w, valid, smoothing)}


def _teach_log_softmax(inputs, got, expected):
    if np.allclose(got["y"], np.exp(expected["y"])):
        return "these are probabilities: return their logarithms"
    if not np.isfinite(got["y"]).all():
        return "NaN or infinite values: subtract the maximum before e^x, and take no logarithm of a probability of 0"
    return None


def _teach_log_softmax_backward(inputs, got, expected):
    gy, y, axis = inputs["gy"], inputs["y"], inputs["axis"]
    if np.allclose(got["gx"], gy - y * gy.sum(axis=axis, keepdims=True)):
        return "the argument y is the log-softmax: the softmax itself is exp(y)"
    if np.allclose(got["gx"], gy - np.exp(y)):
        return "this is correct only for a gy whose sum along the axis is 1: multiply the softmax by that sum"
    return None


def _teach_losses(inputs, got, expected):
    if np.allclose(got["losses"], -expected["losses"]):
        return "wrong sign: a loss is minus the logarithm of a probability"
    if np.allclose(got["losses"] * len(expected["losses"]), expected["losses"]):
        return "return one loss per row: averaging happens later"
    return None


def _teach_losses_backward(inputs, got, expected):
    gx, gy = got["gx"], inputs["gy"][:, None]
    if np.allclose(gx * len(gx), expected["gx"]):
        return "this is divided by the number of rows: averaging is already part of gy, the upstream gradient"
    if np.allclose(gx * gy, expected["gx"]):
        return "this is the local derivative: multiply it by gy, one number per row"
    if np.allclose(gx, np.exp(inputs["logp"]) * gy):
        return "this is only the softmax: subtract the distribution of the labels"
    if np.allclose(gx, -expected["gx"]):
        return "wrong sign: the gradient is softmax minus labels, so that gradient descent raises the correct class"
    return None


# ------------------------------------------------------------------------------ SGD


def _steps(momentum=True, weight_decay=True, dampening=False, shape=(3, 5)):
    """draw: three steps with a falling learning rate, since both velocities agree while it is constant."""

    def draw(rng):
        return {
            "p": _normal(rng, *shape),
            "gradients": _normal(rng, 3, *shape),
            "rates": np.array([0.3, 0.1, 0.02]),
            "momentum": float(rng.uniform(0.5, 0.9)) if momentum else 0.0,
            "dampening": float(rng.uniform(0.2, 0.6)) if dampening else 0.0,
            "weight_decay": float(rng.uniform(0.1, 0.4)) if weight_decay else 0.0,
        }

    return draw


def _sgd(inside, nesterov=False):
    """run: the parameter and its velocity after three steps; inside: the learning rate is inside the velocity."""

    def run(p, gradients, rates, momentum, dampening, weight_decay):
        p, v = p.copy(), np.zeros_like(p) if momentum else None
        for g, lr in zip(gradients.copy(), rates.tolist(), strict=True):
            backends.get_backend().sgd(p, g, v, lr, momentum, dampening, weight_decay, nesterov, inside)
        return {"p": p} if v is None else {"p": p, "v": v}

    return run


def _both(nesterov=False):
    """run: with torch's velocity and with the paper's."""

    def run(**inputs):
        return {
            f"{name}_{kind}": value
            for kind, inside in (("torch", False), ("paper", True))
            for name, value in _sgd(inside, nesterov)(**inputs).items()
        }

    return run


def _gradient_run(p, gradients, rates, momentum, dampening, weight_decay):
    """The gradient after a step, which must be unchanged."""
    given, v = gradients.copy(), np.zeros_like(p)
    for inside in (False, True):
        backends.get_backend().sgd(p.copy(), given[0], v, 0.1, momentum, dampening, weight_decay, False, inside)
    return {"gradient": given[0]}


def _teach_sgd(inputs, got, expected):
    if np.array_equal(got["p"], inputs["p"]):
        return "the parameter did not move: change the array in place, p -= ... or p[...] = ..., a new array is lost"
    for inside, told in (
        (True, "the learning rate is inside the velocity here: this is the paper's step, not torch's"),
        (False, "the learning rate is outside the velocity here: this is torch's step, not the paper's"),
    ):
        if np.allclose(_sgd(inside)(**inputs)["p"], got["p"]):
            return told
    if np.allclose(_sgd(False)(**inputs | {"weight_decay": 0.0})["p"], got["p"]) or np.allclose(
        _sgd(True)(**inputs | {"weight_decay": 0.0})["p"], got["p"]
    ):
        return "the weight decay is missing: add it to the gradient, before learning rate and velocity"
    if np.allclose(_sgd(True)(**inputs | {"momentum": 0.0})["p"], got["p"]):
        return "the velocity forgets: the new one must include the old one, times momentum"
    return None


def _hidden(name, points, draw, run):
    return Check(name, points, draw, run, public=False)


CHECKS = (
    Check("linear", 4, _linear(5), _linear_run, teach=_teach_linear),
    Check("linear backward", 6, _linear_backward(5), _linear_backward_run, teach=_teach_linear_backward),
    Check("mask", 5, _mask("float64", False), _mask_run, teach=_teach_mask),
    Check("dropout", 6, _dropout(True, True), _dropout_run, teach=_teach_dropout),
    Check(
        "log softmax",
        5,
        lambda rng: {"x": 2 * _normal(rng, 4, 6), "axis": 1},
        _log_softmax_run,
        teach=_teach_log_softmax,
    ),
    Check(
        "log softmax backward",
        5,
        _log_softmax_backward((4, 6), 1),
        _log_softmax_backward_run,
        teach=_teach_log_softmax_backward,
    ),
    Check("cross entropy", 5, _losses(), _losses_run, teach=_teach_losses),
    Check("cross entropy backward", 6, _losses_backward(), _losses_backward_run, teach=_teach_losses_backward),
    Check("sgd of torch", 4, _steps(), _sgd(False), teach=_teach_sgd),
    Check("sgd of 2012", 4, _steps(), _sgd(True), teach=_teach_sgd),
    _hidden("linear without bias", 2, lambda rng: {"x": _normal(rng, 2, 3, 7), "w": _normal(rng, 4, 7)}, _no_bias_run),
    _hidden("linear backward leading axes", 2, _linear_backward(2, 3), _linear_backward_run),
    _hidden("linear backward wanted", 2, _linear_backward(5), _wanted_run),
    _hidden("mask float32", 2, _mask("float32", True), _mask_run),
    _hidden("dropout of 2012", 2, _dropout(True, False), _dropout_run),
    _hidden("dropout evaluation", 2, _dropout(False, True), _dropout_run),
    _hidden("dropout nothing and all", 1, _dropout(True, True), _nothing_and_all_run),
    _hidden("dropout evaluation of 2012", 2, _dropout(False, False), _dropout_run),
    _hidden("log softmax far out", 3, _far, _log_softmax_run),
    _hidden("log softmax first axis", 2, lambda rng: {"x": _normal(rng, 4, 3, 5), "axis": 0}, _log_softmax_run),
    _hidden("log softmax backward first axis", 2, _log_softmax_backward((4, 3, 5), 0), _log_softmax_backward_run),
    _hidden("cross entropy weights", 2, _losses(weighted=True), _losses_run),
    _hidden("cross entropy smoothing", 2, _losses(weighted=True, smoothed=True), _losses_run),
    _hidden("cross entropy ignored", 1, _losses(ignored=True), _losses_run),
    _hidden("cross entropy far out", 1, _losses(size=1e4), _losses_run),
    _hidden("cross entropy backward weights", 2, _losses_backward(weighted=True), _losses_backward_run),
    _hidden(
        "cross entropy backward smoothing", 2, _losses_backward(weighted=True, smoothed=True), _losses_backward_run
    ),
    _hidden("cross entropy backward ignored", 2, _losses_backward(ignored=True), _losses_backward_run),
    _hidden("sgd without momentum", 2, _steps(momentum=False), _both()),
    _hidden("sgd nesterov", 2, _steps(), _both(nesterov=True)),
    _hidden("sgd dampening", 1, _steps(dampening=True), _both()),
    _hidden("sgd gradient kept", 1, _steps(), _gradient_run),
)
