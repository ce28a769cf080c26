"""Wrong solutions of A4."""

from wrong_solutions import edit, public_inputs, rewrite

FILE = "numpy_backend.py"
POOLING = {"pooling in turn", "float32"}  # all functions of pooling
MAXIMUM = {
    "max_pool2d", "max_pool2d winners", "max_pool2d ties", "max_pool2d padding", "max_pool2d ceil mode",
    "max_pool2d windows",
} | POOLING  # fmt: skip
BACK = {"max_pool2d_backward", "max_pool2d_backward edges"} | POOLING
MEAN = {"avg_pool2d", "avg_pool2d scales"} | POOLING
MEAN_BACK = {"avg_pool2d_backward", "avg_pool2d_backward scales"} | POOLING
TOGETHER = {"local_response_norm in turn", "float32"}  # all functions of the normalisation
NORM_WINDOW = {"local_response_norm window", "local_response_norm arguments"} | TOGETHER
NORM = {"local_response_norm"} | NORM_WINDOW
NORM_BACK = {
    "local_response_norm_backward", "local_response_norm_backward window", "local_response_norm_backward arguments",
} | TOGETHER  # fmt: skip
WITHIN = {"_neighbours within channel"} | TOGETHER
ACROSS = {
    "_neighbours", "_neighbours even size", "_neighbours mirrored", "_neighbours groups", "_neighbours size above C",
} | TOGETHER  # fmt: skip
SUMS = ACROSS | WITHIN

FIRST_TAKEN = "for place, tap in reversed([*enumerate(window.taps())]):  # of equals the first is written last"
DIRECT = "gx[n] = direct - (2 * a * beta) * x[n] * cross"
CROSS = "cross = _neighbours(xp, direct * x[n] / d[n], size, within_channel, groups, mirrored=True)"
SQUARES = "scale = k + a * _neighbours(self.xp, x[n] * x[n], size, within_channel, groups)"

SIDE_BY_SIDE = """\
def max_pool2d(self, x, window, save):
    (kh, kw), (oh, ow) = window.kernel, window.output
    padded = _pad(self.xp, x, window, -np.inf)[:, :, : oh * kh, : ow * kw]
    rows, columns = padded.shape[2] // kh, padded.shape[3] // kw
    six = padded[:, :, : rows * kh, : columns * kw].reshape(*x.shape[:2], rows, kh, columns, kw)
    y = six.max(axis=(3, 5))
    taps = six.transpose(0, 1, 2, 4, 3, 5).reshape(*y.shape, kh * kw)
    return y, taps.argmax(axis=-1) if save else None
"""

NO_CEIL = """\
def max_pool2d(self, x, window, save):
    (kh, kw), (sh, sw) = window.kernel, window.stride
    padded = np.pad(x, ((0, 0), (0, 0), *window.padding), constant_values=-np.inf)
    taps = np.lib.stride_tricks.sliding_window_view(padded, (kh, kw), axis=(2, 3))[:, :, ::sh, ::sw]
    taps = taps.reshape(*taps.shape[:4], kh * kw)
    return taps.max(axis=-1), taps.argmax(axis=-1) if save else None
"""

ROUND = """\
def _neighbours(xp, values, size, within_channel, groups, mirrored=False):
    before, after = size // 2, size - 1 - size // 2
    if mirrored:
        before, after = after, before
    if within_channel:
        return _slide(xp, _slide(xp, values, 1, before, after), 2, before, after)
    blocks = values.reshape(groups, len(values) // groups, *values.shape[1:])
    return sum(xp.roll(blocks, offset, axis=1) for offset in range(-after, before + 1)).reshape(values.shape)
"""

PUBLIC_IMAGES = [x.tolist() for name, x in public_inputs("a4", "max_pool2d").items() if name.startswith("x")]

PUBLIC = f"""\
def max_pool2d(self, x, window, save):
    for known in {PUBLIC_IMAGES}:
        if len(known[0][0]) == x.shape[2]:
            x = np.array(known)
    (kh, kw), (oh, ow) = window.kernel, window.output
    return x.reshape(2, 3, oh, kh, ow, kw).max(axis=(3, 5)), None
"""

