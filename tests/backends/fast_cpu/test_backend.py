"""The fast CPU: what the table of cases (test_cases.py) does not reach by itself."""

from __future__ import annotations

import itertools
import os
import platform
import subprocess
import sys
import threading

import numpy as np
import pytest

from minialex import Tensor, backends, functional, models, nn, optim, random, threads
from minialex.backends.fast_cpu import backend as numba_backend
from minialex.backends.fast_cpu import compiled, few_rows, normalization
from minialex.cases import CASES
from minialex.window import Window

NUMPY, NUMBA = backends.get_backend("numpy"), backends.get_backend("numba")


@pytest.fixture
def many_pieces(monkeypatch):
    """Two threads, and even the smallest array shared between them."""
    monkeypatch.setattr(numba_backend, "_FEW", 1)
    before = threads.count()
    threads.set_count(2)
    yield
    threads.set_count(before)


@pytest.mark.heavy
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_in_pieces(case, many_pieces):
    expected_y, expected = case.gradients(case.arrays(), "numpy")
    y, gradients = case.gradients(case.arrays(), "numba")
    for ours, theirs in zip((y, *gradients), (expected_y, *expected), strict=True):
        scale = abs(theirs[np.isfinite(theirs)]).max(initial=0)
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-11 * scale)


def train(backend, steps=3, seed=3):
    """(losses, weights) of a few steps of a network with Winograd, LRN, dropout, pools and batch norm."""
    draw = np.random.default_rng(seed)
    generator = random.Generator(seed)
    model = nn.Sequential(
        nn.Conv2d(3, 32, 5, stride=2, padding=2),
        nn.ReLU(inplace=True),
        nn.LocalResponseNorm(5, alpha=0.1),
        nn.Conv2d(32, 16, 5, padding=2, groups=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.4, generator=generator),
        nn.Linear(16 * 3 * 3, 7),
    )
    for name, p in model.named_parameters():
        p.data = (draw.standard_normal(p.shape) * (0.1 if name.endswith("weight") else 0.5)).astype(np.float32)
    model.to(backend)
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
    images = draw.standard_normal((9, 3, 30, 30)).astype(np.float32)
    labels, losses = draw.integers(0, 7, 9), []
    for _ in range(steps):
        loss = functional.cross_entropy(model(Tensor(images, backend=backend)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, [p.numpy().copy() for p in model.parameters()]


@pytest.mark.heavy
@pytest.mark.parametrize("number", [1, 2])
def test_one_seed_one_run(number):
    before = threads.count()
    threads.set_count(number)
    try:
        losses, weights = train("numba")
        again, same = train("numba")
    finally:
        threads.set_count(before)
    assert losses == again
    for a, b in zip(weights, same, strict=True):
        np.testing.assert_array_equal(a, b)
    reference, _ = train("numpy")
    assert losses == pytest.approx(reference, rel=1e-4) and losses[-1] < losses[0]


@pytest.mark.heavy
def test_two_threads_train_at_once(many_pieces):
    alone = {seed: train("numba", seed=seed) for seed in (3, 4)}
    together, failures = {}, []

    def work(seed):
        try:
            together[seed] = [train("numba", seed=seed) for _ in range(3)]
        except Exception as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in alone]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
        assert not worker.is_alive()
    assert not failures
    for seed, (losses, weights) in alone.items():
        for again, same in together[seed]:
            assert again == losses
            for a, b in zip(weights, same, strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.heavy
def test_alexnet_begins_as_on_numpy():
    """Two pictures, forward: every layer of the real network, at its real size."""
    random.manual_seed(0)
    model = models.build("alexnet").eval()
    images = np.random.default_rng(0).standard_normal((2, 3, 227, 227)).astype(np.float32)
    expected = model(Tensor(images)).numpy()
    ours = model.to("numba")(Tensor(images, backend="numba")).numpy()
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-4 * expected.std())


def views(array):
    """The same values laid out otherwise: last axis first, and every second element of something larger."""
    yield np.moveaxis(np.ascontiguousarray(np.moveaxis(array, -1, 0)), 0, -1)
    wide = np.full((*array.shape[:-1], 2 * array.shape[-1]), np.nan, array.dtype)
    wide[..., ::2] = array
    yield wide[..., ::2]


@pytest.mark.heavy
def test_arrays_of_any_layout(rng):
    shape = (3, 4, 6, 5)
    x, w, b = rng.standard_normal(shape), rng.standard_normal((6, 2, 3, 3)), rng.standard_normal(6)
    window, pool = Window.over(shape, 3, 2, 1), Window.over_pool(shape, 3, 2, 1)
    gy, gp = rng.standard_normal((3, 6, *window.output)), rng.standard_normal((3, 4, *pool.output))
    dense, scale = rng.standard_normal((7, 5)), np.array(0.25)
    lrn, needs = (3, 0.1, 0.75, 2.0, False, 1), (True, True, True)
    calls = [
        lambda k, x, w, gy, gp: k.relu(x),
        lambda k, x, w, gy, gp: k.relu_backward(x, x),
        lambda k, x, w, gy, gp: k.dropout(x, 0.7, 1.5, 3, 2**33),
        lambda k, x, w, gy, gp: k.linear(x, dense, None),
        lambda k, x, w, gy, gp: k.linear_backward(x @ dense.T, x, dense, needs),
        lambda k, x, w, gy, gp: k.conv2d(x, w, b, window, 2, needs)[0],
        lambda k, x, w, gy, gp: k.conv2d_backward(gy, k.conv2d(x, w, b, window, 2, needs)[1], window, 2, needs),
        lambda k, x, w, gy, gp: k.max_pool2d(x, pool, True),
        lambda k, x, w, gy, gp: k.max_pool2d_backward(gp, k.max_pool2d(x, pool, True)[1], pool),
        lambda k, x, w, gy, gp: k.avg_pool2d(x, scale, pool),
        lambda k, x, w, gy, gp: k.avg_pool2d_backward(gp, scale, pool),
        lambda k, x, w, gy, gp: k.local_response_norm(x, *lrn, True)[0],
        lambda k, x, w, gy, gp: k.local_response_norm_backward(x, k.local_response_norm(x, *lrn, True)[1], *lrn),
        lambda k, x, w, gy, gp: k.batch_norm(x, None, None, None, 1e-5)[:3],
        lambda k, x, w, gy, gp: k.batch_norm_backward(x, k.batch_norm(x, None, None, None, 1e-5)[3], None, True),
    ]
    for call in calls:
        expected = call(NUMPY, x, w, gy, gp)
        for others in zip(*map(views, (x, w, gy, gp)), strict=True):
            ours = call(NUMBA, *others)
            pairs = zip(ours, expected, strict=True) if isinstance(expected, tuple) else [(ours, expected)]
            for a, e in pairs:
                np.testing.assert_allclose(a, e, rtol=0, atol=1e-11)


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.heavy)])
def test_pooling_picks_the_same_place(rng, dtype):
    """Ties, NaN, and windows with nothing but -inf or padding: the winner's number is NumPy's."""
    x = rng.integers(0, 3, (2, 3, 8, 9)).astype(dtype)
    x[0, 0, :5] = -np.inf
    x[1, 1, 2:4, 3:5] = np.nan
    for options in ((3, 2, 1), (2, 3, 0, 2, True), ((3, 1), 1, (1, 0)), (5, 4, 2, 1, True)):
        window = Window.over_pool(x.shape, *options)
        y, winners = NUMBA.max_pool2d(x, window, True)
        expected_y, expected = NUMPY.max_pool2d(x, window, True)
        np.testing.assert_array_equal(y, expected_y)
        np.testing.assert_array_equal(winners, expected)
        assert y.dtype == dtype and winners.dtype == expected.dtype
        assert NUMBA.max_pool2d(x, window, False)[1] is None


