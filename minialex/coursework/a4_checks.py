"""The checks of A4: pooling and local response normalisation."""

from __future__ import annotations

import numpy as np

from ..backends import numpy_backend
from ..window import Window
from .declaration import Check

# Every function gets its inputs from the check, so that a mistake in one function does not affect another. Where the
# normalisation calls `_neighbours`, the check is whether the two agree, whatever the student's sums are.


def _backend():
    return numpy_backend.NumPyBackend()


def _settings(rng, kernels, stride=2, padding=0, ceil=False, even=False):
    """(height, width, kernel, stride, padding, ceil) of a pooling layer; stride None: windows do not overlap."""
    kernel = int(rng.choice(kernels))
    if stride is None:
        return np.array((3 * kernel, 4 * kernel, kernel, kernel, padding, ceil))
    height, width = (2 * rng.integers(low, low + 2) if even else rng.integers(2 * low, 2 * low + 3) for low in (3, 5))
    return np.array((height, width, kernel, stride, padding, ceil))


def _window(settings):
    """The Window for these settings."""
    height, width, kernel, stride, padding, ceil = (int(n) for n in settings)
    return Window.over_pool((1, 1, height, width), kernel, stride, padding, ceil_mode=bool(ceil))


def _near(got, wanted):
    """Whether an answer of any shape equals `wanted`."""
    return got is not None and got.shape == np.shape(wanted) and np.allclose(got, wanted)


def _pictures(rng, settings):
    return rng.standard_normal((2, 3, *settings[:2]))


# ------------------------------------------------------------------------------ maximum


def _max_draw(change, **options):
    def draw(rng):
        settings = _settings(rng, **options)
        return {"x": change(_pictures(rng, settings)), "settings": settings}

    return draw


def _max_run(x, settings):
    y, _ = _backend().max_pool2d(x, _window(settings), False)
    return {"y": y}


def _winners_run(x, settings):
    y, winners = _backend().max_pool2d(x, _window(settings), True)
    return {"y": y, "winners": np.asarray(winners).astype(np.int64)}


def _low(x):
    """Many windows contain no positive value."""
    return x - 1.5


def _below_zero(x):
    return -np.abs(x)


def _few_values(x):
    """Values 0, 1 and 2, so that nearly every window has several maxima."""
    return np.minimum(np.round(np.abs(x)), 2)


def _back_draw(**options):
    """draw: gy, and arbitrary winners inside the image, independent of any forward."""

    def draw(rng):
        settings = _settings(rng, **options)
        window = _window(settings)
        inside = np.zeros(window.padded, bool)
        inside[window.inside] = True
        allowed = np.stack([inside[tap] for tap in window.taps()])
        winners = (rng.random((2, 3, *allowed.shape)) * allowed).argmax(axis=2).astype(np.uint8)
        kernel, stride = settings[2:4]
        winners[..., 0, 0], winners[..., 1, 1] = stride * kernel + stride, 0  # the same pixel
        return {"gy": rng.standard_normal(winners.shape), "winners": winners, "settings": settings}

    return draw


def _max_backward_run(gy, winners, settings):
    return {"gx": _backend().max_pool2d_backward(gy, winners, _window(settings))}


def _teach_maximum(inputs, got, expected):
    x, window = inputs["x"], _window(inputs["settings"])
    if _near(got["y"], np.maximum(expected["y"], 0)):
        return "negative values never win: what do you start with, and what is in the margins?"
    if _near(got["y"], -_backend().max_pool2d(-x, window, False)[0]):
        return "this is the minimum of every window"
    return None


def _teach_winners(inputs, got, expected):
    if _near(got["y"], expected["y"]):
        if _near(got["winners"] - 1, expected["winners"]):
            return "the maxima are correct. A winner is the index of its tap in window.taps(), counted from 0"
        return "the maxima are correct. A winner is the index of its tap in window.taps(); of equals the first wins"
    return _teach_maximum(inputs, got, expected)


