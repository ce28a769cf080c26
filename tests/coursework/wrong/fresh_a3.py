"""A3, convolution: mistakes thought of from the handout alone, without a look at the checks."""

from wrong_solutions import edit, rewrite

FILE = "numpy_backend.py"

FRESH = (
    # ------------------------------------------------------------------------------ im2col
    edit(
        "padding read as (top, left)", FILE,
        "        self.padded[:count, :, *self.window.inside] = pictures\n",
        "        top, left = self.window.padding[0]\n"
        "        height, width = pictures.shape[2:]\n"
        "        self.padded[:count, :, top : top + height, left : left + width] = pictures\n",
        {"im2col padding", "im2col again", "im2col all at once"},
    ),
    edit(
        "columns of a whole block for the smaller last one", FILE,
        "        return self.columns[:count]\n",
        "        return self.columns\n",
        {"im2col again"},
    ),
    edit(
        "pixels added to those of the block before", FILE,
        "        self.padded[:count, :, *self.window.inside] = pictures\n",
        "        self.padded[:count, :, *self.window.inside] += pictures\n",
        {"im2col again"},
    ),
    rewrite(
        "the vertical dilation in both directions", FILE, "_ConvBuffers.im2col",
        "def im2col(self, pictures):\n"
        "    n, c = pictures.shape[:2]\n"
        "    (kh, kw), (oh, ow) = self.window.kernel, self.window.output\n"
        "    (sh, sw), d = self.window.stride, self.window.dilation[0]\n"
        "    self.padded[:n, :, *self.window.inside] = pictures\n"
        "    columns = self.columns.reshape(self.window_shape)\n"
        "    for u in range(kh):\n"
        "        for v in range(kw):\n"
        "            rows = slice(u * d, u * d + sh * (oh - 1) + 1, sh)\n"
        "            cols = slice(v * d, v * d + sw * (ow - 1) + 1, sw)\n"
        "            columns[:n, :, u, v] = self.padded[:n, :, rows, cols]\n"
        "    return self.columns[:n]\n",
        {"im2col dilation", "im2col all at once", "im2col extremes"},
    ),
    edit(
        "all of the padding, where the last windows do not reach it", FILE,
        "        self.padded[:count, :, *self.window.inside] = pictures\n",
        "        self.padded[:count] = self.xp.pad(pictures, ((0, 0), (0, 0), *self.window.padding))\n",
        {"im2col again", "im2col all at once"},
    ),
    rewrite(
        "the last window in each direction missing", FILE, "_ConvBuffers.im2col",
        "def im2col(self, pictures):\n"
        "    n = len(pictures)\n"
        "    window = self.window\n"
        "    (kh, kw), (sh, sw), (dh, dw) = window.kernel, window.stride, window.dilation\n"
        "    height, width = window.padded\n"
        "    self.padded[:n, :, *window.inside] = pictures\n"
        "    columns = self.columns.reshape(self.window_shape)[:n]\n"
        "    columns[...] = 0\n"
        "    for i, top in enumerate(range(0, height - dh * (kh - 1) - 1, sh)):\n"
        "        for j, left in enumerate(range(0, width - dw * (kw - 1) - 1, sw)):\n"
        "            patch = self.padded[:n, :, top : top + dh * kh : dh, left : left + dw * kw : dw]\n"
        "            columns[..., i, j] = patch[:, :, :kh, :kw]\n"
        "    return self.columns[:n]\n",
        {"im2col", "im2col padding", "im2col dilation", "im2col groups", "im2col again", "im2col all at once",
         "im2col extremes", "im2col float32"},
    ),
    rewrite(
        "columns ordered with the images fastest", FILE, "_ConvBuffers.im2col",
        "def im2col(self, pictures):\n"
        "    xp, (n, c) = self.xp, pictures.shape[:2]\n"
        "    (kh, kw), (oh, ow) = self.window.kernel, self.window.output\n"
        "    (sh, sw), (dh, dw) = self.window.stride, self.window.dilation\n"
        "    self.padded[:n, :, *self.window.inside] = pictures\n"
        "    i0 = xp.tile(dh * xp.repeat(xp.arange(kh), kw), c)\n"
        "    j0 = dw * xp.tile(xp.arange(kw), kh * c)\n"
        "    i1 = sh * xp.repeat(xp.arange(oh), ow)\n"
        "    j1 = sw * xp.tile(xp.arange(ow), oh)\n"
        "    k = xp.repeat(xp.arange(c), kh * kw)[:, None]\n"
        "    i, j = i0[:, None] + i1, j0[:, None] + j1\n"
        "    cols = self.padded[:n, k, i, j]\n"
        "    cols = cols.transpose(1, 2, 0).reshape(c * kh * kw, -1)\n"
        "    self.columns[:n] = cols.reshape(n, *self.columns.shape[1:])\n"
        "    return self.columns[:n]\n",
        {"im2col", "im2col stride", "im2col padding", "im2col dilation", "im2col groups", "im2col again",
         "im2col all at once", "im2col float32"},
    ),
    # ------------------------------------------------------------------------------ col2im
    edit(
        "gradients left in the margins of the buffer", FILE,
        "        pictures = self.xp.zeros((len(columns), *self.padded.shape[1:]), self.padded.dtype)\n",
        "        pictures = self.padded[: len(columns)]  # allocated once\n"
        "        pictures[...] = 0\n",
        {"col2im margins"},
    ),
    edit(
        "sums kept from the block before", FILE,
        "        pictures = self.xp.zeros((len(columns), *self.padded.shape[1:]), self.padded.dtype)\n",
        '        if not hasattr(self, "gradient"):\n'
        "            self.gradient = self.xp.zeros_like(self.padded)\n"
        "        pictures = self.gradient[: len(columns)]\n",
        {"col2im again"},
    ),
    rewrite(
        "col2im without dilation", FILE, "_ConvBuffers.col2im",
        "def col2im(self, columns):\n"
        "    n, c = len(columns), self.padded.shape[1]\n"
        "    (kh, kw), (sh, sw), (oh, ow) = self.window.kernel, self.window.stride, self.window.output\n"
        "    columns = columns.reshape(n, c, kh, kw, oh, ow)\n"
        "    padded = self.xp.zeros((n, *self.padded.shape[1:]), columns.dtype)\n"
        "    for u in range(kh):\n"
        "        for v in range(kw):\n"
        "            rows = slice(u, u + sh * (oh - 1) + 1, sh)\n"
        "            cols = slice(v, v + sw * (ow - 1) + 1, sw)\n"
        "            padded[:, :, rows, cols] += columns[:, :, u, v]\n"
        "    return padded[:, :, *self.window.inside]\n",
        {"col2im dilation", "col2im all at once", "col2im extremes"},
    ),
    rewrite(
        "column of a window numbered by the height", FILE, "_ConvBuffers.col2im",
        "def col2im(self, columns):\n"
        "    n, c = len(columns), self.padded.shape[1]\n"
        "    (kh, kw), (sh, sw), (dh, dw) = self.window.kernel, self.window.stride, self.window.dilation\n"
        "    oh, ow = self.window.output\n"
        "    columns = columns.reshape(n, c, kh, kw, oh * ow)\n"
        "    padded = self.xp.zeros((n, *self.padded.shape[1:]), columns.dtype)\n"
        "    for i in range(oh):\n"
        "        for j in range(ow):\n"
        "            rows = slice(i * sh, i * sh + dh * (kh - 1) + 1, dh)\n"
        "            cols = slice(j * sw, j * sw + dw * (kw - 1) + 1, dw)\n"
        "            padded[:, :, rows, cols] += columns[..., i * oh + j]\n"
        "    return padded[:, :, *self.window.inside]\n",
        {"col2im", "col2im stride", "col2im padding", "col2im dilation", "col2im groups", "col2im again",
         "col2im all at once", "col2im extremes", "col2im float32", "col2im margins"},
    ),
    edit(
        "margins cut off as if both sides had the same", FILE,
        "        return pictures[:, :, *self.window.inside]\n",
        "        (top, _), (left, _) = self.window.padding\n"
        "        return pictures[:, :, top : -top or None, left : -left or None]\n",
        {"col2im padding", "col2im all at once", "col2im margins"},
    ),
    edit(
        "pixels summed in float64 and returned so", FILE,
        "        pictures = self.xp.zeros((len(columns), *self.padded.shape[1:]), self.padded.dtype)\n",
        "        pictures = self.xp.zeros((len(columns), *self.padded.shape[1:]))\n",
        {"col2im float32"},
    ),
    # ------------------------------------------------------------------------------ conv2d
    edit(
        "needs exchanged: x kept where gx is needed", FILE,
        "        return y, (x.shape, w.shape, x if needs[1] else None, w if needs[0] else None)\n",
        "        return y, (x.shape, w.shape, x if needs[0] else None, w if needs[1] else None)\n",
        {"conv2d saved"},
    ),
    rewrite(
        "bias added again with every block", FILE, "NumPyBackend.conv2d",
        "def conv2d(self, x, w, b, window, groups, needs):\n"
        "    n, o = len(x), len(w)\n"
        "    oh, ow = window.output\n"
        "    buffers = _ConvBuffers(self.xp, x.shape, x.dtype, window, groups)\n"
        "    weights = w.reshape(groups, o // groups, -1)\n"
        "    y = self.xp.zeros((n, groups, o // groups, oh * ow), dtype=x.dtype)\n"
        "    for block in buffers.blocks:\n"
        "        y[block] = weights @ buffers.im2col(x[block])\n"
        "        if b is not None:\n"
        "            y += b.reshape(groups, o // groups, 1)\n"
        "    return y.reshape(n, o, oh, ow), (x.shape, w.shape, x if needs[1] else None, w if needs[0] else None)\n",
        {"conv2d blocks", "conv2d window", "conv2d again"},
    ),
    rewrite(
        "columns of all blocks collected before they are used", FILE, "NumPyBackend.conv2d",
        "def conv2d(self, x, w, b, window, groups, needs):\n"
        "    n, o = len(x), len(w)\n"
        "    buffers = _ConvBuffers(self.xp, x.shape, x.dtype, window, groups)\n"
        "    columns = [buffers.im2col(x[block]) for block in buffers.blocks]\n"
        "    weights = w.reshape(groups, o // groups, -1)\n"
        "    y = self.xp.concatenate([weights @ c for c in columns]).reshape(n, o, *window.output)\n"
        "    if b is not None:\n"
        "        y = y + b[:, None, None]\n"
        "    return y, (x.shape, w.shape, x if needs[1] else None, w if needs[0] else None)\n",
        {"conv2d blocks", "conv2d window", "conv2d again"},
    ),
    rewrite(
        "filters dealt to the groups in turn", FILE, "NumPyBackend.conv2d",
        "def conv2d(self, x, w, b, window, groups, needs):\n"
        "    n, o = len(x), len(w)\n"
        "    buffers = _ConvBuffers(self.xp, x.shape, x.dtype, window, groups)\n"
        "    weights = w.reshape(o // groups, groups, -1).swapaxes(0, 1)\n"
        "    y = self.xp.empty((n, o // groups, groups, window.output[0] * window.output[1]), x.dtype)\n"
        "    for block in buffers.blocks:\n"
        "        y[block] = (weights @ buffers.im2col(x[block])).swapaxes(1, 2)\n"
        "    y = y.reshape(n, o, *window.output)\n"
        "    if b is not None:\n"
        "        y += b[None, :, None, None]\n"
        "    return y, (x.shape, w.shape, x if needs[1] else None, w if needs[0] else None)\n",
        {"conv2d groups", "conv2d window", "conv2d again"},
    ),
    edit(
        "buffers kept for the shape of x, whatever the window", FILE,
        "        weights = w.reshape(groups, filters // groups, rows)\n"
        "        buffers = _ConvBuffers(xp, x.shape, x.dtype, window, groups)\n",
        "        weights = w.reshape(groups, filters // groups, rows)\n"
        '        cache = self.__dict__.setdefault("conv_buffers", {})\n'
        "        key = (x.shape, w.shape, x.dtype.str, groups)\n"
        "        if key not in cache:\n"
        "            cache[key] = _ConvBuffers(xp, x.shape, x.dtype, window, groups)\n"
        "        buffers = cache[key]\n",
        {"conv2d again"},
    ),
    # ------------------------------------------------------------------------------ conv2d_backward
    edit(
        "gw of the last block only", FILE,
        "                gw += xp.matmul(gy[some], buffers.im2col(x[some]).swapaxes(2, 3)).sum(axis=0)\n",
        "                gw = xp.matmul(gy[some], buffers.im2col(x[some]).swapaxes(2, 3)).sum(axis=0)\n",
        {"conv2d backward blocks", "conv2d backward window", "conv2d backward again"},
    ),
    edit(
        "sums over the images multiplied, not products summed", FILE,
        "                gw += xp.matmul(gy[some], buffers.im2col(x[some]).swapaxes(2, 3)).sum(axis=0)\n",
        "                gw += gy[some].sum(axis=0) @ buffers.im2col(x[some]).sum(axis=0).swapaxes(1, 2)\n",
        {"conv2d backward weights", "conv2d backward groups", "conv2d backward blocks", "conv2d backward window",
         "conv2d backward again", "conv2d backward wanted", "conv2d backward float32"},
    ),
    edit(
        "gb averaged over the batch", FILE,
        "        gb = gy.sum(axis=(0, 2, 3)) if needs[2] else None\n",
        "        gb = gy.sum(axis=(2, 3)).mean(axis=0) if needs[2] else None\n",
        {"conv2d backward bias", "conv2d backward groups", "conv2d backward blocks", "conv2d backward window",
         "conv2d backward again", "conv2d backward wanted", "conv2d backward float32"},
    ),
    edit(
        "gb whether it is needed or not", FILE,
        "        gb = gy.sum(axis=(0, 2, 3)) if needs[2] else None\n",
        "        gb = gy.sum(axis=(0, 2, 3))\n",
        {"conv2d backward wanted"},
    ),
    edit(
        "filters turned by 180 degrees for gx", FILE,
        "        transposed = w.reshape(groups, filters // groups, rows).swapaxes(1, 2) if needs[0] else None\n",
        "        if needs[0]:\n"
        "            flipped = w[:, :, ::-1, ::-1]  # the gradient is a convolution with the flipped kernel\n"
        "            transposed = flipped.reshape(groups, filters // groups, rows).swapaxes(1, 2)\n",
        {"conv2d backward pictures", "conv2d backward groups", "conv2d backward blocks", "conv2d backward window",
         "conv2d backward again", "conv2d backward wanted", "conv2d backward float32"},
    ),
    rewrite(
        "columns overwritten by their gradient before gw", FILE, "NumPyBackend.conv2d_backward",
        "def conv2d_backward(self, gy, saved, window, groups, needs):\n"
        "    xp, (x_shape, w_shape, x, w) = self.xp, saved\n"
        "    n, o = len(gy), w_shape[0]\n"
        "    rows = w_shape[1] * w_shape[2] * w_shape[3]\n"
        "    g = gy.reshape(n, groups, o // groups, -1)\n"
        "    gx = xp.empty(x_shape, gy.dtype) if needs[0] else None\n"
        "    gw = xp.zeros((groups, o // groups, rows), gy.dtype) if needs[1] else None\n"
        "    buffers = _ConvBuffers(xp, x_shape, gy.dtype, window, groups)\n"
        "    for block in buffers.blocks:\n"
        "        columns = buffers.im2col(x[block]) if needs[1] else None\n"
        "        if needs[0]:\n"
        "            wt = w.reshape(groups, o // groups, rows).transpose(0, 2, 1)\n"
        "            gx[block] = buffers.col2im(xp.matmul(wt, g[block], out=columns))  # no second large array\n"
        "        if needs[1]:\n"
        "            gw += (g[block] @ columns.transpose(0, 1, 3, 2)).sum(axis=0)\n"
        "    gb = gy.sum(axis=(0, 2, 3)) if needs[2] else None\n"
        "    return gx, gw.reshape(w_shape) if needs[1] else None, gb\n",
        {"conv2d backward weights", "conv2d backward groups", "conv2d backward blocks", "conv2d backward window",
         "conv2d backward again", "conv2d backward wanted", "conv2d backward float32"},
    ),
    edit(
        "the caller's gy given another shape", FILE,
        "        gy = gy.reshape(len(gy), groups, filters // groups, math.prod(window.output))\n",
        "        gy.shape = (len(gy), groups, filters // groups, math.prod(window.output))\n",
        {"conv2d backward wanted"},
    ),
)
