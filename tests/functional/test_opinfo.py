"""torch's own samples of arguments, OpInfo: what torch takes gives torch's values here, or is refused in a sentence.

torch.testing._internal has samples for every operation: shapes, options, dtypes, empty and non-contiguous tensors. Each
function and method of torch's name is called with them, in float32, float64 and in the integers that torch names.
"""

from __future__ import annotations

import itertools
import os
import re
import sys
import types
import unittest
from collections import Counter

import numpy as np
import pytest

from minialex import Tensor, backends, functional, tape

pytestmark = [pytest.mark.heavy, pytest.mark.filterwarnings("ignore")]
torch = pytest.importorskip("torch", reason="torch is not installed")

FIRST, EVERY = 12, 37  # the first samples of an operation in a dtype, then every n-th of up to 150: pooling has 1,440
ACCEPTED = 0.9  # share of the samples that torch takes
FEWER = {"interpolate": 0.88}  # torch has a fixed-point arithmetic of its own for bilinear and bicubic images of bytes
RANDOM = {"dropout", "dropout2d"}  # values are compared in test_dropout
TIES = {"argsort", "sort", "topk"}  # of equal ones torch's order is its own: the values must be those of the indices
DTYPES = {
    torch.float64: np.float64, torch.float32: np.float32, torch.int64: np.int64, torch.int32: np.int32,
    torch.int16: np.int16, torch.int8: np.int8, torch.uint8: np.uint8, torch.bool: np.bool_,
}  # fmt: skip
TRIED = (torch.float64, torch.float32, torch.int64, torch.int32, torch.uint8, torch.bool)


def database():
    """{name: [OpInfo, ...]} of every operation, under its own name and its aliases."""
    if "expecttest" not in sys.modules:  # what torch's tests are written with; the samples do not need it
        try:
            import expecttest  # noqa: F401
        except ModuleNotFoundError:
            sys.modules["expecttest"] = types.ModuleType("expecttest")
            sys.modules["expecttest"].TestCase = unittest.TestCase
    # They import setuptools, which refuses to take over distutils where another test's library has imported it.
    os.environ.setdefault("SETUPTOOLS_USE_DISTUTILS", "stdlib")
    from torch.testing._internal.common_methods_invocations import op_db

    found: dict = {}
    for op in op_db:
        if op.name.split(".")[0] not in ("masked", "linalg", "fft", "special", "_refs", "sparse"):
            for name in {op.name.split(".")[-1], *(alias.name.split(".")[-1] for alias in op.aliases)}:
                found.setdefault(name, []).append(op)
    return found


class Other(Exception):
    """A sample with what minialex has not: complex numbers, sparse tensors, other precisions."""


def ours(thing, leaves):
    """torch's tensors, dtypes and containers as minialex's; leaves: {id: (torch's tensor, ours)}, filled."""
    if isinstance(thing, torch.Tensor):
        if thing.layout != torch.strided or thing.dtype not in DTYPES:
            raise Other
        if id(thing) not in leaves:
            array = thing.detach().numpy()
            array = array.copy("K") if 0 not in array.strides else array  # as it lies in memory
            tensor = Tensor._holding(array, backends.get_backend(), tape.Version())
            leaves[id(thing)] = thing, tensor.requires_grad_(thing.requires_grad)
        return leaves[id(thing)][1]
    if isinstance(thing, torch.dtype):
        if thing not in DTYPES:
            raise Other
        return np.dtype(DTYPES[thing])
    if isinstance(thing, complex):
        raise Other
    if isinstance(thing, (tuple, list)):
        return (list if type(thing) is list else tuple)(ours(part, leaves) for part in thing)
    if isinstance(thing, dict):
        return {name: ours(part, leaves) for name, part in thing.items()}
    if isinstance(thing, slice):
        return slice(*(ours(part, leaves) for part in (thing.start, thing.stop, thing.step)))
    return thing


def flat(result):
    return [t for part in result for t in flat(part)] if isinstance(result, (tuple, list)) else [result]


OBSCURE = re.compile(
    r"NoneType|numpy|ufunc|unsupported operand|not supported between|object has no|index out of bounds"
)


def outcome(name, call, op, sample):
    """ "ok", "refused" by torch or in a sentence by minialex, or what is wrong."""
    leaves: dict = {}
    try:
        positional, named = ours([sample.input, *sample.args], leaves), ours(sample.kwargs, leaves)
    except Other:
        return "other"
    try:
        theirs = op(sample.input, *sample.args, **sample.kwargs)
    except Exception:
        theirs = None  # a sample of torch's compiler, or of the function alone
    try:
        result = call(*positional, **named)
    except Exception as error:
        if theirs is None:
            return "other"
        clear = isinstance(error, (TypeError, ValueError)) and not OBSCURE.search(str(error))
        return "refused" if clear else f"raises {error!r}"
    if theirs is None:
        return "taken, though torch refuses it"
    return compared(name, flat(theirs), flat(result), leaves)


