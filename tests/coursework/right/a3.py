"""A3, convolution: right solutions in ten styles."""

from right_solutions import imports, right
from wrong_solutions import edit, rewrite

FILE = "numpy_backend.py"


def by(function, source):
    """The function as this student writes it."""
    return rewrite(function, FILE, function, source, set())


def before_the_class(source):
    """Helpers that this student adds."""
    top = "class NumPyBackend(MoreLayers):\n"
    return edit("helpers", FILE, top, f"{source}\n\n{top}", set())


RIGHT = (
    right(
        "einsum, and a stack of the taps",
        by(
            "_ConvBuffers.im2col",
            """\
def im2col(self, pictures):
    n = len(pictures)
    self.padded[:n, :, *self.window.inside] = pictures
    views = [self.padded[:n, :, rows, cols] for rows, cols in self.window.taps()]
    return self.xp.stack(views, axis=2).reshape(n, *self.columns.shape[1:])
""",
        ),
        by(
            "_ConvBuffers.col2im",
            """\
def col2im(self, columns):
    n, c = len(columns), self.padded.shape[1]
    parts = columns.reshape(n, c, -1, *self.window.output)
    padded = self.xp.zeros((n, c, *self.window.padded), columns.dtype)
    for part, (rows, cols) in zip(self.xp.moveaxis(parts, 2, 0), self.window.taps(), strict=True):
        padded[:, :, rows, cols] += part
    rows, cols = self.window.inside
    return padded[:, :, rows, cols]
""",
        ),
        by(
            "NumPyBackend.conv2d",
            """\
def conv2d(self, x, w, b, window, groups, needs):
    filters = w.reshape(groups, w.shape[0] // groups, -1)
    buffers = _ConvBuffers(self.xp, x.shape, x.dtype, window, groups)
    y = [self.xp.einsum("gok,ngkl->ngol", filters, buffers.im2col(x[block])) for block in buffers.blocks]
    y = self.xp.concatenate(y).reshape(x.shape[0], w.shape[0], *window.output)
    if b is not None:
        y = y + b.reshape(1, -1, 1, 1)
    return y, (x.shape, w.shape, x if needs[1] else None, w if needs[0] else None)
""",
        ),
        by(
            "NumPyBackend.conv2d_backward",
            """\
def conv2d_backward(self, gy, saved, window, groups, needs):
    xp = self.xp
    x_shape, w_shape, x, w = saved
    buffers = _ConvBuffers(xp, x_shape, gy.dtype, window, groups)
    g = gy.reshape(gy.shape[0], groups, w_shape[0] // groups, -1)
    gx = gw = gb = None
    if needs[0]:
        filters = w.reshape(groups, w_shape[0] // groups, -1)
        gx = xp.zeros(x_shape, gy.dtype)
        for block in buffers.blocks:
            gx[block] = buffers.col2im(xp.einsum("gok,ngol->ngkl", filters, g[block]))
    if needs[1]:
        gw = sum(xp.einsum("ngol,ngkl->gok", g[block], buffers.im2col(x[block])) for block in buffers.blocks)
        gw = gw.reshape(w_shape)
    if needs[2]:
        gb = xp.einsum("nohw->o", gy)
    return gx, gw, gb
""",
        ),
    ),
    right(
        "plain loops over windows, images and groups",
        by(
            "_ConvBuffers.im2col",
            """\
def im2col(self, pictures):
    window = self.window
    (kh, kw), (sh, sw), (dh, dw) = window.kernel, window.stride, window.dilation
    (oh, ow), (top, _), (left, _) = window.output, *window.padding
    n, c, height, width = pictures.shape
    columns = np.zeros((n, c, kh, kw, oh, ow), self.columns.dtype)
    for i in range(oh):
        for j in range(ow):
            for u in range(kh):
                for v in range(kw):
                    row, col = i * sh + u * dh - top, j * sw + v * dw - left
                    if 0 <= row < height and 0 <= col < width:
                        columns[:, :, u, v, i, j] = pictures[:, :, row, col]
    return columns.reshape(n, self.columns.shape[1], self.columns.shape[2], oh * ow)
""",
        ),
        by(
            "_ConvBuffers.col2im",
            """\
def col2im(self, columns):
    window = self.window
    (kh, kw), (sh, sw), (dh, dw) = window.kernel, window.stride, window.dilation
    (oh, ow), (top, _), (left, _) = window.output, *window.padding
    height, width = window.size
    n, c = columns.shape[0], self.padded.shape[1]
    columns = columns.reshape(n, c, kh, kw, oh, ow)
    pictures = np.zeros((n, c, height, width), columns.dtype)
    for i in range(oh):
        for j in range(ow):
            for u in range(kh):
                for v in range(kw):
                    row, col = i * sh + u * dh - top, j * sw + v * dw - left
                    if 0 <= row < height and 0 <= col < width:
                        pictures[:, :, row, col] += columns[:, :, u, v, i, j]
    return pictures
""",
        ),
        by(
            "NumPyBackend.conv2d",
            """\
def conv2d(self, x, w, b, window, groups, needs):
    oh, ow = window.output
    n_images, n_filters = x.shape[0], w.shape[0]
    size = n_filters // groups
    y = np.zeros((n_images, n_filters, oh, ow), x.dtype)
    buffers = _ConvBuffers(np, x.shape, x.dtype, window, groups)
    for block in buffers.blocks:
        columns = buffers.im2col(x[block])
        for n in range(block.start, block.stop):
            for g in range(groups):
                for o in range(g * size, (g + 1) * size):
                    y[n, o] = (w[o].reshape(-1) @ columns[n - block.start, g]).reshape(oh, ow)
                    if b is not None:
                        y[n, o] += b[o]
    keep_x = x if needs[1] else None
    keep_w = w if needs[0] else None
    return y, (x.shape, w.shape, keep_x, keep_w)
""",
        ),
        by(
            "NumPyBackend.conv2d_backward",
            """\
def conv2d_backward(self, gy, saved, window, groups, needs):
    x_shape, w_shape, x, w = saved
    size = w_shape[0] // groups
    gx = np.zeros(x_shape, gy.dtype) if needs[0] else None
    gw = np.zeros(w_shape, gy.dtype) if needs[1] else None
    gb = np.zeros(w_shape[0], gy.dtype) if needs[2] else None
    buffers = _ConvBuffers(np, x_shape, gy.dtype, window, groups)
    for block in buffers.blocks:
        images = range(block.start, block.stop)
        if needs[1]:
            columns = buffers.im2col(x[block])
            for n in images:
                for o in range(w_shape[0]):
                    gw[o] += (columns[n - block.start, o // size] @ gy[n, o].reshape(-1)).reshape(w_shape[1:])
        if needs[0]:
            rows = w_shape[1] * w_shape[2] * w_shape[3]
            gcolumns = np.zeros((len(images), groups, rows, gy[0, 0].size), gy.dtype)
            for n in images:
                for o in range(w_shape[0]):
                    gcolumns[n - block.start, o // size] += np.outer(w[o], gy[n, o])
            gx[block] = buffers.col2im(gcolumns)
        if needs[2]:
            for n in images:
                for o in range(w_shape[0]):
                    gb[o] += gy[n, o].sum()
    return gx, gw, gb
""",
        ),
    ),
    right(
        "sliding_window_view, to read and to add",
        imports(FILE, "from numpy.lib.stride_tricks import sliding_window_view"),
        before_the_class('''\
def _seen(padded, window, writeable=False):
    """(n, c, OH, OW, KH, KW): every window, as a view."""
    (dh, dw), (sh, sw), (oh, ow) = window.dilation, window.stride, window.output
    extent = tuple(d * (k - 1) + 1 for d, k in zip(window.dilation, window.kernel, strict=True))
    view = sliding_window_view(padded, extent, axis=(2, 3), writeable=writeable)
    return view[:, :, ::sh, ::sw, ::dh, ::dw][:, :, :oh, :ow]
'''),
        by(
            "_ConvBuffers.im2col",
            """\
def im2col(self, pictures):
    self.padded[: len(pictures), :, *self.window.inside] = pictures
    seen = _seen(self.padded[: len(pictures)], self.window)
    columns = self.columns[: len(pictures)]
    columns[...] = seen.transpose(0, 1, 4, 5, 2, 3).reshape(columns.shape)
    return columns
""",
        ),
        by(
            "_ConvBuffers.col2im",
            """\
def col2im(self, columns):
    (kh, kw), (oh, ow) = self.window.kernel, self.window.output
    padded = np.zeros((len(columns), *self.padded.shape[1:]), dtype=columns.dtype)
    seen = _seen(padded, self.window, writeable=True)
    columns = columns.reshape(len(columns), -1, kh, kw, oh, ow)
    for u, v in np.ndindex(kh, kw):  # the windows overlap, the pixels at one place of them do not
        seen[..., u, v] += columns[:, :, u, v]
    return padded[:, :, *self.window.inside]
""",
        ),
        by(
            "NumPyBackend.conv2d",
            """\
def conv2d(self, x, w, b, window, groups, needs):
    buffers = _ConvBuffers(np, x.shape, x.dtype, window, groups)
    matrix = w.reshape(groups, len(w) // groups, -1)
    y = np.concatenate([np.matmul(matrix, buffers.im2col(x[block])) for block in buffers.blocks], axis=0)
    y = y.reshape(len(x), len(w), *window.output)
    y = y if b is None else y + b[np.newaxis, :, np.newaxis, np.newaxis]
    return y, (x.shape, w.shape, (None, x)[bool(needs[1])], (None, w)[bool(needs[0])])
""",
        ),
        by(
            "NumPyBackend.conv2d_backward",
            """\
def conv2d_backward(self, gy, saved, window, groups, needs):
    x_shape, w_shape, x, w = saved
    need_x, need_w, need_b = needs
    rows_of_gy = gy.reshape(len(gy), groups, w_shape[0] // groups, -1)
    buffers = _ConvBuffers(np, x_shape, gy.dtype, window, groups)
    pieces_x, pieces_w = [], []
    for block in buffers.blocks:
        piece = rows_of_gy[block]
        if need_w:
            pieces_w.append(np.matmul(piece, buffers.im2col(x[block]).transpose(0, 1, 3, 2)).sum(0))
        if need_x:
            matrix = w.reshape(groups, w_shape[0] // groups, -1).transpose(0, 2, 1)
            pieces_x.append(buffers.col2im(np.matmul(matrix, piece)).copy())
    return (
        np.concatenate(pieces_x) if need_x else None,
        np.sum(pieces_w, axis=0).reshape(w_shape) if need_w else None,
        np.sum(gy, axis=(0, 2, 3)) if need_b else None,
    )
""",
        ),
    ),
    right(
        "index arrays and np.add.at",
        before_the_class('''\
def _indices(channels, window):
    """Channel, row and column in the padded image of every entry of the matrix (K, L)."""
    (kh, kw), (sh, sw), (dh, dw), (oh, ow) = window.kernel, window.stride, window.dilation, window.output
    i0 = np.tile(dh * np.repeat(np.arange(kh), kw), channels)
    j0 = dw * np.tile(np.arange(kw), kh * channels)
    i1 = sh * np.repeat(np.arange(oh), ow)
    j1 = sw * np.tile(np.arange(ow), oh)
    k = np.repeat(np.arange(channels), kh * kw).reshape(-1, 1)
    return k, i0.reshape(-1, 1) + i1.reshape(1, -1), j0.reshape(-1, 1) + j1.reshape(1, -1)
'''),
        by(
            "_ConvBuffers.im2col",
            """\
def im2col(self, pictures):
    n = pictures.shape[0]
    padded = np.zeros((n, *self.padded.shape[1:]), self.padded.dtype)
    padded[:, :, *self.window.inside] = pictures
    k, i, j = _indices(pictures.shape[1], self.window)
    return padded[:, k, i, j].reshape(n, *self.columns.shape[1:])
""",
        ),
        by(
            "_ConvBuffers.col2im",
            """\
def col2im(self, columns):
    n, channels = columns.shape[0], self.padded.shape[1]
    k, i, j = _indices(channels, self.window)
    padded = np.zeros((n, *self.padded.shape[1:]), columns.dtype)
    np.add.at(padded, (slice(None), k, i, j), columns.reshape(n, *i.shape))
    return padded[(slice(None), slice(None), *self.window.inside)]
""",
        ),
        by(
            "NumPyBackend.conv2d",
            """\
def conv2d(self, x, w, b, window, groups, needs):
    n, o = x.shape[0], w.shape[0]
    buffers = _ConvBuffers(np, x.shape, x.dtype, window, groups)
    out = np.empty((n, o, window.output[0] * window.output[1]), x.dtype)
    for block in buffers.blocks:
        cols = buffers.im2col(x[block])
        for g in range(groups):
            mine = slice(g * o // groups, (g + 1) * o // groups)
            out[block, mine] = w[mine].reshape(o // groups, -1) @ cols[:, g]
    out = out.reshape(n, o, *window.output)
    if b is not None:
        out += b.reshape(-1, 1, 1)
    return out, (x.shape, w.shape, x if needs[1] else None, w if needs[0] else None)
""",
        ),
        by(
            "NumPyBackend.conv2d_backward",
            """\
def conv2d_backward(self, gy, saved, window, groups, needs):
    x_shape, w_shape, x, w = saved
    o = w_shape[0]
    k = w_shape[1] * w_shape[2] * w_shape[3]
    buffers = _ConvBuffers(np, x_shape, gy.dtype, window, groups)
    gx = np.empty(x_shape, gy.dtype)
    gw = np.zeros((o, k), gy.dtype)
    flat = gy.reshape(gy.shape[0], o, -1)
    for block in buffers.blocks:
        n = len(flat[block])
        if needs[1]:
            cols = buffers.im2col(x[block])
        gcols = np.empty((n, groups, k, flat.shape[2]), gy.dtype)
        for g in range(groups):
            mine = slice(g * o // groups, (g + 1) * o // groups)
            if needs[1]:
                for image in range(n):
                    gw[mine] += flat[block][image, mine] @ cols[image, g].T
            if needs[0]:
                gcols[:, g] = w[mine].reshape(-1, k).T @ flat[block, mine]
        if needs[0]:
            gx[block] = buffers.col2im(gcols)
    gb = flat.sum(axis=2).sum(axis=0)
    return gx if needs[0] else None, gw.reshape(w_shape) if needs[1] else None, gb if needs[2] else None
""",
        ),
    ),
    right(
        "bincount, and one pixel of zero that stands for every margin",
        before_the_class('''\
def _pixels(window):
    """The pixel's number in the unpadded image of each (u, v), (i, j); height x width where it is outside."""
    height, width = window.size
    axes = []
    for kernel, stride, dilation, output, (before, _) in zip(
        window.kernel, window.stride, window.dilation, window.output, window.padding, strict=True
    ):
        axes.append(np.arange(kernel)[:, None] * dilation + np.arange(output) * stride - before)
    rows, cols = axes[0][:, None, :, None], axes[1][None, :, None, :]
    outside = (rows < 0) | (rows >= height) | (cols < 0) | (cols >= width)
    return np.where(outside, height * width, rows * width + cols)
'''),
        by(
            "_ConvBuffers.im2col",
            """\
def im2col(self, pictures):
    n, c = pictures.shape[:2]
    flat = np.concatenate([pictures.reshape(n, c, -1), np.zeros((n, c, 1), pictures.dtype)], axis=2)
    return np.take(flat, _pixels(self.window), axis=2).reshape((n,) + self.columns.shape[1:])
""",
        ),
        by(
            "_ConvBuffers.col2im",
            """\
def col2im(self, columns):
    n, c = len(columns), self.padded.shape[1]
    height, width = self.window.size
    pixels = _pixels(self.window).reshape(-1)
    places = np.arange(n * c)[:, None] * (height * width + 1) + pixels
    sums = np.bincount(places.reshape(-1), columns.reshape(-1), minlength=n * c * (height * width + 1))
    return sums.reshape(n, c, -1)[:, :, :-1].reshape(n, c, height, width).astype(columns.dtype)
""",
        ),
        by(
            "NumPyBackend.conv2d",
            """\
def conv2d(self, x, w, b, window, groups, needs):
    bias = 0 if b is None else b.reshape(groups, -1, 1)
    weights = w.reshape(groups, len(w) // groups, w[0].size)
    buffers = _ConvBuffers(self.xp, x.shape, x.dtype, window, groups)
    y = np.empty((len(x), groups, len(w) // groups, window.output[0] * window.output[1]), x.dtype)
    for block in buffers.blocks:
        y[block] = weights @ buffers.im2col(x[block]) + bias
    saved = [x.shape, w.shape, None, None]
    if needs[1]:
        saved[2] = x
    if needs[0]:
        saved[3] = w
    return y.reshape(len(x), len(w), *window.output), tuple(saved)
""",
        ),
        by(
            "NumPyBackend.conv2d_backward",
            """\
def conv2d_backward(self, gy, saved, window, groups, needs):
    return (
        self._gradient_of_pixels(gy, saved, window, groups) if needs[0] else None,
        self._gradient_of_filters(gy, saved, window, groups) if needs[1] else None,
        gy.reshape(*gy.shape[:2], -1).sum(axis=(0, 2)) if needs[2] else None,
    )

def _gradient_of_pixels(self, gy, saved, window, groups):
    shape, _, _, w = saved
    transposed = np.swapaxes(w.reshape(groups, len(w) // groups, -1), 1, 2)
    buffers = _ConvBuffers(self.xp, shape, gy.dtype, window, groups)
    gy = gy.reshape(len(gy), groups, len(w) // groups, -1)
    return np.concatenate([np.array(buffers.col2im(transposed @ gy[block])) for block in buffers.blocks])

def _gradient_of_filters(self, gy, saved, window, groups):
    _, shape, x, _ = saved
    gy = gy.reshape(len(gy), groups, shape[0] // groups, -1)
    total = np.zeros((groups, shape[0] // groups, math.prod(shape[1:])), gy.dtype)
    buffers = _ConvBuffers(self.xp, x.shape, gy.dtype, window, groups)
    for block in buffers.blocks:
        for one, columns in zip(gy[block], buffers.im2col(x[block]), strict=True):
            total += one @ np.swapaxes(columns, 1, 2)
    return total.reshape(shape)
""",
        ),
    ),
    right(
        "rows and columns apart: take, and tensordot with matrices of 0 and 1",
        before_the_class('''\
def _lines(window, axis):
    """(kernel, output): the line of the padded image at which each tap of each window is."""
    taps, windows = np.arange(window.kernel[axis]), np.arange(window.output[axis])
    return np.add.outer(taps * window.dilation[axis], windows * window.stride[axis])


def _onto(window, axis, dtype):
    """(kernel, output, size): 1 where that line is this line of the image."""
    before = window.padding[axis][0]
    return (_lines(window, axis)[..., None] - before == np.arange(window.size[axis])).astype(dtype)
'''),
        by(
            "_ConvBuffers.im2col",
            """\
def im2col(self, pictures):
    n = len(pictures)
    self.padded[:n, :, *self.window.inside] = pictures
    rows, cols = _lines(self.window, 0), _lines(self.window, 1)
    taken = self.padded[:n].take(rows, axis=2).take(cols, axis=4)  # n, c, u, i, v, j
    self.columns[:n] = taken.swapaxes(3, 4).reshape(n, *self.columns.shape[1:])
    return self.columns[:n]
""",
        ),
        by(
            "_ConvBuffers.col2im",
            """\
def col2im(self, columns):
    (kh, kw), (oh, ow) = self.window.kernel, self.window.output
    columns = columns.reshape(len(columns), -1, kh, kw, oh, ow)
    rows, cols = (_onto(self.window, axis, columns.dtype) for axis in (0, 1))
    half = np.tensordot(columns, cols, ((3, 5), (0, 1)))  # n, c, u, i, w
    return np.tensordot(half, rows, ((2, 3), (0, 1))).swapaxes(2, 3)
""",
        ),
        by(
            "NumPyBackend.conv2d",
            """\
def conv2d(self, x, w, b, window, groups, needs):
    n, o, (oh, ow) = len(x), len(w), window.output
    y = np.zeros((n, o, oh, ow), x.dtype)
    if b is not None:
        y[...] = b[:, None, None]
    buffers = _ConvBuffers(np, x.shape, x.dtype, window, groups)
    for block in buffers.blocks:
        columns = buffers.im2col(x[block])
        for g, filters in enumerate(np.split(w, groups)):
            product = np.tensordot(filters.reshape(len(filters), -1), columns[:, g], (1, 1))  # o, n, l
            part = slice(g * len(filters), (g + 1) * len(filters))
            y[block, part] += np.moveaxis(product, 0, 1).reshape(-1, len(filters), oh, ow)
    return y, (x.shape, w.shape, x if needs[1] else None, w if needs[0] else None)
""",
        ),
        by(
            "NumPyBackend.conv2d_backward",
            """\
def conv2d_backward(self, gy, saved, window, groups, needs):
    x_shape, w_shape, x, w = saved
    gx = np.zeros(x_shape, gy.dtype) if needs[0] else None
    gw = np.zeros((groups, w_shape[0] // groups, math.prod(w_shape[1:])), gy.dtype) if needs[1] else None
    buffers = _ConvBuffers(np, x_shape, gy.dtype, window, groups)
    for block in buffers.blocks:
        g = gy[block].reshape(-1, groups, w_shape[0] // groups, math.prod(window.output))
        if needs[1]:
            columns = buffers.im2col(x[block])
            for i in range(groups):
                gw[i] += np.tensordot(g[:, i], columns[:, i], ((0, 2), (0, 2)))
        if needs[0]:
            filters = w.reshape(groups, w_shape[0] // groups, -1)
            parts = [np.tensordot(filters[i], g[:, i], (0, 1)).swapaxes(0, 1) for i in range(groups)]
            gx[block] = buffers.col2im(np.stack(parts, axis=1))
    gb = np.tensordot(gy, np.ones(gy.shape[2:], gy.dtype), 2).sum(axis=0) if needs[2] else None
    return gx, None if gw is None else gw.reshape(w_shape), gb
""",
        ),
    ),
    right(
        "annotations, a dataclass and match",
        imports(FILE, "from collections.abc import Iterator, Sequence\nfrom dataclasses import dataclass"),
        before_the_class("""\
@dataclass(frozen=True)
class _Sizes:
    groups: int
    filters: int
    rows: int
    length: int

    @classmethod
    def of(cls, w_shape: tuple[int, ...], window, groups: int) -> _Sizes:
        o, *rest = w_shape
        return cls(groups, o // groups, math.prod(rest), math.prod(window.output))

    def matrix(self, w: np.ndarray) -> np.ndarray:
        return w.reshape(self.groups, self.filters, self.rows)

    def maps(self, gy: np.ndarray) -> np.ndarray:
        return gy.reshape(-1, self.groups, self.filters, self.length)


def _kept(needs: Sequence[bool], x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
    match [bool(need) for need in needs]:
        case [True, True, _]:
            return x, w
        case [False, True, _]:
            return x, None
        case [True, False, _]:
            return None, w
        case _:
            return None, None
"""),
        by(
            "_ConvBuffers.im2col",
            """\
def im2col(self, pictures: np.ndarray) -> np.ndarray:
    n: int = len(pictures)
    self.padded[:n, :, *self.window.inside] = pictures
    columns: np.ndarray = self.columns.reshape(self.window_shape)
    for u, v, tap in self._places():
        columns[:n, :, u, v] = self.padded[:n, :, *tap]
    return self.columns[:n]

def _places(self) -> Iterator[tuple[int, int, tuple[slice, slice]]]:
    for place, tap in enumerate(self.window.taps()):
        u, v = divmod(place, self.window.kernel[1])
        yield u, v, tap
""",
        ),
        by(
            "_ConvBuffers.col2im",
            """\
def col2im(self, columns: np.ndarray) -> np.ndarray:
    shape: tuple[int, ...] = (len(columns), *self.window_shape[1:])
    entries: np.ndarray = columns.reshape(shape)
    padded: np.ndarray = self.xp.zeros((len(columns), *self.padded.shape[1:]), dtype=columns.dtype)
    for u, v, tap in self._places():
        padded[:, :, *tap] += entries[:, :, u, v]
    return self.xp.ascontiguousarray(padded[:, :, *self.window.inside])
""",
        ),
        by(
            "NumPyBackend.conv2d",
            """\
def conv2d(self, x: np.ndarray, w: np.ndarray, b: np.ndarray | None, window, groups: int, needs: Sequence[bool]):
    sizes: _Sizes = _Sizes.of(w.shape, window, groups)
    y: np.ndarray = np.empty((len(x), groups, sizes.filters, sizes.length), dtype=x.dtype)
    buffers = _ConvBuffers(self.xp, x.shape, x.dtype, window, groups)
    for block in buffers.blocks:
        y[block] = sizes.matrix(w) @ buffers.im2col(x[block])
    y = y.reshape(len(x), len(w), *window.output)
    match b:
        case None:
            pass
        case _:
            y += b[:, None, None]
    return y, (x.shape, w.shape, *_kept(needs, x, w))
""",
        ),
        by(
            "NumPyBackend.conv2d_backward",
            """\
def conv2d_backward(self, gy: np.ndarray, saved: tuple, window, groups: int, needs: Sequence[bool]):
    gx: np.ndarray | None = None
    gw: np.ndarray | None = None
    gb: np.ndarray | None = None
    match saved:
        case (x_shape, w_shape, x, w):
            sizes: _Sizes = _Sizes.of(w_shape, window, groups)
    buffers = _ConvBuffers(self.xp, x_shape, gy.dtype, window, groups)
    maps: np.ndarray = sizes.maps(gy)
    if needs[0]:
        gx = np.empty(x_shape, gy.dtype)
        for block in buffers.blocks:
            gx[block] = buffers.col2im(sizes.matrix(w).mT @ maps[block])
    if needs[1]:
        gw = np.zeros((groups, sizes.filters, sizes.rows), gy.dtype)
        for block in buffers.blocks:
            gw = gw + (maps[block] @ buffers.im2col(x[block]).mT).sum(axis=0)
        gw = gw.reshape(w_shape)
    if needs[2]:
        gb = maps.sum(axis=(0, 3)).reshape(-1)
    return gx, gw, gb
""",
        ),
    ),
    right(
        "copies of everything",
        by(
            "_ConvBuffers.im2col",
            """\
def im2col(self, pictures):
    pictures = np.array(pictures, copy=True)
    padded = np.zeros((pictures.shape[0], *self.padded.shape[1:]), self.padded.dtype)
    padded[:, :, self.window.inside[0], self.window.inside[1]] = pictures
    columns = np.zeros((pictures.shape[0], *self.window_shape[1:]), self.columns.dtype)
    place = 0
    for u in range(self.window.kernel[0]):
        for v in range(self.window.kernel[1]):
            tap = list(self.window.taps())[place]
            columns[:, :, u, v] = padded[:, :, tap[0], tap[1]].copy()
            place += 1
    return columns.reshape(pictures.shape[0], *self.columns.shape[1:]).copy()
""",
        ),
        by(
            "_ConvBuffers.col2im",
            """\
def col2im(self, columns):
    columns = np.array(columns, copy=True).reshape(columns.shape[0], *self.window_shape[1:])
    padded = np.zeros((columns.shape[0], *self.padded.shape[1:]), self.padded.dtype)
    place = 0
    for u in range(self.window.kernel[0]):
        for v in range(self.window.kernel[1]):
            tap = list(self.window.taps())[place]
            added = np.zeros_like(padded)
            added[:, :, tap[0], tap[1]] = columns[:, :, u, v].copy()
            padded = padded + added
            place += 1
    return padded[:, :, self.window.inside[0], self.window.inside[1]].copy()
""",
        ),
        by(
            "NumPyBackend.conv2d",
            """\
def conv2d(self, x, w, b, window, groups, needs):
    images, filters = np.array(x, copy=True), np.array(w, copy=True)
    bias = None if b is None else np.array(b, copy=True)
    buffers = _ConvBuffers(self.xp, x.shape, x.dtype, window, groups)
    columns = [np.array(buffers.im2col(images[block].copy()), copy=True) for block in buffers.blocks]
    columns = np.concatenate(columns, axis=0)
    y = np.matmul(filters.reshape(groups, filters.shape[0] // groups, -1).copy(), columns)
    y = y.reshape(x.shape[0], w.shape[0], window.output[0], window.output[1]).copy()
    if bias is not None:
        y = y + bias.reshape(1, bias.shape[0], 1, 1)
    return y.astype(x.dtype), (x.shape, w.shape, x.copy() if needs[1] else None, w.copy() if needs[0] else None)
""",
        ),
        by(
            "NumPyBackend.conv2d_backward",
            """\
def conv2d_backward(self, gy, saved, window, groups, needs):
    x_shape, w_shape, x, w = saved
    x = None if x is None else x.copy()
    w = None if w is None else w.copy()
    gy = gy.copy()
    maps = gy.reshape(gy.shape[0], groups, w_shape[0] // groups, -1).copy()
    buffers = _ConvBuffers(self.xp, x_shape, gy.dtype, window, groups)
    gx, gw, gb = None, None, None
    if needs[1]:
        columns = np.concatenate([buffers.im2col(x[block]).copy() for block in buffers.blocks])
        gw = np.matmul(maps, columns.transpose(0, 1, 3, 2).copy()).sum(axis=0).reshape(w_shape).astype(gy.dtype)
    if needs[0]:
        rows = w.reshape(groups, w_shape[0] // groups, -1)
        gcolumns = np.matmul(rows.transpose(0, 2, 1).copy(), maps)
        gx = np.concatenate([buffers.col2im(gcolumns[block].copy()).copy() for block in buffers.blocks])
    if needs[2]:
        gb = gy.sum(axis=3).sum(axis=2).sum(axis=0)
    return gx, gw, gb
""",
        ),
    ),
    right(
        "one wide product for each group, the images side by side",
        by(
            "_ConvBuffers.im2col",
            '''\
def im2col(self, pictures):
    """Each tap's part of the image, clipped; there is no padded copy."""
    n, c, *size = pictures.shape
    columns = self.columns.reshape(self.window_shape)[:n]
    columns.fill(0)
    for u in range(self.window.kernel[0]):
        i, rows = self._overlap(u, 0, size[0])
        for v in range(self.window.kernel[1]):
            j, cols = self._overlap(v, 1, size[1])
            columns[:, :, u, v, i, j] = pictures[:, :, rows, cols]
    return self.columns[:n]

def _overlap(self, tap, axis, size):
    """The windows whose tap is on the image, and the pixels there."""
    window = self.window
    stride, first = window.stride[axis], tap * window.dilation[axis] - window.padding[axis][0]
    low = max(0, -(first // stride))
    high = min(window.output[axis], (size - 1 - first) // stride + 1)
    high = max(low, high)
    start = first + low * stride
    return slice(low, high), slice(start, start + (high - low) * stride, stride) if high > low else slice(0, 0)
''',
        ),
        by(
            "_ConvBuffers.col2im",
            """\
def col2im(self, columns):
    n, c = columns.shape[0], self.window_shape[1]
    height, width = self.window.size
    columns = columns.reshape(n, *self.window_shape[1:])
    pictures = self.xp.zeros((n, c, height, width), columns.dtype)
    for u in range(self.window.kernel[0]):
        i, rows = self._overlap(u, 0, height)
        for v in range(self.window.kernel[1]):
            j, cols = self._overlap(v, 1, width)
            pictures[:, :, rows, cols] += columns[:, :, u, v, i, j]
    return pictures
""",
        ),
        by(
            "NumPyBackend.conv2d",
            """\
def conv2d(self, x, w, b, window, groups, needs):
    n, o, (oh, ow) = x.shape[0], w.shape[0], window.output
    of_group = o // groups
    out = np.empty((o, n, oh, ow), x.dtype)
    buffers = _ConvBuffers(np, x.shape, x.dtype, window, groups)
    for block in buffers.blocks:
        cols = buffers.im2col(x[block])
        m = cols.shape[0]
        for g in range(groups):
            wide = cols[:, g].transpose(1, 0, 2).reshape(cols.shape[2], -1)
            matrix = w[g * of_group : (g + 1) * of_group].reshape(of_group, -1)
            out[g * of_group : (g + 1) * of_group, block] = np.dot(matrix, wide).reshape(of_group, m, oh, ow)
    if b is not None:
        out += b[:, None, None, None]
    return out.transpose(1, 0, 2, 3), (x.shape, w.shape, x if needs[1] else None, w if needs[0] else None)
""",
        ),
        by(
            "NumPyBackend.conv2d_backward",
            """\
def conv2d_backward(self, gy, saved, window, groups, needs):
    x_shape, w_shape, x, w = saved
    of_group, k = w_shape[0] // groups, int(np.prod(w_shape[1:]))
    gx = np.empty(x_shape, gy.dtype)
    gw = np.zeros((w_shape[0], k), gy.dtype)
    buffers = _ConvBuffers(np, x_shape, gy.dtype, window, groups)
    for block in buffers.blocks:
        part = gy[block]
        m, length = part.shape[0], part.shape[2] * part.shape[3]
        gcols = np.empty((m, groups, k, length), gy.dtype)
        cols = buffers.im2col(x[block]) if needs[1] else None
        for g in range(groups):
            mine = slice(g * of_group, (g + 1) * of_group)
            wide = part[:, mine].transpose(1, 0, 2, 3).reshape(of_group, -1)
            if needs[1]:
                gw[mine] += wide @ cols[:, g].transpose(1, 0, 2).reshape(k, -1).T
            if needs[0]:
                gcols[:, g] = (w[mine].reshape(of_group, k).T @ wide).reshape(k, m, length).swapaxes(0, 1)
        if needs[0]:
            gx[block] = buffers.col2im(gcols)
    return (
        gx if needs[0] else None,
        gw.reshape(w_shape) if needs[1] else None,
        gy.transpose(1, 0, 2, 3).reshape(w_shape[0], -1).sum(axis=1) if needs[2] else None,
    )
""",
        ),
    ),
    right(
        "the standard library",
        imports(
            FILE,
            "import array\nimport cmath\nimport collections\nimport functools\nimport itertools\nimport operator\n"
            "import pprint\n\nimport numpy.ma as ma\nfrom numpy.polynomial import Polynomial",
        ),
        before_the_class('''\
_Place = collections.namedtuple("_Place", "u v rows cols")


@functools.lru_cache(maxsize=None)
def _places(kernel, stride, dilation, output):
    """What Window.taps() yields, with u and v; the first line of a tap is a polynomial in its number."""
    starts = [Polynomial([0, d]) for d in dilation]
    lines = [
        [array.array("l", (round(start(k)) + s * i for i in range(out))) for k in range(size)]
        for start, size, s, out in zip(starts, kernel, stride, output, strict=True)
    ]
    return [
        _Place(u, v, np.array(rows)[:, None], np.array(cols))
        for (u, rows), (v, cols) in itertools.product(enumerate(lines[0]), enumerate(lines[1]))
    ]


def _all_finite(values):
    return all(map(cmath.isfinite, itertools.islice(values.flat, 3)))
'''),
        by(
            "_ConvBuffers.im2col",
            """\
def im2col(self, pictures):
    window = self.window
    padded = ma.masked_all((len(pictures), *self.padded.shape[1:]), pictures.dtype)
    padded[:, :, *window.inside] = pictures
    padded = padded.filled(0)
    columns = self.columns.reshape(self.window_shape)[: len(pictures)]
    for place in _places(window.kernel, window.stride, window.dilation, window.output):
        columns[:, :, place.u, place.v] = padded[:, :, place.rows, place.cols]
    return self.columns[: len(pictures)]
""",
        ),
        by(
            "_ConvBuffers.col2im",
            """\
def col2im(self, columns):
    window = self.window
    columns = columns.reshape(len(columns), *self.window_shape[1:])

    def added(padded, place):
        padded[:, :, place.rows, place.cols] += columns[:, :, place.u, place.v]
        return padded

    places = _places(window.kernel, window.stride, window.dilation, window.output)
    start = np.zeros((len(columns), *self.padded.shape[1:]), columns.dtype)
    return operator.getitem(functools.reduce(added, places, start), (..., *window.inside))
""",
        ),
        by(
            "NumPyBackend.conv2d",
            """\
def conv2d(self, x, w, b, window, groups, needs):
    if len(w) % groups:
        raise ValueError(f"groups do not divide the filters: {pprint.pformat(w.shape)}")
    buffers = _ConvBuffers(self.xp, x.shape, x.dtype, window, groups)
    matrices = [part.reshape(len(part), -1) for part in np.split(w, groups)]
    maps = collections.deque()
    for block in buffers.blocks:
        for columns in buffers.im2col(x[block]):
            maps.append(np.concatenate(list(map(operator.matmul, matrices, columns))))
    y = np.stack(maps).reshape(len(x), len(w), *window.output)
    if b is not None:
        y = y + b[:, None, None]
    kept = [array_ if need else None for array_, need in zip((w, x), itertools.islice(needs, 2), strict=True)]
    return y, (x.shape, w.shape, *reversed(kept))
""",
        ),
        by(
            "NumPyBackend.conv2d_backward",
            """\
def conv2d_backward(self, gy, saved, window, groups, needs):
    x_shape, w_shape, x, w = saved
    buffers = _ConvBuffers(self.xp, x_shape, gy.dtype, window, groups)
    length = functools.reduce(operator.mul, window.output)
    maps = gy.reshape(len(gy), groups, w_shape[0] // groups, length)
    gx = gw = gb = None
    if needs[0]:
        transposed = w.reshape(groups, w_shape[0] // groups, -1).transpose(0, 2, 1)
        pieces = (np.copy(buffers.col2im(transposed @ maps[block])) for block in buffers.blocks)
        gx = np.concatenate(list(pieces))
    if needs[1]:
        products = (maps[block] @ buffers.im2col(x[block]).swapaxes(2, 3) for block in buffers.blocks)
        gw = functools.reduce(operator.add, itertools.chain.from_iterable(products)).reshape(w_shape)
    if needs[2]:
        gb = functools.reduce(operator.add, gy.sum(axis=(2, 3)))
    return gx, gw, gb
""",
        ),
    ),
)
