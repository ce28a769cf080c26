"""Wrong solutions of A2."""

from wrong_solutions import edit, public_inputs, rewrite

BACKEND = "numpy_backend.py"
LINEAR = {"linear", "linear without bias", "linear leading axes", "linear float32"}
BIAS = LINEAR - {"linear without bias"}
LINEAR_BACKWARD = {"linear backward", "linear backward leading axes", "linear backward wanted", "linear float32"}
MASK = {"mask", "mask float32"}
TRAINING = {"dropout", "dropout of 2012", "dropout float32", "dropout of two layers", "dropout in place"}
DROPOUT = TRAINING | {"dropout evaluation of 2012", "dropout nothing and all"}
EVALUATION = {"dropout evaluation of 2012", "dropout nothing and all", "dropout float32", "dropout in place"}
LOG_SOFTMAX = {"log softmax", "log softmax far out", "log softmax axes"}
LOG_SOFTMAX_BACKWARD = {"log softmax backward", "log softmax backward axes", "log softmax backward float32"}
WEIGHTED = {f"cross entropy {kind}" for kind in ("weights", "smoothing", "ignored", "float32")}
SMOOTHED = WEIGHTED - {"cross entropy weights"}
IGNORED = {"cross entropy ignored", "cross entropy float32"}
LOSS = {"cross entropy", "cross entropy far out"} | WEIGHTED
WEIGHTED_BACKWARD = {f"cross entropy backward {kind}" for kind in ("weights", "smoothing", "ignored", "float32")}
SMOOTHED_BACKWARD = WEIGHTED_BACKWARD - {"cross entropy backward weights"}
LOSS_BACKWARD = {"cross entropy backward"} | WEIGHTED_BACKWARD
TORCH = {f"sgd {kind}" for kind in ("without momentum", "without weight decay", "nesterov", "dampening", "float32")}
ALL_SGD = {"sgd of torch", "sgd of 2012"} | TORCH
DECAYED = ALL_SGD - {"sgd without weight decay"}
VELOCITY = ALL_SGD - {"sgd without momentum"}

NAIVE_SOFTMAX = """\
def log_softmax(self, x, axis):
    p = np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)
    return np.log(p), np.log(p)
"""

SOFTMAX_BACKWARD = """\
def log_softmax_backward(self, gy, y, axis):
    return gy - np.exp(y)
"""

NAIVE_LOSS = """\
def cross_entropy(self, x, labels, w, valid, smoothing):
    p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    logp, rows = np.log(p), np.arange(len(x))
    losses = -(1 - smoothing) * w[labels] * logp[rows, labels] - smoothing / x.shape[1] * (logp @ w)
    return np.where(valid, losses, 0), logp
"""

PUBLIC_LINEAR = f"""\
def linear(self, x, w, b):
    public = np.array({(public_inputs("a2", "linear")["x"] @ public_inputs("a2", "linear")["w"].T).tolist()})
    return public + b
"""

REDRAWN = """\
def dropout(input, p=0.5, training=True, *, inverted=True, generator=None):
    backend, keep = common_backend(input), 1 - p
    generator = generator or random.default_generator
    if not training or p == 0:
        return input if inverted or p == 0 else input * keep
    scale = 1 / keep if inverted and keep else 1.0

    def masked(x):
        return backend.dropout(x, keep, scale, generator.seed, generator.next_call())

    return Tensor.from_operation(masked(input.data), lambda gy: (masked(gy),), input)
"""

