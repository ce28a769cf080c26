"""The CUDA kernels on a GPU, against NumPy: `python -m pytest -m gpu` runs this file and the table of test_cases.py."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import usable

from minialex import Tensor, backends, data, functional, models, nn, random
from minialex.backends.cuda.launch import MOST_BLOCKS, MOST_ROWS
from minialex.runs import checkpoint
from minialex.training.recipe import make_optimizer

pytestmark = pytest.mark.gpu
BACKEND = "cupy"
FLAT = 4 * MOST_BLOCKS * 256 + 37  # elements: more than one grid's threads take, even four each, and no multiple of 4
MAPS = MOST_ROWS + 16  # more than a grid has rows


@pytest.fixture
def gpu():
    """The backend, or a skipped test."""
    return usable.or_skip(BACKEND)


def assert_close(ours, expected, tolerance=3e-6):
    """By how much of the array's largest an entry may be off: see tests/test_cases.py."""
    assert isinstance(ours, np.ndarray) and ours.shape == expected.shape and ours.dtype == expected.dtype
    error, largest = np.abs(ours - expected).max(initial=0), np.abs(expected).max(initial=0)
    assert error <= tolerance * largest, f"off by {error} of {largest}"


# ---------------------------------------------------------------------------------------------- training


def batches(name, size):
    """Random pictures and labels for a network, other ones each time."""
    preset, draw = models.PRESETS[name], np.random.default_rng(3)
    while True:
        images = draw.standard_normal((size, 3, preset.input_size, preset.input_size), np.float32)
        yield images, draw.integers(0, preset.num_classes, size)


def train(name, backend, batch_size, steps):
    """(losses, weights by name) of a network in training."""
    random.manual_seed(5)
    model = models.build(name).to(backend)
    optimizer, losses = make_optimizer(model, models.PRESETS[name].recipe), []
    for _, (images, labels) in zip(range(steps), batches(name, batch_size)):
        loss = functional.cross_entropy(model(Tensor(images, backend=backend)), labels)
        losses.append(loss)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return [loss.item() for loss in losses], {name: p.numpy() for name, p in model.named_parameters()}


def test_ten_steps_as_on_numpy(gpu):
    expected, weights = train("shapes_net", "numpy", 50, 10)
    losses, ours = train("shapes_net", gpu, 50, 10)
    assert losses == pytest.approx(expected, rel=1e-4) and len(set(expected)) == 10
    start = dict(models.build("shapes_net").named_parameters())
    for name, w in weights.items():
        moved = np.abs(w - start[name].numpy()).max()
        assert np.abs(ours[name] - w).max() < 1e-2 * moved, name


@pytest.mark.parametrize("name", ["shapes_net", "cifar_quick"])
def test_one_seed_the_same_bits(gpu, name):
    """Sums in a fixed order: nothing depends on which block is done first."""
    first, second = (train(name, gpu, 100, 3) for _ in range(2))
    assert first[0] == second[0]
    for layer, w in first[1].items():
        assert w.tobytes() == second[1][layer].tobytes(), layer


@pytest.mark.parametrize(("name", "gigabytes"), [("cifar_quick", 1), ("alexnet", 10)])
def test_networks_of_full_size(gpu, name, gigabytes):
    """Two steps in batches of 128; NumPy, which takes its time for AlexNet, computes the first loss."""
    free = gpu.xp.cuda.runtime.memGetInfo()[0]
    if free < gigabytes << 30:
        pytest.skip(f"the GPU has {free / 2**30:.1f} GiB free, {name} takes up to {gigabytes}")
    losses, weights = train(name, gpu, 128, 2)
    random.manual_seed(5)
    model, (images, labels) = models.build(name), next(batches(name, 128))
    assert losses[0] == pytest.approx(functional.cross_entropy(model(Tensor(images)), labels).item(), rel=1e-4)
    assert np.isfinite(losses[1]) and losses[0] != losses[1]
    assert all(np.isfinite(w).all() for w in weights.values())


