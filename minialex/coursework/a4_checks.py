"""The public checks of A4: pooling and local response normalisation.

Every function gets its inputs from the check, and `_neighbours` is replaced where the normalisation is checked, so that
a mistake in one function does not affect another. A check has several cases, whose answers are told apart by a number.
"""

from __future__ import annotations

import numpy as np

from ..window import Window
from .cases import near, of_a_case, several
from .declaration import Check


def _backend(lib):
    return lib.backends.numpy_backend.NumPyBackend()


# ------------------------------------------------------------------------------ windows


def _settings(rng, kernel, stride=None, padding=(0, 0), dilation=(1, 1), ceil=False, exact=False, least=(3, 5)):
    """Height, width, kernel, stride, padding, dilation, ceil mode of a pooling layer, as one array.

    kernel, stride, padding, dilation: pairs; stride None: windows do not overlap.
    ceil: whether windows may reach over the edge; unless `exact`, pixels remain behind the last window.
    least: windows down and across, at least.
    """
    stride = stride or kernel
    numbers = zip(kernel, stride, padding, dilation, least, strict=True)
    height, width = (
        d * (k - 1) + 1 + s * (n + rng.integers(2) - 1) - 2 * p + (0 if exact else s - 1) for k, s, p, d, n in numbers
    )
    width += stride[1] * (height == width)
    return np.array((height, width, *kernel, *stride, *padding, *dilation, ceil), np.int64)


def _arguments(settings):
    """The arguments of Window.over_pool."""
    height, width, kh, kw, sh, sw, ph, pw, dh, dw, ceil = (int(n) for n in settings)
    return (1, 1, height, width), (kh, kw), (sh, sw), (ph, pw), (dh, dw), bool(ceil)


def _window(settings):
    """The Window in this process."""
    return Window.over_pool(*_arguments(settings))


def _window_there(lib, settings):
    return lib.window.Window.over_pool(*_arguments(settings))


SIDE_BY_SIDE: list[dict] = [{"kernel": (2, 3), "exact": True}, {"kernel": (3, 2), "exact": True}]
OVERLAPPING: list[dict] = [{"kernel": (3, 4), "stride": (2, 3)}, {"kernel": (4, 2), "stride": (3, 1)}]


# ------------------------------------------------------------------------------ maximum


def low(x):
    """Many windows contain no positive value."""
    return x - 1.5


def maximum(save, *cases):
    """(draw, run) of max_pool2d. save: whether the winners are asked for; cases: with `change`, a function of x."""

    def draw(rng, change=low, images=(2, 3), dtype=np.float64, **options):
        settings = _settings(rng, **options)
        return {"x": change(rng.standard_normal((*images, *settings[:2]))).astype(dtype), "settings": settings}

    def run(lib, x, settings):
        y, winners = _backend(lib).max_pool2d(x, _window_there(lib, settings), save)
        if not save:
            return {"y": y, "winners_is_none": winners is None}
        return {"y": y, "winners": np.asarray(winners, np.float64)}  # integers of any size

    return several(draw, run, *cases)


def maximum_backward(*cases):
    """(draw, run) of max_pool2d_backward with arbitrary winners inside the image, independent of any forward."""

    def draw(rng, images=(2, 3), dtype=np.float64, **options):
        settings = _settings(rng, **options)
        window = _window(settings)
        inside = np.zeros(window.padded, bool)
        inside[window.inside] = True
        allowed = np.stack([inside[tap] for tap in window.taps()])
        winners = (rng.random((*images, *allowed.shape)) * allowed).argmax(axis=2)
        (_, kw), (sh, sw) = window.kernel, window.stride
        if window.dilation == (1, 1) and min(window.output) > 1 and sh < window.kernel[0] and sw < kw:
            winners[..., 0, 0], winners[..., 1, 1] = sh * kw + sw, 0  # the same pixel
        return {"gy": rng.standard_normal(winners.shape).astype(dtype), "winners": winners, "settings": settings}

    def run(lib, gy, winners, settings):
        return {"gx": _backend(lib).max_pool2d_backward(gy, winners, _window_there(lib, settings))}

    return several(draw, run, *cases)