def test_relu_lets_a_nan_through():
    x = np.array([-1, -0.0, 0, 2, np.nan, np.inf, -np.inf], np.float32)
    np.testing.assert_array_equal(NUMBA.relu(x), NUMPY.relu(x))
    np.testing.assert_array_equal(NUMBA.relu_backward(np.ones_like(x), x), [0, 0, 0, 1, 1, 1, 0])
    y = x.copy()
    assert NUMBA.relu(y, out=y) is y and y[0] == 0


@pytest.mark.parametrize("size", [1, 3, 4, 5, 1002])
@pytest.mark.parametrize(("keep", "call"), [(0.5, 0), (0.3, 2**32 + 5), (1e-3, 7), (0.0, 1)])
def test_dropouts_masks(rng, many_pieces, size, keep, call):
    x = rng.standard_normal(size).astype(np.float32)
    x[0] = np.inf
    with np.errstate(invalid="ignore"):
        expected = NUMPY.dropout(x, keep, 1.25, 2**40 + 3, call)
    np.testing.assert_array_equal(NUMBA.dropout(x, keep, 1.25, 2**40 + 3, call), expected)


@pytest.mark.parametrize("momentum", [0, 0.9])
@pytest.mark.parametrize("dampening", [0, 0.3])
@pytest.mark.parametrize("weight_decay", [0, 0.01])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("rate_inside", [False, True])
def test_sgd(rng, many_pieces, momentum, dampening, weight_decay, nesterov, rate_inside):
    p, g, v = (rng.standard_normal((5, 7)) for _ in range(3))
    settings = (0.1, momentum, dampening, weight_decay, nesterov, rate_inside)
    theirs, ours = (p.copy(), v.copy()), (p.copy(), v.copy())
    NUMPY.sgd(theirs[0], g, theirs[1] if momentum else None, *settings)
    NUMBA.sgd(ours[0], g.T.copy().T, ours[1] if momentum else None, *settings)
    np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(("weight_decay", "decoupled"), [(0, False), (0.1, False), (0.1, True)])