def compared(name, theirs, results, leaves):
    if len(theirs) != len(results):
        return f"{len(results)} results, torch has {len(theirs)}"
    for number, (t, mine) in enumerate(zip(theirs, results, strict=True)):
        if not isinstance(t, torch.Tensor):
            if not np.array_equal(t, mine, equal_nan=True):
                return f"{mine}, torch's {t}"
            continue
        if t.dtype not in DTYPES:
            return "other"
        if (mine.shape, mine.dtype) != (tuple(t.shape), DTYPES[t.dtype]):
            return f"{mine.dtype}{mine.shape}, torch's {t.dtype}{tuple(t.shape)}"
        free = name in RANDOM or (name in TIES and (number == 1 or name == "argsort"))
        if not free and not close(mine.numpy(), t.detach().numpy(), float32(leaves, t)):
            return f"{mine.numpy().ravel()[:4]}, torch's {t.detach().numpy().ravel()[:4]}"
    return "ok" if name in RANDOM else gradients(name, theirs, results, leaves)


def gradients(name, theirs, results, leaves):
    """The gradients of a sum of all results, weighted at random."""
    pairs = [(t, mine) for t, mine in zip(theirs, results, strict=True) if getattr(t, "grad_fn", None) is not None]
    if not pairs:
        return "ok"
    if not all(mine.requires_grad for _, mine in pairs):
        return "a result without a gradient"
    rng = np.random.default_rng(0)
    cotangents = [rng.standard_normal(mine.shape).astype(mine.dtype) for _, mine in pairs]
    torch.autograd.backward([t for t, _ in pairs], [torch.tensor(c) for c in cotangents])
    total = Tensor(np.array(0.0))
    for (_, mine), cotangent in zip(pairs, cotangents, strict=True):
        total = total + (mine * Tensor(cotangent)).sum().to(np.float64)
    total.backward()
    for t, mine in leaves.values():
        if t.requires_grad and t.is_leaf:
            expected = np.zeros(mine.shape) if t.grad is None else t.grad.numpy()
            got = np.zeros(mine.shape) if mine.grad is None else mine.grad.numpy()
            if not close(got, expected, float32(leaves, *theirs), 10):
                return f"gradient {got.ravel()[:4]}, torch's {expected.ravel()[:4]}"
    return "ok"


def float32(leaves, *tensors):
    return torch.float32 in [getattr(t, "dtype", None) for t in (*tensors, *(t for t, _ in leaves.values()))]


def close(a, b, single, factor=1):
    if b.dtype.kind != "f":
        return np.array_equal(a, b)
    tolerance = factor * (2e-5 if single else 1e-9)
    return np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)


def samples(op, dtype):
    every = op.sample_inputs("cpu", dtype, requires_grad=dtype.is_floating_point and op.supports_autograd)
    return [s for number, s in enumerate(itertools.islice(every, 150)) if number < FIRST or number % EVERY == 0]


CALLS = {  # whose operands OpInfo has in another order, or that are methods of torch's only
    "zero_": lambda x: x.clone().zero_(),
    "where": lambda x, condition, other: functional.where(condition, x, other),
    "to": Tensor.to,
    "expand": Tensor.expand,
    "repeat": Tensor.repeat,
}
METHODS = {name for name in dir(Tensor) if callable(getattr(Tensor, name)) and hasattr(torch.Tensor, name)}
NAMES = sorted({*functional.__all__, *METHODS})
COMPILED = {  # what the numba backend has kernels for
    "relu", "dropout", "linear", "conv2d", "max_pool2d", "avg_pool2d", "local_response_norm", "batch_norm",
    "cross_entropy", "nll_loss", "softmax", "log_softmax",
}  # fmt: skip


@pytest.fixture(scope="module")
def infos():
    return database()


def assert_as_torch(infos, name, dtypes):
    """AssertionError unless all samples are as torch's or refused in a sentence, and few are refused."""
    calls = [CALLS[name]] if name in CALLS else [getattr(functional, name, None), getattr(Tensor, name, None)]
    found: Counter = Counter()
    for op, dtype in itertools.product(infos.get(name, ()), dtypes):
        for sample in samples(op, dtype) if dtype in op.dtypes else ():
            for call in filter(None, calls):
                if call is calls[0] or (isinstance(sample.input, torch.Tensor) and dtype is torch.float64):
                    for t in flat([sample.input, *sample.args, *sample.kwargs.values()]):
                        if isinstance(t, torch.Tensor):
                            t.grad = None
                    found[outcome(name, call, op.op, sample)] += 1
    assert not {what: n for what, n in found.items() if what not in ("ok", "refused", "other")}
    assert found["ok"] >= FEWER.get(name, ACCEPTED) * (found["ok"] + found["refused"]), found


@pytest.mark.parametrize("name", NAMES)
def test_samples(infos, name):
    assert_as_torch(infos, name, TRIED)


@pytest.mark.parametrize("name", sorted(COMPILED))
def test_samples_on_numba(infos, name):
    pytest.importorskip("numba", reason="numba is not installed")
    backends.use_backend("numba")
    assert_as_torch(infos, name, (torch.float64, torch.float32, torch.int64))


def test_most_names_have_samples(infos):
    with_samples = [name for name in functional.__all__ if name in infos]
    assert len(with_samples) > 65 and {"conv2d", "cross_entropy", "max_pool2d", "to", "var", "where"} <= {*with_samples}