def _teach_maximum_backward(inputs, got, expected):
    gy, winners, window = inputs["gy"], inputs["winners"], _window(inputs["settings"])
    assigned, everywhere = np.zeros((2, *gy.shape[:2], *window.padded))
    for place, tap in enumerate(window.taps()):
        np.copyto(assigned[..., *tap], gy, where=winners == place)
        everywhere[..., *tap] += gy
    if _near(got["gx"], assigned[..., *window.inside]):
        return "a pixel that wins in several windows gets the sum of their gradients; here one overwrites the other"
    if _near(got["gx"], everywhere[..., *window.inside]):
        return "only the winner of a window gets its gradient; here every pixel of the window does"
    return None


# ------------------------------------------------------------------------------ mean


def _mean_scale(rng, window, each):
    """A number, or one for each output position."""
    return rng.uniform(0.1, 0.5, window.output) if each else rng.uniform(0.1, 0.5)


def _mean_draw(each=False, **options):
    def draw(rng):
        settings = _settings(rng, **options)
        scale = _mean_scale(rng, _window(settings), each)
        return {"x": _pictures(rng, settings), "scale": scale, "settings": settings}

    return draw


def _mean_run(x, scale, settings):
    return {"y": _backend().avg_pool2d(x, scale, _window(settings))}


def _mean_back_draw(each=False, **options):
    def draw(rng):
        settings = _settings(rng, **options)
        window = _window(settings)
        gy = rng.standard_normal((2, 3, *window.output))
        return {"gy": gy, "scale": _mean_scale(rng, window, each), "settings": settings}

    return draw


def _mean_backward_run(gy, scale, settings):
    return {"gx": _backend().avg_pool2d_backward(gy, scale, _window(settings))}


def _teach_mean(inputs, got, expected):
    if np.allclose(got["y"] * inputs["scale"], expected["y"]):
        return "this is the sum: multiply it by `scale`"
    pixels = inputs["settings"][2] ** 2
    if np.allclose(got["y"] * pixels * inputs["scale"], expected["y"]):
        return "multiply the sum by `scale`; do not count pixels yourself"
    return None


def _teach_mean_backward(inputs, got, expected):
    if np.allclose(got["gx"] * inputs["scale"], expected["gx"]):
        return "backward multiplies by `scale` too: y = scale * sum"
    gy, window = inputs["gy"] * inputs["scale"], _window(inputs["settings"])
    assigned = np.zeros((*gy.shape[:2], *window.padded))
    for tap in window.taps():
        assigned[..., *tap] = gy
    if _near(got["gx"], assigned[..., *window.inside]):
        return "a pixel in several windows gets a share from each: add instead of assigning"
    return None


# ------------------------------------------------------------------------------ neighbours


def _sums(channels, sizes, within=False, groups=1, mirrored=False):
    """(draw, run): sums over windows of channels or pixels."""

    def draw(rng):
        return {
            "values": rng.standard_normal((rng.choice(channels), 7, 6)),
            "size": int(rng.choice(sizes)),
            "within": within,
            "groups": groups,
            "mirrored": mirrored,
        }

    def run(values, size, within, groups, mirrored):
        options = {"mirrored": True} if mirrored else {}
        return {"sums": numpy_backend._neighbours(np, values, size, within, groups, **options)}

    return draw, run


