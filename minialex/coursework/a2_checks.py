"""The checks of A2. Forward and backward are checked separately: a backward gets what a correct forward saves."""

from __future__ import annotations

import numpy as np

from ..backends.numpy_backend import NumPyBackend
from .declaration import Check

DROPOUT = "backends.numpy_backend.NumPyBackend.dropout"
LOG_SOFTMAX = "backends.numpy_backend.NumPyBackend.log_softmax"


def steady_dropout(self, x, keep, scale, seed, call):
    """A dropout independent of the student's, for checking the function that calls it. Arguments as the backend's."""
    mask = np.random.default_rng([seed, call]).random(x.shape) < keep
    return x * mask * x.dtype.type(scale)


def steady_log_softmax(self, x, axis):
    """A log-softmax independent of the student's, for checking the loss. Arguments as the backend's."""
    y = x - np.logaddexp.reduce(x, axis=axis, keepdims=True)
    return y, y


def normal(rng, *shape, dtype=np.float64):
    """Standard normal numbers."""
    return rng.standard_normal(shape).astype(dtype)


# ------------------------------------------------------------------------------ linear


def linear(*leading):
    """draw: x with these leading axes."""
    return lambda rng: {"x": normal(rng, *leading, 7), "w": normal(rng, 4, 7), "b": 1 + normal(rng, 4)}


def linear_run(lib, x, w, b):
    """With a bias."""
    return {"y": lib.backends.get_backend().linear(x, w, b)}


def linear_backward(*leading):
    """draw: gy and x with these leading axes."""
    return lambda rng: {"gy": normal(rng, *leading, 4), "x": normal(rng, *leading, 7), "w": normal(rng, 4, 7)}


def linear_backward_run(lib, gy, x, w):
    """All three gradients."""
    gradients = lib.backends.get_backend().linear_backward(gy, x, w, (True, True, True))
    return dict(zip(("gx", "gw", "gb"), gradients, strict=True))


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


def mask(rng):
    """A number of elements that is no multiple of four, as a block has; a scale that does not follow from keep."""
    return {
        "x": normal(rng, 7, 9),
        "keep": float(rng.uniform(0.2, 0.4)),
        "scale": float(rng.uniform(1.4, 1.9)),
        "seed": int(rng.integers(2**33, 2**40)),
        "call": int(rng.integers(1, 100)),
    }


def _mask_run(lib, x, keep, scale, seed, call):
    return {"y": lib.backends.get_backend().dropout(x, keep, scale, seed, call)}


def dropout(training, inverted, dtype=np.float64):
    """draw: the arguments of dropout."""

    def draw(rng):
        return {
            "x": normal(rng, 6, 9, dtype=dtype),
            "gy": normal(rng, 6, 9, dtype=dtype),
            "p": float(rng.uniform(0.2, 0.4)),
            "seed": int(rng.integers(2**40)),
            "call": int(rng.integers(1, 100)),
            "training": training,
            "inverted": inverted,
        }

    return draw


def dropout_run(lib, x, gy, p, seed, call, training, inverted):
    """Uses the stand-in's mask; draws: the number of generator calls by forward and backward."""
    lib.replaced(DROPOUT, steady_dropout)
    generator = generator_at(lib, seed, call)
    leaf = lib.Tensor(x, requires_grad=True)
    y = lib.functional.dropout(leaf, p, training, inverted=inverted, generator=generator)
    y.backward(gy)
    return {"y": y.numpy(), "gx": leaf._grad, "draws": generator.call - call}


def generator_at(lib, seed, call):
    """A Generator of this seed whose next call is the given one."""
    generator = lib.random.Generator(seed)
    generator.call = call
    return generator


def _teach_mask(inputs, got, expected):
    if not ((got["y"] != 0) & (expected["y"] != 0)).any():
        return "kept and dropped are exchanged: an element is kept where its word is below keep 2^32"
    if np.allclose(got["y"] * inputs["scale"], expected["y"]):
        return "kept elements must be multiplied by scale"
    if np.allclose(got["y"] * inputs["keep"] * inputs["scale"], expected["y"]):
        return "kept elements are multiplied by the argument scale, whatever keep is"
    return None


def _teach_dropout(inputs, got, expected):
    p = inputs["p"]
    if (got["draws"] > expected["draws"] or ((got["gx"] == 0) != (expected["gx"] == 0)).any()) and np.allclose(
        got["y"], expected["y"]
    ):
        return "backward drew another mask: it must reuse that of forward, with the same seed and the same call"
    for factor, told in (
        (1 - p, "in training, inverted dropout scales kept elements by 1 / (1 - p)"),
        (1 / (1 - p), "if not inverted, training only drops and evaluation multiplies by 1 - p"),
    ):
        if np.allclose(got["y"], expected["y"] * factor):
            return f"this y is {factor:.3g} times the expected one; {told}"
    if np.allclose(got["y"], steady_dropout(None, inputs["x"], p, 1 / p, inputs["seed"], inputs["call"])):
        return "p is the probability of dropping, but the backend expects the probability of keeping"
    return None


# ------------------------------------------------------------------------------ softmax and loss


def log_softmax_run(lib, x, axis):
    """The result, and what is saved for backward."""
    y, saved = lib.backends.get_backend().log_softmax(x, axis)
    return {"y": y, "saved": saved}


def log_softmax_backward(shape, axis, dtype=np.float64):
    """draw: gy, and the result of a correct forward."""

    def draw(rng):
        y, _ = steady_log_softmax(None, 2 * normal(rng, *shape, dtype=dtype), axis)
        return {"gy": normal(rng, *shape, dtype=dtype), "y": y, "axis": axis}

    return draw