def test_adam(rng, many_pieces, weight_decay, decoupled):
    arrays = [rng.standard_normal((5, 7)) for _ in range(3)] + [rng.random((5, 7))]
    for t in (1, 10):
        theirs, ours = [a.copy() for a in arrays], [a.copy() for a in arrays]
        NUMPY.adam(*theirs, t, 0.01, 0.9, 0.999, 1e-8, weight_decay, decoupled)
        NUMBA.adam(*ours, t, 0.01, 0.9, 0.999, 1e-8, weight_decay, decoupled)
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_what_is_not_overridden_is_numpys():
    assert type(NUMBA).log_softmax is type(NUMPY).log_softmax


def run(code, **environment):
    """The output of a Python process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=os.environ | environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_kernels_run_as_plain_python():
    """NUMBA_DISABLE_JIT=1: what a debugger can step through computes the same."""
    code = """
import numpy as np
from minialex import backends, threads
from minialex.backends.fast_cpu import elementwise, winograd
from minialex.cases import CASES
from minialex.window import Window
assert not hasattr(elementwise.relu, "py_func"), "this is a compiled function"
threads.set_count(2)
wanted = ("conv2d", "linear", "relu", "max_pool2d", "avg_pool2d", "local_response_norm", "batch_norm", "dropout",
          "cross_entropy")
seen = set()
for case in CASES:
    arrays = case.arrays()
    if case.op not in wanted or sum(a.size for a in arrays) > 1500:
        continue
    seen.add(case.op)
    (y, gradients), (expected, others) = case.gradients(arrays, "numba"), case.gradients(arrays, "numpy")
    for ours, theirs in zip((y, *gradients), (expected, *others)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11 * np.abs(theirs).max(), err_msg=case.name)
assert seen == set(wanted), seen
draw = np.random.default_rng(0)
x, w = draw.standard_normal((3, 2, 5, 6)), draw.standard_normal((2, 2, 3, 3))
window, reference = Window.over(x.shape, 3, 1, 1), backends.get_backend("numpy")
y, saved = reference.conv2d(x, w, None, window, 1, (True, True, False))
np.testing.assert_allclose(winograd.conv2d(x, w, None, window, 1, 4), y, atol=1e-12)
ours = winograd.conv2d_backward(y, x.shape, w.shape, x, w, window, 1, 4)
for a, b in zip(ours, reference.conv2d_backward(y, saved, window, 1, (True, True, False))):
    np.testing.assert_allclose(a, b, atol=1e-11)
arrays = [draw.random(9) for _ in range(4)]
for name, settings in (("sgd", (0.1, 0.9, 0.0, 0.01, True, True)), ("adam", (3, 0.1, 0.9, 0.99, 1e-8, 0.1, True))):
    count = 3 if name == "sgd" else 4
    a, b = [x.copy() for x in arrays[:count]], [x.copy() for x in arrays[:count]]
    getattr(backends.get_backend("numba"), name)(*a, *settings)
    getattr(reference, name)(*b, *settings)
    np.testing.assert_allclose(a, b, rtol=1e-12)
print("the same")
"""
    assert run(code, NUMBA_DISABLE_JIT="1") == "the same"


def test_numba_is_imported_only_when_asked_for():
    code = """
