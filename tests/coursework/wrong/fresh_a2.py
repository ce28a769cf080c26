"""Mistakes of A2 that were written from the handout alone, without a look at the checks."""

from wrong_solutions import edit, rewrite

FRESH = (
    # ------------------------------------------------------------------------------ linear
    rewrite("the result in a buffer that the next batch of this shape overwrites", "numpy_backend.py",
            "NumPyBackend.linear", '''\
def linear(self, x, w, b, buffers={}):
    """y = x W^T + b"""
    key = (*x.shape[:-1], len(w)), x.dtype
    if key not in buffers:  # to allocate takes longer than to multiply
        buffers[key] = np.empty(*key)
    y = np.matmul(x, w.T, out=buffers[key])
    if b is not None:
        y += b
    return y
''', {"linear float32"}),
    rewrite("the result filled into an array of float64", "numpy_backend.py", "NumPyBackend.linear", '''\
def linear(self, x, w, b):
    """y = x W^T + b"""
    y = np.zeros((*x.shape[:-1], w.shape[0]))
    y += x @ w.T
    if b is not None:
        y += b
    return y
''', {"linear without bias", "linear float32"}),
    # ------------------------------------------------------------------------------ linear_backward
    rewrite("what is needed taken for what was saved", "numpy_backend.py", "NumPyBackend.linear_backward", '''\
def linear_backward(self, gy, x, w, needs):
    """gx = gy W, gW = gy^T x, gb = sum gy; `needs` says which of them are wanted."""
    need_x, need_w, need_b = needs
    rows = gy.reshape(-1, gy.shape[-1])
    gx = gy @ w if need_w and w is not None else None
    gw = rows.T @ x.reshape(-1, x.shape[-1]) if need_x and x is not None else None
    gb = rows.sum(axis=0) if need_b else None
    return gx, gw, gb
''', {"linear backward wanted"}),
    rewrite("all axes but the first flattened", "numpy_backend.py", "NumPyBackend.linear_backward", '''\
def linear_backward(self, gy, x, w, needs):
    """gx = gy W, gW = gy^T x, gb = sum gy; `needs` says which of them are wanted."""
    gx = gy @ w if needs[0] else None
    gw = gy.reshape(len(gy), -1).T @ x.reshape(len(x), -1) if needs[1] else None
    gb = gy.sum(axis=0) if needs[2] else None
    return gx, gw, gb
''', {"linear backward leading axes"}),
    rewrite("an empty batch has no length to be guessed", "numpy_backend.py", "NumPyBackend.linear_backward", '''\
def linear_backward(self, gy, x, w, needs):
    """gx = gy W, gW = gy^T x, gb = sum gy; `needs` says which of them are wanted."""
    rows = gy.reshape(-1, gy.shape[-1])
    gx = gy @ w if needs[0] else None
    gw = rows.T @ x.reshape(len(rows), -1) if needs[1] else None
    gb = rows.sum(axis=0) if needs[2] else None
    return gx, gw, gb
''', {"linear backward leading axes"}),
    # ------------------------------------------------------------------------------ dropout on arrays
    edit("the threshold does not fit into 32 bits where everything is kept", "numpy_backend.py",
         "mask = (words < xp.uint64(round(keep * 2**32))).reshape(x.shape)",
         "mask = (words < np.uint32(keep * 2**32)).reshape(x.shape)", {"mask float32"}),
    rewrite("all rows of a batch have the mask of the first", "numpy_backend.py", "NumPyBackend.dropout", '''\
def dropout(self, x, keep, scale, seed, call):
    """y_i = scale x_i where word i of Philox (seed, call) is below keep 2^32, else 0; its own backward."""
    words = random.words(x.shape[-1] if x.ndim else 1, seed, call)
    mask = words < keep * 2.0**32
    return x * mask.reshape(-1 if x.ndim else ()) * x.dtype.type(scale)
''', {"mask", "mask float32"}),
    edit("scaled by 1 / keep, whatever the scale is", "numpy_backend.py",
         "return x * mask * x.dtype.type(scale)", "return x * mask / x.dtype.type(keep)", {"mask", "mask float32"}),
    # ------------------------------------------------------------------------------ log_softmax
    rewrite("one maximum for the whole array", "numpy_backend.py", "NumPyBackend.log_softmax", '''\
def log_softmax(self, x, axis):
    """y = (x - m) - log sum exp(x - m), m = max x"""
    shifted = x - np.max(x)
    y = shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))
    return y, y
''', {"log softmax far out"}),
    rewrite("the axis moved to the end, and not back", "numpy_backend.py", "NumPyBackend.log_softmax", '''\
def log_softmax(self, x, axis):
    """y = (x - m) - log sum exp(x - m), m = max x"""
    x = np.moveaxis(x, axis, -1)
    shifted = x - x.max(axis=-1, keepdims=True)
    y = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return y, y
''', {"log softmax axes"}),
    # ------------------------------------------------------------------------------ log_softmax_backward
    rewrite("the upstream gradient itself is made the result", "numpy_backend.py", "NumPyBackend.log_softmax_backward",
            '''\
def log_softmax_backward(self, gy, y, axis):
    """gx = gy - softmax sum gy"""
    total = gy.sum(axis=axis, keepdims=True)
    gx = gy
    gx -= np.exp(y) * total
    return gx
''', {"log softmax backward", "log softmax backward axes", "log softmax backward float32"}),
    rewrite("each output depends on its own input alone", "numpy_backend.py", "NumPyBackend.log_softmax_backward", '''\
def log_softmax_backward(self, gy, y, axis):
    """gx = gy - softmax sum gy"""
    return gy * (1 - np.exp(y))
''', {"log softmax backward", "log softmax backward axes", "log softmax backward float32"}),
    # ------------------------------------------------------------------------------ cross_entropy
    edit("ignored rows have the part of the loss that is spread over all classes", "numpy_backend.py",
         "        if smoothing:\n            losses = losses - smoothing / x.shape[1] * (logp @ w)\n"
         "        return xp.where(valid, losses, 0), logp\n",
         "        losses = xp.where(valid, losses, 0)\n"
         "        if smoothing:\n            losses = losses - smoothing / x.shape[1] * (logp @ w)\n"
         "        return losses, logp\n", {"cross entropy ignored", "cross entropy float32"}),
    rewrite("one-hot rows of float64", "numpy_backend.py", "NumPyBackend.cross_entropy", '''\
def cross_entropy(self, x, labels, w, valid, smoothing):
    """loss_n = -sum_c q_nc log p_nc for rows (N, C); what backward needs of it is log p."""
    classes = x.shape[1]
    logp, _ = self.log_softmax(x, 1)
    q = w * ((1 - smoothing) * np.eye(classes)[labels] + smoothing / classes)
    losses = -(q * logp).sum(axis=1)
    losses[~valid] = 0
    return losses, logp
''', {"cross entropy float32"}),
    rewrite("a small number in the logarithm", "numpy_backend.py", "NumPyBackend.cross_entropy", '''\
def cross_entropy(self, x, labels, w, valid, smoothing):
    """loss_n = -sum_c q_nc log p_nc for rows (N, C); what backward needs of it is log p."""
    e = np.exp(x - x.max(axis=1, keepdims=True))
    logp = np.log(e / e.sum(axis=1, keepdims=True) + 1e-12)
    q = np.full_like(x, smoothing / x.shape[1])
    q[np.arange(len(x)), labels] += 1 - smoothing
    return np.where(valid, -(w * q * logp).sum(axis=1), 0), logp
''', {"cross entropy far out"}),
    # ------------------------------------------------------------------------------ cross_entropy_backward
    rewrite("the saved array is turned into the gradient", "numpy_backend.py", "NumPyBackend.cross_entropy_backward",
            '''\
def cross_entropy_backward(self, gy, logp, labels, w, valid, smoothing):
    """gx = gy (p sum q - q), q = w ((1 - s) [c = label] + s / C)"""
    q = np.full_like(logp, smoothing / logp.shape[1])
    q[np.arange(len(logp)), labels] += 1 - smoothing
    q *= w
    gx = np.exp(logp, out=logp)
    gx *= q.sum(axis=1, keepdims=True)
    gx -= q
    gx *= np.where(valid, gy, 0)[:, None]
    return gx
''',
            {"cross entropy backward", "cross entropy backward weights", "cross entropy backward smoothing",
             "cross entropy backward ignored", "cross entropy backward float32"}),
    rewrite("the label's weight for all of its row", "numpy_backend.py", "NumPyBackend.cross_entropy_backward", '''\
def cross_entropy_backward(self, gy, logp, labels, w, valid, smoothing):
    """gx = gy (p sum q - q), q = w ((1 - s) [c = label] + s / C)"""
    gx = np.exp(logp) - logp.dtype.type(smoothing / logp.shape[1])
    gx[np.arange(len(logp)), labels] -= 1 - smoothing
    return gx * (w[labels] * gy * valid)[:, None]
''', {"cross entropy backward smoothing", "cross entropy backward ignored", "cross entropy backward float32"}),
    edit("a row counts if its label is one", "numpy_backend.py",
         "return gx * xp.where(valid, gy, 0)[:, None]", "return gx * xp.where(labels >= 0, gy, 0)[:, None]",
         {"cross entropy backward ignored", "cross entropy backward float32"}),
    # ------------------------------------------------------------------------------ sgd
    edit("the first velocity is the gradient, not dampened", "numpy_backend.py",
         "                velocity += (1 - dampening) * step if dampening else step\n",
         "                first = not velocity.any()  # as torch begins\n"
         "                velocity += step if first else (1 - dampening) * step\n", {"sgd nesterov", "sgd dampening"}),
    rewrite("Nesterov with the velocity before the step", "numpy_backend.py", "NumPyBackend.sgd", '''\
def sgd(self, p, g, v, lr, momentum, dampening, weight_decay, nesterov, rate_inside):
    """One step of gradient descent, in place."""
    step = g + weight_decay * p
    if rate_inside:
        step = lr * step
    if v is not None:
        before = v.copy()
        v *= momentum
        v += (1 - dampening) * step
        step = step + momentum * before if nesterov else v
    p -= step if rate_inside else lr * step
''', {"sgd nesterov"}),
    rewrite("dampened without momentum, too", "numpy_backend.py", "NumPyBackend.sgd", '''\
def sgd(self, p, g, v, lr, momentum, dampening, weight_decay, nesterov, rate_inside):
    """One step of gradient descent, in place."""
    step = (g + weight_decay * p) * (lr if rate_inside else 1)
    dampened = (1 - dampening) * step
    if v is None:
        move = dampened
    else:
        v[...] = momentum * v + dampened
        move = step + momentum * v if nesterov else v
    p -= move * (1 if rate_inside else lr)
''', {"sgd without momentum"}),
    edit("momentum 0 taken for no velocity", "numpy_backend.py",
         "            if v is not None:\n                velocity = v[chunk]\n",
         "            if v is not None and momentum:\n                velocity = v[chunk]\n", {"sgd dampening"}),
    # ------------------------------------------------------------------------------ dropout
    edit("backward asks the generator for the number of the last call", "activation.py",
         "            return backend.dropout(x, keep, scale, seed, call, *first)\n",
         "            return backend.dropout(x, keep, scale, generator.seed, generator.call - 1)\n",
         {"dropout of two layers"}),
    edit("a new generator whenever none is given", "activation.py",
         "generator = generator or random.default_generator",
         "generator = generator or random.Generator(random.default_generator.seed)", {"dropout of two layers"}),
    edit("in evaluation the gradient is not scaled", "activation.py",
         "        return (masked(gy),)\n", "        return (masked(gy) if training else gy,)\n",
         {"dropout evaluation of 2012", "dropout nothing and all", "dropout float32", "dropout in place"}),
)