@of_a_case
def teach_maximum(inputs, got, expected):
    """Explains wrong maxima and winners."""
    if near(got["y"], np.maximum(expected["y"], 0)):
        return "negative values never win: what do you start with, and what is in the margins?"
    x, window = inputs["x"], _window(inputs["settings"])
    padded = np.full((*x.shape[:2], *window.padded), np.inf)
    padded[..., *window.inside] = x
    if near(got["y"], np.min([padded[..., *tap] for tap in window.taps()], axis=0)):
        return "this is the minimum of every window"
    if near(got["y"], expected["y"]):
        if not near(got.get("winners_is_none", True), True):
            return "the maxima are correct. Without `save` no winners are needed: return None for them"
        if near(got["winners"] - 1, expected["winners"]):
            return "the maxima are correct. A winner is the index of its tap in window.taps(), counted from 0"
        return "the maxima are correct. A winner is the index of its tap in window.taps(); of equals the first wins"
    return None


@of_a_case
def teach_maximum_backward(inputs, got, expected):
    """Explains wrong gradients of maxima."""
    gy, winners, window = inputs["gy"], inputs["winners"], _window(inputs["settings"])
    assigned, everywhere = np.zeros((2, *gy.shape[:2], *window.padded))
    for place, tap in enumerate(window.taps()):
        np.copyto(assigned[..., *tap], gy, where=winners == place)
        everywhere[..., *tap] += gy
    if near(got["gx"], assigned[..., *window.inside]):
        return "a pixel that wins in several windows gets the sum of their gradients; here one overwrites the other"
    if near(got["gx"], everywhere[..., *window.inside]):
        return "only the winner of a window gets its gradient; here every pixel of the window does"
    return None


# ------------------------------------------------------------------------------ mean


def _scale(rng, window, scales, dtype):
    """A number, or one for each output position."""
    return rng.uniform(0.1, 0.5, window.output).astype(dtype) if scales else float(rng.uniform(0.1, 0.5))


def mean(*cases):
    """(draw, run) of avg_pool2d. cases: with `scales` there is one for each output position."""

    def draw(rng, scales=False, images=(2, 3), dtype=np.float64, **options):
        settings = _settings(rng, **options)
        x = rng.standard_normal((*images, *settings[:2])).astype(dtype)
        return {"x": x, "scale": _scale(rng, _window(settings), scales, dtype), "settings": settings}

    def run(lib, x, scale, settings):
        return {"y": _backend(lib).avg_pool2d(x, scale, _window_there(lib, settings))}

    return several(draw, run, *cases)


def mean_backward(*cases):
    """(draw, run) of avg_pool2d_backward. cases: as of `mean`."""

    def draw(rng, scales=False, images=(2, 3), dtype=np.float64, **options):
        settings = _settings(rng, **options)
        window = _window(settings)
        gy = rng.standard_normal((*images, *window.output)).astype(dtype)
        return {"gy": gy, "scale": _scale(rng, window, scales, dtype), "settings": settings}

    def run(lib, gy, scale, settings):
        return {"gx": _backend(lib).avg_pool2d_backward(gy, scale, _window_there(lib, settings))}

    return several(draw, run, *cases)


@of_a_case
def _teach_mean(inputs, got, expected):
    if near(got["y"] * inputs["scale"], expected["y"]):
        return "this is the sum: multiply it by `scale`"
    if near(got["y"] * np.prod(_window(inputs["settings"]).kernel) * inputs["scale"], expected["y"]):
        return "multiply the sum by `scale`; do not count pixels yourself"
    return None


@of_a_case
def _teach_mean_backward(inputs, got, expected):
    if near(got["gx"] * inputs["scale"], expected["gx"]):
        return "backward multiplies by `scale` too: y = scale * sum"
    gy, window = inputs["gy"] * inputs["scale"], _window(inputs["settings"])
    assigned = np.zeros((*gy.shape[:2], *window.padded))
    for tap in window.taps():
        assigned[..., *tap] = gy
    if near(got["gx"], assigned[..., *window.inside]):
        return "a pixel in several windows gets a share from each: add instead of assigning"
    return None


