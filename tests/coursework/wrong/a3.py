"""Wrong solutions of A3."""

import numpy as np
from wrong_solutions import edit, public_inputs, rewrite

FILE = "numpy_backend.py"
GEOMETRIES = ("", " stride", " padding", " dilation", " groups", " again", " all at once", " extremes", " float32")
IM2COL = {f"im2col{kind}" for kind in GEOMETRIES}
COL2IM = {f"col2im{kind}" for kind in (*GEOMETRIES, " margins")}


def with_all(function, *kinds):
    """The checks of these kinds, and the one with all kinds at once."""
    return {f"{function} {kind}" for kind in (*kinds, "all at once")}


def with_several(function, *kinds):
    """The checks of these kinds, and those that have blocks and groups, too."""
    return {f"{function} {kind}" for kind in (*kinds, "again", "window")}


OTHERS = ("groups", "without bias", "blocks", "float32", "window", "again", "saved")
CONV = {"conv2d", *(f"conv2d {kind}" for kind in OTHERS)}
BIASED = CONV - {"conv2d without bias"}
ALL_THREE = {f"conv2d backward {kind}" for kind in ("groups", "blocks", "wanted", "float32", "window", "again")}
WEIGHTS = {"conv2d backward weights"} | ALL_THREE
PICTURES = {"conv2d backward pictures"} | ALL_THREE
BIAS = {"conv2d backward bias"} | ALL_THREE


def im2col(mistake, fails, says="", pad="pictures", tap="tap", before="", after="self.columns[:count]"):
    """im2col as most students write it, a tap at a time, with something else in one of its places."""
    return rewrite(mistake, FILE, "_ConvBuffers.im2col", f"""\
def im2col(self, pictures):
    count, window = len(pictures), self.window
    self.padded[:count, :, *window.inside] = {pad}
    rows = self.columns.reshape(*self.window_shape[:2], -1, *self.window_shape[4:])
    {before or "taps = list(window.taps())"}
    for place, tap in enumerate(taps):
        rows[:count, :, place] = self.padded[:count, :, *{tap}]
    return {after}
""", fails, says)


def geometry(mistake, fails, old, new, says=""):
    """im2col by index arithmetic, with a mistake in it."""
    source = """\
def im2col(self, pictures):
    count, window = len(pictures), self.window
    (kh, kw), (sh, sw), (dh, dw), (oh, ow) = window.kernel, window.stride, window.dilation, window.output
    (top, bottom), (left, right) = window.padding
    padded = np.pad(pictures, ((0, 0), (0, 0), (top, bottom + sh), (left, right + sw)))
    six = np.empty((count, *self.window_shape[1:]), pictures.dtype)
    for u in range(kh):
        for v in range(kw):
            for i in range(oh):
                for j in range(ow):
                    six[:, :, u, v, i, j] = padded[:, :, i * sh + u * dh, j * sw + v * dw]
    return six.reshape(count, *self.columns.shape[1:])
"""
    assert source.count(old) == 1, mistake
    return rewrite(mistake, FILE, "_ConvBuffers.im2col", source.replace(old, new), fails, says)


def col2im(mistake, old, new, fails, says=""):
    """An edit of the library's own col2im."""
    return edit(mistake, FILE, old, new, fails, says)


def hard_coded():
    """conv2d that answers what the public check asks, whatever is asked."""
    given = public_inputs("a3", "conv2d")
    columns = given["x"].reshape(len(given["x"]), -1)[:, given["places"][0]]
    y = (given["w"].reshape(len(given["w"]), -1) @ columns).reshape(given["gy"].shape)
    return f"""\
def conv2d(self, x, w, b, window, groups, needs):
    y = np.array({np.round(y, 12).tolist()}, x.dtype)
    saved = x.shape, w.shape, x if needs[1] else None, w if needs[0] else None
    return y + (0 if b is None else b[:, None, None]), saved
"""


ACCUMULATED_IN_PADDED = """\
def col2im(self, columns):
    count = len(columns)
    self.padded[...] = 0
    taps = columns.reshape(count, self.window_shape[1], -1, *self.window.output)
    for place, tap in enumerate(self.window.taps()):
        self.padded[:count, :, *tap] += taps[:, :, place]
    return self.padded[:count, :, *self.window.inside].copy()
"""

NEVER_ZEROED = """\
def col2im(self, columns):
    count = len(columns)
    if not hasattr(self, "gathered"):
        self.gathered = np.zeros_like(self.padded)
    taps = columns.reshape(count, self.window_shape[1], -1, *self.window.output)
    for place, tap in enumerate(self.window.taps()):
        self.gathered[:count, :, *tap] += taps[:, :, place]
    return self.gathered[:count, :, *self.window.inside].copy()
"""