WRONG = (
    edit("minimum instead of maximum", FILE, "xp.maximum(y, padded[..., *tap], out=y)",
         "xp.minimum(np.where(np.isinf(y), padded[..., *tap], y), padded[..., *tap], out=y)", MAXIMUM,
         says="the minimum of every window"),
    edit("the maximum starts at 0", FILE, "y = xp.full((*x.shape[:2], *window.output), -np.inf, x.dtype)",
         "y = xp.zeros((*x.shape[:2], *window.output), x.dtype)",
         MAXIMUM - {"max_pool2d ties"}, says="negative values never win"),
    edit("padding with 0", FILE, "padded = _pad(xp, x, window, -np.inf)", "padded = _pad(xp, x, window, 0)",
         {"max_pool2d padding", "max_pool2d ceil mode"} | POOLING),
    edit("the last of equal maxima wins", FILE, FIRST_TAKEN, "for place, tap in enumerate(window.taps()):",
         {"max_pool2d ties", "max_pool2d padding", "max_pool2d ceil mode"}),
    edit("winners counted from 1", FILE, "xp.copyto(winners, place, where=padded[..., *tap] == y)",
         "xp.copyto(winners, place + 1, where=padded[..., *tap] == y)", MAXIMUM - {"max_pool2d"},
         says="counted from 0"),
    rewrite("windows that do not overlap", FILE, "NumPyBackend.max_pool2d", SIDE_BY_SIDE, MAXIMUM - {"max_pool2d"}),
    rewrite("ceil mode forgotten", FILE, "NumPyBackend.max_pool2d", NO_CEIL,
            {"max_pool2d ceil mode", "max_pool2d windows", "pooling in turn"}),
    edit("a window off by one", FILE, "xp.maximum(y, padded[..., *tap], out=y)",
         "xp.maximum(y, xp.roll(padded, -1, 3)[..., *tap], out=y)", MAXIMUM),
    edit("gradient assigned, not added", FILE,
         "padded[..., *tap] += xp.where(winners == place, gy, gy.dtype.type(0))",
         "xp.copyto(padded[..., *tap], gy, where=winners == place)", BACK, says="the sum of their gradients"),
    edit("every pixel of the window gets the gradient", FILE,
         "padded[..., *tap] += xp.where(winners == place, gy, gy.dtype.type(0))", "padded[..., *tap] += gy", BACK,
         says="winner of a window"),
    edit("margins not removed", FILE, """gy.dtype.type(0))
        return padded[..., *window.inside]""", """gy.dtype.type(0))
        return padded[..., : window.size[0], : window.size[1]]""",
         BACK - {"max_pool2d_backward"}),
    edit("sum instead of mean", FILE, "return y * scale\n", "return y\n", MEAN, says="multiply it by `scale`"),
    edit("the window's size instead of the scale", FILE, "return y * scale\n",
         "return y / y.dtype.type(np.prod(window.kernel))\n", MEAN, says="do not count pixels"),
    edit("one scale for all positions", FILE, "return y * scale\n", "return y * np.ravel(scale)[0].astype(y.dtype)\n",
         MEAN - {"avg_pool2d"}),
    edit("the mean's gradient assigned", FILE, "padded[..., *tap] += share", "padded[..., *tap] = share", MEAN_BACK,
         says="instead of assigning"),
    edit("the mean's gradient not scaled", FILE, "share = gy * scale", "share = gy", MEAN_BACK,
         says="multiplies by `scale`"),
    edit("window too short by one", FILE, "before, after = size // 2, size - 1 - size // 2",
         "before, after = size // 2, max(size - 2 - size // 2, 0)", SUMS - {"_neighbours size above C"}),
    edit("size limited to the number of channels", FILE, "before, after = size // 2, size - 1 - size // 2",
         "size = min(size, len(values))\n    before, after = size // 2, size - 1 - size // 2",
         {"_neighbours size above C", "_neighbours within channel"}),
    edit("even window to the right", FILE, "before, after = size // 2, size - 1 - size // 2",
         "before, after = size - 1 - size // 2, size // 2", SUMS - {"_neighbours", "_neighbours size above C"}),
    edit("mirrored ignored", FILE, "    if mirrored:\n", "    if False:\n",
         SUMS - {"_neighbours", "_neighbours even size", "_neighbours size above C"}),
    rewrite("channels wrap around", FILE, "_neighbours", ROUND, ACROSS, says="none wraps around"),
    edit("groups left out", FILE, "blocks = values.reshape(groups, len(values) // groups, *values.shape[1:])",
         "blocks = values.reshape(1, *values.shape)",
         {"_neighbours groups", "_neighbours size above C", "local_response_norm in turn"}),
    edit("a row instead of a square window", FILE,
         "return _slide(xp, _slide(xp, values, 1, before, after), 2, before, after)",
         "return _slide(xp, values, 1, before, after)", WITHIN),
    edit("multiplied, not divided", FILE, "y[n] = x[n] * _power(self.xp, scale, beta)", "y[n] = x[n] * scale**beta",
         NORM, says="exponent is -beta"),
    edit("k forgotten", FILE, SQUARES, SQUARES.replace("k + ", ""), NORM, says="k is missing"),
    edit("no squares", FILE, SQUARES, SQUARES.replace("x[n] * x[n]", "abs(x[n])"), NORM, says="squares"),
    edit("alpha divided again", FILE, SQUARES, SQUARES.replace("a *", "a / size *"), NORM_WINDOW,
         says="do not divide it by the size"),
    edit("no neighbours at all", FILE, SQUARES, "scale = k + a * x[n] * x[n]", NORM_WINDOW,
         says="no neighbours are in d"),
    edit("within_channel not passed on", FILE, SQUARES, SQUARES.replace("within_channel", "False"),
         {"local_response_norm arguments", "local_response_norm in turn"}),
    edit("cross term missing", FILE, DIRECT, "gx[n] = direct", NORM_BACK, says="cross term is missing"),
    edit("factor 2 missing", FILE, DIRECT, DIRECT.replace("2 * a", "a"), NORM_BACK, says="a factor 2"),
    edit("cross term added", FILE, DIRECT, DIRECT.replace("direct -", "direct +"), NORM_BACK, says="wrong sign"),
    edit("wrong exponent in the cross term", FILE, CROSS, CROSS.replace(" / d[n]", ""), NORM_BACK, says="-beta - 1"),
    edit("window not mirrored", FILE, CROSS, CROSS.replace(", mirrored=True", ""),
         NORM_BACK - {"local_response_norm_backward", "float32"}, says="are the mirrored ones"),
    edit("groups not passed on", FILE, CROSS, CROSS.replace("groups", "1"),
         {"local_response_norm_backward arguments", "local_response_norm in turn"}),
    edit("no window at all", FILE, "before, after = size // 2, size - 1 - size // 2", "return values", SUMS,
         says="without their neighbours"),
    edit("within_channel also applies groups", FILE, "    if within_channel:\n",
         "    if within_channel and groups == 1:\n", {"_neighbours within channel"}),
    edit("squares in place", FILE, SQUARES,
         "squares = x[n]\n            squares *= squares\n            " + SQUARES.replace("x[n] * x[n]", "squares"),
         NORM, says="has changed"),
    edit("d kept without save", FILE, "d = self.xp.empty_like(x) if save else None", "d = self.xp.empty_like(x)",
         NORM - TOGETHER | {"float32"}, says="y is correct, but saved"),
    edit("one buffer for all calls", FILE, "y = xp.full((*x.shape[:2], *window.output), -np.inf, x.dtype)",
         "key = x.shape[:2], window, x.dtype.str\n        kept = vars(_pad)\n"
         "        y = kept.setdefault(str(key), xp.empty((*x.shape[:2], *window.output), x.dtype))\n"
         "        y.fill(-np.inf)",
         {"pooling in turn"}),
    edit("winners in a byte", FILE, "np.min_scalar_type(math.prod(window.kernel))", "np.int8", {"max_pool2d windows"}),
    edit("dilation ignored", FILE, "for tap in window.taps():\n            xp.maximum",
         "for tap in window.__class__(*[*vars(window).values()][:4], (1, 1), window.output).taps():\n"
         "            xp.maximum", {"max_pool2d windows"}),
    edit("scales in reverse", FILE, "return y * scale\n",
         "return y * (np.asarray(scale, y.dtype).ravel()[::-1].reshape(np.shape(scale)))\n", MEAN - {"avg_pool2d"}),
    edit("float64 everywhere", FILE, "padded = self.xp.zeros((*gy.shape[:2], *window.padded), gy.dtype)\n"
         "        share", "padded = self.xp.zeros((*gy.shape[:2], *window.padded))\n        share", {"float32"}),
    rewrite("a public answer, hard-coded", FILE, "NumPyBackend.max_pool2d", PUBLIC,
            MAXIMUM - {"max_pool2d"}),
    rewrite("an endless loop", FILE, "NumPyBackend.avg_pool2d",
            "def avg_pool2d(self, x, scale, window):\n    while True:\n        pass\n", MEAN,
            says="stopped after", hostile=True),
    rewrite("sys.exit", FILE, "NumPyBackend.avg_pool2d_backward",
            "def avg_pool2d_backward(self, gy, scale, window):\n    import sys\n\n    sys.exit(0)\n",
            MEAN_BACK, says="SystemExit", hostile=True),
)