# ------------------------------------------------------------------------------ neighbours


def sums(*cases):
    """(draw, run): sums over windows of channels or pixels. cases: with `size`, `channels`, and the flags."""

    def draw(rng, size, channels=8, within=False, groups=1, mirrored=False, pixels=(7, 6), dtype=np.float64):
        values = rng.standard_normal((channels, *pixels)).astype(dtype)
        return {"values": values, "size": size, "within": within, "groups": groups, "mirrored": mirrored}

    def run(lib, values, size, within, groups, mirrored):
        neighbours = lib.backends.numpy_backend._neighbours
        return {"sums": neighbours(lib.numpy, values, size, within, groups, mirrored=mirrored)}

    return several(draw, run, *cases)


def neighbours(xp, values, size, within_channel, groups, mirrored=False):
    """Sums over windows by matrices, in place of the student's."""
    if within_channel:
        rows, columns = (_matrix(n, size, 1, mirrored).astype(values.dtype) for n in values.shape[-2:])
        return rows @ values @ columns.T
    return np.tensordot(_matrix(len(values), size, groups, mirrored).astype(values.dtype), values, 1)


def _matrix(count, size, groups, mirrored):
    """Which of `count` values are in whose window."""
    places = np.arange(count)
    blocks = places // (count // groups)
    distances = places - places[:, None] + size // 2
    inside = (distances >= 0) & (distances < size) & (blocks == blocks[:, None])
    return inside.T if mirrored else inside