ADDED = "pictures[:, :, *tap] += taps[:, :, place]"
TAPS = "for place, tap in enumerate(self.window.taps()):\n            pictures"
GATHERED = "            xp.matmul(weights, buffers.im2col(x[some]), out=y[some])\n"
BACK = "gw += xp.matmul(gy[some], buffers.im2col(x[some]).swapaxes(2, 3)).sum(axis=0)"
SHARED = "transposed = w.reshape(groups, filters // groups, rows).swapaxes(1, 2) if needs[0] else None"

WRONG = (
    # im2col
    im2col("flipped kernel", IM2COL, "this looks like a flipped kernel", before="taps = list(window.taps())[::-1]"),
    im2col("padding with a value other than 0", with_all("im2col", "padding", "again"),
           before="self.padded[self.padded == 0] = 1; taps = list(window.taps())"),
    im2col("images at the corner of the margin", with_all("im2col", "padding", "again"),
           before="taps = list(window.taps()); self.padded[...] "
           "= 0; self.padded[:count, :, : window.size[0], : window.size[1]] = pictures"),
    im2col("one image for all", IM2COL - {"im2col extremes"}, pad="pictures[:1]"),
    im2col("the whole buffer for the last images", {"im2col again"}, after="self.columns"),
    im2col("flipped images", IM2COL, pad="pictures[..., ::-1]"),
    im2col("groups forgotten", with_all("im2col", "groups"), "", after="self.columns[:count].reshape(count, 1, -1, "
           "self.columns.shape[-1])"),
    im2col("groups exchanged", with_all("im2col", "groups"), after="self.columns[:count, ::-1]"),
    geometry("columns in float64", {"im2col float32"}, "pictures.dtype)\n    for u", "float)\n    for u"),
    geometry("no stride for a kernel of one pixel", {"im2col extremes"},
             "padded[:, :, i * sh + u * dh, j * sw + v * dw]",
             "padded[:, :, i * sh + u * dh, j * sw + v * dw] if kh * kw > 1 else pictures[:, :, i, j]"),
    geometry("stride forgotten", with_all("im2col", "stride", "again", "extremes"),
             "i * sh + u * dh, j * sw + v * dw", "i + u * dh, j + v * dw",
             "a stride apart"),
    geometry("strides exchanged", with_all("im2col", "stride", "extremes"), "i * sh + u * dh, j * sw + v * dw",
             "(i * sw + u * dh) % padded.shape[2], (j * sh + v * dw) % padded.shape[3]"),
    geometry("dilation forgotten", with_all("im2col", "dilation", "extremes"), "i * sh + u * dh, j * sw + v * dw",
             "i * sh + u, j * sw + v"),
    geometry("dilations exchanged", with_all("im2col", "dilation", "extremes"), "i * sh + u * dh, j * sw + v * dw",
             "(i * sh + u * dw) % padded.shape[2], (j * sw + v * dh) % padded.shape[3]"),
    geometry("paddings exchanged", with_all("im2col", "padding", "again"), "(top, bottom + sh), (left, right + sw)",
             "(left, bottom + top + sh), (top, left + right + sw)"),
    geometry("channel varies fastest", IM2COL - {"im2col extremes"}, "return six.reshape(",
             "return np.ascontiguousarray(np.moveaxis(six, 1, 3)).reshape(", "the channel varies slowest"),
    geometry("u and v exchanged", IM2COL, "return six.reshape(",
             "return np.ascontiguousarray(six.swapaxes(2, 3)).reshape(", "u and v are exchanged"),
    geometry("i and j exchanged", IM2COL, "return six.reshape(",
             "return np.ascontiguousarray(six.swapaxes(4, 5)).reshape(", "i and j are exchanged"),
    # col2im
    col2im("overwritten instead of added", ADDED, "pictures[:, :, *tap] = taps[:, :, place]",
           COL2IM - {"col2im extremes"}, "must be added"),
    col2im("flipped kernel in col2im", ADDED, "pictures[:, :, *tap] += taps[:, :, -1 - place]", COL2IM,
           "this looks like a flipped kernel"),
    col2im("margins not removed", "return pictures[:, :, *self.window.inside]", "return pictures",
           with_all("col2im", "padding", "margins"),
           "x has shape"),
    col2im("clipped at the wrong end", "return pictures[:, :, *self.window.inside]",
           "height, width = self.window.size\n        return pictures[:, :, :height, :width]",
           with_all("col2im", "padding", "margins")),
    col2im("stride forgotten in col2im", ADDED,
           "near = [slice(s.start, s.start + n) for s, n in zip(tap, self.window.output)]\n"
           "            pictures[:, :, *near] += taps[:, :, place]", with_all("col2im", "stride", "extremes")),
    col2im("dilation forgotten in col2im", TAPS,
           "import dataclasses\n        narrow = dataclasses.replace(self.window, dilation=(1, 1))\n"
           "        for place, tap in enumerate(narrow.taps()):\n            pictures",
           with_all("col2im", "dilation", "extremes")),
    col2im("groups exchanged in col2im", "        taps = columns.reshape(len(columns), self.window_shape[1]",
           "        taps = columns[:, ::-1].reshape(len(columns), self.window_shape[1]", with_all("col2im", "groups")),
    col2im("mean over a pixel's windows", "return pictures[:, :, *self.window.inside]",
           "seen = self.xp.zeros(self.window.padded)\n"
           "        for tap in self.window.taps():\n            seen[tap] += 1\n"
           "        return (pictures / np.maximum(seen, 1))[:, :, *self.window.inside]",
           COL2IM - {"col2im extremes"}, "this is the mean"),
    rewrite("accumulated in the padded images", FILE, "_ConvBuffers.col2im", ACCUMULATED_IN_PADDED, {"col2im margins"}),
    col2im("images in float64", "len(columns), *self.padded.shape[1:]), self.padded.dtype)",
           "len(columns), *self.padded.shape[1:]))", {"col2im float32"}),
    col2im("one channel removed", "return pictures[:, :, *self.window.inside]",
           "return pictures.squeeze()[..., *self.window.inside]", {"col2im again", "col2im extremes"}),
    rewrite("never zeroed", FILE, "_ConvBuffers.col2im", NEVER_ZEROED, {"col2im again"}),
    # conv2d
    edit("missing bias", FILE, "            y += b[:, None, None]\n", "            pass\n", BIASED,
         "the bias is missing"),
    edit("bias along the width", FILE, "            y += b[:, None, None]\n",
         "            y += np.resize(b, y.shape[-1])\n", BIASED),
    edit("a bias of zeros in float64", FILE, "            y += b[:, None, None]\n",
         "            y += b[:, None, None]\n        else:\n            y = y + np.zeros((filters, 1, 1))\n",
         {"conv2d without bias"}),
    edit("bias required", FILE, "        if b is not None:\n            y += b",
         "        if True:\n            y += b", {"conv2d without bias"}),
    edit("flipped filters", FILE, GATHERED,
         GATHERED.replace("weights,", "w[..., ::-1, ::-1].reshape(weights.shape),"), CONV,
         "this looks like a flipped kernel"),
    edit("permuted channels of the filters", FILE, GATHERED,
         GATHERED.replace("weights,", "w.transpose(0, 2, 3, 1).reshape(weights.shape),"), CONV, "channels slowest"),
    edit("every group uses the first group's columns", FILE, GATHERED,
         "            xp.matmul(weights, buffers.im2col(x[some])[:, :1], out=y[some])\n",
         with_several("conv2d", "groups"),
         "every group uses the first group's columns"),
    edit("filters assigned to the groups in turn", FILE, GATHERED,
         GATHERED.replace("weights,", "w.reshape(-1, groups, rows).swapaxes(0, 1),"), with_several("conv2d", "groups"),
         "in turn"),
    edit("columns of the first block for all blocks", FILE, GATHERED,
         "            xp.matmul(weights, buffers.im2col(x[: some.stop - some.start]), out=y[some])\n",
         with_several("conv2d", "blocks")),
    edit("columns kept beyond the next block", FILE, "        for some in buffers.blocks:\n" + GATHERED,
         "        kept = [buffers.im2col(x[some]) for some in buffers.blocks]\n"
         "        for some, columns in zip(buffers.blocks, kept):\n"
         "            xp.matmul(weights, columns, out=y[some])\n", with_several("conv2d", "blocks")),
    edit("a window without dilation", FILE, "buffers = _ConvBuffers(xp, x.shape, x.dtype, window, groups)\n",
         "window = type(window).over(x.shape, window.kernel, window.stride, window.padding)\n"
         "        buffers = _ConvBuffers(xp, x.shape, x.dtype, window, groups)\n", {"conv2d window", "conv2d again"}),
    edit("buffers kept for every window of a size", FILE,
         "buffers = _ConvBuffers(xp, x.shape, x.dtype, window, groups)\n",
         "new = _ConvBuffers(xp, x.shape, x.dtype, window, groups)\n"
         "        buffers = globals().setdefault('_buffers', {}).setdefault((x.shape, window), new)\n",
         {"conv2d again"}),
    edit("all images at once", FILE, GATHERED, "            xp.matmul(weights, buffers.im2col(x), out=y)\n",
         with_several("conv2d", "blocks")),
    edit("float64 instead of float32", FILE, "math.prod(window.output)), x.dtype)", "math.prod(window.output)))",
         {"conv2d float32", "conv2d without bias"}),
    edit("x kept for the gradient of x", FILE, "x if needs[1] else None, w if needs[0] else None)",
         "x if needs[0] else None, w if needs[1] else None)", {"conv2d saved"}),
    rewrite("hard-coded public answer", FILE, "NumPyBackend.conv2d", hard_coded(), CONV - {"conv2d"}),
    # conv2d_backward
    edit("mean over the images", FILE, BACK, BACK.replace(".sum(axis=0)", ".mean(axis=0)"), WEIGHTS,
         "this looks like a mean"),
    edit("gradient of one image only", FILE, BACK, BACK.replace(".sum(axis=0)", "[0]"), WEIGHTS),
    edit("gradient of the weights flipped", FILE, "gw if gw is None else gw.reshape(w_shape), gb",
         "gw if gw is None else gw.reshape(w_shape)[..., ::-1, ::-1], gb", WEIGHTS, "this looks like a flipped kernel"),
    edit("overwritten by the next block", FILE, BACK, BACK.replace("+=", "="),
         with_several("conv2d backward", "blocks")),
    edit("filters' groups mixed in the gradient", FILE, BACK,
         BACK.replace("buffers.im2col(x[some])", "buffers.im2col(x[some])[:, ::-1]"),
         with_several("conv2d backward", "groups")),
    edit("weights flipped for the gradient of x", FILE, SHARED,
         SHARED.replace("w.reshape", "w[..., ::-1, ::-1].reshape"), PICTURES, "this looks like a flipped kernel"),
    edit("groups exchanged in the gradient of x", FILE, SHARED, SHARED.replace(".swapaxes(1, 2)",
         ".swapaxes(1, 2)[::-1]"), with_several("conv2d backward", "groups")),
    edit("gradient of x of the first block only", FILE, "gx[some] = buffers.col2im(xp.matmul(transposed, gy[some]))",
         "gx[...] = 0; gx[some] = buffers.col2im(xp.matmul(transposed, gy[some]))",
         with_several("conv2d backward", "blocks")),
    edit("gradient of x in float64", FILE, "gx = xp.empty(x_shape, gy.dtype) if needs[0] else None",
         "gx = xp.empty(x_shape) if needs[0] else None", {"conv2d backward float32"}),
    edit("mean instead of sum in the gradient of the bias", FILE, "gb = gy.sum(axis=(0, 2, 3)) if",
         "gb = gy.mean(axis=(0, 2, 3)) if", BIAS,
         "this looks like a mean"),
    edit("a bias per image", FILE, "gb = gy.sum(axis=(0, 2, 3)) if", "gb = gy.sum(axis=(2, 3)) if", BIAS,
         "gb has shape"),
    edit("a window without stride in backward", FILE, "buffers = _ConvBuffers(xp, x_shape, gy.dtype, window, groups)",
         "import dataclasses\n"
         "        buffers = _ConvBuffers(xp, x_shape, gy.dtype, dataclasses.replace(window, stride=(1, 1)), groups)",
         {"conv2d backward window"}),
    edit("transposed filters kept for every filter of a shape", FILE, SHARED,
         "if needs[0]:\n            kept = globals().setdefault('_filters', {}).setdefault(w.shape, w)\n"
         "            transposed = kept.reshape(groups, -1, rows).swapaxes(1, 2)", {"conv2d backward again"}),
    edit("gradients that are not needed", FILE, "gb = gy.sum(axis=(0, 2, 3)) if needs[2] else None",
         "gb = gy.sum(axis=(0, 2, 3))", {"conv2d backward wanted"}),
    # what would end or stop the process
    rewrite("endless loop", FILE, "_ConvBuffers.col2im", "def col2im(self, columns):\n    while True:\n        pass\n",
            COL2IM, "stopped after", hostile=True),
    rewrite("sys.exit", FILE, "NumPyBackend.conv2d",
            "def conv2d(self, *arguments):\n    import sys\n    sys.exit(0)\n", CONV, "SystemExit",
            hostile=True),
)