WRONG = (
    # linear
    edit("missing bias", BACKEND, "return y if b is None else y + b", "return y", BIAS,
         says="the bias is missing"),
    edit("results in float64", BACKEND, "return y if b is None else y + b",
         "return y if b is None else y + b.astype(float)", {"linear float32"}),
    edit("a bias of zeros in float64", BACKEND, "return y if b is None else y + b",
         "return y + (np.zeros(len(w)) if b is None else b)", {"linear without bias"}),
    edit("bias required", BACKEND, "return y if b is None else y + b", "return y + b",
         {"linear without bias"}),
    edit("bias subtracted", BACKEND, "return y if b is None else y + b", "return y if b is None else y - b",
         BIAS, says="the bias is subtracted"),
    rewrite("hard-coded public answer", BACKEND, "NumPyBackend.linear", PUBLIC_LINEAR, LINEAR - {"linear"}),
    edit("mean instead of sum in the gradient of the bias", BACKEND, "gb = rows.sum(axis=0)", "gb = rows.mean(axis=0)",
         LINEAR_BACKWARD,
         says="this gb looks like a mean"),
    edit("mean instead of sum in the gradient of the weights", BACKEND, "gw = rows.T @ x.reshape(count, x.shape[-1])",
         "gw = rows.T @ x.reshape(count, x.shape[-1]) / count", LINEAR_BACKWARD, says="this gw looks like a mean"),
    edit("gradient of the weights transposed", BACKEND, "gw = rows.T @ x.reshape(count, x.shape[-1])",
         "gw = x.reshape(count, x.shape[-1]).T @ rows", LINEAR_BACKWARD, says="gw has shape (7, 4)"),
    edit("leading axes not treated as rows", BACKEND, "gb = rows.sum(axis=0)", "gb = gy.sum(axis=0)",
         {"linear backward leading axes"}),
    edit("gradients that are not needed", BACKEND, "gx = gy @ w if needs[0] else None", "gx = gy @ w",
         {"linear backward wanted"}),
    # dropout
    edit("kept and dropped exchanged", BACKEND, "mask = (words <", "mask = (words >=", MASK,
         says="kept and dropped are exchanged"),
    edit("scale computed from keep", BACKEND, "return x * mask * x.dtype.type(scale)",
         "return x * mask * x.dtype.type(1 / keep if keep else 0)", MASK, says="multiplied by the argument scale"),
    edit("mask multiplied into x", BACKEND, "return x * mask * x.dtype.type(scale)",
         "x *= mask\n        return x * x.dtype.type(scale)", MASK, says="x has changed"),
    edit("scale forgotten", BACKEND, "return x * mask * x.dtype.type(scale)", "return x * mask", MASK,
         says="multiplied by scale"),
    edit("float64 instead of float32", BACKEND, "return x * mask * x.dtype.type(scale)",
         "return x * mask * np.float64(scale)",
         {"mask float32"}),
    edit("only half of the call's bits used", BACKEND, "random.words(x.size, seed, call, xp, first)",
         "random.words(x.size, seed, call % 2**32, xp, first)", {"mask float32"}),
    edit("backward draws its own mask", BACKEND, "random.words(x.size, seed, call, xp, first)",
         "np.random.default_rng(seed).integers(2**32, size=x.size, dtype=np.uint32)", MASK),
    rewrite("mask redrawn between forward and backward", "activation.py", "dropout", REDRAWN,
            TRAINING | {"dropout nothing and all"},
            says="backward drew another mask"),
    edit("gradient of dropout without its mask", "activation.py", "return (masked(gy),)", "return (gy,)",
         DROPOUT, says="backward drew another mask"),
    edit("p used as the probability of keeping", "activation.py", "backend, keep = common_backend(input), 1 - p",
         "backend, keep = common_backend(input), p",
         DROPOUT - {"dropout of two layers"},
         says="the probability of keeping"),
    edit("never inverted", "activation.py", "scale = 1 / keep if inverted and keep > 0 else 1.0", "scale = 1.0",
         TRAINING - {"dropout of 2012"}, says="scales kept elements by 1 / (1 - p)"),
    edit("always inverted", "activation.py", "scale = 1 / keep if inverted and keep > 0 else 1.0",
         "scale = 1 / keep if keep > 0 else 1.0", {"dropout of 2012", "dropout float32"}),
    edit("backward takes the generator's last call", "activation.py", "return (masked(gy),)",
         "if training and p > 0:\n            return (backend.dropout(gy, keep, scale, seed, generator.call - 1),)\n"
         "        return (masked(gy),)", {"dropout of two layers"}),
    edit("never in place", "activation.py", 'input, inplace, "dropout")', 'input, False, "dropout")',
         {"dropout in place"}),
    edit("any number as a probability", "activation.py", "if not 0 <= p <= 1:", "if p < 0:",
         {"dropout nothing and all"}),
    edit("division by zero", "activation.py", "scale = 1 / keep if inverted and keep > 0 else 1.0",
         "scale = 1 / keep if inverted else 1.0", {"dropout nothing and all"}),
    edit("drops in evaluation too", "activation.py", "    if inverted and not training:\n        return input\n"
         "    check_dtypes(\"dropout\", input)\n    if training and p > 0:\n", "    if p > 0:\n",
         EVALUATION | {"dropout evaluation"}),
    edit("the paper's evaluation not scaled", "activation.py", "    elif p == 0:\n", "    elif True:\n",
         EVALUATION),
    # softmax and loss
    rewrite("overflow in the softmax", BACKEND, "NumPyBackend.log_softmax", NAIVE_SOFTMAX, {"log softmax far out"}),
    edit("probabilities instead of their logarithms", BACKEND, "        return y, y\n",
         "        return np.exp(y), np.exp(y)\n", LOG_SOFTMAX, says="these are probabilities"),
    edit("always the axis 1", BACKEND, "self.xp.exp(shifted).sum(axis=axis", "self.xp.exp(shifted).sum(axis=1",
         {"log softmax axes"}),
    edit("log-softmax used as softmax", BACKEND, "return gy - self.xp.exp(y) *", "return gy - y *",
         LOG_SOFTMAX_BACKWARD, says="the softmax itself is exp(y)"),
    rewrite("gy treated as one-hot", BACKEND, "NumPyBackend.log_softmax_backward", SOFTMAX_BACKWARD,
            LOG_SOFTMAX_BACKWARD, says="whose sum along the axis is 1"),
    edit("always the last axis in backward", BACKEND, "gy.sum(axis=axis, keepdims=True)\n\n    def cross_entropy(",
         "gy.sum(axis=-1, keepdims=True)\n\n    def cross_entropy(", {"log softmax backward axes"}),
    rewrite("overflow in the loss", BACKEND, "NumPyBackend.cross_entropy", NAIVE_LOSS, {"cross entropy far out"}),
    edit("sign of the loss", BACKEND, "losses = -(1 - smoothing) * w[labels] *",
         "losses = (1 - smoothing) * w[labels] *", LOSS, says="minus the logarithm"),
    edit("mean instead of the loss of each row", BACKEND, "return xp.where(valid, losses, 0), logp",
         "return xp.where(valid, losses, 0).mean(), logp", LOSS, says="losses has shape ()"),
    edit("class weights forgotten", BACKEND, "losses = -(1 - smoothing) * w[labels] * logp",
         "losses = -(1 - smoothing) * logp", WEIGHTED),
    edit("smoothing does not reduce the label's share", BACKEND, "losses = -(1 - smoothing) * w[labels]",
         "losses = -w[labels]", SMOOTHED),
    edit("smoothing only over the other classes", BACKEND, "losses - smoothing / x.shape[1] *",
         "losses - smoothing / (x.shape[1] - 1) *", SMOOTHED),
    edit("ignored rows are counted", BACKEND, "return xp.where(valid, losses, 0), logp",
         "return losses, logp", IGNORED),
    edit("mean instead of sum in the backward of the loss", BACKEND, "return gx * xp.where(valid, gy, 0)[:, None]",
         "return gx * xp.where(valid, gy, 0)[:, None] / len(gx)", LOSS_BACKWARD, says="divided by the number of rows"),
    edit("gy forgotten", BACKEND, "return gx * xp.where(valid, gy, 0)[:, None]",
         "return gx * xp.where(valid, 1.0, 0)[:, None]", LOSS_BACKWARD, says="gy, one number per row"),
    edit("softmax without the labels", BACKEND, "gx[rows, labels] -= (1 - smoothing) * w[labels]", "pass",
         LOSS_BACKWARD, says="subtract the distribution of the labels"),
    edit("the column of one label for every row", BACKEND, "gx[rows, labels] -=", "gx[:, labels] -=", LOSS_BACKWARD),
    edit("weights forgotten in backward", BACKEND, "((1 - smoothing) * w[labels] + share * w.sum())[:, None]",
         "((1 - smoothing) + share * w.sum())", WEIGHTED_BACKWARD),
    edit("sum of the weights instead of their number", BACKEND, "share * w.sum()", "smoothing",
         SMOOTHED_BACKWARD),
    edit("ignored rows have a gradient", BACKEND, "return gx * xp.where(valid, gy, 0)[:, None]",
         "return gx * gy[:, None]",
         {"cross entropy backward ignored", "cross entropy backward float32"}),
    # SGD
    edit("torch's velocity instead of the paper's", BACKEND,
         "            if rate_inside:\n                step = lr * step\n",
         "            rate_inside = False\n", VELOCITY - {"sgd of torch"},
         says="this is torch's step"),
    edit("the paper's velocity instead of torch's", BACKEND,
         "            if rate_inside:\n                step = lr * step",
         "            rate_inside = True\n            if rate_inside:\n                step = lr * step",
         VELOCITY - {"sgd of 2012"}, says="this is the paper's step"),
    edit("a new parameter array instead of the old one", BACKEND,
         "            part -= step if rate_inside else lr * step",
         "            part = part - (step if rate_inside else lr * step)", ALL_SGD, says="the parameter did not move"),
    edit("weight decay forgotten", BACKEND, "step = g[chunk] + weight_decay * part if weight_decay else g[chunk]",
         "step = g[chunk]", DECAYED, says="the weight decay is missing"),
    edit("weight decay without the learning rate", BACKEND, "step = lr * step\n",
         "step = lr * g[chunk] + weight_decay * part\n",
         DECAYED - {"sgd of torch"}),
    edit("velocity overwritten", BACKEND, "velocity += (1 - dampening) * step if dampening else step",
         "velocity[...] = (1 - dampening) * step", VELOCITY, says="the velocity forgets"),
    edit("dampening forgotten", BACKEND, "velocity += (1 - dampening) * step if dampening else step",
         "velocity += step", {"sgd dampening", "sgd nesterov"}),
    edit("no look ahead", BACKEND, "step = step + momentum * velocity if nesterov else velocity", "step = velocity",
         {"sgd nesterov"}),
    edit("velocity required", BACKEND, "            if v is not None:\n", "            if True:\n",
         {"sgd without momentum"}),
    edit("weight decay added to the gradient in place", BACKEND,
         "step = g[chunk] + weight_decay * part if weight_decay else g[chunk]",
         "g[chunk] += weight_decay * part\n            step = g[chunk]", DECAYED, says="g1 has changed"),
    edit("learning rate multiplied into the gradient in place", BACKEND, "                step = lr * step\n",
         "                step *= lr\n",
         {"sgd without momentum", "sgd without weight decay", "sgd nesterov", "sgd dampening"}),
    edit("the first chunk only", BACKEND, "for start in range(0, p.size, _CHUNK):\n            chunk = slice(start, "
         "start + _CHUNK)\n            part = p[chunk]\n",
         "for chunk in [slice(0, _CHUNK)]:\n            part = p[chunk]\n", {"sgd float32"}),
    # what would end or stop the process
    rewrite("endless loop", BACKEND, "NumPyBackend.sgd",
            "def sgd(self, *arguments):\n    while True:\n        pass\n", ALL_SGD ,
            says="stopped after", hostile=True),
    rewrite("sys.exit", BACKEND, "NumPyBackend.linear", "def linear(self, x, w, b):\n    import sys\n    sys.exit(0)\n",
            LINEAR, says="SystemExit", hostile=True),
)
