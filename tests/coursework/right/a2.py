"""Right solutions of A2, in ten styles."""

from right_solutions import imports, right
from wrong_solutions import rewrite


def _method(name, source):
    return rewrite(name, "numpy_backend.py", f"NumPyBackend.{name}", source, set())


def _module(source):
    """Functions of the student's own in numpy_backend.py, before _pad, which stays as it is."""
    pad = '''\
def _pad(xp, x, window, value):
    """The pictures with the margins that the window reaches into; themselves where it reaches into none."""
    if window.padded == window.size:
        return x
    padded = xp.full((*x.shape[:2], *window.padded), value, x.dtype)
    padded[..., *window.inside] = x
    return padded
'''
    return rewrite("functions of its own", "numpy_backend.py", "_pad", f"{source}\n\n{pad}", set())


def _dropout(source):
    return rewrite("dropout", "activation.py", "dropout", source, set())


RIGHT = (
    right(
        "einsum throughout",
        _method("linear", '''\
def linear(self, x, w, b):
    y = np.einsum("...i,oi->...o", x, w)
    return y if b is None else np.add(y, b)
'''),
        _method("linear_backward", '''\
def linear_backward(self, gy, x, w, needs):
    rows = int(np.prod(gy.shape[:-1]))
    flat = gy.reshape(rows, gy.shape[-1])
    return (
        np.einsum("...o,oi->...i", gy, w) if needs[0] else None,
        np.einsum("no,ni->oi", flat, x.reshape(rows, x.shape[-1])) if needs[1] else None,
        np.einsum("no->o", flat) if needs[2] else None,
    )
'''),
        _method("log_softmax", '''\
def log_softmax(self, x, axis):
    axes = list(range(x.ndim))
    others = [a for a in axes if a != axis % x.ndim]
    shifted = x - np.max(x, axis=axis, keepdims=True)
    total = np.expand_dims(np.einsum(np.exp(shifted), axes, others), axis)
    y = shifted - np.log(total)
    return y, y
'''),
        _method("log_softmax_backward", '''\
def log_softmax_backward(self, gy, y, axis):
    last = np.moveaxis(gy, axis, -1)
    total = np.einsum("...c->...", last)
    gx = last - np.einsum("...c,...->...c", np.exp(np.moveaxis(y, axis, -1)), total)
    return np.moveaxis(gx, -1, axis)
'''),
        _method("cross_entropy", '''\
def cross_entropy(self, x, labels, w, valid, smoothing):
    logp = self.log_softmax(x, 1)[0]
    hot = (labels[:, None] == np.arange(x.shape[1])).astype(x.dtype)
    loss = (smoothing - 1) * np.einsum("nc,c,nc->n", hot, w, logp)
    if smoothing:
        loss -= smoothing / x.shape[1] * np.einsum("c,nc->n", w, logp)
    return np.where(valid, loss, x.dtype.type(0)), logp
'''),
        _method("cross_entropy_backward", '''\
def cross_entropy_backward(self, gy, logp, labels, w, valid, smoothing):
    classes = logp.shape[1]
    hot = (labels[:, None] == np.arange(classes)).astype(logp.dtype)
    q = np.einsum("c,nc->nc", w, (1 - smoothing) * hot + smoothing / classes)
    gx = np.einsum("nc,nk->nc", np.exp(logp), q) - q
    return np.einsum("n,nc->nc", np.where(valid, gy, gy.dtype.type(0)), gx)
'''),
    ),
    right(
        "loops and plain Python",
        _method("dropout", '''\
def dropout(self, x, keep, scale, seed, call):
    words = random.words(x.size, seed, call)
    y = np.zeros(x.size, dtype=x.dtype)
    flat = x.reshape(-1)
    for i in range(x.size):
        if int(words[i]) < keep * 4294967296:
            y[i] = flat[i] * scale
    return y.reshape(x.shape)
'''),
        _method("linear", '''\
def linear(self, x, w, b):
    outputs = []
    for o in range(len(w)):
        y = np.dot(x, w[o])
        if b is not None:
            y = y + b[o]
        outputs.append(y)
    return np.stack(outputs, axis=-1)
'''),
        _method("linear_backward", '''\
def linear_backward(self, gy, x, w, needs):
    gx = gw = gb = None
    if needs[0]:
        gx = np.zeros(gy.shape[:-1] + (w.shape[1],), dtype=gy.dtype)
        for o in range(w.shape[0]):
            gx += gy[..., o, None] * w[o]
    if needs[1]:
        gw = np.zeros((gy.shape[-1], x.shape[-1]), dtype=gy.dtype)
        for place in np.ndindex(gy.shape[:-1]):
            gw += np.outer(gy[place], x[place])
    if needs[2]:
        gb = np.zeros(gy.shape[-1], dtype=gy.dtype)
        for place in np.ndindex(gy.shape[:-1]):
            gb += gy[place]
    return gx, gw, gb
'''),
        _method("log_softmax", '''\
def log_softmax(self, x, axis):
    y = np.empty_like(x)
    rows, results = np.moveaxis(x, axis, -1), np.moveaxis(y, axis, -1)
    for place in np.ndindex(rows.shape[:-1]):
        row = rows[place].tolist()
        largest = max(row)
        total = 0.0
        for value in row:
            total += math.exp(value - largest)
        results[place] = [value - largest - math.log(total) for value in row]
    return y, y
'''),
        _method("log_softmax_backward", '''\
def log_softmax_backward(self, gy, y, axis):
    gx = np.empty_like(gy)
    gradients, logs, results = (np.moveaxis(a, axis, -1) for a in (gy, y, gx))
    for place in np.ndindex(logs.shape[:-1]):
        total = sum(gradients[place].tolist())
        results[place] = [g - math.exp(l) * total for g, l in zip(gradients[place].tolist(), logs[place].tolist())]
    return gx
'''),
        _method("cross_entropy", '''\
def cross_entropy(self, x, labels, w, valid, smoothing):
    logp, _ = self.log_softmax(x, 1)
    losses = np.zeros(len(x), dtype=x.dtype)
    for n in range(len(x)):
        if not valid[n]:
            continue
        loss = 0.0
        for c in range(x.shape[1]):
            q = smoothing / x.shape[1]
            if c == labels[n]:
                q += 1 - smoothing
            if q:
                loss -= float(w[c]) * q * float(logp[n, c])
        losses[n] = loss
    return losses, logp
'''),
        _method("cross_entropy_backward", '''\
def cross_entropy_backward(self, gy, logp, labels, w, valid, smoothing):
    gx = np.zeros(logp.shape, dtype=logp.dtype)
    classes = logp.shape[1]
    for n in range(len(logp)):
        if valid[n]:
            q = [float(w[c]) * (smoothing / classes + (1 - smoothing) * (c == labels[n])) for c in range(classes)]
            for c in range(classes):
                gx[n, c] = gy[n] * (math.exp(logp[n, c]) * sum(q) - q[c])
    return gx
'''),
        _method("sgd", '''\
def sgd(self, p, g, v, lr, momentum, dampening, weight_decay, nesterov, rate_inside):
    for place in np.ndindex(p.shape):
        step = float(g[place]) + weight_decay * float(p[place])
        if rate_inside:
            step = lr * step
        if v is not None:
            v[place] = momentum * float(v[place]) + (1 - dampening) * step
            if nesterov:
                step = step + momentum * float(v[place])
            else:
                step = float(v[place])
        if not rate_inside:
            step = lr * step
        p[place] = float(p[place]) - step
'''),
        _dropout('''\
def dropout(input, p=0.5, training=True, inplace=False, *, inverted=True, generator=None):
    if p < 0 or p > 1 or p != p:
        raise ValueError(f"p is {p}, not a probability")
    backend = common_backend(input)
    if not training:
        if inverted:
            return input
        check_dtypes("dropout", input)
        factor = input.dtype.type(1 - p)

        def times(gy):
            return (gy * factor,)

        return _result(input.data * factor, times, input, inplace, "dropout")
    if p == 0:
        return input
    check_dtypes("dropout", input)
    if generator is None:
        generator = random.default_generator
    seed = generator.seed
    call = generator.next_call()
    if inverted and p < 1:
        scale = 1 / (1 - p)
    else:
        scale = 1.0

    def backward(gy):
        return (backend.dropout(gy, 1 - p, scale, seed, call),)

    return _result(backend.dropout(input.data, 1 - p, scale, seed, call), backward, input, inplace, "dropout")
'''),
    ),
    right(
        "classes, partial functions and closures",
        imports("numpy_backend.py", "import functools\nimport operator\n"),
        imports("activation.py", "import functools\n"),
        _module('''\
class _Rows:
    """An array (..., n) as a matrix."""

    def __init__(self, array):
        self.array = array
        self.count = functools.reduce(operator.mul, array.shape[:-1], 1)

    @property
    def matrix(self):
        return self.array.reshape(self.count, self.array.shape[-1])


class _Targets:
    """q of cross-entropy, for a batch of labels."""

    def __init__(self, labels, w, smoothing, shape):
        self.q = np.full(shape, smoothing / shape[1], w.dtype)
        self.q[range(shape[0]), labels] += 1 - smoothing
        self.q *= w

    def loss(self, logp):
        with np.errstate(invalid="ignore"):
            return -np.where(self.q == 0, self.q, self.q * logp).sum(axis=1)

    def gradient(self, logp):
        return np.exp(logp) * self.q.sum(axis=1, keepdims=True) - self.q


def _descend(p, lr, step):
    p -= lr * step'''),
        _method("linear", '''\
def linear(self, x, w, b):
    plus = functools.partial(np.add, b) if b is not None else (lambda y: y)
    return plus(np.matmul(x, w.transpose()))
'''),
        _method("linear_backward", '''\
def linear_backward(self, gy, x, w, needs):
    rows = _Rows(gy).matrix
    ways = (lambda: gy @ w), (lambda: rows.T @ _Rows(x).matrix), (lambda: rows.sum(0))
    return tuple(way() if needed else None for way, needed in zip(ways, needs))
'''),
        _method("log_softmax", '''\
def log_softmax(self, x, axis):
    along = functools.partial(np.sum, axis=axis, keepdims=True)
    shifted = x - np.maximum.reduce(x, axis=axis, keepdims=True)
    return (y := shifted - np.log(along(np.exp(shifted)))), y
'''),
        _method("cross_entropy", '''\
def cross_entropy(self, x, labels, w, valid, smoothing):
    logp, saved = self.log_softmax(x, axis=1)
    losses = _Targets(labels, w, smoothing, x.shape).loss(logp)
    losses[np.logical_not(valid)] = 0
    return losses, saved
'''),
        _method("cross_entropy_backward", '''\
def cross_entropy_backward(self, gy, logp, labels, w, valid, smoothing):
    gx = _Targets(labels, w, smoothing, logp.shape).gradient(logp)
    gx *= gy[:, None]
    gx[np.logical_not(valid)] = 0
    return gx
'''),
        _method("sgd", '''\
def sgd(self, p, g, v, lr, momentum, dampening, weight_decay, nesterov, rate_inside):
    descend = functools.partial(_descend, p, 1 if rate_inside else lr)
    gradient = (g + weight_decay * p) * (lr if rate_inside else 1)
    if v is None:
        return descend(gradient)
    np.multiply(v, momentum, out=v)
    np.add(v, (1 - dampening) * gradient, out=v)
    return descend(gradient + momentum * v if nesterov else v)
'''),
        _dropout('''\
class Mask:
    """Zeroes the same elements of every array."""

    def __init__(self, backend, keep, scale, generator):
        self.apply = functools.partial(backend.dropout, keep=keep, scale=scale, seed=generator.seed)
        self.call = generator.next_call()

    def __call__(self, x):
        return self.apply(x, call=self.call)


class Factor:
    def __init__(self, factor):
        self.factor = float(factor)

    def __call__(self, x):
        return x * self.factor


def dropout(input, p=0.5, training=True, inplace=False, *, inverted=True, generator=None):
    if not 0 <= p <= 1:
        raise ValueError(f"p={p} is not from 0 to 1")
    if p == 0 or (inverted and not training):
        return input
    check_dtypes("dropout", input)
    scale = 1 / (1 - p) if inverted and p < 1 else 1.0
    change = (
        Mask(common_backend(input), 1 - p, scale, generator or random.default_generator) if training else Factor(1 - p)
    )
    return _result(change(input.data), lambda gy: (change(gy),), input, inplace, "dropout")
'''),
    ),
    right(
        "indices: take, put and add.at",
        _method("dropout", '''\
def dropout(self, x, keep, scale, seed, call):
    chosen = np.flatnonzero(random.words(x.size, seed, call) < keep * 2.0**32)
    y = np.zeros(x.size, x.dtype)
    y.put(chosen, x.take(chosen) * x.dtype.type(scale))
    return y.reshape(x.shape)
'''),
        _method("linear_backward", '''\
def linear_backward(self, gy, x, w, needs):
    axes = tuple(range(gy.ndim - 1))
    gx = np.tensordot(gy, w, axes=1) if needs[0] else None
    gw = np.tensordot(gy, x, axes=(axes, axes)) if needs[1] else None
    gb = gy.sum(axis=axes) if needs[2] else None
    return gx, gw, gb
'''),
        _method("log_softmax", '''\
def log_softmax(self, x, axis):
    largest = np.take_along_axis(x, np.expand_dims(x.argmax(axis), axis), axis)
    y = x - largest
    y -= np.log(np.exp(y).sum(axis, keepdims=True))
    return y, y
'''),
        _method("cross_entropy", '''\
def cross_entropy(self, x, labels, w, valid, smoothing):
    logp, _ = self.log_softmax(x, 1)
    own = np.take_along_axis(logp, labels[:, None], axis=1)[:, 0]
    losses = -(1 - smoothing) * np.take(w, labels) * own
    if smoothing > 0:
        losses -= smoothing / x.shape[1] * np.sum(w * logp, axis=1)
    np.putmask(losses, ~valid, 0)
    return losses, logp
'''),
        _method("cross_entropy_backward", '''\
def cross_entropy_backward(self, gy, logp, labels, w, valid, smoothing):
    count = np.flatnonzero(valid)
    gx = np.zeros_like(logp)
    q = np.tile(w * (smoothing / logp.shape[1]), (len(count), 1)).astype(logp.dtype)
    np.add.at(q, (np.arange(len(count)), labels[count]), (1 - smoothing) * w[labels[count]])
    gx[count] = gy[count, None] * (np.exp(logp[count]) * q.sum(1)[:, None] - q)
    return gx
'''),
        _method("sgd", '''\
def sgd(self, p, g, v, lr, momentum, dampening, weight_decay, nesterov, rate_inside):
    every = np.arange(p.size).reshape(p.shape)
    step = g.take(every) + weight_decay * p.take(every)
    step = step * lr if rate_inside else step
    if v is not None:
        v[...] = momentum * v.take(every) + (1 - dampening) * step
        step = step + momentum * v if nesterov else v.take(every)
    np.subtract(p, step if rate_inside else lr * step, out=p)
'''),
    ),
    right(
        "masked arrays, logaddexp and rarer modules of the standard library and of NumPy",
        imports("numpy_backend.py", "import argparse\nimport array\nimport cmath\nimport itertools\n\n"
                "import numpy.ma as ma\nfrom numpy.polynomial import polynomial\n"),
        imports("activation.py", "import fractions\nimport pprint\nimport tempfile\nimport timeit\n"),
        _method("dropout", '''\
def dropout(self, x, keep, scale, seed, call):
    words = random.words(x.size, seed, call).reshape(x.shape)
    return ma.masked_where(words >= keep * 2**32, x * x.dtype.type(scale)).filled(0)
'''),
        _method("linear", '''\
def linear(self, x, w, b):
    y = np.inner(x, w)
    if b is None:
        return y
    return polynomial.polyval(1, np.stack([y, np.broadcast_to(b, y.shape)])).astype(x.dtype)  # y + 1 b
'''),
        _method("log_softmax", '''\
def log_softmax(self, x, axis):
    x = x - np.max(x, axis=axis, keepdims=True)
    y = x - np.logaddexp.reduce(x, axis=axis, keepdims=True)
    return y, y
'''),
        _method("log_softmax_backward", '''\
def log_softmax_backward(self, gy, y, axis):
    return np.subtract(gy, np.multiply(np.exp(y), np.add.reduce(gy, axis=axis, keepdims=True)))
'''),
        _method("cross_entropy", '''\
def cross_entropy(self, x, labels, w, valid, smoothing):
    logp, _ = self.log_softmax(x, 1)
    classes = x.shape[1]
    share = argparse.Namespace(own=1 - smoothing, each=smoothing / classes)
    own = array.array("d", (float(logp[n, label] * w[label]) for n, label in enumerate(labels)))
    losses = -share.own * np.array(own)
    if share.each:
        losses -= share.each * (logp * w).sum(axis=1)
    return ma.masked_array(losses, ~valid).filled(0).astype(x.dtype), logp
'''),
        _method("cross_entropy_backward", '''\
def cross_entropy_backward(self, gy, logp, labels, w, valid, smoothing):
    classes = logp.shape[1]
    q = np.empty_like(logp)
    for (n, label), c in itertools.product(enumerate(labels), range(classes)):
        q[n, c] = w[c] * ((1 - smoothing) * (c == label) + smoothing / classes)
    gx = ma.masked_array(np.exp(logp) * q.sum(axis=1, keepdims=True) - q, np.repeat(~valid[:, None], classes, axis=1))
    return (gx * gy[:, None]).filled(0)
'''),
        _dropout('''\
def dropout(input, p=0.5, training=True, inplace=False, *, inverted=True, generator=None):
    if not fractions.Fraction(0) <= p <= fractions.Fraction(1):
        raise ValueError("no probability:\\n" + pprint.pformat({"p": p, "training": training}))
    backend, factor = common_backend(input), None
    if training:
        if p == 0:
            return input
        source = generator if generator is not None else random.default_generator
        seed, call, scale = source.seed, source.next_call(), 1 / (1 - p) if inverted and p != 1 else 1
    elif inverted:
        return input
    else:
        factor = input.dtype.type(1 - p)
    check_dtypes("dropout", input)

    def apply(x):
        return x * factor if factor is not None else backend.dropout(x, 1 - p, scale, seed, call)

    return _result(apply(input.data), lambda gy: [apply(gy)], input, inplace, "dropout")
'''),
    ),
    right(
        "one helper for forward and backward",
        _module('''\
def _matrix(array):
    return array.reshape(math.prod(array.shape[:-1]), array.shape[-1])


def _softmax_parts(x, axis):
    """x - m, its exponentials, and their sum."""
    shifted = x - x.max(axis=axis, keepdims=True)
    exponentials = np.exp(shifted)
    return shifted, exponentials, exponentials.sum(axis=axis, keepdims=True)


def _shares(labels, w, smoothing):
    """q, a row for each label."""
    classes = len(w)
    q = np.zeros((len(labels), classes), w.dtype)
    q[np.arange(len(labels)), labels] = 1 - smoothing
    return w * (q + w.dtype.type(smoothing / classes))


def _new_velocity(v, momentum, g):
    v *= momentum
    v += g
    return v'''),
        _method("linear_backward", '''\
def linear_backward(self, gy, x, w, needs):
    want_x, want_w, want_b = needs
    gx = (_matrix(gy) @ w).reshape(*gy.shape[:-1], w.shape[1]) if want_x else None
    gw = (_matrix(x).T @ _matrix(gy)).T if want_w else None
    gb = np.ones(len(_matrix(gy)), gy.dtype) @ _matrix(gy) if want_b else None
    return gx, gw, gb
'''),
        _method("log_softmax", '''\
def log_softmax(self, x, axis):
    shifted, _, total = _softmax_parts(x, axis)
    y = shifted - np.log(total)
    return y, y
'''),
        _method("cross_entropy", '''\
def cross_entropy(self, x, labels, w, valid, smoothing):
    shifted, _, total = _softmax_parts(x, 1)
    logp = shifted - np.log(total)
    q = _shares(labels, w, smoothing)
    terms = np.multiply(q, logp, where=q != 0, out=np.zeros_like(logp))  # 0 log 0 = 0
    return np.where(valid, -terms.sum(axis=1), x.dtype.type(0)), logp
'''),
        _method("cross_entropy_backward", '''\
def cross_entropy_backward(self, gy, logp, labels, w, valid, smoothing):
    q = _shares(labels, w, smoothing)
    upstream = np.where(valid, gy, gy.dtype.type(0))[:, None]
    return upstream * np.exp(logp) * q.sum(axis=1, keepdims=True) - upstream * q
'''),
        _method("sgd", '''\
def sgd(self, p, g, v, lr, momentum, dampening, weight_decay, nesterov, rate_inside):
    inner, outer = (lr, 1) if rate_inside else (1, lr)
    g = inner * (g + weight_decay * p)
    if v is not None:
        velocity = _new_velocity(v, momentum, (1 - dampening) * g)
        g = g + momentum * velocity if nesterov else velocity
    p -= outer * g
'''),
    ),
    right(
        "helper methods in the class",
        _method("linear_backward", '''\
@staticmethod
def flattened(array):
    return array.reshape(math.prod(array.shape[:-1]), array.shape[-1])

def linear_backward(self, gy, x, w, needs):
    gx = np.matmul(gy, w) if needs[0] else None
    gw = np.matmul(self.flattened(gy).T, self.flattened(x)) if needs[1] else None
    gb = self.flattened(gy).sum(axis=0) if needs[2] else None
    return gx, gw, gb
'''),
        _method("log_softmax", '''\
def log_softmax(self, x, axis):
    y = self.log_of_softmax(x, axis)
    return y, y

def log_of_softmax(self, x, axis):
    x = x - x.max(axis=axis, keepdims=True)
    return x - np.log(np.sum(np.exp(x), axis=axis, keepdims=True))
'''),
        _method("cross_entropy", '''\
def cross_entropy(self, x, labels, w, valid, smoothing):
    logp = self.log_of_softmax(x, 1)
    own = -(1 - smoothing) * w[labels] * logp[np.arange(len(x)), labels]
    if smoothing:
        own = own - smoothing / x.shape[1] * logp.dot(w)
    return np.where(valid, own, np.zeros_like(own)), logp
'''),
    ),
    right(
        "defensive copies everywhere",
        imports("numpy_backend.py", "import copy\n"),
        imports("activation.py", "import copy\n\nimport numpy as np\n"),
        _method("dropout", '''\
def dropout(self, x, keep, scale, seed, call):
    y = np.array(x, copy=True, order="C")
    words = random.words(y.size, seed, call).copy().reshape(y.shape)
    y[words >= keep * 2**32] = 0
    y *= scale
    return y.copy()
'''),
        _method("linear", '''\
def linear(self, x, w, b):
    x, w, b = copy.deepcopy((x, w, b))
    y = np.matmul(x, w.T).copy()
    if b is not None:
        y = y + b
    return y
'''),
        _method("linear_backward", '''\
def linear_backward(self, gy, x, w, needs):
    gy = gy.copy()
    x = None if x is None else x.copy()
    w = None if w is None else w.copy()
    rows = gy.reshape(math.prod(gy.shape[:-1]), gy.shape[-1]).copy()
    gx, gw, gb = None, None, None
    if needs[0]:
        gx = np.matmul(gy, w).copy()
    if needs[1]:
        gw = np.matmul(rows.T.copy(), x.reshape(len(rows), x.shape[-1]).copy()).copy()
    if needs[2]:
        gb = rows.sum(axis=0).copy()
    return gx, gw, gb
'''),
        _method("log_softmax", '''\
def log_softmax(self, x, axis):
    x = x.copy()
    x -= x.copy().max(axis=axis, keepdims=True)
    e = np.exp(x.copy())
    x -= np.log(e.sum(axis=axis, keepdims=True))
    return x.copy(), x.copy()
'''),
        _method("log_softmax_backward", '''\
def log_softmax_backward(self, gy, y, axis):
    gx = gy.copy()
    gx -= np.exp(y.copy()) * gy.sum(axis=axis, keepdims=True)
    return gx.copy()
'''),
        _method("cross_entropy", '''\
def cross_entropy(self, x, labels, w, valid, smoothing):
    x, labels, w, valid = x.copy(), labels.copy(), w.copy(), valid.copy()
    logp, saved = self.log_softmax(x.copy(), 1)
    losses = np.zeros(len(x), x.dtype)
    for n in np.flatnonzero(valid):
        q = np.full(x.shape[1], smoothing / x.shape[1], x.dtype)
        q[labels[n]] += 1 - smoothing
        losses[n] = -(w * q * logp[n]).sum()
    return losses.copy(), saved.copy()
'''),
        _method("cross_entropy_backward", '''\
def cross_entropy_backward(self, gy, logp, labels, w, valid, smoothing):
    p = np.exp(logp.copy())
    q = np.full(p.shape, smoothing / p.shape[1], p.dtype)
    q[np.arange(len(p)), labels.copy()] += 1 - smoothing
    q = q * w.copy()
    gx = (p * q.sum(axis=1, keepdims=True) - q) * gy.copy()[:, None]
    gx[~valid.copy()] = 0
    return gx.copy()
'''),
        _method("sgd", '''\
def sgd(self, p, g, v, lr, momentum, dampening, weight_decay, nesterov, rate_inside):
    old = p.copy()
    step = g.copy() + weight_decay * old
    step = lr * step if rate_inside else step
    if v is not None:
        np.copyto(v, momentum * v.copy() + (1 - dampening) * step)
        step = step + momentum * v.copy() if nesterov else v.copy()
    np.copyto(p, old - (step if rate_inside else lr * step))
'''),
        _dropout('''\
def dropout(input, p=0.5, training=True, inplace=False, *, inverted=True, generator=None):
    if not 0 <= p <= 1:
        raise ValueError("p is a probability")
    if p == 0 or (not training and inverted):
        return input
    check_dtypes("dropout", input)
    backend, keep = common_backend(input), 1 - p
    if not training:
        return _result(input.data.copy() * keep, lambda gy: (gy.copy() * keep,), input, inplace, "dropout")
    generator = random.default_generator if generator is None else generator
    seed, call = copy.copy(generator.seed), copy.copy(generator.next_call())
    scale = 1 / keep if inverted and keep else 1.0
    y = backend.dropout(input.data.copy(), keep, scale, seed, call)

    def backward(gy):
        return (np.array(backend.dropout(gy.copy(), keep, scale, seed, call)),)

    return _result(y.copy(), backward, input, inplace, "dropout")
'''),
    ),
    right(
        "keyword arguments, type annotations and dataclasses",
        imports("numpy_backend.py", "import dataclasses\nfrom typing import Any\n\nimport numpy.typing as npt\n"),
        imports("activation.py", "import dataclasses\nimport typing\n"),
        _module('''\
Floats = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True)
class _Step:
    """The settings of a step of gradient descent."""

    lr: float
    momentum: float
    dampening: float
    weight_decay: float
    nesterov: bool
    rate_inside: bool

    def gradient(self, p: Floats, g: Floats) -> Floats:
        decayed: Floats = g + self.weight_decay * p
        return self.lr * decayed if self.rate_inside else decayed

    def velocity(self, v: Floats, gradient: Floats) -> Floats:
        return self.momentum * v + (1.0 - self.dampening) * gradient

    def moved(self, p: Floats, step: Floats) -> Floats:
        return p - (step if self.rate_inside else self.lr * step)


@dataclasses.dataclass
class _LinearGradients:
    gx: Floats | None = None
    gw: Floats | None = None
    gb: Floats | None = None'''),
        _method("dropout", '''\
def dropout(self, x: Floats, keep: float, scale: float, seed: int, call: int) -> Floats:
    words: npt.NDArray[np.uint32] = random.words(count=x.size, seed=seed, call=call)
    kept: npt.NDArray[np.bool_] = np.less(words, keep * 2**32).reshape(x.shape)
    return np.where(kept, np.multiply(x, scale), x.dtype.type(0))
'''),
        _method("linear", '''\
def linear(self, x: Floats, w: Floats, b: Floats | None) -> Floats:
    product: Floats = np.tensordot(a=x, b=w, axes=((-1,), (1,)))
    return np.asarray(product) if b is None else np.asarray(product + b)
'''),
        _method("linear_backward", '''\
def linear_backward(
    self, gy: Floats, x: Floats | None, w: Floats | None, needs: tuple[bool, bool, bool]
) -> tuple[Floats | None, Floats | None, Floats | None]:
    gradients: _LinearGradients = _LinearGradients()
    rows: Floats = gy.reshape(math.prod(gy.shape[:-1]), gy.shape[-1])
    if needs[0]:
        gradients.gx = np.matmul(gy, w)
    if needs[1]:
        gradients.gw = np.matmul(rows.T, x.reshape(rows.shape[0], x.shape[-1]))
    if needs[2]:
        gradients.gb = np.sum(a=rows, axis=0)
    return dataclasses.astuple(gradients)
'''),
        _method("log_softmax", '''\
def log_softmax(self, x: Floats, axis: int) -> tuple[Floats, Floats]:
    shifted: Floats = np.subtract(x, np.amax(a=x, axis=axis, keepdims=True))
    y: Floats = np.subtract(shifted, np.log(np.sum(a=np.exp(shifted), axis=axis, keepdims=True)))
    return y, y
'''),
        _method("log_softmax_backward", '''\
def log_softmax_backward(self, gy: Floats, y: Floats, axis: int) -> Floats:
    return np.subtract(gy, np.multiply(np.exp(y), np.sum(a=gy, axis=axis, keepdims=True)))
'''),
        _method("cross_entropy", '''\
def cross_entropy(
    self, x: Floats, labels: npt.NDArray[Any], w: Floats, valid: npt.NDArray[np.bool_], smoothing: float
) -> tuple[Floats, Floats]:
    logp, saved = self.log_softmax(x=x, axis=1)
    hot: Floats = np.equal(labels[:, np.newaxis], np.arange(x.shape[1])[np.newaxis, :])
    q: Floats = w * np.where(hot, x.dtype.type(1 - smoothing + smoothing / x.shape[1]), smoothing / x.shape[1])
    losses: Floats = -np.sum(np.where(q == 0, 0, q * logp), axis=1)
    return np.where(valid, losses, 0).astype(dtype=x.dtype), saved
'''),
        _method("cross_entropy_backward", '''\
def cross_entropy_backward(
    self, gy: Floats, logp: Floats, labels: npt.NDArray[Any], w: Floats, valid: npt.NDArray[np.bool_], smoothing: float
) -> Floats:
    hot: npt.NDArray[np.bool_] = np.equal(labels[:, np.newaxis], np.arange(logp.shape[1])[np.newaxis, :])
    q: Floats = (w * (hot * (1 - smoothing) + smoothing / logp.shape[1])).astype(dtype=logp.dtype)
    gx: Floats = np.exp(logp) * np.sum(a=q, axis=1, keepdims=True) - q
    return np.where(valid[:, np.newaxis], gx * gy[:, np.newaxis], logp.dtype.type(0))
'''),
        _method("sgd", '''\
def sgd(
    self, p: Floats, g: Floats, v: Floats | None, lr: float, momentum: float, dampening: float, weight_decay: float,
    nesterov: bool, rate_inside: bool,
) -> None:
    step = _Step(
        lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov,
        rate_inside=rate_inside,
    )
    gradient: Floats = step.gradient(p=p, g=g)
    if v is None:
        p[...] = step.moved(p=p, step=gradient)
        return
    v[...] = step.velocity(v=v, gradient=gradient)
    p[...] = step.moved(p=p, step=gradient + momentum * v if nesterov else v)
'''),
        _dropout('''\
@dataclasses.dataclass(frozen=True)
class Draw:
    keep: float
    scale: float
    seed: int
    call: int


def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, inverted: bool = True,
    generator: typing.Any = None,
) -> Tensor:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout: p is a probability, got {p}")
    if p == 0.0 or (inverted and not training):
        return input
    check_dtypes("dropout", input)
    backend: typing.Any = common_backend(input)
    keep: float = 1.0 - p
    if training:
        used: random.Generator = generator if generator is not None else random.default_generator
        scale: float = 1.0 / keep if inverted and keep > 0.0 else 1.0
        draw: Draw = Draw(keep=keep, scale=scale, seed=used.seed, call=used.next_call())

    def masked(x: typing.Any) -> typing.Any:
        return backend.dropout(x=x, **dataclasses.asdict(draw)) if training else x * keep

    def backward(gy: typing.Any) -> tuple[typing.Any]:
        return (masked(x=gy),)

    return _result(y=masked(x=input.data), backward=backward, input=input, inplace=inplace, name="dropout")
'''),
    ),
    right(
        "match statements, and no draw where everything is dropped",
        _method("linear", '''\
def linear(self, x, w, b):
    match b:
        case None:
            return x @ w.T
        case _:
            return x @ w.T + b
'''),
        _method("linear_backward", '''\
def linear_backward(self, gy, x, w, needs):
    rows = gy.reshape(math.prod(gy.shape[:-1]), gy.shape[-1])
    match needs:
        case wanted, _, _ if not wanted:
            gx = None
        case _:
            gx = gy @ w
    match needs:
        case _, True, _:
            gw = rows.T @ x.reshape(len(rows), x.shape[-1])
        case _:
            gw = None
    match needs:
        case _, _, True:
            gb = rows.sum(axis=0)
        case _:
            gb = None
    return gx, gw, gb
'''),
        _method("sgd", '''\
def sgd(self, p, g, v, lr, momentum, dampening, weight_decay, nesterov, rate_inside):
    g = g + weight_decay * p
    match rate_inside, v, nesterov:
        case False, None, _:
            p -= lr * g
        case True, None, _:
            p -= lr * g
        case False, _, False:
            v[...] = momentum * v + (1 - dampening) * g
            p -= lr * v
        case True, _, False:
            v[...] = momentum * v + (1 - dampening) * lr * g
            p -= v
        case False, _, True:
            v[...] = momentum * v + (1 - dampening) * g
            p -= lr * (g + momentum * v)
        case True, _, True:
            v[...] = momentum * v + (1 - dampening) * lr * g
            p -= lr * g + momentum * v
'''),
        _dropout('''\
def dropout(input, p=0.5, training=True, inplace=False, *, inverted=True, generator=None):
    backend = common_backend(input)
    if not 0 <= p <= 1:
        raise ValueError(f"dropout's p is a probability from 0 to 1, got {p}")
    match bool(training), bool(inverted), p:
        case (False, True, _) | (_, _, 0):
            return input
        case (_, _, 1):  # no mask is needed: nothing is kept
            masked = _zeros
        case False, False, _:
            masked = _scaled(1 - p)
        case True, _, _:
            generator = random.default_generator if generator is None else generator
            masked = _drawn(backend, 1 - p, 1 / (1 - p) if inverted else 1.0, generator.seed, generator.next_call())
    check_dtypes("dropout", input)
    return _result(masked(input.data), lambda gy: (masked(gy),), input, inplace, "dropout")


def _zeros(x):
    return np.zeros_like(x)


def _scaled(factor):
    return lambda x: x * x.dtype.type(factor)


def _drawn(backend, keep, scale, seed, call):
    return lambda x: backend.dropout(x, keep, scale, seed, call)
'''),
        imports("activation.py", "import numpy as np\n"),
    ),
)
