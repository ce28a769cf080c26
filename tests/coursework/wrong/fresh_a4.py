"""A4, pooling and normalisation: mistakes thought of from the handout alone, without a look at the checks."""

from wrong_solutions import edit, rewrite

FILE = "numpy_backend.py"

FRESH = (
    # ------------------------------------------------------------------------------ max_pool2d
    rewrite(
        "margins of the smallest value, which then ties", FILE, "NumPyBackend.max_pool2d",
        "def max_pool2d(self, x, window, save):\n"
        "    padded = _pad(self.xp, x, window, x.min())\n"
        "    stacked = self.xp.stack([padded[..., *tap] for tap in window.taps()])\n"
        "    winners = stacked.argmax(axis=0)\n"
        "    return stacked.max(axis=0), winners if save else None\n",
        {"max_pool2d padding", "max_pool2d ceil mode"},
    ),
    rewrite(
        "winners in one byte", FILE, "NumPyBackend.max_pool2d",
        "def max_pool2d(self, x, window, save):\n"
        "    xp = self.xp\n"
        "    padded = _pad(xp, x, window, -xp.inf)\n"
        "    patches = xp.stack([padded[..., *tap] for tap in window.taps()], axis=-1)\n"
        "    inside = _pad(xp, xp.ones_like(x, dtype=bool), window, False)\n"
        "    allowed = xp.stack([inside[..., *tap] for tap in window.taps()], axis=-1)\n"
        "    best = patches.max(axis=-1)\n"
        "    if not save:\n"
        "        return best, None\n"
        "    winners = ((patches == best[..., None]) & allowed).argmax(axis=-1)\n"
        "    return best, winners.astype(xp.uint8)\n",
        {"max_pool2d windows"},
    ),
    rewrite(
        "of equal values the last one wins", FILE, "NumPyBackend.max_pool2d",
        "def max_pool2d(self, x, window, save):\n"
        "    xp = self.xp\n"
        "    padded = _pad(xp, x, window, -xp.inf)\n"
        "    y = xp.full((*x.shape[:2], *window.output), -xp.inf, x.dtype)\n"
        "    winners = xp.zeros(y.shape, int)\n"
        "    for number, tap in enumerate(window.taps()):\n"
        "        larger = padded[..., *tap] >= y\n"
        "        y[larger] = padded[..., *tap][larger]\n"
        "        winners[larger] = number\n"
        "    return y, winners if save else None\n",
        {"max_pool2d ties", "max_pool2d padding", "max_pool2d ceil mode"},
    ),
    rewrite(
        "winners numbered in the part of the window on the image", FILE, "NumPyBackend.max_pool2d",
        "def max_pool2d(self, x, window, save):\n"
        "    xp, (n, c, height, width) = self.xp, x.shape\n"
        "    (kh, kw), (sh, sw), (dh, dw) = window.kernel, window.stride, window.dilation\n"
        "    (oh, ow), ((top, _), (left, _)) = window.output, window.padding\n"
        "    y = xp.empty((n, c, oh, ow), x.dtype)\n"
        "    winners = xp.empty((n, c, oh, ow), int)\n"
        "    for i in range(oh):\n"
        "        rows = [r for r in range(i * sh - top, i * sh - top + dh * kh, dh) if 0 <= r < height]\n"
        "        for j in range(ow):\n"
        "            cols = [q for q in range(j * sw - left, j * sw - left + dw * kw, dw) if 0 <= q < width]\n"
        "            patch = x[:, :, rows][:, :, :, cols].reshape(n, c, -1)\n"
        "            y[:, :, i, j] = patch.max(axis=2)\n"
        "            winners[:, :, i, j] = patch.argmax(axis=2)\n"
        "    return y, winners if save else None\n",
        {"max_pool2d padding", "max_pool2d ceil mode", "pooling in turn", "float32"},
    ),
    edit(
        "winners whether they are to be saved or not", FILE,
        "        if not save:\n            return y, None\n        winners = xp.zeros(y.shape",
        "        winners = xp.zeros(y.shape",
        {"max_pool2d"},
    ),
    edit(
        "margins without those of ceil mode", FILE,
        "        padded = _pad(xp, x, window, -np.inf)\n",
        "        padded = xp.pad(x, ((0, 0), (0, 0), *window.padding), constant_values=-np.inf)\n",
        {"max_pool2d ceil mode", "pooling in turn"},
    ),
    # ------------------------------------------------------------------------------ max_pool2d_backward
    rewrite(
        "a fancy index that adds once where a pixel wins twice", FILE, "NumPyBackend.max_pool2d_backward",
        "def max_pool2d_backward(self, gy, winners, window):\n"
        "    xp, (n, c, oh, ow) = self.xp, gy.shape\n"
        "    u, v = xp.divmod(winners.astype(int), window.kernel[1])\n"
        "    rows = xp.arange(oh)[:, None] * window.stride[0] + u * window.dilation[0]\n"
        "    cols = xp.arange(ow) * window.stride[1] + v * window.dilation[1]\n"
        "    padded = xp.zeros((n, c, *window.padded), gy.dtype)\n"
        "    padded[xp.arange(n)[:, None, None, None], xp.arange(c)[:, None, None], rows, cols] += gy\n"
        "    return padded[..., *window.inside]\n",
        {"max_pool2d_backward", "max_pool2d_backward edges", "pooling in turn", "float32"},
    ),
    rewrite(
        "row and column of a winner by the kernel's height", FILE, "NumPyBackend.max_pool2d_backward",
        "def max_pool2d_backward(self, gy, winners, window):\n"
        "    xp, (kh, _) = self.xp, window.kernel\n"
        "    n, c, oh, ow = gy.shape\n"
        "    padded = xp.zeros((n, c, *window.padded), gy.dtype)\n"
        "    for i in range(oh):\n"
        "        for j in range(ow):\n"
        "            u, v = winners[:, :, i, j] // kh, winners[:, :, i, j] % kh\n"
        "            r = i * window.stride[0] + u * window.dilation[0]\n"
        "            q = j * window.stride[1] + v * window.dilation[1]\n"
        "            padded[xp.arange(n)[:, None], xp.arange(c), r, q] += gy[:, :, i, j]\n"
        "    return padded[..., *window.inside]\n",
        {"max_pool2d_backward", "max_pool2d_backward edges", "pooling in turn", "float32"},
    ),
    rewrite(
        "dilation forgotten in the winner's pixel", FILE, "NumPyBackend.max_pool2d_backward",
        "def max_pool2d_backward(self, gy, winners, window):\n"
        "    xp, (n, c, oh, ow) = self.xp, gy.shape\n"
        "    (kh, kw), (sh, sw) = window.kernel, window.stride\n"
        "    padded = xp.zeros((n, c, *window.padded), gy.dtype)\n"
        "    for u in range(kh):\n"
        "        for v in range(kw):\n"
        "            mask = winners == u * kw + v\n"
        "            padded[:, :, u : u + sh * (oh - 1) + 1 : sh, v : v + sw * (ow - 1) + 1 : sw] += gy * mask\n"
        "    return padded[..., *window.inside]\n",
        {"max_pool2d_backward edges"},
    ),
    # ------------------------------------------------------------------------------ avg_pool2d
    rewrite(
        "sum begun as a view of the image", FILE, "NumPyBackend.avg_pool2d",
        "def avg_pool2d(self, x, scale, window):\n"
        "    padded = _pad(self.xp, x, window, 0)\n"
        "    first, *others = window.taps()\n"
        "    y = padded[..., *first]\n"
        "    for tap in others:\n"
        "        y += padded[..., *tap]\n"
        "    return y * scale\n",
        {"avg_pool2d", "avg_pool2d scales", "pooling in turn", "float32"},
    ),
    edit(
        "means in float64", FILE,
        "        y = self.xp.zeros((*x.shape[:2], *window.output), x.dtype)\n",
        "        y = self.xp.zeros((*x.shape[:2], *window.output))\n",
        {"float32"},
    ),
    # ------------------------------------------------------------------------------ avg_pool2d_backward
    edit(
        "gy scaled in place", FILE,
        "        share = gy * scale\n        for tap in window.taps():\n            padded[..., *tap] += share\n",
        "        gy *= scale\n        for tap in window.taps():\n            padded[..., *tap] += gy\n",
        {"avg_pool2d_backward", "avg_pool2d_backward scales", "float32"},
    ),
    rewrite(
        "the top margin taken for the left one, too", FILE, "NumPyBackend.avg_pool2d_backward",
        "def avg_pool2d_backward(self, gy, scale, window):\n"
        "    padded = self.xp.zeros((*gy.shape[:2], *window.padded), gy.dtype)\n"
        "    for tap in window.taps():\n"
        "        padded[..., *tap] += gy * scale\n"
        "    p = window.padding[0][0]\n"
        "    height, width = window.size\n"
        "    return padded[:, :, p : p + height, p : p + width]\n",
        {"avg_pool2d_backward scales", "pooling in turn", "float32"},
    ),
    # ------------------------------------------------------------------------------ _neighbours
    rewrite(
        "mirrored only across channels", FILE, "_neighbours",
        "def _neighbours(xp, values, size, within_channel, groups, mirrored=False):\n"
        "    before = size // 2\n"
        "    after = size - 1 - before\n"
        "    if within_channel:\n"
        "        rows = _slide(xp, values, 1, before, after)\n"
        "        return _slide(xp, rows, 2, before, after)\n"
        "    if mirrored:\n"
        "        before, after = after, before\n"
        "    blocks = xp.split(values, groups)\n"
        "    return xp.concatenate([_slide(xp, block, 0, before, after) for block in blocks])\n",
        {"_neighbours within channel", "local_response_norm in turn", "float32"},
    ),
    rewrite(
        "windows that cross into the next group at their upper end", FILE, "_neighbours",
        "def _neighbours(xp, values, size, within_channel, groups, mirrored=False):\n"
        "    before, after = size // 2, size - 1 - size // 2\n"
        "    if mirrored:\n"
        "        before, after = after, before\n"
        "    if within_channel:\n"
        "        return _slide(xp, _slide(xp, values, 1, before, after), 2, before, after)\n"
        "    channels = len(values)\n"
        "    sums = xp.empty_like(values)\n"
        "    for i in range(channels):\n"
        "        start = i - i % (channels // groups)  # the first channel of this group\n"
        "        low, high = max(start, i - before), min(channels, i + after + 1)\n"
        "        sums[i] = values[low:high].sum(axis=0)\n"
        "    return sums\n",
        {"_neighbours groups", "_neighbours size above C", "local_response_norm in turn"},
    ),
    rewrite(
        "np.convolve, whose 'same' is the longer of the two", FILE, "_neighbours",
        "def _neighbours(xp, values, size, within_channel, groups, mirrored=False):\n"
        "    def sums(v):\n"
        "        if mirrored:\n"
        '            return xp.convolve(v[::-1], ones, mode="same")[::-1]\n'
        '        return xp.convolve(v, ones, mode="same")\n'
        "\n"
        "    ones = xp.ones(size, values.dtype)\n"
        "    if within_channel:\n"
        "        return xp.apply_along_axis(sums, 2, xp.apply_along_axis(sums, 1, values))\n"
        "    return xp.concatenate([xp.apply_along_axis(sums, 0, block) for block in xp.split(values, groups)])\n",
        {"_neighbours groups", "_neighbours within channel", "_neighbours size above C"},
    ),
    rewrite(
        "running sums written over the values", FILE, "_neighbours",
        "def _neighbours(xp, values, size, within_channel, groups, mirrored=False):\n"
        "    before, after = size // 2, size - 1 - size // 2\n"
        "    if mirrored:\n"
        "        before, after = after, before\n"
        "\n"
        "    def windows(block, axis):\n"
        "        length = block.shape[axis]\n"
        "        block = xp.cumsum(block, axis=axis, out=block)\n"
        "        block = xp.concatenate([xp.zeros_like(block.take([0], axis)), block], axis=axis)\n"
        "        places = xp.arange(length)\n"
        "        high = xp.minimum(places + after + 1, length)\n"
        "        low = xp.maximum(places - before, 0)\n"
        "        return block.take(high, axis) - block.take(low, axis)\n"
        "\n"
        "    if within_channel:\n"
        "        return windows(windows(values, 1), 2)\n"
        "    return xp.concatenate([windows(block, 0) for block in xp.split(values, groups)])\n",
        {
            "_neighbours", "_neighbours even size", "_neighbours mirrored", "_neighbours groups",
            "_neighbours within channel", "_neighbours size above C", "float32",
        },
    ),
    rewrite(
        "pixel windows of even size one too far", FILE, "_neighbours",
        "def _neighbours(xp, values, size, within_channel, groups, mirrored=False):\n"
        "    before, after = size // 2, size - 1 - size // 2\n"
        "    if mirrored:\n"
        "        before, after = after, before\n"
        "    if not within_channel:\n"
        "        blocks = values.reshape(groups, -1, *values.shape[1:])\n"
        "        return _slide(xp, blocks, 1, before, after).reshape(values.shape)\n"
        "    padded = xp.pad(values, ((0, 0), (after, before), (after, before)))\n"
        "    return xp.lib.stride_tricks.sliding_window_view(padded, (size, size), (1, 2)).sum(axis=(3, 4))\n",
        {"_neighbours within channel", "local_response_norm in turn", "float32"},
    ),
    # ------------------------------------------------------------------------------ local_response_norm
    edit(
        "d in an array that the next layer of this shape overwrites", FILE,
        "        d = self.xp.empty_like(x) if save else None\n",
        '        workspaces = self.__dict__.setdefault("workspaces", {})\n'
        "        key = (x.shape, x.dtype.str)\n"
        "        if save and key not in workspaces:\n"
        "            workspaces[key] = self.xp.empty_like(x)\n"
        "        d = workspaces[key] if save else None\n",
        {"local_response_norm in turn"},
    ),
    edit(
        "beta always 3/4", FILE,
        "            y[n] = x[n] * _power(self.xp, scale, beta)\n",
        "            y[n] = x[n] / self.xp.sqrt(scale * self.xp.sqrt(scale))\n",
        {
            "local_response_norm", "local_response_norm window", "local_response_norm arguments",
            "local_response_norm in turn", "float32",
        },
    ),
    rewrite(
        "y written over x", FILE, "NumPyBackend.local_response_norm",
        "def local_response_norm(self, x, size, a, beta, k, within_channel, groups, save):\n"
        "    d = self.xp.stack([_neighbours(self.xp, image**2, size, within_channel, groups) for image in x])\n"
        "    d *= a\n"
        "    d += k\n"
        "    y = x\n"
        "    y *= _power(self.xp, d, beta)\n"
        "    return y, (x, d if save else None)\n",
        {
            "local_response_norm", "local_response_norm window", "local_response_norm arguments",
            "local_response_norm in turn", "float32",
        },
    ),
    rewrite(
        "windows that cross from one image into the next", FILE, "NumPyBackend.local_response_norm",
        "def local_response_norm(self, x, size, a, beta, k, within_channel, groups, save):\n"
        "    n, c, height, width = x.shape\n"
        "    squares = (x * x).reshape(n * c, height, width)  # one call for the whole batch\n"
        "    d = k + a * _neighbours(self.xp, squares, size, within_channel, groups).reshape(x.shape)\n"
        "    return x * _power(self.xp, d, beta), (x, d if save else None)\n",
        {"local_response_norm window", "local_response_norm arguments", "local_response_norm in turn", "float32"},
    ),
    # ------------------------------------------------------------------------------ local_response_norm_backward
    edit(
        "no groups in the gradient", FILE,
        "            cross = _neighbours(xp, direct * x[n] / d[n], size, within_channel, groups, mirrored=True)\n",
        "            cross = _neighbours(xp, direct * x[n] / d[n], size, within_channel, 1, mirrored=True)\n",
        {"local_response_norm_backward arguments", "local_response_norm in turn"},
    ),
    rewrite(
        "exponent -beta in the cross term, too", FILE, "NumPyBackend.local_response_norm_backward",
        "def local_response_norm_backward(self, gy, saved, size, a, beta, k, within_channel, groups):\n"
        "    x, d = saved\n"
        "    power = _power(self.xp, d, beta)\n"
        "    terms = gy * x * power\n"
        "    cross = [_neighbours(self.xp, t, size, within_channel, groups, mirrored=True) for t in terms]\n"
        "    return gy * power - 2 * a * beta * x * self.xp.stack(cross)\n",
        {
            "local_response_norm_backward", "local_response_norm_backward window",
            "local_response_norm_backward arguments", "local_response_norm in turn", "float32",
        },
    ),
    rewrite(
        "the saved d raised to its power in place", FILE, "NumPyBackend.local_response_norm_backward",
        "def local_response_norm_backward(self, gy, saved, size, a, beta, k, within_channel, groups):\n"
        "    xp, (x, d) = self.xp, saved\n"
        "    terms = gy * x * d ** (-beta - 1)\n"
        "    d **= -beta\n"
        "    gx = gy * d\n"
        "    for n in range(len(x)):\n"
        "        sums = _neighbours(xp, terms[n], size, within_channel, groups, mirrored=True)\n"
        "        gx[n] -= 2 * a * beta * x[n] * sums\n"
        "    return gx\n",
        {
            "local_response_norm_backward", "local_response_norm_backward window",
            "local_response_norm_backward arguments", "float32",
        },
    ),
)