def _teach_sums(inputs, got, expected):
    size, values = inputs["size"], inputs["values"]
    if size > 1 and np.allclose(got["sums"] * size, expected["sums"]):
        return "this is the mean: return the sum"
    first = values[: size - size // 2].sum(axis=0)
    if not np.allclose(got["sums"][0], first) and np.allclose(got["sums"][size:-size], expected["sums"][size:-size]):
        return "the middle is correct, the edges are not: channels that do not exist count as 0, none wraps around"
    return None


# ------------------------------------------------------------------------------ local response normalisation


def _norm_draw(sizes, within=False, groups=1):
    def draw(rng):
        return {
            "x": rng.standard_normal((2, 6, 5, 4)),
            "size": int(rng.choice(sizes)),
            "within": within,
            "groups": groups,
            "a": rng.uniform(0.5, 1.5),
            "beta": rng.uniform(0.4, 0.7),
            "k": rng.uniform(1.5, 2.5),
        }

    return draw


def _norm_back_draw(sizes, within=False, groups=1):
    """draw: d is arbitrary and positive, independent of x: backward must use it as saved."""
    forward = _norm_draw(sizes, within, groups)

    def draw(rng):
        inputs = forward(rng)
        return inputs | {"gy": rng.standard_normal(inputs["x"].shape), "d": rng.uniform(0.5, 2.0, inputs["x"].shape)}

    return draw


def _norm_run(x, size, within, groups, a, beta, k):
    y, saved = _backend().local_response_norm(x, size, a, beta, k, within, groups, True)
    return {"y": y, "d": saved[1]}


def _norm_agrees_run(x, size, within, groups, a, beta, k):
    """log(y / x) / log d, with d from the student's own sums: -beta if y uses the same sums."""
    y, _ = _backend().local_response_norm(x, size, a, beta, k, within, groups, True)
    sums = np.stack([numpy_backend._neighbours(np, squares, size, within, groups) for squares in x * x])
    return {"exponent": np.log(np.abs(y / x)) / np.log(np.maximum(np.abs(k + a * sums), 1.01))}


def _norm_backward_run(gy, x, d, size, within, groups, a, beta, k):
    gx = _backend().local_response_norm_backward(gy, (x, d), size, a, beta, k, within, groups)
    return {"gx": gx}


def _norm_backward_agrees_run(gy, x, d, size, within, groups, a, beta, k):
    """gx + 2 a beta x (the student's own sums), which is gy d^-beta if gx uses the same sums."""
    gx = _backend().local_response_norm_backward(gy, (x, d), size, a, beta, k, within, groups)
    terms = gy * x * d ** (-beta - 1)
    sums = [numpy_backend._neighbours(np, values, size, within, groups, mirrored=True) for values in terms]
    return {"direct": gx + 2 * a * beta * x * np.stack(sums)}


def _teach_norm(inputs, got, expected):
    x, d, beta = inputs["x"], expected["d"], inputs["beta"]
    if _near(got["y"], x * d**beta):
        return "activations are divided by d^beta: the exponent is -beta"
    if _near(got.get("d"), d - inputs["k"]):
        return "here k is missing: d = k + a * sum"
    if _near(got.get("d"), inputs["k"] + inputs["a"] * np.abs(x)) or _near(got.get("d"), inputs["k"] + x):
        return "d is computed from the squares of the activations"
    if _near(got["y"], expected["y"]):
        return "y is correct, but saved should be the pair (x, d)"
    return None


def _teach_norm_agrees(inputs, got, expected):
    wanted = expected["exponent"].flat[0]
    sentence = f"here log(y / x) / log d should be -beta = {wanted:.4g}, with d = k + a * (your own _neighbours of x^2)"
    return f"{sentence}. Use a as it is, do not divide it by the size; pass on size, within_channel and groups"


def _teach_norm_backward(inputs, got, expected):
    x, d, gy, beta = (inputs[name] for name in ("x", "d", "gy", "beta"))
    direct = gy * d**-beta
    cross = direct - expected["gx"]
    for wrong, sentence in (
        (direct, "the cross term is missing: x_i is part of the d of its neighbours, and of its own"),
        (direct - cross / 2, "the derivative of x^2 is 2 x: a factor 2 is missing in the cross term"),
        (direct + cross, "the cross term has the wrong sign: d^-beta decreases as x grows"),
        (direct - cross / x, "the factor x_i in front of the cross term's sum is missing"),
        (direct - cross * d, "the exponent in the cross term is -beta - 1"),
    ):
        if _near(got["gx"], wrong):
            return sentence
    return None


def _teach_norm_backward_agrees(inputs, got, expected):
    direct, x = expected["direct"], inputs["x"]
    settings = inputs["size"], inputs["within"], inputs["groups"]
    terms = direct * x / inputs["d"]
    sums = np.stack([numpy_backend._neighbours(np, values, *settings, mirrored=True) for values in terms])
    if _near(got["direct"], direct + 2 * inputs["a"] * inputs["beta"] * x * sums):
        return "the cross term is missing: x_i is part of the d of its neighbours"
    return "here gx + 2 a beta x * (your own _neighbours, mirrored, of gy x d^(-beta - 1)) should be gy d^-beta"


# ------------------------------------------------------------------------------ all


def _small_draw(rng):
    return {"x": rng.standard_normal((1, 4, 4, 4), np.float32)}


def _kinds_run(x):
    """The item size of every result for float32: 4 bytes."""
    backend, window = _backend(), Window.over_pool(x.shape, 2)
    y, winners = backend.max_pool2d(x, window, True)
    normed, saved = backend.local_response_norm(x, 3, 0.5, 0.75, 2.0, False, 1, True)
    arrays = {
        "max_pool2d": y,
        "max_pool2d_backward": backend.max_pool2d_backward(y, winners, window),
        "avg_pool2d": backend.avg_pool2d(x, np.float32(0.25), window),
        "avg_pool2d_backward": backend.avg_pool2d_backward(y, np.float32(0.25), window),
        "local_response_norm": normed,
        "local_response_norm_backward": backend.local_response_norm_backward(x, saved, 3, 0.5, 0.75, 2.0, False, 1),
    }
    return {name: np.array(array.dtype.itemsize) for name, array in arrays.items()}


def _check(name, points, draw_and_run, **options):
    return Check(name, points, *draw_and_run, **options)


OVERLAPPING = {"kernels": (3, 4)}
SIDE_BY_SIDE = {"kernels": (2, 3), "stride": None}
OVER_THE_EDGE = {"kernels": (3, 5), "padding": 0, "ceil": True, "even": True}
EDGES = {"kernels": (3, 5), "padding": 1, "ceil": True}

CHECKS = (
    Check("max_pool2d", 5, _max_draw(_low, **SIDE_BY_SIDE), _max_run, teach=_teach_maximum),
    Check("max_pool2d winners", 5, _max_draw(_low, **OVERLAPPING), _winners_run, teach=_teach_winners),
    Check("max_pool2d_backward", 7, _back_draw(**OVERLAPPING), _max_backward_run, teach=_teach_maximum_backward),
    Check("avg_pool2d", 5, _mean_draw(**OVERLAPPING), _mean_run, teach=_teach_mean),
    Check("avg_pool2d_backward", 6, _mean_back_draw(**OVERLAPPING), _mean_backward_run, teach=_teach_mean_backward),
    _check("_neighbours", 6, _sums((8, 9), (3, 5)), teach=_teach_sums),
    Check("local_response_norm", 4, _norm_draw((1,)), _norm_run, teach=_teach_norm),
    Check("local_response_norm window", 4, _norm_draw((3, 5)), _norm_agrees_run, teach=_teach_norm_agrees),
    Check("local_response_norm_backward", 4, _norm_back_draw((1,)), _norm_backward_run, teach=_teach_norm_backward),
    Check(
        "local_response_norm_backward window",
        4,
        _norm_back_draw((3, 5)),
        _norm_backward_agrees_run,
        teach=_teach_norm_backward_agrees,
    ),
    Check(
        "max_pool2d ties", 4, _max_draw(_few_values, **OVERLAPPING), _winners_run, public=False, teach=_teach_winners
    ),
    Check(
        "max_pool2d padding",
        4,
        _max_draw(_below_zero, kernels=(3, 5), padding=1),
        _max_run,
        public=False,
        teach=_teach_maximum,
    ),
    Check("max_pool2d ceil mode", 3, _max_draw(np.abs, **OVER_THE_EDGE), _max_run, public=False),
    Check("max_pool2d_backward edges", 4, _back_draw(**EDGES), _max_backward_run, public=False),
    Check("avg_pool2d scales", 3, _mean_draw(each=True, **EDGES), _mean_run, public=False),
    Check("avg_pool2d_backward scales", 3, _mean_back_draw(each=True, **EDGES), _mean_backward_run, public=False),
    _check("_neighbours even size", 2, _sums((7, 8), (4, 6)), public=False),
    _check("_neighbours mirrored", 3, _sums((7, 8), (4, 6), mirrored=True), public=False),
    _check("_neighbours groups", 2, _sums((8, 10), (3, 5), groups=2), public=False),
    _check("_neighbours within channel", 3, _sums((5, 6), (3, 5), within=True), public=False),
    _check("_neighbours size above C", 2, _sums((3, 4), (9, 11)), public=False),
    Check("local_response_norm arguments", 2, _norm_draw((3, 5), within=True), _norm_agrees_run, public=False),
    Check(
        "local_response_norm_backward arguments",
        3,
        _norm_back_draw((2, 4), groups=2),
        _norm_backward_agrees_run,
        public=False,
    ),
    Check("float32", 2, _small_draw, _kinds_run, public=False),
)