@of_a_case
def _teach_sums(inputs, got, expected):
    size, values = inputs["size"], inputs["values"]
    if size > 1 and near(got["sums"] * size, expected["sums"]):
        return "this is the mean: return the sum"
    if near(got["sums"], values):
        return "these are the values themselves, without their neighbours"
    first = values[: size - size // 2].sum(axis=0)
    if not near(got["sums"][0], first) and near(got["sums"][size:-size], expected["sums"][size:-size]):
        return "the middle is correct, the edges are not: channels that do not exist count as 0, none wraps around"
    return None


# ------------------------------------------------------------------------------ local response normalisation


def _normal_case(rng, size, within=False, groups=1, shape=(2, 6, 5, 4), dtype=np.float64):
    return {
        "x": rng.standard_normal(shape).astype(dtype),
        "size": size,
        "within": within,
        "groups": groups,
        "a": float(rng.uniform(0.5, 1.5)),
        "beta": float(rng.uniform(0.4, 0.7)),
        "k": float(rng.uniform(1.5, 2.5)),
    }


def norm(*cases):
    """(draw, run) of local_response_norm with other sums than the student's. cases: with `size` and the flags."""

    def draw(rng, **case):
        return _normal_case(rng, **case)

    def run(lib, x, size, within, groups, a, beta, k):
        lib.replaced("backends.numpy_backend._neighbours", neighbours)
        y, (kept, d) = _backend(lib).local_response_norm(x, size, a, beta, k, within, groups, True)
        bare, (_, nothing) = _backend(lib).local_response_norm(x, size, a, beta, k, within, groups, False)
        return {"y": y, "x": kept, "d": d, "y_without_save": bare, "d_is_none": nothing is None}

    return several(draw, run, *cases)


def norm_backward(*cases):
    """(draw, run) of its backward: d is arbitrary and positive, independent of x, and must be used as saved."""

    def draw(rng, **case):
        inputs = _normal_case(rng, **case)
        shape, dtype = inputs["x"].shape, inputs["x"].dtype
        return inputs | {
            "gy": rng.standard_normal(shape).astype(dtype),
            "d": rng.uniform(0.5, 2.0, shape).astype(dtype),
        }

    def run(lib, gy, x, d, size, within, groups, a, beta, k):
        lib.replaced("backends.numpy_backend._neighbours", neighbours)
        return {"gx": _backend(lib).local_response_norm_backward(gy, (x, d), size, a, beta, k, within, groups)}

    return several(draw, run, *cases)


@of_a_case
def teach_norm(inputs, got, expected):
    """Explains wrong normalisation."""
    x, d, beta, size = inputs["x"], expected["d"], inputs["beta"], inputs["size"]
    if near(got["y"], x * d**beta):
        return "activations are divided by d^beta: the exponent is -beta"
    if near(got["d"], d) and near(got["y"], expected["y"]):
        return "y is correct, but saved should be the pair (x, d), or (x, None) without `save`"
    if near(got["d"], d):
        return "d is correct, but y is not x d^-beta; beta need not be 0.75"
    for wrong, sentence in (
        (d - inputs["k"], "here k is missing: d = k + a * sum"),
        (inputs["k"] + inputs["a"] * np.abs(x), "d is computed from the squares of the activations"),
        (inputs["k"] + x, "d is computed from the squares of the activations"),
        (inputs["k"] + inputs["a"] * x * x, "here no neighbours are in d: _neighbours sums the squares of a window"),
        (inputs["k"] + (d - inputs["k"]) / size, "use a as it is, do not divide it by the size"),
    ):
        if near(got["d"], wrong):
            return sentence
    return "d = k + a * _neighbours(xp, x[n] * x[n], ...): pass on size, within_channel and groups"


@of_a_case
def teach_norm_backward(inputs, got, expected):
    """Explains wrong gradients of the normalisation."""
    x, d, gy, beta = (inputs[name] for name in ("x", "d", "gy", "beta"))
    direct = gy * d**-beta
    cross = direct - expected["gx"]
    alone = 2 * inputs["a"] * beta * x * direct * x / d
    settings = inputs["size"], inputs["within"], inputs["groups"]
    forward = np.stack([neighbours(np, values, *settings) for values in direct * x / d])
    for wrong, sentence in (
        (direct, "the cross term is missing: x_i is part of the d of its neighbours, and of its own"),
        (direct - cross / 2, "the derivative of x^2 is 2 x: a factor 2 is missing in the cross term"),
        (direct + cross, "the cross term has the wrong sign: d^-beta decreases as x grows"),
        (direct - cross / x, "the factor x_i in front of the cross term's sum is missing"),
        (direct - alone, "the cross term sums over all windows that contain i, not only its own"),
        (direct - 2 * inputs["a"] * beta * x * forward, "the windows that contain i are the mirrored ones"),
    ):
        if near(got["gx"], wrong):
            return sentence
    if inputs["size"] == 1 and near(got["gx"], direct - cross * d):
        return "the exponent in the cross term is -beta - 1"
    return "gx = direct - 2 a beta x _neighbours(xp, gy x d^(-beta - 1), ..., mirrored=True)"


def check(name, points, draw_and_run, **options):
    """A Check of a (draw, run)."""
    draw, run = draw_and_run
    return Check(name, points, draw, run, **options)


CHECKS = (
    check("max_pool2d", 5, maximum(False, *SIDE_BY_SIDE), teach=teach_maximum),
    check("max_pool2d winners", 5, maximum(True, *OVERLAPPING), teach=teach_maximum),
    check("max_pool2d_backward", 7, maximum_backward(*OVERLAPPING), teach=teach_maximum_backward),
    check("avg_pool2d", 5, mean(*OVERLAPPING), teach=_teach_mean),
    check("avg_pool2d_backward", 6, mean_backward(*OVERLAPPING), teach=_teach_mean_backward),
    check("_neighbours", 6, sums({"size": 3, "channels": 9}, {"size": 5}), teach=_teach_sums),
    check("local_response_norm", 4, norm({"size": 1}), teach=teach_norm),
    check("local_response_norm window", 4, norm({"size": 3}, {"size": 5}), teach=teach_norm),
    check("local_response_norm_backward", 4, norm_backward({"size": 1}), teach=teach_norm_backward),
    check("local_response_norm_backward window", 4, norm_backward({"size": 3}, {"size": 4}), teach=teach_norm_backward),
)