# ---------------------------------------------------------------------------------------------- NumPy beside CuPy


def test_tensors_are_compared_with_arrays_of_numpy(gpu, rng):
    x, other = rng.standard_normal((2, 3, 4)).astype(np.float32)[:2]
    t = Tensor(x, backend=gpu)
    for ours, expected in [
        (t < other, x < other), (other < t, other < x), (t == x, x == x), (t != other, x != other),
        (t >= other.tolist(), x >= other), (t > 0.5, x > 0.5), (t <= np.float32(0.5), x <= 0.5),
    ]:  # fmt: skip
        assert ours.backend is gpu
        np.testing.assert_array_equal(ours.numpy(), expected)
    assert t[np.asarray((t > 0.5).numpy())].shape == x[x > 0.5].shape


@pytest.mark.parametrize(
    "index",
    [[0, 7], (slice(None), np.array([4])), np.array([-4]), 3, (0, ..., [9]), (None, [3]), np.array([True, False])],
    ids=str,
)
def test_an_index_beyond_the_end_is_refused_as_numpy_refuses_it(gpu, index):
    with pytest.raises(IndexError, match=r"shape \(3, 4\) cannot be indexed"):
        Tensor(np.zeros((3, 4), np.float32), backend=gpu)[index]


@pytest.mark.parametrize(
    "index",
    [[0, 2], (slice(None), np.array([3, -4])), (np.array([0, 2, 2]), np.array([1, 1, 3])), 2, (..., None, 0),
     np.array([True, False, True]), (slice(None, None, 2), [1, 1])],
    ids=str,
)  # fmt: skip
def test_indices_select_and_add_as_on_numpy(gpu, rng, index):
    x, ends = rng.standard_normal((3, 4)).astype(np.float32), []
    for backend in ("numpy", gpu):
        t = Tensor(x, requires_grad=True, backend=backend)
        y = t[index]
        y.backward(np.arange(1, y.numel() + 1, dtype=np.float32).reshape(y.shape))
        ends.append((y.numpy(), t.grad.numpy()))
    for expected, ours in zip(*ends, strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_indices_that_only_the_gpu_knows(gpu, rng):
    """A Tensor as an index: its shape is checked, as is a mask's."""
    t = Tensor(rng.standard_normal((3, 4)).astype(np.float32), backend=gpu)
    rows = Tensor(np.array([2, 0]), backend=gpu)
    np.testing.assert_array_equal(t[rows, 1].numpy(), t.numpy()[[2, 0], 1])
    np.testing.assert_array_equal(t[t > 0].numpy(), t.numpy()[t.numpy() > 0])
    with pytest.raises(IndexError, match="cannot be indexed"):
        t[Tensor(np.ones((3, 5), bool), backend=gpu)]
    with pytest.raises(IndexError, match="cannot be indexed"):
        t[rows, rows, rows]


# ---------------------------------------------------------------------------------------------- random numbers


@pytest.mark.parametrize("count", [1, 6, 257, FLAT])
@pytest.mark.parametrize(("seed", "call"), [(0, 0), (2**64 - 3, 2**32 + 5)])
def test_dropout_drops_the_same(gpu, count, seed, call):
    kept = {}
    for backend in ("numpy", gpu):
        generator = random.Generator(seed)
        generator.call = call
        x = Tensor(np.ones(count, np.float32), requires_grad=True, backend=backend)
        y = functional.dropout(x, 0.3, generator=generator)
        y.backward(np.full(count, 2, np.float32))
        kept[backend] = y.numpy(), x.grad.numpy()
    for ours, expected in zip(kept[gpu], kept["numpy"], strict=True):
        np.testing.assert_array_equal(ours != 0, expected != 0)
        assert_close(ours, expected, 1e-7)


# ---------------------------------------------------------------------------------------------- sizes


LARGE = {
    "relu": (functional.relu, [(FLAT,)]),
    "relu in place": (lambda x: functional.relu(x * 1.0, inplace=True), [(FLAT,)]),
    "linear": (functional.linear, [(MAPS, 3), (2, 3), (2,)]),
    "conv2d": (lambda x, w, b: functional.conv2d(x, w, b, 2, 1), [(MAPS // 16, 3, 6, 5), (18, 3, 3, 3), (18,)]),
    "max_pool2d": (lambda x: functional.max_pool2d(x, 3, 2), [(1, MAPS, 5, 7)]),
    "avg_pool2d": (lambda x: functional.avg_pool2d(x, 3, 2, 1), [(1, MAPS, 5, 4)]),
    "large maps": (lambda x: functional.max_pool2d(x, 2, 1), [(1, 2, 1031, 529)]),
    "lrn": (lambda x: functional.local_response_norm(x, 3, 0.5, groups=MAPS), [(1, 2 * MAPS, 3, 2)]),
    "lrn of many channels": (lambda x: functional.local_response_norm(x, 5, 0.5), [(2, 300, 7, 5)]),
    "lrn of a large window": (lambda x: functional.local_response_norm(x, 6, 0.5), [(2, 9, 300, 301)]),
    "lrn within": (lambda x: functional.local_response_norm(x, 3, 0.5, within_channel=True), [(1, MAPS, 4, 3)]),
    "batch_norm": (
        lambda x, w, b: functional.batch_norm(x, None, None, w, b, training=True),
        [(MAPS // 8, 9, 3, 2), (9,), (9,)],
    ),
    "cross_entropy": (lambda x: functional.cross_entropy(x, np.arange(MAPS) % 3, reduction="sum"), [(MAPS, 3)]),
}


@pytest.mark.parametrize("name", LARGE)
def test_more_than_one_grid_covers(gpu, name):
    function, shapes = LARGE[name]
    draw, ends = np.random.default_rng(1), {}
    arrays = [draw.standard_normal(shape).astype(np.float32) for shape in shapes]
    for backend in ("numpy", gpu):
        tensors = [Tensor(x, requires_grad=True, backend=backend) for x in arrays]
        y = function(*tensors)
        y.backward(np.random.default_rng(2).standard_normal(y.shape).astype(np.float32))
        ends[backend] = [y.numpy()] + [t.grad.numpy() for t in tensors]
    sums = 3e-5  # weights' gradients and a loss are sums of a hundred thousand numbers, added in another order
    for ours, expected in zip(ends[gpu], ends["numpy"], strict=True):
        assert_close(ours, expected, sums if ours.size < 1000 else 3e-6)


def updates(backend):
    """{name: function of (p, g, v, m) that updates p in place}."""
    return {
        "sgd": lambda p, g, v, m: backend.sgd(p, g, v, 0.1, 0.9, 0, 0.01, False, True),
        "adam": lambda p, g, v, m: backend.adam(p, g, m, v, 3, 0.1, 0.9, 0.99, 1e-8, 0.01, False),
    }


@pytest.mark.parametrize("offset", [0, 1], ids=["aligned", "one element on"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("count", [5, FLAT])
@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_updates_wherever_the_arrays_begin(gpu, name, count, dtype, offset):
    draw, ends = np.random.default_rng(4), {}
    arrays = [np.abs(draw.standard_normal(count + offset)).astype(dtype) for _ in range(4)]
    for backend in (backends.get_backend("numpy"), gpu):
        whole = [backend.xp.array(x) for x in arrays]
        updates(backend)[name](*(x[offset:] for x in whole))
        ends[backend.name] = [backend.to_numpy(x) for x in whole]
    assert (ends["numpy"][0][offset:] != arrays[0][offset:]).all()
    for ours, expected, before in zip(ends[gpu.name], ends["numpy"], arrays, strict=True):
        assert_close(ours, expected, 1e-6 if dtype == np.float32 else 1e-14)
        np.testing.assert_array_equal(ours[:offset], before[:offset])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("op", ["relu", "dropout", "max_pool2d", "local_response_norm", "conv2d"])
def test_views_that_begin_one_element_on(gpu, op, dtype):
    """Contiguous, so that nothing copies them, but at an address that 16 does not divide."""
    draw, ends = np.random.default_rng(6), {}
    x, w = (draw.standard_normal(size).astype(dtype) for size in (1 + 2 * 3 * 7 * 5, 1 + 4 * 3 * 3 * 2))
    run = {
        "relu": lambda x, w: functional.relu(x),
        "dropout": lambda x, w: functional.dropout(x, 0.4, generator=random.Generator(9)),
        "max_pool2d": lambda x, w: functional.max_pool2d(x, 3, 2),
        "local_response_norm": lambda x, w: functional.local_response_norm(x, 3, 0.5),
        "conv2d": lambda x, w: functional.conv2d(x, w),
    }[op]
    for backend in (backends.get_backend("numpy"), gpu):
        views = [backend.xp.array(a)[1:].reshape(s) for a, s in ((x, (2, 3, 7, 5)), (w, (4, 3, 3, 2)))]
        tensors = [Tensor(view, requires_grad=True, backend=backend) for view in views]
        assert all(backend.xp.shares_memory(t.data, view) for t, view in zip(tensors, views, strict=True))
        y = run(*tensors)
        gy = backend.xp.array(np.random.default_rng(7).standard_normal(y.numel() + 1).astype(dtype))
        y.backward(gy[1:].reshape(y.shape))
        used = tensors[: 2 if op == "conv2d" else 1]
        ends[backend.name] = [y.numpy()] + [t.grad.numpy() for t in used]
    for ours, expected in zip(ends[gpu.name], ends["numpy"], strict=True):
        assert_close(ours, expected, 3e-6 if dtype == np.float32 else 1e-13)


# ---------------------------------------------------------------------------------------------- prepared launches


def relu_of(gpu, values):
    x, y = gpu.xp.array(values), gpu.empty(values.shape, values.dtype)
    gpu.launch.elements("relu", x.size, x, y, x.size)
    return gpu.to_numpy(y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_later_launches_are_prepared(gpu, monkeypatch, rng, dtype):
    """They do not go through CuPy's RawKernel, and compute the same; in either type, whatever came before."""
    values = rng.standard_normal((2, 3, 700)).astype(dtype)
    for real in (np.float32, np.float64):
        relu_of(gpu, values.astype(real))
    monkeypatch.setattr(gpu.launch, "launch", None)
    for part in values:
        np.testing.assert_array_equal(relu_of(gpu, part), np.maximum(part, 0))


def test_what_is_prepared_still_refuses(gpu):
    """And converts what every launcher converts."""
    x = gpu.xp.arange(-8, 8, dtype=np.float32)
    y, n, launch = gpu.xp.zeros_like(x), 16, gpu.launch.elements
    launch("relu", n, x, y, n)
    with pytest.raises(TypeError, match=r"relu takes 3 arguments \(x, y, n\), got 2"):
        launch("relu", n, x, y)
    with pytest.raises(TypeError, match="relu: y must be of float32, got float64"):
        launch("relu", n, x, y.astype(np.float64), n)
    with pytest.raises(ValueError, match="relu: x must be contiguous"):
        launch("relu", n, x[::2], y, 8)
    with pytest.raises(TypeError, match="relu: x must be an array of cupy, got ndarray"):
        launch("relu", n, x.get(), y, n)
    with pytest.raises(TypeError, match="relu: n must be a number of int64, got 16.0"):
        launch("relu", n, x, y, 16.0)
    with pytest.raises(ValueError, match="relu: n does not fit into int64"):
        launch("relu", n, x, y, 2**63)
    y.fill(-1)
    launch("relu", 0, x, y, n)
    assert (y == -1).all()
    launch("relu", np.int64(n), x, y, np.int64(n))
    np.testing.assert_array_equal(y.get(), np.maximum(x.get(), 0))


def test_what_is_prepared_stays_on_its_device(gpu, monkeypatch, rng):
    values = rng.standard_normal(50).astype(np.float32)
    relu_of(gpu, values)
    monkeypatch.setattr(gpu.launch, "_several", True)
    relu_of(gpu, values)
    monkeypatch.setattr(gpu.launch, "launch", None)
    np.testing.assert_array_equal(relu_of(gpu, values), np.maximum(values, 0))
    monkeypatch.setattr(gpu.launch, "_current_device", lambda: 1)
    with pytest.raises(ValueError, match="relu: x is on device 0, the launch would be on 1"):
        relu_of(gpu, values)


def test_each_thread_has_memory_of_its_own_for_arguments(gpu, rng):
    """Two write theirs before either launches: between the two, any other thread may run."""
    values, written = rng.standard_normal((2, 300)).astype(np.float32), threading.Barrier(2, timeout=20)

    def late(launch_kernel):
        def launch(*given):
            written.wait()
            launch_kernel(*given)

        return launch

    def compute(part):
        relu_of(gpu, part)
        [kernel] = gpu.launch._thread.prepared[gpu.launch.device()]["relu"]
        names = kernel.launch.__globals__
        names["launch_kernel"] = late(names["launch_kernel"])
        return relu_of(gpu, part)

    with ThreadPoolExecutor(2) as pool:
        np.testing.assert_array_equal(list(pool.map(compute, values)), np.maximum(values, 0))


def test_the_current_stream_is_launched_in(gpu, rng):
    values, other = rng.standard_normal(300).astype(np.float32), gpu.xp.cuda.Stream(non_blocking=True)
    relu_of(gpu, values)
    with other:
        x, y = gpu.xp.array(values), gpu.empty(300, np.float32)
        gpu.launch.elements("relu", 300, x, y, 300)
        other.synchronize()  # waits for this stream's work alone
        np.testing.assert_array_equal(y.get(stream=other), np.maximum(values, 0))


# ---------------------------------------------------------------------------------------------- matrix products


def product(gpu, sizes, dtype, transpose_a=False, transpose_b=False, add=False):
    """(the launcher's, NumPy's in float64) out of random a (G, m, k), b (G, k, n) and, for add, out (G, m, n)."""
    (count, m, n, k), draw = sizes, np.random.default_rng(8)
    a = draw.standard_normal((count, k, m) if transpose_a else (count, m, k)).astype(dtype)
    b = draw.standard_normal((count, n, k) if transpose_b else (count, k, n)).astype(dtype)
    out = draw.standard_normal((count, m, n)).astype(dtype) if add else np.full((count, m, n), np.nan, dtype)
    ours = gpu.xp.array(out)
    gpu.launch.gemm(gpu.xp.array(a), gpu.xp.array(b), ours, transpose_a, transpose_b, add)
    a, b = (x.astype(np.float64) for x in (a, b))
    expected = (a.swapaxes(1, 2) if transpose_a else a) @ (b.swapaxes(1, 2) if transpose_b else b)
    return gpu.to_numpy(ours), expected + (out if add else 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize(
    "sizes", [(1, 5, 7, 3), (3, 33, 17, 65), (2, 1, 1, 1), (2, 4, 3, 0), (1, 0, 3, 2), (0, 2, 3, 4)]
)
def test_cublas(gpu, sizes, transpose_a, transpose_b, add, dtype):
    """The empty ones too: over no columns at all a sum is 0, whatever stood in out."""
    ours, expected = product(gpu, sizes, dtype, transpose_a, transpose_b, add)
    assert ours.dtype == dtype
    assert_close(ours.astype(np.float64), expected, 3e-6 if dtype == np.float32 else 1e-14)


def test_tf32_is_switched_on_and_off(gpu):
    sizes, errors = (1, 512, 512, 512), []
    try:
        for precision in ("float32", "tf32", "float32"):
            gpu.set_matmul_precision(precision)
            ours, expected = product(gpu, sizes, np.float32)
            errors.append(np.abs(ours - expected).max() / np.abs(expected).max())
    finally:
        gpu.set_matmul_precision("float32")
    assert errors[0] == errors[2] < 3e-6
    if int(gpu.xp.cuda.Device().compute_capability) >= 80:  # older ones have no TF32
        assert 1e-5 < errors[1] < 2e-3


# ---------------------------------------------------------------------------------------------- there and back


def network():
    """Parameters, buffers, and values to put into them."""
    random.manual_seed(3)
    return nn.Sequential({"conv": nn.Conv2d(3, 4, 3), "norm": nn.BatchNorm2d(4), "relu": nn.ReLU()})


def test_a_module_moves_there_and_back(gpu, rng):
    model, before = network(), {name: x.copy() for name, x in network().state_dict().items()}
    x = rng.standard_normal((2, 3, 6, 5)).astype(np.float32)
    expected = model.eval()(Tensor(x)).numpy()
    model.to(BACKEND)
    assert all(isinstance(array, gpu.xp.ndarray) for array in model.state_dict().values())
    y = model(Tensor(x, backend=BACKEND))
    assert y.backend is gpu and isinstance(y.data, gpu.xp.ndarray)
    assert_close(y.numpy(), expected)
    with pytest.raises(ValueError, match="backend"):
        model(Tensor(x))
    model.to("numpy")
    for name, array in model.state_dict().items():
        assert type(array) is np.ndarray and array.tobytes() == before[name].tobytes(), name
    np.testing.assert_array_equal(model(Tensor(x)).numpy(), expected)


def test_values_come_back_as_numpys(gpu, rng):
    x = rng.standard_normal((3, 4)).astype(np.float32)
    t = Tensor(x, backend=BACKEND)
    for array in (t.numpy(), gpu.to_numpy(t.data), np.asarray(t), t.T.T.numpy(), t.to("numpy").data):
        assert type(array) is np.ndarray
        np.testing.assert_array_equal(array, x)
    np.testing.assert_array_equal(t.T.numpy(), x.T)
    assert t[1, 2].item() == x[1, 2] and bool(t[1, 2] == x[1, 2]) and "Tensor([[" in repr(t)


def test_a_checkpoint_from_the_gpu_is_read_on_numpy(gpu, tmp_path):
    """With the optimiser's velocities, after a step: and back onto the GPU."""
    _, weights = train("shapes_net", gpu, 20, 1)
    model = models.build("shapes_net").to(gpu)
    model.load_state_dict(weights)
    optimizer = make_optimizer(model, models.PRESETS["shapes_net"].recipe)
    images = Tensor(np.random.default_rng(0).standard_normal((4, 3, 32, 32)).astype(np.float32), backend=gpu)
    functional.cross_entropy(model(images), np.array([1, 5, 0, 2])).backward()
    optimizer.step()
    state = {
        "epoch": 1,
        "batch": 0,
        "running": {"pictures": 0, "loss_sum": 0.0, "top1_errors": 0, "top5_errors": 0},
        "seconds": 0.0,
        "generator": {"seed": 0, "call": 1},
        "optimizer": optimizer.state_dict(),
        "schedule": None,
    }
    norm = data.Normalize(np.zeros((3, 1, 1))).to_arrays()
    saved = checkpoint.Checkpoint("shapes_net", {}, model.state_dict(), 32, norm, [*"abcdefghij"], {}, state)
    checkpoint.save(tmp_path / "c.npz", saved)
    read = checkpoint.load(tmp_path / "c.npz")
    assert all(type(array) is np.ndarray for array in read.weights.values())
    on_numpy = read.build_model()
    for name, p in model.named_parameters():
        assert on_numpy.state_dict()[name].tobytes() == p.numpy().tobytes(), name
    other = make_optimizer(model, models.PRESETS["shapes_net"].recipe)
    other.load_state_dict(read.trainer_state["optimizer"])
    for index, state in optimizer.state.items():
        velocity = other.state[index]["momentum_buffer"]
        assert isinstance(velocity, gpu.xp.ndarray) and np.any(gpu.to_numpy(velocity))
        np.testing.assert_array_equal(gpu.to_numpy(velocity), gpu.to_numpy(state["momentum_buffer"]))
