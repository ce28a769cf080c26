"""A4, pooling and local response normalisation: right solutions in ten styles."""

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
        "einsum and stacks of the taps",
        by(
            "NumPyBackend.max_pool2d",
            """\
def max_pool2d(self, x, window, save):
    xp = self.xp
    padded = _pad(xp, x, window, -xp.inf)
    inside = xp.zeros(window.padded, bool)
    inside[window.inside] = True
    stacked = xp.stack([padded[..., *tap] for tap in window.taps()])
    y = stacked.max(axis=0)
    if not save:
        return y, None
    on_image = xp.stack([inside[tap] for tap in window.taps()])[:, None, None]
    return y, xp.argmax((stacked == y) & on_image, axis=0)
""",
        ),
        by(
            "NumPyBackend.max_pool2d_backward",
            """\
def max_pool2d_backward(self, gy, winners, window):
    xp = self.xp
    taps = list(window.taps())
    won = (xp.arange(len(taps)) == winners[..., None]).astype(gy.dtype)
    parts = xp.einsum("ncij,ncijp->pncij", gy, won)
    padded = xp.zeros((*gy.shape[:2], *window.padded), gy.dtype)
    for part, tap in zip(parts, taps, strict=True):
        padded[..., *tap] += part
    return padded[..., *window.inside]
""",
        ),
        by(
            "NumPyBackend.avg_pool2d",
            """\
def avg_pool2d(self, x, scale, window):
    padded = _pad(self.xp, x, window, 0)
    scale = self.xp.broadcast_to(self.xp.asarray(scale, x.dtype), window.output)
    stacked = self.xp.stack([padded[..., *tap] for tap in window.taps()])
    return self.xp.einsum("pncij,ij->ncij", stacked, scale)
""",
        ),
        by(
            "NumPyBackend.avg_pool2d_backward",
            """\
def avg_pool2d_backward(self, gy, scale, window):
    xp = self.xp
    scale = xp.broadcast_to(xp.asarray(scale, gy.dtype), window.output)
    padded = xp.zeros((*gy.shape[:2], *window.padded), gy.dtype)
    for tap in window.taps():
        padded[..., *tap] += xp.einsum("ncij,ij->ncij", gy, scale)
    return padded[..., *window.inside]
""",
        ),
        by(
            "_neighbours",
            """\
def _neighbours(xp, values, size, within_channel, groups, mirrored=False):
    def band(length):
        distance = xp.arange(length) - xp.arange(length)[:, None]  # j - i
        ones = (distance >= -(size // 2)) & (distance < size - size // 2)
        return (ones.T if mirrored else ones).astype(values.dtype)

    if within_channel:
        return xp.einsum("hi,wj,cij->chw", band(values.shape[1]), band(values.shape[2]), values, optimize=True)
    blocks = values.reshape(groups, -1, *values.shape[1:])
    return xp.einsum("ij,gjhw->gihw", band(blocks.shape[1]), blocks).reshape(values.shape)
""",
        ),
        by(
            "NumPyBackend.local_response_norm",
            """\
def local_response_norm(self, x, size, a, beta, k, within_channel, groups, save):
    sums = [_neighbours(self.xp, self.xp.einsum("chw,chw->chw", i, i), size, within_channel, groups) for i in x]
    d = k + a * self.xp.stack(sums)
    return x * d**-beta, (x, d if save else None)
""",
        ),
        by(
            "NumPyBackend.local_response_norm_backward",
            """\
def local_response_norm_backward(self, gy, saved, size, a, beta, k, within_channel, groups):
    xp, (x, d) = self.xp, saved
    terms = xp.einsum("nchw,nchw,nchw->nchw", gy, x, d ** (-beta - 1))
    sums = xp.stack([_neighbours(xp, t, size, within_channel, groups, mirrored=True) for t in terms])
    return gy * d**-beta - 2 * a * beta * x * sums
""",
        ),
    ),
    right(
        "plain loops over windows, nothing of what is offered",
        by(
            "NumPyBackend.max_pool2d",
            """\
def max_pool2d(self, x, window, save):
    n, c, height, width = x.shape
    (kh, kw), (sh, sw), (dh, dw) = window.kernel, window.stride, window.dilation
    (oh, ow), (top, _), (left, _) = window.output, *window.padding
    y = np.zeros((n, c, oh, ow), x.dtype)
    winners = np.zeros((n, c, oh, ow), np.int64)
    for i in range(oh):
        for j in range(ow):
            pixels, numbers = [], []
            for u in range(kh):
                for v in range(kw):
                    row, col = i * sh + u * dh - top, j * sw + v * dw - left
                    if row >= 0 and row < height and col >= 0 and col < width:
                        pixels.append(x[:, :, row, col])
                        numbers.append(u * kw + v)
            best = np.argmax(pixels, axis=0)
            y[:, :, i, j] = np.max(pixels, axis=0)
            winners[:, :, i, j] = np.array(numbers)[best]
    if save:
        return y, winners
    return y, None
""",
        ),
        by(
            "NumPyBackend.max_pool2d_backward",
            """\
def max_pool2d_backward(self, gy, winners, window):
    height, width = window.size
    gx = np.zeros((gy.shape[0], gy.shape[1], height, width), gy.dtype)
    for n, c, i, j in np.ndindex(gy.shape):
        u = int(winners[n, c, i, j]) // window.kernel[1]
        v = int(winners[n, c, i, j]) % window.kernel[1]
        row = i * window.stride[0] + u * window.dilation[0] - window.padding[0][0]
        col = j * window.stride[1] + v * window.dilation[1] - window.padding[1][0]
        if 0 <= row < height and 0 <= col < width:
            gx[n, c, row, col] += gy[n, c, i, j]
    return gx
""",
        ),
        by(
            "NumPyBackend.avg_pool2d",
            """\
def avg_pool2d(self, x, scale, window):
    height, width = window.size
    y = np.zeros((x.shape[0], x.shape[1], window.output[0], window.output[1]), x.dtype)
    for i in range(window.output[0]):
        for j in range(window.output[1]):
            for u in range(window.kernel[0]):
                for v in range(window.kernel[1]):
                    row = i * window.stride[0] + u * window.dilation[0] - window.padding[0][0]
                    col = j * window.stride[1] + v * window.dilation[1] - window.padding[1][0]
                    if 0 <= row < height and 0 <= col < width:
                        y[:, :, i, j] += x[:, :, row, col]
    return y * scale
""",
        ),
        by(
            "NumPyBackend.avg_pool2d_backward",
            """\
def avg_pool2d_backward(self, gy, scale, window):
    height, width = window.size
    gx = np.zeros((gy.shape[0], gy.shape[1], height, width), gy.dtype)
    scaled = gy * scale
    for i in range(window.output[0]):
        for j in range(window.output[1]):
            for u in range(window.kernel[0]):
                for v in range(window.kernel[1]):
                    row = i * window.stride[0] + u * window.dilation[0] - window.padding[0][0]
                    col = j * window.stride[1] + v * window.dilation[1] - window.padding[1][0]
                    if 0 <= row < height and 0 <= col < width:
                        gx[:, :, row, col] += scaled[:, :, i, j]
    return gx
""",
        ),
        by(
            "_neighbours",
            """\
def _neighbours(xp, values, size, within_channel, groups, mirrored=False):
    channels, height, width = values.shape
    sums = np.zeros(values.shape, values.dtype)
    first = -(size // 2)
    offsets = range(first, first + size)
    if mirrored:
        offsets = [-offset for offset in offsets]
    if within_channel:
        for i in range(height):
            for j in range(width):
                for di in offsets:
                    for dj in offsets:
                        if 0 <= i + di < height and 0 <= j + dj < width:
                            sums[:, i, j] += values[:, i + di, j + dj]
    else:
        in_group = channels // groups
        for i in range(channels):
            for offset in offsets:
                j = i + offset
                if 0 <= j < channels and j // in_group == i // in_group:
                    sums[i] += values[j]
    return sums
""",
        ),
        by(
            "NumPyBackend.local_response_norm",
            """\
def local_response_norm(self, x, size, a, beta, k, within_channel, groups, save):
    y = np.zeros(x.shape, x.dtype)
    d = np.zeros(x.shape, x.dtype)
    for n in range(x.shape[0]):
        d[n] = k + a * _neighbours(np, x[n] ** 2, size, within_channel, groups)
        y[n] = x[n] / d[n] ** beta
    if save:
        return y, (x, d)
    return y, (x, None)
""",
        ),
        by(
            "NumPyBackend.local_response_norm_backward",
            """\
def local_response_norm_backward(self, gy, saved, size, a, beta, k, within_channel, groups):
    x, d = saved
    gx = np.zeros(x.shape, x.dtype)
    for n in range(x.shape[0]):
        inner = gy[n] * x[n] / d[n] ** (beta + 1)
        outer = _neighbours(np, inner, size, within_channel, groups, True)
        gx[n] = gy[n] / d[n] ** beta - 2 * a * beta * x[n] * outer
    return gx
""",
        ),
    ),
    right(
        "sliding_window_view, to read and to add",
        imports(FILE, "from numpy.lib.stride_tricks import sliding_window_view"),
        before_the_class('''\
def _seen(padded, window, writeable=False):
    """(N, C, OH, OW, KH, KW): every window, as a view."""
    extent = [d * (k - 1) + 1 for d, k in zip(window.dilation, window.kernel, strict=True)]
    view = sliding_window_view(padded, extent, (2, 3), writeable=writeable)
    view = view[:, :, :: window.stride[0], :: window.stride[1], :: window.dilation[0], :: window.dilation[1]]
    return view[:, :, : window.output[0], : window.output[1]]
'''),
        by(
            "NumPyBackend.max_pool2d",
            """\
def max_pool2d(self, x, window, save):
    lowest = np.full((*x.shape[:2], *window.padded), -np.inf, x.dtype)
    lowest[..., *window.inside] = x
    margin = np.ones((1, 1, *window.padded), bool)
    margin[..., *window.inside] = False
    seen = _seen(lowest, window)
    y = seen.max(axis=(4, 5))
    if not save:
        return y, None
    candidates = (seen == y[..., None, None]) & ~_seen(margin, window)
    return y, candidates.reshape(*y.shape, -1).argmax(axis=4)
""",
        ),
        by(
            "NumPyBackend.max_pool2d_backward",
            """\
def max_pool2d_backward(self, gy, winners, window):
    gx = np.zeros((*gy.shape[:2], *window.padded), gy.dtype)
    seen = _seen(gx, window, writeable=True)
    for number, (u, v) in enumerate(np.ndindex(*window.kernel)):
        seen[..., u, v] += gy * (winners == number)
    return gx[:, :, *window.inside]
""",
        ),
        by(
            "NumPyBackend.avg_pool2d",
            """\
def avg_pool2d(self, x, scale, window):
    padded = np.zeros((*x.shape[:2], *window.padded), x.dtype)
    padded[..., *window.inside] = x
    return _seen(padded, window).sum(axis=(4, 5)) * scale
""",
        ),
        by(
            "NumPyBackend.avg_pool2d_backward",
            """\
def avg_pool2d_backward(self, gy, scale, window):
    gx = np.zeros((*gy.shape[:2], *window.padded), gy.dtype)
    seen = _seen(gx, window, writeable=True)
    for u, v in np.ndindex(*window.kernel):
        seen[..., u, v] += gy * scale
    return gx[:, :, *window.inside]
""",
        ),
        by(
            "_neighbours",
            """\
def _neighbours(xp, values, size, within_channel, groups, mirrored=False):
    margins = (size - 1 - size // 2, size // 2) if mirrored else (size // 2, size - 1 - size // 2)
    if within_channel:
        padded = np.pad(values, ((0, 0), margins, margins))
        return sliding_window_view(padded, (size, size), (1, 2)).sum(axis=(3, 4))
    blocks = np.reshape(values, (groups, len(values) // groups) + values.shape[1:])
    padded = np.pad(blocks, ((0, 0), margins, (0, 0), (0, 0)))
    return sliding_window_view(padded, size, 1).sum(axis=4).reshape(values.shape)
""",
        ),
        by(
            "NumPyBackend.local_response_norm",
            """\
def local_response_norm(self, x, size, a, beta, k, within_channel, groups, save):
    d = np.empty_like(x)
    for image, divisor in zip(x, d, strict=True):
        divisor[...] = k + a * _neighbours(np, np.square(image), size, within_channel, groups)
    return np.divide(x, np.power(d, beta)), (x, d) if save else (x, None)
""",
        ),
        by(
            "NumPyBackend.local_response_norm_backward",
            """\
def local_response_norm_backward(self, gy, saved, size, a, beta, k, within_channel, groups):
    x, d = saved
    gx = gy * np.power(d, -beta)
    for image, g, y in zip(x, gx, gx * x / d, strict=True):
        g -= 2 * a * beta * image * _neighbours(np, y, size, within_channel, groups, True)
    return gx
""",
        ),
    ),
    right(
        "fancy indexing and np.add.at",
        before_the_class('''\
def _rows_and_columns(window):
    """(places, OH, OW): where in the padded image each tap of each window is."""
    u, v = np.divmod(np.arange(window.kernel[0] * window.kernel[1]), window.kernel[1])
    rows = np.arange(window.output[0])[:, None] * window.stride[0] + u[:, None, None] * window.dilation[0]
    cols = np.arange(window.output[1]) * window.stride[1] + v[:, None, None] * window.dilation[1]
    return np.broadcast_arrays(rows, cols)
'''),
        by(
            "NumPyBackend.max_pool2d",
            """\
def max_pool2d(self, x, window, save):
    rows, cols = _rows_and_columns(window)
    (top, _), (left, _) = window.padding
    height, width = window.size
    outside = (rows < top) | (rows >= top + height) | (cols < left) | (cols >= left + width)
    taken = _pad(np, x, window, -np.inf)[:, :, rows, cols]
    y = taken.max(axis=2)
    taken = taken == y[:, :, None]
    taken[:, :, outside] = False
    return y, taken.argmax(axis=2) if save else None
""",
        ),
        by(
            "NumPyBackend.max_pool2d_backward",
            """\
def max_pool2d_backward(self, gy, winners, window):
    n, c, i, j = np.indices(gy.shape)
    rows, cols = _rows_and_columns(window)
    gx = np.zeros(gy.shape[:2] + tuple(window.padded), gy.dtype)
    np.add.at(gx, (n, c, rows[winners, i, j], cols[winners, i, j]), gy)
    return gx[(..., *window.inside)]
""",
        ),
        by(
            "NumPyBackend.avg_pool2d",
            """\
def avg_pool2d(self, x, scale, window):
    rows, cols = _rows_and_columns(window)
    return scale * _pad(np, x, window, 0)[:, :, rows, cols].sum(axis=2)
""",
        ),
        by(
            "NumPyBackend.avg_pool2d_backward",
            """\
def avg_pool2d_backward(self, gy, scale, window):
    rows, cols = _rows_and_columns(window)
    gx = np.zeros(gy.shape[:2] + tuple(window.padded), gy.dtype)
    np.add.at(gx, (slice(None), slice(None), rows, cols), (gy * scale)[:, :, None])
    return gx[(..., *window.inside)]
""",
        ),
        by(
            "_neighbours",
            '''\
def _neighbours(xp, values, size, within_channel, groups, mirrored=False):
    def pairs(length, block):
        """(i, j): all j in the window of i."""
        i, j = np.indices((length, length))
        held = (j - i >= -(size // 2)) & (j - i < size - size // 2) & (i // block == j // block)
        return np.nonzero(held.T if mirrored else held)

    sums = np.zeros_like(values)
    if within_channel:
        i, j = pairs(values.shape[1], values.shape[1])
        np.add.at(sums, (slice(None), i), values[:, j])
        values, sums = sums, np.zeros_like(values)
        i, j = pairs(values.shape[2], values.shape[2])
        np.add.at(sums, (slice(None), slice(None), i), values[:, :, j])
    else:
        i, j = pairs(len(values), len(values) // groups)
        np.add.at(sums, i, values[j])
    return sums
''',
        ),
        by(
            "NumPyBackend.local_response_norm",
            """\
def local_response_norm(self, x, size, a, beta, k, within_channel, groups, save):
    d = np.array([k + a * _neighbours(np, image * image, size, within_channel, groups) for image in x], x.dtype)
    y = x * _power(np, d, beta)
    return (y, (x, d)) if save else (y, (x, None))
""",
        ),
        by(
            "NumPyBackend.local_response_norm_backward",
            """\
def local_response_norm_backward(self, gy, saved, size, a, beta, k, within_channel, groups):
    x, d = saved
    y = x * _power(np, d, beta)
    ratio = gy * y / d
    across = np.array([_neighbours(np, r, size, within_channel, groups, mirrored=True) for r in ratio], x.dtype)
    return gy * _power(np, d, beta) - 2 * a * beta * x * across
""",
        ),
    ),
    right(
        "bincount and running sums",
        before_the_class('''\
def _places(window):
    """(KH KW, OH, OW): the pixel's number in the padded image."""
    u, v = np.indices(window.kernel).reshape(2, -1, 1, 1)
    i, j = np.indices(window.output)
    width = window.padded[1]
    rows = i * window.stride[0] + u * window.dilation[0]
    return rows * width + j * window.stride[1] + v * window.dilation[1]


def _collect(places, values, window):
    """Values (N, C, ...) added at their places (N, C, ...)."""
    n, c = values.shape[:2]
    pixels = window.padded[0] * window.padded[1]
    maps = np.arange(n * c).reshape(n, c, *[1] * (values.ndim - 2)) * pixels
    sums = np.bincount((maps + places).ravel(), values.ravel(), n * c * pixels)
    return sums.reshape(n, c, *window.padded)[..., *window.inside].astype(values.dtype)
'''),
        by(
            "NumPyBackend.max_pool2d",
            """\
def max_pool2d(self, x, window, save):
    n, c = x.shape[:2]
    values = np.full((n, c, *window.padded), -np.inf, x.dtype)
    values[..., *window.inside] = x
    image = np.zeros(window.padded, bool)
    image[window.inside] = True
    places = _places(window)
    seen = values.reshape(n, c, -1)[:, :, places]
    y = seen.max(axis=2)
    if not save:
        return y, None
    return y, ((seen == y[:, :, None]) & image.reshape(-1)[places]).argmax(axis=2)
""",
        ),
        by(
            "NumPyBackend.max_pool2d_backward",
            """\
def max_pool2d_backward(self, gy, winners, window):
    i, j = np.indices(window.output)
    return _collect(_places(window)[winners, i, j], gy, window)
""",
        ),
        by(
            "NumPyBackend.avg_pool2d",
            '''\
def avg_pool2d(self, x, scale, window):
    """Rectangles of an integral image; with gaps in the window, tap by tap."""
    padded = _pad(np, x, window, 0)
    if window.dilation != (1, 1):
        return sum(padded[..., *tap] for tap in window.taps()) * scale
    integral = np.zeros((*x.shape[:2], window.padded[0] + 1, window.padded[1] + 1), np.float64)
    integral[..., 1:, 1:] = padded.cumsum(axis=2, dtype=np.float64).cumsum(axis=3)
    low = [np.arange(out) * s for out, s in zip(window.output, window.stride, strict=True)]
    high = [start + k for start, k in zip(low, window.kernel, strict=True)]
    bands = integral[:, :, high[0]] - integral[:, :, low[0]]
    return (bands[..., high[1]] - bands[..., low[1]]).astype(x.dtype) * scale
''',
        ),
        by(
            "NumPyBackend.avg_pool2d_backward",
            """\
def avg_pool2d_backward(self, gy, scale, window):
    places = _places(window)
    shares = np.broadcast_to((gy * scale)[:, :, None], (*gy.shape[:2], *places.shape))
    return _collect(places, shares, window)
""",
        ),
        by(
            "_neighbours",
            """\
def _neighbours(xp, values, size, within_channel, groups, mirrored=False):
    before = size // 2 if not mirrored else size - 1 - size // 2

    def running(block, axis):
        length = block.shape[axis]
        total = np.cumsum(block, axis=axis, dtype=np.float64)
        total = np.concatenate([np.zeros_like(total.take([0], axis)), total], axis)
        low = np.arange(length) - before
        high = low + size
        return total.take(high.clip(0, length), axis) - total.take(low.clip(0, length), axis)

    if within_channel:
        return running(running(values, 1), 2).astype(values.dtype)
    return np.concatenate([running(block, 0) for block in np.split(values, groups)]).astype(values.dtype)
""",
        ),
        by(
            "NumPyBackend.local_response_norm",
            """\
def local_response_norm(self, x, size, a, beta, k, within_channel, groups, save):
    squares = np.square(x)
    d = np.empty_like(x)
    for n in range(len(x)):
        np.multiply(_neighbours(np, squares[n], size, within_channel, groups), a, out=d[n])
    d += k
    return x * d**-beta, (x, d if save else None)
""",
        ),
        by(
            "NumPyBackend.local_response_norm_backward",
            """\
def local_response_norm_backward(self, gy, saved, size, a, beta, k, within_channel, groups):
    x, d = saved
    power = d**-beta
    inner = gy * x * power / d
    for n in range(len(x)):
        inner[n] = _neighbours(np, inner[n], size, within_channel, groups, mirrored=True)
    inner *= x
    inner *= -2 * a * beta
    return inner + gy * power
""",
        ),
    ),
    right(
        "two helpers, one the other's transpose, for all four; the helpers that are given written anew",
        before_the_class('''\
def _gather(x, window, value):
    """(places, N, C, OH, OW)"""
    padded = np.full((*x.shape[:2], *window.padded), value, x.dtype)
    padded[..., *window.inside] = x
    return np.array([padded[..., *tap] for tap in window.taps()])


def _scatter(parts, window):
    """The transpose of _gather."""
    padded = None
    for part, tap in zip(parts, window.taps(), strict=True):
        if padded is None:
            padded = np.zeros((*part.shape[:2], *window.padded), part.dtype)
        padded[..., *tap] += part
    return padded[..., *window.inside]


def _lrn_parts(x, d, beta):
    return d ** (-beta), x * d ** (-beta - 1)
'''),
        by(
            "NumPyBackend.max_pool2d",
            """\
def max_pool2d(self, x, window, save):
    pixels = _gather(x, window, -np.inf)
    inside = _gather(np.ones((1, 1, *x.shape[2:]), bool), window, False)
    y = pixels.max(axis=0)
    winners = np.argmax(inside & (pixels == y), axis=0)
    return y, (winners.astype(np.int32) if save else None)
""",
        ),
        by(
            "NumPyBackend.max_pool2d_backward",
            """\
def max_pool2d_backward(self, gy, winners, window):
    return _scatter((np.where(winners == p, gy, gy.dtype.type(0)) for p in range(math.prod(window.kernel))), window)
""",
        ),
        by(
            "NumPyBackend.avg_pool2d",
            """\
def avg_pool2d(self, x, scale, window):
    return _gather(x, window, 0).sum(axis=0) * scale
""",
        ),
        by(
            "NumPyBackend.avg_pool2d_backward",
            """\
def avg_pool2d_backward(self, gy, scale, window):
    return _scatter([gy * scale] * math.prod(window.kernel), window)
""",
        ),
        by(
            "_neighbours",
            """\
def _neighbours(xp, values, size, within_channel, groups, mirrored=False):
    if mirrored:  # the window read backwards, on the channels read backwards
        turned = values[::-1, ::-1, ::-1]
        return _neighbours(xp, turned, size, within_channel, groups)[::-1, ::-1, ::-1]
    before, after = size // 2, (size - 1) // 2
    if within_channel:
        return _slide(xp, _slide(xp, values, 1, before, after), 2, before, after)
    parts = [_slide(xp, part, 0, before, after) for part in xp.array_split(values, groups)]
    return xp.vstack(parts)
""",
        ),
        by(
            "_slide",
            """\
def _slide(xp, values, axis, before, after):
    length = values.shape[axis]
    margins = [(0, 0)] * values.ndim
    margins[axis] = (before, after)
    padded = xp.pad(values, margins)
    total = xp.zeros(values.shape, values.dtype)
    for offset in range(before + after + 1):
        total += padded.take(range(offset, offset + length), axis)
    return total
""",
        ),
        by(
            "_power",
            """\
def _power(xp, d, beta):
    return xp.exp(-beta * xp.log(d))
""",
        ),
        by(
            "NumPyBackend.local_response_norm",
            """\
def local_response_norm(self, x, size, a, beta, k, within_channel, groups, save):
    d = x * x
    for n, squares in enumerate(d):
        d[n] = _neighbours(self.xp, squares, size, within_channel, groups)
    d = a * d + k
    return _power(self.xp, d, beta) * x, (x, d if save else None)
""",
        ),
        by(
            "NumPyBackend.local_response_norm_backward",
            """\
def local_response_norm_backward(self, gy, saved, size, a, beta, k, within_channel, groups):
    power, slope = _lrn_parts(*saved, beta)
    cross = [_neighbours(self.xp, g, size, within_channel, groups, True) for g in gy * slope]
    return gy * power - 2 * a * beta * saved[0] * self.xp.stack(cross)
""",
        ),
    ),
    right(
        "copies of everything",
        by(
            "NumPyBackend.max_pool2d",
            """\
def max_pool2d(self, x, window, save):
    x = x.copy()
    padded = _pad(self.xp, x, window, -np.inf).copy()
    real = _pad(self.xp, np.ones_like(x), window, 0).copy()
    y = np.full((x.shape[0], x.shape[1], window.output[0], window.output[1]), -np.inf).astype(x.dtype)
    winners = np.full(y.shape, -1, dtype=np.int64)
    for number, tap in enumerate(list(window.taps())):
        value = padded[:, :, tap[0], tap[1]].copy()
        better = ((value > y) | (winners < 0)) & (real[:, :, tap[0], tap[1]] > 0)
        y = np.where(better, value, y)
        winners = np.where(better, number, winners)
    return (y.copy(), winners.copy()) if save else (y.copy(), None)
""",
        ),
        by(
            "NumPyBackend.max_pool2d_backward",
            """\
def max_pool2d_backward(self, gy, winners, window):
    gy, winners = gy.copy(), winners.astype(np.int64)
    total = np.zeros((gy.shape[0], gy.shape[1], window.padded[0], window.padded[1]), gy.dtype)
    for number, tap in enumerate(list(window.taps())):
        part = gy.copy()
        part[winners != number] = 0
        total[:, :, tap[0], tap[1]] = total[:, :, tap[0], tap[1]].copy() + part
    return total[:, :, window.inside[0], window.inside[1]].copy()
""",
        ),
        by(
            "NumPyBackend.avg_pool2d",
            """\
def avg_pool2d(self, x, scale, window):
    padded = _pad(self.xp, x.copy(), window, 0).copy()
    total = np.zeros((x.shape[0], x.shape[1], window.output[0], window.output[1]), x.dtype)
    for tap in list(window.taps()):
        total = total + padded[:, :, tap[0], tap[1]].copy()
    return (total.copy() * np.array(scale, copy=True)).astype(x.dtype)
""",
        ),
        by(
            "NumPyBackend.avg_pool2d_backward",
            """\
def avg_pool2d_backward(self, gy, scale, window):
    share = (gy.copy() * np.array(scale, copy=True)).astype(gy.dtype)
    total = np.zeros((gy.shape[0], gy.shape[1], window.padded[0], window.padded[1]), gy.dtype)
    for tap in list(window.taps()):
        total[:, :, tap[0], tap[1]] = total[:, :, tap[0], tap[1]].copy() + share.copy()
    return total[:, :, window.inside[0], window.inside[1]].copy()
""",
        ),
        by(
            "_neighbours",
            """\
def _neighbours(xp, values, size, within_channel, groups, mirrored=False):
    values = values.copy()
    before = size // 2
    after = size - before - 1
    if mirrored:
        before, after = after, before
    if within_channel:
        once = _slide(xp, values.copy(), 1, before, after).copy()
        return _slide(xp, once.copy(), 2, before, after).copy()
    result = values.copy()
    length = values.shape[0] // groups
    for group in range(groups):
        part = values[group * length : (group + 1) * length].copy()
        result[group * length : (group + 1) * length] = _slide(xp, part, 0, before, after).copy()
    return result.copy()
""",
        ),
        by(
            "NumPyBackend.local_response_norm",
            """\
def local_response_norm(self, x, size, a, beta, k, within_channel, groups, save):
    x = x.copy()
    y, d = x.copy(), x.copy()
    for n in range(x.shape[0]):
        image = x[n].copy()
        sums = _neighbours(self.xp, (image.copy() ** 2).copy(), size, within_channel, groups).copy()
        d[n] = k + a * sums
        y[n] = image * _power(self.xp, d[n].copy(), beta)
    return y.copy(), (x.copy(), d.copy() if save else None)
""",
        ),
        by(
            "NumPyBackend.local_response_norm_backward",
            """\
def local_response_norm_backward(self, gy, saved, size, a, beta, k, within_channel, groups):
    gy, x, d = gy.copy(), saved[0].copy(), saved[1].copy()
    gx = np.zeros(x.shape, x.dtype)
    for n in range(x.shape[0]):
        power = _power(self.xp, d[n].copy(), beta).copy()
        term = (gy[n] * x[n] * power / d[n]).copy()
        sums = _neighbours(self.xp, term.copy(), size, within_channel, groups, mirrored=True).copy()
        gx[n] = (gy[n] * power - 2 * a * beta * x[n] * sums).copy()
    return gx.copy()
""",
        ),
    ),
    right(
        "normalisation of the whole batch, beside _neighbours and not through it",
        before_the_class('''\
def _over_channels(x, size, groups, mirrored):
    """Sums over the windows of a whole batch (N, C, H, W)."""
    n, c, height, width = x.shape
    first = -(size // 2)
    padded = np.zeros((n, groups, c // groups + 2 * size, height, width), x.dtype)
    padded[:, :, size:-size] = x.reshape(n, groups, -1, height, width)
    sums = np.zeros((n, groups, c // groups, height, width), x.dtype)
    for offset in range(first, first + size):
        start = size - offset if mirrored else size + offset
        sums += padded[:, :, start : start + c // groups]
    return sums.reshape(x.shape)


def _over_pixels(x, size, mirrored):
    n, c, height, width = x.shape
    first = -(size // 2)
    padded = np.pad(x, ((0, 0), (0, 0), (size, size), (size, size)))
    sums = np.zeros_like(x)
    for u in range(first, first + size):
        for v in range(first, first + size):
            i, j = (size - u, size - v) if mirrored else (size + u, size + v)
            sums += padded[:, :, i : i + height, j : j + width]
    return sums


def _window_sums(x, size, within_channel, groups, mirrored):
    return _over_pixels(x, size, mirrored) if within_channel else _over_channels(x, size, groups, mirrored)
'''),
        by(
            "NumPyBackend.max_pool2d",
            """\
def max_pool2d(self, x, window, save):
    xp = self.xp
    padded = _pad(xp, x, window, -xp.inf)
    inside = _pad(xp, xp.ones(x.shape, bool), window, False)
    y = winners = None
    for number, tap in enumerate(window.taps()):
        value, allowed = padded[..., *tap], inside[..., *tap]
        if y is None:
            y, winners, filled = value.copy(), xp.zeros(value.shape, int), allowed.copy()
            continue
        better = allowed & ((value > y) | ~filled)
        xp.copyto(y, value, where=better)
        winners[better] = number
        filled |= allowed
    return y, winners if save else None
""",
        ),
        by(
            "NumPyBackend.max_pool2d_backward",
            """\
def max_pool2d_backward(self, gy, winners, window):
    padded = self.xp.zeros(gy.shape[:2] + window.padded, gy.dtype)
    for number, tap in enumerate(window.taps()):
        view = padded[..., *tap]
        self.xp.add(view, gy, out=view, where=winners == number)
    return padded[..., *window.inside]
""",
        ),
        by(
            "NumPyBackend.avg_pool2d",
            """\
def avg_pool2d(self, x, scale, window):
    padded = _pad(self.xp, x, window, 0)
    return self.xp.add.reduce([padded[..., *tap] for tap in window.taps()]) * scale
""",
        ),
        by(
            "NumPyBackend.avg_pool2d_backward",
            """\
def avg_pool2d_backward(self, gy, scale, window):
    each = self.xp.multiply(gy, scale)
    padded = self.xp.zeros(gy.shape[:2] + window.padded, gy.dtype)
    for tap in window.taps():
        padded[(slice(None), slice(None), *tap)] += each
    return padded[(slice(None), slice(None), *window.inside)]
""",
        ),
        by(
            "_neighbours",
            """\
def _neighbours(xp, values, size, within_channel, groups, mirrored=False):
    return _window_sums(values[None], size, within_channel, groups, mirrored)[0]
""",
        ),
        by(
            "NumPyBackend.local_response_norm",
            """\
def local_response_norm(self, x, size, a, beta, k, within_channel, groups, save):
    d = k + a * _window_sums(x * x, size, within_channel, groups, False)
    return x * _power(np, d, beta), (x, d if save else None)
""",
        ),
        by(
            "NumPyBackend.local_response_norm_backward",
            """\
def local_response_norm_backward(self, gy, saved, size, a, beta, k, within_channel, groups):
    x, d = saved
    power = _power(np, d, beta)
    return gy * power - 2 * a * beta * x * _window_sums(gy * x * power / d, size, within_channel, groups, True)
""",
        ),
    ),
    right(
        "annotations, dataclasses and match",
        imports(FILE, "from collections.abc import Iterator\nfrom dataclasses import dataclass, replace"),
        before_the_class("""\
@dataclass(frozen=True)
class _Reach:
    before: int
    after: int

    @classmethod
    def of(cls, size: int, mirrored: bool) -> _Reach:
        reach = cls(before=size // 2, after=size - size // 2 - 1)
        return replace(reach, before=reach.after, after=reach.before) if mirrored else reach

    def slide(self, values: np.ndarray, axis: int) -> np.ndarray:
        return _slide(np, values, axis, self.before, self.after)


@dataclass
class _Best:
    value: np.ndarray
    place: np.ndarray
    found: np.ndarray

    def offer(self, value: np.ndarray, place: int, allowed: np.ndarray) -> None:
        better: np.ndarray = allowed & ((value > self.value) | ~self.found)
        self.value = np.where(better, value, self.value)
        self.place = np.where(better, place, self.place)
        self.found = self.found | allowed


def _numbered(window) -> Iterator[tuple[int, tuple[slice, slice]]]:
    yield from enumerate(window.taps())
"""),
        by(
            "NumPyBackend.max_pool2d",
            """\
def max_pool2d(self, x: np.ndarray, window, save: bool) -> tuple[np.ndarray, np.ndarray | None]:
    shape: tuple[int, ...] = (*x.shape[:2], *window.output)
    best = _Best(np.full(shape, -np.inf, x.dtype), np.zeros(shape, np.uint16), np.zeros(window.output, bool))
    padded: np.ndarray = _pad(np, x, window, -np.inf)
    allowed: np.ndarray = np.zeros(window.padded, bool)
    allowed[window.inside] = True
    for place, tap in _numbered(window):
        best.offer(padded[..., *tap], place, allowed[tap])
    match save:
        case False:
            return best.value, None
        case _:
            return best.value, best.place
""",
        ),
        by(
            "NumPyBackend.max_pool2d_backward",
            """\
def max_pool2d_backward(self, gy: np.ndarray, winners: np.ndarray, window) -> np.ndarray:
    padded: np.ndarray = np.zeros((*gy.shape[:2], *window.padded), gy.dtype)
    for place, tap in _numbered(window):
        won: np.ndarray = winners == place
        padded[..., *tap][won] += gy[won]
    return padded[..., *window.inside]
""",
        ),
        by(
            "NumPyBackend.avg_pool2d",
            """\
def avg_pool2d(self, x: np.ndarray, scale: float | np.ndarray, window) -> np.ndarray:
    padded: np.ndarray = _pad(np, x, window, 0)
    y: np.ndarray = np.zeros((*x.shape[:2], *window.output), x.dtype)
    for _, tap in _numbered(window):
        y += padded[..., *tap]
    match scale:
        case int() | float():
            y *= scale
        case _:
            y = np.multiply(y, scale, dtype=x.dtype)
    return y
""",
        ),
        by(
            "NumPyBackend.avg_pool2d_backward",
            """\
def avg_pool2d_backward(self, gy: np.ndarray, scale: float | np.ndarray, window) -> np.ndarray:
    padded: np.ndarray = np.zeros((*gy.shape[:2], *window.padded), gy.dtype)
    for _, tap in _numbered(window):
        padded[..., *tap] += np.multiply(gy, scale, dtype=gy.dtype)
    return padded[..., *window.inside]
""",
        ),
        by(
            "_neighbours",
            """\
def _neighbours(
    xp, values: np.ndarray, size: int, within_channel: bool, groups: int, mirrored: bool = False
) -> np.ndarray:
    reach: _Reach = _Reach.of(size, mirrored)
    match bool(within_channel), groups:
        case True, _:
            return reach.slide(reach.slide(values, 1), 2)
        case False, 1:
            return reach.slide(values, 0)
        case _:
            return np.concatenate([reach.slide(part, 0) for part in np.split(values, groups)])
""",
        ),
        by(
            "NumPyBackend.local_response_norm",
            """\
def local_response_norm(
    self, x: np.ndarray, size: int, a: float, beta: float, k: float, within_channel: bool, groups: int, save: bool
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray | None]]:
    d: np.ndarray = np.empty(x.shape, x.dtype)
    for n, image in enumerate(x):
        d[n] = k + a * _neighbours(np, image * image, size, within_channel, groups)
    y: np.ndarray = x * _power(np, d, beta)
    match save:
        case False:
            return y, (x, None)
        case _:
            return y, (x, d)
""",
        ),
        by(
            "NumPyBackend.local_response_norm_backward",
            """\
def local_response_norm_backward(
    self, gy: np.ndarray, saved: tuple[np.ndarray, np.ndarray], size: int, a: float, beta: float, k: float,
    within_channel: bool, groups: int,
) -> np.ndarray:
    match saved:
        case (x, d):
            pass
    power: np.ndarray = _power(np, d, beta)
    gx: np.ndarray = gy * power
    for n in range(len(x)):
        inner: np.ndarray = gx[n] * x[n] / d[n]
        sums: np.ndarray = _neighbours(np, inner, size, within_channel, groups, mirrored=True)
        gx[n] -= (2 * a * beta) * x[n] * sums
    return gx
""",
        ),
    ),
    right(
        "the standard library, masked arrays and polynomials",
        imports(
            FILE,
            "import array\nimport cmath\nimport collections\nimport functools\nimport itertools\nimport operator\n"
            "import pprint\n\nimport numpy.ma as ma\nfrom numpy.polynomial import polynomial",
        ),
        before_the_class('''\
_Tap = collections.namedtuple("_Tap", "number rows cols")


def _taps(window):
    return itertools.starmap(_Tap, ((n, *tap) for n, tap in zip(itertools.count(), window.taps())))


def _added(window, padded, parts):
    """Each part at its tap."""
    for tap, part in zip(_taps(window), parts):
        padded[:, :, tap.rows, tap.cols] += part
    return operator.getitem(padded, (..., *window.inside))


@functools.lru_cache(maxsize=64)
def _offsets(size, mirrored):
    offsets = array.array("l", range(-(size // 2), size - size // 2))
    return tuple(map(operator.neg, offsets)) if mirrored else tuple(offsets)
'''),
        by(
            "NumPyBackend.max_pool2d",
            """\
def max_pool2d(self, x, window, save):
    padded = ma.masked_all((*x.shape[:2], *window.padded), x.dtype)
    padded[..., *window.inside] = x
    y = functools.reduce(np.maximum, (padded.filled(-np.inf)[:, :, t.rows, t.cols] for t in _taps(window)))
    if not save:
        return y, None
    winners = ma.masked_all(y.shape, np.int64)
    for tap in _taps(window):
        here = padded[:, :, tap.rows, tap.cols]
        won = ~ma.getmaskarray(here) & (here.data == y) & ma.getmaskarray(winners)
        winners[won] = tap.number
    if ma.getmaskarray(winners).any():
        raise ValueError(f"a window without a pixel: {pprint.pformat(window)}")
    return y, winners.filled()
""",
        ),
        by(
            "NumPyBackend.max_pool2d_backward",
            """\
def max_pool2d_backward(self, gy, winners, window):
    parts = (ma.array(gy, mask=winners != number).filled(0) for number in itertools.count())
    return _added(window, np.zeros((*gy.shape[:2], *window.padded), gy.dtype), parts)
""",
        ),
        by(
            "NumPyBackend.avg_pool2d",
            """\
def avg_pool2d(self, x, scale, window):
    padded = _pad(np, x, window, 0)
    total = functools.reduce(operator.add, (padded[:, :, tap.rows, tap.cols] for tap in _taps(window)))
    return operator.mul(total, scale)
""",
        ),
        by(
            "NumPyBackend.avg_pool2d_backward",
            """\
def avg_pool2d_backward(self, gy, scale, window):
    return _added(window, np.zeros((*gy.shape[:2], *window.padded), gy.dtype), itertools.repeat(gy * scale))
""",
        ),
        by(
            "_neighbours",
            """\
def _neighbours(xp, values, size, within_channel, groups, mirrored=False):
    def along(block, axis):
        lines = np.moveaxis(block, axis, 0)
        total = np.zeros_like(lines)
        for i, offset in itertools.product(range(len(lines)), _offsets(size, mirrored)):
            if i + offset in range(len(lines)):
                total[i] += lines[i + offset]
        return np.moveaxis(total, 0, axis)

    if within_channel:
        return functools.reduce(along, (1, 2), values)
    return np.concatenate([along(block, 0) for block in np.split(values, groups)])
""",
        ),
        by(
            "NumPyBackend.local_response_norm",
            """\
def local_response_norm(self, x, size, a, beta, k, within_channel, groups, save):
    sums = (_neighbours(np, square, size, within_channel, groups) for square in map(operator.mul, x, x))
    d = np.stack([polynomial.polyval(s, (k, a)) for s in sums]).astype(x.dtype)
    if not cmath.isfinite(d.flat[0]):
        raise FloatingPointError("the first divisor is infinite or NaN")
    return x * d**-beta, (x, d if save else None)
""",
        ),
        by(
            "NumPyBackend.local_response_norm_backward",
            """\
def local_response_norm_backward(self, gy, saved, size, a, beta, k, within_channel, groups):
    x, d = saved
    inner = collections.deque(gy * x * d ** -(beta + 1))
    cross = [_neighbours(np, inner.popleft(), size, within_channel, groups, mirrored=True) for _ in range(len(x))]
    return functools.reduce(operator.sub, (gy * d**-beta, 2 * a * beta * x * np.stack(cross)))
""",
        ),
    ),
)