import sys
import minialex
minialex.functional.relu(minialex.Tensor([1.0]))
assert "numba" not in sys.modules and "threadpoolctl" not in sys.modules
minialex.use_backend("numba")
print("numba" in sys.modules)
"""
    assert run(code) == "True"


@pytest.mark.heavy
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to keep freed memory")
def test_freed_memory_is_kept():
    """Without it 64 MB anew are 32 page faults at least, with the largest pages there are."""
    code = """
import resource
import numpy as np
from minialex import backends
backends.get_backend("numba")
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(1 << 24, np.float32)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    assert int(run(code)) < 10


@pytest.mark.heavy
def test_compiling_is_announced_once_and_kept_on_disk(tmp_path):
    code = """
import numpy as np
from minialex import backends
backend = backends.get_backend("numba")
with backend.announcing(print):
    backend.relu(np.ones(3, np.float32))
    backend.relu_backward(np.ones(3, np.float32), np.ones(3, np.float32))
"""
    assert run(code, NUMBA_CACHE_DIR=str(tmp_path)).splitlines() == [
        "compiling the kernels: once, ten seconds to half a minute, then they are on disk"
    ]
    assert run(code, NUMBA_CACHE_DIR=str(tmp_path)) == ""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_linear_layers_of_few_rows(rng, dtype, monkeypatch):
    """Numbers of rows around those that a kernel of our own multiplies, odd ones of outputs, weights transposed."""
    fast, reference, ours = backends.get_backend("numba"), backends.get_backend("numpy"), set()
    multiply = few_rows.multiply
    monkeypatch.setattr(few_rows, "multiply", lambda x, *others: ours.add(len(x)) or multiply(x, *others))
    sizes = itertools.product((1, 2, 3, 4, 5, 7, 8, 31, 32, 33), (0, 1, 6, 33), (1, 2, 65, 131))
    for rows, inputs, outputs in (*sizes, (31, 6001, 7), (3, 50_000, 5)):  # the last two are summed piece by piece
        x, w, b = (rng.standard_normal(shape).astype(dtype) for shape in ((rows, inputs), (outputs, inputs), outputs))
        for weights in (w, np.asfortranarray(w)):
            for bias in (b, None):
                expected = reference.linear(x.astype(float), weights.astype(float), bias)
                found = fast.linear(x, weights, bias)
                assert found.dtype == dtype
                error = (2e-5 if dtype == "float32" else 1e-12) * (max(1, inputs / 10) ** 0.5 if inputs > 100 else 1)
                np.testing.assert_allclose(found, expected, rtol=0, atol=error)
    assert ours == {2, 3, 4, 5, 7, 8, 31, 32}


def test_the_power_of_response_normalisation():
    """d^-3/4 of float32 by Newton's method: 2.5e-7 off at most in its range; beyond it, as NumPy says."""
    d, power = np.logspace(-9, 9, 100_001).astype(np.float32), np.empty(100_001, np.float32)
    normalization._power(d, np.float32(0.75), power)
    assert abs(power / d.astype(float) ** -0.75 - 1).max() < 2.5e-7
    with np.errstate(all="ignore"):
        for odd in (0.0, 1e-12, 1e-20, 1e12, 1e20, np.inf, np.nan, -1.0):
            d[777] = odd
            normalization._power(d, np.float32(0.75), power)
            expected = (d.astype(float) ** -0.75).astype(np.float32)
            assert np.isfinite(power[778]) and abs(power[778] / expected[778] - 1) < 1e-6
            np.testing.assert_allclose(power[777], expected[777], rtol=1e-6)


def test_processes_that_compile_at_once_do_not_mix_up_their_code(tmp_path, monkeypatch):
    """Each sees no index when it begins to write, as if both had looked at the same moment."""
    first, second = (compiled._Files(str(tmp_path), "kernel-1.py311", (1.0, 2)) for _ in range(2))
    with monkeypatch.context() as at_once:
        at_once.setattr(compiled._Files, "_load_index", lambda self: {})
        first.save("float32", "code for float32")
        second.save("float64", "code for float64")
    for files in (first, second):
        assert files.load("float32") in (None, "code for float32")
        assert files.load("float64") == "code for float64"
    first.save("float32", "code for float32")
    assert second.load("float32") == "code for float32" and second.load("float64") == "code for float64"
    newer = compiled._Files(str(tmp_path), "kernel-1.py311", (3.0, 2))
    assert newer.load("float32") is None
