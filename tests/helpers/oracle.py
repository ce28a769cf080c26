"""What torch makes of every case of the table: for each operation an expression of torch's own.

Most are torch functions of the same name and options. What only minialex has (padding of four sides, the strided
"same", normalisation within a map, the Philox mask of dropout) is written out in torch's primitives; torch
differentiates all of it by itself.
"""

from __future__ import annotations

import loops
import numpy as np
import torch
import torch.nn.functional as F

from minialex import functional
from minialex.tensor import Tensor


def gradients(case, arrays, cotangent):
    """(y, gradients of all inputs) as NumPy arrays of the inputs' dtype; cotangent: a function of y's shape."""
    tensors = [torch.tensor(x, requires_grad=True) for x in arrays]
    y = FUNCTIONS[case.op](*tensors, **case.options)
    y.backward(torch.tensor(cotangent(tuple(y.shape))))
    return y.detach().numpy(), [t.grad.numpy() for t in tensors]


def _pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def _conv2d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    stride, dilation = _pair(stride), _pair(dilation)
    if padding == "valid":
        padding = 0
    if padding == "same":  # TensorFlow's documentation says it in these words, for dilation 1
        assert dilation == (1, 1)
        totals = [max(k - (n % s or s), 0) for n, k, s in zip(x.shape[2:], w.shape[2:], stride)]
        padding = [(total // 2, total - total // 2) for total in totals]
    (top, bottom), (left, right) = [_pair(p) for p in _pair(padding)]
    return F.conv2d(F.pad(x, (left, right, top, bottom)), w, b, stride, 0, dilation, groups)


def _local2d(x, w, b=None, stride=1, padding=0, groups=1):
    """A convolution with each place's filters, of which that place is kept."""
    shape, places = tuple(w.shape), np.ndindex(*w.shape[:2])
    pixels = [_conv2d(x, w[place], None, stride, padding, 1, groups)[(..., *place)] for place in places]
    y = torch.stack(pixels, -1).reshape(len(x), shape[2], *shape[:2])
    return y if b is None else y + b


def _local_response_norm(x, size, alpha=1e-4, beta=0.75, k=1.0, alpha_over="window", within_channel=False, groups=1):
    per_element = alpha if alpha_over == "element" else alpha / (size * size if within_channel else size)
    if within_channel:
        before, after = size // 2, size - 1 - size // 2
        squares = F.pad(x * x, (before, after, before, after)).unfold(2, size, 1).unfold(3, size, 1)
        return x / (k + per_element * squares.sum((-1, -2))) ** beta
    blocks = [F.local_response_norm(block, size, per_element * size, beta, k) for block in x.chunk(groups, dim=1)]
    return torch.cat(blocks, dim=1)


def _contrast_norm(x, size, alpha=1e-4, beta=0.75, k=1.0):
    def neighbours(t):  # in a last axis; what lies outside of the image is left out of sums
        before, after = size // 2, size - 1 - size // 2
        return F.pad(t, (before, after, before, after)).unfold(2, size, 1).unfold(3, size, 1).flatten(-2)

    d = x - neighbours(x).sum(-1) / neighbours(torch.ones_like(x)).sum(-1)
    return x / (k + alpha * neighbours(d * d).sum(-1) / size**2) ** beta


def _stochastic_pool2d(x, kernel_size, stride=None, padding=0, ceil_mode=False, training=True, evaluation="mean"):
    kernel, padding = _pair(kernel_size), [(p, p) for p in _pair(padding)]
    rows, columns = loops.corners(x.shape[2:], kernel, _pair(stride or kernel), padding, (1, 1), ceil_mode)
    found = []
    for number, (n, c, i, j) in enumerate(np.ndindex(*x.shape[:2], len(rows), len(columns))):
        pixels = loops.pixels((rows[i], columns[j]), kernel, (1, 1), x.shape[2:])
        a = torch.stack([x[n, c, row, column].clamp(min=0) for _, _, row, column in pixels])
        total = a.sum().item()
        if total == 0:
            found.append(0 * a[0])
        elif training:
            bound = total * loops.word(number, seed=7, call=0) / 2**32
            found.append(next(a[q] for q in range(len(a)) if a[: q + 1].sum().item() > bound))
        else:
            found.append(a.max() if evaluation == "max" else (a * a).sum() / a.sum())
    return torch.stack(found).reshape(*x.shape[:2], len(rows), len(columns))


def _dropout(x, p=0.5, training=True, inverted=True):
    keep = 1 - p
    if not training:
        return x if inverted else x * keep
    mask = loops.dropout_mask(x.shape, keep, seed=7, call=0)  # Case.run draws from a new Generator(7)
    mask = torch.tensor(mask, dtype=x.dtype)
    return x * mask / keep if inverted and keep else x * mask


def _dropout2d(x, p=0.5, training=True):
    mask = _dropout(torch.ones_like(x[(..., *[slice(1)] * (x.ndim - 2))]), p, training)
    return x * mask


def _weighted_loss(name):
    def function(x, target, weight=None, **options):
        options |= {} if weight is None else {"weight": torch.tensor(weight, dtype=x.dtype)}
        return getattr(F, name)(x, target, **options)

    return function


def _cross_entropy(x, target, weight=None, **options):
    weight = None if weight is None else torch.tensor(weight, dtype=x.dtype)
    return F.cross_entropy(x, torch.tensor(np.asarray(target, np.int64)), weight, **options)


def _nll_loss(x, target, weight=None, **options):
    weight = None if weight is None else torch.tensor(weight, dtype=x.dtype)
    return F.nll_loss(x, torch.tensor(np.asarray(target, np.int64)), weight, **options)


def _batch_norm(x, weight=None, bias=None, running_mean=None, running_var=None, **options):
    running = [None if r is None else torch.tensor(r, dtype=x.dtype) for r in (running_mean, running_var)]
    return F.batch_norm(x, *running, weight, bias, **options)


def _getitem(x, index):
    """torch knows no negative steps, so NumPy says which elements are meant."""
    places = np.arange(x.numel()).reshape(x.shape)[index]
    return x.reshape(-1)[torch.tensor(np.ascontiguousarray(places))].reshape(np.shape(places))


def _extreme(name):
    def function(x, **options):
        y = getattr(torch, name)(x, **options)
        return y.values if options else y

    return function


def _clamp(x, low=None, high=None, min=None, max=None):
    return torch.clamp(x, min if low is None else low, max if high is None else high)


def _bce(x, target, weight=None, pos_weight=None, **options):
    weights = [None if w is None else torch.tensor(w, dtype=x.dtype) for w in (weight, pos_weight)]
    return F.binary_cross_entropy_with_logits(x, target, weights[0], pos_weight=weights[1], **options)


class Names:
    """torch under the names of minialex.functional: `names.softmax`, `names.conv2d`."""

    def __getattr__(self, name):
        if name in ("sigmoid", "tanh", "concatenate"):
            return getattr(torch, name)
        return getattr(F, name, None) or getattr(torch, name)  # torch.dropout and torch.batch_norm are others than F's


def outcome(call, names, make, arrays):
    """What a call comes to: (dtypes and values of its results, gradients of its inputs), or the error it raises.

    call: (names, *tensors) -> a tensor or a tuple of them; of a tuple the first has the gradients.
    """
    tensors = [make(x.copy()) for x in arrays]
    try:
        results = call(names, *tensors)
        results = tuple(results) if isinstance(results, tuple) else (results,)
        if results[0].requires_grad:
            cotangent = np.random.default_rng(0).standard_normal(tuple(results[0].shape))
            results[0].backward(make(cotangent.astype(arrays[0].dtype), False))
    except (ValueError, IndexError, TypeError, RuntimeError, NotImplementedError) as error:
        return error
    values = [np.asarray(r.detach().numpy()) for r in results]
    zeros = [np.zeros(x.shape, x.dtype) for x in arrays]
    return values, [z if t.grad is None else np.asarray(t.grad) for t, z in zip(tensors, zeros)]


def assert_same(call, *arrays):
    """AssertionError unless minialex does as torch: raises, or gives the same values, gradients, shapes and dtypes."""
    arrays = [np.asarray(x) for x in arrays]

    def torch_leaf(x, leaf=True):
        return torch.tensor(x, requires_grad=leaf and x.dtype.kind == "f")

    def our_leaf(x, leaf=True):
        return Tensor(x, requires_grad=leaf and x.dtype.kind == "f")

    ours, theirs = outcome(call, functional, our_leaf, arrays), outcome(call, Names(), torch_leaf, arrays)
    if isinstance(theirs, Exception) or isinstance(ours, Exception):
        both = isinstance(theirs, Exception) and isinstance(ours, Exception)
        assert both, f"minialex: {ours!r}\ntorch: {theirs!r}"
        return
    for kind, mine, torchs in zip(("value", "gradient"), ours, theirs):
        for a, b in zip(mine, torchs, strict=True):
            assert (a.shape, a.dtype) == (b.shape, b.dtype), f"{kind}: {a.dtype}{a.shape}, torch's {b.dtype}{b.shape}"
            rtol = 1e-5 if np.float32 in (a.dtype, *(x.dtype for x in arrays)) else 1e-11
            largest = np.abs(b[np.isfinite(b)]).max(initial=0) if a.dtype.kind == "f" else 0
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * largest, err_msg=kind)


FUNCTIONS = {
    "abs": torch.abs,
    "adaptive_avg_pool2d": F.adaptive_avg_pool2d,
    "adaptive_max_pool2d": F.adaptive_max_pool2d,
    "add": torch.add,
    "batch_norm": _batch_norm,
    "binary_cross_entropy_with_logits": _bce,
    "binary_cross_entropy": _weighted_loss("binary_cross_entropy"),
    "clamp": _clamp,
    "clone": torch.clone,
    "contrast_norm": _contrast_norm,
    "cumsum": torch.cumsum,
    "dropout2d": _dropout2d,
    "elu": F.elu,
    "expand": lambda x, sizes: x.expand(sizes),
    "flip": torch.flip,
    "gather": lambda x, dim, index: torch.gather(x, dim, torch.tensor(index)),
    "gelu": F.gelu,
    "huber_loss": _weighted_loss("huber_loss"),
    "interpolate": F.interpolate,
    "l1_loss": _weighted_loss("l1_loss"),
    "masked_fill": lambda x, mask, value: x.masked_fill(torch.tensor(mask), value),
    "norm": torch.norm,
    "remainder": torch.remainder,
    "repeat": lambda x, repeats: x.repeat(repeats),
    "silu": F.silu,
    "smooth_l1_loss": F.smooth_l1_loss,
    "softplus": F.softplus,
    "squeeze": torch.squeeze,
    "stochastic_pool2d": _stochastic_pool2d,
    "std": torch.std,
    "unsqueeze": torch.unsqueeze,
    "concatenate": lambda *tensors, dim: torch.cat(tensors, dim),
    "getitem": _getitem,
    "leaky_relu": F.leaky_relu,
    "logsumexp": torch.logsumexp,
    "max": _extreme("max"),
    "maximum": torch.maximum,
    "min": _extreme("min"),
    "minimum": torch.minimum,
    "mse_loss": F.mse_loss,
    "nll_loss": _nll_loss,
    "pad": F.pad,
    "sigmoid": torch.sigmoid,
    "softmax": torch.softmax,
    "stack": lambda *tensors, dim=0: torch.stack(tensors, dim),
    "var": torch.var,
    "where": lambda a, b, condition: torch.where(torch.tensor(condition), a, b),
    "avg_pool2d": F.avg_pool2d,
    "conv2d": _conv2d,
    "cross_entropy": _cross_entropy,
    "div": torch.div,
    "dropout": _dropout,
    "exp": torch.exp,
    "flatten": torch.flatten,
    "linear": F.linear,
    "local2d": _local2d,
    "local_response_norm": _local_response_norm,
    "log": torch.log,
    "log_softmax": F.log_softmax,
    "matmul": torch.matmul,
    "max_pool2d": F.max_pool2d,
    "mean": torch.mean,
    "mul": torch.mul,
    "neg": torch.neg,
    "permute": torch.permute,
    "pow": torch.pow,
    "relu": F.relu,
    "reshape": torch.reshape,
    "sqrt": torch.sqrt,
    "sub": torch.sub,
    "sum": torch.sum,
    "tanh": torch.tanh,
    "transpose": torch.transpose,
}