def log_softmax_backward_run(lib, gy, y, axis):
    """The gradient."""
    return {"gx": lib.backends.get_backend().log_softmax_backward(gy, y, axis)}


def losses(weighted=False, ignored=False, smoothed=False, size=1.0, dtype=np.float64):
    """draw: logits and the arguments that `functional.cross_entropy` passes: the label of an ignored row is 0."""

    def draw(rng):
        valid = np.ones(9, bool)
        valid[rng.permutation(9)[:3]] = not ignored
        labels = np.where(valid, rng.permutation(np.arange(9) % 6), 0)
        w = rng.uniform(0.3, 3.0, 6) if weighted else np.ones(6)
        smoothing = float(rng.uniform(0.1, 0.4)) if smoothed else 0.0
        x = size * normal(rng, 9, 6, dtype=dtype)
        return {"x": x, "labels": labels, "w": w.astype(dtype), "valid": valid, "smoothing": smoothing}

    return draw


def losses_run(lib, x, labels, w, valid, smoothing):
    """With a log-softmax that is not the student's."""
    lib.replaced(LOG_SOFTMAX, steady_log_softmax)
    made, logp = lib.backends.get_backend().cross_entropy(x, labels, w, valid, smoothing)
    return {"losses": made, "logp": logp}


def losses_backward(dtype=np.float64, **kind):
    """draw: gy, and what a correct forward saves."""

    def draw(rng):
        inputs = losses(dtype=dtype, **kind)(rng)
        logp, _ = steady_log_softmax(None, inputs.pop("x"), 1)
        return {"gy": normal(rng, 9, dtype=dtype), "logp": logp} | inputs

    return draw


def losses_backward_run(lib, gy, logp, labels, w, valid, smoothing):
    """The gradient; logp is the tape's, which may need it again (retain_graph)."""
    return {"gx": lib.backends.get_backend().cross_entropy_backward(gy, logp, labels, w, valid, smoothing)}


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


def steps(momentum=True, weight_decay=True, dampening=False, shape=(3, 5), dtype=np.float64):
    """draw: three steps with a falling learning rate, since both velocities agree while it is constant."""

    def draw(rng):
        return {
            "p": normal(rng, *shape, dtype=dtype),
            **{name: normal(rng, *shape, dtype=dtype) for name in ("g1", "g2", "g3")},
            "rates": np.array([0.3, 0.1, 0.02]) * rng.uniform(0.8, 1.2),
            "momentum": float(rng.uniform(0.5, 0.9)) if momentum else 0.0,
            "dampening": float(rng.uniform(0.2, 0.6)) if dampening else 0.0,
            "weight_decay": float(rng.uniform(0.1, 0.4)) if weight_decay else 0.0,
        }

    return draw


def sgd(inside, nesterov=False, velocity=True):
    """run: the parameter and its velocity after three steps.

    inside: whether the learning rate is inside the velocity.
    nesterov: as of the backend's sgd.
    velocity: whether there is one.
    """

    def run(lib, p, g1, g2, g3, rates, momentum, dampening, weight_decay):
        backend, p, v = lib.backends.get_backend(), lib.owned(p), lib.owned(np.zeros_like(p)) if velocity else None
        for g, lr in zip((g1, g2, g3), rates.tolist(), strict=True):
            backend.sgd(p, g, v, lr, momentum, dampening, weight_decay, nesterov, inside)
        return {"p": lib.value(p)} if v is None else {"p": lib.value(p), "v": lib.value(v)}

    return run


def _teach_sgd(inputs, got, expected):
    def moved(inside, **changed):
        arguments = inputs | changed
        p, v = arguments["p"].copy(), np.zeros_like(arguments["p"])
        for name, lr in zip(("g1", "g2", "g3"), arguments["rates"].tolist(), strict=True):
            others = arguments["momentum"], 0.0, arguments["weight_decay"], False, inside
            NumPyBackend().sgd(p, arguments[name], v, lr, *others)
        return np.allclose(p, got["p"])

    if np.array_equal(got["p"], inputs["p"]):
        return "the parameter did not move: change the array in place, p -= ... or p[...] = ..., a new array is lost"
    if moved(True):
        return "the learning rate is inside the velocity here: this is the paper's step, not torch's"
    if moved(False):
        return "the learning rate is outside the velocity here: this is torch's step, not the paper's"
    if moved(False, weight_decay=0.0) or moved(True, weight_decay=0.0):
        return "the weight decay is missing: add it to the gradient, before learning rate and velocity"
    if moved(True, momentum=0.0):
        return "the velocity forgets: the new one must include the old one, times momentum"
    return None


def _logits(rng):
    return {"x": 2 * normal(rng, 4, 6), "axis": 1}


CHECKS = (
    Check("linear", 4, linear(5), linear_run, teach=_teach_linear),
    Check("linear backward", 6, linear_backward(5), linear_backward_run, teach=_teach_linear_backward),
    Check("mask", 5, mask, _mask_run, teach=_teach_mask),
    Check("dropout", 6, dropout(True, True), dropout_run, teach=_teach_dropout),
    Check("log softmax", 5, _logits, log_softmax_run, teach=_teach_log_softmax),
    Check(
        "log softmax backward",
        5,
        log_softmax_backward((4, 6), 1),
        log_softmax_backward_run,
        teach=_teach_log_softmax_backward,
    ),
    Check("cross entropy", 5, losses(), losses_run, teach=_teach_losses),
    Check("cross entropy backward", 6, losses_backward(), losses_backward_run, teach=_teach_losses_backward),
    Check("sgd of torch", 4, steps(), sgd(False), teach=_teach_sgd),
    Check("sgd of 2012", 4, steps(), sgd(True), teach=_teach_sgd),
)
